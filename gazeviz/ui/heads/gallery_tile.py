"""One small map of the gallery: a head's attention over the dimmed picture, its name and its mass.

Knows a head, an image and two words; neither the session nor how the maps are chosen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QWidget

from gazeviz.domain.heads import Head
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.choosing import CTRL

LABEL_PX: Final = 18
"""Height of the line under a map."""

_STEPS: Final = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class TileText(NamedTuple):
    """What a tile says: the head, its mass in figures, and both in a sentence."""

    head: Head
    mass: str
    sentence: str


class TileImage(NamedTuple):
    """What a tile draws: the dimmed picture, the map, and the part of the picture that it fills, 0 to 1."""

    ground: QPixmap
    map: QImage
    part: QRectF


class MapTile(QAbstractButton):
    """A head's small map; says when it is pointed at and where the arrow keys want to go."""

    pointed = Signal(bool)
    taken = Signal(bool)  # by a click or Enter; whether with Ctrl
    page_wanted = Signal(object)
    step_wanted = Signal(int, int)  # rows down, columns to the right

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the gallery lets one tile at a time be tabbed to
        self._text = TileText(Head(0, 0), "", "")
        self._image: TileImage | None = None
        self._lit = self.outlined = self._with_ctrl = False
        self.clicked.connect(lambda: self.taken.emit(self._with_ctrl))

    @property
    def head(self) -> Head:
        """Whose map it is."""
        return self._text.head

    @property
    def mass(self) -> str:
        """The figure beneath the map."""
        return self._text.mass

    def show_map(self, text: TileText, image: TileImage) -> None:
        """Take words and image."""
        self._text, self._image = text, image
        self.setObjectName(f"galleryMap_{text.head}")
        self.setAccessibleName(text.sentence)
        self.update()

    def set_lit(self, lit: bool) -> None:
        """Whether this head is pointed at, here or in the grid."""
        if lit != self._lit:
            self._lit = lit
            self.update()

    def nextCheckState(self) -> None:
        """A click changes nothing here: the session says what is chosen."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click, with Ctrl or without."""
        self._with_ctrl = bool(event.modifiers() & CTRL)
        super().mouseReleaseEvent(event)
        self._with_ctrl = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for the head's page."""
        self.page_wanted.emit(self.head)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Tell that the pointer is here."""
        self.pointed.emit(True)

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that the pointer is gone."""
        self.pointed.emit(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard points, too."""
        super().focusInEvent(event)
        self.pointed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keyboard points elsewhere."""
        super().focusOutEvent(event)
        self.pointed.emit(False)

    def event(self, event: QEvent) -> bool:
        """Keep the arrow keys and Enter from the window's shortcuts while a tile has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if (plain and event.key() in _STEPS) or event.key() in _ENTER:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go to the neighbours, Enter clicks."""
        if event.key() in _STEPS:
            self.step_wanted.emit(*_STEPS[Qt.Key(event.key())])
        elif event.key() in _ENTER:
            self.taken.emit(bool(event.modifiers() & CTRL))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture, map, outline and words."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(0, 0, self.width(), self.height() - LABEL_PX)
        self._draw_map(painter, box, self._image)
        self._draw_outline(painter, box)
        self._draw_words(painter)

    def _draw_map(self, painter: QPainter, box: QRectF, image: TileImage) -> None:
        path = QPainterPath()
        path.addRoundedRect(box, 3, 3)
        painter.save()
        painter.setClipPath(path)
        painter.drawPixmap(box, image.ground, QRectF(image.ground.rect()))
        part = QRectF(
            box.width() * image.part.left(), box.height() * image.part.top(),
            box.width() * image.part.width(), box.height() * image.part.height(),
        )  # fmt: skip
        painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
        painter.drawImage(part, image.map, QRectF(image.map.rect()))
        painter.restore()

    def _draw_outline(self, painter: QPainter, box: QRectF) -> None:
        colours = theme.current()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._lit or self.hasFocus():
            painter.setPen(QPen(colours.panel, 1))  # a second line: one of the two stands out on any picture
            painter.drawRoundedRect(box.adjusted(2.5, 2.5, -2.5, -2.5), 2, 2)
            painter.setPen(QPen(colours.accent if self.hasFocus() else colours.ink, 2))
        elif self.outlined and self.isChecked():
            painter.setPen(QPen(colours.accent, 2))
        else:
            return
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)

    def _draw_words(self, painter: QPainter) -> None:
        colours = theme.current()
        line = QRect(0, self.height() - LABEL_PX + 1, self.width(), LABEL_PX - 1)
        painter.setFont(theme.font_mono(11))
        painter.setPen(colours.ink)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, str(self.head))
        painter.setPen(colours.soft)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._text.mass)
