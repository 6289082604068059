"""The help page of measured timings: every benchmark writes its own section and leaves the others alone."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "resources" / "help" / "performance.md"
_HEAD: Final = "# Performance\n\nMeasured by `make bench`, each section in one run on one machine.\n"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put a section between its markers, in the place of its older self, else at the end of the page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = page.read_text(encoding="utf-8") if page.is_file() else _HEAD
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in old and end in old:
        new = old[: old.index(begin)] + section + old[old.index(end) + len(end) :]
    else:
        new = f"{old.rstrip()}\n\n{section}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(new, encoding="utf-8")


def conditions(threads: int) -> str:
    """What the figures were measured with, in one line."""
    import torch
    import transformers

    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, {threads} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, "
        f"transformers {transformers.__version__}, float32."
    )
