"""What the canvas's tools may do to the session: strokes as undo steps, the active region, the target.

Every refusal becomes the session's notice, a sentence with a next step, and changes nothing.  Points are
(x, y) in picture pixels.  Knows no mouse and no painting.
"""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QObject, QRectF, Signal

from gazeviz.app import painting
from gazeviz.app.painting import Cover, Patch, Point
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import DirtyBox, Notice
from gazeviz.app.undo import PaintCommand
from gazeviz.ui.canvas_items import box_around
from gazeviz.ui.canvas_view import PictureView


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
