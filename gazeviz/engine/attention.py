"""The seam between gazeviz and a model: an attention function that can show and steer single heads.

Registered with transformers under `ATTENTION_NAME`, it runs the fast kernel (SDPA) for all heads and then recomputes,
in float32, only what somebody asked for: rows to record, value norms, and the heads to steer. Everything else keeps
SDPA's result bit for bit, and a module with nothing to do falls straight through. Knows attention modules, query
rows and key positions; knows nothing of families, pictures, prompts or decoding.

Axes: B batch row, H query head of a layer, h chosen head, Q query row, K key, P recorded key position, G key group.
Positions are absolute: key j of a layer's K keys in a forward of Q rows stands at `past_tok + Q - K + j`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from gazeviz.domain.steering import DECODED, GROUP_NAMES
from gazeviz.engine.layer_call import LayerCall
from gazeviz.engine.steering_kernel import BiasRule, gained_weights, mass_by_group, plain_weights, steered_weights
from gazeviz.errors import UserError

ATTENTION_NAME = "gazeviz"
HeadsByLayer = Mapping[int, tuple[int, ...]]

_STATE = "_gazeviz_site"
_SCORES_PER_CHUNK = 1 << 24  # float32 scores held at once while many rows are recomputed: 64 MiB
_probed_calls: ContextVar[list[LayerSite] | None] = ContextVar("probed_calls", default=None)


@dataclass(frozen=True)
class LayerSite:
    """One attention layer of the language model, as a probe forward found it.

    `index` is the decoder layer's number, `window` the number of keys a sliding layer sees (None: all).
    """

    index: int
    module: nn.Module = field(repr=False, compare=False)
    n_heads: int
    n_kv_heads: int
    window: int | None


@dataclass(frozen=True)
class CapturePlan:
    """Which attention rows the next forwards record.

    `heads` by layer (None: all heads of all layers); `rows` of the forward ("last", "all" or row numbers from 0);
    `keys_tok` the absolute key positions to keep, int64 (None: every position from 0 to the forward's last).
    """

    heads: HeadsByLayer | None = None
    rows: Literal["last", "all"] | tuple[int, ...] = "last"
    keys_tok: Tensor | None = None


@dataclass(frozen=True)
class SteerPlan:
    """Which heads the next forwards steer, and where to.

    `codes_BK` gives the group code (domain.steering) of every prompt position for each batch row, one row for a
    batch that shares them; later positions are DECODED. Query rows from absolute position `first_row` on are biased
    (0: all rows; the prompt's length: decode only). `gains_LH`, where given, replaces mode and strength by a
    differentiable bias per head: gain x (+1 on the target, -1 on other image tokens).
    `account_rows=None` saves the account where nobody reads it.
    """

    heads: HeadsByLayer
    codes_BK: Tensor
    mode: str = "boost_suppress"
    strength: float | str = 8.0
    alpha: float = 0.9
    first_row: int = 0
    gains_LH: Tensor | None = None
    account_rows: Literal["last"] | None = "last"

    @cached_property
    def rule(self) -> BiasRule:
        """The arithmetic of this plan, without its heads and places."""
        if self.gains_LH is not None:
            return BiasRule("boost_suppress", 1.0)
        return BiasRule(self.mode, self.strength, self.alpha)


@dataclass
class PassAccount:
    """What steering did in one forward, per batch row.

    `before_BG` and `after_BG` (float64): attention mass of the forward's last row by key group, summed over the
    `n_heads` steered heads, under the head's own softmax and as steered. `n_rows_B` (int64): query rows that see at
    least one key with a bias, counted once however many heads are steered.
    """

    before_BG: Tensor
    after_BG: Tensor
    n_heads: int
    n_rows_B: Tensor


def register() -> None:
    """Make the attention function and its mask function known to transformers; may be called again and again.

    The mask function is SDPA's: without one under the same name causality and padding would be lost silently.
    """
    AttentionInterface.register(ATTENTION_NAME, gaze_attention)
    AttentionMaskInterface.register(ATTENTION_NAME, AttentionMaskInterface()["sdpa"])


def gaze_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend like SDPA, and do what the module's hook asks for.

    query (B, H, Q, D), key and value (B, KV, K, D) with positions applied and the cache merged; mask None (causal,
    or a single row that sees all) or bool (B, 1, Q, K) with True = keep. Returns (B, Q, H, D).
    """
    calls = _probed_calls.get()
    if calls is not None:
        calls.append(_site_of_call(module, query, key, kwargs, len(calls)))
    output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    attached: tuple[AttentionHook, LayerSite] | None = getattr(module, _STATE, None)
    if attached is None:
        return output, None
    hook, site = attached
    if not hook.wants(site):
        return output, None
    call = LayerCall.of(module, query, key, value, attention_mask, hook.past_tok, kwargs)
    return hook.after_sdpa(site, call, output), None


class AttentionHook:
    """What gazeviz holds on to of one model's attention layers: what to record, what to steer, what came of it.

    Set `past_tok` (tokens already in the cache) before every forward. `take_*` hands over what the newest forward
    left and clears it; a forward begins where the model's first attention layer is called.
    """

    def __init__(self, sites: Sequence[LayerSite]) -> None:
        self.sites: tuple[LayerSite, ...] = tuple(sites)
        self.past_tok = 0
        self.capture_values: Tensor | None = None
        self._capture: CapturePlan | None = None
        self._steer: SteerPlan | None = None
        self._begin_forward()
        for site in self.sites:
            setattr(site.module, _STATE, (self, site))

    @classmethod
    def attach(cls, model: nn.Module, probe: Callable[[], object]) -> AttentionHook:
        """Find the language model's attention layers by a probe forward over a few text tokens, and attach to them.

        Every module of `model` that calls our attention function during `probe()` is a layer, its head counts are
        those of the tensors it passes (configurations are wrong about them in some families). UserError where none
        calls it.
        """
        calls: list[LayerSite] = []
        token = _probed_calls.set(calls)
        try:
            probe()
        finally:
            _probed_calls.reset(token)
        of_model = set(model.modules())
        sites = {site.index: site for site in calls if site.module in of_model}
        if not sites:
            raise UserError(
                "This model's attention layers cannot be watched or steered.",
                next_step="Load it through gazeviz.load, or choose a model of a supported family.",
            )
        return cls(tuple(sites.values()))

    def detach(self) -> None:
        """Leave the model: its layers run plain SDPA again."""
        for site in self.sites:
            if getattr(site.module, _STATE, (None, None))[0] is self:
                delattr(site.module, _STATE)

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Decoder layers up to the last one with attention, and the largest head count of a layer."""
        return max(site.index for site in self.sites) + 1, max(site.n_heads for site in self.sites)

    @property
    def capture(self) -> CapturePlan | None:
        """What the next forwards record; ValueError for a head that the model lacks."""
        return self._capture

    @capture.setter
    def capture(self, plan: CapturePlan | None) -> None:
        if plan is not None and plan.heads is not None:
            self._check(plan.heads)
        self._capture = plan

    @property
    def steer(self) -> SteerPlan | None:
        """What the next forwards steer; ValueError for a head that the model lacks."""
        return self._steer

    @steer.setter
    def steer(self, plan: SteerPlan | None) -> None:
        if plan is not None:
            self._check(plan.heads)
        self._steer = plan
        self._codes.clear()

    def take_rows(self) -> dict[int, Tensor]:
        """Recorded rows by layer: float32 (B, h, rows, P) as steered, keys outside a layer's window 0."""
        rows, self._rows = self._rows, {}
        return rows

    def take_value_norms(self) -> dict[int, Tensor]:
        """Value norms by layer: float32 (B, H, P), each key/value head's repeated to the query heads that share it."""
        norms, self._value_norms = self._value_norms, {}
        return norms

    def take_account(self) -> PassAccount | None:
        """The newest forward's account of steering; None where no head was steered or nobody asked."""
        account, self._account = self._account, None
        return account

    def wants(self, site: LayerSite) -> bool:
        """Whether there is anything to do at a layer; the first layer's call begins a forward."""
        if site is self.sites[0]:
            self._begin_forward()
        return self.capture_values is not None or bool(self._captured(site)) or bool(self._steered(site))

    def after_sdpa(self, site: LayerSite, call: LayerCall, output: Tensor) -> Tensor:
        """Steer, record and measure one layer call; returns the output to go on with, (B, Q, H, D)."""
        if self._steered(site):
            output = self._steer_layer(site, call, output)
        with torch.no_grad():
            if self._captured(site):
                self._rows[site.index] = self._record_rows(site, call)
            if self.capture_values is not None:
                self._value_norms[site.index] = _value_norms(call, self.capture_values)
        return output

    def _begin_forward(self) -> None:
        self._rows: dict[int, Tensor] = {}
        self._value_norms: dict[int, Tensor] = {}
        self._account: PassAccount | None = None
        self._codes: dict[tuple[int, int, torch.device], Tensor] = {}

    def _check(self, heads: HeadsByLayer) -> None:
        n_heads = {site.index: site.n_heads for site in self.sites}
        for layer, chosen in heads.items():
            missing = [head for head in chosen if not 0 <= head < n_heads.get(layer, 0)]
            if missing:
                raise ValueError(f"layer {layer} has {n_heads.get(layer, 0)} heads, asked for {missing}")

    def _captured(self, site: LayerSite) -> tuple[int, ...]:
        if self._capture is None:
            return ()
        if self._capture.heads is None:
            return tuple(range(site.n_heads))
        return tuple(self._capture.heads.get(site.index, ()))

    def _steered(self, site: LayerSite) -> tuple[int, ...]:
        return () if self._steer is None else tuple(self._steer.heads.get(site.index, ()))

    def _steer_layer(self, site: LayerSite, call: LayerCall, output: Tensor) -> Tensor:
        """Recompute the steered heads' rows in scope and write them into SDPA's output."""
        assert self._steer is not None
        heads = _indices(self._steered(site), call.query.device)
        rows = self._rows_in_scope(call)
        if self._steer.account_rows is not None:
            with torch.no_grad():
                self._add_to_account(site, call, heads, rows)
        if not rows:
            return output
        mixed = [call.mix(self._weights(site, call, heads, part), heads) for part in _chunks(rows, call, len(heads))]
        steered_BQhD = torch.cat(mixed, dim=2).transpose(1, 2).to(output.dtype)
        if output.requires_grad:
            output = output.clone()  # SDPA keeps its own result for its gradient
        output[:, rows.start :, heads] = steered_BQhD
        return output

    def _rows_in_scope(self, call: LayerCall) -> range:
        """The rows of this forward that the plan biases; none where its bias is 0."""
        assert self._steer is not None
        if self._steer.rule.neutral:
            return range(call.n_rows, call.n_rows)
        return range(min(max(self._steer.first_row - call.past_tok, 0), call.n_rows), call.n_rows)

    def _weights(self, site: LayerSite, call: LayerCall, heads: Tensor, rows: Sequence[int]) -> Tensor:
        """Steered weights of steered heads: float32 (B, h, rows, K)."""
        assert self._steer is not None
        scores, visible, codes_BK = call.scores(heads, rows), call.visible(rows), self._codes_of(call)
        if self._steer.gains_LH is None:
            return steered_weights(scores, visible, codes_BK, self._steer.rule)
        gains_h = self._steer.gains_LH[site.index].to(scores.device)[heads]
        return gained_weights(scores, visible, codes_BK, gains_h)

    def _record_rows(self, site: LayerSite, call: LayerCall) -> Tensor:
        """The rows that the capture plan asks for, as the model used them: float32 (B, h, rows, P)."""
        assert self._capture is not None
        heads = self._captured(site)
        rows = call.rows(self._capture.rows)
        keys_tok = self._capture.keys_tok
        parts = [
            _at_positions(self._as_used(site, call, heads, part), call, keys_tok)
            for part in _chunks(rows, call, len(heads))
        ]
        return torch.cat(parts, dim=2)

    def _as_used(self, site: LayerSite, call: LayerCall, heads: tuple[int, ...], rows: Sequence[int]) -> Tensor:
        """Weights of any heads and rows: plain, but steered where a head and a row are."""
        index = _indices(heads, call.query.device)
        weights = plain_weights(call.scores(index, rows), call.visible(rows))
        steered = set(self._steered(site))
        both = [place for place, head in enumerate(heads) if head in steered]
        scope = self._rows_in_scope(call) if both else range(0)
        biased = [place for place, row in enumerate(rows) if row in scope]
        if biased:
            chosen = _indices(tuple(heads[place] for place in both), index.device)
            replaced = self._weights(site, call, chosen, tuple(rows[place] for place in biased))
            places_h1 = torch.tensor(both, device=index.device)[:, None]
            weights[:, places_h1, torch.tensor(biased, device=index.device)] = replaced
        return weights

    def _add_to_account(self, site: LayerSite, call: LayerCall, heads: Tensor, rows: range) -> None:
        """Add one layer's steered heads to the forward's account."""
        last, codes_BK = call.rows("last"), self._codes_of(call)
        before = plain_weights(call.scores(heads, last), call.visible(last))
        after = self._weights(site, call, heads, last) if rows else before
        before_BG, after_BG = mass_by_group(before, codes_BK), mass_by_group(after, codes_BK)
        n_rows_B = self._rows_touched(call, rows)
        account = self._account
        if account is None:
            self._account = PassAccount(before_BG, after_BG, len(heads), n_rows_B)
            return
        account.before_BG += before_BG.to(account.before_BG.device)
        account.after_BG += after_BG.to(account.after_BG.device)
        account.n_heads += len(heads)
        # A sliding layer may not see the image where a full one does: a row counts if any layer biased it.
        account.n_rows_B = torch.maximum(account.n_rows_B, n_rows_B.to(account.n_rows_B.device))

    def _rows_touched(self, call: LayerCall, rows: range) -> Tensor:
        """How many rows in scope see a key with a bias: int64 (B,)."""
        assert self._steer is not None
        if not rows:
            return torch.zeros(call.query.shape[0], dtype=torch.int64, device=call.query.device)
        touched_B11K = self._steer.rule.touches(self._codes_of(call))[:, None, None, :]
        sees_bias = (call.visible(rows) & touched_B11K).any(dim=-1)[:, 0]
        return sees_bias.expand(call.query.shape[0], len(rows)).sum(dim=-1)

    def _codes_of(self, call: LayerCall) -> Tensor:
        """Group code of every key of a call: int64 (B, K), positions behind the prompt DECODED."""
        assert self._steer is not None
        place = (call.first_key_tok, call.n_keys, call.query.device)
        if place not in self._codes:
            codes = self._steer.codes_BK.to(call.query.device, torch.int64)
            n_tok = call.first_key_tok + call.n_keys
            padded = nn.functional.pad(codes, (0, max(0, n_tok - codes.shape[1])), value=DECODED)
            codes_BK = padded[:, call.first_key_tok : n_tok]
            self._codes[place] = codes_BK.expand(call.query.shape[0], -1)
        return self._codes[place]


def _site_of_call(
    module: nn.Module, query: Tensor, key: Tensor, kwargs: Mapping[str, Any], order: int
) -> LayerSite:
    window = kwargs.get("sliding_window") or getattr(module, "sliding_window", None)
    index = getattr(module, "layer_idx", None)
    return LayerSite(order if index is None else int(index), module, query.shape[1], key.shape[1], window)


def _chunks(rows: Sequence[int], call: LayerCall, n_chosen: int) -> Iterator[Sequence[int]]:
    """Cut rows into runs whose scores fit the memory set aside for them."""
    size = max(1, _SCORES_PER_CHUNK // (call.query.shape[0] * n_chosen * call.n_keys))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _at_positions(weights_BhQK: Tensor, call: LayerCall, keys_tok: Tensor | None) -> Tensor:
    """Weights at absolute positions, 0 where the layer's cache no longer holds the key: (B, h, Q, P)."""
    if keys_tok is None:
        return nn.functional.pad(weights_BhQK, (call.first_key_tok, 0))
    place, held = _places(call, keys_tok)
    return weights_BhQK[..., place] * held


def _value_norms(call: LayerCall, keys_tok: Tensor) -> Tensor:
    place, held = _places(call, keys_tok)
    norms_BGP = call.value[:, :, place].float().norm(dim=-1) * held
    return norms_BGP.repeat_interleave(call.n_heads // norms_BGP.shape[1], dim=1)


def _places(call: LayerCall, keys_tok: Tensor) -> tuple[Tensor, Tensor]:
    """Where absolute positions lie among a call's keys, and whether they are there (int64 and bool, (P,))."""
    place = keys_tok.to(call.query.device) - call.first_key_tok
    held = (place >= 0) & (place < call.n_keys)
    return place.clamp(0, call.n_keys - 1), held


@lru_cache(maxsize=8192)
def _indices(heads: tuple[int, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # a cached inference tensor could not take part in a later gradient
        return torch.tensor(heads, dtype=torch.int64, device=device)
