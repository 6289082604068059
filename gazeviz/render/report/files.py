"""Writes a report into a folder: HTML, Markdown, JSON, CSV and single figures, each file whole or not at all.

PDF is Qt's business (gazeviz.app.report.pdf).
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from PIL import Image

from gazeviz.errors import UserError
from gazeviz.render.report.figures import FIGURE_DPI, case_figures, entry_figures
from gazeviz.render.report.pages import CITATIONS, html_page, markdown_page
from gazeviz.render.report.report import Report, ReportedRun
from gazeviz.whole_files import written_whole

# A report for programs and spreadsheets: one JSON document, and CSV tables of runs and tokens.
#
# A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers.


SCHEMA: Final = 1
"""Of the JSON document; changes with its shape."""
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula, full-width forms included."""


def json_document(report: Report, *, with_pictures: bool = True) -> dict[str, Any]:
    """Return everything as JSON: from it alone, `gazeviz replay` repeats each run.

    with_pictures: pictures come as base64 of lossless PNG.
    """
    return {
        "gazeviz_report": SCHEMA,
        "title": report.title,
        "written": report.made,
        "version": report.version,
        "runs": [_run(entry, case.number) for case in report.cases for entry in case.entries],
        "pictures": _pictures(report, with_pictures),
        "evaluations": [evaluation.to_json() for evaluation in report.evaluations],
        "citations": [{"text": source.text, "bibtex": source.bibtex} for source in CITATIONS],
    }


def json_text(report: Report, *, with_pictures: bool = True) -> str:
    """Return `json_document` as a file holds it; what is no number is null."""
    document = _finite(json_document(report, with_pictures=with_pictures))
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    # A half of a surrogate pair cannot be written as UTF-8; JSON spells it out.
    return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in text) + "\n"


def runs_csv(report: Report) -> str:
    """Return one row for each run."""
    columns = (
        "run", "case", "side", "state", "model", "fingerprint", "device", "dtype", "picture",
        "picture_sha256", "prompt", "text", "junk", "heads_watched", "heads_steered", "target", "mode",
        "strength", "alpha", "scope", "rule", "temperature", "top_p", "seed",
        "repetition_penalty", "no_repeat_ngram_tok", "max_new_tokens", "tokens", "seconds",
        "mass_before", "mass_after", "started_s", "note", "verdict", "command",
    )  # fmt: skip
    rows = [_run_row(entry, case.number) for case in report.cases for entry in case.entries]
    return csv_text(columns, rows)


def tokens_csv(report: Report) -> str:
    """Return one row for each token and region of each run; a token without regions has one row."""
    columns = (
        "run", "token", "token_id", "text", "logprob", "ms", "target", "looks_at", "region", "region_name",
        "mass", "weighted_mass", "control_mass",
    )  # fmt: skip
    return csv_text(columns, [row for entry in report.entries for row in _token_rows(entry)])


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as CSV that a spreadsheet shows and does not compute; None is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    return buffer.getvalue()


def _field(value: object) -> object:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "␀").encode("utf-8", "replace").decode("utf-8")
    computed = text.lstrip(" \u00a0").startswith(_FORMULA_STARTS) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if computed else text


def _run(entry: ReportedRun, case: int) -> dict[str, Any]:
    run, summary = entry.run, entry.run.summary
    spec, model = run.spec, run.model
    return {
        "id": run.id,
        "case": case,
        "side": run.side,
        "state": run.state,
        "message": run.message,
        "started_s": run.started_s,
        "note": entry.note,
        "verdict": entry.verdict,
        "prompt": spec.prompt,
        "text": entry.text,
        "picture_sha256": spec.picture_sha256,
        "picture": entry.picture and entry.picture.name,
        "model": {
            "name": model.name, "path": model.path, "family": model.family, "fingerprint": model.fingerprint,
            "device": model.device, "dtype": model.dtype, "layers": model.shape_LH[0],
            "heads": model.shape_LH[1], "parameters": model.n_parameters,
            "max_image_tokens": model.max_image_tok,
        },
        "chosen": spec.chosen.to_json(),
        "control": None if spec.control is None else spec.control.to_json(),
        "regions": [region.to_json() for region in entry.regions],
        "steering": entry.steering and entry.steering.to_json(),
        "sampling": spec.sampling.to_json(),
        "max_new_tokens": spec.max_new_tokens,
        "request": summary and summary.request.to_json(),
        "finish": summary and summary.finish,
        "junk": summary and summary.junk,
        "seconds": summary and summary.seconds,
        "switches": [list(switch) for switch in summary.switches] if summary else [],
        "audit": summary.audit.to_json() if summary and summary.audit else None,
        "tokens": [_token(step) for step in run.steps],
        "reproduce": {"shell": entry.cli, "python": entry.python},
    }  # fmt: skip


def _token(step: Any) -> dict[str, Any]:
    return {
        "index": step.index, "id": step.token_id, "text": step.text, "logprob": step.logprob, "ms": step.ms,
        "target": step.target, "looks_at": step.looks_at, "masses": _numbers(step.masses_R),
        "weighted": _numbers(step.weighted_R), "control": _numbers(step.control_R),
        "map": _numbers(step.map_P),
    }  # fmt: skip


def _numbers(values: Any) -> list[float] | None:
    """Six digits: float32 has no more."""
    return None if values is None else [float(f"{value:.6g}") for value in values.tolist()]


def _pictures(report: Report, with_data: bool) -> dict[str, dict[str, Any]]:
    pictures: dict[str, dict[str, Any]] = {}
    for entry in report.entries:
        if entry.picture is None or entry.run.spec.picture_sha256 in pictures:
            continue
        kept: dict[str, Any] = {"name": entry.picture.name, "path": entry.picture.path}
        kept["size_px"] = list(entry.picture.size_px)
        if with_data:
            kept["png"] = base64.b64encode(png_of(entry.picture.image)).decode("ascii")
        pictures[entry.run.spec.picture_sha256] = kept
    return pictures


def png_of(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG, which loses nothing."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _run_row(entry: ReportedRun, case: int) -> list[object]:
    run, spec, steering, summary = entry.run, entry.run.spec, entry.steering, entry.run.summary
    audit = summary.audit if summary else None
    return [
        run.id, case, run.side, run.state, run.model.name, run.model.fingerprint, run.model.device,
        run.model.dtype, entry.picture.name if entry.picture else None, spec.picture_sha256, spec.prompt,
        entry.text, summary and summary.junk, str(spec.chosen) or "all",
        str(steering.heads) if steering else None,
        steering and steering.target.name, steering and steering.mode, steering and steering.strength,
        steering and steering.alpha, steering and steering.scope, steering and steering.rule,
        spec.sampling.temperature, spec.sampling.top_p, spec.sampling.seed, spec.sampling.repetition_penalty,
        spec.sampling.no_repeat_ngram_tok, spec.max_new_tokens,
        len(run.steps), summary and summary.seconds, audit and audit.mass_before,
        audit and audit.mass_after, run.started_s, entry.note, entry.verdict, entry.cli,
    ]  # fmt: skip


def _token_rows(entry: ReportedRun) -> list[list[object]]:
    rows: list[list[object]] = []
    for step in entry.run.steps:
        looks_at = None if step.looks_at is None else step.looks_at + 1
        shared: list[object] = [
            entry.run.id, step.index, step.token_id, step.text, step.logprob, step.ms, step.target, looks_at,
        ]  # fmt: skip
        masses, weighted = _numbers(step.masses_R) or [], _numbers(step.weighted_R) or []
        control: Sequence[float | None] = _numbers(step.control_R) or [None] * len(masses)
        for place, region in enumerate(entry.regions):
            figures = [masses[place], weighted[place], control[place]]
            rows.append([*shared, place + 1, region.name, *figures])
        if not entry.regions:
            rows.append([*shared, None, None, None, None, None])
    return rows


def _finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not know."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


Format: TypeAlias = Literal["html", "pdf", "md", "json", "csv", "figures"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

Told: TypeAlias = Callable[[str, float], None]
"""Told what is being written, and the part done of all of it, 0 to 1."""


def _nobody(_what: str, _part: float) -> None:
    return None


def write_report(
    report: Report,
    folder: Path,
    formats: Sequence[Format],
    *,
    tokens: Sequence[int] | None = None,
    dpi: int = FIGURE_DPI,
    told: Told = _nobody,
) -> list[Path]:
    """Write the formats into a folder, which is made, and return the files; "pdf" is not written here.

    tokens: at which maps are shown, None for those that tell most.  dpi: of single figures as PNG.
    Raises UserError where the folder or a file cannot be written.
    """
    make_folder(folder)
    written: list[Path] = []
    for place, kind in enumerate(formats):
        told(f"writing {kind}", place / len(formats))
        if kind == "html":
            written.append(write_whole(folder / "report.html", html_page(report, tokens)))
        elif kind == "md":
            written += _markdown(report, folder, tokens)
        elif kind == "json":
            written.append(write_whole(folder / "report.json", json_text(report)))
        elif kind == "csv":
            # With the mark that spreadsheets need to read UTF-8.
            written.append(write_whole(folder / "runs.csv", "\ufeff" + runs_csv(report)))
            written.append(write_whole(folder / "tokens.csv", "\ufeff" + tokens_csv(report)))
        elif kind == "figures":
            written += _figures(report, folder / "figures", tokens, dpi)
    return written


def make_folder(folder: Path) -> None:
    """Make a folder with everything above it; UserError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be created: {error.strerror}.", next_step="Choose another folder."
        ) from error


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file, all or nothing, and return its path; UserError where that cannot be done."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with written_whole(path, "report") as unfinished:
        unfinished.write_bytes(data)
    return path


def _markdown(report: Report, folder: Path, tokens: Sequence[int] | None) -> list[Path]:
    page = markdown_page(report, tokens)
    make_folder(folder / "images")
    images = [write_whole(folder / "images" / name, data) for name, data in page.images.items()]
    return [write_whole(folder / "report.md", page.text), *images]


def _figures(report: Report, folder: Path, tokens: Sequence[int] | None, dpi: int) -> list[Path]:
    make_folder(folder)
    figures = [figure for case in report.cases for figure in case_figures(case)]
    figures += [figure for entry in report.entries for figure in entry_figures(entry, tokens)]
    return [path for figure in figures for path in figure.save(folder, dpi=dpi)]
