"""The tools of the canvas: what the mouse paints, and what one step of undo is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from gazeviz.app.session.values import Tool
from gazeviz.domain.region import Region
from gazeviz.ui.picture.tools import MAKERS
from gazeviz.ui.shell.session_commands import place_offers
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import (
    ALT,
    SHIFT,
    SIZE_PX,
    Mouse,
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


def test_every_tool_of_the_session_is_made():
    assert set(MAKERS) == set(get_args(Tool))


def test_a_rectangle_makes_a_region_of_exactly_its_pixels_in_one_step(stage, mouse):
    stage.model.tool = "rectangle"
    mouse.drag((20.3, 10.2), (50, 33), (70.6, 40.9))
    assert np.array_equal(stage.mask(), Region.box("", (20.3, 10.2, 70.6, 40.9), SIZE_PX).mask_HW)
    assert stage.n_steps == 1
    stage.controller.editor.undo_stack.undo()
    assert len(stage.model.regions) == 0


def test_an_ellipse_is_a_circle_while_shift_is_pressed_in_the_middle_of_its_drag(stage, mouse):
    stage.model.tool = "ellipse"
    mouse.press((10, 10))
    mouse.move((50, 20), keys=SHIFT)
    mouse.release((50, 30), keys=SHIFT)
    assert np.array_equal(stage.mask(), Region.ellipse("", (10, 10, 50, 50), SIZE_PX).mask_HW)


def test_each_shape_is_a_region_of_its_own_and_shift_adds_to_the_active_one(stage, mouse):
    stage.model.tool = "rectangle"
    mouse.drag((0, 0), (10, 10))
    mouse.drag((20, 20), (40, 30))
    assert [stage.mask(place).sum() for place in (0, 1)] == [100, 200]
    mouse.drag((60, 60), (70, 80), keys=SHIFT)
    assert len(stage.model.regions) == 2 and stage.mask(1).sum() == 200 + 200, "no square: Shift adds"
    stage.controller.editor.undo_stack.undo()
    stage.controller.editor.undo_stack.undo()
    assert len(stage.model.regions) == 1 and stage.mask().sum() == 100


def test_a_shape_goes_into_the_region_that_was_added_for_it(stage, mouse):
    stage.model.tool = "rectangle"
    mouse.drag((0, 0), (10, 10))
    stage.controller.editor.add_region("mine")
    mouse.drag((20, 20), (40, 30))
    assert len(stage.model.regions) == 2
    assert (stage.mask(0).sum(), stage.mask(1).sum()) == (100, 200)


def test_alt_cuts_out(stage, mouse):
    stage.model.tool = "rectangle"
    mouse.drag((0, 0), (60, 60))
    mouse.drag((20, 20), (40, 40), keys=ALT)
    assert stage.mask().sum() == 60 * 60 - 20 * 20


@pytest.mark.parametrize("zoom", [1.0, 2.0, 7.3])
def test_the_brush_paints_what_its_circle_shows(stage, canvas, mouse, zoom):
    stage.model.tool, stage.model.brush_px = "brush", 25
    canvas.view.zoom_to(zoom)
    mouse.click((60.4, 40.7))
    circle = canvas._brush_rect(canvas.view.to_screen((60.4, 40.7)))
    y, x = np.mgrid[: SIZE_PX[1], : SIZE_PX[0]] + 0.5
    middle = canvas.view.to_picture(circle.center())
    inside = np.hypot(x - middle[0], y - middle[1]) <= circle.width() / 2 / zoom
    assert np.array_equal(stage.mask(), inside)


def test_one_drag_of_the_brush_is_one_step(stage, mouse):
    stage.model.tool, stage.model.brush_px = "brush", 10
    mouse.drag((20, 20), (40, 25), (60, 60), (90, 30))
    mouse.drag((10, 70), (30, 70))
    assert stage.n_steps == 2
    painted = stage.mask().copy()
    stage.controller.editor.undo_stack.undo()
    stage.controller.editor.undo_stack.redo()
    assert np.array_equal(stage.mask(), painted)


def test_esc_takes_the_stroke_back(stage, canvas, mouse):
    stage.model.tool, stage.model.brush_px = "brush", 10
    mouse.drag((20, 20), (40, 25))
    before = stage.mask().copy()
    mouse.press((70, 50))
    mouse.move((90, 60))
    assert not np.array_equal(stage.mask(), before)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    mouse.move((100, 10))
    mouse.release((100, 10))
    assert np.array_equal(stage.mask(), before)
    assert stage.n_steps == 1


def test_undo_in_the_middle_of_a_stroke_ends_the_stroke(stage, mouse):
    stage.model.tool = "brush"
    mouse.drag((20, 20), (40, 25))
    before = stage.mask().copy()
    mouse.press((70, 50))
    stage.controller.editor.undo()
    mouse.move((90, 60))
    mouse.release((90, 60))
    assert np.array_equal(stage.mask(), before)


def test_a_locked_region_is_not_painted_and_says_so(stage, mouse):
    stage.model.tool = "brush"
    mouse.click((20, 20))
    region = stage.model.active_region
    stage.controller.editor.lock_region(region.id, True)
    before = region.mask_HW.copy()
    mouse.drag((60, 40), (80, 40))
    assert np.array_equal(region.mask_HW, before)
    assert "locked" in stage.notice


def test_a_polygon_of_clicks_is_closed_by_enter(stage, canvas, mouse):
    stage.model.tool = "polygon"
    corners = [(10.2, 10.1), (100.3, 20.4), (60.6, 70.2)]
    for corner in corners:
        mouse.click(corner)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert np.array_equal(stage.mask(), Region.polygon("", corners, SIZE_PX).mask_HW)
    assert stage.n_steps == 1


def test_a_polygon_is_closed_on_its_first_corner(stage, mouse):
    stage.model.tool = "polygon"
    for corner in ((10, 10), (100, 20), (60, 70), (11, 11)):
        mouse.click(corner)
    assert np.array_equal(stage.mask(), Region.polygon("", [(10, 10), (100, 20), (60, 70)], SIZE_PX).mask_HW)


def test_a_lasso_is_closed_where_it_is_let_go(stage, mouse):
    stage.model.tool = "polygon"
    mouse.drag((20, 20), (60, 20), (60, 60), (20, 60))
    assert np.array_equal(stage.mask(), Region.box("", (20, 20, 60, 60), SIZE_PX).mask_HW)


def test_esc_forgets_a_polygon(stage, canvas, mouse):
    stage.model.tool = "polygon"
    for corner in ((10, 10), (100, 20), (60, 70)):
        mouse.click(corner)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert len(stage.model.regions) == 0


def test_cells_are_filled_along_a_drag_and_cleared_by_another(stage, mouse):
    stage.model.tool = "cell"
    mouse.drag((5, 5), (25, 5), (45, 5))
    assert list(stage.model.cells_of(stage.model.active_region_id)) == [0, 1, 2]
    assert stage.mask().sum() == 3 * 20 * 20
    assert stage.n_steps == 1
    mouse.drag((25, 5), (45, 5))
    assert list(stage.model.cells_of(stage.model.active_region_id)) == [0]


def test_a_click_with_the_target_tool_sets_the_target(qtbot):
    stage = open_painting_stage()
    stage.show(layout="1x3")
    mouse = Mouse(open_canvas(stage, qtbot))
    stage.model.tool = "panel"
    mouse.click((60, 40))
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    stage.controller.editor.show_region(stage.model.regions.ids[1], False)
    mouse.click((60, 40))
    assert stage.model.target_region_id == stage.model.regions.ids[1]
    assert "no region" in stage.notice
    stage.close()


def test_move_selects_and_then_drags_a_region_as_one_step(stage, mouse):
    stage.model.tool = "rectangle"
    mouse.drag((10, 10), (30, 30))
    first = stage.model.active_region_id
    stage.controller.editor.add_region()
    mouse.drag((60, 10), (80, 30))
    stage.model.tool = "move"
    mouse.click((20, 20))
    assert stage.model.active_region_id == first
    steps = stage.n_steps
    mouse.drag((20, 20), (30, 24), (45.2, 33.1))
    assert np.array_equal(stage.mask(), Region.box("", (35, 23, 55, 43), SIZE_PX).mask_HW)
    assert stage.n_steps == steps + 1
    stage.controller.editor.undo_stack.undo()
    assert np.array_equal(stage.mask(), Region.box("", (10, 10, 30, 30), SIZE_PX).mask_HW)


def test_move_pans_where_the_active_region_is_not(stage, canvas, mouse):
    stage.model.tool = "move"
    left_px = canvas.view.left_px
    mouse.press((20, 20))
    mouse.move_on_screen(canvas.view.to_screen((20, 20)) + QPointF(12, 0))
    mouse.release((20, 20))
    assert canvas.view.left_px == pytest.approx(left_px + 12)


def test_space_held_pans_and_paints_nothing(stage, canvas, mouse):
    stage.model.tool = "brush"
    mouse.move((60, 40))
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    left_px = canvas.view.left_px
    mouse.press((60, 40))
    mouse.move_on_screen(canvas.view.to_screen((60, 40)) + QPointF(9, 0))
    mouse.release((60, 40))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.view.left_px == pytest.approx(left_px + 9)
    assert len(stage.model.regions) == 0
    assert stage.model.notice is None


def test_space_tapped_runs(stage, canvas, mouse):
    mouse.move((60, 40))
    QTest.keyClick(canvas, Qt.Key.Key_Space)
    assert "No model" in stage.notice


def test_the_menu_asks_which_heads_look_at_a_cell(stage, canvas):
    found = {command.id: command for command in place_offers(stage.model, stage.controller, (25, 5))}
    found["place.look_at_cell"].run()
    assert stage.model.grid_metric == "look_here"
    assert list(stage.model.look_at.tokens_P) == [1]
