"""A session with a strip, a prompt and a scripted worker, for tests of what is asked and steered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from pytestqt.qtbot import QtBot

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.store_port import MemoryLog
from gazeviz.backend.client import Listener
from gazeviz.domain.strip import Layout
from tests.app.staging import N_PANELS, STRIP_SIZE_PX, OpenStage, Stage
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script


@contextmanager
def steering_stage(qtbot: QtBot, folder: Path) -> Iterator[OpenStage]:
    """Opens sessions on the scripted model, with a strip of six panels; shuts all of them down at the end."""
    opened: list[Stage] = []
    path = folder / "strip.png"
    Image.fromarray(np.full((*STRIP_SIZE_PX[::-1], 3), 200, dtype=np.uint8)).save(path)

    def open_one(script: Script | None = None, *, start: bool = True) -> Stage:
        made: list[FakeBackend] = []

        def make(listener: Listener) -> FakeBackend:
            made.append(FakeBackend(listener, script or Script()))
            return made[0]

        model, log = SessionModel(), MemoryLog()
        controller = RunController(model, make, log)
        stage = Stage(model, controller, log, made[0], qtbot)
        opened.append(stage)
        if start:
            controller.start()
            controller.open_picture(path, Layout(1, N_PANELS))
            model.prompt = "What is happening in this panel?"
            stage.until_at_rest()
        return stage

    try:
        yield open_one
    finally:
        for stage in opened:
            stage.controller.undo_stack.clear()
            stage.controller.shutdown()
