"""A run's map at one token over its picture: small, dimmed, beside the others of a comparison."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gazeviz.domain.grid import TokenGrid
from gazeviz.ui import theme
from gazeviz.ui.column_parts import as_written
from gazeviz.ui.gallery_tile import MapPainter, dimmed

_LOWEST_PX: Final = 24
QWIDGETSIZE_MAX: Final = 16_777_215


class CompareMap(QWidget):
    """Picture and map; where either is missing, a sentence says why."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._pixels_HW3: NDArray[np.uint8] | None = None
        self._painter: MapPainter | None = None
        self._ground: QPixmap | None = None
        self._map: QImage | None = None
        self._note = self._instead = ""
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)
        theme.changed.connect(self.update)

    def show_picture(self, pixels_HW3: NDArray[np.uint8] | None, grid: TokenGrid | None, note: str) -> None:
        """Take picture and grid, and what to say where there is neither. pixels_HW3: uint8 (H, W, 3)."""
        self._pixels_HW3, self._note = pixels_HW3, note
        self._painter = MapPainter(grid) if grid is not None else None
        self._ground = self._map = None
        self.setVisible(pixels_HW3 is not None or bool(note))
        self.updateGeometry()
        self.update()

    def show_values(
        self, values_P: NDArray[np.float32] | None, highest: float, sentence: str, instead: str = ""
    ) -> None:
        """Take a map, None for none; `highest` is the bright end of the scale.

        instead: a word on the picture where there is no map.
        """
        self._instead = instead if values_P is None else ""
        self._map = (
            self._painter.image(values_P, highest)
            if values_P is not None and self._painter is not None and self._pixels_HW3 is not None
            else None
        )
        self.setAccessibleName(sentence)
        self.setToolTip(as_written(sentence))
        self.update()

    @property
    def shows_map(self) -> bool:
        """Whether a map is drawn."""
        return self._map is not None

    def set_room(self, width_px: float, fixed: bool) -> None:
        """Be as high as the picture is at a width. fixed: be no wider and no narrower, either."""
        width_px = max(_LOWEST_PX, width_px)
        self.setMinimumWidth(round(width_px) if fixed else _LOWEST_PX)
        self.setMaximumWidth(round(width_px) if fixed else QWIDGETSIZE_MAX)
        self.setFixedHeight(round(max(_LOWEST_PX, width_px / self.aspect if self.aspect else 0.0)))

    @property
    def aspect(self) -> float:
        """Width / height of the picture; 0 without one."""
        if self._pixels_HW3 is None:
            return 0.0
        height_px, width_px = self._pixels_HW3.shape[:2]
        return float(width_px / height_px)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The ground has to be scaled anew."""
        super().resizeEvent(event)
        self._ground = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture as large as it fits, and the map over it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._pixels_HW3 is None:
            self._draw_note(painter, QRectF(self.rect()))
            return
        box = self._picture_box()
        path = QPainterPath()
        path.addRoundedRect(box, 3, 3)
        painter.setClipPath(path)
        if self._ground is None:
            self._ground = dimmed(self._pixels_HW3, box.size().toSize(), self.devicePixelRatioF())
        painter.drawPixmap(box, self._ground, QRectF(self._ground.rect()))
        if self._map is not None and self._painter is not None:
            part = self._painter.part
            at = QRectF(
                box.left() + box.width() * part.left(), box.top() + box.height() * part.top(),
                box.width() * part.width(), box.height() * part.height(),
            )  # fmt: skip
            painter.drawImage(at, self._map, QRectF(self._map.rect()))
        elif self._note or self._instead:
            painter.setFont(theme.font_ui(12, 500))
            painter.setPen(Qt.GlobalColor.white)  # the ground is dark in either theme
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(box.adjusted(4, 0, -4, 0), flags, self._instead or self._note)

    def _picture_box(self) -> QRectF:
        width = min(float(self.width()), self.height() * self.aspect)
        # Whole pixels: a ground of just that size need not be scaled with every token.
        return QRectF(0, 0, max(1, round(width)), max(1, round(width / self.aspect)))

    def _draw_note(self, painter: QPainter, box: QRectF) -> None:
        painter.setFont(theme.font_ui(11))
        painter.setPen(theme.current().soft)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        painter.drawText(box, flags, self._note)

    def sizeHint(self) -> QSize:
        """As wide as it may be."""
        return QSize(240, 48)
