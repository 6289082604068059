"""The line that is there while files of regions are read: how far it is, and Stop."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from gazeviz.app.runs.region_import import RegionImport
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, push_button


class ImportRow(QWidget):
    """Shows an import while it lasts."""

    def __init__(self, reading: RegionImport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reading = reading
        self._text = named(QLabel(), "importText")
        self._text.setWordWrap(True)
        self._bar = named(QProgressBar(), "importBar")
        self._bar.setTextVisible(False)
        stop = push_button(
            "stopImport", "Stop", "Read no further; no region is added", "Stop importing regions"
        )
        stop.clicked.connect(reading.cancel)
        line, layout = QHBoxLayout(), QVBoxLayout(self)
        line.addWidget(self._bar, 1)
        line.addWidget(stop)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addWidget(self._text)
        layout.addLayout(line)
        reading.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        progress = self._reading.progress
        self.setVisible(progress is not None)
        if progress is not None:
            self._text.setText(progress.text)
            self._bar.setRange(0, progress.total)
            self._bar.setValue(progress.done)
