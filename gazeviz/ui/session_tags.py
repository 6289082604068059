"""Tags of the selected runs: each can be taken away, others are offered, new ones are typed in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from gazeviz.app.archive import Archive, Overview, RunLine
from gazeviz.errors import UserError
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named
from gazeviz.ui.controls import MenuButton

_SHOWN: Final = 3


class TagRow(QWidget):
    """A button with all tags, ticked where the runs have them, and the line for a new one."""

    def __init__(self, archive: Archive, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runTags")
        self._archive = archive
        self._ids: tuple[int, ...] = ()
        self._tags: dict[str, int] = {}
        self._known: tuple[str, ...] = ()
        self.button = MenuButton("No tags", "runTagMenu", "Put tags on the selected runs  T")
        self.button.menu().aboutToShow.connect(self._fill)
        self.new = named(QLineEdit(), "runNewTag")
        self.new.setPlaceholderText("New tag")
        self.new.setAccessibleName("New tag")
        self.new.setToolTip("Put a new tag on the selected runs: Enter. Esc leaves it")
        self.new.setMaxLength(60)
        self.new.returnPressed.connect(self._on_new)
        self.new.installEventFilter(self)
        self.new.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self.button)
        layout.addWidget(self.new, 1)
        layout.addStretch(0)
        layout.setAlignment(self.button, Qt.AlignmentFlag.AlignLeft)
        archive.overview_found.connect(self._on_overview_found)

    def show_runs(self, run_ids: Sequence[int], lines: Sequence[RunLine]) -> None:
        """Be about some runs. lines: what is known of them."""
        if tuple(run_ids) != self._ids:
            self.new.hide()
        self._ids = tuple(run_ids)
        self._tags = {}
        for line in lines:
            for tag in line.tags:
                self._tags[tag] = self._tags.get(tag, 0) + 1
        self.setVisible(bool(run_ids))
        self.button.set_label(self._label())

    def ask(self) -> None:
        """Open the line for a new tag."""
        if self._ids:
            self.new.show()
            self.new.setFocus()
            self.new.selectAll()

    def _label(self) -> str:
        if not self._tags:
            return "No tags"
        some = ", ".join(sorted(self._tags)[:_SHOWN])
        more = len(self._tags) - _SHOWN
        return f"Tags: {some}{f' and {more} more' if more > 0 else ''}"

    def _fill(self) -> None:
        menu = self.button.menu()
        menu.clear()
        for tag in sorted({*self._known, *self._tags}):
            action = menu.addAction(tag.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(self._tags.get(tag, 0) == len(self._ids))
            action.triggered.connect(
                lambda checked, word=tag: self._archive.tag(self._ids, word, present=checked)
            )
        if not menu.isEmpty():
            menu.addSeparator()
        menu.addAction("New tag ...").triggered.connect(self.ask)

    def _on_new(self) -> None:
        try:
            self._archive.tag(self._ids, self.new.text())
        except UserError:
            return  # nothing was typed: the line stays open
        self.new.clear()
        self.new.hide()

    def _on_overview_found(self, overview: Overview) -> None:
        self._known = tuple(overview.counts.by_tag)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc leaves the line."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and watched is self.new:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self.new.hide()
                return True
        return False
