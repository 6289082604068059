"""On another machine: where a model runs if not on this computer, as a line of the dialog that opens models.

An address, a button, and a sentence that says how far it is. It opens no line itself; see
RunController.go_to.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gazeviz.app.runs.model_catalogue import ModelCatalogue
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, push_button, soft_text

_EXAMPLE: Final = "ssh://user@server, or ssh://user@server/path/to/gazeviz"
_TIP: Final = (
    "A machine that ssh reaches without asking for anything, and on which gazeviz is installed;\n"
    "the log stays on this computer"
)


class AddressEdit(QLineEdit):
    """A line whose Enter is its own: a dialog would also press its default button, and load a model here."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep Enter from the dialog."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()


class OtherMachine(QWidget):
    """Hidden until it is asked for. moved: the worker runs elsewhere now, or here again."""

    moved = Signal()

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        catalogue: ModelCatalogue,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("otherMachine")
        self._model, self._controller, self._catalogue = model, controller, catalogue
        self._listed_of: str | None = None
        self._address = named(AddressEdit(controller.place or ""), "otherMachineAddress")
        self._address.setPlaceholderText(_EXAMPLE)
        self._address.setAccessibleName("Address of the other machine")
        self._address.setToolTip(_TIP)
        self._connect = push_button("otherMachineConnect", "Connect", "Run models there from now on")
        self._here = push_button(
            "otherMachineHere", "Use this computer", "Run models here again", kind="flat"
        )
        self._state = soft_text("otherMachineState")
        for button in (self._connect, self._here):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        self._lay_out()
        self._connect.clicked.connect(self._on_connect)
        self._address.returnPressed.connect(self._on_connect)
        self._here.clicked.connect(lambda: self._go_to(None))
        model.worker_changed.connect(self._on_worker_changed)
        self.setVisible(controller.place is not None)
        self._on_worker_changed()

    @property
    def title(self) -> str:
        """Whose models are listed."""
        return f"Models on {self._controller.place}" if self._controller.place else "Models on this computer"

    def ask(self) -> None:
        """Let an address be written."""
        self.setVisible(True)
        self._address.setFocus()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE)
        for part, stretch in ((self._address, 1), (self._connect, 0), (self._here, 0)):
            row.addWidget(part, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addLayout(row)
        column.addWidget(self._state)

    def _on_connect(self) -> None:
        if self._address.text().strip():
            self._go_to(self._address.text().strip())

    def _go_to(self, place: str | None) -> None:
        self._model.notice = None
        if not self._controller.go_to(place):
            return
        self._listed_of = None
        # Until that machine answers nothing is listed: what is here cannot be loaded there.
        self._catalogue.look_elsewhere(None if place is None else lambda _: None)
        self.moved.emit()
        self._on_worker_changed()

    def _on_worker_changed(self) -> None:
        """List what is there once it answers, and say how far it is."""
        place, state = self._controller.place, self._model.worker_state
        if place is not None and self._controller.reached and self._listed_of != place:
            self._listed_of = place
            self._catalogue.look_elsewhere(self._controller.ask_models)
        elif not self._controller.reached:
            self._listed_of = None
        self._here.setVisible(place is not None)
        values = {"starting": f"Connecting to {place} …", "lost": "Not connected."}
        self._state.setText(values.get(state, f"Connected to {place}.") if place else "")
        self._state.setVisible(bool(self._state.text()))
