"""Runs: a baseline, then a steered answer; streamed, stopped, steered live, written down before all."""

from __future__ import annotations

import pytest

from gazeviz.app.session.values import GenerationSettings, SteeringSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import Generate, Retarget
from gazeviz.domain.steering import Schedule
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from tests.app.fixtures.staging import N_PANELS, counted, logged_verdicts
from tests.fakes.scripted import GAZE_HEADS, SAYINGS, Script
from tests.store.samples import alike

SAID = ["".join(words) for words in SAYINGS]


def ready(open_stage, strip_path, script):
    stage = open_stage(script)
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "What is happening in this panel?"
    stage.until_at_rest()
    stage.model.chosen = HeadSet(GAZE_HEADS)
    return stage


def point_at(stage, panel: int) -> None:
    stage.controller.retarget(stage.model.regions.ids[panel - 1])


def test_a_baseline_and_then_a_steered_answer(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    point_at(stage, 4)
    states = []
    stage.model.run_changed.connect(lambda run_id: states.append((run_id, stage.model.runs[run_id].state)))
    stage.controller.run()
    steered = stage.until_ended("steered")
    baseline = stage.shown("baseline")
    assert (baseline.text, steered.text) == (SAID[0], SAID[3])
    assert (baseline.state, steered.state) == ("done", "done")
    of_steered = [state for run_id, state in states if run_id == steered.id]
    assert list(dict.fromkeys(of_steered)) == ["queued", "loading", "running", "done"]
    done = states.index((baseline.id, "done"))
    assert (steered.id, "running") not in states[:done], "one after the other"
    assert steered.summary.audit.mass_after > steered.summary.audit.mass_before


def test_every_token_is_told_once_and_in_order(stage):
    point_at(stage, 2)
    spy = counted(stage.model.step_arrived)
    stage.controller.run("steered")
    steered = stage.until_ended("steered")
    told = [spy.at(number) for number in range(spy.count())]
    assert told == [[steered.id, index] for index in range(len(steered.steps))]
    assert steered.masses_TR().shape == (8, N_PANELS) and steered.masses_TR("weighted").shape == (8, N_PANELS)
    assert steered.masses_TR("control").shape == (8, N_PANELS)
    assert {step.target for step in steered.steps} == {"Panel 2"}


def test_the_row_is_written_before_anything_is_sent(stage, monkeypatch):
    order: list[str] = []
    created, sent = stage.log.run_created, stage.backend.send

    def create(*values):
        order.append("row")
        return created(*values)

    def send(request):
        if isinstance(request, Generate):
            order.append("sent")
        return sent(request)

    monkeypatch.setattr(stage.log, "run_created", create)
    stage.controller._jobs.send_through(send)
    point_at(stage, 3)
    stage.controller.run()
    stage.until_ended()
    assert order == ["row", "row", "sent", "sent"]


def test_the_log_holds_what_the_screen_shows(stage):
    point_at(stage, 3)
    stage.controller.run()
    stage.until_ended()
    for side in ("baseline", "steered"):
        record, row = stage.shown(side), stage.log.run(stage.shown(side).id)
        assert (row.state, row.side) == ("done", side)
        assert alike(row.summary, record.summary) and alike(row.spec, record.spec)
        assert alike(tuple(row.steps), tuple(record.steps)) and alike(row.model, stage.model.model_info)


def test_a_log_that_cannot_be_written_to_stops_the_run(stage, monkeypatch):
    def full(*_):
        raise UserError("The disk is full.", next_step="Free some space.")

    point_at(stage, 3)
    before = len(stage.model.runs)
    monkeypatch.setattr(stage.log, "run_created", full)
    stage.controller.run()
    assert stage.model.notice.sentence == "The disk is full." and not stage.controller.busy
    assert len(stage.model.runs) == before


def test_a_log_that_fails_in_the_middle_is_told_and_the_run_goes_on(stage, monkeypatch):
    def full(*_):
        raise UserError("The disk is full.", next_step="Free some space.")

    point_at(stage, 3)
    monkeypatch.setattr(stage.log, "step_appended", full)
    stage.controller.run()
    assert len(stage.until_ended().steps) == 8
    assert (stage.model.notice.sentence, stage.model.notice.about) == ("The disk is full.", "log")


def test_the_same_baseline_is_not_run_again(stage):
    point_at(stage, 3)
    stage.controller.run()
    stage.until_ended()
    baseline = stage.model.baseline_run_id
    stage.model.steering = SteeringSettings(strength="hard")
    stage.controller.run()
    stage.until(lambda: stage.shown("steered").id > baseline + 1 and stage.shown("steered").ended)
    assert stage.model.baseline_run_id == baseline
    assert stage.shown("steered").spec.steering.strength == "hard"
    stage.model.generation = GenerationSettings(max_new_tokens=4)
    stage.controller.run()
    stage.until_ended()
    assert stage.model.baseline_run_id > baseline and len(stage.shown("baseline").steps) == 4


def test_without_a_target_the_baseline_runs_alone(stage):
    stage.controller.run()
    stage.until_ended("baseline")
    stage.until(lambda: not stage.controller.busy)
    assert stage.model.steered_run_id is None and stage.model.notice is None


def test_a_target_without_heads_is_said_and_the_baseline_runs(stage):
    point_at(stage, 3)
    stage.controller.heads.clear()
    stage.controller.run()
    assert (stage.model.notice.kind, stage.model.notice.about) == ("info", "run")
    assert stage.until_ended("baseline").state == "done" and stage.model.steered_run_id is None


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda stage: setattr(stage.model, "prompt", "  "), "prompt is empty"),
        (lambda stage: setattr(stage.model, "target_region_id", None), "No target: steering is off"),
        (lambda stage: setattr(stage.model, "chosen", HeadSet(())), "No head is chosen"),
        (lambda stage: setattr(stage.model, "generation", GenerationSettings(1)), "single token"),
        (lambda stage: setattr(stage.model, "generation", GenerationSettings(9, -1.0)), "temperature"),
        (lambda stage: setattr(stage.model, "steering", SteeringSettings(strength=-3.0)), "strength"),
        (lambda stage: stage.model.set_grid(None, None), "not ready"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_sent(stage, spoil, sentence):
    point_at(stage, 3)
    spoil(stage)
    n_runs = len(stage.log.runs())
    stage.controller.run("steered")
    assert sentence in stage.model.notice.sentence and stage.model.notice.next_step
    assert len(stage.log.runs()) == n_runs and not stage.controller.busy


def test_a_target_that_selects_no_cell_is_refused(stage):
    stage.controller.editor.add_region("speck")
    stage.controller.editor.paint_rectangle((0, 0), (1, 1))
    stage.controller.retarget(stage.model.active_region_id)
    stage.controller.run()
    assert "speck" in stage.model.notice.sentence and stage.model.notice.about == "run"
    assert stage.model.steered_run_id is None


def test_stop_answers_within_a_token(stage):
    stage.model.prompt = "Describe each of the panels."
    point_at(stage, 3)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(3)
    stage.until(lambda: len(stage.shown("steered").steps) == 3)
    stage.controller.runs.stop()
    stage.backend.settle()
    stage.backend.pace.free()
    steered = stage.until_ended()
    assert steered.state == "cancelled" and len(steered.steps) <= 4
    assert steered.summary.finish == "cancelled" and stage.log.run(steered.id).state == "cancelled"
    stage.until(lambda: stage.model.worker_state == "ready")


def test_one_key_runs_and_stops(stage):
    stage.backend.pace.hold()
    stage.controller.run_or_stop()
    assert stage.controller.runs.active and stage.shown("baseline").state == "loading"
    stage.controller.run_or_stop()
    stage.backend.pace.free()
    assert stage.until_ended("baseline").state == "cancelled" and not stage.controller.runs.active


def test_stop_lets_what_waits_never_begin(stage):
    point_at(stage, 3)
    stage.backend.pace.hold()
    stage.controller.run()
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("baseline").steps) == 2)
    assert stage.shown("steered").state == "queued"
    stage.controller.runs.stop()
    stage.backend.settle()
    stage.backend.pace.free()
    baseline = stage.until_ended("baseline")
    steered = stage.shown("steered")
    assert (baseline.state, steered.state) == ("cancelled", "cancelled")
    assert steered.job is None and not steered.steps and stage.log.run(steered.id).state == "cancelled"


def test_a_run_that_fails_says_so_and_the_next_one_works(open_stage, strip_path):
    prompt = "What is happening in this panel?"
    stage = ready(open_stage, strip_path, Script(failures={prompt: RuntimeError("the kernel tripped")}))
    point_at(stage, 3)
    stage.controller.run()
    baseline = stage.until_ended("baseline")
    stage.until(lambda: not stage.controller.busy)
    assert baseline.state == "failed" and baseline.message and len(baseline.steps) == 1
    assert stage.shown("steered").state == "cancelled" and stage.model.notice.about == "run"
    stage.model.prompt = "And now?"
    stage.controller.run()
    assert stage.until_ended("steered").state == "done"


def test_a_second_run_waits_for_nobody(stage):
    stage.backend.pace.hold()
    stage.controller.run("baseline")
    stage.controller.run("baseline")
    assert "in progress" in stage.model.notice.sentence and len(stage.log.runs()) == 2
    stage.backend.pace.free()
    assert stage.until_ended("baseline").state == "done"


def test_the_next_token_follows_a_click_on_another_region(stage):
    stage.model.prompt = "Describe each of the panels."
    point_at(stage, 2)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(4)
    stage.until(lambda: len(stage.shown("steered").steps) == 4)
    point_at(stage, 5)
    stage.backend.settle()
    stage.backend.pace.free()
    steered = stage.until_ended()
    switched = next(step.index for step in steered.steps if step.target == "Panel 5")
    assert switched in (4, 5), "token 4 may have been begun already"
    assert steered.switches == ((switched, "Panel 5"),) == steered.summary.switches
    as_it_was = steered.summary.request.steering
    targets = [as_it_was.target_at(step.index).name for step in steered.steps]
    assert targets == [step.target for step in steered.steps], "the run keeps what happened"
    assert stage.model.target_region.name == "Panel 5"


def test_a_click_while_the_baseline_runs_is_the_first_target(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    point_at(stage, 2)
    stage.backend.pace.hold()
    stage.controller.run()
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("baseline").steps) == 2)
    point_at(stage, 6)
    stage.backend.settle()
    stage.backend.pace.free()
    steered = stage.until_ended()
    assert {step.target for step in steered.steps} == {"Panel 6"} and steered.text == SAID[5]
    assert steered.switches == steered.summary.switches == ()
    assert stage.log.run(steered.id).spec.steering.target.name == "Panel 6"


def test_a_run_that_waits_can_be_told_to_leave_the_heads_alone_at_first(stage):
    ids = stage.model.regions.ids
    point_at(stage, 2)
    stage.model.schedule = ((0, ids[3]), (4, ids[0]))
    stage.backend.pace.hold()
    stage.controller.run()
    stage.controller.retarget(None)
    stage.backend.settle()
    stage.backend.pace.free()
    steered = stage.until_ended()
    assert [step.target for step in steered.steps] == [None] * 4 + ["Panel 1"] * 4


def test_letting_go_lets_the_heads_look_where_they_like(stage):
    stage.model.prompt = "Describe each of the panels."
    point_at(stage, 2)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("steered").steps) == 2)
    stage.controller.retarget(None)
    stage.backend.settle()
    stage.backend.pace.free()
    steered = stage.until_ended()
    assert [name for _, name in steered.switches] == [""] and stage.model.target_region_id is None


def test_a_region_without_cells_does_not_become_the_target_of_a_run(stage):
    nothing = stage.controller.editor.add_region("nothing")
    point_at(stage, 2)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("steered").steps) == 2)
    stage.controller.retarget(nothing)
    assert stage.model.notice.about == "target" and stage.model.target_region.name == "Panel 2"
    stage.backend.settle()
    stage.backend.pace.free()
    assert {step.target for step in stage.until_ended().steps} == {"Panel 2"}


def test_blocks_laid_out_beforehand_are_the_schedule(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    stage.model.prompt = "Describe each of the panels."
    ids = stage.model.regions.ids
    stage.model.schedule = ((0, ids[4]), (8, ids[1]), (16, None))
    stage.controller.run("steered")
    steered = stage.until_ended()
    assert steered.switches == ((8, "Panel 2"), (16, ""))
    assert isinstance(steered.spec.steering.schedule, Schedule)
    assert steered.text.startswith(SAID[4] + " " + SAID[1])


def test_the_target_holds_until_the_first_block(stage):
    stage.model.prompt = "Describe each of the panels."
    ids = stage.model.regions.ids
    point_at(stage, 3)
    stage.model.schedule = ((5, ids[0]),)
    stage.controller.run("steered")
    assert stage.until_ended().switches == ((5, "Panel 1"),)


def test_the_control_is_as_many_other_heads(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    point_at(stage, 3)
    stage.controller.run("steered")
    control = stage.until_ended().spec.control
    assert len(control) == len(GAZE_HEADS) and not set(control) & set(GAZE_HEADS)
    stage.model.chosen = HeadSet.all((8, 8))
    stage.controller.run("steered")
    stage.until(lambda: stage.shown("steered").ended and stage.shown("steered").spec.control is None)


def test_empty_regions_are_not_sent(stage):
    stage.controller.editor.add_region("nothing")
    point_at(stage, 1)
    stage.controller.run("steered")
    steered = stage.until_ended()
    assert [region.name for region in steered.regions] == [f"Panel {number}" for number in range(1, 7)]
    assert steered.masses_TR()[0].argmax() == 0


def test_a_message_is_only_sent_to_a_run_that_is_steered(stage):
    sent: list[object] = []
    stage.controller._jobs.send_through(sent.append)
    stage.controller.retarget(stage.model.regions.ids[2])
    assert not any(isinstance(request, Retarget) for request in sent)
    assert stage.model.target_region.name == "Panel 3"


def test_where_captions_are_known_the_log_is_told_what_a_text_is_about(stage, strip_path):
    stage.controller.run("baseline")
    text = stage.until_ended("baseline").text
    assert not logged_verdicts(stage.log)
    captions = (text, "zebra", "yak", "wolf", "vole", "toad")
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS), captions)
    stage.until(lambda: stage.model.picture is not None and stage.model.picture.captions == captions)
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until(lambda: bool(logged_verdicts(stage.log)))
    assert logged_verdicts(stage.log) == [(stage.shown("baseline").id, "Panel 1", None, "captions")]


def test_a_steered_answer_for_every_region(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    shown = []
    stage.model.run_changed.connect(
        lambda run_id: shown.append(run_id) if run_id == stage.model.steered_run_id else None
    )
    stage.controller.run_regions()
    stage.until(lambda: not stage.controller.runs.active)
    records = list(dict.fromkeys(shown))
    assert len(records) == N_PANELS
    assert [stage.model.runs[run_id].text for run_id in records] == SAID[:N_PANELS]
    targets = [stage.controller.log.run(run_id).spec.steering.target.name for run_id in records]
    assert targets == [region.name for region in stage.model.regions]
    assert stage.shown("baseline").text == SAID[0]


def test_every_region_is_stopped_at_once(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    stage.controller.run_regions()
    stage.until(lambda: stage.model.run_of("baseline") is not None)
    stage.controller.runs.stop()
    stage.until(lambda: not stage.controller.runs.active)
    stage.controller.run()
    stage.until_ended("steered")


def test_every_region_needs_heads_and_regions(stage):
    stage.model.chosen = HeadSet(())
    stage.controller.run_regions()
    assert stage.model.notice.sentence == "No head is selected."
    assert not stage.controller.runs.active
