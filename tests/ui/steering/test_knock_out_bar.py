"""What stands in for heads that are knocked out: chosen, measured over a set, stopped, and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gazeviz.ui.shell.status_bar import StatusBar
from gazeviz.ui.steering.knock_out_bar import KnockOutBar
from tests.backend.listening import one_more_token
from tests.ui.fixtures.painting_stage import child_of

SET = "builtin:4@7"


@pytest.fixture
def bar(stage, qtbot) -> KnockOutBar:
    bar = KnockOutBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    bar.field.setText(SET)
    return bar


def knock_out(stage) -> None:
    stage.model.steering = replace(stage.model.steering, mode="knock_out")


def test_it_is_there_in_its_mode_only(stage, bar):
    assert bar.isHidden()
    knock_out(stage)
    assert not bar.isHidden()
    stage.model.steering = replace(stage.model.steering, mode="mass")
    assert bar.isHidden()


def test_means_are_measured_for_all_heads_and_kept_while_zero_is_chosen(stage, bar):
    knock_out(stage)
    bar.show()
    QTest.mouseClick(bar.measure, Qt.MouseButton.LeftButton)
    assert bar.measure.text() == "Stop"
    stage.until(lambda: stage.model.steering.means is not None)
    means = stage.model.steering.means
    assert len(means.heads) == 64 and means.measured_on == SET and bar.measure.text() == "Measure means"
    bar._output.chosen.emit("zero")
    assert stage.model.steering.means is None
    bar._output.chosen.emit("mean")
    assert stage.model.steering.means is means, "measured once"


def test_a_run_without_a_target_takes_the_chosen_heads_means(stage, bar):
    knock_out(stage)
    bar.measure_or_stop()
    stage.until(lambda: stage.model.worker_state == "ready" and stage.model.steering.means is not None)
    stage.model.target_region_id = None
    stage.controller.heads.top(2)
    stage.controller.run("steered")
    record = stage.until_ended("steered")
    assert record.state == "done" and len(record.spec.steering.means.heads) == 2


def test_mean_asks_for_a_measurement_where_there_is_none(stage, bar):
    knock_out(stage)
    bar._output.chosen.emit("mean")
    assert stage.controller.studies.active
    stage.until(lambda: stage.model.steering.means is not None)


def test_means_of_another_model_are_not_offered(stage, bar):
    knock_out(stage)
    bar.measure_or_stop()
    stage.until(lambda: stage.model.worker_state == "ready" and stage.model.steering.means is not None)
    stage.model.model_info = replace(stage.model.model_info, fingerprint="another")
    assert stage.model.steering.means is None and bar._measured is None


def test_the_status_bar_stops_a_study_and_counts_its_pictures(stage, qtbot, bar):
    status = StatusBar(stage.model, stage.controller, "log")
    qtbot.addWidget(status)
    status.show()
    stage.backend.pace.hold()
    knock_out(stage)
    bar.measure_or_stop()
    stage.backend.pace.allow(1)
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.done >= 1)
    assert status._left.text().startswith("1 of 4")
    QTest.mouseClick(child_of(status, "cancelWork"), Qt.MouseButton.LeftButton)
    one_more_token(stage.backend)  # once the worker has heard it
    stage.until(lambda: not stage.controller.studies.active)
    stage.backend.pace.free()
    assert stage.model.steering.means is None
