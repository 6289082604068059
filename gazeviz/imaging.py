"""Opening a picture from anywhere, and turning it into plain 8-bit RGB.

For every way in: a file, a Pillow image, a numpy array, a folder of panels. Every kind of broken or odd
picture ends in a `UserError` with a next step, never in a traceback. Knows nothing of models, tokens or
regions.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gazeviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
GUTTER_PX: Final = 8
_MAX_PANELS: Final = 24
_PANEL_NAME: Final = re.compile(r"\D*(\d+)\D*")

Picture = str | Path | Image.Image | np.ndarray[Any, Any]

MAX_PICTURE_PX = 64_000_000
"""Pixels of the largest picture that is opened: an 8000 x 8000 photo. A larger one cannot be painted on
fluently."""
MAX_SIDE_PX = 30_000
WIDE_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})


def open_picture(source: Picture) -> Image.Image:
    """Return `source` as a decoded RGB picture, upright, with transparency laid over white.

    A 16-bit picture is scaled to 8 bits (not cut off), an animation gives its first frame, EXIF rotation is
    applied, CMYK and palettes are converted. Arrays are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8,
    uint16, bool, or floats in 0..1.

    Raises:
        UserError: not found, a folder, empty, not a picture, truncated, larger than `MAX_PICTURE_PX` or
            `MAX_SIDE_PX`, or an array of another shape or type.
    """
    if isinstance(source, np.ndarray):
        return _plain_rgb(_from_array(source), "The array")
    if isinstance(source, Image.Image):
        return _decode(source, "The picture")
    path = Path(source)
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _decode(image, path.name)
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path.name) from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path.name} is not a picture that can be read.",
            next_step="Choose a PNG, JPEG, WebP, TIFF, BMP or GIF file.",
        ) from error
    except PermissionError as error:
        raise UserError(
            f"{path.name} may not be read.", next_step="Check the permissions of the file."
        ) from error
    except Exception as error:  # some formats are decoded while they are opened
        raise _damaged(path.name) from error


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder in the order of the numbers in their names, others behind them."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES), key=_panel_order)


def panel_strip(folder: Path) -> tuple[Image.Image, int]:
    """Put the pictures of a folder (p1, p2 ... pN) side by side, all as high as the lowest.

    Returns the strip and N. UserErrors for a folder that is missing or holds fewer than two pictures or too
    many, and of the pictures.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", next_step="Choose a folder of panels.")
    paths = pictures_in(folder)
    if not 2 <= len(paths) <= _MAX_PANELS:
        raise UserError(
            f"The folder {folder.name} holds {len(paths)} pictures; a strip has 2 to {_MAX_PANELS} panels.",
            next_step="Put one picture per panel into it: p1.png, p2.png ...",
        )
    return _side_by_side([open_picture(path) for path in paths]), len(paths)


def _panel_order(path: Path) -> tuple[int, str]:
    match = _PANEL_NAME.fullmatch(path.stem)
    return (int(match[1]) if match else 10**9, path.name)


def _side_by_side(panels: Sequence[Image.Image]) -> Image.Image:
    """Panels of one size, undistorted, with a white gutter that is part of each one's even share."""
    height_px = min(panel.height for panel in panels)
    width_px = max(max(1, round(panel.width * height_px / panel.height)) for panel in panels)
    cell_px = width_px + GUTTER_PX
    strip = Image.new("RGB", (cell_px * len(panels), height_px + GUTTER_PX), "white")
    for place, panel in enumerate(panels):
        fitted = ImageOps.pad(panel, (width_px, height_px), Image.Resampling.LANCZOS, "white")
        strip.paste(fitted, (place * cell_px + GUTTER_PX // 2, GUTTER_PX // 2))
    return strip


def _check_file(path: Path) -> None:
    """Refuse a path that is no readable, non-empty file."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a picture.", next_step="Choose a picture file inside it.")
    if not path.is_file():
        raise UserError(f"There is no file {path}.", next_step="Check the path, or choose the picture again.")
    if path.stat().st_size == 0:
        raise UserError(f"{path.name} is empty (0 bytes).", next_step="Save or download the picture again.")


def _decode(image: Image.Image, named: str) -> Image.Image:
    """Decode the first frame of an opened picture and make it plain RGB."""
    _check_size(image.size, named)
    try:
        if getattr(image, "n_frames", 1) > 1:
            image.seek(0)
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _plain_rgb(upright, named)
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, TypeError, struct.error ...
        raise _damaged(named) from error


def _damaged(named: str) -> UserError:
    return UserError(
        f"{named} is damaged or cut short and cannot be decoded.",
        next_step="Open it in an image editor and save it again, or choose another picture.",
    )


def _check_size(size_px: tuple[int, int], named: str) -> None:
    width_px, height_px = size_px
    if width_px < 1 or height_px < 1:
        raise UserError(f"{named} has no pixels.", next_step="Choose another picture.")
    if width_px * height_px > MAX_PICTURE_PX or max(size_px) > MAX_SIDE_PX:
        raise _too_large(f"{named} ({width_px} x {height_px} pixels)")


def _too_large(named: str) -> UserError:
    return UserError(
        f"{named} is too large to open.",
        next_step=f"Reduce it to {MAX_PICTURE_PX // 1_000_000} million pixels and {MAX_SIDE_PX} a side.",
    )


def _plain_rgb(image: Image.Image, named: str) -> Image.Image:
    """Return an 8-bit RGB copy: wide modes scaled, transparency over white."""
    _check_size(image.size, named)
    if image.mode in WIDE_MODES:
        image = Image.fromarray(_to_bytes(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale the numbers of a picture to 0..255.

    uint16 by its full range; int32 (Pillow's `I`) by the 16-bit range if it goes beyond 8 bits; floats in
    0..1 by 255, other floats between their own least and largest finite value.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = 0.0, 255.0
    if values.dtype.kind == "f":
        in_unit = numbers.min() >= 0.0 and numbers.max() <= 1.0
        low, high = (0.0, 1.0) if in_unit else (float(numbers.min()), float(numbers.max()))
    elif values.dtype.itemsize == 2 or numbers.max() > 255:
        high = max(65535.0, float(numbers.max()))
    scaled = (numbers - low) / max(high - low, 1e-12) * 255.0
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _from_array(pixels: NDArray[Any]) -> Image.Image:
    """Return an (H, W), (H, W, 1|3|4) array as a Pillow image; refuse any other."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not fits or pixels.size == 0 or pixels.dtype.kind not in "buif":
        raise UserError(
            f"An array of shape {pixels.shape} and type {pixels.dtype} is not a picture.",
            next_step="Pass (height, width, 3) numbers: uint8, uint16, or floats in 0..1.",
        )
    _check_size((pixels.shape[1], pixels.shape[0]), "The array")
    return Image.fromarray(np.ascontiguousarray(_to_bytes(pixels)))
