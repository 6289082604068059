"""Gestures on regions, heads and the schedule of targets, turned into undo steps.

A drag is `begin_stroke`, `extend_stroke` as the mouse moves, then `commit_stroke` or `abort_stroke`; a shape
is one call when it is finished. What cannot be done raises a UserError with a next step and leaves all as it
was. Knows no mouse and no widget: points are (x, y) in picture pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PySide6.QtGui import QUndoStack

from gazeviz.app.editing import painting
from gazeviz.app.editing.painting import Cover, Patch, Point, Stroke
from gazeviz.app.editing.regions import EditableRegion, RegionLook, unique_name
from gazeviz.app.editing.schedule import Turns
from gazeviz.app.editing.undo import (
    ChooseHeadsCommand,
    LayoutCommand,
    LookCommand,
    PaintCommand,
    RegionsCommand,
    ScheduleCommand,
)
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.strip import Layout, panel_boxes_px
from gazeviz.errors import UserError
from gazeviz.store import SessionStore

# Choosing heads: the best or the lowest of the shown ranking, random draws, whole layers, saved sets.
#
# Every choice is an undo step. UserErrors say what is missing. Knows no grid of cells, only heads.


class HeadChooser:
    """Chooses heads of the loaded model; `gesture` numbers join choices into one undo step."""

    def __init__(self, model: SessionModel, log: SessionStore, editor: RegionEditor) -> None:
        self._model, self._log, self._editor = model, log, editor
        self._controlled = HeadSet(())

    def top(self, n: int, gesture: int | None = None) -> None:
        """Choose the best of the shown ranking."""
        self._choose(self._ranking().top(n), gesture)

    def bottom(self, n: int, gesture: int | None = None) -> None:
        """Choose the lowest of the shown ranking."""
        self._choose(self._ranking().bottom(n), gesture)

    def random(self, n: int, seed: int, *, layer_matched: bool = False, gesture: int | None = None) -> None:
        """Draw heads at random, as a control of those chosen before: none of these is drawn.

        A draw after a draw controls the same heads. layer_matched: as many in each layer as they have.
        UserError where too few others are left.
        """
        chosen = self._model.chosen
        if chosen.origin.kind not in ("random", "layer_matched"):
            self._controlled = chosen
        others = self._controlled
        if layer_matched:
            self._choose(self._pool().random(len(others), seed, like=others), gesture)
        else:
            self._choose(self._pool().random(n, seed, exclude=others), gesture)

    def all(self) -> None:
        """Choose every head."""
        self._choose(HeadSet(self._present(), HeadSet.all(self._info().shape_LH).origin))

    def clear(self) -> None:
        """Choose none."""
        self._choose(HeadSet(()))

    def invert(self) -> None:
        """Choose those that are not chosen."""
        chosen = self._model.chosen
        self.choose(head for head in self._present() if head not in chosen)

    def choose(self, heads: Iterable[Head], *, add: bool = False, gesture: int | None = None) -> None:
        """Choose heads by hand, in the place of those that are chosen or in addition to them."""
        before = self._model.chosen.heads if add else ()
        present = set(self._present())
        self._choose(HeadSet((*before, *(head for head in heads if head in present))), gesture)

    def toggle(self, heads: Iterable[Head], gesture: int | None = None) -> None:
        """Choose those of some heads that are not chosen, and let the others go."""
        present = set(self._present())
        flipped = {head for head in heads if head in present} ^ set(self._model.chosen)
        self._choose(HeadSet(tuple(flipped)), gesture)

    def layer(self, layer: int, *, add: bool = False) -> None:
        """Choose a layer's heads."""
        self.choose((head for head in self._present() if head.layer == layer), add=add)

    def column(self, index: int, *, add: bool = False) -> None:
        """Choose the heads of one index in all layers."""
        self.choose((head for head in self._present() if head.index == index), add=add)

    def save(self, name: str) -> None:
        """Keep the chosen heads under a name; UserErrors for no name and no heads."""
        name, chosen = name.strip(), self._model.chosen
        if not name:
            raise UserError("A head set needs a name.", next_step="Write at least one letter.")
        if not len(chosen):
            raise UserError("No head is chosen.", next_step="Choose heads in the grid first.")
        fingerprint = self._info().fingerprint
        self._model.put_saved_set(name, chosen)
        with notices.shown(self._model, "log"):
            self._log.head_set_saved(name, chosen, fingerprint)

    def forget(self, name: str) -> None:
        """Forget a saved set."""
        if name in self._model.saved_sets:
            self._model.put_saved_set(name, None)
            with notices.shown(self._model, "log"):
                self._log.head_set_saved(name, None, self._info().fingerprint)

    def recall(self, name: str) -> None:
        """Choose a saved set; UserError where the loaded model lacks one of its heads."""
        self._choose(self._model.saved_sets[name])

    def import_ranking(self, path: Path) -> str:
        """Read a ranking in the published format, show it, and return its name; UserErrors of the file."""
        info = self._info()
        ranking = HeadRanking.load(path, info.shape_LH)
        model = self._model
        model.put_rankings({ranking.name: ranking})
        model.ranking_name = ranking.name
        with notices.shown(self._model, "log"):
            self._log.ranking_saved(ranking, info.fingerprint)
        return ranking.name

    def export_ranking(self, path: Path) -> None:
        """Write the shown ranking in the published format; UserErrors of the file."""
        self._ranking().save(path)

    def _choose(self, heads: HeadSet, gesture: int | None = None) -> None:
        self._editor.choose_heads(heads, gesture)

    def _info(self) -> ModelInfo:
        info = self._model.model_info
        if info is None:
            raise UserError("No model is loaded.", next_step="Load a model first.")
        return info

    def _present(self) -> tuple[Head, ...]:
        """All heads that the model has."""
        places = np.argwhere(self._info().heads_present_LH).tolist()
        return tuple(Head(layer, index) for layer, index in places)

    def _pool(self) -> HeadRanking:
        """What random heads are drawn from: the shown ranking, or all heads without scores."""
        ranking = self._model.ranking
        if ranking is not None:
            return ranking
        return HeadRanking("all heads", np.where(self._info().heads_present_LH, 0.0, np.nan))

    def _ranking(self) -> HeadRanking:
        ranking = self._model.ranking
        if ranking is None:
            raise UserError(
                "No head ranking is shown.", next_step="Measure one on strips, or import a ranking file."
            )
        return ranking


MAX_UNDO_STEPS = 500


@dataclass
class _StrokeDrag:
    """A stroke in progress. born: whether its region was made for it and is not in the undo stack yet."""

    region: EditableRegion
    stroke: Stroke
    text: str
    last_px: Point
    born: bool
    active_before: int | None


class RegionEditor:
    """Changes regions and chosen heads, each change an undo step."""

    def __init__(self, model: SessionModel, stack: QUndoStack | None = None) -> None:
        self._model = model
        self.undo_stack = stack if stack is not None else QUndoStack(model)
        self.undo_stack.setUndoLimit(MAX_UNDO_STEPS)
        self._drag: _StrokeDrag | None = None

    # Painting

    @property
    def stroke_in_progress(self) -> bool:
        """Whether a drag was begun and neither committed nor aborted."""
        return self._drag is not None

    def begin_stroke(
        self, point_px: Point, *, erase: bool = False, brush: bool = True, own_region: bool = False
    ) -> None:
        """Begin a drag on the active region, or on a new one where none is active.

        brush: whether a dab of the brush is painted at once; False for tools that `extend_with`.
        own_region: the drag makes a region of its own, unless the active one is empty.
        UserError without a picture, on a locked region, and where there is nothing to erase.
        """
        if self._drag is not None:
            raise RuntimeError("a stroke is in progress")
        active_before = self._model.active_region_id
        region, born = self._region_to_paint(erase, own_region)
        text = "Erase" if erase else "Paint"
        stroke = Stroke(region.mask_HW, erase=erase)
        self._drag = _StrokeDrag(region, stroke, text, point_px, born, active_before)
        if brush:
            self.extend_stroke(point_px)

    def extend_stroke(self, point_px: Point) -> None:
        """Draw the brush on from where it was."""
        drag = self._dragging()
        size_px = drag.region.size_px
        self.extend_with(painting.capsule(drag.last_px, point_px, self._model.brush_px, size_px))
        drag.last_px = point_px

    def extend_with(self, cover: Cover) -> None:
        """Paint any shape as part of the drag: the cells that it passes over, say."""
        drag = self._dragging()
        changed = drag.stroke.extend(cover)
        if changed is not None:
            self._model.note_painted(drag.region.id, changed)

    def commit_stroke(self, text: str | None = None) -> None:
        """End the drag: it becomes one undo step, or none where it changed nothing."""
        drag, self._drag = self._dragging(), None
        patch = drag.stroke.commit()
        if patch is None:
            self._take_back_birth(drag)
            return
        paint = PaintCommand(self._model, drag.region.id, patch, text or drag.text, done=True)
        if not drag.born:
            self.undo_stack.push(paint)
            return
        # The region came to be with its first stroke, and goes with it.
        self._take_back_birth(drag)
        after = [*self._model.regions, drag.region]
        self.undo_stack.push(RegionsCommand(self._model, after, text or drag.text, activate=drag.region.id))

    def abort_stroke(self) -> None:
        """Take the drag back; without effect where there is none."""
        if self._drag is None:
            return
        drag, self._drag = self._drag, None
        box = drag.stroke.abort()
        if box is not None:
            self._model.note_painted(drag.region.id, box)
        self._take_back_birth(drag)

    def undo(self) -> None:
        """Take the last step back; in the middle of a drag, only the drag."""
        if self.stroke_in_progress:
            self.abort_stroke()
        else:
            self.undo_stack.undo()

    def redo(self) -> None:
        """Do the last undone step again; without effect in the middle of a drag."""
        if not self.stroke_in_progress:
            self.undo_stack.redo()

    def paint(self, cover: Cover, text: str, *, erase: bool = False, own_region: bool = False) -> None:
        """Paint a finished shape on the active region, or on a new one; UserErrors of `begin_stroke`."""
        if cover.empty:
            raise UserError(
                "This shape covers no pixels of the picture.", next_step="Draw it larger, inside the picture."
            )
        self.begin_stroke((0, 0), erase=erase, brush=False, own_region=own_region)
        self.extend_with(cover)
        self.commit_stroke(text)

    def paint_rectangle(self, corner_px: Point, opposite_px: Point, *, erase: bool = False) -> None:
        cover = painting.rectangle(corner_px, opposite_px, self._picture_size_px())
        self.paint(cover, "Rectangle", erase=erase)

    def paint_ellipse(self, corner_px: Point, opposite_px: Point, *, erase: bool = False) -> None:
        """Paint the ellipse between two corners."""
        self.paint(painting.ellipse(corner_px, opposite_px, self._picture_size_px()), "Ellipse", erase=erase)

    def paint_polygon(self, points_px: Sequence[Point], *, erase: bool = False) -> None:
        """Paint a polygon or a lasso."""
        self.paint(painting.polygon(points_px, self._picture_size_px()), "Polygon", erase=erase)

    def paint_panel(self, point_px: Point, *, erase: bool = False) -> None:
        """Paint the panel of the layout under a point; UserError without one."""
        box = self.panel_at(point_px)
        if box is None:
            raise UserError(
                "There is no panel here.", next_step="Choose a panel layout, or paint with another tool."
            )
        x0, y0, x1, y1 = box
        self.paint(painting.rectangle((x0, y0), (x1, y1), self._picture_size_px()), "Panel", erase=erase)

    def cells_at(self, point_px: Point) -> Cover:
        """The token cells under a point, as a shape to paint; nothing where there is none."""
        grid = self._model.grid
        if grid is None:
            return painting.NOTHING
        return painting.boxes(grid.boxes_of(grid.token_at(*point_px)), grid.picture_size_px)

    def panel_at(self, point_px: Point) -> DirtyBox | None:
        """The layout's panel under a point, as a box in picture pixels."""
        picture = self._model.picture
        if picture is None or picture.layout is None:
            return None
        x, y = point_px
        boxes = panel_boxes_px(picture.layout, *picture.size_px)
        return next((box for box in boxes if box[0] <= x < box[2] and box[1] <= y < box[3]), None)

    # The list of regions

    def add_region(self, name: str = "Region") -> int:
        """Add an empty region and make it the active one; returns its id."""
        mask_HW = np.zeros(self._picture_size_px()[::-1], dtype=np.bool_)
        region = self._model.regions.make(self._model.regions.next_look(name), mask_HW)
        self._push_list([*self._model.regions, region], f"Add {region.name}", activate=region.id)
        return region.id

    def add_regions(self, regions: Iterable[Region], text: str = "Import regions") -> tuple[int, ...]:
        """Add finished regions in one step; UserError where they belong to a picture of another size."""
        added: list[EditableRegion] = []
        taken = list(self._model.regions)
        for region in regions:
            self._check_size(region)
            name = unique_name(region.name, [other.name for other in (*taken, *added)])
            look = RegionLook(name, region.colour or region_colour(len(taken) + len(added)))
            added.append(self._model.regions.make(look, region.mask_HW.copy()))
        if added:
            self._push_list([*taken, *added], text, activate=added[-1].id)
        return tuple(region.id for region in added)

    def remove_region(self, region_id: int) -> None:
        """Take a region out of the list; UserError while it is locked."""
        region = self.unlocked(region_id)
        rest = [other for other in self._model.regions if other.id != region_id]
        self._push_list(rest, f"Remove {region.name}")

    def clear_region(self, region_id: int) -> None:
        """Empty a region's mask; UserError while it is locked."""
        region = self.unlocked(region_id)
        stroke = Stroke(region.mask_HW, erase=True)
        width_px, height_px = region.size_px
        everything = Cover((0, 0, width_px, height_px), np.ones((height_px, width_px), dtype=np.bool_))
        changed = stroke.extend(everything)
        patch = stroke.commit()
        if patch is not None and changed is not None:
            self._model.note_painted(region_id, changed)
            text = f"Clear {region.name}"
            self.undo_stack.push(PaintCommand(self._model, region_id, patch, text, done=True))

    def unlocked(self, region_id: int) -> EditableRegion:
        """A region that may be changed; UserError while it is locked."""
        region = self._model.regions.of(region_id)
        if region.locked:
            raise UserError(
                f"The region “{region.name}” is locked.", next_step="Unlock it in the list of regions first."
            )
        return region

    def move_region_pixels(self, region_id: int, right_px: int, down_px: int) -> None:
        """Move what a region covers; what leaves the picture is cut off. UserError while it is locked."""
        region = self.unlocked(region_id)
        moved_HW = painting.moved(region.mask_HW, right_px, down_px)
        flipped_HW = np.logical_xor(moved_HW, region.mask_HW)
        box = painting.box_around(flipped_HW)
        if box is not None:
            patch = Patch.of(flipped_HW, box)
            text = f"Move {region.name}"
            self.undo_stack.push(PaintCommand(self._model, region_id, patch, text, done=False))

    def move_region(self, region_id: int, place: int) -> None:
        """Move a region to a place of the list, counted from 0."""
        region = self._model.regions.of(region_id)
        rest = [other for other in self._model.regions if other.id != region_id]
        rest.insert(place, region)
        if tuple(rest) != tuple(self._model.regions):
            self._push_list(rest, f"Move {region.name}")

    def rename_region(self, region_id: int, name: str) -> None:
        """Give a region another name, made one of a kind; UserError for an empty one and a locked region."""
        region = self.unlocked(region_id)
        if not name.strip():
            raise UserError("A region needs a name.", next_step="Write at least one letter.")
        self._restyle(
            region, replace(region.look, name=self._model.regions.free_name(name, region_id)), "Rename"
        )

    def recolour_region(self, region_id: int, colour: str) -> None:
        """Give a region another colour, "#RRGGBB"; UserError while it is locked."""
        region = self.unlocked(region_id)
        self._restyle(region, replace(region.look, colour=colour), "Colour of")

    def show_region(self, region_id: int, visible: bool) -> None:
        """Show or hide a region on the picture; hidden ones still count."""
        region = self._model.regions.of(region_id)
        self._restyle(region, replace(region.look, visible=visible), "Show" if visible else "Hide")

    def lock_region(self, region_id: int, locked: bool) -> None:
        """Protect a region from changes, or not."""
        region = self._model.regions.of(region_id)
        self._restyle(region, replace(region.look, locked=locked), "Lock" if locked else "Unlock")

    def apply_layout(self, layout: Layout | None) -> None:
        """Make a layout's panels regions, in the place of panels that nobody has touched; None: no panels.

        Painted regions stay. UserErrors of domain.strip for a layout that the picture has no room for.
        """
        size_px = self._picture_size_px()
        kept = [region for region in self._model.regions if not region.untouched_panel]
        panels = panel_list(self._model, layout, size_px, [region.name for region in kept])
        text = f"Layout {layout}" if layout else "No panels"
        self.undo_stack.push(LayoutCommand(self._model, layout, [*panels, *kept], text))

    # Heads

    def choose_heads(self, heads: HeadSet, gesture: int | None = None) -> None:
        """Choose a head set; choices that carry the same gesture number in a row are one undo step.

        UserError for heads that the loaded model lacks.
        """
        if self._model.model_info is not None:
            heads.check(self._model.model_info.shape_LH)
        if heads != self._model.chosen:
            self.undo_stack.push(ChooseHeadsCommand(self._model, heads, gesture))

    # Targets laid out beforehand

    def lay_out_targets(self, turns: Turns, text: str) -> None:
        """Let the target move along a schedule; () for none."""
        if turns != self._model.schedule:
            self.undo_stack.push(ScheduleCommand(self._model, turns, text))

    # Pieces

    def _region_to_paint(self, erase: bool, own_region: bool) -> tuple[EditableRegion, bool]:
        """The active region, or one that is born for the stroke."""
        size_px = self._picture_size_px()
        region = self._model.active_region
        if region is not None and own_region and region.mask_HW.any():
            region = None  # an empty one was made to be drawn into
        if region is not None:
            return self.unlocked(region.id), False
        if erase:
            raise UserError(
                "No region is chosen to erase from.", next_step="Choose one in the list of regions."
            )
        mask_HW = np.zeros(size_px[::-1], dtype=np.bool_)
        region = self._model.regions.make(self._model.regions.next_look(), mask_HW)
        self._model.regions.replace_all([*self._model.regions, region])
        self._model.note_regions()
        self._model.active_region_id = region.id
        return region, True

    def _take_back_birth(self, drag: _StrokeDrag) -> None:
        if drag.born:
            rest = [region for region in self._model.regions if region is not drag.region]
            self._model.regions.replace_all(rest)
            self._model.note_regions()
            self._model.active_region_id = drag.active_before

    def _dragging(self) -> _StrokeDrag:
        if self._drag is None:
            raise RuntimeError("no stroke is in progress")
        return self._drag

    def _push_list(self, after: list[EditableRegion], text: str, activate: int | None = None) -> None:
        self.undo_stack.push(RegionsCommand(self._model, after, text, activate=activate))

    def _restyle(self, region: EditableRegion, look: RegionLook, text: str) -> None:
        if look != region.look:
            self.undo_stack.push(LookCommand(self._model, region.id, look, f"{text} {look.name}"))

    def _picture_size_px(self) -> tuple[int, int]:
        if self._model.picture is None:
            raise UserError("There is no picture to paint on.", next_step="Open a picture first.")
        return self._model.picture.size_px

    def _check_size(self, region: Region) -> None:
        (width, height), (w, h) = region.size_px, self._picture_size_px()
        if (width, height) != (w, h):
            raise UserError(
                f"The region “{region.name}” has {width} x {height} px, the picture {w} x {h} px.",
                next_step="Open the picture that it was painted on.",
            )


def panel_list(
    model: SessionModel, layout: Layout | None, size_px: tuple[int, int], taken: Sequence[str] = ()
) -> list[EditableRegion]:
    """A layout's panels as regions "Panel 1", "Panel 2" ... with their colours, not in the list yet."""
    made: list[EditableRegion] = []
    for number, box in enumerate(panel_boxes_px(layout, *size_px) if layout else (), start=1):
        x0, y0, x1, y1 = box
        mask_HW = np.zeros(size_px[::-1], dtype=np.bool_)
        mask_HW[y0:y1, x0:x1] = True
        look = RegionLook(unique_name(f"Panel {number}", taken), region_colour(number - 1))
        made.append(model.regions.make(look, mask_HW, box))
    return made
