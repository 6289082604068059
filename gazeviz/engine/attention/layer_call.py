"""One call of a model's attention layer: its tensors, what its rows may see, and where they stand.

Works out what the layer computes for chosen heads and rows only, in float32 (float64 for a float64 model).
Knows nothing of steering, recording or models.

Axes: B batch row, H query head, G key/value head, h chosen head, Q query row, K key, D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from gazeviz.domain.model_files import SCORES_AT_ONCE
from gazeviz.engine.attention.kernel import per_head_matmul, plain_weights

Rows: TypeAlias = Literal["last", "all"] | tuple[int, ...]

_SCORES_PER_CHUNK = SCORES_AT_ONCE  # held at once while many rows are recomputed: 64 MiB in float32


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of the attention function, as SDPA's wrapper in transformers understands it.

    `query` (B, H, Q, D); `key`, `value` (B, G, K, D); `mask` None or bool (B, 1, Q, K), True = keep;
    `causal`: without a mask, row i sees the keys up to i. `softcap` bends scores s to c tanh(s / c).
    Key j stands at the absolute position `past_tok + Q - K + j`, row i at `past_tok + i`.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool
    scaling: float
    softcap: float | None
    past_tok: int

    @classmethod
    def of(
        cls,
        module: nn.Module,
        states: tuple[Tensor, Tensor, Tensor],
        mask: Tensor | None,
        past_tok: int,
        options: Mapping[str, Any],
    ) -> LayerCall:
        """Read a call: `states` are query, key and value, `options` what the layer passed by name."""
        query, key, value = states
        n_rows = query.shape[2]
        is_causal = options.get("is_causal")
        if is_causal is None:
            is_causal = getattr(module, "is_causal", True)
        causal = mask is None and n_rows > 1 and bool(is_causal)
        if causal and key.shape[2] > n_rows:  # a static cache: the keys behind the last row are empty yet
            key, value = key[:, :, :n_rows], value[:, :, :n_rows]
        scaling = options.get("scaling")
        if scaling is None:
            scaling = query.shape[-1] ** -0.5
        return cls(query, key, value, mask, causal, scaling, options.get("softcap"), past_tok)

    @property
    def n_heads(self) -> int:
        """Query heads of the layer."""
        return self.query.shape[1]

    @property
    def n_rows(self) -> int:
        """Query rows of this forward."""
        return self.query.shape[2]

    @property
    def n_keys(self) -> int:
        """Keys that the layer holds, this forward's among them."""
        return self.key.shape[2]

    @property
    def device(self) -> torch.device:
        """Where the layer lives."""
        return self.query.device

    @property
    def first_key_tok(self) -> int:
        """Absolute position of the first key (above 0 where a sliding cache dropped older ones).

        Raises ValueError where the layer holds more keys than tokens were announced.
        """
        first = self.past_tok + self.n_rows - self.n_keys
        if first < 0:
            raise ValueError(f"{self.n_keys} keys, but past_tok says {self.past_tok} + {self.n_rows} tokens")
        return first

    def rows(self, wanted: Rows) -> Sequence[int]:
        """Row numbers of this call, a range where they are neighbours; IndexError for a row it lacks."""
        every = range(self.n_rows)
        if wanted == "last":
            return every[-1:]
        return every if wanted == "all" else tuple(every[row] for row in wanted)

    def chunks(self, rows: Sequence[int], n_chosen: int) -> Iterator[Sequence[int]]:
        """Cut rows into runs whose scores for `n_chosen` heads fit the memory set aside for them."""
        size = max(1, _SCORES_PER_CHUNK // (self.query.shape[0] * n_chosen * self.n_keys))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    @property
    def sees_all(self) -> bool:
        """Whether every row sees every key, as the one row of a decode step does."""
        return self.mask is None and not self.causal

    def plain_weights(self, scores_BhQK: Tensor, rows: Sequence[int]) -> Tensor:
        """The heads' own softmax of some rows: (B, h, rows, K)."""
        return plain_weights(scores_BhQK, None if self.sees_all else self.visible(rows))

    def visible(self, rows: Sequence[int]) -> Tensor:
        """Which keys the given rows may see: bool, broadcasting to (B, h, rows, K).

        Raises TypeError for a mask that is not bool.
        """
        if self.mask is not None:
            if self.mask.dtype != torch.bool:
                raise TypeError(f"attention masks are read as bool, this one is {self.mask.dtype}")
            return _take_rows(self.mask, rows)
        if not self.causal:
            return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.device)
        row_Q1 = torch.tensor(rows, device=self.device)[:, None]
        return (row_Q1 >= torch.arange(self.n_keys, device=self.device))[None, None]

    def scores(self, heads: Tensor, rows: Sequence[int]) -> Tensor:
        """Scaled scores of some heads' rows before any mask: (B, h, rows, K)."""
        query = self.query if len(rows) == self.n_rows else _take_rows(self.query, rows)
        if len(heads) != self.n_heads:
            query = query[:, heads]
        scores = per_head_matmul(query, self.key.transpose(2, 3), heads, self.n_heads) * self.scaling
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        return scores

    def mix(self, weights_BhQK: Tensor, heads: Tensor) -> Tensor:
        """Weighted sum of the values: (B, h, rows, D)."""
        return per_head_matmul(weights_BhQK, self.value, heads, self.n_heads)

    def attend(self) -> Tensor:
        """Attend with all heads and rows, without SDPA: (B, Q, H, D) in the model's dtype."""
        heads = head_indices(tuple(range(self.n_heads)), self.device)
        mixed = [
            self.mix(self.plain_weights(self.scores(heads, rows), rows), heads)
            for rows in self.chunks(self.rows("all"), self.n_heads)
        ]
        return torch.cat(mixed, dim=2).transpose(1, 2).to(self.query.dtype).contiguous()


@lru_cache(maxsize=8192)
def head_indices(heads: tuple[int, ...], device: torch.device) -> Tensor:
    """Head numbers as int64 on a device, kept so that no forward has to copy them there again."""
    with torch.inference_mode(False):  # a cached inference tensor could not take part in a later gradient
        return torch.tensor(heads, dtype=torch.int64, device=device)


def joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The layers' tensors in one, on the first one's device: a model may be spread over several."""
    if len(tensors) == 1:
        return tensors[0]
    home = tensors[0].device
    return torch.cat([one if one.device == home else one.to(home) for one in tensors], dim=dim)


def _take_rows(tensor_BxQx: Tensor, rows: Sequence[int]) -> Tensor:
    if isinstance(rows, range):
        return tensor_BxQx[:, :, rows.start : rows.stop]
    return tensor_BxQx[:, :, torch.tensor(rows, device=tensor_BxQx.device)]
