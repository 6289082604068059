"""One answer under way in the worker: a token at a time, and what is to be seen of it.

Every token's rows are kept for all heads, and what crosses to the app is reduced here: masses on regions for
the chosen heads and their control, and one map. Knows neither where requests come from nor where events go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazeviz.backend.kept_rows import KeptRun
from gazeviz.backend.machine import Machine, StreamLike
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import GenerateSpec, RunFinished, RunSummary, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Step, mass_by_region


class Answer:
    """A run that has begun; `advance` computes one token.

    revised: asked while a token can still be computed again; says whether it has moved the target for it.
    """

    def __init__(
        self,
        job: int,
        spec: GenerateSpec,
        machine: Machine,
        picture: Any,
        grid: TokenGrid,
        revised: Callable[[], bool] | None = None,
    ) -> None:
        """Check the wish; UserErrors of Engine.stream, and for regions of another picture."""
        heads = machine.all_heads()
        self.job = job
        self.kept = KeptRun(spec.side, heads, spec.chosen, machine.info().shape_LH)
        self._machine, self._picture, self._spec, self._revised = machine, picture, spec, revised
        self._chosen = self.kept.places(spec.chosen or heads)
        self._control = self.kept.places(spec.control) if spec.control else None
        self._tokens_R = [grid.watched_tokens(region, spec.rule, spec.share) for region in spec.regions]
        self._stream = self._begin(spec)
        self._norms_HP: NDArray[np.float32] | None = None
        self._started_s = time.perf_counter()

    def advance(self) -> StepArrived | None:
        """Write the next token; None when the answer has ended."""
        step = next(self._stream, None)
        if step is None:
            return None
        if step.rows_HP is None:
            raise RuntimeError("the stream recorded no attention although all heads are tracked")
        if self._norms_HP is None:
            self._norms_HP = self._stream.run().value_norms_HP
        self.kept.add(step.index, step.rows_HP)
        return self._event(step, step.rows_HP)

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
        return RunFinished(self.job, RunSummary.of(run, time.perf_counter() - self._started_s))

    def _begin(self, spec: GenerateSpec) -> StreamLike:
        stream = self._machine.stream(self._picture, spec, self._machine.all_heads())
        stream.revised = self._revised
        return stream

    def _event(self, step: Step, rows_HP: NDArray[np.float32]) -> StepArrived:
        masses_R = self._masses(rows_HP, self._chosen)
        return StepArrived(
            job=self.job,
            index=step.index,
            token_id=step.token_id,
            text=step.text,
            logprob=step.logprob,
            ms=step.ms,
            target=step.target,
            masses_R=masses_R,
            weighted_R=self._masses(rows_HP, self._chosen, self._norms_HP),
            control_R=None if self._control is None else self._masses(rows_HP, self._control),
            map_P=rows_HP[self._chosen].mean(axis=0),
            looks_at=int(masses_R.argmax()) if masses_R.any() else None,
        )

    def _masses(
        self, rows_HP: NDArray[np.float32], places: list[int], norms_HP: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        norms = None if norms_HP is None else norms_HP[places]
        return np.asarray(mass_by_region(rows_HP[None, places], self._tokens_R, norms)[0])
