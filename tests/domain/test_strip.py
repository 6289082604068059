"""Strips: layouts, panels that share out the picture, and gutters found in pixels."""

import numpy as np
import pytest

from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout, Strip, gutters, panel_boxes_px, panel_regions
from gazeviz.errors import UserError


class TestLayout:
    @pytest.mark.parametrize("text", ["2x3", " 2 X 3 ", "2\u00d73", "2*3"])
    def test_reads_rows_by_columns(self, text):
        assert Layout.parse(text) == Layout(rows=2, cols=3)
        assert Layout.parse(text).n == 6
        assert str(Layout.parse(text)) == "2x3"

    @pytest.mark.parametrize("text", ["", "6", "1x", "x6", "-1x6", "1x6x2", "one by six", "1.5x2"])
    def test_what_is_no_layout_is_refused_with_an_example(self, text):
        with pytest.raises(UserError, match="is no panel layout") as caught:
            Layout.parse(text)
        assert "1x6" in caught.value.next_step

    @pytest.mark.parametrize(("rows", "cols"), [(0, 6), (1, 0), (9, 9), (-1, -1)])
    def test_no_panels_and_too_many_are_refused(self, rows, cols):
        with pytest.raises(UserError, match="cannot have"):
            Layout(rows, cols)


class TestPanels:
    @pytest.mark.parametrize("layout", [Layout(1, 6), Layout(2, 3), Layout(3, 2), Layout(1, 1), Layout(8, 8)])
    @pytest.mark.parametrize("size_px", [(384, 64), (101, 67), (8, 8)])
    def test_they_share_out_the_picture(self, layout, size_px):
        regions = panel_regions(layout, *size_px)
        assert len(regions) == layout.n
        assert (np.sum([region.mask_HW for region in regions], axis=0) == 1).all()
        areas = [region.area_px for region in regions]
        width, height = size_px[0] / layout.cols, size_px[1] / layout.rows
        assert min(areas) >= np.floor(width) * np.floor(height)
        assert max(areas) <= np.ceil(width) * np.ceil(height)

    def test_they_are_named_and_coloured_in_reading_order(self):
        regions = panel_regions(Layout(2, 3), 60, 40)
        assert [region.name for region in regions] == [f"Panel {n}" for n in range(1, 7)]
        assert regions[0].box_px == (0, 0, 20, 20)
        assert regions[5].box_px == (40, 20, 60, 40)
        assert len({region.colour for region in regions}) == 6

    def test_a_picture_without_room_is_refused(self):
        with pytest.raises(UserError, match="5 x 90 px has no room for 1x6"):
            panel_boxes_px(Layout(1, 6), 5, 90)


class TestStrip:
    def test_it_holds_a_picture_and_its_panels(self):
        strip = Strip("any picture", panel_regions(Layout(1, 2), 20, 10), ("a cat", "a dog"))
        assert strip.panels[1].name == "Panel 2"

    def test_captions_are_one_per_panel_or_none(self):
        panels = panel_regions(Layout(1, 2), 20, 10)
        assert Strip(None, panels).captions == ()
        with pytest.raises(UserError, match="2 panels and 1 captions"):
            Strip(None, panels, ("a cat",))
        with pytest.raises(UserError, match="has no panels"):
            Strip(None, ())
        with pytest.raises(UserError, match="different sizes"):
            Strip(None, (panels[0], Region("far", np.ones((5, 5), bool))))


def drawn(rng, layout, panel_px=40, gutter_px=4, margin_px=0, colour=255, noise=0):
    """Panels of noise on a plain ground."""
    height = layout.rows * (panel_px + gutter_px) - gutter_px + 2 * margin_px
    width = layout.cols * (panel_px + gutter_px) - gutter_px + 2 * margin_px
    pixels = np.full((height, width, 3), colour, dtype=np.int64)
    pixels += rng.integers(-noise, noise + 1, pixels.shape)
    for row in range(layout.rows):
        for col in range(layout.cols):
            y, x = (margin_px + index * (panel_px + gutter_px) for index in (row, col))
            pixels[y : y + panel_px, x : x + panel_px] = rng.integers(0, 256, (panel_px, panel_px, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


class TestGutters:
    @pytest.mark.parametrize("layout", [Layout(1, 6), Layout(6, 1), Layout(2, 3), Layout(3, 2), Layout(1, 2)])
    @pytest.mark.parametrize(("gutter_px", "margin_px"), [(1, 0), (4, 4), (9, 20)])
    @pytest.mark.parametrize("colour", [0, 128, 255])
    def test_found_with_and_without_margins(self, rng, layout, gutter_px, margin_px, colour):
        pixels = drawn(rng, layout, 40, gutter_px, margin_px, colour)
        found = gutters(pixels)
        assert found is not None and (found.rows, found.cols) == (layout.rows, layout.cols)
        boxes_px = panel_boxes_px(found, *pixels.shape[1::-1])
        for number, (x0, y0, x1, y1) in enumerate(boxes_px):  # each holds all of its own panel
            row, col = divmod(number, layout.cols)
            top, left = (margin_px + index * (40 + gutter_px) for index in (row, col))
            assert x0 <= left and y0 <= top and x1 >= left + 40 and y1 >= top + 40

    def test_found_in_a_frame_within_a_margin(self, rng):
        pixels = np.pad(drawn(rng, Layout(2, 3)), ((2, 2), (2, 2), (0, 0)), constant_values=0)
        pixels = np.pad(pixels, ((9, 9), (9, 9), (0, 0)), constant_values=200)
        found = gutters(pixels)  # equal divisions would cut the outer panels
        assert found is not None and (found.rows, found.cols) == (2, 3)
        assert found.boxes_px[0] == (11, 11, 51, 51) and found.boxes_px[5] == (99, 55, 139, 95)

    def test_frames_around_white_panels_are_their_sides(self):
        pixels = np.full((120, 300, 3), 255, np.uint8)
        for x0, x1 in ((6, 90), (100, 294)):
            pixels[6:114, x0:x1] = 0
            pixels[8:112, x0 + 2 : x1 - 2] = 255
            pixels[50:70, x0 + 20 : x0 + 40] = (200, 30, 30)
        assert gutters(pixels) == Layout(1, 2, ((6, 6, 90, 114), (100, 6, 294, 114)))

    def test_found_under_compression_noise(self, rng):
        assert gutters(drawn(rng, Layout(1, 6), noise=8, colour=240, margin_px=5)) == Layout(1, 6)

    def test_a_plain_sky_or_night_inside_a_panel_is_no_gutter(self, rng):
        pixels = drawn(rng, Layout(1, 6), colour=255)
        pixels[:, 10:20] = (0, 0, 40)
        assert gutters(pixels) == Layout(1, 6)

    def test_pictures_without_an_even_grid_have_none(self, rng):
        photo = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
        assert gutters(photo) is None
        assert gutters(np.full((60, 80, 3), 7, np.uint8)) is None

    @pytest.mark.parametrize("colour", [0, 255])
    @pytest.mark.parametrize(
        "rows",
        [
            [[(0, 0, 100, 300), (110, 0, 400, 300)]],
            [[(0, 0, 180, 300), (186, 0, 400, 300)]],
            [[(12, 10, 150, 140), (160, 10, 390, 140)], [(12, 150, 250, 290), (260, 150, 390, 290)]],
            [[(10, 10, 200, 290), (210, 10, 390, 140)], [(210, 150, 390, 290)]],
            [[(5, 5, 130, 95), (140, 5, 260, 95), (270, 5, 395, 95)], [(5, 105, 395, 295)]],
        ],
    )
    def test_uneven_panels_are_where_their_gutters_are(self, rng, rows, colour):
        pixels = np.full((300, 400, 3), colour, np.uint8)
        boxes_px = tuple(box for row in rows for box in row)
        for x0, y0, x1, y1 in boxes_px:
            pixels[y0:y1, x0:x1] = rng.integers(60, 200, (y1 - y0, x1 - x0, 3))
        found = gutters(pixels)
        assert found == Layout(len(rows), max(map(len, rows)), boxes_px)
        assert found.n == len(boxes_px)
        assert panel_boxes_px(found, 400, 300) == boxes_px
        assert Layout.parse(str(found)) == found
        with pytest.raises(UserError, match="do not lie in a picture"):
            panel_boxes_px(found, 300, 300)

    def test_one_panel_on_a_white_page_has_none(self, rng):
        assert gutters(drawn(rng, Layout(1, 1), margin_px=20)) is None

    def test_stripes_are_no_panels(self):
        stripes = np.zeros((40, 40, 3), np.uint8)
        stripes[:, ::2] = 255
        stripes[::2, 1::4] = 90
        assert gutters(stripes) is None

    def test_a_smooth_sky_with_one_thing_in_it_has_none(self):
        """A line through the middle of a ball is plain, and so is each line of a sky."""
        y, x = np.mgrid[:240, :320]
        sky = np.stack([100 + 0.4 * y, 150 + 0.2 * x, 250 - 0.1 * y], axis=-1)
        rising = np.stack([100 + 0.4 * y, 160 + 0 * y, 250 - 0.1 * y], axis=-1)
        things = {
            "ball": (x - 160) ** 2 + (y - 120) ** 2 < 60**2,
            "box": (abs(x - 160) < 50) & (abs(y - 120) < 40),
            "pole": abs(x - 160) < 4,
            "two balls": ((x - 100) ** 2 + (y - 120) ** 2 < 40**2)
            | ((x - 220) ** 2 + (y - 120) ** 2 < 40**2),
        }
        for ground in (sky, rising, np.full_like(sky, 200)):
            for name, thing in things.items():
                for colour in ((200, 60, 40), (20, 20, 20), (255, 255, 255)):
                    pixels = np.where(thing[..., None], colour, ground).astype(np.uint8)
                    assert gutters(pixels) is None, name
