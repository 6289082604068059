"""How tests wait: for a state, never for a number of seconds.

On a busy machine everything takes longer and nothing comes out differently, so the one time-out is generous:
it says that something will never happen, not that it is slow.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from pytestqt.qtbot import QtBot

PATIENCE_S: Final = 60.0
PATIENCE_MS: Final = 60_000


class PatientBot(QtBot):
    """pytest-qt's robot with this module's patience instead of five seconds."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE_MS) -> None:
        """Let the loop of Qt run until something holds."""
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE_MS, **other: Any) -> Any:
        """Let the loop of Qt run until a signal comes."""
        return super().waitSignal(signal, timeout=timeout, **other)

    def until_quiet(self) -> None:
        """Let the loop of Qt run until nothing is due: what has not happened then never will by itself."""
        self.waitUntil(lambda: not due_timers())
        deliver_events()


def due_timers() -> list[QTimer]:
    """The timers that still have something to start, repeating ones left out."""
    deliver_events()
    return [
        timer
        for timer in shiboken6.getAllValidWrappers()
        if isinstance(timer, QTimer)
        and timer.isActive()
        and timer.isSingleShot()
        and timer.remainingTime() < PATIENCE_MS
    ]


def deliver_events() -> None:
    """Deliver all that was posted, the deletion of widgets included."""
    QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def live_until(holds: Callable[[], object]) -> None:
    """Let the loop of Qt run until something holds; AssertionError if it never does."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "what was waited for did not happen"
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)


def wait_until(holds: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait, without a loop of Qt, until something holds; AssertionError if it never does."""
    end_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end_s, "what was waited for did not happen"
        time.sleep(0.002)


def let_time_pass(rng: random.Random, longest_s: float) -> None:
    """Wait for a random time: for tests of what may happen at any moment, such as a kill."""
    time.sleep(rng.uniform(0, longest_s))
