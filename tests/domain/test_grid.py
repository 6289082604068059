"""Token grids: which cells a region selects, and values spread over the picture."""

import numpy as np
import pytest

from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

SIZE_PX = (96, 64)  # six columns and four rows of 16 px


@pytest.fixture
def plain() -> TokenGrid:
    return TokenGrid.plain((4, 6), SIZE_PX, (192, 128))


def tiled() -> TokenGrid:
    """Two tiles of 2 x 2 with a newline token after each, and a thumbnail of one cell over everything."""
    nowhere = np.full((1, 4), np.nan)
    left, right = even_boxes((2, 2), (0, 0, 48, 64)), even_boxes((2, 2), (48, 0, 96, 64))
    return TokenGrid(np.concatenate([left, nowhere, right, nowhere, [[0, 0, 96, 64]]]), SIZE_PX, (96, 64))


class TestCentreRule:
    def test_equals_a_look_at_every_centre(self, plain, rng):
        for _ in range(30):
            region = Region("a", rng.random((64, 96)) < 0.5)
            expected = [
                row * 6 + col
                for row in range(4)
                for col in range(6)
                if region.mask_HW[row * 16 + 8, col * 16 + 8]
            ]
            assert plain.tokens(region).tolist() == expected
            assert plain.tokens(region).dtype == np.int64

    def test_the_whole_picture_is_every_cell_with_a_place(self):
        everything = Region("a", np.ones((64, 96), bool))
        assert tiled().tokens(everything).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10]

    def test_a_region_and_the_rest_share_out_the_cells(self, plain, rng):
        mask = rng.random((64, 96)) < 0.5
        inside, outside = plain.tokens(Region("in", mask)), plain.tokens(Region("out", ~mask))
        assert sorted([*inside, *outside]) == list(range(24))

    def test_fractional_cells(self):
        grid = TokenGrid.plain((1, 3), (100, 10), (96, 32))  # centres at 16.7, 50, 83.3
        assert grid.tokens(Region.box("a", (17, 0, 60, 10), (100, 10))).tolist() == [1]
        assert grid.tokens(Region.box("a", (16, 0, 60, 10), (100, 10))).tolist() == [0, 1]

    def test_cells_whose_centre_lies_beyond_the_picture_are_never_selected(self):
        letterbox = TokenGrid(even_boxes((3, 1), (0, -40, 60, 80)), (60, 40), (96, 96))
        assert letterbox.tokens(Region("a", np.ones((40, 60), bool))).tolist() == [1]


class TestShareRule:
    def test_share_equals_counting_on_whole_pixels(self, plain, rng):
        mask = rng.random((64, 96)) < 0.5
        counted = mask.reshape(4, 16, 6, 16).mean(axis=(1, 3)).ravel()
        region = Region("a", mask)
        assert np.allclose(plain.covered_share(region), counted)
        for share in (0.45, 0.5, 0.52):
            assert plain.tokens(region, "share", share).tolist() == np.flatnonzero(counted >= share).tolist()

    def test_share_is_exact_on_fractions_of_pixels(self, rng):
        mask = rng.random((7, 11)) < 0.5
        # Cells of 11/30 by 7/20 px: the same picture magnified until cells are whole pixels.
        fine = np.kron(mask, np.ones((20, 30)))
        grid = TokenGrid.plain((20, 30), (11, 7), (960, 640))
        expected = fine.reshape(20, 7, 30, 11).mean(axis=(1, 3)).ravel()
        assert np.allclose(grid.covered_share(Region("a", mask)), expected)

    def test_exactly_the_share_is_enough(self, plain):
        half = Region.box("a", (0, 0, 8, 16), SIZE_PX)
        assert plain.tokens(half, "share", 0.5).tolist() == [0]
        third = TokenGrid.plain((1, 1), (3, 1), (32, 32))
        assert third.tokens(Region("a", np.array([[True, False, False]])), "share", 1 / 3).tolist() == [0]

    def test_any_touched_cell_at_a_small_share(self, plain):
        dot = Region.box("dot", (15, 15, 17, 17), SIZE_PX)
        assert plain.tokens(dot, "share", 1e-6).tolist() == [0, 1, 6, 7]

    def test_only_the_area_inside_the_picture_counts(self):
        letterbox = TokenGrid(even_boxes((3, 1), (0, -50, 60, 90)), (60, 40), (96, 96))
        everything = Region("a", np.ones((40, 60), bool))
        assert letterbox.covered_share(everything).tolist() == [0, 1, 0]
        assert tiled().covered_share(Region("a", np.ones((64, 96), bool)))[[4, 9]].tolist() == [0, 0]


class TestRefusals:
    def test_a_region_of_another_picture(self, plain):
        other = Region("dog", np.ones((10, 20), bool))
        for ask in (plain.tokens, plain.covered_share):
            with pytest.raises(UserError, match=r"“dog” belongs to a picture of 20 x 10 px.* 96 x 64"):
                ask(other)

    def test_a_region_without_a_centre_says_how_large_a_cell_is(self, plain):
        dot = Region.box("dot", (15, 15, 17, 17), SIZE_PX)
        with pytest.raises(
            UserError, match=r"2 x 2 px contains no cell's centre; a cell has 16 x 16"
        ) as caught:
            plain.tokens(dot)
        assert "“share”" in caught.value.next_step
        with pytest.raises(UserError, match="covers no cell by 50%") as caught:
            plain.tokens(dot, "share")
        assert "smaller share" in caught.value.next_step

    def test_a_region_that_is_only_watched_may_select_nothing(self, plain):
        dot = Region.box("dot", (15, 15, 17, 17), SIZE_PX)
        assert plain.watched_tokens(dot).shape == (0,) and plain.watched_tokens(dot).dtype == np.int64
        assert (
            plain.watched_tokens(dot, "share", 0.003).tolist() == plain.tokens(dot, "share", 0.003).tolist()
        )
        with pytest.raises(UserError, match="belongs to a picture of"):
            plain.watched_tokens(Region.box("dog", (0, 0, 5, 5), (20, 10)))

    def test_a_region_where_nothing_is_fed(self):
        cropped = TokenGrid(even_boxes((2, 2), (16, 0, 80, 64)), SIZE_PX, (64, 64))
        with pytest.raises(UserError, match="that the model is not shown"):
            cropped.tokens(Region.box("edge", (0, 0, 10, 64), SIZE_PX))

    def test_no_token_with_a_place(self):
        grid = TokenGrid(np.full((3, 4), np.nan), SIZE_PX, (64, 64))
        with pytest.raises(UserError, match="not shown"):
            grid.tokens(Region("a", np.ones((64, 96), bool)))
        assert np.isnan(grid.cell_size_px).all()

    def test_unknown_rules_and_shares(self, plain):
        region = Region("a", np.ones((64, 96), bool))
        with pytest.raises(UserError, match="“touch” is no rule"):
            plain.tokens(region, "touch")
        for share in (0.0, 1.01, float("nan")):
            with pytest.raises(UserError, match="share of"):
                plain.tokens(region, "share", share)

    def test_boxes_and_shapes_that_do_not_fit(self):
        with pytest.raises(ValueError, match=r"\(P, 4\)"):
            TokenGrid(np.zeros((3, 2)), SIZE_PX, (64, 64))
        with pytest.raises(ValueError, match="no grid of"):
            TokenGrid(np.zeros((3, 4)), SIZE_PX, (64, 64), shape_RC=(2, 2))


class TestPictureMap:
    def test_a_plain_grid_is_magnified(self, plain, rng):
        values = rng.random(24)
        expected = np.kron(values.reshape(4, 6), np.ones((16, 16)))
        assert np.array_equal(plain.picture_map(values), expected.astype(np.float32))
        assert plain.picture_map(values).dtype == np.float32

    def test_overlapping_cells_are_averaged_and_tokens_without_a_place_left_out(self):
        values = np.array([1, 2, 3, 4, 99, 5, 6, 7, 8, 99, 10.0])
        tiles = np.kron([[1, 2, 5, 6], [3, 4, 7, 8]], np.ones((32, 24)))
        assert np.allclose(tiled().picture_map(values), (tiles + 10) / 2)

    @pytest.mark.parametrize("shape_RC", [(7, 11), (13, 9), (24, 24)])
    def test_fractional_cells_leave_neither_gap_nor_overlap(self, shape_RC):
        grid = TokenGrid.plain(shape_RC, (101, 67), (352, 224))
        n_cells = shape_RC[0] * shape_RC[1]
        assert (grid.picture_map(np.ones(n_cells)) == 1).all()
        spread = grid.picture_map(np.arange(n_cells))
        for x, y in [(0, 0), (50, 33), (100, 66), (17, 60)]:
            assert spread[y, x] == grid.token_at(x + 0.5, y + 0.5)[0]

    def test_a_map_of_another_size(self, plain, rng):
        values = rng.random(24)
        expected = np.kron(values.reshape(4, 6), np.ones((4, 8)))
        assert np.array_equal(plain.picture_map(values, (48, 16)), expected.astype(np.float32))
        assert plain.picture_map(values, (101, 67)).shape == (67, 101)

    def test_cells_smaller_than_a_pixel(self):
        grid = TokenGrid.plain((8, 8), (4, 4), (256, 256))
        assert grid.picture_map(np.ones(64)).tolist() == np.ones((4, 4)).tolist()

    def test_what_is_not_fed_is_zero_and_unseen(self):
        cropped = TokenGrid(even_boxes((2, 2), (16, -5, 80, 69)), SIZE_PX, (64, 64))
        seen = np.zeros((64, 96), bool)
        seen[:, 16:80] = True
        assert np.array_equal(cropped.seen_HW(), seen)
        assert np.array_equal(cropped.picture_map(np.ones(4)), seen.astype(np.float32))

    def test_one_value_for_each_token(self, plain):
        with pytest.raises(ValueError, match="expected 24 values"):
            plain.picture_map(np.ones(23))


def test_every_token_is_found_at_its_centre(plain):
    for token, (x0, y0, x1, y1) in enumerate(plain.boxes_P4):
        assert plain.token_at((x0 + x1) / 2, (y0 + y1) / 2).tolist() == [token]
    assert plain.token_at(-1, 5).size == 0
    assert plain.token_at(96, 5).size == 0
    assert tiled().token_at(1, 1).tolist() == [0, 10]


def test_boxes_of_some_tokens(plain):
    assert plain.boxes_of([7, 0]).tolist() == [[16, 16, 32, 32], [0, 0, 16, 16]]
    assert plain.n_tokens == 24
    assert plain.cell_size_px == (16, 16)
