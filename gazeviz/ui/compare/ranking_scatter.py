"""How two head rankings relate: every head a point, its score or rank in one against that in the other.

Heads can be pointed at and chosen in it.  The plot itself, and pyqtgraph with it, is loaded when this is
shown for the first time, so that the window does not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QPen, QPolygonF, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gazeviz.app.history.comparison import LETTERS, HeadsCompared
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.wording import format_figure, format_ranking_name, plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.choosing import SHIFT
from gazeviz.ui.widgets.controls import ElidedLabel, choice_button, named, soft
from gazeviz.ui.widgets.letters import letter_colour

if TYPE_CHECKING:
    from gazeviz.ui.compare.scatter_plot import ScatterPlot


# Heads as points: the score or the rank of each in one ranking against another, and which sets it is in.
#
# Only heads that both rankings score are points; the others are counted.  Knows rankings; draws nothing.


Unit: TypeAlias = Literal["score", "rank"]


@dataclass(frozen=True, eq=False)
class ScatterPoints:
    """Two rankings of the same heads.

    pair: the places of the two, whose letters name them.  heads: the N that both score, layer by layer.
    scores_N2: float64 (N, 2).  ranks_N2: int64 (N, 2), 1 is the best.
    best_N2: bool (N, 2), whether a head is among the best that are compared.
    n_without: heads that the first, and that the second, does not score.
    n_left_out: heads that lack a score in one of them or in both.
    """

    pair: tuple[int, int]
    names: tuple[str, str]
    heads: tuple[Head, ...]
    scores_N2: NDArray[np.float64]
    ranks_N2: NDArray[np.int64]
    best_N2: NDArray[np.bool_]
    n_without: tuple[int, int]
    n_left_out: int

    @classmethod
    def of(
        cls, compared: HeadsCompared, pair: tuple[int, int], present_LH: NDArray[np.bool_] | None
    ) -> ScatterPoints:
        """Take two of some compared rankings.

        present_LH: heads that the model has; None: those that any ranking scores.
        """
        first, second = (_ranking(compared, place) for place in pair)
        scored = [np.isfinite(ranking.scores_LH) for ranking in (first, second)]
        there_LH = scored[0] | scored[1]
        for known_LH in (compared.present_LH, present_LH):
            there_LH = there_LH if known_LH is None else there_LH | known_LH
        both_LH = scored[0] & scored[1]
        heads = tuple(Head(*place) for place in np.argwhere(both_LH).tolist())
        tops = tuple(compared.sets[place] for place in pair)
        return cls(
            pair, (first.name, second.name), heads,
            np.stack([first.scores_LH[both_LH], second.scores_LH[both_LH]], axis=1),
            np.stack([_ranks(ranking, both_LH) for ranking in (first, second)], axis=1),
            np.stack([_within(top, both_LH) for top in tops], axis=1),
            (_count(there_LH & ~scored[0]), _count(there_LH & ~scored[1])), _count(there_LH & ~both_LH),
        )  # fmt: skip

    @cached_property
    def place_of(self) -> dict[Head, int]:
        """Where in `heads` a head is."""
        return {head: place for place, head in enumerate(self.heads)}

    @property
    def letters(self) -> tuple[str, str]:
        """What the two are called."""
        return LETTERS[self.pair[0]], LETTERS[self.pair[1]]

    def values_N2(self, unit: Unit) -> NDArray[np.float64]:
        """Where the points lie: scores, or ranks below zero, so that better is to the right and above."""
        return self.scores_N2 if unit == "score" else -self.ranks_N2.astype(np.float64)

    def mask_N(self, heads: Sequence[Head] | HeadSet) -> NDArray[np.bool_]:
        """Which of the points are of some heads, bool (N,)."""
        mask_N = np.zeros(len(self.heads), dtype=bool)
        mask_N[[self.place_of[head] for head in heads if head in self.place_of]] = True
        return mask_N

    def counts(self) -> tuple[int, int, int]:
        """How many of the points are among the best of both, of the first alone, of the second alone."""
        first_N, second_N = self.best_N2.T
        return _count(first_N & second_N), _count(first_N & ~second_N), _count(second_N & ~first_N)

    def about(self, head: Head) -> str:
        """A head in words: layer, head, scores and ranks; what is missing where it is not a point."""
        parts = [f"Layer {head.layer}, head {head.index}"]
        place = self.place_of.get(head)
        if place is None:
            return f"{parts[0]} · no score in {' or '.join(self.letters)}"
        for side, letter in enumerate(self.letters):
            score = format_figure(float(self.scores_N2[place, side]))
            parts.append(f"{letter} {score}, rank {self.ranks_N2[place, side]}")
        return " · ".join(parts)

    def left_out(self) -> str:
        """How many heads are no points, and why; "" where none is missing."""
        if not self.n_left_out:
            return ""
        heads = plural(self.n_left_out, "head")
        lacking = [letter for letter, n in zip(self.letters, self.n_without, strict=True) if n]
        return f"{heads} left out: no score in {' or '.join(lacking)}"


def _ranking(compared: HeadsCompared, place: int) -> HeadRanking:
    ranking = compared.rankings[place]
    assert ranking is not None  # rankings are compared, not runs
    return ranking


def _ranks(ranking: HeadRanking, of_LH: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rank of each head of a mask, in row-major order."""
    ranks_LH = np.zeros(ranking.shape_LH, dtype=np.int64)
    for rank, head in enumerate(ranking.order(), start=1):
        ranks_LH[head.layer, head.index] = rank
    return ranks_LH[of_LH]


def _within(heads: HeadSet, of_LH: NDArray[np.bool_]) -> NDArray[np.bool_]:
    shape_LH = of_LH.shape
    within: NDArray[np.bool_] = heads.mask_LH((shape_LH[0], shape_LH[1]))[of_LH]
    return within


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


_VIEW_HINT: Final = "wheel or right drag: zoom · middle drag: move · A: all"
_HINT: Final = f"Drag or click: choose · {_VIEW_HINT}"
_ARROWS: Final = "\N{RIGHTWARDS ARROW}\N{UPWARDS ARROW}"
_NO_HEADS: Final = "No head has a score in both rankings."
_LEGEND_PX: Final = 18
_MARK_PX: Final = 10
_UNITS: Final = (("score", "Scores"), ("rank", "Ranks"))


class CompareScatter(QWidget):
    """Two rankings as a scatter plot; which two can be chosen where there are more.

    controller: None lets nobody choose heads in it.
    """

    def __init__(
        self, model: SessionModel, controller: RunController | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("compareScatter")
        self.setMinimumSize(QSize(220, 150))
        self._model, self._controller = model, controller
        self._compared: HeadsCompared | None = None
        self._points: ScatterPoints | None = None
        self._pair, self._unit = (0, 1), "score"
        self._pointed: Head | None = None
        self._viewed: tuple[object, ...] = ()
        self._plot: ScatterPlot | None = None
        self._legend, self._about = ScatterLegend(), named(ElidedLabel(), "scatterAbout")
        self._left_out = soft(named(ElidedLabel(), "scatterLeftOut"))
        self._none = soft(named(QLabel(_NO_HEADS), "scatterNone"))
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(theme.SPACE)
        self._layout.addLayout(self._make_header())
        self._layout.addWidget(self._none, 1, Qt.AlignmentFlag.AlignCenter)
        self._layout.addWidget(self._legend)
        self._layout.addWidget(self._about)
        model.chosen_changed.connect(self._show_chosen)
        model.hovered_head_changed.connect(self._show_pointed)
        theme.changed.connect(self._dress)
        self._dress()

    def _make_header(self) -> QHBoxLayout:
        header = QHBoxLayout()
        header.setSpacing(2 * theme.SPACE)
        tips = ("The ranking along the horizontal axis", "The ranking along the vertical axis")
        self._choosers = tuple(
            choice_button(name, tip, (), partial(self._on_place, side))
            for side, (name, tip) in enumerate(zip(("scatterFirst", "scatterSecond"), tips, strict=True))
        )
        self._unit_button = choice_button(
            "scatterUnit", "What the axes are: scores as they were measured, or ranks, 1 the best",
            _UNITS, self._on_unit,
        )  # fmt: skip
        self._reset = named(QToolButton(), "scatterReset")
        self._reset.setAccessibleName("Show all points")
        self._reset.setToolTip("Show all points; changes nothing but the view  A")
        self._reset.clicked.connect(self._on_reset)
        for button in (*self._choosers, self._unit_button):
            button.setProperty("kind", "flat")
            header.addWidget(button)
        header.addWidget(self._left_out, 1)
        header.addWidget(self._reset)
        return header

    # What is shown

    @property
    def plot(self) -> ScatterPlot | None:
        """The plot; None before it was shown for the first time."""
        return self._plot

    @property
    def points(self) -> ScatterPoints | None:
        """What is shown; None before there are rankings."""
        return self._points

    def show_rankings(self, compared: HeadsCompared) -> None:
        """Take rankings and their best heads; the two that were looked at stay while there are both."""
        n = len(compared.rankings)
        options = [
            (str(place), f"{LETTERS[place]} {format_ranking_name(compared.names[place])}")
            for place in range(n)
        ]
        for chooser in self._choosers:
            chooser.set_options(options)
            chooser.setVisible(n > 2)
        self._compared = compared
        self._pair = self._pair if max(self._pair) < n else (0, 1)
        self._show()

    def show_pair(self, first: int, second: int) -> None:
        """Show other two of the rankings, by the places of their letters."""
        self._pair = first, second
        self._show()

    def _show(self) -> None:
        """Make the points; draw them if anybody sees them."""
        if self._compared is None:
            return
        info = self._model.model_info
        there_LH = info.heads_present_LH if info is not None else None
        if there_LH is not None and there_LH.shape != self._compared.shape_LH:
            there_LH = None
        self._points = points = ScatterPoints.of(self._compared, self._pair, there_LH)
        for chooser, place, arrow in zip(self._choosers, self._pair, _ARROWS, strict=True):
            chooser.set_current(str(place))
            chooser.set_label(f"{arrow} {LETTERS[place]}")  # the axes say the names
        self._unit_button.set_current(self._unit)
        self._left_out.set_whole(points.left_out())
        self._legend.show_points(points)
        if self.isVisible():
            self._draw(points)

    def _draw(self, points: ScatterPoints) -> None:
        plot = self._plot or self._make_plot()
        unit: Unit = "rank" if self._unit == "rank" else "score"
        plot.setVisible(bool(points.heads))
        self._none.setVisible(not points.heads)
        plot.show_points(points.values_N2(unit), points.best_N2, points.pair)
        measure = "rank (1 is the best)" if unit == "rank" else unit
        titles = [
            f"{LETTERS[p]} {format_ranking_name(n)}, {measure}"
            for p, n in zip(points.pair, points.names, strict=True)
        ]
        plot.name_axes((titles[0], titles[1]), as_ranks=unit == "rank")
        viewed = (unit, *(self._compared.rankings[place] for place in points.pair)) if self._compared else ()
        if viewed != self._viewed:  # more or fewer best heads leave the view as it was moved
            self._viewed = viewed
            plot.reset_view()
        self._show_chosen()
        self._show_pointed()

    def _make_plot(self) -> ScatterPlot:
        from gazeviz.ui.compare.scatter_plot import ScatterPlot

        self._plot = plot = ScatterPlot()
        plot.pointed.connect(self._on_pointed)
        plot.clicked.connect(self._on_clicked)
        plot.framed.connect(self._on_framed)
        self._layout.insertWidget(1, plot, 1)
        return plot

    def _show_chosen(self) -> None:
        if self._plot is not None and self._points is not None and self.isVisible():
            self._plot.show_chosen(self._points.mask_N(self._model.chosen))
            self._describe()

    def _show_pointed(self) -> None:
        if self._plot is None or self._points is None or not self.isVisible():
            return
        head = self._model.hovered_head
        self._plot.show_pointed(-1 if head is None else self._points.place_of.get(head, -1))
        self._describe()

    def _describe(self) -> None:
        """Say which head is pointed at, else what can be done."""
        points, head = self._points, self._model.hovered_head
        if points is None or self._plot is None:
            return
        about = points.about(head) if head is not None else ""
        if head is not None and head in self._model.chosen:
            about += " · chosen"
        hint = _HINT if self._controller is not None else _VIEW_HINT[0].upper() + _VIEW_HINT[1:]
        self._about.setProperty("role", "soft" if head is None else "")
        self._about.style().polish(self._about)
        self._about.set_whole(about or hint)
        first, second = (f"{self._unit} in {letter} ({format_ranking_name(name)})"
                         for letter, name in zip(points.letters, points.names, strict=True))  # fmt: skip
        text = f"{plural(len(points.heads), 'head')}: {first} against {second}"
        self._plot.plot.setAccessibleName(f"{text}. {about}" if about else text)
        self._plot.plot.setAccessibleDescription(
            f"{hint}. Arrow keys point at the next head, Enter chooses it."
        )

    def _dress(self) -> None:
        self._reset.setIcon(theme.icon("fit"))

    # What a person does

    def _on_place(self, side: int, key: str) -> None:
        place = int(key)
        first, second = (place, self._pair[1]) if side == 0 else (self._pair[0], place)
        if first == second:  # the other one takes its place
            first, second = self._pair[1], self._pair[0]
        self.show_pair(first, second)

    def _on_unit(self, unit: str) -> None:
        self._unit = unit
        self._show()

    def _on_reset(self) -> None:
        if self._plot is not None:
            self._plot.reset_view()

    def _on_pointed(self, number: int) -> None:
        self._pointed = self._points.heads[number] if self._points is not None and number >= 0 else None
        self._model.hovered_head = self._pointed

    def _on_clicked(self, number: int, keys: Qt.KeyboardModifier) -> None:
        """This head alone, again for none; with Shift or Ctrl in addition, or taken away."""
        if self._points is None:
            return
        head, chosen = self._points.heads[number], self._model.chosen
        if keys & (SHIFT | Qt.KeyboardModifier.ControlModifier):
            self._choose({*chosen} ^ {head})
        else:
            self._choose(set() if chosen.heads == (head,) else {head})

    def _on_framed(self, numbers: NDArray[np.int64], mode: str) -> None:
        """The heads of a rectangle; with Shift in addition, with Ctrl taken away; nothing for none."""
        if self._points is None or not len(numbers):
            return
        framed = {self._points.heads[number] for number in numbers.tolist()}
        chosen = {*self._model.chosen}
        self._choose({"add": chosen | framed, "take": chosen - framed}.get(mode, framed))

    def _choose(self, heads: set[Head]) -> None:
        controller = self._controller
        if controller is not None:
            notices.attempt(controller.model, lambda: controller.heads.choose(heads), about="heads")

    # Coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what came while nobody saw it."""
        super().showEvent(event)
        if self._points is not None:
            self._draw(self._points)

    def hideEvent(self, event: QHideEvent) -> None:
        """Point at nothing any more."""
        super().hideEvent(event)
        if self._pointed is not None and self._model.hovered_head == self._pointed:
            self._model.hovered_head = None
        self._pointed = None


class ScatterLegend(QWidget):
    """What the marks mean, each with how many heads there are of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scatterLegend")
        self.setFixedHeight(_LEGEND_PX)
        self._points: ScatterPoints | None = None
        theme.changed.connect(self.update)

    def show_points(self, points: ScatterPoints) -> None:
        """Take the points."""
        self._points = points
        self.setAccessibleName(f"Legend: {', '.join(self.texts())}")
        self.setToolTip(f"Best heads: {', '.join(self.texts())}")
        self.update()

    def texts(self) -> tuple[str, ...]:
        """The words beside the marks: of both, of either alone, of none, and of those that are chosen."""
        if self._points is None:
            return ()
        both, first, second = self._points.counts()
        a, b = self._points.letters
        return (f"best of both {both}", f"only {a} {first}", f"only {b} {second}", "others", "chosen")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw marks and words from left to right."""
        if self._points is None:
            return
        painter, x = QPainter(self), 1.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font_ui(11))
        for place, text in enumerate(self.texts()):
            self._draw_mark(painter, QRectF(x, (_LEGEND_PX - _MARK_PX) / 2, _MARK_PX, _MARK_PX), place)
            painter.setPen(theme.current().soft)
            width = painter.fontMetrics().horizontalAdvance(text)
            box = QRectF(x + _MARK_PX + 5, 0, width + 4, _LEGEND_PX)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
            x = box.right() + 12

    def _draw_mark(self, painter: QPainter, box: QRectF, place: int) -> None:
        colours = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.soft)
        if place < 3 and self._points is not None:
            for side, corner in enumerate((box.topLeft(), box.bottomRight())):
                if place in (0, side + 1):
                    painter.setBrush(letter_colour(self._points.pair[side]))
                    painter.drawPolygon(QPolygonF([corner, box.topRight(), box.bottomLeft()]))
            return
        painter.drawEllipse(box.center(), 2.5, 2.5)
        if place == 4:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.accent, 1.6))
            painter.drawEllipse(box.center(), 4.5, 4.5)
