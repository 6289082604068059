"""Mask pictures: which pixels they mean, and how many regions they hold.

One reader for the window and the command line. Inside is what is opaque, where there is transparency, and
else what is not the ground: white on black, 1 on 0, or several labels, of which each is a region.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.app.editing.found_regions import (
    Finds,
    FoundRegions,
    Watch,
    check_size,
    unwatched,
)
from gazeviz.domain.outlines import ShapePatch, Size
from gazeviz.imaging import WIDE_MODES, upright

_MOST_LABELS: Final = 256
_DARK: Final = 128
"""Values below this are labels, however small their areas: white would not be among them."""
_MOST_BLURRED: Final = 0.1
"""Of a picture's pixels: how many may lie between its labels, on blurred edges."""


def read_mask(path: Path, size_px: Size, watch: Watch = unwatched) -> FoundRegions:
    """Read the region, or for each label a region, of a mask picture; none where it is black all over.

    UserErrors for what is no picture and for another size.
    """
    image = upright(path)
    check_size(path.name, *image.size, size_px)
    name = re.sub(r"^\d+\s+", "", path.stem) or path.stem
    inside = labels_of(image)
    finds = Finds(size_px, watch)
    for label, mask_HW in inside.items():
        named = name if len(inside) == 1 else f"{name} {label}"
        finds.shape(named, lambda mask_HW=mask_HW: [ShapePatch(0, 0, mask_HW)])  # type: ignore[misc]
    return finds.found()


def labels_of(image: Image.Image) -> dict[str, NDArray[np.bool_]]:
    """What a decoded mask covers, bool (H, W) by label: {"": mask} for a mask of one region.

    Nothing where it covers nothing.
    """
    codes_HW, names = _codes(image)
    visible_HW = _visible(image)
    if visible_HW is not None:
        return _of_visible(codes_HW, visible_HW, names)
    found = _labels(codes_HW, names, None)
    return {label: mask_HW for label, mask_HW in found.items() if mask_HW.any()}


def _visible(image: Image.Image) -> NDArray[np.bool_] | None:
    """Where a picture is opaque; None where its transparency is the same all over and says nothing."""
    if not ("A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info):
        return None
    if image.mode in WIDE_MODES:
        return None
    alpha_HW = np.asarray(image.convert("RGBA").getchannel("A"))
    low, high = int(alpha_HW.min()), int(alpha_HW.max())
    if low == high:
        return None if high > 0 else alpha_HW > 0
    return alpha_HW > (127 if high > 127 else 0)


def _codes(image: Image.Image) -> tuple[NDArray[Any], bool]:
    """A number for each pixel, 0 for black; and whether these are colours (0xRRGGBB) rather than greys."""
    if image.mode in WIDE_MODES:
        values = np.asarray(image)
        return (np.nan_to_num(values) if values.dtype.kind == "f" else values), False
    rgb = np.asarray(image.convert("RGBA").convert("RGB"))
    red, green, blue = (rgb[:, :, channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red, False
    return (red.astype(np.int32) << 16) | (green.astype(np.int32) << 8) | blue, True


def _of_visible(
    codes_HW: NDArray[Any], visible_HW: NDArray[np.bool_], colours: bool
) -> dict[str, NDArray[np.bool_]]:
    """Of a picture on clear ground: what can be seen, by its colours where these are few and plain."""
    if not visible_HW.any():
        return {}
    found = _labels(np.where(visible_HW, codes_HW, -1), colours, visible_HW)
    return found if len(found) > 1 else {"": visible_HW}


def _labels(
    codes_HW: NDArray[Any], colours: bool, visible_HW: NDArray[np.bool_] | None
) -> dict[str, NDArray[np.bool_]]:
    """The labels of a mask, or the one thing that is brighter than its ground."""
    present, counts = _values(codes_HW)
    ground = -1 if visible_HW is not None else _ground(present, colours)
    labels = [value for value in present.tolist() if value != ground]
    if visible_HW is None and len(present) <= 2:
        return {"": codes_HW == (labels[-1] if labels else 0)} if labels or ground != 0 else {}
    if set(labels) == {0, 0xFFFFFF if colours else 255}:  # white on black, on clear: a mask with a margin
        return {"": codes_HW == labels[-1]}
    if not colours and visible_HW is None and present[-1] < _DARK and len(labels) <= _MOST_LABELS:
        return {_label(value, colours): codes_HW == value for value in labels}
    firm = _firm(codes_HW, present, counts)
    n_firm = int(sum(counts[present == value].sum() for value in firm))
    firm = [value for value in firm if value != ground]
    if 1 < len(firm) <= _MOST_LABELS and n_firm >= (1 - _MOST_BLURRED) * codes_HW.size:
        return {_label(value, colours): codes_HW == value for value in firm}
    if visible_HW is not None:
        return {"": visible_HW}
    return {"": _bright(codes_HW, colours)}


def _ground(present: NDArray[Any], colours: bool) -> float:
    """The value of what belongs to no region: black, or else white behind colours, or the darkest."""
    if present[0] == 0 or len(present) == 1:
        return 0
    return 0xFFFFFF if colours and present[-1] == 0xFFFFFF else float(present[0])


def _values(codes_HW: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The values present, ascending, and how often each is."""
    if codes_HW.dtype.kind in "ui" and codes_HW.min() >= 0 and codes_HW.max() < 1 << 24:
        counts = np.bincount(codes_HW.ravel())
        present = np.flatnonzero(counts)
        return present, counts[present]
    present, counts = np.unique(codes_HW, return_counts=True)
    return present, counts


def _firm(codes_HW: NDArray[Any], present: NDArray[Any], counts: NDArray[np.int64]) -> list[Any]:
    """The values that fill some square of 3 x 3 pixels: those of blurred edges do not."""
    if min(codes_HW.shape) < 3 or len(present) > 1 << 16:
        return []
    same = np.ones((codes_HW.shape[0] - 2, codes_HW.shape[1] - 2), dtype=np.bool_)
    middle = codes_HW[1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            same &= codes_HW[dy : dy + same.shape[0], dx : dx + same.shape[1]] == middle
    firm = set(_values(middle[same])[0].tolist()) if same.any() else set()
    # Areas thinner than three pixels count where they are as large as no edge of another can be.
    return [value for value in present.tolist() if value in firm]


def _bright(codes_HW: NDArray[Any], colours: bool) -> NDArray[np.bool_]:
    """What is brighter than the middle of the range of values."""
    if colours:
        channels = [codes_HW >> 16, (codes_HW >> 8) & 255, codes_HW & 255]
        return np.asarray(np.max(channels, axis=0) > 127)
    if codes_HW.dtype == np.uint8 and codes_HW.max() > 127:
        return np.asarray(codes_HW > 127)
    return np.asarray(codes_HW > (float(codes_HW.min()) + float(codes_HW.max())) / 2)


def _label(value: float, colours: bool) -> str:
    return f"#{int(value):06x}" if colours else f"{value:g}"
