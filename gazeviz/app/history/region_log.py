"""Writes the regions of the picture into the log a moment after each finished edit.

Edits that follow each other closely are written as one, and what has not changed is not written again.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer

from gazeviz.app.editing.editor import RegionEditor
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.region import Region
from gazeviz.store import SessionStore

DELAY_MS: Final = 400


class RegionLog(QObject):
    """Listens to the undo stack, which knows when an edit is finished."""

    def __init__(self, model: SessionModel, log: SessionStore, editor: RegionEditor) -> None:
        super().__init__(model)
        self._model, self._log, self._editor = model, log, editor
        self._saved: tuple[str, tuple[Region, ...]] = ("", ())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.save)
        self._touched = False
        model.regions_changed.connect(self._on_touched)
        model.region_painted.connect(self._on_touched)
        editor.undo_stack.indexChanged.connect(self._on_edited)

    def save(self) -> None:
        """Write the regions down now, if they are not yet."""
        self._timer.stop()
        picture = self._model.picture
        if picture is None:
            return
        regions = tuple(region.as_region() for region in self._model.regions.painted())
        if self._saved != (picture.sha256, regions):
            self._saved = picture.sha256, regions
            with notices.shown(self._model, "log"):
                self._log.save_regions(picture.sha256, regions)

    @property
    def pending(self) -> bool:
        """Whether an edit has still to be written down."""
        return self._timer.isActive()

    def save_pending(self) -> None:
        """Write down what an edit has left to be written."""
        if self.pending:
            self.save()

    def close(self) -> None:
        """Write down what is pending and listen no more: an undo stack tells of its own end, too."""
        self._editor.undo_stack.indexChanged.disconnect(self._on_edited)
        self.save_pending()

    def _on_touched(self, *_: object) -> None:
        self._touched = True

    def _on_edited(self) -> None:
        """An edit may have been about heads or targets alone."""
        if self._touched:
            self._touched = False
            self._timer.start()
