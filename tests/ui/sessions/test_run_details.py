"""The Sessions tab, its right column: what is selected, what is said of it, and what is sent on."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget
from tests.patience import PatientBot

from gazeviz.ui.sessions.sessions_page import SessionBrowser
from tests.ui.fixtures.browser_stage import click, point, press, select
from tests.ui.fixtures.head_stage import CTRL, LEFT, NO_KEYS, SHIFT
from tests.ui.fixtures.painting_stage import child_of


def test_the_details_say_what_was_asked(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 2)
    qtbot.waitUntil(lambda: browser.details.facts.rows.get("Target", "").startswith("Panel 4"))
    title = child_of(browser, "runDetailsTitle")
    assert isinstance(title, QLabel) and title.text() == "Run 2"
    assert browser.details.picture.isVisible()
    select(browser, qtbot, 5)
    qtbot.waitUntil(lambda: "lost" in browser.details.facts.rows.get("State", ""))
    assert not browser.details.picture.isVisible()


def test_several_runs_are_selected_compared_and_reported(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 4, 2)
    opening = child_of(browser, "runOpen")
    assert opening.isVisible() and not opening.isEnabled() and opening.toolTip() == "Choose a single run."
    compared, reported = QSignalSpy(browser.compare_wanted), QSignalSpy(browser.report_wanted)
    click(browser, "runCompare", qtbot)
    click(browser, "runReport", qtbot)
    assert compared.at(0) == [(4, 2)] and reported.at(0) == [(4, 2)]


def test_a_lower_view_follows_the_selection_while_it_is_shown(
    browser: SessionBrowser, qtbot: PatientBot
) -> None:
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
def test_keys_open_and_replay(browser: SessionBrowser, qtbot: PatientBot, key: str, signal: str) -> None:
    select(browser, qtbot, 3)
    wanted = QSignalSpy(getattr(browser, signal))
    press(browser.table, qtbot, getattr(Qt.Key, f"Key_{key}"))
    assert wanted.at(0) == [3]


def test_a_double_click_opens(browser: SessionBrowser, qtbot: PatientBot) -> None:
    wanted = QSignalSpy(browser.open_wanted)
    at = point(browser, 2)
    qtbot.mouseClick(browser.table.viewport(), LEFT, NO_KEYS, at)
    qtbot.mouseDClick(browser.table.viewport(), LEFT, NO_KEYS, at)
    assert wanted.at(0) == [2]


def test_a_run_is_copied_as_a_line_and_as_python(browser: SessionBrowser, qtbot: PatientBot) -> None:
    select(browser, qtbot, 2)
    click(browser, "runShell", qtbot)
    clipboard = QGuiApplication.clipboard()
    qtbot.waitUntil(lambda: clipboard.text().startswith("gazeviz replay 2"))
    button = child_of(browser, "runShell")
    assert isinstance(button, QAbstractButton) and button.text() == "Copied"
    press(browser.table, qtbot, Qt.Key.Key_C, CTRL | SHIFT)
    qtbot.waitUntil(lambda: clipboard.text().startswith("import gazeviz"))
