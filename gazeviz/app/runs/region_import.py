"""Reading files of regions beside the screen, with how far it is and a way to stop it.

A file may hold thousands of shapes. They are read and painted into masks in a thread; only the finished
regions are added in the thread of the screen, in one step that can be undone. One import at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final, TypeAlias

from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.editing.coco_files import WhichPicture
from gazeviz.app.editing.editor import RegionEditor
from gazeviz.app.editing.found_regions import FoundRegions
from gazeviz.app.editing.region_files import read_regions
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture, WorkProgress
from gazeviz.errors import Cancelled, UserError

_TOLD_EVERY_S: Final = 0.05

AskWhich: TypeAlias = Callable[[tuple[str, ...]], str]


@dataclass(frozen=True)
class _ImportRequest:
    """What is to be read for which picture."""

    paths: tuple[Path, ...]
    picture: Picture
    entry: str


class RegionImport(QObject):
    """Imports files of regions; `changed` tells of `progress`, which is None while nothing is read.

    ask_which_picture: asks a person which picture of a COCO file is meant; "" for none. The window sets it.
    """

    changed = Signal()
    _told = Signal(int, int)
    _read = Signal(object, object)  # the request; FoundRegions, or what was raised

    def __init__(self, model: SessionModel, editor: RegionEditor) -> None:
        super().__init__(model)
        self._model, self._editor = model, editor
        self._pool = ThreadPoolExecutor(1, "region reader")
        self._stop = Event()
        self._told_s = 0.0
        self._request: _ImportRequest | None = None
        self.progress: WorkProgress | None = None
        self.ask_which_picture: AskWhich | None = None
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)

    def begin(self, paths: Sequence[Path], entry: str = "") -> None:
        """Read files for the picture that is shown; UserError without one, or while others are read."""
        picture = self._model.picture
        if picture is None:
            raise UserError("There is no picture.", next_step="Open its picture first.")
        if self._request is not None:
            raise UserError(
                "Regions are being imported already.", next_step="Wait until they are there, or stop it."
            )
        self._start(_ImportRequest(tuple(paths), picture, entry))

    def cancel(self) -> None:
        """Stop reading at the next shape; nothing is added."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, request: _ImportRequest) -> None:
        self._request = request
        self._stop.clear()
        self._show(WorkProgress(0, 0, f"Reading {request.paths[0].name}"))
        self._pool.submit(self._work, request)

    def _work(self, request: _ImportRequest) -> None:
        """Read, in the thread; whatever happens is handed to the screen."""
        named = request.picture.source.path or request.picture.name
        try:
            found = read_regions(request.paths, request.picture.size_px, named, request.entry, self._watch)
            self._read.emit(request, found.needed(request.paths[0].name))
        except Exception as error:  # noqa: BLE001 - raised again in the thread of the screen
            self._read.emit(request, error)

    def _watch(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled
        now_s = time.monotonic()
        if now_s - self._told_s > _TOLD_EVERY_S:
            self._told_s = now_s
            self._told.emit(done, total)

    def _on_told(self, done: int, total: int) -> None:
        if self._request is not None:
            text = f"Reading {self._request.paths[0].name}: {done:,} of {total:,} shapes"
            self._show(WorkProgress(done, total, text))

    def _show(self, progress: WorkProgress | None) -> None:
        self.progress = progress
        self.changed.emit()

    def _on_read(self, request: _ImportRequest, outcome: FoundRegions | Exception) -> None:
        self._request = None
        self._show(None)
        if self._stop.is_set() or isinstance(outcome, Cancelled):
            return
        if isinstance(outcome, WhichPicture) and self.ask_which_picture is not None and not request.entry:
            meant = self.ask_which_picture(outcome.names)
            if meant:
                self._start(_ImportRequest(request.paths, request.picture, meant))
                return
        if isinstance(outcome, Exception) and not isinstance(outcome, UserError):
            raise outcome
        notices.attempt(self._model, lambda: self._add(request, outcome), "regions")

    def _add(self, request: _ImportRequest, outcome: FoundRegions | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        if self._model.picture is not request.picture:
            raise UserError(
                f"Another picture was opened while {request.paths[0].name} was read.",
                next_step="Import it again where it belongs.",
            )
        self._editor.add_regions(outcome.regions)
        if outcome.left_out:
            n = len(outcome.regions)
            said = f"{n} {'region was' if n == 1 else 'regions were'} imported; {outcome.left_out_text}."
            notices.say(self._model, "info", said, about="regions")
