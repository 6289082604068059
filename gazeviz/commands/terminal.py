"""How a command talks: results on standard output, progress and complaints on standard error.

For a person in colour, for a program (`--json`) as one JSON document. It does not know what the commands do.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gazeviz.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

PIPE_COLUMNS = 240
Report = Callable[[str, float], None]
"""Told what is being done, and the part done of all of it, 0 to 1."""


@dataclass(frozen=True)
class Terminal:
    """Where a command's words go.

    as_json: the result is one JSON document, and so is a complaint. quiet: no progress.
    """

    as_json: bool = False
    quiet: bool = False

    @cached_property
    def out(self) -> Console:
        """The console of results; plain text where it is no terminal."""
        # A file or pipe has no width: wide enough that no answer is broken into lines.
        return _console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)

    @cached_property
    def err(self) -> Console:
        """The console of progress and complaints."""
        return _console(stderr=True, highlight=False, soft_wrap=True)

    def answer(self, document: Mapping[str, Any], *shown: RenderableType) -> None:
        """Give the result: `document` to a program, `shown` to a person."""
        if self.as_json:
            sys.stdout.write(_as_json(document, indent=2) + "\n")
            return
        for part in shown:
            self.out.print(part)

    def note(self, sentence: str) -> None:
        """Tell a person something beside the result, on standard error."""
        if not self.quiet:
            self.err.print(sentence, style="dim", markup=False)

    def warn(self, sentence: str) -> None:
        """Tell a person what went wrong beside the result, also one who wants no progress."""
        self.err.print(sentence, style="yellow", markup=False)

    def complain(self, sentence: str, next_step: str = "") -> None:
        """Say what went wrong in one sentence, and what to do next."""
        if self.as_json:
            sys.stderr.write(_as_json({"error": sentence, "next_step": next_step}) + "\n")
            return
        self.err.print(f"[bold red]Error:[/] {_plain(sentence)}")
        if next_step:
            self.err.print(f"[bold]Next:[/]  {_plain(next_step)}")

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """Show a bar on standard error while long work goes on; silent where that is no terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda _what, _part: None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True))
        with Progress(*columns, console=self.err, transient=True) as bar:
            task = bar.add_task(_plain(what), total=1.0)

            def report(doing: str, part: float) -> None:
                bar.update(task, description=_plain(doing or what), completed=part)

            yield report


class FilesBeside:
    """Files that a command writes beside its answer: one that cannot be written does not cost the answer."""

    def __init__(self) -> None:
        self.written: list[Path] = []
        self._refused: UserError | None = None

    def write(self, work: Callable[[], Path]) -> None:
        """Write a file; what is wrong with it is said by `settle`, after the answer."""
        try:
            self.written.append(work())
        except UserError as error:
            self._refused = self._refused or error
        except OSError as error:
            self._refused = self._refused or UserError(
                f"{error.filename or 'A file'} could not be written: {error.strerror or error}.",
                next_step="Choose a folder that you may write to, and that has space left.",
            )

    def settle(self) -> None:
        """Raise what the first file that could not be written was refused for."""
        if self._refused is not None:
            raise self._refused


_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What moves a terminal's cursor, writes its clipboard, turns its text around, or cannot be encoded."""


def visible(text: str) -> str:
    """Return a text in which what would steer a terminal is a sign instead: ESC is shown as ␛."""
    return _UNSAFE.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\ufffd"


def _as_json(document: Mapping[str, Any], indent: int | None = None) -> str:
    """A JSON document, whose texts a program gets unchanged and a terminal only as numbers of letters."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _console(**options: Any) -> Console:
    """A console that writes no control character but its own: the one place that all words go through."""
    from rich.console import Console
    from rich.segment import Segment

    class VisibleConsole(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control else Segment(visible(text), style)

    return VisibleConsole(**options)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> RenderableType:
    """Return rows under quiet column titles; `right` names the columns of numbers. Cells are markup."""
    from rich.table import Table

    titled = any(columns)
    drawn = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0), show_header=titled)
    for place, column in enumerate(columns):
        drawn.add_column(column, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def escape(text: str) -> str:
    """Make text safe inside rich's markup, so that "[b]" in an answer is shown as it is."""
    return _plain(text)


def number_or_error(text: str, what: str) -> float:
    """Read a number that a person typed; UserError when it is none."""
    try:
        return float(text)
    except ValueError:
        raise UserError(f"“{text}” is no {what}.", next_step="Write a number, like 8 or 0.5.") from None


def _plain(text: str) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(visible(text))
