"""Two rankings as points: what is drawn, pointed at and chosen, and what it costs to load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.app.comparison import compare_rankings
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.backend.fake import FakeBackend
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.ui import theme
from gazeviz.ui.compare_rankings import CompareRankings
from gazeviz.ui.compare_scatter import CompareScatter, ScatterLegend
from gazeviz.ui.compare_scatter_plot import ScatterPlot, half_square, tick_text
from gazeviz.ui.compare_scatter_points import ScatterPoints
from gazeviz.ui.controls import ChoiceButton, ElidedLabel
from tests.render.made_runs import MODEL

SHAPE_LH = (3, 4)
NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
NO_KEYS, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)


def made_rankings() -> dict[str, HeadRanking]:
    """Rising scores; those scores and one gap, the best two swapped for others; falling scores."""
    rising_LH = np.linspace(0.0, 1.1, 12).reshape(SHAPE_LH)
    other_LH = rising_LH.copy()
    other_LH[2, 2], other_LH[0, 1] = -0.3, 1.4
    other_LH[0, 0] = np.nan
    return {
        "mass": HeadRanking("mass", rising_LH),
        "causal": HeadRanking("causal", other_LH),
        "image_heads": HeadRanking("image_heads", -rising_LH),
    }


@dataclass
class Page:
    """A comparison of rankings whose scatter plot is shown."""

    model: SessionModel
    controller: RunController
    page: CompareRankings

    @property
    def scatter(self) -> CompareScatter:
        """The view."""
        found = self.page.findChild(CompareScatter)
        assert isinstance(found, CompareScatter)
        return found

    @property
    def plot(self) -> ScatterPlot:
        """Its plot."""
        plot = self.scatter.plot
        assert plot is not None
        return plot

    @property
    def points(self) -> ScatterPoints:
        """What it shows."""
        points = self.scatter.points
        assert points is not None
        return points

    @property
    def about(self) -> str:
        """What is said of the head that is pointed at."""
        label = self.page.findChild(ElidedLabel, "scatterAbout")
        assert isinstance(label, ElidedLabel)
        return label.whole

    def at(self, head: str) -> QPointF:
        """Where a head's point is."""
        x, y = self.plot.pixels_N2()[self.points.place_of[Head.parse(head)]].tolist()
        return QPointF(x, y)

    def send(self, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton = NONE,
             held: Qt.MouseButton = NONE, keys: Qt.KeyboardModifier = NO_KEYS) -> None:  # fmt: skip
        """Send the plot a mouse event."""
        view = self.plot.plot.viewport()
        QApplication.sendEvent(view, QMouseEvent(kind, at, view.mapToGlobal(at), button, held, keys))

    def hover(self, at: QPointF) -> None:
        """Move the mouse there."""
        self.send(QEvent.Type.MouseMove, at)

    def drag(self, *way: QPointF, keys: Qt.KeyboardModifier = NO_KEYS,
             button: Qt.MouseButton = LEFT) -> None:  # fmt: skip
        """Press, move along a way and let go."""
        self.send(QEvent.Type.MouseButtonPress, way[0], button, button, keys)
        for at in way[1:]:
            self.send(QEvent.Type.MouseMove, at, NONE, button, keys)
        self.send(QEvent.Type.MouseButtonRelease, way[-1], button, NONE, keys)

    def around(self, *heads: str) -> tuple[QPointF, QPointF, QPointF]:
        """A way that frames some heads closely."""
        places = [self.at(head) for head in heads]
        left, right = min(p.x() for p in places) - 5, max(p.x() for p in places) + 5
        top, low = min(p.y() for p in places) - 5, max(p.y() for p in places) + 5
        return QPointF(left, low), QPointF(left + 20, low - 20), QPointF(right, top)

    def choose(self, name: str, key: str) -> None:
        """Choose an entry of a menu of the view."""
        button = self.page.findChild(ChoiceButton, name)
        assert isinstance(button, ChoiceButton)
        button.set_current(key)
        button.chosen.emit(key)


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[Page]:
    """Two rankings, the best three compared, the scatter plot shown."""
    model = SessionModel()
    model.model_info = replace(MODEL, shape_LH=SHAPE_LH, heads_present_LH=np.ones(SHAPE_LH, dtype=bool))
    controller = RunController(model, FakeBackend)
    model.put_rankings(made_rankings())
    shown = CompareRankings(model, controller)
    qtbot.addWidget(shown)
    shown.resize(860, 440)
    shown._k = 3
    shown.show_rankings(("mass", "causal"))
    shown.show()
    to_scatter(shown)
    yield Page(model, controller, shown)
    controller.shutdown()


def to_scatter(page: CompareRankings, name: str = "compareRankingsScatter") -> None:
    """Switch to the scatter plot, or to what another button shows."""
    button = page.findChild(QToolButton, name)
    assert isinstance(button, QToolButton)
    QTest.mouseClick(button, LEFT)
    QApplication.processEvents()


def chosen(page: Page) -> str:
    """The heads that are chosen."""
    return str(page.model.chosen)


def pointed(page: Page) -> str:
    """The head that is pointed at, "" for none."""
    return str(page.model.hovered_head or "")


def drawn(page: Page, item: str) -> set[tuple[float, float]]:
    """Where one of pyqtgraph's items has its points."""
    x_N, y_N = getattr(page.plot, item).getData()
    return {(round(float(x), 3), round(float(y), 3)) for x, y in zip(x_N, y_N, strict=True)}


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


# Mouse


def test_hovering_says_which_head_it_is(page: Page) -> None:
    assert page.about.startswith("Drag or click: choose")
    page.hover(page.at("L2H2"))
    assert pointed(page) == "L2H2"
    assert page.about == "Layer 2, head 2 · A 1, rank 2 · B -.3, rank 11"
    page.send(QEvent.Type.MouseMove, page.at("L2H2") + QPointF(0, -40))
    assert pointed(page) == ""
    assert drawn(page, "_ring") == set()


def test_a_head_that_is_pointed_at_elsewhere_is_marked(page: Page) -> None:
    page.model.hovered_head = Head(1, 1)
    assert drawn(page, "_ring") == {(0.5, 0.5)}
    page.model.hovered_head = Head(0, 0)
    assert drawn(page, "_ring") == set() and page.about == "Layer 0, head 0 · no score in A or B"


def test_leaving_and_hiding_point_at_nothing(page: Page) -> None:
    page.hover(page.at("L1H1"))
    QApplication.sendEvent(page.plot.plot.viewport(), QEvent(QEvent.Type.Leave))
    assert pointed(page) == ""
    page.hover(page.at("L1H1"))
    to_scatter(page.page, "compareRankingsTable")
    assert pointed(page) == ""
    page.model.hovered_head = Head(1, 2)  # of another view
    to_scatter(page.page)
    to_scatter(page.page, "compareRankingsTable")
    assert pointed(page) == "L1H2"


def test_a_click_chooses_and_can_be_undone(page: Page) -> None:
    page.drag(page.at("L1H1"))
    assert chosen(page) == "L1H1" and drawn(page, "_rings") == {(0.5, 0.5)}
    page.drag(page.at("L2H3"), keys=SHIFT)
    assert chosen(page) == "L1H1,L2H3"
    page.drag(page.at("L1H1"), keys=CTRL)
    assert chosen(page) == "L2H3"
    page.drag(page.at("L2H3"))
    assert chosen(page) == ""
    for expected in ("L2H3", "L1H1,L2H3", "L1H1", ""):
        page.controller.editor.undo()
        assert chosen(page) == expected


def test_a_click_beside_all_points_does_nothing(page: Page) -> None:
    page.controller.heads.choose([Head(1, 1)])
    page.drag(page.at("L2H3") + QPointF(0, 30))
    assert chosen(page) == "L1H1"


def test_a_rectangle_chooses_several(page: Page) -> None:
    page.drag(*page.around("L1H1", "L1H3"))
    assert chosen(page) == "L1H1,L1H2,L1H3"
    page.drag(*page.around("L2H0"), keys=SHIFT)
    assert chosen(page) == "L1H1,L1H2,L1H3,L2H0"
    page.drag(*page.around("L1H2", "L2H0"), keys=CTRL)
    assert chosen(page) == "L1H1"
    assert not page.plot._frame.isVisible()
    page.controller.editor.undo()
    assert chosen(page) == "L1H1,L1H2,L1H3,L2H0"


def test_an_empty_rectangle_leaves_the_choice(page: Page) -> None:
    page.controller.heads.choose([Head(1, 1)])
    corner = page.plot._room().topLeft() + QPointF(2, 2)
    page.drag(corner, corner + QPointF(8, 8), corner + QPointF(12, 12))
    assert chosen(page) == "L1H1"


def test_the_other_buttons_move_and_zoom_and_choose_nothing(page: Page) -> None:
    before = page.plot._box.viewRange()
    page.hover(page.at("L1H1"))
    middle = page.at("L1H1")
    QTest.qWait(20)  # pyqtgraph takes up to a hundred moves in a second
    page.send(QEvent.Type.MouseButtonPress, middle, Qt.MouseButton.RightButton, Qt.MouseButton.RightButton)
    for way in (10, 20, 30):
        QTest.qWait(20)
        at = middle + QPointF(way, -way)
        page.send(QEvent.Type.MouseMove, at, NONE, Qt.MouseButton.RightButton)
    page.send(QEvent.Type.MouseButtonRelease, at, Qt.MouseButton.RightButton)
    assert page.plot._box.viewRange() != before
    assert chosen(page) == ""
    reset = page.page.findChild(QToolButton, "scatterReset")
    assert isinstance(reset, QToolButton)
    QTest.mouseClick(reset, LEFT)
    assert np.allclose(page.plot._box.viewRange(), before)


def test_without_a_controller_nothing_is_chosen(qtbot: QtBot) -> None:
    model = SessionModel()
    model.put_rankings(made_rankings())
    shown = CompareRankings(model)
    qtbot.addWidget(shown)
    shown.resize(860, 440)
    shown.show_rankings(("mass", "causal"))
    shown.show()
    to_scatter(shown)
    found = shown.findChild(CompareScatter)
    assert isinstance(found, CompareScatter)
    found._on_clicked(0, NO_KEYS)
    label = shown.findChild(ElidedLabel, "scatterAbout")
    assert isinstance(label, ElidedLabel)
    assert model.chosen == HeadSet(()) and label.whole.startswith("Wheel")


# Keys


def test_arrow_keys_go_from_head_to_head(page: Page) -> None:
    view = page.plot.plot
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert pointed(page) == "L2H3"  # the best of A
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert pointed(page) == "L2H2"
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert pointed(page) == "L0H2"  # L2H2 is the last of B
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert chosen(page) == "L0H2" and page.about.endswith(" · chosen")
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert chosen(page) == ""
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert pointed(page) == ""


def test_keys_zoom_and_show_all_again(page: Page) -> None:
    before = page.plot._box.viewRange()
    QTest.keyClick(page.plot.plot, Qt.Key.Key_Plus)
    assert np.ptp(page.plot._box.viewRange()[0]) < np.ptp(before[0])
    QTest.keyClick(page.plot.plot, Qt.Key.Key_A)
    assert np.allclose(page.plot._box.viewRange(), before)


def test_escape_gives_a_rectangle_up(page: Page) -> None:
    first, second, _ = page.around("L1H1", "L1H3")
    page.send(QEvent.Type.MouseButtonPress, first, LEFT, LEFT)
    page.send(QEvent.Type.MouseMove, second, NONE, LEFT)
    assert page.plot._frame.isVisible()
    QTest.keyClick(page.plot.plot, Qt.Key.Key_Escape)
    page.send(QEvent.Type.MouseButtonRelease, second, LEFT)
    assert chosen(page) == "" and not page.plot._frame.isVisible()


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


@pytest.mark.parametrize(
    ("value", "spacing", "text"),
    [(0.25, 0.05, ".25"), (-0.5, 0.5, "\N{MINUS SIGN}.5"), (1.0, 0.5, "1.0"), (20.0, 10.0, "20"),
     (0.0, 0.2, "0"), (0.004, 0.002, ".004")],
)  # fmt: skip
def test_ticks_have_the_places_that_they_need(value: float, spacing: float, text: str) -> None:
    assert tick_text(value, spacing) == text


@pytest.mark.parametrize(("value", "text"), [(-3.0, "3"), (0.0, ""), (5.0, ""), (-2.5, "")])
def test_ticks_of_ranks_are_ranks(value: float, text: str) -> None:
    assert tick_text(value, 1.0, as_rank=True) == text


def test_pyqtgraph_is_loaded_when_the_plot_is_shown_and_not_before() -> None:
    code = "import gazeviz.ui.compare_rankings, sys; print('pyqtgraph' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_view_that_nobody_sees_draws_nothing(qtbot: QtBot) -> None:
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
