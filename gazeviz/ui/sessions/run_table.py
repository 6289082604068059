"""The table of runs: a hundred thousand rows that scroll, sort, group and are selected by numbers.

Says what a person wants done by signals; the browser does it. Arrows move and fold sessions; the keys of
commands are given to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from gazeviz.app.history.log_browser import Listing, LogBrowser, RunRow, SortKey, StoredSession
from gazeviz.domain.wording import plural
from gazeviz.ui.sessions.run_table_model import PLACES, RUN_COLUMNS, Index, RowPlan, RunRows
from gazeviz.ui.sessions.run_text import session_title
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import tinted

# How the table of runs is drawn: small pictures, regions' colours, verdicts, sessions' headings.
#
# A row is drawn once and then only laid on the screen, so that scrolling costs the same for any list. Reads
# rows and the archive's small pictures; changes nothing.


ROW_PX: Final = 36
_INSET_PX: Final = 8
_PICTURE_PX: Final = 26
_MONO: Final = frozenset({"text", "strength", "at", "tokens", "seconds", "mass", "id"})
_SOFT: Final = frozenset({"at", "tokens", "seconds", "mass", "session", "model", "id", "state"})
_MIDDLE: Final = Qt.AlignmentFlag.AlignVCenter
_KEPT_ROWS: Final = 160
_KEPT_PICTURES: Final = 300

Places: TypeAlias = tuple[tuple[str, int, int], ...]
"""The columns on the screen: key, left edge and width."""


@dataclass(frozen=True)
class _Ground:
    """What a row is drawn for, but for what it says."""

    run_id: int
    session_id: int
    selected: bool
    current: bool


class RowPainter:
    """Draws the rows of one table."""

    def __init__(self, view: QTableView, rows: RunRows, archive: LogBrowser) -> None:
        self._view, self._rows, self._archive = view, rows, archive
        self._places: Places = ()
        self._size = QSize()
        self._drawn: dict[_Ground, QPixmap] = {}
        self._pictures: dict[tuple[str, int, float], QPixmap] = {}

    def forget(self, run_ids: Collection[int] = ()) -> None:
        """What some runs' rows say has changed; () for all rows."""
        if run_ids:
            changed = set(run_ids)
            self._drawn = {at: row for at, row in self._drawn.items() if at.run_id not in changed}
        else:
            self._drawn.clear()

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw the rows that an area of the viewport touches."""
        view = self._view
        self._look_at_columns()
        first = view.rowAt(max(area.top(), 0))
        if first < 0:
            return
        end = view.rowAt(area.bottom())
        last = end if end >= 0 else len(self._rows.plan) - 1
        top = view.rowViewportPosition(first)
        self._rows.look_ahead(first, last)
        for row in range(first, last + 1):
            painter.drawPixmap(QPointF(0, top + (row - first) * ROW_PX), self._row(row))

    def _look_at_columns(self) -> None:
        """Rows are drawn anew where the columns, the room or the screen are others."""
        view, header = self._view, self._view.horizontalHeader()
        ratio = view.devicePixelRatioF()
        places = tuple(
            (column.key, header.sectionViewportPosition(place), header.sectionSize(place))
            for place, column in enumerate(RUN_COLUMNS)
            if not header.isSectionHidden(place)
        )
        size = QSize(round(view.viewport().width() * ratio), round(ROW_PX * ratio))
        if (places, size) != (self._places, self._size):
            self._places, self._size = places, size
            self._drawn.clear()

    def _row(self, row: int) -> QPixmap:
        view, plan = self._view, self._rows.plan
        ground = _Ground(
            plan.run_at(row) or -1,
            plan.group_at(row) or -1,
            view.selectionModel().isSelected(self._rows.index(row, 0)),
            view.currentIndex().row() == row and view.hasFocus(),
        )
        known = ground.run_id < 0 or self._rows.line(ground.run_id) is not None
        if ground not in self._drawn:
            pixmap = self._draw(ground)
            if not known:
                return pixmap
            while len(self._drawn) >= _KEPT_ROWS:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[ground] = pixmap
        return self._drawn[ground]

    def _draw(self, ground: _Ground) -> QPixmap:
        colours, pixmap = theme.current(), QPixmap(self._size)
        pixmap.setDevicePixelRatio(self._view.devicePixelRatioF())
        is_group = ground.run_id < 0
        pixmap.fill(colours.window if is_group else colours.raised if ground.selected else colours.panel)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = self._view.viewport().width()
        painter.fillRect(QRect(0, ROW_PX - 1, width, 1), colours.line)
        if is_group:
            self._draw_group(painter, QRect(0, 0, width, ROW_PX), ground.session_id)
        else:
            for key, left, width_px in self._places:
                self._draw_cell(painter, QRect(left, 0, width_px, ROW_PX), ground.run_id, key)
        if ground.current:
            painter.fillRect(QRect(0, 0, 3, ROW_PX), colours.accent)
        painter.end()
        return pixmap

    def _draw_group(self, painter: QPainter, box: QRect, session_id: int) -> None:
        """A session's heading runs through all columns."""
        colours = theme.current()
        icon = theme.icon("caret-right" if session_id in self._rows.folded else "caret-down")
        ratio = self._view.devicePixelRatioF()
        painter.drawPixmap(10, (box.height() - 12) // 2, tinted(icon, 12, colours.soft, ratio))
        session, n_runs = self._rows.sessions.get(session_id), self._rows.plan.group_sizes[session_id]
        title, place = session_title(session), QRectF(box).adjusted(30, 0, -_INSET_PX, 0)
        painter.setFont(theme.font_ui(13, 600))
        painter.setPen(colours.ink)
        painter.drawText(place, _MIDDLE, title)
        after = QFontMetricsF(painter.font()).horizontalAdvance(title) + 10
        painter.setFont(theme.font_ui(12))
        painter.setPen(colours.soft)
        painter.drawText(place.adjusted(after, 0, 0, 0), _MIDDLE, plural(n_runs, "run"))

    def _draw_cell(self, painter: QPainter, box: QRect, run_id: int, key: str) -> None:
        line = self._rows.line(run_id)
        place = box.adjusted(_INSET_PX, 0, -_INSET_PX // 2, 0)
        if line is None:
            _draw_waiting(painter, place, key)
        elif key == "picture":
            self._draw_picture(painter, place, line)
        elif key == "target" and line.side == "steered":
            self._draw_target(painter, place, line)
        else:
            self._draw_text(painter, place, line, key)

    def _draw_text(self, painter: QPainter, place: QRect, line: RunRow, key: str) -> None:
        colours = theme.current()
        strong = key == "verdict" and line.verdict_ok is True
        painter.setFont(_font(key in _MONO, 600 if strong else 400))
        soft = key in _SOFT or (key == "verdict" and not strong) or key == "target"
        painter.setPen(colours.soft if soft else colours.ink)
        alignment = Qt.AlignmentFlag.AlignCenter if key == "star" else _MIDDLE
        _draw_elided(painter, QRectF(place), self._rows.text(line.id, key), alignment)

    def _draw_target(self, painter: QPainter, place: QRect, line: RunRow) -> None:
        """The region's colour, and its name as the second cue."""
        colours, colour = theme.current(), QColor(line.target_colour or "")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour if colour.isValid() else colours.soft)
        painter.drawRoundedRect(QRectF(place.left(), place.center().y() - 4, 10, 10), 3, 3)
        painter.setPen(colours.ink)
        painter.setFont(_font(mono=False, weight=400))
        words = QRectF(place).adjusted(16, 0, 0, 0)
        _draw_elided(painter, words, self._rows.text(line.id, "target"), _MIDDLE)

    def _draw_picture(self, painter: QPainter, place: QRect, line: RunRow) -> None:
        pixmap = self._picture(line.image_sha256, place.width())
        if pixmap is None:
            painter.setFont(theme.font_ui(12))
            painter.setPen(theme.current().soft)
            _draw_elided(painter, QRectF(place), self._rows.text(line.id, "picture"), _MIDDLE)
            return
        size = pixmap.deviceIndependentSize()
        left, top = place.left(), round(place.top() + (place.height() - size.height()) / 2)
        painter.drawPixmap(left, top, pixmap)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.current().line, 1))
        painter.drawRoundedRect(QRectF(left + 0.5, top + 0.5, size.width() - 1, size.height() - 1), 2, 2)

    def _picture(self, sha256: str, room_px: int) -> QPixmap | None:
        """A small picture as large as its cell allows, smooth on every screen."""
        ratio = self._view.devicePixelRatioF()
        key = sha256, room_px, ratio
        if key not in self._pictures:
            image = self._archive.thumbnail(sha256)
            if image is None:
                return None
            size = QSize(round(room_px * ratio), round(_PICTURE_PX * ratio))
            aspect, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            if len(self._pictures) >= _KEPT_PICTURES:
                self._pictures.clear()
            self._pictures[key] = QPixmap.fromImage(image.scaled(size, aspect, smooth))
            self._pictures[key].setDevicePixelRatio(ratio)
        return self._pictures[key]


def _font(mono: bool, weight: int) -> QFont:
    return theme.font_mono(12, weight) if mono else theme.font_ui(13, weight)


def _draw_waiting(painter: QPainter, place: QRect, key: str) -> None:
    """A row of which nothing is known yet keeps its place, quietly."""
    if key in ("prompt", "text", "picture"):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.current().raised)
        height = _PICTURE_PX if key == "picture" else 8
        top = place.top() + (place.height() - height) / 2
        painter.drawRoundedRect(QRectF(place.left(), top, place.width() * 0.8, height), 3, 3)


def _draw_elided(painter: QPainter, place: QRectF, text: str, alignment: Qt.AlignmentFlag) -> None:
    metrics = painter.fontMetrics()
    if metrics.horizontalAdvance(text) > place.width():
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    painter.drawText(place, alignment, text)


SETTLE_MS: Final = 60
"""So long a selection has to stay before what belongs to it is looked up."""
_SAME_KEYS: Final = {"Enter": "Return", "Space": "Return", "Backspace": "Del"}


class RunTable(QTableView):
    """The table.

    selection_settled: the selected runs' numbers, in the order of the table.
    sort_wanted: SortKey, whether descending.  key_wanted: a key that may be a command's.
    menu_wanted: for a run and a column's key, at a point of the screen.
    """

    selection_settled = Signal(object)
    sort_wanted = Signal(str, bool)
    key_wanted = Signal(str)
    star_clicked = Signal(int)
    menu_wanted = Signal(int, str, QPoint)

    def __init__(self, archive: LogBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runTable")
        self.setAccessibleName("Runs")
        self.rows = RunRows(archive)
        self._listing: Listing | None = None
        self._grouped = True
        self.setModel(self.rows)
        self._painter = RowPainter(self, self.rows, archive)
        self._set_up()
        self._keys: frozenset[str] = frozenset()
        self._settle = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)
        self._load = QTimer(self, singleShot=True, interval=0)
        self._load.timeout.connect(self._on_load)
        self.rows.wanting.connect(self._load.start)
        self.selectionModel().selectionChanged.connect(self._settle.start)
        self.doubleClicked.connect(self._on_double_clicked)
        self.rows.said_otherwise.connect(self._on_said_otherwise)
        self.rows.modelReset.connect(self._painter.forget)
        theme.changed.connect(self._on_theme_changed)

    def _set_up(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        rows = self.verticalHeader()
        rows.setMinimumSectionSize(ROW_PX)
        rows.setDefaultSectionSize(ROW_PX)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.hide()
        header = self.horizontalHeader()
        header.setObjectName("runTableHeader")
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(PLACES["at"], Qt.SortOrder.DescendingOrder)
        header.setMinimumSectionSize(28)
        header.sectionClicked.connect(self._on_header_clicked)
        for place, column in enumerate(RUN_COLUMNS):
            self.setColumnWidth(place, column.width_px)
            self.setColumnHidden(place, not column.shown)

    # What it shows

    @property
    def plan(self) -> RowPlan:
        """Which run stands in which row."""
        return self.rows.plan

    @property
    def grouped(self) -> bool:
        """Group runs by session, or show one list."""
        return self._grouped

    def set_grouped(self, grouped: bool) -> None:
        """Put runs under their sessions, or all in one list."""
        if grouped != self._grouped:
            self._grouped = grouped
            self._show(self._listing)

    def show_listing(self, listing: Listing) -> None:
        """Show other runs; what was selected stays so as far as it is still there."""
        self.rows.learn(listing.first)
        self._show(listing)

    def show_sessions(self, sessions: Sequence[StoredSession]) -> None:
        """Learn what sessions are called."""
        self.rows.sessions = {session.id: session for session in sessions}
        self._painter.forget()
        self.viewport().update()

    def show_sort(self, sort: SortKey, descending: bool) -> None:
        """Show by which column the runs are sorted."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        place = PLACES["at"] if sort == "started" else next(
            place for place, column in enumerate(RUN_COLUMNS) if column.sort == sort
        )  # fmt: skip
        self.horizontalHeader().setSortIndicator(place, order)

    def sort_shown(self) -> tuple[SortKey, bool]:
        """By what the header says that the runs are sorted, and whether downwards."""
        header = self.horizontalHeader()
        sort = RUN_COLUMNS[max(header.sortIndicatorSection(), 0)].sort or "started"
        return sort, header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder

    def forget(self, run_ids: Collection[int]) -> None:
        """Rows have changed in the log, () for any."""
        self.rows.forget(run_ids)

    def _show(self, listing: Listing | None) -> None:
        selected, current, top = self.selected_ids(), self.current_id(), self.rowAt(0)
        top_id = next((self.plan.run_at(row) for row in (top, top + 1) if self.plan.run_at(row)), None)
        scrolled = self.verticalScrollBar().value() > 0
        self._listing = listing
        self.rows.show_plan(RowPlan(listing, self._grouped, self.rows.folded))
        if scrolled and top_id is not None:
            self._scroll_to(top_id)
        self.select_runs(selected, current)
        self._settle.start()

    def _scroll_to(self, run_id: int) -> None:
        rows = self.plan.rows_of([run_id])
        if len(rows):
            self.verticalScrollBar().setValue(int(rows[0]) * ROW_PX)

    def take_keys(self, keys: Collection[str]) -> None:
        """Act on these keys while the table has the focus, besides on its own."""
        self._keys = frozenset(keys)

    # What is selected

    def selected_ids(self) -> tuple[int, ...]:
        """The selected runs, in the order of the table."""
        chunks = [
            self.plan.runs_between(part.top(), part.bottom())
            for part in self.selectionModel().selection().toList()
        ]
        if not chunks:
            return ()
        selected = np.unique(np.concatenate(chunks))
        return tuple(int(run_id) for run_id in self.plan.run_of_row[np.isin(self.plan.run_of_row, selected)])

    def current_id(self) -> int | None:
        """The run that the keyboard has come to."""
        return self.plan.run_at(self.currentIndex().row())

    def select_runs(self, run_ids: Collection[int], current: int | None = None) -> None:
        """Select runs by their numbers, as far as they are there."""
        rows = self.plan.rows_of(run_ids) if run_ids else np.empty(0, dtype=np.int64)
        selection, last = QItemSelection(), len(RUN_COLUMNS) - 1
        for part in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            if len(part):
                first, end = self.rows.index(int(part[0]), 0), self.rows.index(int(part[-1]), last)
                selection.select(first, end)
        model = self.selectionModel()
        model.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        place = self.plan.rows_of([current]) if current is not None else rows[:1]
        if len(place):
            index = self.rows.index(int(place[0]), PLACES["prompt"])
            model.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)

    def select_row(self, row: int) -> None:
        """Select the run of one row, and show it."""
        run_id = self.plan.run_at(row)
        if run_id is not None:
            self.select_runs([run_id], run_id)
            self.scrollTo(self.currentIndex())

    def _on_settled(self) -> None:
        self.selection_settled.emit(self.selected_ids())

    def _on_said_otherwise(self, run_ids: Collection[int]) -> None:
        self._painter.forget(run_ids)
        if not set(run_ids).isdisjoint(self.selected_ids()):
            self._settle.start()

    def _on_theme_changed(self) -> None:
        self._painter.forget()
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Lay the rows on the screen."""
        painter = QPainter(self.viewport())
        self._painter.paint(painter, event.rect())
        painter.end()

    # What a person does

    def _on_load(self) -> None:
        first = self.rowAt(0)
        last = self.rowAt(self.viewport().height() - 1)
        self.rows.load(max(first, 0), last if last >= 0 else len(self.plan) - 1)

    def _on_header_clicked(self, place: int) -> None:
        column, header = RUN_COLUMNS[place], self.horizontalHeader()
        if column.sort is None:
            return
        # The header has turned its mark already; times and stars first go down, words up.
        order = header.sortIndicatorOrder()
        self.sort_wanted.emit(column.sort, order == Qt.SortOrder.DescendingOrder)

    def _on_double_clicked(self, index: Index) -> None:
        if self.plan.run_at(index.row()) is not None and index.column() != PLACES["star"]:
            self.key_wanted.emit("Return")

    def set_folded(self, session_id: int, folded: bool) -> None:
        """Hide or show the runs of a session."""
        (self.rows.folded.add if folded else self.rows.folded.discard)(session_id)
        self._show(self._listing)
        row = np.flatnonzero((self.plan.run_of_row < 0) & (self.plan.group_of_row == session_id))
        if len(row):
            flag = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(self.rows.index(int(row[0]), PLACES["prompt"]), flag)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on a session folds it, one on a star turns it."""
        index = self.indexAt(event.position().toPoint())
        session, run_id = self.plan.group_at(index.row()), self.plan.run_at(index.row())
        if event.button() == Qt.MouseButton.LeftButton and session is not None:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.set_folded(session, session not in self.rows.folded)
        elif run_id is not None and index.column() == PLACES["star"]:
            self.star_clicked.emit(run_id)
        else:
            super().mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with the runs here."""
        index = self.currentIndex()
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            index = self.indexAt(event.pos())
        run_id = self.plan.run_at(index.row())
        if run_id is not None:
            self.menu_wanted.emit(run_id, RUN_COLUMNS[index.column()].key, event.globalPos())

    def event(self, event: QEvent) -> bool:
        """Keep plain keys from the window, where they choose tools and run the model."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and self._is_its_own(event):
            event.accept()
            return True
        return super().event(event)

    def _is_its_own(self, event: QKeyEvent) -> bool:
        """Whether the table acts on a key by itself."""
        known = is_plain(event) or command_key(event) in self._keys
        return known or event.matches(QKeySequence.StandardKey.SelectAll)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do what the key stands for."""
        session = self.plan.group_at(self.currentIndex().row())
        key = command_key(event)
        if session is not None and event.key() in _FOLD_KEYS:
            folds = {Qt.Key.Key_Left: True, Qt.Key.Key_Right: False}
            self.set_folded(session, folds.get(Qt.Key(event.key()), session not in self.rows.folded))
        elif key in self._keys:
            self.key_wanted.emit(key)
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Letters are keys of their own here."""

    # Room

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room among the columns that hold words."""
        super().resizeEvent(event)
        self.share_room()

    def share_room(self) -> None:
        """Give what is left over to prompt, heads and text."""
        shown = [
            (place, column) for place, column in enumerate(RUN_COLUMNS) if not self.isColumnHidden(place)
        ]
        fixed = sum(self.columnWidth(place) for place, column in shown if not column.weight)
        least = sum(column.width_px for _, column in shown if column.weight)
        weights = sum(column.weight for _, column in shown)
        spare = max(self.viewport().width() - fixed - least, 0)
        for place, column in shown:
            if column.weight:
                self.setColumnWidth(place, column.width_px + spare * column.weight // weights)

    def show_column(self, place: int, shown: bool) -> None:
        """Show or hide a column."""
        self.setColumnHidden(place, not shown)
        self.share_room()


_FOLD_KEYS: Final = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


def is_plain(event: QKeyEvent) -> bool:
    """Whether a key is pressed alone, or with Shift."""
    held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    return held == Qt.KeyboardModifier.NoModifier and event.key() not in (Qt.Key.Key_F1, Qt.Key.Key_Tab)


def key_name(event: QKeyEvent) -> str:
    """A key as Qt writes it."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return QKeySequence(held.value | event.key()).toString()


def command_key(event: QKeyEvent) -> str:
    """The key that a command is known by: Enter and Space open as Return does, Backspace deletes as Del."""
    name = key_name(event)
    return _SAME_KEYS.get(name, name)
