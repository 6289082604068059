"""The head grid under mouse and keys: what is chosen, hovered and undone, and what is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.messages import ModelInfo
from gazeviz.ui.heads.head_card import HeadCard
from gazeviz.ui.heads.head_grid import HeadGrid, part_tip
from gazeviz.ui.widgets import theme
from tests.fakes.fake import FakeBackend
from tests.patience import PatientBot
from tests.ui.fixtures.head_stage import (
    ABSENT,
    CTRL,
    MIDDLE,
    NO_KEYS,
    SHIFT,
    GridMouse,
    HeadStage,
    open_head_stage,
)

Key = Qt.Key


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[HeadStage]:
    stage = open_head_stage()
    yield stage
    stage.close()


@pytest.fixture
def grid(stage: HeadStage, qtbot: PatientBot) -> HeadGrid:
    return shown(stage, qtbot)


def shown(stage: HeadStage, qtbot: PatientBot) -> HeadGrid:
    window = QWidget()
    qtbot.addWidget(window)
    stage.windows.append(window)
    grid = HeadGrid(stage.model, stage.controller)
    layout = QVBoxLayout(window)
    layout.addWidget(grid)
    layout.addStretch(1)
    window.resize(340, 600)
    window.show()
    QApplication.processEvents()
    return grid


@pytest.fixture
def mouse(grid: HeadGrid) -> GridMouse:
    return GridMouse(grid)


def card_of(grid: HeadGrid) -> HeadCard:
    card = grid.window().findChild(HeadCard)
    assert isinstance(card, HeadCard)
    return card


def press_key(grid: HeadGrid, key: Qt.Key, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    QTest.keyClick(grid, key, keys)


def test_a_click_chooses_one_head_and_another_click_lets_it_go(stage, mouse):
    mouse.click(Head(2, 3))
    assert stage.chosen == "L2H3"
    mouse.click(Head(4, 1))
    assert stage.chosen == "L4H1"
    mouse.click(Head(4, 1))
    assert stage.chosen == "" and stage.n_steps == 3


def test_shift_and_ctrl_clicks_add_and_take_away(stage, mouse):
    mouse.click(Head(2, 3))
    mouse.click(Head(3, 3), SHIFT)
    mouse.click(Head(0, 0), CTRL)
    assert stage.chosen == "L0H0,L2H3,L3H3"
    mouse.click(Head(2, 3), SHIFT)
    mouse.click(Head(0, 0), CTRL)
    assert stage.chosen == "L3H3"


def test_a_drag_is_a_rectangle_and_one_undo_step(stage, mouse):
    stage.controller.heads.top(5)
    mouse.drag(Head(3, 2), Head(2, 3), Head(1, 4))
    assert len(stage.model.chosen) == 9 and Head(2, 3) in stage.model.chosen
    assert stage.n_steps == 2
    stage.controller.editor.undo()
    assert str(stage.model.chosen.origin) == "top 5 of mass"


def test_a_drag_adds_with_shift_and_takes_away_with_ctrl(stage, mouse):
    mouse.click(Head(5, 5))
    mouse.drag(Head(1, 1), Head(2, 2), Head(3, 3), Head(2, 2), keys=SHIFT)
    assert stage.chosen == "L1H1,L1H2,L2H1,L2H2,L5H5", "what the rectangle has left is let go"
    mouse.drag(Head(2, 1), Head(2, 7), keys=CTRL)
    assert stage.chosen == "L1H1,L1H2,L5H5"


def test_a_drag_that_is_aborted_or_comes_back_leaves_no_step(stage, grid, mouse):
    stage.controller.heads.top(4)
    mouse.press(mouse.at(Head(1, 1)))
    mouse.move(mouse.at(Head(4, 4)))
    press_key(grid, Key.Key_Escape)
    mouse.release(mouse.at(Head(4, 4)))
    assert str(stage.model.chosen.origin) == "top 4 of mass" and stage.n_steps == 1


def test_a_drag_may_leave_the_grid(stage, grid, mouse):
    mouse.press(mouse.at(Head(4, 6)))
    mouse.move(QPointF(5000, -50))
    mouse.release(QPointF(5000, -50))
    assert stage.chosen == "L4H6,L4H7,L5H6,L5H7"


def test_labels_choose_layers_and_columns(stage, grid, mouse):
    row, column = mouse.at(Head(0, 0)).y(), mouse.at(Head(0, 7)).x()
    mouse.click_at(QPointF(4, row))
    assert len(stage.model.chosen) == 7, "the absent head is none of them"
    mouse.click_at(QPointF(column, grid.view.area.bottom() + 6), SHIFT)
    assert len(stage.model.chosen) == 7 + 5
    mouse.click_at(QPointF(4, row), SHIFT)
    assert len(stage.model.chosen) == 5, "a layer that is chosen whole is let go"
    mouse.press(QPointF(4, mouse.at(Head(1, 0)).y()))
    mouse.move(QPointF(4, mouse.at(Head(3, 0)).y()))
    mouse.release(QPointF(4, mouse.at(Head(3, 0)).y()))
    assert set(stage.model.chosen.by_layer()) == {1, 2, 3}


def test_absent_heads_are_never_chosen_nor_hovered(stage, mouse):
    mouse.click(ABSENT)
    assert stage.chosen == ""
    mouse.hover(ABSENT)
    assert stage.model.hovered_head is None


def test_hovering_shows_the_head_and_its_card(stage, grid, mouse):
    mouse.hover(Head(2, 3))
    assert stage.model.hovered_head == Head(2, 3)
    card = card_of(grid)
    assert card.isVisible() and card.head == Head(2, 3)
    assert not card.geometry().intersects(grid.geometry()), "it hides no head"
    assert "rank 19 of 47 in mass" in grid.accessibleDescription()
    mouse.leave()
    assert stage.model.hovered_head is None and card.head is None


def test_the_picture_shows_the_rectangle_while_it_is_dragged(stage, mouse):
    mouse.hover(Head(2, 3))
    mouse.press(mouse.at(Head(2, 3)))
    assert stage.model.hovered_head == Head(2, 3)
    mouse.move(mouse.at(Head(4, 5)))
    assert stage.model.hovered_head is None
    mouse.release(mouse.at(Head(4, 5)))
    assert stage.model.hovered_head == Head(4, 5)


def test_arrows_move_the_focus_and_enter_toggles(stage, grid):
    grid.setFocus()
    for key in (Key.Key_Up, Key.Key_Right, Key.Key_Right):
        press_key(grid, key)
    assert stage.model.hovered_head == Head(1, 2)
    press_key(grid, Key.Key_Return)
    assert stage.chosen == "L1H2"
    press_key(grid, Key.Key_End)
    press_key(grid, Key.Key_PageUp)
    assert stage.model.hovered_head == Head(5, 7)
    press_key(grid, Key.Key_Return)
    assert stage.chosen == "L1H2,L5H7"
    press_key(grid, Key.Key_Return)
    assert stage.chosen == "L1H2"


def test_shift_and_arrows_add_a_rectangle_in_one_step(stage, grid, mouse):
    mouse.click(Head(5, 7))
    mouse.click(Head(1, 1), SHIFT)
    steps = stage.n_steps
    for key in (Key.Key_Right, Key.Key_Up, Key.Key_Left):
        press_key(grid, key, SHIFT)
    assert stage.chosen == "L1H1,L2H1,L5H7" and stage.n_steps == steps + 1


def test_space_and_the_windows_keys_are_not_taken(grid, mouse):
    for key in (Key.Key_Space, Key.Key_B, Key.Key_1, Key.Key_0, Key.Key_Escape):
        event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, key.value, NO_KEYS)
        event.ignore()
        QApplication.sendEvent(grid, event)
        assert not event.isAccepted(), key
    for key, keys in ((Key.Key_Left, NO_KEYS), (Key.Key_Right, SHIFT), (Key.Key_Return, NO_KEYS)):
        event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, key.value, keys)
        event.ignore()
        QApplication.sendEvent(grid, event)
        assert event.isAccepted(), key


def test_labels_say_what_a_click_does_and_heads_have_their_card(stage, grid, qtbot):
    stage.controller.heads.layer(3)
    part = grid.view.part_at(QPointF(4, grid.view.box(Head(3, 0)).center().y()))
    assert part_tip(part, stage.model.chosen, grid.present_LH).startswith("Layer 3: 8 of 8 heads")
    below = QPointF(grid.view.box(Head(0, 7)).center().x(), grid.view.area.bottom() + 5)
    tip = part_tip(grid.view.part_at(below), stage.model.chosen, grid.present_LH)
    assert tip.startswith("Column 7: 1 of 5 heads")
    over = grid.view.part_at(grid.view.box(Head(1, 1)).center())
    assert part_tip(over, stage.model.chosen, grid.present_LH) == ""
    for at, shows in ((QPointF(4, 60), True), (grid.view.box(Head(1, 1)).center(), False)):
        event = QHelpEvent(QHelpEvent.Type.ToolTip, at.toPoint(), grid.mapToGlobal(at.toPoint()))
        QApplication.sendEvent(grid, event)
        qtbot.waitUntil(lambda shows=shows: QToolTip.isVisible() == shows)


def turn(grid: HeadGrid, at: QPointF, notches: int, keys: Qt.KeyboardModifier = NO_KEYS) -> bool:
    event = QWheelEvent(
        at, grid.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, keys,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(grid, event)
    return event.isAccepted()


def test_ctrl_and_wheel_zoom_and_the_wheel_scrolls_then(stage, grid, mouse):
    at = mouse.at(Head(3, 4))
    assert not turn(grid, at, 1), "the column scrolls"
    for _ in range(3):
        assert turn(grid, at, 1, CTRL)
    assert grid.view.head_at(at) == Head(3, 4) and grid.view.zoom > 1.5
    before = grid.view.scroll_dev
    assert turn(grid, at, -1) and grid.view.scroll_dev[1] > before[1]
    mouse.press(at, button=MIDDLE)
    mouse.move(at + QPointF(0, 10))
    mouse.release(at + QPointF(0, 10))
    assert stage.chosen == "" and grid.view.scroll_dev[1] < before[1] + 40
    fit = grid.findChild(QWidget, "fitGrid")
    assert fit is not None and fit.isVisible()
    press_key(grid, Key.Key_Escape)
    assert grid.view.zoom == 1.0 and not fit.isVisible()
    press_key(grid, Key.Key_Plus)
    assert grid.view.zoom > 1.0
    press_key(grid, Key.Key_Minus)
    assert grid.view.zoom == 1.0


def test_a_pinch_zooms(grid, mouse):
    at = mouse.at(Head(3, 4))
    pinch = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice(), 2, at, at,
        grid.mapToGlobal(at), 0.5, QPointF(),
    )  # fmt: skip
    QApplication.sendEvent(grid, pinch)
    assert grid.view.zoom == 1.5 and grid.view.head_at(at) == Head(3, 4)


def colour_at(grid: HeadGrid, head: Head) -> int:
    image = grid.grab().toImage()
    at = grid.view.box(head).center() * image.devicePixelRatio()
    return image.pixelColor(at.toPoint()).rgb()


def magma(level: int) -> int:
    return QColor(*theme.magma_lut()[level].tolist()).rgb()


def test_colours_are_those_of_the_ranking_in_both_themes(stage, grid, qapp):
    for choice in ("light", "dark"):
        theme.apply(qapp, choice)
        assert colour_at(grid, Head(0, 0)) == magma(255)
        assert colour_at(grid, Head(5, 7)) == magma(3)


def test_a_ranking_fills_in_while_it_is_measured(stage, grid):
    scores_LH = np.full((6, 8), np.nan)
    stage.model.put_partial_ranking(HeadRanking("causal", scores_LH))
    stage.model.ranking_name = "causal"
    raised = theme.current().raised.rgb()
    assert colour_at(grid, Head(3, 3)) == raised, "present, but not measured yet"
    scores_LH[3, 3] = 0.5
    stage.model.put_partial_ranking(HeadRanking("causal", scores_LH))
    assert colour_at(grid, Head(3, 3)) == magma(255)


def test_colours_follow_the_live_mass(stage, grid, mouse):
    live_LH = np.zeros((6, 8), dtype=np.float32)
    live_LH[4, 4] = 0.31
    stage.model.grid_metric = "live"
    assert colour_at(grid, Head(4, 4)) == theme.current().raised.rgb()
    stage.model.live_mass_LH = live_LH
    assert colour_at(grid, Head(4, 4)) == magma(255)
    mouse.hover(Head(4, 4))
    assert "mass .31" in grid.accessibleDescription()


def test_another_model_has_another_grid_and_none_has_none(qtbot):
    model = SessionModel()
    stage = HeadStage(model, RunController(model, FakeBackend))
    grid = shown(stage, qtbot)
    grid.grab()
    press_key(grid, Key.Key_Up)
    assert model.hovered_head is None
    for shape_LH in ((36, 32), (4, 4)):
        present_LH = np.ones(shape_LH, dtype=bool)
        model.model_info = ModelInfo("m", "m", "m", shape_LH, present_LH, "cpu", "float32", None, "f", 64)
        QApplication.processEvents()
        assert grid.view.shape_LH == shape_LH
        assert grid.view.area.contains(grid.view.box(Head(shape_LH[0] - 1, shape_LH[1] - 1)).center())
        GridMouse(grid).click(Head(3, shape_LH[1] - 1))
        assert stage.chosen == f"L3H{shape_LH[1] - 1}"
        grid.grab()
    stage.close()
