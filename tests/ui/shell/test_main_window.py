"""The window as a whole, on the scripted model: what is linked, remembered, dropped, asked at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton, QToolButton, QWidget

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.shell.command_palette import find
from gazeviz.ui.shell.crash_dialog import CrashDialog
from gazeviz.ui.shell.main_window import MainWindow
from gazeviz.ui.widgets import theme
from tests.app.fixtures.logged_stage import LoggedStage
from tests.app.fixtures.staging import Stage
from tests.fakes.scripted import Script
from tests.patience import PatientBot

OpenWindow = Callable[[Stage], MainWindow]


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.tour_seen = True
    return settings


@pytest.fixture
def open_window(qtbot: PatientBot, settings: AppSettings) -> Iterator[OpenWindow]:
    """Opens the window on a session, dressed as the app dresses it."""
    theme.apply(cast(QApplication, QApplication.instance()), "dark")
    opened: list[MainWindow] = []

    def open_one(stage: Stage) -> MainWindow:
        window = MainWindow(stage.model, stage.controller, settings)
        opened.append(window)
        qtbot.addWidget(window, before_close_func=lambda _: stage.controller.shutdown())
        window.resize(1280, 800)
        window.show()
        window.begin()
        qtbot.waitExposed(window)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        return window

    yield open_one


@pytest.fixture
def window(open_window: OpenWindow, stage: Stage) -> MainWindow:
    return open_window(stage)


def child(window: QWidget, name: str) -> QWidget:
    found = window.findChild(QWidget, name)
    assert found is not None, name
    return found


def test_space_runs_and_a_digit_aims(window: MainWindow, stage: Stage, qtbot: PatientBot) -> None:
    canvas = window.explore.canvas
    qtbot.keyClick(canvas, Qt.Key.Key_4)
    assert stage.model.target_region_id == stage.model.regions.ids[3]
    qtbot.keyClick(canvas, Qt.Key.Key_Space)
    record = stage.until_ended("steered")
    assert record.state == "done"
    target = record.spec.steering.target if record.spec.steering else None
    assert target is not None and target.name == "Panel 4"


def test_esc_leaves_the_prompt_and_keys_are_keys_again(window, stage, qtbot):
    edit = window.explore.prompt.edit
    window.explore.prompt.focus_prompt()
    qtbot.keyClick(edit, Qt.Key.Key_Escape)
    assert not edit.hasFocus() and QApplication.focusWidget() is child(window, "runButton")
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_4)
    assert stage.model.target_region_id == stage.model.regions.ids[3]


def test_a_token_that_is_chosen_by_key_is_on_the_map(window, stage, qtbot):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    qtbot.keyClick(window.explore.canvas, Qt.Key.Key_Left)
    assert stage.model.cursor is not None
    chosen = stage.model.cursor.first
    stage.until(lambda: f"token {chosen}" in stage.model.map.label)


def test_everything_that_can_be_done_has_one_name_and_one_key(window: MainWindow) -> None:
    commands = window.actions_.commands
    titles = [command.title for command in commands]
    keys = [command.key for command in commands if command.key and command.group != "runs"]
    assert len(titles) == len(set(titles)) and len({command.id for command in commands}) == len(commands)
    assert len(keys) == len(set(keys))
    assert all(command.tip.endswith((".", "?", "”")) for command in commands)
    assert {
        "Ctrl+Z",
        "Ctrl+Shift+Z",
        "Ctrl+K",
        "Space",
        "B",
        "E",
        "R",
        "O",
        "P",
        "V",
        "[",
        "]",
        "1",
        "9",
    } <= set(keys)


NAMED = [
    "run or stop", "run the baseline", "halve the strength", "restart the worker", "write the prompt",
    "measure head rankings", "stop measuring", "matrix", "save the chosen heads", "import a head ranking",
    "export the head ranking", "import regions", "export regions as PNG", "export regions as labelme",
    "export regions as COCO", "ask: ambiguous", "ask about panel 3", "panels 2 × 3", "detect panels",
    "no panels", "sample: strip 1", "schedule the panels in order", "schedule the panels backwards",
    "clear the schedule", "steer as recommended", "choose the best heads", "target region 3", "no target",
    "rename the active region", "delete the active region", "undo", "attention map", "theme: light",
    "next token", "commands and keys", "open a model", "rank heads by mass",
]  # fmt: skip
"""What has to be found by name, whether or not it has a key."""


def test_everything_has_a_name_that_the_palette_finds(window: MainWindow) -> None:
    commands = window._commands()
    first = {
        asked: [match.command.title.casefold() for match in find(commands, asked)][:1] for asked in NAMED
    }
    assert [asked for asked, titles in first.items() if not any(asked.casefold() in t for t in titles)] == []


def test_every_page_of_the_help_is_there_and_the_keys_are_generated(window: MainWindow) -> None:
    window.actions_.call("help.keys")
    page = window._help.page
    assert page is not None and page.title == "Commands and keys"
    for command in window.actions_.commands:
        assert f"| {command.title} |" in page.text and command.key in page.text
    window._help.close()


def test_the_picture_offers_what_can_be_asked_of_a_place(window: MainWindow, stage: Stage) -> None:
    region = stage.model.regions.painted()[1]
    assert region.panel_box_px is not None
    left, top, right, bottom = region.panel_box_px
    found = window.explore.canvas.place_commands(((left + right) / 2, (top + bottom) / 2))
    assert [command.id for command in found] == [
        "place.look_at_cell", "place.look_at_region", "place.target"
    ]  # fmt: skip
    found[2].run()
    assert stage.model.target_region_id == region.id


def test_a_key_that_cannot_act_says_why(window: MainWindow, stage: Stage, qtbot: PatientBot) -> None:
    qtbot.keyClick(window.explore.canvas, Qt.Key.Key_9)
    notice = stage.model.notice
    assert notice is not None
    assert (notice.sentence, notice.next_step) == (
        "There is no region 9.", "Paint one, or choose a layout."
    )  # fmt: skip


def test_the_palette_does_what_is_found(window, stage, qtbot):
    qtbot.keyClick(window.explore.canvas, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    search = child(window, "commandSearch")
    assert search.isVisible()
    qtbot.keyClicks(search, "token cells")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert stage.model.show_cells


def test_every_control_can_be_told_by_name(window: MainWindow) -> None:
    for button in window.findChildren(QPushButton):
        if button.isVisible():
            assert button.accessibleName() or button.text(), button.objectName()


def test_a_dropped_picture_is_opened_and_a_dropped_text_is_not(window, stage, qtbot, tmp_path):
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 48), "teal").save(other)
    (tmp_path / "notes.txt").write_text("no picture")
    drop(window, tmp_path / "notes.txt")
    drop(window, other)
    stage.until(lambda: stage.model.picture is not None and stage.model.picture.name == "other.png")


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, *held)
    QApplication.sendEvent(window, enter)
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, *held))


def test_the_panels_are_arranged_and_put_back(window: MainWindow) -> None:
    explore = window.explore
    explore.set_arranging(True)
    assert explore.arranging and explore.docks[0].titleBarWidget() is None
    explore.docks[1].hide()
    explore.arrange_as_at_first()
    assert all(dock.isVisible() for dock in explore.docks)
    explore.set_arranging(False)
    assert explore.docks[0].titleBarWidget() is not None


def test_a_large_picture_has_the_room_of_the_panels_and_gives_it_back(window, qtbot, settings):
    explore = window.explore
    explore.docks[3].hide()
    canvas, small = explore.canvas, explore.canvas.height()
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert explore.large and [dock.isVisible() for dock in explore.docks] == [True, False, False, False]
    qtbot.waitUntil(lambda: canvas.height() > small + 100)
    state = explore.state()
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert [dock.isVisible() for dock in explore.docks] == [True, True, True, False]
    qtbot.waitUntil(lambda: canvas.height() == small)
    explore.set_large(True)
    explore.restore(state)  # what would be remembered is the arrangement before
    assert [dock.isHidden() for dock in explore.docks] == [False, False, False, True]


def test_what_needs_the_panels_brings_them_back(window, qtbot):
    explore = window.explore
    control = Qt.KeyboardModifier.ControlModifier
    write = partial(qtbot.keyClick, explore.canvas, Qt.Key.Key_P, control)
    for bring in (write, window.tour.start, explore.arrange_as_at_first):
        explore.set_large(True)
        bring()
        assert not explore.large and all(dock.isVisible() for dock in explore.docks)
    window.tour.skip()


def test_where_panels_stood_is_remembered(open_window, open_stage, settings, qtbot):
    first = open_window(open_stage())
    first.explore.docks[3].hide()
    first.close()
    second = open_window(open_stage())
    assert not second.explore.docks[3].isVisible()
    assert second.explore.docks[1].isVisible()


def test_closing_while_something_runs_asks_and_can_be_taken_back(open_window, open_stage, strip_path, qtbot):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path)
    stage.model.prompt = "What is happening?"
    stage.until_at_rest()
    window = open_window(stage)
    stage.controller.run("baseline")
    stage.until(lambda: stage.controller.runs.active)
    answer_question("Keep it running")
    assert not window.close()
    assert window.isVisible()
    answer_question("Close anyway")
    assert window.close()


def answer_question(text: str) -> None:
    """Press a button of the question that is about to be asked."""

    def press() -> None:
        question = QApplication.activeModalWidget()
        assert isinstance(question, QMessageBox)
        next(button for button in question.buttons() if button.text() == text).click()

    QTimer.singleShot(50, press)


def test_both_themes_change_everything_at_once(window: MainWindow, settings: AppSettings) -> None:
    window.set_theme("light")
    light = window.grab().toImage().pixelColor(600, 6).lightness()
    window.set_theme("dark")
    dark = window.grab().toImage().pixelColor(600, 6).lightness()
    assert light > 200 > 80 > dark
    assert settings.theme == "dark"


def test_a_bug_is_told_once_with_its_traceback(window: MainWindow, qtbot: PatientBot) -> None:
    hook = CrashDialog.hook(window)
    try:
        raise RuntimeError("the cat is out")
    except RuntimeError as error:
        hook(RuntimeError, error, error.__traceback__)
        hook(RuntimeError, error, error.__traceback__)
    dialogs = window.findChildren(CrashDialog)
    assert len(dialogs) == 1 and dialogs[0].isVisible()
    qtbot.mouseClick(child(dialogs[0], "copyReport"), Qt.MouseButton.LeftButton)
    assert "the cat is out" in QApplication.clipboard().text()
    dialogs[0].reject()


def settled_heights(window: MainWindow, qtbot: PatientBot) -> list[int]:
    """Heights of the panels once nothing is due that could change them."""
    before: list[int] = []
    while before != (now := [dock.height() for dock in window.explore.docks]):
        before = now
        qtbot.until_quiet()
    return before


def test_what_is_unfolded_finds_room_in_a_small_window_and_gives_it_back(window, stage, qtbot):
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.controller.run()
    stage.until_ended("steered")
    stage.until_at_rest()
    before_px = settled_heights(window, qtbot)  # verdict, plot and notices have taken their room
    audit = cast(QToolButton, child(window, "steeredAudit"))
    fold = cast(QToolButton, child(window, "steerFold"))
    fold.click()
    qtbot.waitUntil(lambda: [dock.height() for dock in window.explore.docks] != before_px)
    audit.click()
    stage.until_at_rest()
    assert (window.width(), window.height()) == (1280, 800)
    steering = child(window, "steerPanel")
    qtbot.waitUntil(lambda: steering.height() >= steering.minimumSizeHint().height())  # nothing is squeezed
    assert child(window, "statusLine").mapTo(window, QPoint(0, 0)).y() < 800 - 20
    ledger = child(window, "steeredLedger")
    assert not ledger.visibleRegion().isEmpty(), "what was unfolded is scrolled to"
    audit.click()
    fold.click()
    qtbot.waitUntil(lambda: [dock.height() for dock in window.explore.docks] == before_px)


def test_arrows_move_through_tokens_after_a_region_was_chosen(window, stage, qtbot):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    regions = child(window, "regionList")
    regions.setFocus()
    qtbot.keyClick(regions, Qt.Key.Key_Left)
    assert stage.model.cursor is not None


def test_a_single_glance_says_nothing_of_the_speed(window, stage):
    stage.until(lambda: stage.model.run_of("glance") is not None and stage.model.run_of("glance").steps)
    assert not cast(QLabel, child(window, "speed")).text()
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    assert "ms / token" in cast(QLabel, child(window, "speed")).text()


@pytest.fixture
def logged_window(
    open_session: Callable[[], LoggedStage], strip_path: Path, settings: AppSettings, qtbot: PatientBot
) -> Iterator[tuple[MainWindow, LoggedStage]]:
    """A window whose runs are kept in a log."""
    theme.apply(cast(QApplication, QApplication.instance()), "dark")
    logged = open_session()
    logged.start(strip_path)
    archive = LogBrowser(logged.store)
    window = MainWindow(logged.model, logged.controller, settings, archive)
    qtbot.addWidget(window, before_close_func=lambda _: archive.close())
    window.resize(1280, 800)
    window.show()
    window.begin()
    qtbot.waitExposed(window)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window, logged
    window.close()


def test_on_the_sessions_tab_space_runs_nothing_and_explore_comes_back_with_its_keys(logged_window, qtbot):
    window, logged = logged_window
    logged.controller.run("baseline")
    logged.until(lambda: not logged.controller.runs.active)
    n_runs = len(logged.model.runs)
    qtbot.keyClick(window.explore.canvas, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    browser = window.sessions().browser
    qtbot.waitUntil(lambda: browser.table.isVisible())
    qtbot.keyClick(browser.table, Qt.Key.Key_Space)
    qtbot.keyClick(browser.table, Qt.Key.Key_4)
    assert not logged.controller.runs.active and len(logged.model.runs) == n_runs
    qtbot.keyClick(browser.table, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    qtbot.keyClick(window.explore.canvas, Qt.Key.Key_4)
    assert logged.model.target_region_id == logged.model.regions.ids[3]


def test_a_tour_called_from_another_tab_begins_on_the_first(logged_window):
    window, _ = logged_window
    window.show_tab("Sessions")
    assert not window.explore.isVisible()
    window.tour.start()
    assert window.explore.isVisible()
    window.tour.skip()
