"""What a comparison reads from the log."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.history import comparison_sources as comparing
from gazeviz.app.history.comparison_sources import KnownGrid, NotCompared, read_runs, read_sessions, told
from gazeviz.app.runs.picture_opener import picture_file
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadOrigin, HeadSet
from gazeviz.domain.steering import Steering
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from tests.render.made_runs import CHOSEN, GRID, MODEL, PANELS, RANKING, SIZE_PX, MadeRun, made_run

RANDOM = HeadSet.of("L1H2,L1H3", HeadOrigin("random", "mass", 2, 0, "all"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    """An empty log."""
    store = SessionStore(tmp_path / "gazeviz.db", keep_pictures=False)
    yield store
    store.close()


@pytest.fixture
def picture(store: SessionStore, tmp_path: Path) -> str:
    """A picture of the log, whose file is strip.png."""
    pixels_HW3 = np.random.default_rng(1).integers(256, size=(*SIZE_PX[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels_HW3).save(tmp_path / "strip.png")
    opened = picture_file(tmp_path / "strip.png")
    store.save_picture(opened.source, opened.size_px, None, ())
    return opened.sha256


def log(store: SessionStore, run: MadeRun) -> int:
    """Write a run down; returns its number."""
    run_id = store.run_created(run.side, run.spec, run.model)
    for step in run.steps:
        store.step_appended(run_id, step)
    store.run_ended(run_id, run.state, run.summary, run.message).result()
    return run_id


def test_runs_come_with_picture_grid_and_ranking(store: SessionStore, picture: str) -> None:
    store.ranking_saved(RANKING, MODEL.fingerprint)
    ids = [log(store, made_run(1, Steering(heads, PANELS[1]), picture=picture)) for heads in (CHOSEN, RANDOM)]
    comparison = read_runs(store.reader, ids)
    assert comparison.picture_names == {picture: "strip.png"}
    assert comparison.pictures[picture].shape == (*SIZE_PX[::-1], 3)
    assert [grid and grid.shape_RC for grid in comparison.grids] == [GRID.shape_RC] * 2
    assert comparison.rankings[0] is not None and comparison.rankings[0].name == "mass"
    assert comparison.rankings[1] is None  # a random draw from a ranking is not taken from its top


def test_nothing_is_left_to_be_read_later(store: SessionStore, picture: str) -> None:
    comparison = read_runs(store.reader, [log(store, made_run(picture=picture)) for _ in range(2)])
    store.close()
    assert comparison.n_tok == 4
    assert comparison.settings and comparison.heads.overlaps


def test_a_run_that_was_asked_for_twice_counts_once(store: SessionStore, picture: str) -> None:
    run_id = log(store, made_run(picture=picture))
    with pytest.raises(UserError, match="1 runs cannot be compared"):
        read_runs(store.reader, [run_id, run_id])


def test_the_grid_of_the_picture_on_the_screen_needs_no_proof(store: SessionStore, picture: str) -> None:
    ids = [log(store, made_run(picture=picture, regions=())) for _ in range(2)]
    boxes_P4 = TokenGrid.plain((4, 12), SIZE_PX, SIZE_PX).boxes_P4
    tiled = TokenGrid(boxes_P4, SIZE_PX, SIZE_PX)
    for known, grid in (
        (KnownGrid(picture, MODEL.fingerprint, tiled), tiled),
        (KnownGrid("other", MODEL.fingerprint, tiled), None),
        (KnownGrid(picture, "other", tiled), None),
        (None, None),
    ):
        assert read_runs(store.reader, ids, known).grids == (grid, grid)


def test_a_picture_whose_file_is_gone_is_known_by_its_thumbnail(
    store: SessionStore, picture: str, tmp_path: Path
) -> None:
    ids = [log(store, made_run(picture=picture)) for _ in range(2)]
    store.flush()
    (tmp_path / "strip.png").unlink()
    kept = store.reader.thumbnails([picture])[picture]
    with Image.open(io.BytesIO(kept)) as image:
        size_px = image.size
    comparison = read_runs(store.reader, ids)
    assert comparison.pictures[picture].shape == (*size_px[::-1], 3)
    assert comparison.picture_names == {}


def test_sessions_are_read_in_pieces(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_AT_ONCE", 2)
    sessions = []
    for name in ("one", "two"):
        sessions.append(store.open_session(name))
        for number in range(5):
            log(store, made_run(prompt=f"question {number}"))
    compared = read_sessions(store.reader, *sessions)
    assert (compared.first.name, compared.second.name) == ("one", "two")
    assert [pair.first.prompt for pair in compared.pairing.pairs] == [f"question {n}" for n in range(5)]


def test_what_cannot_be_compared_is_an_answer(store: SessionStore) -> None:
    only = store.open_session("only")
    for other, sentence in ((only, "with itself"), (only + 1, "was deleted")):
        answer = told(partial(read_sessions, first=only, second=other))(store.reader)
        assert isinstance(answer, NotCompared)
        assert sentence in answer.sentence and answer.next_step
