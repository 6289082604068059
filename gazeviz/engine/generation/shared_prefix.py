"""One picture read once, and every question about it read from there.

A prompt's image prefix (everything up to its last image token) is the same for all questions about a
picture, so it is prefilled once and kept as a cache. Questions are then read as the *branches* of one short
sequence: what they have in common (the trunk) once, then each branch seeing the prefix, the trunk and
itself, with its positions going on right behind the trunk. That is the same arithmetic as one pass per
question, at the price of one. Where a model's cache does not allow it (sliding windows, recurrent layers)
the branches are read one after the other from copies of the prefix, and where the prompt is attended to in
both directions every prompt is read whole.

Knows token ids, positions and attention rows; knows no panels, scores or steering.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from gazeviz.domain.model_files import ROW_BYTES
from gazeviz.engine.attention.hook import CapturePlan
from gazeviz.engine.generation.finite import check_logits, check_rows
from gazeviz.engine.generation.vision_cache import Vision
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import Prepared

# A model of 36 x 32 heads fills ROW_BYTES with 22 recorded rows of 1280 tokens.
# How far rows read together may be from rows read one by one before reading together is given up.
_PACKING_TOLERANCE: Final = {torch.float32: 1e-4}
_COARSE_TOLERANCE: Final = 3e-2

_CHOOSES: Final = "_gazeviz_chooses_logits"  # the attribute of a model that holds what was found out

Rows = NDArray[np.float32]
Reduce = Callable[[Rows], NDArray[Any]]


@dataclass(frozen=True)
class Packed:
    """A trunk and its branches as one sequence behind a prefix of `past_tok` tokens.

    ids_1N int64; positions as the model takes them, (..., 1, N); mask_11NK bool, True = visible; `starts`
    and `stops` are each branch's place in the sequence; the trunk comes first and ends where the first
    branch starts."""

    ids_1N: Tensor
    positions: Tensor
    mask_11NK: Tensor
    starts: tuple[int, ...]
    stops: tuple[int, ...]


def pack(past_tok: int, trunk: tuple[Tensor, Tensor], branches: Sequence[tuple[Tensor, Tensor]]) -> Packed:
    """Lay a trunk and its branches, each (ids (1, n), positions (..., 1, n)), out as one sequence.

    Trunk rows see the prefix and the trunk up to themselves; branch rows the prefix, the trunk, and their
    own branch up to themselves."""
    parts = [trunk, *branches]
    lengths = [ids.shape[1] for ids, _ in parts]
    device = trunk[0].device
    stops = torch.tensor(lengths, device=device).cumsum(0)
    part_N = torch.repeat_interleave(
        torch.arange(len(parts), device=device), torch.tensor(lengths, device=device)
    )
    place_N = torch.arange(int(stops[-1]), device=device)
    related_NN = (part_N[:, None] == part_N[None, :]) | (part_N == 0)[None, :]
    visible_NN = related_NN & (place_N[:, None] >= place_N[None, :])
    mask_NK = torch.cat([visible_NN.new_ones(len(place_N), past_tok), visible_NN], dim=1)
    ends = [int(stop) for stop in stops]
    return Packed(
        torch.cat([ids for ids, _ in parts], dim=1),
        torch.cat([positions for _, positions in parts], dim=-1),
        mask_NK[None, None],
        tuple(ends[:-1]),
        tuple(ends[1:]),
    )


def common_start(sequences: Sequence[Tensor]) -> int:
    """How many leading ids all (1, n) sequences share, at most one less than the shortest has (each keeps a
    row).
    """
    shortest = min(ids.shape[1] for ids in sequences) - 1
    stacked = torch.cat([ids[:, :shortest] for ids in sequences]).cpu()  # a GPU would be waited for twice
    same = (stacked == stacked[:1]).all(dim=0)
    return int(same.long().cumprod(0).sum())


class PicturePrefix:
    """A prefilled picture, and what can be read behind it.

    All prompts given to its methods must be about the picture of `prompt`, prepared in the same way.
    """

    def __init__(
        self, loaded: LoadedModel, prompt: Prepared, *, packs: bool = True, vision: Vision | None = None
    ) -> None:
        """`vision` remembers what the tower made of the picture, perhaps for an answer just before."""
        self._loaded = loaded
        self._vision = vision
        self._hook = loaded.hook
        self.image_tok = prompt.image_positions_tok
        self.n_tok = int(self.image_tok.max()) + 1 if loaded.family.shares_prefix else 0
        self._cache: Any = self._prefill(prompt) if self.n_tok else None
        layers = getattr(self._cache, "layers", ())
        self._plain = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
        self.packs = packs and self._plain
        self._checked: tuple[tuple[Prepared, ...], Rows] | None = None

    @property
    def max_rows(self) -> int:
        """How many rows of all heads are recorded in one pass."""
        n_layers, n_heads = self._hook.shape_LH
        return max(1, ROW_BYTES // (4 * n_layers * n_heads * len(self.image_tok)))

    def packing_is_exact(self, prompts: Sequence[Prepared]) -> bool:
        """Whether prompts read together give the rows that they give one by one.

        A model that does not take a mask of its own making would go wrong without an error; this sees it: the
        last prompt has all others before it. What was read together is kept for `question_rows`.
        """
        few = tuple(prompts[: max(2, self.max_rows)])
        together = self._packed_rows(few)
        alone = self.rows(few[-1], (), (few[-1].n_prompt_tok - 1,))
        worst = float(np.nanmax(np.abs(together[:, :, -1:] - alone), initial=0.0))
        self._checked = few, together
        return worst <= _PACKING_TOLERANCE.get(self._loaded.dtype, _COARSE_TOLERANCE)

    def question_rows(self, prompts: Sequence[Prepared]) -> Rows:
        """The row of every prompt's last token over the image tokens, float32 (L, H, Q, P); NaN = no such
        head.
        """
        if not self.packs:
            return np.concatenate(
                [self.rows(prompt, (), (prompt.n_prompt_tok - 1,)) for prompt in prompts], axis=2
            )
        checked, self._checked = self._checked, None
        if checked is not None and list(map(id, checked[0])) == list(map(id, prompts)):
            return checked[1]
        groups = [prompts[start : start + self.max_rows] for start in range(0, len(prompts), self.max_rows)]
        return np.concatenate([self._packed_rows(group) for group in groups], axis=2)

    def rows(
        self, prompt: Prepared, answer: Sequence[int], rows_tok: Sequence[int], reduce: Reduce | None = None
    ) -> NDArray[Any]:
        """Rows of a prompt and its teacher-forced answer over the image tokens, (L, H, Q, P) float32.

        `rows_tok` are ascending absolute positions behind the image. Long answers are read in pieces, so
        that no more than `ROW_BYTES` are held; `reduce` makes of each piece (L, H, q, P) what is kept of
        it, (L, H, q, ...)."""
        ids = torch.cat([prompt.input_ids, prompt.input_ids.new_tensor([list(answer)])], dim=1)
        kept = []
        with self._borrowed() as cache, torch.no_grad():
            past_tok = self.n_tok
            for stop in self._stops(prompt, ids.shape[1], rows_tok):
                wanted = tuple(row - past_tok for row in rows_tok if past_tok <= row < stop)
                positions = prompt.positions.between(past_tok, stop)
                pictures = picture_inputs(prompt, stop) if past_tok == 0 else {}
                output = self._forward(
                    ids[:, past_tok:stop], positions, cache, past_tok, rows=wanted, pictures=pictures
                )
                cache, past_tok = output.past_key_values, stop
                recorded = self._recorded() if wanted else None
                if recorded is not None:
                    kept.append(recorded if reduce is None else reduce(recorded))
        return np.concatenate(kept, axis=2)

    def greedy(self, prompt: Prepared, max_new_tok: int) -> list[int]:
        """The model's own answer, greedily, without the token that ends it."""
        answer: list[int] = []
        stop_ids = _stop_ids(self._loaded.model)
        with self._borrowed() as cache, torch.no_grad():
            past_tok, ids = self.n_tok, prompt.input_ids[:, self.n_tok :]
            pictures = {} if past_tok else picture_inputs(prompt, prompt.n_prompt_tok)
            while len(answer) < max_new_tok:
                positions = prompt.positions.between(past_tok, past_tok + ids.shape[1])
                output = self._forward(ids, positions, cache, past_tok, pictures=pictures)
                check_logits(output.logits[:, -1:], self._loaded.dtype)
                cache, past_tok, pictures = output.past_key_values, past_tok + ids.shape[1], {}
                token = int(output.logits[0, -1].argmax())
                if token in stop_ids:
                    break
                answer.append(token)
                ids = ids.new_tensor([[token]])
        return answer

    def branch_logits(
        self, prompt: Prepared, answers: Sequence[Sequence[int]]
    ) -> Iterator[tuple[int, Tensor]]:
        """Each answer's index with the logits (T, V) that predict its T teacher-forced tokens.

        Reads with whatever steering the hook has, from copies that leave the prefix as it is. Differentiable
        inside `differentiable()`. Only for families that share prefixes.
        """
        ids = [prompt.input_ids.new_tensor([list(answer)]) for answer in answers]
        trunk = (prompt.input_ids[:, self.n_tok :], prompt.positions.between(self.n_tok, prompt.n_prompt_tok))
        branches = [(one, self._answer_positions(prompt, one.shape[1])) for one in ids]
        n_trunk = trunk[0].shape[1]
        for group in [range(len(ids))] if self.packs else [range(i, i + 1) for i in range(len(ids))]:
            packed = pack(self.n_tok, trunk, [branches[i] for i in group])
            # A single branch is an ordinary sequence, for which the model makes its own masks.
            mask = packed.mask_11NK if len(group) > 1 else None
            keep = packed.ids_1N.shape[1] - (n_trunk - 1)
            output = self._forward(
                packed.ids_1N, packed.positions, self._branch(), self.n_tok, mask=mask, n_logits=keep
            )
            check_logits(output.logits[:, -keep:].detach(), self._loaded.dtype)
            logits_NV = output.logits[0, -keep:]  # row i predicts the token at place n_trunk + i
            for index, start, stop in zip(group, packed.starts, packed.stops, strict=True):
                rest = logits_NV[start - n_trunk + 1 : stop - n_trunk]
                yield index, torch.cat([logits_NV[:1], rest])

    def differentiable(self) -> AbstractContextManager[object]:
        """Around reading and its backward pass: recurrent layers write over what a gradient still needs."""
        return nullcontext() if self._plain else torch.autograd.graph.allow_mutation_on_saved_tensors()

    def _answer_positions(self, prompt: Prepared, n_tok: int) -> Tensor:
        return prompt.positions.between(prompt.n_prompt_tok, prompt.n_prompt_tok + n_tok)

    def _packed_rows(self, prompts: Sequence[Prepared]) -> Rows:
        """The last rows of several prompts from one pass, (L, H, Q, P)."""
        ids = [prompt.input_ids[:, self.n_tok :] for prompt in prompts]
        fork = common_start(ids)
        trunk = (ids[0][:, :fork], prompts[0].positions.between(self.n_tok, self.n_tok + fork))
        branches = [
            (one[:, fork:], prompt.positions.between(self.n_tok + fork, prompt.n_prompt_tok))
            for one, prompt in zip(ids, prompts, strict=True)
        ]
        packed = pack(self.n_tok, trunk, branches)
        last = tuple(stop - 1 for stop in packed.stops)
        with self._borrowed() as cache, torch.no_grad():
            self._forward(
                packed.ids_1N, packed.positions, cache, self.n_tok, mask=packed.mask_11NK, rows=last
            )
            return self._recorded()

    def _stops(self, prompt: Prepared, n_tok: int, rows_tok: Sequence[int]) -> list[int]:
        """Where to cut a sequence so that no piece has more rows to record than fit; a whole prompt stays
        whole.
        """
        cuts = {rows_tok[i] for i in range(self.max_rows, len(rows_tok), self.max_rows)}
        if not self.n_tok:
            cuts = {cut for cut in cuts if cut > prompt.n_prompt_tok} | {prompt.n_prompt_tok}
        return sorted(cuts | {n_tok})

    def _prefill(self, prompt: Prepared) -> Any:
        with torch.no_grad():
            ids, positions = prompt.input_ids[:, : self.n_tok], prompt.positions.between(0, self.n_tok)
            pictures: Mapping[str, Any] = picture_inputs(prompt, self.n_tok)
            if self._vision is not None:
                pictures = self._vision.inputs_for([pictures])
            output = self._forward(ids, positions, None, 0, pictures=pictures)
        return output.past_key_values

    def _forward(
        self,
        ids_1N: Tensor,
        positions: Tensor,
        cache: Any,
        past_tok: int,
        *,
        mask: Tensor | None = None,
        rows: tuple[int, ...] = (),
        n_logits: int = 1,
        pictures: Mapping[str, Any] | None = None,
    ) -> Any:
        """One pass; the rows of this forward listed in `rows` are recorded for all heads.

        Of the logits the last `n_logits` rows are computed, where the family's forward can choose.
        """
        if mask is None:
            mask = torch.ones(1, past_tok + ids_1N.shape[1], dtype=torch.long, device=ids_1N.device)
        extras: dict[str, Any] = dict(pictures or {})
        extras |= logits_wanted(self._loaded.model, n_logits)
        self._hook.past_tok = past_tok
        self._hook.capture = CapturePlan(None, rows, self.image_tok) if rows else None
        try:
            return self._loaded.model(
                input_ids=ids_1N,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                **extras,
            )
        finally:
            self._hook.capture, self._hook.past_tok = None, 0

    def _recorded(self) -> Rows:
        """The newest forward's rows as one array (L, H, Q, P), NaN where there is no head."""
        taken = self._hook.take_rows()
        n_rows, n_tok = next(iter(taken.values())).shape[2:]
        rows = np.full((*self._hook.shape_LH, n_rows, n_tok), np.nan, dtype=np.float32)
        present_LH = np.zeros(self._hook.shape_LH, dtype=np.bool_)
        for layer, rows_1HQP in taken.items():
            rows[layer, : rows_1HQP.shape[1]] = rows_1HQP[0].cpu().numpy()
            present_LH[layer, : rows_1HQP.shape[1]] = True
        check_rows(rows, present_LH, self._loaded.dtype)
        return rows

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        """The prefix's cache to read on from; it is as before afterwards."""
        if not self._plain:
            yield copy.deepcopy(self._cache)
            return
        try:
            yield self._cache
        finally:
            # Cropping back spares the memory of a copy.
            self._cache.crop(self.n_tok - self._cache.get_seq_length())

    def _branch(self) -> Any:
        """A cache to read on from that shares the prefix's tensors where it grows by concatenation."""
        if not self._plain:
            return copy.deepcopy(self._cache)
        branch = copy.copy(self._cache)
        branch.layers = [copy.copy(layer) for layer in self._cache.layers]
        return branch


def picture_inputs(prompt: Prepared, stop_tok: int) -> dict[str, Tensor]:
    """What the model takes beside ids, mask and positions to read a prompt from its start: the picture."""
    inputs = prompt.prefix_inputs(stop_tok)
    return {name: inputs[name] for name in inputs.keys() - {"input_ids", "attention_mask", "position_ids"}}


def logits_wanted(model: Any, n_rows: int) -> dict[str, int]:
    """Spare the language head the rows whose logits nobody reads, where the family's forward can.

    Not where layers share keys and values: transformers cuts the *queries* of such layers to those rows, and
    what the cut ones see could be neither recorded nor steered.
    """
    chooses = getattr(model, _CHOOSES, None)
    if chooses is None:
        shared = getattr(model.config.get_text_config(), "num_kv_shared_layers", 0) or 0
        chooses = not shared and "logits_to_keep" in inspect.signature(model.forward).parameters
        setattr(model, _CHOOSES, chooses)
    return {"logits_to_keep": max(n_rows, 1)} if chooses else {}


def _stop_ids(model: Any) -> frozenset[int]:
    """The token ids that end an answer."""
    ids = model.generation_config.eos_token_id
    return frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids])
