"""The transcript on the screen: it streams, is pointed at, and says in every state what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QKeyEvent, QPaintEvent, QRegion
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton, QToolTip
from pytestqt.qtbot import QtBot

from gazeviz.app.session_parts import Cursor
from gazeviz.backend.scripted import GAZE_HEADS, SAYINGS, Script
from gazeviz.domain.heads import HeadSet
from gazeviz.ui.token_chips import LINE_PX
from gazeviz.ui.transcript_column import TranscriptColumn
from gazeviz.ui.transcript_cursor import Column
from gazeviz.ui.transcript_tokens import TokenFlow
from gazeviz.ui.transcript_view import TranscriptView
from tests.app.staging import OpenStage, Stage
from tests.ui.painting_stage import child_of
from tests.ui.steering_stage import steering_stage

N_SAID = len(SAYINGS[0])
CAPTIONS = tuple("".join(saying) for saying in SAYINGS)


@pytest.fixture
def open_stage(qtbot: QtBot, tmp_path: Path) -> Iterator[OpenStage]:
    with steering_stage(qtbot, tmp_path) as open_one:
        yield open_one


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    return open_stage()


@pytest.fixture
def view(stage: Stage, qtbot: QtBot) -> TranscriptView:
    return shown(stage, qtbot)


def shown(stage: Stage, qtbot: QtBot, width_px: int = 731, height_px: int = 170) -> TranscriptView:
    view = TranscriptView(stage.model, stage.controller)
    qtbot.addWidget(view)
    view.resize(width_px, height_px)
    view.show()
    return view


def aim(stage: Stage, panel: int = 3) -> None:
    """Point the gaze heads at a panel, counted from 0."""
    stage.model.chosen = HeadSet(GAZE_HEADS)
    stage.model.target_region_id = stage.model.regions.ids[panel]


def run(stage: Stage, panel: int = 3) -> None:
    aim(stage, panel)
    stage.controller.run()
    stage.until_ended()


def column(view: TranscriptView, side: Column = "steered") -> TranscriptColumn:
    return view.columns[side]


def flow(view: TranscriptView, side: Column = "steered") -> TokenFlow:
    return view.columns[side].flow


def click(flow: TokenFlow, index: int, shift: bool = False) -> None:
    keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(flow.viewport(), Qt.MouseButton.LeftButton, keys, flow.box_of(index).center())


def press(flow: TokenFlow, key: Qt.Key, shift: bool = False) -> None:
    QTest.keyClick(flow, key, Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier)


def cursor_of(stage: Stage) -> tuple[int, ...]:
    """The tokens under the cursor."""
    return stage.model.cursor.steps if stage.model.cursor is not None else ()


def words(view: TranscriptView, side: Column = "steered") -> str:
    """What the state of a side says; "" while it says nothing."""
    situation = column(view, side).state.situation
    return f"{situation.sentence} {situation.next_step}".strip() if situation is not None else ""


def verdict(view: TranscriptView, side: Column = "steered") -> str:
    label = child_of(view, f"{side}Verdict")
    assert isinstance(label, QLabel)
    return label.accessibleName() if column(view, side).verdict.isVisible() else ""


def push(view: TranscriptView, name: str) -> None:
    button = child_of(view, name)
    assert isinstance(button, QPushButton | QToolButton) and button.isVisible(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


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
    qtbot.wait(20)
    painted = Painted(flow(view))
    stage.backend.pace.allow(1)
    stage.until(lambda: flow(view).n_tok == 5 and not painted.region.isEmpty())
    box = painted.region.boundingRect()
    touched = flow(view).box_of(3).united(flow(view).box_of(4)).adjusted(-4, -4, 4, 12)
    assert touched.contains(box)
    assert "token 5 of at most 60" in verdict(view)


class Painted(QObject):
    """What a flow paints from now on."""

    def __init__(self, flow: TokenFlow) -> None:
        super().__init__(flow)
        self.region = QRegion()
        flow.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.region = self.region.united(event.region())
        return False


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
    view.step_cursor(1)
    assert cursor_of(stage) == ()  # nothing is written yet
    run(stage)
    view.step_cursor(-1)
    view.step_cursor(-1, extend=True)
    assert stage.model.cursor == Cursor("steered", N_SAID - 3, N_SAID - 2)
    stage.model.cursor = Cursor("baseline", 3, 3)
    view.step_cursor(1)
    assert stage.model.cursor == Cursor("baseline", 4, 4)
    view.go_to_end(last=False)
    assert stage.model.cursor == Cursor("baseline", 0, 0)
    view.follow_newest()
    assert cursor_of(stage) == ()


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


# States


def test_before_anything_is_run_each_side_says_what_is_missing(stage, view):
    stage.model.chosen = HeadSet(())
    stage.model.target_region_id = None
    assert "Run asks the model" in words(view, "baseline")
    assert "No region is the target" in words(view)
    aim(stage)
    assert words(view) == "9 heads will be pointed at Panel 4."
    stage.model.prompt = ""
    assert "prompt is empty" in words(view, "baseline")
    stage.model.prompt = "What?"
    push(view, "baselineStateButton")
    stage.until_ended()
    assert flow(view).n_tok and flow(view, "baseline").n_tok


def test_a_run_that_waits_reads_and_writes_says_so(open_stage, qtbot):
    stage = open_stage()
    view = shown(stage, qtbot)
    aim(stage)
    stage.backend.pace.hold()
    stage.controller.run()
    assert "Waits for the baseline" in words(view)
    assert "reads picture and prompt" in words(view, "baseline")
    stage.backend.pace.allow(2)
    stage.until(lambda: flow(view, "baseline").n_tok == 2)
    assert words(view, "baseline") == ""
    assert verdict(view, "baseline").startswith("writing")
    push(view, "steeredStateButton")
    stage.backend.pace.free()
    stage.until_ended("baseline")
    assert "before it began" in words(view)
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
    assert "Another worker is ready." in words(view)
    push(view, "steeredStateButton")
    stage.until(lambda: stage.shown("steered").state == "done")
    assert flow(view).n_tok == N_SAID


def test_a_worker_that_is_gone_for_good_can_be_restarted(stage, view):
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
    assert words(view) == "Junk: the text loops. Steer less hard, or with fewer heads."
    push(view, "steeredStateButton")
    assert stage.model.steering.strength == 4.0
    stage.until(lambda: stage.shown("steered").id != record.id and stage.shown("steered").ended)
    assert "· 4 ·" in column(view).header.text


def test_a_loop_is_warned_of_while_it_is_written(stage, view, monkeypatch):
    monkeypatch.setattr("gazeviz.ui.transcript_column.junk_kind", lambda text: "looping")
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
    assert words(view) == "It was cut at 3 tokens. Allow more tokens to let it end."


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
