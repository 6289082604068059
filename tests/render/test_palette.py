"""Colours and numbers that every picture shares."""

import numpy as np
import pytest

from gazeviz.domain.wording import format_figure
from gazeviz.render.overlay import ink_on
from gazeviz.render.style import DARK, LIGHT, SERIES, THEMES, Theme, magma_256x3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (0.893, ".89"), (0.5, ".5"), (0.004, "<.01"), (-0.004, ">\N{MINUS SIGN}.01"),
        (-0.25, "-.25"),
        (12.34, "12.3"), (2.5, "2.5"), (float("nan"), "none"), (0.999, "1"), (0.1, ".1"), (10.0, "10.0"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert format_figure(value) == text


def test_magma_rises_in_lightness_all_along() -> None:
    linear = (magma_256x3() / 255.0) ** 2.2
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > -1e-3).all()
    assert luminance[0] < 0.01 and luminance[-1] > 0.9


def test_magma_is_the_published_map() -> None:
    from matplotlib import colormaps

    published = np.rint(colormaps["magma"](np.arange(256))[:, :3] * 255)
    assert (magma_256x3() == published).all()


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ np.array([0.2126, 0.7152, 0.0722]))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("surface", ["window", "panel", "raised"])
def test_text_is_readable_on_every_surface(theme: Theme, surface: str) -> None:
    assert contrast(theme.ink, getattr(theme, surface)) >= 4.5
    assert contrast(theme.soft, getattr(theme, surface)) >= 4.5


@pytest.mark.parametrize(
    "colour", ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#F0E442", "#000000", "#ffffff"]
)
def test_the_ink_on_a_colour_is_the_more_readable_one(colour: str) -> None:
    other = {"#000000": "#ffffff", "#ffffff": "#000000"}[ink_on(colour)]
    assert contrast(ink_on(colour), colour) >= contrast(other, colour)


def test_what_is_compared_stands_out_in_both_themes() -> None:
    for name, theme in THEMES.items():
        assert len(set(SERIES[name])) == 6
        assert min(contrast(colour, theme.panel) for colour in SERIES[name]) >= 4.5
