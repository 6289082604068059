"""The attention over the picture: one map, soft or as exact cells, drawn once for a zoom and place.

Knows the view and its own values; knows neither the session nor whose attention it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QImage, QPainter

from gazeviz.app.painting import Box
from gazeviz.domain.grid import TokenGrid
from gazeviz.render.overlay import attention_rgba
from gazeviz.ui.canvas_items import PREMULTIPLIED, SOFT, blank
from gazeviz.ui.canvas_view import PictureView

_SURFACE_PX = 256  # longer side of a soft map before it is stretched over the picture
_CELLS_PX = 768  # of one with hard edges


class AttentionLayer:
    """One map over the picture: magma, its alpha rising with the value."""

    def __init__(self) -> None:
        self._map: QImage | None = None
        self._box_px: Box = (0, 0, 0, 0)
        self._soft = True
        self._drawn: QImage | None = None
        self._key: tuple[float, ...] = ()

    def set_map(
        self,
        grid: TokenGrid | None,
        values_P: NDArray[np.floating] | None,
        highest: float,
        opacity: float,
        as_cells: bool,
    ) -> None:
        """Take a map, one value per image token; None for none.

        as_cells: the exact cells instead of a soft surface through their middles.
        """
        self._key, self._drawn, self._map = (), None, None
        if grid is not None and values_P is not None and len(values_P) == grid.n_tokens:
            map_HW, self._box_px = (cells if as_cells else surface)(grid, values_P)
            self._soft = not as_cells
            rgba_HW4 = attention_rgba(map_HW, highest, opacity)
            height_px, width_px = rgba_HW4.shape[:2]
            image = QImage(rgba_HW4.data, width_px, height_px, 4 * width_px, QImage.Format.Format_RGBA8888)
            self._map = image.convertToFormat(PREMULTIPLIED)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return self._map is None

    def image(self, view: PictureView, ratio: float, size: QSize) -> QImage:
        """The canvas-sized image, drawn anew only when the map or the view has changed."""
        key = (*view.key(), ratio)
        if self._drawn is None or key != self._key:
            self._key, self._drawn = key, blank(size, ratio)
            if self._map is not None:
                painter = QPainter(self._drawn)
                painter.setRenderHint(SOFT, self._soft)
                painter.setClipRect(view.picture_rect())
                painter.drawImage(view.box_to_screen(self._box_px), self._map, QRectF(self._map.rect()))
                painter.end()
        return self._drawn


def cells(grid: TokenGrid, values_P: NDArray[np.floating]) -> tuple[NDArray[np.float32], Box]:
    """Each cell in its own value, float32 (h, w), and the picture's box that it fills.

    A pixel for each cell of a plain grid; else a small map of the whole picture.
    """
    width_px, height_px = grid.picture_size_px
    if grid.shape_RC is None:
        return grid.picture_map(values_P, _small_size(grid, _CELLS_PX)), (0, 0, width_px, height_px)
    x0, y0 = grid.boxes_P4[:, :2].min(axis=0).tolist()
    x1, y1 = grid.boxes_P4[:, 2:].max(axis=0).tolist()
    return np.asarray(values_P, dtype=np.float32).reshape(grid.shape_RC), (x0, y0, x1, y1)


def surface(grid: TokenGrid, values_P: NDArray[np.floating]) -> tuple[NDArray[np.float32], Box]:
    """A surface that is linear between the cells' middles, float32 (h, w), and the box that it fills.

    Only where the grid is plain: a tiled one has no neighbours to draw it through and stays as cells.
    """
    if grid.shape_RC is None:
        return cells(grid, values_P)
    width_px, height_px = grid.picture_size_px
    size_px = _small_size(grid, _SURFACE_PX)
    boxes_RC4 = grid.boxes_P4.reshape(*grid.shape_RC, 4)
    across, down = boxes_RC4[0][:, [0, 2]], boxes_RC4[:, 0][:, [1, 3]]
    values_RC = np.nan_to_num(np.asarray(values_P, dtype=np.float32)).reshape(grid.shape_RC)
    map_HC = _stretched(values_RC, down, size_px[1], height_px)
    map_WH = _stretched(map_HC.T, across, size_px[0], width_px)
    return np.ascontiguousarray(map_WH.T), (0, 0, width_px, height_px)


def _small_size(grid: TokenGrid, longer_px: int) -> tuple[int, int]:
    """Width and height of a map of the picture's shape."""
    width_px, height_px = grid.picture_size_px
    scale = longer_px / max(width_px, height_px)
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def _stretched(
    values_NM: NDArray[np.float32], edges_N2: NDArray[np.float64], n_px: int, length_px: float
) -> NDArray[np.float32]:
    """Rows spread over pixels, linear between cells' middles: float32 (n_px, M), 0 outside the cells.

    Taken row by row and not as a product of matrices: the library's threads would wait for cores that the
    model is using.
    """
    at = (np.arange(n_px) + 0.5) * length_px / n_px
    place = np.interp(at, edges_N2.mean(axis=1), np.arange(len(edges_N2)))
    low = place.astype(np.intp)
    high = np.minimum(low + 1, len(edges_N2) - 1)
    part = (place - low).astype(np.float32)[:, None]
    stretched_HM = values_NM[low] * (1 - part) + values_NM[high] * part
    stretched_HM[(at < edges_N2.min()) | (at > edges_N2.max())] = 0
    return np.asarray(stretched_HM, dtype=np.float32)
