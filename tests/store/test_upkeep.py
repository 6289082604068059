"""Checking, weighing, tidying and copying a log."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import PictureSource
from gazeviz.store import SessionStore, backup
from gazeviz.store.backup import back_up, backups_of, restore
from gazeviz.store.connection import SCHEMA, default_path
from gazeviz.store.faults import LogFault
from gazeviz.store.migrations import MIGRATIONS, schema_sql
from gazeviz.store.upkeep import NEW_FILE_S, check, stats, vacuum
from tests.patience import wait_until
from tests.store.conftest import OpenStore
from tests.store.samples import FINGERPRINT, SPEC, Samples, plain_step, png, tiny_info

RNG = np.random.default_rng(0)
LARGE = HeadRanking("mass", RNG.random((36, 32)), 25, RNG.random((36, 32, 6, 6)))


def add_run(store: SessionStore, n_steps: int = 5) -> int:
    run_id = store.run_created("steered", SPEC, tiny_info())
    for index in range(n_steps):
        store.step_appended(run_id, plain_step(index))
    store.run_ended(run_id, "done", Samples(run_id).summary(), "").result()
    return run_id


def test_a_sound_log_has_no_problems_and_says_how_far_the_look_is(store: SessionStore) -> None:
    add_run(store)
    store.ranking_saved(LARGE, FINGERPRINT)
    store.flush()
    told: list[float] = []
    assert check(store.path, lambda _what, part: told.append(part)) == []
    assert told == sorted(told) and told[-1] < 1


def test_references_to_nothing_are_found(store: SessionStore) -> None:
    add_run(store)
    store.close()
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("DELETE FROM regions")
        database.execute("DELETE FROM models")
        database.commit()
    found = " ".join(check(store.path))
    assert "of models that is gone" in found and "of run 1 cannot be understood" in found


def test_a_log_is_counted_and_weighed(store: SessionStore) -> None:
    add_run(store)
    add_run(store)
    store.delete_runs([1])
    store.ranking_saved(LARGE, FINGERPRINT)
    store.save_picture(PictureSource("ab", "large", data=png((600, 400))), (600, 400), None, ())
    store.flush()
    back_up(store.path)
    figures = stats(store.path)
    assert (figures.rows["runs"], figures.rows["run_steps"], figures.deleted_runs) == (2, 10, 1)
    assert figures.database_bytes > 100_000 and figures.arrays_bytes > 256 * 1024
    assert figures.pictures_bytes == len(png((600, 400))) and len(figures.backups) == 1
    assert figures.to_json()["rows"]["head_rankings"] == 1


def test_vacuum_removes_what_nothing_refers_to(store: SessionStore) -> None:
    kept, gone = add_run(store), add_run(store, 300)
    samples = Samples(0)
    store.save_regions("ab", samples.regions())
    store.delete_runs([gone])
    store.flush()
    stray = store.path.parent / "arrays" / f"{'0' * 64}.npz"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    store.close()
    assert vacuum(store.path)["files"] == 0 and stray.exists()  # it may belong to somebody's transaction
    os.utime(stray, (time.time() - 2 * NEW_FILE_S,) * 2)
    done = vacuum(store.path)
    assert done["files"] == 1 and not stray.exists()
    assert check(store.path) == []
    with closing(SessionStore(store.path)) as again:
        assert [run.id for run in again.runs()] == [kept]


def test_vacuum_gives_space_back_and_only_takes_what_was_deleted_before(store: SessionStore) -> None:
    for _ in range(3):
        add_run(store, 300)
    store.delete_runs([1, 2])
    store.close()
    assert vacuum(store.path, deleted_before_s=time.time() - 100)["runs"] == 0
    done = vacuum(store.path)
    assert done["runs"] == 2 and done["bytes"] > 100_000


def test_files_that_a_backup_needs_are_left(store: SessionStore) -> None:
    store.ranking_saved(LARGE, FINGERPRINT)
    store.flush()
    back_up(store.path)
    store.close()
    (file,) = (store.path.parent / "arrays").iterdir()
    os.utime(file, (time.time() - 2 * NEW_FILE_S,) * 2)
    with closing(sqlite3.connect(store.path)) as database:
        for table in ("head_scores", "session_rankings", "head_rankings", "arrays"):
            database.execute(f"DELETE FROM {table}")
        database.commit()
    assert vacuum(store.path)["files"] == 0 and file.exists()
    for copy in backups_of(store.path):
        copy.unlink()
    assert vacuum(store.path)["files"] == 1


# Backups


def test_a_backup_can_be_made_while_the_log_is_written(store: SessionStore) -> None:
    stop = threading.Event()
    promised = [add_run(store)]

    def work() -> None:
        while not stop.is_set():
            promised.append(add_run(store))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        n_before = len(promised)
        copy = back_up(store.path)
    finally:
        stop.set()
        thread.join()
    assert copy is not None and check(copy) == []
    with closing(sqlite3.connect(copy)) as database:
        (n_runs,) = database.execute("SELECT count(*) FROM runs WHERE state = 'done'").fetchone()
    assert n_before <= n_runs <= len(promised) + 1
    assert not copy.with_name(copy.name + "-wal").exists()


def test_a_backup_elsewhere_takes_its_files_along(store: SessionStore, tmp_path: Path) -> None:
    store.ranking_saved(LARGE, FINGERPRINT)
    store.flush()
    out = tmp_path / "usb" / "copy.db"
    assert back_up(store.path, out) == out
    assert check(out) == []
    with pytest.raises(LogFault, match="already"):
        back_up(store.path, out)


def test_a_backup_that_is_stopped_leaves_nothing(store: SessionStore) -> None:
    for _ in range(10):
        add_run(store, 300)
    assert back_up(store.path, stopped=lambda: True) is None
    assert list((store.path.parent / "backups").iterdir()) == []


def test_only_the_newest_backups_are_kept(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(backup.KEPT + 3):
        monkeypatch.setattr("time.strftime", lambda _format, day=day: f"2026010{day}-000000")
        back_up(store.path)
    assert len(backups_of(store.path)) == backup.KEPT
    assert backups_of(store.path)[-1].name == "gazeviz-20260103-000000.db"


def test_an_app_backs_up_once_a_day(
    open_store: OpenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for expected in (1, 1):
        store = open_store(back_up=True)
        wait_until(lambda: len(backups_of(path)) >= 1)
        store.close()
        assert len(backups_of(path)) == expected
    (copy,) = backups_of(path)
    old_s = time.time() - 25 * 3600
    os.utime(copy, (old_s, old_s))
    moment = time.localtime(time.time() + 60)  # a backup is named by its second
    strftime = time.strftime
    monkeypatch.setattr("time.strftime", lambda form, at=moment: strftime(form, at))
    store = open_store(back_up=True)
    wait_until(lambda: len(backups_of(path)) >= 2)
    assert len(backups_of(path)) == 2


def test_a_named_backup_can_be_brought_back_and_the_old_file_stays(
    store: SessionStore, tmp_path: Path
) -> None:
    add_run(store)
    copy = back_up(store.path, tmp_path / "copy.db")
    add_run(store)
    store.close()
    _, aside = restore(store.path, copy)
    assert aside is not None
    for log, n_runs in ((store.path, 1), (aside, 2)):
        with closing(sqlite3.connect(log)) as database:
            assert database.execute("SELECT count(*) FROM runs").fetchone() == (n_runs,)


# The schema


def test_the_schema_counts_its_migrations(store: SessionStore) -> None:
    names = [row[0] for row in store.reader.rows("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert len(names) == SCHEMA and names == sorted(names)
    assert store.reader.rows("PRAGMA user_version") == [(SCHEMA,)]
    found = set(store.reader.rows("SELECT type, name, sql FROM sqlite_master"))
    assert found == schema_sql(SCHEMA)
    with closing(sqlite3.connect(":memory:")) as empty:
        from sqlite_utils import Database

        assert len(MIGRATIONS.pending(Database(empty))) == SCHEMA


def test_the_default_place_is_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAZEVIZ_DATA", str(tmp_path / "data"))
    assert default_path() == tmp_path / "data" / "gazeviz.db"
