"""The scatter plot of two rankings, by mouse and by keys, and the ticks of its axes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.ui.compare.compare_rankings import CompareRankings
from gazeviz.ui.compare.ranking_scatter import CompareScatter
from gazeviz.ui.compare.scatter_plot import tick_text
from gazeviz.ui.widgets.controls import ElidedLabel
from tests.patience import PatientBot
from tests.ui.fixtures.head_stage import CTRL, LEFT, NO_KEYS, SHIFT
from tests.ui.fixtures.scatter_stage import (
    NONE,
    Page,
    chosen,
    drawn,
    made_rankings,
    open_scatter,
    pointed,
    to_scatter,
)


@pytest.fixture
def page(qtbot: PatientBot) -> Iterator[Page]:
    """Two rankings, the best three compared, the scatter plot shown."""
    with open_scatter(qtbot) as opened:
        yield opened


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


def test_the_other_buttons_move_and_zoom_and_choose_nothing(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", -1)  # else moves within 10 ms are dropped
    before = page.plot._box.viewRange()
    page.hover(page.at("L1H1"))
    middle = page.at("L1H1")
    page.send(QEvent.Type.MouseButtonPress, middle, Qt.MouseButton.RightButton, Qt.MouseButton.RightButton)
    for way in (10, 20, 30):
        at = middle + QPointF(way, -way)
        page.send(QEvent.Type.MouseMove, at, NONE, Qt.MouseButton.RightButton)
    page.send(QEvent.Type.MouseButtonRelease, at, Qt.MouseButton.RightButton)
    assert page.plot._box.viewRange() != before
    assert chosen(page) == ""
    reset = page.page.findChild(QToolButton, "scatterReset")
    assert isinstance(reset, QToolButton)
    QTest.mouseClick(reset, LEFT)
    assert np.allclose(page.plot._box.viewRange(), before)


def test_without_a_controller_nothing_is_chosen(qtbot: PatientBot) -> None:
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


# Ticks


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
