"""The Sessions tab over a log of two sessions, and a hand that points, presses and chooses in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.app.history.log_browser import Archive
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.store import SessionStore
from gazeviz.ui.sessions.run_table_model import PLACES
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from tests.app.logged_sessions import fill
from tests.fakes.fake import FakeBackend
from tests.ui.head_stage import CTRL, LEFT, NO_KEYS
from tests.ui.painting_stage import child_of

Open = Callable[..., SessionBrowser]


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


def click(browser: SessionBrowser, name: str, qtbot: QtBot) -> None:
    button = child_of(browser, name)
    assert isinstance(button, QAbstractButton) and button.isVisible() and button.isEnabled()
    qtbot.mouseClick(button, LEFT)


def point(browser: SessionBrowser, run_id: int, column: str = "prompt") -> QPoint:
    row = int(browser.table.plan.rows_of([run_id])[0])
    return browser.table.visualRect(browser.table.rows.index(row, PLACES[column])).center()


def select(browser: SessionBrowser, qtbot: QtBot, *ids: int) -> None:
    for place, run_id in enumerate(ids):
        held = CTRL if place else NO_KEYS
        qtbot.mouseClick(browser.table.viewport(), LEFT, held, point(browser, run_id))
    qtbot.waitUntil(lambda: set(browser.details.ids) == set(ids))


def choose(browser: SessionBrowser, qtbot: QtBot, label: str) -> None:
    row = next(row for row, entry in enumerate(browser.shelf.entries) if entry.label == label)
    index = browser.shelf.model().index(row, 0)
    at = browser.shelf.visualRect(index).center()
    qtbot.mouseClick(browser.shelf.viewport(), LEFT, NO_KEYS, at)


def press(widget: QWidget, qtbot: QtBot, key: Qt.Key, held: Qt.KeyboardModifier = NO_KEYS) -> None:
    qtbot.keyClick(widget, key, held)
