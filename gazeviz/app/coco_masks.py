"""COCO's ways to write a mask: polygons, run lengths, and run lengths packed into a text.

Run lengths count pixels column by column, alternately outside and inside, beginning outside. In the packed
form each number (from the fourth on: its difference to the one before the last) is written in groups of five
bits, lowest first, as characters from "0" on; a group's sixth bit says that more follow, and the fifth bit of
the last group is the sign (the format of the COCO API's mask module, cocodataset.org).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.region import Region

_FIRST_CHARACTER: Final = 48
_GROUP_BITS: Final = 5


def run_lengths(mask_HW: NDArray[np.bool_]) -> list[int]:
    """Return a mask's run lengths, unpacked."""
    flat = np.concatenate([[False], mask_HW.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff(np.concatenate([[0], changes, [mask_HW.size]]))]


def unpacked(text: str) -> list[int]:
    """Return the run lengths that a packed text holds; ValueError for a text that is cut short."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - _FIRST_CHARACTER
        if not 0 <= group < 64:
            raise ValueError(f"{character!r} is no character of packed run lengths")
        value |= (group & 0x1F) << shift
        shift += _GROUP_BITS
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("packed run lengths that are cut short")
    return runs


def mask_of_runs(runs: Sequence[int], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of run lengths, bool (H, W); ValueError where they do not fill the picture."""
    width_px, height_px = size_px
    lengths = np.asarray(runs, dtype=np.int64)
    if (lengths < 0).any() or lengths.sum() != width_px * height_px:
        raise ValueError("run lengths that do not fill the picture")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(flat.reshape(width_px, height_px).T)


def mask_of_segmentation(annotation: Mapping[str, Any], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what an annotation covers: its run lengths, its polygons together, or else its box.

    Raises KeyError, TypeError and ValueError for what is none of these, and UserError for an empty polygon.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        height_px, width_px = segmentation["size"]
        if (width_px, height_px) != size_px:
            raise ValueError("run lengths of a picture of another size")
        counts = segmentation["counts"]
        return mask_of_runs(unpacked(counts) if isinstance(counts, str) else counts, size_px)
    if not segmentation:
        x, y, width, height = (float(value) for value in annotation["bbox"])
        return Region.box("annotation", (x, y, x + width, y + height), size_px).mask_HW
    mask_HW = np.zeros(size_px[::-1], dtype=np.bool_)
    for flat in segmentation:
        points = np.asarray(flat, dtype=np.float64).reshape(-1, 2).tolist()
        mask_HW |= Region.polygon("annotation", [(x, y) for x, y in points], size_px).mask_HW
    return mask_HW
