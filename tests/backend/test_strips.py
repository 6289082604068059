"""Strips to measure on: drawn ones and folders."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.backend.strips import CONTENTS_FILE, folder_strips, strips_of
from gazeviz.domain.messages import StripsSource
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.resources import resource_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two strips of six panels with white gutters, and a file that is no picture."""
    pixels = np.random.default_rng(0).integers(0, 255, (192, 1152, 3), dtype=np.uint8)
    strip = Image.fromarray(pixels)
    for edge in range(0, strip.width, 192):
        strip.paste("white", (max(0, edge - 4), 0, edge + 4, strip.height))
    for name in ("b.png", "a.png"):
        strip.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_drawn_strips_depend_on_the_seed_alone() -> None:
    three, two = (strips_of(StripsSource("builtin", n, seed=4)) for n in (3, 2))
    assert [strip.captions for strip in three[:2]] == [strip.captions for strip in two]
    assert three[0].captions != strips_of(StripsSource("builtin", 1, seed=5))[0].captions
    assert len(three[0].panels) == 6


def test_a_folder_is_read_in_the_order_of_its_names_and_by_its_gutters(folder: Path) -> None:
    strips = strips_of(StripsSource("folder", folder=str(folder)))
    assert [strip.name for strip in strips] == ["a", "b"]
    assert all(len(strip.panels) == 6 and strip.captions == () for strip in strips)
    assert len(strips_of(StripsSource("folder", 1, folder=str(folder)))) == 1


def test_a_list_gives_layouts_and_captions(folder: Path) -> None:
    captions = ["one", "two", "three"]
    listed = [{"file": "b.png", "layout": "1x3", "captions": captions}, {"file": "a.png", "kind": "scene"}]
    (folder / CONTENTS_FILE).write_text(json.dumps(listed))
    (strip,) = strips_of(StripsSource("folder", folder=str(folder)))
    assert (strip.name, len(strip.panels), strip.captions) == ("b", 3, tuple(captions))


def test_a_folder_of_panels_in_it_is_a_strip_beside_the_others(folder: Path) -> None:
    for number in (10, 2, 1):
        (folder / "c").mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), (20 * number, 0, 0)).save(folder / "c" / f"p{number}.png")
    (folder / "empty").mkdir()
    strips = strips_of(StripsSource("folder", folder=str(folder)))
    assert [strip.name for strip in strips] == ["a", "b", "c"]
    reds = [np.asarray(strips[2].image)[panel.mask_HW][:, 0].min() for panel in strips[2].panels]
    assert reds == [20, 40, 200]


def test_a_list_may_name_files_of_folders_within(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "b.png").rename(folder / "more" / "b.png")
    (folder / CONTENTS_FILE).write_text(json.dumps([{"file": "more/b.png", "layout": "1x3"}]))
    (strip,) = strips_of(StripsSource("folder", folder=str(folder)))
    assert (strip.name, len(strip.panels)) == ("b", 3)


def test_a_layout_that_is_named_holds_for_every_picture(folder: Path) -> None:
    assert [len(strip.panels) for strip in folder_strips(folder, layout=Layout(1, 2))] == [2, 2]


def test_the_samples_that_come_along_are_such_a_folder() -> None:
    strips = strips_of(StripsSource("folder", folder=str(resource_path("samples"))))
    assert len(strips) >= 6
    assert all(len(strip.captions) == len(strip.panels) for strip in strips)


@pytest.mark.parametrize("listed", ["{", '[{"layout": "1x6"}]', '["a.png"]'])
def test_a_damaged_list_is_refused(folder: Path, listed: str) -> None:
    (folder / CONTENTS_FILE).write_text(listed)
    with pytest.raises(UserError, match="no list of strips"):
        strips_of(StripsSource("folder", folder=str(folder)))


def test_folders_that_hold_no_strips_are_refused(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="holds no strips"):
        strips_of(StripsSource("folder", folder=str(empty)))
    with pytest.raises(UserError, match="no folder"):
        strips_of(StripsSource("folder", folder=str(tmp_path / "nowhere")))
    Image.new("RGB", (100, 100), "grey").save(folder / "c.png")
    with pytest.raises(UserError, match=r"c\.png"):
        strips_of(StripsSource("folder", folder=str(folder)))
