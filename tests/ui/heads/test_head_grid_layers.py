"""The head grid's images: the right colour at the right place, gaps, outlines, and absent heads."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QColor, QImage

from gazeviz.domain.heads import Head
from gazeviz.ui.heads.grid_geometry import GridView
from gazeviz.ui.heads.head_grid import (
    KeptImage,
    colours_argb,
    draw_absent,
    draw_heads,
    draw_outlines,
    scale_of,
)
from gazeviz.ui.widgets import theme

GREY, RED = QColor(90, 90, 90), QColor(255, 0, 0)
DARKEST = QColor(*theme.magma_lut()[0].tolist())


@pytest.fixture
def view(qapp) -> GridView:
    view = GridView()
    view.set_shape((6, 8))
    view.set_size(QSizeF(317, 300), 1.0)
    return view


def colour_at(image: QImage, view: GridView, head: Head) -> QColor:
    at = (view.box(head).center() - view.area.topLeft()) * view.ratio
    return image.pixelColor(at.toPoint())


def test_the_scale_begins_at_nothing_or_at_the_lowest_score():
    assert scale_of(np.array([[0.2, 0.8]])) == (0.0, 0.8)
    assert scale_of(np.array([[-0.2, np.nan, 0.8]])) == (-0.2, 0.8)
    assert scale_of(None) == scale_of(np.full((2, 2), np.nan)) == (0.0, 1.0)
    low, high = scale_of(np.zeros((2, 2)))
    assert low < high


def test_colours_follow_the_map_and_gaps_in_knowledge_are_plain():
    present_LH = np.array([[True, True, True, False]])
    argb_LH = colours_argb(np.array([[0.0, 1.0, np.nan, 5.0]]), present_LH, theme.magma_lut(), GREY)
    assert argb_LH[0, 2] == GREY.rgba() and argb_LH[0, 3] == 0
    lut = theme.magma_lut()
    assert argb_LH[0, 0] == DARKEST.rgba()
    unknown = colours_argb(None, present_LH, lut, GREY)
    assert (unknown[0, :3] == GREY.rgba()).all()


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_each_head_has_its_colour_where_it_lies(view, ratio, rng):
    view.set_size(QSizeF(317, 300), ratio)
    values_LH = rng.random((6, 8))
    argb_LH = colours_argb(values_LH, np.ones((6, 8), dtype=bool), theme.magma_lut(), GREY)
    image = draw_heads(view, argb_LH, DARKEST)
    assert image.devicePixelRatio() == ratio
    for head in (Head(0, 0), Head(5, 7), Head(2, 3)):
        assert colour_at(image, view, head).rgba() == argb_LH[head.layer, head.index]
    assert image.pixelColor(0, 0).alpha() == 0, "gaps let the panel through"


def test_small_boxes_stand_on_the_dark_end_of_the_scale(view):
    view.set_shape((36, 32))
    view.set_size(QSizeF(317, 320), 1.0)
    argb_LH = colours_argb(np.ones((36, 32)), np.ones((36, 32), dtype=bool), theme.magma_lut(), GREY)
    image = draw_heads(view, argb_LH, DARKEST)
    box, gap = view.box_dev[0], view.gap_dev
    assert gap == 1 and image.pixelColor(box - 1, 3) == DARKEST
    assert image.pixelColor(3, 3).rgba() == argb_LH[35, 0]


def test_a_zoomed_grid_shows_the_heads_that_are_there(view, rng):
    argb_LH = colours_argb(rng.random((6, 8)), np.ones((6, 8), dtype=bool), theme.magma_lut(), GREY)
    view.zoom_by(2, view.box(Head(1, 6)).center())
    image = draw_heads(view, argb_LH, DARKEST)
    shown = [Head(row, col) for row in range(6) for col in range(8)
             if view.area.contains(view.box(Head(row, col)).center())]  # fmt: skip
    assert Head(1, 6) in shown and len(shown) < 48
    for head in shown:
        assert colour_at(image, view, head).rgba() == argb_LH[head.layer, head.index]


def test_outlines_surround_the_chosen_and_no_other(view):
    chosen_LH = np.zeros((6, 8), dtype=bool)
    chosen_LH[2, 3] = True
    image = draw_outlines(view, chosen_LH, RED)
    box = view.box(Head(2, 3)).translated(-view.area.topLeft())
    assert image.pixelColor(round(box.center().x()), round(box.top())) == RED
    assert colour_at(image, view, Head(2, 3)).alpha() == 0, "its colour stays to be seen"
    beside = view.box(Head(2, 5)).translated(-view.area.topLeft())
    assert image.pixelColor(round(beside.center().x()), round(beside.top())).alpha() == 0


def test_absent_heads_are_hollow(view):
    absent_LH = np.zeros((6, 8), dtype=bool)
    absent_LH[0, 7] = True
    image = draw_absent(view, absent_LH, RED)
    box = view.box(Head(0, 7)).translated(-view.area.topLeft()).toRect()
    inside = image.copy(box)
    n_red = sum(inside.pixelColor(x, y).red() > 0 for x in range(box.width()) for y in range(box.height()))
    assert 0 < n_red < box.width() * box.height() / 3


def test_images_are_drawn_once():
    drawn: list[int] = []

    def draw() -> QImage:
        drawn.append(1)
        return QImage(1, 1, QImage.Format.Format_ARGB32)

    kept = KeptImage()
    for key in ("a", "a", "b", "b"):
        kept.get(key, draw)
    assert len(drawn) == 2
