"""Both answers as they are shown, and a hand that runs, points and presses."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from gazeviz.domain.heads import HeadSet
from gazeviz.ui.answers.token_cursor import Column
from gazeviz.ui.answers.token_flow import TokenFlow
from gazeviz.ui.answers.transcript import TranscriptColumn, TranscriptView
from tests.app.staging import Stage, until_drawn
from tests.fakes.scripted import GAZE_HEADS, SAYINGS
from tests.ui.painting_stage import child_of

N_SAID = len(SAYINGS[0])
CAPTIONS = tuple("".join(saying) for saying in SAYINGS)


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
    stage.until_drawn()


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
    until_drawn(view.columns["steered"]._model)
    situation = column(view, side).state.situation
    return f"{situation.sentence} {situation.next_step}".strip() if situation is not None else ""


def verdict(view: TranscriptView, side: Column = "steered") -> str:
    until_drawn(view.columns["steered"]._model)
    label = child_of(view, f"{side}Verdict")
    return label.accessibleName() if column(view, side).verdict.isVisible() else ""


def push(view: TranscriptView, name: str) -> None:
    until_drawn(view.columns["steered"]._model)
    button = child_of(view, name)
    assert isinstance(button, QPushButton | QToolButton) and button.isVisible(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
