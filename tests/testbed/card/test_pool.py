"""The journal and the crew: equal work is done once, broken-off work is taken up."""

import json
from pathlib import Path
from typing import Any

import pytest

from gazeviz.testbed.card import pool as card_pool
from gazeviz.testbed.card.pool import Crew, Journal, Pace
from gazeviz.testbed.card.tasks import Pictures, Task

TASKS = tuple(Task("told", Pictures(seed, 2)) for seed in range(3))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Tasks that were really done, in this process and without a model."""
    tasks: list[Task] = []

    def run(_: Any, task: Task) -> dict[str, Any]:
        tasks.append(task)
        return {"rows": [{"seed": task.pictures.seed}], "seconds": 1.5}

    monkeypatch.setattr(card_pool, "run_task", run)
    monkeypatch.setattr(card_pool, "_start", lambda model: None)
    return tasks


def crew(path: Path, fingerprint: str = "one", lines: list[str] | None = None) -> Crew:
    tell = (lines if lines is not None else []).append
    return Crew(path, Journal(path / "journal.jsonl", fingerprint), Pace(12.0, tell), 0)


def test_results_come_in_the_order_of_the_tasks_and_equal_ones_are_done_once(
    tmp_path: Path, done: list[Task]
) -> None:
    with crew(tmp_path) as working:
        results = working.do((TASKS[2], TASKS[0], TASKS[2]), "a test")
    assert [result["rows"][0]["seed"] for result in results] == [2, 0, 2]
    assert working.seconds == 3.0
    assert sorted(task.pictures.seed for task in done) == [0, 2]


def test_a_journal_spares_the_work_and_other_weights_do_not_count(tmp_path: Path, done: list[Task]) -> None:
    for fingerprint in ("one", "one", "two"):
        with crew(tmp_path, fingerprint) as working:
            working.do(TASKS, "a test")
    assert len(done) == 6


def test_half_a_line_is_forgotten(tmp_path: Path, done: list[Task]) -> None:
    with crew(tmp_path) as working:
        working.do(TASKS, "a test")
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text()[:-20])
    with crew(tmp_path) as working:
        working.do(TASKS, "a test")
    assert len(done) == 4


def test_the_journal_is_json_lines(tmp_path: Path, done: list[Task]) -> None:
    with crew(tmp_path) as working:
        working.do(TASKS[:1], "a test")
    (line,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert json.loads(line)["result"]["rows"] == [{"seed": 0}]


def test_the_pace_tells_what_is_left_of_what_is_new(tmp_path: Path, done: list[Task]) -> None:
    lines: list[str] = []
    with crew(tmp_path, lines=lines) as working:
        working.do(TASKS[:1], "first things")
        working.do(TASKS, "more")
    assert len(lines) == 3
    assert "first things" in lines[0]
    assert "50%" in lines[0]
    assert "100%" in lines[2]


def test_a_failing_task_stops_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any, task: Task) -> dict[str, Any]:
        raise ValueError(f"strip {task.pictures.seed} broke")

    monkeypatch.setattr(card_pool, "run_task", fail)
    monkeypatch.setattr(card_pool, "_start", lambda model: None)
    with crew(tmp_path) as working, pytest.raises(ValueError, match="strip 0 broke"):
        working.do(TASKS[:1], "a test")
