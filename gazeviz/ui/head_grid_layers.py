"""The head grid's images: heads in their colours, heads that are missing, outlines of the chosen ones.

Each is drawn at the screen's own resolution and only copied until something changes. One pixel for each head
is coloured by numpy and stretched; gaps, corners and outlines are one small tile laid out over all boxes, so
that the cost hardly depends on the number of heads. Knows a view, arrays and colours; knows no session.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap

from gazeviz.ui.head_grid_view import WIDE_GAP_FROM_PX, GridView

_PREMULTIPLIED = QImage.Format.Format_ARGB32_Premultiplied
_ROUND_FROM_PX, _ROUNDER_FROM_PX = 9, 15
_STROKE_FROM_PX, _BOLD_FROM_PX = 7, 10


class KeptImage:
    """An image that is drawn anew only when its key has changed."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._image = QImage()

    def get(self, key: Hashable, draw: Callable[[], QImage]) -> QImage:
        """The image of a key."""
        if key != self._key or self._image.isNull():
            self._key, self._image = key, draw()
        return self._image


def scale_of(values_LH: NDArray[np.floating] | None) -> tuple[float, float]:
    """The ends of the colour scale: from nothing, or the lowest score below it, to the highest."""
    known = values_LH[np.isfinite(values_LH)] if values_LH is not None else np.zeros(0)
    if not known.size:
        return 0.0, 1.0
    low, high = min(0.0, float(known.min())), float(known.max())
    return low, high if high > low else low + 1.0


def colours_argb(
    values_LH: NDArray[np.floating] | None,
    present_LH: NDArray[np.bool_],
    lut_256x3: NDArray[np.uint8],
    unknown: QColor,
) -> NDArray[np.uint32]:
    """Colour each head: uint32 (L, H) ARGB; without a value in the colour `unknown`, absent ones in none."""
    low, high = scale_of(values_LH)
    argb_LH = np.full(present_LH.shape, unknown.rgba(), dtype=np.uint32)
    if values_LH is not None and values_LH.shape == present_LH.shape:
        table = lut_256x3.astype(np.uint32)
        argb_256 = 0xFF000000 | table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2]
        known_LH = np.isfinite(values_LH)
        level = (values_LH[known_LH] - low) * (255.0 / (high - low))
        argb_LH[known_LH] = argb_256[np.clip(np.rint(level), 0, 255).astype(np.intp)]
    argb_LH[~present_LH] = 0
    return argb_LH


def draw_heads(view: GridView, argb_LH: NDArray[np.uint32], darkest: QColor) -> QImage:
    """All heads of the view in their colours.

    darkest: the scale's dark end, on which small boxes stand, for bright gaps would outshine them.
    """
    image = _stencilled(view, argb_LH, _tile(view, _fill_tile))
    if min(view.box_px) >= WIDE_GAP_FROM_PX:
        return image
    ground = _stretched(view, _coloured(argb_LH != 0, darkest))
    painter = QPainter(ground)
    painter.drawImage(0, 0, image)
    painter.end()
    return ground


def draw_absent(view: GridView, absent_LH: NDArray[np.bool_], colour: QColor) -> QImage:
    """A hollow box with a stroke through it where the model has no head."""
    return _stencilled(view, _coloured(absent_LH, colour), _tile(view, _hollow_tile))


def draw_outlines(view: GridView, chosen_LH: NDArray[np.bool_], colour: QColor) -> QImage:
    """Outlines around the chosen heads."""
    return _stencilled(view, _coloured(chosen_LH, colour), _tile(view, _outline_tile))


def _coloured(mask_LH: NDArray[np.bool_], colour: QColor) -> NDArray[np.uint32]:
    return np.where(mask_LH, np.uint32(colour.rgba()), np.uint32(0))


def _stencilled(view: GridView, argb_LH: NDArray[np.uint32], tile: QPixmap) -> QImage:
    """Stretch a pixel for each head over its box, and keep of every box what the tile covers."""
    image = _stretched(view, argb_LH)
    (width, height), (x, y) = view.box_dev, view.scroll_dev
    image.setDevicePixelRatio(1)
    painter = QPainter(image)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawTiledPixmap(image.rect(), tile, QPoint(x % width, y % height))
    painter.end()
    image.setDevicePixelRatio(view.ratio)
    return image


def _stretched(view: GridView, argb_LH: NDArray[np.uint32]) -> QImage:
    """A pixel for each head stretched over its whole box."""
    area = view.area
    size = QSize(round(area.width() * view.ratio), round(area.height() * view.ratio))
    image = QImage(size, _PREMULTIPLIED)
    image.fill(Qt.GlobalColor.transparent)
    n_layers, n_heads = argb_LH.shape
    rows = np.ascontiguousarray(argb_LH[::-1])  # layer 0 is at the bottom
    dots = QImage(rows.data, n_heads, n_layers, 4 * n_heads, _PREMULTIPLIED)
    (width, height), (x, y) = view.box_dev, view.scroll_dev
    painter = QPainter(image)
    painter.drawImage(QRect(-x, -y, n_heads * width, n_layers * height), dots)
    painter.end()
    image.setDevicePixelRatio(view.ratio)
    return image


def _tile(view: GridView, draw: Callable[[QPainter, GridView, QRectF], None]) -> QPixmap:
    """One box's stencil in device pixels; `draw` gets the head's rectangle inside its box."""
    width, height = view.box_dev
    tile = QPixmap(width, height)
    tile.fill(Qt.GlobalColor.transparent)
    gap = view.gap_dev
    before = gap // 2
    painter = QPainter(tile)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(Qt.GlobalColor.black)
    draw(painter, view, QRectF(before, before, width - gap, height - gap))
    painter.end()
    return tile


def _radius_dev(view: GridView) -> float:
    side_px = min(view.box_px)
    return view.ratio * (3.0 if side_px >= _ROUNDER_FROM_PX else 2.0 if side_px >= _ROUND_FROM_PX else 0.0)


def _rounded(painter: QPainter, box: QRectF, radius: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, radius > 0)
    if radius > 0:
        painter.drawRoundedRect(box, radius, radius)
    else:
        painter.drawRect(box)


def _fill_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    _rounded(painter, head, _radius_dev(view))


def _hollow_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    line = max(1.0, view.ratio)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(Qt.GlobalColor.black, line))
    inside = head.adjusted(line / 2, line / 2, -line / 2, -line / 2)
    _rounded(painter, inside, _radius_dev(view))
    if min(view.box_px) >= _STROKE_FROM_PX:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawLine(inside.bottomLeft(), inside.topRight())


def _outline_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    """The gap around a head and a pixel of the head itself."""
    width, height = view.box_dev
    line = max(1, round(view.ratio * (2 if min(view.box_px) >= _BOLD_FROM_PX else 1)))
    radius = _radius_dev(view)
    _rounded(painter, QRectF(0, 0, width, height), radius + line / 2 if radius else 0.0)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
    _rounded(painter, QRectF(line, line, width - 2 * line, height - 2 * line), radius)
