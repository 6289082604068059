"""A small map of attention over a dimmed picture, as pixels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap

from gazeviz.domain.grid import TokenGrid
from gazeviz.render.overlay import attention_rgba

_PICTURE_LEFT: Final = 0.36  # of the picture's light under the map, so that magma stands out
_OVERSAMPLED: Final = 4
_SPREAD_PX: Final = 64
_COLOUR_LEFT: Final = 0.3


def dimmed(pixels_HW3: NDArray[np.uint8], size: QSize, ratio: float) -> QPixmap:
    """The picture as the ground of maps, at a size: dark and nearly without colour, in either theme.

    pixels_HW3: uint8 (H, W, 3).  ratio: device pixels for each of the size's.
    """
    # Far more pixels than are shown cost time and change nothing: some are left out first.
    step = max(1, int(pixels_HW3.shape[1] / max(1.0, _OVERSAMPLED * size.width() * ratio)))
    pixels = np.ascontiguousarray(pixels_HW3[::step, ::step])
    height_px, width_px = pixels.shape[:2]
    whole = QImage(pixels.data, width_px, height_px, 3 * width_px, QImage.Format.Format_RGB888)
    small = whole.scaled(
        size * ratio, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    grey = small.convertToFormat(QImage.Format.Format_Grayscale8)
    ground = QPixmap(small.size())
    ground.fill(Qt.GlobalColor.black)
    painter = QPainter(ground)
    painter.setOpacity(_PICTURE_LEFT)
    painter.drawImage(0, 0, grey)
    painter.setOpacity(_PICTURE_LEFT * _COLOUR_LEFT)
    painter.drawImage(0, 0, small)
    painter.end()
    return ground


class MapPainter:
    """Makes the maps of one token grid into small images, one pixel for each cell where the grid is plain."""

    def __init__(self, grid: TokenGrid) -> None:
        self._grid = grid
        self._shape_HW, self.part = _whole(grid) if grid.shape_RC is None else _plain(grid, grid.shape_RC)
        self._spread = None if grid.shape_RC is not None else _spread(grid, self._shape_HW)

    def image(self, values_P: NDArray[np.float32], highest: float) -> QImage:
        """A map in magma, its alpha rising with the value; `highest` is the bright end of the scale."""
        rgba_HW4 = attention_rgba(self._values_HW(values_P), highest)
        height_px, width_px = rgba_HW4.shape[:2]
        image = QImage(rgba_HW4.data, width_px, height_px, 4 * width_px, QImage.Format.Format_RGBA8888)
        return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)

    def _values_HW(self, values_P: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._spread is None:
            return values_P.reshape(self._shape_HW)
        pixels, tokens, count = self._spread
        total = np.bincount(pixels, weights=values_P[tokens], minlength=len(count))
        return np.asarray(total / count, dtype=np.float32).reshape(self._shape_HW)


def _plain(grid: TokenGrid, shape_RC: tuple[int, int]) -> tuple[tuple[int, int], QRectF]:
    """A pixel for each cell, and the part of the picture that the cells cover."""
    x0, y0 = grid.boxes_P4[:, :2].min(axis=0)
    x1, y1 = grid.boxes_P4[:, 2:].max(axis=0)
    width_px, height_px = grid.picture_size_px
    return shape_RC, QRectF(x0 / width_px, y0 / height_px, (x1 - x0) / width_px, (y1 - y0) / height_px)


def _whole(grid: TokenGrid) -> tuple[tuple[int, int], QRectF]:
    """A small map of the whole picture."""
    width_px, height_px = grid.picture_size_px
    scale = _SPREAD_PX / max(width_px, height_px)
    return (max(1, round(height_px * scale)), max(1, round(width_px * scale))), QRectF(0, 0, 1, 1)


def _spread(
    grid: TokenGrid, shape_HW: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Which token lies on which pixel of a small map: pixel and token of every pair, and tokens per pixel.

    Found once for a grid, because a tiled one has too many cells to lay them out for every map anew.
    """
    places = np.arange(shape_HW[0] * shape_HW[1]).reshape(shape_HW)
    width_px, height_px = grid.picture_size_px
    scale = np.array([shape_HW[1] / width_px, shape_HW[0] / height_px] * 2)
    edges_P4 = np.ceil(np.round(np.nan_to_num(grid.boxes_P4, nan=0.0) * scale, 6) - 0.5).clip(min=0)
    pixels, tokens = [], []
    for token, (x0, y0, x1, y1) in enumerate(edges_P4.astype(np.int64).tolist()):
        pixels.append(places[y0:y1, x0:x1].ravel())
        tokens.append(np.full(pixels[-1].size, token))
    flat = np.concatenate(pixels).astype(np.int64)
    count = np.bincount(flat, minlength=places.size)
    return flat, np.concatenate(tokens).astype(np.int64), np.maximum(count, 1).astype(np.float64)
