"""What stands in for heads that are knocked out: zero, or their mean output over a set of pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import time_left
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.steering import HeadMeans
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ElidedLabel, choice_button, named, push_button, soft

_OUTPUTS: Final = (("zero", "zero"), ("mean", "mean over pictures"))


class KnockOutBar(QWidget):
    """One line: zero or mean, the set, a button that measures; shown in the mode knock-out only."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("knockOutBar")
        self._model, self._studies = model, controller.studies
        self._measured: HeadMeans | None = None  # kept while zero is chosen
        self._output = choice_button(
            "knockOutOutput", "What the heads put out from the next run on", _OUTPUTS, self._choose,
            subject="Knocked-out output",
        )  # fmt: skip
        self.field = named(QLineEdit(self._studies.pictures), "knockOutPictures")
        self.field.setAccessibleName("Pictures that mean outputs are measured over")
        self.field.setToolTip("builtin:24@7 (number@seed), scenes:60@7, a folder, or coco:FILE.json:FOLDER")
        self.field.setMaximumWidth(180)
        tip = "Measure what every head puts out on average over these pictures, and let that stand in for it"
        self.measure = push_button("knockOutMeasure", "Measure means", tip)
        self.measure.clicked.connect(self.measure_or_stop)
        self._note = soft(named(ElidedLabel(), "knockOutNote"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * theme.SPACE)
        for part in (soft(QLabel("Output")), self._output, self.field, self.measure):
            row.addWidget(part)
        row.addWidget(self._note, 1)
        for signal in (model.steering_changed, model.model_changed, self._studies.changed):
            signal.connect(self._refresh)
        self._refresh()

    def measure_or_stop(self) -> None:
        """Measure all heads, so that the choice may change later, or stop."""
        info = self._model.model_info
        if self._studies.active:
            self._studies.cancel()
        elif info is not None:
            places = np.argwhere(info.heads_present_LH).tolist()
            self._studies.measure_means(HeadSet(tuple(Head(*place) for place in places)), self.field.text())

    def _choose(self, output: str) -> None:
        means = self._measured if output == "mean" else None
        if output == "mean" and means is None:
            self.measure_or_stop()
            return
        self._model.steering = replace(self._model.steering, means=means)

    def _refresh(self) -> None:
        settings, studies = self._model.steering, self._studies
        if settings.means is not None:
            self._measured = settings.means
        elif not studies.means_fit:
            self._measured = None
        self.setVisible(settings.mode == "knock_out")
        self._output.set_current("zero" if settings.means is None else "mean")
        self.measure.setText("Stop" if studies.active else "Measure means")
        self.measure.setEnabled(self._model.model_info is not None)
        self.field.setEnabled(not studies.active)
        self._note.set_whole(self._said(settings.means))

    def _said(self, means: HeadMeans | None) -> str:
        if self._studies.progress is not None:
            return f"{self._model.studying} {time_left(self._studies.progress)}".strip()
        if means is not None:
            return f"the mean over {means.measured_on}"
        return (
            "nothing passes on" if self._measured is None else f"means over {self._measured.measured_on} kept"
        )
