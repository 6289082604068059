"""Keys of the window: they act where no text is typed, and leave a focused control what it needs itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QMenu, QPushButton, QSlider, QVBoxLayout, QWidget

from gazeviz.ui.heads.head_commands import choice_commands
from gazeviz.ui.heads.heads_panel import ChoiceBar
from gazeviz.ui.shell.actions import Actions, needs_key
from gazeviz.ui.shell.commands import (
    cursor_commands,
    keys_page,
    target_commands,
    tool_commands,
)
from gazeviz.ui.widgets.command import Command, add_commands
from gazeviz.ui.widgets.controls import OWNS_ESCAPE
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import PaintingStage, open_painting_stage

Key = Qt.Key


@pytest.fixture
def stage() -> Iterator[PaintingStage]:
    stage = open_painting_stage()
    yield stage
    stage.close()


@pytest.fixture
def window(qtbot: PatientBot) -> Iterator[QWidget]:
    """A window with a line to type in, a button and a slider, and a plain place."""
    window = QWidget()
    layout = QVBoxLayout(window)
    for widget, name in (
        (QLineEdit(), "line"),
        (QPushButton("Press"), "button"),
        (QSlider(Qt.Orientation.Horizontal), "slider"),
        (QWidget(), "place"),
    ):
        widget.setObjectName(name)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout.addWidget(widget)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window


def press(qtbot: PatientBot, window: QWidget, name: str, key: Key) -> None:
    """Focus a control by name and press a key there."""
    widget = window.findChild(QWidget, name)
    assert widget is not None
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    qtbot.keyClick(widget, key)


@pytest.mark.parametrize(
    ("focused", "key", "acts"),
    [
        ("place", Key.Key_B, True), ("line", Key.Key_B, False), ("slider", Key.Key_B, True),
        ("place", Key.Key_Space, True), ("line", Key.Key_Space, False), ("button", Key.Key_Space, False),
        ("place", Key.Key_Left, True), ("slider", Key.Key_Left, False), ("line", Key.Key_Left, False),
    ],
)  # fmt: skip
def test_a_key_acts_unless_the_focused_control_needs_it(qtbot, window, focused, key, acts):
    done: list[str] = []
    names = {Key.Key_B: "B", Key.Key_Space: "Space", Key.Key_Left: "Left"}
    Actions(window, [Command("test.it", "It", names[key], "does it", lambda: done.append("done"))])
    press(qtbot, window, focused, key)
    assert bool(done) is acts


def test_a_button_is_still_pressed_by_space(qtbot, window):
    Actions(window, [Command("test.run", "Run", "Space", "runs", lambda: None)])
    button = window.findChild(QPushButton)
    with qtbot.waitSignal(button.clicked):
        press(qtbot, window, "button", Key.Key_Space)


def test_a_widget_can_claim_esc(qtbot):
    line = QWidget()
    qtbot.addWidget(line)
    assert not needs_key(line, Key.Key_Escape)
    line.setProperty(OWNS_ESCAPE, True)
    assert needs_key(line, Key.Key_Escape) and not needs_key(line, Key.Key_B)


@pytest.fixture
def switch(window: QWidget) -> tuple[list[str], list[str], Actions]:
    """What is in the way of a command of key X, what was done and said, and the command as an action."""
    in_the_way: list[str] = ["Nothing is open. Open something."]
    happened: list[str] = []
    command = Command("test.it", "It", "X", "Does it.", lambda: happened.append("done"),
                      lambda: in_the_way[0] if in_the_way else None)  # fmt: skip
    tokens = Command("tokens.next", "Next", "Right", "Goes on.", lambda: happened.append("moved"),
                     lambda: "No token.")  # fmt: skip
    actions = Actions(window, [command, tokens], refuse=lambda reason, group: happened.append(reason))
    return in_the_way, happened, actions


def test_a_key_that_cannot_act_says_why(qtbot, window, switch):
    in_the_way, happened, _ = switch
    press(qtbot, window, "place", Key.Key_X)
    assert happened == ["Nothing is open. Open something."]
    press(qtbot, window, "place", Key.Key_Right)
    assert len(happened) == 1  # an arrow with nowhere to go says nothing
    in_the_way.clear()
    press(qtbot, window, "place", Key.Key_X)
    assert happened[1:] == ["done"]


def test_a_menu_is_grey_with_its_reason_and_keys_act_again_after_it(qtbot, window, switch):
    in_the_way, _, actions = switch
    menu = QMenu(window)
    actions.fill(menu)
    submenu = menu.findChildren(QMenu)[0]
    assert submenu.title() == "Test"
    submenu.aboutToShow.emit()
    action = actions.action("test.it")
    assert not action.isEnabled() and action.toolTip() == in_the_way[0]
    submenu.aboutToHide.emit()
    assert action.isEnabled()
    in_the_way.clear()
    submenu.aboutToShow.emit()
    assert action.isEnabled() and action.toolTip() == "Does it.  X"


def test_a_context_menu_shows_key_tick_and_reason(qtbot, window):
    done: list[str] = []
    menu = QMenu(window)
    on, off = add_commands(menu, [
        Command("a.on", "R&D", "X", "Does it.", lambda: done.append("on"), checked=lambda: True),
        Command("a.off", "Off", "", "Does it.", lambda: done.append("off"), lambda: "Not now."),
    ])  # fmt: skip
    assert (on.text(), on.isChecked(), on.isEnabled()) == ("R&&D\tX", True, True)
    assert (off.isEnabled(), off.toolTip()) == (False, "Not now.")
    on.trigger()
    assert done == ["on"]


def test_keys_of_another_tab_are_off(qtbot, window, switch):
    in_the_way, happened, actions = switch
    in_the_way.clear()
    actions.enable(("test",), False)
    press(qtbot, window, "place", Key.Key_X)
    assert happened == []
    assert actions.reason(actions.named("test.it")) == "Go to the Explore tab: Alt+1."
    actions.enable(("test",), True)
    press(qtbot, window, "place", Key.Key_X)
    assert happened == ["done"]


def test_tools_have_the_keys_that_the_bar_shows(stage: PaintingStage):
    by_name = {command.title: command for command in tool_commands(stage.model)}
    by_name["Brush"].run()
    assert stage.model.tool == "brush" and by_name["Brush"].key == "B"
    before = stage.model.brush_px
    by_name["Larger brush"].run()
    assert stage.model.brush_px > before
    by_name["Smaller brush"].run()
    assert stage.model.brush_px <= before
    stage.model.brush_px = 1
    by_name["Larger brush"].run()
    assert stage.model.brush_px == 2


def test_digits_aim_at_regions_and_beyond_the_list_at_nothing(stage: PaintingStage):
    stage.show(layout="1x3")
    by_name = {command.key: command for command in target_commands(stage.model, stage.controller)}
    by_name["2"].run()
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    assert "no region 9" in str(by_name["9"].enabled_when())
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    by_name["0"].run()
    assert stage.model.target_region_id is None


def test_without_tokens_the_cursor_stays(stage: PaintingStage):
    for command in cursor_commands(stage.model):
        command.run()
    assert stage.model.cursor is None


def test_heads_cannot_be_chosen_without_a_model_and_the_notice_says_so(stage: PaintingStage):
    bar = ChoiceBar(stage.model, stage.controller)
    by_name = {command.title: command for command in choice_commands(stage.model, stage.controller, bar)}
    by_name["Choose all heads"].run()
    assert "model" in stage.notice
    assert "No model" in str(by_name["Choose all heads"].enabled_when())


def test_the_page_of_keys_lists_every_command_once() -> None:
    page = keys_page([
        Command("run.toggle", "Run or stop", "Space", "Runs.", lambda: None),
        Command("view.a", "A | B", "", "Shows it.", lambda: None),
        Command("run.stop", "Stop", "", "Stops.", lambda: None),
    ])  # fmt: skip
    lines = page.splitlines()
    assert lines[0] == "# Commands and keys"
    assert [line for line in lines if line.startswith("## ")] == ["## Run", "## View"]
    assert "| Run or stop | `Space` | Runs. |" in lines and "| Stop |  | Stops. |" in lines
    assert r"| A \| B |  | Shows it. |" in lines
