"""The left column of the Sessions tab: all runs, starred, junk, lost; the sessions; the tags; with counts.

An entry narrows the list of runs. Sessions can be renamed in place. Knows the overview that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from PySide6.QtCore import QAbstractListModel, QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QPainter
from PySide6.QtWidgets import QLineEdit, QListView, QMenu, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gazeviz.app.history.log_browser import Overview, RunFilter
from gazeviz.ui.sessions.session_commands import session_commands
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, Submenu, add_commands
from gazeviz.ui.sessions.run_table_model import Index
from gazeviz.ui.sessions.run_text import session_title

Kind: TypeAlias = Literal["title", "all", "starred", "junk", "lost", "deleted", "session", "tag"]
ROW_PX: Final = 28
_LOST: Final = ("lost", "failed")


@dataclass(frozen=True)
class SidebarEntry:
    """A line of the column. key: of a session or a tag."""

    kind: Kind
    label: str
    count: int = 0
    key: int | str = 0

    @property
    def same(self) -> tuple[str, int | str]:
        """What makes it the same entry, whatever its count."""
        return self.kind, self.key

    def narrowed(self, wanted: RunFilter) -> RunFilter:
        """What was typed, among the runs of this entry."""
        match self.kind:
            case "starred":
                return replace(wanted, starred=True)
            case "junk":
                return replace(wanted, junk=True)
            case "lost":
                states = tuple(state for state in _LOST if not wanted.states or state in wanted.states)
                return replace(wanted, states=states or ("none",))
            case "deleted":
                return replace(wanted, deleted=True)
            case "session":
                return replace(wanted, session_id=int(self.key))
            case "tag":
                return replace(wanted, tag=str(self.key))
            case _:
                return wanted


ALL: Final = SidebarEntry("all", "All runs")


def entries_of(overview: Overview) -> list[SidebarEntry]:
    """All lines of the column; what there is none of is left out, but for the first four."""
    counts = overview.counts
    lines = [
        SidebarEntry("title", "Runs"),
        replace(ALL, count=counts.all),
        SidebarEntry("starred", "Starred", counts.starred),
        SidebarEntry("junk", "Junk", counts.junk),
        SidebarEntry("lost", "Lost or failed", counts.lost_or_failed),
    ]
    if counts.deleted:
        lines.append(SidebarEntry("deleted", "Deleted", counts.deleted))
    sessions = [session for session in overview.sessions if session.n_runs]
    if sessions:
        lines.append(SidebarEntry("title", "Sessions"))
        lines += [SidebarEntry("session", session_title(one), one.n_runs, one.id) for one in sessions]
    if counts.by_tag:
        lines.append(SidebarEntry("title", "Tags"))
        lines += [SidebarEntry("tag", tag, number, tag) for tag, number in counts.by_tag.items()]
    return lines


class SidebarRows(QAbstractListModel):
    """The lines, as a view asks for them."""

    renamed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[SidebarEntry] = [SidebarEntry("title", "Runs"), ALL]

    def show_entries(self, entries: list[SidebarEntry]) -> None:
        """Take other lines; where only counts differ, nothing moves."""
        if [entry.same for entry in entries] == [entry.same for entry in self.entries]:
            self.entries = entries
            self.dataChanged.emit(self.index(0), self.index(len(entries) - 1))
            return
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Number of lines."""
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Titles cannot be chosen; sessions can be renamed."""
        kind = self.entries[index.row()].kind
        if kind == "title":
            return Qt.ItemFlag.NoItemFlags
        usual = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return usual | Qt.ItemFlag.ItemIsEditable if kind == "session" else usual

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words; the delegate draws."""
        entry = self.entries[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return entry.label
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return entry.label if entry.kind == "title" else f"{entry.label}, {entry.count:,}"
        if role == Qt.ItemDataRole.ToolTipRole and entry.kind == "session":
            return "Show only this session. F2 renames it; right-click for more"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """A session was given another name; the log is asked to keep it."""
        entry = self.entries[index.row()]
        if role != Qt.ItemDataRole.EditRole or entry.kind != "session" or str(value).strip() == entry.label:
            return False
        self.renamed.emit(int(entry.key), str(value))
        return True


class SidebarDelegate(QStyledItemDelegate):
    """Draws a line: its label, a tag's dot, and its count at the right."""

    def __init__(self, view: Sidebar, rows: SidebarRows) -> None:
        super().__init__(view)
        self._view, self._rows = view, rows

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Titles have room above them."""
        entry = self._rows.entries[index.row()]
        title = entry.kind == "title"
        return QSize(120, ROW_PX + 8 if title and index.row() else ROW_PX)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A line to rename a session in."""
        editor = QLineEdit(parent)
        editor.setObjectName("sessionName")
        editor.setAccessibleName("Name of the session")
        return editor

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw it."""
        entry, colours = self._rows.entries[index.row()], theme.current()
        box = QRectF(getattr(option, "rect"))  # noqa: B009 - the stubs lack it
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if entry.kind == "title":
            painter.setFont(theme.font_ui(11, 600))
            painter.setPen(colours.soft)
            bottom = Qt.AlignmentFlag.AlignBottom
            painter.drawText(box.adjusted(2, 0, 0, -6), bottom, entry.label)
            painter.restore()
            return
        box.adjust(0, 1, 0, -1)
        chosen = entry.same == self._view.chosen.same
        if chosen:
            painter.setPen(colours.accent if self._view.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        self._draw_words(painter, box.adjusted(8, 0, -8, 0), entry, chosen)
        painter.restore()

    def _draw_words(self, painter: QPainter, box: QRectF, entry: SidebarEntry, chosen: bool) -> None:
        colours, middle = theme.current(), Qt.AlignmentFlag.AlignVCenter
        left = box.left()
        if entry.kind == "tag":
            number = [line.key for line in self._rows.entries if line.kind == "tag"].index(entry.key)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.region_colour(number))
            painter.drawRoundedRect(QRectF(left, box.center().y() - 5, 10, 10), 3, 3)
            left += 18
        count = f"{entry.count:,}"
        painter.setFont(theme.font_mono(11))
        painter.setPen(colours.soft)
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, count)
        room = box.right() - left - painter.fontMetrics().horizontalAdvance(count) - 8
        painter.setFont(theme.font_ui(13, 500 if chosen else 400))
        painter.setPen(colours.ink)
        words = painter.fontMetrics().elidedText(entry.label, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(left, box.top(), room, box.height()), middle, words)


class Sidebar(QListView):
    """The column. entry_chosen: an Entry.  The others: numbers of sessions."""

    entry_chosen = Signal(object)
    session_renamed = Signal(int, str)
    session_delete_wanted = Signal(int)
    session_report_wanted = Signal(int)
    sessions_compare_wanted = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sessionSidebar")
        self.setAccessibleName("Which runs are listed")
        self.chosen: SidebarEntry = ALL
        self._rows = SidebarRows()
        self.setModel(self._rows)
        self.setItemDelegate(SidebarDelegate(self, self._rows))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QListView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self._rows.renamed.connect(self.session_renamed)
        theme.changed.connect(self.viewport().update)

    @property
    def entries(self) -> list[SidebarEntry]:
        """All lines."""
        return self._rows.entries

    def show_overview(self, overview: Overview) -> None:
        """Show counts, sessions and tags; an entry that is gone gives way to all runs."""
        self._rows.show_entries(entries_of(overview))
        there = next((entry for entry in self.entries if entry.same == self.chosen.same), None)
        self.choose(there or ALL, told=there is None)

    def choose(self, entry: SidebarEntry, *, told: bool = True) -> None:
        """Choose an entry. told: whether the others hear of it."""
        changed = entry.same != self.chosen.same
        self.chosen = entry
        row = next((row for row, line in enumerate(self.entries) if line.same == entry.same), -1)
        if row >= 0 and self.currentIndex().row() != row:
            self.setCurrentIndex(self._rows.index(row))
        self.viewport().update()
        if told and changed:
            self.entry_chosen.emit(entry)

    def currentChanged(self, current: Index, previous: Index) -> None:
        """A click or the keyboard chooses."""
        super().currentChanged(current, previous)
        if current.isValid():
            self.choose(self.entries[current.row()])

    def event(self, event: QEvent) -> bool:
        """Keep plain keys from the window, where they choose tools and run the model."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
            if event.modifiers() in plain and event.key() not in (Qt.Key.Key_F1, Qt.Key.Key_Tab):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete takes a session away; it can be undone."""
        if event.key() == Qt.Key.Key_Delete and self.chosen.kind == "session":
            self.session_delete_wanted.emit(int(self.chosen.key))
        else:
            super().keyPressEvent(event)

    def menu_of(self, entry: SidebarEntry) -> QMenu:
        """What can be done with a session."""
        menu = QMenu(self)
        rename, report, delete = session_commands(lambda: self, entry)
        others = Submenu("sessions.compare", "Compare with", lambda: self._others(entry), self._alone)
        add_commands(menu, (rename, report, others, None, delete))
        return menu

    def begin_rename(self, entry: SidebarEntry) -> None:
        """Let a session's name be typed in its row."""
        row = next(row for row, line in enumerate(self.entries) if line.same == entry.same)
        self.edit(self._rows.index(row))

    def _others(self, entry: SidebarEntry) -> list[Command]:
        number = int(entry.key)
        return [
            Command(f"sessions.compare_{other.key}", f"Compare with {other.label}", "",
                    "Pair the runs of both sessions by prompt and target.",
                    partial(self.sessions_compare_wanted.emit, number, int(other.key)), label=other.label)
            for other in self.entries
            if other.kind == "session" and other.key != number
        ]  # fmt: skip

    def _alone(self) -> str | None:
        n_sessions = sum(entry.kind == "session" for entry in self.entries)
        return None if n_sessions > 1 else "There is only one session."

    def _on_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if index.isValid() and self.entries[index.row()].kind == "session":
            menu = self.menu_of(self.entries[index.row()])
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.viewport().mapToGlobal(at))
