"""The list of heads by their mass on a place: names, bars, figures, and what is chosen.

Knows heads and figures; neither the session nor which place it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gazeviz.domain.heads import Head
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme

ROW_PX: Final = 24
_NAME_PX, _FIGURE_PX, _RANK_PX = 62, 40, 44
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class LookRows:
    """What the list shows: heads with their masses in [0, 1], and each one's place in the ranking ("" none).

    highest: the mass of the longest bar.
    """

    heads: tuple[Head, ...] = ()
    masses: tuple[float, ...] = ()
    ranks: tuple[str, ...] = ()
    highest: float = 1.0
    chosen: frozenset[Head] = field(default_factory=frozenset)

    def sentence(self, row: int) -> str:
        """A row in words."""
        rank = f", place {self.ranks[row]} in the ranking" if self.ranks[row] else ""
        chosen = ", chosen" if self.heads[row] in self.chosen else ""
        return f"{self.heads[row]}: {figure_text(self.masses[row])} of its attention{rank}{chosen}"


class LookModel(QAbstractListModel):
    """The rows, as a view asks for them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = LookRows()

    def show_rows(self, rows: LookRows) -> None:
        """Take other rows; as many as before only change what they say, so that nothing scrolls.

        No dataChanged then: the view would lay thousands of equal rows out anew, and it repaints anyway.
        """
        if len(rows.heads) == len(self.rows.heads):
            self.rows = rows
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        """Number of heads."""
        return 0 if parent is not None and parent.isValid() else len(self.rows.heads)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words, for people and for screen readers."""
        if role == Qt.ItemDataRole.DisplayRole:
            return str(self.rows.heads[index.row()])
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self.rows.sentence(index.row())
        return None


class LookDelegate(QStyledItemDelegate):
    """Draws a row: a mark where the head is chosen, its name, bar, figure and rank."""

    def __init__(self, view: LookList, model: LookModel) -> None:
        super().__init__(view)
        self._view, self._model = view, model
        self.colour: QColor | None = None
        self.lit: Head | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """Rows of one height."""
        return QSize(_NAME_PX + _FIGURE_PX + _RANK_PX, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw it."""
        rows, row, colours = self._model.rows, index.row(), theme.current()
        head, box = rows.heads[row], QRectF(getattr(option, "rect"))  # noqa: B009 - the stubs lack it
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        current = self._view.hasFocus() and self._view.currentIndex().row() == row
        if head == self.lit or current:
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(box.adjusted(0, 1, 0, -1), 4, 4)
        if head in rows.chosen:
            painter.setBrush(colours.accent)
            painter.drawRoundedRect(QRectF(box.left() + 2, box.top() + 5, 3, box.height() - 10), 1.5, 1.5)
        self._draw_bar(painter, box, rows.masses[row] / rows.highest if rows.highest > 0 else 0.0)
        self._draw_words(painter, box, row, bold=head in rows.chosen)
        if current:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(colours.accent)
            painter.drawRoundedRect(box.adjusted(0.5, 1.5, -0.5, -1.5), 4, 4)
        painter.restore()

    def _draw_bar(self, painter: QPainter, box: QRectF, share: float) -> None:
        colours = theme.current()
        room = QRectF(box.left() + _NAME_PX, box.center().y() - 3,
                      box.width() - _NAME_PX - _FIGURE_PX - _RANK_PX, 6)  # fmt: skip
        painter.setBrush(colours.line)
        painter.drawRoundedRect(room, 3, 3)
        painter.setBrush(self.colour if self.colour is not None else colours.soft)
        painter.drawRoundedRect(QRectF(room.left(), room.top(), max(2.0, room.width() * share), 6), 3, 3)

    def _draw_words(self, painter: QPainter, box: QRectF, row: int, bold: bool) -> None:
        rows, colours = self._model.rows, theme.current()
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.setFont(theme.font_mono(12, 500 if bold else 400))
        painter.setPen(colours.ink)
        painter.drawText(box.adjusted(10, 0, 0, 0), middle, str(rows.heads[row]))
        painter.drawText(box.adjusted(0, 0, -_RANK_PX, 0), middle | right, figure_text(rows.masses[row]))
        painter.setFont(theme.font_mono(11))
        painter.setPen(colours.soft)
        painter.drawText(box.adjusted(0, 0, -6, 0), middle | right, rows.ranks[row])


class LookList(QListView):
    """The rows; says which head is pointed at, by the pointer or the keyboard, and which is clicked."""

    pointed = QtSignal(object)  # Head, or None
    chosen = QtSignal(object)  # Head

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._rows = LookModel()
        self.setModel(self._rows)
        self._delegate = LookDelegate(self, self._rows)
        self.setItemDelegate(self._delegate)
        self.entered.connect(lambda index: self.pointed.emit(self._rows.rows.heads[index.row()]))
        theme.changed.connect(self.viewport().update)

    @property
    def rows(self) -> LookRows:
        """What is shown."""
        return self._rows.rows

    @property
    def held(self) -> bool:
        """Whether the pointer is over the list, so that no row may move beneath it."""
        return self.viewport().underMouse()

    def show_rows(self, rows: LookRows, colour: QColor | None) -> None:
        """Show some rows, their bars in the colour of their region (None: it is none)."""
        self._delegate.colour = colour
        self._rows.show_rows(rows)
        self.viewport().update()

    def set_lit(self, head: Head | None) -> None:
        """Whichever head is pointed at, here or elsewhere."""
        if head != self._delegate.lit:
            self._delegate.lit = head
            self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Tell when the pointer leaves."""
        if event.type() == QEvent.Type.Leave:
            self.pointed.emit(None)
        return super().viewportEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on a row."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid():
            self.chosen.emit(self._rows.rows.heads[index.row()])

    def event(self, event: QEvent) -> bool:
        """Keep Enter from the window's shortcuts."""
        key = event.key() if isinstance(event, QKeyEvent) else None
        if event.type() == QEvent.Type.ShortcutOverride and key in _ENTER:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter chooses the row that the arrow keys have come to."""
        row = self.currentIndex().row()
        if event.key() in _ENTER and row >= 0:
            self.chosen.emit(self._rows.rows.heads[row])
        else:
            super().keyPressEvent(event)

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        """The keyboard points, too."""
        super().currentChanged(current, previous)
        if current.isValid() and self.hasFocus():
            self.pointed.emit(self._rows.rows.heads[current.row()])


def places_in(order: Sequence[Head]) -> dict[Head, int]:
    """Every ranked head's place, 1 for the best."""
    return {head: place for place, head in enumerate(order, start=1)}
