"""Recording what an attention layer did: the rows of chosen heads, and the size of the values they carry.

Reads one layer call; changes nothing. Knows absolute positions, not what stands there.

Axes: B batch row, H query head, h recorded head, Q query row, K key, P recorded key position,
G key/value head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gazeviz.engine.layer_call import LayerCall, Rows, head_indices
from gazeviz.engine.steered_call import HeadsByLayer, SteeredCall
from gazeviz.engine.steering_kernel import plain_weights


@dataclass(frozen=True, eq=False)
class CapturePlan:
    """Which attention rows the next forwards record.

    `heads` by layer (None: all heads of all layers); `rows` of the forward ("last", "all" or row numbers);
    `keys_tok`: absolute key positions to keep, int64 (P,) (None: all from 0 to the forward's last).
    """

    heads: HeadsByLayer | None = None
    rows: Rows = "last"
    keys_tok: Tensor | None = None


def recorded_rows(
    call: LayerCall, plan: CapturePlan, heads: tuple[int, ...], steered: SteeredCall | None
) -> Tensor:
    """The rows that a plan asks for, as the model used them: float32 (B, h, rows, P).

    Keys outside a sliding layer's window hold 0.
    """
    parts = [
        _at_positions(_weights_as_used(call, heads, rows, steered), call, plan.keys_tok)
        for rows in call.chunks(call.rows(plan.rows), len(heads))
    ]
    return torch.cat(parts, dim=2).float()


def value_norms(call: LayerCall, keys_tok: Tensor) -> Tensor:
    """Euclidean norm of the value vector at absolute positions: float32 (B, H, P), 0 where no key is held.

    A key/value head's norm is repeated to the query heads that share it (Kobayashi et al. 2020 weigh
    attention by it).
    """
    place, held = _places(call, keys_tok)
    norms_BGP: Tensor = call.value[:, :, place].float().norm(dim=-1) * held
    return norms_BGP.repeat_interleave(call.n_heads // norms_BGP.shape[1], dim=1)


def _weights_as_used(
    call: LayerCall, heads: tuple[int, ...], rows: Sequence[int], steered: SteeredCall | None
) -> Tensor:
    """Weights of any heads and rows: steered where head and row are, plain elsewhere."""
    scope = range(0) if steered is None else steered.scope
    biased = [place for place, row in enumerate(rows) if row in scope]
    if steered is not None and heads == steered.heads and len(biased) == len(rows):
        return steered.weights(heads, rows)
    weights = plain_weights(call.scores(head_indices(heads, call.device), rows), call.visible(rows))
    both = [place for place, head in enumerate(heads) if steered is not None and head in steered.heads]
    if steered is not None and biased and both:
        chosen, changed = tuple(heads[place] for place in both), tuple(rows[place] for place in biased)
        weights[:, torch.tensor(both)[:, None], torch.tensor(biased)] = steered.weights(chosen, changed)
    return weights


def _at_positions(weights_BhQK: Tensor, call: LayerCall, keys_tok: Tensor | None) -> Tensor:
    """Weights at absolute positions, 0 where the layer no longer holds the key: (B, h, Q, P)."""
    if keys_tok is None:
        return nn.functional.pad(weights_BhQK, (call.first_key_tok, 0))
    place, held = _places(call, keys_tok)
    return weights_BhQK[..., place] * held


def _places(call: LayerCall, keys_tok: Tensor) -> tuple[Tensor, Tensor]:
    """Where absolute positions lie among a call's keys, and whether they are there: int64 and bool, (P,)."""
    place = keys_tok.to(call.device) - call.first_key_tok
    held = (place >= 0) & (place < call.n_keys)
    return place.clamp(0, call.n_keys - 1), held
