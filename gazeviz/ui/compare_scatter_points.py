"""Heads as points: the score or the rank of each in one ranking against another, and which sets it is in.

Only heads that both rankings score are points; the others are counted.  Knows rankings; draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.comparison import LETTERS, HeadsCompared
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.render.palette import figure_text

Unit: TypeAlias = Literal["score", "rank"]


@dataclass(frozen=True, eq=False)
class ScatterPoints:
    """Two rankings of the same heads.

    pair: the places of the two, whose letters name them.  heads: the N that both score, layer by layer.
    scores_N2: float64 (N, 2).  ranks_N2: int64 (N, 2), 1 is the best.
    best_N2: bool (N, 2), whether a head is among the best that are compared.
    n_without: heads that the first, and that the second, does not score.
    n_left_out: heads that lack a score in one of them or in both.
    """

    pair: tuple[int, int]
    names: tuple[str, str]
    heads: tuple[Head, ...]
    scores_N2: NDArray[np.float64]
    ranks_N2: NDArray[np.int64]
    best_N2: NDArray[np.bool_]
    n_without: tuple[int, int]
    n_left_out: int

    @classmethod
    def of(
        cls, compared: HeadsCompared, pair: tuple[int, int], present_LH: NDArray[np.bool_] | None
    ) -> ScatterPoints:
        """Take two of some compared rankings.

        present_LH: heads that the model has; None: those that any ranking scores.
        """
        first, second = (_ranking(compared, place) for place in pair)
        scored = [np.isfinite(ranking.scores_LH) for ranking in (first, second)]
        there_LH = scored[0] | scored[1]
        for known_LH in (compared.present_LH, present_LH):
            there_LH = there_LH if known_LH is None else there_LH | known_LH
        both_LH = scored[0] & scored[1]
        heads = tuple(Head(*place) for place in np.argwhere(both_LH).tolist())
        tops = tuple(compared.sets[place] for place in pair)
        return cls(
            pair, (first.name, second.name), heads,
            np.stack([first.scores_LH[both_LH], second.scores_LH[both_LH]], axis=1),
            np.stack([_ranks(ranking, both_LH) for ranking in (first, second)], axis=1),
            np.stack([_within(top, both_LH) for top in tops], axis=1),
            (_count(there_LH & ~scored[0]), _count(there_LH & ~scored[1])), _count(there_LH & ~both_LH),
        )  # fmt: skip

    @cached_property
    def place_of(self) -> dict[Head, int]:
        """Where in `heads` a head is."""
        return {head: place for place, head in enumerate(self.heads)}

    @property
    def letters(self) -> tuple[str, str]:
        """What the two are called."""
        return LETTERS[self.pair[0]], LETTERS[self.pair[1]]

    def values_N2(self, unit: Unit) -> NDArray[np.float64]:
        """Where the points lie: scores, or ranks below zero, so that better is to the right and above."""
        return self.scores_N2 if unit == "score" else -self.ranks_N2.astype(np.float64)

    def mask_N(self, heads: Sequence[Head] | HeadSet) -> NDArray[np.bool_]:
        """Which of the points are of some heads, bool (N,)."""
        mask_N = np.zeros(len(self.heads), dtype=bool)
        mask_N[[self.place_of[head] for head in heads if head in self.place_of]] = True
        return mask_N

    def counts(self) -> tuple[int, int, int]:
        """How many of the points are among the best of both, of the first alone, of the second alone."""
        first_N, second_N = self.best_N2.T
        return _count(first_N & second_N), _count(first_N & ~second_N), _count(second_N & ~first_N)

    def about(self, head: Head) -> str:
        """A head in words: layer, head, scores and ranks; what is missing where it is not a point."""
        said = [f"Layer {head.layer}, head {head.index}"]
        place = self.place_of.get(head)
        if place is None:
            return f"{said[0]} · no score in {' or '.join(self.letters)}"
        for side, letter in enumerate(self.letters):
            score = figure_text(float(self.scores_N2[place, side]))
            said.append(f"{letter} {score}, rank {self.ranks_N2[place, side]}")
        return " · ".join(said)

    def left_out(self) -> str:
        """How many heads are no points, and why; "" where none is missing."""
        if not self.n_left_out:
            return ""
        heads = "1 head" if self.n_left_out == 1 else f"{self.n_left_out:,} heads"
        lacking = [letter for letter, n in zip(self.letters, self.n_without, strict=True) if n]
        return f"{heads} left out: no score in {' or '.join(lacking)}"


def _ranking(compared: HeadsCompared, place: int) -> HeadRanking:
    ranking = compared.rankings[place]
    assert ranking is not None  # rankings are compared, not runs
    return ranking


def _ranks(ranking: HeadRanking, of_LH: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rank of each head of a mask, in row-major order."""
    ranks_LH = np.zeros(ranking.shape_LH, dtype=np.int64)
    for rank, head in enumerate(ranking.order(), start=1):
        ranks_LH[head.layer, head.index] = rank
    return ranks_LH[of_LH]


def _within(heads: HeadSet, of_LH: NDArray[np.bool_]) -> NDArray[np.bool_]:
    shape_LH = of_LH.shape
    within: NDArray[np.bool_] = heads.mask_LH((shape_LH[0], shape_LH[1]))[of_LH]
    return within


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
