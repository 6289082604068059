"""An evaluation whose process is killed again and again comes to the same rows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

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


def run(store: SessionStore) -> None:
    pictures = picture_set(64)
    spec = spec_of(pictures, "uniform:4,layers:2,zero,prompt")
    carried_out(spec, pictures, ScriptedEngine(obedient), EXACT, store)  # type: ignore[arg-type]


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
