"""The last door: a bug is told, with what helps to find it, and the app goes on where it can.

The session is safe by then: it lives in the session model and in the log, and neither is touched here.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz import __version__
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, soft_text

_log = logging.getLogger(__name__)

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], None]


class CrashDialog(QDialog):
    """Says that a bug was met, shows its traceback, and offers to copy it."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("crashDialog")
        self.setWindowTitle("Internal error")
        self.resize(640, 380)
        self._report = report
        sentence = QLabel(
            "Internal error. Your session is intact, but your last action may not have taken effect."
        )
        sentence.setWordWrap(True)
        next_step = soft_text(
            "crashNextStep",
            "Continue, or save your work and restart. The text below helps to find the cause.",
        )
        text = named(QPlainTextEdit(report), "crashReport")
        text.setReadOnly(True)
        text.setFont(theme.font_mono(11))
        copy = named(QPushButton("Copy the text"), "copyReport")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(report))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (sentence, next_step, text, buttons):
            layout.addWidget(part)

    @classmethod
    def hook(cls, window: QWidget) -> Hook:
        """What sys.excepthook is to be: logs the bug, and shows the dialog, one at a time."""
        open_now: list[CrashDialog] = []

        def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if not issubclass(kind, Exception):
                sys.__excepthook__(kind, error, trace)
                return
            _log.error("bug", exc_info=(kind, error, trace))
            if open_now:
                return
            text = "".join(traceback.format_exception(kind, error, trace))
            dialog = cls(f"gazeviz {__version__}, Python {sys.version.split()[0]}\n\n{text}", window)
            open_now.append(dialog)
            dialog.finished.connect(lambda _: open_now.clear())
            dialog.open()

        return shown
