"""Curves of runs on one axis: gaps, letters that do not overlap, and the room of the axes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QSignalSpy, QTest

from gazeviz.app.history.comparison import MOST, Curve
from gazeviz.ui.compare.run_curves import ComparePlot, pieces, spread
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.letters import letter_colour
from tests.patience import PatientBot


def curve(*masses: float) -> Curve:
    """A curve on a panel."""
    return Curve(np.array(masses, dtype=np.float32), "Panel 1")


@pytest.fixture
def plot(qtbot: PatientBot) -> ComparePlot:
    """A plot in a window."""
    plot = ComparePlot()
    qtbot.addWidget(plot)
    plot.resize(500, 160)
    plot.show()
    return plot


def test_a_gap_parts_a_curve() -> None:
    gap = float("nan")
    found = pieces(np.array([gap, 0.5, 0.25, gap, 1.0], dtype=np.float32))
    assert found == [[(1, 0.5), (2, 0.25)], [(4, 1.0)]]
    assert pieces(np.full(3, gap, dtype=np.float32)) == []


@pytest.mark.parametrize("wanted", [[50.0] * 6, [10.0, 10.0, 90.0, 95.0], [100.0, 99.0, 0.0], [30.0], []])
def test_letters_keep_apart_and_in_order(wanted: list[float]) -> None:
    placed = spread(wanted, 16, 100)
    in_order = [placed[index] for index in sorted(range(len(wanted)), key=lambda index: wanted[index])]
    assert all(second - first >= 16 for first, second in pairwise(in_order))
    assert max(placed, default=0) <= 100


def test_letters_that_have_room_stay_at_their_lines() -> None:
    assert spread([80.0, 10.0, 40.0], 16, 100) == [80.0, 10.0, 40.0]


def test_each_run_is_drawn_in_its_letters_colour(plot: ComparePlot) -> None:
    plot.show_curves([curve(*[0.1 + 0.15 * place] * 40) for place in range(MOST)], 40)
    image = QImage(plot.size(), QImage.Format.Format_RGB32)
    image.fill(theme.current().panel)
    plot.render(image)
    for place in range(MOST):
        y = round(plot.place.y_of(0.1 + 0.15 * place))
        wanted = np.array(letter_colour(place).getRgb())
        across = [image.pixelColor(x, y + dy).getRgb() for x in range(60, 400) for dy in (-1, 0, 1)]
        assert np.abs(np.array(across) - wanted).max(axis=1).min() <= 24, place


def test_values_at_the_token_are_told(plot: ComparePlot) -> None:
    plot.show_curves([curve(0.25, 0.75), curve(0.5)], 2)
    plot.show_token(1)
    assert plot.value(0) == 0.75
    assert np.isnan(plot.value(1))
    assert plot.accessibleName() == "Mass by token; at token 1: A .75, B none"


def test_a_token_is_chosen_by_click_pull_and_arrow(plot: ComparePlot) -> None:
    plot.show_curves([curve(*[0.5] * 10)], 10)
    wanted = QSignalSpy(plot.token_wanted)
    QTest.mousePress(plot, Qt.MouseButton.LeftButton, pos=QPoint(round(plot.place.x_of(4)), 40))
    QTest.keyClick(plot, Qt.Key.Key_Right)
    plot.show_token(9)
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert [wanted.at(index)[0] for index in range(wanted.count())] == [4, 1, 9]


def test_runs_without_tokens_leave_the_axes(plot: ComparePlot) -> None:
    plot.show_curves([curve(), curve()], 0)
    assert not plot.grab().isNull()
    assert plot.accessibleName() == "Mass by token; at token 0: A none, B none"
