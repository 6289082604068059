"""Steering one call of an attention layer: the plan, the steered heads' output, and the account of it.

Knows a layer call and key group codes; knows nothing of how layers are found or when a forward begins.

Axes: B batch row, L layer, H query head, h steered head, Q query row, K key, G key group, D head size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from gazeviz.domain.steering import DECODED, Hard, Mode
from gazeviz.engine.attention.kernel import (
    BiasRule,
    KeyGroups,
    gained_weights,
    plain_weights,
    steered_weights,
)
from gazeviz.engine.attention.layer_call import LayerCall, Rows, head_indices

HeadsByLayer: TypeAlias = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class SteerPlan:
    """Which heads the next forwards steer, and where to.

    `codes_BK`: group code (domain.steering) of every prompt position for each batch row, or one row for a
    batch that shares them; any integer dtype; later positions are DECODED.
    `first_row`: absolute position of the first biased query row (0: all; the prompt's length: decode only).
    `gains_LH`, where given, replaces mode and strength by a differentiable bias of each head's own:
    gain x (+1 on the target, -1 on other image tokens).
    `means`: mode `knock_out`: by layer the output that stands in for each head's, float32 (h, D); None: zero.
    `account_rows`: None saves the account where nobody reads it.
    """

    heads: HeadsByLayer
    codes_BK: Tensor
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    alpha: float = 0.9
    first_row: int = 0
    gains_LH: Tensor | None = None
    means: Mapping[int, Tensor] | None = None
    account_rows: Literal["last"] | None = "last"

    @cached_property
    def rule(self) -> BiasRule:
        """The arithmetic of this plan, without its heads and places."""
        if self.gains_LH is not None:
            return BiasRule("boost_suppress", 1.0)
        return BiasRule(self.mode, self.strength, self.alpha)

    @cached_property
    def is_bias(self) -> bool:
        """Whether one bias, the same for all steered heads and not 0, is all that changes."""
        limited = self.mode in ("mass", "knock_out") or isinstance(self.strength, str)
        return self.gains_LH is None and not limited and not self.rule.neutral

    @cached_property
    def _held(self) -> dict[torch.device, KeyGroups]:
        return {}

    def held_groups(self, n_keys: int, device: torch.device) -> KeyGroups:
        """The groups of at least so many keys from the first on, kept from one token to the next."""
        held = self._held.get(device)
        if held is None or held.codes_BK.shape[1] < n_keys:
            codes_BK = self.codes_BK.to(device, torch.int64)
            room = max(0, n_keys + _ROOM_TOK - codes_BK.shape[1])
            held = KeyGroups(nn.functional.pad(codes_BK, (0, room), value=DECODED))
            self._held[device] = held
        return held


_ROOM_TOK = 256  # tokens of an answer for which the groups of its keys are laid out ahead


@dataclass(frozen=True)
class PassAccount:
    """What steering did in one forward, per batch row.

    `before_BG`, `after_BG` (as the weights): attention mass of the forward's last row by key group, summed
    over the `n_heads` steered heads, under the heads' own softmax and as steered.
    `n_rows_B` (int64): query rows that see at least one key with a bias, counted once however many heads.
    """

    before_BG: Tensor
    after_BG: Tensor
    n_heads: int
    n_rows_B: Tensor

    @classmethod
    def of(cls, layers: Sequence[LayerAccount]) -> PassAccount:
        """The account of all steered layers of one forward."""
        device = layers[0].mass_B2G.device
        mass_B2G = torch.stack([layer.mass_B2G.to(device) for layer in layers]).sum(dim=0)
        # A sliding layer may miss the image where a full one sees it: a row counts if one biased it.
        distinct = {id(layer.n_rows_B): layer.n_rows_B for layer in layers}
        n_rows_B = torch.stack([n_rows_B.to(device) for n_rows_B in distinct.values()]).amax(dim=0)
        return cls(mass_B2G[:, 0], mass_B2G[:, 1], sum(layer.n_heads for layer in layers), n_rows_B)


@dataclass(frozen=True)
class LayerAccount:
    """What one layer adds to it. mass_B2G: by key group, before and after, summed over its heads."""

    mass_B2G: Tensor
    n_heads: int
    n_rows_B: Tensor


class SteeredCall:
    """The steered heads of one layer call."""

    def __init__(
        self, call: LayerCall, plan: SteerPlan, layer: int, groups: KeyGroups, recorded: tuple[int, ...] = ()
    ) -> None:
        """`groups` holds the call's own keys by group; `recorded` are the heads whose rows are wanted."""
        self.heads = tuple(plan.heads[layer])
        self._call, self._plan, self._layer, self._groups = call, plan, layer, groups
        self._indices = head_indices(self.heads, call.device)
        gains_LH = plan.gains_LH
        self._gains_h = None if gains_LH is None else gains_LH[layer].to(call.device)[self._indices]
        self._last: tuple[Tensor, Tensor] | None = None  # scores and weights of the last row, once computed
        # One product serves a decode step's steered and recorded heads: their scores, the heads' own weights.
        shares = call.n_rows == 1 and len(recorded) > len(self.heads) and set(self.heads) <= set(recorded)
        self._wide_heads = recorded if shares else ()
        self._wide_weights: Tensor | None = None

    @cached_property
    def scope(self) -> range:
        """The rows of this call that are biased; none where the bias is 0."""
        n_rows = self._call.n_rows
        if self._plan.rule.neutral:
            return range(n_rows, n_rows)
        return range(min(max(self._plan.first_row - self._call.past_tok, 0), n_rows), n_rows)

    @property
    def covers_layer(self) -> bool:
        """Whether every head and row is steered, so that nothing of SDPA's result would remain."""
        return len(self._indices) == self._call.n_heads and len(self.scope) == self._call.n_rows

    def output(self) -> Tensor:
        """The steered heads' rows in scope after attention: (B, rows, h, D), float32."""
        if self._plan.rule.mode == "knock_out":
            return self._stand_in()
        mixed = []
        for rows in self._call.chunks(self.scope, len(self._indices)):
            scores = self._scores(rows)
            weights = self._reweighted(scores, rows, self._gains_h)
            mixed.append(self._call.mix(weights, self._indices))
        self._last = (scores[:, :, -1:].detach(), weights[:, :, -1:].detach())
        return (mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=2)).transpose(1, 2)

    def _stand_in(self) -> Tensor:
        """What replaces the output of heads that are knocked out: (B, rows, h, D)."""
        means_hD = None if self._plan.means is None else self._plan.means[self._layer]
        shape = self._call.query.shape[0], len(self.scope), len(self.heads), self._call.value.shape[-1]
        if means_hD is None:
            return torch.zeros(shape, device=self._call.device)
        return means_hD.to(self._call.device).expand(shape)

    def _scores(self, rows: Sequence[int]) -> Tensor:
        """The steered heads' scores; of those of all recorded heads where one product serves both."""
        if not self._wide_heads:
            return self._call.scores(self._indices, rows)
        wide = self._call.scores(head_indices(self._wide_heads, self._call.device), rows)
        self._wide_weights = self._call.plain_weights(wide, rows)
        return wide[:, self._places]

    @property
    def _places(self) -> Tensor:
        """Where the steered heads stand among the recorded ones."""
        places = tuple(self._wide_heads.index(head) for head in self.heads)
        return head_indices(places, self._call.device)

    def recorded_weights(self, heads: tuple[int, ...]) -> Tensor | None:
        """Weights of a decode step's recorded heads as used, (B, h, 1, K); None where not at hand."""
        if self._wide_weights is None or self._last is None or heads != self._wide_heads:
            return None
        return self._wide_weights.index_copy(1, self._places, self._last[1])

    def write_into(self, output_BQHD: Tensor) -> Tensor:
        """Put the steered heads' rows in place of SDPA's; the rest keeps its last bit."""
        if not self.scope:
            return output_BQHD
        steered = self.output().to(output_BQHD.dtype)
        if output_BQHD.requires_grad:
            output_BQHD = output_BQHD.clone()  # SDPA needs its own result again for its gradient
        output_BQHD[:, self.scope.start :, self._indices] = steered
        return output_BQHD

    def weights(self, heads: tuple[int, ...], rows: Sequence[int]) -> Tensor:
        """Steered weights of some of the steered heads, for rows in scope: (B, heads, rows, K)."""
        last_only = tuple(rows) == (self._call.n_rows - 1,)
        if self._last is not None and last_only and heads == self.heads:
            return self._last[1]
        indices = head_indices(heads, self._call.device)
        gains_h = None
        if self._gains_h is not None:
            gains_h = self._gains_h[[self.heads.index(head) for head in heads]]
        return self._reweighted(self._call.scores(indices, rows), rows, gains_h)

    def account(self) -> LayerAccount:
        """What this layer adds to the forward's account; read after the output was made."""
        last = self._call.rows("last")
        if self._wide_weights is not None:
            before = self._wide_weights[:, self._places]
        else:
            scores = self._call.scores(self._indices, last) if self._last is None else self._last[0]
            before = self._call.plain_weights(scores, last)
        after = self.weights(self.heads, last) if self.scope else before
        both_B2hQK = torch.stack([before, after], dim=1)
        return LayerAccount(self._groups.mass(both_B2hQK), len(self.heads), self._rows_touched_B())

    def _reweighted(self, scores: Tensor, rows: Sequence[int], gains_h: Tensor | None) -> Tensor:
        seen_bias = self._groups.seen_bias_B11K(self._plan.rule) if self._call.sees_all else None
        if gains_h is None and seen_bias is not None:
            return plain_weights(scores + seen_bias, None)
        visible, codes_BK = self._call.visible(rows), self._groups.codes_BK
        if gains_h is not None:
            return gained_weights(scores, visible, codes_BK, gains_h)
        return steered_weights(scores, visible, codes_BK, self._plan.rule)

    def _rows_touched_B(self) -> Tensor:
        """How many rows in scope see a key with a bias: int64 (B,)."""
        batch = self._call.query.shape[0]
        if not self.scope:
            return torch.zeros(batch, dtype=torch.int64, device=self._call.device)
        if self._call.sees_all and len(self.scope) == 1:
            return self._groups.touched_B(self._plan.rule)
        touched_B11K = self._plan.rule.touches(self._groups.codes_BK)[:, None, None, :]
        sees_bias_BQ = (self._call.visible(self.scope) & touched_B11K).any(dim=-1)[:, 0]
        return sees_bias_BQ.expand(batch, len(self.scope)).sum(dim=-1)


def key_codes(plan: SteerPlan, call: LayerCall) -> Tensor:
    """Group code of every key of a call: int64 (B, K), positions behind the prompt DECODED."""
    codes = plan.codes_BK.to(call.device, torch.int64)
    n_tok = call.first_key_tok + call.n_keys
    padded = nn.functional.pad(codes, (0, max(0, n_tok - codes.shape[1])), value=DECODED)
    return padded[:, call.first_key_tok : n_tok].expand(call.query.shape[0], -1)


# Recording what an attention layer did: the rows of chosen heads, and the size of the values they carry.
#
# Reads one layer call; changes nothing. Knows absolute positions, not what stands there.
#
# Axes: B batch row, H query head, h recorded head, Q query row, K key, P recorded key position,
# G key/value head.


@dataclass(frozen=True, eq=False)
class CapturePlan:
    """Which attention rows the next forwards record.

    `heads` by layer (None: all heads of all layers); `rows` of the forward ("last", "all" or row numbers);
    `keys_tok`: absolute key positions to keep, int64 (P,) (None: all from 0 to the forward's last).
    """

    heads: HeadsByLayer | None = None
    rows: Rows = "last"
    keys_tok: Tensor | None = None

    @cached_property
    def last_key_tok(self) -> int:
        """The highest of the positions to keep, -1 where all are."""
        return -1 if self.keys_tok is None or not self.keys_tok.numel() else int(self.keys_tok.max())

    @cached_property
    def _keys(self) -> slice | Tensor:
        """The positions to keep, as a slice where they are neighbours."""
        if self.keys_tok is None:
            return slice(None)
        n = self.keys_tok.numel()
        first = int(self.keys_tok[0]) if n else 0
        ascending = torch.arange(first, first + n, device=self.keys_tok.device)
        return slice(first, first + n) if torch.equal(self.keys_tok, ascending) else self.keys_tok

    def takes_one_row(self, n_keys: int) -> bool:
        """Whether the only row of a forward is wanted, at positions that its n_keys keys hold."""
        return self.rows in ("last", "all", (0,)) and self.last_key_tok < n_keys

    def at_keys(self, weights_HK: Tensor) -> Tensor:
        """The weights at the positions to keep, all of them among the keys: (H, P)."""
        keys = self._keys
        return weights_HK[:, keys if isinstance(keys, slice) else keys.to(weights_HK.device)]


def recorded_rows(
    call: LayerCall, plan: CapturePlan, heads: tuple[int, ...], steered: SteeredCall | None
) -> Tensor:
    """The rows that a plan asks for, as the model used them: float32 (B, h, rows, P).

    Keys outside a sliding layer's window hold 0.
    """
    parts = [
        _at_positions(_weights_as_used(call, heads, rows, steered), call, plan)
        for rows in call.chunks(call.rows(plan.rows), len(heads))
    ]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)).float()


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
    at_hand = None if steered is None else steered.recorded_weights(heads)
    if at_hand is not None:
        return at_hand
    scope = range(0) if steered is None else steered.scope
    biased = [place for place, row in enumerate(rows) if row in scope]
    if steered is not None and heads == steered.heads and len(biased) == len(rows):
        return steered.weights(heads, rows)
    weights = call.plain_weights(call.scores(head_indices(heads, call.device), rows), rows)
    both = [place for place, head in enumerate(heads) if steered is not None and head in steered.heads]
    if steered is not None and biased and both:
        chosen, changed = tuple(heads[place] for place in both), tuple(rows[place] for place in biased)
        weights[:, torch.tensor(both)[:, None], torch.tensor(biased)] = steered.weights(chosen, changed)
    return weights


def _at_positions(weights_BhQK: Tensor, call: LayerCall, plan: CapturePlan) -> Tensor:
    """Weights at a plan's positions, 0 where the layer no longer holds the key: (B, h, Q, P)."""
    if plan.keys_tok is None:
        return nn.functional.pad(weights_BhQK, (call.first_key_tok, 0))
    if call.first_key_tok == 0 and plan.last_key_tok < call.n_keys:
        return weights_BhQK[..., plan.keys_tok.to(call.device)]
    place, held = _places(call, plan.keys_tok)
    return weights_BhQK[..., place] * held


def _places(call: LayerCall, keys_tok: Tensor) -> tuple[Tensor, Tensor]:
    """Where absolute positions lie among a call's keys, and whether they are there: int64 and bool, (P,)."""
    place = keys_tok.to(call.device) - call.first_key_tok
    held = (place >= 0) & (place < call.n_keys)
    return place.clamp(0, call.n_keys - 1), held
