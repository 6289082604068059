"""Boxes for numbers, which read and write one way in every country: 1.5, and 1,5 is understood.

Qt reads a number by the system's locale: where the comma is the sign, 1.5 becomes 1, and .7 becomes 0. A
wheel that scrolls a column past a box or a slider changes nothing: only what has the focus takes it.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QEvent, QLocale, QObject, Qt
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox, QWidget

_STATES = QValidator.State
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class WheelGuard(QObject):
    """Hands the wheel on to what is behind a control, unless the control has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel of a control without focus to its parent."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


@cache
def _wheel_guard() -> WheelGuard:
    return WheelGuard()


def guard_wheel(control: QWidget) -> None:
    """Let a control take the wheel only while it has the focus, which the wheel does not give it."""
    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    control.installEventFilter(_wheel_guard())


class WholeNumberBox(QSpinBox):
    """A box for whole numbers, without signs between thousands."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_locale())
        guard_wheel(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the number and gives the focus back, so that keys mean the window's commands again."""
        super().keyPressEvent(event)
        if event.key() in _ENTER:
            self.clearFocus()


class NumberBox(QDoubleSpinBox):
    """A box for numbers with decimals, written with a point; a comma is read as one, too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_locale())
        guard_wheel(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the number and gives the focus back, so that keys mean the window's commands again."""
        super().keyPressEvent(event)
        if event.key() in _ENTER:
            self.clearFocus()

    def validate(self, text: str, position: int) -> object:
        """Read a comma as a point while it is typed."""
        return super().validate(text.replace(",", "."), position)

    def valueFromText(self, text: str) -> float:
        """The number that a text says, with point or comma."""
        return super().valueFromText(text.replace(",", "."))

    def fixup(self, text: str) -> str:
        """What becomes of a text that is not complete."""
        return super().fixup(text.replace(",", "."))


def _locale() -> QLocale:
    locale = QLocale.c()
    locale.setNumberOptions(
        QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator
    )
    return locale
