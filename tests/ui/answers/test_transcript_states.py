"""What a side of the transcript says of its run: what is missing or wrong, its verdict and its audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QToolButton

from gazeviz.domain.heads import HeadSet
from gazeviz.ui.answers.audit_view import VerdictLine
from gazeviz.ui.answers.transcript import TranscriptView
from gazeviz.ui.widgets import theme
from tests.app.fixtures.staging import OpenStage, Stage
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of
from tests.ui.fixtures.steering_stage import steering_stage
from tests.ui.fixtures.transcript_stage import (
    CAPTIONS,
    N_SAID,
    aim,
    column,
    flow,
    push,
    run,
    shown,
    verdict,
    words,
)


@pytest.fixture
def open_stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[OpenStage]:
    with steering_stage(qtbot, tmp_path) as open_one:
        yield open_one


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    return open_stage()


@pytest.fixture
def view(stage: Stage, qtbot: PatientBot) -> TranscriptView:
    return shown(stage, qtbot)


# States


def test_before_anything_is_run_each_side_says_what_is_missing(stage, view):
    stage.model.chosen = HeadSet(())
    stage.model.target_region_id = None
    assert "Run asks the model" in words(view, "baseline")
    assert "No target: steering is off" in words(view)
    aim(stage)
    assert words(view) == "9 heads will be pointed at Panel 4."
    stage.model.prompt = ""
    assert "prompt is empty" in words(view, "baseline")
    stage.model.prompt = "What?"
    push(view, "baselineStateButton")
    stage.until_ended()
    assert flow(view).n_tok and flow(view, "baseline").n_tok


def test_a_side_follows_everything_that_a_run_needs(stage, view):
    stage.until_drawn()
    model, grid = stage.model, stage.model.grid
    aim(stage)
    model.set_grid(None, None)
    assert "not ready yet" in words(view) and "not ready yet" in words(view, "baseline")
    model.set_grid(grid, None)
    assert "will be pointed at" in words(view) and "Run asks the model" in words(view, "baseline")
    model.generation = replace(model.generation, max_new_tokens=1)
    assert "limit is a single token" in words(view, "baseline")


def test_a_run_that_waits_reads_and_writes_says_so(open_stage, qtbot):
    stage = open_stage()
    view = shown(stage, qtbot)
    aim(stage)
    stage.backend.pace.hold()
    stage.controller.run()
    assert "Waiting for the baseline" in words(view)
    assert "reading the picture and the prompt" in words(view, "baseline")
    stage.backend.pace.allow(2)
    stage.until(lambda: flow(view, "baseline").n_tok == 2)
    assert words(view, "baseline") == ""
    assert verdict(view, "baseline").startswith("writing")
    push(view, "steeredStateButton")
    stage.backend.pace.free()
    stage.until_ended("baseline")
    assert "before it started" in words(view)
    assert words(view, "baseline") == f"Stopped after {flow(view, 'baseline').n_tok} tokens."


def test_a_run_that_failed_says_why_and_can_be_run_again(open_stage, qtbot):
    stage = open_stage(Script(failures={"break": RuntimeError("a thing broke")}))
    view = shown(stage, qtbot)
    stage.model.prompt = "break"
    aim(stage)
    stage.controller.run("steered")
    stage.until_ended()
    assert stage.shown("steered").state == "failed"
    assert stage.shown("steered").message in words(view)
    stage.model.prompt = "What?"
    push(view, "steeredStateButton")
    stage.until(lambda: stage.shown("steered").state == "done")


def test_a_lost_run_keeps_its_tokens_and_says_what_comes_next(open_stage, qtbot):
    stage = open_stage()
    view = shown(stage, qtbot)
    aim(stage)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(3)
    stage.until(lambda: flow(view).n_tok == 3)
    stage.backend.kill()
    stage.until(lambda: stage.shown("steered").state == "lost" and stage.model.worker_state == "ready")
    assert flow(view).n_tok == 3
    assert "A new worker is ready." in words(view)
    push(view, "steeredStateButton")
    stage.until(lambda: stage.shown("steered").state == "done")
    assert flow(view).n_tok == N_SAID


def test_a_worker_that_is_gone_for_good_can_be_restarted(stage, view):
    stage.until_drawn()
    stage.model.worker_state, stage.model.worker_message = "lost", "The worker was ended by SIGSEGV."
    assert words(view, "baseline") == "The worker was ended by SIGSEGV."
    push(view, "baselineStateButton")
    stage.until_at_rest()
    assert "No answer yet." in words(view, "baseline")


def test_junk_is_warned_of_and_steered_less_hard_at_a_push(stage, view, qtbot):
    run(stage)
    record = stage.shown("steered")
    assert record.summary is not None
    record.summary = replace(record.summary, junk="looping")
    stage.model.note_run(record.id)
    assert words(view) == "Junk: the text loops. Reduce the strength or steer fewer heads."
    push(view, "steeredStateButton")
    assert stage.model.steering.strength == 4.0
    stage.until(lambda: stage.shown("steered").id != record.id and stage.shown("steered").ended)
    assert "· 4 ·" in column(view).header.text


def test_a_loop_is_warned_of_while_it_is_written(stage, view, monkeypatch):
    monkeypatch.setattr("gazeviz.ui.answers.transcript.junk_kind", lambda text: "looping")
    stage.model.prompt = "Narrate each panel"
    aim(stage)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(N_SAID)
    stage.until(lambda: flow(view).n_tok == N_SAID)
    assert words(view).startswith("Junk: the text loops.")


def test_a_text_that_was_cut_says_so(stage, view):
    stage.model.generation = replace(stage.model.generation, max_new_tokens=3)
    run(stage)
    assert words(view) == "Stopped at 3 tokens. Raise the limit to let it finish."


# Verdict and audit


def test_the_verdict_says_what_the_text_is_about(stage, view):
    picture = stage.model.picture
    assert picture is not None
    stage.model.picture = replace(picture, captions=CAPTIONS)
    run(stage)
    assert verdict(view) == "junk no, about Panel 4 ✓"
    assert verdict(view, "baseline") == "junk no, about Panel 1"


def test_the_audit_is_a_line_and_the_ledger_folds_out(stage, view):
    run(stage)
    summary = stage.shown("steered").summary
    assert summary is not None and summary.audit is not None
    fold = child_of(view, "steeredAudit")
    assert isinstance(fold, QToolButton)
    assert fold.text().startswith("mass on target .") and "→" in fold.text()
    assert not child_of(view, "baselineAudit").isVisible()
    ledger = child_of(view, "steeredLedger")
    assert not ledger.isVisible()
    push(view, "steeredAudit")
    assert ledger.isVisible()
    assert f"{summary.audit.n_heads} heads" in column(view).details.text
    assert "from other image tokens" in column(view).details.text
    lines_px = flow(view).content_height_px
    view.resize(340, 500)
    assert flow(view).maximumHeight() == flow(view).content_height_px > lines_px
    push(view, "steeredAudit")
    assert not ledger.isVisible()


def test_the_verdicts_of_both_sides_stand_on_one_line(qtbot, qapp):
    qapp.setStyleSheet("")
    line = VerdictLine("baseline")
    qtbot.addWidget(line)
    theme.dress(qapp)  # as the app does it: once everything is built
    button = child_of(line, "baselineAudit")
    assert not button.isVisible() and line.sizeHint().height() == button.sizeHint().height()


def test_a_target_that_moves_is_followed_by_the_header(stage, view):
    stage.model.prompt = "Narrate each panel"
    aim(stage, 0)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: flow(view).n_tok == 2)
    stage.controller.retarget(stage.model.regions.ids[4])
    stage.backend.settle()
    stage.backend.pace.free()
    stage.until_ended()
    assert "Panel 1 → Panel 5 ·" in column(view).header.text
