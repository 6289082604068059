"""Picture sets: how they are written, opened, joined from panels and filtered."""

import json
from pathlib import Path

import pytest
from PIL import Image

from gazeviz.backend.picture_sets import open_set
from gazeviz.backend.strips import joined_panels
from gazeviz.domain.experiments.picture_set import CocoFilter, SetSource
from gazeviz.errors import UserError


@pytest.mark.parametrize("text", ["builtin:100@7", "builtin:60@7:2x3", "scenes:60@7", "coco:/a/b.json:/c"])
def test_a_set_reads_as_it_is_written(text: str) -> None:
    source = SetSource.parse(text)
    assert str(source) == text
    assert SetSource.from_json(json.loads(json.dumps(source.to_json()))) == source


@pytest.mark.parametrize("text", ["builtin:0@1", "builtin:x", "scenes:3@1:2x3", "coco:a.json"])
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        SetSource.parse(text)


def test_panels_are_joined_edge_to_edge_each_with_its_own_width() -> None:
    six = [Image.new("RGB", (1024, 1024), "red")] * 6
    strip, regions = joined_panels(six)
    assert strip.size == (1536, 256)
    assert [region.box_px for region in regions] == [(256 * k, 0, 256 * k + 256, 256) for k in range(6)]
    strip, regions = joined_panels([Image.new("RGB", (300, 200)), Image.new("RGB", (100, 200))])
    assert [region.box_px[2] - region.box_px[0] for region in regions] == [384, 128]
    assert strip.size == (512, 256)


def test_folders_of_panels_and_strips_take_their_captions_from_files(tmp_path: Path) -> None:
    for number, colour in enumerate(("red", "blue"), start=1):
        (tmp_path / "one").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), colour).save(tmp_path / "one" / f"p{number}.png")
    (tmp_path / "one" / "captions.txt").write_text("a red thing\na blue thing\n")
    found = open_set(SetSource.parse(str(tmp_path)))
    assert found.pictures[0].captions == ("a red thing", "a blue thing")
    own = tmp_path / "mine.json"
    own.write_text(json.dumps({"one": ["first", "second"]}))
    again = open_set(SetSource.parse(str(tmp_path)), captions=own)
    assert again.pictures[0].captions == ("first", "second")
    assert again.fingerprint != found.fingerprint


def test_comics_give_windows_of_interior_panels_that_do_not_change_with_the_seed(tmp_path: Path) -> None:
    for page in range(4):
        for panel in range(4):
            (tmp_path / "7").mkdir(exist_ok=True)
            Image.new("RGB", (40, 40), (page * 60, panel * 60, 0)).save(
                tmp_path / "7" / f"{page}_{panel}.jpg"
            )
    source = SetSource("folder", n=2, path=str(tmp_path), length=3, seed=5)
    found = open_set(source)
    assert [len(picture.panels) for picture in found.pictures] == [3, 3]
    assert all(picture.name.split("/")[1][0] in "12" for picture in found.pictures)
    assert open_set(source).fingerprint == found.fingerprint


def coco(folder: Path) -> SetSource:
    Image.new("RGB", (200, 200), "white").save(folder / "a.png")
    Image.new("RGB", (200, 200), "grey").save(folder / "b.png")
    boxes = [(1, 1, [0, 0, 120, 120]), (1, 2, [120, 120, 40, 40]), (2, 1, [0, 0, 20, 20])]
    annotations = [
        {"id": place, "image_id": image, "category_id": category, "bbox": box, "area": box[2] * box[3]}
        for place, (image, category, box) in enumerate(boxes)
    ]
    told = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": annotations,
    }
    (folder / "instances.json").write_text(json.dumps(told))
    return SetSource.parse(f"coco:{folder / 'instances.json'}:{folder}")


def test_coco_gives_categories_and_areas_and_is_filtered(tmp_path: Path) -> None:
    source = coco(tmp_path)
    found = open_set(source)
    assert [picture.categories for picture in found.pictures] == [("cat", "dog"), ("cat",)]
    assert found.pictures[0].areas_px == (14400.0, 1600.0)
    for wanted, left in [
        (CocoFilter(categories=("dog",)), 1),
        (CocoFilter(sizes=("large", "small")), 2),
        (CocoFilter(smallest_side_px=30, most_regions=1), 1),
        (CocoFilter(pictures=1, seed=3), 1),
    ]:
        some = open_set(SetSource("coco", path=source.path, annotations=source.annotations, filter=wanted))
        assert len(some) == left
    with pytest.raises(UserError, match="no category"):
        open_set(
            SetSource("coco", path=source.path, annotations=source.annotations,
                      filter=CocoFilter(categories=("unicorn",)))
        )  # fmt: skip


def test_a_damaged_coco_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"images": [{}]}')
    with pytest.raises(UserError, match="no COCO"):
        open_set(SetSource.parse(f"coco:{tmp_path / 'x.json'}:{tmp_path}"))
