"""Figures of the picture: every region is named, every map stands on the same scale."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.render.figures import TokenMap, overlay_strip, picture_regions
from gazeviz.render.style import ThemeName

WIDE = Image.new("RGB", (600, 100), "white")
SQUARE = Image.new("RGB", (200, 200), "white")
PANELS = panel_regions(Layout(1, 6), 600, 100)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def titles(figure: Figure) -> list[str]:
    """Titles of the figure and of the maps inside it."""
    children = [child for axes in figure.axes for child in axes.child_axes if isinstance(child, Axes)]
    return [title for axes in (*figure.axes, *children) if (title := axes.get_title(loc="left"))]


def maps(image: Image.Image, *peaks: float) -> list[TokenMap]:
    return [
        TokenMap(f"token {place}", np.full((image.height, image.width), peak))
        for place, peak in enumerate(peaks)
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_region_is_named_with_its_number(theme: ThemeName) -> None:
    figure = picture_regions(WIDE, PANELS, "strip.png", theme)
    assert texts(figure) == [text for number in range(1, 7) for text in (str(number), f"Panel {number}")]
    assert titles(figure) == ["strip.png"]


def test_regions_have_room_beneath_the_picture() -> None:
    few, many = (picture_regions(SQUARE, panel_regions(Layout(1, n), 200, 200)) for n in (2, 12))
    assert many.get_size_inches()[1] > few.get_size_inches()[1]
    heights = [figure.axes[0].get_position().height * figure.get_size_inches()[1] for figure in (few, many)]
    assert heights[0] == pytest.approx(heights[1])


def test_maps_share_one_scale_whose_end_is_told() -> None:
    figure = overlay_strip(WIDE, maps(WIDE, 0.1, 0.4), title="Run 1")
    assert titles(figure) == ["Run 1", "token 0", "token 1"]
    assert [text for text in texts(figure) if "attention" in text] == [".4   attention per image token"]
    faint, full = (np.asarray(axes.images[0].get_array())[50, 300] for axes in figure.axes[0].child_axes)
    assert tuple(faint) != tuple(full)


def test_wide_pictures_stand_in_a_column_others_in_a_row() -> None:
    for image, in_a_row in ((WIDE, False), (SQUARE, True)):
        figure = overlay_strip(image, maps(image, 0.1, 0.2, 0.3))
        boxes = [axes.get_position() for axes in figure.axes[0].child_axes]
        figure.canvas.draw()
        tops = {round(axes.get_position().y1, 3) for axes in figure.axes[0].child_axes}
        assert (len(tops) == 1) is in_a_row, boxes


def test_no_map_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no map"):
        overlay_strip(WIDE, [])


def test_the_legend_of_a_small_picture_has_room() -> None:
    image = Image.new("RGB", (40, 90), "white")
    figure = overlay_strip(image, maps(image, 0.1))
    figure.canvas.draw()
    ends = [text.get_window_extent().x1 for axes in figure.axes for text in axes.texts]
    assert max(ends) <= figure.bbox.x1
