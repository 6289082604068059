"""What is asked in an evaluation, and what is done to the heads meanwhile.

A *protocol* fixes prompt, scope and length (those of Gandikota & Bau, arXiv 2606.14703); a *treatment* is
what is compared under it: a head set with its mode and strength, or a control. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from gazeviz.domain import prompts
from gazeviz.domain.grid import Rule
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Hard, Mode, Scope, Steering
from gazeviz.errors import UserError

AimAt: TypeAlias = Literal["target", "elsewhere"]


@dataclass(frozen=True)
class Protocol:
    """One kind of evaluation.

    scope: of steering, where a treatment names none.  new_tok: longest answer (dynamic: tokens for each
        target).
    """

    name: str
    prompt: str
    scope: Scope
    new_tok: int


VQA: Final = Protocol("vqa", prompts.MAIN_EVENT_QUESTION, "all_rows", prompts.MAIN_EVENT.new_tok)
STATIC: Final = Protocol("static", prompts.OPEN_QUESTION, "all_rows", prompts.AMBIGUOUS.new_tok)
DYNAMIC: Final = Protocol("dynamic", prompts.NARRATION_PROMPT, "decode_only", prompts.NARRATION.new_tok)
REGION: Final = Protocol("region", prompts.REGION_QUESTION, "all_rows", prompts.PART.new_tok)
PROTOCOLS: Final[Mapping[str, Protocol]] = {one.name: one for one in (VQA, STATIC, DYNAMIC, REGION)}


@dataclass(frozen=True)
class Treatment:
    """What is done to the model while it answers.

    heads: those that are steered, None for nothing at all.  scope: None for the protocol's own.
    aim: "elsewhere" points the heads at another region of (nearly) the same area than the one that counts.
    names_panel: asks for the panel in plain words instead of the protocol's prompt: the prompt-only baseline.
    Everything else as in `Steering`, which checks it.
    """

    name: str
    heads: HeadSet | None = None
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    scope: Scope | None = None
    alpha: float = 0.9
    rule: Rule = "centre"
    share: float = 0.5
    aim: AimAt = "target"
    names_panel: bool = False

    def steering(self, regions: Sequence[Region], target: int, scope: Scope) -> Steering | None:
        """The steering of one region of a picture; None for a treatment that steers nothing."""
        if self.heads is None:
            return None
        aimed_at = elsewhere(regions, target) if self.aim == "elsewhere" else target
        how = {key: getattr(self, key) for key in ("mode", "strength", "alpha", "rule", "share")}
        return Steering(self.heads, regions[aimed_at], scope=self.scope or scope, **how)

    def to_json(self) -> dict[str, Any]:
        """Everything as a JSON object."""
        return {**vars(self), "heads": self.heads and self.heads.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Treatment:
        """Rebuild a treatment from `to_json()`."""
        return cls(**{**data, "heads": data["heads"] and HeadSet.from_json(data["heads"])})


def elsewhere(regions: Sequence[Region], target: int) -> int:
    """The other region whose area is nearest to the target's, the next in order of those equally near.

    UserError when the picture has one region only.
    """
    if len(regions) < 2:
        raise UserError(
            "There is no other region to aim at.", next_step="Use pictures with two regions or more."
        )
    n = len(regions)
    others = [(target + turn) % n for turn in range(1, n)]
    return min(others, key=lambda other: abs(regions[other].area_px - regions[target].area_px))
