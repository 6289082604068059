"""Collects reference cycles in the screen's thread alone.

Python collects in whichever thread happens to allocate, such as the one that hears the worker; a QObject
freed there, away from its own thread, can crash the process. So collecting by itself is switched off, and a
timer of the screen's thread does it, as often as the interpreter's own thresholds say.
"""

from __future__ import annotations

import gc
from typing import Final

from PySide6.QtCore import QObject, QTimer

_EVERY_MS: Final = 500


class GarbageInScreenThread(QObject):
    """Takes over the collecting of cycles until `stop`; make it in the screen's thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_on = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(_EVERY_MS)

    def collect(self) -> int | None:
        """Collect the oldest generation that is due; returns it, None where none is."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if 0 < thresholds[generation] < counts[generation]:
                gc.collect(generation)
                return generation
        return None

    def stop(self) -> None:
        """Let Python collect by itself again."""
        self._timer.stop()
        if self._was_on:
            gc.enable()
