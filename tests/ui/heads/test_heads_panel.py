"""The head panel: rankings, what the colours say, top K, controls, named sets, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QPushButton, QSlider, QSpinBox

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import LookAt, WorkProgress
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import StripsSource
from gazeviz.ui.heads.grid_selection import Gesture
from gazeviz.ui.heads.head_commands import RANKING_TEXTS
from gazeviz.ui.heads.heads_panel import HeadPanel, HeadSigns
from gazeviz.ui.heads.ranking_bar import RankingBar, split_half_text
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ElidedLabel, MenuButton
from gazeviz.ui.widgets.region_badge import PlaceLabel
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.head_stage import HeadStage, child_of, open_head_stage, ranking


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[HeadStage]:
    stage = open_head_stage()
    yield stage
    stage.close()


@pytest.fixture
def panel(stage: HeadStage, qtbot: PatientBot) -> HeadPanel:
    panel = HeadPanel(stage.model, stage.controller)
    qtbot.addWidget(panel)
    panel.resize(321, 520)
    panel.show()
    QApplication.processEvents()
    return panel


def words(panel: HeadPanel, name: str) -> str:
    label = child_of(panel, name)
    if isinstance(label, ElidedLabel):
        return label.whole
    if isinstance(label, PlaceLabel):
        return label.text
    assert isinstance(label, QLabel | QAbstractButton)
    return label.text()


def slider_of(panel: HeadPanel) -> QSlider:
    slider = child_of(panel, "topKSlider")
    assert isinstance(slider, QSlider)
    return slider


def press(panel: HeadPanel, name: str) -> None:
    button = child_of(panel, name)
    assert isinstance(button, QAbstractButton)
    button.click()


def entries(panel: HeadPanel, menu: str) -> list[QAction]:
    button = child_of(panel, menu)
    assert isinstance(button, MenuButton)
    button.menu().aboutToShow.emit()
    return button.menu().actions()


def trigger(panel: HeadPanel, menu: str, text: str) -> None:
    next(action for action in entries(panel, menu) if action.text().partition("\t")[0] == text).trigger()


def test_it_says_how_many_heads_are_chosen_and_from_where(stage, panel):
    assert words(panel, "chosenHeads") == "none of 47 chosen"
    stage.controller.heads.top(8)
    assert words(panel, "chosenHeads") == "8 of 47 · top 8 of mass"
    stage.controller.heads.choose([Head(0, 0)])
    assert words(panel, "chosenHeads") == "1 of 47 · chosen by hand"


def test_a_sliders_drag_is_one_step_and_the_next_another(stage, panel):
    slider = slider_of(panel)
    for values in ((3, 9, 14), (12, 7)):
        slider.setSliderDown(True)
        for value in values:
            slider.setValue(value)
        slider.setSliderDown(False)
    assert str(stage.model.chosen.origin) == "top 7 of mass" and stage.n_steps == 2
    stage.controller.editor.undo()
    assert len(stage.model.chosen) == 14 and slider.value() == 14
    stage.controller.editor.undo()
    assert len(stage.model.chosen) == 0 and slider.value() == 0


def test_a_number_is_typed_and_the_slider_follows_the_choice(stage, panel):
    number = child_of(panel, "topKNumber")
    assert isinstance(number, QSpinBox) and number.maximum() == 47
    number.setValue(12)
    assert len(stage.model.chosen) == 12 and slider_of(panel).value() == 12
    stage.controller.heads.choose([Head(1, 1), Head(2, 2)])
    assert slider_of(panel).value() == 2
    stage.model.forget_rankings()
    assert not slider_of(panel).isEnabled()


def test_controls_are_as_large_as_the_choice(stage, panel):
    stage.controller.heads.choose([Head(5, index) for index in range(3)])
    gaze = stage.model.chosen
    trigger(panel, "chooseMenu", "Random 3, layer-matched")
    first = stage.model.chosen
    assert first.by_layer().keys() == {5} and not set(first) & set(gaze)
    for seed in (1, 2, 3):
        trigger(panel, "chooseMenu", "Draw again with the next seed")
        assert stage.model.chosen.origin.seed == seed
        assert not set(stage.model.chosen) & set(gaze), "matched with the same heads as at first"
    steps = stage.n_steps
    stage.controller.editor.undo()
    assert stage.model.chosen.origin.seed == 2 and stage.n_steps == steps - 1
    trigger(panel, "chooseMenu", "Random 3")
    assert stage.model.chosen.origin.kind == "random" and stage.model.chosen.origin.seed == 3
    trigger(panel, "chooseMenu", "Draw again with the next seed")
    assert str(stage.model.chosen.origin) == "random 3, seed 4"
    trigger(panel, "chooseMenu", "Lowest 3")
    assert str(stage.model.chosen.origin) == "bottom 3 of mass"


def test_a_draw_without_room_is_refused_in_a_sentence(stage, panel):
    stage.controller.heads.layer(5)
    trigger(panel, "chooseMenu", "Random 8, layer-matched")
    assert stage.model.notice is not None and "layer 5" in stage.model.notice.sentence
    assert len(stage.model.chosen) == 8


def test_all_none_and_invert(stage, panel):
    trigger(panel, "chooseMenu", "All heads")
    assert len(stage.model.chosen) == 47
    trigger(panel, "chooseMenu", "No heads")
    assert len(stage.model.chosen) == 0
    stage.controller.heads.top(7)
    trigger(panel, "chooseMenu", "Invert")
    assert len(stage.model.chosen) == 40


def test_rankings_are_chosen_and_say_how_they_were_measured(stage, panel):
    stage.controller.heads.top(8)
    assert words(panel, "rankingMenu").startswith("mass") and words(panel, "rankingMeasured") == "25 strips"
    assert words(panel, "splitHalf") == "split-half 8 / 8"
    stage.model.put_rankings({"image_heads": HeadRanking("image_heads", np.ones((6, 8)))})
    trigger(panel, "rankingMenu", "image heads")
    assert stage.model.ranking_name == "image_heads"
    assert words(panel, "splitHalf") == "no split-half" and words(panel, "rankingMeasured") == "from a file"
    assert set(RANKING_TEXTS) == {
        "mass", "selectivity", "tracking", "causal", "image_heads", "localization",
        "localization_by_question",
    }  # fmt: skip
    assert child_of(panel, "rankingMenu").toolTip() == RANKING_TEXTS["image_heads"]


def test_the_two_halves_agree_on_some_heads(rng):
    halves = tuple(HeadRanking("mass", rng.random((6, 8))) for _ in range(2))
    measured = HeadRanking("mass", rng.random((6, 8)), 4, None, (halves[0], halves[1]))
    assert split_half_text(measured, 12) == f"split-half {halves[0].overlap(halves[1], 12)} / 12"
    assert split_half_text(measured, 0) == "split-half 48 / 48"
    assert split_half_text(None, 3) == split_half_text(HeadRanking("x", np.ones((2, 2))), 3) == ""


def test_a_measurement_says_how_far_it_is(stage, panel):
    stage.model.measured_rankings = ("causal",)
    stage.model.put_partial_ranking(HeadRanking("causal", np.full((6, 8), np.nan)))
    stage.model.progress = WorkProgress(3, 25, "Measuring")
    trigger(panel, "rankingMenu", "causal")
    assert words(panel, "rankingMeasured") == "measuring, 3 of 25"
    signs = child_of(panel, "headSigns")
    assert isinstance(signs, HeadSigns) and "not known" in signs.signs and "no head" in signs.signs
    stage.model.put_rankings({"causal": ranking(np.ones((6, 8)), "causal")})
    assert signs.signs == ("no head",)


def test_the_legend_says_the_ends_of_the_scale(stage, panel):
    assert (words(panel, "headScaleLow"), words(panel, "headScaleHigh")) == ("0", "1")
    scores_LH = np.full((6, 8), 0.3)
    scores_LH[0, 0] = -0.25
    stage.model.put_rankings({"mass": HeadRanking("mass", scores_LH)})
    assert (words(panel, "headScaleLow"), words(panel, "headScaleHigh")) == ("-.25", ".3")
    stage.model.grid_metric = "live"
    assert not child_of(panel, "headScale").isVisible()
    stage.model.live_mass_LH = np.full((6, 8), 0.5, dtype=np.float32)
    assert words(panel, "headScaleHigh") == ".5"


def test_the_metric_is_chosen_and_named(stage, panel):
    press(panel, "metric_live")
    assert stage.model.grid_metric == "live"
    assert words(panel, "metricPlace") == "mass on a region choose one in the list of regions"
    assert not child_of(panel, "metric_look_here").isEnabled()
    stage.model.look_at = LookAt("cell 17", np.array([17]))
    press(panel, "metric_look_here")
    assert stage.model.grid_metric == "look_here" and words(panel, "metricPlace").startswith(
        "mass on cell 17"
    )
    press(panel, "metric_ranking")
    assert stage.model.grid_metric == "ranking" and child_of(panel, "rankingMenu").isVisible()
    stage.model.grid_metric = "live"
    live = child_of(panel, "metric_live")
    assert isinstance(live, QPushButton) and live.isChecked()


def test_sets_are_saved_recalled_and_forgotten(stage, panel):
    assert not child_of(panel, "saveHeadSet").isEnabled()
    stage.controller.heads.top(8)
    press(panel, "saveHeadSet")
    name = child_of(panel, "headSetName")
    assert isinstance(name, QLineEdit) and name.isVisible()
    QTest.keyClicks(name, "gaze")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert stage.model.saved_sets["gaze"] == stage.model.chosen and not name.isVisible()
    chip = child_of(panel, "headSet_gaze")
    assert isinstance(chip, QPushButton) and chip.isChecked() and chip.text() == "gaze · 8"
    stage.controller.heads.clear()
    assert not chip.isChecked()
    chip.click()
    assert str(stage.model.chosen.origin) == "top 8 of mass" and chip.isChecked()
    press(panel, "forgetHeadSet_gaze")
    assert not stage.model.saved_sets and len(stage.model.chosen) == 8


def test_a_name_that_is_not_given_saves_nothing(stage, panel):
    stage.controller.heads.top(2)
    press(panel, "saveHeadSet")
    name = child_of(panel, "headSetName")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert stage.model.notice is not None and "name" in stage.model.notice.sentence and name.isVisible()
    QTest.keyClick(name, Qt.Key.Key_Escape)
    assert not name.isVisible() and child_of(panel, "saveHeadSet").isVisible()


def test_many_sets_take_more_rows_and_stay_inside(stage, panel):
    stage.controller.heads.top(2)
    for number in range(9):
        stage.model.put_saved_set(f"a head set with a long name, number {number}", stage.model.chosen)
    QApplication.processEvents()
    chips = [child_of(panel, f"headSet_{name}") for name in stage.model.saved_sets]
    for chip in chips:
        holder = chip.parentWidget()
        assert holder is not None and holder.geometry().right() < panel.width()
    tops = {holder.y() for chip in chips if (holder := chip.parentWidget()) is not None}
    assert len(tops) > 3


def test_a_set_of_another_model_is_refused(stage, panel):
    stage.model.put_saved_set("big", HeadSet.of("L30H1"))
    press(panel, "headSet_big")
    assert stage.model.notice is not None and "L30H1" in stage.model.notice.sentence
    chip = child_of(panel, "headSet_big")
    assert isinstance(chip, QPushButton) and not chip.isChecked()


def test_rankings_go_to_files_and_come_back(stage, panel, tmp_path: Path):
    bar = child_of(panel, "rankingBar")
    assert isinstance(bar, RankingBar)
    path = tmp_path / "gaze_head_ranking.json"
    assert bar.export_to(path) and bar.import_from(path)
    assert stage.model.ranking_name == "gaze_head_ranking"
    assert words(panel, "rankingMeasured") == "from a file"
    path.write_text("{}")
    assert not bar.import_from(path)
    assert stage.model.notice is not None and stage.model.notice.about == "heads"


def test_everything_fits_and_is_named_in_both_themes(stage, panel, qapp):
    stage.controller.heads.top(8)
    for choice in ("light", "dark"):
        theme.apply(qapp, choice)
        QApplication.processEvents()
        assert panel.minimumSizeHint().width() <= 321, "the right column at 1280 x 800"
        assert not panel.grab().isNull()
    for button in panel.findChildren(QAbstractButton):
        assert button.accessibleName() and button.toolTip(), button.objectName()


def test_gestures_have_numbers_of_their_own():
    one, other = Gesture(), Gesture()
    numbers = {one.begin(), other.begin(), one.begin(), other.begin()}
    assert len(numbers) == 4
    assert one.go_on() == one.go_on() == one.number


def test_the_whole_loop_on_a_scripted_model(qtbot: PatientBot):
    """Load, measure, hover: the grid fills in and the card's map is of the head that is pointed at."""
    model = SessionModel()
    controller = RunController(model, lambda listener: FakeBackend(listener, Script(strip_s=0.01)))
    panel = HeadPanel(model, controller)
    qtbot.addWidget(panel)
    panel.resize(321, 520)
    panel.show()
    shown: list[float] = []

    def note() -> None:
        if panel.grid.values_LH is not None:
            shown.append(float(panel.grid.values_LH.sum()))

    model.ranking_changed.connect(note)
    controller.start()
    qtbot.waitUntil(lambda: model.worker_state == "ready")
    assert panel.grid.view.shape_LH == (8, 8)
    assert words(panel, "rankingMeasured") == "came with the model"
    controller.discover(StripsSource("builtin", 4), ("causal",))
    qtbot.waitUntil(lambda: "causal" in model.rankings and not model.measured_rankings)
    measured = model.rankings["causal"]
    model.ranking_name = "causal"
    assert words(panel, "rankingMeasured") == f"{measured.n_strips} strips" and len(set(shown)) > 2
    controller.shutdown()
