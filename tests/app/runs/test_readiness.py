"""What is missing for a run is said in advance, as the controller says it when somebody tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gazeviz.app.runs.readiness import READY, readiness
from gazeviz.app.runs.runner import Which
from gazeviz.app.session.values import GenerationSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import StripsSource
from tests.app.fixtures.staging import Stage
from tests.fakes.scripted import Script


def tried(stage: Stage, which: Which) -> str:
    """What the controller says when a run is tried; "" where it begins."""
    stage.controller.run(which)
    stage.controller.runs.stop()
    notice = stage.model.notice
    return notice.sentence if notice is not None else ""


@pytest.mark.parametrize("which", ["both", "steered"])
def test_nothing_is_missing(stage, which):
    stage.controller.retarget(stage.model.regions.ids[3])
    said = readiness(stage.model, which)
    assert said.can_run and said.steered and not said.sentence and said.baseline == (which == "both")
    assert readiness(stage.model) == READY and readiness(stage.model, "baseline").baseline
    assert tried(stage, which) == ""


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda stage: setattr(stage.model, "prompt", " "), "The prompt is empty."),
        (lambda stage: stage.model.set_grid(None, None), "The picture is not ready yet."),
        (
            lambda stage: setattr(stage.model, "generation", GenerationSettings(max_new_tokens=1)),
            "The limit is a single token.",
        ),
    ],
)
def test_what_every_run_needs(stage: Stage, spoil: Callable[[Stage], None], sentence: str):
    stage.controller.retarget(stage.model.regions.ids[3])
    spoil(stage)
    for which in ("both", "baseline", "steered"):
        said = readiness(stage.model, which)
        assert said.sentence == sentence == tried(stage, which)
        assert said.can_run == (not sentence) and bool(said.next_step) == bool(sentence)


def test_a_model_that_is_not_there(open_stage):
    stage = open_stage(Script(load_s=5.0))
    for state in ("starting", "loading"):
        stage.until(lambda state=state: stage.model.worker_state == state)
        assert readiness(stage.model).sentence == tried(stage, "both") == "The model is being loaded."
    stage.controller.loader.cancel()
    stage.until(lambda: stage.model.worker_state == "none")
    assert readiness(stage.model).sentence == tried(stage, "both") == "No model is loaded."


def test_heads_that_are_being_measured(open_stage, strip_path):
    stage = open_stage(Script(strip_s=0.1))
    stage.until(lambda: stage.model.worker_state == "ready")
    stage.controller.discover(StripsSource("builtin", 40))
    assert readiness(stage.model).sentence == tried(stage, "both") == "The heads are being measured."
    stage.controller.discovery.cancel()
    stage.until(lambda: stage.model.worker_state == "ready")
    assert readiness(stage.model).sentence == tried(stage, "both") == "There is no picture."


def test_without_a_target_the_baseline_runs_alone(stage):
    said = readiness(stage.model)
    assert (said.baseline, said.steered, said.sentence) == (True, False, "No target: steering is off.")
    assert not readiness(stage.model, "steered").can_run
    assert tried(stage, "steered") == said.sentence
    assert tried(stage, "both") == ""


def test_without_any_region_it_is_said_how_to_come_by_one(stage):
    stage.controller.apply_layout(None)
    said = readiness(stage.model)
    assert said.can_run and (said.sentence, "aint" in said.next_step) == ("There is no region.", True)


def test_without_heads_the_baseline_runs_alone(stage):
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.model.chosen = HeadSet(())
    said = readiness(stage.model)
    assert (said.baseline, said.steered, said.sentence) == (True, False, "No head is chosen.")
    assert not readiness(stage.model, "steered").can_run
    assert "No head is chosen" in tried(stage, "steered")
    assert "No head is selected" in tried(stage, "both")


def test_a_target_without_cells_runs_nothing(stage):
    empty = stage.controller.editor.add_region("mine")
    stage.model.target_region_id = empty
    for which in ("both", "steered"):
        said = readiness(stage.model, which)
        assert not said.can_run and "“mine”" in said.sentence and "“mine”" in tried(stage, which)
    stage.model.target_region_id = stage.model.regions.ids[0]
    stage.model.schedule = ((0, stage.model.regions.ids[0]), (5, empty))
    assert not readiness(stage.model).can_run and "“mine”" in tried(stage, "both")


def test_a_schedule_is_a_target_too(stage):
    stage.model.schedule = ((0, stage.model.regions.ids[2]),)
    assert readiness(stage.model) == READY
    stage.model.generation = replace(stage.model.generation, max_new_tokens=12)
    assert tried(stage, "steered") == ""
