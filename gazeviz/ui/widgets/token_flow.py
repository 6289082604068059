"""The tokens of one answer: chips that stream in, with the cursor of everything that is linked.

A token that arrives is measured, placed and painted alone; nothing else is laid out or painted again. Shows
what it is given and tells what was clicked; knows neither runs nor the session.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip

from gazeviz.domain.wording import token_sign
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.region_cue import RegionCue

# Tokens as chips: how a token's text is spelled, and where its chip stands in wrapped lines.
#
# Geometry and spelling alone, so that a token that arrives costs one measured word and one place. Knows no
# run, no colour and no widget.


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
class ChipPlace:
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
        self.places: list[ChipPlace] = []
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

    def append(self, spelling: Spelling) -> ChipPlace:
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

    def _next_place(self, spelling: Spelling) -> ChipPlace:
        wanted_px = self._measure(spelling) + 2 * PAD_PX
        width_px, cut = min(wanted_px, self._width_px), wanted_px > self._width_px
        if not self.places:
            return ChipPlace(0, 0.0, width_px, cut)
        last = self.places[-1]
        gap_px = _SPACE_GAP_PX if spelling.spaced else _JOINED_GAP_PX
        x_px = last.x_px + last.width_px + gap_px
        if self.spellings[-1].ends_line or x_px + width_px > self._width_px:
            return ChipPlace(last.line + 1, 0.0, width_px, cut)
        return ChipPlace(last.line, x_px, width_px, cut)


# How a token's chip is drawn: text on its region's colour, colour and number beneath, the cursor around.


TOKEN_FONT_PX: Final = 13
_NUMBER_FONT_PX: Final = 9
_LINE_PX: Final = 2
_BASELINE_PX: Final = 16
_RADIUS_PX: Final = 3.0


class ChipPainter:
    """Draws chips one after the other with one painter."""

    def __init__(self, painter: QPainter, font: QFont) -> None:
        self._painter, self._font = painter, font
        self._metrics = QFontMetricsF(font)
        self._number_font = theme.font_mono(_NUMBER_FONT_PX, 500)
        self._colours = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def draw(
        self, place: ChipPlace, spelling: Spelling, cue: RegionCue | None, numbered: bool, outline: str
    ) -> None:
        """Draw one chip. outline: "", "newest", "pinned" or "span"."""
        self._draw_body(place, cue)
        if numbered and cue is not None:
            self._draw_number(place, cue)
        self._draw_text(place, spelling)
        if outline:
            self._draw_outline(place, outline)

    def _draw_body(self, place: ChipPlace, cue: RegionCue | None) -> None:
        painter, box = self._painter, place.box
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cue.tint if cue is not None else self._colours.raised)
        painter.drawRoundedRect(box.adjusted(0, 0, 0, -_LINE_PX), _RADIUS_PX, _RADIUS_PX)
        beneath = QRectF(box.x(), box.bottom() - _LINE_PX, box.width(), _LINE_PX)
        painter.fillRect(beneath, cue.solid if cue is not None else self._colours.line)

    def _draw_number(self, place: ChipPlace, cue: RegionCue) -> None:
        painter, box = self._painter, place.box
        width_px = min(box.width(), 6.0 + 6.0 * len(cue.number))
        tab = QRectF(box.x(), box.bottom() - _LINE_PX, width_px, NUMBER_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cue.solid)
        painter.drawRoundedRect(tab, 2, 2)
        painter.setFont(self._number_font)
        painter.setPen(cue.ink)
        painter.drawText(tab, Qt.AlignmentFlag.AlignCenter, cue.number)

    def _draw_text(self, place: ChipPlace, spelling: Spelling) -> None:
        painter, box = self._painter, place.box
        painter.setFont(self._font)
        at = QPointF(box.x() + PAD_PX, box.y() + _BASELINE_PX)
        painter.setPen(self._colours.ink)
        if place.cut:
            room_px = box.width() - 2 * PAD_PX
            text = self._metrics.elidedText(spelling.text, Qt.TextElideMode.ElideMiddle, room_px)
            painter.drawText(at, text)
            return
        for text, unseen in spelling.runs:
            painter.setPen(self._colours.soft if unseen else self._colours.ink)
            painter.drawText(at, text)
            if len(spelling.runs) > 1:
                at.setX(at.x() + self._metrics.horizontalAdvance(text))

    def _draw_outline(self, place: ChipPlace, outline: str) -> None:
        painter = self._painter
        width_px = 1.0 if outline == "newest" else 2.0
        pen = QPen(self._colours.accent, width_px)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        grow = width_px / 2
        painter.drawRoundedRect(place.box.adjusted(-grow, -grow, grow, grow), _RADIUS_PX + 1, _RADIUS_PX + 1)


_MARGIN_PX: Final = 4
"""Room for outlines at the edges."""

_FOCUS_PX: Final = 2
"""Width of the bar at the left that says where the arrow keys go."""

_STEPS: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_LINES: Final = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
_ENDS: Final = (Qt.Key.Key_Home, Qt.Key.Key_End)
_OWN_KEYS: Final = (*_STEPS, *_LINES, *_ENDS, Qt.Key.Key_Escape)


@dataclass(frozen=True)
class Mark:
    """Which chips are outlined. pinned: somebody pointed at them; else they are the newest token."""

    first: int
    last: int
    pinned: bool

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and self.first <= index <= self.last


class TokenFlow(QAbstractScrollArea):
    """Chips in wrapped lines, scrolled."""

    pointed = Signal(int, bool)  # token, whether the span is extended to it
    stepped = Signal(int, bool)  # by how many tokens, whether the span is extended
    follow_wanted = Signal()
    copy_wanted = Signal()
    lines_changed = Signal()

    def __init__(self, name: str, accessible_name: str, tip_of: Callable[[int], str]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(accessible_name)
        self._tip_of = tip_of
        self._font = theme.font_mono(TOKEN_FONT_PX)
        self._widths: dict[str, float] = {}
        self._lines = ChipLines(self._measured, 1)
        self._cues: list[RegionCue | None] = []
        self._mark: Mark | None = None
        self._n_lines_told = 0
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)
        self.verticalScrollBar().setSingleStep(LINE_PX)
        theme.changed.connect(self._on_theme_changed)

    @property
    def n_tok(self) -> int:
        """How many chips there are."""
        return len(self._lines)

    @property
    def content_height_px(self) -> int:
        """What all lines need."""
        return self._lines.height_px + 2 * _MARGIN_PX

    def clear(self) -> None:
        """Show no tokens."""
        self._lines = ChipLines(self._measured, self._room_px())
        self._cues, self._mark = [], None
        self._set_range()
        self.viewport().update()

    def append(self, spelling: Spelling, cue: RegionCue | None) -> None:
        """Show one more token; scrolls along while the end of the text is in sight."""
        at_end, n_lines = self._at_end, self._lines.n_lines
        place = self._lines.append(spelling)
        self._cues.append(cue)
        if self._lines.n_lines != n_lines:
            self._set_range()
            self._stay(at_end)
        self._repaint(place.cell)

    def tint(self, cues: Sequence[RegionCue | None]) -> None:
        """Colour all tokens anew."""
        self._cues = list(cues)
        self.viewport().update()

    def mark(self, mark: Mark | None) -> None:
        """Outline some tokens; those that somebody pointed at are scrolled into sight."""
        before, self._mark = self._mark, mark
        if before == mark:
            return
        changed = {index for one in (before, mark) if one is not None for index in (one.first, one.last)}
        for index in range(min(changed), max(changed) + 1) if changed else ():
            if index < self.n_tok and _looks(before, index) != _looks(mark, index):
                self._repaint(self._lines.places[index].cell)
        if mark is not None and mark.pinned and mark.last < self.n_tok:
            for index in _moved_ends(before, mark):
                self._reveal(index)

    def index_at(self, x_px: float, y_px: float) -> int | None:
        """The token at a point of the viewport."""
        return self._lines.at(x_px - _MARGIN_PX, y_px - _MARGIN_PX + self._top_px)

    def box_of(self, index: int) -> QRect:
        """Where a token's chip is in the viewport."""
        offset = QPointF(_MARGIN_PX, _MARGIN_PX - self._top_px)
        return self._lines.places[index].box.translated(offset).toRect()

    def below(self, index: int, lines: int) -> int:
        """The token some lines below another one (above, where negative)."""
        return self._lines.above_or_below(index, lines)

    def sizeHint(self) -> QSize:
        """Three lines of some words."""
        return QSize(320, 3 * LINE_PX + 2 * _MARGIN_PX)

    def minimumSizeHint(self) -> QSize:
        """Two lines of a word."""
        return QSize(80, 2 * LINE_PX + 2 * _MARGIN_PX)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the chips that are touched."""
        painter = QPainter(self.viewport())
        if self.hasFocus():
            painter.fillRect(0, 0, _FOCUS_PX, self.viewport().height(), theme.current().accent)
        painter.translate(_MARGIN_PX, _MARGIN_PX - self._top_px)
        dirty = event.region().translated(-_MARGIN_PX, self._top_px - _MARGIN_PX)
        box = dirty.boundingRect()
        chips = ChipPainter(painter, self._font)
        for index in self._lines.between(box.top() - LINE_PX // 2, box.bottom() + LINE_PX // 2):
            place = self._lines.places[index]
            if dirty.intersects(place.cell.toAlignedRect()):
                cue = self._cues[index]
                chips.draw(place, self._lines.spellings[index], cue, self._numbered(index),
                           _looks(self._mark, index))  # fmt: skip
        painter.end()

    def _numbered(self, index: int) -> bool:
        """Whether a chip says its region's number: the first of every stretch and of every line."""
        cue = self._cues[index]
        if cue is None or not cue.number:
            return False
        return index == 0 or self._cues[index - 1] != cue or self._lines.starts_line(index)

    def _repaint(self, cell: QRectF) -> None:
        self.viewport().update(cell.translated(_MARGIN_PX, _MARGIN_PX - self._top_px).toAlignedRect())

    def _measured(self, spelling: Spelling) -> float:
        text = spelling.text
        if text not in self._widths:
            self._widths[text] = QFontMetricsF(self._font).horizontalAdvance(text)
        return self._widths[text]

    def _on_theme_changed(self) -> None:
        self._font = theme.font_mono(TOKEN_FONT_PX)
        self._widths.clear()
        self._rewrap()

    # Scrolling

    @property
    def _top_px(self) -> int:
        return self.verticalScrollBar().value()

    @property
    def _at_end(self) -> bool:
        return self._top_px >= self.verticalScrollBar().maximum() - 2

    def _stay(self, at_end: bool) -> None:
        """Keep the end of the text in sight where it was, unless somebody looks at another place."""
        if at_end and (self._mark is None or not self._mark.pinned):
            self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def _room_px(self) -> float:
        return max(40.0, self.viewport().width() - 2.0 * _MARGIN_PX)

    def _rewrap(self) -> None:
        self._lines.rewrap(self._room_px())
        self._set_range()
        self.viewport().update()

    def _set_range(self) -> None:
        bar, height_px = self.verticalScrollBar(), self.viewport().height()
        last_px = max(0, self._lines.n_lines - 1) * LINE_PX  # however low the view, one line is in sight
        bar.setRange(0, min(last_px, _whole_lines_px(max(0, self.content_height_px - height_px))))
        bar.setPageStep(height_px)
        if self._lines.n_lines != self._n_lines_told:
            self._n_lines_told = self._lines.n_lines
            self.lines_changed.emit()

    def _reveal(self, index: int) -> None:
        bar = self.verticalScrollBar()
        line, height_px = self._lines.places[index].line, self.viewport().height()
        hidden_px = line * LINE_PX + CHIP_PX + NUMBER_PX + _MARGIN_PX - height_px
        if line * LINE_PX < bar.value():
            bar.setValue(line * LINE_PX)
        elif hidden_px > bar.value():
            bar.setValue(_whole_lines_px(hidden_px))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap anew where the width has changed."""
        at_end = self._at_end
        if self._room_px() != self._lines.width_px:
            self._rewrap()
        else:
            self._set_range()
        self._stay(at_end)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Point at a token; with Shift, span up to it."""
        index = self.index_at(event.position().x(), event.position().y())
        if event.button() != Qt.MouseButton.LeftButton or index is None:
            return
        self.pointed.emit(index, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull a span along."""
        if not event.buttons() & Qt.MouseButton.LeftButton or self._mark is None or not self._mark.pinned:
            return
        x_px, y_px = event.position().x() - _MARGIN_PX, event.position().y() - _MARGIN_PX + self._top_px
        index = self._lines.nearest(x_px, y_px)
        if index is not None:
            self.pointed.emit(index, True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the cursor, let it follow, or copy."""
        extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        key = Qt.Key(event.key())
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_wanted.emit()
        elif key in _STEPS:
            self.stepped.emit(_STEPS[key], extend)
        elif key in _LINES and self._mark is not None:
            end = self._mark.first if _LINES[key] < 0 else self._mark.last
            self.pointed.emit(self.below(end, _LINES[key]), extend)
        elif key in _ENDS and self.n_tok:
            self.pointed.emit(0 if key == Qt.Key.Key_Home else self.n_tok - 1, extend)
        elif key == Qt.Key.Key_Escape:
            self.follow_wanted.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep the cursor's keys from the window's shortcuts while the tokens have the focus."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (Qt.Key(event.key()) in _OWN_KEYS or event.matches(QKeySequence.StandardKey.Copy))
        ):
            event.accept()
            return True
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.viewport().update()
        return super().event(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Show what is known about the token under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self.index_at(event.pos().x(), event.pos().y())
            if index is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self._tip_of(index), self.viewport(), self.box_of(index))
            return True
        return super().viewportEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Move what is painted already, and paint only what comes into sight."""
        self.viewport().scroll(0, dy)


def _whole_lines_px(hidden_px: int) -> int:
    """How far to scroll to hide that much, in whole lines, so that none is cut at the top."""
    return -(-hidden_px // LINE_PX) * LINE_PX


def _moved_ends(before: Mark | None, mark: Mark) -> tuple[int, ...]:
    """The end of a span that somebody moves; both, the first one above all, where it comes from elsewhere."""
    if before is not None and before.pinned and before.last == mark.last:
        return (mark.first,)
    if before is not None and before.pinned and before.first == mark.first:
        return (mark.last,)
    return mark.last, mark.first


def _looks(mark: Mark | None, index: int) -> str:
    """How a chip is outlined: not at all, as the newest, or as a place in a span."""
    if mark is None or index not in mark:
        return ""
    if not mark.pinned:
        return "newest"
    return "pinned" if mark.first == mark.last else "span"
