"""Boxes for numbers, which read and write one way in every country: 1.5, and 1,5 is understood.

Qt reads a number by the system's locale: where the comma is the sign, 1.5 becomes 1, and .7 becomes 0.
"""

from __future__ import annotations

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox, QWidget

_STATES = QValidator.State


class WholeNumberBox(QSpinBox):
    """A box for whole numbers, without signs between thousands."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_locale())


class NumberBox(QDoubleSpinBox):
    """A box for numbers with decimals, written with a point; a comma is read as one, too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_locale())

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
