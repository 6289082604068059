"""A log knows its backups and is known by them; what is private stays so."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from gazeviz.store import backup
from gazeviz.store.backup import back_up, backups_of, restore, salvage
from gazeviz.store.backup_files import backup_folder, identity_of
from tests.store.conftest import OpenStore
from tests.store.older import as_of_schema
from tests.store.samples import SPEC, tiny_info

MOMENTS = [f"202601{day:02}-000000" for day in range(1, 20)]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The moments at which backups are made, one after the other."""
    moments = list(MOMENTS)
    monkeypatch.setattr(backup, "time", SimpleNamespace(strftime=lambda _format: moments.pop(0)))
    return moments


def made(open_store: OpenStore, path: Path, prompt: str) -> Path:
    store = open_store(path)
    store.open_session(prompt)
    store.run_created("baseline", SPEC, tiny_info())
    store.close()
    return path


@pytest.mark.parametrize("second", ["study-2.db", "study.sqlite", "study-20260101-000000.db", "study[1].db"])
def test_two_logs_in_a_folder_never_share_backups(
    open_store: OpenStore, tmp_path: Path, at: list[str], second: str
) -> None:
    one, other = made(open_store, tmp_path / "study.db", "one"), made(open_store, tmp_path / second, "two")
    theirs = back_up(other)
    assert backups_of(one) == [] and backups_of(other) == [theirs]
    mine = [back_up(one) for _ in range(backup.KEPT + 1)]
    assert backups_of(one) == mine[:0:-1], "the oldest of one's own is removed"
    assert backups_of(other) == [theirs], "and no other"
    restore(one)
    assert open_store(one).sessions()[0].name == "one"


def test_a_log_that_was_renamed_finds_its_backups(
    open_store: OpenStore, tmp_path: Path, at: list[str]
) -> None:
    old = made(open_store, tmp_path / "old.db", "mine")
    kept = back_up(old)
    made(open_store, tmp_path / "other.db", "another's")
    back_up(tmp_path / "other.db")
    old.rename(tmp_path / "new.db")
    assert backups_of(tmp_path / "new.db") == [kept]


def test_a_copy_of_a_log_removes_no_backup_of_it(
    open_store: OpenStore, tmp_path: Path, at: list[str]
) -> None:
    log = made(open_store, tmp_path / "log.db", "mine")
    kept = back_up(log)
    copy = Path(shutil.copyfile(log, tmp_path / "copy.db"))
    for _ in range(backup.KEPT + 1):
        back_up(copy)
    assert backups_of(log) == [kept] and len(backups_of(copy)) == backup.KEPT


def test_a_damaged_log_is_known_by_its_whole_name(
    open_store: OpenStore, tmp_path: Path, at: list[str]
) -> None:
    log = made(open_store, tmp_path / "log.db", "mine")
    kept = back_up(log)
    log.write_bytes(b"no database" * 1000)
    (backup_folder(log) / "log-2-20260301-000000.db").write_bytes(b"x")
    assert backups_of(log) == [kept]


def test_an_older_log_gets_an_identity_after_a_backup_of_how_it_was(
    open_store: OpenStore, path: Path
) -> None:
    made(open_store, path, "old")
    as_of_schema(path, 2)
    assert identity_of(path) is None
    open_store().close()
    assert identity_of(path)
    (before,) = backups_of(path)
    assert identity_of(before) is None


def test_what_was_saved_of_a_log_is_still_that_log(open_store: OpenStore, path: Path, tmp_path: Path) -> None:
    made(open_store, path, "mine")
    salvage(path, tmp_path / "saved.db")
    assert identity_of(tmp_path / "saved.db") == identity_of(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps files private by other means")
def test_logs_and_their_backups_can_be_read_by_their_owner_alone(
    open_store: OpenStore, path: Path, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        store = open_store()
        store.run_created("baseline", SPEC, tiny_info())
        back_up(path)
        back_up(path, tmp_path / "named.db")
        salvage(path, tmp_path / "saved.db")
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert len(files) >= 4  # with what SQLite keeps beside an open log
        assert {oct(stat.S_IMODE(file.stat().st_mode)) for file in files} == {"0o600"}
        store.close()
        restore(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_an_empty_file_is_a_new_log(open_store: OpenStore, path: Path) -> None:
    from gazeviz.store.reader import LogReader
    from gazeviz.store.run_query import RunList

    path.touch()
    with closing(LogReader(path)) as reader:
        assert RunList(reader).page() == [] and reader.sessions() == []
    assert path.stat().st_size == 0, "reading has changed nothing"
    assert len(open_store().runs()) == 0


def test_a_log_that_cannot_be_begun_leaves_no_file(
    open_store: OpenStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("gazeviz.store.migrations.migrate", full)
    with pytest.raises(Exception, match=f"{path} cannot be written: there is no space left"):
        open_store()
    assert not path.exists() or path.stat().st_size > 0
    monkeypatch.undo()
    assert len(open_store().runs()) == 0
