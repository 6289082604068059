"""The buttons beside the list of runs: what can be done with those that are selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from gazeviz.app.history.log_browser import RunRow
from gazeviz.render.style import one_line
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, add_commands
from gazeviz.ui.widgets.controls import MenuButton, push_button
from gazeviz.ui.widgets.flow_layout import FlowLayout

# The menu of a run under the right button: what can be done, and a list of only the runs like it.


_COLUMNS: Final = {
    "model": "model", "picture": "picture", "prompt": "prompt", "heads": "heads", "target": "target",
    "strength": "strength", "verdict": "verdict", "state": "state", "session": "session",
}  # fmt: skip
_QUOTES: Final = frozenset('"“”')


def like_it(line: RunRow, key: str) -> tuple[str, str] | None:
    """How runs with the same value in a column are called and searched for; None where they cannot be."""
    if key == "star":
        return ("Only starred runs", "is:starred") if line.starred else None
    if key == "tags":
        tag = next((tag for tag in line.tags if not _QUOTES.intersection(tag)), None)
        return None if tag is None else (f"Only runs tagged “{tag}”", f'tag:"{tag}"')
    if key == "target" and line.side == "baseline":
        return "Only baselines", "is:baseline"
    value = str(getattr(line, _COLUMNS.get(key, "id")))
    if key not in _COLUMNS or not value or _QUOTES.intersection(value):
        return None
    return f"Only this {_COLUMNS[key]}: {one_line(value, 40)}", f'{_COLUMNS[key]}:="{value}"'


def run_menu(
    parent: QWidget,
    commands: Sequence[Command],
    likeness: tuple[str, str] | None,
    look_for: Callable[[str], object],
) -> QMenu:
    """A menu of what can be done with the selected runs; it deletes itself when it is closed."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if likeness is not None:
        label, typed = likeness
        like = Command(
            "like.value", label, "", "List only runs with the same value.", lambda: look_for(typed)
        )
        add_commands(menu, (like, None))
    add_commands(menu, commands)
    return menu


COPIED_MS: Final = 1500


_PRIMARY: Final = ("runs.open", "runs.compare", "runs.restore")
_NO_BUTTONS: Final = ("runs.tag", "runs.note", "runs.search", "runs.undo", "runs.redo")
"""They have places of their own on the tab."""
_JUDGE: Final = "runs.judge_"
_COPIES: Final = {"shell": "runs.copy_shell", "python": "runs.copy_python"}


class CommandButtons(QWidget):
    """The commands as buttons in rows; those that cannot be done now are grey, and their tips say why."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runCommands")
        self._commands: dict[str, Command] = {}
        self._buttons: dict[str, QPushButton] = {}
        self._deleted = False
        self._judge = MenuButton(
            "Judge", "runJudge", "Judge what the text describes; reports show the verdict"
        )
        self._layout = FlowLayout(self, theme.SPACE + 2)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._copied.timeout.connect(self.refresh)

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Make a button of each; what judges stands in one menu."""
        shown = [command for command in commands if command.id not in _NO_BUTTONS]
        self._commands = {command.id: command for command in shown}
        for command in shown:
            if not command.id.startswith(_JUDGE):
                self._layout.addWidget(self._make(command))
        self._layout.addWidget(self._judge)
        self.refresh()

    def _make(self, command: Command) -> QPushButton:
        name = (
            command.id.rpartition("_")[2] if command.id in _COPIES.values() else command.id.partition(".")[2]
        )
        kind = "primary" if command.id in _PRIMARY else ""
        button = push_button(f"run{name.capitalize()}", command.title, command.hint, command.title, kind)
        button.clicked.connect(lambda: command.run())
        self._buttons[command.id] = button
        return button

    def show_deleted(self, deleted: bool) -> None:
        """Offer what can be done with runs that are deleted, or with those that are not."""
        self._deleted = deleted
        self.refresh()

    def refresh(self) -> None:
        """Ask of each command whether it can be done now."""
        for command_id, button in self._buttons.items():
            command = self._commands[command_id]
            reason = command.enabled_when()
            button.setVisible(self._deleted == (command_id == "runs.restore") or command_id == "runs.open")
            button.setEnabled(reason is None)
            button.setToolTip(reason or command.hint)
            starred = command_id == "runs.star" and command.checked is not None and command.checked()
            button.setText("Unstar" if starred else command.title)
        self._judge.setVisible(not self._deleted)
        self._fill_judge()
        self.updateGeometry()

    def say_copied(self, kind: str) -> None:
        """Say on its button that a text was copied. kind: "shell" or "python"."""
        self.refresh()
        button = self._buttons.get(_COPIES[kind])
        if button is not None:
            button.setText("Copied")
            self._copied.start()

    def _fill_judge(self) -> None:
        menu = self._judge.menu()
        menu.clear()
        for command in self._commands.values():
            if command.id.startswith(_JUDGE):
                title = command.title.removeprefix("Judge: ")
                add_commands(menu, [replace(command, title=title[0].upper() + title[1:])])
