"""Regions from and to files: PNG masks, labelme JSON and COCO JSON.

Masks are written exactly, to the pixel, in all three; polygons are read too. Coordinates are picture pixels.
Damaged files, and files for pictures of another size, end in a UserError. Knows no region list.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.app.runs.picture_opener import decoded
from gazeviz.domain.region import Region, region_colour
from gazeviz.errors import UserError
from gazeviz.whole_files import replacing

# COCO's ways to write a mask: polygons, run lengths, and run lengths packed into a text.
#
# Run lengths count pixels column by column, alternately outside and inside, beginning outside. In the
# packed form each number (from the fourth on: its difference to the one before the last) is written in
# groups of five bits, lowest first, as characters from "0" on; a group's sixth bit says that more follow,
# and the fifth bit of the last group is the sign (the format of the COCO API's mask module,
# cocodataset.org).


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


RegionForm: TypeAlias = Literal["png", "labelme", "coco"]

LABELME_VERSION: Final = "5.5.0"
_COLOUR_KEY: Final = "gazeviz_colour"


# PNG masks


def write_png_masks(folder: Path, regions: Sequence[Region]) -> tuple[Path, ...]:
    """Write one PNG for each region, white inside and black outside, named by number and name.

    UserError where the folder cannot be written to.
    """
    paths = []
    for number, region in enumerate(regions, start=1):
        path = folder / f"{number:02d} {_file_name(region.name)}.png"
        _write(path, partial(Image.fromarray(region.mask_HW).save, format="PNG"))
        paths.append(path)
    return tuple(paths)


def read_png_mask(path: Path, size_px: tuple[int, int]) -> Region:
    """Read a mask picture: inside is what is opaque, where it has transparency, and else what is not dark.

    UserErrors for what is no picture, has another size, or is black all over.
    """
    alpha_HW = _alpha_of(path)
    values_HW = decoded(path).max(axis=2) if alpha_HW is None else alpha_HW
    name = re.sub(r"^\d+\s+", "", path.stem) or path.stem
    return _region(name, values_HW > 127, size_px, None)


def _alpha_of(path: Path) -> NDArray[np.uint8] | None:
    """The transparency of a picture that has any, uint8 (H, W)."""
    decoded(path)  # says what is wrong with it, if anything is
    with Image.open(path) as image:
        if "A" not in image.getbands() and "transparency" not in image.info:
            return None
        alpha_HW = np.asarray(image.convert("RGBA"))[:, :, 3]
    return alpha_HW if alpha_HW.min() < 255 else None


# labelme


def write_labelme(path: Path, regions: Sequence[Region], picture_name: str) -> None:
    """Write regions as labelme's shapes of the type "mask"; UserError where it cannot be written."""
    width_px, height_px = regions[0].size_px
    content: dict[str, Any] = {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": [_labelme_shape(region) for region in regions],
        "imagePath": picture_name,
        "imageData": None,
        "imageHeight": height_px,
        "imageWidth": width_px,
    }
    _write_json(path, content)


def read_labelme(path: Path, size_px: tuple[int, int]) -> tuple[Region, ...]:
    """Read labelme's masks, polygons, rectangles and circles; shapes of one label and group are one region.

    UserErrors for a damaged file, another size, and a file without any of these.
    """
    content = _read_json(path, "a labelme file", lambda data: isinstance(data.get("shapes"), list))
    _check_size(path, (content.get("imageWidth"), content.get("imageHeight")), size_px)
    masks: dict[tuple[str, object], NDArray[np.bool_]] = {}
    colours: dict[str, str | None] = {}
    for number, shape in enumerate(content["shapes"]):
        with _Damage(path, "a labelme file"):
            label = str(shape["label"])
            mask_HW = _labelme_mask(shape, size_px)
            if mask_HW is None:
                continue
            group = shape.get("group_id")
            key = (label, number if group is None else ("group", group))
            masks[key] = masks.get(key, np.zeros(size_px[::-1], dtype=np.bool_)) | mask_HW
            colours[label] = (shape.get("flags") or {}).get(_COLOUR_KEY)
    return _regions(path, [(key[0], mask_HW, colours[key[0]]) for key, mask_HW in masks.items()], size_px)


def _labelme_shape(region: Region) -> dict[str, Any]:
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
        "flags": {_COLOUR_KEY: region.colour} if region.colour else {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }


def _labelme_mask(shape: Mapping[str, Any], size_px: tuple[int, int]) -> NDArray[np.bool_] | None:
    """What a shape covers; None for lines and points, which cover nothing."""
    kind, points = shape.get("shape_type") or "polygon", [(float(x), float(y)) for x, y in shape["points"]]
    if kind == "polygon":
        return Region.polygon("shape", points, size_px).mask_HW
    if kind == "rectangle":
        (xa, ya), (xb, yb) = points
        return Region.box("shape", (xa, ya, xb, yb), size_px).mask_HW
    if kind == "circle":
        (x, y), edge = points
        radius = float(np.hypot(edge[0] - x, edge[1] - y))
        return Region.ellipse("shape", (x - radius, y - radius, x + radius, y + radius), size_px).mask_HW
    if kind != "mask":
        return None
    mask_HW = np.zeros(size_px[::-1], dtype=np.bool_)
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
        part_HW = np.asarray(image.convert("L")) > 0
    x0, y0 = round(points[0][0]), round(points[0][1])
    height_px, width_px = part_HW.shape
    mask_HW[y0 : y0 + height_px, x0 : x0 + width_px] = part_HW
    return mask_HW


# COCO


def write_coco(path: Path, regions: Sequence[Region], picture_name: str) -> None:
    """Write a COCO data set of one picture: a category and an annotation (run lengths) for each region."""
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
    content = {
        "info": {"description": "Regions painted in gazeviz"},
        "images": [{"id": 1, "file_name": picture_name, "width": width_px, "height": height_px}],
        "categories": [
            {"id": number, "name": region.name, **({_COLOUR_KEY: region.colour} if region.colour else {})}
            for number, region in enumerate(regions, start=1)
        ],
        "annotations": annotations,
    }
    _write_json(path, content)


def read_coco(path: Path, size_px: tuple[int, int], picture_name: str) -> tuple[Region, ...]:
    """Read the annotations of one picture: that of this name, or the only one; each becomes a region.

    UserErrors for a damaged file, a picture that is not in it, another size, and no annotations.
    """
    content = _read_json(path, "a COCO file", lambda data: isinstance(data.get("annotations"), list))
    found: list[tuple[str, NDArray[np.bool_], str | None]] = []
    with _Damage(path, "a COCO file"):
        image = _coco_image(path, content.get("images", []), picture_name)
        _check_size(path, (image["width"], image["height"]), size_px)
        categories = {category["id"]: category for category in content.get("categories", [])}
        for annotation in content["annotations"]:
            if annotation["image_id"] != image["id"]:
                continue
            category = categories.get(annotation.get("category_id"), {})
            mask_HW = mask_of_segmentation(annotation, size_px)
            found.append((str(category.get("name", "Region")), mask_HW, category.get(_COLOUR_KEY)))
    return _regions(path, found, size_px)


def _coco_image(path: Path, images: Sequence[Mapping[str, Any]], picture_name: str) -> Mapping[str, Any]:
    named = [image for image in images if Path(str(image.get("file_name"))).stem == Path(picture_name).stem]
    if len(named) == 1:
        return named[0]
    if len(images) == 1:
        return images[0]
    raise UserError(
        f"{path.name} has {len(images)} pictures, and none of them alone is called {picture_name}.",
        next_step="Open the picture that its annotations are of.",
    )


# What all formats share


def read_regions(paths: Sequence[Path], size_px: tuple[int, int], picture_name: str) -> tuple[Region, ...]:
    """Read regions from PNG masks, labelme or COCO files, whichever each of them is; UserErrors as there."""
    regions: list[Region] = []
    for path in paths:
        if path.suffix.lower() != ".json":
            regions.append(read_png_mask(path, size_px))
            continue
        content = _read_json(path, "a file of regions", lambda data: True)
        if "shapes" in content:
            regions += read_labelme(path, size_px)
        else:
            regions += read_coco(path, size_px, picture_name)
    return tuple(regions)


def write_regions(path: Path, regions: Sequence[Region], picture_name: str, form: RegionForm) -> None:
    """Write regions in a form; path is a folder for "png" and a file for the others. UserErrors as there."""
    if form == "png":
        write_png_masks(path, regions)
    elif form == "labelme":
        write_labelme(path, regions, picture_name)
    else:
        write_coco(path, regions, picture_name)


class _Damage:
    """Turns what goes wrong inside a file's structure into a UserError."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | IndexError | OSError):
            raise UserError(
                f"{self._path.name} is {self._what}, but a damaged one.",
                next_step="Export it again from where it comes from.",
            ) from error


def _regions(
    path: Path, found: Sequence[tuple[str, NDArray[np.bool_], str | None]], size_px: tuple[int, int]
) -> tuple[Region, ...]:
    if not found:
        raise UserError(
            f"{path.name} holds no region of this picture.", next_step="Choose another file, or paint them."
        )
    return tuple(
        _region(name, mask_HW, size_px, colour or region_colour(number))
        for number, (name, mask_HW, colour) in enumerate(found)
    )


def _region(name: str, mask_HW: NDArray[np.bool_], size_px: tuple[int, int], colour: object) -> Region:
    _check_size(Path(name), mask_HW.shape[::-1], size_px)
    valid = isinstance(colour, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", colour) is not None
    return Region(name, mask_HW, str(colour) if valid else None)


def _check_size(path: Path, found: Sequence[object], size_px: tuple[int, int]) -> None:
    width_px, height_px = found
    if (width_px, height_px) != size_px:
        raise UserError(
            f"{path.name} belongs to a picture of {width_px} x {height_px} px, "
            f"this one has {size_px[0]} x {size_px[1]} px.",
            next_step="Open the picture that it belongs to.",
        )


def _read_json(path: Path, what: str, fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be read: {error.strerror}.", next_step="Check the path and its permissions."
        ) from error
    except ValueError as error:
        raise UserError(f"{path.name} is no JSON file.", next_step="Choose another file.") from error
    if not isinstance(content, dict) or not fits(content):
        raise UserError(f"{path.name} is not {what}.", next_step="Choose a labelme or a COCO file.")
    return content


def _write_json(path: Path, content: object) -> None:
    data = json.dumps(content, ensure_ascii=False, indent=1).encode()
    _write(path, lambda target: target.write_bytes(data))


def _write(path: Path, save: Callable[[Path], object]) -> None:
    try:
        with replacing(path) as unfinished:
            save(unfinished)
    except OSError as error:
        raise UserError(
            f"{path.name} cannot be written: {error.strerror or error}.",
            next_step="Choose another folder, or free some space.",
        ) from error


def _file_name(name: str) -> str:
    """A region's name as a file name anywhere."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" .") or "region"
