"""What held keys mean for a choice: in the place of the last one, in addition to it, or taken away."""

from __future__ import annotations

from typing import Literal, TypeAlias

from PySide6.QtCore import Qt

Mode: TypeAlias = Literal["replace", "add", "take"]
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def mode_of(keys: Qt.KeyboardModifier) -> Mode:
    """What a drag does with the heads under it: Ctrl takes them away, Shift adds them."""
    if keys & CTRL:
        return "take"
    return "add" if keys & SHIFT else "replace"
