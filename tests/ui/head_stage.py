"""A session with heads to choose from and no worker, and a mouse on its grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.messages import ModelInfo
from gazeviz.ui.heads.head_grid import HeadGrid
from tests.fakes.fake import FakeBackend

NO_KEYS = Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
SHAPE_LH = (6, 8)
ABSENT = Head(0, 7)


@dataclass
class HeadStage:
    """A ragged model without L0H7; close it at the end of a test."""

    model: SessionModel
    controller: RunController
    windows: list[QWidget] = field(default_factory=list)

    @property
    def n_steps(self) -> int:
        """Steps that can be undone."""
        return self.controller.undo_stack.index()

    @property
    def chosen(self) -> str:
        """The chosen heads by name."""
        return str(self.model.chosen)

    def close(self) -> None:
        """End the session and close its windows."""
        for window in self.windows:
            window.close()
        self.controller.undo_stack.clear()
        self.controller.shutdown()


def open_head_stage(shape_LH: tuple[int, int] = SHAPE_LH) -> HeadStage:
    """A session with a model and its ranking, best head first in reading order from L0H0."""
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    present_LH = np.ones(shape_LH, dtype=bool)
    present_LH[0, -1] = False
    model.model_info = ModelInfo(
        "toy", "toy", "toy", shape_LH, present_LH, "cpu", "float32", None, "f00d", 64
    )
    model.put_rankings({"mass": ranking(scores_of(present_LH))})
    return HeadStage(model, controller)


def scores_of(present_LH: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Scores from 1 down to almost nothing."""
    falling_LH = np.linspace(1.0, 0.01, present_LH.size).reshape(present_LH.shape)
    return np.where(present_LH, falling_LH, np.nan)


def ranking(scores_LH: NDArray[np.float64], name: str = "mass") -> HeadRanking:
    """A ranking of 25 strips whose halves agree on most heads."""
    other = HeadRanking(name, scores_LH[::-1] if np.isfinite(scores_LH).all() else scores_LH)
    return HeadRanking(name, scores_LH, 25, None, (HeadRanking(name, scores_LH), other), "toy")


class GridMouse:
    """A mouse that is pointed at heads."""

    def __init__(self, grid: HeadGrid) -> None:
        self._grid = grid
        self._held = Qt.MouseButton.NoButton

    def at(self, head: Head) -> QPointF:
        """The middle of a head."""
        return self._grid.view.box(head).center()

    def press(self, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS, button: Qt.MouseButton = LEFT) -> None:
        """Press a button."""
        self._held = button
        self._send(QEvent.Type.MouseButtonPress, at, button, keys)

    def move(self, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Move."""
        self._send(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, keys)

    def release(self, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Let the button go."""
        button, self._held = self._held, Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseButtonRelease, at, button, keys)

    def hover(self, head: Head) -> None:
        """Point at a head."""
        self.move(self.at(head))

    def click(self, head: Head, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Click a head."""
        self.click_at(self.at(head), keys)

    def click_at(self, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Click a point."""
        self.press(at, keys)
        self.release(at, keys)

    def drag(self, *heads: Head, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Drag over heads."""
        self.press(self.at(heads[0]), keys)
        for head in heads[1:]:
            self.move(self.at(head), keys)
        self.release(self.at(heads[-1]), keys)

    def leave(self) -> None:
        """Leave the grid."""
        QApplication.sendEvent(self._grid, QEvent(QEvent.Type.Leave))

    def _send(
        self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier
    ) -> None:
        event = QMouseEvent(kind, at, self._grid.mapToGlobal(at), button, self._held, keys)
        QApplication.sendEvent(self._grid, event)


def child_of(parent: QWidget, name: str) -> QWidget:
    """The widget of a name."""
    found = parent.findChild(QWidget, name)
    assert isinstance(found, QWidget), name
    return found
