"""Room beneath the picture: what is unfolded there takes it and gives it back, or is scrolled to."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QWidget

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

    def note(self, unfolded: bool) -> None:
        """Something is about to be unfolded, or folded."""
        self._n_unfolded = max(0, self._n_unfolded + (1 if unfolded else -1))
        if unfolded and self._n_unfolded == 1:
            self._before_px = [dock.height() for dock in self._docks]
        elif not self._n_unfolded and self._before_px:
            QTimer.singleShot(0, self, self._give_back)  # once what was folded asks for less

    def _give_back(self) -> None:
        if any(dock.isFloating() for dock in self._docks):
            return
        for dock in self._docks:
            if (layout := dock.layout()) is not None:
                layout.invalidate()
        self._area.resizeDocks(self._docks, self._before_px, Qt.Orientation.Vertical)
