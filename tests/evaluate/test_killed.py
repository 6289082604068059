"""An evaluation whose process is killed again and again comes to the same rows."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from gazeviz.commands.evaluation.workers import compute_in_parts
from gazeviz.commands.terminal import Terminal
from gazeviz.evaluating import carried_out
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog
from gazeviz.store.upkeep import check
from tests.engine.fixtures.scripted_engine import ScriptedEngine, obedient
from tests.evaluate.staging import EXACT, picture_set, spec_of

N_KILLS = 20
COUNT = "SELECT count(*) FROM evaluation_items"


def evaluate_until_killed(path: str, attempt: int) -> None:
    """Go on with the evaluation, and die at its second block: in its transaction, or right after it."""
    store = SessionStore(Path(path))
    write, blocks = store.write, [0]

    def dying(work):
        def both(connection):
            result = work(connection)
            added = connection.execute(COUNT).fetchone()[0]
            blocks[0] = blocks[0] or added + 1
            if added > blocks[0] and attempt % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        found = write(both)
        rows = write(lambda connection: connection.execute(COUNT).fetchone())
        if rows[0] > blocks[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    store.write = dying  # type: ignore[method-assign]
    run(store)


def run(store: SessionStore, shard: tuple[int, int] = (0, 1)) -> None:
    pictures = picture_set(64)
    spec = spec_of(pictures, "uniform:4,layers:2,zero,prompt")
    carried_out(spec, pictures, ScriptedEngine(obedient), EXACT, store, shard=shard)  # type: ignore[arg-type]


def worker(options: dict[str, Any], wish: object, shard: str, threads: int) -> None:
    """Compute a part; the first of two is killed once it has kept a block."""
    store, part = SessionStore(options["log"]), int(shard[0]) - 1
    write = store.write

    def dying(work):
        found = write(work)
        if part == 0 and write(lambda connection: connection.execute(COUNT).fetchone())[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    store.write = dying  # type: ignore[method-assign]
    run(store, (part, 2))
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_one_of_two_workers_is_killed_and_the_rows_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = tmp_path / "shared.db", tmp_path / "whole.db"
    SessionStore(paths[0]).close()
    options = argparse.Namespace(workers=2, no_log=False, shard=None, log=paths[0])
    compute_in_parts(options, None, Terminal(), worker)  # type: ignore[arg-type]
    assert "1 of 2 workers ended early" in " ".join(capsys.readouterr().err.split())
    stores = [SessionStore(path) for path in paths]
    (so_far,) = EvaluationLog(stores[0]).all()
    assert 0 < so_far.n_done < so_far.n_items
    for store in stores:
        run(store)
    found, expected = (EvaluationLog(store).result("first") for store in stores)
    assert found.is_complete and found.items == expected.items
    assert found.to_json() == expected.to_json()
    for store in stores:
        store.close()
    assert check(paths[0]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_twenty_kills_leave_the_same_rows(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.evaluate.test_killed"])
    killed, whole = tmp_path / "killed.db", tmp_path / "whole.db"
    codes = []
    for attempt in range(N_KILLS):
        process = context.Process(target=evaluate_until_killed, args=(str(killed), attempt))
        process.start()
        process.join()
        codes.append(process.exitcode)
    assert codes == [-signal.SIGKILL] * N_KILLS
    stores = SessionStore(killed), SessionStore(whole)
    for store in stores:
        run(store)
    found, expected = (EvaluationLog(store).result("first") for store in stores)
    assert found.is_complete
    assert found.items == expected.items
    assert found.to_json() == expected.to_json()
    for store in stores:
        store.close()
    assert check(killed) == []
