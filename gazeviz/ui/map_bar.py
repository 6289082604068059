"""The line under the picture: which map lies on it, its scale, its strength, and whether cells are drawn."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named
from gazeviz.ui.controls import ElidedLabel, MagmaBar


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
        self._shown = _check("showMap", "Map", "Lay the attention of the chosen heads over the picture")
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
        self._shown.toggled.connect(lambda on: setattr(model, "show_map", on))
        self._cells.toggled.connect(lambda on: setattr(model, "show_cells", on))
        self._strength.valueChanged.connect(lambda value: setattr(model, "overlay_opacity", value / 100))
        self._refresh()

    def _refresh(self) -> None:
        model = self._model
        there = model.map.values_P is not None and model.show_map
        self._label.set_whole(model.map.label or "no map yet")
        self._low.setText(figure_text(model.map.low))
        self._high.setText(figure_text(model.map.high))
        for widget in (self._low, self._scale, self._high):
            widget.setVisible(there)
        self._shown.setChecked(model.show_map)
        self._cells.setChecked(model.show_cells)
        with QSignalBlocker(self._strength):  # its whole steps would turn 0.805 into 0.8
            self._strength.setValue(round(model.overlay_opacity * 100))


def _check(name: str, text: str, tip: str) -> QCheckBox:
    box = named(QCheckBox(text), name)
    box.setAccessibleName(tip)
    box.setToolTip(tip)
    return box
