"""A model from the hub: its name, what would be fetched, and the fetching, as lines of the Open dialog.

Nothing is fetched before a person has seen how much it is and has agreed. See app.runs.model_fetch.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from gazeviz.app.runs.model_fetch import ModelFetch
from gazeviz.domain.wording import format_file_size
from gazeviz.ui.shell.other_machine import AddressEdit
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, push_button, soft_text

_STEPS: Final = 1000


class FetchModel(QWidget):
    """Hidden until it is asked for. fetched: a model is here now, with its folder."""

    fetched = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fetchModel")
        self.fetch = ModelFetch(self)
        """What does it."""
        self._offered = False
        self._repository = named(AddressEdit(), "fetchModelRepository")
        self._repository.setPlaceholderText("Qwen/Qwen3-VL-2B-Instruct")
        self._repository.setAccessibleName("Name of the model on huggingface.co")
        self._repository.setToolTip(
            "Owner and name, as on huggingface.co;\nnothing is fetched before you agree"
        )
        self._look = push_button("fetchModelLook", "Look up", "Ask the hub what would be fetched")
        self._get = push_button(
            "fetchModelGet", "Fetch", "Fetch it into the Hugging Face cache", kind="primary"
        )
        self._stop = push_button(
            "fetchModelStop", "Stop", "Stop; it goes on from here next time", kind="flat"
        )
        self._progress = named(QProgressBar(), "fetchModelProgress")
        self._progress.setRange(0, _STEPS)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("Progress of the download")
        self._message = soft_text("fetchModelSaid")
        for button in (self._look, self._get, self._stop):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        self._lay_out()
        self._connect()
        self.setVisible(False)
        self._show_state()

    def ask(self) -> None:
        """Let a name be written."""
        self.setVisible(True)
        self._repository.setFocus()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE)
        for part, stretch in ((self._repository, 1), (self._look, 0), (self._get, 0), (self._stop, 0)):
            row.addWidget(part, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addLayout(row)
        column.addWidget(self._message)
        column.addWidget(self._progress)

    def _connect(self) -> None:
        self._repository.returnPressed.connect(self._on_look)
        self._repository.textEdited.connect(self._on_edited)
        self._look.clicked.connect(self._on_look)
        self._get.clicked.connect(self._on_get)
        self._stop.clicked.connect(self.fetch.cancel)
        self.fetch.offered.connect(self._on_offered)
        self.fetch.progressed.connect(self._on_progressed)
        self.fetch.fetched.connect(self._on_fetched)
        self.fetch.refused.connect(lambda sentence, step: self._say(f"{sentence} {step}"))
        self.fetch.ended.connect(self._show_state)

    def _on_edited(self) -> None:
        self._offered = False
        self._show_state()

    def _on_look(self) -> None:
        repository = self._repository.text().strip()
        if repository and not self.fetch.busy:
            self.fetch.look_up(repository)
            self._say("Asking the hub …")
            self._show_state()

    def _on_offered(self, sentence: str) -> None:
        self._offered = True
        self._say(sentence)
        self._show_state()
        self._get.setFocus()

    def _on_get(self) -> None:
        self.fetch.fetch()
        self._progress.setValue(0)
        self._say("Fetching …")
        self._show_state()

    def _on_progressed(self, done: float, total: float, file: str) -> None:
        self._progress.setValue(int(_STEPS * done / max(total, 1.0)))
        self._say(f"{format_file_size(int(done))} of {format_file_size(int(total))}, {file}".rstrip(", "))

    def _on_fetched(self, folder: str) -> None:
        self._offered = False
        self._say(f"{self.fetch.repository} is here.")
        self._show_state()
        self.fetched.emit(folder)

    def _say(self, sentence: str) -> None:
        self._message.setText(sentence)
        self._message.setVisible(bool(sentence))

    def _show_state(self) -> None:
        """Which buttons are of use now."""
        busy = self.fetch.busy
        self._repository.setEnabled(not busy)
        self._look.setVisible(not self._offered)
        self._look.setEnabled(not busy and bool(self._repository.text().strip()))
        self._get.setVisible(self._offered and not busy)
        self._stop.setVisible(busy)
        self._progress.setVisible(busy and self._offered)
        self._message.setVisible(bool(self._message.text()))
