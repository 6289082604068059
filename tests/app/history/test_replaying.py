"""Replaying logged runs: the same tokens or not, the right model first, and what is written down of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gazeviz.app.history.replaying import Replayer, ReplayOutcome, spec_of
from gazeviz.app.runs.picture_opener import samples
from gazeviz.app.session.values import GenerationSettings
from gazeviz.backend.process import ProcessBackend
from gazeviz.domain.messages import LoadModel
from tests.app.fixtures.logged_stage import LoggedStage, OpenLogged


def replayed_mark(session: LoggedStage, run_id: int) -> tuple[bool, int | None]:
    when, same = session.store.reader.one("SELECT replayed_s, replay_same FROM runs WHERE id = ?", run_id)
    return when is not None, same


def replayer_of(session: LoggedStage) -> tuple[Replayer, list[ReplayOutcome]]:
    replayer = Replayer(session.controller, session.store, session.reopener)
    heard: list[ReplayOutcome] = []
    replayer.replayed.connect(heard.append)
    return replayer, heard


@pytest.fixture
def logged(open_session: OpenLogged, strip_path: Path) -> int:
    first = open_session()
    first.start(strip_path)
    first.model.generation = GenerationSettings(14)
    first.controller.editor.lay_out_targets(((4, first.model.regions.ids[5]),), "plan")
    _, steered_id = first.run()
    first.close()
    return steered_id


def test_the_same_tokens_come_out_and_are_written_down(open_session, strip_path, logged):
    again = open_session()
    again.start(strip_path)
    before = again.view(logged).record
    again.model.prompt = "Something else"
    replayer, heard = replayer_of(again)
    replayer.replay(logged)
    again.until(lambda: heard)
    now = again.model.run_of("steered")
    assert heard[0].same and (heard[0].run_id, heard[0].now_id) == (logged, now.id) and now.id != logged
    assert [step.token_id for step in now.steps] == [step.token_id for step in before.steps]
    assert now.spec == spec_of(again.view(logged)) and again.controller.maps.keeps(now)
    assert again.model.notice.sentence.endswith(f"All {len(now.steps)} tokens are the same.")
    assert replayed_mark(again, logged) == (True, 1) and not replayer.active


def test_other_tokens_are_told_from_where_on(open_session, strip_path, logged):
    again = open_session()
    again.store.write(
        lambda log: log.execute(
            "UPDATE run_steps SET token_id = -1 WHERE run_id = ? AND number = 3", (logged,)
        )
    )
    again.start(strip_path)
    replayer, heard = replayer_of(again)
    replayer.replay(logged)
    again.until(lambda: heard)
    assert not heard[0].same and heard[0].first_difference == 3
    assert "differ from token 3 on" in again.model.notice.sentence and again.model.notice.kind == "warning"
    assert replayed_mark(again, logged) == (True, 0)


def test_what_was_stopped_is_not_compared(open_session, strip_path, logged):
    again = open_session()
    again.start(strip_path)
    replayer, heard = replayer_of(again)
    again.scripted.pace.hold()
    replayer.replay(logged)
    again.until(lambda: again.controller.runs.active)
    again.controller.runs.stop()
    again.scripted.pace.free()
    again.until(lambda: not replayer.active)
    assert not heard and "stopped" in again.model.notice.sentence
    assert replayed_mark(again, logged) == (False, None)


def test_the_model_is_loaded_as_it_was_before_it_is_asked(open_session, strip_path, logged):
    again = open_session()
    again.store.write(
        lambda log: log.execute("""UPDATE models SET info = json_set(info, '$.device', 'abacus')""")
    )
    again.start(strip_path)
    asked: list[object] = []

    def send(request):
        asked.append(request)
        return again.scripted.send(request)

    again.controller._jobs.send_through(send)
    replayer, heard = replayer_of(again)
    replayer.replay(logged)
    again.until(lambda: not replayer.active)
    loads = [request for request in asked if isinstance(request, LoadModel)]
    assert [load.device for load in loads] == ["abacus"]
    assert not heard and "is not available" in again.model.notice.sentence
    assert replayed_mark(again, logged) == (False, None)


def test_what_cannot_be_opened_cannot_be_replayed(open_session, strip_path, logged):
    again = open_session()
    again.start(strip_path)
    replayer, heard = replayer_of(again)
    replayer.replay(99)
    again.until(lambda: not replayer.active)
    assert again.model.notice.sentence == "The log has no run 99." and not heard


def test_a_run_without_a_token_has_nothing_to_compare(open_session, strip_path, logged):
    again = open_session()
    again.store.write(lambda log: log.execute("DELETE FROM run_steps WHERE run_id = ?", (logged,)))
    again.start(strip_path)
    replayer, heard = replayer_of(again)
    replayer.replay(logged)
    again.until(lambda: not replayer.active)
    assert "no token" in again.model.notice.sentence and not heard and not again.controller.runs.active


def test_a_run_that_was_stopped_is_repeated_up_to_its_last_token(open_session, logged):
    view = open_session().view(logged)
    stopped = replace(view.record, summary=None, steps=view.record.steps[:5], state="lost")
    assert spec_of(replace(view, records=(stopped,))).max_new_tokens == 5
    assert spec_of(view).max_new_tokens == 14
    assert spec_of(view).steering == view.record.summary.request.steering


def test_the_built_in_model_says_the_same_after_a_restart_of_everything(tmp_path: Path, qtbot):
    picture, log = samples()[0].path, tmp_path / "real.db"
    first = LoggedStage(log, qtbot, ProcessBackend)
    try:
        first.controller.start()
        first.controller.open_picture(picture)
        first.model.prompt = "What is happening in this panel of the comic strip?"
        first.until(
            lambda: first.model.worker_state == "ready" and first.model.map.values_P is not None, 90_000
        )
        baseline_id, steered_id = first.run(3, 10)
        text, grid = first.shown("steered").text, first.model.grid
    finally:
        first.close()
    again = LoggedStage(log, qtbot, ProcessBackend)
    try:
        again.reopen(steered_id)
        assert again.shown("steered").text == text and again.model.baseline_run_id == baseline_id
        assert grid is not None and again.model.grid is not None
        assert again.model.grid.shape_RC == grid.shape_RC
        again.controller.start()
        replayer, heard = replayer_of(again)
        replayer.replay(steered_id)
        again.until(lambda: heard, 90_000)
        assert heard[0].same and again.shown("steered").text == text
        again.until(lambda: again.model.gallery, 30_000)
        assert len(again.model.gallery) == 10
    finally:
        again.close()
