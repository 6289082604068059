"""A command: one thing that can be done, as menus, buttons, keys, the palette and the help show it.

Parts of the window make their menus of commands and of nothing else; the table of all of them is the shell's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import QMenu, QWidgetAction

COMMAND: Final = "command"
"""Property of an action: the id of the command that it was made of."""


def always() -> str | None:
    """Nothing is in the way."""
    return None


@dataclass(frozen=True)
class Command:
    """One thing that can be done.

    id: "group.name". title: of palette, main menu and buttons. key: as Qt writes it, "" for none. tip: a
    sentence. enabled_when: None, or why it cannot be done now, in a sentence and what to do about it.
    checked: whether it is on, for what can be turned on and off. label: its name in a menu that is about the
    same thing anyway, for which the title stands where none is given.
    """

    id: str
    title: str
    key: str
    tip: str
    run: Callable[[], object]
    enabled_when: Callable[[], str | None] = always
    checked: Callable[[], bool] | None = None
    label: str = ""
    icon: Callable[[], QIcon] | None = None

    @property
    def group(self) -> str:
        """What it is about: the menu that it stands in."""
        return self.id.partition(".")[0]

    @property
    def hint(self) -> str:
        """Its tip and its key, as a tool tip shows them."""
        return f"{self.tip}  {self.key}".rstrip()


@dataclass(frozen=True)
class Heading:
    """A line of a menu that names what follows, and does nothing."""

    text: str


@dataclass(frozen=True)
class Submenu:
    """Commands behind one line of a menu. id: its object name."""

    id: str
    title: str
    entries: Callable[[], Iterable[Entry]]
    enabled_when: Callable[[], str | None] = always


Entry: TypeAlias = "Command | Submenu | Heading | QWidgetAction | None"
"""A line of a menu; None: a separator."""


def add_commands(menu: QMenu, entries: Iterable[Entry]) -> list[QAction]:
    """Put commands into a menu as they are now: ticked, or grey with the reason for a tip."""
    menu.setToolTipsVisible(True)
    added = []
    for entry in entries:
        if entry is None:
            menu.addSeparator()
        elif isinstance(entry, Submenu):
            added.append(_add_submenu(menu, entry))
        elif isinstance(entry, Heading):
            menu.addAction(_plain(entry.text)).setEnabled(False)
        elif isinstance(entry, QWidgetAction):
            menu.addAction(entry)
        else:
            added.append(_add_command(menu, entry))
    return added


def refill(menu: QMenu, entries: Iterable[Entry]) -> None:
    """Put other commands into a menu, also while one of its own runs."""
    children = Qt.FindChildOption.FindDirectChildrenOnly
    old: list[QObject] = [action for action in menu.actions() if action.parent() is menu]
    old += menu.findChildren(QMenu, options=children)
    for action in menu.actions():
        menu.removeAction(action)
    for gone in old:
        gone.setObjectName("")  # what goes is found no more
        gone.deleteLater()
    add_commands(menu, entries)


def _add_command(menu: QMenu, command: Command) -> QAction:
    reason = command.enabled_when()
    # The key is shown and not bound: who shows the menu acts on it, or the window does.
    title = _plain(command.label or command.title)
    action = menu.addAction(f"{title}\t{command.key}" if command.key else title)
    action.setObjectName(command.id)
    action.setProperty(COMMAND, command.id)
    action.setEnabled(reason is None)
    action.setToolTip(reason or command.hint)
    if command.icon is not None:
        action.setIcon(command.icon())
    if command.checked is not None:
        action.setCheckable(True)
        action.setChecked(command.checked())
    action.triggered.connect(lambda _=False: command.run())
    return action


def _add_submenu(menu: QMenu, entry: Submenu) -> QAction:
    submenu = menu.addMenu(_plain(entry.title))
    submenu.setObjectName(entry.id)
    reason = entry.enabled_when()
    submenu.setEnabled(reason is None)
    submenu.menuAction().setToolTip(reason or "")
    add_commands(submenu, entry.entries())
    return submenu.menuAction()


def _plain(text: str) -> str:
    """A text whose ampersands are no mnemonics."""
    return text.replace("&", "&&")
