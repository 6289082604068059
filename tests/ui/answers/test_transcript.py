"""The transcript on the screen: it streams, is pointed at, and says in every state what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from gazeviz.app.session.values import Cursor
from gazeviz.ui.answers.transcript import TranscriptView
from gazeviz.ui.shell.commands import cursor_commands
from gazeviz.ui.widgets.token_flow import LINE_PX
from tests.app.fixtures.staging import OpenStage, Stage
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import Painted, child_of
from tests.ui.fixtures.steering_stage import steering_stage
from tests.ui.fixtures.transcript_stage import (
    CAPTIONS,
    N_SAID,
    aim,
    click,
    column,
    cursor_of,
    flow,
    press,
    push,
    run,
    shown,
    verdict,
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


# What is shown


def test_both_answers_are_shown_with_how_they_were_asked(stage, view):
    run(stage)
    assert column(view, "baseline").header.text == "Baseline  no steering"
    assert column(view).header.text == "Steered  9 heads → Panel 4 · boost/suppress · 8 · all rows"
    assert flow(view).n_tok == flow(view, "baseline").n_tok == N_SAID
    stage.model.steering = replace(stage.model.steering, strength=2.0)
    assert "· 8 ·" in column(view).header.text  # the run's, and not what is set now


def test_tokens_arrive_one_by_one_and_only_what_is_new_is_painted(open_stage, qtbot):
    stage = open_stage()
    view = shown(stage, qtbot)
    stage.model.prompt = "Narrate each panel"
    aim(stage)
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(4)
    stage.until(lambda: flow(view).n_tok == 4)
    stage.until_drawn()
    qtbot.until_quiet()
    painted = Painted(flow(view).viewport())
    stage.backend.pace.allow(1)
    stage.until(lambda: flow(view).n_tok == 5 and not painted.region.isEmpty())
    box = painted.region.boundingRect()
    touched = flow(view).box_of(3).united(flow(view).box_of(4)).adjusted(-4, -4, 4, 12)
    assert touched.contains(box)
    assert "token 5 of at most 60" in verdict(view)


def test_the_end_of_a_long_text_stays_in_sight_unless_somebody_looks_elsewhere(stage, view):
    stage.model.prompt = "Narrate each panel"
    run(stage)
    bar = flow(view).verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    press(flow(view), Qt.Key.Key_Home)
    assert bar.value() == 0
    view.resize(600, 170)
    assert bar.value() == 0


@pytest.mark.parametrize("height_px", [60, 100, 130, 170, 400])
def test_however_low_the_view_the_newest_token_is_in_sight(stage, view, height_px):
    stage.model.prompt = "Narrate each panel"
    aim(stage)
    view.setMinimumHeight(0)
    flow(view).setFixedHeight(height_px // 2)
    stage.controller.run("steered")
    stage.until_ended()
    box, room = flow(view).box_of(flow(view).n_tok - 1), flow(view).viewport().rect()
    assert room.contains(box.center())
    assert flow(view).verticalScrollBar().value() % LINE_PX == 0


def test_colours_follow_the_choice_and_the_region_list(stage, view, qtbot):
    run(stage)
    image = flow(view).grab().toImage()
    view.tint.chosen.emit("target")
    assert flow(view).grab().toImage() == image  # it looks where it is pointed
    baseline = flow(view, "baseline").grab().toImage()
    view.tint.chosen.emit("looks_at")
    assert flow(view, "baseline").grab().toImage() != baseline  # a baseline has no target
    stage.controller.editor.recolour_region(stage.model.regions.ids[3], "#F0E442")
    assert flow(view).grab().toImage() != image


# The cursor


def test_a_click_points_at_a_token_and_shift_spans_up_to_another(stage, view):
    run(stage)
    click(flow(view), 2)
    assert stage.model.cursor == Cursor("steered", 2, 2)
    click(flow(view), 5, shift=True)
    assert stage.model.cursor == Cursor("steered", 2, 5)
    click(flow(view), 0, shift=True)
    assert stage.model.cursor == Cursor("steered", 0, 2)
    click(flow(view, "baseline"), 1)
    assert stage.model.cursor == Cursor("baseline", 1, 1)


def test_a_drag_spans_tokens(stage, view):
    run(stage)
    tokens = flow(view)
    QTest.mousePress(tokens.viewport(), Qt.MouseButton.LeftButton, pos=tokens.box_of(4).center())
    QTest.mouseMove(tokens.viewport(), tokens.box_of(1).center())
    assert stage.model.cursor == Cursor("steered", 1, 4)
    QTest.mouseMove(tokens.viewport(), tokens.box_of(6).center())
    QTest.mouseRelease(tokens.viewport(), Qt.MouseButton.LeftButton, pos=tokens.box_of(6).center())
    assert stage.model.cursor == Cursor("steered", 4, 6)


def test_arrows_walk_extend_and_let_go(stage, view):
    run(stage)
    tokens, last = flow(view), N_SAID - 1
    press(tokens, Qt.Key.Key_Left)
    assert stage.model.cursor == Cursor("steered", last - 1, last - 1)
    press(tokens, Qt.Key.Key_Left, shift=True)
    press(tokens, Qt.Key.Key_Left, shift=True)
    assert stage.model.cursor == Cursor("steered", last - 3, last - 1)
    press(tokens, Qt.Key.Key_Right, shift=True)
    assert stage.model.cursor == Cursor("steered", last - 2, last - 1)
    press(tokens, Qt.Key.Key_Left)
    assert stage.model.cursor == Cursor("steered", last - 3, last - 3)
    press(tokens, Qt.Key.Key_End)
    press(tokens, Qt.Key.Key_Right)
    assert stage.model.cursor == Cursor("steered", last, last)
    press(tokens, Qt.Key.Key_Home, shift=True)
    assert stage.model.cursor == Cursor("steered", 0, last)
    press(tokens, Qt.Key.Key_Escape)
    assert cursor_of(stage) == ()


def test_up_and_down_change_the_line(stage, view):
    stage.model.prompt = "Narrate each panel"
    run(stage)
    tokens = flow(view)
    click(tokens, flow(view).n_tok - 1)
    press(tokens, Qt.Key.Key_Up)
    (up,) = cursor_of(stage)
    assert up < tokens.n_tok - 2
    press(tokens, Qt.Key.Key_Down, shift=True)
    first, *_, last = cursor_of(stage)
    assert first == up < last


def test_the_windows_keys_move_the_side_that_is_looked_at(stage, view):
    keys = {command.key: command for command in cursor_commands(stage.model)}
    assert all("no answer yet" in str(command.enabled_when()) for command in keys.values())
    run(stage)
    assert all(command.enabled_when() is None for command in keys.values())
    keys["Left"].run()
    keys["Shift+Left"].run()
    assert stage.model.cursor == Cursor("steered", N_SAID - 3, N_SAID - 2)
    stage.model.cursor = Cursor("baseline", 3, 3)
    keys["Right"].run()
    assert stage.model.cursor == Cursor("baseline", 4, 4)
    keys["Home"].run()
    assert stage.model.cursor == Cursor("baseline", 0, 0)
    keys["Esc"].run()
    assert stage.model.cursor is None


def test_a_cursor_that_is_moved_elsewhere_is_shown_and_scrolled_to(stage, view):
    stage.model.prompt = "Narrate each panel"
    run(stage)
    before = flow(view).grab().toImage()
    stage.model.cursor = Cursor("steered", 0, 3)
    assert flow(view).verticalScrollBar().value() == 0
    assert flow(view).grab().toImage() != before


def test_the_tokens_own_keys_are_kept_from_the_windows_shortcuts(stage, view):
    for key, own in ((Qt.Key.Key_Left, True), (Qt.Key.Key_Escape, True), (Qt.Key.Key_B, False)):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        event.ignore()
        QApplication.sendEvent(flow(view), event)
        assert event.isAccepted() == own


def test_a_token_tells_what_is_known_about_it(stage, view):
    run(stage)
    at = flow(view).box_of(3).center()
    event = QHelpEvent(QEvent.Type.ToolTip, at, flow(view).viewport().mapToGlobal(at))
    QApplication.sendEvent(flow(view).viewport(), event)
    assert "<b>Token 3</b>" in QToolTip.text()
    assert "Panel 4" in QToolTip.text()
    nowhere = QPoint(flow(view).viewport().width() - 1, 1)
    assert flow(view).index_at(nowhere.x(), nowhere.y()) is None


def test_the_end_is_told_by_its_name_and_is_no_part_of_the_text(open_stage, qtbot):
    stage = open_stage(Script(end_token=True))
    view = shown(stage, qtbot)
    run(stage)
    tokens = flow(view)
    assert tokens.n_tok == N_SAID + 1 and tokens._lines.spellings[-1].runs == (("<|end|>", True),)
    stage.model.cursor = Cursor("steered", N_SAID, N_SAID)
    assert tokens.accessibleDescription().startswith(f"token {N_SAID}: <|end|>, looks at ")
    push(view, "steeredCopy")
    assert QGuiApplication.clipboard().text() == CAPTIONS[3]


def test_texts_are_copied(stage, view):
    run(stage)
    clipboard = QGuiApplication.clipboard()
    push(view, "steeredCopy")
    assert clipboard.text() == CAPTIONS[3]
    stage.model.cursor = Cursor("steered", 4, 5)
    QTest.keyClick(flow(view), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard.text() == " black dog"
    column(view).copy_table()
    assert len(clipboard.text().splitlines()) == N_SAID + 1


def test_another_picture_empties_both_sides(stage, view):
    run(stage)
    stage.model.show_run("steered", None)
    stage.model.show_run("baseline", None)
    assert flow(view).n_tok == flow(view, "baseline").n_tok == 0
    assert not flow(view).isVisible()


def test_everything_has_a_name_for_whoever_cannot_see_it(stage, view):
    run(stage)
    for name in ("steeredTokens", "baselineTokens", "steeredCopy", "steeredAudit", "tokenTint"):
        assert child_of(view, name).accessibleName(), name
    stage.model.cursor = Cursor("steered", 2, 2)
    assert flow(view).accessibleDescription() == "token 2: city, looks at Panel 4"
    stage.model.cursor = Cursor("steered", 4, 5)
    assert flow(view).accessibleDescription() == "tokens 4 to 5: black dog"
