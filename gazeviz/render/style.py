"""Colours and figures that every picture of gazeviz shares: two themes, one map, one way to write a number.

It does not know what is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.resources import resource_path

# Text that anybody may have written, made fit to be shown: control characters seen, missing glyphs
# replaced.
#
# Prompts, file names and answers hold anything. What is done here is about reading, not about safety:
# escaping is the business of each format.


REPLACEMENT: Final = "�"
_CONTROL_PICTURES: Final = 0x2400  # Unicode's pictures of the control characters, in their order
_INVISIBLE: Final = frozenset(
    [*range(0x80, 0xA0), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xAD]
)
"""Characters that change how others read (direction, joining) without being seen themselves."""
_LINE_ENDS: Final = re.compile(r"[^\S ]+")
_JOINER: Final = 0x200D  # holds an emoji of several parts together


def visible(text: str, *, lines: bool = True) -> str:
    """Show control characters as their pictures (␀, ␛), other invisible ones and half pairs as �.

    lines: whether line ends and tabs stay what they are; otherwise they are shown, too.
    """
    return "".join(_visible(char, lines) for char in text)


def one_line(text: str, longest: int | None = None) -> str:
    """Return the text on one line, spaces run together, cut after `longest` characters with an ellipsis."""
    line = visible(" ".join(text.split()), lines=False)
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def drawable(text: str, longest: int | None = None) -> str:
    """Return the text on one line as the figures' fonts can draw it: glyphs that they lack become �.

    Spaces stay, they keep a title's parts apart.
    """
    known = _glyphs()
    line = (
        visible(_LINE_ENDS.sub(" ", text), lines=False).strip()
        if longest is None
        else one_line(text, longest)
    )
    return "".join(char if ord(char) in known else REPLACEMENT for char in line)


def _visible(char: str, lines: bool) -> str:
    code = ord(char)
    if char in "\n\t" and lines:
        return char
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return "␡"
    if (code in _INVISIBLE and code != _JOINER) or 0xD800 <= code < 0xE000:
        return REPLACEMENT
    return "␤" if code in (0x2028, 0x2029) and not lines else char


@cache
def _glyphs() -> frozenset[int]:
    """Characters that matplotlib's sans-serif face has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    face = get_font(findfont(FontProperties(family=["sans-serif"])))
    return frozenset(face.get_charmap())


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
    with Image.open(resource_path("magma.png"), formats=["PNG"]) as image:
        table: NDArray[np.uint8] = np.array(image.convert("RGB"), dtype=np.uint8)[0]
    table.flags.writeable = False
    return table
