"""What the report dialog says of previews, files and folders: sentences, no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gazeviz.app.reporting import Format, Preview, Written

FORMAT_WORDS: Final[dict[Format, tuple[str, str]]] = {
    "html": ("Page (HTML)", "One file with everything inside: opens offline, in a light and a dark room"),
    "pdf": ("PDF", "Pages of A4 with the fonts inside"),
    "md": ("Markdown", "Text with its images beside it, for a repository or a notebook"),
    "json": ("JSON", "Everything as numbers, tokens and masks among them; gazeviz replay reads it"),
    "csv": ("Tables (CSV)", "One row for each run, and one for each token"),
    "figures": ("Single figures", "Each figure as SVG, PDF and PNG, ready for a paper"),
}
"""A label and a tooltip for each."""


def about_preview(preview: Preview) -> str:
    """How much of the report the preview shows, and what it cannot show."""
    shown = (
        f"The preview shows the first {preview.n_shown} of {preview.n_runs} runs; all are written."
        if preview.n_shown < preview.n_runs
        else f"Preview of {preview.n_runs} run{'' if preview.n_runs == 1 else 's'}."
    )
    return " ".join((shown, *preview.notes))


def written_words(written: Written) -> str:
    """What was written, in a sentence."""
    named_files = [path.name for path in written.files if path.parent == written.folder]
    n_more = len(written.files) - len(named_files)
    parts = [*named_files, *([f"{n_more} image{'' if n_more == 1 else 's'}"] if n_more else [])]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return " ".join((f"Wrote {listed}.", *written.notes))


def place_words(folder: Path, formats: Sequence[Format]) -> str:
    """What would happen to the folder."""
    if not formats:
        return "Tick a format."
    if not folder.exists():
        return "The folder will be made."
    names = {"html": "report.html", "pdf": "report.pdf", "md": "report.md", "json": "report.json",
             "csv": "runs.csv", "figures": "figures"}  # fmt: skip
    there = [names[kind] for kind in formats if (folder / names[kind]).exists()]
    return f"There already, and will be replaced: {', '.join(there)}." if there else ""
