"""Pictures for the screen: from a file, the clipboard, a folder of panels, or those that ship with gazeviz.

Decoded by the engine's own decoder, which needs no torch, so that the screen shows the very pixels that the
worker will decode. Knows no widget; may be called from any thread.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.app.session_parts import Picture
from gazeviz.domain.messages import PictureSource
from gazeviz.domain.strip import Layout, gutters
from gazeviz.errors import UserError
from gazeviz.pictures import SUFFIXES as SUFFIXES
from gazeviz.pictures import open_picture, panel_strip
from gazeviz.resources import resource_path


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

    UserErrors of gazeviz.pictures: missing, no picture, damaged, too large.
    """
    path = path.expanduser().absolute()
    pixels_HW3 = decoded(path)
    sha256 = picture_sha256(pixels_HW3)
    source = PictureSource(sha256, name or path.name, path=str(path))
    return Picture(source.name, pixels_HW3, sha256, source, layout or gutters(pixels_HW3), captions)


def picture_data(
    data: bytes, name: str, layout: Layout | None = None, captions: tuple[str, ...] = ()
) -> Picture:
    """Open an encoded picture that is no file (pasted, dropped from a browser); UserErrors as above."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels_HW3 = _pixels(open_picture(image))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{name or 'What was pasted'} is not a picture that can be read.",
            next_step="Copy it again, or save it and open the file.",
        ) from error
    sha256 = picture_sha256(pixels_HW3)
    source = PictureSource(sha256, name, data=data)
    return Picture(name, pixels_HW3, sha256, source, layout or gutters(pixels_HW3), captions)


def panel_folder(folder: Path) -> Picture:
    """Open the pictures of a folder (p1, p2 ... pN) as one strip; UserErrors of pictures.panel_strip."""
    strip, n_panels = panel_strip(folder)
    buffer = io.BytesIO()
    strip.save(buffer, "PNG", compress_level=1)
    return picture_data(buffer.getvalue(), folder.name, Layout(1, n_panels))


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
