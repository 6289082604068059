"""The forward passes of a generation: the prompt in two pieces, then one token at a time.

A prompt is read up to its last image token (the *image prefix*), then to its end. The prefix of an unsteered
pass is the same for every question about a picture, so it is kept; a pass whose steering begins after it may
start from the kept copy, and one that steers the prefix reads it in the same two pieces, so that the
arithmetic is the same to the last bit whether the bias is there or not. The attention hook is set right
before a pass and cleared right after it: between two passes the model belongs to nobody.

Does not choose tokens, and knows regions only as the group codes of key positions.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from gazeviz.domain.heads import HeadSet
from gazeviz.engine.attention.hook import AttentionHook, CapturePlan, PassAccount, SteerPlan
from gazeviz.engine.attention.layer_call import joined
from gazeviz.engine.generation.finite import check_logits
from gazeviz.engine.generation.shared_prefix import logits_wanted, picture_inputs
from gazeviz.engine.generation.vision_cache import ByteCache, Vision, digest_of
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import Prepared

_PREFIX_BYTES = 512 * 2**20  # two pictures of 1280 tokens in an 8 B model, a thousand in the built-in one


@dataclass(frozen=True)
class Outcome:
    """What one pass gave, B sequences: float32 logits (B, N, V) of its last N rows, the tracked heads'
    attention from those rows to the image tokens (B, H, N, P) float32 (None if no head is tracked), and the
    steered heads' account (None if nothing was steered).
    """

    logits_BNV: torch.Tensor
    rows_BHNP: torch.Tensor | None
    account: PassAccount | None


@dataclass(frozen=True)
class ImagePrefix:
    """An unsteered image prefix of one sequence: its cache, and the value norms (1, H, P) of every layer."""

    cache: Any
    value_norms: Mapping[int, torch.Tensor]


class Memory:
    """What one model keeps about the pictures that it was shown: image prefixes, and what its tower sees."""

    def __init__(self, model: Any) -> None:
        self.prefixes: ByteCache[ImagePrefix] = ByteCache(_PREFIX_BYTES)
        self.vision = Vision(model)

    def clear(self) -> None:
        """Forget all, which frees its memory."""
        self.prefixes.clear()
        self.vision.forget()


class PromptRunner:
    """Reads a batch of equal-shaped prompts, then their answers token by token.

    All prompts have the same length, image positions and input shapes (`shape_key` tells); targets and
    pictures may differ. Not safe for use by two threads at once: the hook belongs to the model.
    """

    def __init__(
        self, loaded: LoadedModel, prompts: Sequence[Prepared], tracked: HeadSet, memory: Memory
    ) -> None:
        if len({shape_key(prompt) for prompt in prompts}) != 1:
            raise ValueError("a batch takes prompts of one shape")
        self._loaded = loaded
        self._prompts = tuple(prompts)
        self._tracked = tracked.by_layer()
        self._memory = memory
        self._image_tok = prompts[0].image_positions_tok
        self._last_row = CapturePlan(self._tracked, "last", self._image_tok)
        self._cache: Any = None
        self._value_norms: Mapping[int, torch.Tensor] = {}
        self.past_tok = 0
        self.prefix_account: PassAccount | None = None

    @property
    def device(self) -> torch.device:
        """Device that the model runs on."""
        return self._loaded.device

    @property
    def n_prompt_tok(self) -> int:
        """Length of every prompt of the batch."""
        return self._prompts[0].n_prompt_tok

    @property
    def prefix_tok(self) -> int:
        """Length of the image prefix: up to and with the last image token; 0 if this family cannot be
        split.
        """
        return int(self._image_tok.max()) + 1 if self._loaded.family.shares_prefix else 0

    def prefill(self, plan: SteerPlan | None, forced_BT: torch.Tensor | None = None) -> Outcome:
        """Read the prompts, and after them the `forced` answer tokens if given.

        The outcome holds the last row, or with T forced tokens the last T + 1: row i predicts forced token i.
        `prefix_account` then tells what steering did to the image prefix, if it was in the scope.
        """
        split_tok = self.prefix_tok
        if split_tok:
            steered = plan is not None and plan.first_row < split_tok
            self._read_prefix(split_tok, plan if steered else None)
        rest_BN = torch.cat([prompt.input_ids[:, split_tok:] for prompt in self._prompts])
        n_rows = 1
        if forced_BT is not None:
            rest_BN = torch.cat([rest_BN, forced_BT], dim=1)
            n_rows += forced_BT.shape[1]
        pictures = {} if split_tok else self._picture_inputs(range(len(self._prompts)), self.n_prompt_tok)
        return self._forward(rest_BN, plan, n_rows=n_rows, pictures=pictures)

    def advance(self, token_ids_B: torch.Tensor, plan: SteerPlan | None) -> Outcome:
        """Read one more token of every sequence, int64 (B,)."""
        return self._forward(token_ids_B[:, None], plan, n_rows=1)

    @property
    def can_step_back(self) -> bool:
        """Whether the last token of an answer that was read can be forgotten again.

        Not where a layer keeps a state instead of keys, or has already dropped keys that left its window.
        """
        return self.past_tok > self.n_prompt_tok and all(map(_keeps_every_key, self._cache.layers))

    def step_back(self) -> None:
        """Forget the last token that was read; only where `can_step_back`."""
        self._cache.crop(-1)
        self.past_tok -= 1

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these sequences of the batch only."""
        self._cache.reorder_cache(torch.tensor(rows, device=self._loaded.device))
        self._prompts = tuple(self._prompts[row] for row in rows)

    def release(self) -> None:
        """Give the cache's memory back; nothing can be read after it."""
        self._cache = None

    def value_norms_BHP(self) -> torch.Tensor | None:
        """Norms of the image tokens' value vectors for the tracked heads, float32, known once the prompts are
        read.

        None if no head is tracked.
        """
        if not self._tracked or not self._value_norms:
            return None
        chosen = [self._value_norms[layer][:, list(heads)] for layer, heads in sorted(self._tracked.items())]
        return joined(chosen, dim=1).float().cpu()

    def _read_prefix(self, split_tok: int, plan: SteerPlan | None) -> None:
        """Fill the cache up to the last image token, from memory where it is unsteered and there."""
        if plan is not None:
            self.prefix_account = self._read_pictures(range(len(self._prompts)), split_tok, plan).account
            return
        keys = [prefix_key(prompt, split_tok) for prompt in self._prompts]
        distinct = list(dict.fromkeys(keys))
        kept = self._memory.prefixes.get(distinct[0]) if len(distinct) == 1 else None
        if kept is None:
            self._read_pictures([keys.index(key) for key in distinct], split_tok, None)
            kept = ImagePrefix(self._cache, self._value_norms)
            if len(distinct) == 1:
                self._memory.prefixes.put(distinct[0], kept)
        self.past_tok = split_tok
        self._copy_prefix(kept, [distinct.index(key) for key in keys])

    def _copy_prefix(self, prefix: ImagePrefix, picture_of_row: Sequence[int]) -> None:
        """Give every sequence its own copy of its picture's prefix."""
        self._cache = copy.deepcopy(prefix.cache)
        index = torch.tensor(picture_of_row, device=self._loaded.device)
        if len(index) > 1:
            self._cache.reorder_cache(index)
        self._value_norms = {
            layer: norms[index.to(norms.device)] for layer, norms in prefix.value_norms.items()
        }

    def _read_pictures(self, rows: Sequence[int], split_tok: int, plan: SteerPlan | None) -> Outcome:
        """Read the image prefixes of some prompts of the batch from nothing."""
        self._cache, self.past_tok = None, 0
        ids_BN = torch.cat([self._prompts[row].input_ids[:, :split_tok] for row in rows])
        return self._forward(
            ids_BN, plan, n_rows=0, pictures=self._picture_inputs(rows, split_tok), rows=rows
        )

    def _picture_inputs(self, rows: Sequence[int], stop_tok: int) -> dict[str, Any]:
        """The processor's other outputs for some prompts, per-token inputs up to `stop_tok`, the pictures
        seen.
        """
        inputs = [picture_inputs(self._prompts[row], stop_tok) for row in rows]
        with torch.inference_mode():
            return self._memory.vision.inputs_for(inputs)

    def _forward(
        self,
        ids_BN: torch.Tensor,
        plan: SteerPlan | None,
        *,
        n_rows: int,
        pictures: Mapping[str, Any] | None = None,
        rows: Sequence[int] | None = None,
    ) -> Outcome:
        """One pass over N new tokens of B sequences, its hook set before and cleared after."""
        n_new = ids_BN.shape[1]
        stop_tok = self.past_tok + n_new
        chosen = self._prompts if rows is None else [self._prompts[row] for row in rows]
        positions = torch.cat([one.positions.between(self.past_tok, stop_tok) for one in chosen], dim=-2)
        capture = None
        if self._tracked and n_rows:
            last_rows = tuple(range(n_new - n_rows, n_new))
            capture = self._last_row if n_rows == 1 else replace(self._last_row, rows=last_rows)
        norms_tok = self._image_tok if self.past_tok == 0 else None
        with _set(self._loaded.hook, self.past_tok, capture, plan, norms_tok) as hook, torch.inference_mode():
            output = self._loaded.model(
                input_ids=ids_BN,
                attention_mask=torch.ones(len(ids_BN), stop_tok, dtype=torch.long, device=ids_BN.device),
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                **logits_wanted(self._loaded.model, n_rows),
                **(pictures or {}),
            )
            self._cache, self.past_tok = output.past_key_values, stop_tok
            if norms_tok is not None:
                self._value_norms = hook.take_value_norms()
            logits_BNV = output.logits[:, -n_rows:].float() if n_rows else output.logits[:, :0].float()
            check_logits(logits_BNV, self._loaded.dtype)
            rows_BHNP = hook.take_joined_rows() if capture else None
            return Outcome(logits_BNV, rows_BHNP, hook.take_account() if plan else None)


def shape_key(prompt: Prepared) -> tuple[object, ...]:
    """What two prompts must share to be read in one batch: length, image positions and input shapes."""
    shapes = tuple((name, tuple(value.shape)) for name, value in sorted(prompt.inputs.items()))
    return (shapes, tuple(prompt.image_positions_tok.tolist()))


def prefix_key(prompt: Prepared, prefix_tok: int) -> str:
    """A digest of everything that the image prefix is computed from."""
    return digest_of({"input_ids": prompt.input_ids[:, :prefix_tok], **picture_inputs(prompt, prefix_tok)})


@contextmanager
def _set(
    hook: AttentionHook,
    past_tok: int,
    capture: CapturePlan | None,
    plan: SteerPlan | None,
    norms_tok: torch.Tensor | None,
) -> Iterator[AttentionHook]:
    """The hook as one pass needs it; idle and empty again afterwards, whatever happens."""
    hook.past_tok, hook.capture, hook.steer, hook.capture_values = past_tok, capture, plan, norms_tok
    try:
        yield hook
    finally:
        hook.past_tok, hook.capture, hook.steer, hook.capture_values = 0, None, None, None
        hook.take_rows()
        hook.take_value_norms()
        hook.take_account()


def _keeps_every_key(layer: Any) -> bool:
    """Whether a layer of a cache still holds the keys of all positions, and nothing that depends on them."""
    if type(layer) is DynamicSlidingWindowLayer:
        return bool(layer.get_seq_length() < layer.sliding_window)
    return type(layer) is DynamicLayer
