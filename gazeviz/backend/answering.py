"""One answer under way in the worker: a token at a time, and what is to be seen of it.

Every token's rows are kept for all heads, and what crosses to the app is reduced here: masses on regions for
the chosen heads and their control, and one map. Knows neither where requests come from nor where events go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.backend.engine_adapter import ModelBackend, StreamLike
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import GenerateSpec, RunFinished, RunResult, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.engine.generation.observer import StepObserver
from gazeviz.errors import UserError

# Attention that is kept after a run, so that any head can still be looked at, at any token.
#
# Per run and token the rows of all heads, in half precision: enough for a map on a screen (relative error
# 2^-11, and 0 below 6e-8), at half the memory. Only the latest runs are kept, and never more than a budget.
# Knows neither model nor messages.


RUNS_PER_SIDE: Final = 2
"""A run and the one before it, to compare with."""

BUDGET_BYTES: Final = 2 * 2**30
"""For all runs together: two of 100 tokens, 36 x 32 heads and 1280 image tokens take 590 MB."""


class KeptRun:
    """The rows of one run's tokens so far.

    heads: all heads of the model, in the order of the rows' first axis.
    chosen: what is meant where no heads are named.
    """

    def __init__(self, side: Side, heads: HeadSet, chosen: HeadSet, shape_LH: tuple[int, int]) -> None:
        self.side = side
        self.chosen = chosen
        self._shape_LH = shape_LH
        self._heads = heads
        self._place = {head: place for place, head in enumerate(heads)}
        self._rows: dict[int, NDArray[np.float16]] = {}

    @property
    def n_bytes(self) -> int:
        """Memory that the rows take."""
        return sum(rows_HP.nbytes for rows_HP in self._rows.values())

    @property
    def n_tok(self) -> int:
        """Number of tokens whose rows are kept."""
        return len(self._rows)

    def add(self, index: int, rows_HP: NDArray[np.float32]) -> None:
        """Keep a token's rows."""
        self._rows[index] = rows_HP.astype(np.float16)

    def drop_oldest(self) -> None:
        """Let the earliest token go."""
        del self._rows[min(self._rows)]

    def places(self, heads: Iterable[Head]) -> list[int]:
        """Where heads stand on the rows' first axis; UserError for one that the model lacks."""
        heads = tuple(heads)
        missing = [str(head) for head in heads if head not in self._place]
        if missing:
            raise UserError(
                f"This model has no attention head {', '.join(missing[:5])}.",
                next_step="Choose heads of the grid.",
            )
        return [self._place[head] for head in heads]

    def rows_HP(self, steps: Sequence[int], heads: Iterable[Head]) -> NDArray[np.float32]:
        """Each head's attention to each image token, mean over some tokens of the answer: float32 (H, P)."""
        if not steps:
            raise UserError("No token of the answer is chosen.", next_step="Choose at least one.")
        gone = [step for step in steps if step not in self._rows]
        if gone:
            raise UserError(
                f"The attention at token {gone[0]} is not kept.",
                next_step="Choose another token, or run it again with fewer new tokens.",
            )
        places = self.places(heads)
        total_HP = self._rows[steps[0]][places].astype(np.float32)
        for step in steps[1:]:
            total_HP += self._rows[step][places]
        return total_HP / np.float32(len(steps))

    def map_P(self, steps: Sequence[int], heads: HeadSet | None) -> NDArray[np.float32]:
        """Mean over heads (None: the chosen ones; an empty set: all) and tokens: float32 (P,)."""
        named = self.chosen if heads is None else heads
        return np.asarray(self.rows_HP(steps, named or self._heads).mean(axis=0), dtype=np.float32)

    def mass_LH(self, steps: Sequence[int], tokens_P: NDArray[np.int64]) -> NDArray[np.float32]:
        """Every head's mass on some image tokens, mean over steps: float32 (L, H), NaN where none is."""
        rows_HP = self.rows_HP(steps, self._heads)
        tokens = np.unique(tokens_P)
        if tokens.size and not 0 <= tokens[0] <= tokens[-1] < rows_HP.shape[1]:
            raise UserError("The picture has no such image tokens.", next_step="Choose its own cells.")
        mass_H = rows_HP[:, tokens].sum(axis=1)
        mass_LH = np.full(self._shape_LH, np.nan, dtype=np.float32)
        for head, mass in zip(self._heads, mass_H, strict=True):
            mass_LH[head.layer, head.index] = mass
        return mass_LH


class AttentionCache:
    """The latest runs of each side, within the budget."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._runs: dict[int, KeptRun] = {}

    def open(self, job: int, run: KeptRun) -> None:
        """Begin to keep a run; older ones of its side go."""
        same_side = [number for number, kept in self._runs.items() if kept.side == run.side]
        for number in same_side[: len(same_side) - RUNS_PER_SIDE + 1]:
            del self._runs[number]
        self._runs[job] = run

    def run(self, job: int) -> KeptRun:
        """Return a run's rows; UserError for one that is not kept."""
        if job not in self._runs:
            raise UserError(
                "The attention of this run is no longer in memory.",
                next_step="Run it again to see its attention.",
            )
        return self._runs[job]

    def forget(self, job: int) -> None:
        """Let a run go."""
        self._runs.pop(job, None)

    def clear(self) -> None:
        """Let all runs go."""
        self._runs.clear()

    def fit(self) -> None:
        """Let tokens go, the earliest of the oldest run first, until all fit; each run keeps its last one."""
        while self._n_bytes > self._budget_bytes:
            run = next((run for run in self._runs.values() if run.n_tok > 1), None)
            if run is None:
                return
            run.drop_oldest()

    @property
    def _n_bytes(self) -> int:
        return sum(run.n_bytes for run in self._runs.values())


class AnswerJob:
    """A run that has begun; `advance` computes one token.

    revised: asked while a token can still be computed again; says whether it has moved the target for it.
    """

    def __init__(
        self,
        job: int,
        spec: GenerateSpec,
        machine: ModelBackend,
        picture: Any,
        grid: TokenGrid,
        revised: Callable[[], bool] | None = None,
    ) -> None:
        """Check the request; UserErrors of Engine.stream, and for regions of another picture."""
        heads = machine.all_heads()
        self.job = job
        self.kept = KeptRun(spec.side, heads, spec.chosen, machine.info().shape_LH)
        self._machine, self._picture, self._spec, self._revised = machine, picture, spec, revised
        self._observer = StepObserver(
            grid,
            spec.regions,
            spec.rule,
            spec.share,
            chosen=self.kept.places(spec.chosen or heads),
            control=self.kept.places(spec.control) if spec.control else None,
            value_norms=lambda: self._stream.run().value_norms_HP,
        )
        self._stream = self._begin(spec)
        self._started_s = time.perf_counter()

    def advance(self) -> StepArrived | None:
        """Write the next token; None when the answer has ended."""
        step = next(self._stream, None)
        if step is None:
            return None
        if step.rows_HP is None:
            raise RuntimeError("the stream recorded no attention although all heads are tracked")
        self.kept.add(step.index, step.rows_HP)
        return self._observer.observe(self.job, step)

    def retarget(self, region: Region | None) -> None:
        """Point the heads elsewhere from the next token on; UserErrors of Stream.retarget."""
        if self.kept.n_tok or self._spec.steering is None:
            self._stream.retarget(region)
            return
        # Nothing is computed yet: a run that began with this target is the same, and says so in its request.
        spec = replace(self._spec, steering=self._spec.steering.beginning_at(region))
        self._stream, self._spec = self._begin(spec), spec

    def cancel(self) -> None:
        """End before the next token."""
        self._stream.cancel()

    def finished(self) -> RunFinished:
        """What became of it."""
        run = self._stream.run()
        return RunFinished(self.job, RunResult.of(run, time.perf_counter() - self._started_s))

    def _begin(self, spec: GenerateSpec) -> StreamLike:
        stream = self._machine.stream(self._picture, spec, self._machine.all_heads())
        stream.revised = self._revised
        return stream
