"""Opening pictures: decoded beside the screen's thread, shown, and laid out by the worker.

A picture that cannot be opened changes nothing. The regions of a picture that was left are put aside, a bit
for each pixel, and come back with it. Knows no run.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.editing.editor import RegionEditor, panel_list
from gazeviz.app.editing.regions import PackedRegion
from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import MapView, Picture
from gazeviz.domain.messages import Failed, OpenPicture, PicturePrepared, PictureSource
from gazeviz.domain.model_files import TEXT_TOK
from gazeviz.domain.strip import Layout, gutters
from gazeviz.errors import UserError
from gazeviz.imaging import SUFFIXES as SUFFIXES
from gazeviz.imaging import open_encoded, open_picture, panel_strip, stretched
from gazeviz.resources import resource_path
from gazeviz.store import SessionStore
from gazeviz.user_paths import user_path

# Pictures for the screen: from a file, the clipboard, a folder of panels, or those that ship with gazeviz.
#
# Decoded by the engine's own decoder, which needs no torch, so that the screen shows the very pixels that the
# worker will decode. Knows no widget; may be called from any thread.


@dataclass(frozen=True)
class Sample:
    """A picture that ships with gazeviz."""

    name: str
    path: Path
    layout: Layout | None = None
    captions: tuple[str, ...] = ()


def picture_file(
    path: Path, layout: Layout | None = None, captions: tuple[str, ...] = (), name: str = ""
) -> Picture:
    """Open a picture file; without a layout the one that its gutters show.

    UserErrors of gazeviz.imaging: missing, no picture, damaged, too large.
    """
    path = user_path(path).absolute()
    image = open_picture(path)
    pixels_HW3 = _pixels(image)
    sha256 = picture_sha256(pixels_HW3)
    source = PictureSource(sha256, name or path.name, path=str(path))
    layout = layout or gutters(pixels_HW3)
    return Picture(source.name, pixels_HW3, sha256, source, layout, captions, stretched(image))


def picture_data(
    data: bytes, name: str, layout: Layout | None = None, captions: tuple[str, ...] = ()
) -> Picture:
    """Open an encoded picture that is no file (pasted, dropped from a browser); UserErrors as above."""
    image = open_encoded(data, name)
    pixels_HW3 = _pixels(image)
    sha256 = picture_sha256(pixels_HW3)
    source = PictureSource(sha256, name, data=data)
    layout = layout or gutters(pixels_HW3)
    return Picture(name, pixels_HW3, sha256, source, layout, captions, stretched(image))


def panel_folder(folder: Path) -> Picture:
    """Open the pictures of a folder (p1, p2 ... pN) as one strip; UserErrors of imaging.panel_strip."""
    strip, boxes = panel_strip(folder)
    even = len({right - left for left, _, right, _ in boxes}) == 1
    layout = Layout(1, len(boxes), () if even else boxes)
    buffer = io.BytesIO()
    strip.save(buffer, "PNG", compress_level=1)
    return picture_data(buffer.getvalue(), folder.name, layout)


def samples() -> tuple[Sample, ...]:
    """The pictures that ship with gazeviz, strips first; none where this installation lacks them."""
    try:
        folder = resource_path("samples")
        entries = json.loads((folder / "samples.json").read_text("utf-8"))
    except (UserError, OSError, ValueError):
        return ()
    return tuple(
        Sample(
            Path(entry["file"]).stem,
            folder / entry["file"],
            Layout.parse(entry["layout"]) if entry.get("layout") else None,
            tuple(entry.get("captions", ())),
        )
        for entry in entries
    )


def decoded(path: Path) -> NDArray[np.uint8]:
    """Return a picture file's pixels, uint8 (H, W, 3) RGB, read-only; UserErrors of `picture_file`."""
    return _pixels(open_picture(path))


def picture_sha256(pixels_HW3: NDArray[np.uint8]) -> str:
    """Hex digest of size and pixels: the name of a picture in every request and in the log."""
    height_px, width_px = pixels_HW3.shape[:2]
    digest = hashlib.sha256(f"{width_px}x{height_px}:".encode())
    digest.update(np.ascontiguousarray(pixels_HW3).data)
    return digest.hexdigest()


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    pixels_HW3 = np.asarray(image, dtype=np.uint8)
    pixels_HW3.setflags(write=False)
    return pixels_HW3


# What a picture would cost in image tokens if it were not fed smaller, told from how it is fed.
#
# The worker feeds a picture smaller where it would take more image tokens than a model's usual limit.
# Asking it for the full size would mean to lay the picture out twice, so the number here is an estimate.


_AT_LIMIT: Final = 0.75
"""A picture that takes this part of the limit was reduced by it: grids are whole rows, tiles whole tiles."""
_WORTH_ASKING: Final = 1.15


@dataclass(frozen=True)
class TokenCost:
    """now_tok: image tokens as it is fed.  full_tok: about what it would cost as it is.

    forced: the model cannot take it in fewer tokens than now, which is more than usual.
    """

    now_tok: int
    full_tok: int
    usual_tok: int
    forced: bool = False


def token_cost(model: SessionModel) -> TokenCost | None:
    """Return what the session's picture costs and would cost; None where it is fed as it is.

    Never more than the model's context holds beside prompt and answer.
    """
    picture, grid, info = model.picture, model.grid, model.model_info
    if picture is None or grid is None or info is None:
        return None
    now_tok, usual_tok = grid.n_tokens, info.max_image_tok
    limit_tok = model.max_image_tok or usual_tok
    if now_tok > limit_tok:
        return TokenCost(now_tok, now_tok, usual_tok, forced=True)
    (width_px, height_px), (fed_width_px, fed_height_px) = picture.size_px, grid.fed_size_px
    growth = width_px * height_px / (fed_width_px * fed_height_px)
    if now_tok < _AT_LIMIT * limit_tok or growth < _WORTH_ASKING:
        return None
    full_tok = round(now_tok * growth)
    if info.context_tok:
        full_tok = min(full_tok, info.context_tok - TEXT_TOK)
    return TokenCost(now_tok, full_tok, usual_tok) if full_tok > limit_tok else None


Decode: TypeAlias = Callable[[], Picture]

_MESSAGE_BYTES: Final = 8_000_000
"""Encoded pictures up to here travel in the message itself (its limit is 10 MB)."""

_PUT_ASIDE: Final = 32
"""Pictures whose regions are remembered."""


class PictureOpener(QObject):
    """Opens one picture at a time; of several asked for at once the newest is shown."""

    _decoded = Signal(int, object)  # number of the request; Picture or UserError

    def __init__(
        self,
        model: SessionModel,
        log: SessionStore,
        jobs: Jobs,
        editor: RegionEditor,
        is_loaded: Callable[[], bool],
        before_change: Callable[[], None],
    ) -> None:
        """before_change: called before another picture is shown, to stop what concerns the last one."""
        super().__init__(model)
        self._model, self._log, self._jobs, self._editor = model, log, jobs, editor
        self._is_loaded, self._before_change = is_loaded, before_change
        self._pool = ThreadPoolExecutor(1, "picture decoder")
        self._latest = 0
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
        self._latest += 1
        self._pending += 1
        number = self._latest

        def work() -> None:
            try:
                self._decoded.emit(number, decode())
            except UserError as error:
                self._decoded.emit(number, error)

        self._pool.submit(work)

    def forget_requests(self) -> None:
        """Show nothing of what is being decoded: something else was opened meanwhile."""
        self._latest += 1

    def show(self, picture: Picture) -> None:
        """Show a decoded picture, with the regions that it had before or else its panels."""
        model = self._model
        same = model.picture is not None and model.picture.sha256 == picture.sha256
        if not same:
            self._before_change()
            self._put_regions_aside()
        model.picture = picture
        with notices.shown(model, "log"):
            self._log.save_picture(picture.source, picture.size_px, picture.layout, picture.captions)
        if not same:
            self._begin_anew(picture)
        self.lay_out()

    def lay_out(self) -> None:
        """Have the worker lay the picture out for its model; without effect where there is none."""
        picture = self._model.picture
        if picture is None or not self._is_loaded():
            return
        notices.attempt(
            self._model,
            lambda: self._jobs.ask(
                lambda job: OpenPicture(job, self._sendable(picture.source), self._model.max_image_tok),
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
        if number != self._latest:
            return
        if isinstance(outcome, UserError):
            notices.refuse(self._model, outcome, "picture")
        else:
            self._model.notice = None
            self.show(outcome)
            if outcome.note:
                notices.say(self._model, "info", outcome.note, "", about="picture")

    def _on_event(self, picture: Picture, event: JobEvent) -> None:
        model = self._model
        if model.picture is None or model.picture.sha256 != picture.sha256 or not self._is_loaded():
            return  # of another picture, or as another model takes it
        match event:
            case PicturePrepared():
                model.set_grid(event.grid, event.fed_pixels_HW3)
            case Failed():
                notices.fail(self._model, event, "picture")

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
                f"{source.name} is large and could not be written to a temporary file: {error.strerror}.",
                next_step="Free some disk space, or open the picture from a file.",
            ) from error
        return replace(source, path=str(path), data=None)

    def _begin_anew(self, picture: Picture) -> None:
        """Another picture: its own regions, no undo across pictures, nothing of the last one's runs."""
        model = self._model
        self._editor.abort_stroke()
        self._editor.undo_stack.clear()
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
        model = self._model
        if model.picture is None:
            return
        self._put_aside[model.picture.sha256] = tuple(map(PackedRegion.of, model.regions))
        while len(self._put_aside) > _PUT_ASIDE:
            del self._put_aside[next(iter(self._put_aside))]
