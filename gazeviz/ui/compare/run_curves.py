"""Mass by token of up to six runs on one axis, a letter at the end of each line, and the token looked at.

Beside each letter stands its mass at that token. Draws what it is given and tells which token was pointed at;
knows no run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QWidget

from gazeviz.app.history.comparison import LETTERS, Curve
from gazeviz.domain.wording import format_figure
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.letters import BADGE_PX, draw_letter, letter_colour, letter_pen
from gazeviz.ui.widgets.plot_place import PlotPlace, token_ticks, top_of

_LEFT_PX: Final = 32
_TOP_PX: Final = 8
_BOTTOM_PX: Final = 20
_FIGURE_PX: Final = 28
_RIGHT_PX: Final = BADGE_PX + 12 + _FIGURE_PX
_STEPS: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class ComparePlot(QWidget):
    """Curves with axes and a cursor; a click, a drag or the arrow keys choose the token."""

    token_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparePlot")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(QSize(160, 60))
        self.setToolTip("Click a token, or use the arrow keys: texts and maps follow")
        self._curves: Sequence[Curve] = ()
        self._n_tok, self._token, self._top = 1, 0, 1.0
        self._lines: QPixmap | None = None
        self._lines_key: tuple[object, ...] = ()
        theme.changed.connect(self.update)

    def show_curves(self, curves: Sequence[Curve], n_tok: int) -> None:
        """Take a curve for each letter; the axis spans so many tokens."""
        self._curves, self._n_tok = curves, max(1, n_tok)
        highest = max(
            (float(np.nanmax(c.mass_T)) for c in curves if np.isfinite(c.mass_T).any()), default=0.0
        )
        self._top = top_of(highest, weighted=False)
        self._lines = None
        self._describe()
        self.update()

    def show_token(self, token: int) -> None:
        """Take the token that is looked at."""
        if token != self._token:
            self._token = token
            self._describe()
            self.update()

    @property
    def place(self) -> PlotPlace:
        """Where tokens and masses lie."""
        width_px = max(1, self.width() - _LEFT_PX - _RIGHT_PX)
        height_px = max(1, self.height() - _TOP_PX - _BOTTOM_PX)
        return PlotPlace(_LEFT_PX, _TOP_PX, width_px, height_px, self._n_tok, self._top)

    def value(self, place: int) -> float:
        """A run's mass at the token looked at; NaN where there is none."""
        mass_T = self._curves[place].mass_T
        return float(mass_T[self._token]) if self._token < len(mass_T) else float("nan")

    def _describe(self) -> None:
        parts = [f"{LETTERS[place]} {format_figure(self.value(place))}" for place in range(len(self._curves))]
        self.setAccessibleName(f"Mass by token; at token {self._token}: {', '.join(parts)}")

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a token."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.token_wanted.emit(self.place.token_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull the cursor along."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.token_wanted.emit(self.place.token_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the next token or to the one before."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.token_wanted.emit(min(max(0, self._token + step), self._n_tok - 1))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axes, cursor, lines and letters."""
        place, key = self.place, (self.size(), self.devicePixelRatioF(), theme.current().dark)
        if self._lines is None or key != self._lines_key:
            self._lines, self._lines_key = self._drawn_lines(place), key
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._lines)
        x = place.x_of(self._token)
        painter.setPen(QPen(theme.current().accent, 2 if self.hasFocus() else 1))
        painter.drawLine(QPointF(x, place.top_px), QPointF(x, place.rect.bottom()))
        self._draw_points(painter, place)
        self._draw_letters(painter, place)

    def _drawn_lines(self, place: PlotPlace) -> QPixmap:
        """Axes and lines: drawn once, because the cursor moves over them while it is pulled."""
        lines = QPixmap(self.size() * self.devicePixelRatioF())
        lines.setDevicePixelRatio(self.devicePixelRatioF())
        lines.fill(Qt.GlobalColor.transparent)
        painter = QPainter(lines)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_axes(painter, place)
        painter.setClipRect(place.rect.adjusted(0, -2, 0, 2))
        for number, curve in reversed(list(enumerate(self._curves))):
            painter.setPen(letter_pen(number))
            for piece in pieces(curve.mass_T):
                xy = [QPointF(place.x_of(token), place.y_of(mass)) for token, mass in piece]
                painter.drawPolyline(QPolygonF(xy if len(xy) > 1 else [xy[0], xy[0] + QPointF(3, 0)]))
        painter.end()
        return lines

    def _draw_axes(self, painter: QPainter, place: PlotPlace) -> None:
        colours, rect = theme.current(), place.rect
        painter.setFont(theme.font_mono(10))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for mass in (0.0, place.top / 2, place.top):
            y = round(place.y_of(mass)) + 0.5
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(colours.soft)
            painter.drawText(QRectF(0, y - 8, rect.left() - 6, 16), right, format_figure(mass))
        for token in token_ticks(place.n_tok, place.width_px):
            label = QRectF(place.x_of(token) - 20, rect.bottom() + 3, 40, 14)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, str(token))

    def _draw_points(self, painter: QPainter, place: PlotPlace) -> None:
        """A dot on each line at the token looked at."""
        painter.setPen(QPen(theme.current().panel, 1))
        for number in range(len(self._curves)):
            mass = self.value(number)
            if np.isfinite(mass):
                painter.setBrush(letter_colour(number))
                painter.drawEllipse(QPointF(place.x_of(self._token), place.y_of(mass)), 3.5, 3.5)

    def _draw_letters(self, painter: QPainter, place: PlotPlace) -> None:
        """Letters beside the axis at the height of their lines' ends, moved apart where they overlap."""
        wanted = [
            place.y_of(float(curve.mass_T[np.isfinite(curve.mass_T)][-1])) if np.isfinite(curve.mass_T).any()
            else None
            for curve in self._curves
        ]  # fmt: skip
        numbers = [number for number, y in enumerate(wanted) if y is not None]
        heights = spread([wanted[number] or 0.0 for number in numbers], BADGE_PX - 2, place.rect.bottom() + 8)
        for number, y in zip(numbers, heights, strict=True):
            side = BADGE_PX - 4
            badge = QRectF(place.rect.right() + 6, y - side / 2, side, side)
            draw_letter(painter, badge, number)
            if np.isfinite(self.value(number)):
                painter.setFont(theme.font_mono(11))
                painter.setPen(theme.current().ink)
                figure = QRectF(badge.right() + 5, y - 8, _FIGURE_PX + 4, 16)
                painter.drawText(figure, Qt.AlignmentFlag.AlignVCenter, format_figure(self.value(number)))


def pieces(mass_T: NDArray[np.float32]) -> list[list[tuple[int, float]]]:
    """The stretches of a curve between gaps: (token, mass) each."""
    found: list[list[tuple[int, float]]] = []
    before = -2
    for token in np.flatnonzero(np.isfinite(mass_T)).tolist():
        if token != before + 1:
            found.append([])
        found[-1].append((token, float(mass_T[token])))
        before = token
    return found


def spread(wanted: Sequence[float], apart: float, lowest: float) -> list[float]:
    """Move places apart so that each two are `apart` or more, none below `lowest`, order kept."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    least = float("-inf")
    for index in order:
        placed[index] = least = max(wanted[index], least + apart)
    most = lowest
    for index in reversed(order):
        placed[index] = min(placed[index], most)
        most = placed[index] - apart
    return placed
