"""The zoom in the canvas's corner: smaller, the figure, larger, the whole picture."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from gazeviz.ui import theme
from gazeviz.ui.canvas_view import ZOOM_STEP
from gazeviz.ui.column_parts import named

_MARGIN_PX: Final = 8
_LEAST_AREA_PX: Final = 200


class ZoomBar(QWidget):
    """Says how large the picture is shown, and asks for another size."""

    zoom_wanted = Signal(float)
    fit_wanted = Signal()
    actual_size_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("zoomBar")
        self.has_picture = False
        self.setCursor(Qt.CursorShape.ArrowCursor)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(0)
        smaller = self._button("zoomOut", "−", "Show the picture smaller  Ctrl+−")
        self._figure = self._button(
            "zoomActual", "100 %", "Show picture pixels as those of the screen  Ctrl+1"
        )
        larger = self._button("zoomIn", "+", "Show the picture larger  Ctrl++")
        fit = self._button("zoomFit", "Fit", "Show the whole picture  Ctrl+0")
        self._figure.setMinimumWidth(58)
        for button in (smaller, self._figure, larger, fit):
            layout.addWidget(button)
        smaller.clicked.connect(lambda: self.zoom_wanted.emit(1 / ZOOM_STEP))
        larger.clicked.connect(lambda: self.zoom_wanted.emit(ZOOM_STEP))
        self._figure.clicked.connect(self.actual_size_wanted)
        fit.clicked.connect(self.fit_wanted)
        theme.changed.connect(self.update)

    def stand_in(self, area: QSize) -> None:
        """Take the corner of an area; not there where it would cover much of the picture."""
        size = self.sizeHint()
        self.move(area.width() - size.width() - _MARGIN_PX, area.height() - size.height() - _MARGIN_PX)
        self.resize(size)
        self.setVisible(self.has_picture and area.height() >= _LEAST_AREA_PX)

    def show_zoom(self, zoom: float) -> None:
        """Show how many pixels of the screen one of the picture takes."""
        self._figure.setText(f"{zoom:.0%}".replace("%", " %"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a quiet ground."""
        colours, painter = theme.current(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.line)
        painter.setBrush(colours.panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = named(QToolButton(self), name)
        button.setText(text)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(tip.split("  ")[0])
        button.setToolTip(tip)
        return button
