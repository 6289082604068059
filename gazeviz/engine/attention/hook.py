"""The seam between gazeviz and a model: an attention function that can show and steer single heads.

Registered with transformers under `ATTENTION_NAME`, it runs the fast kernel (SDPA) and then recomputes, in
float32, only what somebody asked for: rows to record, value norms, the heads to steer. All else keeps SDPA's
result bit for bit, and a module with nothing to do falls straight through. Knows attention modules, query
rows and key positions; knows nothing of families, pictures, prompts or decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from gazeviz.engine.attention.decode_step import DecodeCall, StepRecord, serves
from gazeviz.engine.attention.kernel import KeyGroups
from gazeviz.engine.attention.layer_call import LayerCall, joined
from gazeviz.engine.attention.steered_call import (
    CapturePlan,
    HeadsByLayer,
    LayerAccount,
    PassAccount,
    SteeredCall,
    SteerPlan,
    key_codes,
    recorded_rows,
    value_norms,
)
from gazeviz.errors import UserError

__all__ = [
    "ATTENTION_NAME",
    "AttentionHook",
    "CapturePlan",
    "LayerSite",
    "PassAccount",
    "SteerPlan",
    "gaze_attention",
    "register",
]

ATTENTION_NAME = "gazeviz"

_ATTACHED = "_gazeviz_attached"  # the attribute of an attention module that holds its hook and site


@dataclass(frozen=True)
class LayerSite:
    """One attention layer of the language model, as a probe forward found it.

    `index` is the decoder layer's number; `window` how many keys a sliding layer sees (None: all).
    """

    index: int
    module: nn.Module = field(repr=False, compare=False)
    n_heads: int
    n_kv_heads: int
    window: int | None

    @cached_property
    def heads(self) -> tuple[int, ...]:
        """Its heads, all of them."""
        return tuple(range(self.n_heads))


_probed_sites: ContextVar[list[LayerSite] | None] = ContextVar("probed_sites", default=None)


def register() -> None:
    """Make the attention function and its mask function known to transformers, as often as one likes.

    The mask function is SDPA's: without one under the same name, causality and padding are lost silently.
    """
    AttentionInterface.register(ATTENTION_NAME, gaze_attention)
    AttentionMaskInterface.register(ATTENTION_NAME, sdpa_mask)


def gaze_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend like SDPA, and do what the module's hook asks for: (B, Q, H, D) and no weights.

    query (B, H, Q, D), key and value (B, KV, K, D) with rotary positions applied and the cache merged;
    mask None (causal, or a single row that sees all) or bool (B, 1, Q, K), True = keep.
    """
    attached: tuple[AttentionHook, LayerSite] | None = getattr(module, _ATTACHED, None)
    probed = _probed_sites.get()
    idle = attached is not None and attached[0].idle and options.get("softcap") is None
    if attached is not None and idle and probed is None:
        attached[0].passes_by(attached[1])
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)[0], None
    past_tok = 0 if attached is None else attached[0].past_tok
    call = LayerCall.of(module, (query, key, value), attention_mask, past_tok, options)
    if probed is not None:
        probed.append(_site(module, call, options, len(probed)))

    def attend() -> Tensor:
        if call.softcap is not None:  # SDPA refuses a softcap
            return call.attend()
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output

    if attached is None or probed is not None:  # a probe sees the plain model, whatever an older hook does
        return attend(), None
    hook, site = attached
    return hook.run(site, call, attend), None


class AttentionHook:
    """The attention layers of one model: what to record there, what to steer, and what came of it.

    Set `past_tok` (tokens already in the cache) before every forward; `capture`, `capture_values` (absolute
    key positions whose value norms to record), `output_means` (record what each head puts out on average over
    the forward's rows) and `steer` hold until they are changed. `take_*` hands over
    what the newest forward left and clears it. A forward begins where the first attention layer is called.
    """

    def __init__(self, sites: Sequence[LayerSite]) -> None:
        """Attach to the layers of `sites`, in the order in which a forward calls them."""
        self.sites: tuple[LayerSite, ...] = tuple(sites)
        self.past_tok: int = 0
        self.capture_values: Tensor | None = None
        self.output_means: bool = False
        self._capture: CapturePlan | None = None
        self._steer: SteerPlan | None = None
        self._rows: dict[int, Tensor] = {}
        self._value_norms: dict[int, Tensor] = {}
        self._output_means: dict[int, Tensor] = {}
        self._accounts: list[LayerAccount] = []
        self._groups: dict[tuple[int, int, torch.device], KeyGroups] = {}
        self._step = StepRecord()
        for site in self.sites:
            setattr(site.module, _ATTACHED, (self, site))

    @classmethod
    def attach(cls, model: nn.Module, probe: Callable[[], object]) -> AttentionHook:
        """Find the language model's attention layers by a forward over a few text tokens, and attach to them.

        Every module of `model` that calls our attention function during `probe()` is a layer, and its head
        counts are those of the tensors that it passes: in some families the configuration's are wrong.
        Raises UserError where no module calls it.
        """
        probed: list[LayerSite] = []
        token = _probed_sites.set(probed)
        try:
            probe()
        finally:
            _probed_sites.reset(token)
        own = set(model.modules())
        sites = list({site.module: site for site in probed if site.module in own}.values())
        if not sites:
            raise UserError(
                "The attention layers of this model cannot be watched or steered.",
                next_step="Load it with gazeviz, or choose a model of a family that works.",
            )
        if len({site.index for site in sites}) != len(sites):
            sites = [replace(site, index=order) for order, site in enumerate(sites)]
        return cls(sites)

    def detach(self) -> None:
        """Leave the model, which then runs plain SDPA; a hook attached later keeps its place."""
        for site in self.sites:
            if getattr(site.module, _ATTACHED, (None, None))[0] is self:
                delattr(site.module, _ATTACHED)

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Decoder layers up to the last one with attention, and the largest head count of a layer."""
        return max(site.index for site in self.sites) + 1, max(site.n_heads for site in self.sites)

    @property
    def capture(self) -> CapturePlan | None:
        """What the next forwards record; setting it raises ValueError for heads that the model lacks."""
        return self._capture

    @capture.setter
    def capture(self, plan: CapturePlan | None) -> None:
        if plan is not None and plan.heads is not None:
            self._check(plan.heads)
        self._capture = plan

    @property
    def steer(self) -> SteerPlan | None:
        """What the next forwards steer; setting it raises ValueError for heads that the model lacks."""
        return self._steer

    @steer.setter
    def steer(self, plan: SteerPlan | None) -> None:
        if plan is not None:
            self._check(plan.heads)
        self._steer = plan
        self._groups.clear()

    @property
    def idle(self) -> bool:
        """Whether the next forwards are the plain model's."""
        asked = self._capture is not None or self._steer is not None
        return not asked and self.capture_values is None and not self.output_means

    def take_rows(self) -> dict[int, Tensor]:
        """Recorded rows by layer, as steered: float32 (B, h, rows, P); keys outside a window hold 0."""
        rows, self._rows = self._rows, {}
        return rows | self._step.take_rows()

    def take_joined_rows(self) -> Tensor:
        """The same, layer after layer in one tensor (B, H, rows, P)."""
        of_step = None if self._rows else self._step.take_joined_rows()
        if of_step is not None:
            return of_step
        rows = self.take_rows()
        return joined([rows[layer] for layer in sorted(rows)], dim=1)

    def take_value_norms(self) -> dict[int, Tensor]:
        """Value norms by layer: float32 (B, H, P), a key/value head's repeated to its query heads."""
        norms, self._value_norms = self._value_norms, {}
        return norms

    def take_output_means(self) -> dict[int, Tensor]:
        """Each head's output, averaged over the forward's rows, by layer: float32 (B, H, D)."""
        means, self._output_means = self._output_means, {}
        return means

    def take_account(self) -> PassAccount | None:
        """The newest forward's account; None where no head was to be steered or nobody asked for it."""
        layers, self._accounts = self._accounts, []
        step = self._step.account()
        if step is not None:
            layers.append(step)
        self._step.clear()
        return PassAccount.of(layers) if layers else None

    def passes_by(self, site: LayerSite) -> None:
        """An idle forward is at this layer: what an older one left is no more the newest's."""
        if site is self.sites[0]:
            self._begin_forward()

    def run(self, site: LayerSite, call: LayerCall, attend: Callable[[], Tensor]) -> Tensor:
        """Attend, steer and record one layer call: (B, Q, H, D). Called by the attention function only."""
        if site is self.sites[0]:
            self._begin_forward()
        if serves(call, self._capture, self._steer):
            return self._decode(site, call, attend)
        steered = self._steered(site, call)
        if steered is None:
            output = attend()
        elif steered.covers_layer:
            output = steered.output().to(call.query.dtype).contiguous()
        else:
            output = steered.write_into(attend())
        with torch.no_grad():
            self._record(site, call, steered)
            if self.output_means:
                self._output_means[site.index] = output.float().mean(dim=1)
        return output

    def _decode(self, site: LayerSite, call: LayerCall, attend: Callable[[], Tensor]) -> Tensor:
        """As `run`, for one row of one sequence."""
        if self.capture_values is not None:
            self._value_norms[site.index] = value_norms(call, self.capture_values)
        plan = self._steer
        self._step.capture, self._step.plan = self._capture, plan
        heads = () if plan is None else tuple(plan.heads.get(site.index, ()))
        recorded = self._captured(site)
        if not heads and not recorded:
            return attend()
        step = DecodeCall(call, heads, recorded)
        steered_hD = step.run(plan, site.index, self._step)
        if steered_hD is None:
            return attend()
        if step.covers_layer:
            return steered_hD.to(call.query.dtype)[None, None]
        return step.write_into(attend(), steered_hD)

    def _record(self, site: LayerSite, call: LayerCall, steered: SteeredCall | None) -> None:
        heads = self._captured(site)
        if self._capture is not None and heads:
            self._rows[site.index] = recorded_rows(call, self._capture, heads, steered)
        if self.capture_values is not None:
            self._value_norms[site.index] = value_norms(call, self.capture_values)
        if steered is not None and self._steer is not None and self._steer.account_rows is not None:
            account = steered.account()
            self._accounts.append(account)

    def _begin_forward(self) -> None:
        self._rows.clear()
        self._value_norms.clear()
        self._output_means.clear()
        self._groups.clear()
        self._accounts = []
        self._step.clear()

    def _captured(self, site: LayerSite) -> tuple[int, ...]:
        if self._capture is None:
            return ()
        if self._capture.heads is None:
            return site.heads
        return tuple(self._capture.heads.get(site.index, ()))

    def _steered(self, site: LayerSite, call: LayerCall) -> SteeredCall | None:
        plan = self._steer
        if plan is None or not plan.heads.get(site.index):
            return None
        # Most layers of a forward hold the same keys, so they share what is made of them.
        place = (call.first_key_tok, call.n_keys, call.device)
        if place not in self._groups:
            self._groups[place] = KeyGroups(key_codes(plan, call))
        return SteeredCall(call, plan, site.index, self._groups[place], self._captured(site))

    def _check(self, heads: HeadsByLayer) -> None:
        """Raise ValueError unless every layer's heads exist and rise."""
        n_heads = {site.index: site.n_heads for site in self.sites}
        for layer, chosen in heads.items():
            every = range(n_heads.get(layer, 0))
            if list(chosen) != sorted(set(chosen) & set(every)):
                raise ValueError(f"layer {layer} has {len(every)} heads, asked for {list(chosen)}")


def _site(module: nn.Module, call: LayerCall, options: Mapping[str, Any], order: int) -> LayerSite:
    """Describe the layer behind a call; a module that knows no layer number gets the order of its call."""
    index = getattr(module, "layer_idx", None)
    window = options.get("sliding_window") or getattr(module, "sliding_window", None)
    return LayerSite(order if index is None else int(index), module, call.n_heads, call.key.shape[1], window)
