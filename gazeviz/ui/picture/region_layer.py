"""The session's regions as the canvas shows them: tints, outlines, numbers, and the token cells they select.

It decides how a region looks (active, target, under a map) and which rectangle a change of its mask touches.
Changes nothing in the session.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPixmapCache, QRegion

from gazeviz.app.editing.painting import box_around, union
from gazeviz.app.editing.regions import EditableRegion
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.wording import format_cell_figure, plural
from gazeviz.render.overlay import ink_on
from gazeviz.ui.picture.layers import CellLayer, RegionLayer, RegionPaint, copy_clip, label_point
from gazeviz.ui.picture.view import PictureView
from gazeviz.ui.widgets import theme

# Words and numbers on the canvas: labels of regions, what is pointed at, what to do without a picture.


_LABEL_HEIGHT_PX = 18
_LABEL_FONT_PX = 11


def region_label_size(number: str, text: str) -> QSize:
    """The size of a region's label: a chip with its number, and a second part where there is a text."""
    metrics = QFontMetricsF(theme.font_ui(_LABEL_FONT_PX, 600))
    width = _number_width(metrics, number) + (metrics.horizontalAdvance(text) + 12 if text else 0)
    return QSize(round(width), _LABEL_HEIGHT_PX)


def draw_region_label(
    painter: QPainter, rect: QRect, colour: str, number: str, text: str, is_target: bool
) -> None:
    """Draw a region's number on its colour; the target's wears a ring as a second sign."""
    ratio = painter.device().devicePixelRatioF()
    key = f"region label {rect.width()}x{rect.height()} {ratio} {colour} {number} {text} {is_target}"
    label = QPixmap()
    if not QPixmapCache.find(key, label):
        label = QPixmap(rect.size() * ratio)
        label.setDevicePixelRatio(ratio)
        label.fill(Qt.GlobalColor.transparent)
        on_label = QPainter(label)
        _draw_label(on_label, QRect(QPoint(0, 0), rect.size()), colour, number, text, is_target)
        on_label.end()
        QPixmapCache.insert(key, label)
    painter.drawPixmap(rect.topLeft(), label)


def _draw_label(painter: QPainter, rect: QRect, colour: str, number: str, text: str, is_target: bool) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font_ui(_LABEL_FONT_PX, 600))
    number_width = _number_width(QFontMetricsF(painter.font()), number)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(rect, 4, 4)
    painter.setPen(QColor(ink_on(colour)))
    whole = QRectF(rect)
    number_rect = QRectF(whole.left(), whole.top(), number_width, whole.height())
    painter.drawText(number_rect, Qt.AlignmentFlag.AlignCenter, number)
    if text:
        rest = whole.adjusted(number_width - 2, 0, -6, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
    if is_target:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(whole.adjusted(1.5, 1.5, -1.5, -1.5), 3, 3)


def hover_text(model: SessionModel, cell: int | None) -> str:
    """What is under the pointer: the cell's number and place, and its share of the attention shown."""
    grid = model.grid
    if grid is None or cell is None or cell >= grid.n_tokens:
        return ""
    parts = [f"cell {cell}"]
    if grid.shape_RC is not None:
        parts.append(f"row {cell // grid.shape_RC[1]}, column {cell % grid.shape_RC[1]}")
    values_P = model.map.values_P
    if values_P is not None and cell < len(values_P):
        parts.append(f"mass {format_cell_figure(float(values_P[cell]))}")
    return "  ·  ".join(parts)


def draw_chip(painter: QPainter, area: QRect, text: str) -> None:
    """Draw a line of text on a quiet ground, as wide as it needs, at the left of an area."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font_mono(11))
    colours = theme.current()
    width = min(area.width(), round(QFontMetricsF(painter.font()).horizontalAdvance(text)) + 20)
    rect = QRectF(area.left() + 0.5, area.top() + 0.5, width, area.height() - 4)
    painter.setPen(colours.line)
    painter.setBrush(colours.panel)
    painter.drawRoundedRect(rect, 6, 6)
    painter.setPen(colours.ink)
    painter.drawText(rect.adjusted(10, 0, -6, 0), Qt.AlignmentFlag.AlignVCenter, text)
    painter.restore()


def draw_focus(painter: QPainter, area: QRect) -> None:
    """Draw the frame that says that keys go here."""
    painter.setPen(QPen(theme.current().accent, 2.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(area).adjusted(1, 1, -1, -1))


def draw_empty(painter: QPainter, area: QRect) -> None:
    """Say what to do where there is no picture."""
    colours = theme.current()
    painter.setFont(theme.font_ui(15, 600))
    painter.setPen(colours.ink)
    above = QRect(area.left(), area.center().y() - 30, area.width(), 26)
    painter.drawText(above, Qt.AlignmentFlag.AlignCenter, "No picture yet")
    painter.setFont(theme.font_ui(13))
    painter.setPen(colours.soft)
    below = QRect(area.left() + 16, area.center().y() - 2, area.width() - 32, 44)
    painter.drawText(
        below,
        Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap,
        "Drop one here, paste it, or open a sample strip.",
    )


def _number_width(metrics: QFontMetricsF, number: str) -> float:
    return max(float(_LABEL_HEIGHT_PX), metrics.horizontalAdvance(number) + 10)


_TINT, _ACTIVE_TINT = 0.14, 0.32
_UNDER_MAP = 0.3  # of a tint, where a map is shown: its colours must not be mixed with a region's
_EDGE_PX, _ACTIVE_EDGE_PX, _TARGET_EDGE_PX = 1.0, 2.0, 3.0


@dataclass(frozen=True, eq=False)
class SelectedOnCanvas:
    """The cells that a region selects. repeats_edges: their outline is the region's own."""

    cells: NDArray[np.int64]
    layer: CellLayer
    repeats_edges: bool


class RegionsOnCanvas:
    """Draws all visible regions of a session."""

    def __init__(self, model: SessionModel, view: PictureView) -> None:
        self._model, self._view = model, view
        self._layer = RegionLayer()
        self._grid_cells = CellLayer()
        self._selected: dict[int, SelectedOnCanvas] = {}
        self._labels: dict[int, tuple[tuple[object, ...], QRect]] = {}
        self._boxes: dict[int, tuple[NDArray[np.bool_], DirtyBox | None]] = {}
        self._paints: list[RegionPaint] = []

    def grid_changed(self) -> None:
        """Another grid: other cells."""
        self._grid_cells.set_grid(self._model.grid)
        self.changed()

    def changed(self) -> None:
        """Anything but a mask's pixels has changed: the list, a look, the active region or the target."""
        known = self._boxes
        self._boxes = {
            region.id: known[region.id]
            if region.id in known and known[region.id][0] is region.mask_HW
            else (region.mask_HW, box_around(region.mask_HW))
            for region in self._model.regions
        }
        self._make_paints()
        self._layer.forget()
        self._selected = {region.id: self._select(region) for region in self._marked()}
        self._labels = {}

    def painted(self, region_id: int, box_px: DirtyBox, ratio: float) -> QRegion:
        """A box of a region's mask has changed; returns what of the screen has to be drawn anew."""
        region = self._model.regions.of(region_id)
        if region_id not in self._boxes:
            return QRegion()
        label_before = self._label_rect(region)
        self._boxes[region_id] = region.mask_HW, union(self._boxes[region_id][1], box_px)
        self._make_paints()
        touched = QRegion(self._layer.refresh(self._view, ratio, self._paints, box_px))
        del self._labels[region_id]
        if region_id in self._selected:
            before = self._selected[region_id]
            cells = np.setxor1d(before.cells, self._model.cells_of(region_id), assume_unique=True)
            repeats = self._repeats_edges(region, before.cells)
            if cells.size or repeats != before.repeats_edges:
                self._selected[region_id] = self._select(region)
                touched += self._around(cells if repeats == before.repeats_edges else before.cells)
                touched += label_before
        label_after = self._label_rect(region)
        if label_after != label_before:
            touched += label_before
            touched += label_after
        return touched

    def _around(self, cells: NDArray[np.int64]) -> QRect:
        """What of the screen shows some cells and their edges."""
        grid = self._model.grid
        if grid is None:
            return QRect()
        boxes_N4 = grid.boxes_of(cells)
        x0, y0 = boxes_N4[:, :2].min(axis=0).tolist()
        x1, y1 = boxes_N4[:, 2:].max(axis=0).tolist()
        return self._view.box_to_screen((x0, y0, x1, y1)).adjusted(-4, -4, 4, 4).toAlignedRect()

    def draw(self, painter: QPainter, clip: QRect, ratio: float, size: QSize) -> None:
        """Draw all of it: tints and outlines, cells, and the numbers on top."""
        image = self._layer.image(self._view, ratio, size, self._paints)
        copy_clip(painter, clip, image)
        area = QRectF(clip)
        if self._model.show_cells:
            self._grid_cells.draw_all(painter, self._view, area)
        dots = self._model.show_cells
        for region_id, selected in self._selected.items():
            region = self._model.regions.of(region_id)
            if region.visible and (dots or not selected.repeats_edges):
                selected.layer.draw_selected(painter, self._view, area, QColor(region.colour), dots)
        for region in self._model.regions:
            rect = self._label_rect(region)
            if region.visible and not rect.isEmpty() and rect.intersects(clip):
                number, text = self._label(region)
                draw_region_label(painter, rect, region.colour, number, text, self._is_target(region))

    def shifted_rect(self, shift_px: tuple[int, int]) -> QRectF:
        """What of the screen the active region's box covers where it is being dragged to."""
        box = self._boxes.get(self._model.active_region_id or 0, (None, None))[1]
        if box is None:
            return QRectF()
        x_px, y_px = shift_px
        return self._view.box_to_screen((box[0] + x_px, box[1] + y_px, box[2] + x_px, box[3] + y_px))

    def draw_shift(self, painter: QPainter, shift_px: tuple[int, int] | None) -> None:
        """Draw where the active region is being dragged to; None: nowhere."""
        if shift_px is None:
            return
        region, moved = self._model.active_region, self.shifted_rect(shift_px)
        if region is not None and not moved.isEmpty():
            dashed = QPen(QColor(region.colour), 2.0, Qt.PenStyle.DashLine)
            for pen in (QPen(QColor(255, 255, 255), 3.0), dashed):
                painter.setPen(pen)
                painter.drawRect(moved)

    # Looks

    def _make_paints(self) -> None:
        self._paints = [
            self._paint_of(region, self._boxes[region.id][1])
            for region in self._model.regions
            if region.visible and self._model.picture is not None
            and region.size_px == self._model.picture.size_px
        ]  # fmt: skip

    def _paint_of(self, region: EditableRegion, box_px: DirtyBox | None) -> RegionPaint:
        active, target = region.id == self._model.active_region_id, self._is_target(region)
        tint = _ACTIVE_TINT if active else _TINT
        if self._model.show_map and self._model.map.values_P is not None:
            tint *= _UNDER_MAP
        fill, edge = QColor(region.colour), QColor(region.colour)
        fill.setAlphaF(tint)
        edge.setAlphaF(1.0 if active or target else 0.8)
        edge_px = _TARGET_EDGE_PX if target else _ACTIVE_EDGE_PX if active else _EDGE_PX
        return RegionPaint(region.mask_HW, box_px, fill, edge, edge_px)

    def _is_target(self, region: EditableRegion) -> bool:
        return region.id == self._model.target_region_id

    # Cells

    def _marked(self) -> list[EditableRegion]:
        """The regions whose cells are drawn: the active one and the target."""
        ids = {self._model.active_region_id, self._model.target_region_id}
        return [region for region in self._model.regions if region.id in ids]

    def _select(self, region: EditableRegion) -> SelectedOnCanvas:
        cells, layer = self._model.cells_of(region.id), CellLayer()
        if self._model.grid is not None:
            layer.set_selected(self._model.grid.boxes_of(cells))
        return SelectedOnCanvas(cells, layer, self._repeats_edges(region, cells))

    def _repeats_edges(self, region: EditableRegion, cells: NDArray[np.int64]) -> bool:
        """Whether the cells' outline would only repeat the region's own: a panel on the cells' edges."""
        grid, box = self._model.grid, region.panel_box_px
        if grid is None or box is None or not cells.size or not region.untouched_panel:
            return False
        boxes_N4 = grid.boxes_of(cells)
        around = (*boxes_N4[:, :2].min(axis=0), *boxes_N4[:, 2:].max(axis=0))
        return bool(np.allclose(around, box, atol=1.0))

    # Numbers

    def _label(self, region: EditableRegion) -> tuple[str, str]:
        """Its number, and how many cells it selects where these are drawn."""
        number = str(self._model.regions.number_of(region.id))
        if region.id not in self._selected or self._model.grid is None:
            return number, ""
        count = len(self._selected[region.id].cells)
        return number, plural(count, "cell")

    def _label_rect(self, region: EditableRegion) -> QRect:
        """Where the number stands on the screen; kept until the view, the text or the mask changes."""
        key = (*self._view.key(), *self._label(region))
        known = self._labels.get(region.id)
        if known is None or known[0] != key:
            known = self._labels[region.id] = key, self._place_label(region)
        return known[1]

    def _place_label(self, region: EditableRegion) -> QRect:
        """The region's first corner, inside."""
        box = self._boxes.get(region.id, (None, None))[1]
        if box is not None and not region.mask_HW[box[1]].any():  # its top has been erased
            box = box_around(region.mask_HW)
            self._boxes[region.id] = region.mask_HW, box
        if box is None:
            return QRect()
        at = self._view.to_screen(label_point(region.mask_HW, box)).toPoint() + QPoint(3, 3)
        return QRect(at, region_label_size(*self._label(region)))
