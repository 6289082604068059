"""Two sessions side by side, in pairs of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QTableView

from gazeviz.ui.compare.compare_sessions import PairTableModel
from tests.patience import PatientBot
from tests.render.made_runs import PANELS
from tests.ui.fixtures.compare_stage import CompareStage, open_compare_stage, part, said


@pytest.fixture
def stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[CompareStage]:
    """A log to be filled, and a comparison that shows nothing yet."""
    with open_compare_stage(qtbot, tmp_path) as opened:
        yield opened


def two_sessions(stage: CompareStage) -> tuple[int, int]:
    """Two sessions with a pair of the same text, one of another text, and a run alone."""
    first = stage.store.open_session("morning")
    stage.baseline()
    stage.steered()
    second = stage.store.open_session("evening")
    stage.steered(texts=("a", " bird", " runs", "."))
    stage.baseline()
    stage.steered(target=PANELS[2])
    return first, second


def test_sessions_are_paired_by_prompt_and_target(stage: CompareStage) -> None:
    stage.view.show_sessions(*two_sessions(stage))
    stage.until(lambda: stage.view.sessions.isVisible())
    figures = said(stage, "comparePairFigures")
    assert figures.startswith("2 pairs of one prompt and target · 1 with the same text")
    assert figures.endswith("1 only in B")
    table = part(stage.view, QTableView, "comparePairTable")
    model = table.model()
    assert isinstance(model, PairTableModel)
    assert [model.index(row, 1).data() for row in range(3)] == ["baseline", "Panel 2", "Panel 3"]
    assert model.index(0, 4).data() == "same text"
    assert model.words_at(1, 1) == (("a", False), ("bird", True), ("runs.", False))
    assert model.index(2, 5).data() == "only in B"


def test_a_pair_is_shown_in_full_and_left_again(stage: CompareStage) -> None:
    stage.view.show_sessions(*two_sessions(stage))
    stage.until(lambda: stage.view.sessions.isVisible())
    table = part(stage.view, QTableView, "comparePairTable")
    table.activated.emit(table.model().index(1, 0))
    stage.until(lambda: stage.view.runs.isVisible())
    assert said(stage, "compareLabelA") == "top 2 of mass · Panel 2"
    back = part(stage.view, QPushButton, "compareBack")
    assert back.isVisible()
    QTest.mouseClick(back, Qt.MouseButton.LeftButton)
    stage.until(lambda: stage.view.sessions.isVisible())
    table.activated.emit(table.model().index(2, 0))
    stage.qtbot.until_quiet()
    assert stage.view.sessions.isVisible()  # a run without a partner has nothing to be shown beside


def test_a_session_is_not_compared_with_itself(stage: CompareStage) -> None:
    first, _ = two_sessions(stage)
    stage.view.show_sessions(first, first)
    stage.until(lambda: "with itself" in stage.view.message)
