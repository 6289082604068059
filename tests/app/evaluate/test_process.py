"""The process behind an experiment: paused, killed and resumed it leaves the rows of one that ran through."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gazeviz.app.evaluate.evaluations import Evaluations, ExperimentPlan, plan_again
from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog
from tests.evaluate.staging import picture_set, spec_of
from tests.patience import PatientBot

PLAN = ExperimentPlan("small", pictures="builtin:6@7", heads="mass:3", controls="uniform:3,zero", tokens="4")
ROWS = """SELECT picture, condition, turn, target, text, token_ids, mass_before, mass_after, judge, chosen
    FROM evaluation_items JOIN evaluation_judgements ON item_id = evaluation_items.id ORDER BY 1, 2, 3, 4"""
N_ITEMS = 216


class Shown:
    """What a window has of a log."""

    def __init__(self, path: Path) -> None:
        self.store = SessionStore(path)
        self.archive = LogBrowser(self.store)
        self.evaluations = Evaluations(self.archive)
        self.evaluations.show(True)
        self.faults: list[UserError] = []
        self.evaluations.failed.connect(self.faults.append)

    def close(self) -> None:
        self.evaluations.close()
        self.archive.close()
        self.store.close()

    def state(self) -> str:
        return next((row.state for row in self.evaluations.rows() if row.name == PLAN.name), "not run")

    def begin(self, bot: PatientBot) -> None:
        stored = next((row.stored for row in self.evaluations.rows() if row.name == PLAN.name), None)
        plan = PLAN if stored is None else plan_again(stored)
        self.evaluations.start(plan, str(resource_path("models", "comic-vlm")))
        n = n_kept(self.store.path)
        bot.waitUntil(lambda: n_kept(self.store.path) > n or bool(self.faults))
        assert not self.faults


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[list[Shown]]:
    made = [Shown(tmp_path / "broken.db"), Shown(tmp_path / "whole.db")]
    yield made
    for one in made:
        one.close()


def n_kept(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM evaluation_items").fetchone()[0])


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(ROWS).fetchall()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_paused_killed_and_resumed_it_leaves_the_same_rows(windows: list[Shown], qtbot: PatientBot) -> None:
    broken, whole = windows
    broken.begin(qtbot)
    broken.evaluations.pause()
    qtbot.waitUntil(lambda: broken.evaluations.running == "" and broken.state() == "paused")
    assert 0 < n_kept(broken.store.path) < N_ITEMS
    broken.begin(qtbot)
    process = broken.evaluations.process_id
    os.kill(process, signal.SIGKILL)
    qtbot.waitUntil(lambda: broken.evaluations.running == "" and broken.state() == "paused")
    assert broken.faults and n_kept(broken.store.path) < N_ITEMS
    broken.faults.clear()
    for window in (broken, whole):
        window.begin(qtbot)
        qtbot.waitUntil(lambda window=window: window.state() == "done")  # type: ignore[misc]
        assert not window.faults
    assert len(rows(whole.store.path)) == N_ITEMS
    assert rows(broken.store.path) == rows(whole.store.path)


def test_what_another_program_computes_is_not_begun_a_second_time(
    windows: list[Shown], qtbot: PatientBot
) -> None:
    window = windows[0]
    pictures = picture_set(1)
    other = SessionStore(window.store.path, program="gazeviz evaluate")
    number = EvaluationLog(other).begin(spec_of(pictures, name=PLAN.name), pictures, 9)
    qtbot.waitUntil(lambda: window.state() == "running")
    with pytest.raises(UserError, match=rf"another program \(process {os.getpid()}\)"):
        window.evaluations.start(PLAN, "model")
    EvaluationLog(other).end(number, "paused")
    other.close()
    qtbot.waitUntil(lambda: window.state() == "paused")


def test_what_a_program_left_that_is_gone_is_paused(windows: list[Shown], qtbot: PatientBot) -> None:
    window = windows[0]
    pictures = picture_set(1)
    other = SessionStore(window.store.path, program="gazeviz evaluate")
    EvaluationLog(other).begin(spec_of(pictures, name=PLAN.name), pictures, 9)
    other.close()  # without a word about the evaluation
    qtbot.waitUntil(lambda: window.state() == "paused")
