"""Runs to be replayed, from where they are kept: the log, or a report's JSON that somebody handed on.

Nothing in a report is believed: pictures have to have the digest that their runs name, and a model's folder
that it names is not opened unless the person names it, too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.domain.reproduction import ReplayRequest, is_builtin
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.engine.generation.replay import Original
    from gazeviz.store.reader import LogReader, StoredRun

_MOST_BYTES = 512 * 2**20


def from_log(run: StoredRun, reader: LogReader) -> Original:
    """Return a run of the log; UserErrors of its picture."""
    from gazeviz.app.report.sources import reported_picture
    from gazeviz.engine.generation.replay import Original

    picture = reported_picture(reader, run.spec.picture_sha256)
    summary = run.summary
    return Original(
        run.id,
        ReplayRequest.of(run),
        picture.image,
        summary.fingerprint if summary else run.model.fingerprint,
        tuple(step.token_id for step in run.steps),
        summary.text if summary else "".join(step.text for step in run.steps),
        summary.request.versions if summary else {},
        in_log=True,
    )


def from_report(path: Path, model: str | None) -> list[Original]:
    """Return the runs of a report's JSON file.

    model: the folder that the person named, None for none. UserError for what is no such file, for pictures
    that are not what their runs saw, and for a model that only the report names.
    """
    document = _document(path)
    try:
        return [_original(run, document["pictures"], model) for run in document["runs"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_report(path) from error


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _no_report(path)
        document = json.loads(path.read_text("utf-8"))
        if document["gazeviz_report"] == 1:
            return dict(document)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _no_report(path) from error
    raise UserError(
        f"{path.name} was written by a newer gazeviz.", next_step="Install a newer gazeviz to replay it."
    )


def _original(run: Mapping[str, Any], pictures: Mapping[str, Any], model: str | None) -> Original:
    from gazeviz.app.runs.picture_opener import picture_sha256
    from gazeviz.backend.engine_adapter import decoded_image
    from gazeviz.domain.messages import PictureSource
    from gazeviz.engine.generation.replay import Original

    sha256 = str(run["picture_sha256"])
    png = pictures.get(sha256, {}).get("png")
    if png is None:
        raise UserError(
            f"The report does not hold the picture of run {run['id']}.", next_step="Replay it from the log."
        )
    source = PictureSource(sha256, "the report's picture", data=base64.b64decode(png, validate=True))
    picture = decoded_image(source)
    import numpy as np

    if picture_sha256(np.asarray(picture)) != sha256:
        raise UserError(
            f"The picture of run {run['id']} is not the one that the run saw.",
            next_step="Write the report again.",
        )
    ids = tuple(int(token["id"]) for token in run["tokens"])
    request = run["request"] or {}
    versions = {str(name): str(value) for name, value in request.get("versions", {}).items()}
    return Original(
        int(run["id"]),
        _request(run, model),
        picture,
        str(run["model"]["fingerprint"]),
        ids,
        str(run["text"]),
        versions,
    )


def _request(run: Mapping[str, Any], model: str | None) -> ReplayRequest:
    from gazeviz.domain.run import Sampling
    from gazeviz.domain.steering import Steering

    named = str(run["model"]["path"])
    if model is None and not is_builtin(named):
        raise UserError(
            f"Run {run['id']} was written by a model in {named}.",
            next_step=f"Name the folder of that model yourself: --model {named}.",
        )
    request = run["request"] or {}
    limit, usual = request.get("max_image_tokens"), run["model"]["max_image_tokens"]
    return ReplayRequest(
        model_path=model,
        device=str(request.get("device", run["model"]["device"])),
        dtype=str(request.get("dtype", run["model"]["dtype"])),
        prompt=str(run["prompt"]),
        steering=None if run["steering"] is None else Steering.from_json(run["steering"]),
        sampling=Sampling(**run["sampling"]),
        max_new_tokens=int(run["max_new_tokens"])
        if run["finish"] in ("stop", "length")
        else max(1, len(run["tokens"])),
        max_image_tok=None if limit == usual else limit,
    )


def _no_report(path: Path) -> UserError:
    return UserError(
        f"{path.name} is not a report that can be replayed.",
        next_step="Name a run of the log, or a JSON file that gazeviz report has written.",
    )
