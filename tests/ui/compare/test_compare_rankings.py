"""Rankings side by side, by their best heads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QTableWidget

from gazeviz.ui.widgets.controls import ElidedLabel
from tests.patience import PatientBot
from tests.ui.fixtures.compare_stage import CompareStage, cell, open_compare_stage, part, rankings


@pytest.fixture
def stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[CompareStage]:
    """A log to be filled, and a comparison that shows nothing yet."""
    with open_compare_stage(qtbot, tmp_path) as opened:
        yield opened


def test_rankings_are_compared_by_their_best_heads(stage: CompareStage) -> None:
    stage.model.put_rankings(rankings())
    button = part(stage.view, QPushButton, "compareToRankings")
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    page = stage.view.rankings
    assert page.isVisible()
    page._on_top(2)
    figures = part(page, ElidedLabel, "compareFigures").whole
    assert figures.startswith("A \N{INTERSECTION} B  1 · Jaccard .33 · rank correlation ")
    table = part(page, QTableWidget, "compareRanks")
    rows = [[cell(table, row, place).text() for place in range(4)] for row in range(3)]
    assert rows[0] == ["L0H0", "8", "8", "1"]
    assert ["L1H3", "1", "1", "8"] in rows


def test_which_rankings_are_compared_can_be_chosen(stage: CompareStage) -> None:
    stage.model.put_rankings(rankings())
    stage.view.show_rankings(("mass", "causal"))
    actions = {action.text(): action for action in stage.view.rankings._choose.menu().actions()}
    assert not actions["mass"].isEnabled() and actions["image heads"].isEnabled()
    actions["image heads"].trigger()
    assert len(stage.view.rankings.compared.sets) == 3


def test_one_ranking_cannot_be_compared(stage: CompareStage) -> None:
    stage.model.put_rankings(rankings())
    stage.view.show_rankings(("mass", "unknown"))
    assert "1 rankings cannot be compared" in stage.view.message
