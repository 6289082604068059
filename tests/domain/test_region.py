"""Regions: shapes on pixels, equality, and the way through JSON and pickle."""

import json
import pickle

import numpy as np
import pytest

from gazeviz.domain.region import REGION_COLOURS, Region, region_colour
from gazeviz.errors import UserError


def by_hand(size_px, inside):
    """Rasterise a shape one pixel centre at a time."""
    width, height = size_px
    return np.array([[inside(x + 0.5, y + 0.5) for x in range(width)] for y in range(height)])


class TestBox:
    def test_covers_the_pixels_whose_centres_lie_inside(self, rng):
        for _ in range(50):
            x0, y0, x1, y1 = rng.uniform(-5, 25, 4)
            expected = by_hand(
                (20, 15),
                lambda x, y, b=(x0, y0, x1, y1): (
                    min(b[0], b[2]) <= x < max(b[0], b[2]) and min(b[1], b[3]) <= y < max(b[1], b[3])
                ),
            )
            if expected.any():
                assert np.array_equal(Region.box("a", (x0, y0, x1, y1), (20, 15)).mask_HW, expected)
            else:
                with pytest.raises(UserError):
                    Region.box("a", (x0, y0, x1, y1), (20, 15))

    def test_corners_in_any_order_and_cut_at_the_edges(self):
        region = Region.box("a", (12, 9, -4, 2), (10, 8))
        assert region.box_px == (0, 2, 10, 8)
        assert region.area_px == 60
        assert region.size_px == (10, 8)

    @pytest.mark.parametrize("box", [(20, 0, 30, 5), (-9, -9, 0, 0), (3, 3, 3, 7), (3.6, 3.6, 4.4, 4.4)])
    def test_outside_or_without_a_pixel_is_refused(self, box):
        with pytest.raises(UserError, match="“dog” holds no pixel"):
            Region.box("dog", box, (10, 8))

    @pytest.mark.parametrize("box", [(0, 0, float("nan"), 5), (0, 0, float("inf"), 5), (0, 0, 5)])
    def test_coordinates_that_are_no_box_are_refused(self, box):
        for make in (Region.box, Region.ellipse):
            with pytest.raises(UserError, match="no usable box"):
                make("dog", box, (10, 8))


class TestEllipse:
    def test_equals_its_equation(self, rng):
        for _ in range(30):
            (x0, x1), (y0, y1) = np.sort(rng.uniform(-5, 30, (2, 2)))
            x1, y1 = x1 + 2, y1 + 2
            cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
            expected = by_hand(
                (20, 15),
                lambda x, y, e=(cx, cy, rx, ry): ((x - e[0]) / e[2]) ** 2 + ((y - e[1]) / e[3]) ** 2 <= 1,
            )
            if expected.any():
                assert np.array_equal(Region.ellipse("e", (x0, y0, x1, y1), (20, 15)).mask_HW, expected)

    def test_area_is_about_pi_a_b(self):
        region = Region.ellipse("e", (10, 20, 190, 140), (200, 160))
        assert region.area_px == pytest.approx(np.pi * 90 * 60, rel=0.01)

    @pytest.mark.parametrize("box", [(2.5, 0, 2.5, 8), (0, 3, 8, 3)])
    def test_a_flat_ellipse_is_refused(self, box):
        with pytest.raises(UserError, match="holds no pixel"):
            Region.ellipse("e", box, (10, 8))


class TestPolygon:
    def test_equals_ray_casting_on_every_pixel(self, rng):
        def ray(x, y, points):
            crossings = 0
            for (xa, ya), (xb, yb) in zip(points, np.roll(points, -1, axis=0), strict=True):
                if (ya <= y) != (yb <= y) and xa + (y - ya) * (xb - xa) / (yb - ya) <= x:
                    crossings += 1
            return crossings % 2 == 1

        for n_points in (3, 4, 5, 9):
            for _ in range(10):
                points = rng.uniform(-6, 26, (n_points, 2))  # crossing itself and the edges
                expected = by_hand((20, 16), lambda x, y, p=points: ray(x, y, p))
                if expected.any():
                    polygon = Region.polygon("p", points.tolist(), (20, 16))
                    assert np.array_equal(polygon.mask_HW, expected)

    def test_a_rectangle_as_polygon_is_the_box(self):
        corners = [(2, 1), (9, 1), (9, 6), (2, 6)]
        assert Region.polygon("a", corners, (12, 8)) == Region.box("a", (2, 1, 9, 6), (12, 8))

    def test_far_outside_is_cut_without_harm(self):
        corners = [(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)]
        assert Region.polygon("a", corners, (12, 8)).area_px == 96

    @pytest.mark.parametrize("points", [[], [(1, 1), (5, 5)], [(1, 1), (5, 5), (float("nan"), 2)]])
    def test_too_few_or_endless_points_are_refused(self, points):
        with pytest.raises(UserError, match="is no polygon"):
            Region.polygon("p", points, (10, 8))

    def test_points_on_one_line_hold_no_pixel(self):
        with pytest.raises(UserError, match="holds no pixel"):
            Region.polygon("p", [(0, 0), (5, 5), (9, 9)], (10, 10))


def painted(rng, height=37, width=53):
    return Region("brush", rng.random((height, width)) < 0.4, "#0072B2")


def test_an_empty_mask_is_refused():
    with pytest.raises(UserError, match="holds no pixel"):
        Region("a", np.zeros((4, 4), dtype=bool))


def test_equal_by_name_colour_and_pixels(rng):
    region = painted(rng)
    same = Region("brush", region.mask_HW.copy(), "#0072B2")
    assert region == same
    assert hash(region) == hash(same)
    assert region.sha256 == same.sha256
    moved = Region("brush", np.roll(region.mask_HW, 1), "#0072B2")
    assert region != moved
    assert region.sha256 != moved.sha256
    assert region != Region("other", region.mask_HW, "#0072B2")
    assert region != Region("brush", region.mask_HW)
    assert region != "brush"


def test_pixels_of_another_shape_have_another_digest():
    assert Region("a", np.ones((2, 3), bool)).sha256 != Region("a", np.ones((3, 2), bool)).sha256


def test_a_small_region_of_a_large_picture_crosses_as_its_box(rng):
    mask_HW = np.zeros((3000, 4000), dtype=bool)
    mask_HW[1200:1231, 2000:2047] = rng.random((31, 47)) < 0.5
    region = Region("dot", mask_HW)
    data = pickle.dumps(region)
    assert len(data) < 31 * 47 / 8 + 400
    again = pickle.loads(data)
    assert again == region and again.box_px == region.box_px and not again.mask_HW.flags.writeable


def test_pickled_at_one_bit_a_pixel_and_read_only_afterwards(rng):
    region = painted(rng, 300, 400)
    data = pickle.dumps(region)
    assert len(data) < 300 * 400 / 8 + 500
    again = pickle.loads(data)
    assert again == region
    with pytest.raises(ValueError, match="read-only"):
        again.mask_HW[0, 0] = True


def test_json_round_trip(rng):
    corner = np.zeros((5, 4), dtype=bool)
    corner[0, 0] = corner[-1, -1] = True
    regions = [painted(rng), Region("all", np.ones((3, 2), bool)), Region("corners", corner)]
    for region in regions:
        assert Region.from_json(json.loads(json.dumps(region.to_json()))) == region


def test_json_that_does_not_fill_the_picture_is_refused(rng):
    data = painted(rng).to_json()
    with pytest.raises(ValueError, match="do not fill"):
        Region.from_json({**data, "runs": data["runs"][:-1]})
    with pytest.raises(ValueError, match="do not fill"):
        Region.from_json({"name": "a", "colour": None, "size_px": [2, 2], "runs": [-1, 5]})


def test_a_region_tells_what_it_is(rng):
    assert repr(Region.box("sky", (0, 0, 4, 2), (8, 8))) == "Region('sky', 8 px in (0, 0, 4, 2), colour=None)"


def test_colours_start_again_after_the_last():
    assert region_colour(0) == "#0072B2"
    assert region_colour(len(REGION_COLOURS)) == region_colour(0)
    assert len(set(REGION_COLOURS)) == 8
