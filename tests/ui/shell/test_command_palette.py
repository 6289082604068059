"""The command palette: found by letters, chosen and done by the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QListView, QWidget

from gazeviz.ui.shell.command_palette import CommandPalette, find
from gazeviz.ui.widgets.command import Command
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of

NAMES = {
    "Brush": ("B", "Paint into the active region"),
    "Run or stop": ("Space", "Write the baseline and the steered answer"),
    "Invert the chosen heads": ("", "Choose the heads that are not chosen"),
    "Choose a random set of heads": ("", "A control to compare with"),
    "Open a picture": ("Ctrl+O", "Open another picture"),
    "Restart the worker": ("", "End the process that runs the model"),
}


def commands(done: list[str] | None = None) -> list[Command]:
    said = done if done is not None else []
    return [Command(name, name, key, tip, partial(said.append, name)) for name, (key, tip) in NAMES.items()]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("brush", "Brush"),
        ("op pic", "Open a picture"),
        ("rw", "Restart the worker"),
        ("random", "Choose a random set of heads"),
        ("inv heads", "Invert the chosen heads"),
        ("space", "Run or stop"),
        ("baseline", "Run or stop"),
        ("ROS", "Run or stop"),
    ],
)
def test_a_few_letters_find_the_command(asked: str, first: str) -> None:
    assert find(commands(), asked)[0].command.title == first


def test_without_words_all_are_listed_in_their_order() -> None:
    assert [match.command.title for match in find(commands(), "  ")] == list(NAMES)


def test_every_word_must_fit() -> None:
    assert [match.command.title for match in find(commands(), "heads random")] == [
        "Choose a random set of heads"
    ]
    assert find(commands(), "brush xyz") == []


def test_the_letters_that_fit_are_told() -> None:
    (match, *_) = find(commands(), "rw")
    assert "".join(match.command.title[at] for at in match.places) == "Rw"
    assert find(commands(), "brus")[0].places == (0, 1, 2, 3)


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def window(qtbot: PatientBot) -> Iterator[QWidget]:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(900, 600)
    yield window


@pytest.fixture
def palette(window: QWidget, done: list[str]) -> CommandPalette:
    line = QLineEdit(window)
    line.setObjectName("before")
    line.setGeometry(10, 560, 100, 30)
    palette = CommandPalette(lambda: commands(done), window)
    window.show()
    window.activateWindow()
    line.setFocus()
    palette.open_palette()
    return palette


def search_of(palette: CommandPalette) -> QWidget:
    return child_of(palette, "commandSearch")


def current_name(palette: CommandPalette) -> str:
    view = child_of(palette, "commandList")
    assert isinstance(view, QListView)
    return str(view.currentIndex().data())


def test_letters_and_enter_do_a_command(palette: CommandPalette, window: QWidget, done: list[str]) -> None:
    assert palette.isVisible() and search_of(palette).hasFocus()
    QTest.keyClicks(search_of(palette), "rest")
    assert palette.found[0].title == "Restart the worker"
    QTest.keyClick(search_of(palette), Qt.Key.Key_Return)
    assert done == ["Restart the worker"] and palette.isHidden()
    assert QApplication.focusWidget() is child_of(window, "before")


def test_arrows_go_round(palette: CommandPalette, done: list[str]) -> None:
    search = search_of(palette)
    QTest.keyClick(search, Qt.Key.Key_Down)
    assert current_name(palette) == "Run or stop"
    QTest.keyClick(search, Qt.Key.Key_Up)
    QTest.keyClick(search, Qt.Key.Key_Up)
    assert current_name(palette) == "Restart the worker"
    QTest.keyClick(search, Qt.Key.Key_Down)
    QTest.keyClick(search, Qt.Key.Key_PageDown)
    assert current_name(palette) == "Restart the worker"
    QTest.keyClick(search, Qt.Key.Key_PageUp)
    QTest.keyClick(search, Qt.Key.Key_Tab)
    QTest.keyClick(search, Qt.Key.Key_Enter)
    assert done == ["Run or stop"]


@pytest.mark.parametrize(
    ("key", "held"),
    [
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier),
    ],
)
def test_escape_and_its_own_key_close_it(
    palette: CommandPalette, done: list[str], key: Qt.Key, held: Qt.KeyboardModifier
) -> None:
    QTest.keyClick(search_of(palette), key, held)
    assert palette.isHidden() and done == []


def test_a_click_beside_it_closes_it_and_one_on_a_row_does_it(
    palette: CommandPalette, window: QWidget, done: list[str]
) -> None:
    QTest.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert palette.isHidden()
    palette.open_palette()
    view = child_of(palette, "commandList")
    assert isinstance(view, QListView)
    row = view.visualRect(view.model().index(2, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert done == ["Invert the chosen heads"] and palette.isHidden()


def test_what_is_typed_is_no_shortcut_of_the_window(
    palette: CommandPalette, window: QWidget, done: list[str]
) -> None:
    action = QAction("Brush", window)
    action.setShortcut("B")
    action.triggered.connect(lambda: done.append("by its key"))
    window.addAction(action)
    QTest.keyClicks(search_of(palette), "b")
    assert done == [] and palette.found[0].title == "Brush"


def test_nothing_found_is_said(palette: CommandPalette) -> None:
    QTest.keyClicks(search_of(palette), "qqq")
    assert palette.found == () and child_of(palette, "commandNone").isVisible()
    QTest.keyClick(search_of(palette), Qt.Key.Key_Return)
    assert palette.isVisible()


def test_it_is_empty_again_when_it_is_opened_again(palette: CommandPalette) -> None:
    QTest.keyClicks(search_of(palette), "brush")
    palette.open_palette()
    assert palette.isHidden()
    palette.open_palette()
    assert len(palette.found) == len(NAMES)


def test_it_stays_within_its_window(palette: CommandPalette, window: QWidget) -> None:
    window.resize(420, 300)
    assert window.rect().contains(palette.geometry())


def test_what_cannot_be_done_now_says_why_and_is_not_done(window: QWidget, qtbot: PatientBot) -> None:
    done: list[str] = []
    missing = ["There is no picture."]
    command = Command("file.save", "Save", "", "Write it.", partial(done.append, "saved"),
                      lambda: missing[0] if missing else None)  # fmt: skip
    palette = CommandPalette(lambda: [command], window)
    window.show()
    palette.open_palette()
    view = child_of(palette, "commandList")
    assert isinstance(view, QListView)
    described = view.model().index(0, 0).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert described == "There is no picture."
    qtbot.keyClick(search_of(palette), Qt.Key.Key_Return)
    assert done == [] and palette.isVisible()
    missing.clear()
    palette.close_palette()
    palette.open_palette()
    qtbot.keyClick(search_of(palette), Qt.Key.Key_Return)
    assert done == ["saved"] and palette.isHidden()
