"""The statistics of an honest comparison: intervals over strips, rank correlation, agreement, percentiles.

Plain numpy on plain numbers. Knows nothing of heads, texts or judges.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES: Final = 10_000
_CHUNK: Final = 1000  # resamples drawn at once: 10 MB of indices for 1000 groups


def bootstrap_interval(
    hits: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, whole groups resampled with replacement.

    hits: float or bool (N,).  groups: (N,), which strip each hit belongs to: the answers about one strip are
        not
    independent, so strips are drawn and not answers; left out, every hit is its own group.
    Returns (NaN, NaN) for no hits.  Source: Efron 1979, the percentile method.
    """
    values = np.asarray(hits, dtype=np.float64)
    if not values.size:
        return float("nan"), float("nan")
    _, group_N = np.unique(np.arange(values.size) if groups is None else groups, return_inverse=True)
    sums_G = np.bincount(group_N, weights=values)
    counts_G = np.bincount(group_N).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, _CHUNK):
        size = (min(_CHUNK, resamples - start), len(sums_G))
        drawn = rng.integers(len(sums_G), size=size)
        means.append(sums_G[drawn].sum(axis=1) / counts_G[drawn].sum(axis=1))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low), float(high)


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rho of two equally long series, ties given their mean rank; NaN where it is undefined.

    Undefined: fewer than two pairs, or one side constant.
    """
    a, b = _mean_ranks(np.asarray(first, float)), _mean_ranks(np.asarray(second, float))
    if a.size != b.size:
        raise ValueError(f"{a.size} values against {b.size}")
    if a.size < 2:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else float("nan")


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Agreement of two judges beyond chance, 1 for full agreement, 0 for chance; NaN where chance alone is
    full.

    Each sequence holds one category for each item (a panel, or None).  Source: Cohen 1960.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} judgements against {len(second)}")
    if not first:
        return float("nan")
    observed = float(np.mean([a == b for a, b in zip(first, second, strict=True)]))
    categories = set(first) | set(second)
    chance = sum(first.count(c) * second.count(c) for c in categories) / len(first) ** 2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def percentile_of(value: float, draws: ArrayLike) -> float:
    """The share of draws below a value in per cent, draws equal to it counted half; NaN without draws."""
    drawn = np.asarray(draws, dtype=np.float64)
    if not drawn.size:
        return float("nan")
    return float(100 * ((drawn < value).mean() + (drawn == value).mean() / 2))


def random_derangement(n: int, rng: np.random.Generator) -> tuple[int, ...]:
    """A uniformly random order of 0..n-1 in which nothing keeps its place; ValueError for n < 2."""
    if n < 2:
        raise ValueError(f"{n} things have no derangement")
    while True:  # a permutation is a derangement with probability near 1/e
        order = rng.permutation(n)
        if (order != np.arange(n)).all():
            return tuple(int(place) for place in order)


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ascending; equal values share the mean of the ranks that they fill."""
    if not values.size:
        return values
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(count)
    return np.asarray((last_rank - (count - 1) / 2)[group], dtype=np.float64)
