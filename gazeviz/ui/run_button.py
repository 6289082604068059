"""The one button in the accent: Run, and Stop while something runs. It is never disabled: it says why not."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QWidget

from gazeviz.ui import theme
from gazeviz.ui.column_parts import tinted

_KEY: Final = "Space"
_ICON_PX: Final = 14


class RunButton(QPushButton):
    """Shows whether it runs or stops, its key, and whether a run could begin."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runButton")
        self.setProperty("kind", "primary")
        self._running = False
        self._shown: tuple[bool, bool, str] | None = None
        self.show_state(running=False, can_run=False, tip="")
        theme.changed.connect(self.update)

    def show_state(self, *, running: bool, can_run: bool, tip: str) -> None:
        """Take in what a click would do."""
        if (running, can_run, tip) == self._shown:
            return
        self._running, self._shown = running, (running, can_run, tip)
        self.setAccessibleName("Stop" if running else "Run")
        self.setAccessibleDescription(tip)
        self.setToolTip(tip)
        set_kind(self, "primary" if running or can_run else "quiet")
        self.update()

    @property
    def label(self) -> str:
        """What is written on it."""
        return "Stop" if self._running else "Run"

    def sizeHint(self) -> QSize:
        """The same for Run and Stop, so that nothing moves."""
        return QSize(112, 34)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button, then icon, word and key."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter, colours = QPainter(self), theme.current()
        self.style().drawControl(QStyle.ControlElement.CE_PushButton, option, painter, self)
        primary = self.property("kind") == "primary"
        ink = colours.on_accent if primary else colours.soft
        middle, left = self.height() // 2, 12
        icon = tinted(
            theme.icon("stop" if self._running else "play"), _ICON_PX, ink, self.devicePixelRatioF()
        )
        painter.drawPixmap(QRect(left, middle - _ICON_PX // 2, _ICON_PX, _ICON_PX), icon)
        painter.setPen(ink)
        painter.setFont(theme.font_ui(13, 600))
        room = self.rect().adjusted(left + _ICON_PX + 6, 0, -12, 0)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.label)
        painter.setFont(theme.font_ui(11, 500))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, _KEY)


def set_kind(button: QPushButton, kind: str) -> None:
    """Dress a button as another kind (see the style sheet)."""
    if button.property("kind") != kind:
        button.setProperty("kind", kind)
        button.style().unpolish(button)
        button.style().polish(button)
