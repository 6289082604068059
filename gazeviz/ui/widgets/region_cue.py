"""How a region is told apart wherever it is drawn or named: by its colour and its number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from PySide6.QtGui import QColor

from gazeviz.render.overlay import ink_on

_TINT: Final = 0.22


@dataclass(frozen=True)
class RegionCue:
    """How a region is told apart: by colour and by number. number: "" for what is not in the list."""

    name: str
    number: str
    colour: str

    @cached_property
    def solid(self) -> QColor:
        """The colour itself."""
        return QColor(self.colour)

    @cached_property
    def tint(self) -> QColor:
        """The colour behind a text."""
        tint = QColor(self.colour)
        tint.setAlphaF(_TINT)
        return tint

    @cached_property
    def ink(self) -> QColor:
        """Black or white, whichever reads on the colour."""
        return QColor(ink_on(self.colour))
