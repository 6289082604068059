"""Picture sets: what an evaluation, and a discovery, runs on, and how a person writes one down.

A set is a source (so that it can be opened again) with its pictures. The picture itself is opaque here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError

SourceKind: TypeAlias = Literal["builtin", "scenes", "folder", "coco"]
_DRAWN: Final = re.compile(r"(builtin|scenes)(?::(\d{1,5}))?(?:[@:](\d{1,9}))?(?::(\d{1,3}x\d{1,3}))?")
SIZES: Final = ("large", "medium", "small")


@dataclass(frozen=True)
class CocoFilter:
    """Which regions of a COCO file are used.

    categories: names, () for all.  sizes: of `SIZES` by the annotation's own area, () for all.
    smallest_side_px: of the annotation's box.  most_regions: of one picture, the largest first.
    pictures: how many, drawn with `seed` (None: all, in the file's order).
    """

    categories: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    smallest_side_px: float = 0.0
    most_regions: int | None = None
    pictures: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [size for size in self.sizes if size not in SIZES]
        if unknown:
            raise UserError(
                f"“{unknown[0]}” is no size of a region.", next_step=f"Choose among {', '.join(SIZES)}."
            )


@dataclass(frozen=True)
class SetSource:
    """Where the pictures of a set come from.

    kind: "builtin" strips and "scenes" are drawn (n, seed, layout); "folder" and "coco" are read (path).
    annotations: of "coco".  length: panels in a window of a raw COMICS folder; n of them, drawn with seed.
    height_px: of strips that are joined from panels.
    """

    kind: SourceKind
    n: int | None = None
    seed: int = 0
    layout: str | None = None
    path: str | None = None
    annotations: str | None = None
    filter: CocoFilter = CocoFilter()
    length: int = 6
    height_px: int = 256

    @classmethod
    def parse(cls, text: str) -> SetSource:
        """Read `builtin:100@7`, `builtin:60@7:2x3`, `scenes:60@7`, a folder, or `coco:FILE.json:FOLDER`.

        UserError for anything else; whether a folder exists is found out when the set is opened.
        """
        match = _DRAWN.fullmatch(text.strip())
        if match:
            kind: SourceKind = "builtin" if match[1] == "builtin" else "scenes"
            n = int(match[2] or 50)
            if n < 1:
                raise UserError("No picture is to be drawn.", next_step="Ask for one or more: builtin:50.")
            if kind == "scenes" and match[4]:
                raise UserError("Scenes have no layout.", next_step="Write scenes:60@7.")
            layout = str(Layout.parse(match[4])) if match[4] else None
            return cls(kind, n, int(match[3] or 0), layout)
        if text.startswith("coco:"):
            # The file ends in .json, so that a drive's colon is none of ours.
            coco = re.fullmatch(r"coco:(.+?\.json):(.+)", text, re.IGNORECASE)
            if coco is None:
                raise UserError(f"“{text}” is no COCO set.", next_step="Write coco:ANNOTATIONS.json:FOLDER.")
            return cls("coco", path=coco[2], annotations=coco[1])
        if re.match(r"(builtin|scenes)(:|@|$)", text):
            raise UserError(
                f"“{text}” is no picture set.",
                next_step="Write builtin:100@7 (number@seed), builtin:60@7:2x3 or scenes:60@7.",
            )
        return cls("folder", path=text)

    def __str__(self) -> str:
        if self.kind in ("builtin", "scenes"):
            return f"{self.kind}:{self.n}@{self.seed}" + (f":{self.layout}" if self.layout else "")
        return f"coco:{self.annotations}:{self.path}" if self.kind == "coco" else str(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {**vars(self), "filter": {**vars(self.filter)}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SetSource:
        """Rebuild a source from `to_json()`."""
        told = dict(data["filter"])
        told |= {key: tuple(told[key]) for key in ("categories", "sizes")}
        return cls(**{**data, "filter": CocoFilter(**told)})


@dataclass(frozen=True, eq=False)
class SetPicture:
    """One picture of a set, with its regions in order.

    image: as the engine opens it; opaque here.  sha256: of its pixels, as runs know it.
    captions, categories: one for each region, or ().  areas_px: the regions' sizes as their source counts
        them (COCO's annotations), or ().
    """

    image: Any
    panels: tuple[Region, ...]
    sha256: str
    captions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    areas_px: tuple[float, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if not self.panels:
            raise UserError(
                f"The picture “{self.name}” has no regions.", next_step="Paint one, or leave it out."
            )
        for what, values in (("captions", self.captions), ("categories", self.categories)):
            if len(values) not in (0, len(self.panels)):
                raise UserError(
                    f"The picture “{self.name}” has {len(self.panels)} regions and {len(values)} {what}.",
                    next_step="Give one for each region, or none.",
                )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of pixels, regions, captions and categories."""
        digest = hashlib.sha256(self.sha256.encode())
        for region in self.panels:
            digest.update(region.name.encode() + region.mask_HW.tobytes())
        for text in (*self.captions, "\0", *self.categories):
            digest.update(b"\0" + text.encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class PictureSet:
    """The pictures of a source, in order; UserError for none."""

    source: SetSource
    pictures: tuple[SetPicture, ...]

    def __post_init__(self) -> None:
        if not self.pictures:
            raise UserError(
                f"The set {self.source} holds no pictures.", next_step="Choose another, or relax its filters."
            )

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all pictures with their regions: equal sets are equal wherever they lie."""
        return hashlib.sha256("".join(one.fingerprint for one in self.pictures).encode()).hexdigest()

    @property
    def n_regions(self) -> int:
        """Regions of all pictures."""
        return sum(len(one.panels) for one in self.pictures)
