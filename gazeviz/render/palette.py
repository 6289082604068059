"""Colours and figures that every picture of gazeviz shares: two themes, one map, one way to write a number.

It does not know what is drawn.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.resources import resource_path

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """The colours of one theme, as #rrggbb."""

    window: str
    panel: str
    raised: str
    line: str
    ink: str
    soft: str
    canvas: str
    accent: str


LIGHT = Theme("#f4f5f7", "#ffffff", "#eef0f3", "#dcdfe4", "#1b1f24", "#5c6570", "#e7e9ed", "#0d8578")
DARK = Theme("#15171b", "#1c1f25", "#262a31", "#2e333b", "#e6e8eb", "#9aa3ad", "#0f1114", "#3fb6a8")
OUTLINE = "#13b3a1"
"""The accent between both themes': outlines of chosen heads stand on magma, which is the same in either."""
THEMES: dict[ThemeName, Theme] = {"light": LIGHT, "dark": DARK}
SERIES: dict[ThemeName, tuple[str, ...]] = {
    "light": ("#0d8578", "#1b1f24", "#c2407c", "#6a4fd0", "#a85a00", "#1f6fb8"),
    "dark": ("#3fb6a8", "#e6e8eb", "#f08fb8", "#a996ff", "#e9a45b", "#6fb4f0"),
}
"""Things compared side by side, A to F; no region's colours. Each has a letter and a dash pattern, too."""


@cache
def magma_256x3() -> NDArray[np.uint8]:
    """Magma, the one map of scores and attention: uint8 (256, 3) RGB, dark to bright, perceptually even.

    By Nathaniel Smith and Stefan van der Walt (CC0), as in matplotlib, whose import would take a quarter of
    the window's launch.
    """
    with Image.open(resource_path("magma.png")) as image:
        table: NDArray[np.uint8] = np.array(image.convert("RGB"), dtype=np.uint8)[0]
    table.flags.writeable = False
    return table


def figure_text(value: float) -> str:
    """Write a score as people do: `.89`, `0`, `1`, `<.01` for what rounds to nothing, `12.3` from ten on."""
    if not np.isfinite(value):
        return "none"
    if value != 0 and abs(value) < 0.005:
        return "<.01" if value > 0 else ">\N{MINUS SIGN}.01"  # a hyphen would make an arrow of it
    if abs(value) >= 10:
        return f"{value:.1f}"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
