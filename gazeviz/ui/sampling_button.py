"""How the next token is chosen: greedy, or drawn with a temperature, a nucleus and a seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import GenerationSettings
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft
from gazeviz.ui.controls import CARET
from gazeviz.ui.popover import Popover

USUAL_TEMPERATURE: Final = 0.8
_MAX_SEED: Final = 2**31 - 1


class SamplingButton(QPushButton):
    """Says how tokens are chosen; opens the sheet where that is changed."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("samplingButton")
        self._model = model
        self._sheet = SamplingSheet(model, self)
        self.setToolTip("How the next token is chosen: the likeliest one, or drawn at random from a seed")
        self.clicked.connect(lambda: self._sheet.open_at(self))
        model.generation_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        text = sampling_text(self._model.generation)
        self.setText(f"{text} {CARET}")
        self.setAccessibleName(f"How tokens are chosen: {text}")


class SamplingSheet(Popover):
    """Greedy or drawn; temperature, top-p and seed of the draw."""

    def __init__(self, model: SessionModel, parent: QWidget) -> None:
        super().__init__("samplingSheet", parent)
        self._model = model
        self._greedy = _radio(
            "samplingGreedy", "Greedy", "The likeliest token every time: always the same text"
        )
        self._drawn = _radio(
            "samplingDrawn", "Drawn at random", "Tokens are drawn; the seed makes it repeatable"
        )
        self._temperature = _decimal(
            "temperature", 0.05, 5.0, 0.1, "Temperature: below 1 surer, above 1 wilder"
        )
        self._temperature.setValue(USUAL_TEMPERATURE)
        self._top_p = _decimal(
            "topP", 0.05, 1.0, 0.05, "Draw only from the likeliest tokens that make up this much"
        )
        self._seed = named(QSpinBox(), "samplingSeed")
        self._seed.setRange(0, _MAX_SEED)
        _plain(self._seed, "Seed of the draw: the same seed gives the same text")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._greedy)
        layout.addWidget(self._drawn)
        layout.addLayout(self._make_form())
        self._connect()

    def _make_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(20, 0, 0, 0)
        for text, control in (
            ("Temperature", self._temperature),
            ("Top-p", self._top_p),
            ("Seed", self._seed),
        ):
            form.addRow(soft(QLabel(text)), control)
        return form

    def _connect(self) -> None:
        self._greedy.clicked.connect(lambda: self._set(temperature=0.0))
        self._drawn.clicked.connect(lambda: self._set(temperature=self._temperature.value()))
        self._temperature.valueChanged.connect(lambda value: self._set(temperature=value))
        self._top_p.valueChanged.connect(lambda value: self._set(top_p=value))
        self._seed.valueChanged.connect(lambda value: self._set(seed=value))
        self._model.generation_changed.connect(self._refresh)
        self._refresh()

    def _set(self, **change: float) -> None:
        self._model.generation = replace(self._model.generation, **change)  # type: ignore[arg-type]

    def _refresh(self) -> None:
        settings = self._model.generation
        drawn = settings.temperature > 0
        (self._drawn if drawn else self._greedy).setChecked(True)
        for control in (self._temperature, self._top_p, self._seed):
            control.setEnabled(drawn)
        with QSignalBlocker(self._temperature), QSignalBlocker(self._top_p), QSignalBlocker(self._seed):
            if drawn:
                self._temperature.setValue(settings.temperature)
            self._top_p.setValue(settings.top_p)
            self._seed.setValue(settings.seed)


def sampling_text(settings: GenerationSettings) -> str:
    """How tokens are chosen, short."""
    if settings.temperature == 0:
        return "Greedy"
    parts = [f"T {figure_text(settings.temperature)}"]
    if settings.top_p < 1:
        parts.append(f"p {figure_text(settings.top_p)}")
    return " · ".join([*parts, f"seed {settings.seed}"])


def _radio(name: str, text: str, tip: str) -> QRadioButton:
    button = named(QRadioButton(text), name)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _decimal(name: str, low: float, high: float, step: float, tip: str) -> QDoubleSpinBox:
    box = named(QDoubleSpinBox(), name)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(2)
    _plain(box, tip)
    return box


def _plain(box: QAbstractSpinBox, tip: str) -> None:
    box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    box.setKeyboardTracking(False)
    box.setFixedWidth(96)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
