"""The Sessions tab, what is done to runs and sessions: marked, named, deleted, and all of it taken back."""

from __future__ import annotations

from tests.patience import PatientBot
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QLineEdit, QMenu

from gazeviz.store import SessionStore
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from gazeviz.ui.widgets.controls import MenuButton
from tests.ui.fixtures.browser_stage import choose, click, point, press, select, until_shown
from tests.ui.fixtures.head_stage import CTRL, LEFT, NO_KEYS, SHIFT
from tests.ui.fixtures.painting_stage import child_of


def test_stars_by_key_and_by_click(browser: SessionBrowser, store: SessionStore, qtbot: PatientBot) -> None:
    select(browser, qtbot, 2, 3)
    press(browser.table, qtbot, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: [line.starred for line in store.list.lines([2, 3])] == [True, True])
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "star") == "★")
    at = point(browser, 2, "star")
    qtbot.mouseClick(browser.table.viewport(), LEFT, NO_KEYS, at)
    qtbot.waitUntil(lambda: [line.starred for line in store.list.lines([2, 3])] == [False, True])
    press(browser.table, qtbot, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: store.list.lines([2])[0].starred)
    press(browser.table, qtbot, Qt.Key.Key_Z, CTRL | SHIFT)
    qtbot.waitUntil(lambda: not store.list.lines([2])[0].starred)


def test_tags_are_typed_ticked_and_found(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    select(browser, qtbot, 2)
    press(browser.table, qtbot, Qt.Key.Key_T)
    line = child_of(browser, "runNewTag")
    assert isinstance(line, QLineEdit) and line.isVisible()
    qtbot.keyClicks(line, "figure 2")
    press(line, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(entry.label == "figure 2" for entry in browser.sidebar.entries))
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
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
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


def test_what_is_being_written_is_not_replaced(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 2)
    note = browser.details.note
    qtbot.waitUntil(lambda: bool(browser.details.facts.rows))
    qtbot.keyClicks(note, "half a sent")
    browser._archive.star([2])
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "star") == "★")
    qtbot.until_quiet()
    assert note.toPlainText() == "half a sent"


def test_what_was_read_before_a_note_was_written_does_not_replace_it(
    browser: SessionBrowser, qtbot: PatientBot
) -> None:
    select(browser, qtbot, 2)
    note = browser.details.note
    qtbot.waitUntil(lambda: bool(browser.details.facts.rows))
    qtbot.keyClicks(note, "half a sentence")
    note.keep()
    note.show_note(2, "")  # the answer to a question from before
    assert note.toPlainText() == "half a sentence"
    note.show_note(2, "half a sentence")
    note.show_note(2, "from another program")
    assert note.toPlainText() == "from another program"


def test_a_verdict_is_given_and_taken_back(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    select(browser, qtbot, 2)
    button = child_of(browser, "runJudge")
    assert isinstance(button, MenuButton)
    menu = button.menu()
    menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: browser.table.rows.text(2, "verdict") == "target ✓")
    menu.actions()[-1].trigger()
    qtbot.waitUntil(lambda: store.list.lines([2])[0].verdict == "")


def test_a_session_is_renamed_in_place(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    choose(browser, qtbot, "morning")
    press(browser.sidebar, qtbot, Qt.Key.Key_F2)
    line = child_of(browser.sidebar, "sessionName")
    assert isinstance(line, QLineEdit) and line.text() == "morning"
    line.selectAll()
    qtbot.keyClicks(line, "strip seven")
    press(line, qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(entry.label == "strip seven" for entry in browser.sidebar.entries))
    assert store.sessions()[1].name == "strip seven"


def test_a_session_is_reported_compared_and_deleted(browser: SessionBrowser, qtbot: PatientBot) -> None:
    entry = next(entry for entry in browser.sidebar.entries if entry.label == "morning")
    menu = browser.sidebar.menu_of(entry)
    by_name = {action.text().partition("\t")[0]: action for action in menu.actions()}
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


def test_deleting_leaves_a_line_that_takes_it_back(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 4, 3)
    press(browser.table, qtbot, Qt.Key.Key_Delete)
    until_shown(browser, qtbot, -1, 5, -1, 2, 1)
    assert browser.undo_line.isVisible() and browser.undo_line.sentence == "2 runs deleted."
    assert browser.selected_ids == (2,)
    click(browser, "undoDelete", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)
    assert not browser.undo_line.isVisible()


def test_deleted_runs_are_found_and_brought_back(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 3)
    click(browser, "runDelete", qtbot)
    qtbot.waitUntil(lambda: any(entry.kind == "deleted" for entry in browser.sidebar.entries))
    choose(browser, qtbot, "Deleted")
    until_shown(browser, qtbot, -1, 3)
    select(browser, qtbot, 3)
    assert not child_of(browser, "runDelete").isVisible()
    press(browser.table, qtbot, Qt.Key.Key_Delete)  # nothing is deleted twice
    click(browser, "runRestore", qtbot)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)


def test_a_log_that_cannot_be_written_is_a_notice(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    select(browser, qtbot, 2)
    store.close()
    press(browser.table, qtbot, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: browser._model.notice is not None)
    notice = browser._model.notice
    assert notice is not None and notice.about == "log" and notice.next_step
