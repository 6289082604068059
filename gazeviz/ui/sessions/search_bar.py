"""Above the list of runs: the search with its help, grouping, and which columns are shown."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from gazeviz.app.history.log_browser import RunFilter
from gazeviz.errors import UserError
from gazeviz.ui.sessions.run_table import RunTable
from gazeviz.ui.sessions.run_table_model import RUN_COLUMNS
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import (
    MenuButton,
    Popover,
    choice_button,
    push_button,
    section_title,
    soft,
    soft_text,
)

# The search box of the Sessions tab, with its help: words, columns, marks; what is wrong is said beneath.
#
# Turns what is typed into a filter; knows no log.


TYPED_MS: Final = 120
_OWN_KEYS: Final = (Qt.Key.Key_Escape, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter)
EXAMPLES: Final = (
    ("cat", "a word, or the beginning of one, in prompt, text or note"),
    ("text:cat", "in one column: prompt, text, note, model, picture, session, heads, target, judge"),
    ('target:"Panel 4"', "several words as one"),
    ("strength:>4", "numbers: strength, tokens, seconds, n_heads, id; with > >= < <= ="),
    ("is:starred", "marks: starred, junk, deleted, steered, baseline, lost, failed, cancelled"),
    ("tag:odd", "runs with a tag"),
)


class SearchBox(QLineEdit):
    """Where a filter is typed.

    filter_changed: a RunFilter.  trouble_changed: why what is typed is none, "" where it is.
    """

    filter_changed = Signal(object)
    trouble_changed = Signal(str)
    leave_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runSearch")
        self.setAccessibleName("Search runs")
        self.setToolTip("List only the runs that contain these words or match column:value  Ctrl+F")
        self.setPlaceholderText('Search:  text:cat  target:"Panel 4"  strength:>4  is:starred')
        self.setClearButtonEnabled(True)
        self._icon = QAction(self)
        self.addAction(self._icon, QLineEdit.ActionPosition.LeadingPosition)
        self.wanted = RunFilter()
        self._typed = QTimer(self, singleShot=True, interval=TYPED_MS)
        self._typed.timeout.connect(self._on_typed)
        self.textChanged.connect(self._typed.start)
        theme.changed.connect(self._dress)
        self._dress()

    def look_for(self, text: str) -> None:
        """Type something, and look for it at once."""
        self.setText(text)
        self._typed.stop()
        self._on_typed()

    def _on_typed(self) -> None:
        try:
            wanted = RunFilter.parse(self.text())
        except UserError as error:
            self.trouble_changed.emit(f"{error.sentence} {error.next_step}")
            return
        self.trouble_changed.emit("")
        if wanted != self.wanted:
            self.wanted = wanted
            self.filter_changed.emit(wanted)

    def event(self, event: QEvent) -> bool:
        """Esc and Down are this box's own."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and event.key() in _OWN_KEYS:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc empties it, then leaves it; Enter and Down go to the runs."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.look_for("")
        elif event.key() in _OWN_KEYS:
            self._typed.stop()
            self._on_typed()
            self.leave_wanted.emit()
        else:
            super().keyPressEvent(event)

    def _dress(self) -> None:
        self._icon.setIcon(theme.icon("search"))


class SearchHelp(QToolButton):
    """A button that opens what can be typed; a click on an example types it."""

    def __init__(self, box: SearchBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runSearchHelp")
        self.setAccessibleName("Search syntax")
        self.setToolTip("Show the search syntax")
        self.setText("?")
        self._box = box
        self.sheet = Popover("runSearchSheet", self)
        self._fill()
        self.clicked.connect(lambda: self.sheet.open_at(self))

    def _fill(self) -> None:
        layout = QGridLayout(self.sheet)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setVerticalSpacing(theme.SPACE)
        layout.setHorizontalSpacing(3 * theme.SPACE)
        layout.addWidget(section_title("Search syntax; all conditions must match"), 0, 0, 1, 2)
        for row, (example, meaning) in enumerate(EXAMPLES, start=1):
            spoken = f"Search for {example}: {meaning}"
            button = push_button(f"runSearchExample{row}", example, "Add this to the search", spoken, "flat")
            button.setFont(theme.font_mono(12))
            button.clicked.connect(lambda _=False, text=example: self._on_example(text))
            layout.addWidget(button, row, 0, Qt.AlignmentFlag.AlignLeft)
            layout.addWidget(soft(QLabel(meaning)), row, 1)

    def _on_example(self, example: str) -> None:
        self.sheet.close()
        self._box.look_for(f"{self._box.text()} {example}".strip())
        self._box.setFocus()


class SessionBar(QWidget):
    """The bar; beneath it why a search is none, where it is."""

    def __init__(self, table: RunTable, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sessionBar")
        self._table = table
        self.search = SearchBox()
        self.help = SearchHelp(self.search)
        self.grouping = choice_button(
            "runGrouping", "Group runs by session, or show one list",
            (("session", "Group by session"), ("none", "One list")), self.group,
        )  # fmt: skip
        self.columns = MenuButton("Columns", "runColumns", "Choose which columns are shown")
        self.columns.offer(self._column_commands)
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

    def _column_commands(self) -> list[Command]:
        def turn(place: int) -> None:
            self._table.show_column(place, self._table.isColumnHidden(place))

        def is_shown(place: int) -> bool:
            return not self._table.isColumnHidden(place)

        named = (
            (place, column, "Star" if column.key == "star" else column.title)
            for place, column in enumerate(RUN_COLUMNS)
        )
        return [
            Command(f"columns.{column.key}", f"Column: {title}", "", column.tip, partial(turn, place),
                    checked=partial(is_shown, place), label=title)
            for place, column, title in named
        ]  # fmt: skip

    def group(self, key: str) -> None:
        """Put runs under their sessions ("session"), or all in one list ("none")."""
        self.grouping.set_current(key)
        self._table.set_grouped(key == "session")

    def _on_trouble(self, trouble: str) -> None:
        self._trouble.setText(trouble)
        self._trouble.setVisible(bool(trouble))
