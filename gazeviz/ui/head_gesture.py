"""Which choices of heads belong together: one drag of the mouse, one drag of a slider, one burst of keys.

Choices with the same number are one undo step (gazeviz.app.region_editor). Knows no heads.
"""

from __future__ import annotations

from itertools import count
from typing import Final

from PySide6.QtCore import QElapsedTimer

_PAUSE_MS: Final = 700
"""Keys or wheel notches that follow each other within this time are one gesture."""

_numbers = count(1)


class Gesture:
    """The number of what a person is doing now; no two gestures of the process share one."""

    def __init__(self) -> None:
        self._number = next(_numbers)
        self._since = QElapsedTimer()

    @property
    def number(self) -> int:
        """For the choices that are made now."""
        return self._number

    def begin(self) -> int:
        """Something new begins; returns its number."""
        self._number = next(_numbers)
        self._since.restart()
        return self._number

    def go_on(self) -> int:
        """The number of a burst: a new one after a pause."""
        if not self._since.isValid() or self._since.elapsed() > _PAUSE_MS:
            self._number = next(_numbers)
        self._since.restart()
        return self._number
