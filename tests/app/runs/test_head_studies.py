"""Studies of heads: asked of the worker, kept by model and set; stopped, refused and failed ones say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gazeviz.app.runs.readiness import readiness
from gazeviz.domain.heads import Head, HeadSet
from tests.backend.listening import one_more_token
from tests.fakes.scripted import Script

SET, HEAD = "builtin:4@7", Head(3, 4)


def loaded(open_stage, script=None):
    stage = open_stage(script or Script())
    stage.until(lambda: stage.model.worker_state == "ready")
    return stage


def test_examples_are_kept_by_head_and_set(open_stage):
    stage = loaded(open_stage)
    studies = stage.controller.studies
    assert studies.collect(HEAD, f" {SET} ")
    assert studies.active and stage.model.worker_state == "busy" and "L3H4" in stage.model.studying
    stage.until(lambda: studies.examples(HEAD, SET))
    assert not studies.active and stage.model.studying == "" and stage.model.progress is None
    assert studies.examples(HEAD, SET).head == HEAD and studies.pictures == SET
    assert studies.examples(Head(0, 0), SET) is None and studies.examples(HEAD, "builtin:5@7") is None
    stage.until(lambda: stage.model.worker_state == "ready")


def test_effects_of_one_head_are_added_to_those_of_others(open_stage):
    stage = loaded(open_stage)
    studies, first, second = stage.controller.studies, HeadSet((HEAD,)), HeadSet((Head(0, 1),))
    for heads in (first, second):
        assert studies.measure(SET, (heads,))
        stage.until(lambda heads=heads: studies.effects(heads, SET))
    for heads in (first, second):
        assert [effect.what for effect in studies.effects(heads, SET)] == ["knocked_out", "steered"]
    assert studies.metrics(SET).shape_LH == (8, 8)


def test_results_belong_to_their_model(open_stage):
    stage = loaded(open_stage)
    studies, info = stage.controller.studies, stage.model.model_info
    studies.measure(SET)
    stage.until(lambda: studies.metrics(SET))
    stage.model.model_info = replace(info, fingerprint="another")
    assert studies.metrics(SET) is None
    stage.model.model_info = info
    assert studies.metrics(SET) is not None


def test_a_study_that_is_stopped_keeps_nothing(open_stage):
    stage = loaded(open_stage)
    studies = stage.controller.studies
    stage.backend.pace.hold()
    studies.collect(HEAD, SET)
    stage.backend.pace.allow(1)
    stage.until(lambda: studies.progress is not None and studies.progress.done >= 1)
    assert studies.progress.total == 4
    studies.cancel()
    one_more_token(stage.backend)  # once the worker has heard it
    stage.until(lambda: not studies.active)
    stage.backend.pace.free()
    assert studies.examples(HEAD, SET) is None and studies.failure is None


@pytest.mark.parametrize(("pictures", "said"), [("builtin:x", "no picture set"), (" ", "No pictures")])
def test_what_is_no_set_is_refused_at_once(open_stage, pictures, said):
    stage = loaded(open_stage)
    assert not stage.controller.studies.measure(pictures)
    assert said in stage.model.notice.sentence and stage.model.notice.next_step
    assert not stage.controller.studies.active


def test_a_failure_is_told_and_another_study_can_begin(open_stage, monkeypatch):
    from gazeviz.errors import UserError
    from tests.fakes.scripted import ScriptedModel

    def refuse(*_args, **_kept):
        raise UserError("There is no folder x.", next_step="Name another.")

    stage = loaded(open_stage)
    studies = stage.controller.studies
    with monkeypatch.context() as patched:
        patched.setattr(ScriptedModel, "collect_examples", refuse)
        studies.collect(HEAD, "x")
        stage.until(lambda: not studies.active)
    assert studies.failure.sentence == "There is no folder x."
    assert stage.model.notice.sentence == "There is no folder x."
    assert studies.collect(HEAD, SET) and studies.failure is None
    stage.until(lambda: studies.examples(HEAD, SET))


def test_runs_and_other_studies_wait(stage, monkeypatch):
    studies = stage.controller.studies
    stage.backend.pace.hold()
    assert studies.collect(HEAD, SET)
    assert not readiness(stage.model).can_run and "Examples of L3H4" in readiness(stage.model).sentence
    for refused in (stage.controller.run, lambda: studies.measure(SET)):
        stage.model.notice = None
        refused()
        assert "Examples of L3H4" in stage.model.notice.sentence
    stage.backend.pace.free()
    stage.until(lambda: not studies.active)
    assert readiness(stage.model, "baseline").can_run


def test_a_lost_worker_ends_the_study(open_stage):
    stage = loaded(open_stage, Script(strip_s=0.1))
    studies = stage.controller.studies
    studies.collect(HEAD, SET)
    stage.until(lambda: studies.progress is not None and studies.progress.done >= 1)
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "ready")
    assert not studies.active and stage.model.studying == ""


def test_mean_outputs_stand_in_and_go_with_their_model(stage):
    model, heads = stage.model, HeadSet.all((8, 8))
    stage.controller.heads.top(3)
    assert stage.controller.studies.measure_means(heads, SET)
    stage.until(lambda: model.steering.means is not None)
    assert model.steering.mode == "knock_out" and model.steering.means.measured_on == SET
    stage.until(lambda: model.worker_state == "ready")
    model.target_region_id = None
    stage.controller.run("steered")
    record = stage.until_ended("steered")
    assert record.state == "done", record.message
    assert (
        record.spec.steering.mode == "knock_out"
        and record.spec.steering.means.heads.heads == model.chosen.heads
    )
    model.model_info = replace(model.model_info, fingerprint="another")
    assert model.steering.means is None
