"""A session on the scripted model, driven as the window drives it, and small pieces of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numpy as np
from PySide6.QtCore import SignalInstance
from PySide6.QtTest import QSignalSpy, QTest
from pytestqt.qtbot import QtBot

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.store_port import MemoryLog
from gazeviz.app.session.values import Picture, RunRecord
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import PictureSource, Side
from tests.fakes.fake import FakeBackend

N_PANELS = 6
STRIP_SIZE_PX = (384, 64)


def until_drawn(model: SessionModel) -> None:
    """Let a session live until no part of the screen waits for a frame to draw in."""
    end_s = monotonic() + 8
    while model.frames.waiting and monotonic() < end_s:
        QTest.qWait(2)


@dataclass
class Stage:
    """A session with everything behind it."""

    model: SessionModel
    controller: RunController
    log: MemoryLog
    backend: FakeBackend
    qtbot: QtBot

    def until(self, holds: Callable[[], object], timeout_ms: int = 8000) -> None:
        """Let the session live until something holds."""
        self.qtbot.waitUntil(lambda: bool(holds()), timeout=timeout_ms)

    def shown(self, side: Side) -> RunRecord:
        """The run that a side shows."""
        record = self.model.run_of(side)
        assert record is not None
        return record

    def until_ended(self, side: Side = "steered") -> RunRecord:
        """Let the session live until the run of a side has ended."""
        self.until(lambda: (record := self.model.run_of(side)) is not None and record.ended)
        return self.shown(side)

    def until_drawn(self) -> None:
        """Let the session live until no part of the screen waits for a frame to draw in."""
        until_drawn(self.model)

    def until_at_rest(self) -> None:
        """Let the session live until model, picture and glance are there and nothing is under way."""
        self.until(
            lambda: (
                self.model.grid is not None
                and self.model.worker_state == "ready"
                and self.model.map.values_P is not None
            )
        )


OpenStage = Callable[..., Stage]


def model_with_picture(size_px: tuple[int, int], shape_RC: tuple[int, int]) -> SessionModel:
    """A session that shows a grey picture with a plain grid."""
    model = SessionModel()
    pixels_HW3 = np.full((*size_px[::-1], 3), 128, dtype=np.uint8)
    model.picture = Picture("grey", pixels_HW3, "ab", PictureSource("ab", "grey", data=b""))
    model.set_grid(TokenGrid.plain(shape_RC, size_px, size_px), pixels_HW3)
    return model


def counted(signal: SignalInstance) -> QSignalSpy:
    """A spy on a signal."""
    return QSignalSpy(signal)
