"""Pictures for the screen: the very pixels that the worker decodes, from wherever they come."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.runs.picture_opener import panel_folder, picture_data, picture_file, picture_sha256, samples
from gazeviz.domain.strip import Layout, panel_boxes_px
from gazeviz.errors import UserError
from gazeviz.imaging import open_picture
from gazeviz.imaging import picture_sha256 as engine_sha256


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_file_is_decoded_and_named_as_the_engine_does(strip_path: Path):
    picture = picture_file(strip_path)
    image = open_picture(strip_path)
    assert np.array_equal(picture.pixels_HW3, np.asarray(image))
    assert picture.sha256 == engine_sha256(image) == picture.source.sha256
    assert picture.source.path == str(strip_path) and picture.name == "strip.png"
    assert picture.size_px == (384, 64) and not picture.pixels_HW3.flags.writeable


def test_the_layout_is_the_one_that_is_named_or_else_the_gutters(strip_path: Path):
    assert picture_file(strip_path).layout == Layout(1, 6)
    assert picture_file(strip_path, Layout(2, 3)).layout == Layout(2, 3)


def test_bad_files_end_in_a_sentence(tmp_path: Path):
    text = tmp_path / "a.png"
    text.write_text("no picture")
    for bad in (text, tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError) as caught:
            picture_file(bad)
        assert caught.value.next_step


def test_pasted_bytes_are_the_same_picture(rng):
    pixels_HW3 = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    picture = picture_data(png(pixels_HW3), "Pasted picture")
    assert np.array_equal(picture.pixels_HW3, pixels_HW3) and picture.layout is None
    assert picture.source.path is None and picture.sha256 == picture_sha256(pixels_HW3)
    with pytest.raises(UserError, match="Pasted picture"):
        picture_data(b"not a picture", "Pasted picture")
    with pytest.raises(UserError, match="damaged"):
        picture_data(png(rng.integers(0, 256, (99, 99, 3), dtype=np.uint8))[:3000], "Pasted picture")


def test_size_counts_beside_pixels():
    assert picture_sha256(np.zeros((2, 8, 3), np.uint8)) != picture_sha256(np.zeros((8, 2, 3), np.uint8))


def test_a_folder_of_panels_becomes_a_strip_in_the_order_of_their_numbers(tmp_path: Path):
    folder = tmp_path / "my story"
    folder.mkdir()
    for number in (1, 2, 10):
        size = (60, 40) if number != 2 else (30, 80)
        Image.new("RGB", size, (20 * number, 0, 0)).save(folder / f"p{number}.png")
    picture = panel_folder(folder)
    assert picture.name == "my story" and picture.layout is not None and picture.layout.n == 3
    boxes = panel_boxes_px(picture.layout, *picture.size_px)
    # 256 px high, each its own width rounded to cells of 32 px, edge to edge.
    assert boxes == ((0, 0, 384, 256), (384, 0, 480, 256), (480, 0, 864, 256))
    assert picture.size_px == (864, 256)
    centres = [picture.pixels_HW3[(y0 + y1) // 2, (x0 + x1) // 2, 0] for x0, y0, x1, y1 in boxes]
    assert centres == [20, 40, 200]


def test_panels_of_one_size_are_an_even_layout(tmp_path: Path):
    for number in range(1, 7):
        Image.new("RGB", (1024, 1024), "red").save(tmp_path / f"p{number}.png")
    picture = panel_folder(tmp_path)
    assert picture.layout == Layout(1, 6) and picture.size_px == (1536, 256)
    assert (picture.pixels_HW3 == [255, 0, 0]).all(), "no white between the panels"


def test_a_folder_that_is_no_strip_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="0 pictures"):
        panel_folder(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        panel_folder(tmp_path / "none")


def test_samples_can_be_opened():
    found = samples()
    assert sum(sample.layout is not None for sample in found) >= 6
    for sample in found:
        picture = picture_file(sample.path, sample.layout, sample.captions)
        assert picture.layout == sample.layout or sample.layout is None
        assert not sample.layout or len(sample.captions) == sample.layout.n
