"""Two to six head rankings side by side: how far their best heads agree, and where each ranks the others'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.comparison import LETTERS, MOST, HeadsCompared, compare_rankings
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.wording import format_ranking_name, plural
from gazeviz.ui.compare.compare_heads import CompareHeads, PairTable
from gazeviz.ui.compare.ranking_scatter import CompareScatter
from gazeviz.ui.compare.shared import close_button, make_quiet
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import ElidedLabel, LabelledSlider, MenuButton, hairline, named
from gazeviz.ui.widgets.letters import LetterBadge

_FIRST_K: Final = 10


class CompareRankings(QWidget):
    """Compares rankings of the loaded model; which ones and how many heads of each can be chosen.

    controller: None lets nobody choose heads in the scatter plot.
    """

    names_wanted = Signal(tuple)
    close_wanted = Signal()

    def __init__(
        self, model: SessionModel, controller: RunController | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("compareRankings")
        self._model = model
        self._names: tuple[str, ...] = ()
        self._k = 0
        self._heads, self._table = CompareHeads(), RankTable()
        self._scatter, self._sides = CompareScatter(model, controller), QStackedWidget()
        self._choose = MenuButton("Rankings", "compareRankingNames", f"Choose two to {MOST} rankings")
        self._choose.offer(self._name_commands)
        self._top = LabelledSlider(
            "compareTop", "Best heads", 1, 1, "How many of each ranking's best heads are compared"
        )
        self._top.value_chosen.connect(self._on_top)
        self._badges = QHBoxLayout()
        self._badges.setSpacing(4 * theme.SPACE)
        layout, self._body = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._make_header())
        layout.addLayout(self._make_second_row())
        layout.addWidget(hairline())
        layout.addLayout(self._body, 1)
        self._fill_body()

    def _fill_body(self) -> None:
        self._body.setContentsMargins(16, 8, 12, 6)
        self._body.setSpacing(4 * theme.SPACE)
        for side in (self._table, self._scatter):
            self._sides.addWidget(side)
        self._body.addWidget(self._heads, 5)
        self._body.addWidget(self._sides, 4)
        if (pairs := self._heads.findChild(PairTable)) is not None:
            pairs.chosen.connect(self._scatter.show_pair)

    def _make_header(self) -> QHBoxLayout:
        header = QHBoxLayout()
        header.setContentsMargins(16, 6, 12, 2)
        header.setSpacing(4 * theme.SPACE)
        self._title = named(QLabel(), "compareRankingsTitle")
        self._title.setProperty("role", "strong")
        header.addWidget(self._title)
        header.addWidget(self._heads.figures, 1)
        header.addWidget(self._top, 1)
        header.addWidget(self._choose)
        header.addWidget(close_button(self.close_wanted.emit))
        return header

    def _make_second_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(16, 0, 12, 6)
        row.setSpacing(4 * theme.SPACE)
        row.addLayout(self._badges, 1)
        row.addLayout(self._make_switch())
        return row

    def _make_switch(self) -> QHBoxLayout:
        """Two buttons: the table of ranks, or the scatter plot."""
        switch, group = QHBoxLayout(), QButtonGroup(self)
        switch.setSpacing(theme.SPACE)
        tips = ("The best heads' ranks in a table", "Every head as a point: one ranking against another")
        for place, (text, tip) in enumerate(zip(("Table", "Scatter"), tips, strict=True)):
            button = named(QToolButton(), f"compareRankings{text}")
            button.setText(text)
            button.setAccessibleName(f"{text}: {tip}")
            button.setToolTip(f"{tip}; changes nothing but the view")
            button.setCheckable(True)
            button.setChecked(place == 0)
            group.addButton(button, place)
            switch.addWidget(button)
        group.idClicked.connect(self._on_side)
        return switch

    # What is shown

    @property
    def compared(self) -> HeadsCompared:
        """What is shown; UserError as `show_rankings`."""
        return compare_rankings(self._rankings(self._names), self._k)

    def show_rankings(self, names: Sequence[str]) -> None:
        """Compare rankings of the loaded model; UserError for names that cannot be compared."""
        rankings = self._rankings(names)
        fewest = min((len(ranking.order()) for ranking in rankings), default=0)
        k = min(self._k or len(self._model.chosen) or _FIRST_K, max(1, fewest))
        compare_rankings(rankings, k)
        self._names, self._k = tuple(ranking.name for ranking in rankings), k
        self._top.set_range(1, max(1, fewest))
        self._top.set_value(k)
        self._choose.refill()
        self._title.setText(f"Compare {len(rankings)} rankings")
        self._show()

    def _rankings(self, names: Sequence[str]) -> list[HeadRanking]:
        known = self._model.rankings
        return [known[name] for name in dict.fromkeys(names) if name in known]

    def _show(self) -> None:
        compared = self.compared
        self._heads.show_heads(compared)
        rankings = [ranking for ranking in compared.rankings if ranking is not None]
        self._table.show_ranks(rankings, compared)
        self._scatter.show_rankings(compared)
        while (item := self._badges.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for place, ranking in enumerate(rankings):
            badge = LetterBadge(place)
            badge.setEnabled(False)
            badge.setToolTip(about(ranking, self._k))
            label = named(ElidedLabel(about(ranking, self._k)), f"compareRanking{LETTERS[place]}")
            self._badges.addWidget(badge)
            self._badges.addWidget(label, 1)

    def _name_commands(self) -> list[Command]:
        def why_not(name: str) -> str | None:
            if name in self._names:
                return (
                    "Two rankings are the least. Choose another one first." if len(self._names) == 2 else None
                )
            full = len(self._names) >= MOST
            return f"At most {MOST} rankings are compared. Remove another one first." if full else None

        def turn(name: str) -> None:
            self._on_name(name, name not in self._names)

        def is_compared(name: str) -> bool:
            return name in self._names

        return [
            Command(f"compared.{name}", f"Compare the ranking {format_ranking_name(name)}", "",
                    "Add the ranking to the comparison, or remove it.", partial(turn, name),
                    partial(why_not, name), partial(is_compared, name), label=format_ranking_name(name))
            for name in self._model.rankings
        ]  # fmt: skip

    def _on_name(self, name: str, on: bool) -> None:
        others = tuple(other for other in self._names if other != name)
        self.names_wanted.emit((*others, name) if on else others)

    def _on_side(self, place: int) -> None:
        """Show the table or the plot, which needs more room."""
        self._sides.setCurrentIndex(place)
        self._body.setStretch(0, 4 if place else 5)
        self._body.setStretch(1, 5 if place else 4)

    def _on_top(self, k: int) -> None:
        self._k = k
        self._show()


class RankTable(QTableWidget):
    """Every head that any ranking has among its best, with its rank in each."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareRanks")
        self.setAccessibleName("Ranks of the best heads in each ranking")
        self.setToolTip("1 is the best; in bold where the head is among the best that are compared")
        make_quiet(self)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._shown: tuple[Sequence[HeadRanking], HeadsCompared] | None = None
        theme.changed.connect(self._fill)

    def show_ranks(self, rankings: Sequence[HeadRanking], compared: HeadsCompared) -> None:
        """Take rankings and their best heads."""
        self._shown = rankings, compared
        self._fill()

    def _fill(self) -> None:
        if self._shown is None:
            return
        rankings, compared = self._shown
        ranks = ranks_of(rankings, compared)
        self.setColumnCount(1 + len(rankings))
        self.setRowCount(len(ranks))
        self.setHorizontalHeaderLabels(["Head", *LETTERS[: len(rankings)]])
        for row, (head, ranks_R) in enumerate(ranks):
            self.setItem(row, 0, _cell(str(head), True))
            for column, rank in enumerate(ranks_R):
                text = "\N{EN DASH}" if rank is None else str(rank)
                self.setItem(row, 1 + column, _cell(text, head in compared.sets[column]))


def ranks_of(
    rankings: Sequence[HeadRanking], compared: HeadsCompared
) -> list[tuple[Head, tuple[int | None, ...]]]:
    """Heads that any set holds with their ranks, by the best rank that any gives them; None: no score."""
    rows = []
    for head in {head for heads in compared.sets for head in heads}:
        ranks = tuple(_rank(ranking, head) for ranking in rankings)
        rows.append((head, ranks))
    return sorted(rows, key=lambda row: (min(rank for rank in row[1] if rank is not None), row[0]))


def _rank(ranking: HeadRanking, head: Head) -> int | None:
    score = ranking.scores_LH[head.layer, head.index]
    return ranking.rank_of(head) if score == score else None  # NaN: a head without a score


def about(ranking: HeadRanking, k: int) -> str:
    """A ranking in a line: how it was measured, and how far its two halves agree on its best heads."""
    parts = [format_ranking_name(ranking.name)]
    if ranking.n_strips is not None:
        parts.append(plural(ranking.n_strips, "strip"))
    agreed = ranking.split_half_overlap(k) if k <= len(ranking.order()) else None
    if agreed is not None:
        parts.append(f"halves share {agreed} of {k}")
    return " · ".join(parts)


def _cell(text: str, strong: bool) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setFont(theme.font_mono(12, 600 if strong else 400))
    item.setForeground(theme.current().ink if strong else theme.current().soft)
    item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return item
