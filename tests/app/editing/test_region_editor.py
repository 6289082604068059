"""Gestures on regions: each is one undo step, and what cannot be done says why and changes nothing."""

import numpy as np
import pytest

from gazeviz.app.editing import painting
from gazeviz.app.editing.editor import RegionEditor
from gazeviz.app.editing.undo import PaintCommand
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from tests.app.fixtures.staging import counted, model_with_picture


@pytest.fixture
def model(qtbot) -> SessionModel:
    return model_with_picture((40, 30), (3, 4))


@pytest.fixture
def editor(model) -> RegionEditor:
    return RegionEditor(model)


def masks(model: SessionModel) -> dict[str, np.ndarray]:
    return {region.name: region.mask_HW.copy() for region in model.regions}


def drag(editor: RegionEditor, *points: tuple[float, float], erase: bool = False) -> None:
    editor.begin_stroke(points[0], erase=erase)
    for point in points[1:]:
        editor.extend_stroke(point)
    editor.commit_stroke()


def assert_undone_and_redone(model: SessionModel, editor: RegionEditor, n_steps: int) -> None:
    """All the way back to nothing and forth again, step by step: every state is met twice."""
    states = [masks(model)]
    for _ in range(n_steps):
        editor.undo()
        states.append(masks(model))
    assert not editor.undo_stack.canUndo()
    for expected in reversed(states[:-1]):
        editor.redo()
        assert masks(model).keys() == expected.keys()
        assert all(np.array_equal(masks(model)[name], expected[name]) for name in expected)


def test_a_drag_is_one_undo_step(model, editor):
    editor.add_region("cat")
    model.brush_px = 6
    drag(editor, (5, 5), (12, 9), (20, 20), (21, 20))
    assert model.regions.named("cat").mask_HW.sum() > 100
    assert editor.undo_stack.count() == 2
    editor.undo()
    assert model.regions.named("cat").empty
    editor.redo()
    assert not model.regions.named("cat").empty


def test_paint_erase_and_shapes_are_undone_in_any_order(model, editor, rng):
    editor.add_region("cat")
    model.brush_px = 7
    drag(editor, (5, 5), (30, 20))
    editor.paint_rectangle((10, 2), (25, 28))
    drag(editor, (0, 15), (39, 15), erase=True)
    editor.paint_ellipse((20, 10), (38, 29))
    editor.paint_polygon([(2, 2), (12, 3), (6, 20)], erase=True)
    editor.add_region("dog")
    drag(editor, (30, 3), (33, 28))
    editor.remove_region(model.regions.named("cat").id)
    assert_undone_and_redone(model, editor, 9)


def test_a_command_keeps_only_the_box_that_was_flipped(qtbot):
    model = model_with_picture((4096, 4096), (4, 4))
    editor = RegionEditor(model)
    editor.add_region()
    model.brush_px = 64
    drag(editor, (2000.5, 2000.5), (2100.5, 2000.5))
    command = editor.undo_stack.command(1)
    assert isinstance(command, PaintCommand)
    assert command.n_bytes <= 165 * 65 / 8 + 1


def test_paint_is_told_while_it_is_painted(model, editor):
    region_id = editor.add_region()
    spy = counted(model.region_painted)
    editor.begin_stroke((5, 5))
    editor.extend_stroke((9, 9))
    assert spy.count() == 2 and spy.at(1)[0] == region_id
    editor.abort_stroke()
    assert spy.count() == 3
    editor.abort_stroke()
    assert spy.count() == 3 and not editor.stroke_in_progress


def test_escape_takes_a_stroke_back_and_leaves_no_step(model, editor):
    editor.add_region()
    editor.begin_stroke((5, 5))
    editor.extend_stroke((30, 25))
    editor.abort_stroke()
    assert model.active_region.empty and editor.undo_stack.count() == 1
    assert not editor.undo_stack.canRedo()


def test_undo_in_the_middle_of_a_drag_is_only_the_drag(model, editor):
    editor.add_region()
    editor.begin_stroke((5, 5))
    editor.redo()
    editor.undo()
    assert not editor.stroke_in_progress and len(model.regions) == 1 and model.active_region.empty


def test_a_drag_that_changes_nothing_is_no_step(model, editor):
    editor.add_region()
    editor.paint_rectangle((0, 0), (40, 30))
    drag(editor, (5, 5), (20, 20))
    assert editor.undo_stack.count() == 2


def test_a_first_stroke_makes_its_region_and_takes_it_away(model, editor):
    model.brush_px = 5
    drag(editor, (5, 5), (20, 20))
    assert model.regions.names == ("Region 1",) and model.active_region_id == model.regions.ids[0]
    assert editor.undo_stack.count() == 1
    painted = masks(model)["Region 1"]
    drag(editor, (30, 5), (30, 20))
    editor.undo()
    editor.undo()
    assert len(model.regions) == 0 and model.active_region_id is None
    editor.redo()
    assert np.array_equal(masks(model)["Region 1"], painted)


def test_an_aborted_first_stroke_leaves_no_region(model, editor):
    editor.begin_stroke((5, 5))
    assert len(model.regions) == 1, "it is shown while it is painted"
    editor.abort_stroke()
    assert len(model.regions) == 0 and editor.undo_stack.count() == 0
    editor.begin_stroke((-50, -50))
    editor.commit_stroke()
    assert len(model.regions) == 0 and editor.undo_stack.count() == 0


def test_locked_regions_refuse_everything_but_unlocking(model, editor):
    region_id = editor.add_region("cat")
    editor.paint_rectangle((0, 0), (10, 10))
    editor.lock_region(region_id, True)
    for refused in (
        lambda: editor.begin_stroke((5, 5)),
        lambda: editor.paint_rectangle((0, 0), (20, 20)),
        lambda: editor.remove_region(region_id),
        lambda: editor.rename_region(region_id, "dog"),
        lambda: editor.recolour_region(region_id, "#112233"),
        lambda: editor.clear_region(region_id),
    ):
        with pytest.raises(UserError, match="locked"):
            refused()
    assert not editor.stroke_in_progress and model.regions.of(region_id).mask_HW.sum() == 100
    editor.lock_region(region_id, False)
    editor.clear_region(region_id)
    assert model.regions.of(region_id).empty


def test_nothing_is_erased_from_nothing(model, editor):
    with pytest.raises(UserError, match="erase"):
        editor.begin_stroke((5, 5), erase=True)
    with pytest.raises(UserError, match="no pixel"):
        editor.paint_rectangle((-20, -20), (-5, -5))
    assert len(model.regions) == 0


def test_without_a_picture_there_is_nothing_to_paint_on(qtbot):
    editor = RegionEditor(SessionModel())
    for refused in (
        editor.add_region,
        lambda: editor.begin_stroke((1, 1)),
        lambda: editor.apply_layout(None),
    ):
        with pytest.raises(UserError, match="no picture"):
            refused()


def test_cells_are_filled_in_one_drag(model, editor):
    editor.begin_stroke((5, 5), brush=False)
    for point in ((5, 5), (15, 5), (15, 15)):
        editor.extend_with(editor.cells_at(point))
    editor.commit_stroke("Cells")
    assert model.cells_of(model.active_region_id).tolist() == [0, 1, 5]
    assert model.active_region.mask_HW.sum() == 300 and editor.undo_stack.undoText() == "Cells"
    assert editor.cells_at((400, 5)) is painting.NOTHING


def test_the_panel_under_a_point_is_filled(model, editor):
    with pytest.raises(UserError, match="no panel"):
        editor.paint_panel((5, 5))
    editor.apply_layout(Layout(1, 4))
    editor.add_region("mine")
    editor.paint_panel((25, 5))
    x = np.flatnonzero(model.active_region.mask_HW.any(axis=0))
    assert (x[0], x[-1]) == (20, 29)


def test_names_and_colours_are_undone(model, editor):
    a, b = editor.add_region("cat"), editor.add_region("dog")
    editor.rename_region(b, " cat ")
    editor.recolour_region(b, "#123456")
    editor.show_region(b, False)
    editor.lock_region(b, True)
    look = model.regions.of(b).look
    assert (look.name, look.colour, look.visible, look.locked) == ("cat (2)", "#123456", False, True)
    for _ in range(4):
        editor.undo()
    assert model.regions.of(b).name == "dog" and model.regions.of(b).visible
    editor.rename_region(a, "cat")
    editor.show_region(a, True)
    assert editor.undo_stack.index() == 2, "nothing has changed"
    with pytest.raises(UserError, match="name"):
        editor.rename_region(a, "  ")


def test_regions_are_put_in_another_order(model, editor):
    ids = [editor.add_region(name) for name in "abc"]
    editor.move_region(ids[2], 0)
    assert model.regions.names == ("c", "a", "b")
    editor.move_region(ids[2], 0)
    assert editor.undo_stack.count() == 4
    editor.undo()
    assert model.regions.names == ("a", "b", "c")


def test_a_removed_region_comes_back_with_what_it_was_used_for(model, editor):
    first, second = editor.add_region("cat"), editor.add_region("dog")
    model.active_region_id = model.target_region_id = first
    model.schedule = ((0, first), (5, second))
    editor.remove_region(first)
    assert model.target_region_id is None and model.schedule == ((5, second),)
    editor.undo()
    assert model.target_region_id == model.active_region_id == first
    assert model.schedule == ((0, first), (5, second))


def test_a_layout_replaces_untouched_panels_and_keeps_what_was_painted(model, editor):
    editor.apply_layout(Layout(1, 2))
    assert model.regions.names == ("Panel 1", "Panel 2") and model.picture.layout == Layout(1, 2)
    model.active_region_id = model.regions.ids[1]
    editor.paint_rectangle((0, 0), (5, 5))
    editor.apply_layout(Layout(2, 2))
    assert model.regions.names == ("Panel 1", "Panel 2 (2)", "Panel 3", "Panel 4", "Panel 2")
    assert [region.mask_HW.sum() for region in model.regions] == [300, 300, 300, 300, 625]
    editor.apply_layout(None)
    assert model.regions.names == ("Panel 2",) and model.picture.layout is None
    for _ in range(4):
        editor.undo()
    assert len(model.regions) == 0 and model.picture.layout is None
    with pytest.raises(UserError, match="no room"):
        editor.apply_layout(Layout(1, 50))


def test_imported_regions_are_one_step_with_names_of_their_own(model, editor):
    editor.add_region("cat")
    region = Region.box("cat", (0, 0, 5, 5), (40, 30), "#123456")
    added = editor.add_regions([region, region, Region.box("dog", (0, 0, 5, 5), (40, 30))])
    assert model.regions.names == ("cat", "cat (2)", "cat (3)", "dog") and model.active_region_id == added[-1]
    assert model.regions.of(added[0]).colour == "#123456" and model.regions.of(added[2]).colour.startswith(
        "#"
    )
    model.regions.of(added[0]).mask_HW[:] = True
    assert region.area_px == 25, "its mask is a copy"
    editor.undo()
    assert model.regions.names == ("cat",)
    with pytest.raises(UserError, match="40 x 30"):
        editor.add_regions([Region.box("big", (0, 0, 5, 5), (50, 50))])
    assert editor.add_regions([]) == ()


def test_chosen_heads_are_undone_and_a_sliders_drag_is_one_step(model, editor):
    model.chosen = HeadSet.of("L0H0")
    for n in range(1, 5):
        editor.choose_heads(HeadSet.of([(0, index) for index in range(n + 1)]), gesture=7)
    editor.choose_heads(HeadSet.of("L3H3"), gesture=8)
    editor.choose_heads(HeadSet.of("L4H4"))
    editor.choose_heads(HeadSet.of("L4H4"))
    assert editor.undo_stack.count() == 3
    editor.undo()
    assert model.chosen == HeadSet.of("L3H3")
    editor.undo()
    assert len(model.chosen) == 5
    editor.undo()
    assert model.chosen == HeadSet.of("L0H0")
    editor.redo()
    assert len(model.chosen) == 5


def test_one_stroke_at_a_time(model, editor):
    editor.begin_stroke((5, 5))
    with pytest.raises(RuntimeError, match="in progress"):
        editor.begin_stroke((6, 6))
    editor.abort_stroke()
    with pytest.raises(RuntimeError, match="no stroke"):
        editor.extend_stroke((6, 6))
    with pytest.raises(RuntimeError, match="no stroke"):
        editor.commit_stroke()


def test_a_schedule_is_laid_out_in_one_step_and_undone(model, editor):
    first, second = editor.add_region("one"), editor.add_region("two")
    steps = editor.undo_stack.index()
    editor.lay_out_targets(((0, first), (8, second)), "Every 8 tokens")
    editor.lay_out_targets(((0, first), (8, second)), "The same again")
    assert model.schedule == ((0, first), (8, second)) and editor.undo_stack.index() == steps + 1
    editor.undo()
    assert model.schedule == ()
    editor.redo()
    editor.remove_region(second)
    assert model.schedule == ((0, first),)
    editor.undo()
    assert model.schedule == ((0, first), (8, second))
