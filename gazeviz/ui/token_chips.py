"""Tokens as chips: how a token's text is spelled, and where its chip stands in wrapped lines.

Geometry and spelling alone, so that a token that arrives costs one measured word and one place. Knows no run,
no colour and no widget.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from PySide6.QtCore import QRectF

from gazeviz.domain.token_names import token_sign

CHIP_PX: Final = 24
"""Height of a chip with its underline."""

NUMBER_PX: Final = 9
"""Height of the region's number, which hangs from the underline."""

LINE_PX: Final = 35
"""From line to line: a number, which begins on the underline, ends a little above the next chip."""

PAD_PX: Final = 6
"""Between a chip's edge and its text."""

_SPACE_GAP_PX: Final = 5.0
_JOINED_GAP_PX: Final = 1.0
_MARKS: Final = {"\n": "↵", "\t": "⇥", "\r": "␍"}


@dataclass(frozen=True)
class Spelling:
    """A token's text as it is shown.

    runs: (text, whether it is a sign for something that cannot be seen) one after the other.
    spaced: whether it begins with the one space that parts two words: it shows as the gap before its chip.
    ends_line: whether it holds a line break.
    """

    runs: tuple[tuple[str, bool], ...]
    spaced: bool = False
    ends_line: bool = False

    @property
    def text(self) -> str:
        """All runs as one."""
        return "".join(text for text, _ in self.runs)


def spell(text: str, token_id: int, special_tokens: Mapping[int, str]) -> Spelling:
    """Spell a token so that all of it can be seen: spaces, line breaks, and those that add no text."""
    if not text:
        return Spelling(((token_sign(token_id, special_tokens), True),))
    spaced = text.startswith(" ")
    rest = text[1:] if spaced else text
    if not rest:
        return Spelling((("␣", True),), spaced=True)
    signs = [_sign(rest, place) for place in range(len(rest))]
    runs = tuple(
        ("".join(sign for sign, _ in run), unseen) for unseen, run in groupby(signs, key=lambda sign: sign[1])
    )
    return Spelling(runs, spaced, "\n" in rest)


def _sign(text: str, place: int) -> tuple[str, bool]:
    """A character, or the sign of one that cannot be seen."""
    character = text[place]
    if character == " ":
        inside = 0 < place < len(text) - 1 and " " not in (text[place - 1], text[place + 1])
        return (" ", False) if inside else ("␣", True)
    if character in _MARKS:
        return _MARKS[character], True
    if unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Co"):
        # A joiner inside an emoji or a word of an Indic script is part of what is seen.
        return (character, False) if character in "\u200c\u200d" else (f"‹{ord(character):x}›", True)
    return character, False


@dataclass(frozen=True)
class Place:
    """Where a chip stands: line counted from 0, left edge and width in pixels. cut: its text has no room."""

    line: int
    x_px: float
    width_px: float
    cut: bool = False

    @property
    def box(self) -> QRectF:
        """The chip without the number below it."""
        return QRectF(self.x_px, self.line * LINE_PX, self.width_px, CHIP_PX)

    @property
    def cell(self) -> QRectF:
        """All that is painted for this chip: outline and number included."""
        return QRectF(self.x_px - 3, self.line * LINE_PX - 3, self.width_px + 6, LINE_PX + 3)


class ChipLines:
    """Chips in wrapped lines; adding one never moves the others."""

    def __init__(self, measure: Callable[[Spelling], float], width_px: float) -> None:
        self._measure = measure
        self._width_px = width_px
        self.spellings: list[Spelling] = []
        self.places: list[Place] = []
        self._first_of_line: list[int] = []

    def __len__(self) -> int:
        return len(self.places)

    @property
    def n_lines(self) -> int:
        """How many lines there are."""
        return len(self._first_of_line)

    @property
    def height_px(self) -> int:
        """From the top of the first chip to the end of the last number."""
        return (self.n_lines - 1) * LINE_PX + CHIP_PX + NUMBER_PX if self.n_lines else 0

    @property
    def width_px(self) -> float:
        """Room for a line."""
        return self._width_px

    def append(self, spelling: Spelling) -> Place:
        """Put a chip behind the last one, in a new line where there is no room."""
        place = self._next_place(spelling)
        if place.line == self.n_lines:
            self._first_of_line.append(len(self.places))
        self.spellings.append(spelling)
        self.places.append(place)
        return place

    def rewrap(self, width_px: float) -> None:
        """Place all chips anew in lines of another width."""
        spellings, self._width_px = self.spellings, width_px
        self.spellings, self.places, self._first_of_line = [], [], []
        for spelling in spellings:
            self.append(spelling)

    def starts_line(self, index: int) -> bool:
        """Whether a chip is the first of its line."""
        return self._first_of_line[self.places[index].line] == index

    def between(self, top_px: float, bottom_px: float) -> range:
        """The chips of the lines that lie in a band."""
        first, last = int(max(0.0, top_px) // LINE_PX), int(max(0.0, bottom_px) // LINE_PX)
        if first >= self.n_lines:
            return range(0)
        end = self._first_of_line[last + 1] if last + 1 < self.n_lines else len(self)
        return range(self._first_of_line[first], end)

    def at(self, x_px: float, y_px: float) -> int | None:
        """The chip at a point; between chips and around them there is none."""
        index = self.nearest(x_px, y_px)
        if index is None:
            return None
        return index if self.places[index].box.adjusted(-1, 0, 1, NUMBER_PX).contains(x_px, y_px) else None

    def nearest(self, x_px: float, y_px: float) -> int | None:
        """The chip that is closest in the line at a height; None where there are no chips."""
        if not self.places:
            return None
        line = min(max(0, int(y_px // LINE_PX)), self.n_lines - 1)
        chips = self.between(line * LINE_PX, line * LINE_PX)
        after = bisect_right(chips, x_px, key=lambda index: self.places[index].x_px)
        return chips[max(0, after - 1)]

    def above_or_below(self, index: int, lines: int) -> int:
        """The chip that many lines below (above, where negative), as far as there are lines."""
        place = self.places[index]
        line = place.line + lines
        if not 0 <= line < self.n_lines:
            return index
        found = self.nearest(place.x_px + place.width_px / 2, line * LINE_PX)
        return index if found is None else found

    def _next_place(self, spelling: Spelling) -> Place:
        wanted_px = self._measure(spelling) + 2 * PAD_PX
        width_px, cut = min(wanted_px, self._width_px), wanted_px > self._width_px
        if not self.places:
            return Place(0, 0.0, width_px, cut)
        last = self.places[-1]
        gap_px = _SPACE_GAP_PX if spelling.spaced else _JOINED_GAP_PX
        x_px = last.x_px + last.width_px + gap_px
        if self.spellings[-1].ends_line or x_px + width_px > self._width_px:
            return Place(last.line + 1, 0.0, width_px, cut)
        return Place(last.line, x_px, width_px, cut)
