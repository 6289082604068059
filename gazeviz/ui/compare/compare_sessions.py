"""Two sessions side by side: their runs in pairs of one prompt and target, the words that differ marked.

A virtual table: only rows in sight are compared word by word. A chosen pair is shown in full elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.comparison import different_tokens
from gazeviz.app.history.comparison_sources import SessionsCompared
from gazeviz.app.history.session_pairs import ListedRun, Pair, Pairing
from gazeviz.domain.wording import format_figure, plural
from gazeviz.ui.compare.shared import close_button
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ChoiceButton, ElidedLabel, hairline, named, soft

COLUMNS: Final = ("Prompt", "Target", "A", "B", "Overlap", "Settings that differ")
_TEXTS: Final = {2: 0, 3: 1}
_WIDTHS_PX: Final = (150, 84, 0, 0, 86, 130)
_ROW_PX: Final = 30
_MOST_OFFERED: Final = 40
_NAME_LETTERS: Final = 24

_Index = QModelIndex | QPersistentModelIndex


class PairTableModel(QAbstractTableModel):
    """Pairs, and after them the runs without a partner."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Pair | tuple[int, ListedRun]] = []

    def show_pairing(self, pairing: Pairing) -> None:
        """Take another pairing."""
        self.beginResetModel()
        alone = [
            (side, run) for side, runs in enumerate((pairing.only_first, pairing.only_second)) for run in runs
        ]
        self._rows = [*pairing.pairs, *alone]
        self.endResetModel()

    def pair_at(self, row: int) -> Pair | None:
        """The pair of a row; None for a run without a partner."""
        found = self._rows[row] if 0 <= row < len(self._rows) else None
        return found if isinstance(found, Pair) else None

    def words_at(self, row: int, side: int) -> tuple[tuple[str, bool], ...]:
        """The words of a text, each with whether it differs from the other one."""
        found = self._rows[row]
        if isinstance(found, Pair):
            return marked_words(found.first.text, found.second.text)[side]
        return ((found[1].text, False),) if found[0] == side else ()

    def rowCount(self, parent: _Index | None = None) -> int:
        """How many rows there are."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index | None = None) -> int:
        """How many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """The columns' names."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: _Index, role: int = 0) -> Any:
        """What a cell says."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._text(index.row(), index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[index.column()]}: {self._text(index.row(), index.column())}"
        return None

    def _text(self, row: int, column: int) -> str:
        found = self._rows[row]
        if isinstance(found, Pair):
            run = found.first
            texts = {2: found.first.text, 3: found.second.text, 4: _overlap_words(found),
                     5: ", ".join(found.different) or "none"}  # fmt: skip
        else:
            run = found[1]
            texts = {2 + found[0]: run.text, 5: f"only in {'AB'[found[0]]}"}
        return {0: run.prompt, 1: run.target or "baseline"}.get(column, texts.get(column, ""))


class _Cell(QStyledItemDelegate):
    """Draws a text word by word, a sheet behind those that differ; everything else in the words' face."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw one cell."""
        model = index.model()
        if not isinstance(model, PairTableModel):
            return
        colours, box = theme.current(), QRectF(option.rect).adjusted(8, 0, -6, 0)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, colours.raised)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(box)
        if index.column() in _TEXTS:
            self._draw_words(painter, box, model.words_at(index.row(), _TEXTS[index.column()]))
        else:
            painter.setFont(theme.font_ui(12))
            painter.setPen(colours.ink if model.pair_at(index.row()) else colours.soft)
            text = str(model.data(index, Qt.ItemDataRole.DisplayRole))
            text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def _draw_words(self, painter: QPainter, box: QRectF, words: Sequence[tuple[str, bool]]) -> None:
        colours = theme.current()
        painter.setFont(theme.font_mono(12))
        metrics = QFontMetricsF(painter.font())
        space, x = metrics.horizontalAdvance(" "), box.left()
        for word, differs in words:
            width = metrics.horizontalAdvance(word)
            if x + width > box.right():
                word, width = metrics.elidedText(word, Qt.TextElideMode.ElideRight, box.right() - x), 0.0
            if differs:
                _draw_mark(painter, QRectF(x - 2, box.center().y() - 9, (width or box.right() - x) + 4, 18))
            painter.setPen(colours.ink)
            painter.drawText(
                QRectF(x, box.top(), box.width(), box.height()), Qt.AlignmentFlag.AlignVCenter, word
            )
            if not width:
                break
            x += width + space


def _draw_mark(painter: QPainter, box: QRectF) -> None:
    colour = QColor(theme.current().accent)
    painter.setPen(QPen(colour, 1))
    colour.setAlphaF(0.3)
    painter.setBrush(colour)
    painter.drawRoundedRect(box, 3, 3)


class CompareSessions(QWidget):
    """Two choosers of sessions, figures, and the table of pairs."""

    sessions_wanted = Signal(int, int)
    pair_chosen = Signal(int, int)
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareSessions")
        self._ids = (0, 0)
        self._choosers = tuple(
            ChoiceButton(f"compareSession{letter}", f"Session {letter}", ()) for letter in "AB"
        )
        for place, chooser in enumerate(self._choosers):
            chooser.chosen.connect(lambda key, side=place: self._on_session(side, int(key)))
        self._figures = soft(named(ElidedLabel(), "comparePairFigures"))
        self._model = PairTableModel(self)
        self._table = self._make_table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._make_header())
        layout.addWidget(hairline())
        layout.addWidget(self._table, 1)

    def _make_header(self) -> QHBoxLayout:
        header, title = QHBoxLayout(), QLabel("Compare sessions")
        letters = tuple(QLabel(letter) for letter in "AB")
        header.setContentsMargins(16, 6, 12, 6)
        header.setSpacing(2 * theme.SPACE)
        title.setProperty("role", "strong")
        for letter in letters:
            letter.setProperty("role", "mono")
        parts = (title, letters[0], self._choosers[0], letters[1], self._choosers[1], self._figures)
        for widget in parts:
            header.addWidget(widget, int(widget is self._figures))
        header.addWidget(close_button(self.close_wanted.emit))
        return header

    def _make_table(self) -> QTableView:
        table = named(QTableView(), "comparePairTable")
        table.setModel(self._model)
        table.setAccessibleName("Runs of both sessions in pairs of one prompt and target")
        table.setToolTip("Double-click or press Enter to see a pair in full")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        for column, width_px in enumerate(_WIDTHS_PX):
            stretch = QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive if width_px else stretch)
            if width_px:
                table.setColumnWidth(column, width_px)
        table.setItemDelegate(_Cell(table))
        table.activated.connect(lambda index: self._on_row(index.row()))
        theme.changed.connect(table.viewport().update)
        return table

    def offer_sessions(self, sessions: Sequence[tuple[int, str]]) -> None:
        """Take the sessions, number and name each, the newest first; a menu holds the first forty."""
        offered = [one for place, one in enumerate(sessions) if place < _MOST_OFFERED or one[0] in self._ids]
        for chooser, chosen in zip(self._choosers, self._ids, strict=True):
            chooser.set_options([(str(id_), _short(name)) for id_, name in offered])
            chooser.set_current(str(chosen))

    def show_sessions(self, compared: SessionsCompared) -> None:
        """Show two sessions."""
        self._ids = compared.first.id, compared.second.id
        for chooser, chosen in zip(self._choosers, self._ids, strict=True):
            chooser.set_current(str(chosen))
        self._model.show_pairing(compared.pairing)
        self._figures.set_whole(pairing_words(compared.pairing))

    def _on_session(self, side: int, session_id: int) -> None:
        chosen = (session_id, self._ids[1]) if side == 0 else (self._ids[0], session_id)
        self.sessions_wanted.emit(*chosen)

    def _on_row(self, row: int) -> None:
        pair = self._model.pair_at(row)
        if pair is not None:
            self.pair_chosen.emit(pair.first.id, pair.second.id)


def pairing_words(pairing: Pairing) -> str:
    """Two sessions in figures."""
    n = len(pairing.pairs)
    parts = [f"{plural(n, 'pair')} of one prompt and target"]
    if n:
        parts.append(f"{pairing.n_same} with the same text")
        parts.append(f"word overlap {format_figure(pairing.mean_overlap)} on average")
    for letter, alone in (("A", pairing.only_first), ("B", pairing.only_second)):
        if alone:
            parts.append(f"{len(alone)} only in {letter}")
    return " · ".join(parts)


@lru_cache(maxsize=512)
def marked_words(
    first: str, second: str
) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    """Two texts as words between spaces, each with whether it differs from the other text."""
    texts = (first.split(), second.split())
    pieces = [[f"{word} " for word in words] for words in texts]
    marked = different_tokens(pieces)
    ours, theirs = (
        tuple((word, index in marks) for index, word in enumerate(words))
        for words, marks in zip(texts, marked, strict=True)
    )
    return ours, theirs


def _short(name: str) -> str:
    """A session's name on a button."""
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _overlap_words(pair: Pair) -> str:
    return "same text" if pair.same_text else format_figure(pair.overlap)
