"""Commands as the window's actions: menus that tick and grey them, and keys that act where nobody types.

Single keys (B, 1, Space) work wherever no text is being typed. Knows commands, not what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QListView,
    QMenu,
    QWidget,
)

from gazeviz.ui.widgets.command import COMMAND, Command
from gazeviz.ui.widgets.controls import OWNS_ESCAPE

_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
_SILENT: Final = ("tokens",)
"""Groups whose keys say nothing where there is nowhere to go."""


class Actions(QObject):
    """QActions of a window, by the ids of their commands, in order.

    local: groups and ids whose keys a part acts on while it has the focus; they are shown and not bound.
    refuse: told why a command that was called cannot be done now, and its group.
    """

    def __init__(
        self,
        window: QWidget,
        commands: Sequence[Command],
        *,
        local: Collection[str] = (),
        refuse: Callable[[str, str], object] = lambda reason, group: None,
    ) -> None:
        super().__init__(window)
        self._commands = {command.id: command for command in commands}
        self._local, self._refuse = frozenset(local), refuse
        self._actions = {command.id: self._make(window, command) for command in commands}
        self._off: frozenset[str] = frozenset()
        self._guard = KeyGuard(self)

    def _make(self, window: QWidget, command: Command) -> QAction:
        title = command.title.replace("&", "&&")
        action = QAction(title, window)
        action.setObjectName(command.id)
        action.setProperty(COMMAND, command.id)
        action.setToolTip(command.hint)
        action.setStatusTip(command.tip)
        if command.key and self._local.isdisjoint((command.id, command.group)):
            action.setShortcut(QKeySequence(command.key))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        elif command.key:
            action.setText(f"{title}\t{command.key}")
        action.setCheckable(command.checked is not None)
        action.triggered.connect(lambda _=False: self.call(command.id))
        window.addAction(action)
        return action

    @property
    def commands(self) -> tuple[Command, ...]:
        """All of them, in order."""
        return tuple(self._commands.values())

    def named(self, command_id: str) -> Command:
        return self._commands[command_id]

    def of(self, group: str) -> tuple[Command, ...]:
        return tuple(command for command in self._commands.values() if command.group == group)

    def action(self, command_id: str) -> QAction:
        return self._actions[command_id]

    def call(self, command_id: str) -> None:
        """Do it, or say why it cannot be done now."""
        command = self._commands[command_id]
        reason = command.enabled_when()
        if reason is None:
            command.run()
        elif command.group not in _SILENT:
            self._refuse(reason, command.group)

    def fill(self, menu: QMenu) -> None:
        """Make a menu of them, a submenu for each group."""
        menu.clear()
        submenus: dict[str, QMenu] = {}
        for command in self._commands.values():
            if command.group not in submenus:
                submenus[command.group] = submenu = menu.addMenu(command.group.capitalize())
                submenu.setToolTipsVisible(True)
                submenu.aboutToShow.connect(lambda group=command.group: self.refresh(self.of(group)))
                submenu.aboutToHide.connect(self._let_keys_act)
            submenus[command.group].addAction(self._actions[command.id])

    def enable(self, groups: Collection[str], on: bool) -> None:
        """Let some groups be called, or not: on another tab their keys mean something else."""
        self._off = self._off - frozenset(groups) if on else self._off | frozenset(groups)
        self._let_keys_act()

    def refresh(self, commands: Iterable[Command]) -> None:
        """Tick what is on, and grey what cannot be done, with the reason."""
        for command in commands:
            action = self._actions[command.id]
            if command.checked is not None:
                action.setChecked(command.checked())
            reason = self.reason(command)
            action.setEnabled(reason is None)
            action.setToolTip(reason or command.hint)

    def reason(self, command: Command) -> str | None:
        """Why a command cannot be called now; None where it can."""
        return "Go to the Explore tab: Alt+1." if command.group in self._off else command.enabled_when()

    def _let_keys_act(self) -> None:
        """Only a menu greys them: a key that cannot act says why instead."""
        for command in self._commands.values():
            self._actions[command.id].setEnabled(command.group not in self._off)


class KeyGuard(QObject):
    """Leaves Space, arrows and Esc to the control that has the focus where it needs them itself.

    Watches that control alone: a filter of the whole application would see every event of every widget.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
            self._on_focus_changed(None, QApplication.focusWidget())

    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        if before is not None:
            before.removeEventFilter(self)
        if now is not None:
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Accept the override of a shortcut on behalf of the focused control."""
        asked = event.type() == QEvent.Type.ShortcutOverride
        if not asked or not isinstance(event, QKeyEvent) or not isinstance(watched, QWidget):
            return False
        needed = needs_key(watched, Qt.Key(event.key()))
        event.setAccepted(needed)
        return needed


def needs_key(widget: QWidget, key: Qt.Key) -> bool:
    """Whether a focused control acts on a key by itself."""
    if key == Qt.Key.Key_Space:
        return isinstance(widget, QAbstractButton | QComboBox)
    if key in _ARROWS:
        if isinstance(widget, QListView) and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return False  # its rows are above each other
        return isinstance(widget, QAbstractSlider | QAbstractSpinBox | QComboBox | QAbstractItemView)
    return key == Qt.Key.Key_Escape and bool(widget.property(OWNS_ESCAPE))
