"""Keys of the window: they act where no text is typed, and leave a focused control what it needs itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPushButton, QSlider, QVBoxLayout, QWidget

from gazeviz.ui.shell.commands import (
    Actions,
    Deed,
    cursor_deeds,
    head_deeds,
    needs_key,
    target_deeds,
    tool_deeds,
)
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
    deed = Deed("Test", "deed", names[key], "does it", lambda: done.append("done"))
    Actions(window, [deed])
    press(qtbot, window, focused, key)
    assert bool(done) is acts


def test_a_button_is_still_pressed_by_space(qtbot, window):
    Actions(window, [Deed("Test", "run", "Space", "runs", lambda: None)])
    button = window.findChild(QPushButton)
    with qtbot.waitSignal(button.clicked):
        press(qtbot, window, "button", Key.Key_Space)


def test_a_widget_can_claim_esc(qtbot):
    line = QWidget()
    qtbot.addWidget(line)
    assert not needs_key(line, Key.Key_Escape)
    line.setProperty(OWNS_ESCAPE, True)
    assert needs_key(line, Key.Key_Escape) and not needs_key(line, Key.Key_B)


def test_tools_have_the_keys_that_the_bar_shows(stage: PaintingStage):
    deeds = {deed.name: deed for deed in tool_deeds(stage.model)}
    deeds["Brush"].run()
    assert stage.model.tool == "brush" and deeds["Brush"].key == "B"
    before = stage.model.brush_px
    deeds["Larger brush"].run()
    assert stage.model.brush_px > before
    deeds["Smaller brush"].run()
    assert stage.model.brush_px <= before
    stage.model.brush_px = 1
    deeds["Larger brush"].run()
    assert stage.model.brush_px == 2


def test_digits_aim_at_regions_and_beyond_the_list_at_nothing(stage: PaintingStage):
    stage.show(layout="1x3")
    deeds = {deed.key: deed for deed in target_deeds(stage.model, stage.controller)}
    deeds["2"].run()
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    deeds["9"].run()
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    deeds["0"].run()
    assert stage.model.target_region_id is None


def test_without_tokens_the_cursor_stays(stage: PaintingStage):
    for deed in cursor_deeds(stage.model):
        deed.run()
    assert stage.model.cursor is None


def test_heads_cannot_be_chosen_without_a_model_and_the_notice_says_so(stage: PaintingStage):
    deeds = {deed.name: deed for deed in head_deeds(stage.model, stage.controller)}
    deeds["Choose all heads"].run()
    assert "model" in stage.notice


def test_every_deed_says_what_it_does_and_no_key_is_given_twice(stage: PaintingStage):
    model, controller = stage.model, stage.controller
    deeds = [
        *tool_deeds(model), *target_deeds(model, controller),
        *head_deeds(model, controller), *cursor_deeds(model),
    ]  # fmt: skip
    keys = [deed.key for deed in deeds if deed.key]
    assert len(keys) == len(set(keys))
    assert all(deed.does.endswith((".", "?")) or ":" in deed.does for deed in deeds)
