"""The head grid's keys, and what the keys held with the mouse mean."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from gazeviz.ui.head_grid_hand import Mode

_KEY = Qt.Key
_REASON = Qt.FocusReason
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

STEPS: Final = {
    _KEY.Key_Up: (1, 0),
    _KEY.Key_Down: (-1, 0),
    _KEY.Key_Left: (0, -1),
    _KEY.Key_Right: (0, 1),
    _KEY.Key_PageUp: (4, 0),
    _KEY.Key_PageDown: (-4, 0),
    _KEY.Key_Home: (0, -100_000),
    _KEY.Key_End: (0, 100_000),
}
"""Layers up and heads to the right that a key moves the focus by."""

KEY_REASONS: Final = (_REASON.TabFocusReason, _REASON.BacktabFocusReason, _REASON.ShortcutFocusReason)
"""The focus came by a key, so that it is shown which head has it."""

_OTHERS: Final = {
    _KEY.Key_Return, _KEY.Key_Enter, _KEY.Key_Plus, _KEY.Key_Equal, _KEY.Key_Minus, _KEY.Key_Escape,
}  # fmt: skip


def is_own(event: QKeyEvent) -> bool:
    """Whether a key is the grid's: never with Ctrl or Alt, which are the window's."""
    with_window = bool(event.modifiers() & (CTRL | Qt.KeyboardModifier.AltModifier))
    return not with_window and Qt.Key(event.key()) in {*STEPS, *_OTHERS}


def mode_of(keys: Qt.KeyboardModifier) -> Mode:
    """What a drag does with the heads under it: Ctrl takes them away, Shift adds them."""
    if keys & CTRL:
        return "take"
    return "add" if keys & SHIFT else "replace"
