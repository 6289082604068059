"""Attention over a picture: where there is none the picture stays as it is, to the last bit."""

import numpy as np
import pytest
from PIL import Image

from gazeviz.domain.region import Region
from gazeviz.render.overlay import ALPHA_HIGHEST, attention_rgba, overlay_picture
from gazeviz.render.style import magma_256x3

SIZE_PX = (40, 30)


def test_colour_and_alpha_rise_with_the_value() -> None:
    rgba = attention_rgba(np.linspace(0, 1, 256, dtype=np.float32)[None, :])
    assert (rgba[0, :, :3] == magma_256x3()).all()
    assert (np.diff(rgba[0, :, 3].astype(int)) >= 0).all()
    assert rgba[0, 0, 3] == 0
    assert rgba[0, -1, 3] == round(255 * ALPHA_HIGHEST)


def test_a_map_without_attention_and_one_with_nan_are_transparent() -> None:
    assert (attention_rgba(np.zeros((2, 3)))[..., 3] == 0).all()
    assert (attention_rgba(np.full((2, 3), np.nan))[..., 3] == 0).all()


def test_a_given_scale_is_kept_and_values_beyond_it_stay_at_its_end() -> None:
    half, beyond = attention_rgba(np.array([[0.5, 3.0]]), highest=1.0)[0]
    assert tuple(half[:3]) == tuple(magma_256x3()[128])
    assert tuple(beyond[:3]) == tuple(magma_256x3()[255])


def test_opacity_scales_alpha_alone() -> None:
    full, faint = (attention_rgba(np.array([[1.0]]), opacity=opacity)[0, 0] for opacity in (1.0, 0.25))
    assert (full[:3] == faint[:3]).all()
    assert faint[3] == pytest.approx(full[3] / 4, abs=1)


def test_the_picture_is_untouched_where_nobody_looks(rng: np.random.Generator) -> None:
    pixels = rng.integers(256, size=(SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8)
    map_HW = np.zeros((SIZE_PX[1], SIZE_PX[0]), dtype=np.float32)
    map_HW[5:10, 5:10] = 1.0
    drawn = np.asarray(overlay_picture(Image.fromarray(pixels), map_HW))
    changed_HW = (drawn != pixels).any(axis=2)
    assert changed_HW[5:10, 5:10].all()
    changed_HW[5:10, 5:10] = False
    assert not changed_HW.any()


def test_the_given_picture_is_never_written_to() -> None:
    picture = Image.new("RGB", SIZE_PX, "white")
    overlay_picture(picture, np.ones((SIZE_PX[1], SIZE_PX[0])), [Region.box("a", (1, 1, 20, 20), SIZE_PX)])
    assert picture.getcolors() == [(SIZE_PX[0] * SIZE_PX[1], (255, 255, 255))]


def test_a_region_is_outlined_in_its_colour_and_left_clear_inside() -> None:
    picture = Image.new("RGB", (200, 200), "white")
    region = Region.box("a", (50, 60, 150, 160), (200, 200), colour="#D55E00")
    drawn = np.asarray(overlay_picture(picture, regions=[region]))
    orange = (0xD5, 0x5E, 0x00)
    assert tuple(drawn[160 - 1, 100]) == orange and tuple(drawn[100, 149]) == orange
    assert tuple(drawn[130, 100]) == (255, 255, 255)
    assert tuple(drawn[170, 100]) == (255, 255, 255)


def test_numbers_name_regions_apart() -> None:
    picture = Image.new("RGB", (200, 200), "white")
    region = Region.box("a", (50, 60, 150, 160), (200, 200))
    first, fourth = (overlay_picture(picture, regions=[region], numbers=[number]) for number in (1, 4))
    assert first.tobytes() != fourth.tobytes()


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        overlay_picture(Image.new("RGB", SIZE_PX), np.zeros((3, 3)))
