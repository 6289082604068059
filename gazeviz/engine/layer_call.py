"""One call of a model's attention layer: its tensors, what its rows may see, and where they stand in the sequence.

Says what a layer computes without computing it for all heads: scores and mixed values of chosen heads and rows, in
float32. Knows nothing of steering, recording or models.

Axes: B batch row, H query head, G key/value head, h chosen head, Q query row, K key, D head size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gazeviz.engine.steering_kernel import per_head_matmul


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of the attention function: its tensors, and where its rows and keys stand."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool
    scaling: float
    past_tok: int

    @classmethod
    def of(
        cls,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        past_tok: int,
        kwargs: Mapping[str, Any],
    ) -> LayerCall:
        """Read the call as SDPA's wrapper does: no mask and several rows means causal from the first key on."""
        n_rows = query.shape[2]
        is_causal = kwargs.get("is_causal")
        if is_causal is None:
            is_causal = getattr(module, "is_causal", True)
        causal = mask is None and n_rows > 1 and bool(is_causal)
        if causal and key.shape[2] > n_rows:  # a static cache: the keys behind the last row are not filled yet
            key, value = key[:, :, :n_rows], value[:, :, :n_rows]
        scaling = kwargs.get("scaling")
        return cls(query, key, value, mask, causal, query.shape[-1] ** -0.5 if scaling is None else scaling, past_tok)

    @property
    def n_heads(self) -> int:
        return self.query.shape[1]

    @property
    def n_rows(self) -> int:
        return self.query.shape[2]

    @property
    def n_keys(self) -> int:
        return self.key.shape[2]

    @property
    def first_key_tok(self) -> int:
        """Absolute position of the first key (above 0 where a sliding cache dropped older ones)."""
        return self.past_tok + self.n_rows - self.n_keys

    def rows(self, wanted: Literal["last", "all"] | tuple[int, ...]) -> Sequence[int]:
        """Row numbers of this call: a range where they are neighbours (taken without a copy)."""
        if wanted == "last":
            return range(self.n_rows - 1, self.n_rows)
        return range(self.n_rows) if wanted == "all" else wanted

    def visible(self, rows: Sequence[int]) -> Tensor:
        """Which keys the given rows may see: bool, broadcasting to (B, h, rows, K)."""
        if self.mask is not None:
            if self.mask.dtype != torch.bool:
                raise TypeError(f"attention masks are read as bool, this one is {self.mask.dtype}")
            return _take_rows(self.mask, rows)
        device = self.query.device
        if not self.causal:
            return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)
        row_Q1 = torch.tensor(rows, device=device)[:, None]
        return (row_Q1 >= torch.arange(self.n_keys, device=device))[None, None]

    def scores(self, heads: Tensor, rows: Sequence[int]) -> Tensor:
        """Scaled scores of some heads' rows before any mask: float32 (B, h, rows, K)."""
        query = _take_rows(self.query, rows).float() * self.scaling
        if len(heads) != self.n_heads:
            query = query[:, heads]
        return per_head_matmul(query, self.key.transpose(2, 3), heads, self.n_heads)

    def mix(self, weights_BhQK: Tensor, heads: Tensor) -> Tensor:
        """Weighted sum of the values: float32 (B, h, rows, D)."""
        return per_head_matmul(weights_BhQK, self.value, heads, self.n_heads)


def _take_rows(tensor_BxQx: Tensor, rows: Sequence[int]) -> Tensor:
    if isinstance(rows, range):
        return tensor_BxQx[:, :, rows.start : rows.stop]
    return tensor_BxQx[:, :, torch.tensor(rows, device=tensor_BxQx.device)]
