"""What stands around the head grid: numbers of layers and heads, the layer histogram, and rings.

Thin numbers: all of them where there is room, else every fourth, eighth ... Knows a view and counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from gazeviz.domain.heads import Head, HeadSet
from gazeviz.ui import theme
from gazeviz.ui.head_grid_view import BOTTOM_PX, LEFT_PX, GridPart, GridView

_LINE_PX: Final = 12
_DIGIT_PX: Final = 6
GRID_TIP: Final = (
    "Click a head to choose it, drag over several, Shift adds, Ctrl takes away.\n"
    "Numbers choose whole layers and columns. Ctrl and wheel zoom; arrows and Enter work, too."
)
_STEPS: Final = (1, 4, 8, 16, 32)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter


def draw_frame(view: GridView, size: QSize, counts_L: NDArray[np.int64]) -> QImage:
    """Numbers and histogram on an image as large as the widget.

    counts_L: chosen heads of each layer, int64 (L,).
    """
    image = QImage(size * view.ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(view.ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setFont(theme.font_mono(10))
    painter.setPen(theme.current().soft)
    _draw_layers(painter, view)
    _draw_columns(painter, view)
    _draw_histogram(painter, view, counts_L)
    painter.end()
    return image


def draw_lit_numbers(painter: QPainter, view: GridView, head: Head) -> None:
    """A head's two numbers in ink, over whatever numbers stand there."""
    colours = theme.current()
    painter.setFont(theme.font_mono(10))
    painter.setPen(colours.ink)
    for place, align, number in (
        (_layer_place(view, head.layer), _RIGHT, head.layer),
        (_column_place(view, head.index), _MIDDLE, head.index),
    ):
        painter.fillRect(place.adjusted(0, 0, 1, 0), colours.panel)
        painter.drawText(place, align, str(number))


def part_tip(part: GridPart | None, chosen: HeadSet, present_LH: NDArray[np.bool_]) -> str:
    """What a click on a label does and how many of its heads are chosen; "" over heads, which have a card."""
    if part is None:
        return GRID_TIP
    if part.axis == "cell":
        return ""
    if part.axis == "layer":
        here, there = part.head.layer, [head.layer for head in chosen]
        n, name = int(present_LH[here].sum()), "Layer"
    else:
        here, there = part.head.index, [head.index for head in chosen]
        n, name = int(present_LH[:, here].sum()), "Column"
    return f"{name} {here}: {there.count(here)} of {n} heads chosen.\nClick to choose all, Shift adds them."


def draw_ring(painter: QPainter, box: QRectF, colour: QColor | Qt.GlobalColor) -> None:
    """A ring around a head that stands out on light and dark."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen, out in ((QPen(Qt.GlobalColor.black, 1), 1.5), (QPen(colour, 2), 0.0)):
        painter.setPen(pen)
        painter.drawRoundedRect(box.adjusted(-out, -out, out, out), 3, 3)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _layer_place(view: GridView, layer: int) -> QRectF:
    middle = view.box(Head(layer, 0)).center().y()
    return QRectF(0, middle - _LINE_PX / 2, LEFT_PX - 5, _LINE_PX)


def _column_width(view: GridView) -> int:
    return _DIGIT_PX * len(str(view.shape_LH[1] - 1)) + 5


def _column_place(view: GridView, index: int) -> QRectF:
    middle, width = view.box(Head(0, index)).center().x(), _column_width(view)
    return QRectF(middle - width / 2, view.area.bottom() + 3, width, BOTTOM_PX - 4)


def _draw_layers(painter: QPainter, view: GridView) -> None:
    area = view.area
    for layer in range(0, view.shape_LH[0], _step(view.box_px[1], _LINE_PX)):
        place = _layer_place(view, layer)
        if area.top() <= place.center().y() < area.bottom():
            painter.drawText(place, _RIGHT, str(layer))


def _draw_columns(painter: QPainter, view: GridView) -> None:
    area = view.area
    for index in range(0, view.shape_LH[1], _step(view.box_px[0], _column_width(view))):
        place = _column_place(view, index)
        if area.left() <= place.center().x() < area.right():
            painter.drawText(place, _MIDDLE, str(index))


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
