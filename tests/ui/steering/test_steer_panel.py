"""The steering panel: heads, target, mode, strength, limit, rows, and what the model recommends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget

from gazeviz.app.runs import presets
from gazeviz.app.session.values import SteeringSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import Recommended
from gazeviz.domain.prompts import NARRATION
from gazeviz.domain.steering import HARD, MODES, SCOPES, Steering
from gazeviz.domain.wording import SCOPE_NAMES
from gazeviz.ui.steering.steer_panel import SteerPanel, why_not_hard
from gazeviz.ui.steering.steer_text import HARD_TEXTS, MODE_TEXTS, SCOPE_TEXTS, strength_note
from gazeviz.ui.steering.target_menu import TargetMenu
from gazeviz.ui.widgets.controls import ChoiceButton, ElidedLabel, NumberSlider
from tests.app.fixtures.staging import OpenStage, Stage
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of
from tests.ui.fixtures.steering_stage import steering_stage

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[OpenStage]:
    with steering_stage(qtbot, tmp_path) as open_one:
        yield open_one


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    return open_stage()


@pytest.fixture
def panel(stage: Stage, qtbot: PatientBot) -> SteerPanel:
    panel = SteerPanel(stage.model, stage.controller)
    qtbot.addWidget(panel)
    panel.resize(731, 300)
    panel.show()
    return panel


def button(panel: QWidget, name: str) -> QAbstractButton:
    found = child_of(panel, name)
    assert isinstance(found, QAbstractButton), name
    return found


def text(panel: QWidget, name: str) -> str:
    found = child_of(panel, name)
    assert isinstance(found, QLabel), name
    return found.whole if isinstance(found, ElidedLabel) else found.text()


def slider(panel: QWidget, name: str) -> NumberSlider:
    found = child_of(panel, name)
    assert isinstance(found, NumberSlider)
    return found


def choose(panel: QWidget, name: str, key: str) -> None:
    found = child_of(panel, name)
    assert isinstance(found, ChoiceButton)
    found.chosen.emit(key)


def test_the_line_says_how_many_heads_point_where(stage, panel):
    assert text(panel, "steerHeads") == f"{len(stage.model.chosen)} heads →"
    assert button(panel, "steerTarget").text().startswith("no target")
    stage.controller.retarget(stage.model.regions.ids[3])
    assert button(panel, "steerTarget").text().startswith("Panel 4")
    assert not button(panel, "steerTarget").icon().isNull()
    for heads, words in ((HeadSet(()), "no heads →"), (HeadSet.of("L1H1"), "1 head →")):
        stage.model.chosen = heads
        assert text(panel, "steerHeads") == words


def test_the_target_is_chosen_from_the_list_and_can_be_let_go(stage, panel):
    menu = child_of(panel, "steerTarget")
    assert isinstance(menu, TargetMenu)
    menu.menu().aboutToShow.emit()
    fourth = stage.model.regions.ids[3]
    action = menu.findChild(QAction, "steering.target_4")
    assert isinstance(action, QAction) and "token cell" in action.toolTip()
    action.trigger()
    assert stage.model.target_region_id == fourth
    menu.menu().aboutToShow.emit()
    free = menu.findChild(QAction, "steering.no_target")
    assert isinstance(free, QAction)
    free.trigger()
    assert stage.model.target_region_id is None


def test_a_target_chosen_during_a_run_holds_from_the_next_token(stage, panel):
    first = stage.model.regions.ids[0]
    stage.controller.retarget(first)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("steered").steps) == 2)
    menu = child_of(panel, "steerTarget")
    assert isinstance(menu, TargetMenu)
    menu.menu().aboutToShow.emit()
    action = menu.findChild(QAction, "steering.target_4")
    assert isinstance(action, QAction)
    action.trigger()
    stage.backend.settle()
    stage.backend.pace.free()
    assert stage.until_ended().switches[-1][1] == "Panel 4"


def test_it_unfolds(panel, qtbot):
    details = child_of(panel, "steerDetails")
    assert panel.folded and not details.isVisible()
    with qtbot.waitSignal(panel.unfolded):
        QTest.mouseClick(button(panel, "steerFold"), LEFT)
    assert details.isVisible() and not panel.folded
    panel.set_folded(True)
    assert not details.isVisible()


def test_every_mode_and_all_rows_can_be_chosen_and_say_what_they_do(stage, panel):
    assert (set(MODE_TEXTS), set(SCOPE_TEXTS), set(HARD_TEXTS)) == (set(MODES), set(SCOPES), set(HARD))
    for mode in MODES:
        choose(panel, "steerMode", mode)
        assert stage.model.steering.mode == mode and text(panel, "modeNote") == MODE_TEXTS[mode].does
    for scope in SCOPES:
        choose(panel, "steerScope", scope)
        assert stage.model.steering.scope == scope and text(panel, "scopeNote") == SCOPE_TEXTS[scope].does
        assert SCOPE_NAMES[scope] in text(panel, "steerSummary")


def test_strength_goes_in_half_steps_and_beyond_the_slider_by_hand(stage, panel):
    strength = slider(panel, "strength")
    assert strength.value == stage.model.steering.strength == 8.0
    strength.slider.setValue(strength.slider.value() + 1)
    assert stage.model.steering.strength == 8.5
    strength.number.setValue(400)
    assert stage.model.steering.strength == 400 and strength.slider.value() == strength.slider.maximum()
    assert "junk" in text(panel, "limitNote")
    stage.model.steering = replace(stage.model.steering, strength=0.25)
    assert (strength.value, strength.number.text()) == (0.25, ".25")
    assert stage.model.steering.strength == 0.25, "showing a number never rounds it"


def test_hard_is_left_by_moving_the_slider(stage, panel):
    panel.set_folded(False)
    hard, uniform = button(panel, "steer_hard"), button(panel, "steer_hard_uniform")
    QTest.mouseClick(hard, LEFT)
    assert stage.model.steering.strength == "hard" and slider(panel, "strength").word == "hard"
    QTest.mouseClick(uniform, LEFT)
    assert stage.model.steering.strength == "hard_uniform" and not hard.isChecked()
    assert slider(panel, "strength").word == "uniform"
    QTest.mouseClick(uniform, LEFT)
    assert stage.model.steering.strength == 8.0 and slider(panel, "strength").word == ""
    QTest.mouseClick(hard, LEFT)
    slider(panel, "strength").slider.setValue(10)
    assert stage.model.steering.strength == 5.0 and not hard.isChecked()


def test_hard_uniform_needs_a_mode_that_boosts(stage, panel):
    stage.model.steering = SteeringSettings(strength="hard_uniform")
    choose(panel, "steerMode", "suppress_all")
    assert stage.model.steering.strength == "hard"
    uniform = button(panel, "steer_hard_uniform")
    assert not uniform.isEnabled() and why_not_hard("hard_uniform", stage.model.steering) in uniform.toolTip()


def test_a_fixed_share_has_alpha_in_the_place_of_the_strength(stage, panel):
    strength, alpha = slider(panel, "strength"), slider(panel, "alpha")
    assert strength.isVisible() and not alpha.isVisible()
    choose(panel, "steerMode", "mass")
    assert alpha.isVisible() and not strength.isVisible()
    alpha.number.setValue(0.5)
    assert stage.model.steering.alpha == 0.5
    panel.set_folded(False)
    assert not button(panel, "steer_hard").isEnabled()


def test_whatever_can_be_chosen_is_a_steering(stage):
    region = stage.model.regions.painted()[0].as_region()
    for mode in MODES:
        for strength in (0.0, 8.5, 400.0, *HARD):
            if strength in HARD and why_not_hard(strength, SteeringSettings(mode)):
                continue
            settings = SteeringSettings(mode, strength, 0.5, "decode_only")
            Steering(HeadSet.of("L1H1"), region, mode, strength, settings.scope, settings.alpha)
            assert strength_note(settings)


def test_recommended_brings_heads_mode_strength_and_rows(stage, panel):
    advice = Recommended(3, "suppress_all", 4.0, "after_image")
    stage.model.model_info = replace(stage.model.model_info, recommended=advice)
    stage.model.ranking_name = "causal"
    tip = button(panel, "steerRecommended").toolTip()
    assert "3 best heads of “mass”" in tip and "suppress picture and prompt · 4" in tip
    before = stage.model.chosen
    QTest.mouseClick(button(panel, "steerRecommended"), LEFT)
    assert stage.model.chosen == stage.model.model_info.default_ranking.top(3)
    assert stage.model.steering == SteeringSettings("suppress_all", 4.0, 0.9, "after_image")
    assert stage.model.ranking_name == "mass"
    stage.controller.editor.undo()
    assert stage.model.chosen == before


def test_recommended_leaves_a_narration_its_rows(stage, panel):
    advice = Recommended(3, scope="after_image")
    stage.model.model_info = replace(stage.model.model_info, recommended=advice)
    presets.ask(stage.model, NARRATION)
    QTest.mouseClick(button(panel, "steerRecommended"), LEFT)
    assert stage.model.steering.scope == "decode_only"


def test_a_narration_is_steered_by_other_heads_where_the_model_says_so(stage, panel):
    moving = Recommended(5, scope="decode_only", ranking="causal")
    stage.model.model_info = replace(stage.model.model_info, recommended_moving=moving)
    assert presets.is_recommended(stage.model) and not button(panel, "steerRecommended").icon().isNull()
    presets.ask(stage.model, NARRATION)
    assert not presets.is_recommended(stage.model) and button(panel, "steerRecommended").icon().isNull()
    assert "5 best heads of “causal”" in button(panel, "steerRecommended").toolTip()
    QTest.mouseClick(button(panel, "steerRecommended"), LEFT)
    assert presets.is_recommended(stage.model) and stage.model.ranking_name == "causal"
    assert stage.model.chosen == stage.model.rankings["causal"].top(5)


def test_without_a_ranking_recommended_says_so(stage, panel):
    stage.model.model_info = replace(stage.model.model_info, default_ranking=None, recommended=None)
    QTest.mouseClick(button(panel, "steerRecommended"), LEFT)
    assert "without a ranking" in stage.model.notice.sentence
    assert "without a ranking" in button(panel, "steerRecommended").toolTip()


def test_everything_has_a_name_and_says_what_it_does(panel):
    panel.set_folded(False)
    for name in ("steerFold", "steerTarget", "strengthSlider", "strengthNumber", "alphaSlider", "steerMode",
                 "steerScope", "steer_hard", "steer_hard_uniform", "steerRecommended"):  # fmt: skip
        widget = child_of(panel, name)
        assert widget.accessibleName() and widget.toolTip(), name


@pytest.mark.parametrize("width_px", [700, 731, 1040])
def test_nothing_is_cut_off_in_the_middle_column(stage, panel, width_px):
    stage.controller.retarget(stage.model.regions.ids[3])
    panel.resize(width_px, 300)
    assert panel.minimumSizeHint().width() <= width_px
