"""The card of the head that is pointed at: its words, its place, and only its own map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QWidget

from gazeviz.app.session.values import MapView, Picture
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.messages import PictureSource
from gazeviz.ui.heads.head_card import HeadCard, head_facts
from tests.patience import PatientBot
from tests.ui.fixtures.head_stage import ABSENT, HeadStage, open_head_stage

HEAD, OTHER = Head(3, 1), Head(2, 2)
GRID_RC = (2, 6)


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[HeadStage]:
    stage = open_head_stage()
    yield stage
    stage.close()


@pytest.fixture
def anchor(stage: HeadStage, qtbot: PatientBot) -> QWidget:
    """A widget in a window of 330 x 500."""
    window = QWidget()
    qtbot.addWidget(window)
    stage.windows.append(window)
    window.resize(330, 500)
    anchor = QWidget(window)
    anchor.setGeometry(10, 20, 310, 200)
    window.show()
    return anchor


def show_picture(stage: HeadStage, size_px: tuple[int, int] = (600, 100)) -> None:
    pixels_HW3 = np.full((*size_px[::-1], 3), 120, dtype=np.uint8)
    stage.model.picture = Picture("grey", pixels_HW3, "ab", PictureSource("ab", "grey", data=b""))
    stage.model.set_grid(TokenGrid.plain(GRID_RC, size_px, size_px), pixels_HW3)


def brightest(card: HeadCard) -> int:
    """How far red goes beyond blue at most: the bright end of magma, nothing on grey."""
    QApplication.processEvents()
    image = card.grab().toImage()
    rows, columns = range(60, image.height() - 12, 2), range(12, image.width() - 12, 2)
    return max(image.pixelColor(x, y).red() - image.pixelColor(x, y).blue() for y in rows for x in columns)


def test_facts_are_score_rank_and_whether_it_is_chosen(stage):
    assert head_facts(stage.model, Head(0, 0)) == ("Layer 0, head 0", "score 1", "rank 1 of 47 in mass")
    stage.controller.heads.choose([HEAD])
    assert head_facts(stage.model, HEAD)[-1] == "chosen"
    assert "no score in mass" in head_facts(stage.model, ABSENT)
    stage.model.forget_rankings()
    assert head_facts(stage.model, OTHER) == ("Layer 2, head 2", "no ranking")


def test_facts_begin_with_the_mass_that_the_grid_shows(stage):
    stage.model.live_mass_LH = np.full((6, 8), 0.25, dtype=np.float32)
    assert "mass .25" not in head_facts(stage.model, HEAD)
    stage.model.grid_metric = "live"
    assert head_facts(stage.model, HEAD)[1] == "mass .25"


def test_only_its_own_map_is_shown(stage, anchor, qtbot):
    show_picture(stage)
    card = HeadCard(stage.model, anchor)
    card.show_head(HEAD, anchor)
    qtbot.waitUntil(lambda: not stage.model.frames.waiting)
    values_P = np.zeros(12, dtype=np.float32)
    values_P[3] = 0.4
    stage.model.map = MapView.of(values_P, "another head", (OTHER,))
    plain = brightest(card)
    stage.model.map = MapView.of(values_P, "this head", (HEAD,))
    assert brightest(card) > plain + 20


def test_it_stands_beneath_or_above_and_inside_the_window(stage, anchor):
    show_picture(stage)
    card = HeadCard(stage.model, anchor)
    card.show_head(HEAD, anchor)
    assert card.geometry().top() > anchor.geometry().bottom()
    anchor.setGeometry(10, 250, 310, 240)
    card.show_head(OTHER, anchor)
    assert card.head == OTHER and card.geometry().bottom() < anchor.geometry().top()
    assert anchor.window().rect().contains(card.geometry())
    card.hide()
    assert card.head is None


@pytest.mark.parametrize("size_px", [(600, 100), (300, 900), (50, 50)])
def test_every_picture_fits(stage, anchor, size_px):
    card = HeadCard(stage.model, anchor)
    card.show_head(HEAD, anchor)
    without = card.size()
    card.grab()
    show_picture(stage, size_px)
    card.show_head(HEAD, anchor)
    card.grab()
    assert without.height() < card.height() < 230 and card.size() != QSize()


def test_why_there_is_no_map_is_said(stage, anchor):
    show_picture(stage)
    stage.model.map = MapView(label="The attention of this run is no longer in memory. Run it again.")
    card = HeadCard(stage.model, anchor)
    card.show_head(HEAD, anchor)
    assert brightest(card) < 10


def test_another_ranking_changes_the_words(stage):
    stage.model.put_rankings({"mass": HeadRanking("mass", np.full((6, 8), 0.5))})
    assert head_facts(stage.model, HEAD)[1:] == ("score .5", "rank 26 of 48 in mass")
