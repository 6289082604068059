"""Kept rows: what is read back equals what was recorded, and memory stays within its budget."""

import numpy as np
import pytest

from gazeviz.backend.answering import AttentionCache, KeptRun
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import Side
from gazeviz.errors import UserError
from tests.backend.listening import assert_near

HEADS = HeadSet.of("L0H0,L0H1,L2H0")  # layer 1 has none, layer 2 one
CHOSEN = HeadSet.of("L0H1,L2H0")


def recorded(n_tok: int, seed: int = 0) -> np.ndarray:
    """Attention of 3 heads to 10 image tokens, (T, H, P)."""
    return np.random.default_rng(seed).dirichlet(np.ones(10), (n_tok, 3)).astype(np.float32)


def kept(rows_THP: np.ndarray, side: Side = "baseline") -> KeptRun:
    run = KeptRun(side, HEADS, CHOSEN, (3, 2))
    for index, rows_HP in enumerate(rows_THP):
        run.add(index, rows_HP)
    return run


def test_maps_are_means_over_heads_and_tokens() -> None:
    rows_THP = recorded(5)
    run = kept(rows_THP)
    assert_near(run.map_P((1, 3), None), rows_THP[[1, 3], 1:].mean((0, 1)))
    assert_near(run.map_P((4,), HeadSet.of("L0H0")), rows_THP[4, 0])
    assert_near(run.map_P((0,), HeadSet(())), rows_THP[0].mean(0))
    gallery = run.rows_HP((0, 1), (Head(2, 0), Head(0, 0)))
    assert_near(gallery, rows_THP[:2, [2, 0]].mean(0))
    assert gallery.dtype == np.float32


def test_mass_of_every_head_and_none_where_no_head_is() -> None:
    rows_THP = recorded(2)
    mass_LH = kept(rows_THP).mass_LH((0, 1), np.array([4, 2, 4]))
    expected = rows_THP[:, :, [2, 4]].sum(-1).mean(0)
    assert_near(np.array([mass_LH[0, 0], mass_LH[0, 1], mass_LH[2, 0]]), expected)
    assert np.isnan(mass_LH[[1, 1, 2], [0, 1, 1]]).all()
    assert (kept(rows_THP).mass_LH((0,), np.array([], dtype=np.int64))[0] == 0).all()


@pytest.mark.parametrize("steps", [(), (2,), (0, 7)])
def test_tokens_that_are_not_there_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="token"):
        kept(recorded(2)).map_P(steps, None)
    with pytest.raises(UserError, match="token"):
        kept(recorded(0)).mass_LH(steps, np.array([1]))


def test_heads_and_cells_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError, match="L1H0"):
        kept(recorded(1)).rows_HP((0,), (Head(1, 0),))
    with pytest.raises(UserError, match="image tokens"):
        kept(recorded(1)).mass_LH((0,), np.array([10]))


def test_two_runs_of_each_side_are_kept() -> None:
    cache = AttentionCache()
    sides: tuple[Side, ...] = ("baseline", "steered", "baseline", "glance", "baseline")
    for job, side in enumerate(sides, start=1):
        cache.open(job, kept(recorded(1), side))
    for job in (2, 3, 4, 5):
        assert cache.run(job).n_tok == 1
    with pytest.raises(UserError, match="no longer in memory"):
        cache.run(1)


def test_over_the_budget_the_earliest_tokens_of_the_oldest_run_go() -> None:
    row_bytes = 3 * 10 * 2
    cache = AttentionCache(budget_bytes=6 * row_bytes)
    cache.open(1, kept(recorded(4)))
    cache.open(2, kept(recorded(4), "steered"))
    cache.fit()
    assert (cache.run(1).n_tok, cache.run(2).n_tok) == (2, 4)
    cache.run(1).map_P((3,), None)
    with pytest.raises(UserError, match="token 1"):
        cache.run(1).map_P((1,), None)


def test_the_last_token_stays_however_small_the_budget() -> None:
    cache = AttentionCache(budget_bytes=1)
    cache.open(1, kept(recorded(4)))
    cache.fit()
    assert cache.run(1).n_tok == 1
    cache.run(1).map_P((3,), None)


def test_runs_can_be_forgotten() -> None:
    cache = AttentionCache()
    cache.open(1, kept(recorded(1)))
    cache.open(2, kept(recorded(1)))
    cache.forget(1)
    with pytest.raises(UserError, match="no longer in memory"):
        cache.run(1)
    cache.clear()
    with pytest.raises(UserError, match="no longer in memory"):
        cache.run(2)
