"""What is to be seen of each token of an answer: masses on regions, their random control, and one map.

The worker and the command line turn a step into its row here, so that a log reads the same whoever wrote it.
Knows which of the tracked heads are meant, not where the rows go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.grid import Rule, TokenGrid
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Step, mass_by_region

_NOTHING = np.zeros(0, dtype=np.float32)


class StepObserver:
    """Reduces the steps of one run.

    chosen, control: places on the first axis of a step's rows; control None: nothing to compare with.
    value_norms: asked until it knows the value norms, float32 (H, P); they come with the first token.
    """

    def __init__(
        self,
        grid: TokenGrid,
        regions: Sequence[Region],
        rule: Rule,
        share: float,
        *,
        chosen: Sequence[int],
        control: Sequence[int] | None,
        value_norms: Callable[[], NDArray[np.float32] | None],
    ) -> None:
        """UserError for regions of another picture."""
        self._tokens_R = [grid.watched_tokens(region, rule, share) for region in regions]
        self._chosen = list(chosen)
        self._control = list(control) if control is not None else None
        self._value_norms = value_norms
        self._norms_HP: NDArray[np.float32] | None = None

    def observe(self, job: int, step: Step) -> StepArrived:
        """Return the row of a step; without rows of its chosen heads it has neither masses nor a map."""
        masses_R = weighted_R = map_P = _NOTHING
        control_R = None
        rows_HP = step.rows_HP
        if rows_HP is not None and self._chosen:
            if self._norms_HP is None:
                self._norms_HP = self._value_norms()
            masses_R = self._masses(rows_HP, self._chosen, None)
            weighted_R = self._masses(rows_HP, self._chosen, self._norms_HP)
            map_P = rows_HP[self._chosen].mean(axis=0)
            if self._control is not None:
                control_R = self._masses(rows_HP, self._control, None)
        return StepArrived(
            job=job,
            index=step.index,
            token_id=step.token_id,
            text=step.text,
            logprob=step.logprob,
            ms=step.ms,
            target=step.target,
            masses_R=masses_R,
            weighted_R=weighted_R,
            control_R=control_R,
            map_P=map_P,
            looks_at=int(masses_R.argmax()) if masses_R.any() else None,
        )

    def _masses(
        self, rows_HP: NDArray[np.float32], places: list[int], norms_HP: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        norms = None if norms_HP is None else norms_HP[places]
        return np.asarray(mass_by_region(rows_HP[None, places], self._tokens_R, norms)[0])
