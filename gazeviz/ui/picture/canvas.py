"""The picture in the middle of the window: the regions on it, the attention over it, and the tools.

It draws in layers that are each prepared once for a zoom and place (gazeviz.ui.picture.layers), so that a
stroke costs the rectangle that it touches.  What gestures mean is the tools' (gazeviz.ui.picture.tools).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QVariantAnimation, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QWidget

from gazeviz.app.editing.painting import Point
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import DirtyBox
from gazeviz.ui.picture.layers import AttentionLayer, PictureLayer, copy_clip, fed_box
from gazeviz.ui.picture.map_bar import ZoomBar
from gazeviz.ui.picture.region_layer import RegionsOnCanvas, draw_chip, draw_empty, draw_focus, hover_text
from gazeviz.ui.picture.tools import MAKERS, Surface, Tool
from gazeviz.ui.picture.view import ZOOM_STEP, PictureView, few_rects
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, add_commands

FADE_MS = 120


class ImageCanvas(QWidget):
    """Shows the picture and lets a person paint regions on it."""

    zoom_changed = Signal(float)  # pixels of the screen for one of the picture

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("imageCanvas")
        self.setAccessibleName("Picture with regions and attention")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(240, 100)
        self.place_commands: Callable[[Point], Sequence[Command]] = lambda point: ()
        self._model, self._controller = model, controller
        self.view = PictureView()
        self.surface = Surface(model, controller, self.view, self._on_redraw_wanted, self.pan)
        self._picture = PictureLayer()
        self._maps = [AttentionLayer(), AttentionLayer()]  # the one that fades away, the one that is shown
        self._regions = RegionsOnCanvas(model, self.view)
        self._map_came_s = 0.0
        self._fade = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=FADE_MS)
        self._pixels_HW3: NDArray[np.uint8] | None = None
        self._marked = QRect()  # what the tool's own marks cover
        self._tool: Tool = MAKERS[model.tool](self.surface)
        self._pointer: QPointF | None = None
        self._pan_from: QPointF | None = None
        self._space_held = self._space_panned = self._keyed = False
        self._hover: int | None = None
        self._zoom_bar = ZoomBar(self)
        self._zoom_bar.zoom_wanted.connect(self.zoom_by)
        self._zoom_bar.fit_wanted.connect(self.fit)
        self._zoom_bar.actual_size_wanted.connect(self.actual_size)
        self.zoom_changed.connect(self._zoom_bar.show_zoom)
        self._connect()
        self._on_picture_changed()

    # What the session says

    def _connect(self) -> None:
        model = self._model
        model.picture_changed.connect(self._on_picture_changed)
        model.grid_changed.connect(self._on_grid_changed)
        listed, active, target = model.regions_changed, model.active_region_changed, model.target_changed
        for signal in (listed, active, target, model.rule_changed):
            signal.connect(self._on_regions_changed)
        model.region_painted.connect(self._on_region_painted)
        model.tool_changed.connect(self._on_tool_changed)
        model.brush_changed.connect(self.update)
        model.view_changed.connect(self._on_view_changed)
        model.map_changed.connect(self._on_map_changed)
        theme.changed.connect(self.update)
        self._fade.valueChanged.connect(self._update_picture)

    def _on_picture_changed(self) -> None:
        """Take other pixels; a picture that only got another layout stays as it stands."""
        picture = self._model.picture
        pixels_HW3 = None if picture is None else picture.pixels_HW3
        if pixels_HW3 is not self._pixels_HW3:
            self._tool.cancel()
            self._pixels_HW3 = pixels_HW3
            self._picture.set_pixels(pixels_HW3)
            if picture is not None:
                self.view.show_picture(picture.size_px)
                self.zoom_changed.emit(self.view.zoom * self.devicePixelRatioF())
        self._zoom_bar.has_picture = picture is not None
        self._zoom_bar.stand_in(self.size())
        self._on_grid_changed()

    def _on_grid_changed(self) -> None:
        self._hover = None
        self._picture.set_fed(fed_box(self._model.grid))
        self._regions.grid_changed()
        self._fade.stop()
        self._maps[0].set_map(None, None, 1.0, 0.0, False)
        self._set_map()
        self.update()

    def _on_regions_changed(self) -> None:
        self._regions.changed()
        self.update()

    def _on_region_painted(self, region_id: int, box_px: DirtyBox) -> None:
        self.update(self._regions.painted(region_id, box_px, self.devicePixelRatioF()))

    def _on_tool_changed(self) -> None:
        self._tool.cancel()
        self._tool = MAKERS[self._model.tool](self.surface)
        self._show_cursor()
        self.update()

    def _on_view_changed(self) -> None:
        self._set_map()
        self._on_regions_changed()

    def _on_map_changed(self) -> None:
        """Fade from the map on the screen; while maps stream in, each just takes the last one's place."""
        if self._maps[1].empty != (self._model.map.values_P is None):
            self._regions.changed()  # tints step back where a map is shown
        before_s, self._map_came_s = self._map_came_s, monotonic()
        self._fade.stop()
        if self._map_came_s - before_s > 2 * FADE_MS / 1000:
            self._maps.reverse()
            self._fade.start()
        self._set_map()
        self._update_picture()

    def _set_map(self) -> None:
        model = self._model
        shown = model.map.values_P if model.show_map else None
        self._maps[1].set_map(model.grid, shown, model.map.high, model.overlay_opacity, model.show_cells)

    def _on_redraw_wanted(self) -> None:
        """Draw the tool's marks anew: where they were, and where they are."""
        self.update(self._marked)
        marks = QRectF() if (line := self._tool.outline()) is None else line.controlPointRect()
        if self._tool.shift_px is not None:
            marks = marks.united(self._regions.shifted_rect(self._tool.shift_px))
        self._marked = marks.adjusted(-8, -8, 8, 8).toAlignedRect() if not marks.isNull() else QRect()
        self.update(self._marked)

    def _on_view_moved(self) -> None:
        self._follow_pointer()
        self.zoom_changed.emit(self.view.zoom * self.devicePixelRatioF())
        self.update()

    def _update_picture(self, _: object = None) -> None:
        self.update(self.view.picture_rect().toAlignedRect())
        if self._hover is not None:
            self.update(self._status_rect())  # it says what the map gives the cell

    # Zoom

    def fit(self) -> None:
        """Show the whole picture."""
        self.view.fit()
        self._on_view_moved()

    def actual_size(self) -> None:
        """Show one picture pixel as one pixel of the screen."""
        self.view.actual_size(self.devicePixelRatioF())
        self._on_view_moved()

    def pan(self, right_px: float, down_px: float) -> None:
        """Move the picture by screen pixels."""
        self.view.pan(right_px, down_px)
        self._on_view_moved()

    def zoom_by(self, factor: float, anchor: QPointF | None = None) -> None:
        """Zoom around a point of the canvas, its middle by default."""
        self.view.zoom_to(self.view.zoom * factor, anchor)
        self._on_view_moved()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the cursor; with Shift move sideways."""
        notches = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.pan(48 * (notches or event.angleDelta().x() / 120), 0)
        elif notches:
            self.zoom_by(ZOOM_STEP**notches, event.position())
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted picture fitted."""
        self.view.resize(self.size().toSizeF())
        self._zoom_bar.stand_in(self.size())
        self.zoom_changed.emit(self.view.zoom * self.devicePixelRatioF())
        super().resizeEvent(event)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to pan, or hand the press to the tool."""
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (self._space_held and left):
            self._pan_from = event.position()
            self._space_panned = True
            self._show_cursor()
        elif left and self._model.picture is not None:
            self._tool.press(self.view.to_picture(event.position()), event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan, draw on, or only point."""
        if self._pan_from is not None:
            offset, self._pan_from = event.position() - self._pan_from, event.position()
            self._pointer = event.position()
            self.pan(offset.x(), offset.y())
            return
        self._point_at(event.position())
        if self._model.picture is not None:
            self._tool.move(self.view.to_picture(event.position()), event.modifiers())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End what the press began."""
        if self._pan_from is not None:
            self._pan_from = None
            self._show_cursor()
        elif event.button() == Qt.MouseButton.LeftButton and self._model.picture is not None:
            self._tool.release(self.view.to_picture(event.position()), event.modifiers())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close a polygon; any other tool takes it as one more press."""
        if self._tool.busy and event.button() == Qt.MouseButton.LeftButton:
            self._tool.finish()
        else:
            self.mousePressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show where the brush is."""
        self._point_at(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is pointed at."""
        self._point_at(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be asked of the place under the pointer."""
        if not self._tool.busy:
            point = self.view.to_picture(QPointF(event.pos()))
            menu = QMenu(self)
            if add_commands(menu, self.place_commands(point)):
                menu.exec(event.globalPos())
            menu.deleteLater()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus where it came by the keyboard."""
        self._keyed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show it no more, and let a held Space go."""
        self._keyed = self._space_held = False
        self.update()

    def event(self, event: QEvent) -> bool:
        """Take Space and Esc from the window's shortcuts where they belong to a gesture here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            ours = event.key() == Qt.Key.Key_Space and self._pointer is not None
            if ours or (event.key() == Qt.Key.Key_Escape and self._tool.busy):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc aborts a gesture, Enter ends one, Space held pans."""
        if event.key() == Qt.Key.Key_Escape and self._tool.busy:
            self._tool.cancel()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._tool.busy:
            self._tool.finish()
        elif event.key() == Qt.Key.Key_Space and self._pointer is not None:
            if not event.isAutoRepeat():
                self._space_held, self._space_panned = True, False
                self._show_cursor()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space that panned nothing meant run or stop."""
        if event.key() == Qt.Key.Key_Space and self._space_held and not event.isAutoRepeat():
            self._space_held = False
            self._show_cursor()
            if not self._space_panned:
                self._controller.run_or_stop()
        else:
            super().keyReleaseEvent(event)

    def _point_at(self, at: QPointF | None) -> None:
        """Move the brush's circle and the cell under it, and redraw no more than these."""
        self._update_pointer()
        self._pointer = at
        self._follow_pointer()
        self._update_pointer()

    def _follow_pointer(self) -> None:
        """Notice which cell is under the pointer."""
        hover = None if self._pointer is None else self.surface.cell_at(self.view.to_picture(self._pointer))
        if hover != self._hover:
            self._update_hover()
            self._hover = hover
            self._update_hover()
            self.update(self._status_rect())
        self._show_cursor()

    def _cell_on_screen(self, cell: int) -> QRectF:
        """A cell's rectangle on the screen, on the middles of its pixels so that lines are crisp."""
        assert self._model.grid is not None
        x0, y0, x1, y1 = self._model.grid.boxes_P4[cell].tolist()
        return QRectF(self.view.box_to_screen((x0, y0, x1, y1)).toRect()).translated(0.5, 0.5)

    def _update_hover(self) -> None:
        if self._hover is not None and not self._tool.circle_px():
            self.update(self._cell_on_screen(self._hover).adjusted(-3, -3, 3, 3).toAlignedRect())

    def _update_pointer(self) -> None:
        if self._pointer is not None:
            self.update(self._brush_rect(self._pointer).adjusted(-3, -3, 3, 3).toAlignedRect())

    def _brush_rect(self, at: QPointF) -> QRectF:
        radius = max(1.0, self._tool.circle_px() * self.view.zoom / 2)
        return QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)

    def _show_cursor(self) -> None:
        if self._pan_from is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space_held or self._pointer is None:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            point = self.view.to_picture(self._pointer)
            inside = self._model.picture is not None and self.view.contains(point)
            self.setCursor(self._tool.cursor_at(point) if inside else Qt.CursorShape.ArrowCursor)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the prepared layers and draw the lines above them, one dirty rectangle at a time."""
        painter = QPainter(self)
        if self._model.picture is None:
            painter.fillRect(self.rect(), theme.current().canvas)
            draw_empty(painter, self.rect())
            return
        text, place = hover_text(self._model, self._hover), self._status_rect()
        for clip in few_rects(event.region()):
            painter.setClipRect(clip)
            self._draw(painter, clip)
            if text and clip.intersects(place):
                draw_chip(painter, place, text)
            if self._keyed:
                draw_focus(painter, self.rect())

    def _draw(self, painter: QPainter, clip: QRect) -> None:
        ratio = self.devicePixelRatioF()
        painter.fillRect(clip, theme.current().canvas)
        copy_clip(painter, clip, self._picture.image(self.view, ratio, self.size()))
        self._draw_maps(painter, clip, ratio)
        self._regions.draw(painter, clip, ratio, self.size())
        self._draw_pointer(painter, clip)

    def _draw_maps(self, painter: QPainter, clip: QRect, ratio: float) -> None:
        fading = self._fade.state() == QVariantAnimation.State.Running
        shown = float(self._fade.currentValue() or 0.0) if fading else 1.0
        for layer, opacity in zip(self._maps, (1.0 - shown, shown), strict=True):
            if opacity > 0 and not layer.empty:
                painter.setOpacity(opacity)
                copy_clip(painter, clip, layer.image(self.view, ratio, self.size()))
        painter.setOpacity(1.0)

    def _draw_pointer(self, painter: QPainter, clip: QRect) -> None:
        """Draw a gesture's outline, the cell under the pointer and the brush, dark and light."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        outline, circle = self._tool.outline(), None
        if self._tool.circle_px() and self._pointer is not None and not self._space_held:
            circle = self._brush_rect(self._pointer)
        for pen in (QPen(QColor(0, 0, 0, 150), 3.0), QPen(QColor(255, 255, 255), 1.4)):
            painter.setPen(pen)
            if self._hover is not None and circle is None:
                painter.drawRect(self._cell_on_screen(self._hover))
            if outline is not None:
                painter.drawPath(outline)
            if circle is not None and circle.intersects(QRectF(clip)):
                painter.drawEllipse(circle)
        self._regions.draw_shift(painter, self._tool.shift_px)

    def _status_rect(self) -> QRect:
        return QRect(12, self.height() - 40, min(420, self.width() - 24), 28)
