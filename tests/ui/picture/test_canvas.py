"""The canvas: how a picture lies in it, and that what is seen is what is there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QSizeF, Qt, QVariantAnimation
from PySide6.QtGui import QImage, QRegion, QWheelEvent
from PySide6.QtWidgets import QApplication

from gazeviz.app.session.values import MapView
from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.ui.picture.canvas import FADE_MS, ImageCanvas
from gazeviz.ui.picture.layers import cell_lines, cells, fed_box, outline, surface
from gazeviz.ui.picture.region_layer import hover_text
from gazeviz.ui.picture.view import FIT_MARGIN_PX, PictureView
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import (
    ALT,
    SIZE_PX,
    Mouse,
    Painted,
    PaintingStage,
    open_canvas,
    open_painting_stage,
)


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[PaintingStage]:
    stage = open_painting_stage()
    stage.show()
    yield stage
    stage.close()


def seen(canvas: ImageCanvas) -> NDArray[np.int64]:
    """What the canvas shows, (H, W, 3), without the zoom in its corner."""
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.width(), 4)
    return pixels[:-44, :, 2::-1].astype(np.int64)


# The view


@pytest.mark.parametrize("size_px", [(300, 900), (1800, 300), (64, 64)])
def test_a_fitted_picture_is_whole_and_in_the_middle(size_px):
    view = PictureView()
    view.resize(QSizeF(800, 500))
    view.show_picture(size_px)
    rect = view.picture_rect()
    assert rect.width() / rect.height() == pytest.approx(size_px[0] / size_px[1])
    assert rect.center().x() == pytest.approx(400, abs=1)
    assert rect.center().y() == pytest.approx(250, abs=1)
    assert max(rect.width() / (800 - 2 * FIT_MARGIN_PX), rect.height() / (500 - 2 * FIT_MARGIN_PX)) == (
        pytest.approx(1)
    )


def test_a_fitted_picture_follows_the_canvas_and_a_zoomed_one_keeps_its_zoom():
    view = PictureView()
    view.show_picture((100, 50))
    view.resize(QSizeF(348, 348))
    assert view.zoom == pytest.approx(3)
    view.zoom_to(5)
    view.resize(QSizeF(700, 700))
    assert view.zoom == 5


def test_the_wheel_keeps_the_point_under_the_cursor(canvas):
    at = QPointF(137, 141)
    before = canvas.view.to_picture(at)
    for notches in (120, 120, 240, -120):
        event = QWheelEvent(
            at, canvas.mapToGlobal(at), QPoint(), QPoint(0, notches), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)
    assert canvas.view.zoom == pytest.approx(2 * 1.2**3)
    assert canvas.view.to_picture(at) == pytest.approx(before)


def test_however_far_it_is_panned_some_of_the_picture_stays_in_sight(canvas):
    canvas.pan(-9999, 9999)
    assert canvas.view.picture_rect().intersects(canvas.rect().toRectF())


def test_the_middle_button_pans_and_paints_nothing(canvas, mouse, stage):
    left_px = canvas.view.left_px
    mouse.press((10, 10), button=Qt.MouseButton.MiddleButton)
    mouse.move_on_screen(canvas.view.to_screen((10, 10)) + QPointF(15, 0))
    mouse.release((10, 10))
    assert canvas.view.left_px == pytest.approx(left_px + 15)
    assert len(stage.model.regions) == 0


# What is seen


def test_a_stroke_drawn_piece_by_piece_looks_like_one_drawn_at_once(stage, canvas, mouse, qtbot):
    stage.model.tool, stage.model.brush_px, stage.model.show_cells = "brush", 14, True
    canvas.grab()
    mouse.press((15, 20))
    for step in range(30):
        mouse.move((15 + 3 * step, 40 + 30 * math.sin(step / 3)))
        QApplication.processEvents()
    mouse.release((100, 30))
    mouse.drag((30, 10), (40, 70), keys=ALT)
    canvas.leaveEvent(None)
    QApplication.processEvents()
    piecewise = seen(canvas)
    stage.model.regions_changed.emit()
    assert np.array_equal(piecewise, seen(canvas))


def test_a_region_is_tinted_and_outlined_in_its_colour(stage, canvas, mouse):
    before = seen(canvas)
    stage.model.tool = "rectangle"
    mouse.drag((43, 23), (83, 63))
    canvas.leaveEvent(None)
    after = seen(canvas)
    at = canvas.view.to_screen((60, 40.4)).toPoint()
    edge = canvas.view.to_screen((43, 44.4)).toPoint()
    blue = np.array([0x00, 0x72, 0xB2])
    assert np.abs(after[at.y(), at.x()] - blue).sum() < np.abs(before[at.y(), at.x()] - blue).sum()
    assert np.abs(after[edge.y(), edge.x() + 1] - blue).max() <= 2


def test_the_map_covers_most_where_most_is_looked_at(stage, canvas, qtbot):
    before = seen(canvas)
    values_P = np.full(24, 0.001, dtype=np.float32)
    values_P[9] = 0.3
    stage.model.map = MapView.of(values_P, "one head")
    qtbot.waitUntil(lambda: canvas._fade.state() == QVariantAnimation.State.Stopped)
    change = np.abs(seen(canvas) - before).sum(axis=2)
    hot, cold = (canvas.view.to_screen(point).toPoint() for point in ((70, 30), (10, 70)))
    assert change[hot.y(), hot.x()] > 100
    assert change[cold.y(), cold.x()] < 25
    stage.model.show_map = False
    assert np.array_equal(seen(canvas), before)


def test_maps_that_follow_each_other_fast_do_not_begin_the_fade_anew(stage, canvas, monkeypatch):
    now_s = itertools.count(1e6, FADE_MS / 5000)
    monkeypatch.setattr("gazeviz.ui.picture.canvas.monotonic", lambda: next(now_s))
    for seed in range(8):
        stage.model.map = MapView.of(np.random.default_rng(seed).random(24, dtype=np.float32), "")
        fades = canvas._fade.state() == QVariantAnimation.State.Running
        assert fades == (seed == 0)
    last = seen(canvas)
    stage.model.view_changed.emit()
    assert np.array_equal(last, seen(canvas))


def test_pointing_at_a_cell_says_which_and_how_much(stage):
    values_P = np.zeros(24, dtype=np.float32)
    values_P[9] = 0.0421
    stage.model.map = MapView.of(values_P, "")
    assert hover_text(stage.model, 9) == "cell 9  ·  row 1, column 3  ·  mass .042"
    assert hover_text(stage.model, None) == ""
    values_P[8] = 0.0002
    assert hover_text(stage.model, 8).endswith("mass <.001")
    assert hover_text(stage.model, 0).endswith("mass 0")


def test_what_is_said_of_a_cell_is_painted_anew_with_the_map(stage, canvas, mouse, qtbot):
    mouse.move((10, 10))
    qtbot.until_quiet()
    place, picture = canvas._status_rect(), canvas.view.picture_rect().toAlignedRect()
    assert not picture.contains(place)
    painted = Painted(canvas)
    stage.model.map = MapView.of(np.ones(24, dtype=np.float32), "")
    qtbot.waitUntil(lambda: not painted.region.isEmpty())
    assert painted.region.intersected(place) == QRegion(place)


@pytest.mark.parametrize("size_px", [(60, 400), (1200, 100)])
def test_portraits_and_strips_are_drawn_letterboxed(stage, qtbot, size_px):
    stage.show(size_px, shape_RC=(2, 2))
    canvas = open_canvas(stage, qtbot)
    canvas.fit()
    rect, pixels = canvas.view.picture_rect().toAlignedRect(), seen(canvas)
    ground = pixels[0, 0]
    outside = pixels.copy()
    outside[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1] = ground
    assert (outside == ground).all()
    assert (pixels[rect.center().y(), rect.center().x()] != ground).any()


def test_another_layout_keeps_the_zoom(stage, canvas):
    canvas.view.zoom_to(3.0)
    stage.controller.apply_layout(None)
    assert canvas.view.zoom == 3.0


def test_without_a_picture_the_canvas_says_what_to_do(qtbot):
    stage = open_painting_stage()
    canvas = ImageCanvas(stage.model, stage.controller)
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    Mouse(canvas).drag((10, 10), (20, 20))
    assert len(np.unique(seen(canvas).reshape(-1, 3), axis=0)) > 1
    assert len(stage.model.regions) == 0
    stage.close()


def test_what_the_model_is_not_fed_is_veiled(stage, canvas):
    whole = seen(canvas)
    grid = TokenGrid(even_boxes((4, 4), (20, 0, 100, 80)), SIZE_PX, (64, 64), (4, 4), "Cropped.")
    stage.model.set_grid(grid, None)
    cropped = seen(canvas)
    inside, outside = (canvas.view.to_screen(point).toPoint() for point in ((60.5, 40.5), (8.5, 40.5)))
    assert np.array_equal(cropped[inside.y(), inside.x()], whole[inside.y(), inside.x()])
    assert cropped[outside.y(), outside.x()].sum() < 0.7 * whole[outside.y(), outside.x()].sum()


def test_the_focus_is_seen_where_it_came_by_the_keyboard(stage, canvas):
    canvas.setFocus(Qt.FocusReason.MouseFocusReason)
    plain = seen(canvas)
    canvas.clearFocus()
    canvas.setFocus(Qt.FocusReason.TabFocusReason)
    assert not np.array_equal(seen(canvas)[0], plain[0])


# Pieces


def test_a_crop_is_a_box_and_a_whole_picture_is_none():
    assert fed_box(TokenGrid.plain((2, 2), (60, 40), (28, 28))) is None
    assert fed_box(None) is None
    assert fed_box(TokenGrid(even_boxes((2, 2), (10, 0, 50, 40)), (60, 40), (28, 28), (2, 2))) == (
        10, 0, 50, 40,
    )  # fmt: skip


def test_a_surface_has_each_cells_value_at_its_middle(rng):
    grid = TokenGrid.plain((4, 8), (512, 256), (64, 32))
    values_P = rng.random(32).astype(np.float32)
    map_HW, box_px = surface(grid, values_P)
    assert list(box_px) == [0, 0, 512, 256]
    middles = map_HW[16::32, 16::32]
    assert np.allclose(middles.ravel(), values_P, atol=0.04)
    assert map_HW.min() >= values_P.min() - 1e-6
    assert map_HW.max() <= values_P.max() + 1e-6


def test_cells_of_a_crop_are_drawn_where_they_are():
    grid = TokenGrid(even_boxes((2, 2), (10, 0, 50, 40)), (60, 40), (28, 28), (2, 2))
    map_22, box_px = cells(grid, np.arange(4, dtype=np.float32))
    assert list(box_px) == [10, 0, 50, 40]
    assert map_22.tolist() == [[0, 1], [2, 3]]
    map_HW, _ = surface(grid, np.ones(4, dtype=np.float32))
    assert map_HW[:, :40].max() == 0
    assert map_HW[80, 128] == pytest.approx(1)


def test_lines_between_cells_are_drawn_once():
    assert len(cell_lines(TokenGrid.plain((3, 5), (50, 30), (50, 30)))) == 4 + 6
    apart_P4 = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [np.nan] * 4, [30, 0, 40, 10]])
    assert len(cell_lines(TokenGrid(apart_P4, (40, 10), (40, 10)))) == 11


def test_an_outline_leaves_out_the_edges_between_cells():
    boxes_P4 = even_boxes((3, 3), (0, 0, 30, 30))
    assert len(outline(boxes_P4)) == 12
    assert len(outline(boxes_P4[[0, 8]])) == 8
    assert len(outline(boxes_P4[[0, 1, 2, 3, 5, 6, 7, 8]])) == 16
    assert len(outline(np.zeros((0, 4)))) == 0
