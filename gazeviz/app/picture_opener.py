"""Opening pictures: decoded beside the screen's thread, shown, and laid out by the worker.

A picture that cannot be opened changes nothing. The regions of a picture that was left are put aside, a bit
for each pixel, and come back with it. Knows no run.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.desk import Desk, JobEvent
from gazeviz.app.region_editor import panel_list
from gazeviz.app.regions import PackedRegion
from gazeviz.app.session_parts import MapView, Picture
from gazeviz.domain.messages import Failed, OpenPicture, PicturePrepared, PictureSource
from gazeviz.errors import UserError

Decode: TypeAlias = Callable[[], Picture]

_MESSAGE_BYTES: Final = 8_000_000
"""Encoded pictures up to here travel in the message itself (its limit is 10 MB)."""

_PUT_ASIDE: Final = 32
"""Pictures whose regions are remembered."""


class PictureOpener(QObject):
    """Opens one picture at a time; of several asked for at once the newest is shown."""

    _decoded = Signal(int, object)  # number of the wish; Picture or UserError

    def __init__(self, desk: Desk, is_loaded: Callable[[], bool], before_change: Callable[[], None]) -> None:
        """before_change: called before another picture is shown, to stop what concerns the last one."""
        super().__init__(desk.model)
        self._desk = desk
        self._is_loaded, self._before_change = is_loaded, before_change
        self._pool = ThreadPoolExecutor(1, "picture decoder")
        self._wish = 0
        self._pending = 0
        self._put_aside: dict[str, tuple[PackedRegion, ...]] = {}
        self._spool: TemporaryDirectory[str] | None = None
        self._decoded.connect(self._on_decoded, Qt.ConnectionType.QueuedConnection)

    @property
    def opening(self) -> bool:
        """Whether a picture is being decoded."""
        return self._pending > 0

    def open(self, decode: Decode) -> None:
        """Decode a picture in another thread and show it; a UserError of `decode` becomes a notice."""
        self._wish += 1
        self._pending += 1
        number = self._wish

        def work() -> None:
            try:
                self._decoded.emit(number, decode())
            except UserError as error:
                self._decoded.emit(number, error)

        self._pool.submit(work)

    def forget_wishes(self) -> None:
        """Show nothing of what is being decoded: something else was opened meanwhile."""
        self._wish += 1

    def show(self, picture: Picture) -> None:
        """Show a decoded picture, with the regions that it had before or else its panels."""
        model = self._desk.model
        same = model.picture is not None and model.picture.sha256 == picture.sha256
        if not same:
            self._before_change()
            self._put_regions_aside()
        model.picture = picture
        self._desk.write(
            lambda log: log.save_picture(picture.source, picture.size_px, picture.layout, picture.captions)
        )
        if not same:
            self._begin_anew(picture)
        self.lay_out()

    def lay_out(self) -> None:
        """Have the worker lay the picture out for its model; without effect where there is none."""
        picture = self._desk.model.picture
        if picture is None or not self._is_loaded():
            return
        self._desk.attempt(
            lambda: self._desk.jobs.ask(
                lambda job: OpenPicture(job, self._sendable(picture.source), self._desk.model.max_image_tok),
                lambda event: self._on_event(picture, event),
            ),
            "picture",
        )

    def close(self) -> None:
        """Decode nothing any more; waits for what is being decoded."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._spool is not None:
            self._spool.cleanup()

    def _on_decoded(self, number: int, outcome: Picture | UserError) -> None:
        self._pending -= 1
        if number != self._wish:
            return
        if isinstance(outcome, UserError):
            self._desk.refuse(outcome, "picture")
        else:
            self._desk.model.notice = None
            self.show(outcome)

    def _on_event(self, picture: Picture, event: JobEvent) -> None:
        model = self._desk.model
        if model.picture is None or model.picture.sha256 != picture.sha256 or not self._is_loaded():
            return  # of another picture, or as another model takes it
        match event:
            case PicturePrepared():
                model.set_grid(event.grid, event.fed_pixels_HW3)
            case Failed():
                self._desk.fail(event, "picture")

    def _sendable(self, source: PictureSource) -> PictureSource:
        """The source, by way of a file where its bytes are too many for a message."""
        if source.data is None or len(source.data) <= _MESSAGE_BYTES:
            return source
        if self._spool is None:
            self._spool = TemporaryDirectory(prefix="gazeviz-pictures-")
        path = Path(self._spool.name) / source.sha256
        try:
            if not path.exists():
                path.write_bytes(source.data)
        except OSError as error:
            raise UserError(
                f"{source.name} is large, and could not be put into a file: {error.strerror}.",
                next_step="Free some disk space, or open the picture from a file.",
            ) from error
        return replace(source, path=str(path), data=None)

    def _begin_anew(self, picture: Picture) -> None:
        """Another picture: its own regions, no undo across pictures, nothing of the last one's runs."""
        model = self._desk.model
        self._desk.editor.abort_stroke()
        self._desk.editor.undo_stack.clear()
        for side in ("steered", "baseline", "glance"):
            model.show_run(side, None)
        model.set_grid(None, None)
        model.max_image_tok = None
        model.map = MapView()
        model.look_at = None
        model.cursor = None
        packed = self._put_aside.pop(picture.sha256, None)
        if packed is not None:
            regions = [region.unpack() for region in packed]
        else:
            regions = panel_list(model, picture.layout, picture.size_px)
        model.regions.replace_all(regions)
        model.note_regions()

    def _put_regions_aside(self) -> None:
        model = self._desk.model
        if model.picture is None:
            return
        self._put_aside[model.picture.sha256] = tuple(map(PackedRegion.of, model.regions))
        while len(self._put_aside) > _PUT_ASIDE:
            del self._put_aside[next(iter(self._put_aside))]
