"""One row of one sequence: the steered and the recorded heads of a decode step, in few operations.

A decode step is where a person waits, and on a GPU every operation is a launch. Here the steered and recorded
heads of a layer share one product, what holds between two tokens is built once, and what can wait until all
layers have run (which keys are kept, the account) is done for all of them at once. The arithmetic is that of
`SteeredCall`, which serves every other call.

Axes: h chosen head, g key/value head that serves some of them, m heads of a g, K key, D head size, P recorded
key position, G key group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from gazeviz.engine.attention.layer_call import LayerCall, head_indices, joined
from gazeviz.engine.attention.steered_call import CapturePlan, LayerAccount, SteerPlan

Selection = slice | Tensor


@dataclass(frozen=True, eq=False)
class Sharing:
    """Which key/value heads some query heads read: `heads` and `groups` select, n_g x m is the layout."""

    heads: Selection
    groups: Selection
    n_groups: int
    n_each: int


@lru_cache(maxsize=8192)
def sharing(heads: tuple[int, ...], heads_per_group: int, device: torch.device) -> Sharing:
    """How rising heads share key/value heads, as views without a copy where they are evenly spaced."""
    groups = [head // heads_per_group for head in heads]
    distinct = tuple(dict.fromkeys(groups))
    spaced = _evenly_spaced(distinct)
    if spaced is not None and len({groups.count(group) for group in distinct}) == 1:
        return Sharing(_selected(heads, device), spaced, len(distinct), len(heads) // len(distinct))
    return Sharing(_selected(heads, device), head_indices(tuple(groups), device), len(heads), 1)


@lru_cache(maxsize=8192)
def _places(chosen: tuple[int, ...], among: tuple[int, ...], device: torch.device) -> Selection:
    """Where chosen heads stand among others."""
    return _selected(tuple(among.index(head) for head in chosen), device)


def _selected(numbers: tuple[int, ...], device: torch.device) -> Selection:
    spaced = _evenly_spaced(numbers)
    return head_indices(numbers, device) if spaced is None else spaced


def _evenly_spaced(numbers: Sequence[int]) -> slice | None:
    """The slice that holds rising numbers, None where there is none."""
    steps = {after - before for before, after in pairwise(numbers)} or {1}
    return slice(numbers[0], numbers[-1] + 1, steps.pop()) if len(steps) == 1 else None


@dataclass(eq=False)
class StepRecord:
    """What the layers of one decode step left: weights by layer, and what the account is made of.

    `weights` (h, K) by layer, as used; `after` (h, K) of the steered heads, layer by layer, and what they
    were `before`, as scores (`scored`) or as weights. `capture` and `plan` are those it was made with.
    """

    capture: CapturePlan | None = None
    plan: SteerPlan | None = None
    weights: dict[int, Tensor] = field(default_factory=dict)
    scored: list[Tensor] = field(default_factory=list)
    before: list[Tensor] = field(default_factory=list)
    after: list[Tensor] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all."""
        for kept in (self.weights, self.scored, self.before, self.after):
            kept.clear()

    def take_rows(self) -> dict[int, Tensor]:
        """The recorded rows by layer, float32 (1, h, 1, P), which are then forgotten."""
        taken, self.weights = self.weights, {}
        if self.capture is None:
            return {}
        return {layer: self.capture.at_keys(one)[None, :, None].float() for layer, one in taken.items()}

    def take_joined_rows(self) -> Tensor | None:
        """The same, one layer below the other: (1, H, 1, P)."""
        kept = [weights for _, weights in sorted(self.weights.items())]
        self.weights = {}
        if not kept or self.capture is None:
            return None
        joined_HK = joined(kept)
        return self.capture.at_keys(joined_HK).float()[None, :, None]

    def account(self) -> LayerAccount | None:
        """What the steered layers add to the forward's account, as if they were one; None where none is."""
        plan = self.plan
        if not self.after or plan is None:
            return None
        after_hK = joined(self.after)
        before = [joined(self.scored).softmax(dim=-1)] if self.scored else []
        before_hK = joined([*before, *self.before]).to(after_hK.device)
        groups = plan.held_groups(after_hK.shape[1], after_hK.device)
        both_2K = torch.stack([before_hK.sum(dim=0), after_hK.sum(dim=0)])
        mass_2G = both_2K @ groups.member_BKG[0, : after_hK.shape[1]].to(both_2K.dtype)
        return LayerAccount(mass_2G[None], len(after_hK), groups.touched_B(plan.rule))


def serves(call: LayerCall, capture: CapturePlan | None, plan: SteerPlan | None) -> bool:
    """Whether a call is one row of one sequence that sees every key from the first, under a bias or none."""
    if call.n_rows != 1 or call.query.shape[0] != 1 or call.mask is not None or call.softcap is not None:
        return False
    if call.first_key_tok or call.query.requires_grad:
        return False
    if capture is not None and not capture.takes_one_row(call.n_keys):
        return False
    return plan is None or (plan.is_bias and plan.first_row <= call.past_tok)


class DecodeCall:
    """One layer's call of a decode step that `serves` accepts."""

    def __init__(self, call: LayerCall, steered: tuple[int, ...], recorded: tuple[int, ...]) -> None:
        self._call = call
        self._steered, self._recorded = steered, recorded
        # One product for both where the recorded heads hold the steered ones, which are few.
        self._shared = steered != recorded and set(steered) <= set(recorded)

    @property
    def covers_layer(self) -> bool:
        """Whether every head is steered, so that nothing of SDPA's result would remain."""
        return len(self._steered) == self._call.n_heads

    def run(self, plan: SteerPlan | None, layer: int, record: StepRecord) -> Tensor | None:
        """Note what is recorded, and give the steered heads' output (h, D), None where none is steered."""
        scores_hK = weights_hK = None
        if self._recorded and (self._shared or not self._steered):
            scores_hK = self._scores(self._recorded)
            weights_hK = scores_hK.softmax(dim=-1)
        if not self._steered or plan is None:
            if weights_hK is not None:
                record.weights[layer] = weights_hK
            return None
        steered_hK, after_hK = self._biased(plan, scores_hK)
        self._note(plan, record, weights_hK, steered_hK, after_hK)
        if self._recorded:
            record.weights[layer] = self._as_used(weights_hK, after_hK)
        return self._mixed(after_hK)

    def _scores(self, heads: tuple[int, ...]) -> Tensor:
        """Scaled scores of some heads: (h, K), float32 (float64 for a float64 model)."""
        call, share = self._call, self._sharing(heads)
        query_hD = call.query[0, share.heads, 0]
        key_gKD = call.key[0, share.groups]
        dtype = torch.promote_types(query_hD.dtype, torch.float32)
        if query_hD.dtype != dtype:
            query_hD, key_gKD = query_hD.to(dtype), key_gKD.to(dtype)
        query_gmD = query_hD.reshape(share.n_groups, share.n_each, -1)
        scores_gmK = torch.baddbmm(
            _nothing(query_gmD.dtype, query_gmD.device),
            query_gmD,
            key_gKD.transpose(1, 2),
            beta=0,
            alpha=call.scaling,
        )
        return scores_gmK.view(len(heads), -1)

    def _biased(self, plan: SteerPlan, scores_hK: Tensor | None) -> tuple[Tensor, Tensor]:
        """Scores of the steered heads, and their weights under the bias, both (h, K)."""
        if scores_hK is None:
            scores_hK = self._scores(self._steered)
        elif self._shared:
            scores_hK = scores_hK[self._places]
        n_keys = self._call.n_keys
        bias_B11K = plan.held_groups(n_keys, self._call.device).seen_bias_B11K(plan.rule)
        if bias_B11K is None:
            raise ValueError("this rule is no bias")
        return scores_hK, (scores_hK + bias_B11K[0, 0, :, :n_keys]).softmax(dim=-1)

    def _note(
        self,
        plan: SteerPlan,
        record: StepRecord,
        weights_hK: Tensor | None,
        scores_hK: Tensor,
        after_hK: Tensor,
    ) -> None:
        if plan.account_rows is None:
            return
        record.after.append(after_hK)
        if weights_hK is None:
            record.scored.append(scores_hK)
        else:
            record.before.append(weights_hK[self._places].clone())

    def _as_used(self, weights_hK: Tensor | None, after_hK: Tensor) -> Tensor:
        """The recorded heads' weights, those of the steered ones with their bias."""
        if self._steered == self._recorded:
            return after_hK
        if weights_hK is None:  # heads apart from the steered ones, at least in part
            weights_hK = self._scores(self._recorded).softmax(dim=-1)
            both = tuple(head for head in self._recorded if head in self._steered)
            if both:
                own = _places(both, self._steered, self._call.device)
                weights_hK[_places(both, self._recorded, self._call.device)] = after_hK[own]
            return weights_hK
        weights_hK[self._places] = after_hK
        return weights_hK

    def _mixed(self, after_hK: Tensor) -> Tensor:
        """The steered heads' output, (h, D)."""
        share = self._sharing(self._steered)
        value_gKD = self._call.value[0, share.groups].to(after_hK.dtype)
        return torch.bmm(after_hK.view(share.n_groups, share.n_each, -1), value_gKD).view(
            len(self._steered), -1
        )

    def write_into(self, output_BQHD: Tensor, steered_hD: Tensor) -> Tensor:
        """Put the steered heads' row in place of SDPA's; the rest keeps its last bit."""
        output_BQHD[0, 0, self._sharing(self._steered).heads] = steered_hD.to(output_BQHD.dtype)
        return output_BQHD

    @property
    def _places(self) -> Selection:
        return _places(self._steered, self._recorded, self._call.device)

    def _sharing(self, heads: tuple[int, ...]) -> Sharing:
        return sharing(heads, self._call.n_heads // self._call.key.shape[1], self._call.device)


@lru_cache(maxsize=16)
def _nothing(dtype: torch.dtype, device: torch.device) -> Tensor:
    """What a product is added to whose sum is not wanted."""
    with torch.inference_mode(False):
        return torch.zeros(1, 1, 1, dtype=dtype, device=device)
