"""The line at the bottom: what the worker does, where it computes, how far it is, and what was logged."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QWidget

from gazeviz.app.session.values import WorkProgress, time_left
from gazeviz.ui.shell.status_bar import StatusBar, place_text
from gazeviz.ui.widgets.controls import ElidedLabel
from tests.app.fixtures.staging import OpenStage, Stage
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of

_W = TypeVar("_W", bound=QWidget)


def part(bar: StatusBar, name: str, kind: type[_W]) -> _W:
    found = child_of(bar, name)
    assert isinstance(found, kind)
    return found


def show(stage: Stage, qtbot: PatientBot) -> StatusBar:
    bar = StatusBar(stage.model, stage.controller, "sessions / log.db")
    qtbot.addWidget(bar)
    bar.resize(1200, 28)
    bar.show()
    return bar


def test_it_always_says_model_device_and_why_not_a_gpu(stage: Stage, qtbot: PatientBot) -> None:
    bar = show(stage, qtbot)
    info = stage.model.model_info
    assert info is not None
    stage.model.model_info = replace(info, name="toy", device="cpu", why_not_gpu="There is no GPU.")
    assert part(bar, "whyNotGpu", ElidedLabel).text() == "toy on CPU · There is no GPU."
    assert part(bar, "workerState", QLabel).text() == "ready"
    assert place_text(replace(info, name="toy", device="cuda:1", why_not_gpu=None)) == "toy on CUDA:1"
    assert place_text(None) == ""


def test_loading_shows_how_far_it_is_and_can_be_cancelled(open_stage: OpenStage, qtbot: PatientBot) -> None:
    stage = open_stage(Script(load_s=0.2))
    bar = show(stage, qtbot)
    stage.controller.load_model(None)
    stage.until(lambda: part(bar, "workProgress", QProgressBar).isVisible())
    stage.until(lambda: "%" in part(bar, "timeLeft", QLabel).text())
    part(bar, "cancelWork", QPushButton).click()
    stage.until(lambda: not part(bar, "workProgress", QProgressBar).isVisible())


def test_speed_and_the_number_of_runs_follow_a_run(stage: Stage, qtbot: PatientBot) -> None:
    bar = show(stage, qtbot)
    assert part(bar, "logged", QLabel).text() == "0 runs in this session   sessions / log.db"
    assert part(bar, "speed", QLabel).isHidden()
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    assert part(bar, "logged", QLabel).text().startswith("1 run in")
    assert part(bar, "speed", QLabel).text().endswith(" ms / token")


@pytest.mark.parametrize(
    ("progress", "in_percent", "said"),
    [
        (WorkProgress(3, 24, "measuring", 12.4), False, "3 of 24, 12 s left"),
        (WorkProgress(3, 24, "measuring", 150.0), False, "3 of 24, 2 min left"),
        (WorkProgress(40, 100, "loading"), True, "40 %"),
        (WorkProgress(0, 0, "starting"), False, ""),
    ],
)
def test_how_far_something_is_is_said_in_few_words(
    progress: WorkProgress, in_percent: bool, said: str
) -> None:
    assert time_left(progress, in_percent) == said
