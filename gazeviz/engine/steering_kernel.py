"""The arithmetic of steered attention: from scores and key group codes to attention weights, in float32.

Pure tensor functions for a few heads at a time. Knows nothing of models, layers, caches or pictures: what a key
position *is* reaches it only as a group code (`gazeviz.domain.steering`), what a row may see only as a bool mask.

Shapes: B batch row, h chosen head, Q query row, K key position. `visible` is bool and broadcasts to (B, h, Q, K);
`codes_BK` holds group codes. A row that sees no key at all (padding) gets weight 0 everywhere, never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gazeviz.domain.steering import GROUP_NAMES, TARGET, bias_by_group


@dataclass(frozen=True)
class BiasRule:
    """How the scores of a steered head change: mode and strength of `gazeviz.domain.steering.Steering`.

    `strength` is the bias beta in score units, or one of the limits `hard` and `hard_uniform`; `alpha` is the
    fraction of every row that mode `mass` gives to the target (0 < alpha <= 1, unused by the other modes).
    """

    mode: str = "boost_suppress"
    strength: float | str = 8.0
    alpha: float = 0.9

    @property
    def neutral(self) -> bool:
        """Whether the rule leaves every row as it is (a bias of 0)."""
        return self.mode != "mass" and self.strength == 0

    def touches(self, codes_BK: Tensor) -> Tensor:
        """Which key positions the rule acts on: bool, shaped as the codes."""
        if self.mode == "mass":
            return codes_BK == TARGET
        return _bias_by_group(self.mode, 1.0, codes_BK.device)[codes_BK.long()] != 0


def per_head_matmul(left_BhQN: Tensor, right_BGNM: Tensor, heads: Tensor, n_heads: int) -> Tensor:
    """Multiply each chosen query head with its own key/value head, in float32: (B, h, Q, M).

    `right_BGNM` holds G key/value heads, each shared by n_heads / G neighbouring query heads; `heads` are the
    query heads of `left`, and only where they are all heads is the sharing used instead of a gathered copy.
    """
    n_groups = right_BGNM.shape[1]
    heads_per_group = n_heads // n_groups
    left_BhQN = left_BhQN.float()
    if len(heads) != n_heads:
        return left_BhQN @ right_BGNM[:, heads // heads_per_group].float()
    batch, _, n_rows, inner = left_BhQN.shape
    left_BGRN = left_BhQN.reshape(batch, n_groups, heads_per_group * n_rows, inner)
    return (left_BGRN @ right_BGNM.float()).reshape(batch, n_heads, n_rows, -1)


def plain_weights(scores_BhQK: Tensor, visible: Tensor) -> Tensor:
    """Softmax over the visible keys: float32 (B, h, Q, K), rows summing to 1 (0 where nothing is visible)."""
    lowest = torch.finfo(scores_BhQK.dtype).min
    weights_BhQK = scores_BhQK.masked_fill(~visible, lowest).softmax(dim=-1)
    return weights_BhQK * visible


def steered_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, rule: BiasRule) -> Tensor:
    """Attention weights under a rule: float32 (B, h, Q, K).

    The bias of each key's group is added before the softmax (science page, section 3), less the highest bias that
    the row sees: the softmax is the same, and the scores keep their last digits beside a bias of 10 000.
    """
    if rule.mode == "mass":
        return _mass_weights(scores_BhQK, visible, codes_BK, rule.alpha)
    if isinstance(rule.strength, str):
        return _limit_weights(scores_BhQK, visible, codes_BK, rule)
    bias_B11K = _bias_B11K(rule.mode, float(rule.strength), codes_BK)
    highest_B1Q1 = _highest_visible(bias_B11K, visible).clamp_min(torch.finfo(torch.float32).min)
    return plain_weights(scores_BhQK + (bias_B11K - highest_B1Q1), visible)


def gained_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, gains_h: Tensor) -> Tensor:
    """Attention weights with each head's own bias, differentiable in the gains: float32 (B, h, Q, K).

    bias = gain x (+1 on the target, -1 on the other image tokens, 0 elsewhere), the boost-and-suppress pattern.
    """
    sign_B11K = _bias_B11K("boost_suppress", 1.0, codes_BK)
    return plain_weights(scores_BhQK + gains_h.float()[None, :, None, None] * sign_B11K, visible)


def mass_by_group(weights_BhQK: Tensor, codes_BK: Tensor) -> Tensor:
    """Sum the weights of each key group over heads, rows and keys: float64 (B, groups)."""
    groups = torch.arange(len(GROUP_NAMES), device=codes_BK.device)
    member_BKG = (codes_BK[..., None] == groups).double()
    return torch.einsum("bk,bkg->bg", weights_BhQK.double().sum(dim=(1, 2)), member_BKG)


def _limit_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, rule: BiasRule) -> Tensor:
    """The limit of an endless bias: of the keys a row sees only those at its highest bias level remain."""
    level_B11K = _bias_B11K(rule.mode, 1.0, codes_BK)
    highest_B1Q1 = _highest_visible(level_B11K, visible)
    if rule.strength == "hard_uniform":
        scores_BhQK = scores_BhQK.masked_fill(highest_B1Q1 > 0, 0.0)
    return plain_weights(scores_BhQK, visible & (level_B11K == highest_B1Q1))


def _mass_weights(scores_BhQK: Tensor, visible: Tensor, codes_BK: Tensor, alpha: float) -> Tensor:
    """Rows in which the target holds exactly alpha and the other keys share the rest in their own proportions.

    Worked out in logarithms, so a target that a head all but ignores can still be given its share.
    """
    target = visible & (codes_BK == TARGET)[:, None, None, :]
    rest = visible & ~target
    aimed_BhQK = torch.where(
        target,
        scores_BhQK - _log_mass(scores_BhQK, target) + torch.tensor(alpha).log(),
        scores_BhQK - _log_mass(scores_BhQK, rest) + torch.tensor(1.0 - alpha).log(),
    )
    sees_target = target.any(dim=-1, keepdim=True)
    return plain_weights(torch.where(sees_target, aimed_BhQK, scores_BhQK), visible)


def _log_mass(scores_BhQK: Tensor, members: Tensor) -> Tensor:
    lowest = torch.finfo(scores_BhQK.dtype).min
    return scores_BhQK.masked_fill(~members, lowest).logsumexp(dim=-1, keepdim=True)


def _highest_visible(level_B11K: Tensor, visible: Tensor) -> Tensor:
    """Each row's highest level among the keys it sees; -inf where it sees none."""
    return level_B11K.where(visible, -torch.inf).amax(dim=-1, keepdim=True)


def _bias_B11K(mode: str, beta: float, codes_BK: Tensor) -> Tensor:
    return _bias_by_group(mode, beta, codes_BK.device)[codes_BK.long()][:, None, None, :]


@lru_cache(maxsize=256)
def _bias_by_group(mode: str, beta: float, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not take part in a later gradient
        return torch.tensor(bias_by_group(mode, beta), dtype=torch.float32, device=device)

