"""Which heads look here? Every head by its mass on a region or a cell, at the tokens that are shown.

Asking makes the head grid show the same masses: both read the session's metric. Knows neither how masses are
measured nor how a place is pointed at on the picture.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from PySide6.QtGui import QColor, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, section_title, soft, soft_text
from gazeviz.ui.controls import CloseButton, MenuButton
from gazeviz.ui.look_list import ROW_PX, LookList, LookRows, places_in
from gazeviz.ui.place_label import Place, PlaceLabel, place_of
from gazeviz.ui.region_badge import badge_icon

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
        self._ask.menu().aboutToShow.connect(self._fill_menu)
        tip = "Stop asking: the head grid shows the ranking again"
        self._close = CloseButton("lookHereClose", tip, self._stop)
        self._place = PlaceLabel("lookHerePlace")
        self._ends = soft(named(QLabel(), "lookHereEnds"))
        self._list = LookList("lookHereList")
        self._list.setAccessibleName("Heads by their mass on this place")
        self._list.setToolTip("Point: the head's map. Click or Enter: choose the head, or let it go.")
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
        self._count = named(QSpinBox(), "lookHereCount")
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

    def _fill_menu(self) -> None:
        """Offer the active region, every region, and the end of the question."""
        menu, model = self._ask.menu(), self._model
        menu.clear()
        follow = menu.addAction("The active region, whichever it is")
        follow.setObjectName("lookHereActive")
        follow.setEnabled(bool(len(model.regions)))
        follow.triggered.connect(lambda: setattr(model, "grid_metric", "live"))
        menu.addSeparator()
        for number, region in enumerate(model.regions, start=1):
            action = menu.addAction(badge_icon(number, region.colour), region.name)
            action.setObjectName(f"lookHereRegion_{region.id}")
            action.triggered.connect(partial(self._controller.look_at_region, region.id))
        if not len(model.regions):
            menu.addAction("Paint a region first, or right-click a cell").setEnabled(False)

    def _stop(self) -> None:
        self._model.grid_metric = "ranking"

    def _asked_place(self) -> tuple[Place, int] | None:
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

    def _show_heads(self, place: Place) -> None:
        rows = self._rows(place)
        self._ends.setText(f"bars 0 to {figure_text(rows.highest)}")
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

    def _rows(self, place: Place) -> LookRows:
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

    def _why_empty(self, asked: tuple[Place, int] | None) -> str:
        """What is missing, and what to do."""
        if asked is None:
            return "Ask about a region, or right-click a cell of the picture: heads are sorted by mass on it."
        shown = self._model.shown_steps()
        if shown is None:
            return "The masses appear as soon as the model has looked at the picture."
        if not self._controller.keeps_attention(shown[0]):
            return "The attention of this run is not kept any more. Run it again to ask."
        if not asked[1]:
            return "No cell is selected there. Paint some of it, or ask about another place."
        return "Asking."

    # What is done

    def _on_pointed(self, head: Head | None) -> None:
        self._model.hovered_head = head

    def _on_chosen(self, head: Head) -> None:
        self._controller.attempt(lambda: self._controller.heads.toggle([head]), about="heads")

    def _choose_best(self, add: bool) -> None:
        masses_LH = self._model.live_mass_LH
        if masses_LH is not None:
            names = self._names_for(masses_LH.shape[0], masses_LH.shape[1])
            best = [names.heads[at] for at in self._best_first()[: self._count.value()]]
            self._controller.attempt(lambda: self._controller.heads.choose(best, add=add), about="heads")
