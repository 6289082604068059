"""labelme's JSON files, and those of its relatives (X-AnyLabeling): regions from and to shapes.

Masks are written exactly, to the pixel. labelme's own loader demands flags that are true or false, points
that are pairs, and a group that is a number or nothing; keys of a shape that it does not know it keeps.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from gazeviz.app.editing.found_regions import (
    Finds,
    FoundRegions,
    ShapeFault,
    Watch,
    check_size,
    points_of,
    unwatched,
)
from gazeviz.domain.outlines import ShapePatch, Size, box_patch, ellipse_patch
from gazeviz.domain.region import Region, polygon_of
from gazeviz.errors import UserError
from gazeviz.imaging import MAX_PICTURE_PX, opened, upright

LABELME_VERSION: Final = "5.5.0"
COLOUR_KEY: Final = "gazeviz_colour"
_POLYGONS: Final = ("polygon", "rotation", "quadrilateral", "oriented_rectangle", "rotated_rectangle")
_ORIENTATION: Final = 0x0112
"""EXIF's tag: from 5 on, width and height change places."""
_COVERS_NOTHING: Final = {
    "line": "a line covers nothing",
    "linestrip": "a line covers nothing",
    "point": "a point covers nothing",
    "points": "points cover nothing",
}


def labelme_content(regions: Sequence[Region], picture_path: str) -> dict[str, Any]:
    """Return regions as labelme's shapes of the type "mask".

    picture_path: of the picture, as seen from the file's folder: labelme opens it.
    """
    width_px, height_px = regions[0].size_px
    return {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": [_shape_of(region) for region in regions],
        "imagePath": picture_path,
        "imageData": None,
        "imageHeight": height_px,
        "imageWidth": width_px,
    }


def labelme_regions(
    content: Mapping[str, Any], size_px: Size, file_name: str, watch: Watch = unwatched
) -> FoundRegions:
    """Read masks, polygons, rectangles and circles; shapes of one label and group are one region.

    UserErrors for a file of a picture of another size, and for one without a list of shapes.
    """
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        raise UserError(
            f"{file_name} is not a labelme file: its shapes are not a list.", next_step="Export it again."
        )
    width, height = content.get("imageWidth"), content.get("imageHeight")
    if width is None and height is None:
        width, height = _size_of_data(content.get("imageData"))
    check_size(file_name, width, height, size_px)
    finds = Finds(size_px, watch, len(shapes))
    for number, shape in enumerate(shapes, start=1):
        if not isinstance(shape, Mapping) or "label" not in shape:
            finds.leave_out(f"shape {number}", "it has no label")
            continue
        label, group = shape["label"], shape.get("group_id")
        key: Hashable = (str(label), group) if isinstance(group, int | str) else None
        finds.shape(label, lambda shape=shape: [_patch(shape, size_px)], key, _colour(shape))  # type: ignore[misc]
    return finds.found()


def _size_of_data(data: object) -> tuple[int | None, int | None]:
    """The size of the picture that a file carries along, where it says no other."""
    if not isinstance(data, str) or not data:
        return None, None
    try:
        with opened(base64.b64decode(data)) as image:  # its size alone: nothing is decoded
            width_px, height_px = image.size
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
        return (height_px, width_px) if turned else (width_px, height_px)
    except (UserError, ValueError):  # the shapes are what is wanted
        return None, None


def _colour(shape: Mapping[str, Any]) -> object:
    flags = shape.get("flags")
    return shape.get(COLOUR_KEY) or (flags.get(COLOUR_KEY) if isinstance(flags, Mapping) else None)


def _shape_of(region: Region) -> dict[str, Any]:
    x0, y0, x1, y1 = region.box_px
    buffer = io.BytesIO()
    Image.fromarray(region.mask_HW[y0:y1, x0:x1]).save(buffer, "PNG")
    return {
        "label": region.name,
        # labelme's mask lies between two corners that both belong to it.
        "points": [[float(x0), float(y0)], [float(x1 - 1), float(y1 - 1)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
        **({COLOUR_KEY: region.colour} if region.colour else {}),
    }


def _patch(shape: Mapping[str, Any], size_px: Size) -> ShapePatch:
    """What a shape covers."""
    kind = shape.get("shape_type") or "polygon"
    if kind in _COVERS_NOTHING:
        raise ShapeFault(_COVERS_NOTHING[kind])
    if "points" not in shape:
        raise ShapeFault("it has no points")
    points = points_of(shape["points"])
    if kind in _POLYGONS or (kind == "rectangle" and len(points) > 2):  # X-AnyLabeling: its four corners
        return polygon_of("shape", points, size_px)
    if kind not in ("rectangle", "circle", "mask"):
        raise ShapeFault(f"shapes of the type {str(kind)[:40]} are not known")
    if len(points) < (1 if kind == "mask" else 2):
        raise ShapeFault("it has too few points")
    if kind == "mask":
        return _mask_patch(shape, points[0].tolist(), size_px)
    (xa, ya), (xb, yb) = points[:2].tolist()
    if kind == "rectangle":
        return box_patch(min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb), size_px)
    radius = float(np.hypot(xb - xa, yb - ya))
    return ellipse_patch(xa - radius, ya - radius, xa + radius, ya + radius, size_px)


def _mask_patch(shape: Mapping[str, Any], corner: Sequence[float], size_px: Size) -> ShapePatch:
    """A mask at its corner, cut at the picture's edges as polygons are."""
    text = shape.get("mask")
    if not isinstance(text, str) or len(text) > 2 * MAX_PICTURE_PX:
        raise ShapeFault("it has no mask")
    try:
        image = upright(base64.b64decode(text.rpartition(",")[2]), "its mask")
    except UserError as error:
        raise ShapeFault(error.sentence.rstrip(".")) from error
    part_HW = np.asarray(image.convert("L")) > 0
    x0, y0 = round(corner[0]), round(corner[1])
    left, top = max(x0, 0), max(y0, 0)
    part_HW = part_HW[top - y0 : max(size_px[1] - y0, 0), left - x0 : max(size_px[0] - x0, 0)]
    return ShapePatch(min(left, size_px[0]), min(top, size_px[1]), part_HW)
