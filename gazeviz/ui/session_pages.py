"""What stands around the list of runs: columns, the line that undoes deleting, a page for no runs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, soft_text
from gazeviz.ui.controls import CloseButton


class UndoLine(QWidget):
    """Says what was deleted, and takes it back; stays until it is closed or something else is deleted."""

    undo_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("undoLine")
        self._sentence = named(QLabel(), "undoSentence")
        self._undo = push_button("undoDelete", "Undo", "Bring back what was deleted  Ctrl+Z", "Undo deleting")
        self._undo.clicked.connect(self.undo_wanted)
        tip = "Close this line; the log keeps deleted runs for 30 days"
        close = CloseButton("undoClose", tip, self.hide, spoken="Close this line")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * theme.SPACE, theme.SPACE, theme.SPACE, theme.SPACE)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._sentence)
        layout.addWidget(self._undo)
        layout.addStretch(1)
        layout.addWidget(close)
        self.hide()

    def say(self, sentence: str) -> None:
        """Say what was deleted."""
        self._sentence.setText(sentence)
        self.show()

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()


class EmptyPage(QWidget):
    """In the place of the list, where there is nothing to list: a sentence, a next step, a button for it."""

    step_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noRuns")
        self._sentence = named(QLabel(), "noRunsSentence")
        self._sentence.setFont(theme.font_ui(15, 600))
        self._next = soft_text("noRunsNext")
        self._step = push_button("noRunsStep", "", "Change what is shown; no run is touched")
        self._step.clicked.connect(self.step_wanted)
        layout = QVBoxLayout(self)
        layout.setSpacing(2 * theme.SPACE)
        layout.addStretch(2)
        for part in (self._sentence, self._next):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(part)
        layout.addWidget(self._step, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        self.say("No runs here.", "", "Show all runs")

    def say(self, sentence: str, next_step: str, step: str = "") -> None:
        """Say why there is nothing, and what to do. step: of the button, "" for none."""
        self._sentence.setText(sentence)
        self._next.setText(next_step)
        self._step.setText(step)
        self._step.setAccessibleName(step)
        self._step.setVisible(bool(step))

    def say_why(self, *, nothing_yet: bool, narrowed: bool) -> None:
        """Say why no run is listed: none was ever made, a search found none, or all were deleted."""
        if nothing_yet:
            kept = "what was asked, what the model answered, where its heads looked"
            self.say("No runs yet.", f"Every run is kept here: {kept}.", "Go to Explore")
        elif narrowed:
            self.say("No run matches.", "Look for something else, or among all runs.", "Show all runs")
        else:
            self.say("No runs here.", "The deleted ones can be brought back for 30 days.")

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()


def stacked(*parts: QWidget, stretched: int) -> QWidget:
    """Parts under each other without space; one of them takes what room there is."""
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for place, part in enumerate(parts):
        layout.addWidget(part, 1 if place == stretched else 0)
    return whole


def scrolled(content: QWidget, width_px: int) -> QScrollArea:
    """A column that scrolls where the window is low."""
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setFixedWidth(width_px)
    area.setWidget(content)
    return area
