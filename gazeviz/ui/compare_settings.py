"""The settings of compared runs as a table.

A row that differs has a sign and a ground, and the values that are not those of A are bold.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gazeviz.app.comparison import LETTERS, Setting
from gazeviz.ui import theme
from gazeviz.ui.compare_parts import make_quiet

DIFFERS = "\N{NOT EQUAL TO}"


class CompareSettings(QTableWidget):
    """A row for each setting, those that differ first; a column for each run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareSettings")
        self.setAccessibleName("Settings of the compared runs")
        make_quiet(self)
        self.setWordWrap(False)
        self._settings: Sequence[Setting] = ()
        theme.changed.connect(self._fill)

    def show_settings(self, settings: Sequence[Setting]) -> None:
        """Take the settings of two to six runs."""
        self._settings = sorted(settings, key=lambda setting: not setting.differs)
        self._fill()

    def _fill(self) -> None:
        n_runs = len(self._settings[0].values) if self._settings else 0
        self.setColumnCount(1 + n_runs)
        self.setRowCount(len(self._settings))
        self.setHorizontalHeaderLabels(["", *LETTERS[:n_runs]])
        for row, setting in enumerate(self._settings):
            sign = f"{DIFFERS} " if setting.differs else "= "
            self.setItem(row, 0, _item(sign + setting.name, setting.differs, strong=False))
            for place, text in enumerate(setting.values):
                strong = setting.keys[place] != setting.keys[0]
                self.setItem(row, 1 + place, _item(text, setting.differs, strong))
        header = self.horizontalHeader()
        for column in range(1 + n_runs):
            stretch = QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(
                column, stretch if column else QHeaderView.ResizeMode.ResizeToContents
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the chosen rows as lines with tabs, all where none is chosen."""
        if not event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
            return
        rows = sorted({index.row() for index in self.selectedIndexes()}) or range(len(self._settings))
        lines = [[self._settings[row].name, *self._settings[row].values] for row in rows]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))


def _item(text: str, differs: bool, strong: bool) -> QTableWidgetItem:
    colours = theme.current()
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    item.setFont(theme.font_ui(12, 600 if strong else 400))
    item.setForeground(colours.ink if differs else colours.soft)
    if differs:
        ground = QColor(colours.accent)
        ground.setAlphaF(0.12)
        item.setBackground(ground)
    return item
