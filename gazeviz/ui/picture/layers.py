"""What lies on the canvas, layer over layer, each drawn once for a zoom and place and then only copied.

The picture, the regions and the token cells; the attention is gazeviz.ui.picture.layers's.  Layers know the
view and their own content; they know neither the session nor tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPainterPath, QPen

from gazeviz.app.editing.painting import Box
from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.grid import TokenGrid
from gazeviz.render.overlay import attention_rgba
from gazeviz.ui.picture.view import PictureView

_PIXELS_SHOW_AT = 3.0  # from this zoom on, picture pixels are drawn as squares
SOFT = QPainter.RenderHint.SmoothPixmapTransform
PREMULTIPLIED = QImage.Format.Format_ARGB32_Premultiplied
_VEIL, _HATCH = QColor(0, 0, 0, 150), QColor(255, 255, 255, 70)
_FED_TOLERANCE = 0.005  # of the picture: less than this cut off is rounding


class PictureLayer:
    """The picture at the view's zoom; halved versions of it keep a small one from flickering."""

    def __init__(self) -> None:
        self._levels: list[QImage] = []
        self._fed_px: Box | None = None
        self._drawn: QImage | None = None
        self._key: tuple[float, ...] = ()

    def set_pixels(self, pixels_HW3: NDArray[np.uint8] | None) -> None:
        """Take a picture, uint8 (H, W, 3); None for no picture."""
        self._key, self._drawn, self._levels = (), None, []
        if pixels_HW3 is not None:
            pixels = np.ascontiguousarray(pixels_HW3)
            height_px, width_px = pixels.shape[:2]
            image = QImage(pixels.data, width_px, height_px, 3 * width_px, QImage.Format.Format_RGB888)
            self._levels = [image.convertToFormat(QImage.Format.Format_RGB32)]

    def set_fed(self, box_px: Box | None) -> None:
        """Say which part of the picture the model is fed; the rest is veiled. None: all of it."""
        if box_px != self._fed_px:
            self._key, self._fed_px = (), box_px

    def image(self, view: PictureView, ratio: float, size: QSize) -> QImage:
        """The canvas-sized image, drawn anew only when the view has changed."""
        key = (*view.key(), ratio)
        if self._drawn is None or key != self._key:
            self._key, self._drawn = key, blank(size, ratio)
            if self._levels:
                self._draw(self._drawn, view, ratio)
        return self._drawn

    def _draw(self, onto: QImage, view: PictureView, ratio: float) -> None:
        zoom = view.zoom * ratio
        level = self._level(zoom)
        painter = QPainter(onto)
        painter.setRenderHint(SOFT, zoom < _PIXELS_SHOW_AT)
        painter.drawImage(view.picture_rect(), level, QRectF(level.rect()))
        if self._fed_px is not None:
            veiled = QPainterPath()
            veiled.addRect(view.picture_rect())
            veiled.addRect(view.box_to_screen(self._fed_px).intersected(view.picture_rect()))
            painter.fillPath(veiled, _VEIL)
            painter.fillPath(veiled, QBrush(_HATCH, Qt.BrushStyle.BDiagPattern))
        painter.end()

    def _level(self, zoom: float) -> QImage:
        """The smallest version that still has a pixel for each of the screen's."""
        step = 0
        while zoom <= 0.5 and min(self._levels[step].width(), self._levels[step].height()) > 1:
            zoom *= 2
            step += 1
            if step == len(self._levels):
                self._levels.append(_halved(self._levels[-1]))
        return self._levels[step]


@dataclass(frozen=True, eq=False)
class RegionPaint:
    """How one region is drawn. fill, edge: colours with alpha; edge_px: the outline's width on the screen."""

    mask_HW: NDArray[np.bool_]
    box_px: DirtyBox | None
    fill: QColor
    edge: QColor
    edge_px: float


class RegionLayer:
    """The regions' tints and outlines, composed at the screen's own resolution, rectangle by rectangle."""

    def __init__(self) -> None:
        self._argb_HW = np.zeros((1, 1), dtype=np.uint32)
        self._image = QImage()
        self._key: tuple[float, ...] = ()

    def image(self, view: PictureView, ratio: float, size: QSize, paints: Sequence[RegionPaint]) -> QImage:
        """The canvas-sized image, composed anew only when the view has changed or `forget` was called."""
        key = (*view.key(), ratio)
        if key != self._key:
            self._key = key
            width, height = round(size.width() * ratio), round(size.height() * ratio)
            self._argb_HW = np.zeros((height, width), dtype=np.uint32)
            self._image = QImage(self._argb_HW.data, width, height, 4 * width, PREMULTIPLIED)
            self._image.setDevicePixelRatio(ratio)
            self._compose(view, ratio, paints, (0, 0, width, height))
        return self._image

    def forget(self) -> None:
        """Compose everything anew next time."""
        self._key = ()

    def refresh(
        self, view: PictureView, ratio: float, paints: Sequence[RegionPaint], changed: DirtyBox
    ) -> QRect:
        """Compose what a changed box of the picture can touch; returns it on the screen."""
        margin = max((paint.edge_px for paint in paints), default=1.0) + 2
        on_screen = view.box_to_screen(changed).adjusted(-margin, -margin, margin, margin)
        if self._key == (*view.key(), ratio):
            height, width = self._argb_HW.shape
            top, left = max(0, int(on_screen.top() * ratio)), max(0, int(on_screen.left() * ratio))
            bottom = min(height, int(np.ceil(on_screen.bottom() * ratio)))
            right = min(width, int(np.ceil(on_screen.right() * ratio)))
            if top < bottom and left < right:
                self._argb_HW[top:bottom, left:right] = 0
                self._compose(view, ratio, paints, (left, top, right, bottom))
        return on_screen.toAlignedRect()

    def _compose(
        self, view: PictureView, ratio: float, paints: Sequence[RegionPaint], within: DirtyBox
    ) -> None:
        for paint in paints:
            if paint.box_px is not None:
                self._draw(view, ratio, paint, within)

    def _draw(self, view: PictureView, ratio: float, paint: RegionPaint, within: DirtyBox) -> None:
        """Sample the mask at the screen's pixels; the outline is where a neighbour `edge` away is outside."""
        assert paint.box_px is not None
        edge = max(1, round(paint.edge_px * ratio))
        box = view.box_to_screen(paint.box_px)
        left, top = max(within[0], int(box.left() * ratio)), max(within[1], int(box.top() * ratio))
        right = min(within[2], int(np.ceil(box.right() * ratio)))
        bottom = min(within[3], int(np.ceil(box.bottom() * ratio)))
        if top >= bottom or left >= right:
            return
        rows = _sampled(top - edge, bottom + edge, view.top_px, view.zoom, ratio)
        columns = _sampled(left - edge, right + edge, view.left_px, view.zoom, ratio)
        padded = _take(paint.mask_HW, rows, columns)
        inside = padded[edge:-edge, edge:-edge]
        core = padded[: -2 * edge, edge:-edge] & padded[2 * edge :, edge:-edge]
        core &= padded[edge:-edge, : -2 * edge]
        core &= padded[edge:-edge, 2 * edge :]
        target = self._argb_HW[top:bottom, left:right]
        np.copyto(target, _premultiplied(paint.fill), where=inside)
        np.copyto(target, _premultiplied(paint.edge), where=inside & ~core)


def _sampled(first: int, past: int, offset_px: float, zoom: float, ratio: float) -> NDArray[np.int64]:
    """The picture's row or column under the middle of each of the screen's."""
    middles = (np.arange(first, past) + 0.5) / ratio
    return np.asarray(np.floor((middles - offset_px) / zoom), dtype=np.int64)


def _take(
    mask_HW: NDArray[np.bool_], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The mask at rows x columns, False beyond its edges."""
    height_px, width_px = mask_HW.shape
    inside_rows = (rows >= 0) & (rows < height_px)
    inside_columns = (columns >= 0) & (columns < width_px)
    taken = np.zeros((len(rows), len(columns)), dtype=bool)
    if inside_rows.any() and inside_columns.any():
        wanted_rows, wanted_columns = rows[inside_rows], columns[inside_columns]
        # Both axes are cut first: `take` copies what is not contiguous, all of it.
        top, left = int(wanted_rows[0]), int(wanted_columns[0])
        part = mask_HW[top : int(wanted_rows[-1]) + 1, left : int(wanted_columns[-1]) + 1]
        strip = part.take(wanted_rows - top, axis=0)
        row0, column0 = int(np.argmax(inside_rows)), int(np.argmax(inside_columns))
        here = np.s_[row0 : row0 + len(wanted_rows), column0 : column0 + len(wanted_columns)]
        taken[here] = strip.take(wanted_columns - left, axis=1)
    return taken


class CellLayer:
    """Token cells as fine lines, and the outline of those that a region selects."""

    def __init__(self) -> None:
        self._lines_N4 = np.zeros((0, 4))
        self._outline_N4 = np.zeros((0, 4))
        self._middles_N2 = np.zeros((0, 2))

    def set_grid(self, grid: TokenGrid | None) -> None:
        """Take a layout; None for none."""
        self._lines_N4 = np.zeros((0, 4)) if grid is None else cell_lines(grid)
        self.set_selected(np.zeros((0, 4)))

    def set_selected(self, boxes_N4: NDArray[np.float64]) -> None:
        """Take the cells that are selected: x0, y0, x1, y1 each."""
        self._outline_N4 = outline(boxes_N4)
        self._middles_N2 = (boxes_N4[:, :2] + boxes_N4[:, 2:]) / 2

    def draw_all(self, painter: QPainter, view: PictureView, clip: QRectF) -> None:
        """Draw every cell that the clip touches: light lines with a dark side, for any picture."""
        xy_N4 = _on_screen(view, self._lines_N4)
        lines = [QLineF(*line) for line in xy_N4[_touches(xy_N4, clip)].tolist()]
        for colour, shift_px in ((QColor(0, 0, 0, 60), 1.0), (QColor(255, 255, 255, 110), 0.0)):
            painter.setPen(QPen(colour, 1.0))
            painter.drawLines([line.translated(shift_px, shift_px) for line in lines])

    def draw_selected(
        self, painter: QPainter, view: PictureView, clip: QRectF, colour: QColor, dots: bool
    ) -> None:
        """Draw the selected cells' common outline, dashed; `dots` marks each cell's middle too."""
        xy_N4 = _on_screen(view, self._outline_N4)
        lines = [QLineF(*line) for line in xy_N4[_touches(xy_N4, clip)].tolist()]
        if not lines and not dots:
            return
        painter.setPen(QPen(QColor(255, 255, 255, 210), 2.0))
        painter.drawLines(lines)
        painter.setPen(QPen(colour, 2.0, Qt.PenStyle.CustomDashLine))
        pen = painter.pen()
        pen.setDashPattern([3.0, 2.0])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawLines(lines)
        if dots:
            painter.setPen(QPen(QColor(255, 255, 255, 230), 1.0))
            painter.setBrush(colour)
            for x, y in _on_screen(view, np.tile(self._middles_N2, 2))[:, :2].tolist():
                if clip.adjusted(-4, -4, 4, 4).contains(x, y):
                    painter.drawEllipse(QPointF(x, y), 2.5, 2.5)


def cell_lines(grid: TokenGrid) -> NDArray[np.float64]:
    """The lines between cells, each once: x0, y0, x1, y1 each, (N, 4); of a plain grid from end to end."""
    boxes_P4 = grid.boxes_P4[~np.isnan(grid.boxes_P4).any(axis=1)]
    if grid.shape_RC is None or not len(boxes_P4):
        x0, y0, x1, y1 = boxes_P4.T
        sides = (x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)
        edges_N4 = np.concatenate([np.stack(side, axis=1) for side in sides])
        return np.asarray(np.unique(np.round(edges_N4, 3), axis=0))
    x_edges, y_edges = (np.unique(np.round(boxes_P4[:, [axis, axis + 2]], 3)) for axis in (0, 1))
    upright = [(x, y_edges[0], x, y_edges[-1]) for x in x_edges]
    return np.array([*upright, *((x_edges[0], y, x_edges[-1], y) for y in y_edges)])


def outline(boxes_N4: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edges of boxes that no two of them share: x0, y0, x1, y1 each, (M, 4)."""
    x0, y0, x1, y1 = boxes_N4.T
    sides = (x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)
    edges_M4 = np.concatenate([np.stack(side, axis=1) for side in sides])
    # An edge as one number: where it begins and how long it is, to an eighth of a pixel, 20 bits each.
    begin_M2 = np.rint(edges_M4[:, :2] * 8).astype(np.int64) + (1 << 18)
    length_M = np.rint((edges_M4[:, 2:] - edges_M4[:, :2]).sum(axis=1) * 8).astype(np.int64)
    upright_M = np.arange(len(edges_M4)) >= len(edges_M4) // 2
    keys_M = (((begin_M2[:, 0] << 20) + begin_M2[:, 1] << 20) + length_M << 1) + upright_M
    _, first, count = np.unique(keys_M, return_index=True, return_counts=True)
    return np.asarray(edges_M4[first[count == 1]])


def fed_box(grid: TokenGrid | None) -> Box | None:
    """The part of the picture that the cells lie in; None where that is all of it, or nothing is known."""
    boxes_P4 = np.zeros((0, 4)) if grid is None else grid.boxes_P4
    boxes_P4 = boxes_P4[~np.isnan(boxes_P4).any(axis=1)]
    if grid is None or not len(boxes_P4):
        return None
    (x0, y0), (x1, y1) = boxes_P4[:, :2].min(axis=0), boxes_P4[:, 2:].max(axis=0)
    width_px, height_px = grid.picture_size_px
    cut_off = max(x0, width_px - x1) / width_px, max(y0, height_px - y1) / height_px
    return None if max(cut_off) <= _FED_TOLERANCE else (float(x0), float(y0), float(x1), float(y1))


def label_point(mask_HW: NDArray[np.bool_], box_px: DirtyBox) -> tuple[int, int]:
    """Where a region's number stands, x and y: the first pixel of its first row."""
    x = np.flatnonzero(mask_HW[box_px[1]])
    return (int(x[0]) if x.size else box_px[0]), box_px[1]


def _on_screen(view: PictureView, xy_N4: NDArray[np.float64]) -> NDArray[np.float64]:
    """Picture coordinates x, y, x, y on the screen, on the middles of its pixels so that lines are crisp."""
    placed = xy_N4 * view.zoom + [view.left_px, view.top_px, view.left_px, view.top_px]
    return np.asarray(np.floor(placed) + 0.5)


def _touches(xy_N4: NDArray[np.float64], clip: QRectF) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = xy_N4.T
    across = (x1 >= clip.left() - 2) & (x0 <= clip.right() + 2)
    return np.asarray(across & (y1 >= clip.top() - 2) & (y0 <= clip.bottom() + 2))


def _premultiplied(colour: QColor) -> np.uint32:
    alpha = colour.alphaF()
    red, green, blue = (round(value * alpha) for value in (colour.red(), colour.green(), colour.blue()))
    return np.uint32(colour.alpha() << 24 | red << 16 | green << 8 | blue)


def copy_clip(painter: QPainter, clip: QRect, image: QImage) -> None:
    """Copy a clip of a canvas-sized image to where it belongs."""
    ratio = image.devicePixelRatio()
    source = QRectF(clip.x() * ratio, clip.y() * ratio, clip.width() * ratio, clip.height() * ratio)
    painter.drawImage(QRectF(clip), image, source)


def blank(size: QSize, ratio: float) -> QImage:
    image = QImage(size * ratio, PREMULTIPLIED)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    return image


def _halved(image: QImage) -> QImage:
    return image.scaled(
        max(1, image.width() // 2),
        max(1, image.height() // 2),
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )


# The attention over the picture: one map, soft or as exact cells, drawn once for a zoom and place.
#
# Knows the view and its own values; knows neither the session nor whose attention it is.


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
