"""Pictures, folders of panels and region files dropped on the window, with a frame that says so meanwhile.

Watches a window for drags; what is dropped is opened by the picture menu.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gazeviz.ui import theme
from gazeviz.ui.picture_menu import PictureMenu, can_take

_KINDS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


class PictureDrop(QObject):
    """Makes a window take pictures that are dropped on it."""

    def __init__(self, window: QWidget, menu: PictureMenu) -> None:
        super().__init__(window)
        self._window, self._menu = window, menu
        self.hint = DropHint(window)
        """The frame that is shown while something is held over the window."""
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take drags that could be pictures."""
        if watched is not self._window:
            return False
        if event.type() == QEvent.Type.DragLeave:
            self.hint.hide()
        elif event.type() in _KINDS and isinstance(event, QDropEvent) and can_take(event.mimeData()):
            event.acceptProposedAction()
            if event.type() == QEvent.Type.Drop:
                self.hint.hide()
                self._menu.take(event.mimeData(), "Dropped picture")
            elif self.hint.isHidden():
                self.hint.show_over()
            return True
        return False


class DropHint(QWidget):
    """A frame over the window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("dropHint")
        self.setAccessibleName("Drop to open")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._window = window
        self.hide()

    def show_over(self) -> None:
        """Cover the window."""
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a veil, a frame and a sentence."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(0.82)
        painter.fillRect(self.rect(), colours.window)
        painter.setOpacity(1.0)
        painter.setPen(QPen(colours.accent, 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(16, 16, -16, -16), 8, 8)
        painter.setFont(theme.font_ui(16, 600))
        painter.setPen(colours.ink)
        text = "Drop a picture, a folder of panels, or a file of regions"
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
