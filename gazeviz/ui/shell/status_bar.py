"""The line at the bottom: what the worker does, how far it is, how fast, on what, and where it is logged."""

from __future__ import annotations

from statistics import median
from typing import Final

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from gazeviz.app.runs.model_loader import STOPPING
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import WorkerState, time_left
from gazeviz.domain.messages import ModelInfo
from gazeviz.domain.wording import format_duration, plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import PART_MARK, ElidedLabel, named, push_button, soft

HEIGHT_PX: Final = 28
_SPEED_OVER_TOK: Final = 20

_WORDS: Final[dict[WorkerState, str]] = {
    "none": "no model",
    "starting": "starting the worker",
    "loading": "loading",
    "ready": "ready",
    "busy": "running",
    "lost": "worker lost",
}


class StatusBar(QWidget):
    """Worker, progress with a way to cancel it, speed, device and log."""

    def __init__(
        self, model: SessionModel, controller: RunController, log_place: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setFixedHeight(HEIGHT_PX)
        self._model, self._controller, self._log_place = model, controller, log_place
        self._dot = StateDot(model)
        self._state = soft(named(QLabel(), "workerState"))
        self._bar = named(QProgressBar(), "workProgress")
        self._bar.setFixedWidth(140)
        self._bar.setTextVisible(False)
        self._left = soft(named(QLabel(), "timeLeft"))
        tip = "Cancel; the previous state is kept"
        self._cancel = push_button("cancelWork", "Cancel", tip, spoken="Cancel", kind="flat")
        self._cancel.clicked.connect(self._on_cancel)
        self._speed, self._logged = soft(named(QLabel(), "speed")), soft(named(QLabel(), "logged"))
        self._why = soft(named(ElidedLabel(), "whyNotGpu"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 0, 14, 0)
        layout.setSpacing(3 * theme.SPACE)
        for widget in (self._dot, self._state, self._bar, self._left, self._cancel, self._speed):
            layout.addWidget(widget)
        self._speed.hide()
        layout.addWidget(self._why, 1)
        layout.addWidget(self._logged)
        self._connect()

    def _connect(self) -> None:
        model = self._model
        for signal in (model.worker_changed, model.model_changed):
            signal.connect(self._refresh)
        model.step_arrived.connect(lambda *_: self._show_speed())
        model.run_changed.connect(lambda *_: self._show_logged())
        self._refresh()
        self._show_logged()

    def _on_cancel(self) -> None:
        if self._model.measured_rankings:
            self._controller.discovery.cancel()
        elif self._model.studying:
            self._controller.studies.cancel()
        else:
            self._controller.loader.cancel()

    def _refresh(self) -> None:
        model, progress = self._model, self._model.progress
        self._dot.update()
        words = _WORDS[model.worker_state]
        if progress is not None and progress.text:
            words = progress.text
        elif model.worker_state == "lost" and model.worker_message:
            words = model.worker_message
        self._state.setText(words)
        for widget in (self._bar, self._left, self._cancel):
            widget.setVisible(progress is not None)
        if progress is not None:
            self._cancel.setEnabled(progress.text != STOPPING)
            self._bar.setRange(0, progress.total)
            self._bar.setValue(progress.done)
            self._left.setText(
                time_left(progress, in_percent=not (model.measured_rankings or model.studying))
            )
        self._why.set_whole(place_text(model.model_info))

    def _show_speed(self) -> None:
        shown = self._model.shown_steps()
        if shown is not None and len(shown[0].steps) > 1:  # the first one reads picture and prompt, too
            took_ms = median(step.ms for step in shown[0].steps[1:][-_SPEED_OVER_TOK:])
            self._speed.setText(f"{format_duration(took_ms / 1000)} / token")
            self._speed.show()

    def _show_logged(self) -> None:
        n_runs = sum(record.side != "glance" and not record.logged for record in self._model.runs.values())
        runs = plural(n_runs, "run")
        self._logged.setText(f"{runs} in this session   {self._log_place}")


class StateDot(QWidget):
    """Green: ready. Accent: at work. Soft: nothing there. Red: lost. The word beside it says the same."""

    def __init__(self, model: SessionModel) -> None:
        super().__init__()
        self._model = model
        self.setFixedSize(QSize(8, 8))
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        colours = theme.current()
        colour = {
            "ready": QColor("#2fa866"),
            "lost": QColor("#d5482f"),
            "none": colours.soft,
        }.get(self._model.worker_state, colours.accent)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colour)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(4, 4), 3.4, 3.4)


def place_text(info: ModelInfo | None) -> str:
    """The model and where it computes, and on a processor why not on a GPU: `comic-vlm on CPU · ...`."""
    if info is None:
        return ""
    return PART_MARK.join(filter(None, (f"{info.name} on {info.device.upper()}", info.why_not_gpu)))
