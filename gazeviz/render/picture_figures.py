"""Figures made of the picture: its regions with their legend, and a strip of maps at several tokens.

Like gazeviz.render.figures, from domain values alone; a figure's own colours are the palette's, the picture's
are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from gazeviz.domain.region import Region, region_colour
from gazeviz.render.lettering import drawable, one_line
from gazeviz.render.overlay import ink_on, overlay_picture
from gazeviz.render.palette import THEMES, Theme, ThemeName
from gazeviz.render.plate import SMALL_PT, STYLE, TINY_PT, entitle, legend, plate, title_inch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_NAME = 17
_NAME_INCH = 1.35
_ROW_INCH = 0.2
_LEGEND_INCH = 3.2


@dataclass(frozen=True, eq=False)
class TokenMap:
    """Attention while one answer token was written. map_HW: float (H, W), in the picture's own pixels."""

    label: str
    map_HW: NDArray[np.floating]


def picture_regions(
    picture: Image.Image, regions: Sequence[Region], title: str = "", theme: ThemeName = "light"
) -> Figure:
    """Draw a picture with its regions' outlines and numbers, and their names beneath it."""
    colours = THEMES[theme]
    width_inch, height_inch = _size_inch(picture, 3.6, 9)
    per_row = max(1, int(width_inch / _NAME_INCH))
    n_rows = -(-len(regions) // per_row)
    with rc_context(STYLE):
        figure, axes = plate(
            (width_inch, height_inch), colours, left=0.2, right=0.2, bottom=0.2 + n_rows * _ROW_INCH, top=0.36
        )
        _show(axes, overlay_picture(picture, None, regions))
        entitle(axes, _cut(title, width_inch), colours, pad_pt=6)
        for place, region in enumerate(regions):
            row, column = divmod(place, per_row)
            down_inch = 0.16 + row * _ROW_INCH
            _name(axes, region, place, (column * _NAME_INCH / width_inch, -down_inch / height_inch), colours)
    return figure


def overlay_strip(
    picture: Image.Image,
    maps: Sequence[TokenMap],
    regions: Sequence[Region] = (),
    title: str = "",
    theme: ThemeName = "light",
    numbers: Sequence[int] | None = None,
) -> Figure:
    """Draw the same picture once for each map, all on one scale: where the heads looked, token by token.

    Wide pictures stand one below the other, others side by side. regions, numbers: outlined in each.
    """
    if not maps:
        raise ValueError("no map to draw")
    colours = THEMES[theme]
    n_columns = 1 if picture.width > 2.5 * picture.height else min(len(maps), 4)
    n_rows = -(-len(maps) // n_columns)
    side, gap, label = _size_inch(picture, 1.7, 6.5 if n_columns == 1 else 2.2), 0.12, 0.22
    width = n_columns * side[0] + (n_columns - 1) * gap
    height = n_rows * (side[1] + label)
    top = max(float(np.nanmax(token.map_HW, initial=0.0)) for token in maps)
    with rc_context(STYLE):
        right = max(0.2, _LEGEND_INCH - width)
        figure, axes = plate((width, height), colours, left=0.3, right=right, bottom=0.42, top=0.42)
        axes.set_axis_off()
        entitle(axes, _cut(title, width), colours, pad_pt=4)
        for place, token in enumerate(maps):
            row, column = divmod(place, n_columns)
            x = column * (side[0] + gap) / width
            y = 1 - ((row + 1) * (side[1] + label)) / height
            panel = axes.inset_axes((x, y, side[0] / width, side[1] / height))
            _show(panel, overlay_picture(picture, token.map_HW, regions, top, numbers=numbers))
            words = drawable(token.label, int(side[0] * 12))
            panel.set_title(words, loc="left", fontsize=SMALL_PT, color=colours.soft, pad=2)
        legend(figure, axes, Normalize(0.0, top or 1.0), colours, "attention per image token", below_inch=0.2)
    return figure


def _size_inch(picture: Image.Image, least: float, most: float) -> tuple[float, float]:
    """A drawn size with the picture's own proportions, not higher than 5 inches."""
    width = float(np.clip(picture.width / 110, least, most))
    height = width * picture.height / picture.width
    shrink = min(1.0, 5.0 / height)
    return width * shrink, height * shrink


def _cut(title: str, width_inch: float) -> str:
    """As much of a title as has room."""
    return one_line(title, max(12, int(len(title) * width_inch / max(title_inch(title), 0.1))))


def _show(axes: Axes, picture: Image.Image) -> None:
    axes.imshow(np.asarray(picture), interpolation="antialiased", aspect="auto")
    axes.set_axis_off()


def _name(axes: Axes, region: Region, place: int, at: tuple[float, float], colours: Theme) -> None:
    """A region's number on its colour, and its name."""
    paint = region.colour or region_colour(place)
    box = {"facecolor": paint, "edgecolor": "none", "boxstyle": "round,pad=0.25"}
    how: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
    number = str(place + 1)
    axes.annotate(
        number, at, (5, 0), ha="center", fontsize=TINY_PT, color=ink_on(paint), bbox=box, **how,
        annotation_clip=False,
    )  # fmt: skip
    name = drawable(region.name, _LONGEST_NAME)
    axes.annotate(name, at, (14, 0), fontsize=SMALL_PT, color=colours.ink, annotation_clip=False, **how)
