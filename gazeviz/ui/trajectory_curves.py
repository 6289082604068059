"""The curves of a trajectory and their axes, drawn by pyqtgraph: mass on each region, token by token.

Solid lines are the chosen heads, dashed ones a random control.  Loads pyqtgraph when one is made and not
before: that takes a third of a second.  Knows no session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsItem, QVBoxLayout, QWidget

from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.trajectory_place import BOTTOM_PX, LEFT_PX, RIGHT_PX, TOP_PX, PlotPlace, token_ticks

_LINE_PX, _CONTROL_PX = 1.8, 1.2
_CONTROL_ALPHA = 0.75
_ABOVE_PX = 8  # where the highest figure and the line's own width have room


class TrajectoryCurves(QWidget):
    """Draws two tables of masses."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph

        self.setObjectName("trajectoryCurves")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._graph = pyqtgraph
        self._plot: Any = pyqtgraph.PlotWidget(self, enableMenu=False)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._item: Any = self._plot.getPlotItem()
        self._box: Any = self._item.getViewBox()
        self._box.setMouseEnabled(False, False)
        self._box.setFlag(
            QGraphicsItem.GraphicsItemFlag.ItemClipsChildrenToShape, False
        )  # half a line's width
        self._item.hideButtons()
        self._item.layout.setContentsMargins(0, _ABOVE_PX, 0, 0)
        self._item.layout.setSpacing(0)
        self._plot.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, TOP_PX - _ABOVE_PX, RIGHT_PX, 0)
        layout.addWidget(self._plot)
        self._lines: list[Any] = []
        self._controls: list[Any] = []
        self._place: PlotPlace | None = None
        self._dress()
        theme.changed.connect(self._on_theme_changed)

    def show_place(self, place: PlotPlace) -> None:
        """Take other axes."""
        if place != self._place:
            self._place = place
            self._box.setRange(xRange=(-0.5, place.n_tok - 0.5), yRange=(0, place.top), padding=0)
            ticks = [(token, str(token)) for token in token_ticks(place.n_tok, place.width_px)]
            self._item.getAxis("bottom").setTicks([ticks])
            marks = (0.0, place.top / 2, place.top)
            self._item.getAxis("left").setTicks([[(mark, figure_text(mark)) for mark in marks]])

    def show_masses(
        self,
        masses_TR: NDArray[np.float32],
        control_TR: NDArray[np.float32] | None,
        colours: Sequence[QColor],
    ) -> None:
        """Draw a line for each region; colours: one for each, in the order of the columns."""
        self._fit(self._lines, len(colours), z=2)
        self._fit(self._controls, 0 if control_TR is None else len(colours), z=1)
        ratio = self.devicePixelRatioF()  # its pens count the screen's own pixels
        for number, colour in enumerate(colours):
            pen = self._graph.mkPen(colour, width=_LINE_PX * ratio)
            _put(self._lines[number], masses_TR[:, number], pen)
            if control_TR is not None:
                soft = QColor(colour)
                soft.setAlphaF(_CONTROL_ALPHA)
                pen = self._graph.mkPen(soft, width=_CONTROL_PX * ratio, dash=[3.0, 3.0])
                _put(self._controls[number], control_TR[:, number], pen)

    def data_rect(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the data in this widget, as pyqtgraph laid it out."""
        self._item.layout.activate()
        rect = self._box.sceneBoundingRect()
        return rect.left() + self._plot.x(), rect.top() + self._plot.y(), rect.width(), rect.height()

    def _fit(self, lines: list[Any], n: int, z: int) -> None:
        while len(lines) > n:
            self._item.removeItem(lines.pop())
        while len(lines) < n:
            line = self._graph.PlotCurveItem(antialias=True, skipFiniteCheck=True)
            line.setZValue(z)
            self._item.addItem(line)
            lines.append(line)

    def _dress(self) -> None:
        colours = theme.current()
        self._plot.setBackground(colours.panel)
        for name, room_px in (("left", LEFT_PX), ("bottom", BOTTOM_PX)):
            axis: Any = self._item.getAxis(name)
            axis.setPen(self._graph.mkPen(colours.line))
            axis.setTextPen(self._graph.mkPen(colours.soft))
            axis.setStyle(tickFont=theme.font_mono(10), tickLength=-4, tickTextOffset=5)
            (axis.setWidth if name == "left" else axis.setHeight)(room_px)

    def _on_theme_changed(self) -> None:
        self._dress()
        self.update()


def _put(line: Any, mass_T: NDArray[np.float32], pen: Any) -> None:
    """Let a line run through the tokens' middles."""
    line.setData(np.arange(len(mass_T), dtype=np.float64), mass_T.astype(np.float64), pen=pen)
