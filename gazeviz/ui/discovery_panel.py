"""Measuring head rankings from the app: on which strips, which rankings, how far it is, and how to stop.

A fold-out in the heads' column. The form is the panel's own; everything about the measurement itself is read
from the session. Knows neither how a ranking is measured nor how it is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, soft_text
from gazeviz.ui.controls import FoldOut
from gazeviz.ui.discovery_form import StripsForm
from gazeviz.ui.discovery_outcome import Outcome
from gazeviz.ui.discovery_result import DiscoveryResult
from gazeviz.ui.head_ranking_bar import RANKING_TEXTS
from gazeviz.ui.status_bar import time_left

RANKING_LABELS: Final = {
    "mass": "mass",
    "selectivity": "selectivity",
    "tracking": "tracking",
    "causal": "causal",
    "image_heads": "image heads",
    "localization": "localization",
}
"""What can be measured, in the order of the form and of the measurement."""

_COLUMNS: Final = 3
_COSTS: Final = {
    "tracking": "Measured by itself: costs one more reading of each strip.",
    "causal": "Measured by itself: costs one backward pass for each strip.",
}
_SHARED_COST: Final = "Mass, selectivity, image heads and localization are measured in one go."


class DiscoveryPanel(QWidget):
    """The fold-out: form, progress, and what came of it."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("discoveryPanel")
        self._model, self._controller = model, controller
        self._form = StripsForm()
        self._outcome = Outcome(model)
        self._rankings = {name: _ranking_button(name, text) for name, text in RANKING_LABELS.items()}
        self._rankings["mass"].setChecked(True)
        tip = "Ask about every panel of every strip, and score all heads by what they do"
        self._measure = push_button("discoveryMeasure", "Measure", tip, spoken="Measure")
        tip = "Stop measuring; what was measured so far is kept under a name that says so"
        self._cancel = push_button("discoveryCancel", "Cancel", tip, spoken="Cancel")
        self._bar = named(QProgressBar(), "discoveryBar")
        self._said = soft_text("discoverySaid")
        content = named(QWidget(), "discoveryContent")
        self.fold = FoldOut("Measure heads", "discoveryFold", content)
        self._lay_out(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        self._listen()
        self._refresh()

    def open(self) -> None:
        """Unfold it, and let the keyboard go on there."""
        self.fold.set_folded(False)
        self._form.setFocus()

    def set_folder(self, folder: Path) -> None:
        """Measure on the strips of a folder."""
        self._form.set_folder(folder)

    def _lay_out(self, content: QWidget) -> None:
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._form)
        chips = QGridLayout()
        chips.setSpacing(theme.SPACE)
        for place, button in enumerate(self._rankings.values()):
            chips.addWidget(button, place // _COLUMNS, place % _COLUMNS)
        layout.addLayout(chips)
        self._bar.setAccessibleName("How far the measurement is")
        self._bar.setTextVisible(False)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self._measure)
        row.addWidget(self._cancel)
        row.addWidget(self._bar, 1)
        row.addStretch(0)
        layout.addLayout(row)
        layout.addWidget(self._said)
        layout.addWidget(DiscoveryResult(self._model))

    def _listen(self) -> None:
        model = self._model
        for signal in (model.worker_changed, model.model_changed, model.ranking_changed):
            signal.connect(self._refresh)
        self._outcome.changed.connect(self._refresh)
        self._form.changed.connect(self._refresh)
        for button in self._rankings.values():
            button.toggled.connect(self._refresh)
        self._measure.clicked.connect(self._on_measure)
        self._cancel.clicked.connect(self._controller.cancel_discovery)

    # What is asked for

    @property
    def wanted(self) -> tuple[str, ...]:
        """The rankings that are to be measured."""
        return tuple(name for name, button in self._rankings.items() if button.isChecked())

    def _on_measure(self) -> None:
        source = self._form.source()
        if source is not None and self.wanted:
            self._controller.discover(source, self.wanted)

    def _why_not(self) -> str:
        """What is missing before anything can be measured; "" for nothing."""
        if self._model.model_info is None:
            return "Load a model first: Ctrl+M."
        if not self.wanted:
            return "Choose at least one ranking."
        return "" if self._form.source() is not None else "Choose a folder of strips."

    # What is shown

    def _refresh(self) -> None:
        measuring = bool(self._model.measured_rankings)
        why_not = "" if measuring else self._why_not()
        self._form.setEnabled(not measuring)
        for button in self._rankings.values():
            button.setEnabled(not measuring)
        self._measure.setVisible(not measuring)
        self._measure.setEnabled(not why_not)
        self._cancel.setVisible(measuring)
        self._bar.setVisible(measuring)
        if measuring:
            said = self._show_progress()
        else:
            said = why_not or self._outcome.text
            self.fold.set_title("Measure heads")
        self._said.setText(said)
        self._said.setVisible(bool(said))

    def _show_progress(self) -> str:
        """Move the bar; returns how far it is in words."""
        progress = self._model.progress
        if progress is None or not progress.total:
            self._bar.setRange(0, 0)
            self.fold.set_title("Measuring heads")
            return progress.text if progress is not None else ""
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        self.fold.set_title(f"Measuring heads · {progress.done} of {progress.total}")
        names = ", ".join(RANKING_LABELS.get(name, name) for name in self._model.measured_rankings)
        return f"{names}: {time_left(progress)}. The grid shows the heads as far as they are measured."


def _ranking_button(name: str, text: str) -> QPushButton:
    tip = f"{RANKING_TEXTS[name]}\n{_COSTS.get(name, _SHARED_COST)}"
    button = push_button(f"discovery_{name}", text, tip, f"Measure the ranking {text}", "pill")
    button.setCheckable(True)
    return button
