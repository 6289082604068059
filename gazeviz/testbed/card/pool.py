"""Doing the tasks of a model card in several processes, and remembering on disk what is done.

Every finished task is a line of a journal; a measurement that was broken off takes up its results there. A
line counts for the same task and the same weights only. One process computes with one thread: two of them do
twice the work of one with two.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from gazeviz.testbed.card.tasks import Task, run_task


class Journal:
    """Results of finished tasks, one JSON line each: {"key", "result"}."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._results: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._take_up(line)

    def _take_up(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a process that was killed while it wrote
            return
        self._results[entry["key"]] = entry["result"]

    def get(self, task: Task) -> dict[str, Any] | None:
        """The result of a task that was done with these weights."""
        return self._results.get(self.key(task))

    def put(self, task: Task, result: dict[str, Any]) -> None:
        """Keep a result at once."""
        key = self.key(task)
        self._results[key] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "result": result}) + "\n")

    def key(self, task: Task) -> str:
        """What tells a task with these weights from all others."""
        text = json.dumps([self._fingerprint, task.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Pace:
    """How much is done of how much, and when it will be: told after every task."""

    def __init__(self, expected_cost: float, tell: Callable[[str], None]) -> None:
        self.expected_cost = expected_cost
        self._tell = tell
        self._started = time.monotonic()
        self._done = self._kept = 0.0

    def add(self, cost: float, what: str, *, kept: bool) -> None:
        """Count one task, done now or kept from before."""
        self._done += cost
        self._kept += cost if kept else 0.0
        elapsed = time.monotonic() - self._started
        new = self._done - self._kept
        if kept or not new:
            return
        left = max(0.0, self.expected_cost - self._done) * elapsed / new
        share = min(1.0, self._done / max(self.expected_cost, self._done))
        self._tell(
            f"{elapsed / 60:5.1f} min, {share:4.0%} done, about {left / 60:4.1f} min left"
            f" ({new / elapsed:4.0f} answers/s): {what}"
        )


class Crew:
    """Processes that share the tasks out among themselves; each loads the model once.

    Without a worker, the tasks are done in this process.
    """

    def __init__(self, model: Path, journal: Journal, pace: Pace, n_workers: int) -> None:
        self._journal = journal
        self._pace = pace
        self._seconds: dict[str, float] = {}
        load = (_start, (str(model),))
        self._pool: Executor = (
            ProcessPoolExecutor(n_workers, get_context("spawn"), *load)
            if n_workers
            else ThreadPoolExecutor(1, "measuring", *load)
        )

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def do(self, tasks: Sequence[Task], what: str) -> list[dict[str, Any]]:
        """The results of all tasks, in their order; equal tasks are done once, kept ones not at all."""
        waiting: dict[Future[dict[str, Any]], Task] = {}
        for task in {self._journal.key(task): task for task in tasks}.values():
            if self._journal.get(task) is None:
                waiting[self._pool.submit(_work, task)] = task
            else:
                self._pace.add(task.cost, what, kept=True)
        for future in as_completed(waiting):
            self._journal.put(waiting[future], future.result())
            self._pace.add(waiting[future].cost, what, kept=False)
        results = [self._journal.get(task) for task in tasks]
        self._seconds |= {
            self._journal.key(task): result["seconds"]
            for task, result in zip(tasks, results, strict=True)
            if result
        }
        return [result for result in results if result is not None]

    @property
    def seconds(self) -> float:
        """What all tasks took that were asked for, one after another, kept ones included."""
        return sum(self._seconds.values())


_engine: Any = None  # of a worker process; set once by _start


def _start(model: str) -> None:
    global _engine
    import torch

    from gazeviz.engine.models.loading import load_model
    from gazeviz.testbed.card.remembering import RememberingEngine

    _end_with_parent()
    torch.set_num_threads(1)
    _engine = RememberingEngine(load_model(model, device="cpu", dtype="float32"))


def _end_with_parent() -> None:
    """Leave no process behind when the measurement is killed: a worker would wait for a task for ever."""
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: wait([sentinel]) and os._exit(1), daemon=True).start()


def _work(task: Task) -> dict[str, Any]:
    return run_task(_engine, task)
