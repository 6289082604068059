"""The notice bar shows what the session has to say, and lets go of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPlainTextEdit, QWidget

from gazeviz.app.session.values import Notice
from gazeviz.ui.shell.notice_bar import NoticeBar
from gazeviz.ui.widgets import theme
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import PaintingStage, child_of, open_painting_stage

LOST = Notice("error", "The worker was lost.", "Another one is being started.", "worker", "Traceback\nboom")


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[PaintingStage]:
    stage = open_painting_stage()
    yield stage
    stage.close()


@pytest.fixture
def bar(stage: PaintingStage, qtbot: PatientBot) -> Iterator[NoticeBar]:
    holder = QWidget()
    qtbot.addWidget(holder)
    bar = NoticeBar(stage.model, stage.controller, holder)
    holder.resize(700, 300)
    bar.resize(700, 60)
    holder.show()
    yield bar


def text_of(bar: NoticeBar, name: str) -> str:
    label = child_of(bar, name)
    assert isinstance(label, QLabel)
    return label.text() if label.isVisible() else ""


def button(bar: NoticeBar, name: str) -> QAbstractButton:
    found = child_of(bar, name)
    assert isinstance(found, QAbstractButton)
    return found


def test_it_is_there_only_while_there_is_a_notice(stage: PaintingStage, bar: NoticeBar) -> None:
    assert bar.isHidden()
    stage.model.notice = Notice("warning", "The text is junk.", "Lower the strength.")
    assert bar.isVisible()
    assert text_of(bar, "noticeSentence") == "The text is junk."
    assert text_of(bar, "noticeNextStep") == "Lower the strength."
    assert bar.accessibleName() == "Warning: The text is junk. Lower the strength."
    stage.model.notice = None
    assert bar.isHidden()


def test_a_notice_without_details_offers_none(stage: PaintingStage, bar: NoticeBar) -> None:
    stage.model.notice = Notice("info", "Saved.")
    assert button(bar, "noticeMore").isHidden() and button(bar, "noticeCopy").isHidden()
    assert text_of(bar, "noticeNextStep") == ""


def test_details_unfold_and_are_copied(stage: PaintingStage, bar: NoticeBar) -> None:
    stage.model.notice = LOST
    detail = child_of(bar, "noticeDetail")
    assert isinstance(detail, QPlainTextEdit) and detail.isHidden()
    button(bar, "noticeMore").click()
    assert detail.isVisible() and detail.toPlainText() == "Traceback\nboom"
    button(bar, "noticeCopy").click()
    said = QGuiApplication.clipboard().text()
    assert said == "The worker was lost.\n\nAnother one is being started.\n\nTraceback\nboom"
    stage.model.notice = Notice("error", "Something else.", detail="other")
    assert detail.isHidden()


def test_a_sentence_is_not_read_as_markup(stage: PaintingStage, bar: NoticeBar) -> None:
    stage.model.notice = Notice("error", "There is no folder <b>x</b>.")
    label = child_of(bar, "noticeSentence")
    assert isinstance(label, QLabel) and label.textFormat() == Qt.TextFormat.PlainText


@pytest.mark.parametrize("by", ["button", "escape"])
def test_it_can_be_closed(stage: PaintingStage, bar: NoticeBar, by: str) -> None:
    stage.model.notice = LOST
    if by == "button":
        button(bar, "noticeClose").click()
    else:
        QTest.keyClick(button(bar, "noticeClose"), Qt.Key.Key_Escape)
    assert bar.isHidden() and stage.notice == ""


def test_escape_in_it_is_no_shortcut_of_the_window(stage: PaintingStage, bar: NoticeBar) -> None:
    asked = []
    action = QAction("Follow", bar.window())
    action.setShortcut("Esc")
    action.triggered.connect(lambda: asked.append("follow"))
    bar.window().addAction(action)
    stage.model.notice = LOST
    bar.window().activateWindow()
    close = button(bar, "noticeClose")
    close.setFocus()
    QTest.keyClick(close, Qt.Key.Key_Escape)
    assert asked == [] and bar.isHidden()


def test_a_dialog_shows_its_own_notices_alone(stage: PaintingStage, qtbot: PatientBot) -> None:
    bar = NoticeBar(stage.model, stage.controller, about=("model",))
    qtbot.addWidget(bar)
    stage.model.notice = LOST
    assert bar.isHidden()
    stage.model.notice = Notice("error", "There is no model folder x.", about="model")
    assert bar.isVisible()
    stage.model.notice = LOST
    assert bar.isHidden()


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_it_follows_the_theme(stage: PaintingStage, bar: NoticeBar, qapp: QApplication, choice: str) -> None:
    stage.model.notice = LOST
    theme.apply(qapp, "light" if choice == "light" else "dark")
    shot = bar.grab().toImage()
    assert shot.pixelColor(shot.width() // 2, 2) == theme.current().raised
