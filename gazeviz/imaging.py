"""Opening a picture from anywhere, and turning it into plain 8-bit RGB.

The one place that opens pictures, masks and what is pasted: by a list of formats, since Pillow knows some
that are programs (PostScript is run by Ghostscript, whatever the file is called). For every way in: a file,
bytes, a Pillow image, a numpy array, a folder of panels. Every kind of broken or odd picture ends in a
`UserError` with a next step, never in a traceback. Knows nothing of models, tokens or regions.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gazeviz.errors import UserError
from gazeviz.user_paths import is_file, is_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS: Final = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
"""Formats that are opened, as Pillow calls them, where it has them; no other is even tried."""
SUFFIXES: Final = (
    ".png", ".jpg", ".jpeg", ".mpo", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".j2k",
)  # fmt: skip
CELL_PX: Final = 32
"""Pixels of an image token's side where the model does not say."""
PANEL_HEIGHT_PX: Final = 256
"""Height of strips that are joined from panels, as published."""
_MAX_PANELS: Final = 24
_PANEL_NAME: Final = re.compile(r"\D*(\d+)\D*")

Box = tuple[int, int, int, int]
Picture = str | Path | Image.Image | np.ndarray[Any, Any]

MAX_PICTURE_PX = 64_000_000
"""Pixels of the largest picture that is opened: an 8000 x 8000 photo. A larger one cannot be painted on
fluently."""
MAX_SIDE_PX = 30_000
WIDE_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_NOTE: Final = "gazeviz_note"
_SWAPPED: Final = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


def open_picture(source: Picture) -> Image.Image:
    """Return `source` as a decoded RGB picture, upright, with transparency laid over white.

    A 16-bit picture is scaled to 8 bits (not cut off): by its full range where its values reach half of it,
    else between the values that are present, which `stretched` tells. An animation gives its first frame,
    EXIF rotation is applied, CMYK and palettes are converted. Arrays are (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4); integers of any width, bool, or floats.

    Raises:
        UserError: not found, a folder, empty, not a picture, truncated, larger than `MAX_PICTURE_PX` or
            `MAX_SIDE_PX`, or an array of another shape or type.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "The picture")
    path = Path(source)
    return _open(path, path.name)


def open_encoded(data: bytes, named: str = "") -> Image.Image:
    """Return the bytes of a picture file as `open_picture` returns the file; the same UserErrors."""
    return _open(data, named or "What was pasted")


def stretched(picture: Image.Image) -> str:
    """Say which values an opened picture was stretched between, in a sentence; "" where it was not."""
    return str(picture.info.get(_NOTE, ""))


def upright(source: Path | bytes, named: str = "") -> Image.Image:
    """Return a picture decoded and upright in its own mode, for what its numbers mean (a mask); UserErrors
    of `open_picture`."""
    name = named or (source.name if isinstance(source, Path) else "The picture")
    with opened(source, name) as image:
        return _loaded(image, name)


@contextmanager
def opened(source: Path | bytes, named: str = "") -> Iterator[Image.Image]:
    """The picture of a file or of its bytes while this lasts, not yet decoded.

    What goes wrong while it is read, here or in the block, is a UserError of `open_picture`.
    """
    name = named or (source.name if isinstance(source, Path) else "The picture")
    if isinstance(source, Path):
        _check_file(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file's odd tags; nobody could do anything about them
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=_known_formats()) as image:
                yield image
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{name} is not a picture that can be read.",
            next_step="Choose a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or JPEG 2000 file.",
        ) from error
    except PermissionError as error:
        raise UserError(f"{name} may not be read.", next_step="Check the permissions of the file.") from error
    except MemoryError as error:
        raise _too_large(name) from error
    except Exception as error:  # some formats are decoded while they are opened
        raise _damaged(name) from error


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow opens by themselves (it opens MPO as JPEG)."""
    Image.init()
    return tuple(known for known in FORMATS if known in Image.OPEN)


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder in the order of the numbers in their names, others behind them."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES), key=_panel_order)


def panel_strip(folder: Path) -> tuple[Image.Image, tuple[Box, ...]]:
    """Put the pictures of a folder (p1, p2 ... pN) edge to edge.

    Returns the strip and the panels' boxes. UserErrors for a folder that is missing or holds fewer than two
    pictures or too many, and of the pictures.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", next_step="Choose a folder of panels.")
    paths = pictures_in(folder)
    if not 2 <= len(paths) <= _MAX_PANELS:
        raise UserError(
            f"The folder {folder.name} holds {len(paths)} pictures; a strip has 2 to {_MAX_PANELS} panels.",
            next_step="Put one picture per panel into it: p1.png, p2.png ...",
        )
    return edge_to_edge([open_picture(path) for path in paths])


def _panel_order(path: Path) -> tuple[int, str]:
    match = _PANEL_NAME.fullmatch(path.stem)
    return (int(match[1]) if match else 10**9, path.name)


def edge_to_edge(
    panels: Sequence[Image.Image], *, height_px: int = PANEL_HEIGHT_PX, cell_px: int = CELL_PX
) -> tuple[Image.Image, tuple[Box, ...]]:
    """Put panels side by side as the gaze-heads code does: all `height_px` high, each width its own, rounded
    to a multiple of the cell; no gutter.

    Returns the strip and each panel's box (x0, y0, x1, y1); one cell is the least width.
    """
    widths = [max(1, round(panel.width * height_px / panel.height / cell_px)) * cell_px for panel in panels]
    strip = Image.new("RGB", (sum(widths), height_px))
    boxes, left = [], 0
    for panel, width in zip(panels, widths, strict=True):
        strip.paste(panel.resize((width, height_px), Image.Resampling.LANCZOS), (left, 0))
        boxes.append((left, 0, left + width, height_px))
        left += width
    return strip, tuple(boxes)


def _check_file(path: Path) -> None:
    """Refuse a path that is no readable, non-empty file."""
    if is_folder(path):
        raise UserError(f"{path} is a folder, not a picture.", next_step="Choose a picture file inside it.")
    if not is_file(path):
        raise UserError(f"There is no file {path}.", next_step="Check the path, or choose the picture again.")
    if path.stat().st_size == 0:
        raise UserError(f"{path.name} is empty (0 bytes).", next_step="Save or download the picture again.")


def _decode(image: Image.Image, named: str) -> Image.Image:
    """Decode the first frame of an opened picture and make it plain RGB."""
    return _plain_rgb(_loaded(image, named), named)


def _loaded(image: Image.Image, named: str) -> Image.Image:
    """The first frame of an opened picture, decoded and upright, in its own mode."""
    _check_size(image.size, named)
    if image.format == "EPS":
        raise UserError(
            f"{named} is PostScript, which is a program and not a picture.",
            next_step="Convert it to PNG first, with a program that you trust.",
        )
    try:
        if image.tell() > 0:
            image.seek(0)
        image.load()
        return ImageOps.exif_transpose(image)
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
        return _scaled(np.asarray(image), named)
    try:
        if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
            return _over_white(image.convert("RGBA"))
        return image.convert("RGB")
    except (OSError, ValueError, TypeError, SyntaxError, MemoryError) as error:
        raise _damaged(named) from error


def _over_white(layered: Image.Image) -> Image.Image:
    white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layered).convert("RGB")


def _scaled(values: NDArray[Any], named: str) -> Image.Image:
    """Numbers as a picture, with a note where they were stretched between those that are present."""
    low, high, nominal = _range(values)
    picture = Image.fromarray(_to_bytes(values, low, high))
    picture = _over_white(picture) if picture.mode == "RGBA" else picture.convert("RGB")
    if not nominal:
        picture.info[_NOTE] = (
            f"{named} holds values from {low:g} to {high:g}; they are shown stretched from black to white."
        )
    return picture


def _range(values: NDArray[Any]) -> tuple[float, float, bool]:
    """What becomes black and what white, and whether that is the range of the numbers' type.

    The usual range (0..1 of floats, 8 and 16 bits of integers) is taken where the values lie in it and reach
    half of it. Others would come out black, as 12 bits in 16 do: they are stretched between the least and
    the largest finite value present.
    """
    if values.dtype in (np.uint8, np.bool_):
        return 0.0, 255.0 if values.dtype == np.uint8 else 1.0, True
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        return 0.0, 1.0, True
    low, high = float(finite.min()), float(finite.max())
    for top in (1.0,) if values.dtype.kind == "f" else (255.0, 65535.0):
        if low >= 0 and top / 2 <= high <= top:
            return 0.0, top, True
    return (low, high, False) if high > low else (min(low, 0.0), max(low, 1.0), True)


def _to_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Scale numbers so that `low` becomes 0 and `high` 255; what is not finite counts as 0."""
    if values.dtype == np.uint8:
        return values
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # floats near the end of their range
        scaled = (numbers / 2 - low / 2) / max(high / 2 - low / 2, 1e-300) * 255.0
    return np.clip(np.rint(np.nan_to_num(scaled)), 0, 255).astype(np.uint8)


def _open(source: Path | bytes, named: str) -> Image.Image:
    with opened(source, named) as image:
        raw_mode = _deep_colours(image)
        picture = _decode(image, named)
    if not raw_mode or np.asarray(picture).max() >= 128:
        return picture
    return _deep_picture(source, named, raw_mode)


# Pillow reads 16 bits of grey, but of 16-bit colours only the upper bytes: 12-bit data come out black. Each
# byte order has an unpacker that takes one of the two bytes, so the other order's gives the lower ones.


def _deep_colours(image: Image.Image) -> str:
    """How the file of an opened picture holds its numbers where these are opaque 16-bit colours, else ""."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0][3] if tiles else ""
    mode = arguments if isinstance(arguments, str) else (arguments or ("",))[0]
    return mode if mode in ("RGB;16L", "RGB;16B", "RGB;16N") else ""


def _deep_picture(source: Path | bytes, named: str, raw_mode: str) -> Image.Image:
    """A picture of 16-bit colours, stretched between the values that are present."""
    other = f"RGB;16{_SWAPPED[raw_mode[-1]]}"
    with opened(source, named) as image:
        upper_HW3 = np.asarray(_loaded(image, named), dtype=np.uint16)
    with opened(source, named) as image:
        image.tile = [_with_mode(tile, other) for tile in image.tile]  # type: ignore[attr-defined]
        lower_HW3 = np.asarray(_loaded(image, named), dtype=np.uint16)
    return _scaled(upper_HW3 * np.uint16(256) + lower_HW3, named)


def _with_mode(tile: Any, mode: str) -> Any:
    arguments = mode if isinstance(tile[3], str) else (mode, *tile[3][1:])
    return tile._replace(args=arguments)


def _from_array(pixels: NDArray[Any]) -> Image.Image:
    """Return an (H, W), (H, W, 1|3|4) array as a plain RGB picture; refuse any other."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not fits or pixels.size == 0 or pixels.dtype.kind not in "buif":
        raise UserError(
            f"An array of shape {pixels.shape} and type {pixels.dtype} is not a picture.",
            next_step="Pass (height, width, 3) numbers: uint8, uint16, or floats in 0..1.",
        )
    _check_size((pixels.shape[1], pixels.shape[0]), "The array")
    return _scaled(np.ascontiguousarray(pixels), "The array")


def picture_sha256(picture: Image.Image) -> str:
    """Digest of an RGB picture: "WxH:" and its bytes, row by row."""
    return hashlib.sha256(f"{picture.width}x{picture.height}:".encode() + picture.tobytes()).hexdigest()
