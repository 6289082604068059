"""A session with a picture and a grid and no worker, and a mouse: for tests of the canvas and its column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.app.editing.painting import Point
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import PictureSource
from gazeviz.domain.strip import Layout
from gazeviz.ui.picture.canvas import ImageCanvas
from tests.fakes.fake import FakeBackend

NO_KEYS = Qt.KeyboardModifier.NoModifier
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton
SIZE_PX = (120, 80)
GRID_RC = (4, 6)


@dataclass
class PaintingStage:
    """A session to paint in; close it at the end of a test."""

    model: SessionModel
    controller: RunController

    def show(self, size_px: tuple[int, int] = SIZE_PX, layout: str | None = None,
             shape_RC: tuple[int, int] = GRID_RC) -> None:  # fmt: skip
        """Show a picture of a soft slope with a plain grid over it."""
        width_px, height_px = size_px
        pixels_HW3 = np.zeros((height_px, width_px, 3), dtype=np.uint8)
        pixels_HW3[..., 0] = np.linspace(40, 215, width_px).astype(np.uint8)
        pixels_HW3[..., 1] = np.linspace(60, 190, height_px).astype(np.uint8)[:, None]
        source = PictureSource("0" * 64, "slope", path="slope.png")
        self.model.picture = Picture("slope", pixels_HW3, "0" * 64, source)
        if layout is not None:
            self.controller.apply_layout(Layout.parse(layout))
        self.model.set_grid(TokenGrid.plain(shape_RC, size_px, (96, 64)), pixels_HW3)

    def mask(self, place: int = 0) -> NDArray[np.bool_]:
        """The mask of the region at a place of the list."""
        return tuple(self.model.regions)[place].mask_HW

    @property
    def n_steps(self) -> int:
        """Steps that can be undone."""
        return self.controller.undo_stack.index()

    @property
    def notice(self) -> str:
        """The sentence that is shown, "" for none."""
        return self.model.notice.sentence if self.model.notice is not None else ""

    def close(self) -> None:
        """End the session."""
        self.controller.undo_stack.clear()
        self.controller.shutdown()


@pytest.fixture
def canvas(stage: PaintingStage, qtbot: QtBot) -> ImageCanvas:
    """A canvas on the session of the test."""
    return open_canvas(stage, qtbot)


@pytest.fixture
def mouse(canvas: ImageCanvas) -> Mouse:
    """A mouse on it."""
    return Mouse(canvas)


def open_painting_stage() -> PaintingStage:
    """A session without a worker."""
    model = SessionModel()
    return PaintingStage(model, RunController(model, FakeBackend))


def open_canvas(stage: PaintingStage, qtbot: QtBot) -> ImageCanvas:
    """A canvas that shows the stage's picture, twice as large as it is."""
    canvas = ImageCanvas(stage.model, stage.controller)
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.show()
    canvas.view.zoom_to(2.0)
    return canvas


class Painted(QObject):
    """What a widget paints from now on."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.region = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.region = self.region.united(event.region())
        return False


class Mouse:
    """A mouse on a canvas, pointed in the picture's own pixels."""

    def __init__(self, canvas: ImageCanvas) -> None:
        self._canvas = canvas
        self._held = Qt.MouseButton.NoButton

    def press(self, point: Point, keys: Qt.KeyboardModifier = NO_KEYS, button: Qt.MouseButton = LEFT) -> None:
        """Press a button there."""
        self._held = button
        self._send(QEvent.Type.MouseButtonPress, self._canvas.view.to_screen(point), button, keys)

    def move(self, point: Point, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Move there."""
        self.move_on_screen(self._canvas.view.to_screen(point), keys)

    def move_on_screen(self, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Move to a point of the canvas."""
        self._send(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, keys)

    def release(self, point: Point, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Let the button go there."""
        button, self._held = self._held, Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseButtonRelease, self._canvas.view.to_screen(point), button, keys)

    def drag(self, *points: Point, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Drag along some points."""
        self.press(points[0], keys)
        for point in points[1:]:
            self.move(point, keys)
        self.release(points[-1], keys)

    def click(self, point: Point, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Press and let go."""
        self.drag(point, keys=keys)

    def _send(
        self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier
    ) -> None:
        event = QMouseEvent(kind, at, self._canvas.mapToGlobal(at), button, self._held, keys)
        QApplication.sendEvent(self._canvas, event)


def child_of(parent: QWidget, name: str) -> QWidget:
    """The widget of a name."""
    found = parent.findChild(QWidget, name)
    assert isinstance(found, QWidget), name
    return found
