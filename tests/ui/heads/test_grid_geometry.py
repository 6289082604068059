"""Where heads lie: whole device pixels, layer 0 at the bottom, zoom around a point, nothing out of reach."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPointF, QSizeF

from gazeviz.domain.heads import Head
from gazeviz.ui.heads.grid_geometry import MAX_BOX_PX, GridPart, GridView


def view_of(shape_LH: tuple[int, int], size: tuple[int, int] = (317, 300), ratio: float = 1.0) -> GridView:
    view = GridView()
    view.set_shape(shape_LH)
    view.set_size(QSizeF(*size), ratio)
    return view


@pytest.mark.parametrize("shape_LH", [(6, 8), (36, 32), (64, 64), (28, 12), (80, 64), (2, 64)])
@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_every_head_is_found_where_it_lies(shape_LH, ratio):
    view = view_of(shape_LH, (317, GridView().height_for(317)), ratio)
    view.set_size(QSizeF(317, view.height_for(317)), ratio)
    for head in (Head(0, 0), Head(shape_LH[0] - 1, shape_LH[1] - 1), Head(shape_LH[0] // 2, 1)):
        assert view.area.contains(view.box(head).center()), "all of the grid is seen"
        assert view.head_at(view.box(head).center()) == head
    width, height = view.box_dev
    assert width * ratio >= 2 and height * ratio >= 2


def test_layer_0_is_at_the_bottom_and_boxes_are_square_where_there_is_room():
    view = view_of((6, 8))
    assert view.box(Head(0, 0)).top() > view.box(Head(5, 0)).top()
    assert view.box(Head(0, 1)).left() > view.box(Head(0, 0)).left()
    width, height = view.box_px
    assert width == height == 31
    assert max(view_of((2, 2), (900, 900)).box_px) == MAX_BOX_PX


def test_the_height_that_a_width_asks_for_makes_boxes_square():
    for shape_LH in ((36, 32), (64, 64), (6, 8)):
        view = view_of(shape_LH)
        view.set_size(QSizeF(317, view.height_for(317)), 1.0)
        width, height = view.box_px
        assert width == height
    assert view_of((80, 8)).height_for(317) < 400, "a tall model leaves room for the rest of the column"


def test_labels_stand_for_layers_and_columns():
    view = view_of((6, 8))
    middle = view.box(Head(3, 5)).center()
    assert view.part_at(middle) == GridPart("cell", Head(3, 5))
    for x in (5.0, view.edge.center().x()):
        part = view.part_at(QPointF(x, middle.y()))
        assert part is not None and (part.axis, part.head.layer) == ("layer", 3)
    part = view.part_at(QPointF(middle.x(), view.area.bottom() + 6))
    assert part is not None and (part.axis, part.head.index) == ("column", 5)
    assert view.part_at(QPointF(middle.x(), 298)) is None
    assert GridView().part_at(middle) is None


def test_zoom_keeps_the_head_under_the_point():
    view = view_of((64, 64))
    view.zoom_by(2, view.area.center())
    at = view.box(Head(32, 30)).center()
    for _ in range(4):
        view.zoom_by(1.25, at)
        assert view.head_at(at) == Head(32, 30)
    assert view.zoom > 3 and view.scrolls
    for _ in range(30):
        view.zoom_by(0.8, at)
    assert view.zoom == 1.0 and view.scroll_dev == (0, 0)


def test_scrolling_ends_at_the_edges_and_reveals_a_head():
    view = view_of((36, 32))
    view.zoom_by(4, view.area.center())
    view.scroll_by(1e6, 1e6)
    assert view.head_at(view.area.bottomRight() - QPointF(1, 1)) == Head(0, 31)
    view.reveal(Head(35, 0))
    assert view.area.contains(view.box(Head(35, 0)).center())
    view.fit()
    assert not view.scrolls


def test_boxes_are_whole_device_pixels():
    view = view_of((36, 32), ratio=1.25)
    lefts = [view.box(Head(0, index)).left() * 1.25 for index in range(32)]
    assert {round(b - a, 9) for a, b in pairwise(lefts)} == {view.box_dev[0]}


def test_the_key_tells_views_apart():
    view = view_of((36, 32))
    before = view.key()
    view.zoom_by(2, view.area.center())
    assert view.key() != before
    view.fit()
    assert view.key() == before
