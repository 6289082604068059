"""A person at the real window: real mouse and key events through xdotool, on an X server of its own.

`Hand` presses, types and drags; `Screen` starts Xvfb. Used by the end-to-end test and by whoever refreshes
the pictures of the help.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

PATIENCE_S = 120.0
"""Machines are shared: what takes a second alone may take a minute."""


def can_drive() -> bool:
    """Whether this machine has an X server to start and a hand to move."""
    return all(shutil.which(program) for program in ("Xvfb", "xdotool"))


class Screen:
    """An X server without a monitor; a context manager that gives its DISPLAY."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._size_px = size_px

    def __enter__(self) -> str:
        read_end, write_end = os.pipe()
        width_px, height_px = self._size_px
        screen = f"{width_px}x{height_px}x24"
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", screen, "-nolisten", "tcp"],
            pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write_end)
        with os.fdopen(read_end) as told:
            number = told.readline().strip()  # comes once it listens
        if not number:
            raise RuntimeError("Xvfb did not start")
        return f":{number}"

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()


class Hand:
    """Mouse and keyboard, at the middle of named widgets of a window."""

    def __init__(self, window: QWidget) -> None:
        self._window = window

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Let the window live until something holds; AssertionError that says what did not."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > end_s:
                raise AssertionError(f"never: {what}")
            self.rest(0.02)

    def rest(self, seconds: float = 0.15) -> None:
        """Let the window live for a while."""
        end_s = time.monotonic() + seconds
        while True:
            QApplication.processEvents()
            if time.monotonic() >= end_s:
                return
            time.sleep(0.004)

    def find(self, name: str) -> QWidget:
        """A visible widget by its object name."""
        for widget in self._window.findChildren(QWidget, name):
            if widget.isVisible():
                return widget
        raise AssertionError(f"no visible widget is called {name}")

    def click(self, target: str | QWidget, at: QPointF | None = None) -> None:
        """Click a widget: in its middle, or at a point of it."""
        self._move(self._on_screen(target, at))
        self._do("click", "1")
        self.rest()

    def click_all(self, target: str | QWidget, points: Sequence[QPointF]) -> None:
        """Click one point of a widget after the other."""
        for point in points:
            self.click(target, point)

    def drag(self, target: str | QWidget, points: Sequence[QPointF]) -> None:
        """Press at the first point of a widget, move along the others, let go at the last."""
        self._move(self._on_screen(target, points[0]))
        self._do("mousedown", "1")
        for point in points[1:]:
            self._move(self._on_screen(target, point))
        self._do("mouseup", "1")
        self.rest()

    def key(self, *keys: str) -> None:
        """Press keys as xdotool names them: `ctrl+a`, `space`, `5`."""
        for key in keys:
            self._do("key", "--clearmodifiers", key)
            self.rest(0.05)

    def hold(self, key: str, meanwhile: Callable[[], object]) -> None:
        """Hold a key down while something is done."""
        self._do("keydown", key)
        meanwhile()
        self._do("keyup", key)
        self.rest()

    def type(self, text: str) -> None:
        """Type a text."""
        self._do("type", "--delay", "2", text)
        self.rest()

    def picture(self, path: Path) -> None:
        """Write what the screen shows, of the window's place."""
        self.rest(0.3)
        frame = self._window.frameGeometry()
        shot = QGuiApplication.primaryScreen().grabWindow(
            0, frame.x(), frame.y(), frame.width(), frame.height()
        )
        assert shot.save(str(path)), path

    def _on_screen(self, target: str | QWidget, at: QPointF | None) -> QPoint:
        widget = self.find(target) if isinstance(target, str) else target
        return widget.mapToGlobal(at.toPoint() if at is not None else widget.rect().center())

    def _move(self, point: QPoint) -> None:
        self._do("mousemove", str(point.x()), str(point.y()))
        self.rest(0.03)

    def _do(self, *words: str) -> None:
        """Run xdotool without stopping the window meanwhile: its events have to be taken."""
        hand = subprocess.Popen(["xdotool", *words])
        while hand.poll() is None:
            QApplication.processEvents()
            time.sleep(0.002)
        assert hand.returncode == 0, words
