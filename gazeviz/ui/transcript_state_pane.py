"""A state of a run on the screen: a sentence, the next step, and a button that does it."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gazeviz.ui import theme
from gazeviz.ui.column_parts import named
from gazeviz.ui.transcript_state import DEED_LABELS, Situation, Tone


class StatePane(QWidget):
    """Shows a situation; hidden where there is none."""

    wanted = Signal(str)  # what the button does

    def __init__(self, name: str) -> None:
        super().__init__()
        self._situation: Situation | None = None
        self._dot = ToneDot()
        self._words = named(QLabel(), f"{name}State")
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = named(QPushButton(), f"{name}StateButton")
        self._button.setProperty("kind", "pill")
        self._button.clicked.connect(self._on_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 0, 2)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._dot, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignVCenter)
        theme.changed.connect(self._draw_words)
        self.show_situation(None)

    @property
    def situation(self) -> Situation | None:
        """What is said now."""
        return self._situation

    def show_situation(self, situation: Situation | None) -> None:
        """Say something, or nothing."""
        self._situation = situation
        self.setVisible(situation is not None)
        if situation is None:
            return
        label, tip = DEED_LABELS.get(situation.deed, ("", ""))
        self._button.setVisible(bool(label))
        self._button.setText(label)
        self._button.setToolTip(tip)
        self._button.setAccessibleName(f"{label}: {tip}")
        self._dot.show_tone(situation.tone)
        self._draw_words()

    def _draw_words(self) -> None:
        if self._situation is None:
            return
        soft = theme.current().soft.name()
        sentence, next_step = escape(self._situation.sentence), escape(self._situation.next_step)
        self._words.setText(f'{sentence} <span style="color:{soft}">{next_step}</span>')
        self._words.setAccessibleName(f"{self._situation.sentence} {self._situation.next_step}".strip())

    def _on_clicked(self) -> None:
        if self._situation is not None and self._situation.deed:
            self.wanted.emit(self._situation.deed)


class ToneDot(QWidget):
    """A warning sign for what went wrong; nothing for what is as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(16, 16)
        self.hide()

    def show_tone(self, tone: Tone) -> None:
        """Take the tone."""
        self.setVisible(tone != "quiet")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the sign."""
        theme.icon("warning").paint(QPainter(self), self.rect())
