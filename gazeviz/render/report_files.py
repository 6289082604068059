"""Writes a report into a folder: HTML, Markdown, JSON, CSV and single figures, each file whole or not at all.

PDF is Qt's business (gazeviz.app.report_pdf).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from gazeviz.errors import UserError
from gazeviz.render.report import Report
from gazeviz.render.report_figures import FIGURE_DPI, case_figures, entry_figures
from gazeviz.render.report_pages import html_page, markdown_page
from gazeviz.render.report_tables import json_text, runs_csv, tokens_csv
from gazeviz.whole_files import written_whole

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
            f"The folder {folder} cannot be made: {error.strerror}.", next_step="Choose another folder."
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
