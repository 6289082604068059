"""The picture's regions while they are edited: an ordered list, each with a mask that is painted in place.

Only undo commands and a stroke in progress change them; everyone else reads. Knows no screen and no model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.region import Region, region_colour


@dataclass(frozen=True)
class RegionLook:
    """What a region is called and how it is shown. locked: it cannot be painted, removed or renamed."""

    name: str
    colour: str
    visible: bool = True
    locked: bool = False


@dataclass(eq=False)
class EditableRegion:
    """A region that can be painted.

    mask_HW: bool (H, W), writable, shared with whoever shows it.
    panel_box_px: the panel that it was made from, None for a painted one.
    revision: counts changes of the mask.
    """

    id: int
    look: RegionLook
    mask_HW: NDArray[np.bool_]
    panel_box_px: DirtyBox | None = None
    revision: int = 0
    _frozen: tuple[int, RegionLook, Region] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.look.name

    @property
    def colour(self) -> str:
        """As "#RRGGBB"."""
        return self.look.colour

    @property
    def visible(self) -> bool:
        """Whether it is drawn."""
        return self.look.visible

    @property
    def locked(self) -> bool:
        """Whether it is protected from changes."""
        return self.look.locked

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture it belongs to."""
        height_px, width_px = self.mask_HW.shape
        return width_px, height_px

    @property
    def empty(self) -> bool:
        """Whether nothing is painted."""
        return not self.mask_HW.any()

    @property
    def untouched_panel(self) -> bool:
        """Whether it is still exactly the panel that a layout made."""
        if self.panel_box_px is None:
            return False
        x0, y0, x1, y1 = self.panel_box_px
        inside = int(np.count_nonzero(self.mask_HW[y0:y1, x0:x1]))
        return inside == (x1 - x0) * (y1 - y0) == int(np.count_nonzero(self.mask_HW))

    def as_region(self) -> Region:
        """A frozen copy; UserError while nothing is painted."""
        if self._frozen is None or self._frozen[:2] != (self.revision, self.look):
            self._frozen = self.revision, self.look, Region(self.name, self.mask_HW, self.colour)
        return self._frozen[2]

    def contains(self, x_px: float, y_px: float) -> bool:
        """Whether a point of the picture is inside."""
        height_px, width_px = self.mask_HW.shape
        if not (0 <= x_px < width_px and 0 <= y_px < height_px):
            return False
        return bool(self.mask_HW[int(y_px), int(x_px)])


@dataclass(frozen=True)
class PackedRegion:
    """A region put aside, a bit for each pixel."""

    id: int
    look: RegionLook
    shape_HW: tuple[int, int]
    bits: bytes = field(repr=False)
    panel_box_px: DirtyBox | None = None

    @classmethod
    def of(cls, region: EditableRegion) -> PackedRegion:
        height_px, width_px = region.mask_HW.shape
        bits = np.packbits(region.mask_HW).tobytes()
        return cls(region.id, region.look, (height_px, width_px), bits, region.panel_box_px)

    def unpack(self) -> EditableRegion:
        """The region again, with its own id and a mask of its own."""
        n_px = self.shape_HW[0] * self.shape_HW[1]
        flat = np.unpackbits(np.frombuffer(self.bits, dtype=np.uint8), count=n_px)
        mask_HW = flat.reshape(self.shape_HW).view(np.bool_)
        return EditableRegion(self.id, self.look, mask_HW, self.panel_box_px)


class RegionList:
    """Regions in the order of the list; the first is number 1, and later ones lie on top."""

    def __init__(self) -> None:
        self._regions: list[EditableRegion] = []
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._regions)

    def __iter__(self) -> Iterator[EditableRegion]:
        return iter(tuple(self._regions))

    def __contains__(self, region_id: object) -> bool:
        return any(region.id == region_id for region in self._regions)

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all regions, in order."""
        return tuple(region.id for region in self._regions)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all regions, in order."""
        return tuple(region.name for region in self._regions)

    def get(self, region_id: int | None) -> EditableRegion | None:
        """The region of an id, None where there is none."""
        return next((region for region in self._regions if region.id == region_id), None)

    def of(self, region_id: int) -> EditableRegion:
        """The region of an id; KeyError where there is none."""
        region = self.get(region_id)
        if region is None:
            raise KeyError(f"there is no region {region_id}")
        return region

    def number_of(self, region_id: int) -> int:
        """Its place in the list, counted from 1: the second cue beside its colour."""
        return self.ids.index(region_id) + 1

    def named(self, name: str | None) -> EditableRegion | None:
        """The region of a name, None where there is none."""
        return next((region for region in self._regions if region.name == name), None)

    def at(self, x_px: float, y_px: float) -> EditableRegion | None:
        """The topmost visible region at a point of the picture."""
        found = (region for region in reversed(self._regions) if region.visible)
        return next((region for region in found if region.contains(x_px, y_px)), None)

    def painted(self) -> tuple[EditableRegion, ...]:
        """Those that hold a pixel, in order."""
        return tuple(region for region in self._regions if not region.empty)

    # Changes: called by undo commands (gazeviz.app.editing.undo) and strokes alone

    def make(
        self, look: RegionLook, mask_HW: NDArray[np.bool_], panel_box_px: DirtyBox | None = None
    ) -> EditableRegion:
        """A region with a new id, not in the list yet; the mask becomes its own."""
        self._last_id += 1
        return EditableRegion(self._last_id, look, mask_HW, panel_box_px)

    def replace_all(self, regions: Iterable[EditableRegion]) -> None:
        """Hold these regions and no others, in this order."""
        self._regions = list(regions)
        self._last_id = max([self._last_id, *self.ids])

    def restyle(self, region_id: int, look: RegionLook) -> None:
        """Change how a region is called and shown."""
        self.of(region_id).look = look

    def free_colour(self) -> str:
        """The first colour of the palette that the fewest regions have."""
        used = [region.colour for region in self._regions]
        palette = [region_colour(number) for number in range(8)]
        return min(palette, key=lambda colour: (used.count(colour), palette.index(colour)))

    def free_name(self, wanted: str = "Region", besides: int | None = None) -> str:
        """The wanted name, made unique: runs tell their targets apart by it.

        besides: the id of a region whose own name does not count.
        """
        taken = [region.name for region in self._regions if region.id != besides]
        wanted = " ".join(wanted.split()) or "Region"
        if wanted != "Region":
            return unique_name(wanted, taken)
        number = len(self._regions) + 1
        while f"Region {number}" in taken:
            number += 1
        return f"Region {number}"

    def next_look(self, wanted: str = "Region") -> RegionLook:
        return RegionLook(self.free_name(wanted), self.free_colour())


def unique_name(wanted: str, taken: Collection[str]) -> str:
    """The wanted name, or the same with the first free number from 2 on."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} ({number})", number + 1
    return name
