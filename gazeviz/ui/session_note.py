"""What a person writes about a run: kept a second after the last key, and when the eye goes elsewhere."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from gazeviz.app.archive import Archive

KEEP_MS: Final = 1000
_HEIGHT_PX: Final = 64


class NoteEdit(QPlainTextEdit):
    """The note of one run; what is being written is never replaced by what the log says."""

    def __init__(self, archive: Archive, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runNote")
        self.setAccessibleName("Note about the run")
        self.setToolTip("Kept with the run, found by the search, shown in reports  N")
        self.setPlaceholderText("What did you see?")
        self.setTabChangesFocus(True)
        self.setFixedHeight(_HEIGHT_PX)
        self._archive = archive
        self._run_id: int | None = None
        self._kept = ""
        self._idle = QTimer(self, singleShot=True, interval=KEEP_MS)
        self._idle.timeout.connect(self.keep)
        self.textChanged.connect(self._idle.start)

    def show_note(self, run_id: int | None, text: str) -> None:
        """Show a run's note; the one of the run before is kept first."""
        if run_id == self._run_id:
            if self.toPlainText() == self._kept and text != self._kept:
                self._show(text)
            return
        self.keep()
        self._run_id = run_id
        self._show(text)

    def keep(self) -> None:
        """Write down what has been typed."""
        self._idle.stop()
        text = self.toPlainText()
        if self._run_id is not None and text != self._kept:
            self._kept = text
            self._archive.note(self._run_id, text)

    def _show(self, text: str) -> None:
        self._kept = text
        self.setPlainText(text)
        self._kept = self.toPlainText()  # as the widget writes line ends
        self._idle.stop()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The eye goes elsewhere."""
        super().focusOutEvent(event)
        self.keep()
