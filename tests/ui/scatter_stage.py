"""Two rankings as a scatter plot, and a mouse on its points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.ui.compare.compare_rankings import CompareRankings
from gazeviz.ui.compare.ranking_scatter import CompareScatter, ScatterPoints
from gazeviz.ui.compare.scatter_plot import ScatterPlot
from gazeviz.ui.widgets.controls import ChoiceButton, ElidedLabel
from tests.fakes.fake import FakeBackend
from tests.render.made_runs import MODEL
from tests.ui.head_stage import LEFT, NO_KEYS

SHAPE_LH = (3, 4)
NONE = Qt.MouseButton.NoButton


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


@contextmanager
def open_scatter(qtbot: QtBot) -> Iterator[Page]:
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
    try:
        yield Page(model, controller, shown)
    finally:
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
