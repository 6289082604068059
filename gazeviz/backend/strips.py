"""The strips that rankings are measured on, from where a request says: drawn ones, or a folder of pictures.

A folder may hold a `samples.json`, a list of {"file", "layout", "captions"} of which the last two are
optional; otherwise every picture in it is a strip whose panels its gutters show, and every folder in it a
strip of one picture per panel (p1, p2 ... pN).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from gazeviz.domain.messages import StripsSource
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.strip import Layout, Strip, gutters, panel_regions
from gazeviz.errors import UserError
from gazeviz.imaging import CELL_PX, PANEL_HEIGHT_PX, SUFFIXES, edge_to_edge, open_picture, pictures_in

CONTENTS_FILE: Final = "samples.json"


def strips_of(source: StripsSource) -> tuple[Strip, ...]:
    """Return the strips that a request names; UserErrors of a folder that holds none."""
    if source.folder is not None:
        return folder_strips(Path(source.folder), source.n)
    from gazeviz.testbed.world.world import builtin_strips

    return tuple(drawn.strip for drawn in builtin_strips(source.n or 1, source.seed))


def folder_strips(folder: Path, n: int | None = None, layout: Layout | None = None) -> tuple[Strip, ...]:
    """Read the first `n` strips of a folder (None: all of them).

    layout: of every strip that is one picture; None: as the list says, or else as the gutters show.

    Raises UserError for a folder that is missing, holds no strip, or whose list of strips is damaged, and for
    pictures that cannot be read or whose panels cannot be told.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", next_step="Choose a folder of strips.")
    known = _contents(folder)
    names = list(known) or [
        path.name
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES or _holds_panels(path)
    ]
    if not names:
        raise UserError(
            f"The folder {folder} holds no strips.",
            next_step="Put strips into it as PNG or JPEG files, or folders of panels: p1.png, p2.png ...",
        )
    return tuple(_strip(folder / name, known.get(name, {}), layout) for name in names[:n])


def joined_panels(
    panels: Sequence[Image.Image], *, height_px: int = PANEL_HEIGHT_PX, cell_px: int = CELL_PX
) -> tuple[Image.Image, tuple[Region, ...]]:
    """The strip of `gazeviz.imaging.edge_to_edge`, and its panels as regions."""
    strip, boxes = edge_to_edge(panels, height_px=height_px, cell_px=cell_px)
    regions = tuple(
        Region.box(f"Panel {number + 1}", box, strip.size, region_colour(number))
        for number, box in enumerate(boxes)
    )
    return strip, regions


def _holds_panels(path: Path) -> bool:
    return path.is_dir() and len(pictures_in(path)) > 1


def _contents(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """What the folder's list says of each strip, by file name; empty where there is no list."""
    path = folder / CONTENTS_FILE
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {str(entry["file"]): entry for entry in entries if entry.get("kind", "strip") == "strip"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is no list of strips.",
            next_step='Write [{"file": "a.png", "layout": "1x6"}], or delete it.',
        ) from error


def _strip(path: Path, known: Mapping[str, Any], layout: Layout | None) -> Strip:
    captions = tuple(str(caption) for caption in known.get("captions", ()))
    if path.is_dir():
        image, regions = joined_panels([open_picture(one) for one in pictures_in(path)])
        return Strip(image, regions, captions, path.stem)
    image = open_picture(path)
    named = known.get("layout")
    layout = layout or (Layout.parse(str(named)) if named is not None else gutters(np.asarray(image)))
    if layout is None:
        raise UserError(
            f"The panels of {path.name} cannot be detected by its gutters.",
            next_step=f"Write its layout into {CONTENTS_FILE}, or take it out of the folder.",
        )
    return Strip(image, panel_regions(layout, *image.size), captions, path.stem)
