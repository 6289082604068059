"""The line under the picture: which map lies on it, its scale, its strength, and whether cells are drawn."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.wording import format_figure
from gazeviz.ui.picture.view import ZOOM_STEP
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import bind
from gazeviz.ui.widgets.controls import ElidedLabel, MagmaBar, named

# The zoom in the canvas's corner: smaller, the figure, larger, the whole picture.


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
            "zoomActual", "100 %", "Show one screen pixel for each picture pixel  Ctrl+1"
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
        button.setAccessibleName(tip.partition("  ")[0])
        button.setToolTip(tip)
        return button


class MapBar(QWidget):
    """Legend and strength of the map over the picture."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mapBar")
        self._model = model
        self._label = named(ElidedLabel(), "mapLabel")
        self._low, self._high = named(QLabel(), "mapLow"), named(QLabel(), "mapHigh")
        self._scale = MagmaBar()
        for label in (self._low, self._high):
            label.setProperty("role", "mono")
        self._shown = _check("showMap", "Map", "Overlay the attention of the chosen heads on the picture")
        self._cells = _check("showCells", "Cells", "Draw the token cells, and the map as exact cells")
        self._strength = named(QSlider(Qt.Orientation.Horizontal), "overlayOpacity")
        self._strength.setRange(0, 100)
        self._strength.setFixedWidth(84)
        self._strength.setAccessibleName("Strength of the map over the picture")
        self._strength.setToolTip("How strongly the map covers the picture")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 4, 16, 4)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._shown)
        layout.addWidget(self._label, 1)
        for widget in (self._low, self._scale, self._high, self._strength, self._cells):
            layout.addWidget(widget)
        self._connect()

    def _connect(self) -> None:
        model = self._model
        model.map_changed.connect(self._refresh)
        model.view_changed.connect(self._refresh)
        bind(model, "show_map", model.view_changed, self._shown)
        bind(model, "show_cells", model.view_changed, self._cells)
        bind(model, "overlay_opacity", model.view_changed, self._strength,
             shown=lambda share: round(share * 100), taken=lambda percent: percent / 100)  # fmt: skip
        self._refresh()

    def _refresh(self) -> None:
        model = self._model
        there = model.map.values_P is not None and model.show_map
        self._label.set_whole(model.map.label or "no map yet")
        self._low.setText(format_figure(model.map.low))
        self._high.setText(format_figure(model.map.high))
        for widget in (self._low, self._scale, self._high):
            widget.setVisible(there)


def _check(name: str, text: str, tip: str) -> QCheckBox:
    box = named(QCheckBox(text), name)
    box.setAccessibleName(tip)
    box.setToolTip(tip)
    return box
