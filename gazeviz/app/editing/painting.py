"""Painting on masks: what each tool covers, computed on the small box that it touches.

Pure functions on numpy arrays, in picture pixels, (x, y) to the right and down; a pixel is covered when its
centre is. The same geometry as gazeviz.domain.region, but local: a dab costs its own area and not that of the
picture. Knows no region list, no undo and no mouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cover:
    """The pixels that a shape covers: bool inside a box of the picture, nothing outside.

    box_px: inside the picture; inside_HW has its size, and may be empty.
    """

    box_px: DirtyBox
    inside_HW: Mask

    @property
    def empty(self) -> bool:
        """Whether it covers no pixel."""
        return not self.inside_HW.any()


NOTHING = Cover((0, 0, 0, 0), np.zeros((0, 0), dtype=np.bool_))


def capsule(start_px: Point, end_px: Point, diameter_px: float, size_px: tuple[int, int]) -> Cover:
    """A round brush drawn along a straight line: all pixels within the radius of the line's points.

    Never less than the pixel under either end, however thin the brush.
    """
    radius = max(diameter_px, 1.0) / 2
    (xa, ya), (xb, yb) = start_px, end_px
    reach = (min(xa, xb) - radius, min(ya, yb) - radius, max(xa, xb) + radius, max(ya, yb) + radius)
    box = pixel_box(reach, size_px)
    if box is None:
        return NOTHING
    x_HW, y_HW = _centres(box)
    dx, dy = xb - xa, yb - ya
    length2 = dx * dx + dy * dy
    along = np.clip(((x_HW - xa) * dx + (y_HW - ya) * dy) / length2, 0.0, 1.0) if length2 else 0.0
    distance2 = (x_HW - xa - along * dx) ** 2 + (y_HW - ya - along * dy) ** 2
    inside = np.asarray(distance2 <= radius * radius)
    for x, y in (start_px, end_px):
        if box[0] <= x < box[2] and box[1] <= y < box[3]:
            inside[int(y) - box[1], int(x) - box[0]] = True
    return Cover(box, inside)


def rectangle(corner_px: Point, opposite_px: Point, size_px: tuple[int, int]) -> Cover:
    """The rectangle between two corners, in any order."""
    shape = _ordered(corner_px, opposite_px)
    box = pixel_box(shape, size_px)
    if box is None:
        return NOTHING
    x_HW, y_HW = _centres(box)
    inside = (shape[0] <= x_HW) & (x_HW < shape[2]) & (shape[1] <= y_HW) & (y_HW < shape[3])
    return Cover(box, np.asarray(inside))


def ellipse(corner_px: Point, opposite_px: Point, size_px: tuple[int, int]) -> Cover:
    """The ellipse that fills the rectangle between two corners."""
    x0, y0, x1, y1 = shape = _ordered(corner_px, opposite_px)
    box = pixel_box(shape, size_px)
    if box is None or x0 == x1 or y0 == y1:
        return NOTHING
    x_HW, y_HW = _centres(box)
    u, v = (2 * x_HW - x0 - x1) / (x1 - x0), (2 * y_HW - y0 - y1) / (y1 - y0)
    return Cover(box, np.asarray(u * u + v * v <= 1))


def polygon(points_px: Sequence[Point], size_px: tuple[int, int]) -> Cover:
    """The closed polygon through some points, even-odd where it crosses itself; UserError below three."""
    if len(points_px) < 3:
        raise UserError(
            "A polygon of fewer than three corners covers nothing.", next_step="Click at least three."
        )
    x, y = zip(*points_px, strict=True)
    box = pixel_box((min(x), min(y), max(x), max(y)), size_px)
    if box is None:
        return NOTHING
    x0, y0, x1, y1 = box
    moved = [(px - x0, py - y0) for px, py in points_px]
    try:
        return Cover(box, Region.polygon("polygon", moved, (x1 - x0, y1 - y0)).mask_HW)
    except UserError:  # a polygon without a pixel's centre covers nothing, which is no mistake here
        return NOTHING


def boxes(boxes_N4: NDArray[np.float64], size_px: tuple[int, int]) -> Cover:
    """The union of some cells x0, y0, x1, y1; those without a place (NaN) cover nothing."""
    placed_N4 = boxes_N4[~np.isnan(boxes_N4).any(axis=1)]
    if not len(placed_N4):
        return NOTHING
    low, high = placed_N4[:, :2].min(axis=0), placed_N4[:, 2:].max(axis=0)
    whole = pixel_box((float(low[0]), float(low[1]), float(high[0]), float(high[1])), size_px)
    if whole is None:
        return NOTHING
    inside = np.zeros((whole[3] - whole[1], whole[2] - whole[0]), dtype=np.bool_)
    for x0, y0, x1, y1 in placed_N4:
        part = rectangle((x0, y0), (x1, y1), size_px)
        px0, py0, px1, py1 = part.box_px
        if part.inside_HW.size:
            inside[py0 - whole[1] : py1 - whole[1], px0 - whole[0] : px1 - whole[0]] |= part.inside_HW
    return Cover(whole, inside)


def pixel_box(box_px: Box, size_px: tuple[int, int]) -> DirtyBox | None:
    """The whole pixels that a box touches, cut at the picture's edges; None where it lies outside."""
    width_px, height_px = size_px
    x0, y0 = max(0, int(np.floor(box_px[0]))), max(0, int(np.floor(box_px[1])))
    x1 = min(width_px, int(np.floor(box_px[2])) + 1)
    y1 = min(height_px, int(np.floor(box_px[3])) + 1)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def union(a: DirtyBox | None, b: DirtyBox | None) -> DirtyBox | None:
    """The smallest box around both; None stands for nothing."""
    if a is None or b is None:
        return a or b
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def flips(mask_HW: Mask, cover: Cover, erase: bool) -> Mask:
    """Which pixels of the cover's box change when it is painted or erased: bool, of the box's size."""
    x0, y0, x1, y1 = cover.box_px
    current = mask_HW[y0:y1, x0:x1]
    return np.asarray(cover.inside_HW & current if erase else cover.inside_HW & ~current)


def box_around(inside_HW: Mask) -> DirtyBox | None:
    """The smallest box around what is True, within the array; None where nothing is."""
    rows = np.flatnonzero(inside_HW.any(axis=1))
    if not rows.size:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(inside_HW[top:bottom].any(axis=0))
    return int(columns[0]), top, int(columns[-1]) + 1, bottom


def moved(mask_HW: Mask, right_px: int, down_px: int) -> Mask:
    """A mask with its pixels so much further, cut at the picture's edges."""
    moved_HW = np.zeros_like(mask_HW)
    height_px, width_px = mask_HW.shape
    x0, y0 = max(0, right_px), max(0, down_px)
    x1, y1 = min(width_px, width_px + right_px), min(height_px, height_px + down_px)
    if x0 < x1 and y0 < y1:
        moved_HW[y0:y1, x0:x1] = mask_HW[y0 - down_px : y1 - down_px, x0 - right_px : x1 - right_px]
    return moved_HW


@dataclass(frozen=True)
class Patch:
    """The pixels of a box that a finished stroke flipped, a bit each: applying it twice changes nothing."""

    box_px: DirtyBox
    bits: bytes

    @classmethod
    def of(cls, flipped_HW: Mask, box_px: DirtyBox) -> Patch:
        """Pack what was flipped inside a box; flipped_HW has the whole picture's size."""
        x0, y0, x1, y1 = box_px
        return cls(box_px, np.packbits(flipped_HW[y0:y1, x0:x1]).tobytes())

    def flip(self, mask_HW: Mask) -> None:
        """Flip these pixels of a mask, in place."""
        x0, y0, x1, y1 = self.box_px
        n_px = (x1 - x0) * (y1 - y0)
        flat = np.unpackbits(np.frombuffer(self.bits, dtype=np.uint8), count=n_px)
        mask_HW[y0:y1, x0:x1] ^= flat.reshape(y1 - y0, x1 - x0).view(np.bool_)


class Stroke:
    """One drag on one mask, painted as it goes.

    A stroke only paints or only erases, so that no pixel flips twice. It begins by being made; `extend` it as
    often as the mouse moves, then `commit` or `abort`.
    """

    def __init__(self, mask_HW: Mask, *, erase: bool = False) -> None:
        self._mask_HW = mask_HW
        self._erase = erase
        # Zeroed pages cost nothing until they are written to, whatever the picture's size.
        self._flipped_HW = np.zeros(mask_HW.shape, dtype=np.bool_)
        self._box: DirtyBox | None = None

    @property
    def dirty_box_px(self) -> DirtyBox | None:
        """All that has changed so far; None while nothing has."""
        return self._box

    def extend(self, cover: Cover) -> DirtyBox | None:
        """Paint or erase what is covered; returns the box that has changed, None where nothing has."""
        changed = flips(self._mask_HW, cover, self._erase)
        trimmed = box_around(changed)
        if trimmed is None:
            return None
        (px0, py0, px1, py1), (x, y) = trimmed, cover.box_px[:2]
        box = (x + px0, y + py0, x + px1, y + py1)
        x0, y0, x1, y1 = box
        part = changed[py0:py1, px0:px1]
        self._mask_HW[y0:y1, x0:x1] ^= part
        self._flipped_HW[y0:y1, x0:x1] |= part
        self._box = union(self._box, box)
        return box

    def commit(self) -> Patch | None:
        """What was flipped, in the smallest box around it; None where nothing was."""
        return None if self._box is None else Patch.of(self._flipped_HW, self._box)

    def abort(self) -> DirtyBox | None:
        """Take everything back; returns the box that has changed."""
        if self._box is not None:
            x0, y0, x1, y1 = self._box
            self._mask_HW[y0:y1, x0:x1] ^= self._flipped_HW[y0:y1, x0:x1]
        box, self._box = self._box, None
        return box


def _centres(box: DirtyBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel centres of a box, as a row of x and a column of y."""
    x0, y0, x1, y1 = box
    return np.arange(x0 + 0.5, x1)[None, :], np.arange(y0 + 0.5, y1)[:, None]


def _ordered(a: Point, b: Point) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])
