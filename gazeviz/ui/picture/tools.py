"""What the mouse does on the canvas, tool by tool.

A tool hears presses, moves and releases in the picture's own pixels (x, y), and calls the editor and the
controller.  Refusals become the session's notice, a sentence with a next step.  Knows no painting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainterPath

from gazeviz.app.editing import painting
from gazeviz.app.editing.painting import Cover, Point
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Tool as ToolName
from gazeviz.errors import UserError
from gazeviz.ui.picture.view import PictureView


@dataclass(frozen=True)
class Surface:
    """What tools work on.

    redraw: draws the tool's own marks anew.  pan: moves the picture by screen pixels.
    """

    model: SessionModel
    controller: RunController
    view: PictureView
    redraw: Callable[[], None]
    pan: Callable[[float, float], None]

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture; nothing without one."""
        return self.model.picture.size_px if self.model.picture is not None else (0, 0)

    @property
    def spot_px(self) -> float:
        """The spotlight's diameter: the brush's, or as much as it takes to hold one cell's middle."""
        grid = self.model.grid
        cell_px = (0.0, 0.0) if grid is None else grid.cell_size_px
        return max(self.model.brush_px, math.hypot(*np.nan_to_num(cell_px)))

    def cell_at(self, point: Point) -> int | None:
        """The first token cell under a point."""
        grid = self.model.grid
        if grid is None or not self.view.contains(point):
            return None
        found = np.atleast_1d(grid.token_at(*point))
        return int(found[0]) if found.size else None

    def covered(self, point: Point) -> bool:
        """Whether the active region is visible and holds the pixel at a point."""
        region = self.model.active_region
        return region is not None and region.visible and region.contains(*point)


_CLOSE_PX = 9.0  # screen pixels around a polygon's first corner in which a click closes it
_DRAG_PX = 4.0  # a hand that moves less than this meant a click
_LASSO_PX = 3.0  # screen pixels between a lasso's corners

_ALT = Qt.KeyboardModifier.AltModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier


class Tool:
    """A tool that does nothing; the others say what they do differently."""

    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    shift_px: tuple[int, int] | None = None
    """How far the active region has been dragged; None while it is not."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self._model, self._controller = surface.model, surface.controller
        self._editor = surface.controller.editor
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

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._text = ""

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Keep the stroke."""
        if self.busy:
            self.move(point, keys)
            self.busy = False
            if self._editor.stroke_in_progress:  # undo may have ended it in the middle of the drag
                self._editor.commit_stroke(self._text)

    def cancel(self) -> None:
        """Take the stroke back."""
        if self.busy:
            self.busy = False
            self._editor.abort_stroke()

    def _begin(self, point: Point, erase: bool, brush: bool) -> bool:
        """Begin one step of undo; False where that is refused. brush: whether the first dab is painted."""
        return notices.attempt(
            self._controller.model,
            lambda: self._editor.begin_stroke(point, erase=erase, brush=brush),
            "regions",
        )


class Brush(Strokes):
    """Paints, or erases, with a round brush; Alt turns one into the other."""

    cursor = Qt.CursorShape.BlankCursor

    def circle_px(self) -> float:
        """The brush."""
        return self._model.brush_px

    def __init__(self, surface: Surface, erases: bool) -> None:
        super().__init__(surface)
        self._erases = erases

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set the first dab."""
        erase = self._erases != bool(keys & _ALT)
        self._text = "Erase" if erase else "Paint"
        self.busy = self._begin(point, erase, brush=True)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Draw on."""
        if self.busy and self._editor.stroke_in_progress:
            self._editor.extend_stroke(point)


class CellBrush(Strokes):
    """Fills token cells, or clears them when the first one was covered already."""

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._cell: int | None = None

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Decide by the first cell."""
        if self.surface.cell_at(point) is not None:
            erase = self.surface.covered(point)
            self._text, self._cell = "Clear cells" if erase else "Fill cells", None
            self.busy = self._begin(point, erase, brush=False)
            self.move(point, keys)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Go on with the cell under the pointer."""
        cell = self.surface.cell_at(point) if self.busy else None
        if cell is not None and cell != self._cell:
            self._cell = cell
            if self._editor.stroke_in_progress:
                self._editor.extend_with(self._editor.cells_at(point))


class Drawing(Tool):
    """Tools that show an outline first and paint it at the end.

    Each shape is a region of its own; begun with Shift it is added to the active region, with Alt cut out.
    """

    _keys = Qt.KeyboardModifier.NoModifier

    def _paint(self, cover: Cover, name: str) -> None:
        """Paint a finished shape; one that covers no pixel is no mistake, a slip of the hand perhaps."""
        if cover.empty:
            return
        erase, add = bool(self._keys & _ALT), bool(self._keys & _SHIFT)
        text = f"Cut out {name.lower()}" if erase else name
        paint, own = self._editor.paint, not (erase or add)
        notices.attempt(
            self._controller.model, lambda: paint(cover, text, erase=erase, own_region=own), "regions"
        )


class Shape(Drawing):
    """Draws a rectangle or an ellipse between two corners; Shift pressed while dragging makes it even."""

    def __init__(self, surface: Surface, kind: Literal["rectangle", "ellipse"]) -> None:
        super().__init__(surface)
        self._kind = kind
        self._start: Point = (0.0, 0.0)
        self._end: Point = (0.0, 0.0)
        self._shift_free = True  # Shift that began the shape has been let go since

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set the first corner."""
        self.busy, self._start, self._end = True, point, point
        self._keys, self._shift_free = keys, not keys & _SHIFT

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Drag the other corner."""
        if self.busy:
            self._shift_free = self._shift_free or not keys & _SHIFT
            self._end = _even(self._start, point) if keys & _SHIFT and self._shift_free else point
            self.surface.redraw()

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Paint it."""
        if not self.busy:
            return
        self.move(point, keys)
        self.busy = False
        shape = painting.ellipse if self._kind == "ellipse" else painting.rectangle
        if self._start != self._end:
            cover = shape(self._start, self._end, self.surface.size_px)
            self._paint(cover, self._kind.title())
        self.surface.redraw()

    def cancel(self) -> None:
        """Forget it."""
        self.busy = False
        self.surface.redraw()

    def outline(self) -> QPainterPath | None:
        """The rectangle or ellipse so far."""
        if not self.busy:
            return None
        path = QPainterPath()
        box = self.surface.view.box_to_screen((*self._start, *self._end)).normalized()
        path.addEllipse(box) if self._kind == "ellipse" else path.addRect(box)
        return path


class Polygon(Drawing):
    """Draws a polygon: clicks set corners, a drag draws freely.

    It is closed by a double click, Enter, a click on the first corner, or the end of a drag.
    """

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._corners: list[Point] = []
        self._pointer: Point = (0.0, 0.0)
        self._held = self._dragged = False

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Set a corner, or close on the first one."""
        if len(self._corners) > 2 and self._far_px(point, self._corners[0]) < _CLOSE_PX:
            self.finish()
            return
        if not self._corners:
            self._keys = keys
        self._corners.append(point)
        self.busy, self._held, self._dragged, self._pointer = True, True, False, point
        self.surface.redraw()

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Show the next edge, or draw freely while the button is down."""
        if self.busy:
            self._pointer = point
            if self._held and self._far_px(point, self._corners[-1]) >= _LASSO_PX:
                self._corners.append(point)
                self._dragged = True
            self.surface.redraw()

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
            self._paint(painting.polygon(corners, self.surface.size_px), "Polygon")

    def cancel(self) -> None:
        """Forget the corners."""
        self._corners = []
        self.busy = self._held = self._dragged = False
        self.surface.redraw()

    def outline(self) -> QPainterPath | None:
        """The corners so far, the edge to the pointer, and where a click closes it."""
        if not self._corners:
            return None
        view = self.surface.view
        path = QPainterPath(view.to_screen(self._corners[0]))
        for point in (*self._corners[1:], self._pointer):
            path.lineTo(view.to_screen(point))
        if len(self._corners) > 2 and not self._dragged:
            path.addEllipse(view.to_screen(self._corners[0]), _CLOSE_PX / 2, _CLOSE_PX / 2)
        return path

    def _far_px(self, one: Point, other: Point) -> float:
        return _distance_px(self.surface.view, one, other)


class Panel(Tool):
    """Makes the region under the pointer the target."""

    cursor = Qt.CursorShape.PointingHandCursor

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Point the chosen heads at it, in a run that is being written too."""
        notices.attempt(self._controller.model, lambda: self._retarget(point), "regions")

    def _retarget(self, point: Point) -> None:
        region = self._model.regions.at(*point)
        if region is None:
            raise UserError("There is no region here.", next_step="Click a region, or paint one first.")
        self._model.active_region_id = region.id
        self._controller.retarget(region.id)


class SpotlightTool(Tool):
    """While held, what is under the brush is the target."""

    def circle_px(self) -> float:
        """The spot."""
        return self.surface.spot_px

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Steer to what is here."""
        self.busy = True
        self._controller.spotlight(*point, self.surface.spot_px)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Steer to what is there."""
        if self.busy:
            self._controller.spotlight(*point, self.surface.spot_px)

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Give the target back."""
        self.cancel()

    def cancel(self) -> None:
        """Give the target back."""
        if self.busy:
            self.busy = False
            self._controller.end_spotlight()


class Move(Tool):
    """Selects the region under a click, drags the active one by whole pixels, and the picture elsewhere."""

    cursor = Qt.CursorShape.OpenHandCursor

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._start: Point | None = None
        self._last = (0.0, 0.0)  # on the screen, where panning does not move it
        self._dragging = self._on_active = False

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """A click or the beginning of a drag."""
        self._start, self._dragging, self._on_active = point, False, self.surface.covered(point)
        self._last = self._on_screen(point)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Drag."""
        if self._start is None:
            return
        if not self._dragging:
            if _distance_px(self.surface.view, self._start, point) < _DRAG_PX:
                return
            self._dragging = True
            self.busy = self._on_active and self._may_move()
        if self.busy:
            self.shift_px = round(point[0] - self._start[0]), round(point[1] - self._start[1])
            self.surface.redraw()
        elif not self._on_active:
            at = self._on_screen(point)
            self.surface.pan(at[0] - self._last[0], at[1] - self._last[1])
            self._last = at

    def release(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Keep the move, or select what was clicked."""
        if self.busy:
            self.busy = False
            region, shift_px, self.shift_px = self._model.active_region, self.shift_px, None
            if region is not None and shift_px is not None:
                self._editor.move_region_pixels(region.id, *shift_px)
            self.surface.redraw()
        elif self._start is not None and not self._dragging:
            region = self._model.regions.at(*self._start)
            if region is not None:
                self._model.active_region_id = region.id
        self._start = None

    def cancel(self) -> None:
        """Put the region back."""
        self._start = None
        if self.busy:
            self.busy, self.shift_px = False, None
            self.surface.redraw()

    def cursor_at(self, point: Point) -> Qt.CursorShape:
        """Four arrows where a drag would move the region."""
        return Qt.CursorShape.SizeAllCursor if self.surface.covered(point) else self.cursor

    def _may_move(self) -> bool:
        """Whether the active region may be dragged; a locked one says so."""
        region = self._model.active_region
        if region is None:
            return False
        return notices.attempt(self._controller.model, lambda: self._editor.unlocked(region.id), "regions")

    def _on_screen(self, point: Point) -> Point:
        at = self.surface.view.to_screen(point)
        return at.x(), at.y()


MAKERS: Final[dict[ToolName, Callable[[Surface], Tool]]] = {
    "move": Move,
    "brush": lambda surface: Brush(surface, erases=False),
    "erase": lambda surface: Brush(surface, erases=True),
    "rectangle": lambda surface: Shape(surface, "rectangle"),
    "ellipse": lambda surface: Shape(surface, "ellipse"),
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
