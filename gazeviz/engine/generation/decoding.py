"""Writing answers: our own decode loop, for one stream or for a batch, with steering that can move while it
writes.

`Writing` is the state of one answer, `Decoding` advances a batch of them by one token, `Stream` is the face
of a single one. The loop exists because `generate()` cannot share a picture's prefix, move a target between
two tokens, record a head's rows, or stop at once. Its tokens equal `model.generate()`'s
(tests/engine/test_generation.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from transformers import (
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from gazeviz.domain.region import Region
from gazeviz.domain.run import Finish, Run, RunRequest, Sampling, Step
from gazeviz.engine.generation.target_tracker import AuditSum, TargetTracker, first_biased_row, plan_for
from gazeviz.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gazeviz.engine.attention.hook import SteerPlan
    from gazeviz.engine.generation.passes import Outcome, PromptRunner
    from gazeviz.engine.models.loading import LoadedModel
    from gazeviz.engine.models.prompt import Prepared


# Choosing the next token from its logits, and spelling it out as text.
#
# Knows one sequence's sampling settings and its tokenizer. Does not know the model, the picture or the
# steering.


_UNFINISHED = "\ufffd"  # what a decoder prints for the first bytes of a character that is not complete yet


class Decoder(Protocol):
    """The one thing asked of a tokenizer here."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The tokens as text."""
        ...


class Picker:
    """Chooses the tokens of one sequence, greedily or by sampling.

    Parity: on one device, `torch.manual_seed(seed)` and `model.generate(do_sample=True, temperature=...,
    top_p=..., top_k=0, repetition_penalty=..., no_repeat_ngram_size=...)` draw the same tokens, because the
    processors are transformers' own in its order, see the prompt's ids as there, and each token costs one
    `torch.multinomial` draw from a generator seeded alike. A checkpoint's own generation settings (repetition
    penalty, top-k) are deliberately left out: they would change what the model says for reasons no run
    records.

    prompt_ids_1N: the prompt, whose tokens count as said.
    """

    def __init__(self, sampling: Sampling, prompt_ids_1N: torch.Tensor, device: torch.device) -> None:
        self._greedy = sampling.temperature == 0.0
        self._warpers = LogitsProcessorList()
        if sampling.repetition_penalty != 1.0:
            self._warpers.append(RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        if sampling.no_repeat_ngram_tok:
            self._warpers.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_tok))
        self._looks_back = bool(self._warpers)
        if not self._greedy and sampling.temperature != 1.0:
            self._warpers.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if not self._greedy and sampling.top_p < 1.0:
            self._warpers.append(TopPLogitsWarper(top_p=float(sampling.top_p)))
        self._generator = torch.Generator(device).manual_seed(sampling.seed)
        # Neither temperature nor top-p looks at the tokens so far: alone, they get none.
        self._ids_1N: Any = prompt_ids_1N[:, : None if self._looks_back else 0].to(device)

    def pick(self, logits_V: torch.Tensor) -> int:
        """The next token's id, from float32 logits of one sequence."""
        if self._ids_1N.numel() and self._ids_1N.max() >= len(logits_V):
            # The place holder of a picture may have no logit of its own.
            self._ids_1N = self._ids_1N[:, self._ids_1N[0] < len(logits_V)]
        # Given a copy: the step's log-probability is the model's own, whatever a processor writes into it.
        scores_1V = self._warpers(self._ids_1N, logits_V[None].clone()) if self._warpers else logits_V[None]
        token_id = int(scores_1V.argmax()) if self._greedy else self._drawn(scores_1V)
        if self._looks_back:
            self._ids_1N = torch.cat([self._ids_1N, self._ids_1N.new_tensor([[token_id]])], dim=1)
        return token_id

    def _drawn(self, scores_1V: torch.Tensor) -> int:
        return int(torch.multinomial(scores_1V.softmax(-1), num_samples=1, generator=self._generator))


class Speller:
    """Turns a growing list of tokens into what each of them adds to the decoded text.

    A token that ends inside a character adds nothing; the one that completes it adds the whole character. For
    decoders that never change what they have already said, the additions join to `text`.
    """

    def __init__(self, tokenizer: Decoder) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._decoded = ""

    @property
    def text(self) -> str:
        """All tokens so far as one text, special tokens left out."""
        return self._tokenizer.decode(self._ids, skip_special_tokens=True)

    def add(self, token_id: int, *, last: bool) -> str:
        """What this token adds; the `last` one also gives up waiting for the rest of a character."""
        self._ids.append(token_id)
        text = self.text
        if text.endswith(_UNFINISHED) and not last:
            return ""
        # A decoder may take back what it said (a space before a mark): only what is new can be added.
        n_kept = len(self._decoded)
        while not text.startswith(self._decoded[:n_kept]):
            n_kept -= 1
        added = text[n_kept:]
        self._decoded = text
        return added


class Answer:
    """One answer in the making: what was asked, where its heads point, and the tokens so far."""

    def __init__(self, loaded: LoadedModel, prompt: Prepared, request: RunRequest) -> None:
        self.prompt = prompt
        self.request = request
        self.aim = TargetTracker(prompt, request.steering) if request.steering else None
        self.tally = AuditSum()
        self.finish: Finish | None = None
        self.value_norms_HP: NDArray[np.float32] | None = None
        self._picker = Picker(request.sampling, prompt.input_ids, loaded.device)
        self._speller = Speller(loaded.tokenizer)
        self._stop_ids = stop_ids(loaded)
        self._steps: list[Step] = []

    @property
    def n_written(self) -> int:
        """Tokens so far, which is also the index of the next step."""
        return len(self._steps)

    def write(self, logits_V: torch.Tensor, rows_HP: NDArray[np.float32] | None, ms: float) -> Step:
        """Choose the next token from float32 logits and note it as a step."""
        token_id = self._picker.pick(logits_V)
        if token_id in self._stop_ids:
            self.finish = "stop"
        elif self.n_written + 1 == self.request.max_new_tokens:
            self.finish = "length"
        target = self.aim.target if self.aim else None
        step = Step(
            index=self.n_written,
            token_id=token_id,
            text=self._speller.add(token_id, last=self.finish is not None),
            logprob=float(logits_V.log_softmax(-1)[token_id]),
            target=target.name if target else None,
            rows_HP=rows_HP,
            ms=ms,
        )
        self._steps.append(step)
        return step

    def run(self) -> Run:
        """The run so far; one that was not finished counts as cancelled here."""
        request, audit = self.request, None
        switches: tuple[tuple[int, str], ...] = ()
        if self.aim:
            request = replace(
                request, steering=self.aim.as_it_happened(), target_tokens=self.aim.target_tokens
            )
            switches = tuple((step, region.name if region else "") for step, region in self.aim.switches)
            audit = self.tally.audit(self.aim.n_target_tok)
        return Run(
            request=request,
            text=self._speller.text,
            tokens=tuple(self._steps),
            finish=self.finish or "cancelled",
            audit=audit,
            tracked=request.tracked,
            value_norms_HP=self.value_norms_HP,
            grid=self.prompt.grid,
            switches=tuple(change for change in switches if change[0] < self.n_written),
        )


class Decoding:
    """Writes a batch of answers together, one token each a step.

    The answers share a head set, mode, strength and scope (or are all unsteered), and their prompts one
    shape; the targets, pictures, schedules, seeds and lengths are their own. `turn` is held during a pass and
    never between two.
    """

    def __init__(
        self, reader: PromptRunner, writings: Sequence[Answer], turn: AbstractContextManager[object]
    ) -> None:
        self._reader = reader
        self._active = list(writings)
        self._turn = turn
        self._last_ids_B: torch.Tensor | None = None
        self._plan: SteerPlan | None = None
        self._plan_is_stale = True

    @property
    def active(self) -> tuple[Answer, ...]:
        """The answers that still grow."""
        return tuple(self._active)

    def retarget(self, region: Region | None) -> None:
        """Point every answer's heads elsewhere, from the very next row on."""
        for writing in self._active:
            if writing.aim is None:
                raise UserError(
                    "This answer is not steered, so it has no target to move.",
                    next_step="Start it with a steering, of strength 0 if nothing is to change yet.",
                )
            writing.aim.retarget(writing.n_written, region)
        self._plan_is_stale = True

    def step(self, revised: Callable[[], bool] | None = None) -> list[Step]:
        """Write one token of every active answer; those that ended leave the batch.

        revised: asked between the pass and the choice of its token, where the pass can be made again; says
        whether it has moved the target for this very token. Then the pass is made again, once.
        """
        started = time.perf_counter()
        plan, outcome = self._computed()
        if revised is not None and self._reader.can_step_back and revised():
            self._reader.step_back()
            plan, outcome = self._computed(again=True)
        in_scope = plan is not None and self._reader.past_tok > plan.first_row
        logits_BV = outcome.logits_BNV[:, -1]
        rows_BHP = None if outcome.rows_BHNP is None else outcome.rows_BHNP[:, :, -1].cpu().numpy()
        steps = []
        for row, writing in enumerate(self._active):
            if outcome.account is not None:
                writing.tally.add(outcome.account, row, produced_token=in_scope)
            ms = (time.perf_counter() - started) * 1000
            steps.append(writing.write(logits_BV[row], None if rows_BHP is None else rows_BHP[row], ms))
        self._drop_ended(steps)
        return steps

    def _computed(self, again: bool = False) -> tuple[SteerPlan | None, Outcome]:
        """The next token's pass, and how it was steered. again: the schedule has had its say."""
        plan = self._current_plan(follow=not again)
        with self._turn:
            return plan, self._pass(plan)

    def _pass(self, plan: SteerPlan | None) -> Outcome:
        if self._last_ids_B is not None:
            return self._reader.advance(self._last_ids_B, plan)
        outcome = self._reader.prefill(plan)
        norms_BHP = self._reader.value_norms_BHP()
        for row, writing in enumerate(self._active):
            writing.value_norms_HP = None if norms_BHP is None else norms_BHP[row].numpy()
            if self._reader.prefix_account is not None:
                writing.tally.add(self._reader.prefix_account, row, produced_token=False)
        return outcome

    def _current_plan(self, follow: bool) -> SteerPlan | None:
        """The plan for the next pass, made anew only where a target moved."""
        aims = [writing.aim for writing in self._active if writing.aim is not None]
        moved = [aim.move_to(self._active[0].n_written) for aim in aims] if follow else []
        if self._plan_is_stale or any(moved):
            let_go = not aims or aims[0].target is None
            self._plan = None if let_go else plan_for(aims, self._first_row(aims[0]))
            self._plan_is_stale = False
        return self._plan

    def _first_row(self, aim: TargetTracker) -> int:
        return first_biased_row(aim.steering, self._active[0].prompt)

    def _drop_ended(self, steps: Sequence[Step]) -> None:
        """Keep the sequences that go on; the last token of each is what the next pass reads."""
        kept = [row for row, writing in enumerate(self._active) if writing.finish is None]
        if kept and len(kept) < len(self._active):
            self._reader.keep(kept)
            self._plan_is_stale = True
        self._active = [self._active[row] for row in kept]
        if not kept:
            self._reader.release()
            return
        self._last_ids_B = torch.tensor([steps[row].token_id for row in kept], device=self._reader.device)


class Stream:
    """An answer while it is written: iterate over its steps, move its target between two of them, stop it.

    Several streams of one engine may be open at once, in one thread or in several; their passes take turns.
    revised: see Decoding.step; set by whoever can move the target while a token is being computed.
    """

    def __init__(self, decoding: Decoding, writing: Answer) -> None:
        self.revised: Callable[[], bool] | None = None
        self._decoding = decoding
        self._writing = writing
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._writing.finish is None and self._cancelled.is_set():
            self._writing.finish = "cancelled"
        if self._writing.finish is not None:
            raise StopIteration
        try:
            return self._decoding.step(self.revised)[0]
        except BaseException:
            # The cache may hold a row more than the answer: going on would not be this run any more.
            self._writing.finish = "cancelled"
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    @property
    def target(self) -> Region | None:
        """Where the heads point for the next token; None if they are not steered."""
        return self._writing.aim.target if self._writing.aim else None

    def retarget(self, region: Region | None) -> None:
        """Point the heads at another region from the next token on; None lets them go.

        Raises UserError if the stream is not steered, or the region selects no cell of its picture.
        """
        self._decoding.retarget(region)

    def cancel(self) -> None:
        """Stop before the next token; may be called from another thread."""
        self._cancelled.set()

    def run(self) -> Run:
        """The run so far; one that was not finished counts as cancelled."""
        return self._writing.run()


def stop_ids(loaded: LoadedModel) -> frozenset[int]:
    """Token ids that end an answer: the checkpoint's own, or else its tokenizer's."""
    named = loaded.model.generation_config.eos_token_id
    if named is None:
        named = loaded.tokenizer.eos_token_id
    ids = named if isinstance(named, (list, tuple)) else [named]
    return frozenset(int(token_id) for token_id in ids if token_id is not None)
