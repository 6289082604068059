"""What the mouse does on the canvas, tool by tool.

A tool hears presses, moves and releases in the picture's own pixels (x, y) and acts through its desk: the
strokes, targets and pointing that the canvas offers.  Knows no widget, and neither the session nor undo.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainterPath

from gazeviz.app import painting
from gazeviz.app.painting import Cover, Point
from gazeviz.app.session_parts import Tool as ToolName
from gazeviz.ui.canvas_desk import CanvasDesk
from gazeviz.ui.canvas_view import PictureView

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


class Cells(Strokes):
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
        """Aim."""
        self.desk.aim(point)


class Spotlight(Tool):
    """While held, what is under the brush is the target."""

    def circle_px(self) -> float:
        """The spot."""
        return self.desk.spot_px

    def press(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Aim here."""
        self.busy = True
        self.desk.spotlight(point)

    def move(self, point: Point, keys: Qt.KeyboardModifier) -> None:
        """Aim there."""
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
    "cell": Cells,
    "panel": Panel,
    "spotlight": Spotlight,
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
