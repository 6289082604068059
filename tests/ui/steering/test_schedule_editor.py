"""The schedule: blocks are added, moved, aimed and taken out by mouse and keyboard; runs show their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QSpinBox

from gazeviz.app.session.values import Cursor
from gazeviz.domain.heads import HeadSet
from gazeviz.ui.steering import schedule_axis as axis
from gazeviz.ui.steering.schedule_axis import Ran, Scale
from gazeviz.ui.steering.schedule_editor import ScheduleBar, ScheduleView
from gazeviz.ui.widgets.controls import ElidedLabel
from tests.app.fixtures.staging import N_PANELS, OpenStage, Stage
from tests.fakes.scripted import GAZE_HEADS, SAYINGS
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of
from tests.ui.fixtures.steering_stage import steering_stage

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
PLAIN = Qt.KeyboardModifier.NoModifier
MIDDLE_Y = round(axis.PLAN_TOP + axis.PLAN_PX / 2)


@pytest.fixture
def open_stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[OpenStage]:
    with steering_stage(qtbot, tmp_path) as open_one:
        yield open_one


@pytest.fixture
def stage(open_stage: OpenStage) -> Stage:
    stage = open_stage()
    stage.model.generation = replace(stage.model.generation, max_new_tokens=48)
    stage.model.chosen = HeadSet(GAZE_HEADS)
    return stage


@pytest.fixture
def bar(stage: Stage, qtbot: PatientBot) -> ScheduleBar:
    bar = ScheduleBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    bar.resize(700, 100)
    bar.show()
    return bar


def place(view: ScheduleView, token: float) -> QPoint:
    return QPoint(round(view.scale.x_of(token)), MIDDLE_Y)


def drag(view: ScheduleView, start: float, end: float) -> None:
    QTest.mousePress(view, LEFT, PLAIN, place(view, start))
    for token in (start + (end - start) / 2, end):
        QTest.mouseMove(view, place(view, token))
        send_move(view, place(view, token))
    QTest.mouseRelease(view, LEFT, PLAIN, place(view, end))


def send_move(view: ScheduleView, at: QPoint) -> None:
    """A move with the button held, which QTest does not tell."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(at),
        view.mapToGlobal(QPointF(at)),
        Qt.MouseButton.NoButton,
        LEFT,
        PLAIN,
    )
    QApplication.sendEvent(view, event)


def ids(stage: Stage) -> tuple[int, ...]:
    return stage.model.regions.ids


def note(bar: ScheduleBar) -> str:
    label = child_of(bar, "scheduleNote")
    assert isinstance(label, ElidedLabel)
    return label.whole


def lay_out(bar: ScheduleBar, order: str, every_tok: int) -> None:
    box = child_of(bar, "scheduleEvery")
    assert isinstance(box, QSpinBox)
    box.setValue(every_tok)
    action = bar.findChild(QAction, f"steering.schedule_{order}")
    assert isinstance(action, QAction)
    action.trigger()


# Layouts


def test_the_target_moves_through_all_panels(stage, bar):
    lay_out(bar, "forwards", 8)
    assert stage.model.schedule == tuple((8 * k, region_id) for k, region_id in enumerate(ids(stage)))
    assert stage.model.generation.max_new_tokens == 8 * N_PANELS
    lay_out(bar, "backwards", 12)
    assert stage.model.schedule[0] == (0, ids(stage)[-1]) and stage.model.schedule[1][0] == 12
    stage.controller.editor.undo()
    assert stage.model.schedule[1] == (8, ids(stage)[1])


def test_mixed_leaves_no_panel_in_its_place_and_differs_from_time_to_time(stage, bar):
    seen = set()
    for _ in range(8):
        lay_out(bar, "mixed", 8)
        order = tuple(region_id for _, region_id in stage.model.schedule)
        assert sorted(order) == sorted(ids(stage))
        assert all(now != usual for now, usual in zip(order, ids(stage), strict=True))
        seen.add(order)
    assert len(seen) > 1


def test_without_panels_painted_regions_take_turns(stage, bar):
    stage.controller.apply_layout(None)
    lay_out(bar, "forwards", 8)
    assert "no region to move the target to" in stage.model.notice.sentence and not stage.model.schedule
    for left in (10, 200):
        stage.model.active_region_id = stage.controller.editor.add_region()
        stage.controller.editor.paint_rectangle((left, 4), (left + 100, 60))
    lay_out(bar, "forwards", 5)
    assert stage.model.schedule == ((0, ids(stage)[0]), (5, ids(stage)[1]))


def test_clear_takes_all_out(stage, bar):
    clear = child_of(bar, "scheduleClear")
    assert isinstance(clear, QAbstractButton) and not clear.isEnabled()
    lay_out(bar, "forwards", 8)
    QTest.mouseClick(clear, LEFT)
    assert stage.model.schedule == ()
    stage.controller.editor.undo()
    assert len(stage.model.schedule) == N_PANELS


def test_the_note_says_what_is_to_be_known(stage, bar):
    assert note(bar).startswith("none")
    stage.model.schedule = ((0, ids(stage)[0]), (8, ids(stage)[1]))
    assert "answer's rows" in note(bar)
    stage.model.steering = replace(stage.model.steering, scope="decode_only")
    assert note(bar).startswith("2 targets in turn")
    stage.model.generation = replace(stage.model.generation, max_new_tokens=6)
    assert note(bar).startswith("1 of 2 begin after the answer's end")


# Mouse


def test_a_drag_lays_a_block_and_is_one_step(stage, bar):
    stage.controller.retarget(ids(stage)[3])
    steps = stage.controller.editor.undo_stack.index()
    drag(bar.view, 8, 16)
    assert stage.model.schedule == ((8, ids(stage)[4]), (16, ids(stage)[3])), (
        "the next region, then the target"
    )
    assert stage.controller.editor.undo_stack.index() == steps + 1 and bar.view.selected == 0
    drag(bar.view, 30, 24)
    assert stage.model.schedule[2:] == ((24, ids(stage)[4]), (30, ids(stage)[3]))


def test_without_a_target_the_heads_are_free_around_a_block(stage, bar):
    drag(bar.view, 8, 16)
    assert stage.model.schedule == ((0, None), (8, ids(stage)[0]), (16, None))


def test_an_edge_is_dragged_and_stops_at_its_neighbours(stage, bar):
    stage.model.schedule = ((0, ids(stage)[0]), (16, ids(stage)[1]), (32, ids(stage)[2]))
    drag(bar.view, 16, 20)
    assert stage.model.schedule[1] == (20, ids(stage)[1])
    drag(bar.view, 20, 47)
    assert stage.model.schedule[1] == (31, ids(stage)[1])


def test_a_drag_is_shown_before_it_is_made_and_escape_aborts_it(stage, bar):
    stage.model.schedule = ((0, ids(stage)[0]), (16, ids(stage)[1]))
    before = stage.model.schedule
    QTest.mousePress(bar.view, LEFT, PLAIN, place(bar.view, 16))
    send_move(bar.view, place(bar.view, 24))
    assert bar.view.plan()[1][0] == 24 and stage.model.schedule == before
    QTest.keyClick(bar.view, Qt.Key.Key_Escape)
    assert bar.view.plan() == before
    QTest.mouseRelease(bar.view, LEFT, PLAIN, place(bar.view, 24))
    assert stage.model.schedule == before


def test_a_click_changes_nothing_but_the_selection(stage, bar):
    stage.model.schedule = ((0, ids(stage)[0]), (16, ids(stage)[1]))
    steps = stage.controller.editor.undo_stack.index()
    QTest.mouseClick(bar.view, LEFT, PLAIN, place(bar.view, 30))
    assert bar.view.selected == 1 and stage.controller.editor.undo_stack.index() == steps


def test_the_menu_aims_takes_out_and_clears(stage, bar):
    stage.model.schedule = ((0, ids(stage)[0]), (16, ids(stage)[1]), (32, ids(stage)[2]))

    def trigger(name: str) -> None:
        block = axis.blocks_of(stage.model, stage.model.schedule)[1]
        menu = bar.view.make_menu(block)
        action = menu.findChild(QAction, name)
        assert isinstance(action, QAction)
        action.trigger()
        menu.deleteLater()

    trigger("block.target_6")
    assert stage.model.schedule[1] == (16, ids(stage)[5])
    trigger("block.no_target")
    assert stage.model.schedule[1] == (16, None)
    trigger("block.remove")
    assert stage.model.schedule == ((0, ids(stage)[0]), (32, ids(stage)[2]))
    trigger("steering.clear_schedule")
    assert stage.model.schedule == ()


def test_aiming_what_holds_before_the_first_turn_lays_a_block(stage, bar):
    stage.controller.retarget(ids(stage)[0])
    stage.model.schedule = ((16, ids(stage)[1]),)
    bar.view.aim(ids(stage)[4], axis.blocks_of(stage.model, stage.model.schedule)[0])
    assert stage.model.schedule == ((0, ids(stage)[4]), (16, ids(stage)[1]))


# Keyboard


def test_the_keyboard_does_it_all(stage, bar):
    stage.model.schedule = ((0, ids(stage)[0]), (16, ids(stage)[1]), (32, ids(stage)[2]))
    view = bar.view
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.selected == 1 and "selected: Panel 2 from token 16" in view.accessibleDescription()
    QTest.keyClick(view, Qt.Key.Key_Right, SHIFT)
    assert stage.model.schedule[1][0] == 17
    QTest.keyClick(view, Qt.Key.Key_Left, SHIFT)
    QTest.keyClick(view, Qt.Key.Key_Left, SHIFT)
    assert stage.model.schedule[1][0] == 15
    QTest.keyClick(view, Qt.Key.Key_6)
    assert stage.model.schedule[1] == (15, ids(stage)[5])
    QTest.keyClick(view, Qt.Key.Key_0)
    assert stage.model.schedule[1] == (15, None)
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert stage.model.schedule == ((0, ids(stage)[0]), (32, ids(stage)[2]))
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Backspace)
    assert len(stage.model.schedule) == 1 and view.selected in (None, 0)


@pytest.mark.parametrize(
    ("key", "modifiers", "taken"),
    [
        (Qt.Key.Key_4, PLAIN, True),
        (Qt.Key.Key_Left, PLAIN, True),
        (Qt.Key.Key_Left, SHIFT, True),
        (Qt.Key.Key_Delete, PLAIN, True),
        (Qt.Key.Key_Space, PLAIN, False),
        (Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier, False),
        (Qt.Key.Key_B, PLAIN, False),
    ],
)
def test_its_keys_are_kept_from_the_windows_shortcuts(bar, key, modifiers, taken):
    event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifiers)
    event.ignore()
    QApplication.sendEvent(bar.view, event)
    assert event.isAccepted() == taken


# What became of it


def test_a_run_shows_its_targets_as_they_were(stage, bar):
    lay_out(bar, "backwards", 8)
    stage.model.prompt = "Describe each of the panels."
    stage.controller.run("steered")
    record = stage.until_ended()
    parts = axis.ran(record)
    assert [part.name for part in parts] == [f"Panel {k}" for k in range(N_PANELS, 0, -1)]
    assert parts[0] == Ran(0, 8, "Panel 6") and parts[-1].end == len(record.steps)
    said = "".join(SAYINGS[5]).strip()
    assert record.text.strip().startswith(said)


def test_a_switch_by_hand_is_drawn_where_it_happened(stage, bar, qtbot):
    stage.controller.retarget(ids(stage)[0])
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(3)
    stage.until(lambda: len(stage.shown("steered").steps) == 3)
    stage.controller.retarget(ids(stage)[3])
    stage.backend.settle()
    stage.backend.pace.free()
    record = stage.until_ended()
    parts = axis.ran(record)
    assert [part.name for part in parts] == ["Panel 1", "Panel 4"] and 3 <= parts[1].first <= 4
    stage.model.cursor = Cursor("steered", parts[1].first, parts[1].first)
    image = bar.view.grab().toImage()
    ratio = image.devicePixelRatio()
    seen = []
    for part in parts:
        x = bar.view.scale.x_of((part.first + part.end) / 2)
        seen.append(image.pixelColor(int(x * ratio), int((axis.RAN_TOP + axis.RAN_PX / 2) * ratio)).name())
    assert seen == [stage.model.regions.of(ids(stage)[k]).colour.lower() for k in (0, 3)]


def test_a_region_that_is_gone_keeps_its_colour_in_the_run(stage, bar):
    stage.controller.retarget(ids(stage)[3])
    stage.controller.run("steered")
    record = stage.until_ended()
    colour = stage.model.regions.of(ids(stage)[3]).colour
    stage.controller.editor.remove_region(ids(stage)[3])
    assert axis.look_named(stage.model, record, "Panel 4").colour == colour
    assert axis.look_named(stage.model, record, "").name == "no target"


def test_tokens_and_pixels_agree():
    scale = Scale(48, 700)
    for token in range(48):
        assert scale.token_at(scale.x_of(token + 0.5)) == token
        assert scale.edge_at(scale.x_of(token)) == token
    assert (scale.token_at(-100), scale.token_at(9999)) == (0, 47)
    for length_tok in (2, 15, 48, 300, 4096):
        ticks = Scale(length_tok, 700).ticks
        assert 1 <= len(ticks) <= 16 and ticks[0] == 0


def test_the_axis_is_as_long_as_the_answer_may_be(stage, bar):
    assert bar.view.scale.length_tok == 48
    stage.model.generation = replace(stage.model.generation, max_new_tokens=300)
    assert bar.view.scale.length_tok == 300


def test_it_says_in_words_what_is_drawn(stage, bar):
    assert bar.view.accessibleName().endswith("none")
    stage.model.schedule = ((0, ids(stage)[0]), (16, None))
    assert "Panel 1 from token 0, no target from token 16" in bar.view.accessibleName()
    assert "Panel 1</b>: tokens 0 to 15" in bar.view.tip_at(bar.view.scale.x_of(4))
    for name in ("scheduleClear", "scheduleEvery", "scheduleOrders"):
        widget = child_of(bar, name)
        assert widget.accessibleName() and widget.toolTip()
