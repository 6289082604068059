"""Measuring heads from the app: what is asked for, how far it is, how it is stopped, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QProgressBar, QPushButton, QSpinBox, QWidget

from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import StripsSource
from gazeviz.ui.heads.discovery_panel import RANKING_LABELS, DiscoveryPanel, StripsForm
from gazeviz.ui.heads.discovery_result import (
    DiscoveryResult,
    HeadMatrix,
    LikenessRow,
    halves_text,
    likeness,
    matrix_text,
)
from tests.app.fixtures.staging import OpenStage, Stage
from tests.fakes.scripted import RANKINGS, Script
from tests.ui.fixtures.painting_stage import child_of


@pytest.fixture
def open_panel(open_stage: OpenStage, qtbot) -> Callable[[Script], tuple[Stage, DiscoveryPanel]]:
    def open_one(script: Script) -> tuple[Stage, DiscoveryPanel]:
        stage = open_stage(script)
        panel = DiscoveryPanel(stage.model, stage.controller)
        qtbot.addWidget(panel)
        panel.fold.set_folded(False)
        panel.resize(313, 500)
        panel.show()
        stage.until(lambda: stage.model.worker_state == "ready")
        return stage, panel

    return open_one


def press(panel: QWidget, name: str) -> None:
    button = child_of(panel, name)
    assert isinstance(button, QPushButton) and button.isVisible() and button.isEnabled(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def said(panel: QWidget, name: str = "discoverySaid") -> str:
    label = child_of(panel, name)
    assert isinstance(label, QLabel)
    return label.text()


def set_number(panel: QWidget, name: str, value: int) -> None:
    box = child_of(panel, name)
    assert isinstance(box, QSpinBox)
    box.setValue(value)


def row_of(panel: QWidget, name: str) -> LikenessRow:
    row = child_of(panel, f"likeness_{name}")
    assert isinstance(row, LikenessRow)
    return row


def test_every_ranking_of_the_worker_can_be_asked_for(open_panel):
    assert tuple(RANKING_LABELS) == RANKINGS
    stage, panel = open_panel(Script())
    asked = []
    stage.controller.discovery.begin = lambda strips, by: asked.append((strips, by))
    for name in RANKINGS:
        press(panel, f"discovery_{name}")
    assert panel.wanted == RANKINGS[1:], "mass was chosen at first"
    set_number(panel, "discoveryCount", 7)
    set_number(panel, "discoverySeed", 3)
    press(panel, "discoveryMeasure")
    assert asked == [(StripsSource("builtin", 7, 3), RANKINGS[1:])]


def test_a_measurement_fills_in_and_ends_in_figures(open_panel):
    stage, panel = open_panel(Script(strip_s=0.05, ranking=False))
    assert not child_of(panel, "discoveryResult").isVisible()
    press(panel, "discovery_tracking")
    set_number(panel, "discoveryCount", 5)
    press(panel, "discoveryMeasure")
    bar = child_of(panel, "discoveryBar")
    assert isinstance(bar, QProgressBar)
    stage.until(lambda: bar.isVisible() and 0 < bar.value() < bar.maximum() == 5)
    assert "of 5" in said(panel) and "left" in said(panel) and said(panel).startswith("mass, tracking")
    assert child_of(panel, "discoveryFoldHeader").accessibleName().startswith("Measuring heads · ")
    assert not child_of(panel, "discoveryMeasure").isVisible()
    assert not child_of(panel, "discovery_causal").isEnabled()
    assert "being measured" in said(panel, "resultHalves")
    stage.until(lambda: child_of(panel, "discoveryMeasure").isVisible())
    assert said(panel) == "Measured on 5 strips: mass, tracking."
    agreed = stage.model.ranking.split_half_overlap(12)
    assert f"agree on {agreed} of the best 12; by chance it would be 2.25" in said(panel, "resultHalves")
    like = row_of(panel, "tracking").like
    assert like.shared == stage.model.rankings["mass"].overlap(stage.model.rankings["tracking"], 12)
    assert like.rho == stage.model.rankings["mass"].rank_correlation(stage.model.rankings["tracking"])


def test_a_measurement_can_be_cancelled_and_says_what_is_kept(open_panel):
    stage, panel = open_panel(Script(strip_s=0.05))
    press(panel, "discoveryMeasure")
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.done >= 2)
    press(panel, "discoveryCancel")
    stage.until(lambda: stage.model.worker_state == "ready")
    kept = next(name for name in stage.model.rankings if name.startswith("mass ("))
    assert said(panel) == f"Stopped. What was measured is kept: {kept}."
    set_number(panel, "discoveryCount", 1)
    press(panel, "discoveryMeasure")
    stage.until(lambda: said(panel) == "Measured on 1 strip: mass.")


def test_what_is_missing_is_said_before_anything_is_asked(open_stage, qtbot):
    stage = open_stage(start=False)
    panel = DiscoveryPanel(stage.model, stage.controller)
    qtbot.addWidget(panel)
    panel.fold.set_folded(False)
    panel.show()
    measure = child_of(panel, "discoveryMeasure")
    assert said(panel) == "Load a model first: Ctrl+M." and not measure.isEnabled()
    stage.controller.start()
    stage.until(lambda: measure.isEnabled())
    assert not child_of(panel, "discoverySaid").isVisible()
    press(panel, "discovery_mass")
    assert said(panel) == "Choose at least one ranking." and not measure.isEnabled()


def test_a_folder_that_holds_no_strips_is_refused_in_place(open_panel, tmp_path, monkeypatch):
    stage, panel = open_panel(Script())

    def refuse(*_: object) -> None:
        from gazeviz.errors import UserError

        raise UserError("The folder holds no strips.", next_step="Put strips into it.")

    stage.controller.discovery.begin = refuse
    form = child_of(panel, "discoveryStrips")
    assert isinstance(form, StripsForm)
    a_folder = next(action for action in form._source.menu().actions() if action.text() == "a folder")
    a_folder.trigger()
    assert form._source.text().startswith("a folder")
    assert said(panel) == "Choose a folder of strips." and form.source() is None
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    press(panel, "discoveryOpen")
    assert form.source() == StripsSource("folder", None, folder=str(tmp_path))
    press(panel, "discoveryMeasure")
    assert said(panel) == "The folder holds no strips. Put strips into it."
    set_number(panel, "discoveryCount", 4)
    panel.set_folder(Path("/strips"))
    set_number(panel, "discoveryCount", 4)
    assert form.source() == StripsSource("folder", 4, folder="/strips")


def test_as_many_heads_are_compared_as_are_chosen_and_a_click_shows_the_other(open_panel):
    stage, panel = open_panel(Script())
    stage.model.chosen = HeadSet(stage.model.ranking.order()[:5])
    assert row_of(panel, "causal").like.n == 5 and "top 5" in said_name(panel)
    QTest.mouseClick(row_of(panel, "causal"), Qt.MouseButton.LeftButton)
    assert stage.model.ranking_name == "causal" and stage.model.grid_metric == "ranking"
    assert said_name(panel).startswith("causal")
    assert panel.findChild(LikenessRow, "likeness_mass") is not None
    stage.model.chosen = HeadSet(())
    assert row_of(panel, "mass").like.n == stage.model.model_info.recommended.n


def said_name(panel: QWidget) -> str:
    return child_of(child_of(panel, "discoveryResult"), "resultName").accessibleName()


def test_another_model_forgets_what_was_measured(open_panel):
    stage, panel = open_panel(Script(ranking=False))
    set_number(panel, "discoveryCount", 2)
    press(panel, "discoveryMeasure")
    stage.until(lambda: said(panel).startswith("Measured"))
    info = stage.model.model_info
    stage.model.forget_rankings()
    stage.model.model_info = replace(info, name="another", fingerprint="ab" * 32)
    assert said(panel) == "" and not child_of(panel, "discoveryResult").isVisible()


def test_likeness_counts_no_more_heads_than_both_rankings_have(rng):
    scores_LH = rng.random((4, 4))
    few_LH = np.full((4, 4), np.nan)
    few_LH[0, :3] = scores_LH[0, :3]
    whole, few = HeadRanking("whole", scores_LH), HeadRanking("few", few_LH)
    like = likeness(whole, few, 12)
    assert like.n == 3 and like.rho == pytest.approx(1.0)
    same = likeness(whole, whole, 12)
    assert (same.shared, same.n) == (12, 12) and same.rho == pytest.approx(1.0)


def test_halves_that_are_not_there_are_not_made_up(rng):
    ranking = HeadRanking("mass", rng.random((4, 4)))
    assert "unknown" in halves_text(ranking, 4)
    measured = HeadRanking("mass", rng.random((4, 4)), 8, None, (ranking, ranking))
    assert "agree on 4 of the best 4; by chance it would be 1" in halves_text(measured, 4)


def test_the_result_stands_by_itself(open_panel, qtbot):
    stage, _ = open_panel(Script())
    result = DiscoveryResult(stage.model)
    qtbot.addWidget(result)
    result.resize(313, 300)
    result.show()
    row = row_of(result, "causal")
    plain = row.grab().toImage()
    row.setFocus()
    assert "rank correlation" in row.accessibleName() and not plain.isNull()


def test_the_matrix_is_of_the_best_head_or_of_the_one_that_is_pointed_at(open_panel, qtbot):
    stage, _ = open_panel(Script())
    view = HeadMatrix(stage.model)
    qtbot.addWidget(view)
    view.resize(313, 140)
    assert view.isHidden(), "a ranking from a file has no matrix"
    scores_LH = np.arange(64, dtype=np.float64).reshape(8, 8) / 64
    matrix_LHRR = np.full((8, 8, 3, 3), 0.02)
    matrix_LHRR[7, 7, [0, 1, 2], [0, 1, 2]] = 0.5
    stage.model.put_rankings({"mass": HeadRanking("mass", scores_LH, 4, matrix_LHRR)})
    view.show()
    assert said(view, "matrixHead") == "L7H7 · #1"
    assert ".5 of its attention" in said(view, "matrixSaid") and "and .02 on" in said(view, "matrixSaid")
    cells = child_of(view, "matrixCells")
    image = cells.grab().toImage()
    ratio = image.width() / cells.width()
    bright, dark = (image.pixelColor(int(x * ratio), int(20 * ratio)) for x in (34, 72))
    assert bright.lightness() > dark.lightness() + 60
    stage.model.hovered_head = Head(0, 1)
    assert said(view, "matrixHead") == "L0H1 · #63"


def test_a_matrix_of_one_figure_is_told_apart_from_a_diagonal():
    assert ".1 of its attention" in matrix_text(np.full((4, 4), 0.1))
    assert matrix_text(np.eye(4)).endswith("and 0 on each other panel (columns).")
