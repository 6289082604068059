"""Aiming: from a request (heads, region, mode, scope) to the plan that the attention hook carries out.

Follows the target of one sequence from step to step: its schedule, and where a person pointed it meanwhile.
Knows prompts and regions; does not run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from gazeviz.domain.heads import Head
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit
from gazeviz.domain.steering import GROUP_NAMES, HeadMeans, Schedule, Steering
from gazeviz.engine.attention.hook import SteerPlan

if TYPE_CHECKING:
    from gazeviz.engine.attention.hook import PassAccount
    from gazeviz.engine.models.prompt import Prepared


class TargetTracker:
    """Where the steered heads of one sequence point, step by step.

    A switch of the schedule moves the target at its own step and not again, so a target that a person chose
    in between holds until the next switch. UserError at once for any target that selects no cell of this
    picture.
    """

    def __init__(self, prompt: Prepared, steering: Steering) -> None:
        self.steering = steering
        self._prompt = prompt
        self._tokens: dict[Region, tuple[int, ...]] = {}
        self.target: Region | None = steering.target_at(0)
        self.switches: list[tuple[int, Region | None]] = []
        for region in (steering.target, *(steering.schedule.regions if steering.schedule else ())):
            self._select(region)

    def move_to(self, step: int) -> bool:
        """Follow the schedule to a step, and say whether the target changed there."""
        switches = dict(self.steering.schedule.switches) if self.steering.schedule else {}
        return step in switches and self.retarget(step, switches[step])

    def retarget(self, step: int, region: Region | None) -> bool:
        """Point at another region from a step on, or (None) let the heads go; whether that is a change."""
        if region is not None:
            self._select(region)
        if region == self.target:
            return False
        self.target = region
        if step > 0:
            self.switches.append((step, region))
        return True

    def codes_K(self) -> torch.Tensor:
        """Group code of every prompt position for the present target, int8 (S,)."""
        if self.target is None:
            raise ValueError("heads that were let go have no target")
        return self._prompt.codes_K(self._select(self.target))

    @property
    def target_tokens(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and image tokens of every target so far and to come."""
        return tuple((region.name, tokens) for region, tokens in self._tokens.items())

    @property
    def n_target_tok(self) -> int:
        """Image tokens of the last target (0 once the heads were let go)."""
        return 0 if self.target is None else len(self._select(self.target))

    def as_it_happened(self) -> Steering:
        """The steering with every change of target as a schedule, so that repeating it repeats the run."""
        if not self.switches:
            return self.steering
        begin = (0, self.steering.target_at(0))
        # Several changes before one step: the last of them is the one that held.
        held = dict((begin, *self.switches))
        return replace(self.steering, schedule=Schedule(tuple(sorted(held.items()))))

    def _select(self, region: Region) -> tuple[int, ...]:
        if region not in self._tokens:
            tokens = self._prompt.grid.tokens(region, self.steering.rule, self.steering.share)
            self._tokens[region] = tuple(tokens.tolist())
        return self._tokens[region]


def plan_for(aims: Sequence[TargetTracker], first_row: int) -> SteerPlan:
    """The plan of one batch: each row's own target, everything else as the first row's steering says."""
    steering = aims[0].steering
    return SteerPlan(
        heads=steering.heads.by_layer(),
        codes_BK=torch.stack([aim.codes_K() for aim in aims]),
        mode=steering.mode,
        strength=steering.strength,
        alpha=steering.alpha,
        first_row=first_row,
        means=None if steering.means is None else _means_by_layer(steering.means),
    )


def _means_by_layer(means: HeadMeans) -> dict[int, torch.Tensor]:
    """Mean outputs by layer, float32 (h, D), in the order of `HeadSet.by_layer`."""
    values = dict(zip(means.heads, torch.from_numpy(means.values_hD.copy()), strict=True))
    return {
        layer: torch.stack([values[Head(layer, index)] for index in heads])
        for layer, heads in means.heads.by_layer().items()
    }


def first_biased_row(steering: Steering, prompt: Prepared) -> int:
    """Absolute position of the first query row in scope (science page, section 3)."""
    return {
        "all_rows": 0,
        "after_image": int(prompt.image_positions_tok.max()) + 1,
        "decode_only": prompt.n_prompt_tok,
    }[steering.scope]


class AuditSum:
    """Adds up what the passes of one sequence say about its steering."""

    def __init__(self) -> None:
        self._before_G = torch.zeros(len(GROUP_NAMES), dtype=torch.float64)
        self._after_G = torch.zeros(len(GROUP_NAMES), dtype=torch.float64)
        self._n_answer_rows = 0
        self._n_heads = 0
        self._n_rows = 0

    def add(self, account: PassAccount, row: int, *, produced_token: bool) -> None:
        """Count one pass; its last row enters the ledger if it `produced_token` and lay in the scope."""
        self._n_rows += int(account.n_rows_B[row])
        if produced_token:
            self._n_heads = account.n_heads
            self._n_answer_rows += 1
            self._before_G += account.before_BG[row].cpu()
            self._after_G += account.after_BG[row].cpu()

    def audit(self, n_target_tok: int) -> Audit | None:
        """The proof so far; None before the first row in scope."""
        if not self._n_answer_rows:
            return None
        n = self._n_answer_rows * self._n_heads
        ledger = Account.of((self._before_G / n).numpy(), (self._after_G / n).numpy())
        return Audit.of(self._n_heads, self._n_rows, n_target_tok, ledger)
