"""What can be undone: painting, the list of regions, the layout, the choice of heads and the schedule.

Commands of a QUndoStack; each changes the session model and nothing else. Runs are never undone. Gestures
become commands in gazeviz.app.editing.editor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from PySide6.QtGui import QUndoCommand

from gazeviz.app.editing.painting import Patch
from gazeviz.app.editing.regions import EditableRegion, RegionLook
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.strip import Layout

_MERGE_CHOICES = 1


class PaintCommand(QUndoCommand):
    """One drag on a region's mask; holds only the pixels that it flipped."""

    def __init__(self, model: SessionModel, region_id: int, patch: Patch, text: str, *, done: bool) -> None:
        """done: the stroke has been painted already, so that the first redo has nothing to do."""
        super().__init__(text)
        self._model, self._region_id, self._patch, self._done = model, region_id, patch, done

    @property
    def n_bytes(self) -> int:
        """Memory that the patch takes."""
        return len(self._patch.bits)

    def redo(self) -> None:
        """Flip the pixels, unless the stroke just did."""
        if self._done:
            self._done = False
            return
        self._flip()

    def undo(self) -> None:
        """Flip them back."""
        self._flip()

    def _flip(self) -> None:
        self._patch.flip(self._model.regions.of(self._region_id).mask_HW)
        self._model.note_painted(self._region_id, self._patch.box_px)


class RegionsCommand(QUndoCommand):
    """The list of regions becomes another one: added, removed, put in another order, a layout applied.

    The regions themselves are shared between before and after, so that later strokes on them stay in step.
    """

    def __init__(
        self,
        model: SessionModel,
        after: Iterable[EditableRegion],
        text: str,
        *,
        activate: int | None = None,
        target: int | None = None,
    ) -> None:
        """activate, target: ids that become the active and the target region, None to leave them."""
        super().__init__(text)
        self._model = model
        self._before, self._after = tuple(model.regions), tuple(after)
        self._ids_before = model.active_region_id, model.target_region_id
        self._schedule_before = model.schedule
        self._activate, self._target = activate, target

    def redo(self) -> None:
        """Put the new list in place."""
        self._model.regions.replace_all(self._after)
        self._model.note_regions()
        if self._activate is not None:
            self._model.active_region_id = self._activate
        if self._target is not None:
            self._model.target_region_id = self._target

    def undo(self) -> None:
        """Put the old list back, with what it was used for."""
        self._model.regions.replace_all(self._before)
        self._model.note_regions()
        self._model.active_region_id, self._model.target_region_id = self._ids_before
        self._model.schedule = self._schedule_before


class LookCommand(QUndoCommand):
    """A region gets another name or colour, is shown, hidden, locked or unlocked."""

    def __init__(self, model: SessionModel, region_id: int, look: RegionLook, text: str) -> None:
        super().__init__(text)
        self._model, self._region_id = model, region_id
        self._before, self._after = model.regions.of(region_id).look, look

    def redo(self) -> None:
        """Show it the new way."""
        self._restyle(self._after)

    def undo(self) -> None:
        """Show it the old way."""
        self._restyle(self._before)

    def _restyle(self, look: RegionLook) -> None:
        self._model.regions.restyle(self._region_id, look)
        self._model.note_regions()


class LayoutCommand(RegionsCommand):
    """The picture gets another panel layout, and its panels become regions."""

    def __init__(
        self, model: SessionModel, layout: Layout | None, after: Iterable[EditableRegion], text: str
    ) -> None:
        super().__init__(model, after, text)
        picture = model.picture
        self._picture_before = picture
        keeps_captions = picture is not None and layout == picture.layout
        self._picture_after = picture and replace(
            picture, layout=layout, captions=picture.captions if keeps_captions else ()
        )

    def redo(self) -> None:
        """Lay the panels out."""
        self._model.picture = self._picture_after
        super().redo()

    def undo(self) -> None:
        """Take the layout back."""
        self._model.picture = self._picture_before
        super().undo()


class ChooseHeadsCommand(QUndoCommand):
    """Another head set is chosen; those of one gesture (a slider's drag) are undone together."""

    def __init__(self, model: SessionModel, heads: HeadSet, gesture: int | None = None) -> None:
        super().__init__(f"Choose {len(heads)} heads")
        self._model, self._gesture = model, gesture
        self._before, self._after = model.chosen, heads

    def id(self) -> int:
        """Only choices are compared with choices; -1 never merges."""
        return -1 if self._gesture is None else _MERGE_CHOICES

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take in a later choice of the same gesture; one that ends where it began leaves nothing to undo."""
        if not isinstance(other, ChooseHeadsCommand) or other._gesture != self._gesture:
            return False
        self._after = other._after
        self.setText(other.text())
        self.setObsolete(self._after == self._before)
        return True

    def redo(self) -> None:
        """Choose them."""
        self._model.chosen = self._after

    def undo(self) -> None:
        """Choose those from before."""
        self._model.chosen = self._before


class ScheduleCommand(QUndoCommand):
    """Targets are laid out in another way."""

    def __init__(self, model: SessionModel, turns: tuple[tuple[int, int | None], ...], text: str) -> None:
        super().__init__(text)
        self._model, self._before, self._after = model, model.schedule, turns

    def redo(self) -> None:
        """Lay them out."""
        self._model.schedule = self._after

    def undo(self) -> None:
        """As they were."""
        self._model.schedule = self._before
