"""Which tokens are shown of a head: the best of each region, and draws from the middle and the low tenth."""

import numpy as np
import pytest

from gazeviz.domain.experiments.head_examples import (
    FEWEST_TOKENS,
    N_LOW,
    N_MIDDLE,
    N_TOP,
    HeadExamples,
    TokenLook,
    choose_looks,
)
from gazeviz.domain.heads import Head

LOOKS = [TokenLook(token % 10, token // 10, token % 4, token / 200) for token in range(200)]


def test_the_top_has_one_token_for_each_region_of_a_picture() -> None:
    top = choose_looks(LOOKS)["top"]
    assert len(top) == N_TOP
    assert len({(look.picture, look.region) for look in top}) == N_TOP
    assert top[0] == LOOKS[-1]
    assert [look.mass for look in top] == sorted((look.mass for look in top), reverse=True)


def test_the_rest_is_drawn_by_seed_from_its_own_tenths() -> None:
    chosen, again, other = choose_looks(LOOKS), choose_looks(LOOKS), choose_looks(LOOKS, seed=1)
    assert (len(chosen["middle"]), len(chosen["low"])) == (N_MIDDLE, N_LOW)
    assert all(0.4 <= look.mass < 0.6 for look in chosen["middle"])
    assert all(look.mass < 0.1 for look in chosen["low"])
    assert chosen == again != other


def test_few_tokens_have_a_top_only() -> None:
    few = LOOKS[: FEWEST_TOKENS - 1]
    chosen = choose_looks(few)
    assert chosen["top"] and not chosen["middle"] and not chosen["low"]
    assert choose_looks([])["top"] == ()


def test_bounds_are_percentiles_of_all_tokens() -> None:
    masses = np.linspace(0, 1, 101, dtype=np.float32)
    examples = HeadExamples(Head(0, 0), "set", "What?", 2, masses, ())
    assert examples.bounds("middle") == pytest.approx((0.4, 0.6))
    assert examples.bounds("low") == pytest.approx((0.0, 0.1))
    none = HeadExamples(Head(0, 0), "set", "What?", 2, masses[:0], ())
    assert all(np.isnan(none.bounds("top")))
