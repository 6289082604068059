"""What a person does to the head grid, as choices of heads: clicks, drags, labels and keys.

Click: this head alone. Shift or Ctrl and click: add it, or take it away. Drag: a rectangle of heads; with
Shift in addition, with Ctrl taken away. On a label the same for whole layers and columns. Each drag is one
undo step, each run of Shift and arrow keys too. Knows heads; knows neither pixels nor painting.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtGui import QKeyEvent

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.ui.heads.grid_geometry import Axis, GridPart
from gazeviz.ui.widgets.choosing import CTRL, Mode

# Which choices of heads belong together: one drag of the mouse, one drag of a slider, one burst of keys.
#
# Choices with the same number are one undo step (gazeviz.app.editing.editor). Knows no heads.


_PAUSE_MS: Final = 700
"""Keys or wheel notches that follow each other within this time are one gesture."""

_numbers = count(1)


class Gesture:
    """The number of what a person is doing now; no two gestures of the process share one."""

    def __init__(self) -> None:
        self._number = next(_numbers)
        self._since = QElapsedTimer()

    @property
    def number(self) -> int:
        """For the choices that are made now."""
        return self._number

    def begin(self) -> int:
        """Something new begins; returns its number."""
        self._number = next(_numbers)
        self._since.restart()
        return self._number

    def go_on(self) -> int:
        """The number of a burst: a new one after a pause."""
        if not self._since.isValid() or self._since.elapsed() > _PAUSE_MS:
            self._number = next(_numbers)
        self._since.restart()
        return self._number


@dataclass
class _HeadDrag:
    axis: Axis
    mode: Mode
    anchor: Head
    last: Head
    before: HeadSet
    moved: bool = False


class GridSelection:
    """Chooses heads for the grid; `focus` is the head that the keyboard is at."""

    def __init__(self, model: SessionModel, controller: RunController) -> None:
        self._model, self._controller = model, controller
        self._gesture = Gesture()
        self._drag: _HeadDrag | None = None
        self._extending: _HeadDrag | None = None
        self._released: _HeadDrag | None = None
        self.focus = Head(0, 0)

    @property
    def dragging(self) -> bool:
        """Whether a button is held."""
        return self._drag is not None

    @property
    def rectangle(self) -> tuple[Head, Head] | None:
        """The corners of the rectangle that is being dragged, once it is one."""
        drag = self._drag
        return (drag.anchor, drag.last) if drag is not None and drag.moved and drag.axis == "cell" else None

    def press(self, part: GridPart, mode: Mode) -> None:
        """Begin with what lies under the button."""
        self._extending = None
        self._gesture.begin()
        self._drag = _HeadDrag(part.axis, mode, part.head, part.head, self._model.chosen)
        if part.axis == "cell":
            self.focus = part.head
        self._apply(self._drag)

    def move(self, head: Head) -> None:
        """Drag to a head; what was chosen at first is what the rectangle is added to."""
        drag = self._drag
        if drag is None or head == drag.last:
            return
        drag.last = head
        drag.moved = drag.moved or self._crossed(drag)
        if drag.moved:
            self._apply(drag)

    def release(self) -> None:
        """Keep what is chosen now."""
        self._released, self._drag = self._drag, None

    def take_back(self) -> None:
        """A second click follows the first, so that the first one chose nothing: a part of its undo step."""
        if self._released is not None:
            self._choose(self._released.before)

    def abort(self) -> bool:
        """Go back to what was chosen before the drag; returns whether there was one."""
        drag, self._drag = self._drag, None
        if drag is None:
            return False
        self._choose(drag.before)
        return True

    def go(self, layers: int, columns: int, *, extend: bool = False) -> Head | None:
        """Move the focus; `extend` adds the rectangle from where that began. None without heads."""
        shape_LH = self._shape_LH()
        if shape_LH is None:
            return None
        start, (n_layers, n_heads) = self._focus_within(shape_LH), shape_LH
        layer = min(n_layers - 1, max(0, start.layer + layers))
        self.focus = Head(layer, min(n_heads - 1, max(0, start.index + columns)))
        if not extend:
            self._extending = None
            return self.focus
        if self._extending is None:
            self._gesture.begin()
            self._extending = _HeadDrag("cell", "add", start, start, self._model.chosen, moved=True)
        self._extending.last = self.focus
        self._apply(self._extending)
        return self.focus

    def toggle_focus(self) -> None:
        """Choose the focused head, or let it go."""
        self._extending = None
        self._gesture.begin()
        shape_LH = self._shape_LH()
        if shape_LH is not None:
            self.focus = self._focus_within(shape_LH)
            self._apply(_HeadDrag("cell", "add", self.focus, self.focus, self._model.chosen))

    # Pieces

    def _focus_within(self, shape_LH: tuple[int, int]) -> Head:
        return Head(min(self.focus.layer, shape_LH[0] - 1), min(self.focus.index, shape_LH[1] - 1))

    def _crossed(self, drag: _HeadDrag) -> bool:
        """Whether a drag has left the label that it began on; along a layer's label nothing changes."""
        if drag.axis == "layer":
            return drag.last.layer != drag.anchor.layer
        return drag.axis == "cell" or drag.last.index != drag.anchor.index

    def _shape_LH(self) -> tuple[int, int] | None:
        info = self._model.model_info
        return info.shape_LH if info is not None else None

    def _apply(self, drag: _HeadDrag) -> None:
        info = self._model.model_info
        if info is None:
            return
        under_LH = _covered(drag, info.shape_LH) & info.heads_present_LH
        before_LH = mask_of(drag.before, info.shape_LH)
        if drag.mode == "replace":
            again = not drag.moved and np.array_equal(under_LH, before_LH)
            after_LH = np.zeros_like(under_LH) if again else under_LH
        else:
            takes = drag.mode == "take" if drag.moved else bool(before_LH[under_LH].all())
            after_LH = before_LH & ~under_LH if takes else before_LH | under_LH
        if np.array_equal(after_LH, before_LH):
            self._choose(drag.before)  # with where it came from
        else:
            self._choose(HeadSet(tuple(Head(*place) for place in np.argwhere(after_LH).tolist())))

    def _choose(self, heads: HeadSet) -> None:
        number = self._gesture.number
        notices.attempt(
            self._controller.model, lambda: self._controller.editor.choose_heads(heads, number), "heads"
        )


def mask_of(heads: HeadSet, shape_LH: tuple[int, int]) -> NDArray[np.bool_]:
    """Heads of a grid as bool (L, H); those that it does not have, of another model, are left out."""
    mask_LH = np.zeros(shape_LH, dtype=bool)
    n_layers, n_heads = shape_LH
    for head in heads:
        if head.layer < n_layers and head.index < n_heads:
            mask_LH[head.layer, head.index] = True
    return mask_LH


def _covered(drag: _HeadDrag, shape_LH: tuple[int, int]) -> NDArray[np.bool_]:
    """Heads of the rectangle between two heads, or of the layers or columns between them: bool (L, H)."""
    covered_LH = np.zeros(shape_LH, dtype=bool)
    layers = slice(min(drag.anchor.layer, drag.last.layer), max(drag.anchor.layer, drag.last.layer) + 1)
    columns = slice(min(drag.anchor.index, drag.last.index), max(drag.anchor.index, drag.last.index) + 1)
    if drag.axis == "layer":
        columns = slice(None)
    elif drag.axis == "column":
        layers = slice(None)
    covered_LH[layers, columns] = True
    return covered_LH


# The head grid's keys, and what the keys held with the mouse mean.


_KEY = Qt.Key
_REASON = Qt.FocusReason

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
