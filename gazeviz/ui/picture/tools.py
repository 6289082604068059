"""What the mouse does on the canvas, tool by tool.

A tool hears presses, moves and releases in the picture's own pixels (x, y) and acts through its desk: the
strokes, targets and pointing that the canvas offers.  Knows no widget, and neither the session nor undo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QPainterPath

from gazeviz.app.editing import painting
from gazeviz.app.editing.painting import Cover, Patch, Point
from gazeviz.app.editing.undo import PaintCommand
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import DirtyBox, Notice
from gazeviz.app.session.values import Tool as ToolName
from gazeviz.ui.picture.layers import box_around
from gazeviz.ui.picture.view import PictureView

# What the canvas's tools may do to the session: strokes as undo steps, the active region, the target.
#
# Every refusal becomes the session's notice, a sentence with a next step, and changes nothing.  Points are
# (x, y) in picture pixels.  Knows no mouse and no painting.


class CanvasDesk(QObject):
    """Between the tools and the session."""

    redraw_wanted = Signal()
    view_moved = Signal()

    def __init__(
        self, model: SessionModel, controller: RunController, view: PictureView, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._model, self._controller, self._editor = model, controller, controller.editor
        self.view = view
        self.shift_px: tuple[int, int] | None = None
        """How far the active region has been dragged; None while it is not."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture; nothing without one."""
        return self._model.picture.size_px if self._model.picture is not None else (0, 0)

    @property
    def brush_px(self) -> float:
        """The brush's diameter in picture pixels."""
        return self._model.brush_px

    @property
    def spot_px(self) -> float:
        """The spotlight's diameter: the brush's, or as much as it takes to hold one cell's middle."""
        grid = self._model.grid
        cell_px = (0.0, 0.0) if grid is None else grid.cell_size_px
        return max(self.brush_px, math.hypot(*np.nan_to_num(cell_px)))

    # Strokes

    def begin_stroke(self, point: Point, erase: bool, brush: bool) -> bool:
        """Begin one step of undo on the active region, or on a new one; False where that is refused.

        brush: whether the first dab is painted at once.
        """
        return self._controller.attempt(
            lambda: self._editor.begin_stroke(point, erase=erase, brush=brush), "regions"
        )

    def brush_on(self, point: Point) -> None:
        """Draw the brush on to a point."""
        if self._editor.stroke_in_progress:  # undo may have ended it in the middle of the drag
            self._editor.extend_stroke(point)

    def stamp(self, cover: Cover) -> None:
        """Paint or erase a shape as part of the stroke."""
        if self._editor.stroke_in_progress:
            self._editor.extend_with(cover)

    def end_stroke(self, text: str) -> None:
        """Keep the stroke, as a step of undo called `text`."""
        if self._editor.stroke_in_progress:
            self._editor.commit_stroke(text)

    def abort_stroke(self) -> None:
        """Take the stroke back."""
        self._editor.abort_stroke()

    def paint(self, cover: Cover, text: str, erase: bool) -> None:
        """Paint a finished shape; one that covers no pixel is no mistake, a slip of the hand perhaps."""
        if not cover.empty:
            self._controller.attempt(lambda: self._editor.paint(cover, text, erase=erase), "regions")

    def run_or_stop(self) -> None:
        """What Space means elsewhere in the window."""
        if self._controller.busy:
            self._controller.stop()
        else:
            self._controller.run()

    # Dragging a whole region

    def begin_shift(self) -> bool:
        """Begin to drag the active region; False where it is locked."""
        region = self._model.active_region
        if region is None:
            return False
        if region.locked:
            self._tell(f"The region “{region.name}” is locked.", "Unlock it in the list of regions first.")
            return False
        self.shift_px = (0, 0)
        return True

    def shift(self, x_px: int, y_px: int) -> None:
        """Show it so far from where it is."""
        self.shift_px = (x_px, y_px)
        self.redraw()

    def end_shift(self) -> None:
        """Move its pixels; what leaves the picture is cut off."""
        region, (x_px, y_px) = self._model.active_region, self.shift_px or (0, 0)
        self.shift_px = None
        box = None if region is None else box_around(region.mask_HW)
        if region is not None and box is not None and (x_px, y_px) != (0, 0):
            flipped_HW = _moved(region.mask_HW, box, x_px, y_px)
            np.logical_xor(flipped_HW, region.mask_HW, out=flipped_HW)
            changed = box_around(flipped_HW)
            if changed is not None:
                patch = Patch.of(flipped_HW, changed)
                command = PaintCommand(self._model, region.id, patch, f"Move {region.name}", done=False)
                self._editor.undo_stack.push(command)
        self.redraw()

    def abort_shift(self) -> None:
        """Leave it where it was."""
        self.shift_px = None
        self.redraw()

    # Regions and cells under the pointer

    def covered(self, point: Point) -> bool:
        """Whether the active region is visible and holds the pixel at a point."""
        region = self._model.active_region
        return region is not None and region.visible and region.contains(*point)

    def activate(self, point: Point) -> None:
        """Make the region under a point the active one."""
        region = self._model.regions.at(*point)
        if region is not None:
            self._model.active_region_id = region.id

    def aim(self, point: Point) -> None:
        """Make the region under a point the target, of a run that is being written too."""
        region = self._model.regions.at(*point)
        if region is None:
            self._tell("There is no region here.", "Click a region, or paint one first.")
            return
        self._model.active_region_id = region.id
        self._controller.retarget(region.id)

    def cell_at(self, point: Point) -> int | None:
        """The first token cell under a point."""
        grid = self._model.grid
        if grid is None or not self.view.contains(point):
            return None
        found = np.atleast_1d(grid.token_at(*point))
        return int(found[0]) if found.size else None

    def cells_at(self, point: Point) -> Cover:
        """The pixels of the cells under a point."""
        return self._editor.cells_at(point)

    def cell_on_screen(self, cell: int) -> QRectF:
        """A cell's rectangle on the screen, on the middles of its pixels so that lines are crisp."""
        assert self._model.grid is not None
        x0, y0, x1, y1 = self._model.grid.boxes_P4[cell].tolist()
        return QRectF(self.view.box_to_screen((x0, y0, x1, y1)).toRect()).translated(0.5, 0.5)

    def spotlight(self, point: Point | None) -> None:
        """Make what is under the brush the target while it is held; None gives the target back."""
        if point is None:
            self._controller.end_spotlight()
        else:
            self._controller.spotlight(*point, self.spot_px)

    # The view

    def pan(self, x_px: float, y_px: float) -> None:
        """Move the picture by screen pixels."""
        self.view.pan(x_px, y_px)
        self.view_moved.emit()

    def redraw(self) -> None:
        """Draw the tool's own marks anew."""
        self.redraw_wanted.emit()

    def _tell(self, sentence: str, next_step: str) -> None:
        """Show a refusal where the window shows sentences."""
        self._model.notice = Notice("error", sentence, next_step, about="regions")


def _moved(mask_HW: painting.Mask, box: DirtyBox, x_px: int, y_px: int) -> painting.Mask:
    """A mask with its pixels, all inside a box, so much further; cut at the picture's edges."""
    moved_HW = np.zeros_like(mask_HW)
    height_px, width_px = mask_HW.shape
    x0, y0 = max(0, box[0] + x_px), max(0, box[1] + y_px)
    x1, y1 = min(width_px, box[2] + x_px), min(height_px, box[3] + y_px)
    if x0 < x1 and y0 < y1:
        moved_HW[y0:y1, x0:x1] = mask_HW[y0 - y_px : y1 - y_px, x0 - x_px : x1 - x_px]
    return moved_HW


_CLOSE_PX = 9.0  # screen pixels around a polygon's first corner in which a click closes it
_DRAG_PX = 4.0  # a hand that moves less than this meant a click
_LASSO_PX = 3.0  # screen pixels between a lasso's corners

_ALT = Qt.KeyboardModifier.AltModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier


class Tool:
    """A tool that does nothing; the others say what they do differently."""

    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def __init__(self, desk: CanvasDesk) -> None:
        self.desk = desk
        self.busy = False
        """Whether a gesture is under way, so that Esc has something to abort."""

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """The left button goes down."""

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """The mouse moves, pressed or not."""

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """The left button comes up."""

    def finish(self) -> None:
        """Enter, or the second press of a double click."""

    def cancel(self) -> None:
        """Esc, or another tool is taken."""

    def circle_px(self) -> float:
        """The diameter, in picture pixels, of the circle around the pointer; 0 for none."""
        return 0.0

    def outline(self) -> QPainterPath | None:
        """What the gesture would draw, in screen pixels."""
        return None

    def cursor_at(self, point: Point) -> Qt.CursorShape:
        """The mouse pointer over a point of the picture."""
        return self.cursor


class Strokes(Tool):
    """Tools that paint while the mouse moves."""

    def __init__(self, desk: CanvasDesk) -> None:
        super().__init__(desk)
        self._text = ""

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Keep the stroke."""
        if self.busy:
            self.move(point, keys)
            self.busy = False
            self.desk.end_stroke(self._text)

    def cancel(self) -> None:
        """Take the stroke back."""
        if self.busy:
            self.busy = False
            self.desk.abort_stroke()


class Brush(Strokes):
    """Paints, or erases, with a round brush; Alt turns one into the other."""

    cursor = Qt.CursorShape.BlankCursor

    def circle_px(self) -> float:
        """The brush."""
        return self.desk.brush_px

    def __init__(self, desk: CanvasDesk, erases: bool) -> None:
        super().__init__(desk)
        self._erases = erases

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set the first dab."""
        erase = self._erases != bool(keys & _ALT)
        self._text = "Erase" if erase else "Paint"
        self.busy = self.desk.begin_stroke(point, erase, brush=True)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Draw on."""
        if self.busy:
            self.desk.brush_on(point)


class CellBrush(Strokes):
    """Fills token cells, or clears them when the first one was covered already."""

    def __init__(self, desk: CanvasDesk) -> None:
        super().__init__(desk)
        self._cell: int | None = None

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Decide by the first cell."""
        if self.desk.cell_at(point) is not None:
            erase = self.desk.covered(point)
            self._text, self._cell = "Clear cells" if erase else "Fill cells", None
            self.busy = self.desk.begin_stroke(point, erase, brush=False)
            self.move(point, keys)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Go on with the cell under the pointer."""
        cell = self.desk.cell_at(point) if self.busy else None
        if cell is not None and cell != self._cell:
            self._cell = cell
            self.desk.stamp(self.desk.cells_at(point))


class Drawing(Tool):
    """Tools that show an outline first and paint it at the end; Alt cuts it out instead."""

    def _paint(self, cover: Cover, erase: bool, name: str) -> None:
        self.desk.paint(cover, f"Cut out {name.lower()}" if erase else name, erase)


class Shape(Drawing):
    """Draws a rectangle or an ellipse between two corners; Shift makes it even."""

    def __init__(self, desk: CanvasDesk, kind: Literal["rectangle", "ellipse"]) -> None:
        super().__init__(desk)
        self._kind = kind
        self._start: Point = (0.0, 0.0)
        self._end: Point = (0.0, 0.0)

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set the first corner."""
        self.busy, self._start, self._end = True, point, point

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Drag the other corner."""
        if self.busy:
            self._end = _even(self._start, point) if keys & _SHIFT else point
            self.desk.redraw()

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Paint it."""
        if not self.busy:
            return
        self.move(point, keys)
        self.busy = False
        shape = painting.ellipse if self._kind == "ellipse" else painting.rectangle
        if self._start != self._end:
            cover = shape(self._start, self._end, self.desk.size_px)
            self._paint(cover, bool(keys & _ALT), self._kind.title())
        self.desk.redraw()

    def cancel(self) -> None:
        """Forget it."""
        self.busy = False
        self.desk.redraw()

    def outline(self) -> QPainterPath | None:
        """The rectangle or ellipse so far."""
        if not self.busy:
            return None
        path = QPainterPath()
        box = self.desk.view.box_to_screen((*self._start, *self._end)).normalized()
        path.addEllipse(box) if self._kind == "ellipse" else path.addRect(box)
        return path


class Polygon(Drawing):
    """Draws a polygon: clicks set corners, a drag draws freely.

    It is closed by a double click, Enter, a click on the first corner, or the end of a drag.
    """

    def __init__(self, desk: CanvasDesk) -> None:
        super().__init__(desk)
        self._corners: list[Point] = []
        self._pointer: Point = (0.0, 0.0)
        self._held = self._dragged = self._erases = False

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set a corner, or close on the first one."""
        if len(self._corners) > 2 and self._far_px(point, self._corners[0]) < _CLOSE_PX:
            self.finish()
            return
        if not self._corners:
            self._erases = bool(keys & _ALT)
        self._corners.append(point)
        self.busy, self._held, self._dragged, self._pointer = True, True, False, point
        self.desk.redraw()

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Show the next edge, or draw freely while the button is down."""
        if self.busy:
            self._pointer = point
            if self._held and self._far_px(point, self._corners[-1]) >= _LASSO_PX:
                self._corners.append(point)
                self._dragged = True
            self.desk.redraw()

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Close what was drawn freely."""
        self._held = False
        if self.busy and self._dragged:
            self.finish()

    def finish(self) -> None:
        """Close and paint it."""
        corners = self._corners
        self.cancel()
        if len(corners) > 2:
            self._paint(painting.polygon(corners, self.desk.size_px), self._erases, "Polygon")

    def cancel(self) -> None:
        """Forget the corners."""
        self._corners = []
        self.busy = self._held = self._dragged = False
        self.desk.redraw()

    def outline(self) -> QPainterPath | None:
        """The corners so far, the edge to the pointer, and where a click closes it."""
        if not self._corners:
            return None
        view = self.desk.view
        path = QPainterPath(view.to_screen(self._corners[0]))
        for point in (*self._corners[1:], self._pointer):
            path.lineTo(view.to_screen(point))
        if len(self._corners) > 2 and not self._dragged:
            path.addEllipse(view.to_screen(self._corners[0]), _CLOSE_PX / 2, _CLOSE_PX / 2)
        return path

    def _far_px(self, one: Point, other: Point) -> float:
        return _distance_px(self.desk.view, one, other)


class Panel(Tool):
    """Makes the region under the pointer the target."""

    cursor = Qt.CursorShape.PointingHandCursor

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """TargetTracker."""
        self.desk.aim(point)


class SpotlightTool(Tool):
    """While held, what is under the brush is the target."""

    def circle_px(self) -> float:
        """The spot."""
        return self.desk.spot_px

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """TargetTracker here."""
        self.busy = True
        self.desk.spotlight(point)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """TargetTracker there."""
        if self.busy:
            self.desk.spotlight(point)

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Give the aim back."""
        self.cancel()

    def cancel(self) -> None:
        """Give the aim back."""
        if self.busy:
            self.busy = False
            self.desk.spotlight(None)


class Move(Tool):
    """Selects the region under a click, drags the active one by whole pixels, and the picture elsewhere."""

    cursor = Qt.CursorShape.OpenHandCursor

    def __init__(self, desk: CanvasDesk) -> None:
        super().__init__(desk)
        self._start: Point | None = None
        self._last = (0.0, 0.0)  # on the screen, where panning does not move it
        self._dragging = self._on_active = False

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """A click or the beginning of a drag."""
        self._start, self._dragging, self._on_active = point, False, self.desk.covered(point)
        self._last = self._on_screen(point)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Drag."""
        if self._start is None:
            return
        if not self._dragging:
            if _distance_px(self.desk.view, self._start, point) < _DRAG_PX:
                return
            self._dragging = True
            self.busy = self._on_active and self.desk.begin_shift()
        if self.busy:
            self.desk.shift(round(point[0] - self._start[0]), round(point[1] - self._start[1]))
        elif not self._on_active:
            at = self._on_screen(point)
            self.desk.pan(at[0] - self._last[0], at[1] - self._last[1])
            self._last = at

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Keep the move, or select what was clicked."""
        if self.busy:
            self.busy = False
            self.desk.end_shift()
        elif self._start is not None and not self._dragging:
            self.desk.activate(self._start)
        self._start = None

    def cancel(self) -> None:
        """Put the region back."""
        self._start = None
        if self.busy:
            self.busy = False
            self.desk.abort_shift()

    def cursor_at(self, point: Point) -> Qt.CursorShape:
        """Four arrows where a drag would move the region."""
        return Qt.CursorShape.SizeAllCursor if self.desk.covered(point) else self.cursor

    def _on_screen(self, point: Point) -> Point:
        at = self.desk.view.to_screen(point)
        return at.x(), at.y()


MAKERS: Final[dict[ToolName, Callable[[CanvasDesk], Tool]]] = {
    "move": Move,
    "brush": lambda desk: Brush(desk, erases=False),
    "erase": lambda desk: Brush(desk, erases=True),
    "rectangle": lambda desk: Shape(desk, "rectangle"),
    "ellipse": lambda desk: Shape(desk, "ellipse"),
    "polygon": Polygon,
    "cell": CellBrush,
    "panel": Panel,
    "spotlight": SpotlightTool,
}
"""How each tool of the session is made, by its name."""


def _even(start: Point, point: Point) -> Point:
    """The point that makes the box between both a square."""
    side = max(abs(point[0] - start[0]), abs(point[1] - start[1]))
    x = start[0] + (side if point[0] >= start[0] else -side)
    y = start[1] + (side if point[1] >= start[1] else -side)
    return x, y


def _distance_px(view: PictureView, one: Point, other: Point) -> float:
    """How far two points are from each other on the screen."""
    offset = view.to_screen(one) - view.to_screen(other)
    return float((offset.x() ** 2 + offset.y() ** 2) ** 0.5)
