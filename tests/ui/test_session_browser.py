"""The Sessions tab: what is listed, found, selected, marked, deleted, and sent on, by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.app.archive import Archive
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.backend.fake import FakeBackend
from gazeviz.store import SessionStore
from gazeviz.ui.controls import MenuButton
from gazeviz.ui.session_browser import SessionBrowser
from gazeviz.ui.session_menu import like_it
from gazeviz.ui.session_rows import PLACES, RUN_COLUMNS
from tests.app.logged_sessions import fill

Open = Callable[..., SessionBrowser]
CTRL, SHIFT, NONE = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.NoModifier,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    """A log that is empty so far."""
    store = SessionStore(tmp_path / "gazeviz.db")
    yield store
    store.close()


@pytest.fixture
def open_browser(store: SessionStore, qtbot: QtBot) -> Iterator[Open]:
    """Opens the tab over the log."""
    archive, model = Archive(store), SessionModel()
    controller = RunController(model, FakeBackend)
    made: list[SessionBrowser] = []

    def open_one(size: tuple[int, int] = (1280, 700)) -> SessionBrowser:
        browser = SessionBrowser(model, controller, archive)
        made.append(browser)
        browser.resize(*size)
        browser.show()
        qtbot.waitUntil(lambda: bool(shown_texts(browser)) or not browser.empty.isHidden())
        return browser

    yield open_one
    for browser in made:
        browser.close()
        browser.deleteLater()
    controller.shutdown()
    archive.close()


@pytest.fixture
def browser(store: SessionStore, open_browser: Open, qtbot: QtBot) -> SessionBrowser:
    """The tab over two sessions of five runs."""
    fill(store)
    browser = open_browser()
    qtbot.waitUntil(lambda: len(shown_texts(browser)) == 5 and len(browser.shelf.entries) > 5)
    return browser


def shown_ids(browser: SessionBrowser) -> list[int]:
    return [int(run_id) for run_id in browser.table.plan.run_of_row]


def shown_texts(browser: SessionBrowser) -> dict[int, str]:
    rows = browser.table.rows
    ids = [run_id for run_id in shown_ids(browser) if run_id > 0]
    return {run_id: rows.text(run_id, "text") for run_id in ids if rows.text(run_id, "id")}


def until_shown(browser: SessionBrowser, qtbot: QtBot, *ids: int) -> None:
    qtbot.waitUntil(lambda: shown_ids(browser) == list(ids))


def child(browser: QWidget, name: str) -> QWidget:
    found = browser.findChild(QWidget, name)
    assert isinstance(found, QWidget), name
    return found


def click(browser: SessionBrowser, name: str, qtbot: QtBot) -> None:
    button = child(browser, name)
    assert isinstance(button, QAbstractButton) and button.isVisible() and button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def point(browser: SessionBrowser, run_id: int, column: str = "prompt") -> QPoint:
    row = int(browser.table.plan.rows_of([run_id])[0])
    return browser.table.visualRect(browser.table.rows.index(row, PLACES[column])).center()


def select(browser: SessionBrowser, qtbot: QtBot, *ids: int) -> None:
    for place, run_id in enumerate(ids):
        held = CTRL if place else NONE
        qtbot.mouseClick(browser.table.viewport(), Qt.MouseButton.LeftButton, held, point(browser, run_id))
    qtbot.waitUntil(lambda: set(browser.details.ids) == set(ids))


def choose(browser: SessionBrowser, qtbot: QtBot, label: str) -> None:
    row = next(row for row, entry in enumerate(browser.shelf.entries) if entry.label == label)
    index = browser.shelf.model().index(row, 0)
    at = browser.shelf.visualRect(index).center()
    qtbot.mouseClick(browser.shelf.viewport(), Qt.MouseButton.LeftButton, NONE, at)


def press(widget: QWidget, qtbot: QtBot, key: Qt.Key, held: Qt.KeyboardModifier = NONE) -> None:
    qtbot.keyClick(widget, key, held)


# What is listed


def test_runs_stand_under_their_sessions_the_newest_first(browser: SessionBrowser) -> None:
    assert shown_ids(browser) == [-1, 5, 4, -1, 3, 2, 1]
    assert shown_texts(browser)[2] == "black cat eats in the city"
    index = browser.table.rows.index(3, 0)
    assert browser.table.rows.data(index) == "morning, 3 runs"
    browser.bar.grouping.menu().actions()[1].trigger()
    assert shown_ids(browser) == [5, 4, 3, 2, 1]


def test_a_session_folds_by_click_and_by_key(browser: SessionBrowser, qtbot: QtBot) -> None:
    table = browser.table
    at = table.visualRect(table.rows.index(0, PLACES["prompt"])).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, NONE, at)
    assert shown_ids(browser) == [-1, -1, 3, 2, 1]
    press(table, qtbot, Qt.Key.Key_Right)
    assert shown_ids(browser) == [-1, 5, 4, -1, 3, 2, 1]
    press(table, qtbot, Qt.Key.Key_Space)
    assert shown_ids(browser) == [-1, -1, 3, 2, 1]


def test_the_shelf_counts_and_narrows(browser: SessionBrowser, qtbot: QtBot) -> None:
    counted = {entry.label: entry.count for entry in browser.shelf.entries if entry.kind != "title"}
    assert counted == {
        "All runs": 5,
        "Starred": 0,
        "Junk": 1,
        "Lost or failed": 1,
        "evening": 2,
        "morning": 3,
    }
    choose(browser, qtbot, "Junk")
    until_shown(browser, qtbot, -1, 4)
    choose(browser, qtbot, "morning")
    until_shown(browser, qtbot, -1, 3, 2, 1)
    choose(browser, qtbot, "Lost or failed")
    until_shown(browser, qtbot, -1, 5)
    choose(browser, qtbot, "Starred")
    qtbot.waitUntil(browser.empty.isVisible)
    click(browser, "noRunsStep", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)


def test_typing_finds_and_what_is_no_search_is_said(browser: SessionBrowser, qtbot: QtBot) -> None:
    search = browser.bar.search
    qtbot.keyClicks(search, "purple")
    until_shown(browser, qtbot, -1, 3, 1)
    search.look_for("is:shiny")
    trouble = child(browser, "runSearchTrouble")
    assert isinstance(trouble, QLabel) and trouble.isVisible() and "no mark “shiny”" in trouble.text()
    assert shown_ids(browser) == [-1, 3, 1]
    press(search, qtbot, Qt.Key.Key_Escape)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)
    assert trouble.isHidden()


def test_a_search_is_looked_for_within_the_entry_of_the_shelf(browser: SessionBrowser, qtbot: QtBot) -> None:
    choose(browser, qtbot, "morning")
    browser.look_for("target:Panel")
    until_shown(browser, qtbot, -1, 3, 2)
    choose(browser, qtbot, "Lost or failed")
    browser.look_for("is:failed")
    qtbot.waitUntil(browser.empty.isVisible)


def test_an_example_of_the_help_is_typed(browser: SessionBrowser, qtbot: QtBot) -> None:
    click(browser, "runSearchHelp", qtbot)
    assert browser.bar.help.sheet.isVisible()
    example = browser.bar.help.sheet.findChild(QAbstractButton, "runSearchExample1")
    assert isinstance(example, QAbstractButton)
    qtbot.mouseClick(example, Qt.MouseButton.LeftButton)
    assert browser.bar.search.text() == "cat" and not browser.bar.help.sheet.isVisible()
    until_shown(browser, qtbot, -1, 2)


def test_headers_sort_and_sort_the_other_way(browser: SessionBrowser, qtbot: QtBot) -> None:
    browser.table.set_grouped(False)
    header = browser.table.horizontalHeader()

    def click_header(key: str) -> None:
        at = QPoint(header.sectionViewportPosition(PLACES[key]) + 12, 8)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, NONE, at)

    click_header("text")
    until_shown(browser, qtbot, 5, 1, 4, 2, 3)
    click_header("text")
    until_shown(browser, qtbot, 3, 2, 4, 1, 5)
    click_header("picture")
    qtbot.wait(50)
    assert header.sortIndicatorSection() == PLACES["picture"]


def test_columns_are_chosen(browser: SessionBrowser) -> None:
    place = PLACES["note"]
    action = browser.bar.columns.menu().actions()[place]
    assert action.text() == "Note" and not action.isChecked()
    action.trigger()
    assert not browser.table.isColumnHidden(place)


def test_an_empty_log_says_what_to_do(open_browser: Open, qtbot: QtBot) -> None:
    browser = open_browser()
    qtbot.waitUntil(lambda: browser.empty.sentence == "No runs yet.")
    wanted = QSignalSpy(browser.explore_wanted)
    click(browser, "noRunsStep", qtbot)
    assert wanted.count() == 1


def test_runs_of_other_programs_appear_and_the_selection_stays(
    browser: SessionBrowser, store: SessionStore, qtbot: QtBot
) -> None:
    select(browser, qtbot, 2, 3)
    fill(store)
    browser.refresh()
    qtbot.waitUntil(lambda: len(shown_ids(browser)) == 14)
    assert browser.selected_ids == (3, 2)


# What is selected


def test_the_details_say_what_was_asked(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 2)
    qtbot.waitUntil(lambda: browser.details.facts.rows.get("Target", "").startswith("Panel 4"))
    title = child(browser, "runDetailsTitle")
    assert isinstance(title, QLabel) and title.text() == "Run 2"
    assert browser.details.picture.isVisible()
    select(browser, qtbot, 5)
    qtbot.waitUntil(lambda: "lost" in browser.details.facts.rows.get("State", ""))
    assert not browser.details.picture.isVisible()


def test_several_runs_are_selected_compared_and_reported(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 4, 2)
    assert not child(browser, "runOpen").isVisible()
    compared, reported = QSignalSpy(browser.compare_wanted), QSignalSpy(browser.report_wanted)
    click(browser, "runCompare", qtbot)
    click(browser, "runReport", qtbot)
    assert compared.at(0) == [(4, 2)] and reported.at(0) == [(4, 2)]


def test_a_lower_view_follows_the_selection_while_it_is_shown(browser: SessionBrowser, qtbot: QtBot) -> None:
    lower = QWidget()
    browser.set_lower(lower)
    assert lower.isHidden()
    compared = QSignalSpy(browser.compare_wanted)
    select(browser, qtbot, 1, 2)
    assert compared.count() == 0
    lower.show()
    select(browser, qtbot, 1, 2, 3)
    assert compared.at(compared.count() - 1) == [(3, 2, 1)]
    select(browser, qtbot, 1)
    qtbot.waitUntil(lambda: compared.at(compared.count() - 1) == [()])


@pytest.mark.parametrize(("key", "signal"), [("Return", "open_wanted"), ("R", "replay_wanted")])
def test_keys_open_and_replay(browser: SessionBrowser, qtbot: QtBot, key: str, signal: str) -> None:
    select(browser, qtbot, 3)
    wanted = QSignalSpy(getattr(browser, signal))
    press(browser.table, qtbot, getattr(Qt.Key, f"Key_{key}"))
    assert wanted.at(0) == [3]


def test_a_double_click_opens(browser: SessionBrowser, qtbot: QtBot) -> None:
    wanted = QSignalSpy(browser.open_wanted)
    at = point(browser, 2)
    qtbot.mouseClick(browser.table.viewport(), Qt.MouseButton.LeftButton, NONE, at)
    qtbot.mouseDClick(browser.table.viewport(), Qt.MouseButton.LeftButton, NONE, at)
    assert wanted.at(0) == [2]


def test_a_run_is_copied_as_a_line_and_as_python(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 2)
    click(browser, "runShell", qtbot)
    clipboard = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: clipboard.text().startswith("gazeviz replay 2"))
    button = child(browser, "runShell")
    assert isinstance(button, QAbstractButton) and button.text() == "Copied"
    press(browser.table, qtbot, Qt.Key.Key_C, CTRL | SHIFT)
    qtbot.waitUntil(lambda: clipboard.text().startswith("import gazeviz"))


# What is marked


def test_stars_by_key_and_by_click(browser: SessionBrowser, store: SessionStore, qtbot: QtBot) -> None:
    select(browser, qtbot, 2, 3)
    press(browser.table, qtbot, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: [line.starred for line in store.list.lines([2, 3])] == [True, True])
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "star") == "★")
    at = point(browser, 2, "star")
    qtbot.mouseClick(browser.table.viewport(), Qt.MouseButton.LeftButton, NONE, at)
    qtbot.waitUntil(lambda: [line.starred for line in store.list.lines([2, 3])] == [False, True])
    press(browser.table, qtbot, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: store.list.lines([2])[0].starred)
    press(browser.table, qtbot, Qt.Key.Key_Z, CTRL | SHIFT)
    qtbot.waitUntil(lambda: not store.list.lines([2])[0].starred)


def test_tags_are_typed_ticked_and_found(browser: SessionBrowser, store: SessionStore, qtbot: QtBot) -> None:
    select(browser, qtbot, 2)
    press(browser.table, qtbot, Qt.Key.Key_T)
    line = child(browser, "runNewTag")
    assert isinstance(line, QLineEdit) and line.isVisible()
    qtbot.keyClicks(line, "figure 2")
    press(line, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(entry.label == "figure 2" for entry in browser.shelf.entries))
    choose(browser, qtbot, "figure 2")
    until_shown(browser, qtbot, -1, 2)
    select(browser, qtbot, 2)
    qtbot.waitUntil(lambda: "figure 2" in browser.details.tags.button.text())
    menu = browser.details.tags.button.menu()
    menu.aboutToShow.emit()
    action = menu.actions()[0]
    assert (action.text(), action.isChecked()) == ("figure 2", True)
    action.trigger()
    qtbot.waitUntil(lambda: store.list.lines([2])[0].tags == ())
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)  # its tag is gone, and so is the entry


def test_a_note_is_kept_when_another_run_is_looked_at(
    browser: SessionBrowser, store: SessionStore, qtbot: QtBot
) -> None:
    select(browser, qtbot, 2)
    press(browser.table, qtbot, Qt.Key.Key_N)
    note = browser.details.note
    qtbot.keyClicks(note, "look again")
    select(browser, qtbot, 3)
    qtbot.waitUntil(lambda: store.list.lines([2])[0].note == "look again")
    assert note.toPlainText() == ""
    select(browser, qtbot, 2)
    qtbot.waitUntil(lambda: note.toPlainText() == "look again")
    browser.look_for("note:again")
    until_shown(browser, qtbot, -1, 2)


def test_what_is_being_written_is_not_replaced(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 2)
    note = browser.details.note
    qtbot.waitUntil(lambda: bool(browser.details.facts.rows))
    qtbot.keyClicks(note, "half a sent")
    browser._archive.star([2])
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "star") == "★")
    qtbot.wait(50)
    assert note.toPlainText() == "half a sent"


def test_a_verdict_is_given_and_taken_back(
    browser: SessionBrowser, store: SessionStore, qtbot: QtBot
) -> None:
    select(browser, qtbot, 2)
    button = child(browser, "runJudge")
    assert isinstance(button, MenuButton)
    menu = button.menu()
    menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "verdict") == "target ✓")
    menu.actions()[-1].trigger()
    qtbot.waitUntil(lambda: store.list.lines([2])[0].verdict == "")


def test_a_session_is_renamed_in_place(browser: SessionBrowser, store: SessionStore, qtbot: QtBot) -> None:
    choose(browser, qtbot, "morning")
    press(browser.shelf, qtbot, Qt.Key.Key_F2)
    line = child(browser.shelf, "sessionName")
    assert isinstance(line, QLineEdit) and line.text() == "morning"
    line.selectAll()
    qtbot.keyClicks(line, "strip seven")
    press(line, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(entry.label == "strip seven" for entry in browser.shelf.entries))
    assert store.sessions()[1].name == "strip seven"


def test_a_session_is_reported_compared_and_deleted(browser: SessionBrowser, qtbot: QtBot) -> None:
    entry = next(entry for entry in browser.shelf.entries if entry.label == "morning")
    menu = browser.shelf.menu_of(entry)
    by_name = {action.text(): action for action in menu.actions()}
    reported, compared = (
        QSignalSpy(browser.session_report_wanted),
        QSignalSpy(browser.compare_sessions_wanted),
    )
    by_name["Report ..."].trigger()
    others = by_name["Compare with"].menu()
    assert isinstance(others, QMenu)
    others.actions()[0].trigger()
    assert reported.at(0) == [1] and compared.at(0) == [1, 2]
    by_name["Delete with its runs"].trigger()
    until_shown(browser, qtbot, -1, 5, 4)
    assert browser.undo_line.sentence == "“morning” deleted, with 3 runs."
    click(browser, "undoDelete", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)


def test_deleting_leaves_a_line_that_takes_it_back(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 4, 3)
    press(browser.table, qtbot, Qt.Key.Key_Delete)
    until_shown(browser, qtbot, -1, 5, -1, 2, 1)
    assert browser.undo_line.isVisible() and browser.undo_line.sentence == "2 runs deleted."
    assert browser.selected_ids == (2,)
    click(browser, "undoDelete", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)
    assert not browser.undo_line.isVisible()


def test_deleted_runs_are_found_and_brought_back(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 3)
    click(browser, "runDelete", qtbot)
    qtbot.waitUntil(lambda: any(entry.kind == "deleted" for entry in browser.shelf.entries))
    choose(browser, qtbot, "Deleted")
    until_shown(browser, qtbot, -1, 3)
    select(browser, qtbot, 3)
    assert not child(browser, "runDelete").isVisible()
    press(browser.table, qtbot, Qt.Key.Key_Delete)  # nothing is deleted twice
    click(browser, "runRestore", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)


def test_a_log_that_cannot_be_written_is_a_notice(
    browser: SessionBrowser, store: SessionStore, qtbot: QtBot
) -> None:
    select(browser, qtbot, 2)
    store.close()
    press(browser.table, qtbot, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: browser._model.notice is not None)
    notice = browser._model.notice
    assert notice is not None and notice.about == "log" and notice.next_step


def test_the_right_button_lists_only_runs_like_this_one(browser: SessionBrowser, qtbot: QtBot) -> None:
    select(browser, qtbot, 2)
    line = browser.table.rows.line(2)
    assert line is not None
    menu = browser.menu_of(line, "target")
    assert menu.actions()[0].text() == "Only this target: Panel 4"
    menu.actions()[0].trigger()
    until_shown(browser, qtbot, -1, 4, -1, 2)
    assert browser.bar.search.text() == 'target:="Panel 4"'
    opened = QSignalSpy(browser.open_wanted)
    next(action for action in menu.actions() if action.text() == "Open in Explore").trigger()
    assert opened.at(0) == [2]
    menu.close()


@pytest.mark.parametrize("column", [column.key for column in RUN_COLUMNS])
def test_runs_like_this_one_include_it(browser: SessionBrowser, qtbot: QtBot, column: str) -> None:
    browser._archive.tag([3], 'a "quoted" tag')
    browser._archive.tag([3], "odd")
    qtbot.waitUntil(lambda: "odd" in browser.table.rows.text(3, "tags"))
    for run_id in (1, 2, 3, 4):
        line = browser.table.rows.line(run_id)
        assert line is not None
        likeness = like_it(line, column)
        if likeness is not None:
            browser.look_for(likeness[1])
            with qtbot.waitSignal(browser._archive.listed):
                browser.refresh()
            assert run_id in shown_ids(browser), likeness


def test_columns_and_grouping_are_remembered(browser: SessionBrowser, open_browser: Open) -> None:
    browser.table.show_column(PLACES["note"], True)
    browser.bar.group("none")
    browser._on_sort_wanted("text", False)
    other = open_browser()
    other.restore_state(browser.save_state())
    assert not other.table.isColumnHidden(PLACES["note"]) and not other.table.grouped
    assert other.table.sort_shown() == ("text", False)
    other.restore_state((b"1nonsense", b"nonsense"))
    assert not other.table.isColumnHidden(PLACES["note"])


# The keyboard alone


def test_from_the_search_into_the_list_and_back(browser: SessionBrowser, qtbot: QtBot) -> None:
    with qtbot.waitActive(browser):
        browser.activateWindow()
    browser.table.setFocus()
    press(browser.table, qtbot, Qt.Key.Key_F, CTRL)
    assert browser.bar.search.hasFocus()
    press(browser.bar.search, qtbot, Qt.Key.Key_Down)
    assert browser.table.hasFocus() and browser.selected_ids == (5,)
    press(browser.table, qtbot, Qt.Key.Key_Down)
    assert browser.selected_ids == (4,)


def test_everything_that_acts_has_a_name_and_says_what_it_does(browser: SessionBrowser) -> None:
    for button in browser.findChildren(QAbstractButton):
        if button.objectName().startswith("qt_") or button.parent() in browser.findChildren(QLineEdit):
            continue
        assert button.objectName() and button.accessibleName(), button
        assert button.toolTip(), button.objectName()
