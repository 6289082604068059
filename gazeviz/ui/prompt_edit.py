"""The line that the question is written on; it grows to three. Enter runs, Shift+Enter begins a new line."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

from gazeviz.app.session_model import SessionModel
from gazeviz.ui import theme
from gazeviz.ui.controls import OWNS_ESCAPE

MOST_LINES: Final = 3
ONE_LINE_PX: Final = 34
_ABOVE_PX: Final = 3
_DOCUMENT_MARGIN_PX: Final = 2


class PromptEdit(QPlainTextEdit):
    """The session's prompt. Signals: `run_wanted` on Enter, `left` on Esc."""

    run_wanted = Signal()
    left = Signal()

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promptEdit")
        self._model = model
        self.setProperty(OWNS_ESCAPE, True)
        self.setAccessibleName("Prompt")
        self.setToolTip(
            "What the model is asked about the picture.  Enter runs, Shift+Enter begins a new line"
        )
        self.setPlaceholderText("Ask about the picture")
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(_DOCUMENT_MARGIN_PX)
        self.setViewportMargins(0, _ABOVE_PX, 0, _ABOVE_PX)  # no part of a fourth line is seen there
        self.textChanged.connect(self._on_text_changed)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        model.prompt_changed.connect(self._on_prompt_changed)
        theme.changed.connect(self._fit)
        self._on_prompt_changed()
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Room for a few words."""
        return QSize(120, self.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter runs and Esc leaves; anything else writes."""
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not shifted:
            self.run_wanted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words wrap elsewhere now."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Another font has another height."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        """As high as its lines, and from the fourth on scrolling."""
        lines = round(self.document().size().height())  # a plain text document counts its height in lines
        scroll = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            scroll.ScrollBarAsNeeded if lines > MOST_LINES else scroll.ScrollBarAlwaysOff
        )
        shown = min(max(lines, 1), MOST_LINES)
        height_px = ONE_LINE_PX + (shown - 1) * self.fontMetrics().lineSpacing()
        if height_px != self.height():
            self.setFixedHeight(height_px)

    def _on_text_changed(self) -> None:
        self._model.prompt = self.toPlainText()

    def _on_prompt_changed(self) -> None:
        if self.toPlainText() != self._model.prompt:
            self.setPlainText(self._model.prompt)
