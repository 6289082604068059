"""What stands around the head grid: numbers of layers and heads, the layer histogram, and rings.

Thin numbers: all of them where there is room, else every fourth, eighth ... Knows a view and counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gazeviz.domain.heads import Head
from gazeviz.ui import theme
from gazeviz.ui.head_grid_view import BOTTOM_PX, LEFT_PX, GridView

_LINE_PX: Final = 12
_DIGIT_PX: Final = 6
_STEPS: Final = (1, 4, 8, 16, 32)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter


def draw_frame(painter: QPainter, view: GridView, counts_L: NDArray[np.int64], hovered: Head | None) -> None:
    """Draw numbers and histogram; the hovered head's two numbers stand out.

    counts_L: chosen heads of each layer, int64 (L,).
    """
    painter.setFont(theme.font_mono(10))
    _draw_layers(painter, view, hovered)
    _draw_columns(painter, view, hovered)
    _draw_histogram(painter, view, counts_L)


def draw_ring(painter: QPainter, box: QRectF, colour: QColor | Qt.GlobalColor) -> None:
    """A ring around a head that stands out on light and dark."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen, out in ((QPen(Qt.GlobalColor.black, 1), 1.5), (QPen(colour, 2), 0.0)):
        painter.setPen(pen)
        painter.drawRoundedRect(box.adjusted(-out, -out, out, out), 3, 3)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _draw_layers(painter: QPainter, view: GridView, hovered: Head | None) -> None:
    area, step = view.area, _step(view.box_px[1], _LINE_PX)

    def place(layer: int) -> QRectF:
        middle = view.box(Head(layer, 0)).center().y()
        return QRectF(0, middle - _LINE_PX / 2, LEFT_PX - 5, _LINE_PX)

    painter.setPen(theme.current().soft)
    for layer in range(0, view.shape_LH[0], step):
        if area.top() <= place(layer).center().y() < area.bottom():
            painter.drawText(place(layer), _RIGHT, str(layer))
    if hovered is not None and hovered.layer < view.shape_LH[0]:
        _draw_lit(painter, place(hovered.layer), _RIGHT, hovered.layer)


def _draw_columns(painter: QPainter, view: GridView, hovered: Head | None) -> None:
    area, n_heads = view.area, view.shape_LH[1]
    width = _DIGIT_PX * len(str(n_heads - 1)) + 5
    step = _step(view.box_px[0], width)

    def place(index: int) -> QRectF:
        middle = view.box(Head(0, index)).center().x()
        return QRectF(middle - width / 2, area.bottom() + 3, width, BOTTOM_PX - 4)

    painter.setPen(theme.current().soft)
    for index in range(0, n_heads, step):
        if area.left() <= place(index).center().x() < area.right():
            painter.drawText(place(index), _MIDDLE, str(index))
    if hovered is not None and hovered.index < n_heads:
        _draw_lit(painter, place(hovered.index), _MIDDLE, hovered.index)


def _draw_lit(painter: QPainter, place: QRectF, align: Qt.AlignmentFlag, number: int) -> None:
    """A number in ink, over whatever number stands there."""
    colours = theme.current()
    painter.fillRect(place.adjusted(0, 0, 1, 0), colours.panel)
    painter.setPen(colours.ink)
    painter.drawText(place, align, str(number))


def _draw_histogram(painter: QPainter, view: GridView, counts_L: NDArray[np.int64]) -> None:
    """A bar for each layer as long as its share of the fullest one, whose count is written beneath."""
    most = int(counts_L.max(initial=0))
    edge, area, colours = view.edge, view.area, theme.current()
    painter.setPen(QPen(colours.line, 1))
    painter.drawLine(edge.topLeft(), edge.bottomLeft())
    if not most:
        return
    thick = max(1.0, min(view.box_px[1] * 0.5, 10.0))
    for layer in np.flatnonzero(counts_L).tolist():
        middle = view.box(Head(layer, 0)).center().y()
        if area.top() <= middle < area.bottom():
            length = max(2.0, (edge.width() - 2) * int(counts_L[layer]) / most)
            painter.fillRect(QRectF(edge.left() + 1, middle - thick / 2, length, thick), colours.accent)
    painter.setPen(colours.soft)
    beneath = QRectF(edge.left(), area.bottom() + 3, edge.width() + 4, BOTTOM_PX - 4)
    painter.drawText(beneath, _RIGHT, str(most))


def _step(box_px: float, needed_px: float) -> int:
    """Every how manieth number has room."""
    return next((step for step in _STEPS if step * box_px >= needed_px), 64)
