"""The gallery: maps of the chosen or the best heads, pointed at and chosen like cells of the grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QEnterEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from gazeviz.app.session.values import GalleryChoice
from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.wording import format_figure
from gazeviz.ui.heads.gallery import Gallery, GalleryMenu, TileGrid, columns_for, map_size, shared_end
from gazeviz.ui.widgets.map_painter import MapPainter
from gazeviz.ui.widgets.region_badge import PlaceLabel
from tests.ui.fixtures.painting_stage import child_of

WIDTH_PX = 313


def opened(stage, qtbot) -> Gallery:
    gallery = Gallery(stage.model, stage.controller)
    qtbot.addWidget(gallery)
    gallery.resize(WIDTH_PX, 500)
    gallery.show()
    stage.until(lambda: stage.model.gallery)
    return gallery


@pytest.fixture
def gallery(stage, qtbot) -> Gallery:
    return opened(stage, qtbot)


def maps_of(gallery: Gallery) -> TileGrid:
    maps = child_of(gallery, "galleryMaps")
    assert isinstance(maps, TileGrid)
    return maps


def heads_of(gallery: Gallery) -> list[Head]:
    return [tile.head for tile in maps_of(gallery).tiles]


def text_of(gallery: Gallery, name: str) -> str:
    found = child_of(gallery, name)
    assert isinstance(found, QLabel)
    return found.text()


def point_at(tile) -> None:
    middle = QPointF(tile.rect().center())
    QApplication.sendEvent(tile, QEnterEvent(middle, middle, middle))


def test_every_map_has_its_head_and_its_figure(stage, gallery):
    shown = stage.model.gallery
    assert heads_of(gallery) == [head for head, _, _ in shown]
    assert [tile.mass for tile in maps_of(gallery).tiles] == [format_figure(mass) for _, _, mass in shown]
    assert all(tile.isVisible() and tile.accessibleName() for tile in maps_of(gallery).tiles)


def test_the_figures_are_about_the_target(stage, gallery):
    place = child_of(gallery, "galleryPlace")
    assert isinstance(place, PlaceLabel)
    assert place.text == "mass on the whole picture"
    before = [tile.mass for tile in maps_of(gallery).tiles]
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.until(lambda: [tile.mass for tile in maps_of(gallery).tiles] != before)
    assert place.text == "mass on 4 Panel 4"


def test_which_and_how_many_is_a_choice(stage, gallery):
    order = stage.model.ranking.order()
    button = child_of(gallery, "galleryChoice")
    assert isinstance(button, GalleryMenu)
    stage.model.chosen = HeadSet(order[10:12])
    stage.until(lambda: heads_of(gallery) == list(order[10:12]))
    assert button.text().startswith("2 chosen")
    actions = {action.objectName(): action for action in button.menu().actions()}
    actions["gallery.heads_best"].trigger()
    actions["gallery.at_most_6"].trigger()
    assert stage.model.gallery_choice == GalleryChoice("best", 6)
    stage.until(lambda: heads_of(gallery) == list(order[:6]))
    assert button.text().startswith("best 6 of mass")
    button.menu().aboutToShow.emit()
    ticked = {action.objectName() for action in button.menu().actions() if action.isChecked()}
    assert ticked == {"gallery.heads_best", "gallery.at_most_6", "gallery.scale_one"}


def test_pointing_shows_the_head_everywhere_and_follows_the_grid(stage, gallery):
    tile = maps_of(gallery).tiles[2]
    point_at(tile)
    assert stage.model.hovered_head == tile.head
    QApplication.sendEvent(tile, QEvent(QEvent.Type.Leave))
    assert stage.model.hovered_head is None
    dark = tile.grab().toImage()
    stage.model.hovered_head = tile.head
    assert tile.grab().toImage() != dark, "pointed at in the grid, outlined here"


def test_a_click_keeps_the_map_until_another_one_or_something_else_is_pointed_at(stage, gallery):
    first, second = maps_of(gallery).tiles[:2]
    before = stage.model.chosen
    for tile in (first, second):
        point_at(tile)
        QTest.mouseClick(tile, Qt.MouseButton.LeftButton)
        QApplication.sendEvent(tile, QEvent(QEvent.Type.Leave))
        assert stage.model.hovered_head == tile.head
    point_at(first)
    QApplication.sendEvent(first, QEvent(QEvent.Type.Leave))
    assert stage.model.hovered_head == second.head and stage.model.chosen == before
    QTest.mouseClick(second, Qt.MouseButton.LeftButton)
    assert stage.model.hovered_head is None
    QTest.mouseClick(second, Qt.MouseButton.LeftButton)
    stage.model.hovered_head = None
    assert stage.model.hovered_head is None, "the grid has been left: nothing is kept against it"


def test_ctrl_and_click_lets_go_and_chooses_in_undo_steps(stage, gallery):
    stage.model.gallery_choice = GalleryChoice("best", 12)
    stage.until(lambda: len(heads_of(gallery)) == 12)
    tile = maps_of(gallery).tiles[0]
    before = stage.model.chosen
    assert tile.head in before and tile.isChecked()
    QTest.mouseClick(tile, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier)
    assert tile.head not in stage.model.chosen and not tile.isChecked()
    QTest.mouseClick(tile, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier)
    assert set(stage.model.chosen) == set(before)
    stage.controller.editor.undo()
    assert tile.head not in stage.model.chosen


def test_the_keyboard_goes_from_map_to_map_and_chooses(stage, gallery, qtbot):
    tiles = maps_of(gallery).tiles
    gallery.activateWindow()
    tiles[0].setFocus()
    qtbot.waitUntil(tiles[0].hasFocus)
    assert stage.model.hovered_head == tiles[0].head
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        override = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        override.ignore()
        QApplication.sendEvent(tiles[0], override)
        assert override.isAccepted(), "or the window's token cursor would move"
    QTest.keyClick(tiles[0], Qt.Key.Key_Right)
    assert tiles[1].hasFocus() and stage.model.hovered_head == tiles[1].head
    QTest.keyClick(tiles[1], Qt.Key.Key_Down)
    there = tiles[1 + maps_of(gallery).columns]
    assert there.hasFocus()
    was_chosen = there.head in stage.model.chosen
    QTest.keyClick(there, Qt.Key.Key_Return)
    assert (there.head in stage.model.chosen) == was_chosen and stage.model.hovered_head == there.head
    QTest.keyClick(there, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert (there.head in stage.model.chosen) != was_chosen


def test_what_is_missing_is_said(open_stage, qtbot, strip_path):
    stage = open_stage()
    gallery = Gallery(stage.model, stage.controller)
    qtbot.addWidget(gallery)
    gallery.resize(WIDTH_PX, 500)
    gallery.show()
    assert "Open a picture" in text_of(gallery, "galleryNote")
    stage.controller.open_picture(strip_path)
    stage.model.prompt = "What is this?"
    stage.until(lambda: maps_of(gallery).tiles)
    assert not child_of(gallery, "galleryNote").isVisible()
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.controller.kill_worker()
    stage.until(lambda: "Run it again" in text_of(gallery, "galleryNote"))
    assert not maps_of(gallery).tiles


def test_what_changes_while_it_is_hidden_is_there_when_it_is_shown(stage, gallery):
    gallery.hide()
    order = stage.model.ranking.order()
    stage.model.gallery_choice = GalleryChoice("best", 6)
    stage.until(lambda: len(stage.model.gallery) == 6)
    gallery.show()
    assert heads_of(gallery) == list(order[:6])


def test_maps_of_another_grid_are_not_laid_over_this_picture(stage, gallery):
    stage.model.set_grid(TokenGrid.plain((2, 3), stage.model.picture.size_px, (60, 40)), None)
    assert not maps_of(gallery).tiles and text_of(gallery, "galleryNote")


def test_strips_stand_in_two_columns_and_photos_in_four():
    assert columns_for(6.0, WIDTH_PX) == 2
    assert columns_for(1.0, WIDTH_PX) == columns_for(0.6, WIDTH_PX) == 4
    assert columns_for(20.0, WIDTH_PX) == 1
    strip = map_size(6.0, WIDTH_PX, 2)
    assert 24 <= strip.height() <= 28 and strip.width() == 152
    tall = map_size(0.25, WIDTH_PX, 4)
    assert tall.height() == 112 and tall.width() == 28, "its shape, however narrow"


def test_one_scale_leaves_no_map_dark_because_of_one_bright_cell():
    spike = np.zeros(400, dtype=np.float32)
    spike[7] = 0.9
    even = np.full(400, 0.01, dtype=np.float32)
    assert shared_end([spike, even]) == pytest.approx(0.01)
    assert shared_end([spike]) == pytest.approx(0.9), "no scale ends at nothing"
    assert shared_end([]) == 0.0


def test_the_scale_says_its_ends(stage, gallery):
    end = shared_end([values_P for _, values_P, _ in stage.model.gallery])
    assert text_of(gallery, "galleryScaleHigh") == f"{format_figure(end)}+"
    stage.model.gallery_choice = GalleryChoice(own_scale=True)
    assert text_of(gallery, "galleryScaleHigh") == "own max"
    assert "own scale" in child_of(gallery, "galleryScale").toolTip()


def test_a_plain_map_has_a_pixel_for_each_cell():
    painter = MapPainter(TokenGrid.plain((2, 3), (60, 40), (60, 40)))
    values_P = np.array([0, 0, 1, 0, 0.5, 0], dtype=np.float32)
    image = painter.image(values_P, 1.0)
    assert (image.width(), image.height()) == (3, 2)
    alpha = [[image.pixelColor(x, y).alpha() for x in range(3)] for y in range(2)]
    assert alpha[0][2] > alpha[1][1] > alpha[0][0] == 0
    assert painter.part.getRect() == (0.0, 0.0, 1.0, 1.0)


def test_a_tiled_map_means_what_the_picture_map_means(rng):
    boxes_P4 = np.concatenate([
        even_boxes((8, 8), (0, 0, 320, 160)), even_boxes((2, 2), (0, 0, 640, 320)), np.full((1, 4), np.nan)
    ])  # fmt: skip
    grid = TokenGrid(boxes_P4, (640, 320), (640, 320))
    values_P = rng.random(grid.n_tokens).astype(np.float32)
    painter = MapPainter(grid)
    expected_HW = grid.picture_map(values_P, (64, 32))
    assert np.allclose(painter._values_HW(values_P), expected_HW, atol=1e-6)


def test_both_themes_and_a_narrow_column_draw_everything(stage, gallery):
    stage.model.gallery_choice = GalleryChoice("best", 12)
    stage.until(lambda: len(heads_of(gallery)) == 12)
    for width_px in (200, WIDTH_PX, 600):
        gallery.resize(width_px, 700)
        QApplication.processEvents()
        maps = maps_of(gallery)
        assert all(maps.rect().contains(tile.geometry()) for tile in maps.tiles)
        tile = maps.tiles[0]
        image = tile.grab().toImage()
        colours = {QColor(image.pixel(QPoint(x, 8))).name() for x in range(0, image.width(), 3)}
        assert len(colours) > 3, "a picture with a map on it"


def test_a_run_of_the_log_says_why_there_are_no_maps_and_can_be_run_again(stage, gallery):
    stage.controller.heads.top(3)
    stage.model.target_region_id = stage.model.regions.ids[1]
    stage.controller.run()
    run = stage.until_ended()
    again = child_of(gallery, "galleryRunAgain")
    assert again.isHidden()
    stage.until(lambda: not stage.controller.runs.active)
    logged = replace(run, id=900, job=None, worker=0, logged=True)
    stage.model.show_run("steered", logged)
    stage.until(lambda: not stage.model.gallery and not again.isHidden())
    assert "The log keeps the chosen heads' mean map" in text_of(gallery, "galleryNote")
    QTest.mouseClick(again, Qt.MouseButton.LeftButton)
    stage.until(lambda: stage.shown("steered") is not logged)
    stage.until_ended()
    stage.until(lambda: stage.model.gallery)
    assert again.isHidden()
