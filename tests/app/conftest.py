"""What tests of the app share: sessions that are shut down, and no thread that is left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.backend.client import Listener
from gazeviz.domain.strip import Layout
from gazeviz.store import SessionStore
from tests.app.fixtures.logged_stage import LoggedStage, OpenLogged
from tests.app.fixtures.staging import N_PANELS, STRIP_SIZE_PX, OpenStage, Stage
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot, wait_until


@pytest.fixture
def temporary_log() -> Iterator[SessionStore]:
    """A log that is gone after the test."""
    log = SessionStore.temporary()
    yield log
    log.close()


@pytest.fixture
def open_stage(qtbot: PatientBot) -> Iterator[OpenStage]:
    """Opens a session on the scripted model; every session that was opened is shut down."""
    opened: list[Stage] = []

    def open_one(
        script: Script | None = None, *, start: bool = True, log: SessionStore | None = None
    ) -> Stage:
        made: list[FakeBackend] = []

        def make(listener: Listener) -> FakeBackend:
            made.append(FakeBackend(listener, script or Script()))
            return made[0]

        model, kept = SessionModel(), log if log is not None else SessionStore.temporary()
        controller = RunController(model, make, kept)
        stage = Stage(model, controller, kept, made[0], qtbot)
        opened.append(stage)
        if start:
            controller.start()
        return stage

    yield open_one
    for stage in opened:
        stage.controller.shutdown()


@pytest.fixture
def strip_path(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A strip of six panels with gutters."""
    pixels_HW3 = np.full((*STRIP_SIZE_PX[::-1], 3), 255, dtype=np.uint8)
    for number in range(N_PANELS):
        left = number * 64
        pixels_HW3[4:60, left + 4 : left + 60] = rng.integers(0, 200, (56, 56, 3), dtype=np.uint8)
    path = tmp_path / "strip.png"
    Image.fromarray(pixels_HW3).save(path)
    return path


@pytest.fixture
def stage(open_stage: OpenStage, strip_path: Path) -> Stage:
    """A session with a strip and a prompt, ready to run."""
    stage = open_stage()
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "What is happening in this panel?"
    stage.until_at_rest()
    return stage


@pytest.fixture
def open_session(tmp_path: Path, qtbot: PatientBot) -> Iterator[OpenLogged]:
    """Opens sessions on one log, one after the other; every one is closed."""
    opened: list[LoggedStage] = []

    def open_one() -> LoggedStage:
        opened.append(LoggedStage(tmp_path / "log.db", qtbot))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    with suppress(AssertionError):
        wait_until(lambda: not set(threading.enumerate()) - before)
    left = set(threading.enumerate()) - before
    assert not left, f"threads left behind: {left}"
