"""What boxes, ellipses, polygons and run lengths cover: a patch of pixels at its place in a picture.

Work and memory go with the patch, not with the picture, and are limited before an array is made: what comes
from a file may name any number. Knows no region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Size: TypeAlias = tuple[int, int]

FARTHEST_PX: Final = 1e9
"""A coordinate beyond this is no place in any picture, and its square would not fit."""
MOST_CROSSINGS: Final = 15_000_000
"""How many rows the edges of one polygon may cross, all edges together."""
_BAND_CELLS: Final = 8_000_000
_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class ShapePatch:
    """What a shape covers: `inside_HW`, bool, with its corner at x0, y0 of the picture.

    It lies within the picture, and may be empty.
    """

    x0: int
    y0: int
    inside_HW: NDArray[np.bool_]

    def paint(self, mask_HW: NDArray[np.bool_]) -> None:
        """Add the patch to a mask of the picture, in place."""
        height, width = self.inside_HW.shape
        mask_HW[self.y0 : self.y0 + height, self.x0 : self.x0 + width] |= self.inside_HW

    def on(self, size_px: Size) -> NDArray[np.bool_]:
        """The mask of the whole picture, bool (H, W)."""
        mask_HW = np.zeros(size_px[::-1], dtype=np.bool_)
        self.paint(mask_HW)
        return mask_HW


def box_patch(x0: float, y0: float, x1: float, y1: float, size_px: Size) -> ShapePatch:
    """Cover the pixels whose centres lie in a box, ordered and finite, cut at the picture's edges."""
    left, right = _span(x0, x1, size_px[0])
    top, bottom = _span(y0, y1, size_px[1])
    return ShapePatch(left, top, np.ones((bottom - top, right - left), dtype=np.bool_))


def ellipse_patch(x0: float, y0: float, x1: float, y1: float, size_px: Size) -> ShapePatch:
    """Cover the ellipse that fills a box, ordered and finite, cut at the picture's edges."""
    # The whole picture's columns and rows next to the box belong to it where the edge meets their centres.
    left, right = _span(x0 - 1, x1 + 1, size_px[0])
    top, bottom = _span(y0 - 1, y1 + 1, size_px[1])
    # ((x - cx) / rx)² + ((y - cy) / ry)² <= 1, with the radii multiplied out so that none divides.
    x_W = 2 * np.arange(left + 0.5, right) - (x0 + x1)
    y_H = 2 * np.arange(top + 0.5, bottom) - (y0 + y1)
    width, height = x1 - x0, y1 - y0
    inside_HW = np.zeros((len(y_H), len(x_W)), dtype=np.bool_)
    rows = max(1, _BAND_CELLS // (len(x_W) + 1))
    for begin in range(0, 0 if width == 0 or height == 0 else len(y_H), rows):
        band = slice(begin, begin + rows)
        distance_HW = (x_W * height)[None, :] ** 2 + (y_H[band] * width)[:, None] ** 2
        inside_HW[band] = distance_HW <= (width * height) ** 2
    return ShapePatch(left, top, inside_HW)


def polygon_patch(points_N2: NDArray[np.float64], size_px: Size) -> ShapePatch:
    """Cover a closed polygon; where it crosses itself, even-odd decides.

    points_N2: float64 (N, 2), x and y, finite and within `FARTHEST_PX`.
    Raises ValueError where its edges cross more than `MOST_CROSSINGS` rows.
    """
    left, right = _span(float(points_N2[:, 0].min()) - 1, float(points_N2[:, 0].max()) + 1, size_px[0])
    top, bottom = _span(float(points_N2[:, 1].min()) - 1, float(points_N2[:, 1].max()) + 1, size_px[1])
    edges_N4 = np.hstack([points_N2, np.roll(points_N2, -1, axis=0)])
    y_N2 = np.clip(np.ceil(np.sort(edges_N4[:, [1, 3]], axis=1) - 0.5), top, bottom).astype(np.int64)
    kept_N = y_N2[:, 0] < y_N2[:, 1]
    edges_N4, y_N2 = edges_N4[kept_N], y_N2[kept_N]
    if int((y_N2[:, 1] - y_N2[:, 0]).sum()) > MOST_CROSSINGS:
        raise ValueError("a polygon whose edges cross too many rows")
    inside_HW = np.zeros((bottom - top, max(right - left, 0)), dtype=np.bool_)
    rows = max(1, _BAND_CELLS // (right - left + 1))
    for begin in range(top, bottom, rows):
        end = min(begin + rows, bottom)
        _fill_band(inside_HW[begin - top : end - top], edges_N4, y_N2, begin, left)
    return ShapePatch(left, top, inside_HW)


def _fill_band(
    inside_HW: NDArray[np.bool_],
    edges_N4: NDArray[np.float64],
    y_N2: NDArray[np.int64],
    begin: int,
    left: int,
) -> None:
    """Fill rows from `begin` on: each edge flips every pixel to its right, an odd number is inside."""
    height, width = inside_HW.shape
    low_N = np.maximum(y_N2[:, 0], begin)
    counts_N = np.clip(np.minimum(y_N2[:, 1], begin + height) - low_N, 0, None)
    flips = np.zeros(height * (width + 1), dtype=np.int64)
    ends_N = np.cumsum(counts_N)
    at = 0
    while at < len(counts_N):
        done = int(ends_N[at - 1]) if at else 0
        until = max(at + 1, int(np.searchsorted(ends_N, done + _AT_ONCE, side="right")))
        part = slice(at, until)
        edge = np.repeat(np.arange(at, until), counts_N[part])
        first = np.repeat(ends_N[part] - counts_N[part] - done, counts_N[part])
        row = low_N[edge] + np.arange(len(edge)) - first
        xa, ya, xb, yb = edges_N4[edge].T
        crossing = xa + (row + 0.5 - ya) * (xb - xa) / (yb - ya)
        column = np.clip(np.ceil(crossing - 0.5) - left, 0, width).astype(np.int64)
        flips += np.bincount((row - begin) * (width + 1) + column, minlength=flips.size)
        at = until
    odd_HW = (flips & 1).astype(np.uint8).reshape(height, width + 1)[:, :width]
    inside_HW[:] = np.bitwise_xor.accumulate(odd_HW, axis=1) == 1


def filled_runs(runs: Sequence[Any], n_px: int) -> NDArray[np.bool_]:
    """Return what run lengths say of `n_px` pixels: alternately outside and inside, beginning outside.

    Checked as Python's integers, which do not overflow: a sum that wraps around passes for another.
    Raises ValueError for what is no whole number, is negative, or does not fill the picture to the pixel.
    """
    if not all(kind in (int, float) for kind in set(map(type, runs))):
        raise ValueError("run lengths that are no numbers")
    whole = [run if type(run) is int else _whole(run) for run in runs]
    if not whole or min(whole) < 0 or sum(whole) != n_px:
        raise ValueError("run lengths that do not fill the picture")
    lengths = np.asarray(whole, dtype=np.int64)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def _whole(value: float) -> int:
    if not value.is_integer():
        raise ValueError("run lengths that are no whole numbers")
    return int(value)


def _span(low: float, high: float, n: int) -> tuple[int, int]:
    """First and last + 1 of the pixels 0 .. n-1 whose centres lie in [low, high)."""
    first = int(np.clip(np.ceil(low - 0.5), 0, n))
    return first, max(first, int(np.clip(np.ceil(high - 0.5), 0, n)))
