"""Painting: each tool covers what domain.region would, a stroke can be taken back, a patch is small."""

import numpy as np
import pytest

from gazeviz.app.editing import painting
from gazeviz.app.editing.painting import Cover, Patch, Stroke
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

SIZE_PX = (60, 40)


def whole(cover: Cover, size_px: tuple[int, int] = SIZE_PX) -> np.ndarray:
    """A cover as a mask of the whole picture."""
    mask_HW = np.zeros(size_px[::-1], dtype=bool)
    x0, y0, x1, y1 = cover.box_px
    mask_HW[y0:y1, x0:x1] = cover.inside_HW
    return mask_HW


def slow_capsule(a: tuple[float, float], b: tuple[float, float], radius: float) -> np.ndarray:
    """Pixel by pixel: the distance to the nearest of many points on the line."""
    points = np.linspace(a, b, 4000)
    mask_HW = np.zeros(SIZE_PX[::-1], dtype=bool)
    for row in range(SIZE_PX[1]):
        for column in range(SIZE_PX[0]):
            gap = points - (column + 0.5, row + 0.5)
            mask_HW[row, column] = (gap**2).sum(axis=1).min() <= radius**2
    return mask_HW


@pytest.mark.parametrize(
    ("a", "b", "diameter_px"),
    [((10.2, 8.7), (41.9, 30.1), 9.0), ((20.5, 20.5), (20.5, 20.5), 11.0), ((-5.0, 3.3), (12.1, -7.4), 13.0)],
)
def test_a_brush_covers_all_within_its_radius_of_the_line(a, b, diameter_px):
    cover = painting.capsule(a, b, diameter_px, SIZE_PX)
    assert np.array_equal(whole(cover), slow_capsule(a, b, diameter_px / 2))


def test_the_thinnest_brush_covers_the_pixel_under_it():
    cover = painting.capsule((7.99, 3.01), (7.99, 3.01), 1, SIZE_PX)
    assert np.argwhere(whole(cover)).tolist() == [[3, 7]]


def test_a_dab_outside_the_picture_covers_nothing():
    assert painting.capsule((-30, -30), (-20, -30), 10, SIZE_PX).empty


def test_a_dab_looks_at_its_own_box_only():
    x0, y0, x1, y1 = painting.capsule((30, 20), (30, 20), 10, (9000, 9000)).box_px
    assert (x1 - x0, y1 - y0) <= (12, 12)


@pytest.mark.parametrize(
    ("a", "b"), [((5, 6), (25, 30)), ((25, 30), (5, 6)), ((5.5, 6.4), (25.6, 30.5)), ((-9, -9), (99, 10.5))]
)
def test_rectangles_and_ellipses_are_those_of_a_region(a, b):
    box = (*a, *b)
    assert np.array_equal(whole(painting.rectangle(a, b, SIZE_PX)), Region.box("", box, SIZE_PX).mask_HW)
    assert np.array_equal(whole(painting.ellipse(a, b, SIZE_PX)), Region.ellipse("", box, SIZE_PX).mask_HW)


@pytest.mark.parametrize(
    "points",
    [
        [(3, 2), (50, 9), (30, 37)],
        [(10, 10), (40, 30), (40, 10), (10, 30)],
        [(-9, 5), (70, 5), (30, 60)],
    ],
)
def test_polygons_are_those_of_a_region(points):
    assert np.array_equal(
        whole(painting.polygon(points, SIZE_PX)), Region.polygon("", points, SIZE_PX).mask_HW
    )


def test_a_polygon_needs_three_corners():
    with pytest.raises(UserError, match="three"):
        painting.polygon([(1, 1), (5, 5)], SIZE_PX)


def test_shapes_without_area_cover_nothing():
    assert painting.ellipse((5, 5), (5, 20), SIZE_PX).empty
    assert painting.rectangle((5.1, 5.1), (5.2, 5.2), SIZE_PX).empty
    assert painting.polygon([(1.1, 1.1), (1.2, 1.1), (1.2, 1.2)], SIZE_PX).empty


def test_cells_are_painted_together_and_placeless_ones_left_out():
    boxes_N4 = np.array([[0, 0, 10, 10], [20, 10, 30, 20], [np.nan] * 4])
    expected = np.zeros(SIZE_PX[::-1], dtype=bool)
    expected[0:10, 0:10] = expected[10:20, 20:30] = True
    assert np.array_equal(whole(painting.boxes(boxes_N4, SIZE_PX)), expected)
    assert painting.boxes(np.full((2, 4), np.nan), SIZE_PX).empty


def test_a_stroke_changes_only_what_is_not_painted_yet(rng):
    mask_HW = rng.random(SIZE_PX[::-1]) < 0.3
    before_HW = mask_HW.copy()
    stroke = Stroke(mask_HW)
    for start, end in [((5, 5), (30, 20)), ((30, 20), (12, 33)), ((12, 33), (14, 30))]:
        stroke.extend(painting.capsule(start, end, 9, SIZE_PX))
    patch = stroke.commit()
    assert patch is not None
    assert (mask_HW >= before_HW).all() and (mask_HW != before_HW).any()
    patch.flip(mask_HW)
    assert np.array_equal(mask_HW, before_HW)


def test_an_aborted_stroke_leaves_no_trace(rng):
    mask_HW = rng.random(SIZE_PX[::-1]) < 0.5
    before_HW = mask_HW.copy()
    stroke = Stroke(mask_HW, erase=True)
    stroke.extend(painting.rectangle((3, 3), (40, 30), SIZE_PX))
    assert not np.array_equal(mask_HW, before_HW)
    assert stroke.abort() is not None
    assert np.array_equal(mask_HW, before_HW)


def test_a_stroke_says_which_box_has_changed():
    mask_HW = np.zeros(SIZE_PX[::-1], dtype=bool)
    stroke = Stroke(mask_HW)
    shape = painting.rectangle((3, 4), (10, 12), SIZE_PX)
    box = stroke.extend(shape)
    assert box is not None and box[0] <= 3 and box[1] <= 4 and box[2] >= 10 and box[3] >= 12
    assert stroke.extend(shape) is None, "painted twice, changed once"


def test_a_stroke_that_changes_nothing_leaves_no_patch():
    stroke = Stroke(np.ones(SIZE_PX[::-1], dtype=bool))
    assert stroke.extend(painting.rectangle((3, 4), (10, 12), SIZE_PX)) is None
    assert stroke.commit() is None and stroke.dirty_box_px is None


def test_a_patch_holds_a_bit_for_each_pixel_of_its_box():
    mask_HW = np.zeros((4096, 4096), dtype=bool)
    stroke = Stroke(mask_HW)
    stroke.extend(painting.capsule((2000, 2000), (2000, 2000), 80, (4096, 4096)))
    patch = stroke.commit()
    assert patch is not None and patch.box_px == (1960, 1960, 2040, 2040)
    assert len(patch.bits) == 80 * 80 / 8


def test_a_patch_at_the_edge_is_cut_there():
    flipped_HW = np.ones((5, 7), dtype=bool)
    mask_HW = np.zeros((5, 7), dtype=bool)
    Patch.of(flipped_HW, (4, 3, 7, 5)).flip(mask_HW)
    assert mask_HW.sum() == 6 and mask_HW[3:, 4:].all()


def test_union_of_boxes():
    assert painting.union(None, (1, 2, 3, 4)) == (1, 2, 3, 4)
    assert painting.union((0, 5, 2, 6), (1, 2, 3, 4)) == (0, 2, 3, 6)
    assert painting.union(None, None) is None
