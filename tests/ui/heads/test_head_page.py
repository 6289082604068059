"""The page of one head: opened from grid, gallery and by key; collects, measures, walks and goes back."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QPushButton

from gazeviz.domain.experiments.head_metrics import METRICS
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.ui.heads.gallery_tile import MapTile
from gazeviz.ui.heads.head_commands import meant_head
from gazeviz.ui.heads.head_grid import HeadGrid
from gazeviz.ui.heads.head_page import HeadPage
from gazeviz.ui.heads.head_page_plots import axis_options, ticks_between, values_of
from tests.fakes.scripted import SHAPE_LH
from tests.ui.fixtures.head_stage import GridMouse, open_head_stage
from tests.ui.fixtures.painting_stage import child_of

SET = "builtin:4@7"


@pytest.fixture
def page(stage, qtbot) -> HeadPage:
    page = HeadPage(stage.model, stage.controller)
    qtbot.addWidget(page)
    page.resize(1280, 700)
    page.field.setText(SET)
    page.open_head(stage.model.ranking.order()[2])
    page.show()
    return page


def words(page: HeadPage, name: str) -> str:
    label = child_of(page, name)
    assert isinstance(label, QLabel)
    return label.text()


def press(page: HeadPage, name: str) -> None:
    button = child_of(page, name)
    assert isinstance(button, QPushButton) and button.isVisible() and button.isEnabled(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_head_stands_in_every_ranking(stage, page):
    head = page.head
    rankings = stage.model.rankings
    assert words(page, "headPageTitle") == str(head)
    ranks = {name: rank for name, _, rank in page.ranks.parts}
    assert ranks == {name.replace("_", " "): one.rank_of(head) for name, one in rankings.items()}
    assert "rank" in page.ranks.accessibleName()


def test_previous_and_next_go_along_the_ranking_and_end_with_it(stage, page):
    order = stage.model.ranking.order()
    press(page, "headPageNext")
    assert page.head == order[3] == stage.model.studied_head
    for _ in range(3):
        press(page, "headPagePrevious")
    assert page.head == order[0] and not page.previous.isEnabled()
    page.step(-1)
    assert page.head == order[0]
    page.open_head(order[-1])
    assert not page.next.isEnabled()


def test_examples_are_collected_and_shown_by_group(stage, page):
    assert "No examples over builtin:4@7" in words(page, "examplesNote") and not page.groups.tiles
    press(page, "headPageCollect")
    assert page.studying and page.collect.text() == "Stop" and not page.measure.isEnabled()
    stage.until(lambda: page.groups.tiles)
    groups = [tile.example.group for tile in page.groups.tiles]
    assert groups == ["top"] * 12 + ["middle"] * 6 + ["low"] * 6
    assert "160 tokens" in page.histogram.accessibleName() and page.collect.text() == "Collect again"
    assert "“cat” in strip" in page.groups.tiles[0].accessibleName()
    head = page.head
    page.step(1)
    assert not page.groups.tiles and "No examples" in words(page, "examplesNote")
    page.open_head(head)
    assert len(page.groups.tiles) == 24, "what was collected is kept"


def test_collecting_shows_how_far_it_is_and_can_be_stopped(stage, page):
    bar = child_of(page, "headPageProgress")
    assert isinstance(bar, QProgressBar)
    stage.backend.pace.hold()
    press(page, "headPageCollect")
    stage.backend.pace.allow(2)
    stage.until(lambda: bar.value() >= 1)
    assert bar.isVisible() and "being collected" in words(page, "examplesNote")
    press(page, "headPageCollect")
    stage.backend.pace.free()
    stage.until(lambda: not page.studying)
    assert not page.groups.tiles and not bar.isVisible() and page.collect.text() == "Collect"


def test_a_set_that_is_none_is_said_in_place(stage, page):
    page.field.setText("builtin:x")
    press(page, "headPageCollect")
    assert not page.studying and "no picture set" in stage.model.notice.sentence


def test_measures_stand_among_those_of_other_heads_and_become_axes(stage, page):
    assert "metric image" not in dict(axis_options(stage.model, None))
    press(page, "headPageMeasure")
    stage.until(lambda: page.measures.isVisible())
    metrics = stage.controller.studies.metrics(SET)
    assert set(dict(axis_options(stage.model, metrics))) >= {f"metric {name}" for name in METRICS}
    page.scatter.choose("x", "metric image")
    values_LH = values_of(stage.model, metrics, "metric image", SHAPE_LH)
    assert np.allclose(values_LH, metrics.mean_LH("image"))
    assert len(page.scatter.heads) == 64 and page.scatter.keys["x"] == "metric image"


def test_an_effect_has_a_random_head_beside_it(stage, page):
    head = page.head
    press(page, "headPageEffect")
    stage.until(lambda: page.effects.rows)
    names = [name for name, _ in page.effects.rows]
    assert names[:2] == ["steered", "knocked out"]
    assert all(name.startswith("random, ") for name in names[2:]) and len(names) == 4
    of = {str(effect.heads) for _, effect in page.effects.rows}
    assert str(head) in of and len(of) == 2
    page.step(1)
    assert page.effects.rows == () and not page.effects.isVisible()


def test_a_dot_opens_its_head(stage, page):
    other = next(head for head in page.scatter.heads if head != page.head)
    at = page.scatter.point_of(other)
    viewport = page.scatter.plot.viewport()
    for kind, button in ((QEvent.Type.MouseMove, Qt.MouseButton.NoButton),
                         (QEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton)):  # fmt: skip
        event = QMouseEvent(
            kind, at, viewport.mapToGlobal(at), button, button, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(viewport, event)
    assert page.head == other


def test_the_matrix_is_that_of_a_ranking_that_carries_one(stage, page):
    assert "No ranking" in words(page, "matrixNote") and not page.matrix.isVisible()
    matrix = np.zeros((*SHAPE_LH, 6, 6))
    matrix[..., np.arange(6), np.arange(6)] = 0.5
    stage.model.put_rankings({"own": HeadRanking("own", np.ones(SHAPE_LH), 25, matrix)})
    assert page.matrix.isVisible() and words(page, "matrixNote").startswith("diagonal .5")
    assert words(page, "matrixAbout") == "25 strips"


def test_steering_it_alone_chooses_it_goes_back_and_runs(stage, page):
    stage.model.target_region_id = stage.model.regions.ids[1]
    went = []
    page.back_wanted.connect(lambda: went.append(True))
    press(page, "headPageSteer")
    assert stage.model.chosen.heads == (page.head,) and went
    assert stage.until_ended("steered").spec.chosen.heads == (page.head,)


def test_without_a_model_the_page_says_so(stage, page):
    stage.model.model_info = None
    assert page.head is None and words(page, "headPageTitle") == "No head"
    assert "No model is loaded" in words(page, "examplesNote")
    assert not page.collect.isEnabled() and not page.alone.isEnabled()


def test_a_double_click_in_the_grid_opens_the_page_and_leaves_the_choice(qtbot):
    stage = open_head_stage()
    try:
        grid = HeadGrid(stage.model, stage.controller)
        qtbot.addWidget(grid)
        grid.resize(300, grid.heightForWidth(300))
        grid.show()
        chosen = HeadSet((Head(1, 1), Head(2, 2)))
        stage.controller.editor.choose_heads(chosen)
        opened: list[object] = []
        mouse, before = GridMouse(grid), stage.model.chosen
        grid.page_wanted.connect(opened.append)
        mouse.click(Head(3, 3))
        assert stage.model.chosen.heads == (Head(3, 3),)
        at = mouse.at(Head(3, 3))
        event = QMouseEvent(
            QEvent.Type.MouseButtonDblClick, at, grid.mapToGlobal(at), Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(grid, event)
        assert opened == [Head(3, 3)] and stage.model.chosen.heads == before.heads
        gone = mouse.at(Head(0, 7))  # a head that the model lacks
        QApplication.sendEvent(grid, QMouseEvent(
            QEvent.Type.MouseButtonDblClick, gone, grid.mapToGlobal(gone), Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        ))  # fmt: skip
        assert opened == [Head(3, 3)]
    finally:
        stage.close()


def test_a_double_click_on_a_map_asks_for_the_page(qtbot):
    tile = MapTile()
    qtbot.addWidget(tile)
    tile.resize(100, 60)
    tile.show()
    opened: list[object] = []
    tile.page_wanted.connect(opened.append)
    QTest.mouseDClick(tile, Qt.MouseButton.LeftButton)
    assert opened == [tile.head]


def test_the_head_that_is_meant(stage):
    model, order = stage.model, stage.model.ranking.order()
    model.chosen = HeadSet(())
    model.hovered_head = None
    assert meant_head(model) == order[0]
    model.chosen = HeadSet((order[5], order[4]))
    assert meant_head(model) == order[4]
    model.studied_head = order[7]
    assert meant_head(model) == order[7]
    model.hovered_head = Head(7, 7)
    assert meant_head(model) == Head(7, 7)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.0, 1.0, ["0", ".2", ".4", ".6", ".8", "1.0"]), (-0.01, 0.08, ["0", ".02", ".04", ".06", ".08"])],
)
def test_ticks_are_round(low, high, said):
    assert [text for _, text in ticks_between(low, high)] == said
