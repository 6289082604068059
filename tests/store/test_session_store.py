"""The log on disk does what the log in memory does, and what it holds outlives it."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, LoggedRun, PictureSource, RunVerdict
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.store import SessionStore
from gazeviz.store.arrays import BESIDE_BYTES
from tests.patience import PATIENCE_S, wait_until
from tests.store.conftest import OpenStore
from tests.store.samples import FINGERPRINT, SPEC, Samples, alike, plain_step, png, tiny_info


def test_a_run_has_the_shape_that_comparisons_and_reports_ask_for(store: SessionStore) -> None:
    # The type checker holds the assignment against the protocol; no code of the store imports it.
    run: LoggedRun = store.run(store.run_created("baseline", SPEC, tiny_info()))
    assert run.session_id == store.sessions()[0].id


@pytest.fixture(params=["temporary", "kept"])
def log(request: pytest.FixtureRequest, open_store: OpenStore) -> SessionStore:
    return SessionStore.temporary() if request.param == "temporary" else open_store()


def test_a_temporary_log_leaves_nothing_behind() -> None:
    log = SessionStore.temporary()
    folder = log.path.parent
    log.run_created("baseline", SPEC, tiny_info())
    assert log.path.is_file()
    log.close()
    assert not folder.exists()


def test_both_logs_tell_the_same_story(log: SessionStore) -> None:
    first = log.open_session("first")
    info = tiny_info()
    log.save_model(info)
    a = log.run_created("baseline", SPEC, info)
    log.step_appended(a, plain_step(0))
    log.step_appended(a, plain_step(1))
    assert (log.run(a).state, [step.text for step in log.run(a).steps]) == ("running", [" w0", " w1"])
    summary = Samples(3).summary()
    log.run_ended(a, "done", summary, "").result()
    second = log.open_session("second")
    b = log.run_created("steered", SPEC, info)
    log.run_respecified(b, GenerateSpec("ab", "Who?"))
    log.run_ended(b, "lost", None, "It was ended by SIGKILL.").result()
    row = log.run(a)
    assert (row.id, row.session_id, row.side, row.state, row.message) == (a, first, "baseline", "done", "")
    assert alike(row.spec, SPEC) and alike(row.summary, summary) and alike(row.model, info)
    assert (log.run(b).spec.prompt, log.run(b).message) == ("Who?", "It was ended by SIGKILL.")
    assert [run.id for run in log.runs()] == [b, a] and [run.id for run in log.runs(first)] == [a]
    log.rename_session(second, "renamed")
    assert [(session.id, session.name) for session in log.sessions()] == [
        (second, "renamed"), (first, "first")
    ]  # fmt: skip
    with pytest.raises(KeyError):
        log.run(77)
    with pytest.raises(KeyError):
        log.run_ended(77, "done", None, "").result()
    log.close()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_logged_is_read_by_the_next_start(open_store: OpenStore, seed: int) -> None:
    samples, store = Samples(seed), open_store()
    info, spec, summary = samples.info(), samples.spec(), samples.summary()
    steps = [samples.step(index) for index in range(6)]
    run_id = store.run_created("steered", spec, info)
    for step in steps:
        store.step_appended(run_id, step)
    store.run_ended(run_id, "done", summary, samples.text()).result()
    store.close()
    row = open_store().run(run_id)
    assert alike(row.spec, spec) and alike(row.summary, summary) and alike(row.model, info)
    assert alike(tuple(row.steps), tuple(steps))


def test_a_run_and_its_verdict_are_on_the_disk_together(store: SessionStore) -> None:
    run_id = store.run_created("baseline", SPEC, tiny_info())
    ending = store.run_ended(
        run_id, "done", Samples(1).summary(), "", RunVerdict("Panel 2", True, "captions")
    )
    assert ending.result(timeout=PATIENCE_S) is None
    sql = "SELECT state, verdict, verdict_ok, judge FROM runs JOIN judgements USING (verdict)"
    assert [tuple(row) for row in store.reader.rows(sql)] == [("done", "Panel 2", 1, "captions")]


def test_a_session_is_called_by_model_picture_and_time_until_it_gets_a_name(store: SessionStore) -> None:
    session_id = store.open_session()
    store.save_model(tiny_info(name="toy"))
    store.save_picture(PictureSource("ab", "strip.png", data=b"x"), (64, 32), None, ())
    store.save_model(tiny_info("other", name="another model"))
    started_s = store.sessions()[0].started_s
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(started_s))
    assert store.sessions()[0].name == f"toy · strip.png · {moment}"
    store.rename_session(session_id, "Kitchen")
    store.save_model(tiny_info("third", name="third"))
    assert store.sessions()[0].name == "Kitchen"
    store.rename_session(session_id, "")
    assert store.sessions()[0].name == f"toy · strip.png · {moment}"
    with pytest.raises(KeyError):
        store.rename_session(99, "none")


def test_a_session_of_a_name_can_be_gone_on_with(open_store: OpenStore) -> None:
    store = open_store()
    first = store.continue_session("Command line 2026-03-03")
    store.run_created("baseline", SPEC, tiny_info())
    store.close()
    again = open_store()
    assert again.continue_session("Command line 2026-03-03") == first
    assert again.continue_session("Command line 2026-03-04") != first


def test_sessions_in_which_nothing_was_done_are_not_kept(open_store: OpenStore) -> None:
    store = open_store()
    store.open_session()
    store.close()
    store = open_store()
    store.open_session("named")
    store.close()
    assert [session.name for session in open_store().sessions()] == ["named"]


def test_a_start_that_only_looked_around_is_no_session(open_store: OpenStore) -> None:
    ranking = HeadRanking("mass", np.ones((1, 1)))
    for side in ("baseline", "glance", "glance", "baseline"):
        store = open_store()
        store.open_session()
        store.ranking_saved(ranking, tiny_info().fingerprint)
        store.run_created(side, SPEC, tiny_info())
        store.close()
    store = open_store()
    assert [session.n_runs for session in store.sessions()] == [1, 1]
    assert len(store.reader.rankings(tiny_info().fingerprint)) == 1
    store.open_session()
    store.ranking_saved(HeadRanking("mass", np.zeros((1, 1))), tiny_info().fingerprint)
    store.close()
    assert [session.n_runs for session in open_store().sessions()] == [0, 1, 1]


def test_rankings_are_kept_with_every_score_matrix_and_both_halves(open_store: OpenStore) -> None:
    store = open_store()
    rankings = [Samples(seed).ranking() for seed in range(12)]
    assert any(ranking.halves for ranking in rankings)
    for ranking in [*rankings, rankings[0]]:
        store.ranking_saved(ranking, FINGERPRINT)
    store.ranking_saved(rankings[0], "another model")
    store.close()
    back = open_store().reader.rankings(FINGERPRINT)
    assert len(back) == 12
    assert all(alike(a, b) for a, b in zip(reversed(back), rankings, strict=True))
    assert [r.order() for r in reversed(back)] == [r.order() for r in rankings]


def test_a_large_matrix_lies_beside_the_log_and_comes_back(open_store: OpenStore, path: Path) -> None:
    rng = np.random.default_rng(0)
    ranking = HeadRanking("mass", rng.random((36, 32)), 25, rng.random((36, 32, 6, 6)))
    store = open_store()
    store.ranking_saved(ranking, FINGERPRINT)
    store.close()
    (beside,) = (path.parent / "arrays").glob("*.npz")
    assert beside.stat().st_size > BESIDE_BYTES
    assert alike(open_store().reader.rankings(FINGERPRINT)[0], ranking)


def test_named_head_sets_are_recalled_and_taken_away(store: SessionStore) -> None:
    store.head_set_saved("gaze", HeadSet.of("L0H0"), FINGERPRINT)
    store.head_set_saved("gaze", HeadSet.of("L0H0,L1H1"), FINGERPRINT)
    store.head_set_saved("other", HeadSet.of("L2H2"), FINGERPRINT)
    store.head_set_saved("other", None, FINGERPRINT)
    store.head_set_saved("gaze", HeadSet.of("L9H9"), "another model")
    store.flush()
    assert store.reader.head_sets(FINGERPRINT) == {"gaze": HeadSet.of("L0H0,L1H1")}


def test_every_finished_edit_of_regions_is_kept_and_a_shared_mask_once(
    open_store: OpenStore, path: Path
) -> None:
    store = open_store()
    a, b = panel_regions(Layout(1, 2), 64, 32)
    renamed = Region("Cat", a.mask_HW, a.colour)
    for regions in ((a,), (a, b), (renamed, b)):
        store.save_regions("ab", regions)
    store.run_created("baseline", SPEC, tiny_info())
    store.close()
    assert open_store().reader.regions_of("ab") == (renamed, b)
    assert open_store().reader.regions_of("none") == ()
    with closing(sqlite3.connect(path)) as database:
        edits = database.execute("SELECT names FROM region_edits ORDER BY id").fetchall()
        assert edits == [("Panel 1",), ("Panel 1, Panel 2",), ("Cat, Panel 2",)]
        assert database.execute("SELECT count(*) FROM arrays").fetchone() == (2,)


# Pictures


@pytest.mark.parametrize("size_px", [(64, 32), (600, 400)], ids=["small", "large"])
@pytest.mark.parametrize("from_file", [True, False])
def test_a_picture_is_kept_with_its_bytes(
    open_store: OpenStore, tmp_path: Path, size_px: tuple[int, int], from_file: bool
) -> None:
    data = png(size_px)
    file = tmp_path / "a strip.png"
    file.write_bytes(data)
    source = PictureSource("ab", "a strip", **({"path": str(file)} if from_file else {"data": data}))
    store = open_store()
    store.open_session()
    store.save_picture(source, size_px, Layout(1, 6), ("a cat", "a <b>dog</b>"))
    store.close()
    file.unlink()
    kept = open_store().reader.picture("ab")
    assert kept.source == PictureSource("ab", "a strip", data=data)
    assert (kept.name, kept.size_px, kept.layout) == ("a strip", size_px, Layout(1, 6))
    assert kept.captions == ("a cat", "a <b>dog</b>")
    assert kept.thumbnail is not None
    with Image.open(io.BytesIO(kept.thumbnail)) as thumbnail:
        assert thumbnail.width <= 256 and thumbnail.height <= 96
    beside = list(tmp_path.glob("pictures/*.png"))
    assert [path.read_bytes() for path in beside] == ([data] if len(data) > BESIDE_BYTES else [])


def test_a_picture_and_a_ranking_may_come_again_in_a_session(store: SessionStore) -> None:
    source = PictureSource("ab" * 32, "again.png", data=png((8, 8)))
    scores = HeadRanking("mass", np.arange(4.0).reshape(2, 2))
    for layout in (None, Layout(1, 2), Layout(1, 2)):
        store.save_picture(source, (8, 8), layout, ())
        store.ranking_saved(scores, FINGERPRINT)
    store.flush()
    with closing(sqlite3.connect(store.path)) as database:
        for table in ("session_images", "session_rankings"):  # one row each, and none asked for its number
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_a_picture_can_be_kept_as_path_and_hash_only(open_store: OpenStore, tmp_path: Path) -> None:
    file = tmp_path / "private.png"
    file.write_bytes(png((64, 32)))
    store = open_store(keep_pictures=False)
    store.open_session()
    store.save_picture(PictureSource("ab", "private.png", path=str(file)), (64, 32), None, ())
    store.flush()
    kept = store.reader.picture("ab")
    assert kept.source == PictureSource("ab", "private.png", path=str(file))
    rows = store.reader.rows("SELECT kept, data, file_sha256, path FROM images")
    assert rows == [("path", None, hashlib.sha256(file.read_bytes()).hexdigest(), str(file))]


def test_a_layout_that_changes_is_written_anew(store: SessionStore) -> None:
    source = PictureSource("ab", "strip", data=png((64, 32)))
    store.save_picture(source, (64, 32), None, ())
    store.save_picture(source, (64, 32), Layout(2, 3), ("x",))
    store.flush()
    assert store.reader.picture("ab").layout == Layout(2, 3)
    with pytest.raises(KeyError):
        store.reader.picture("nobody")


def test_what_is_no_picture_is_logged_all_the_same(store: SessionStore) -> None:
    store.save_picture(PictureSource("ab", "gone.png", path="/nowhere/gone.png"), (64, 32), None, ())
    store.save_picture(PictureSource("cd", "odd", data=b"no picture"), (64, 32), None, ())
    store.flush()
    gone, odd = store.reader.picture("ab"), store.reader.picture("cd")
    assert gone.source == PictureSource("ab", "gone.png", path="/nowhere/gone.png")
    assert odd.source == PictureSource("cd", "odd", data=b"no picture")
    assert gone.thumbnail is None and odd.thumbnail is None


# Threads, time and the file itself


def test_a_step_costs_the_caller_far_less_than_a_millisecond(store: SessionStore) -> None:
    run_id = store.run_created("baseline", SPEC, tiny_info())
    step, taken_s = plain_step(0, n_tok=1280), []
    for index in range(300):
        object.__setattr__(step, "index", index)
        began = time.thread_time()
        store.step_appended(run_id, step)
        taken_s.append(time.thread_time() - began)
    assert sorted(taken_s)[150] < 0.001


def test_steps_reach_the_disk_without_anybody_waiting(store: SessionStore) -> None:
    run_id = store.run_created("baseline", SPEC, tiny_info())
    store.step_appended(run_id, plain_step(0))
    wait_until(lambda: store.reader.run(run_id).steps)
    assert len(store.reader.run(run_id).steps) == 1


def test_a_log_can_be_used_from_several_threads(store: SessionStore) -> None:
    info, ids = tiny_info(), []

    def work() -> None:
        for _ in range(20):
            ids.append(store.run_created("baseline", SPEC, info))
            assert store.run(ids[-1]).spec.prompt == "What?"

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == sorted({run.id for run in store.runs()}) and len(ids) == 80


def test_the_file_is_written_ahead_with_every_commit_on_the_disk(store: SessionStore) -> None:
    assert store.reader.rows("PRAGMA journal_mode") == [("wal",)]
    assert store.write(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)


def test_closing_twice_is_fine(store: SessionStore) -> None:
    store.close()
    store.close()


def test_views_for_a_person_in_datasette_can_be_read(store: SessionStore) -> None:
    run_id = store.run_created("steered", Samples(5).spec(), tiny_info())
    store.run_ended(run_id, "done", Samples(5).summary(), "").result()
    assert len(store.reader.rows("SELECT * FROM runs_in_words")) == 1
