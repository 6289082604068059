"""The Explore tab: regions left, the picture in the middle, heads right, answers and trajectory beneath.

Only puts the parts together. The parts stand in docks that can be moved, closed and floated once "Arrange
panels" shows their titles; where they stand is remembered by the window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QByteArray, QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.answers.trajectory import TrajectoryPlot
from gazeviz.ui.answers.transcript import TranscriptView
from gazeviz.ui.heads.discovery_panel import DiscoveryPanel
from gazeviz.ui.heads.gallery import Gallery
from gazeviz.ui.heads.heads_by_region import LookHere
from gazeviz.ui.heads.heads_panel import HeadPanel
from gazeviz.ui.picture.canvas import ImageCanvas
from gazeviz.ui.picture.map_bar import MapBar
from gazeviz.ui.picture.model_input_panel import PicturePanel
from gazeviz.ui.picture.regions_panel import RegionListView
from gazeviz.ui.picture.tool_bar import ToolBar
from gazeviz.ui.steering.prompt_bar import PromptBar
from gazeviz.ui.steering.steer_panel import SteerPanel
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import hairline, named

# Room beneath the picture: what is unfolded there takes it and gives it back, or is scrolled to.


_WITHOUT_PX: Final = 262
"""What picture, map bar and trajectory need at least, with the lines between them."""

_LEAST_PX: Final = 120


class ScrolledPart(QScrollArea):
    """A part that asks for all its room where the area has it, and scrolls where it has not."""

    def __init__(self, part: QWidget, area: QMainWindow) -> None:
        super().__init__()
        self._area, self._part = area, part
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(part)
        part.installEventFilter(self)
        area.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask anew when the part needs another height, or the area has another one."""
        wanted = QEvent.Type.LayoutRequest if watched is self._part else QEvent.Type.Resize
        if event.type() == wanted:
            self.updateGeometry()
            self._fit_part()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the part take all room, and what it needs at least."""
        super().resizeEvent(event)
        self._fit_part()

    def _fit_part(self) -> None:
        """Not left to Qt: it would give a part with wrapped lines what it would like to have."""
        fits = self._least_height_px(self.width()) <= self.height()
        policy = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if fits else Qt.ScrollBarPolicy.ScrollBarAlwaysOn
        self.setVerticalScrollBarPolicy(policy)
        room = self.viewport().size()
        self._part.resize(room.width(), max(room.height(), self._least_height_px(room.width())))

    def show_end(self) -> None:
        """Scroll to what stands at the bottom, once it is laid out."""
        bar = self.verticalScrollBar()
        QTimer.singleShot(0, self, lambda: bar.setValue(bar.maximum()))

    def _least_height_px(self, width_px: int) -> int:
        layout = self._part.layout()
        if layout is None or not layout.hasHeightForWidth():
            return self._part.minimumSizeHint().height()
        return layout.totalMinimumHeightForWidth(width_px)

    def minimumSizeHint(self) -> QSize:
        """As much as the part needs, as far as the area has it."""
        needed = self._part.minimumSizeHint()
        least_px = self._least_height_px(max(self.width(), needed.width()))
        room_px = self._area.height() - _WITHOUT_PX
        return QSize(needed.width(), max(_LEAST_PX, min(least_px, room_px)))

    def sizeHint(self) -> QSize:
        """That of the part."""
        return self._part.sizeHint()


class UnfoldedRoom(QObject):
    """Remembers how high docks were before the first thing in them was unfolded."""

    def __init__(self, area: QMainWindow, *docks: QDockWidget) -> None:
        super().__init__(area)
        self._area, self._docks = area, docks
        self._n_unfolded = 0
        self._before_px: list[int] = []
        self._is_owed = False
        self._needed_px: list[int] = []
        for watched in (area, *docks):
            watched.installEventFilter(self)

    def note(self, unfolded: bool) -> None:
        """Something is about to be unfolded, or folded."""
        self._n_unfolded = max(0, self._n_unfolded + (1 if unfolded else -1))
        self._is_owed = False
        if unfolded and self._n_unfolded == 1:
            self._before_px = self._heights_px()
        elif not self._n_unfolded and self._before_px:
            self._is_owed, self._needed_px = True, []
            QTimer.singleShot(0, self, self._give_back)  # once what was folded asks for less

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Try again when a dock asks for another height; whoever moves an edge by hand has the last word."""
        if self._is_owed and watched is self._area and event.type() == QEvent.Type.MouseButtonPress:
            self._is_owed = False
        elif self._is_owed and watched is not self._area and event.type() == QEvent.Type.LayoutRequest:
            QTimer.singleShot(0, self, self._give_back)
        return super().eventFilter(watched, event)

    def _heights_px(self) -> list[int]:
        return [dock.height() for dock in self._docks]

    def _give_back(self) -> None:
        """Parts ask for less one after the other, and Qt gives no dock less than it asks for."""
        needed_px = [dock.widget().minimumSizeHint().height() for dock in self._docks]
        floating = any(dock.isFloating() for dock in self._docks)
        if not self._is_owed or floating or needed_px == self._needed_px:
            return
        self._needed_px = needed_px
        for dock in self._docks:
            if (layout := dock.layout()) is not None:
                layout.invalidate()
        self._area.resizeDocks(self._docks, self._before_px, Qt.Orientation.Vertical)
        self._is_owed = self._heights_px() != self._before_px


LEFT_PX: Final = 204
RIGHT_PX: Final = 345
ANSWERS_PX: Final = 250
TRAJECTORY_PX: Final = 170
LEAST_SIZE_PX: Final = (900, 480)
"""Whatever is unfolded, the window does not grow over the screen by itself."""


class ExploreView(QMainWindow):
    """Everything about one picture and its runs."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Widget)
        self.setObjectName("explore")
        self.setDockNestingEnabled(True)
        self.canvas = ImageCanvas(model, controller)
        self.setCentralWidget(_stacked(self.canvas, hairline(), MapBar(model, controller), stretched=0))
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        self.setCorner(Qt.Corner.BottomLeftCorner, left)
        self.setCorner(Qt.Corner.BottomRightCorner, right)
        self.regions = RegionListView(model, controller)
        tools, picture = ToolBar(model, controller), PicturePanel(model, controller)
        self._regions = self._dock("Regions", _column(LEFT_PX, self.regions, tools, picture), left)
        self.head_panel, self.discovery = HeadPanel(model, controller), DiscoveryPanel(model, controller)
        self.gallery, looks = Gallery(model, controller), LookHere(model, controller)
        heads = _column(RIGHT_PX, self.head_panel, self.gallery, looks, self.discovery)
        self._heads = self._dock("Heads", heads, right)
        self.prompt, self.steering = PromptBar(model, controller), SteerPanel(model, controller)
        self.transcript = TranscriptView(model, controller)
        answers = _stacked(self.prompt, self.steering, hairline(), self.transcript, stretched=3)
        scrolled = ScrolledPart(answers, self)
        self._answers = self._dock("Answers", scrolled, bottom)
        self._trajectory = self._dock("Trajectory", TrajectoryPlot(model, controller), bottom)
        self.splitDockWidget(self._answers, self._trajectory, Qt.Orientation.Vertical)
        self._placed = self._arranging = False
        self._before_large: QByteArray | None = None
        self._folds = UnfoldedRoom(self, self._answers, self._trajectory)
        self.steering.unfolded.connect(self._folds.note)
        for column in self.transcript.columns.values():
            column.verdict.folded_out.connect(self._folds.note)
            column.verdict.folded_out.connect(scrolled.show_end)
        self.setMinimumSize(*LEAST_SIZE_PX)
        self.set_arranging(False)

    @property
    def docks(self) -> tuple[QDockWidget, ...]:
        """All panels that can be moved."""
        return self._regions, self._heads, self._answers, self._trajectory

    @property
    def arranging(self) -> bool:
        """Whether the panels have titles to be dragged by."""
        return self._arranging

    def in_sight(self, command: Command) -> Command:
        """The same, with the panels that it is about brought back where the picture has their room."""

        def run() -> object:
            self.set_large(False)
            return command.run()

        return replace(command, run=run)

    def set_arranging(self, on: bool) -> None:
        """Show the panels' titles, or hide them for a calm screen."""
        self._arranging = on
        for dock in self.docks:
            old = dock.titleBarWidget()
            dock.setTitleBarWidget(None if on else _no_title())  # type: ignore[arg-type]
            if old is not None:
                old.deleteLater()

    @property
    def large(self) -> bool:
        """Whether the picture has the room of the panels beside and beneath it."""
        return self._before_large is not None

    def set_large(self, on: bool) -> None:
        """Give the picture the room of heads, answers and trajectory, or put these back as they stood."""
        if on and self._before_large is None:
            self._before_large = self.saveState()
            for dock in (self._heads, self._answers, self._trajectory):
                dock.hide()
        elif not on and self._before_large is not None:
            before, self._before_large = self._before_large, None
            self.restoreState(before)

    def write_prompt(self) -> None:
        """Go to the prompt."""
        self.set_large(False)
        self.prompt.focus_prompt()

    def state(self) -> bytes:
        """Where the panels are, for `restore`; of a large picture where they were before."""
        return bytes((self._before_large or self.saveState()).data())

    def restore(self, state: bytes) -> None:
        """Put the panels where they were, as `state` tells."""
        self._placed = self.restoreState(state)

    def arrange_as_at_first(self) -> None:
        """Put every panel back where it stood on the first start."""
        self._before_large = None
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        for dock, area in zip(self.docks, (left, right, bottom, bottom), strict=True):
            dock.setFloating(False)
            self.addDockWidget(area, dock)
            dock.show()
        self.splitDockWidget(self._answers, self._trajectory, Qt.Orientation.Vertical)
        self._size_docks()

    def showEvent(self, event: QShowEvent) -> None:
        """Docks take sizes only once they are shown."""
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            self._size_docks()

    def _size_docks(self) -> None:
        self.resizeDocks([self._regions, self._heads], [LEFT_PX, RIGHT_PX], Qt.Orientation.Horizontal)
        self.resizeDocks(
            [self._answers, self._trajectory], [ANSWERS_PX, TRAJECTORY_PX], Qt.Orientation.Vertical
        )

    def _dock(self, title: str, content: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = named(QDockWidget(title), f"dock{title}")
        dock.setWidget(content)
        self.addDockWidget(area, dock)
        return dock


def _no_title() -> QWidget:
    """A dock's title that takes no room."""
    title = QWidget()
    QVBoxLayout(title).setContentsMargins(0, 0, 0, 0)
    return title


def _column(width_px: int, *parts: QWidget) -> QScrollArea:
    """Parts under each other in a column that scrolls where the window is low."""
    inside = QWidget()
    layout = QVBoxLayout(inside)
    layout.setContentsMargins(3 * theme.SPACE, 3 * theme.SPACE, 3 * theme.SPACE, 3 * theme.SPACE)
    layout.setSpacing(4 * theme.SPACE)
    for part in parts:
        layout.addWidget(part)
    layout.addStretch(1)
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setMinimumWidth(width_px - 5 * theme.SPACE)
    area.setWidget(inside)
    return area


def _stacked(*parts: QWidget, stretched: int) -> QWidget:
    """Parts under each other without space; one of them takes what room there is."""
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for place, part in enumerate(parts):
        layout.addWidget(part, 1 if place == stretched else 0)
    return whole
