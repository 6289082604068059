"""Every picture is opened upright, in 8 bits and over white, or refused with a sentence."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazeviz import imaging
from gazeviz.errors import UserError
from gazeviz.imaging import open_encoded, open_picture, stretched

NUMBERS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    assert image.mode == "RGB"
    return np.asarray(image)


def saved(folder: Path, image: Image.Image, name: str, **options: Any) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_ordinary_files_are_opened_as_they_are(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, Image.fromarray(NUMBERS), name, **options)
    assert np.array_equal(pixels(open_picture(path)), NUMBERS)
    assert np.array_equal(pixels(open_picture(str(path))), NUMBERS)


def test_an_image_and_an_array_give_the_same_as_their_file(tmp_path: Path) -> None:
    image = Image.fromarray(NUMBERS)
    assert np.array_equal(pixels(open_picture(image)), NUMBERS)
    assert np.array_equal(pixels(open_picture(NUMBERS)), NUMBERS)
    assert np.array_equal(pixels(open_picture(NUMBERS[:, ::-1])), NUMBERS[:, ::-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_between_0_and_1_are_brightness(dtype: type) -> None:
    assert np.array_equal(pixels(open_picture((NUMBERS / 255).astype(dtype))), NUMBERS)


def test_arrays_of_one_channel_are_grey() -> None:
    grey = NUMBERS[:, :, 0]
    for array in (grey, grey[:, :, None]):
        assert np.array_equal(pixels(open_picture(array)), np.repeat(grey[:, :, None], 3, axis=2))
    assert np.array_equal(pixels(open_picture(grey > 127))[:, :, 1], np.where(grey > 127, 255, 0))


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bits_are_scaled_not_cut_off(tmp_path: Path, name: str) -> None:
    deep = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    opened = pixels(open_picture(saved(tmp_path, Image.fromarray(deep), name)))
    assert np.abs(opened[:, :, 0].astype(float) - deep / 257).max() <= 0.5
    assert np.array_equal(pixels(open_picture(deep)), opened)


def test_a_32_bit_picture_of_small_numbers_keeps_them() -> None:
    grey = NUMBERS[:, :, 0].astype(np.int32)
    assert np.array_equal(pixels(open_picture(Image.fromarray(grey)))[:, :, 0], grey)


def test_a_float_picture_is_stretched_between_its_extremes() -> None:
    heights = np.array([[-2.0, 0.0], [3.0, np.nan]], dtype=np.float32)
    assert pixels(open_picture(Image.fromarray(heights)))[:, :, 0].tolist() == [[0, 102], [255, 102]]


def test_cmyk_and_palettes_are_converted(tmp_path: Path) -> None:
    ink = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "ink.jpg", quality=95)
    assert np.abs(pixels(open_picture(ink))[4, 4].astype(int) - (255, 0, 0)).max() < 8
    few = saved(tmp_path, Image.new("RGB", (8, 8), (10, 200, 30)).quantize(4), "few.png")
    assert pixels(open_picture(few))[0, 0].tolist() == [10, 200, 30]


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    glass = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    glass.putpixel((0, 0), (255, 0, 0, 255))
    glass.putpixel((1, 0), (0, 0, 0, 128))
    opened = pixels(open_picture(saved(tmp_path, glass, "glass.png")))
    assert opened[0, 0].tolist() == [255, 0, 0]
    assert opened[0, 1].tolist() == [127, 127, 127]
    assert opened[3, 3].tolist() == [255, 255, 255]
    one_colour = saved(tmp_path, Image.new("L", (3, 3), 9), "hole.png", transparency=9)
    assert pixels(open_picture(one_colour))[0, 0].tolist() == [255, 255, 255]


def test_the_cameras_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned right
    path = saved(tmp_path, Image.fromarray(NUMBERS), "turned.png", exif=exif)
    assert np.array_equal(pixels(open_picture(path)), np.rot90(NUMBERS, -1))


@pytest.mark.parametrize("name", ["film.gif", "film.webp", "film.png"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "lime", "blue")]
    path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(path) as film:
        film.seek(2)
        assert pixels(open_picture(film))[0, 0].tolist() == [255, 0, 0]
    assert pixels(open_picture(path))[0, 0].tolist() == [255, 0, 0]


def test_the_given_image_is_left_as_it_was() -> None:
    image = Image.fromarray(NUMBERS)
    opened = open_picture(image)
    opened.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(np.asarray(image), NUMBERS)


def refusal(source: imaging.Picture) -> UserError:
    with pytest.raises(UserError) as caught:
        open_picture(source)
    assert caught.value.next_step
    return caught.value


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "missing.png").sentence
    assert "a folder" in refusal(tmp_path).sentence
    empty = tmp_path / "empty.png"
    empty.touch()
    assert "empty" in refusal(empty).sentence


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear reader,")
    assert "letter.png is not a picture" in refusal(letter).sentence


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif"])
def test_a_truncated_picture_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(path).sentence.startswith("a.")


def test_a_bomb_and_an_absurd_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = saved(tmp_path, Image.new("1", (200, 100)), "big.png")
    monkeypatch.setattr(imaging, "MAX_PICTURE_PX", 19_999)
    assert "too large" in refusal(big).sentence
    monkeypatch.undo()
    long = saved(tmp_path, Image.new("1", (imaging.MAX_SIDE_PX + 1, 2)), "long.png")
    assert "30001 x 2 pixels" in refusal(long).sentence
    for limit in (15_000, 5_000):  # Pillow warns above its limit, and refuses above twice of it
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert "too large" in refusal(big).sentence


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 2)), np.zeros((0, 4, 3)), np.zeros(5), np.zeros((2, 2), dtype=complex), np.array("a")],
    ids=["two channels", "empty", "one axis", "complex", "text"],
)
def test_what_is_no_picture_array_is_refused(array: NDArray[np.generic]) -> None:
    assert "is not a picture" in refusal(array).sentence


def test_a_program_is_never_run_whatever_it_is_called(tmp_path: Path) -> None:
    """PostScript is a program: Pillow gives it to Ghostscript, which may write and delete files."""
    marker = tmp_path / "written"
    program = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({marker}) (w) file closefile\nshowpage\n"
    path = tmp_path / "picture.png"
    path.write_text(program)
    assert "not a picture" in refusal(path).sentence
    with pytest.raises(UserError, match="not a picture"):
        open_encoded(program.encode())
    with Image.open(path) as lazy:  # what a notebook may pass on
        assert "PostScript" in refusal(lazy).sentence
    assert not marker.exists()


def test_pictures_are_opened_in_one_place() -> None:
    folder = Path(imaging.__file__).parent
    found = [path.name for path in folder.rglob("*.py") if "Image.open(" in path.read_text("utf-8")]
    assert sorted(found) == ["imaging.py", "style.py"], "style.py opens a file of its own, by its format"


@pytest.mark.parametrize("top", [1023, 4095])
@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_few_bits_in_many_are_stretched_and_said_so(tmp_path: Path, name: str, top: int) -> None:
    deep = np.linspace(0, top, 400).astype(np.uint16).reshape(20, 20)
    opened = open_picture(saved(tmp_path, Image.fromarray(deep), name))
    assert np.abs(pixels(opened)[:, :, 0] - deep / top * 255).max() <= 0.5
    assert stretched(opened).startswith(name) and f"0 to {top}" in stretched(opened)
    assert stretched(open_picture(Image.fromarray(NUMBERS))) == ""


def png_of(deep_HW3: NDArray[np.uint16]) -> bytes:
    """16-bit colours as PNG, which Pillow does not write (PNG specification: IHDR, IDAT, IEND)."""
    height, width, _ = deep_HW3.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep_HW3)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_deep_colours_are_stretched_too() -> None:
    deep = np.linspace(0, 4095, 20 * 30 * 3).reshape(20, 30, 3).astype(np.uint16)
    opened = open_encoded(png_of(deep))
    assert np.abs(pixels(opened) - deep / 4095 * 255).max() <= 0.5 and "4095" in stretched(opened)
    full = open_encoded(png_of(deep * 16))
    assert np.array_equal(pixels(full), (deep * 16) >> 8) and stretched(full) == ""


def test_signed_and_dark_numbers_are_stretched() -> None:
    signed = open_picture(np.array([[-100, 0], [100, 300]], dtype=np.int16))
    assert pixels(signed)[:, :, 0].tolist() == [[0, 64], [128, 255]] and "-100 to 300" in stretched(signed)
    dim = open_picture(np.array([[0.0, 0.01], [0.02, np.inf]], dtype=np.float32))
    assert pixels(dim)[:, :, 0].tolist() == [[0, 128], [255, 0]] and stretched(dim)
    flat = open_picture(np.full((3, 3), 5, dtype=np.uint16))
    assert pixels(flat).std() == 0
