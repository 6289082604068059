"""What lies over a trajectory's curves: targets, switches, what the text names, numbers and the cursor.

It hears the mouse, too, and says which tokens were pointed at.  Knows tokens and regions' looks, no session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from gazeviz.render.overlay import ink_on
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.plot_place import BLOCK_PX, PlotPlace
from gazeviz.ui.widgets.region_badge import draw_badge

_CHIP_PX = 14.0
_SEEN_FROM = 0.12  # of the axis: below, a region has no number on its curve
_TRIES = 24  # places that a number is tried at before it is left out


@dataclass(frozen=True)
class TargetSpan:
    """Tokens first to last under one target. planned: not written yet; switched: another went before."""

    first: int
    last: int
    number: str
    colour: str
    name: str
    planned: bool = False
    switched: bool = False


@dataclass(frozen=True)
class Mention:
    """A token at which the text begins to name a region."""

    token: int
    number: str
    colour: str


@dataclass(frozen=True, eq=False)
class PlotMarks:
    """Everything but the curves. masses_TR, looks: the curves' values and each region's (number, colour)."""

    blocks: Sequence[TargetSpan] = ()
    mentions: Sequence[Mention] = ()
    masses_TR: NDArray[np.float32] | None = None
    looks: Sequence[tuple[str, str]] = ()
    n_tok: int = 0


class TrajectoryMarks(QWidget):
    """Draws over the curves and hears the mouse."""

    token_pressed = Signal(int)
    token_pulled = Signal(int)  # the other end of a span
    token_hovered = Signal(int)  # -1 for none
    follow_wanted = Signal()
    end_wanted = Signal(int)  # the token at one end of the answer

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trajectoryMarks")
        self.setAccessibleName("Trajectory: attention on each region, token by token")
        self.setToolTip(
            "Click a token, or drag over a span: picture, heads and text follow.  Esc: the newest"
        )
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._place = PlotPlace(0, 0, 1, 1)
        self._marks = PlotMarks()
        self._chips: list[tuple[QRectF, str, str]] = []
        self._cursor: tuple[int, int] | None = None
        self._hover = -1
        self._pressed = False
        theme.changed.connect(self.update)

    @property
    def hover(self) -> int:
        """The token under the mouse, -1 for none."""
        return self._hover

    def show_marks(self, place: PlotPlace, marks: PlotMarks) -> None:
        """Take what is to be drawn."""
        self._place, self._marks = place, marks
        self._chips = _place_numbers(place, marks)
        self.update()

    def show_cursor(self, cursor: tuple[int, int] | None) -> None:
        """Take the first and the last token that everything shows, None for none."""
        if cursor != self._cursor:
            self._cursor = cursor
            self.update()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Point at a token."""
        token = self._token_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and token >= 0:
            self._pressed = True
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            (self.token_pulled if shift else self.token_pressed).emit(token)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull a span, or only hover."""
        token = self._token_at(event.position())
        if self._pressed and token >= 0:
            self.token_pulled.emit(token)
        self._set_hover(token)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the span."""
        self._pressed = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """A press like any other."""
        self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse."""
        self._set_hover(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Home and End go to the ends; Esc follows the newest token again."""
        if event.key() == Qt.Key.Key_Escape and self._cursor is not None:
            self.follow_wanted.emit()
        elif event.key() == Qt.Key.Key_Home and self._marks.n_tok:
            self.end_wanted.emit(0)
        elif event.key() == Qt.Key.Key_End and self._marks.n_tok:
            self.end_wanted.emit(self._marks.n_tok - 1)
        else:
            super().keyPressEvent(event)

    def _token_at(self, at: QPointF) -> int:
        """The written token under a point; the last one right of it."""
        if not self._marks.n_tok:
            return -1
        return min(self._place.token_at(at.x()), self._marks.n_tok - 1)

    def _set_hover(self, token: int) -> None:
        if token != self._hover:
            self._hover = token
            self.token_hovered.emit(token)
            self.update()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the cursor beneath, then blocks, names and numbers."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_cursor(painter)
        painter.setFont(theme.font_mono(9, 500))
        for block in self._marks.blocks:
            self._draw_block(painter, block)
        for mention in self._marks.mentions:
            self._draw_mention(painter, mention)
        for rect, number, colour in self._chips:
            draw_badge(painter, rect, number, colour, theme.font_mono(9, 500), edge=theme.current().panel)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.current().accent, 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _draw_cursor(self, painter: QPainter) -> None:
        place, colours = self._place, theme.current()
        top, bottom = place.top_px - 2, place.rect.bottom()
        if self._hover >= 0:
            painter.setPen(QPen(colours.soft, 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(place.x_of(self._hover), top), QPointF(place.x_of(self._hover), bottom))
        if self._cursor is None:
            return
        first, last = self._cursor
        if last > first:
            ground = QColor(colours.accent)
            ground.setAlphaF(0.16)
            left, right = place.x_of(first - 0.5), place.x_of(last + 0.5)
            painter.fillRect(QRectF(left, top, right - left, bottom - top), ground)
        painter.setPen(QPen(colours.accent, 1.6))
        for token in {first, last}:
            painter.drawLine(QPointF(place.x_of(token), top), QPointF(place.x_of(token), bottom))

    def _draw_block(self, painter: QPainter, block: TargetSpan) -> None:
        """A target's bar with its number, and the line down where it took over."""
        place, colour = self._place, QColor(block.colour)
        left, right = place.x_of(block.first - 0.5), place.x_of(block.last + 0.5)
        rect = QRectF(left + 0.5, 0.5, max(1.0, right - left - 1), BLOCK_PX)
        painter.setPen(QPen(colour, 1, Qt.PenStyle.DashLine) if block.planned else Qt.PenStyle.NoPen)
        painter.setBrush(Qt.BrushStyle.NoBrush if block.planned else colour)
        painter.drawRoundedRect(rect, 2, 2)
        if rect.width() >= _CHIP_PX:
            painter.setPen(theme.current().soft if block.planned else QColor(ink_on(block.colour)))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, block.number or "•")
        if block.switched:
            soft = QColor(theme.current().soft)
            soft.setAlphaF(0.6)
            painter.setPen(QPen(soft, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(left, BLOCK_PX + 2), QPointF(left, place.rect.bottom()))

    def _draw_mention(self, painter: QPainter, mention: Mention) -> None:
        """A triangle in the region's colour that points down at the token, and its number beside."""
        x, y = self._place.x_of(mention.token), self._place.top_px - 6
        corners = (QPointF(x - 4, y - 5), QPointF(x + 4, y - 5), QPointF(x, y + 2))
        painter.setPen(QPen(theme.current().ink, 0.8))
        painter.setBrush(QColor(mention.colour))
        painter.drawPolygon(QPolygonF(list(corners)))
        painter.setPen(theme.current().ink)
        painter.drawText(QPointF(x + 6, y + 2), mention.number)


def _place_numbers(place: PlotPlace, marks: PlotMarks) -> list[tuple[QRectF, str, str]]:
    """The regions' numbers on their curves, as high as they come without covering each other."""
    masses_TR = marks.masses_TR
    if masses_TR is None or not len(masses_TR):
        return []
    placed: list[tuple[QRectF, str, str]] = []
    highest_R = masses_TR.max(axis=0)
    for region in np.argsort(-highest_R, kind="stable").tolist():
        if highest_R[region] < _SEEN_FROM * place.top:
            break
        number, colour = marks.looks[region]
        for token in np.argsort(-masses_TR[:, region], kind="stable")[:_TRIES].tolist():
            rect = _chip_rect(place, token, float(masses_TR[token, region]), number)
            if not any(rect.intersects(other) for other, _, _ in placed):
                placed.append((rect, number, colour))
                break
    return placed


def _chip_rect(place: PlotPlace, token: int, mass: float, number: str) -> QRectF:
    width = _CHIP_PX + 5 * max(0, len(number) - 1)
    x = min(max(place.x_of(token) - width / 2, place.left_px), place.rect.right() - width)
    y = min(max(place.y_of(mass) - _CHIP_PX / 2, place.top_px), place.rect.bottom() - _CHIP_PX)
    return QRectF(x, y, width, _CHIP_PX)
