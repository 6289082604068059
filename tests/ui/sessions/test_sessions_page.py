"""The Sessions tab: what is listed, found, narrowed and remembered, by mouse and keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit
from tests.patience import PatientBot

from gazeviz.store import SessionStore
from gazeviz.ui.sessions.run_commands import like_it
from gazeviz.ui.sessions.run_table_model import PLACES, RUN_COLUMNS
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from tests.app.fixtures.logged_sessions import fill
from tests.ui.fixtures.browser_stage import (
    Open,
    choose,
    click,
    press,
    select,
    shown_ids,
    shown_texts,
    until_shown,
)
from tests.ui.fixtures.head_stage import CTRL, LEFT, NO_KEYS
from tests.ui.fixtures.painting_stage import child_of

# What is listed


def test_runs_stand_under_their_sessions_the_newest_first(browser: SessionBrowser) -> None:
    assert shown_ids(browser) == [-1, 5, 4, -1, 3, 2, 1]
    assert shown_texts(browser)[2] == "black cat eats in the city"
    index = browser.table.rows.index(3, 0)
    assert browser.table.rows.data(index) == "morning, 3 runs"
    browser.bar.grouping.menu().actions()[1].trigger()
    assert shown_ids(browser) == [5, 4, 3, 2, 1]


def test_a_session_folds_by_click_and_by_key(browser: SessionBrowser, qtbot: PatientBot) -> None:
    table = browser.table
    at = table.visualRect(table.rows.index(0, PLACES["prompt"])).center()
    qtbot.mouseClick(table.viewport(), LEFT, NO_KEYS, at)
    assert shown_ids(browser) == [-1, -1, 3, 2, 1]
    press(table, qtbot, Qt.Key.Key_Right)
    assert shown_ids(browser) == [-1, 5, 4, -1, 3, 2, 1]
    press(table, qtbot, Qt.Key.Key_Space)
    assert shown_ids(browser) == [-1, -1, 3, 2, 1]


def test_the_shelf_counts_and_narrows(browser: SessionBrowser, qtbot: PatientBot) -> None:
    counted = {entry.label: entry.count for entry in browser.sidebar.entries if entry.kind != "title"}
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


def test_typing_finds_and_what_is_no_search_is_said(browser: SessionBrowser, qtbot: PatientBot) -> None:
    search = browser.bar.search
    qtbot.keyClicks(search, "purple")
    until_shown(browser, qtbot, -1, 3, 1)
    search.look_for("is:shiny")
    trouble = child_of(browser, "runSearchTrouble")
    assert isinstance(trouble, QLabel) and trouble.isVisible() and "no mark “shiny”" in trouble.text()
    assert shown_ids(browser) == [-1, 3, 1]
    press(search, qtbot, Qt.Key.Key_Escape)
    until_shown(browser, qtbot, -1, 5, 4, -1, 3, 2, 1)
    assert trouble.isHidden()


def test_a_search_is_looked_for_within_the_entry_of_the_shelf(
    browser: SessionBrowser, qtbot: PatientBot
) -> None:
    choose(browser, qtbot, "morning")
    browser.look_for("target:Panel")
    until_shown(browser, qtbot, -1, 3, 2)
    choose(browser, qtbot, "Lost or failed")
    browser.look_for("is:failed")
    qtbot.waitUntil(browser.empty.isVisible)


def test_an_example_of_the_help_is_typed(browser: SessionBrowser, qtbot: PatientBot) -> None:
    click(browser, "runSearchHelp", qtbot)
    assert browser.bar.help.sheet.isVisible()
    example = browser.bar.help.sheet.findChild(QAbstractButton, "runSearchExample1")
    assert isinstance(example, QAbstractButton)
    qtbot.mouseClick(example, LEFT)
    assert browser.bar.search.text() == "cat" and not browser.bar.help.sheet.isVisible()
    until_shown(browser, qtbot, -1, 2)


def test_headers_sort_and_sort_the_other_way(browser: SessionBrowser, qtbot: PatientBot) -> None:
    browser.table.set_grouped(False)
    header = browser.table.horizontalHeader()

    def click_header(key: str) -> None:
        at = QPoint(header.sectionViewportPosition(PLACES[key]) + 12, 8)
        qtbot.mouseClick(header.viewport(), LEFT, NO_KEYS, at)

    click_header("text")
    until_shown(browser, qtbot, 5, 1, 4, 2, 3)
    click_header("text")
    until_shown(browser, qtbot, 3, 2, 4, 1, 5)
    click_header("picture")
    qtbot.waitUntil(lambda: header.sortIndicatorSection() == PLACES["picture"])


def test_columns_are_chosen(browser: SessionBrowser) -> None:
    place = PLACES["note"]
    action = browser.bar.columns.menu().actions()[place]
    assert action.text() == "Note" and not action.isChecked()
    action.trigger()
    assert not browser.table.isColumnHidden(place)


def test_an_empty_log_says_what_to_do(open_browser: Open, qtbot: PatientBot) -> None:
    browser = open_browser()
    qtbot.waitUntil(lambda: browser.empty.sentence == "No runs yet.")
    wanted = QSignalSpy(browser.explore_wanted)
    click(browser, "noRunsStep", qtbot)
    assert wanted.count() == 1


def test_runs_of_other_programs_appear_and_the_selection_stays(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    select(browser, qtbot, 2, 3)
    fill(store)
    browser.refresh()
    qtbot.waitUntil(lambda: len(shown_ids(browser)) == 14)
    assert browser.selected_ids == (3, 2)


def test_the_right_button_lists_only_runs_like_this_one(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 2)
    line = browser.table.rows.line(2)
    assert line is not None
    menu = browser.menu_of(line, "target")
    assert menu.actions()[0].text() == "Only this target: Panel 4"
    menu.actions()[0].trigger()
    until_shown(browser, qtbot, -1, 4, -1, 2)
    assert browser.bar.search.text() == 'target:="Panel 4"'
    opened = QSignalSpy(browser.open_wanted)
    next(action for action in menu.actions() if action.text() == "Open in Explore\tReturn").trigger()
    assert opened.at(0) == [2]
    menu.close()


@pytest.mark.parametrize("column", [column.key for column in RUN_COLUMNS])
def test_runs_like_this_one_include_it(browser: SessionBrowser, qtbot: PatientBot, column: str) -> None:
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


def test_from_the_search_into_the_list_and_back(browser: SessionBrowser, qtbot: PatientBot) -> None:
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
