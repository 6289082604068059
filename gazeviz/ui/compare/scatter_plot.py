"""The points of a scatter plot, drawn by pyqtgraph, and what mouse and keys do to them.

Loading this module loads pyqtgraph: import it where a plot is shown for the first time.  Knows points by
their numbers, and neither heads nor rankings.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.choosing import mode_of
from gazeviz.ui.widgets.controls import named
from gazeviz.ui.widgets.letters import letter_colour

pg.setConfigOptions(antialias=True, useOpenGL=False)

NEAR_PX: Final = 10
"""How far from a point the mouse still points at it."""

_MARGIN: Final = 0.09
_DRAG_PX: Final = 4
_AXIS_PX: Final = 38
_DOT_PX, _MARK_PX, _RING_PX, _POINTED_PX = 5, 10, 4, 9
_ZOOM_STEP: Final = 0.8
_LEFT = Qt.MouseButton.LeftButton
_KEY, _EVENT = Qt.Key, QEvent.Type
_STEPS: Final = {
    _KEY.Key_Left: (0, -1), _KEY.Key_Right: (0, 1), _KEY.Key_Down: (1, -1), _KEY.Key_Up: (1, 1),
}  # fmt: skip
_ZOOMS: Final = {_KEY.Key_Plus: _ZOOM_STEP, _KEY.Key_Equal: _ZOOM_STEP, _KEY.Key_Minus: 1 / _ZOOM_STEP}


class ScatterPlot(QWidget):
    """Points between two axes.

    Left button and keys: signals `pointed(number)`, -1 for none; `clicked(number, keys)`;
    `framed(numbers, mode)`.  Middle button, right button and wheel: pyqtgraph moves and zooms.
    """

    pointed = Signal(int)
    clicked = Signal(int, object)
    framed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scatterPlot")
        self._values_N2: NDArray[np.float64] = np.zeros((0, 2))
        self._best_N2: NDArray[np.bool_] = np.zeros((0, 2), dtype=bool)
        self._chosen_N: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._pointed, self._pair = -1, (0, 1)
        self._titles: tuple[str, str] = ("", "")
        self._pressed: QPointF | None = None
        self._axes = FigureAxis("bottom"), FigureAxis("left")
        self.plot = pg.PlotWidget(axisItems={"bottom": self._axes[0], "left": self._axes[1]})
        named(self.plot, "scatterView")
        self._axes[0].setHeight(_AXIS_PX)
        self.plot.setMinimumSize(0, 0)
        self._box = self.plot.getPlotItem().getViewBox()
        self._others, self._firsts, self._seconds, self._rings, self._ring = self._make_items()
        self._frame = QGraphicsRectItem()
        self._frame.setZValue(1000)
        self._frame.hide()
        self.plot.scene().addItem(self._frame)
        for watched in (self.plot, self.plot.viewport()):
            watched.installEventFilter(self)
        self.setFocusProxy(self.plot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        theme.changed.connect(self._dress)
        self._dress()

    def _make_items(self) -> tuple[Any, ...]:
        item = self.plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        self._box.disableAutoRange()
        items = tuple(pg.ScatterPlotItem(pxMode=True) for _ in range(5))
        for points in items:
            item.addItem(points)
        return items

    # What is shown

    def show_points(
        self, values_N2: NDArray[np.float64], best_N2: NDArray[np.bool_], pair: tuple[int, int]
    ) -> None:
        """Take points and which are among the best of the first and of the second; none is chosen yet."""
        self._values_N2, self._best_N2, self._pair = values_N2, best_N2, pair
        self._chosen_N = np.zeros(len(values_N2), dtype=bool)
        self._pointed = -1
        self._draw_points()
        self._draw_rings()

    def name_axes(self, titles: tuple[str, str], as_ranks: bool) -> None:
        """Say what the axes are; as_ranks: values are ranks below zero."""
        self._titles = titles
        for axis in self._axes:
            axis.set_as_ranks(as_ranks)
        self._dress_axes()

    def show_chosen(self, chosen_N: NDArray[np.bool_]) -> None:
        """Outline points."""
        self._chosen_N = chosen_N
        self._draw_rings()

    def show_pointed(self, number: int) -> None:
        """Mark a point; -1 for none."""
        self._pointed = number
        self._draw_pointed()

    def reset_view(self) -> None:
        """Show all points."""
        if not len(self._values_N2):
            return
        low, high = self._values_N2.min(axis=0), self._values_N2.max(axis=0)
        wide = np.where(high > low, high - low, 1.0)
        low, high = low - _MARGIN * wide, high + _MARGIN * wide
        self._box.setLimits(
            xMin=low[0] - wide[0] / 2, xMax=high[0] + wide[0] / 2,
            yMin=low[1] - wide[1] / 2, yMax=high[1] + wide[1] / 2,
            minXRange=wide[0] / 200, minYRange=wide[1] / 200,
        )  # fmt: skip
        self._box.setRange(xRange=(low[0], high[0]), yRange=(low[1], high[1]), padding=0)

    # Where points are

    def pixels_N2(self) -> NDArray[np.float64]:
        """Where the points lie in the viewport of the plot, x and y, float64 (N, 2), logical pixels."""
        room = self._room()
        (x_low, x_high), (y_low, y_high) = self._box.viewRange()
        x_N = room.left() + (self._values_N2[:, 0] - x_low) / (x_high - x_low) * room.width()
        y_N = room.bottom() - (self._values_N2[:, 1] - y_low) / (y_high - y_low) * room.height()
        return np.stack([x_N, y_N], axis=1)

    def number_at(self, at: QPointF) -> int:
        """The nearest point within NEAR_PX of a place of the viewport; -1 for none."""
        if not len(self._values_N2) or not self._room().contains(at):
            return -1
        apart_N = np.hypot(*(self.pixels_N2() - (at.x(), at.y())).T)
        nearest = int(np.argmin(apart_N))
        return nearest if apart_N[nearest] <= NEAR_PX else -1

    def numbers_within(self, frame: QRectF) -> NDArray[np.int64]:
        """Points in a rectangle of the viewport, ascending int64."""
        x_N, y_N = self.pixels_N2().T
        inside_N = (x_N >= frame.left()) & (x_N <= frame.right())
        inside_N &= (y_N >= frame.top()) & (y_N <= frame.bottom())
        return np.flatnonzero(inside_N)

    def _room(self) -> QRectF:
        """The rectangle between the axes, in the viewport: the scene's unit is a pixel of it."""
        room: QRectF = self._box.sceneBoundingRect()
        return room

    # Mouse and keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the left button, the hover and the keys; all else is pyqtgraph's."""
        if isinstance(event, QMouseEvent) and watched is self.plot.viewport():
            return self._on_mouse(event)
        if isinstance(event, QKeyEvent) and watched is self.plot:
            return event.type() == _EVENT.KeyPress and self._on_key(event)
        if event.type() == _EVENT.Leave and self._pressed is None:
            self._point_at(-1)
        if isinstance(event, QFocusEvent) and watched is self.plot:
            self._dress_border(event.gotFocus())
        return super().eventFilter(watched, event)

    def _on_mouse(self, event: QMouseEvent) -> bool:
        at, kind = event.position(), event.type()
        if kind == _EVENT.MouseMove:
            return self._on_moved(at, event.buttons())
        if event.button() != _LEFT or not (self._pressed is not None or self._room().contains(at)):
            return False
        if kind == _EVENT.MouseButtonPress:
            self._pressed = at
            self.plot.setFocus(Qt.FocusReason.MouseFocusReason)
        elif kind == _EVENT.MouseButtonRelease and self._pressed is not None:
            self._on_released(at, event.modifiers())
        return True  # a second click in a row is none of its own

    def _on_moved(self, at: QPointF, buttons: Qt.MouseButton) -> bool:
        if self._pressed is None:
            if not buttons:
                self._point_at(self.number_at(at))
            return False
        if self._frame.isVisible() or (at - self._pressed).manhattanLength() > _DRAG_PX:
            self._frame.setRect(QRectF(self._pressed, at).normalized().intersected(self._room()))
            self._frame.show()
            self._point_at(-1)
        return True

    def _on_released(self, at: QPointF, keys: Qt.KeyboardModifier) -> None:
        self._pressed = None
        if self._frame.isVisible():
            self._frame.hide()
            self.framed.emit(self.numbers_within(self._frame.rect()), mode_of(keys))
        elif (number := self.number_at(at)) >= 0:
            self.clicked.emit(number, keys)

    def _on_key(self, event: QKeyEvent) -> bool:
        key = _KEY(event.key())
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            return False
        if key in _STEPS:
            self._step(*_STEPS[key])
        elif key in _ZOOMS:
            self._box.scaleBy((_ZOOMS[key], _ZOOMS[key]))
        elif key == _KEY.Key_A:
            self.reset_view()
        elif key in (_KEY.Key_Return, _KEY.Key_Enter) and self._pointed >= 0:
            self.clicked.emit(self._pointed, Qt.KeyboardModifier.ShiftModifier)
        elif key == _KEY.Key_Escape and (self._pressed is not None or self._pointed >= 0):
            self._pressed = None
            self._frame.hide()
            self._point_at(-1)
        else:
            return False
        return True

    def _step(self, axis: int, by: int) -> None:
        """Point at the next one along an axis; at first at the one that is furthest along it."""
        order = np.lexsort((self._values_N2[:, 1 - axis], self._values_N2[:, axis]))
        if not len(order):
            return
        place = int(np.flatnonzero(order == self._pointed)[0]) + by if self._pointed >= 0 else len(order) - 1
        self._point_at(int(order[min(max(0, place), len(order) - 1)]))

    def _point_at(self, number: int) -> None:
        if number != self._pointed:
            self.pointed.emit(number)

    # Drawing

    def _dress(self) -> None:
        colours = theme.current()
        self.plot.setBackground(colours.panel)
        self._frame.setPen(QPen(colours.accent, 1))
        self._frame.setBrush(_faint(colours.accent, 0.14))
        self._dress_axes()
        self._dress_border(self.plot.hasFocus())
        self._draw_points()
        self._draw_rings()

    def _dress_axes(self) -> None:
        colours = theme.current()
        for axis, title in zip(self._axes, self._titles, strict=True):
            axis.setPen(colours.line)
            axis.setTextPen(colours.soft)
            axis.setStyle(tickFont=theme.font_mono(10), tickLength=-4, tickTextOffset=4)
            axis.setLabel(escape(title), color=colours.ink.name(), **{"font-size": "11px"})

    def _dress_border(self, focused: bool) -> None:
        colours = theme.current()
        self._box.setBorder(pg.mkPen(colours.accent if focused else colours.line, width=1))

    def _draw_points(self) -> None:
        first_N, second_N = self._best_N2.T
        self._put(self._others, ~(first_N | second_N), symbol="o", size=_DOT_PX, pen=None,
                  brush=_faint(theme.current().soft, 0.6))  # fmt: skip
        marks = ((self._firsts, first_N, 0), (self._seconds, second_N, 1))
        for item, best_N, side in marks:
            colour = letter_colour(self._pair[side])
            self._put(item, best_N, symbol=half_square(side), size=_MARK_PX, pen=None, brush=colour)

    def _draw_rings(self) -> None:
        sizes_N = np.where(self._best_N2.any(axis=1), _MARK_PX + 2 * _RING_PX, _DOT_PX + _RING_PX)
        pen = pg.mkPen(theme.current().accent, width=1.6)
        self._put(self._rings, self._chosen_N, symbol="o", size=sizes_N[self._chosen_N], pen=pen, brush=None)
        self._draw_pointed()

    def _draw_pointed(self) -> None:
        pointed_N = np.arange(len(self._values_N2)) == self._pointed
        pen = pg.mkPen(theme.current().ink, width=1.6)
        size = _MARK_PX + _POINTED_PX
        self._put(self._ring, pointed_N, symbol="s", size=size, pen=pen, brush=None)

    def _put(self, item: Any, which_N: NDArray[np.bool_], **looks: object) -> None:
        item.setData(x=self._values_N2[which_N, 0], y=self._values_N2[which_N, 1], **looks)


class FigureAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis with figures as people write them: `.25`, or ranks from 1."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self._as_ranks = False
        self.enableAutoSIPrefix(False)

    def set_as_ranks(self, as_ranks: bool) -> None:
        """Whether values are ranks below zero."""
        self._as_ranks = as_ranks
        self.picture = None
        self.update()

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The figures of ticks that are so far apart."""
        return [tick_text(value, spacing, self._as_ranks) for value in values]


def tick_text(value: float, spacing: float, as_rank: bool = False) -> str:
    """A tick with as many places as its neighbours need; "" for what is no rank."""
    if as_rank:
        return f"{round(-value)}" if value < -0.5 and abs(value - round(value)) < 1e-6 else ""
    if value == 0:
        return "0"
    places = max(0, int(np.ceil(-np.log10(spacing) - 1e-9)))
    text = f"{abs(value):.{places}f}"
    text = text.removeprefix("0") if text.startswith("0.") else text
    return f"\N{MINUS SIGN}{text}" if value < 0 and float(f"{value:.{places}f}") else text


def half_square(side: int) -> QPainterPath:
    """Half of a square of side 1 around the origin: above the diagonal for 0, beneath it for 1."""
    path, corner = QPainterPath(), 0.5 if side else -0.5
    path.addPolygon(QPolygonF([QPointF(corner, corner), QPointF(0.5, -0.5), QPointF(-0.5, 0.5)]))
    path.closeSubpath()
    return path


def _faint(colour: QColor, strength: float) -> QColor:
    faint = QColor(colour)
    faint.setAlphaF(strength)
    return faint
