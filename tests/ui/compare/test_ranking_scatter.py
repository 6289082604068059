"""Two rankings as points: which heads and which pair, how they look, and what drawing them costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QWidget

from gazeviz.app.history.comparison import compare_rankings
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.ui.compare.ranking_scatter import CompareScatter, ScatterLegend
from gazeviz.ui.compare.scatter_plot import half_square
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ChoiceButton, ElidedLabel
from tests.patience import PatientBot
from tests.render.made_runs import MODEL
from tests.ui.fixtures.scatter_stage import SHAPE_LH, Page, drawn, made_rankings, open_scatter, pointed


@pytest.fixture
def page(qtbot: PatientBot) -> Iterator[Page]:
    """Two rankings, the best three compared, the scatter plot shown."""
    with open_scatter(qtbot) as opened:
        yield opened


# What is shown


def test_every_head_that_both_rankings_score_is_a_point(page: Page) -> None:
    assert len(page.points.heads) == 11 and Head(0, 0) not in page.points.heads
    place = page.points.place_of[Head(2, 2)]
    assert page.points.scores_N2[place].tolist() == pytest.approx([1.0, -0.3])
    assert page.points.ranks_N2[place].tolist() == [2, 11]


def test_heads_without_a_score_are_counted_in_words(page: Page) -> None:
    label = page.page.findChild(ElidedLabel, "scatterLeftOut")
    assert isinstance(label, ElidedLabel)
    assert label.whole == "1 head left out: no score in B"
    page.page.show_rankings(("mass", "image_heads"))
    assert label.whole == ""


def test_the_best_of_one_and_of_both_are_told_apart_by_shape(page: Page) -> None:
    # A: L2H3 L2H2 L2H1.  B: L0H1 L2H3 L2H1.
    assert drawn(page, "_firsts") == {(1.1, 1.1), (1.0, -0.3), (0.9, 0.9)}
    assert drawn(page, "_seconds") == {(0.1, 1.4), (1.1, 1.1), (0.9, 0.9)}
    assert len(drawn(page, "_others")) == 7
    upper, lower = half_square(0), half_square(1)
    assert upper.contains(QPointF(-0.3, -0.3)) and not upper.contains(QPointF(0.3, 0.3))
    assert lower.contains(QPointF(0.3, 0.3)) and not lower.contains(QPointF(-0.3, -0.3))


def test_the_legend_counts_them(page: Page) -> None:
    legend = page.page.findChild(ScatterLegend)
    assert isinstance(legend, ScatterLegend)
    assert legend.texts() == ("best of both 2", "only A 1", "only B 1", "others", "chosen")
    assert legend.accessibleName().startswith("Legend: best of both 2, only A 1")


def test_ranks_in_the_place_of_scores(page: Page) -> None:
    page.choose("scatterUnit", "rank")
    assert (-1.0, -2.0) in drawn(page, "_firsts")  # L2H3: the first of A, the second of B
    assert page.plot._axes[0].labelText == "A mass, rank (1 is the best)"
    assert page.at("L2H3").x() > page.at("L0H1").x()  # better is to the right
    page.choose("scatterUnit", "score")
    assert page.plot._axes[1].labelText == "B causal, score"


def test_more_or_fewer_best_heads_leave_the_view_as_it_was_moved(page: Page) -> None:
    page.plot._box.scaleBy((0.5, 0.5))
    moved = page.plot._box.viewRange()
    page.page._on_top(1)
    assert len(drawn(page, "_firsts")) == 1
    assert page.plot._box.viewRange() == moved
    page.choose("scatterUnit", "rank")
    assert page.plot._box.viewRange() != moved


def test_rankings_that_share_no_head_say_so(page: Page) -> None:
    rising_LH = np.full(SHAPE_LH, np.nan)
    rising_LH[0, 0] = 1.0
    page.model.put_rankings({"one": HeadRanking("one", rising_LH)})
    page.page.show_rankings(("one", "causal"))
    said = page.page.findChild(QWidget, "scatterNone")
    assert said is not None and said.isVisible() and not page.plot.isVisible()
    assert page.points.left_out() == "12 heads left out: no score in A or B"


def test_one_head_alone_is_a_point_in_the_middle(page: Page) -> None:
    scores_LH = np.full(SHAPE_LH, np.nan)
    scores_LH[1, 1] = 0.25
    page.model.put_rankings({"one": HeadRanking("one", scores_LH)})
    page.page.show_rankings(("one", "mass"))
    assert page.plot._room().center().x() == pytest.approx(page.at("L1H1").x())


# More than two


def test_two_rankings_need_no_choosers(page: Page) -> None:
    first = page.page.findChild(ChoiceButton, "scatterFirst")
    assert first is not None and not first.isVisible()
    page.page.show_rankings(tuple(made_rankings()))
    assert first.isVisible() and first.text().startswith("\N{RIGHTWARDS ARROW} A")


def test_which_two_of_three_can_be_chosen(page: Page) -> None:
    page.page.show_rankings(tuple(made_rankings()))
    page.choose("scatterSecond", "2")
    assert page.points.names == ("mass", "image_heads") and page.points.letters == ("A", "C")
    page.choose("scatterFirst", "2")  # the one that it was takes the other's place
    assert page.points.names == ("image_heads", "mass")


def test_the_table_of_pairs_chooses_them_too(page: Page) -> None:
    page.page.show_rankings(tuple(made_rankings()))
    page.page._heads._pairs.chosen.emit(1, 2)
    assert page.points.letters == ("B", "C")
    page.page.show_rankings(("mass", "causal"))
    assert page.points.letters == ("A", "B")


# Looks and cost


def pixel_colours(page: Page) -> set[str]:
    """All colours of the plot as it is drawn."""
    image = page.plot.grab().toImage()
    return {QColor(image.pixel(x, y)).name() for x in range(image.width()) for y in range(image.height())}


def test_both_themes(page: Page, qapp: QApplication) -> None:
    seen = []
    for choice in ("dark", "light"):
        theme.apply(qapp, choice)
        colours = theme.current()
        found = pixel_colours(page)
        assert {colours.panel.name(), colours.line.name()} <= found
        seen.append(colours.panel.name())
    assert seen[0] != seen[1]
    theme.apply(qapp, "dark")


def test_pyqtgraph_is_loaded_when_the_plot_is_shown_and_not_before() -> None:
    code = "import gazeviz.ui.compare.compare_rankings, sys; print('pyqtgraph' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_view_that_nobody_sees_draws_nothing(qtbot: PatientBot) -> None:
    model = SessionModel()
    scatter = CompareScatter(model, None)
    qtbot.addWidget(scatter)
    scatter.show_rankings(compare_rankings(list(made_rankings().values()), 2))
    model.hovered_head = Head(1, 1)
    model.chosen = HeadSet.of("L1H1")
    assert scatter.plot is None and scatter.points is not None


def test_many_heads(page: Page) -> None:
    rng = np.random.default_rng(0)
    shape_LH = (64, 64)
    page.model.model_info = replace(MODEL, shape_LH=shape_LH, heads_present_LH=np.ones(shape_LH, dtype=bool))
    page.model.forget_rankings()
    many: dict[str, NDArray[np.float64]] = {name: rng.random(shape_LH) for name in ("mass", "causal")}
    page.model.put_rankings({name: HeadRanking(name, scores_LH) for name, scores_LH in many.items()})
    page.page.show_rankings(("mass", "causal"))
    assert len(page.points.heads) == 64 * 64
    page.hover(page.at("L60H3"))
    assert pointed(page)
    page.controller.heads.all()
    assert page.points.mask_N(page.model.chosen).all()


def test_no_timer_is_left(page: Page) -> None:
    assert [timer for timer in page.page.findChildren(QTimer) if timer.isActive()] == []
