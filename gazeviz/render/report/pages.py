"""A report as pages: one self-contained HTML file, Markdown beside a folder of images.

Templates lie in resources/report. Everything that a person or a model wrote reaches them as plain text and is
escaped on its way out, by jinja2's autoescape in HTML and by `markdown_text` in Markdown.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import ImageColor

from gazeviz import __version__
from gazeviz.domain.wording import format_change, format_strength
from gazeviz.render.overlay import ink_on
from gazeviz.render.report.figures import DrawnFigure, NamedFigure, case_figures, entry_figures
from gazeviz.render.report.report import (
    Case,
    Report,
    ReportedRun,
    audit_words,
    evaluation_rows,
    side_words,
    state_words,
    steering_words,
    streaks,
)
from gazeviz.render.style import one_line, visible
from gazeviz.resources import resource_path

# What a report asks to be cited: the paper whose idea this is, and the software.
#
# Knows nothing of reports.


@dataclass(frozen=True)
class Source:
    """Something to cite, as a sentence and as BibTeX."""

    text: str
    bibtex: str


PAPER: Final = Source(
    "Rohit Gandikota and David Bau. Gaze Heads: How VLMs Look at What They Describe. arXiv 2606.14703, 2026.",
    """@article{gandikota2026gazeheads,
  title   = {Gaze Heads: How {VLMs} Look at What They Describe},
  author  = {Gandikota, Rohit and Bau, David},
  journal = {arXiv preprint arXiv:2606.14703},
  year    = {2026}
}""",
)
SOFTWARE: Final = Source(
    f"gazeviz developers. gazeviz, version {__version__}. MIT licence.",
    f"""@software{{gazeviz,
  title   = {{gazeviz: find, see and steer the heads that look at what a vision-language model describes}},
  author  = {{{{gazeviz developers}}}},
  version = {{{__version__}}},
  license = {{MIT}}
}}""",
)
CITATIONS: Final = (PAPER, SOFTWARE)


PAGE_DPI: Final = 160
"""Of pictures on a page, and so that a screen of twice the usual density still shows them sharp."""
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>&|~$#@])")


@dataclass(frozen=True, eq=False)
class Page:
    """A page and the images that belong beside it, by file name."""

    text: str
    images: Mapping[str, bytes]


@dataclass(frozen=True)
class RegionKey:
    """A region's entry in a legend."""

    number: int
    name: str
    colour: str


def html_page(report: Report, tokens: Sequence[int] | None = None) -> str:
    """Return a report as one HTML file: no script, nothing loaded from anywhere, both themes, printable.

    tokens: at which maps are shown; None for those that tell most.
    """
    style = _style(report)
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    # Ours alone goes into the style: class names and colours that were checked.
    return _html().get_template("report.html").render(
        _context(report, tokens, _embedded), style=Markup(style), style_hash=f"sha256-{digest}"
    )  # fmt: skip


def markdown_page(report: Report, tokens: Sequence[int] | None = None) -> Page:
    """Return a report as Markdown and its images, PNG each, which belong into a folder `images` beside it."""
    images: dict[str, bytes] = {}

    def kept(figure: NamedFigure) -> dict[str, Any]:
        file = f"{figure.name}.png"
        images[file] = figure.drawn("png", dpi=PAGE_DPI).data
        return {"file": file, "alt": figure.alt, "caption": figure.caption}

    text = _markdown().get_template("report.md").render(_context(report, tokens, kept))
    return Page(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", images)


def document_html(report: Report, images: Callable[[NamedFigure], dict[str, Any]],
                  tokens: Sequence[int] | None = None) -> str:  # fmt: skip
    """Return a report in the few tags and styles that a text document of Qt knows.

    images: draws a figure, keeps it where the document finds it, and says its "file", size and "caption".
    """
    return _html().get_template("document.html").render(_context(report, tokens, images))


def markdown_text(text: object) -> str:
    """Escape a text for Markdown, so that it is read as it was written and never as marks or HTML."""
    return str(text) if isinstance(text, _Ready) else _MARKDOWN.sub(r"\\\1", str(text))


def fenced(text: str, language: str = "text") -> _Ready:
    """Return a text as a block of code whose fence is longer than any in it."""
    shown = visible(text.rstrip("\n"))
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return _Ready(f"{fence}{language}\n{shown}\n{fence}")


class _Ready(str):
    """Markdown that is finished and not escaped any more."""


def _context(
    report: Report, tokens: Sequence[int] | None, shown: Callable[[NamedFigure], dict[str, Any]]
) -> dict[str, Any]:
    return {
        "report": report,
        "summary": [_summary(entry) for entry in report.entries],
        "cases": [_case(case, tokens, shown) for case in report.cases],
        "evaluations": [evaluation_rows(evaluation) for evaluation in report.evaluations],
        "citations": CITATIONS,
    }


def _case(
    case: Case, tokens: Sequence[int] | None, shown: Callable[[NamedFigure], dict[str, Any]]
) -> dict[str, Any]:
    entries = [_entry(entry, tokens, shown) for entry in case.entries]
    return {
        "number": case.number,
        "prompt": case.prompt,
        "asked": case.asked,
        "figures": [shown(figure) | {"has_picture": figure.has_picture} for figure in case_figures(case)],
        "run_figures": [figure for entry in entries for figure in entry["figures"]],
        "entries": entries,
        "key": _key(case),
    }


def _entry(
    entry: ReportedRun, tokens: Sequence[int] | None, shown: Callable[[NamedFigure], dict[str, Any]]
) -> dict[str, Any]:
    summary = entry.run.summary
    names = {place: region.name for place, region in enumerate(entry.regions, start=1)}
    pieces = streaks(entry.chips) if entry.regions else ()
    return {
        "run": entry.run, "name": entry.name, "steering": entry.steering,
        "chips": [chip for chip in entry.chips if chip.text],  # the end of an answer has none
        "text": entry.text, "note": entry.note, "verdict": entry.verdict, "settings": entry.settings,
        "audit": entry.audit, "ledger": entry.ledger, "cli": entry.cli, "python": entry.python,
        "steering_line": steering_words(entry.steering), "state_line": state_words(entry),
        "audit_line": audit_words(summary.audit if summary else None),
        "streaks": [(f"{n} {names[n]}" if n else "none of them", text) for text, n in pieces if text.strip()],
        "figures": [shown(figure) for figure in entry_figures(entry, tokens)],
    }  # fmt: skip


def _summary(entry: ReportedRun) -> dict[str, Any]:
    steering, summary = entry.steering, entry.run.summary
    audit = summary.audit if summary else None
    return {
        "id": entry.run.id,
        "prompt": entry.run.spec.prompt,
        "target": side_words(entry.run.side, steering).removeprefix("steered to "),
        "heads": str(steering.heads.origin) if steering else "",
        "strength": format_strength(steering) if steering else "",
        "mass": format_change(audit.mass_before, audit.mass_after) if audit else "",
        "text": entry.text or entry.run.state,
    }


def _key(case: Case) -> list[RegionKey]:
    """The legend of a case's tokens: every region that any of its runs watched."""
    keys = {
        RegionKey(number, region.name, str(region.colour))
        for entry in case.entries
        for number, region in enumerate(entry.regions, start=1)
    }
    return sorted(keys, key=lambda key: (key.number, key.name))


def _embedded(figure: NamedFigure) -> dict[str, Any]:
    """A figure inside the page, once for each theme."""
    kind = "webp" if figure.has_picture else "svg"
    light, dark = (_drawn(figure, kind, theme) for theme in ("light", "dark"))
    return {"light": light, "dark": dark, "alt": figure.alt, "caption": figure.caption}


def _drawn(figure: NamedFigure, kind: Any, theme: Any) -> DrawnFigure:
    return figure.drawn(kind, theme, PAGE_DPI)


def _style(report: Report) -> str:
    """The style sheet, with a class for each colour of a region."""
    colours = sorted({str(region.colour) for entry in report.entries for region in entry.regions})
    classes = [f".{colour_class(colour)} {{ --k: {colour}; --on: {ink_on(colour)}; }}" for colour in colours]
    return resource_path("report", "report.css").read_text("utf-8") + "\n".join(classes) + "\n"


def colour_class(colour: str) -> str:
    """Return the name of a colour's class, which is safe in a page whatever it is given."""
    return "k" + re.sub(r"[^0-9A-Fa-f]", "", colour)


def _tint(colour: str) -> str:
    """The colour at 22 % over white, for pages that know no transparency."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return "#{:02x}{:02x}{:02x}".format(
        *(round(255 - (255 - channel) * 0.22) for channel in (red, green, blue))
    )


@cache
def _html() -> Environment:
    loader = FileSystemLoader(resource_path("report"))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"line": one_line, "text": visible, "colour_class": colour_class}
    environment.filters |= {"ink_on": ink_on, "tint": _tint}
    return environment


@cache
def _markdown() -> Environment:
    loader = FileSystemLoader(resource_path("report"))
    # Not HTML: what is written between the marks is escaped as Markdown wants it.
    environment = Environment(
        loader=loader, autoescape=False, finalize=markdown_text, undefined=StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"line": one_line, "text": visible, "fenced": fenced}
    return environment
