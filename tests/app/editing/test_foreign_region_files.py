"""Region files as other tools write them, and as no tool should: one bad shape costs itself alone."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.editing.coco_files import WhichPicture
from gazeviz.app.editing.found_regions import MOST_REGIONS, FoundRegions
from gazeviz.app.editing.mask_pictures import read_mask
from gazeviz.app.editing.region_files import read_regions, write_regions
from gazeviz.domain.region import Region
from gazeviz.errors import UserError
from gazeviz.imaging import MAX_SIDE_PX

SIZE_PX = (200, 120)
CORNERS = [[10, 10], [60, 10], [60, 50], [10, 50]]


def read(
    tmp_path: Path, content: Any, size_px=SIZE_PX, name="pic.png", encoding="utf-8", entry=""
) -> FoundRegions:
    path = tmp_path / "regions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding)
    return read_regions([path], size_px, name, entry)


def shape(**more: Any) -> dict[str, Any]:
    return {"label": "cat", "points": CORNERS, "shape_type": "polygon", "group_id": None, "flags": {}, **more}


def coco(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": "pic.png", "width": SIZE_PX[0], "height": SIZE_PX[1]}
    categories = [{"id": 1, "name": "cat"}]
    kept = [{"image_id": 1, "category_id": 1, **one} for one in annotations]
    return {"images": [image], "categories": categories, "annotations": kept, **more}


FLAT = [number for point in CORNERS for number in point]


class TestLabelme:
    @pytest.mark.parametrize("size", [{}, {"imageWidth": None, "imageHeight": None}, {"imageWidth": "200"}])
    def test_a_size_that_is_not_told_is_the_pictures(self, tmp_path, size):
        (cat,) = read(tmp_path, {"shapes": [shape()], **size}).regions
        assert cat.box_px == (10, 10, 60, 50)

    def test_a_size_that_is_not_told_is_that_of_the_picture_within(self, tmp_path):
        buffer = io.BytesIO()
        Image.new("RGB", (9, 7)).save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        with pytest.raises(UserError, match="9 x 7"):
            read(tmp_path, {"shapes": [shape()], "imageWidth": None, "imageData": data})

    @pytest.mark.parametrize("kind", ["rectangle", "rotation", "quadrilateral", "oriented_rectangle"])
    def test_four_corners_are_a_polygon(self, tmp_path, kind):
        (cat,) = read(tmp_path, {"shapes": [shape(shape_type=kind)]}).regions
        assert cat.area_px == 50 * 40

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
    def test_marks_and_wide_letters(self, tmp_path, encoding):
        (cat,) = read(
            tmp_path, json.dumps({"shapes": [shape(label="猫 🐈")]}, ensure_ascii=False), encoding=encoding
        ).regions
        assert cat.name == "猫 🐈"

    def test_a_mask_over_the_edge_is_cut(self, tmp_path):
        buffer = io.BytesIO()
        Image.new("L", (20, 10), 255).save(buffer, "PNG")
        mask = base64.b64encode(buffer.getvalue()).decode()
        for corner, box in (([-5, -3], (0, 0, 15, 7)), ([190, 115], (190, 115, 200, 120))):
            made = shape(shape_type="mask", points=[corner, corner], mask=mask)
            assert read(tmp_path, {"shapes": [made]}).regions[0].box_px == box
        away = read(tmp_path, {"shapes": [shape(shape_type="mask", points=[[500, 500]], mask=mask)]})
        assert not away.regions and "no pixel" in away.left_out[0].why

    def test_a_mask_that_is_a_bomb_is_left_out(self, tmp_path):
        buffer = io.BytesIO()
        Image.new("1", (MAX_SIDE_PX + 1, 3)).save(buffer, "PNG")
        bomb = shape(shape_type="mask", mask=base64.b64encode(buffer.getvalue()).decode())
        found = read(tmp_path, {"shapes": [bomb, shape(label="good")]})
        assert [region.name for region in found.regions] == ["good"]
        assert "too large" in found.left_out[0].why

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (shape(points=[[1, 1]]), "three points"),
            (shape(points=[[1e300, 1], [2, 2], [3, 1]]), "far outside"),
            (shape(points=[["a", 1], [2, 2], [3, 1]]), "not numbers"),
            (shape(shape_type="cuboid"), "not known"),
            (shape(shape_type="line"), "a line covers nothing"),
            (shape(shape_type=["polygon"]), "damaged"),
            ({"points": CORNERS}, "no label"),
            ("text", "no label"),
            (shape(points=[[500, 500], [600, 500], [600, 600]]), "no pixel"),
        ],
    )  # fmt: skip
    def test_one_bad_shape_costs_itself_alone(self, tmp_path, bad, why):
        found = read(tmp_path, {"shapes": [bad, shape(label="good")]})
        assert [region.name for region in found.regions] == ["good"]
        assert len(found.left_out) == 1 and why in found.left_out[0].why
        assert why in found.left_out_text

    def test_reasons_are_one_short_line(self, tmp_path):
        found = read(tmp_path, {"shapes": [shape(shape_type="\ud800\x1b]52;c;aGk=\x07" * 500)]})
        why = found.left_out[0].why
        assert why.isprintable() and len(why) < 400
        why.encode()

    def test_names_are_one_short_line(self, tmp_path):
        odd = ["\x1b]52;c;aGk=\x07", "\ud800", "a\nb", "", None, {"a": 1}, "x" * 5000]
        found = read(tmp_path, {"shapes": [shape(label=label) for label in odd]})
        for region in found.regions:
            assert region.name.isprintable() and 0 < len(region.name) <= 120
            region.name.encode()


class TestOurLabelmeFiles:
    def test_they_keep_the_rules_of_labelmes_loader(self, tmp_path):
        """What labelme asserts of a file that it opens, restated."""
        regions = (
            Region.box("a", (3, 4, 20, 30), SIZE_PX, "#0072B2"),
            Region.ellipse("b", (0, 0, 50, 50), SIZE_PX),
        )
        picture = tmp_path / "pictures" / "pic.png"
        (path,) = write_regions(tmp_path / "regions.json", regions, "pic.png", "labelme", picture)
        content = json.loads(path.read_text("utf-8"))
        assert {"version", "imageData", "imagePath", "shapes", "flags", "imageHeight", "imageWidth"} <= set(
            content
        )
        assert content["imagePath"] == "pictures/pic.png" and isinstance(content["flags"], dict)
        for one, region in zip(content["shapes"], regions, strict=True):
            assert isinstance(one["label"], str) and isinstance(one["shape_type"], str)
            assert isinstance(one["description"], str) and one["group_id"] is None
            assert all(
                isinstance(key, str) and isinstance(value, bool) for key, value in one["flags"].items()
            )
            (x0, y0), (x1, y1) = one["points"]
            assert all(isinstance(number, float) for number in (x0, y0, x1, y1))
            mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(one["mask"]))))
            assert mask.shape == (y1 - y0 + 1, x1 - x0 + 1) and mask.sum() == region.area_px
        assert content["shapes"][0]["gazeviz_colour"] == "#0072B2"
        assert read_regions([path], SIZE_PX, "pic.png").regions[0].colour == "#0072B2"

    def test_colours_of_older_files_are_found(self, tmp_path):
        (cat,) = read(tmp_path, {"shapes": [shape(flags={"gazeviz_colour": "#123456"})]}).regions
        assert cat.colour == "#123456"


class TestCoco:
    @pytest.mark.parametrize(
        "segmentation", [[FLAT], FLAT, CORNERS, [CORNERS], [FLAT, [1, 1]], [[str(number) for number in FLAT]]]
    )
    def test_polygons_however_they_are_nested(self, tmp_path, segmentation):
        (cat,) = read(tmp_path, coco({"segmentation": segmentation})).regions
        assert (cat.name, cat.area_px) == ("cat", 2000)

    def test_ids_of_text_and_sizes_that_are_missing(self, tmp_path):
        content = coco({"segmentation": [FLAT], "image_id": "1", "category_id": "1"})
        del content["images"][0]["width"], content["images"][0]["height"]
        assert read(tmp_path, content).regions[0].name == "cat"

    @pytest.mark.parametrize(
        "counts",
        [
            [2**63 - 1, 2**63 - 1, 24002],
            [2**64, -(2**64), 24000],
            ["99999999999999999999", 24000],
            [24000.5],
            [True, 23999],
            [float("inf")],
            [],
            "P" * 400_000,
            "oooooooooooooooooooooooo0",
            "0" * 400_000,
            5,
            None,
        ],
    )  # fmt: skip
    def test_run_lengths_that_do_not_fill_the_picture(self, tmp_path, counts):
        """The sum of the first ones is the picture's size where 64 bits wrap around."""
        bad = {"segmentation": {"size": [120, 200], "counts": counts}}
        began_s = time.process_time()
        found = read(tmp_path, coco(bad, {"segmentation": [FLAT]}))
        assert time.process_time() - began_s < 2
        assert [region.area_px for region in found.regions] == [2000] and len(found.left_out) == 1

    def test_many_points_and_many_shapes_are_soon_answered(self, tmp_path):
        angle = np.linspace(0, 2 * np.pi, 200_000)
        points = np.stack([100 + 50 * np.cos(angle), 60 + 50 * np.sin(angle)], axis=1).ravel().tolist()
        began_s = time.process_time()
        (ring,) = read(tmp_path, coco({"segmentation": [points]})).regions
        assert abs(ring.area_px - np.pi * 2500) < 20
        found = read(tmp_path, coco(*[{"segmentation": [FLAT]}] * 20_000))
        assert len(found.regions) == MOST_REGIONS and "19,000 more" in found.left_out[-1].name
        assert time.process_time() - began_s < 8  # seconds apart on a quiet machine

    def test_a_picture_among_several(self, tmp_path):
        def several(*names: str, **sizes: tuple[int, int]) -> dict[str, Any]:
            images = [
                {"id": number, "file_name": name,
                 **dict(zip(("width", "height"), sizes.get(f"s{number}", SIZE_PX), strict=True))}
                for number, name in enumerate(names)
            ]  # fmt: skip
            kept = [{"image_id": n, "bbox": [0, 0, 5 + n, 5]} for n in range(len(names))]
            return {"images": images, "annotations": kept}

        def chosen(content: dict[str, Any], name: str, entry: str = "") -> int:
            return read(tmp_path, content, name=name, entry=entry).regions[0].box_px[2] - 5

        assert chosen(several("a/other.png", "a/pic.png"), "pic.png") == 1
        assert chosen(several("images\\other.png", "images\\pic.png"), "C:\\data\\images\\pic.png") == 1
        assert chosen(several("train/pic.png", "val/pic.png"), "/data/val/pic.png") == 1
        assert chosen(several("train/pic.jpg", "val/pic.png", s0=(100, 100)), "pic.png") == 1
        assert chosen(several("pic.jpg", "pic.tif", s0=(100, 100)), "pic.png") == 1
        with pytest.raises(WhichPicture) as caught:
            chosen(several("a/x.png", "b/x.png"), "pic.png")
        assert caught.value.names == ("a/x.png", "b/x.png") and "--entry" in caught.value.next_step
        assert chosen(several("a/x.png", "b/x.png"), "pic.png", entry="b/x.png") == 1

    def test_sa_1b_and_lists_of_results(self, tmp_path):
        packed = {"segmentation": {"size": [3, 2], "counts": "132"}}
        image = {"image_id": 9, "file_name": "sa_9.jpg", "width": 2, "height": 3}
        (mask,) = read(tmp_path, {"image": image, "annotations": [packed]}, (2, 3), "sa_9.jpg").regions
        assert mask.area_px == 3
        results = [{"image_id": 4, "category_id": 1, "segmentation": [FLAT], "score": 0.9}]
        assert read(tmp_path, results).regions[0].area_px == 2000

    @pytest.mark.parametrize("text", ["[" * 100_000, "{" + '"a":' * 5, "1" * 10_000, "[1, 2]", "null"])
    def test_what_is_no_file_of_regions_is_a_sentence(self, tmp_path, text):
        with pytest.raises(UserError, match=r"regions\.json"):
            read(tmp_path, text)


class TestMasks:
    def saved(self, tmp_path: Path, image: Image.Image, **options: Any) -> FoundRegions:
        path = tmp_path / "01 mask.png"
        image.save(path, **options)
        return read_mask(path, image.size if "exif" not in options else image.size[::-1])

    @pytest.mark.parametrize("value", [1, 7, 127, 255])
    def test_one_value_on_black_is_a_mask(self, tmp_path, rng, value):
        inside = rng.random((12, 20)) < 0.3
        (mask,) = self.saved(tmp_path, Image.fromarray((inside * value).astype(np.uint8))).regions
        assert np.array_equal(mask.mask_HW, inside) and mask.name == "mask"

    def test_deep_masks_and_bits(self, tmp_path, rng):
        inside = rng.random((12, 20)) < 0.3
        for image in (Image.fromarray((inside * 4095).astype(np.uint16)), Image.fromarray(inside)):
            assert np.array_equal(self.saved(tmp_path, image).regions[0].mask_HW, inside)

    @pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 30, 30)])
    def test_on_clear_ground_what_can_be_seen_is_inside(self, tmp_path, colour):
        """White on clear, laid over white, was the whole picture."""
        image = Image.new("RGBA", (30, 20), (*colour, 0))
        image.paste((*colour, 255), (5, 5, 15, 12))
        (mask,) = self.saved(tmp_path, image).regions
        assert mask.box_px == (5, 5, 15, 12) and mask.area_px == 70

    def test_all_clear_is_nothing(self, tmp_path):
        assert self.saved(tmp_path, Image.new("RGBA", (30, 20), (255, 255, 255, 0))).regions == ()

    def test_labels_are_regions(self, tmp_path):
        labels = np.zeros((20, 30), np.uint8)
        labels[2:6, 2:9], labels[10:18, 3:8], labels[10:12, 20:22] = 1, 2, 3
        found = self.saved(tmp_path, Image.fromarray(labels)).regions
        assert [(region.name, region.area_px) for region in found] == [
            ("mask 1", 28),
            ("mask 2", 40),
            ("mask 3", 4),
        ]
        palette = Image.fromarray(labels, "P")
        palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
        assert len(self.saved(tmp_path, palette).regions) == 2, "too small an area is an edge among colours"

    def test_soft_edges_are_no_labels(self, tmp_path):
        soft = Image.new("L", (120, 90))
        soft.paste(255, (30, 20, 80, 70))
        soft = soft.resize((61, 47), Image.Resampling.BILINEAR)
        (mask,) = self.saved(tmp_path, soft).regions
        assert abs(mask.area_px - 25 * 26) < 60

    def test_a_mask_is_turned_as_its_picture_is(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        image = Image.new("L", (30, 20))
        image.paste(255, (0, 0, 10, 5))
        (mask,) = self.saved(tmp_path, image, exif=exif).regions
        assert mask.size_px == (20, 30) and mask.box_px == (15, 0, 20, 10)

    def test_a_program_called_png_is_no_mask(self, tmp_path):
        path = tmp_path / "mask.png"
        path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
        with pytest.raises(UserError, match="not a picture"):
            read_mask(path, (9, 9))
