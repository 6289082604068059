"""The tensor arithmetic of steering against its specification in numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gazeviz.domain.steering import GROUP_NAMES, MODES, TARGET, steered_weights
from gazeviz.engine.attention import kernel
from gazeviz.engine.attention.kernel import BiasRule

STRENGTHS: list[Any] = [0.0, 0.5, 8.0, 300.0, "hard", "hard_uniform"]
B, H, Q, K = 2, 3, 7, 24


@pytest.fixture
def states(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (B, H, Q, K) float32, visible (B, 1, Q, K) with an empty row, codes (B, K) of all groups."""
    visible = rng.random((B, 1, Q, K)) < 0.6
    visible[0, 0, 2] = False  # a padded row
    codes = rng.integers(0, len(GROUP_NAMES), (B, K))
    visible[:, 0, 3] &= codes != TARGET  # a row before the target
    visible[:, 0, 4] &= codes == TARGET  # a row that sees nothing else
    scores = rng.normal(0, 3, (B, H, Q, K)).astype(np.float32)
    return torch.tensor(scores), torch.tensor(visible), torch.tensor(codes)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_and_strength_equals_the_specification(
    states: tuple[Tensor, Tensor, Tensor], mode: Any, strength: Any
) -> None:
    scores, visible, codes = states
    weights = kernel.steered_weights(scores, visible, codes, BiasRule(mode, strength, 0.7))
    expected = steered_weights(scores, codes[:, None, None, :], visible, mode, strength, 0.7)
    np.testing.assert_allclose(weights.numpy(), expected, atol=2e-6)
    assert not weights[0, :, 2].any()


@pytest.mark.parametrize("alpha", [0.01, 0.9, 1.0])
def test_mass_gives_the_target_exactly_its_share(states: tuple[Tensor, Tensor, Tensor], alpha: float) -> None:
    scores, visible, codes = states
    is_target = codes[:, None, None, :] == TARGET
    scores = scores - 200.0 * is_target  # a target that the head all but ignores
    weights = kernel.steered_weights(scores, visible, codes, BiasRule("mass", alpha=alpha))
    share = (weights * is_target).sum(-1)
    torch.testing.assert_close(share[:, :, 5:], torch.full_like(share[:, :, 5:], alpha), atol=1e-6, rtol=0)
    assert not share[:, :, 3].any()
    torch.testing.assert_close(share[:, :, 4], torch.ones_like(share[:, :, 4]))


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("mass", "knock_out")])
def test_hard_is_where_strong_biases_lead(states: tuple[Tensor, Tensor, Tensor], mode: Any) -> None:
    scores, visible, codes = states
    hard = kernel.steered_weights(scores, visible, codes, BiasRule(mode, "hard"))
    strong = kernel.steered_weights(scores, visible, codes, BiasRule(mode, 10_000.0))
    torch.testing.assert_close(strong, hard, atol=1e-7, rtol=0)
    near = kernel.steered_weights(scores, visible, codes, BiasRule(mode, 4.0))
    assert (near - hard).abs().max() > 1e-3


def test_hard_uniform_is_uniform_over_the_visible_target(states: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, visible, codes = states
    weights = kernel.steered_weights(scores, visible, codes, BiasRule(strength="hard_uniform"))
    target = (visible & (codes[:, None, None, :] == TARGET)).float()
    rows = target.sum(-1)[:, 0] > 0
    expected = (target / target.sum(-1, keepdim=True)).expand(-1, H, -1, -1)
    torch.testing.assert_close(weights.transpose(1, 2)[rows], expected.transpose(1, 2)[rows])
    hard = kernel.steered_weights(scores, visible, codes, BiasRule(strength="hard"))
    torch.testing.assert_close(weights[:, :, 3], hard[:, :, 3])


def test_gains_are_boost_and_suppress_head_by_head(states: tuple[Tensor, Tensor, Tensor]) -> None:
    scores, visible, codes = states
    gains = torch.tensor([0.0, 2.0, 5.0])
    weights = kernel.gained_weights(scores, visible, codes, gains)
    for head, gain in enumerate(gains.tolist()):
        rule = BiasRule("boost_suppress", gain)
        alone = kernel.steered_weights(scores[:, head : head + 1], visible, codes, rule)
        torch.testing.assert_close(weights[:, head : head + 1], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("rule", "neutral"),
    [
        (BiasRule("boost_suppress", 0.0), True),
        (BiasRule("boost_suppress", 0.1), False),
        (BiasRule("suppress_all", "hard"), False),
        (BiasRule("mass", 0.0), False),
    ],
)
def test_only_a_bias_of_nothing_is_neutral(rule: BiasRule, neutral: bool) -> None:
    assert rule.neutral is neutral


@pytest.mark.parametrize(
    ("mode", "touched"),
    [
        ("boost_suppress", [False, False, True, True, False]),
        ("suppress_image", [False, False, True, False, False]),
        ("suppress_all", [True, True, True, False, False]),
        ("max_suppress_all", [True, True, True, False, True]),
        ("mass", [False, False, False, True, False]),
    ],
)
def test_a_rule_touches_the_groups_of_its_mode(mode: Any, touched: list[bool]) -> None:
    assert BiasRule(mode, "hard").touches(torch.arange(5)[None])[0].tolist() == touched


def test_per_head_matmul_shares_key_heads_with_or_without_a_copy() -> None:
    query, keys = torch.randn(2, 6, 5, 8), torch.randn(2, 2, 8, 9).bfloat16()
    every = kernel.per_head_matmul(query, keys, torch.arange(6), 6)
    expected = query @ keys.float().repeat_interleave(3, dim=1)
    torch.testing.assert_close(every, expected, atol=1e-5, rtol=0)
    some = torch.tensor([0, 2, 3, 5])
    chosen = kernel.per_head_matmul(query[:, some], keys, some, 6)
    torch.testing.assert_close(chosen, expected[:, some], atol=1e-5, rtol=0)


def test_mass_by_group_sums_heads_rows_and_keys() -> None:
    weights = torch.rand(2, 3, 4, 6)
    codes = torch.tensor([[0, 1, 1, 2, 3, 4], [0, 2, 2, 3, 3, 4]])
    by_group = kernel.KeyGroups(codes).mass(weights[:, None])[:, 0]
    assert by_group.dtype == weights.dtype
    assert by_group.shape == (2, 5)
    torch.testing.assert_close(by_group[0, 1], weights[0, :, :, 1:3].sum())
    torch.testing.assert_close(by_group[1, 1], torch.tensor(0.0))
    torch.testing.assert_close(by_group.sum(1), weights.sum((1, 2, 3)))
