"""Which heads look here: heads by their mass on a region or a cell, pointed at and chosen in the list."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QSpinBox, QToolButton

from gazeviz.app.session.values import Cursor
from gazeviz.domain.heads import Head
from gazeviz.ui.heads.heads_by_region import LookHere, LookList
from gazeviz.ui.widgets.controls import MenuButton
from gazeviz.ui.widgets.region_badge import PlaceLabel
from tests.fakes.scripted import GAZE_HEADS
from tests.ui.fixtures.painting_stage import child_of


@pytest.fixture
def view(stage, qtbot) -> LookHere:
    view = LookHere(stage.model, stage.controller)
    qtbot.addWidget(view)
    view.resize(313, 340)
    view.show()
    return view


def list_of(view: LookHere) -> LookList:
    found = child_of(view, "lookHereList")
    assert isinstance(found, LookList)
    return found


def place_of(view: LookHere) -> str:
    found = child_of(view, "lookHerePlace")
    assert isinstance(found, PlaceLabel)
    return found.text


def note_of(view: LookHere) -> str:
    found = child_of(view, "lookHereNote")
    assert isinstance(found, QLabel)
    return found.text()


def press(view: LookHere, name: str) -> None:
    button = child_of(view, name)
    assert isinstance(button, QPushButton | QToolButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def ask(stage, view: LookHere, place: int = 0) -> None:
    stage.controller.look_at_region(stage.model.regions.ids[place])
    stage.until(lambda: stage.model.live_mass_LH is not None and list_of(view).rows.heads)


def row_middle(view: LookHere, row: int) -> QPoint:
    rows = list_of(view)
    return rows.visualRect(rows.model().index(row, 0)).center()


def test_heads_are_sorted_by_their_mass_on_a_region(stage, view):
    ask(stage, view)
    rows = list_of(view).rows
    masses_LH = stage.model.live_mass_LH
    assert len(rows.heads) == masses_LH.size and list(rows.masses) == sorted(rows.masses, reverse=True)
    assert all(mass == masses_LH[h.layer, h.index] for h, mass in zip(rows.heads, rows.masses, strict=True))
    assert set(rows.heads[: len(GAZE_HEADS)]) == set(GAZE_HEADS), "the first token is about panel 1"
    assert rows.highest == rows.masses[0] and rows.chosen == set(stage.model.chosen)
    n_cells, n_tok = len(stage.model.cells_of(stage.model.regions.ids[0])), stage.model.grid.n_tokens
    assert place_of(view) == f"mass on 1 Panel 1 {n_cells} of {n_tok} cells"
    assert rows.ranks[0] == f"#{stage.model.ranking.rank_of(rows.heads[0])}"


def test_nothing_is_asked_at_first_and_the_question_can_be_ended(stage, view):
    assert "Ask about a region" in note_of(view) and not list_of(view).isVisible()
    ask(stage, view)
    assert list_of(view).isVisible() and not child_of(view, "lookHereNote").isVisible()
    press(view, "lookHereClose")
    assert stage.model.grid_metric == "ranking" and not list_of(view).isVisible()


def test_the_menu_asks_about_any_region_and_about_the_active_one(stage, view):
    button = child_of(view, "lookHereAsk")
    assert isinstance(button, MenuButton)
    button.menu().aboutToShow.emit()
    actions = {action.objectName(): action for action in button.menu().actions()}
    actions["look.region_3"].trigger()
    stage.until(lambda: list_of(view).isVisible())
    assert place_of(view).startswith("mass on 3 Panel 3")
    actions["look.active"].trigger()
    stage.model.active_region_id = stage.model.regions.ids[4]
    stage.until(lambda: place_of(view).startswith("mass on 5 Panel 5"))
    assert stage.model.grid_metric == "live"


def test_a_cell_can_be_asked_about_too(stage, view):
    stage.controller.look_at_point(10, 10)
    stage.until(lambda: list_of(view).isVisible())
    assert place_of(view) == f"mass on cell 0 1 of {stage.model.grid.n_tokens} cells"


def test_pointing_and_clicking_are_those_of_the_grid(stage, view):
    ask(stage, view)
    rows = list_of(view)
    head = rows.rows.heads[1]
    was_chosen = head in stage.model.chosen
    rows.entered.emit(rows.model().index(1, 0))
    assert stage.model.hovered_head == head
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=row_middle(view, 1))
    assert (head in stage.model.chosen) != was_chosen
    stage.controller.editor.undo()
    assert (head in stage.model.chosen) == was_chosen
    QApplication.sendEvent(rows.viewport(), QEvent(QEvent.Type.Leave))
    assert stage.model.hovered_head is None


def test_the_keyboard_points_and_chooses(stage, view):
    ask(stage, view)
    rows = list_of(view)
    view.activateWindow()
    rows.setFocus()
    stage.until(rows.hasFocus)
    rows.setCurrentIndex(rows.model().index(0, 0))
    QTest.keyClick(rows, Qt.Key.Key_Down)
    head = rows.rows.heads[1]
    assert stage.model.hovered_head == head
    override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier)
    override.ignore()
    QApplication.sendEvent(rows, override)
    assert override.isAccepted()
    was_chosen = head in stage.model.chosen
    QTest.keyClick(rows, Qt.Key.Key_Return)
    assert (head in stage.model.chosen) != was_chosen


def test_buttons_choose_the_best_and_add_them(stage, view):
    ask(stage, view, 1)
    best = list_of(view).rows.heads
    count = child_of(view, "lookHereCount")
    assert isinstance(count, QSpinBox)
    assert count.value() == stage.model.model_info.recommended.n
    count.setValue(3)
    press(view, "lookHereChoose")
    assert set(stage.model.chosen) == set(best[:3])
    ask(stage, view, 5)
    stage.until(lambda: list_of(view).rows.heads[:3] != best[:3])
    others = list_of(view).rows.heads
    count.setValue(2)
    press(view, "lookHereAdd")
    assert set(stage.model.chosen) == {*best[:3], *others[:2]}


def test_another_token_sorts_anew_but_not_beneath_the_pointer(stage, view, monkeypatch):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.model.cursor = Cursor("baseline", 0, 0)
    ask(stage, view)
    before, masses = list_of(view).rows.heads, stage.model.live_mass_LH
    monkeypatch.setattr(LookList, "held", property(lambda _: True))
    stage.model.cursor = Cursor("baseline", 4, 4)
    stage.until(lambda: stage.model.live_mass_LH is not masses)
    rows = list_of(view).rows
    assert rows.heads == before and list(rows.masses) != sorted(rows.masses, reverse=True)
    monkeypatch.setattr(LookList, "held", property(lambda _: False))
    stage.model.cursor = Cursor("baseline", 5, 5)
    stage.until(lambda: list_of(view).rows.heads != before)
    assert list(list_of(view).rows.masses) == sorted(list_of(view).rows.masses, reverse=True)


def test_what_is_missing_is_said(stage, view):
    ask(stage, view)
    region_id = stage.model.regions.ids[0]
    stage.controller.editor.clear_region(region_id)
    stage.until(lambda: "No cell is selected" in note_of(view))
    assert not list_of(view).isVisible()
    stage.controller.editor.undo()
    stage.until(lambda: list_of(view).isVisible())


def test_heads_that_the_model_lacks_are_left_out(stage, view):
    ask(stage, view)
    masses_LH = stage.model.live_mass_LH.copy()
    masses_LH[2, 3] = np.nan
    stage.model.live_mass_LH = masses_LH
    assert Head(2, 3) not in list_of(view).rows.heads
    assert len(list_of(view).rows.heads) == masses_LH.size - 1


def test_a_row_is_read_out_in_words(stage, view):
    ask(stage, view)
    rows = list_of(view)
    said = rows.model().data(rows.model().index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert said == rows.rows.sentence(0)
    assert said.startswith(f"{rows.rows.heads[0]}: ") and "in the ranking" in said
