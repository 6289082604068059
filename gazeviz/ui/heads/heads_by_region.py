"""Which heads look here? Every head by its mass on a region or a cell, at the tokens that are shown.

Asking makes the head grid show the same masses: both read the session's metric. Knows neither how masses are
measured nor how a place is pointed at on the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtCore import Signal as QtSignal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.wording import format_figure
from gazeviz.ui.heads.head_commands import place_commands
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    CloseButton,
    MenuButton,
    named,
    push_button,
    section_title,
    soft,
    soft_text,
)
from gazeviz.ui.widgets.number_box import WholeNumberBox
from gazeviz.ui.widgets.region_badge import PicturePlace, PlaceLabel, place_of

# The list of heads by their mass on a place: names, bars, figures, and what is chosen.
#
# Knows heads and figures; neither the session nor which place it is.


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
        return f"{self.heads[row]}: {format_figure(self.masses[row])} of its attention{rank}{chosen}"


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
        painter.drawText(box.adjusted(0, 0, -_RANK_PX, 0), middle | right, format_figure(rows.masses[row]))
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


ROWS_SHOWN: Final = 8
_USUAL_COUNT: Final = 12
_WIDE_CHOICE: Final = 4096


class Names(NamedTuple):
    """What a ranking calls the heads of the grid, row by row; `of` is the ranking."""

    of: HeadRanking | None
    heads: tuple[Head, ...]
    ranks: tuple[str, ...]


class LookHere(QWidget):
    """A place, the heads that look at it most, and buttons that choose them."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lookHere")
        self._model, self._controller = model, controller
        self._asked: object = None
        self._order: list[int] = []
        self._names: Names | None = None
        self._counted_for: object = None
        self._ask = MenuButton(
            "Ask", "lookHereAsk",
            "Sort the heads by their mass on a place; the head grid shows the same masses",
        )  # fmt: skip
        self._ask.offer(partial(place_commands, model, controller))
        tip = "Stop asking: the head grid shows the ranking again"
        self._close = CloseButton("lookHereClose", tip, self._stop)
        self._place = PlaceLabel("lookHerePlace")
        self._ends = soft(named(QLabel(), "lookHereEnds"))
        self._list = LookList("lookHereList")
        self._list.setAccessibleName("Heads by their mass on this place")
        self._list.setToolTip(
            "Point: the head's map. Click or Enter: add the head to the choice, or remove it."
        )
        self._note = soft_text("lookHereNote")
        self._lay_out()
        self._listen()
        self._refresh()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        head = QHBoxLayout()
        head.setSpacing(theme.SPACE)
        head.addWidget(section_title("Which heads look here?"))
        head.addStretch(1)
        head.addWidget(self._ask)
        head.addWidget(self._close)
        line = QHBoxLayout()
        line.setSpacing(2 * theme.SPACE)
        line.addWidget(self._place, 1)
        line.addWidget(self._ends)
        layout.addLayout(head)
        layout.addLayout(line)
        layout.addWidget(self._list)
        layout.addWidget(self._make_buttons())
        layout.addWidget(self._note)

    def _make_buttons(self) -> QWidget:
        self._buttons = named(QWidget(), "lookHereButtons")
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, theme.SPACE, 0, 0)
        row.setSpacing(2 * theme.SPACE)
        self._count = named(WholeNumberBox(), "lookHereCount")
        self._count.setRange(1, _WIDE_CHOICE)
        self._count.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._count.setFixedWidth(52)
        self._count.setAccessibleName("How many of the heads that look here most")
        self._count.setToolTip(self._count.accessibleName())
        self._choose = push_button(
            "lookHereChoose", "Choose the best", "Choose the heads that look here most, and no others"
        )
        self._add = push_button("lookHereAdd", "Add them", "Choose them in addition to those that are chosen")
        self._choose.clicked.connect(lambda: self._choose_best(add=False))
        self._add.clicked.connect(lambda: self._choose_best(add=True))
        for widget in (self._choose, self._count, self._add):
            row.addWidget(widget)
        row.addStretch(1)
        return self._buttons

    def _listen(self) -> None:
        model = self._model
        for signal in (
            model.metric_changed, model.live_mass_changed, model.chosen_changed, model.ranking_changed,
            model.active_region_changed, model.target_changed, model.regions_changed, model.model_changed,
            model.rule_changed, model.region_painted, model.grid_changed, model.run_changed
        ):  # fmt: skip
            signal.connect(self._on_changed)
        model.hovered_head_changed.connect(lambda: self._list.set_lit(model.hovered_head))
        self._list.pointed.connect(self._on_pointed)
        self._list.chosen.connect(self._on_chosen)

    # What is asked

    def _stop(self) -> None:
        self._model.grid_metric = "ranking"

    def _asked_place(self) -> tuple[PicturePlace, int] | None:
        """The place and how many cells it has; None while nothing is asked."""
        model = self._model
        if model.grid_metric == "ranking":
            return None
        if model.grid_metric == "look_here" and model.look_at is not None:
            look_at = model.look_at
            n_cells = len(
                look_at.tokens_P if look_at.region_id is None else model.cells_of(look_at.region_id)
            )
            return place_of(model, look_at.region_id, look_at.label), n_cells
        region_id = model.active_region_id if model.active_region_id is not None else model.target_region_id
        return place_of(model, region_id, "no region"), len(model.cells_of(region_id))

    # What is shown

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while nobody looked."""
        super().showEvent(event)
        self._refresh()

    def _on_changed(self, *_: Any) -> None:
        if self.isVisible():
            self._refresh()

    def _refresh(self) -> None:
        asked, masses_LH, grid = self._asked_place(), self._model.live_mass_LH, self._model.grid
        there = asked is not None and masses_LH is not None
        for widget in (self._list, self._ends, self._buttons):
            widget.setVisible(there)
        self._place.setVisible(asked is not None)
        self._close.setVisible(asked is not None)
        self._note.setText("" if there else self._why_empty(asked))
        self._note.setVisible(not there)
        if asked is not None and grid is not None:
            self._place.show_place("mass on", asked[0], f"{asked[1]} of {grid.n_tokens} cells")
        if asked is not None and there:
            self._show_heads(asked[0])

    def _show_heads(self, place: PicturePlace) -> None:
        rows = self._rows(place)
        self._ends.setText(f"bars 0 to {format_figure(rows.highest)}")
        self._ends.setToolTip("The longest bar is the head that looks here most")
        self._list.show_rows(rows, QColor(place.colour) if place.colour is not None else None)
        height_px = ROW_PX * min(ROWS_SHOWN, len(rows.heads))
        if self._list.height() != height_px:
            self._list.setFixedHeight(height_px)
        with_heads = self._model.model_info
        if self._counted_for is not with_heads and with_heads is not None:
            self._counted_for = with_heads
            recommended = with_heads.recommended
            self._count.setMaximum(max(1, len(rows.heads)))
            self._count.setValue(recommended.n if recommended else min(_USUAL_COUNT, len(rows.heads)))

    def _rows(self, place: PicturePlace) -> LookRows:
        """Heads by mass, most first; the order stands still while the pointer is over the list."""
        masses_LH = self._model.live_mass_LH
        if masses_LH is None:
            return LookRows()
        flat = masses_LH.ravel()
        order = self._best_first()
        if self._list.held and self._asked == place and set(self._order) == set(order):
            order = self._order
        self._asked, self._order = place, order
        names = self._names_for(masses_LH.shape[0], masses_LH.shape[1])
        return LookRows(
            tuple(names.heads[at] for at in order),
            tuple(flat[order].tolist()),
            tuple(names.ranks[at] for at in order),
            float(flat[order].max(initial=0.0)),
            frozenset(self._model.chosen),
        )

    def _best_first(self) -> list[int]:
        """The model's heads, as places in the grid read row by row, most mass first."""
        masses_LH = self._model.live_mass_LH
        if masses_LH is None:
            return []
        flat = masses_LH.ravel()
        order: list[int] = np.argsort(-flat, kind="stable")[: int(np.isfinite(flat).sum())].tolist()
        return order

    def _names_for(self, n_layers: int, n_heads: int) -> Names:
        """Names and ranks by place in the grid; made anew only for another ranking or another grid."""
        ranking = self._model.ranking
        if (
            self._names is None
            or self._names.of is not ranking
            or len(self._names.heads) != n_layers * n_heads
        ):
            heads = tuple(Head(layer, index) for layer in range(n_layers) for index in range(n_heads))
            places = places_in(ranking.order()) if ranking is not None else {}
            ranks = tuple(f"#{places[head]}" if head in places else "" for head in heads)
            self._names = Names(ranking, heads, ranks)
        return self._names

    def _why_empty(self, asked: tuple[PicturePlace, int] | None) -> str:
        """What is missing, and what to do."""
        if asked is None:
            return "Ask about a region, or right-click a cell of the picture: heads are sorted by mass on it."
        shown = self._model.shown_steps()
        if shown is None:
            return "The masses appear as soon as the model has processed the picture."
        if not self._controller.maps.keeps(shown[0]):
            return "The attention of this run is no longer in memory. Run it again to ask."
        if not asked[1]:
            return "No cell is selected there. Paint some of it, or ask about another place."
        return "Computing …"

    # What is done

    def _on_pointed(self, head: Head | None) -> None:
        self._model.hovered_head = head

    def _on_chosen(self, head: Head) -> None:
        notices.attempt(self._controller.model, lambda: self._controller.heads.toggle([head]), about="heads")

    def _choose_best(self, add: bool) -> None:
        masses_LH = self._model.live_mass_LH
        if masses_LH is not None:
            names = self._names_for(masses_LH.shape[0], masses_LH.shape[1])
            best = [names.heads[at] for at in self._best_first()[: self._count.value()]]
            notices.attempt(
                self._controller.model, lambda: self._controller.heads.choose(best, add=add), about="heads"
            )
