"""Attention laid over a picture: colour and alpha from one map, so the picture stays readable elsewhere.

It takes maps in the picture's own pixels (`TokenGrid.picture_map`) and does not know heads, tokens or models.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from gazeviz.domain.region import Region, region_colour
from gazeviz.render.style import magma_256x3

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

ALPHA_HIGHEST = 0.8
"""Opacity of the highest value: even there the picture shows through."""
ALPHA_POWER = 0.7
"""Below 1, so that half of the highest value is still plainly visible."""


def attention_rgba(
    map_HW: NDArray[np.floating], highest: float | None = None, opacity: float = 1.0
) -> NDArray[np.uint8]:
    """Colour a map for laying over its picture.

    map_HW: float (H, W), not negative; NaN counts as 0.
    highest: the value at the bright end of the scale; the map's own maximum unless given.
    opacity: 0 to 1, the person's overlay slider.
    Returns uint8 (H, W, 4), straight alpha.
    """
    values_HW = np.asarray(map_HW, dtype=np.float32)
    values_HW = np.where(np.isnan(values_HW), np.float32(0), values_HW)
    scale = float(values_HW.max(initial=0.0)) if highest is None else highest
    if scale <= 0:
        return np.zeros((*values_HW.shape, 4), dtype=np.uint8)
    steps_HW = np.rint(np.clip(values_HW * np.float32(255 / scale), 0, 255)).astype(np.uint8)
    coloured: NDArray[np.uint8] = _colours_256x4(min(max(opacity, 0.0), 1.0))[steps_HW]
    return coloured


@lru_cache(maxsize=8)
def _colours_256x4(opacity: float) -> NDArray[np.uint8]:
    """Magma with the alpha that rises along it, for one place of the overlay slider."""
    alpha_256 = np.power(np.arange(256) / 255, ALPHA_POWER) * (ALPHA_HIGHEST * opacity)
    return np.concatenate(
        [magma_256x3(), np.rint(alpha_256 * 255).astype(np.uint8)[:, None]], axis=1, dtype=np.uint8
    )


def overlay_picture(
    picture: Image.Image,
    map_HW: NDArray[np.floating] | None = None,
    regions: Sequence[Region] = (),
    highest: float | None = None,
    opacity: float = 1.0,
    numbers: Sequence[int] | None = None,
) -> Image.Image:
    """Return the picture with a map over it and the regions' outlines and numbers, RGB of the same size.

    numbers: the regions' numbers, 1, 2, 3 ... unless given.
    ValueError if the map is of another size than the picture.
    """
    drawn = picture.convert("RGB")
    if map_HW is not None:
        if map_HW.shape != (drawn.height, drawn.width):
            raise ValueError(
                f"a map of {map_HW.shape} does not fit a picture of {(drawn.height, drawn.width)}"
            )
        layer = Image.fromarray(attention_rgba(map_HW, highest, opacity))
        drawn.paste(layer, (0, 0), layer)
    for number, region in zip(numbers or range(1, len(regions) + 1), regions, strict=True):
        _outline(drawn, region, number)
    return drawn


def _outline(image: Image.Image, region: Region, number: int) -> None:
    """Draw the region's edge and its number at the top left of its box, in place."""
    width_px = max(2, round(min(image.size) / 80))
    inside_HW = np.asarray(region.mask_HW, dtype=bool)
    edge_HW = inside_HW & ~_shrunk(inside_HW, width_px)
    colour = region.colour or region_colour(number - 1)
    image.paste(ImageColor.getrgb(colour), (0, 0), Image.fromarray(edge_HW))
    size_px = max(10, min(image.size) // 9)
    font: FreeTypeFont | ImageFont.ImageFont = ImageFont.load_default(size_px)
    x0, y0 = (int(value) for value in region.box_px[:2])
    label = (x0, y0, x0 + round(size_px * 1.1), y0 + round(size_px * 1.3))
    draw = ImageDraw.Draw(image)
    draw.rectangle(label, fill=colour)
    centre = ((label[0] + label[2]) / 2, (label[1] + label[3]) / 2)
    draw.text(centre, str(number), fill=ink_on(colour), font=font, anchor="mm")


@cache
def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on the colour (contrast by WCAG 2.2's relative luminance)."""
    channels = np.array(ImageColor.getrgb(colour)[:3]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def _shrunk(inside_HW: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    """The mask without its outermost `by_px` pixels: a diamond erosion, one pixel at a time."""
    shrunk_HW = inside_HW
    for _ in range(by_px):
        padded = np.pad(shrunk_HW, 1)
        across = padded[1:-1, :-2] & padded[1:-1, 2:]
        shrunk_HW = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & across
    return shrunk_HW
