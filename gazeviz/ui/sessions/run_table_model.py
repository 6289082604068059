"""The rows of the table of runs: which run stands where, and what is known of those that were looked at.

Holds numbers for all runs and light rows for the few hundred that were last on the screen; the rest is asked
for when it is. Knows the archive, and no widget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal

from gazeviz.app.history.log_browser import Listing, LogBrowser, RunRow, SortKey, StoredSession
from gazeviz.ui.sessions.run_text import cell_texts, group_sentence, run_sentence

Index = QModelIndex | QPersistentModelIndex

KEPT_LINES: Final = 4000
BEYOND: Final = 60
"""So many rows below and above the screen are asked for, too."""


@dataclass(frozen=True)
class Column:
    """A column of the table. key: of its text.  sort: what a click on its header sorts by, None for nothing.

    weight: its share of the room that is left over; 0 keeps its width.
    """

    key: str
    title: str
    width_px: int
    tip: str
    sort: SortKey | None = None
    weight: int = 0
    shown: bool = True


RUN_COLUMNS: Final = (
    Column("star", "★", 30, "Starred runs; S adds or removes a star", "starred"),
    Column("id", "Run", 50, "The run's number in the log", "started", shown=False),
    Column("picture", "Picture", 100, "The picture", "picture", 1),
    Column("prompt", "Prompt", 80, "What was asked", "prompt", 2),
    Column("heads", "Heads", 84, "The steered heads and their origin", "heads", 2),
    Column("target", "Target", 82, "The target region", "target"),
    Column("strength", "Str.", 46, "Strength of the steering", "strength"),
    Column("text", "Text", 110, "What the model answered", "text", 5),
    Column("verdict", "Judge", 84, "The judge's verdict, or how the run ended", "verdict"),
    Column("mass", "Mass", 82, "Mass on the target, before and after steering", shown=False),
    Column("tags", "Tags", 100, "Tags of the run; T adds one", shown=False),
    Column("note", "Note", 120, "What you wrote about the run", shown=False),
    Column("model", "Model", 100, "The model that was asked", "model", shown=False),
    Column("session", "Session", 130, "The session that the run belongs to", "session", shown=False),
    Column("tokens", "Tokens", 58, "How many tokens were written", "tokens", shown=False),
    Column("seconds", "Time", 64, "Duration", "seconds", shown=False),
    Column("state", "State", 76, "Done, cancelled, failed or lost", "state", shown=False),
    Column("at", "At", 58, "When the run started", "started"),
)
PLACES: Final = {column.key: place for place, column in enumerate(RUN_COLUMNS)}


class RowPlan:
    """Which run or session stands in which row; runs of folded sessions stand in none."""

    def __init__(
        self, listing: Listing | None = None, grouped: bool = False, folded: Collection[int] = ()
    ) -> None:
        none_N: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.ids_N = none_N if listing is None else listing.ids_N
        self.sessions_N = none_N if listing is None else listing.sessions_N
        self.group_sizes: dict[int, int] = {}
        if grouped and len(self.ids_N):
            self._group(frozenset(folded))
        else:
            self.run_of_row, self.group_of_row = self.ids_N, np.zeros_like(self.ids_N)

    def _group(self, folded: frozenset[int]) -> None:
        """Sessions in the order of their numbers, the newest first, each under a row of its own."""
        order_N = np.argsort(-self.sessions_N, kind="stable")
        ids_N, sessions_N = self.ids_N[order_N], self.sessions_N[order_N]
        starts_G = np.flatnonzero(np.r_[True, sessions_N[1:] != sessions_N[:-1]])
        sizes_G = np.diff(np.r_[starts_G, len(ids_N)])
        self.group_sizes = dict(zip(sessions_N[starts_G].tolist(), sizes_G.tolist(), strict=True))
        runs = np.insert(ids_N, starts_G, -1)
        groups = np.insert(sessions_N, starts_G, sessions_N[starts_G])
        shown = (runs < 0) | ~np.isin(groups, list(folded))
        self.run_of_row, self.group_of_row = runs[shown], groups[shown]

    def __len__(self) -> int:
        return len(self.run_of_row)

    @property
    def n_runs(self) -> int:
        """How many runs were found, folded ones included."""
        return len(self.ids_N)

    def run_at(self, row: int) -> int | None:
        """The run in a row; None for a session's row, and outside."""
        run_id = int(self.run_of_row[row]) if 0 <= row < len(self) else -1
        return run_id if run_id >= 0 else None

    def group_at(self, row: int) -> int | None:
        """The session whose row this is; None for a run's row, and outside."""
        is_group = 0 <= row < len(self) and self.run_of_row[row] < 0
        return int(self.group_of_row[row]) if is_group else None

    def rows_of(self, run_ids: Iterable[int]) -> NDArray[np.int64]:
        """The rows of runs, in order; those that stand nowhere are left out."""
        rows: NDArray[np.int64] = np.flatnonzero(np.isin(self.run_of_row, list(run_ids))).astype(np.int64)
        return rows

    def runs_between(self, first: int, last: int) -> NDArray[np.int64]:
        """The runs of rows first to last, both included."""
        run_ids = self.run_of_row[max(first, 0) : last + 1]
        found: NDArray[np.int64] = run_ids[run_ids >= 0]
        return found


class RunRows(QAbstractTableModel):
    """The table as a view asks for it.

    wanting: rows are shown of which nothing is known yet.  said_otherwise: runs of which something else is
    known now, () for any.
    """

    wanting = Signal()
    said_otherwise = Signal(object)

    def __init__(self, archive: LogBrowser) -> None:
        super().__init__()
        self._archive = archive
        self.plan = RowPlan()
        self.sessions: dict[int, StoredSession] = {}
        self.folded: set[int] = set()
        self._lines: dict[int, RunRow] = {}
        self._texts: dict[int, dict[str, str]] = {}
        self._stale: set[int] = set()
        self._gone: set[int] = set()
        self._asked: list[int] = []
        archive.lines_found.connect(self._on_lines_found)
        archive.thumbnails_found.connect(lambda: self._tell(()))

    def show_plan(self, plan: RowPlan) -> None:
        """Take other rows."""
        self.beginResetModel()
        self.plan = plan
        self._gone.clear()
        self.endResetModel()

    def forget(self, run_ids: Collection[int]) -> None:
        """Rows have changed in the log, () for any; they stay as they were until they are known anew."""
        self._stale |= set(run_ids) & self._lines.keys() if run_ids else self._lines.keys()
        if len(self.plan):
            self.wanting.emit()

    def line(self, run_id: int) -> RunRow | None:
        """What is known of a run; None while nothing is."""
        line = self._lines.get(run_id)
        if (line is None or run_id in self._stale) and run_id not in self._gone:
            self.wanting.emit()
        return line

    def look_ahead(self, first: int, last: int) -> None:
        """Rows first to last are shown: those that may come next are to be known by then."""
        ahead = self.plan.runs_between(max(first - BEYOND // 2, 0), last + BEYOND // 2)
        if any(int(run_id) not in self._lines for run_id in (*ahead[:1], *ahead[-1:])):
            self.wanting.emit()

    def load(self, first: int, last: int) -> None:
        """Ask for what is not known of these rows, and of some around them."""
        run_ids = self.plan.runs_between(first - BEYOND, last + BEYOND).tolist()
        wanted = [run_id for run_id in run_ids if run_id not in self._lines or run_id in self._stale]
        wanted = [run_id for run_id in wanted if run_id not in self._gone]
        if wanted:
            self._asked = wanted
            self._archive.ask_lines(wanted)

    def text(self, run_id: int, key: str) -> str:
        """A run's text in a column; "" while nothing is known."""
        if run_id not in self._texts:
            line = self._lines.get(run_id)
            if line is None:
                return ""
            self._texts[run_id] = cell_texts(line)
        return self._texts[run_id][key]

    def _on_lines_found(self, lines: tuple[RunRow, ...]) -> None:
        self._gone |= set(self._asked) - {line.id for line in lines}
        self.learn(lines)

    def learn(self, lines: Iterable[RunRow]) -> None:
        """Take what is known of some runs."""
        lines = tuple(lines)
        changed = [line.id for line in lines if line != self._lines.pop(line.id, None)]
        for line in lines:
            self._lines[line.id] = line
            self._stale.discard(line.id)
        for run_id in changed:
            self._texts.pop(run_id, None)
        while len(self._lines) > KEPT_LINES:
            oldest = next(iter(self._lines))
            del self._lines[oldest]
            self._texts.pop(oldest, None)
            self._stale.discard(oldest)
        if changed:
            self._tell(changed)

    def _tell(self, run_ids: Collection[int]) -> None:
        self.said_otherwise.emit(run_ids)
        if len(self.plan):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.plan) - 1, len(RUN_COLUMNS) - 1))

    # As Qt asks

    def rowCount(self, parent: Index | None = None) -> int:
        """Runs, and sessions where they are grouped."""
        return 0 if parent is not None and parent.isValid() else len(self.plan)

    def columnCount(self, parent: Index | None = None) -> int:
        """All columns, hidden ones included."""
        return 0 if parent is not None and parent.isValid() else len(RUN_COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles, and what they mean."""
        if orientation == Qt.Orientation.Horizontal:
            column = RUN_COLUMNS[section]
            if role == Qt.ItemDataRole.DisplayRole:
                return column.title
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{column.tip}. Click: sort by it" if column.sort else column.tip
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Runs can be selected, sessions only come to."""
        if self.plan.run_at(index.row()) is None:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words, for people and for screen readers; the table draws."""
        row, key = index.row(), RUN_COLUMNS[index.column()].key
        run_id, session = self.plan.run_at(row), self.plan.group_at(row)
        if session is not None:
            if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
                return group_sentence(self.sessions.get(session), self.plan.group_sizes[session])
            return None
        if run_id is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(run_id, key)
        line = self._lines.get(run_id)
        if line is None:
            return None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return run_sentence(line)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(line, key)
        return None


def _tip(line: RunRow, key: str) -> str | None:
    """What does not fit into a cell, as plain text."""
    whole = {
        "prompt": line.prompt, "text": line.text, "heads": line.heads, "note": line.note,
        "picture": line.picture, "target": line.target, "verdict": line.message or line.verdict,
        "tags": ", ".join(line.tags), "session": line.session,
    }.get(key, "")  # fmt: skip
    return f"<qt>{escape(whole[:1000])}</qt>" if whole else None
