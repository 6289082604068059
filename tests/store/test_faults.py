"""Every fault of the log's files: one sentence, a next step, and nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.region import Region
from gazeviz.errors import UserError
from gazeviz.store import SessionStore, openings, writer
from gazeviz.store.connection import SCHEMA
from gazeviz.store.faults import LogFault, fault_of
from gazeviz.store.reader import LogReader
from gazeviz.store.upkeep import check
from tests.patience import PATIENCE_S, wait_until
from tests.store.conftest import OpenStore, refused
from tests.store.samples import FINGERPRINT, SPEC, Samples, alike, plain_step, tiny_info

# The disk is full


def fill_disk(store: SessionStore) -> None:
    """SQLite refuses every new page from now on, with the very error of a full disk."""
    pages = store.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    store.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())


def until_taken(store: SessionStore) -> None:
    """Wait until the writer has begun on what was submitted: all before that is written, or refused."""
    wait_until(lambda: not store._writer._orders)


def free_disk(store: SessionStore) -> None:
    store._connection.execute("PRAGMA max_page_count = 1000000").fetchone()


def test_a_disk_that_fills_up_in_the_middle_of_a_run_loses_no_token(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.step_appended(run_id, plain_step(0))
    store.flush()
    fill_disk(store)
    with refused("full", "no space left"):
        for index in range(1, 400):
            store.step_appended(run_id, plain_step(index, n_tok=1280))
            until_taken(store)
    told_at = index
    with refused("full", "no space left"):
        store.run_created("steered", SPEC, tiny_info())
    with refused("full", "no space left"):
        store.run_ended(run_id, "done", Samples(1).summary(), "").result()
    free_disk(store)
    store.flush()
    row = store.run(run_id)
    assert [step.index for step in row.steps] == list(range(told_at + 1))
    assert row.state == "done" and alike(row.summary, Samples(1).summary())
    assert len(store.runs()) == 1  # the run that was refused was never promised
    store.close()
    assert check(store.path) == []


def test_a_log_that_is_closed_on_a_full_disk_says_so(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    fill_disk(store)
    with pytest.raises(LogFault):
        for index in range(400):
            store.step_appended(run_id, plain_step(index, n_tok=1280))
            until_taken(store)
    with refused("full", "no space left"):
        store.close()
    assert check(store.path) == []
    monkeypatch.setattr(openings, "is_alive", lambda *_: False)  # as it is for the next program
    assert open_store().run(run_id).state == "lost"


def test_a_full_disk_beside_the_log_is_the_same_fault(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gazeviz.store.arrays.write_whole", full)
    rng = np.random.default_rng(0)
    store.ranking_saved(HeadRanking("m", rng.random((36, 32)), 5, rng.random((36, 32, 6, 6))), FINGERPRINT)
    with refused("full", "no space left"):
        store.flush()
    monkeypatch.undo()
    store.flush()
    assert len(store.reader.rankings(FINGERPRINT)) == 1


def test_the_file_that_is_full_is_named(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    rng = np.random.default_rng(0)
    monkeypatch.setattr("gazeviz.store.arrays.os.fsync", full)
    store.ranking_saved(HeadRanking("m", rng.random((36, 32)), 5, rng.random((36, 32, 6, 6))), FINGERPRINT)
    with refused("full", r"The file .*arrays/[0-9a-f]{64}\.npz cannot be written: there is no space left"):
        store.flush()
    monkeypatch.undo()
    store.flush()
    assert check(store.path) == []


# Not to be written


def test_a_folder_that_cannot_be_made_is_read_only(open_store: OpenStore) -> None:
    with refused("read_only", "may not be changed"):
        open_store(Path("/proc/gazeviz/gazeviz.db"))


def test_a_file_in_the_place_of_the_folder_is_named(open_store: OpenStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with refused("read_only", "may not be changed"):
        open_store(tmp_path / "file" / "gazeviz.db")


def test_a_log_that_may_not_be_written_can_still_be_read(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.close()
    code = (
        "import os, sys, pathlib, gazeviz.store.backup, gazeviz.resources\n"
        "from gazeviz.store.session_file import export_session\n"
        "from gazeviz.store.reader import LogReader; from gazeviz.store import SessionStore\n"
        "from gazeviz.errors import UserError\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "os.getuid() or os.setuid(65534)\n"  # root may write anywhere
        "print(LogReader(path).run(int(sys.argv[2])).spec.prompt)\n"
        "print(export_session(path, 1, pathlib.Path(sys.argv[3]) / 'session.zip'))\n"
        "try: SessionStore(path)\n"
        "except UserError as error: print(error.kind, error.sentence)\n"
    )
    # A folder that any user may enter.
    public = Path("/var/tmp") / f"gazeviz-{os.getpid()}"
    public.mkdir(mode=0o755)
    try:
        shutil.copyfile(path, public / "gazeviz.db")
        (public / "gazeviz.db").chmod(0o444)
        open_to_all = public / "out"
        open_to_all.mkdir()
        open_to_all.chmod(0o777)
        public.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", code, str(public / "gazeviz.db"), str(run_id), str(open_to_all)],
            capture_output=True, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    finally:
        public.chmod(0o755)
        shutil.rmtree(public)
    assert done.stdout.splitlines()[:2] == ["What?", "1"], done.stderr
    assert done.stdout.splitlines()[2].startswith("read_only The log"), done.stderr


# Held by others


def test_a_log_that_another_program_holds_is_locked(
    open_store: OpenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    store = open_store()
    store._connection.execute("PRAGMA busy_timeout = 100").fetchone()
    run_id = store.run_created("steered", SPEC, tiny_info())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.step_appended(run_id, plain_step(0))
        with refused("locked", "locked by another program"):
            store.run_created("steered", SPEC, tiny_info())
        other.execute("COMMIT")
    store.flush()
    assert len(store.run(run_id).steps) == 1


def test_a_log_that_is_locked_as_a_whole_cannot_be_opened(open_store: OpenStore, path: Path) -> None:
    open_store().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE").fetchone()
        other.execute("BEGIN EXCLUSIVE")
        with refused("locked", "locked by another program"):
            LogReader(path, busy_s=0.1)


# Other people's files


def test_a_log_of_a_newer_version_is_left_alone(open_store: OpenStore, path: Path) -> None:
    open_store().close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        database.commit()
        database.execute("PRAGMA journal_mode = DELETE").fetchone()
    before = path.read_bytes()
    for attempt in (lambda: open_store(), lambda: LogReader(path)):
        with refused("newer", "newer gazeviz"):
            attempt()
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(open_store: OpenStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE photos (id)")
        database.commit()
    before = path.read_bytes()
    with refused("foreign", "no log of gazeviz"):
        open_store()
    assert path.read_bytes() == before


def test_a_log_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(LogFault, match="There is no log"):
        LogReader(path)


# Closed


def test_a_closed_log_says_so(store: SessionStore) -> None:
    store.close()
    with refused("closed", "is closed"):
        store.run_created("steered", SPEC, tiny_info())
    with refused("closed", "is closed"):
        store.reader.sessions()


# Bugs are not faults


def test_an_order_that_nobody_can_carry_out_does_not_drag_others_down(store: SessionStore) -> None:
    run_id = store.run_created("steered", SPEC, tiny_info())
    barrier = threading.Event()
    store._writer.submit(lambda: barrier.wait(PATIENCE_S))
    store.step_appended(run_id, plain_step(0))
    store.step_appended(12345, plain_step(0))
    store.step_appended(run_id, plain_step(1))
    barrier.set()
    wait_until(lambda: store._writer._trouble)
    with pytest.raises(sqlite3.IntegrityError):
        store.step_appended(run_id, plain_step(2))
    assert [step.index for step in store.run(run_id).steps][:2] == [0, 1]


def test_other_errors_are_left_alone(path: Path) -> None:
    assert fault_of(ValueError("x"), path) is None
    assert fault_of(sqlite3.ProgrammingError("x"), path) is None
    assert fault_of(OSError("x"), path) is None
    with pytest.raises(sqlite3.OperationalError), closing(sqlite3.connect(":memory:")) as database:
        database.execute("SELECT nothing")


def test_a_mask_that_is_painted_anew_after_a_fault_is_kept_all_the_same(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the writer remembers as kept is forgotten with the transaction that was undone."""
    region = Region("cat", np.eye(20, dtype=bool))
    calls = []

    def fail_once(*_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")

    store.open_session("s")
    store.save_regions("ab", (region,))
    store._writer.submit(lambda: fail_once())
    with pytest.raises(UserError):
        store.flush()
    store.flush()
    assert store.reader.regions_of("ab") == (region,)
