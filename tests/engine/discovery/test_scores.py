"""The formulas against arrays made by hand, and against scipy where it has a second opinion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from gazeviz.engine.discovery import scores as rankings
from gazeviz.engine.discovery.scores import Places


def one_head(matrix: list[list[float]]) -> np.ndarray:
    """A matrix A[asked, looked-at] as that of the only head of a model."""
    return np.array(matrix)[None, None]


def test_panel_mass_is_the_raw_sum_over_a_panels_tokens():
    rows = np.array([0.1, 0.2, 0.3, 0.05], dtype=np.float32)[None, None, None]
    mass = rankings.panel_mass(rows, [np.array([0, 2]), np.array([3])])
    assert mass.shape == (1, 1, 1, 2)
    np.testing.assert_allclose(mass[0, 0, 0], [0.4, 0.05], rtol=1e-6)


def test_mass_is_the_mean_of_the_diagonal():
    assert rankings.diagonal_mean(one_head([[0.5, 0.1], [0.3, 0.7]]))[0, 0] == pytest.approx(0.6)


def test_a_head_that_ignores_the_picture_scores_nearly_nothing():
    faint = one_head([[1e-6, 0.0], [0.0, 1e-6]])
    assert rankings.diagonal_mean(faint)[0, 0] < 1e-5
    assert rankings.selectivity(faint)[0, 0] < 1e-4


def test_selectivity_is_the_share_of_the_asked_panel_above_the_floor():
    assert rankings.selectivity(one_head([[0.3, 0.1], [0.2, 0.2]]))[0, 0] == pytest.approx((0.75 + 0.5) / 2)


def test_selectivity_fades_with_the_mass_below_the_floor():
    scores = [rankings.selectivity(one_head([[m, 0], [0, m]]), floor=0.1)[0, 0] for m in (0.2, 0.1, 0.05)]
    assert scores == pytest.approx([1.0, 1.0, 0.5])


def test_absent_heads_stay_absent_in_every_formula():
    matrix = np.full((1, 2, 2, 2), 0.25)
    matrix[0, 1] = np.nan
    for scores in (
        rankings.diagonal_mean(matrix),
        rankings.selectivity(matrix),
        rankings.image_zscore(matrix.sum(axis=-1)),
    ):
        assert np.isnan(scores).tolist() == [[False, True]]


def test_image_zscore_compares_heads_of_one_layer_row_by_row(rng: np.random.Generator):
    mass = rng.random((3, 4, 5))
    expected = stats.zscore(mass, axis=1).mean(axis=-1)
    np.testing.assert_allclose(rankings.image_zscore(mass), expected)


def test_image_zscore_of_heads_that_are_all_alike_is_zero():
    assert rankings.image_zscore(np.full((2, 3, 1), 0.4)).tolist() == [[0.0] * 3] * 2


def test_the_elbow_separates_a_few_high_values_from_many_low_ones():
    values = np.array([[0.9, 0.05, 0.06], [0.04, 0.8, 0.05], [0.03, 0.02, 0.01]])
    assert rankings.above_elbow(values).tolist() == [[True, False, False], [False, True, False], [False] * 3]


def test_the_elbow_separates_many_high_values_from_a_few_low_ones():
    assert rankings.above_elbow(np.array([0.9, 0.88, 0.1, 0.87, 0.86])).tolist() == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_equal_values_have_no_elbow_and_missing_ones_are_never_above():
    assert not rankings.above_elbow(np.full((2, 2), 0.3)).any()
    assert rankings.above_elbow(np.array([0.9, np.nan, 0.1, 0.1, 0.1])).tolist() == [True, *[False] * 4]


def test_connected_regions_agree_with_scipy_on_random_maps(rng: np.random.Generator):
    above = rng.random((200, 9, 13)) < 0.55
    labels = rankings.connected_regions(above)
    for ours, cells in zip(labels, above, strict=True):
        theirs, count = ndimage.label(cells)
        pairs = set(zip(ours[cells].tolist(), theirs[cells].tolist(), strict=True))
        assert len(pairs) == count == len(set(ours[cells].tolist()))


def test_a_spiral_is_one_region():
    spiral = np.array(
        [
            [1, 1, 1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 1, 0, 1],
            [1, 0, 1, 1, 1, 0, 1],
            [1, 0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1, 1],
        ],
        dtype=bool,
    )
    labels = rankings.connected_regions(spiral[None])[0]
    assert len(set(labels[spiral].tolist())) == 1


def test_spatial_entropy_counts_places_by_their_mass():
    one_place = [[0.9, 0.8, 0, 0], [0, 0, 0, 0]]
    two_places = [[0.5, 0, 0, 0.5], [0, 0, 0, 0]]
    uneven = [[0.75, 0, 0, 0.25], [0, 0, 0, 0]]
    entropy = rankings.spatial_entropy(np.array([one_place, two_places, uneven]))
    assert entropy == pytest.approx([0.0, np.log(2), stats.entropy([0.75, 0.25])], abs=1e-12)


def test_spatial_entropy_of_a_flat_map_is_the_highest_and_of_an_absent_head_absent():
    entropy = rankings.spatial_entropy(np.array([np.full((2, 3), 0.1), np.full((2, 3), np.nan)]))
    assert entropy[0] == pytest.approx(np.log(6))
    assert np.isnan(entropy[1])


def test_spatial_entropy_does_not_depend_on_how_many_maps_are_taken_at_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
):
    maps = rng.random((7, 4, 6)) ** 4
    together = rankings.spatial_entropy(maps)
    monkeypatch.setattr(rankings, "_MAPS_AT_ONCE", 2)
    np.testing.assert_array_equal(rankings.spatial_entropy(maps), together)
    assert rankings.spatial_entropy(maps[:0]).shape == (0,)


def test_bottom_row_share():
    maps = np.array([[[0.1, 0.1], [0.3, 0.5]], [[0.0, 0.0], [0.0, 0.0]]])
    assert rankings.bottom_row_share(maps) == pytest.approx([0.8, 0.0])


def places(**changed: np.ndarray) -> Places:
    """Five layers of two heads: one head of layers 1 to 4 looks at the picture a lot, each at one place."""
    mass = np.full((5, 2), 0.05)
    mass[1:, 0] = 0.9
    fields = {
        "image_mass_LH": mass,
        "entropy_LH": np.tile(np.arange(5.0)[:, None], (1, 2)) / 10,
        "bottom_share_LH": np.full((5, 2), 0.25),
    }
    return Places(**{**fields, **changed}, n_rows=4)


def test_localization_leaves_out_early_layers_and_heads_below_the_elbow():
    scores = rankings.localization_by_question(places())
    assert (scores > 0).tolist() == [[False, False]] * 2 + [[True, False]] * 3
    assert scores[2, 0] > scores[3, 0] > scores[4, 0]  # ascending entropy


def test_localization_leaves_out_heads_fixed_on_the_bottom_row():
    bottom = np.full((5, 2), 0.25)
    bottom[2, 0] = 0.7
    scores = rankings.localization_by_question(places(bottom_share_LH=bottom))
    assert scores[2, 0] <= 0 < scores[3, 0]


def test_localization_keeps_a_rank_for_the_rest_by_their_image_mass():
    scores = rankings.localization_by_question(places())
    assert scores[1, 0] == pytest.approx(0.9 - 1)
    assert scores[0, 0] == pytest.approx(0.05 - 1)


def test_the_published_entropy_equals_one_written_with_scipy(rng: np.random.Generator):
    from scipy.ndimage import label

    maps = rng.random((40, 6, 14)) ** 6 / 40
    entropy, bottom = rankings.spatial_entropy_above_mean(maps)
    for place, one in enumerate(maps):
        excess = np.maximum(one - one.mean(), 0)
        parts, n = label(excess > 0.001, structure=np.ones((3, 3)))
        sums = np.array([excess[parts == k].sum() for k in range(1, n + 1)])
        shares = sums / sums.sum()
        assert entropy[place] == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-9)
        assert bottom[place] == bool((parts[-1] > 0).all())


def test_cells_that_touch_at_corners_are_one_part_for_eight_neighbours_and_two_for_four():
    diagonal = np.zeros((1, 2, 2), dtype=bool)
    diagonal[0, 0, 0] = diagonal[0, 1, 1] = True
    eight = rankings.connected_regions(diagonal, diagonal=True)[0]
    four = rankings.connected_regions(diagonal)[0]
    assert eight[0, 0] == eight[1, 1]
    assert four[0, 0] != four[1, 1]


def test_the_published_localization_leaves_out_heads_whose_bottom_row_lies_inside_parts():
    mass = np.full((3, 2), 0.1)
    mass[1:] = 0.9
    entropy, bottom = np.zeros((3, 2)), np.zeros((3, 2))
    bottom[2, 1] = 1.0
    scores = rankings.localization(mass, entropy, bottom)
    assert scores[2, 0] == 1.0
    assert scores[2, 1] == pytest.approx(-0.1)
    assert (scores[0] < 0).all()
