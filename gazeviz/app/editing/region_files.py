"""Regions from and to files: PNG masks, labelme JSON and COCO JSON, whichever a file is.

Masks are written exactly, to the pixel, in all three; polygons are read too. Coordinates are picture pixels.
Damaged files, and files for pictures of another size, end in a UserError; of damaged shapes in a file only
these are left out. Knows no region list.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from PIL import Image

from gazeviz.app.editing.coco_files import coco_content, coco_regions
from gazeviz.app.editing.found_regions import FoundRegions, Watch, unwatched
from gazeviz.app.editing.labelme_files import labelme_content, labelme_regions
from gazeviz.app.editing.mask_pictures import read_mask
from gazeviz.domain.outlines import Size
from gazeviz.domain.region import Region
from gazeviz.errors import UserError
from gazeviz.user_paths import is_folder
from gazeviz.whole_files import replacing

RegionForm: TypeAlias = Literal["png", "labelme", "coco"]

_MOST_BYTES: Final = 300_000_000


def read_regions(
    paths: Sequence[Path], size_px: Size, picture_name: str, entry: str = "", watch: Watch = unwatched
) -> FoundRegions:
    """Read regions from PNG masks, labelme or COCO files, whichever each of them is.

    picture_name: its name or path: finds it in a COCO file of several. entry: its name there, if another.
    It may find none. UserErrors for files that cannot be read and those of pictures of another size.
    """
    found = FoundRegions()
    for path in paths:
        watch(0, 0)
        found += _read(path, size_px, picture_name, entry, watch)
    return found


def _read(path: Path, size_px: Size, picture_name: str, entry: str, watch: Watch) -> FoundRegions:
    if path.suffix.lower() != ".json":
        return read_mask(path, size_px, watch)
    content = _read_json(path)
    if isinstance(content, list):  # COCO's form of results: annotations alone
        content = {"annotations": content} if all(isinstance(one, dict) for one in content) else None
    if not isinstance(content, dict) or not content:
        raise UserError(
            f"{path.name} is not a file of regions.", next_step="Choose a labelme or a COCO file."
        )
    if "shapes" in content:
        return labelme_regions(content, size_px, path.name, watch)
    return coco_regions(content, size_px, picture_name, path.name, entry, watch)


def write_regions(
    path: Path, regions: Sequence[Region], picture_name: str, form: RegionForm, picture: Path | None = None
) -> tuple[Path, ...]:
    """Write regions in a form, and return the files; UserError where they cannot be written.

    path: a folder for "png", made where it is missing, and a file for the others. picture: where the picture
    lies, so that labelme finds it from the file.
    """
    if form == "png":
        return write_png_masks(path, regions)
    if is_folder(path):
        raise UserError(f"{path} is a folder.", next_step="Name a file in it, ending in .json.")
    if form == "labelme":
        return (_write_json(path, labelme_content(regions, _seen_from(path, picture) or picture_name)),)
    return (_write_json(path, coco_content(regions, picture_name)),)


def write_png_masks(folder: Path, regions: Sequence[Region]) -> tuple[Path, ...]:
    """Write one PNG for each region, white inside and black outside, named by number and name.

    UserError where the folder cannot be made or written to.
    """
    try:
        folder.mkdir(exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from error
    paths = []
    for number, region in enumerate(regions, start=1):
        path = folder / f"{number:02d} {_file_name(region.name)}.png"
        _write(path, partial(Image.fromarray(region.mask_HW).save, format="PNG"))
        paths.append(path)
    return tuple(paths)


def _seen_from(path: Path, picture: Path | None) -> str:
    """The way from a file's folder to the picture, "" where there is none."""
    if picture is None:
        return ""
    try:
        return Path(os.path.relpath(picture.absolute(), path.absolute().parent)).as_posix()
    except ValueError:  # on another drive
        return picture.absolute().as_posix()


def _read_json(path: Path) -> Any:
    """What a JSON file holds, in UTF-8 or UTF-16, with a mark at its beginning or without."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise UserError(f"{path} is not a file.", next_step="Choose a labelme or a COCO file.")
        if found.st_size > _MOST_BYTES:
            raise UserError(
                f"{path.name} has more than {_MOST_BYTES // 1_000_000} MB.",
                next_step="Export the regions of this picture alone.",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path.name} cannot be read: {why}.", next_step="Check the path and its permissions."
        ) from error
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.name} is not a valid JSON file.", next_step="Choose another file.") from error


def _write_json(path: Path, content: object) -> Path:
    data = json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    _write(path, lambda target: target.write_bytes(data))
    return path


def _write(path: Path, save: Callable[[Path], object]) -> None:
    try:
        with replacing(path) as unfinished:
            save(unfinished)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path.name} cannot be written: {getattr(error, 'strerror', None) or error}.",
        next_step="Choose another folder, or free some space.",
    )


def _file_name(name: str) -> str:
    """A region's name as a file name anywhere, in at most 100 bytes."""
    kept = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" .") or "region"
    return kept.encode("utf-8", "replace")[:100].decode("utf-8", "ignore")
