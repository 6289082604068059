"""What reading a file of regions gives: its regions, and what was left out and why.

One bad shape costs itself alone. Shapes are limited in number and size before anything is made of them.
Knows no file format.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.outlines import FARTHEST_PX, ShapePatch, Size
from gazeviz.domain.region import Region, region_colour
from gazeviz.errors import UserError

MOST_REGIONS: Final = 1000
MOST_SHAPES: Final = 10_000
MOST_MASK_BYTES: Final = 1_000_000_000
"""Of the masks of one file's regions, a byte for each pixel of the picture."""
MOST_WORK_PX: Final = 2_000_000_000
"""Pixels of the boxes around all shapes of one file: some seconds of work."""
_LONGEST_NAME: Final = 120
_LONGEST_WHY: Final = 300
_NAMED_SINGLY: Final = 200


@dataclass(frozen=True)
class LeftOut:
    """A shape that was not read, and why, as half a sentence."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"“{self.name}” ({self.why})"


@dataclass(frozen=True)
class FoundRegions:
    """The regions of one or more files."""

    regions: tuple[Region, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __add__(self, other: FoundRegions) -> FoundRegions:
        return FoundRegions(self.regions + other.regions, self.left_out + other.left_out)

    def needed(self, file_name: str) -> FoundRegions:
        """Return it where it holds a region; UserError where it holds none."""
        if self.regions:
            return self
        why = f": {self.left_out_text}" if self.left_out else ""
        raise UserError(
            f"{file_name} holds no region of this picture{why}.",
            next_step="Choose another file, or paint them.",
        )

    @property
    def left_out_text(self) -> str:
        """What was left out, named up to some length; "" for nothing."""
        if not self.left_out:
            return ""
        first = ", ".join(map(str, self.left_out[:3]))
        more = len(self.left_out) - 3
        return f"left out: {first}" + (f" and {more} more" if more > 0 else "")


class ShapeFault(ValueError):  # noqa: N818 - like the other faults here
    """Why a shape cannot be read, as half a sentence."""


Watch: TypeAlias = Callable[[int, int], object]
"""Hears how many shapes of how many were looked at; what it raises, as `Cancelled`, stops the reading."""


def unwatched(done: int, total: int) -> None:
    """Nobody looks on."""


class Finds:
    """Collects the shapes of one file; shapes of one key become one region.

    total: how many shapes the file has, for `watch`.
    """

    def __init__(self, size_px: Size, watch: Watch = unwatched, total: int = 0) -> None:
        self.size_px = size_px
        self._watch, self._total = watch, total
        self._most = max(8, min(MOST_REGIONS, MOST_MASK_BYTES // max(1, size_px[0] * size_px[1])))
        self._masks: dict[Hashable, NDArray[np.bool_]] = {}
        self._looks: dict[Hashable, tuple[str, object]] = {}
        self._left_out: list[LeftOut] = []
        self._n_beyond = self._n_shapes = self._work_px = 0

    def shape(
        self, name: object, read: Callable[[], list[ShapePatch]], key: Hashable = None, colour: object = None
    ) -> None:
        """Add what `read` returns under a name, or note why it cannot be read.

        key: of the region that it belongs to; None for one of its own.
        """
        named = plain_name(name)
        self._n_shapes += 1
        self._watch(self._n_shapes, max(self._total, self._n_shapes))
        key = ("shape", self._n_shapes) if key is None else key
        if self._is_too_much(key):
            self._n_beyond += 1
            return
        try:
            patches = read()
            if not any(patch.inside_HW.any() for patch in patches):
                raise ShapeFault("no pixel of the picture lies in it")
        except ShapeFault as fault:
            self.leave_out(named, str(fault))
        except UserError as error:
            self.leave_out(named, error.sentence.rstrip("."))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, OSError):
            self.leave_out(named, "it is damaged")
        else:
            self._paint(key, named, colour, patches)

    def leave_out(self, name: object, why: str) -> None:
        """Note what is not read."""
        self._left_out.append(LeftOut(plain_name(name), _plain(why, _LONGEST_WHY)))

    def found(self) -> FoundRegions:
        """Return all regions, each in a colour, and what was left out."""
        regions = []
        for number, key in enumerate(list(self._masks)):
            mask_HW = self._masks.pop(key)  # the region has a copy: never two of all of them
            name, colour = self._looks[key]
            known = isinstance(colour, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", colour) is not None
            regions.append(Region(name, mask_HW, str(colour) if known else region_colour(number)))
        left_out = self._left_out[:_NAMED_SINGLY]
        if len(self._left_out) > _NAMED_SINGLY:
            more = len(self._left_out) - _NAMED_SINGLY
            left_out.append(LeftOut(f"{more} more", "for reasons like these"))
        if self._n_beyond:
            why = f"a picture of this size takes {self._most} regions of {MOST_SHAPES:,} shapes at most"
            left_out.append(LeftOut(f"{self._n_beyond:,} more", why))
        return FoundRegions(tuple(regions), tuple(left_out))

    def _is_too_much(self, key: Hashable) -> bool:
        full = key not in self._masks and len(self._masks) >= self._most
        return full or self._n_shapes > MOST_SHAPES or self._work_px > MOST_WORK_PX

    def _paint(self, key: Hashable, name: str, colour: object, patches: list[ShapePatch]) -> None:
        if key not in self._masks:
            self._masks[key] = np.zeros(self.size_px[::-1], dtype=np.bool_)
            self._looks[key] = name, colour
        for patch in patches:
            self._work_px += patch.inside_HW.size
            patch.paint(self._masks[key])


def plain_name(value: object) -> str:
    """A name as one short line of text, whatever a file holds in its place."""
    text = str(value) if isinstance(value, str | int | float) else ""
    return _plain(text, _LONGEST_NAME) or "Region"


def _plain(text: str, longest: int) -> str:
    """A text without what moves a terminal or cannot be encoded, on one line."""
    text = text[: 10 * longest]
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") else sign for sign in text)
    return " ".join(kept.split())[:longest]


def points_of(value: Any) -> NDArray[np.float64]:
    """Points as [[x, y], ...] or [x, y, x, y, ...] as float64 (N, 2); ShapeFault for what is none."""
    try:
        points = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ShapeFault("its points are not numbers") from None
    if points.ndim == 1 and points.size % 2 == 0:
        points = points.reshape(-1, 2)
    if points.ndim != 2 or points.shape[1] < 2:
        raise ShapeFault("its points are not pairs of numbers")
    if not (np.abs(points[:, :2]) <= FARTHEST_PX).all():  # also false for NaN
        raise ShapeFault("its points are not finite, or far outside the picture")
    return np.ascontiguousarray(points[:, :2])


def whole_number(value: object) -> int | None:
    """A count that a file gives as a number or as text; None where it gives none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    return None


def check_size(file_name: str, width: object, height: object, size_px: Size) -> None:
    """Refuse a file of a picture of another size; one that does not say belongs to the picture there is."""
    found = whole_number(width), whole_number(height)
    for one, there in zip(found, size_px, strict=True):
        if one is not None and one != there:
            text = " x ".join("?" if number is None else str(number) for number in found)
            raise UserError(
                f"{file_name} belongs to a picture of {text} px, "
                f"this one has {size_px[0]} x {size_px[1]} px.",
                next_step="Open the picture that it belongs to.",
            )
