"""What is said of one run of the log beside the list, and what repeats it when it is pasted.

Reads the log; called in the archive's thread. Says everything as text and plain pixels, for any widget.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.app.report.sources import logged_grid, reported_picture
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.domain.reproduction import cli_line, python_snippet
from gazeviz.domain.run import RunRequest
from gazeviz.domain.steering import Steering
from gazeviz.domain.wording import (
    format_change,
    format_duration,
    format_rule,
    format_sampling,
    format_settings,
    format_timestamp,
    plural,
)
from gazeviz.errors import UserError
from gazeviz.render.overlay import overlay_picture
from gazeviz.store.connection import default_path
from gazeviz.store.reader import LogReader, StoredRun
from gazeviz.store.run_query import RunList, RunRow

PICTURE_PX: Final = (680, 400)
"""The picture beside the list is not larger than this."""
_KNOWN_PICTURES: Final = 16


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A run beside the list.

    rows: names and values, in the order in which they are read.
    picture_HW3: uint8, with the run's mean map over it where the grid is known; None where there is none.
    picture_note: what has to be said of the picture, "" for nothing.
    trouble: why a part of the run cannot be read, "" where all can.
    """

    line: RunRow
    rows: tuple[tuple[str, str], ...]
    picture_HW3: NDArray[np.uint8] | None
    picture_note: str
    trouble: str = ""


SmallPictures: TypeAlias = dict[str, tuple[Image.Image | None, str]]
"""Pictures as large as they are shown, by their sha256, and why one cannot be shown."""


def facts_of(reader: LogReader, run_id: int, known: SmallPictures) -> RunFacts | None:
    """Look everything up; None for a run that is gone. What cannot be read of it is said and left out.

    known: pictures that were decoded before; the last few are kept in it.
    """
    lines = RunList(reader).lines([run_id])
    if not lines:
        return None
    run, line = reader.run(run_id), lines[0]
    try:
        rows = tuple(_rows(run, line))
    except UserError as error:
        return RunFacts(line, tuple(_light_rows(line)), None, "", f"{error.sentence} {error.next_step}")
    picture_HW3, note = _picture(reader, run, known)
    return RunFacts(line, rows, picture_HW3, note)


def shell_line(reader: LogReader, run_id: int) -> str:
    """A line for a shell that repeats a run; UserError where the log does not have it."""
    line = cli_line(_run(reader, run_id), _picture_path(reader, run_id))
    if line.startswith("gazeviz replay ") and reader.path != default_path().absolute():
        line += f" --log {shlex.quote(str(reader.path))}"
    return line


def snippet(reader: LogReader, run_id: int) -> str:
    """The same in Python."""
    return python_snippet(_run(reader, run_id), _picture_path(reader, run_id))


def _run(reader: LogReader, run_id: int) -> StoredRun:
    try:
        return reader.run(run_id)
    except KeyError:
        raise UserError(f"The log has no run {run_id}.", next_step="Choose another one.") from None


def _picture_path(reader: LogReader, run_id: int) -> str | None:
    with suppress(UserError):
        return reported_picture(reader, _run(reader, run_id).spec.picture_sha256).path
    return None


def _light_rows(line: RunRow) -> Iterator[tuple[str, str]]:
    """What the list itself knows."""
    yield "Model", f"{line.model} · {line.model_fingerprint[:8]}"
    yield "Prompt", line.prompt
    yield "State", " · ".join(part for part in (line.state, line.message) if part)


def _rows(run: StoredRun, line: RunRow) -> Iterator[tuple[str, str]]:
    spec, summary = run.spec, run.summary
    request = summary.request if summary else None
    steering = request.steering if request else spec.steering
    n_layers, n_heads = run.model.shape_LH
    yield "Model", f"{line.model} · {line.model_fingerprint[:8]}"
    yield "Prompt", line.prompt
    yield "Text", line.text
    if steering is None:
        yield "Steering", "none, a baseline"
    else:
        yield "Heads", f"{len(steering.heads)} of {n_layers * n_heads} · {steering.heads.origin}"
        yield "Target", _target_words(steering, line, request)
        yield "Steering", format_settings(steering)
    yield "Sampling", f"{format_sampling(spec.sampling)} · at most {spec.max_new_tokens} tokens"
    yield from _outcome(line)
    yield "Machine", _machine_words(run, request)
    if line.replayed_s is not None:
        same = "same tokens" if line.replay_same else "other tokens"
        yield "Replay", f"{same}, {format_timestamp(line.replayed_s)}"
    yield "Session", line.session


def _outcome(line: RunRow) -> Iterator[tuple[str, str]]:
    if line.mass_before is not None and line.mass_after is not None:
        yield "Mass on target", format_change(line.mass_before, line.mass_after)
    parts = [line.state, plural(line.n_tok, "token")]
    parts += [format_duration(line.seconds)] if line.seconds is not None else []
    parts += [f"junk: {line.junk}"] if line.junk else []
    yield "State", " · ".join([*parts, *([line.message] if line.message else [])])
    yield "Asked", format_timestamp(line.started_s)


def _target_words(steering: Steering, line: RunRow, request: RunRequest | None) -> str:
    cells = {name: len(tokens) for name, tokens in request.target_tokens} if request else {}
    n_cells = cells.get(steering.target.name)
    counted = (
        "" if n_cells is None else f", {plural(n_cells, 'cell')} {format_rule(steering.rule, steering.share)}"
    )
    return f"{line.target or steering.target.name}{counted}"


def _machine_words(run: StoredRun, request: RunRequest | None) -> str:
    device, dtype = (request.device, request.dtype) if request else (run.model.device, run.model.dtype)
    torch = request.versions.get("torch") if request else None
    device = "CPU" if device == "cpu" else device
    return ", ".join([device, *([f"torch {torch.split('+')[0]}"] if torch else []), dtype])


def _picture(reader: LogReader, run: StoredRun, known: SmallPictures) -> tuple[NDArray[np.uint8] | None, str]:
    """The run's picture with its mean map, and what has to be said of it."""
    image, note = _small_picture(reader, run.spec.picture_sha256, known)
    grid = (logged_grid(run) or proven_grid(run)) if image is not None else None
    if image is not None and grid is not None:
        mean_P = np.mean([step.map_P for step in run.steps], axis=0)
        image = overlay_picture(image, grid.picture_map(mean_P, image.size))
        note = f"Mean of the maps of {plural(len(run.steps), 'token')}"
    return None if image is None else np.array(image, dtype=np.uint8), note


def _small_picture(reader: LogReader, sha256: str, known: SmallPictures) -> tuple[Image.Image | None, str]:
    """A picture as it is shown; decoding and checking a large one takes a while, so it is done once."""
    if sha256 not in known:
        while len(known) >= _KNOWN_PICTURES:
            del known[next(iter(known))]
        try:
            image = reported_picture(reader, sha256).image
            image.thumbnail(PICTURE_PX, Image.Resampling.LANCZOS)
            known[sha256] = image, ""
        except UserError as error:
            known[sha256] = None, error.sentence
    return known[sha256]
