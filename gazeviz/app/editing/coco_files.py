"""COCO's JSON files, lists of COCO results, and SA-1B's: regions from and to annotations.

COCO writes a mask as polygons, as run lengths, or as run lengths packed into a text. Run lengths count
pixels column by column, alternately outside and inside, beginning outside. In the packed form each number
(from the fourth on: its difference to the one before the last) is written in groups of five bits, lowest
first, as characters from "0" on; a group's sixth bit says that more follow, and the fifth bit of the last
group is the sign (the format of the COCO API's mask module, cocodataset.org).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.editing.found_regions import (
    Finds,
    FoundRegions,
    ShapeFault,
    Watch,
    check_size,
    plain_name,
    points_of,
    unwatched,
    whole_number,
)
from gazeviz.app.editing.labelme_files import COLOUR_KEY
from gazeviz.domain.outlines import ShapePatch, Size, box_patch, filled_runs
from gazeviz.domain.region import Region, polygon_of
from gazeviz.errors import UserError

_FIRST_CHARACTER: Final = 48
_GROUP_BITS: Final = 5
_MOST_BITS: Final = 40
_LISTED: Final = 8


class WhichPicture(UserError):  # noqa: N818 - a question, named as people say it
    """A file holds several pictures, and which of them is meant cannot be told; `names` are theirs."""

    names: tuple[str, ...] = ()


def run_lengths(mask_HW: NDArray[np.bool_]) -> list[int]:
    """Return a mask's run lengths, unpacked."""
    flat = np.concatenate([[False], mask_HW.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff(np.concatenate([[0], changes, [mask_HW.size]]))]


def unpacked(text: str) -> list[int]:
    """Return the run lengths that a packed text holds; ValueError for a damaged text, or one cut short."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - _FIRST_CHARACTER
        if not 0 <= group < 64:
            raise ShapeFault(f"{character!a} is not a character of packed run lengths")
        value |= (group & 0x1F) << shift
        shift += _GROUP_BITS
        if group & 0x20:
            if shift > _MOST_BITS:  # no picture is that large
                raise ShapeFault("packed run lengths that are too long")
            continue
        if group & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ShapeFault("truncated packed run lengths")
    return runs


def mask_of_runs(runs: Sequence[Any], size_px: Size) -> NDArray[np.bool_]:
    """Return the mask of run lengths, bool (H, W); ValueError where they do not fill the picture."""
    width_px, height_px = size_px
    flat = filled_runs(runs, width_px * height_px)
    return np.ascontiguousarray(flat.reshape(width_px, height_px).T)


def segments(annotation: Mapping[str, Any], size_px: Size) -> list[ShapePatch]:
    """Return what an annotation covers: its run lengths, its polygons, or else its box.

    Raises ShapeFault and other ValueErrors for what is none of these, and UserError for polygons of too few
    points or too many crossings.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        return [_of_runs(segmentation, size_px)]
    if segmentation is None or (isinstance(segmentation, list) and not segmentation):
        return [_of_box(annotation.get("bbox"), size_px)]
    if not isinstance(segmentation, list):
        raise ShapeFault("its segmentation is neither polygons nor run lengths")
    if isinstance(segmentation[0], Mapping):
        return [_of_runs(runs, size_px) for runs in segmentation]
    nested = any(isinstance(part, list) for part in segmentation)
    flat = not nested or all(isinstance(part, list) and _is_pair(part) for part in segmentation)
    polygons = [points_of(part) for part in ([segmentation] if flat else segmentation)]
    whole = [points for points in polygons if len(points) > 2]
    if not whole:
        raise ShapeFault("it is not a polygon: it needs three points or more")
    return [polygon_of("annotation", points, size_px) for points in whole]


def _is_pair(part: Sequence[Any]) -> bool:
    return len(part) == 2 and not any(isinstance(number, list) for number in part)


def _of_runs(segmentation: Mapping[str, Any], size_px: Size) -> ShapePatch:
    size = segmentation.get("size")
    if not isinstance(size, list) or len(size) != 2:
        raise ShapeFault("its run lengths have no size")
    if tuple(map(whole_number, reversed(size))) != size_px:
        raise ShapeFault("its run lengths are of a picture of another size")
    counts = segmentation.get("counts")
    if not isinstance(counts, str | list):
        raise ShapeFault("it has no run lengths")
    runs = unpacked(counts) if isinstance(counts, str) else counts
    try:
        return ShapePatch(0, 0, mask_of_runs(runs, size_px))
    except ValueError as error:
        raise ShapeFault(f"it has {error}") from error


def _of_box(box: Any, size_px: Size) -> ShapePatch:
    if not isinstance(box, list) or len(box) != 4:
        raise ShapeFault("it has neither a segmentation nor a box")
    (x, y), (width, height) = points_of(box).tolist()
    if width < 0 or height < 0:
        raise ShapeFault("its box has a negative size")
    return box_patch(x, y, x + width, y + height, size_px)


# Whole files


def coco_content(regions: Sequence[Region], picture_name: str) -> dict[str, Any]:
    """Return a COCO data set of one picture: a category and an annotation (run lengths) for each region."""
    width_px, height_px = regions[0].size_px
    annotations = []
    for number, region in enumerate(regions, start=1):
        x0, y0, x1, y1 = region.box_px
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": number,
                "iscrowd": 1,  # COCO keeps run lengths, the exact form, for such annotations
                "area": region.area_px,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": {"size": [height_px, width_px], "counts": run_lengths(region.mask_HW)},
            }
        )
    return {
        "info": {"description": "Regions painted in gazeviz"},
        "images": [{"id": 1, "file_name": picture_name, "width": width_px, "height": height_px}],
        "categories": [
            {"id": number, "name": region.name, **({COLOUR_KEY: region.colour} if region.colour else {})}
            for number, region in enumerate(regions, start=1)
        ],
        "annotations": annotations,
    }


def coco_regions(
    content: Mapping[str, Any],
    size_px: Size,
    picture_name: str,
    file_name: str,
    entry: str = "",
    watch: Watch = unwatched,
) -> FoundRegions:
    """Read the annotations of one picture; each becomes a region.

    entry: the picture's name in the file, where it has several and `picture_name` does not tell.
    UserErrors for no list of annotations, for a picture that is not in it, and another size; `WhichPicture`
    where that must be asked.
    """
    annotations = content.get("annotations")
    if not isinstance(annotations, list):
        raise UserError(
            f"{file_name} is not a file of regions.", next_step="Choose a labelme or a COCO file."
        )
    image = _image(content, annotations, size_px, picture_name, file_name, entry)
    check_size(file_name, image.get("width"), image.get("height"), size_px)
    names = {str(category.get("id")): category for category in _mappings(content.get("categories"))}
    finds = Finds(size_px, watch, len(annotations))
    for number, annotation in enumerate(annotations, start=1):
        if not isinstance(annotation, Mapping):
            finds.leave_out(f"annotation {number}", "it is damaged")
            continue
        if "id" in image and "image_id" in annotation and not _same(annotation["image_id"], image["id"]):
            continue
        category = names.get(str(annotation.get("category_id")), {})
        name = category.get("name") or annotation.get("category_name") or "Region"
        finds.shape(
            name,
            lambda annotation=annotation: segments(annotation, size_px),  # type: ignore[misc]
            colour=category.get(COLOUR_KEY),
        )
    return finds.found()


def _image(
    content: Mapping[str, Any],
    annotations: Sequence[Any],
    size_px: Size,
    picture_name: str,
    file_name: str,
    entry: str,
) -> Mapping[str, Any]:
    """The picture of a file that is meant: by its name, then by stem and size, then the only one."""
    if isinstance(content.get("image"), Mapping):  # SA-1B: one picture a file
        image: Mapping[str, Any] = content["image"]
        return {key: image[key] for key in ("width", "height") if key in image}
    images = _mappings(content.get("images"))
    if not images:
        ids = {str(one.get("image_id")): one.get("image_id") for one in _mappings(annotations)}
        images = [{"id": id_, "file_name": str(id_)} for id_ in ids.values() if id_ is not None]
        if not images:
            return {}
    fitting = [image for image in images if _fits(image, size_px)]
    wanted = entry or picture_name
    by_tail = _best(images, wanted, whole=True)
    for chosen in (
        by_tail,
        [image for image in by_tail if image in fitting] if len(by_tail) > 1 else [],
        [image for image in _best(images, wanted, whole=False) if image in fitting],
        _best(images, wanted, whole=False),
        images if not entry else [],
    ):
        if len(chosen) == 1:
            return chosen[0]
    names = tuple(plain_name(image.get("file_name", image.get("id"))) for image in images)
    shown = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    asked = WhichPicture(
        f"{file_name} has {len(images)} pictures, and none of them alone is called "
        f"{plain_name(wanted)}: {shown}.",
        next_step="Open the picture that its annotations are of, or say which is meant (--entry NAME).",
    )
    asked.names = names
    raise asked


def _fits(image: Mapping[str, Any], size_px: Size) -> bool:
    sides = whole_number(image.get("width")), whole_number(image.get("height"))
    return all(one in (None, there) for one, there in zip(sides, size_px, strict=True))


def _best(images: Sequence[Mapping[str, Any]], name: str, *, whole: bool) -> list[Mapping[str, Any]]:
    """Those whose path ends as `name` does, in as many parts as possible, or (not whole) of its stem."""
    if not whole:
        stem = _parts(name)[-1].rpartition(".")[0] or _parts(name)[-1]
        own = [_parts(str(image.get("file_name", "")))[-1] for image in images]
        stems = [part.rpartition(".")[0] or part for part in own]
        return [image for image, one in zip(images, stems, strict=True) if one == stem]
    scores = [_common_tail(_parts(str(image.get("file_name", ""))), _parts(name)) for image in images]
    best = max(scores)
    return [image for image, score in zip(images, scores, strict=True) if score == best > 0]


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part] or [""]


def _common_tail(one: Sequence[str], other: Sequence[str]) -> int:
    n = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        n += 1
    return n


def _same(one: object, other: object) -> bool:
    return one == other or str(one) == str(other)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
