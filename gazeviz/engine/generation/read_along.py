"""Reading a given text along: what the model would have thought and looked at, had it written these words.

One pass over prompt and text together (teacher forcing), which gives for every token its probability and the
tracked heads' rows, as if the tokens had been generated one by one. Also the view of a run that needs its
picture: the map averaged over some of its tokens. The arithmetic of trajectories itself is domain.run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.grid import Rule, TokenGrid
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Run, Trajectory, mass_by_region
from gazeviz.domain.steering import Steering
from gazeviz.engine.generation.passes import Memory, PromptRunner
from gazeviz.engine.generation.target_tracker import TargetTracker, first_biased_row, plan_for
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gazeviz.engine.models.loading import LoadedModel
    from gazeviz.engine.models.prompt import Prepared


@dataclass(frozen=True, eq=False)
class Reading(HoldsArrays):
    """A text that was read along, not generated.

    token_ids: the text's tokens.  logprobs_T: float32 (T,), natural logarithm of each token's probability
    given all before it.  rows_THP: float32 (T, H, P), attention of each tracked head from the row that
    predicts the token to each image token, None if no head was tracked.  grid: where the image tokens lie.
    """

    token_ids: tuple[int, ...]
    logprobs_T: NDArray[np.float32]
    rows_THP: NDArray[np.float32] | None
    tracked: HeadSet
    grid: TokenGrid

    def __post_init__(self) -> None:
        object.__setattr__(self, "logprobs_T", read_only(self.logprobs_T, np.float32, "T"))
        if self.rows_THP is not None:
            object.__setattr__(self, "rows_THP", read_only(self.rows_THP, np.float32, "THP"))

    @property
    def logprob(self) -> float:
        """Natural logarithm of the whole text's probability."""
        return float(self.logprobs_T.sum(dtype=np.float64))

    def trajectory(self, regions: Sequence[Region], rule: Rule = "centre", share: float = 0.5) -> Trajectory:
        """Mass on each region at each token of the text; UserError if no head was tracked."""
        if self.rows_THP is None:
            raise UserError(
                "No head was tracked while this text was read.", next_step="Choose heads to track."
            )
        tokens = [self.grid.tokens(region, rule, share) for region in regions]
        masses_TR = mass_by_region(self.rows_THP, tokens)
        return Trajectory(masses_TR, tuple(region.name for region in regions))


def read_along(
    loaded: LoadedModel,
    prompt: Prepared,
    token_ids: Sequence[int],
    *,
    tracked: HeadSet,
    steering: Steering | None = None,
    memory: Memory | None = None,
) -> Reading:
    """Read a text after a prompt in one pass.

    Equal to generating the same tokens one by one, steering and all, but for a schedule: a pass has one
    target, the steering's at token 0.  Raises UserError for a text without tokens.
    """
    if not token_ids:
        raise UserError("There is no text to read.", next_step="Give at least one word.")
    reader = PromptRunner(loaded, [prompt], tracked, memory or Memory(loaded.model))
    plan = (
        plan_for([TargetTracker(prompt, steering)], first_biased_row(steering, prompt)) if steering else None
    )
    ids_1T = torch.tensor([list(token_ids)], device=loaded.device)
    outcome = reader.prefill(plan, forced_BT=ids_1T)
    logprobs_TV = outcome.logits_BNV[0, :-1].log_softmax(-1)
    logprobs_T = logprobs_TV.gather(-1, ids_1T[0, :, None])[:, 0]
    rows_THP = None
    if outcome.rows_BHNP is not None:
        rows_THP = outcome.rows_BHNP[0, :, :-1].transpose(0, 1).cpu().numpy()
    return Reading(tuple(token_ids), logprobs_T.cpu().numpy(), rows_THP, tracked, prompt.grid)


def run_map(run: Run, steps: Sequence[int] | None = None) -> NDArray[np.float32]:
    """Where the tracked heads looked during some steps (None: all) as a picture: float32 (H, W).

    Mean over heads and steps of the attention to the cell under each pixel.  Raises UserError if the run
    tracked no head or has no such step.
    """
    rows_THP = run.rows_THP
    chosen = range(len(rows_THP)) if steps is None else steps
    if not len(chosen) or not set(chosen) <= set(range(len(rows_THP))):
        raise UserError(
            f"The answer has no such tokens: it has {len(rows_THP)}.",
            next_step="Choose tokens of this answer.",
        )
    return run.grid.picture_map(rows_THP[list(chosen)].mean(axis=(0, 1)))
