"""Running an evaluation: the same question for every region of every picture, steered there, and judged.

For any model and any pictures with regions; captions where the judge needs them. What counts is decided in
domain.evaluation, what is done in `protocols`, what a text says in `judging`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gazeviz.domain.answer_text import junk_kind
from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation, JudgedAnswer, Segment, same_text
from gazeviz.domain.experiments.treatment import DYNAMIC, STATIC, Protocol, Treatment
from gazeviz.domain.prompts import panel_questions
from gazeviz.domain.run import Run
from gazeviz.domain.statistics import random_derangement
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.engine.evaluation.judges import Judge, Judged
from gazeviz.errors import Cancelled, UserError

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine

T = TypeVar("T")
Progress = Callable[[int, int, float | None], None]
"""Told answers done, answers in all, and the seconds left (None until it can be guessed)."""

_UNSTEERED = Treatment("unsteered")
_ROWS_AT_ONCE = 48  # answers between two looks at `cancelled` and two reports


@dataclass(frozen=True)
class Examiner:
    """One model, a set of pictures and a judge; keeps the unsteered answers, which every treatment is held
    against.

    items: pictures with regions (and captions).  prompt, new_tok: instead of the protocol's.
    progress, cancelled: as in `Engine.generate_many`; `evaluate` raises Cancelled.
    on_answer: gets every judged answer as soon as there is one.
    """

    engine: Engine
    items: Sequence[Judged]
    judge: Judge
    protocol: Protocol = STATIC
    prompt: str | None = None
    new_tok: int | None = None
    progress: Progress | None = None
    cancelled: Callable[[], bool] | None = None
    on_answer: Callable[[JudgedAnswer], None] | None = None
    _baselines: dict[tuple[int, str], Run] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.items or not all(item.panels for item in self.items):
            raise UserError(
                "There is nothing to evaluate on.", next_step="Add one picture with regions at least."
            )

    @property
    def question(self) -> str:
        """The prompt of every answer."""
        return self.prompt or self.protocol.prompt

    def evaluate(self, treatment: Treatment) -> Evaluation:
        """Steer to every region of every item in turn, and judge what is said.

        Raises UserErrors of the engine and the judge, and Cancelled.
        """
        answers, cells, started = [], self._cells(), time.monotonic()
        for part in _parts(cells, self._clock(len(cells))):
            for (index, region), run in zip(part, self._runs(treatment, part), strict=True):
                answers.append(self._judged(index, region, run))
                if self.on_answer is not None:
                    self.on_answer(answers[-1])
        seconds = time.monotonic() - started
        return Evaluation(self.protocol.name, treatment.to_json(), self.judge.name, tuple(answers), seconds)

    def changed_tokens(self, treatment: Treatment) -> tuple[int, int]:
        """How many answers differ from unsteered ones in any token, and how many there are.

        The unsteered answers are written in the very same batches, so that even rounding is the same.
        """
        cells, changed = self._cells(), 0
        for part in _parts(cells, self._clock(len(cells))):
            steered, plain = (
                [run.token_ids for run in self._runs(one, part)] for one in (treatment, _UNSTEERED)
            )
            changed += sum(ours != theirs for ours, theirs in zip(steered, plain, strict=True))
        return changed, len(cells)

    def baseline(self, index: int) -> Run:
        """The unsteered answer about one item."""
        key = (index, self.question)
        if key not in self._baselines:
            missing = [i for i in range(index, len(self.items)) if (i, self.question) not in self._baselines]
            self._read_baselines(missing[:_ROWS_AT_ONCE])
        return self._baselines[key]

    def narrate(
        self, treatment: Treatment, *, every_tok: int | None = None, seed: int = 0, first_index: int = 0
    ) -> DynamicEvaluation:
        """Let every item be told while the target moves on every `every_tok` tokens along a random
        derangement.

        Item i's derangement is drawn with (seed, first_index + i).
        Raises UserError for a treatment that steers nothing.
        """
        if treatment.heads is None:
            raise UserError("A moving target needs heads to steer.", next_step="Choose heads first.")
        every_tok = every_tok or self.new_tok or self.protocol.new_tok
        segments: list[Segment] = []
        started = time.monotonic()
        for part in _parts(range(len(self.items)), self._clock(len(self.items))):
            orders = [
                derangement_of(first_index + index, len(self.items[index].panels), seed) for index in part
            ]
            steerings = [
                self._along(treatment, index, order, every_tok)
                for index, order in zip(part, orders, strict=True)
            ]
            for index, order, run in zip(
                part, orders, self._runs_along(part, steerings, every_tok), strict=True
            ):
                segments += self._segments(index, order, run, every_tok)
        seconds = time.monotonic() - started
        return DynamicEvaluation(treatment.to_json(), self.judge.name, every_tok, tuple(segments), seconds)

    def _cells(self) -> list[tuple[int, int]]:
        """Every item with every region of it."""
        return [
            (index, region) for index, item in enumerate(self.items) for region in range(len(item.panels))
        ]

    def _runs(self, treatment: Treatment, cells: Sequence[tuple[int, int]]) -> list[Run]:
        items = [self.items[index] for index, _ in cells]
        targets = [region for _, region in cells]
        steerings = [
            treatment.steering(item.panels, region, self.protocol.scope)
            for item, region in zip(items, targets, strict=True)
        ]
        questions = [
            panel_questions(item.panels)[region] if treatment.names_panel else self.question
            for item, region in zip(items, targets, strict=True)
        ]
        return self.engine.generate_many(
            [item.image for item in items],
            questions,
            steerings,
            max_new_tokens=self.new_tok or self.protocol.new_tok,
            cancelled=self.cancelled,
        )

    def _judged(self, index: int, region: int, run: Run) -> JudgedAnswer:
        item, baseline = self.items[index], self.baseline(index).text
        junk = junk_kind(run.text)
        verdict = None if junk else self.judge.judge(run.text, item)
        (width_px, height_px), (fed_width_px, fed_height_px) = run.grid.picture_size_px, run.grid.fed_size_px
        complete = verdict.complete if verdict else None
        return JudgedAnswer(
            item=index,
            target=region,
            n_regions=len(item.panels),
            text=run.text,
            baseline=baseline,
            chosen=verdict.chosen if verdict else None,
            complete=complete[region] if complete else (False if junk else None),
            junk=junk,
            unchanged=same_text(run.text, baseline),
            area_px=item.panels[region].area_px * fed_width_px * fed_height_px / (width_px * height_px),
            mass_before=run.audit.mass_before if run.audit else None,
            mass_after=run.audit.mass_after if run.audit else None,
        )

    def _read_baselines(self, indices: Sequence[int]) -> None:
        runs = self.engine.generate_many(
            [self.items[index].image for index in indices],
            self.question,
            None,
            max_new_tokens=self.new_tok or self.protocol.new_tok,
            cancelled=self.cancelled,
        )
        self._baselines.update(
            ((index, self.question), run) for index, run in zip(indices, runs, strict=True)
        )

    def _along(self, treatment: Treatment, index: int, order: Sequence[int], every_tok: int) -> Steering:
        panels = self.items[index].panels
        steering = treatment.steering(panels, order[0], DYNAMIC.scope)
        assert steering is not None  # narrate() refuses treatments without heads
        return replace(steering, schedule=Schedule.every(every_tok, [panels[panel] for panel in order]))

    def _runs_along(self, part: Sequence[int], steerings: Sequence[Steering], every_tok: int) -> list[Run]:
        """The narrations of a part, together where as many panels ask for as many tokens."""
        runs: dict[int, Run] = {}
        lengths = {index: every_tok * len(self.items[index].panels) for index in part}
        for length in sorted(set(lengths.values())):
            chosen = [place for place, index in enumerate(part) if lengths[index] == length]
            written = self.engine.generate_many(
                [self.items[part[place]].image for place in chosen],
                self.question,
                [steerings[place] for place in chosen],
                max_new_tokens=length,
                cancelled=self.cancelled,
            )
            runs.update(zip(chosen, written, strict=True))
        return [runs[place] for place in range(len(part))]

    def _segments(self, index: int, order: Sequence[int], run: Run, every_tok: int) -> Iterator[Segment]:
        item = self.items[index]
        # Without a judge of words there is no latency, and nothing to look for.
        judge_word = getattr(self.judge, "judge_word", lambda word, item: None)
        words = words_by_step(run)
        for turn, target in enumerate(order):
            first, stop = turn * every_tok, min((turn + 1) * every_tok, len(run.tokens))
            text = "".join(step.text for step in run.tokens[first:stop]).strip()
            junk = junk_kind(text)
            follows = (
                last_tok - first + 1
                for word, first_tok, last_tok in words
                if first <= first_tok and last_tok < stop and judge_word(word, item) == target
            )
            yield Segment(
                item=index,
                turn=turn,
                target=target,
                n_regions=len(order),
                first_tok=first,
                n_tok=max(0, stop - first),
                text=text,
                chosen=None if junk else self.judge.judge(text, item).chosen,
                junk=junk,
                latency_tok=next(follows, None),
            )

    def _clock(self, total: int) -> Callable[[int], None]:
        """Called with the number done between two parts: reports, and stops where that is wished."""
        started = time.monotonic()

        def tick(done: int) -> None:
            if self.cancelled is not None and self.cancelled():
                raise Cancelled(f"The evaluation was cancelled after {done} of {total} answers.")
            if self.progress is not None:
                elapsed = time.monotonic() - started
                self.progress(done, total, elapsed / done * (total - done) if done else None)

        return tick


def derangement_of(index: int, n_panels: int, seed: int) -> tuple[int, ...]:
    """The order in which item `index` is steered through its panels: none at its own turn."""
    return random_derangement(n_panels, np.random.default_rng((seed, index)))


def _parts(cells: Sequence[T], tick: Callable[[int], None]) -> Iterator[Sequence[T]]:
    """Cut the work into parts, and tick before, between and after them."""
    for start in range(0, len(cells), _ROWS_AT_ONCE):
        tick(start)
        yield cells[start : start + _ROWS_AT_ONCE]
    tick(len(cells))


def words_by_step(run: Run) -> tuple[tuple[str, int, int], ...]:
    """Every word of an answer, with the step it begins and the step it ends in."""
    text, step_of = "", []
    for step in run.tokens:
        text += step.text
        step_of += [step.index] * len(step.text)
    return tuple(
        (match[0], step_of[match.start()], step_of[match.end() - 1]) for match in re.finditer(r"\w+", text)
    )
