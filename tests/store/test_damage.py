"""A log that is damaged: what is said, what is offered, and what can be read of it all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import PictureSource
from gazeviz.store.backup import back_up, backups_of, restore, salvage
from gazeviz.store.faults import LogFault
from gazeviz.store.upkeep import check
from tests.store.conftest import OpenStore, refused
from tests.store.samples import FINGERPRINT, SPEC, Samples, plain_step, png, tiny_info


def logged(open_store: OpenStore, n_runs: int = 60) -> None:
    store = open_store()
    store.open_session("all of it")
    for number in range(n_runs):
        run_id = store.run_created("steered", SPEC, tiny_info())
        for index in range(12):
            store.step_appended(run_id, plain_step(index, n_tok=200))
        store.run_ended(run_id, "done", Samples(number).summary(), "").result()
    store.close()


def scribble(path: Path, share: float, n_bytes: int) -> None:
    """Write rubbish into the middle of a file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * share) // 4096 * 4096)
        file.write(np.random.default_rng(0).bytes(n_bytes))


def test_a_file_that_is_no_database_is_damaged_and_names_the_way_out(
    open_store: OpenStore, path: Path
) -> None:
    logged(open_store, 2)
    backup = back_up(path)
    assert backup is not None
    scribble(path, 0.0, 100)
    with refused("corrupt", "is damaged"):
        open_store()
    with pytest.raises(LogFault, match=backup.name):
        open_store()
    before = path.read_bytes()
    chosen, aside = restore(path)
    assert chosen == backup and aside is not None and aside.read_bytes() == before
    assert len(open_store().runs()) == 2


def test_without_a_backup_salvage_is_offered(open_store: OpenStore, path: Path) -> None:
    path.write_bytes(b"This is no database, and it is long enough to be looked at." * 100)
    with pytest.raises(LogFault, match=r"no backup.*--salvage"):
        open_store()
    with pytest.raises(LogFault, match="There is no backup"):
        restore(path)


def test_what_can_be_read_of_a_damaged_log_is_saved(
    open_store: OpenStore, path: Path, tmp_path: Path
) -> None:
    logged(open_store)
    scribble(path, 0.6, 12_000)
    problems = check(path)
    assert problems
    before = path.read_bytes()
    saved = salvage(path, tmp_path / "saved.db")
    assert path.read_bytes() == before
    assert saved["runs"] >= 30 and saved["run_steps"] >= 600 and saved["run_records"] >= 50
    store = open_store(tmp_path / "saved.db")
    assert check(store.path) == []
    whole = [run for run in store.runs() if run.state == "done" and len(run.steps) == 12]
    assert len(whole) >= 30
    with pytest.raises(LogFault, match="already"):
        salvage(path, tmp_path / "saved.db")


def test_a_log_of_which_nothing_can_be_read_says_what_is_left(
    open_store: OpenStore, path: Path, tmp_path: Path
) -> None:
    open_store().close()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(LogFault, match="Nothing can be read") as told:
        salvage(path, tmp_path / "saved.db")
    assert ".recover" in told.value.next_step and not (tmp_path / "saved.db").exists()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "gazeviz-20260102-030405.db").write_bytes(b"")
    with pytest.raises(LogFault, match="Nothing can be read") as told:
        salvage(path, tmp_path / "saved.db")
    assert "gazeviz-20260102-030405.db" in told.value.next_step


def test_a_sound_log_is_saved_whole(open_store: OpenStore, path: Path, tmp_path: Path) -> None:
    logged(open_store, 5)
    store = open_store()
    store.tag_runs([1, 2], "odd")
    store.note_run(1, "a note")
    store.close()
    saved = salvage(path, tmp_path / "saved.db")
    assert (saved["runs"], saved["run_steps"], saved["run_tags"], saved["notes"]) == (5, 60, 2, 1)
    assert check(tmp_path / "saved.db") == []


def test_an_array_that_is_missing_or_changed_is_named(open_store: OpenStore, path: Path) -> None:
    rng = np.random.default_rng(0)
    store = open_store()
    store.ranking_saved(HeadRanking("m", rng.random((36, 32)), 5, rng.random((36, 32, 6, 6))), FINGERPRINT)
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.close()
    (file,) = (path.parent / "arrays").glob("*.npz")
    whole = file.read_bytes()
    assert check(path) == []
    for data in (whole[:-1000], whole[:5000] + b"\0\0\0\0" + whole[5004:], b""):
        file.write_bytes(data)
        with refused("changed", "no longer what was written"):
            open_store().reader.rankings(FINGERPRINT)
    file.unlink()
    with refused("missing", "has lost"):
        open_store().reader.rankings(FINGERPRINT)
    assert len(check(path)) == 2  # the array, and the ranking that needs it
    assert open_store().run(run_id).spec.prompt == "What?"


def test_a_picture_file_that_is_missing_or_changed_is_named(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    store.save_picture(PictureSource("ab", "large", data=png((600, 400))), (600, 400), None, ())
    store.flush()
    (file,) = (path.parent / "pictures").iterdir()
    file.write_bytes(b"other")
    with refused("changed", "no longer"):
        store.reader.picture("ab")
    file.unlink()
    with refused("missing", "has lost"):
        store.reader.picture("ab")


def test_a_row_that_cannot_be_understood_is_no_traceback(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    run_id = store.run_created("steered", SPEC, tiny_info())
    store.close()
    for spec in ("{}", "no json", '{"prompt": 5}', "[]"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE run_records SET spec = ?", (spec,))
            database.commit()
        with refused("changed", "cannot be understood"):
            _ = open_store().run(run_id).spec
    assert any("run" in problem for problem in check(path))


def test_backups_are_listed_newest_first(open_store: OpenStore, path: Path) -> None:
    logged(open_store, 1)
    (path.parent / "backups").mkdir()
    for stamp in ("20260101-000000", "20260301-000000", "20260201-000000"):
        (path.parent / "backups" / f"gazeviz-{stamp}.db").write_bytes(b"x")
    assert [backup.stem[-15:-7] for backup in backups_of(path)] == ["20260301", "20260201", "20260101"]
