"""One small map of the gallery: a head's attention over the dimmed picture, its name and its mass.

Knows a head, an image and two words; neither the session nor how the maps are chosen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QWidget

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head
from gazeviz.render.overlay import attention_rgba
from gazeviz.ui.widgets import theme

LABEL_PX: Final = 18
"""Height of the line under a map."""

_PICTURE_LEFT: Final = 0.36  # of the picture's light under the map, so that magma stands out
_COLOUR_LEFT: Final = 0.3
_OVERSAMPLED: Final = 4
_SPREAD_PX: Final = 64
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
    step_wanted = Signal(int, int)  # rows down, columns to the right

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the gallery lets one tile at a time be tabbed to
        self._text = TileText(Head(0, 0), "", "")
        self._image: TileImage | None = None
        self._lit = self.outlined = False

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
            if plain and (event.key() in _STEPS or event.key() in _ENTER):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go to the neighbours, Enter clicks."""
        if event.key() in _STEPS:
            self.step_wanted.emit(*_STEPS[Qt.Key(event.key())])
        elif event.key() in _ENTER:
            self.click()
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


def dimmed(pixels_HW3: NDArray[np.uint8], size: QSize, ratio: float) -> QPixmap:
    """The picture as the ground of maps, at a size: dark and nearly without colour, in either theme.

    pixels_HW3: uint8 (H, W, 3).  ratio: device pixels for each of the size's.
    """
    # Far more pixels than are shown cost time and change nothing: some are left out first.
    step = max(1, int(pixels_HW3.shape[1] / max(1.0, _OVERSAMPLED * size.width() * ratio)))
    pixels = np.ascontiguousarray(pixels_HW3[::step, ::step])
    height_px, width_px = pixels.shape[:2]
    whole = QImage(pixels.data, width_px, height_px, 3 * width_px, QImage.Format.Format_RGB888)
    small = whole.scaled(
        size * ratio, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    grey = small.convertToFormat(QImage.Format.Format_Grayscale8)
    ground = QPixmap(small.size())
    ground.fill(Qt.GlobalColor.black)
    painter = QPainter(ground)
    painter.setOpacity(_PICTURE_LEFT)
    painter.drawImage(0, 0, grey)
    painter.setOpacity(_PICTURE_LEFT * _COLOUR_LEFT)
    painter.drawImage(0, 0, small)
    painter.end()
    return ground


class MapPainter:
    """Makes the maps of one token grid into small images, one pixel for each cell where the grid is plain."""

    def __init__(self, grid: TokenGrid) -> None:
        self._grid = grid
        self._shape_HW, self.part = _whole(grid) if grid.shape_RC is None else _plain(grid, grid.shape_RC)
        self._spread = None if grid.shape_RC is not None else _spread(grid, self._shape_HW)

    def image(self, values_P: NDArray[np.float32], highest: float) -> QImage:
        """A map in magma, its alpha rising with the value; `highest` is the bright end of the scale."""
        rgba_HW4 = attention_rgba(self._values_HW(values_P), highest)
        height_px, width_px = rgba_HW4.shape[:2]
        image = QImage(rgba_HW4.data, width_px, height_px, 4 * width_px, QImage.Format.Format_RGBA8888)
        return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)

    def _values_HW(self, values_P: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._spread is None:
            return values_P.reshape(self._shape_HW)
        pixels, tokens, count = self._spread
        total = np.bincount(pixels, weights=values_P[tokens], minlength=len(count))
        return np.asarray(total / count, dtype=np.float32).reshape(self._shape_HW)


def _plain(grid: TokenGrid, shape_RC: tuple[int, int]) -> tuple[tuple[int, int], QRectF]:
    """A pixel for each cell, and the part of the picture that the cells cover."""
    x0, y0 = grid.boxes_P4[:, :2].min(axis=0)
    x1, y1 = grid.boxes_P4[:, 2:].max(axis=0)
    width_px, height_px = grid.picture_size_px
    return shape_RC, QRectF(x0 / width_px, y0 / height_px, (x1 - x0) / width_px, (y1 - y0) / height_px)


def _whole(grid: TokenGrid) -> tuple[tuple[int, int], QRectF]:
    """A small map of the whole picture."""
    width_px, height_px = grid.picture_size_px
    scale = _SPREAD_PX / max(width_px, height_px)
    return (max(1, round(height_px * scale)), max(1, round(width_px * scale))), QRectF(0, 0, 1, 1)


def _spread(
    grid: TokenGrid, shape_HW: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Which token lies on which pixel of a small map: pixel and token of every pair, and tokens per pixel.

    Found once for a grid, because a tiled one has too many cells to lay them out for every map anew.
    """
    places = np.arange(shape_HW[0] * shape_HW[1]).reshape(shape_HW)
    width_px, height_px = grid.picture_size_px
    scale = np.array([shape_HW[1] / width_px, shape_HW[0] / height_px] * 2)
    edges_P4 = np.ceil(np.round(np.nan_to_num(grid.boxes_P4, nan=0.0) * scale, 6) - 0.5).clip(min=0)
    pixels, tokens = [], []
    for token, (x0, y0, x1, y1) in enumerate(edges_P4.astype(np.int64).tolist()):
        pixels.append(places[y0:y1, x0:x1].ravel())
        tokens.append(np.full(pixels[-1].size, token))
    flat = np.concatenate(pixels).astype(np.int64)
    count = np.bincount(flat, minlength=places.size)
    return flat, np.concatenate(tokens).astype(np.int64), np.maximum(count, 1).astype(np.float64)
