"""A command: one thing that can be done, as menus, buttons, keys, the palette and the help show it.

Parts of the window are handed the commands that they show; the table of all of them is the shell's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu


def always() -> str | None:
    """Nothing is in the way."""
    return None


@dataclass(frozen=True)
class Command:
    """One thing that can be done.

    id: "group.name". title: of menus and buttons. key: as Qt writes it, "" for none. tip: a sentence.
    enabled_when: None, or why it cannot be done now, in a sentence and what to do about it.
    checked: whether it is on, for what can be turned on and off.
    """

    id: str
    title: str
    key: str
    tip: str
    run: Callable[[], object]
    enabled_when: Callable[[], str | None] = always
    checked: Callable[[], bool] | None = None

    @property
    def group(self) -> str:
        """What it is about: the menu that it stands in."""
        return self.id.partition(".")[0]

    @property
    def hint(self) -> str:
        """Its tip and its key, as a tool tip shows them."""
        return f"{self.tip}  {self.key}".rstrip()


def add_commands(menu: QMenu, commands: Iterable[Command]) -> list[QAction]:
    """Put commands into a menu as they are now: ticked, or grey with the reason for a tip."""
    menu.setToolTipsVisible(True)
    added = []
    for command in commands:
        reason = command.enabled_when()
        # The key is shown and not bound: who shows the menu acts on it, or the window does.
        title = command.title.replace("&", "&&")
        action = menu.addAction(f"{title}\t{command.key}" if command.key else title)
        action.setObjectName(command.id)
        action.setEnabled(reason is None)
        action.setToolTip(reason or command.hint)
        if command.checked is not None:
            action.setCheckable(True)
            action.setChecked(command.checked())
        action.triggered.connect(lambda _=False, run=command.run: run())
        added.append(action)
    return added
