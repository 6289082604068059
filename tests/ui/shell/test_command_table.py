"""One table of commands: every menu of the window is made of it, and the palette finds all that is in it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QPoint, QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QToolButton, QWidgetAction
from shiboken6 import isValid

import gazeviz.ui
from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.answers.transcript import TranscriptColumn
from gazeviz.ui.shell.commands import LOCAL, keys_page
from gazeviz.ui.shell.main_window import MainWindow
from gazeviz.ui.steering import schedule_axis
from gazeviz.ui.steering.schedule_editor import ScheduleView
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import COMMAND
from tests.app.fixtures.logged_stage import LoggedStage
from tests.patience import PatientBot

UI = Path(gazeviz.ui.__file__).parent
MAKERS = {"widgets/command.py", "shell/actions.py"}
"""The modules that make actions of commands."""
OTHERS = {
    "picture/open_menu.py": Counter(addAction=1),  # a line to type a layout in
    "sessions/search_bar.py": Counter(QAction=1, addAction=1),  # the sign in the search field
}
OF_A_PLACE = ("place", "block", "like", "tags", "columns", "compared", "scatter", "compare", "report", "run",
              "sessions.compare")  # fmt: skip
"""Beginnings of ids of commands about what is under the pointer, or about one list."""


@pytest.fixture
def logged(
    open_session: Callable[[], LoggedStage], strip_path: Path, qtbot: PatientBot, tmp_path: Path
) -> Iterator[tuple[MainWindow, LoggedStage]]:
    """A window with two runs in its log, on the Sessions tab and on Explore once."""
    theme.apply(cast(QApplication, QApplication.instance()), "dark")
    stage = open_session()
    stage.start(strip_path)
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.tour_seen = True
    archive = LogBrowser(stage.store)
    window = MainWindow(stage.model, stage.controller, settings, archive)
    qtbot.addWidget(window, before_close_func=lambda _: archive.close())
    window.show()
    window.begin()
    stage.controller.run("baseline")
    stage.until(lambda: not stage.controller.runs.active)
    browser = window.sessions().browser
    window.show_tab("Sessions")
    qtbot.waitUntil(lambda: any(entry.kind == "session" for entry in browser.sidebar.entries))
    window.show_tab("Explore")
    yield window, stage
    window.close()


def menus_of(window: MainWindow, stage: LoggedStage) -> list[QMenu]:
    """Every menu that stands behind a button, and one of each that the right button opens, all filled."""
    browser = window.sessions().browser
    session = next(entry for entry in browser.sidebar.entries if entry.kind == "session")
    schedule = window.explore.findChild(ScheduleView)
    assert isinstance(schedule, ScheduleView)
    stage.model.schedule = ((0, stage.model.regions.ids[0]), (8, stage.model.regions.ids[1]))
    block = schedule_axis.blocks_of(stage.model, stage.model.schedule)[1]
    stage.model.active_region_id = stage.model.regions.ids[0]
    menus = [
        window.explore.regions.context_menu(), schedule.make_menu(block), browser.sidebar.menu_of(session),
    ]  # fmt: skip
    for column in window.explore.findChildren(TranscriptColumn):
        column.flow.customContextMenuRequested.emit(QPoint(2, 2))
    known: list[QMenu] = []
    while True:  # filling a menu may make others
        found = [
            menu for menu in [*window.findChildren(QMenu), *menus] if isValid(menu) and menu not in known
        ]
        if not found:
            return known
        for menu in found:
            if isValid(menu):
                menu.aboutToShow.emit()
                known.append(menu)
        known = [menu for menu in known if isValid(menu)]


def test_every_menu_is_made_of_commands(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, stage = logged
    ids = {command.id for command in window._commands()}
    strangers, unknown, n_seen = [], set(), 0
    menus = menus_of(window, stage)
    leading = [menu.menuAction() for menu in menus]
    for menu in menus:
        for action in menu.actions():
            said = (
                not isinstance(action, QWidgetAction) and not action.isSeparator() and action not in leading
            )
            if not said or not (action.isEnabled() or action.property(COMMAND)):
                continue  # a heading does nothing
            n_seen += 1
            made_of = action.property(COMMAND)
            if not made_of:
                strangers.append((menu.objectName(), action.text()))
            elif made_of not in ids and not made_of.startswith(OF_A_PLACE):
                unknown.add(made_of)
    assert n_seen > 150 and strangers == [] and unknown == set()


def test_every_action_says_what_it_does_or_why_not(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, stage = logged
    silent = [
        (menu.objectName(), action.text())
        for menu in menus_of(window, stage)
        for action in menu.actions()
        if action.property(COMMAND) and (not action.toolTip() or not action.text())
    ]
    assert silent == []


def test_every_button_with_a_menu_has_a_filled_one(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, stage = logged
    menus_of(window, stage)
    every = [*window.findChildren(QPushButton), *window.findChildren(QToolButton)]
    buttons = [
        button
        for button in every
        if isinstance(button, QPushButton | QToolButton) and button.menu() is not None
    ]
    empty = [button.objectName() for button in buttons if button.menu().isEmpty()]
    assert len(buttons) > 10 and set(empty) <= {
        "compareSessionA",
        "compareSessionB",
        "compareRegions",
        "scatterFirst",
        "scatterSecond",
    }


def test_no_action_is_written_beside_the_table() -> None:
    found = {}
    for path in sorted(UI.rglob("*.py")):
        name = path.relative_to(UI).as_posix()
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = [f.attr if isinstance(f, ast.Attribute) else f.id for f in calls
                 if isinstance(f, ast.Attribute | ast.Name)]  # fmt: skip
        made = Counter(called for called in names if called in ("QAction", "addAction", "addActions"))
        if made and name not in MAKERS:
            found[name] = made
    assert found == OTHERS


def test_every_command_has_id_title_and_tip_and_a_key_of_its_own(
    logged: tuple[MainWindow, LoggedStage],
) -> None:
    window, _ = logged
    commands = window._commands()
    assert [c.id for c in commands if not (c.id.partition(".")[2] and c.title and c.tip)] == []
    assert [name for name, n in Counter(c.id for c in commands).items() if n > 1] == []
    keys = Counter(c.key for c in commands if c.key and not {c.id, c.group} & set(LOCAL))
    assert [key for key, n in keys.items() if n > 1] == []


def test_the_help_page_lists_the_whole_table(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, _ = logged
    page = keys_page(window.actions_.commands)
    missing = [
        c.id for c in window.actions_.commands if f"| {c.title.replace('|', chr(92) + '|')} |" not in page
    ]
    window.actions_.call("help.keys")
    shown = window._help.page
    assert missing == [] and shown is not None and shown.text == page
    window._help.close()


FOUND = [
    "measure head rankings", "save the chosen heads", "import a head ranking", "export the head ranking",
    "import regions", "export regions as coco", "ask: narration", "ask about panel 2", "panels 2 × 3",
    "schedule the panels in order", "matrix of panels", "colour of the active region: green",
    "draw random heads again", "maps: at most 6", "sort heads by their mass on panel 3",
    "steering mode: suppress picture", "steered rows: answer's rows", "rename the session",
    "delete the session", "copy the text of the baseline answer", "image tokens: at most",
]  # fmt: skip


def test_the_palette_finds_what_only_menus_had(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, _ = logged
    titles = [command.title.casefold() for command in window._commands()]
    assert [asked for asked in FOUND if not any(asked in title for title in titles)] == []


def test_what_cannot_be_done_now_is_grey_with_its_reason(logged: tuple[MainWindow, LoggedStage]) -> None:
    window, stage = logged
    stage.controller.heads.clear()
    button = window.explore.findChild(QPushButton, "chooseMenu")
    assert isinstance(button, QPushButton)
    button.menu().aboutToShow.emit()
    action = button.menu().findChild(QAction, "heads.random_matched")
    assert isinstance(action, QAction) and not action.isEnabled()
    assert action.toolTip() == "No head is chosen. Choose heads on the grid."
