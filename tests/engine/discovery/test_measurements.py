"""How one strip is measured, and how strips add up."""

from __future__ import annotations

import numpy as np
import pytest

from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.engine.discovery import measurements
from gazeviz.engine.discovery import scores as rankings
from gazeviz.engine.discovery.measurements import Effect, Looks, Narrated

HALVES = (np.array([0, 2]), np.array([1, 3]))
"""The left and the right column of a grid of 2 x 2 cells."""
GRID = TokenGrid.plain((2, 2), (20, 20), (20, 20))


def looks(matrix: list[list[float]]) -> Looks:
    """One head's matrix."""
    return Looks(np.array(matrix)[None, None], np.array([[1.0]]), None)


def narrated(matrix: list[list[float]], n_tok: list[int]) -> Narrated:
    """One head's narration."""
    return Narrated(np.array(matrix)[None, None], np.array(n_tok))


def test_a_strip_is_measured_from_its_rows(rng: np.random.Generator):
    rows = rng.random((3, 2, 2, 4), dtype=np.float32) / np.float32(4)
    measured = measurements.looks_of(rows, HALVES, GRID)
    np.testing.assert_allclose(
        measured.matrix_LHKR[2, 1, 0], [rows[2, 1, 0, [0, 2]].sum(), rows[2, 1, 0, [1, 3]].sum()]
    )
    np.testing.assert_allclose(measured.image_z_LH, rankings.image_zscore(rows.sum(axis=-1)), atol=1e-6)
    assert measured.places is not None
    np.testing.assert_allclose(measured.places.image_mass_LH, rows.sum(axis=-1).mean(axis=-1), rtol=1e-6)
    expected = rankings.spatial_entropy(rows[1, 0].reshape(2, 2, 2)).mean()
    assert measured.places.entropy_LH[1, 0] == pytest.approx(expected)
    assert measured.places.n_rows == 2


def test_places_are_measured_only_when_wanted(rng: np.random.Generator):
    rows = rng.random((1, 1, 2, 4)).astype(np.float32)
    assert measurements.looks_of(rows, HALVES, GRID, with_places=False).places is None


def test_maps_of_a_plain_grid_are_its_rows_and_columns():
    rows = np.arange(4, dtype=np.float32)[None, None, None]
    assert measurements.maps_of(rows, GRID).tolist() == [[[0, 1], [2, 3]]]


def test_maps_of_tiles_take_the_smallest_cell_and_leave_gaps_empty():
    tile = even_boxes((2, 2), (0, 0, 20, 20))
    thumbnail = even_boxes((1, 2), (0, 0, 40, 20))
    nowhere = np.full((1, 4), np.nan)
    grid = TokenGrid(np.concatenate([tile, nowhere, thumbnail]), (40, 20), (40, 20))
    rows = np.array([1, 2, 3, 4, 99, 7, 8], dtype=np.float32)[None, None, None]
    assert measurements.maps_of(rows, grid).tolist() == [[[1, 2, 8, 8], [3, 4, 8, 8]]]
    without_thumbnail = TokenGrid(np.concatenate([tile, nowhere]), (40, 20), (40, 20))
    assert measurements.maps_of(rows[..., :5], without_thumbnail).tolist() == [[[1, 2, 0, 0], [3, 4, 0, 0]]]


def test_a_narration_is_averaged_by_the_panel_spoken_of():
    mass = np.array([[0.2, 0.1], [0.4, 0.1], [0.3, 0.6]])[None, None]
    measured = measurements.narrated_of(mass, np.array([0, 0, 1]))
    np.testing.assert_allclose(measured.matrix_LHKR[0, 0], [[0.3, 0.1], [0.3, 0.6]])
    assert measured.n_tok_K.tolist() == [2, 1]


def test_tracking_weighs_every_token_of_a_strip_alike():
    sample = narrated([[0.3, 0.1], [0.3, 0.6]], [2, 1])
    assert measurements.scores("tracking", [sample])[0, 0] == pytest.approx((0.3 * 2 + 0.6) / 3)


def test_strips_count_alike_whatever_their_number_of_panels():
    two = looks([[0.4, 0.0], [0.0, 0.2]])
    three = looks([[0.9, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.9]])
    assert measurements.scores("mass", [two, two, three])[0, 0] == pytest.approx((0.3 + 0.3 + 0.9) / 3)
    assert measurements.matrix([two, two, three]) is None


def test_selectivity_is_taken_of_the_mean_matrix_of_equal_strips():
    one, other = looks([[0.4, 0.0], [0.0, 0.4]]), looks([[0.0, 0.4], [0.4, 0.0]])
    assert measurements.scores("selectivity", [one, other])[0, 0] == pytest.approx(0.5)
    assert measurements.scores("selectivity", [one, looks([[0.2] * 3] * 3)])[0, 0] == pytest.approx(
        (1 + 1 / 3) / 2
    )


def test_the_mean_matrix_leaves_out_panels_that_were_not_described():
    told = narrated([[0.4, 0.2], [0.2, 0.8]], [3, 3])
    silent = narrated([[0.2, 0.0], [0.0, 0.0]], [3, 0])
    mean = measurements.matrix([told, silent])
    assert mean is not None
    np.testing.assert_allclose(mean[0, 0], [[0.3, 0.1], [0.2, 0.8]])
    assert measurements.matrix([silent]) is None


def test_effects_and_image_scores_are_averaged():
    samples = [Effect(np.array([[1.0, np.nan]])), Effect(np.array([[3.0, np.nan]]))]
    np.testing.assert_array_equal(measurements.scores("causal", samples), [[2.0, np.nan]])
    assert measurements.matrix(samples) is None
    assert measurements.scores("image_heads", [looks([[0.1]]), looks([[0.2]])])[0, 0] == 1.0


def test_localization_averages_the_places_of_strips(rng: np.random.Generator):
    rows = rng.random((4, 3, 2, 4), dtype=np.float32) / np.float32(4)
    one = measurements.looks_of(rows, HALVES, GRID)
    assert one.places is not None
    np.testing.assert_allclose(
        measurements.scores("localization_by_question", [one, one]),
        rankings.localization_by_question(one.places),
    )


def test_the_published_localization_averages_maps_before_it_takes_their_entropy(rng: np.random.Generator):
    """A head that looks at one place in each strip, and at another in the next, is at two places."""
    from gazeviz.engine.discovery.scores import Places

    def seen(column: int) -> measurements.Looks:
        maps = np.zeros((4, 2, 4, 8), dtype=np.float32)
        maps[3, 0, 1, column] = 0.9
        maps[3, 1, 1, 2] = 0.9
        mass = maps.sum(axis=(2, 3)).astype(np.float64)
        zeros = np.zeros((4, 2))
        places = Places(mass, zeros, zeros, 4.0)
        return measurements.Looks(np.zeros((4, 2, 2, 2)), zeros, places, maps)

    scores = measurements.scores("localization", [seen(0), seen(6)])
    assert scores[3, 1] == pytest.approx(1.0)
    assert scores[3, 0] == pytest.approx(1 / (1 + np.log(2)))
