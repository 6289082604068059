"""Token grids in the log: kept once, moved along, found for runs that did not write one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gazeviz.app.report.sources import logged_grid
from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.domain.messages import GenerateSpec, RunResult
from gazeviz.store import SessionStore
from gazeviz.store.faults import LogFault
from gazeviz.store.reader import LogReader
from gazeviz.store.session_file import export_session, import_session
from gazeviz.store.upkeep import check, stats, vacuum
from tests.store.conftest import OpenStore
from tests.store.older import as_of_schema
from tests.store.samples import Samples, alike, plain_step, tiny_info

SIZE_PX = (300, 200)
NOWHERE = np.full((1, 4), np.nan)
PICTURE = "ab" * 32


def tiled(note: str = "Two tiles and the whole picture.") -> TokenGrid:
    """Two tiles, a token without a place, and the whole picture over them."""
    halves = [even_boxes((4, 4), box) for box in ((0, 0, 150, 200), (150, 0, 300, 200))]
    whole = even_boxes((4, 4), (0, 0, *SIZE_PX))
    return TokenGrid(np.concatenate([*halves, NOWHERE, whole]), SIZE_PX, (448, 448), None, note)


def spec(picture: str = PICTURE) -> GenerateSpec:
    return GenerateSpec(picture_sha256=picture, prompt="What is there?")


def summary(grid: TokenGrid | None) -> RunResult:
    return replace(Samples(3).summary(), grid=grid)


def logged(store: SessionStore, grid: TokenGrid | None, state: str = "done", picture: str = PICTURE) -> int:
    """A run of one token; one that was lost has no summary."""
    run_id = store.run_created("baseline", spec(picture), tiny_info())
    store.step_appended(run_id, plain_step(0, n_tok=tiled().n_tokens))
    store.run_ended(run_id, state, summary(grid) if state == "done" else None, "").result()
    return run_id


def test_a_tiled_grid_comes_back_to_the_last_cell_and_is_kept_once(open_store: OpenStore) -> None:
    store = open_store()
    runs = [logged(store, tiled()), logged(store, tiled())]
    plain = logged(store, TokenGrid.plain((7, 7), SIZE_PX, (448, 448)))
    store.close()
    again = open_store()
    assert all(alike(again.run(run_id).grid, tiled()) for run_id in runs)
    assert again.reader.rows("SELECT n_tok, grid_rows FROM token_grids ORDER BY n_tok") == [
        (49, None),
        (49, 7),
    ]
    assert alike(again.run(plain).grid, TokenGrid.plain((7, 7), SIZE_PX, (448, 448)))
    assert check(again.path) == []


def test_a_lost_run_has_the_grid_of_its_neighbours(store: SessionStore) -> None:
    lost = logged(store, None, "lost")
    assert store.run(lost).grid is None
    logged(store, TokenGrid.plain((2, 2), SIZE_PX, (64, 64)))  # fed smaller: another number of tokens
    logged(store, replace(tiled(), note="of another picture"), picture="cd" * 32)
    assert store.run(lost).grid is None
    logged(store, tiled())
    assert alike(store.run(lost).grid, tiled())


def test_a_grid_that_does_not_fit_its_maps_is_not_taken(store: SessionStore) -> None:
    assert store.run(logged(store, TokenGrid.plain((2, 2), SIZE_PX, (64, 64)))).grid is None


def test_a_grid_moves_with_its_session_and_goes_with_it(open_store: OpenStore, tmp_path: Path) -> None:
    store, other = open_store(), open_store(tmp_path / "other" / "gazeviz.db")
    session_id, run_id = store.open_session("to move"), logged(store, tiled())
    export_session(store.path, session_id, tmp_path / "s.zip")
    imported = import_session(other.path, tmp_path / "s.zip")
    (brought,) = other.runs(imported.session_id)
    assert alike(brought.grid, tiled())
    store.delete_runs([run_id])
    vacuum(store.path)
    assert store.reader.rows("SELECT * FROM token_grids") == []


def test_cells_that_were_changed_are_found(store: SessionStore) -> None:
    run_id = logged(store, tiled())
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("UPDATE token_grids SET fed_width_px = 1")
        database.commit()
    assert any("a token grid" in problem for problem in check(store.path))
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("UPDATE token_grids SET grid_rows = 3, grid_columns = 3")
        database.commit()
    with closing(LogReader(store.path)) as fresh, pytest.raises(LogFault):
        _ = fresh.run(run_id).grid


def as_of_schema_1(path: Path) -> None:
    """What the first release wrote."""
    with closing(sqlite3.connect(path)) as database:
        for run_id, text in database.execute(
            "SELECT run_id, summary FROM run_records WHERE summary IS NOT NULL"
        ).fetchall():
            data = json.loads(text)
            del data["grid"]
            database.execute(
                "UPDATE run_records SET summary = ? WHERE run_id = ?", (json.dumps(data), run_id)
            )
        database.commit()
    as_of_schema(path, 1)


def test_a_log_from_before_grids_is_read_moved_and_brought_up_to_date(
    open_store: OpenStore, path: Path, tmp_path: Path
) -> None:
    old = open_store()
    session_id, run_id = old.open_session("old"), logged(old, tiled())
    old.close()
    as_of_schema_1(path)
    with closing(LogReader(path)) as reader:
        assert reader.run(run_id).summary is not None and reader.run(run_id).grid is None
    assert check(path) == [] and stats(path).rows["runs"] == 1
    export_session(path, session_id, tmp_path / "s.zip")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)  # reading has changed nothing
    import_session(tmp_path / "new.db", tmp_path / "s.zip")
    assert vacuum(path)["runs"] == 0  # brings it up to date first
    store = open_store()
    newer = logged(store, tiled())
    assert alike(store.run(run_id).grid, tiled()) and alike(store.run(newer).grid, tiled())
    assert stats(path).backups  # of how it was


def test_a_run_without_maps_has_a_grid_but_none_to_draw_with(store: SessionStore) -> None:
    run_id = store.run_created("baseline", spec(), tiny_info())
    store.step_appended(run_id, plain_step(0, n_tok=0))  # no head was tracked
    store.run_ended(run_id, "done", summary(tiled()), "").result()
    assert alike(store.run(run_id).grid, tiled())
    assert logged_grid(store.run(run_id)) is None
    assert alike(logged_grid(store.run(logged(store, tiled()))), tiled())
