"""Small parts that the pages of a comparison share."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QAbstractItemView, QTableWidget

from gazeviz.ui.widgets.controls import CloseButton


def close_button(on_closed: Callable[[], object]) -> CloseButton:
    """Ends a comparison."""
    tip = "Close the comparison; the log keeps everything"
    button = CloseButton("compareClose", tip, on_closed, spoken="Close the comparison")
    button.setIconSize(QSize(14, 14))
    return button


def make_quiet(table: QTableWidget) -> None:
    """Let a table be read by whole rows, without lines, and not be edited."""
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setStyleSheet("QTableView::item { padding-left: 5px; }")
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
    table.horizontalHeader().setHighlightSections(False)
