"""Statistics of comparisons, held to scipy and to small cases done by hand."""

import numpy as np
import pytest
from scipy import stats

from gazeviz.domain.statistics import (
    bootstrap_interval,
    cohen_kappa,
    percentile_of,
    random_derangement,
    spearman,
)


def test_the_interval_of_independent_hits_is_the_binomial_one() -> None:
    hits = np.arange(400) % 4 == 0
    low, high = bootstrap_interval(hits)
    half_width = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert low == pytest.approx(0.25 - half_width, abs=0.006)
    assert high == pytest.approx(0.25 + half_width, abs=0.006)


def test_answers_about_one_strip_are_drawn_together() -> None:
    strips = np.repeat(np.arange(40), 6)
    hits = strips % 2 == 0  # all six answers about a strip agree: there are 40 facts and not 240
    low, high = bootstrap_interval(hits, strips)
    alone_low, alone_high = bootstrap_interval(hits)
    assert high - low > 2 * (alone_high - alone_low)
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / np.sqrt(40), abs=0.03)


def test_larger_strips_weigh_more_in_every_resample() -> None:
    hits = [1] * 90 + [0] * 10
    low, high = bootstrap_interval(hits, [0] * 90 + [1] * 10)
    assert (low, high) == (0.0, 1.0)
    assert bootstrap_interval([1.0, 1.0]) == (1.0, 1.0)


def test_the_interval_is_repeatable_and_undefined_without_hits() -> None:
    hits = np.random.default_rng(3).random(50)
    assert bootstrap_interval(hits, seed=5) == bootstrap_interval(hits, seed=5)
    assert bootstrap_interval(hits, resamples=1500) != bootstrap_interval(hits, resamples=1500, seed=1)
    assert all(np.isnan(bootstrap_interval([])))


def test_spearman_equals_scipys(rng: np.random.Generator) -> None:
    for _ in range(20):
        a, b = rng.integers(0, 5, 12), rng.integers(0, 5, 12)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


def test_spearman_is_undefined_for_a_constant_side_and_for_one_pair() -> None:
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert np.isnan(spearman([1], [1]))
    assert np.isnan(spearman([], []))
    with pytest.raises(ValueError, match="2 values against 3"):
        spearman([1, 2], [1, 2, 3])


def test_kappa_by_hand() -> None:
    # Observed agreement 0.7, chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5: kappa 0.4 (Cohen 1960).
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert cohen_kappa([1, 2, None], [1, 2, None]) == 1.0
    assert np.isnan(cohen_kappa([1, 1], [1, 1]))
    assert np.isnan(cohen_kappa([], []))
    with pytest.raises(ValueError, match="1 judgements against 0"):
        cohen_kappa([1], [])


def test_a_percentile_counts_equal_draws_half() -> None:
    assert percentile_of(3, [1, 2, 3, 4]) == pytest.approx(62.5)
    assert percentile_of(9, [1, 2]) == 100.0
    assert np.isnan(percentile_of(1, []))


def test_derangements_move_everything_and_are_all_met() -> None:
    rng = np.random.default_rng(0)
    drawn = {random_derangement(4, rng) for _ in range(300)}
    assert len(drawn) == 9  # !4
    assert all(sorted(order) == [0, 1, 2, 3] for order in drawn)
    assert all(place != thing for order in drawn for place, thing in enumerate(order))
    with pytest.raises(ValueError, match="no derangement"):
        random_derangement(1, rng)
