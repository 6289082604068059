"""The prompt bar: presets, lengths, sampling, running and stopping, and what is missing in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QDoubleSpinBox, QPushButton, QSpinBox

from gazeviz.app.session.values import GenerationSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.prompts import DIRECT_NTH, NARRATION, NARRATION_PROMPT, OPEN_QUESTION, PRESETS
from gazeviz.ui.steering.prompt_bar import MOST_LINES, PromptBar, RunButton, SamplingButton, sampling_text
from gazeviz.ui.widgets.controls import ElidedLabel, MenuButton
from tests.app.fixtures.staging import N_PANELS, OpenStage, Stage, until_drawn
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of
from tests.ui.fixtures.steering_stage import steering_stage

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_stage(qtbot: PatientBot, tmp_path) -> Iterator[OpenStage]:
    with steering_stage(qtbot, tmp_path) as open_one:
        yield open_one


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    return open_stage()


@pytest.fixture
def bar(stage: Stage, qtbot: PatientBot) -> PromptBar:
    return shown_bar(stage, qtbot)


def shown_bar(stage: Stage, qtbot: PatientBot) -> PromptBar:
    bar = PromptBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    bar.resize(900, 120)
    bar.show()
    return bar


def run_button(bar: PromptBar) -> RunButton:
    button = child_of(bar, "runButton")
    assert isinstance(button, RunButton)
    return button


def reason(bar: PromptBar) -> str:
    until_drawn(bar._model)
    label = child_of(bar, "runReason")
    assert isinstance(label, ElidedLabel)
    return label.whole if label.isVisible() else ""


def preset_menu(bar: PromptBar) -> MenuButton:
    button = child_of(bar, "presetMenu")
    assert isinstance(button, MenuButton)
    return button


def preset_actions(bar: PromptBar) -> dict[str, QAction]:
    preset_menu(bar).menu().aboutToShow.emit()
    actions = bar.findChildren(QAction)
    return {action.objectName(): action for action in actions if action.objectName().startswith("ask.")}


def point_at(stage: Stage, panel: int) -> None:
    stage.controller.retarget(stage.model.regions.ids[panel - 1])


def test_what_is_written_is_the_prompt_and_the_other_way_round(stage, bar):
    assert bar.edit.toPlainText() == stage.model.prompt
    bar.focus_prompt()
    QTest.keyClicks(bar.edit, "Who is 4?")
    assert stage.model.prompt == "Who is 4?"
    stage.model.prompt = "And now?"
    assert bar.edit.toPlainText() == "And now?"


def test_the_line_grows_to_three_and_no_further(stage, bar):
    heights = []
    for n_lines in range(1, 6):
        stage.model.prompt = "\n".join(["line"] * n_lines)
        heights.append(bar.edit.height())
    assert heights[0] < heights[1] < heights[2] == heights[3] == heights[4] and MOST_LINES == 3


def test_a_preset_brings_its_words_length_and_rows(stage, bar):
    actions = preset_actions(bar)
    assert {f"ask.{key}" for key in ("ambiguous", "panel_1", "narration", "part", "list")} <= set(actions)
    actions["ask.narration"].trigger()
    assert stage.model.prompt == NARRATION_PROMPT and stage.model.steering.scope == "decode_only"
    assert stage.model.generation.max_new_tokens == N_PANELS * NARRATION.new_tok
    assert preset_menu(bar).text().startswith(NARRATION.name)
    stage.model.prompt += " Please."
    assert preset_menu(bar).text().startswith("Presets")


def test_the_direct_question_is_put_for_each_panel(stage, bar):
    actions = preset_actions(bar)
    direct = [name for name in actions if name.startswith("ask.panel_")]
    assert len(direct) == N_PANELS
    actions[direct[3]].trigger()
    assert "fourth panel" in stage.model.prompt
    assert "fourth panel" in actions[direct[3]].toolTip()
    actions["ask.nth_panel_4"].trigger()
    assert "the 4th panel" in stage.model.prompt
    assert preset_menu(bar).text().startswith(DIRECT_NTH.name)


def test_without_panels_the_direct_question_says_why_not(stage, bar):
    stage.controller.apply_layout(None)
    direct = preset_actions(bar)["ask.direct"]
    assert not direct.isEnabled() and direct.toolTip() == "The picture has no panels. Choose a layout first."


def test_every_preset_says_what_it_sets(bar):
    for action in preset_actions(bar).values():
        assert "tokens" in action.toolTip() and "rows" in action.toolTip()
    assert len(PRESETS) == 7


def test_the_length_is_bound_both_ways(stage, bar):
    box = child_of(bar, "newTokens")
    assert isinstance(box, QSpinBox)
    stage.model.generation = GenerationSettings(max_new_tokens=33)
    stage.until_drawn()
    assert box.text() == "33 tokens"
    box.setValue(15)
    assert stage.model.generation.max_new_tokens == 15


def test_tokens_are_drawn_with_temperature_nucleus_and_seed(stage, bar, qtbot):
    button = bar.findChild(SamplingButton)
    assert isinstance(button, SamplingButton) and button.text().startswith("Greedy")
    QTest.mouseClick(button, LEFT)
    sheet = child_of(button, "samplingSheet")
    assert sheet.isVisible()
    for name in ("temperature", "topP", "samplingSeed"):
        assert not child_of(sheet, name).isEnabled()
    drawn = child_of(sheet, "samplingDrawn")
    assert isinstance(drawn, QAbstractButton)
    drawn.click()
    assert stage.model.generation.temperature == pytest.approx(0.8)
    for name, value in (("temperature", 1.2), ("topP", 0.9)):
        box = child_of(sheet, name)
        assert isinstance(box, QDoubleSpinBox) and box.isEnabled()
        box.setValue(value)
    seed = child_of(sheet, "samplingSeed")
    assert isinstance(seed, QSpinBox)
    seed.setValue(7)
    settings = stage.model.generation
    assert (settings.temperature, settings.top_p, settings.seed) == pytest.approx((1.2, 0.9, 7))
    assert button.text().startswith(sampling_text(settings)) and "seed 7" in sampling_text(settings)
    penalty, ngram = child_of(sheet, "repetitionPenalty"), child_of(sheet, "noRepeatNgram")
    assert isinstance(penalty, QDoubleSpinBox) and isinstance(ngram, QSpinBox)
    penalty.setValue(1.2)
    ngram.setValue(3)
    settings = stage.model.generation
    assert (settings.repetition_penalty, settings.no_repeat_ngram_tok) == pytest.approx((1.2, 3))
    assert "less repetition" in button.text()
    greedy = child_of(sheet, "samplingGreedy")
    assert isinstance(greedy, QAbstractButton)
    greedy.click()
    assert stage.model.generation.temperature == 0 and button.text().startswith("Greedy")
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_what_is_missing_is_said_before_and_after_a_click(stage, bar):
    stage.model.prompt = ""
    assert "The prompt is empty." in reason(bar)
    assert run_button(bar).property("kind") == "quiet" and run_button(bar).isEnabled()
    QTest.mouseClick(run_button(bar), LEFT)
    assert stage.model.notice.sentence == "The prompt is empty." and not stage.controller.runs.active
    stage.model.prompt = OPEN_QUESTION
    assert "Run will produce the baseline only. No target: steering is off." in reason(bar)
    assert run_button(bar).property("kind") == "primary"
    point_at(stage, 4)
    assert reason(bar) == ""
    stage.model.chosen = HeadSet(())
    assert "No head is chosen" in reason(bar)


def test_a_model_that_is_not_there_is_said(open_stage, qtbot):
    stage = open_stage(start=False)
    bar = shown_bar(stage, qtbot)
    assert "No model is loaded." in reason(bar)


def test_painting_the_target_makes_it_ready(stage, bar):
    stage.model.target_region_id = stage.controller.editor.add_region("mine")
    assert "Nothing is painted in the region “mine”." in reason(bar)
    stage.controller.editor.paint_rectangle((10, 4), (120, 60))
    assert reason(bar) == ""


def test_the_button_runs_and_then_stops(stage, bar):
    point_at(stage, 4)
    stage.backend.pace.hold()
    button = run_button(bar)
    assert (button.label, button.accessibleName()) == ("Run", "Run")
    width_px = button.width()
    QTest.mouseClick(button, LEFT)
    stage.until_drawn()
    assert stage.controller.runs.active and button.label == "Stop" and button.width() == width_px
    QTest.mouseClick(button, LEFT)
    stage.backend.pace.free()
    stage.until(lambda: not stage.controller.runs.active)
    stage.until_drawn()
    assert button.label == "Run"
    assert stage.shown("steered").state == "cancelled"


def test_the_button_is_run_again_after_a_run_has_ended(stage, bar):
    point_at(stage, 4)
    QTest.mouseClick(run_button(bar), LEFT)
    stage.until_ended("steered")
    stage.until_drawn()
    assert run_button(bar).label == "Run"


@pytest.mark.parametrize(("which", "sides"), [("baseline", {"baseline"}), ("steered", {"steered"})])
def test_one_side_can_be_run_alone(stage, bar, which, sides):
    point_at(stage, 4)
    ways = child_of(bar, "runWays")
    assert isinstance(ways, QPushButton)
    ways.menu().aboutToShow.emit()
    action = bar.findChild(QAction, f"run.{which}")
    assert isinstance(action, QAction)
    action.trigger()
    stage.until(lambda: not stage.controller.runs.active)
    assert {run.side for run in stage.model.runs.values() if run.side != "glance"} == sides


def test_enter_runs_and_shift_enter_begins_a_line(stage, bar):
    point_at(stage, 4)
    bar.focus_prompt()
    QTest.keyClick(bar.edit, Qt.Key.Key_End)
    QTest.keyClick(bar.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert stage.model.prompt.endswith("\n") and not stage.controller.runs.active
    stage.backend.pace.hold()
    for _ in range(2):
        QTest.keyClick(bar.edit, Qt.Key.Key_Return)
        assert stage.controller.runs.active, "Enter never stops"
    stage.controller.runs.stop()
    stage.backend.pace.free()


def test_escape_leaves_the_prompt_for_the_run_button(bar, qtbot):
    bar.activateWindow()
    bar.focus_prompt()
    QTest.keyClick(bar.edit, Qt.Key.Key_Escape)
    assert bar.window().focusWidget() is run_button(bar)


def test_everything_has_a_name_and_says_what_it_does(bar):
    named = ("promptEdit", "presetMenu", "newTokens", "samplingButton", "runButton", "runWays")
    for widget in (child_of(bar, name) for name in named):
        assert widget.accessibleName() and widget.toolTip(), widget.objectName()
    assert "Space" in run_button(bar).toolTip()
