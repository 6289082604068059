"""The arithmetic of steered attention, on tensors: from scores and key group codes to attention weights.

The fast twin of `gazeviz.domain.steering.steered_weights`, which specifies every mode. Knows nothing of
models, layers, caches or pictures: what a key is reaches it as a group code, what a row sees as a bool mask.

Axes: B batch row, h chosen head, Q query row, K key, G key/value head. Weights are float32, or float64 where
the model is. `visible` is bool and broadcasts to (B, h, Q, K); `codes_BK` holds group codes, int64. A row
that sees no key at all (padding) gets weight 0 everywhere, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from gazeviz.domain.steering import GROUP_NAMES, TARGET, Hard, Mode, bias_by_group


@dataclass(frozen=True)
class BiasRule:
    """How the scores of a steered head change: mode and strength of `gazeviz.domain.steering.Steering`.

    `strength` is the bias beta in score units, or one of the limits `hard` and `hard_uniform`; `alpha` is the
    fraction of every row that mode `mass` gives to the target (0 < alpha <= 1, unused by the other modes).
    """

    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    alpha: float = 0.9

    @property
    def neutral(self) -> bool:
        """Whether the rule leaves every row as it is (a bias of 0)."""
        return self.mode not in ("mass", "knock_out") and self.strength == 0

    def touches(self, codes_BK: Tensor) -> Tensor:
        """Which key positions the rule acts on: bool, shaped as the codes."""
        if self.mode == "mass":
            return codes_BK == TARGET
        if self.mode == "knock_out":
            return torch.ones_like(codes_BK, dtype=torch.bool)
        return _bias_by_group(self.mode, 1.0, codes_BK.device)[codes_BK] != 0


def per_head_matmul(left_BhQN: Tensor, right_BGNM: Tensor, heads: Tensor, n_heads: int) -> Tensor:
    """Multiply each chosen query head with the key/value head it shares: (B, h, Q, M).

    G key/value heads serve n_heads / G neighbouring query heads each. `heads` names the query heads of
    `left`, rising; where they are all heads, the sharing is used instead of a copy per head.
    """
    heads_per_group = n_heads // right_BGNM.shape[1]
    left = left_BhQN.to(_working_dtype(left_BhQN.dtype))
    if len(heads) != n_heads:
        return left @ right_BGNM[:, _shared_by(heads, heads_per_group)].to(left.dtype)
    batch, _, n_rows, inner = left.shape
    stacked_BGRN = left.reshape(batch, -1, heads_per_group * n_rows, inner)
    return (stacked_BGRN @ right_BGNM.to(left.dtype)).reshape(batch, n_heads, n_rows, -1)


@lru_cache(maxsize=8192)
def _shared_by(heads: Tensor, heads_per_group: int) -> Tensor:
    """The key/value head of each query head, kept by the tensor of heads, which is kept itself."""
    with torch.inference_mode(False):  # as an inference tensor it could not take part in a later gradient
        return heads // heads_per_group


def plain_weights(scores_BhQK: Tensor, visible: Tensor | None) -> Tensor:
    """Softmax over the visible keys (None: all): (B, h, Q, K), rows summing to 1 (0 where none is seen)."""
    if visible is None:
        return scores_BhQK.softmax(dim=-1)
    weights_BhQK = scores_BhQK.masked_fill(~visible, _lowest(scores_BhQK)).softmax(dim=-1)
    return weights_BhQK * visible


def steered_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, rule: BiasRule) -> Tensor:
    """Attention weights under a rule: (B, h, Q, K).

    The bias of each key's group is added before the softmax, less the highest bias that the row sees: the
    softmax is the same, and the scores keep their last digits beside a bias of 10 000.
    """
    if rule.mode == "mass":
        return _mass_weights(scores_BhQK, visible, codes_BK, rule.alpha)
    if rule.mode == "knock_out":
        return plain_weights(scores_BhQK, visible)
    if isinstance(rule.strength, str):
        return _limit_weights(scores_BhQK, visible, codes_BK, rule)
    bias_B11K = _bias_B11K(rule.mode, float(rule.strength), codes_BK)
    highest_B1Q1 = _highest_visible(bias_B11K, visible).clamp_min(_lowest(bias_B11K))
    return plain_weights(scores_BhQK + (bias_B11K - highest_B1Q1), visible)


def gained_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, gains_h: Tensor) -> Tensor:
    """Attention weights with a bias of each head's own, differentiable in the gains: (B, h, Q, K).

    bias = gain x (+1 on the target, -1 on the other image tokens, 0 elsewhere), as in `boost_suppress`.
    """
    sign_B11K = _bias_B11K("boost_suppress", 1.0, codes_BK)
    bias_BhQK = gains_h.to(scores_BhQK.dtype)[None, :, None, None] * sign_B11K
    return plain_weights(scores_BhQK + bias_BhQK, visible)


class KeyGroups:
    """The keys of a call by group, with what every layer of a forward would otherwise make of them again."""

    def __init__(self, codes_BK: Tensor) -> None:
        self.codes_BK = codes_BK
        self._biases: dict[BiasRule, Tensor] = {}
        self._touched: dict[BiasRule, Tensor] = {}

    @cached_property
    def member_BKG(self) -> Tensor:
        """1 where a key is in a group, else 0: float32."""
        groups = torch.arange(len(GROUP_NAMES), device=self.codes_BK.device)
        return (self.codes_BK[..., None] == groups).float()

    def mass(self, weights_BxhQK: Tensor) -> Tensor:
        """Sum the weights of each key group over heads, rows and keys: (B, x, groups), as the weights.

        Not in float64, which Apple's GPUs lack; who adds up many passes does so on the processor.
        """
        return weights_BxhQK.sum(dim=(2, 3)) @ self.member_BKG.to(weights_BxhQK.dtype)

    def seen_bias_B11K(self, rule: BiasRule) -> Tensor | None:
        """A rule's bias less the highest, for rows that see every key; None for rules that are no bias."""
        if rule.mode in ("mass", "knock_out") or isinstance(rule.strength, str):
            return None
        if rule not in self._biases:
            bias_B11K = _bias_B11K(rule.mode, float(rule.strength), self.codes_BK)
            self._biases[rule] = bias_B11K - bias_B11K.amax(dim=-1, keepdim=True)
        return self._biases[rule]

    def touched_B(self, rule: BiasRule) -> Tensor:
        """Whether a row that sees every key sees one that the rule acts on: int64 (B,)."""
        if rule not in self._touched:
            self._touched[rule] = rule.touches(self.codes_BK).any(dim=-1).long()
        return self._touched[rule]


def _limit_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, rule: BiasRule) -> Tensor:
    """The limit of an endless bias: of the keys that a row sees, those at its highest bias level remain."""
    level_B11K = _bias_B11K(rule.mode, 1.0, codes_BK)
    highest_B1Q1 = _highest_visible(level_B11K, visible)
    if rule.strength == "hard_uniform":
        scores_BhQK = scores_BhQK.masked_fill(highest_B1Q1 > 0, 0.0)
    return plain_weights(scores_BhQK, visible & (level_B11K == highest_B1Q1))


def _mass_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, alpha: float) -> Tensor:
    """Rows in which the target holds exactly alpha; target and rest keep their inner proportions."""
    is_target = (codes_BK == TARGET)[:, None, None, :]
    target, rest = visible & is_target, visible & ~is_target
    both = target.any(dim=-1, keepdim=True) & rest.any(dim=-1, keepdim=True)
    # Two softmaxes instead of rescaling one: a target whose weight underflows still has proportions.
    split = alpha * plain_weights(scores_BhQK, target) + (1 - alpha) * plain_weights(scores_BhQK, rest)
    return torch.where(both, split, plain_weights(scores_BhQK, visible))


def _highest_visible(level_B11K: Tensor, visible: Tensor) -> Tensor:
    """Each row's highest level among the keys it sees; -inf where it sees none."""
    return level_B11K.where(visible, -torch.inf).amax(dim=-1, keepdim=True)


def _bias_B11K(mode: Mode, beta: float, codes_BK: Tensor) -> Tensor:
    return _bias_by_group(mode, beta, codes_BK.device)[codes_BK][:, None, None, :]


@lru_cache(maxsize=256)
def _bias_by_group(mode: Mode, beta: float, device: torch.device) -> Tensor:
    return torch.tensor(bias_by_group(mode, beta).astype("float32"), device=device)


def _working_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _lowest(tensor: Tensor) -> float:
    return torch.finfo(tensor.dtype).min
