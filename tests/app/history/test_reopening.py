"""Opening logged runs: Explore shows what was, without the worker, and undo stays with its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.session.values import Cursor, GenerationSettings, SteeringSettings
from gazeviz.domain.heads import Head
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from tests.app.fixtures.logged_stage import LoggedStage
from tests.app.fixtures.staging import N_PANELS
from tests.fakes.scripted import SPECIAL_TOKENS


@pytest.fixture
def other_path(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    Image.new("RGB", (120, 90), (10, 60, 90)).save(path)
    return path


def test_a_run_is_shown_as_it_was_without_a_worker(open_session, strip_path, qtbot):
    first = open_session()
    first.start(strip_path)
    first.model.generation = GenerationSettings(9, 0.5, 0.9, 3, 1.2, 3)
    first.model.steering = SteeringSettings("suppress_image", 5.0, 0.9, "decode_only")
    first.controller.editor.lay_out_targets(((3, first.model.regions.ids[4]),), "plan")
    baseline_id, steered_id = first.run()
    before = first.model.run_of("steered")
    map_P, prompt, chosen = first.model.map.values_P, first.model.prompt, first.model.chosen
    first.close()

    again = open_session()  # its worker is never started
    again.reopen(steered_id)
    model, record = again.model, again.model.run_of("steered")
    assert (model.steered_run_id, model.baseline_run_id) == (steered_id, baseline_id)
    assert record.logged and record.spec == before.spec and record.text == before.text
    assert [step.token_id for step in record.steps] == [step.token_id for step in before.steps]
    assert (model.prompt, model.chosen, model.generation) == (
        prompt,
        chosen,
        GenerationSettings(9, 0.5, 0.9, 3, 1.2, 3),
    )
    assert model.steering == SteeringSettings("suppress_image", 5.0, 0.9, "decode_only")
    assert model.picture.layout == Layout(1, N_PANELS) and len(model.regions) == N_PANELS
    assert model.target_region.name == "Panel 2" and model.model_info.fingerprint
    assert [(first_tok, model.regions.of(id_).name) for first_tok, id_ in model.schedule] == [(3, "Panel 5")]
    assert model.regions.of(model.regions.ids[0]).panel_box_px is not None
    qtbot.waitUntil(lambda: model.map.values_P is not None)
    assert np.array_equal(model.map.values_P, map_P) and model.grid.n_tokens == len(map_P)
    assert model.ranking is not None and model.chosen.origin.ranking == model.ranking_name
    assert not again.controller.maps.keeps(record) and again.scripted.open_jobs == ()


def test_every_token_has_its_map_and_single_heads_say_why_not(open_session, strip_path, qtbot):
    first = open_session()
    first.start(strip_path)
    _, steered_id = first.run()
    first.close()
    again = open_session()
    again.reopen(steered_id)
    model, record = again.model, again.model.run_of("steered")
    model.cursor = Cursor("steered", 1, 2)
    mean_P = np.mean([step.map_P for step in record.steps[1:3]], axis=0)
    qtbot.waitUntil(lambda: model.map.values_P is not None and np.allclose(model.map.values_P, mean_P))
    model.hovered_head = Head(0, 0)
    qtbot.waitUntil(lambda: model.map.values_P is None)
    assert "Run it again" in model.map.label and model.gallery == ()


def test_special_tokens_keep_the_names_that_the_runs_own_model_had(open_session, strip_path):
    first = open_session()
    first.start(strip_path)
    baseline_id, steered_id = first.run()
    shown = first.model.run_of("steered")
    assert shown.special_tokens == first.model.model_info.special_tokens == SPECIAL_TOKENS
    assert first.view(steered_id).record.special_tokens == SPECIAL_TOKENS
    first.close()
    again = open_session()
    again.reopen(baseline_id)
    assert again.model.run_of("baseline").special_tokens == SPECIAL_TOKENS


def test_nothing_is_run_while_a_logged_run_is_shown(open_session, strip_path, qtbot):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run()
    session.close()
    again = open_session()
    again.start(strip_path)
    again.reopen(steered_id)
    again.until(lambda: again.model.worker_state == "ready" and again.model.fed_pixels_HW3 is not None)
    n_runs = len(again.store.runs())
    qtbot.until_quiet()
    assert len(again.store.runs()) == n_runs and again.model.run_of("steered").logged
    again.controller.run()
    again.until(lambda: not again.controller.runs.active)
    assert not again.model.run_of("steered").logged and not again.model.run_of("baseline").logged
    assert again.controller.maps.keeps(again.model.run_of("steered"))


def test_a_run_of_this_very_session_keeps_its_attention(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    baseline_id, first_id = session.run(1)
    _, second_id = session.run(2)
    session.reopen(first_id)
    record = session.model.run_of("steered")
    assert record.id == first_id and not record.logged and session.controller.maps.keeps(record)
    assert session.model.baseline_run_id == baseline_id
    assert session.model.target_region.name == "Panel 2"
    session.reopen(second_id)
    assert session.model.target_region.name == "Panel 3"


def test_regions_and_heads_come_back_with_undo(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run(n_heads=4)
    editor, model = session.controller.editor, session.model
    model.active_region_id = None
    editor.paint_rectangle((5, 5), (40, 40))
    session.controller.heads.top(9)
    assert len(model.regions) == N_PANELS + 1
    panel_ids = model.regions.ids[:N_PANELS]
    session.reopen(steered_id)
    assert model.regions.ids == panel_ids and len(model.chosen) == 4
    assert editor.undo_stack.undoText() == f"Open run {steered_id}"
    editor.undo()
    assert len(model.regions) == N_PANELS + 1 and len(model.chosen) == 9
    editor.redo()
    assert len(model.regions) == N_PANELS and len(model.chosen) == 4


def test_undo_does_not_reach_the_regions_of_another_picture(open_session, strip_path, other_path):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run()
    session.open(other_path)
    session.controller.editor.paint_rectangle((5, 5), (40, 40))
    session.reopen(steered_id)
    assert session.model.picture.name == strip_path.name and len(session.model.regions) == N_PANELS
    while session.controller.editor.undo_stack.canUndo():
        session.controller.editor.undo()
    sizes = {region.size_px for region in session.model.regions}
    assert sizes <= {session.model.picture.size_px}
    session.open(other_path)
    assert len(session.model.regions) == 1  # put aside, and back


def test_a_baseline_is_shown_alone(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    baseline_id, _ = session.run()
    session.reopen(baseline_id)
    assert session.model.baseline_run_id == baseline_id and session.model.steered_run_id is None
    assert session.model.shown_steps()[0].id == baseline_id


def test_runs_that_are_shown_no_more_are_let_go(open_session, strip_path):
    first = open_session()
    first.start(strip_path)
    ids = [first.run(panel)[1] for panel in (1, 2)]
    first.close()
    again = open_session()
    for run_id in ids:
        again.reopen(run_id)
    assert set(again.model.runs) == {again.model.steered_run_id, again.model.baseline_run_id}


def test_a_run_of_another_model_is_shown_and_cannot_be_run(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run()
    here = session.model.model_info
    view = session.view(steered_id)
    other = replace(view.model, fingerprint="another", name="other", shape_LH=(2, 2),
                    heads_present_LH=np.ones((2, 2), bool))  # fmt: skip
    assert session.controller.reopen(replace(view, model=other, rankings={}))
    assert session.model.model_info is other and session.model.worker_state == "none"
    assert session.model.grid is view.grid and not session.controller.editor.undo_stack.canUndo()
    assert "other, which is not loaded" in session.model.notice.sentence
    session.controller.run()
    assert "not loaded" in session.model.notice.sentence and not session.controller.runs.active
    session.reopen(steered_id)  # back to the worker's own model
    assert session.model.model_info is here and session.model.notice is None
    session.until(lambda: session.model.worker_state == "ready" and session.model.fed_pixels_HW3 is not None)
    assert session.model.rankings


def test_loading_goes_on_beside_a_run_of_another_model(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run()
    view = session.view(steered_id)
    other = replace(view.model, fingerprint="another", name="other")
    session.controller.reopen(replace(view, model=other))
    session.controller.kill_worker()  # the next one loads the model from before
    session.until(lambda: session.model.worker_state == "none" and session.model.progress is None)
    assert session.model.model_info is other and session.model.steered_run_id == steered_id
    session.controller.load_model()
    session.until(lambda: session.model.worker_state == "ready")
    assert session.model.model_info.fingerprint == view.model.fingerprint
    assert session.model.steered_run_id is None  # a run of heads that this model lacks


def test_while_something_runs_nothing_is_opened(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    _, steered_id = session.run()
    session.scripted.pace.hold()
    session.controller.run("steered")
    session.reopener.reopen(steered_id)
    session.until(lambda: session.model.notice is not None)
    assert "still active" in session.model.notice.sentence and session.model.steered_run_id != steered_id
    session.scripted.pace.free()
    session.until(lambda: not session.controller.runs.active)


def test_what_cannot_be_opened_is_a_notice(open_session, strip_path):
    session = open_session()
    session.reopener.reopen(77)
    session.until(lambda: session.model.notice is not None)
    assert session.model.notice.sentence == "The log has no run 77."
    with pytest.raises(UserError, match="no run 78"):
        session.view(78)


def test_a_changed_picture_is_not_believed(tmp_path, strip_path, qtbot):
    session = LoggedStage(tmp_path / "paths.db", qtbot, keep_pictures=False)
    try:
        session.start(strip_path)
        _, steered_id = session.run()
        Image.new("RGB", (384, 64)).save(strip_path)
        with pytest.raises(UserError, match="has changed"):
            session.view(steered_id)
        strip_path.unlink()
        with pytest.raises(UserError):
            session.view(steered_id)
    finally:
        session.close()


def test_of_several_wishes_the_newest_is_shown(open_session, strip_path, qtbot):
    first = open_session()
    first.start(strip_path)
    ids = [first.run(panel)[1] for panel in (1, 2)]
    first.close()
    again = open_session()
    spy: list[int] = []
    again.reopener.opened.connect(spy.append)
    for run_id in (ids[0], ids[1], ids[0]):
        again.reopener.reopen(run_id)
    again.until(lambda: spy)
    assert spy == [ids[0]]
