"""Opens picture sets: drawn strips and scenes, folders of strips, panels, comics or photos, and COCO.

Nothing here runs a model or knows a window.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from gazeviz.backend.strips import folder_strips, joined_panels
from gazeviz.domain.evaluation import size_class
from gazeviz.domain.experiments.picture_set import CocoFilter, PictureSet, SetPicture, SetSource
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.imaging import CELL_PX, SUFFIXES, open_picture, picture_sha256, pictures_in
from gazeviz.user_paths import user_path

_COMIC_PANEL: Final = re.compile(r"(\d+)_(\d+)\.jpe?g", re.IGNORECASE)

RegionReader = Callable[[Path, tuple[int, int]], tuple[Region, ...]]
"""Reads the regions of a labelled photo from the file beside it, given the picture's size."""


def open_set(
    source: SetSource,
    *,
    cell_px: int = CELL_PX,
    captions: Path | None = None,
    read_regions: RegionReader | None = None,
) -> PictureSet:
    """Open all pictures of a source.

    cell_px: side of the model's image token, to which joined panels are rounded.  captions: a captions.txt or
    captions.json of one's own, instead of those in the folder.  read_regions: of labelled photos.
    UserErrors for what is missing, damaged, or holds no pictures.
    """
    if source.kind == "builtin":
        pictures = _drawn_strips(source)
    elif source.kind == "scenes":
        pictures = _drawn_scenes(source)
    elif source.kind == "coco":
        pictures = _coco(source)
    else:
        pictures = _folder(source, cell_px, read_regions)
    if captions is not None:
        known = captions_in_file(captions)
        pictures = [replace(one, captions=known.get(one.name, one.captions)) for one in pictures]
    return PictureSet(source, tuple(pictures))


def captions_in_file(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read captions by picture, named by file or stem.

    JSON: {"strip-1": ["caption of panel 1", ...]}.  Text: a line for each picture,
    "strip-1: one | two | ...".  UserError for anything else.
    """
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".json":
            told = {str(name): [str(one) for one in said] for name, said in json.loads(text).items()}
        else:
            lines = [line for line in text.splitlines() if line.strip()]
            told = {name: said.split("|") for name, _, said in (line.partition(":") for line in lines)}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"The captions {path} cannot be read.",
            next_step='Write {"strip-1": ["caption", ...]} as JSON, or lines like: strip-1: one | two',
        ) from error
    return {
        key: tuple(one.strip() for one in said)
        for name, said in told.items()
        for key in (name.strip(), Path(name.strip()).stem)
    }


def _picture(image: Image.Image, panels: Sequence[Region], name: str, **more: Any) -> SetPicture:
    return SetPicture(image, tuple(panels), picture_sha256(image), name=name, **more)


def _drawn_strips(source: SetSource) -> list[SetPicture]:
    from gazeviz.testbed.world.world import builtin_strips

    layout = Layout.parse(source.layout or "1x6")
    drawn = builtin_strips(source.n or 1, source.seed, layout=(layout.rows, layout.cols))
    return [
        _picture(one.image, one.panels, f"strip {place}", captions=one.captions)
        for place, one in enumerate(drawn)
    ]


def _drawn_scenes(source: SetSource) -> list[SetPicture]:
    from gazeviz.testbed.world.world import builtin_scenes

    return [
        _picture(one.image, one.regions, f"scene {place}", captions=one.captions)
        for place, one in enumerate(builtin_scenes(source.n or 1, source.seed))
    ]


def _folder(source: SetSource, cell_px: int, read_regions: RegionReader | None) -> list[SetPicture]:
    folder = user_path(source.path or "")
    if not folder.is_dir():
        raise UserError(
            f"There is no folder {folder}.",
            next_step="Name a folder of strips, or builtin:100@7 for drawn ones.",
        )
    comics = [path for path in sorted(folder.iterdir()) if path.is_dir() and _is_comic(path)]
    if comics:
        return _comics(source, comics, cell_px)
    labelled = [path for path in pictures_in(folder) if path.with_suffix(".json").is_file()]
    if labelled and read_regions is not None:
        return [_labelled(path, read_regions) for path in labelled[: source.n]]
    return _strips(source, folder, cell_px)


def _strips(source: SetSource, folder: Path, cell_px: int) -> list[SetPicture]:
    known: dict[str, tuple[str, ...]] = {}
    for name in ("captions.txt", "captions.json"):
        if (folder / name).is_file():
            known |= captions_in_file(folder / name)
    joined = [path for path in sorted(folder.iterdir()) if path.is_dir() and len(pictures_in(path)) > 1]
    single = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    found = [_joined(path, source.height_px, cell_px) for path in joined]
    if single or not joined:
        layout = Layout.parse(source.layout) if source.layout else None
        for strip in folder_strips(folder, layout=layout):
            if strip.name not in {path.name for path in joined}:
                found.append(_picture(strip.image, strip.panels, strip.name, captions=strip.captions))
    found = [replace(one, captions=known.get(one.name, one.captions)) for one in found]
    return found[: source.n]


def _joined(folder: Path, height_px: int, cell_px: int) -> SetPicture:
    """A folder of panels p1..pN; its captions.txt holds a line for each."""
    panels = [open_picture(path) for path in pictures_in(folder)]
    strip, regions = joined_panels(panels, height_px=height_px, cell_px=cell_px)
    told = folder / "captions.txt"
    lines = told.read_text("utf-8").splitlines() if told.is_file() else []
    captions = tuple(line.strip() for line in lines if line.strip())
    return _picture(strip, regions, folder.name, captions=captions)


def _is_comic(folder: Path) -> bool:
    return any(_COMIC_PANEL.fullmatch(path.name) for path in folder.iterdir())


def _comics(source: SetSource, comics: Sequence[Path], cell_px: int) -> list[SetPicture]:
    """Windows of consecutive interior panels, not overlapping, drawn with the seed from all comics.

    Interior: not on a comic's first or last page, which are covers and advertisements.
    """
    windows = [window for comic in comics for window in _windows(comic, source.length)]
    order = np.random.default_rng(source.seed).permutation(len(windows))
    chosen = sorted(order[: source.n].tolist())
    pictures = []
    for place in chosen:
        panels = [open_picture(path) for path in windows[place]]
        strip, regions = joined_panels(panels, height_px=source.height_px, cell_px=cell_px)
        first = windows[place][0]
        pictures.append(_picture(strip, regions, f"{first.parent.name}/{first.stem}"))
    return pictures


def _windows(comic: Path, length: int) -> Iterator[tuple[Path, ...]]:
    numbered = [(match, path) for path in comic.iterdir() if (match := _COMIC_PANEL.fullmatch(path.name))]
    panels = sorted((int(match[1]), int(match[2]), path) for match, path in numbered)
    pages = [page for page, _, _ in panels]
    interior = [path for page, _, path in panels if pages[0] < page < pages[-1]]
    for start in range(0, len(interior) - length + 1, length):
        yield tuple(interior[start : start + length])


def _labelled(path: Path, read_regions: RegionReader) -> SetPicture:
    image = open_picture(path)
    regions = read_regions(path.with_suffix(".json"), image.size)
    labels = tuple(re.sub(r" \d+$", "", region.name) for region in regions)
    return _picture(image, regions, path.stem, captions=labels, categories=labels)


def _coco(source: SetSource) -> list[SetPicture]:
    """Boxes of a COCO file as regions, each with its category and its annotation's own area."""
    told, folder = _coco_file(Path(source.annotations or "")), user_path(source.path or "")
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", next_step="Name the folder of the COCO pictures.")
    names = {one["id"]: str(one["name"]) for one in told["categories"]}
    unknown = [name for name in source.filter.categories if name not in names.values()]
    if unknown:
        raise UserError(
            f"The annotations know no category “{unknown[0]}”.",
            next_step=f"Choose among {', '.join(sorted(names.values())[:10])} ...",
        )
    by_picture: dict[Any, list[Mapping[str, Any]]] = {}
    for one in told["annotations"]:
        if _passes(one, names, source.filter):
            by_picture.setdefault(one["image_id"], []).append(one)
    files = [one for one in told["images"] if one["id"] in by_picture]
    if source.filter.pictures is not None:
        order = np.random.default_rng(source.filter.seed).permutation(len(files))
        files = [files[place] for place in sorted(order[: source.filter.pictures].tolist())]
    return [
        _coco_picture(folder / str(one["file_name"]), by_picture[one["id"]], names, source.filter)
        for one in files
    ]


def _coco_file(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(user_path(path).read_text("utf-8"))
        for key, needed in (("images", "file_name"), ("annotations", "bbox"), ("categories", "name")):
            if not all(needed in one and "id" in one for one in told[key]):
                raise KeyError(key)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is no COCO annotation file.",
            next_step="Choose an instances JSON with images, annotations and categories.",
        ) from error
    return told  # type: ignore[no-any-return]


def _passes(one: Mapping[str, Any], names: Mapping[Any, str], wanted: CocoFilter) -> bool:
    _, _, width, height = (float(value) for value in one["bbox"])
    return (
        not one.get("iscrowd")
        and min(width, height) >= max(wanted.smallest_side_px, 1.0)
        and (not wanted.categories or names[one["category_id"]] in wanted.categories)
        and (not wanted.sizes or size_class(_area(one)) in wanted.sizes)
    )


def _area(one: Mapping[str, Any]) -> float:
    return float(one.get("area") or one["bbox"][2] * one["bbox"][3])


def _coco_picture(
    path: Path, annotations: Sequence[Mapping[str, Any]], names: Mapping[Any, str], wanted: CocoFilter
) -> SetPicture:
    image = open_picture(path)
    largest = sorted(annotations, key=_area, reverse=True)[: wanted.most_regions]
    regions, categories, areas = [], [], []
    for number, one in enumerate(largest):
        x, y, width, height = (float(value) for value in one["bbox"])
        category = names[one["category_id"]]
        box = (x, y, x + width, y + height)
        regions.append(Region.box(f"{category} {number + 1}", box, image.size, region_colour(number)))
        categories.append(category)
        areas.append(_area(one))
    return _picture(
        image, regions, path.stem,
        captions=tuple(str(one.get("caption") or names[one["category_id"]]) for one in largest),
        categories=tuple(categories), areas_px=tuple(areas),
    )  # fmt: skip
