"""A slow second opinion on steered attention: transformers' eager arithmetic, and the specification in numpy.

Shares nothing with the engine but the names of the groups: the bias goes into eager's own float mask, and
what no bias can express (the limits, a fixed mass) is the domain's numpy specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from gazeviz.domain.steering import DECODED, bias_by_group, steered_weights

REFERENCE_NAME = "eager_reference"


@dataclass
class Reference:
    """What the reference is asked to do, and the weights (B, H, Q, K) that it used in the newest forward."""

    heads: dict[int, tuple[int, ...]] = field(default_factory=dict)
    codes_BK: Tensor | None = None
    mode: str = "boost_suppress"
    strength: Any = 8.0
    alpha: float = 0.9
    first_row: int = 0
    past_tok: int = 0
    weights: dict[int, Tensor] = field(default_factory=dict)

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float,
        **_options: Any,
    ) -> tuple[Tensor, Tensor]:
        """Attend as transformers' eager functions do, each head with its own bias in the mask."""
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
        scores = query @ key.transpose(2, 3) * scaling
        visible = torch.ones_like(scores, dtype=torch.bool)
        if attention_mask is not None:
            visible = (attention_mask[..., : scores.shape[-1]] == 0).expand_as(scores)
        masked = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
        steered = self._steered_rows(module, scores)
        if self.mode != "mass" and not isinstance(self.strength, str):
            weights = (masked + self._bias(scores) * steered).softmax(-1)
        else:
            weights = torch.where(steered, self._specified(scores, visible), masked.softmax(-1))
        self.weights[int(module.layer_idx)] = weights  # type: ignore[arg-type]
        return (weights @ value).transpose(1, 2).contiguous(), weights

    def _steered_rows(self, module: nn.Module, scores: Tensor) -> Tensor:
        """Which heads and rows are steered: bool (1, H, Q, 1)."""
        heads = torch.zeros(scores.shape[1], dtype=torch.bool)
        heads[list(self.heads.get(int(module.layer_idx), ()))] = True  # type: ignore[arg-type]
        rows = torch.arange(scores.shape[2]) + self.past_tok >= self.first_row
        return heads[None, :, None, None] & rows[None, None, :, None]

    def _key_codes(self, scores: Tensor) -> np.ndarray[Any, Any]:
        """Group of every key, found position by position: (B, K)."""
        batch, _, n_rows, n_keys = scores.shape
        codes = np.full((batch, n_keys), DECODED)
        if self.codes_BK is not None:
            for key in range(n_keys):
                position = self.past_tok + n_rows - n_keys + key
                if position < self.codes_BK.shape[1]:
                    codes[:, key] = self.codes_BK[:, position]
        return codes

    def _bias(self, scores: Tensor) -> Tensor:
        bias = bias_by_group(self.mode, float(self.strength))[self._key_codes(scores)]  # type: ignore[arg-type]
        return torch.tensor(bias, dtype=scores.dtype)[:, None, None, :]

    def _specified(self, scores: Tensor, visible: Tensor) -> Tensor:
        weights = steered_weights(
            scores.numpy(),
            self._key_codes(scores)[:, None, None, :],
            visible.numpy(),
            self.mode,  # type: ignore[arg-type]
            self.strength,
            self.alpha,
        )
        return torch.tensor(weights, dtype=scores.dtype)


REFERENCE = Reference()


def reset_reference(**wishes: Any) -> Reference:
    """Register the reference and give it new wishes."""
    fresh = Reference(**wishes)
    REFERENCE.__dict__.update(fresh.__dict__)
    AttentionInterface.register(REFERENCE_NAME, REFERENCE.attend)
    AttentionMaskInterface.register(REFERENCE_NAME, eager_mask)
    return REFERENCE
