"""Above the list of runs: the search with its help, grouping, and which columns are shown."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gazeviz.ui import theme
from gazeviz.ui.column_parts import soft_text
from gazeviz.ui.controls import MenuButton, choice_button
from gazeviz.ui.session_rows import RUN_COLUMNS
from gazeviz.ui.session_search import SearchBox, SearchHelp
from gazeviz.ui.session_table import RunTable


class SessionBar(QWidget):
    """The bar; beneath it why a search is none, where it is."""

    def __init__(self, table: RunTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sessionBar")
        self._table = table
        self.search = SearchBox()
        self.help = SearchHelp(self.search)
        self.grouping = choice_button(
            "runGrouping", "Whether runs stand under their sessions",
            (("session", "Group by session"), ("none", "One list")), self.group,
        )  # fmt: skip
        self.columns = MenuButton("Columns", "runColumns", "Choose which columns are shown")
        self._fill_columns()
        self._trouble = soft_text("runSearchTrouble")
        self._trouble.hide()
        self.search.trouble_changed.connect(self._on_trouble)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self.search, 1)
        for part in (self.help, self.grouping, self.columns):
            row.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * theme.SPACE, 2 * theme.SPACE, 3 * theme.SPACE, 2 * theme.SPACE)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(row)
        layout.addWidget(self._trouble)

    def _fill_columns(self) -> None:
        menu = self.columns.menu()
        for place, column in enumerate(RUN_COLUMNS):
            action = QAction("Star" if column.key == "star" else column.title, menu, checkable=True)
            action.setChecked(not self._table.isColumnHidden(place))
            action.setToolTip(column.tip)
            action.triggered.connect(lambda shown, at=place: self._table.show_column(at, shown))
            menu.addAction(action)
        menu.aboutToShow.connect(self._tick_columns)

    def _tick_columns(self) -> None:
        for place, action in enumerate(self.columns.menu().actions()):
            action.setChecked(not self._table.isColumnHidden(place))

    def group(self, key: str) -> None:
        """Put runs under their sessions ("session"), or all in one list ("none")."""
        self.grouping.set_current(key)
        self._table.set_grouped(key == "session")

    def _on_trouble(self, trouble: str) -> None:
        self._trouble.setText(trouble)
        self._trouble.setVisible(bool(trouble))
