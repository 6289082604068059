"""Several programs on one log, and programs that are killed while they log."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gazeviz.store import SessionStore, openings
from gazeviz.store.upkeep import check
from tests.patience import PATIENCE_S
from tests.store import processes
from tests.store.conftest import OpenStore
from tests.store.samples import SPEC, plain_step, tiny_info

N_KILLS = 5  # the hundred are in tests/benchmarks/bench_log.py
N_TRANSACTIONS = 60


@pytest.mark.slow
def test_a_killed_program_loses_nothing_that_was_promised(path: Path) -> None:
    rng = random.Random(0)
    n_lost = 0
    for _ in range(N_KILLS):
        begun, ended = processes.kill_while_logging(path, rng)
        assert begun
        assert processes.losses(path, begun, ended) == []
        n_lost += len(begun - ended)
    assert n_lost, "no run was interrupted, so nothing was shown"


@pytest.mark.slow
def test_two_writers_and_a_reader_lose_nothing(path: Path, open_store: OpenStore) -> None:
    open_store().close()
    programs = [processes.begin("marks", path, str(N_TRANSACTIONS)) for _ in range(2)]
    programs.append(processes.begin("reads", path, str(N_TRANSACTIONS)))
    for program in programs:
        assert program.wait(timeout=PATIENCE_S) == 0
        assert program.stdout is not None
        program.stdout.close()
    assert check(path) == []
    rows = open_store().reader.rows("SELECT session_id, count(*) FROM runs WHERE state = 'done' GROUP BY 1")
    assert [n for _, n in rows] == [N_TRANSACTIONS // 2] * 2


def test_runs_of_another_window_are_left_alone(open_store: OpenStore) -> None:
    first = open_store()
    run_id = first.run_created("steered", SPEC, tiny_info())
    second = open_store()
    assert second.n_found_lost == 0 and second.run(run_id).state == "running"
    first.step_appended(run_id, plain_step(0))
    first.run_ended(run_id, "done", None, "").result()
    assert second.run(run_id).state == "done"


def test_runs_that_are_left_when_the_log_is_closed_are_lost(open_store: OpenStore) -> None:
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.step_appended(run_id, plain_step(0))
    store.step_appended(run_id, plain_step(1))
    store.close()
    run = open_store().run(run_id)
    assert (run.state, run.message) == ("lost", openings.CLOSED_MESSAGE)
    assert open_store().list.page()[0].text == " w0 w1"


def test_a_process_is_known_by_its_number_and_its_beginning(path: Path, open_store: OpenStore) -> None:
    program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = openings.process_began(program.pid)
    assert began and openings.is_alive(program.pid, began)
    assert not openings.is_alive(program.pid, began + "0")  # the number has been given out again
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert program.stdin is not None
    program.stdin.close()
    assert openings.process_began(program.pid) is None and not openings.is_alive(program.pid, began)
    assert openings.process_began(os.getpid()) == openings.process_began(os.getpid())


@pytest.mark.parametrize(
    "change",
    ["pid = 4194999", "process_began = 'then'", "host = 'elsewhere'"],
    ids=["gone", "reused", "host"],
)
def test_runs_of_a_program_that_is_gone_are_lost(path: Path, open_store: OpenStore, change: str) -> None:
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.step_appended(run_id, plain_step(0))
    store.flush()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE openings SET {change}")
        database.commit()
    other = open_store()
    assert other.n_found_lost == 1
    assert (other.run(run_id).state, other.run(run_id).message) == ("lost", openings.LOST_MESSAGE)


def test_a_second_window_may_open_a_new_log_at_the_same_time(path: Path) -> None:
    programs = [processes.begin("marks", path, "2") for _ in range(4)]
    for program in programs:
        assert program.wait(timeout=PATIENCE_S) == 0
        assert program.stdout is not None
        program.stdout.close()
    with closing(SessionStore(path)) as store:
        assert store.list.count() == 4
