"""Where mass is drawn by token: tokens across, mass upwards, in a widget's own pixels.

Curves and what is drawn over them share it, so that a token is at the same place for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize

LEFT_PX: Final = 36
"""Room for the figures of the mass."""
TOP_PX: Final = 30
"""Room for the blocks of targets and for what the text names."""
BOTTOM_PX: Final = 20
RIGHT_PX: Final = 8
BLOCK_PX: Final = 13

_SPANS: Final = (16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class PlotPlace:
    """The rectangle of the data, tokens 0 to n_tok - 1 across it and mass 0 to top upwards."""

    left_px: float
    top_px: float
    width_px: float
    height_px: float
    n_tok: int = 8
    top: float = 1.0

    @classmethod
    def within(cls, size: QSize, n_tok: int, top: float) -> PlotPlace:
        """Fit into a widget, with room for axes and blocks."""
        width_px = max(1, size.width() - LEFT_PX - RIGHT_PX)
        height_px = max(1, size.height() - TOP_PX - BOTTOM_PX)
        return cls(LEFT_PX, TOP_PX, width_px, height_px, max(1, n_tok), top)

    @property
    def rect(self) -> QRectF:
        """The data's rectangle."""
        return QRectF(self.left_px, self.top_px, self.width_px, self.height_px)

    @property
    def token_px(self) -> float:
        """How wide a token is."""
        return self.width_px / self.n_tok

    def x_of(self, token: float) -> float:
        """Where the middle of a token is; its edges are half a token away."""
        return self.left_px + (token + 0.5) * self.token_px

    def y_of(self, mass: float) -> float:
        """Where a mass is."""
        return self.top_px + self.height_px * (1 - mass / self.top)

    def token_at(self, x_px: float) -> int:
        """The token under a point, those at the ends for points outside."""
        return min(max(0, math.floor((x_px - self.left_px) / self.token_px)), self.n_tok - 1)


def span_of(n_tok: int, max_tok: int, ended: bool) -> int:
    """How many tokens the axis shows: all of an answer that has ended, else room that grows in leaps."""
    if ended:
        return max(1, n_tok)
    return min(max_tok, next((span for span in _SPANS if span > n_tok), max_tok)) if max_tok else n_tok


def top_of(highest: float, weighted: bool) -> float:
    """The upper end of the axis: a round number above the highest mass; raw mass never leaves 1."""
    if not math.isfinite(highest) or highest <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(highest))
    top = next(step * magnitude for step in (1, 2, 5, 10, 20) if step * magnitude >= highest * 1.02)
    return top if weighted else min(1.0, max(0.1, top))


def token_ticks(n_tok: int, width_px: float) -> list[int]:
    """Tokens that the axis names, round and not too close."""
    wanted = max(1.0, n_tok * 44 / max(1.0, width_px))
    step = next((step for step in (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 200) if step >= wanted), 500)
    return list(range(0, n_tok, step))
