"""Regions: named sets of pixels that a person painted or a layout gave.

Boxes and points are (x, y) in picture pixels, x to the right and y down, and a pixel belongs to a shape
when its centre does.  A region does not know the model: which image tokens it selects is the token
grid's question (domain.grid).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gazeviz.domain.arrays import read_only
from gazeviz.domain.outlines import (
    FARTHEST_PX,
    MOST_CROSSINGS,
    ShapePatch,
    box_patch,
    ellipse_patch,
    filled_runs,
    polygon_patch,
)
from gazeviz.errors import UserError

# Okabe and Ito's colour-blind-safe palette (jfly.uni-koeln.de/color), blue first, grey last.
REGION_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#F0E442",
    "#999999",
)

Box = tuple[float, float, float, float]  # x0, y0, x1, y1


def region_colour(number: int) -> str:
    """Return the colour of region `number`, counted from 0; after the last colour they start again."""
    return REGION_COLOURS[number % len(REGION_COLOURS)]


@dataclass(frozen=True, eq=False)
class Region:
    """A named, non-empty set of pixels; equal when name, colour and pixels are.

    mask_HW: bool (H, W) of the whole picture, read-only, True inside.
    colour: "#RRGGBB", or None when nobody has chosen one.
    Raises UserError when the mask holds no pixel.
    """

    name: str
    mask_HW: NDArray[np.bool_]
    colour: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask_HW", read_only(self.mask_HW, np.bool_, "HW"))
        if not self.mask_HW.any():
            raise UserError(
                f"The region “{self.name}” holds no pixel of the picture.",
                next_step="Paint or draw it inside the picture, at least one pixel large.",
            )

    @classmethod
    def whole(cls, size_px: tuple[int, int], name: str = "Whole picture") -> Region:
        """Build the region of all pixels; size_px: width and height of the picture."""
        return cls.box(name, (0, 0, *size_px), size_px)

    @classmethod
    def box(cls, name: str, box_px: Box, size_px: tuple[int, int], colour: str | None = None) -> Region:
        """Build the rectangle x0, y0, x1, y1 (corners in any order), cut at the picture's edges.

        size_px: width and height of the picture.
        Raises UserError for coordinates that are not finite, or when no pixel is inside.
        """
        return cls(name, box_patch(*_ordered_box(name, box_px), size_px).on(size_px), colour)

    @classmethod
    def ellipse(cls, name: str, box_px: Box, size_px: tuple[int, int], colour: str | None = None) -> Region:
        """Build the ellipse that fills the box x0, y0, x1, y1; otherwise as `box`."""
        return cls(name, ellipse_patch(*_ordered_box(name, box_px), size_px).on(size_px), colour)

    @classmethod
    def polygon(
        cls,
        name: str,
        points_px: Iterable[tuple[float, float]],
        size_px: tuple[int, int],
        colour: str | None = None,
    ) -> Region:
        """Build the closed polygon through (x, y) points; where it crosses itself, even-odd decides.

        Raises UserError for fewer than three points, points that are not finite, or no pixel inside.
        """
        points_N2 = np.array([(x, y) for x, y in points_px], dtype=np.float64).reshape(-1, 2)
        return cls(name, polygon_of(name, points_N2, size_px).on(size_px), colour)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        if (self.name, self.colour) != (other.name, other.colour):
            return False
        return self is other or np.array_equal(self.mask_HW, other.mask_HW)

    def __hash__(self) -> int:
        return hash((self.name, self.colour, self.size_px, self.area_px))

    def __repr__(self) -> str:
        return f"Region({self.name!r}, {self.area_px} px in {self.box_px}, colour={self.colour!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return region_from_bits, self.packed()

    def packed(self) -> tuple[str, tuple[int, int], tuple[int, int, int, int], bytes, str | None]:
        """Return name, (height, width), box, one bit for each pixel of the box, and colour.

        A target crosses a pipe while heads wait for it; `region_from_bits` is the way back.
        """
        x0, y0, x1, y1 = self.box_px
        bits = np.packbits(self.mask_HW[y0:y1, x0:x1]).tobytes()
        height_px, width_px = self.mask_HW.shape
        return self.name, (height_px, width_px), self.box_px, bits, self.colour

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture that the region belongs to."""
        height_px, width_px = self.mask_HW.shape
        return width_px, height_px

    @cached_property
    def area_px(self) -> int:
        """Number of pixels inside."""
        return int(np.count_nonzero(self.mask_HW))

    @cached_property
    def box_px(self) -> tuple[int, int, int, int]:
        """The smallest box x0, y0, x1, y1 around the pixels; x1 and y1 lie just outside."""
        y = np.flatnonzero(self.mask_HW.any(axis=1))
        y0, y1 = int(y[0]), int(y[-1]) + 1
        x = np.flatnonzero(self.mask_HW[y0:y1].any(axis=0))
        return int(x[0]), y0, int(x[-1]) + 1, y1

    @cached_property
    def sha256(self) -> str:
        """Hex digest of size and pixels; name and colour do not count."""
        shape = f"{self.mask_HW.shape}".encode()
        return hashlib.sha256(shape + np.packbits(self.mask_HW).tobytes()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return name, colour, size and the mask as run lengths.

        "runs" counts pixels row by row, alternately outside and inside, beginning outside.
        """
        flat = np.concatenate([[False], self.mask_HW.ravel()])
        changes = np.flatnonzero(flat[1:] != flat[:-1])
        runs = np.diff(np.concatenate([[0], changes, [self.mask_HW.size]]))
        return {
            "name": self.name,
            "colour": self.colour,
            "size_px": list(self.size_px),
            "runs": [int(run) for run in runs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Region:
        """Rebuild a region from `to_json()`."""
        width_px, height_px = data["size_px"]
        flat = filled_runs(data["runs"], width_px * height_px)
        return cls(data["name"], flat.reshape(height_px, width_px), data["colour"])


def polygon_of(name: str, points_N2: NDArray[np.float64], size_px: tuple[int, int]) -> ShapePatch:
    """Return what a polygon covers; UserErrors of `Region.polygon`, and for one of too many long edges."""
    if len(points_N2) < 3 or not (np.abs(points_N2) <= FARTHEST_PX).all():  # also false for NaN
        raise UserError(
            f"The region “{name}” is no polygon: it needs three points or more, all finite.",
            next_step="Click at least three corners.",
        )
    try:
        return polygon_patch(points_N2, size_px)
    except ValueError as error:
        raise UserError(
            f"The region “{name}” is too intricate: its edges cross more than {MOST_CROSSINGS:,} rows.",
            next_step="Simplify it, or save it as a mask.",
        ) from error


def region_from_bits(
    name: str, shape_HW: tuple[int, int], box_px: tuple[int, int, int, int], bits: bytes, colour: str | None
) -> Region:
    """Rebuild a region from `Region.packed`."""
    x0, y0, x1, y1 = box_px
    shape_box = (y1 - y0, x1 - x0)
    flat = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=shape_box[0] * shape_box[1])
    mask_HW = np.zeros(shape_HW, dtype=np.bool_)
    mask_HW[y0:y1, x0:x1] = flat.reshape(shape_box)
    return Region(name, mask_HW, colour)


def _ordered_box(name: str, box_px: ArrayLike) -> Box:
    box = np.asarray(box_px, dtype=np.float64)
    if box.shape != (4,) or not (np.abs(box) <= FARTHEST_PX).all():  # also false for NaN
        raise UserError(
            f"The region “{name}” has no usable box.",
            next_step="Give four finite numbers in picture pixels: x0, y0, x1, y1.",
        )
    (x0, x1), (y0, y1) = sorted(box[[0, 2]].tolist()), sorted(box[[1, 3]].tolist())
    return x0, y0, x1, y1
