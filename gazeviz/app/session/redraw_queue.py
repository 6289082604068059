"""RedrawQueue: parts of the screen that follow a stream are brought up to date one at a time.

With timers of their own they meet now and then, and what is then drawn together takes longer than a frame. A
part says that it has something to draw, and gets a turn of the event loop in which no other part draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer, SignalInstance
from shiboken6 import isValid

GAP_MS: Final = 8
"""From one part to the next: what it has changed is painted, and keys and tokens are heard, in between."""


@dataclass(eq=False)
class RedrawClient:
    """What one owner draws; nothing is drawn any more when the owner is gone."""

    frames: RedrawQueue
    owner: QObject
    draw: Callable[[], object]

    def request(self, wait_ms: int = 0) -> None:
        """Draw after so long, or when the parts before it have drawn; one that waits waits no longer."""
        self.frames.ask(self, monotonic() + wait_ms / 1000)

    def follow(self, *signals: SignalInstance, wait_ms: int = 0) -> None:
        """Ask to draw at each of these signals, whatever they tell."""
        for signal in signals:
            signal.connect(lambda *_: self.request(wait_ms))

    def drop(self) -> None:
        """Ask for nothing any more."""
        self.frames.waiting.pop(self, None)


class RedrawQueue(QObject):
    """Gives turns, the longest due first. waiting: when each part is due, in seconds of `monotonic`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.waiting: dict[RedrawClient, float] = {}
        self._free_s = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timeout)

    def part(self, owner: QObject, draw: Callable[[], object]) -> RedrawClient:
        """A place among the others."""
        return RedrawClient(self, owner, draw)

    def ask(self, part: RedrawClient, due_s: float) -> None:
        """Give a part a turn when it is due."""
        if due_s < self.waiting.get(part, math.inf):
            self.waiting[part] = due_s
            self._set_timer()

    def _on_timeout(self) -> None:
        part = min(self.waiting, key=self.waiting.__getitem__, default=None)
        if part is None or self.waiting[part] > monotonic():
            self._set_timer()
            return
        del self.waiting[part]
        try:
            if isValid(part.owner):
                part.draw()
        finally:
            self._free_s = monotonic() + GAP_MS / 1000
            self._set_timer()

    def _set_timer(self) -> None:
        if self.waiting:
            next_s = max(min(self.waiting.values()), self._free_s)
            self._timer.start(max(0, math.ceil(1000 * (next_s - monotonic()))))
