"""The log in memory: what any store has to do, as far as the app relies on it."""

from __future__ import annotations

import numpy as np
import pytest

from gazeviz.app.session.store_port import MemoryLog, SessionLog
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, StepArrived


@pytest.fixture
def log() -> SessionLog:
    return MemoryLog()


@pytest.fixture
def info() -> ModelInfo:
    return ModelInfo("toy", "toy", "toy", (1, 1), np.ones((1, 1), bool), "cpu", "float32", None, "f00d", 64)


def step(index: int) -> StepArrived:
    values = np.zeros(1, dtype=np.float32)
    return StepArrived(1, index, 7, " a", -0.1, 1.0, None, values, values, None, values, None)


def test_a_run_is_written_as_it_happens(log, info):
    session = log.open_session("first")
    run_id = log.run_created("steered", GenerateSpec("ab", "What?"), info)
    row = log.run(run_id)
    assert (row.session_id, row.side, row.state, row.summary) == (session, "steered", "running", None)
    log.step_appended(run_id, step(0))
    log.step_appended(run_id, step(1))
    log.run_ended(run_id, "lost", None, "gone").result()
    row = log.run(run_id)
    assert [entry.index for entry in row.steps] == [0, 1] and (row.state, row.message) == ("lost", "gone")


def test_a_run_that_waits_may_be_asked_for_in_another_way(log, info):
    run_id = log.run_created("steered", GenerateSpec("ab", "What?"), info)
    log.run_respecified(run_id, GenerateSpec("ab", "Who?"))
    assert log.run(run_id).spec.prompt == "Who?"


def test_runs_are_listed_newest_first_and_by_session(log, info):
    first = log.open_session("first")
    a = log.run_created("baseline", GenerateSpec("ab", "a"), info)
    second = log.open_session("second")
    b = log.run_created("baseline", GenerateSpec("ab", "b"), info)
    assert [row.id for row in log.runs()] == [b, a] and [row.id for row in log.runs(first)] == [a]
    log.rename_session(second, "renamed")
    assert [(row.id, row.name) for row in log.sessions()] == [(second, "renamed"), (first, "first")]


def test_a_run_without_a_session_opens_one(log, info):
    run_id = log.run_created("glance", GenerateSpec("ab", "a", max_new_tokens=1), info)
    assert log.run(run_id).session_id == log.sessions()[0].id


def test_a_run_that_is_not_there_is_a_key_error(log):
    with pytest.raises(KeyError):
        log.run(5)


def test_a_named_set_can_be_taken_away():
    log = MemoryLog()
    log.head_set_saved("gaze", HeadSet.of("L0H0"), "f00d")
    log.head_set_saved("gaze", None, "f00d")
    log.head_set_saved("gaze", None, "f00d")
    assert not log.head_sets
