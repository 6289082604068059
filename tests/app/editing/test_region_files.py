"""Region files: what is written comes back to the pixel, and what others write is read."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.editing.coco_files import WhichPicture
from gazeviz.app.editing.mask_pictures import read_mask
from gazeviz.app.editing.region_files import read_regions, write_png_masks, write_regions
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

SIZE_PX = (33, 21)


@pytest.fixture
def regions(rng) -> tuple[Region, ...]:
    """A scattered one, a shape, and one with a name that no file can have."""
    return (
        Region("speckle", rng.random(SIZE_PX[::-1]) < 0.4, "#0072B2"),
        Region.ellipse("red cat", (3, 2, 30, 19), SIZE_PX, "#E69F00"),
        Region.box('a/b: "c"?', (0, 0, 1, 1), SIZE_PX, "#123456"),
    )


@pytest.mark.parametrize("form", ["labelme", "coco"])
def test_regions_come_back_as_they_were(regions, tmp_path, form):
    path = tmp_path / "regions.json"
    write_regions(path, regions, "strip.png", form)
    assert read_regions([path], SIZE_PX, "strip.png").regions == regions
    assert list(tmp_path.iterdir()) == [path], "no unfinished file is left"


def test_png_masks_come_back_with_names_that_files_can_have(regions, tmp_path):
    paths = write_png_masks(tmp_path, regions)
    assert [path.name for path in paths] == ["01 speckle.png", "02 red cat.png", "03 a_b_ _c_.png"]
    back = read_regions(paths, SIZE_PX, "strip.png").regions
    assert [region.name for region in back][:2] == ["speckle", "red cat"]
    assert all(np.array_equal(a.mask_HW, b.mask_HW) for a, b in zip(regions, back, strict=True))


def test_masks_by_transparency_and_by_brightness(tmp_path):
    inside_HW = np.zeros(SIZE_PX[::-1], dtype=bool)
    inside_HW[3:9, 5:20] = True
    rgba = np.zeros((*SIZE_PX[::-1], 4), dtype=np.uint8)
    rgba[..., 3] = inside_HW * 255
    Image.fromarray(rgba).save(tmp_path / "alpha.png")
    rgb = np.zeros((*SIZE_PX[::-1], 3), dtype=np.uint8)
    rgb[inside_HW] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "red.png")
    opaque = np.dstack([rgb, np.full(SIZE_PX[::-1], 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    for name in ("alpha", "red", "opaque"):
        (region,) = read_mask(tmp_path / f"{name}.png", SIZE_PX).regions
        assert np.array_equal(region.mask_HW, inside_HW)


def test_a_mask_of_another_size_or_black_all_over_is_refused(tmp_path):
    Image.new("L", (5, 5), 255).save(tmp_path / "small.png")
    with pytest.raises(UserError, match="5 x 5"):
        read_mask(tmp_path / "small.png", SIZE_PX)
    Image.new("L", SIZE_PX, 0).save(tmp_path / "black.png")
    assert read_mask(tmp_path / "black.png", SIZE_PX).regions == ()
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(UserError, match=r"text\.png"):
        read_mask(tmp_path / "text.png", SIZE_PX)


def read_labelme(path: Path, size_px: tuple[int, int]) -> tuple[Region, ...]:
    return read_regions([path], size_px, "strip.png").needed(path.name).regions


def read_coco(path: Path, size_px: tuple[int, int], picture_name: str, entry: str = "") -> tuple[Region, ...]:
    return read_regions([path], size_px, picture_name, entry).needed(path.name).regions


def labelme(tmp_path: Path, *shapes: object, **more: object) -> Path:
    path = tmp_path / "labelme.json"
    content = {"shapes": list(shapes), "imageWidth": SIZE_PX[0], "imageHeight": SIZE_PX[1], **more}
    path.write_text(json.dumps(content))
    return path


def test_shapes_that_labelme_draws(tmp_path):
    path = labelme(
        tmp_path,
        {"label": "p", "shape_type": "polygon", "points": [[2, 2], [30, 4], [9, 20]]},
        {"label": "r", "shape_type": "rectangle", "points": [[20, 15], [3, 4]]},
        {"label": "c", "shape_type": "circle", "points": [[15, 10], [15, 16]]},
        {"label": "l", "shape_type": "linestrip", "points": [[1, 1], [5, 5]]},
        {"label": "r", "points": [[0, 0], [9, 0], [9, 9]], "group_id": None},
    )
    found = read_labelme(path, SIZE_PX)
    assert [region.name for region in found] == ["p", "r", "c", "r"]
    assert found[0] == Region.polygon("p", [(2, 2), (30, 4), (9, 20)], SIZE_PX, found[0].colour)
    assert found[1].area_px == 17 * 11
    assert found[2] == Region.ellipse("c", (9, 4, 21, 16), SIZE_PX, found[2].colour)


def test_shapes_of_one_group_are_one_region(tmp_path):
    box = {"shape_type": "rectangle", "group_id": 3, "label": "cat"}
    path = labelme(tmp_path, {**box, "points": [[0, 0], [4, 4]]}, {**box, "points": [[10, 10], [14, 14]]})
    (cat,) = read_labelme(path, SIZE_PX)
    assert cat.area_px == 32 and cat.box_px == (0, 0, 14, 14)


def test_a_mask_that_labelme_wrote(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 6), 255, np.uint8)).save(buffer, "PNG")
    shape = {"label": "m", "shape_type": "mask", "points": [[10, 5], [15, 8]],
             "mask": base64.b64encode(buffer.getvalue()).decode()}  # fmt: skip
    (mask,) = read_labelme(labelme(tmp_path, shape), SIZE_PX)
    assert mask.box_px == (10, 5, 16, 9) and mask.area_px == 24


@pytest.mark.parametrize(
    "shape",
    [
        {"points": [[0, 0]]},
        {"label": "x", "points": 5},
        {"label": "x", "shape_type": "rectangle", "points": [[0, 0]]},
        {"label": "x", "shape_type": "mask", "points": [[0, 0]], "mask": "no base64!"},
        {"label": "x", "shape_type": "mask", "points": [[30, 0]], "mask": ""},
        "not even a shape",
    ],
)
def test_damaged_labelme_files_are_refused(tmp_path, shape):
    with pytest.raises(UserError) as caught:
        read_labelme(labelme(tmp_path, shape), SIZE_PX)
    assert "labelme.json" in caught.value.sentence


def test_labelme_files_of_other_pictures_and_without_shapes_are_refused(tmp_path):
    with pytest.raises(UserError, match="99 x 9"):
        read_labelme(labelme(tmp_path, imageWidth=99, imageHeight=9), SIZE_PX)
    with pytest.raises(UserError, match="no region"):
        read_labelme(labelme(tmp_path), SIZE_PX)


def coco(tmp_path: Path, **more: object) -> Path:
    path = tmp_path / "coco.json"
    content = {
        "images": [
            {"id": 7, "file_name": "train/strip.jpg", "width": SIZE_PX[0], "height": SIZE_PX[1]},
            {"id": 8, "file_name": "other.jpg", "width": 5, "height": 5},
        ],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "segmentation": [[0, 0, 5, 0, 5, 4, 0, 4]]},
            {"image_id": 8, "category_id": 3, "segmentation": [[0, 0, 5, 0, 5, 4, 0, 4]]},
            {"image_id": 7, "category_id": 9, "bbox": [2, 3, 4, 5]},
        ],
        **more,
    }
    path.write_text(json.dumps(content))
    return path


def test_annotations_of_the_picture_with_this_name(tmp_path):
    cat, box = read_coco(coco(tmp_path), SIZE_PX, "strip.png")
    assert (cat.name, cat.area_px) == ("cat", 20) and (box.name, box.box_px) == ("Region", (2, 3, 6, 8))
    assert cat.colour != box.colour


def test_coco_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(WhichPicture, match="2 pictures"):
        read_coco(coco(tmp_path), SIZE_PX, "unknown.png")
    with pytest.raises(UserError, match="5 x 5"):
        read_coco(coco(tmp_path), SIZE_PX, "other.png")
    with pytest.raises(UserError, match="not numbers"):
        read_coco(
            coco(tmp_path, annotations=[{"image_id": 7, "segmentation": [["a", "b"]]}]), SIZE_PX, "strip.png"
        )
    with pytest.raises(UserError, match="no region"):
        read_coco(coco(tmp_path, annotations=[]), SIZE_PX, "strip.png")


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"a": 1}', ""])
def test_what_is_no_file_of_regions_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        read_regions([path], SIZE_PX, "strip.png")


def test_a_folder_that_cannot_be_written_to_keeps_the_old_file(regions, tmp_path):
    path = tmp_path / "none" / "a.json"
    for form in ("labelme", "coco", "png"):
        with pytest.raises(UserError, match="cannot be written"):
            write_regions(path, regions, "strip.png", form)
    (tmp_path / "folder.json").mkdir()
    forms: tuple[Literal["labelme", "coco"], ...] = ("labelme", "coco")
    for form in forms:
        with pytest.raises(UserError, match="is a folder"):
            write_regions(tmp_path / "folder.json", regions, "strip.png", form)
