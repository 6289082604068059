"""The letters A to F of a comparison: a colour and a dash pattern each, and the badge that shows them.

Knows the theme and nothing of what the letters stand for.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from gazeviz.app.history.comparison import LETTERS
from gazeviz.render.style import SERIES
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.region_badge import draw_badge

LINE_PX: Final = 1.8
BADGE_PX: Final = 18
_SAMPLE_PX: Final = 22
_DASHES: Final[tuple[tuple[float, ...], ...]] = (
    (), (4.0, 2.5), (1.2, 2.0), (6.0, 2.0, 1.2, 2.0), (9.0, 2.5), (4.0, 2.0, 1.2, 2.0, 1.2, 2.0),
)  # fmt: skip
"""In widths of the line; none for a solid one."""


def letter_colour(place: int) -> QColor:
    """The colour of the thing at a place, counted from 0."""
    return QColor(SERIES["dark" if theme.current().dark else "light"][place])


def letter_pen(place: int, width_px: float = LINE_PX) -> QPen:
    """The pen that its lines are drawn with."""
    pen = QPen(letter_colour(place), width_px)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if _DASHES[place]:
        pen.setDashPattern(list(_DASHES[place]))
    return pen


def draw_letter(painter: QPainter, box: QRectF, place: int) -> None:
    """Draw a letter on a small sheet of its colour."""
    draw_badge(painter, box, LETTERS[place], letter_colour(place).name(), theme.font_mono(11, 600))


class LetterBadge(QAbstractButton):
    """A letter and a sample of its line. Checkable: the one that the others are compared with."""

    def __init__(self, place: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.setObjectName(f"compareLetter{LETTERS[place]}")
        self.setAccessibleName(f"Compare with {LETTERS[place]}")
        self.setToolTip(f"Mark the words that differ from {LETTERS[place]}; changes nothing but the marks")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Letter, line and room for the ring of the focus."""
        return QSize(BADGE_PX + _SAMPLE_PX + 10, BADGE_PX + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw letter and line; a ring around the letter that is compared with."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_letter(painter, QRectF(3, 3, BADGE_PX, BADGE_PX), self._place)
        middle = self.height() / 2
        painter.setPen(letter_pen(self._place))
        left = BADGE_PX + 8
        painter.drawLine(left, round(middle), left + _SAMPLE_PX, round(middle))
        if self.isChecked() or self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            colours = theme.current()
            painter.setPen(QPen(colours.accent if self.hasFocus() else colours.ink, 1.5))
            painter.drawRoundedRect(QRectF(1, 1, BADGE_PX + 4, BADGE_PX + 4), 6, 6)
