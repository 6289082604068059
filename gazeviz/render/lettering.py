"""Text that anybody may have written, made fit to be shown: control characters seen, missing glyphs replaced.

Prompts, file names and answers hold anything. What is done here is about reading, not about safety: escaping
is the business of each format.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

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
