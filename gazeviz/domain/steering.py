"""Steering: what a person asks of a head set, and the arithmetic of every mode.

A steered head's scores get a bias before the softmax, by the group that each key position belongs to.
`steered_weights` is the readable specification of all modes, in numpy and for one head; the engine's fast
path must equal it.  Nothing here knows layers, caches or devices.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gazeviz.domain.grid import Rule, check_rule
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

Mode: TypeAlias = Literal[
    "boost_suppress", "suppress_image", "suppress_all", "max_suppress_all", "mass", "knock_out"
]
Scope: TypeAlias = Literal["all_rows", "decode_only", "after_image"]
Hard: TypeAlias = Literal["hard", "hard_uniform"]
MODES: tuple[Mode, ...] = get_args(Mode)
SCOPES: tuple[Scope, ...] = get_args(Scope)
HARD: tuple[Hard, ...] = get_args(Hard)

# Groups of key positions.  FIRST is the sequence's first token, the attention sink, where it is text;
# it is steered as prompt text and told apart in the ledger only.
FIRST, PROMPT_TEXT, OTHER_IMAGE, TARGET, DECODED = range(5)
GROUP_NAMES = ("first token", "prompt text", "other image tokens", "target", "decoded text")

# Signs of beta by mode and group (Gaze Heads, arXiv 2606.14703; groups as above).
_SIGNS: dict[str, tuple[int, int, int, int, int]] = {
    "boost_suppress": (0, 0, -1, +1, 0),
    "suppress_image": (0, 0, -1, 0, 0),
    "suppress_all": (-1, -1, -1, 0, 0),
    "max_suppress_all": (-1, -1, -1, 0, -1),
}


@dataclass(frozen=True)
class HeadMeans:
    """What each of some heads puts out on average, which may stand in for its output when it is knocked out.

    heads: in the order of `data`.  data: little-endian float32, (heads, head_size), each head's output
    before the layer's output projection, averaged over all prompt rows of each picture and then over the
    pictures.  measured_on: the pictures in words ("builtin:20@7").
    Raises UserError for data of another size.
    """

    heads: HeadSet
    head_size: int
    data: bytes
    measured_on: str = ""

    def __post_init__(self) -> None:
        if self.head_size < 1 or len(self.data) != 4 * self.head_size * len(self.heads):
            raise UserError(
                f"The mean outputs of {len(self.heads)} heads are incomplete.",
                next_step="Measure them again.",
            )

    @property
    def values_hD(self) -> NDArray[np.float32]:
        """The means, float32 (h, D), read-only."""
        return np.frombuffer(self.data, dtype="<f4").reshape(len(self.heads), self.head_size)

    def of(self, heads: HeadSet) -> HeadMeans:
        """Return the means of some of the heads, in their order; UserError where one was not measured."""
        place = {head: row for row, head in enumerate(self.heads)}
        missing = [str(head) for head in heads if head not in place]
        if missing:
            raise UserError(
                f"The mean output of {', '.join(missing[:5])} was not measured.",
                next_step="Measure the means of all heads that are knocked out.",
            )
        chosen = self.values_hD[[place[head] for head in heads]]
        return replace(self, heads=HeadSet(heads.heads), data=chosen.tobytes())

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object, the data in base64."""
        data = base64.b64encode(self.data).decode("ascii")
        return {**vars(self), "heads": self.heads.to_json(), "data": data}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HeadMeans:
        """Rebuild means from `to_json()`; ValueError for data that is no base64."""
        try:
            raw = base64.b64decode(str(data["data"]), validate=True)
        except binascii.Error as error:
            raise ValueError("the means of the heads are no base64") from error
        return cls(
            HeadSet.from_json(data["heads"]), int(data["head_size"]), raw, str(data.get("measured_on", ""))
        )


@dataclass(frozen=True)
class Schedule:
    """Targets that take turns: (step, region) pairs, each region the target from that step on.

    A region of None lets the heads go: from that step on they are not steered.  Steps count answer tokens
    from 0 and must rise strictly.
    """

    switches: tuple[tuple[int, Region | None], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "switches", tuple((int(step), region) for step, region in self.switches))
        steps = [step for step, _ in self.switches]
        if not steps or steps[0] < 0 or any(a >= b for a, b in pairwise(steps)):
            raise UserError(
                f"A schedule of targets cannot switch at steps {steps}.",
                next_step="Give at least one switch, and steps that count up from 0.",
            )

    @classmethod
    def every(cls, n_tok: int, regions: Sequence[Region]) -> Schedule:
        """Build the schedule that moves to the next region every `n_tok` answer tokens."""
        if n_tok < 1:
            raise UserError(
                f"A target cannot switch every {n_tok} tokens.", next_step="Choose at least one token."
            )
        return cls(tuple((turn * n_tok, region) for turn, region in enumerate(regions)))

    def target_at(self, step: int, before: Region | None = None) -> Region | None:
        """Return the target of answer token `step`; `before` is the one until the first switch."""
        reached = [region for first_step, region in self.switches if first_step <= step]
        return reached[-1] if reached else before

    @property
    def regions(self) -> tuple[Region, ...]:
        """The targets in the order of their turns, repeated where they return."""
        return tuple(region for _, region in self.switches if region is not None)


@dataclass(frozen=True)
class Steering:
    """A request: point these heads at that region.

    strength: beta >= 0, the bias in units of the scaled attention scores; or
        "hard": the exact limit of beta -> infinity, a softmax restricted to the keys of the row's highest
        bias; or "hard_uniform": that, and uniform over a boosted target (beta 10 000 in bfloat16).
    alpha: mode "mass" only: the share of each row that the target receives, 0 < alpha <= 1.
    scope: which query rows are biased: all, those of decoded tokens, or those after the last image token.
    rule, share: how regions select cells (domain.grid).
    schedule: targets that take turns; `target` holds before its first switch.
    means: mode "knock_out" only, which takes the heads' output out of the rows in scope: what stands in for
        it (None: zero).  Strength, alpha and target change nothing there; the target is what answers are
        judged by, and a schedule's None gives the heads back.
    Raises UserError for anything out of range, an empty head set, and targets of different pictures.
    """

    heads: HeadSet
    target: Region
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    scope: Scope = "all_rows"
    alpha: float = 0.9
    rule: Rule = "centre"
    share: float = 0.5
    schedule: Schedule | None = None
    means: HeadMeans | None = None

    def __post_init__(self) -> None:
        if not len(self.heads):
            raise UserError("No head is chosen to steer.", next_step="Choose at least one head.")
        _check_choice("mode", self.mode, MODES)
        _check_choice("scope", self.scope, SCOPES)
        check_strength(self.strength)
        check_alpha(self.alpha)
        check_rule(self.rule, self.share)
        if self.strength not in HARD:
            object.__setattr__(self, "strength", float(self.strength))
        if self.means is not None:
            if self.mode != "knock_out":
                raise UserError(
                    "Mean outputs stand in for heads only where these are knocked out.",
                    next_step="Choose the mode knock_out, or leave the means out.",
                )
            object.__setattr__(self, "means", self.means.of(self.heads))
        for region in self.schedule.regions if self.schedule else ():
            if region.size_px != self.target.size_px:
                raise UserError(
                    f"The regions “{self.target.name}” and “{region.name}” belong to different pictures.",
                    next_step="Choose all targets on one picture.",
                )

    def with_target(self, region: Region) -> Steering:
        """Return the same steering for another region."""
        return replace(self, target=region)

    def beginning_at(self, region: Region | None) -> Steering:
        """Return it with another first target (None: none); what was laid out for later stays."""
        later = tuple(turn for turn in (self.schedule.switches if self.schedule else ()) if turn[0] > 0)
        if region is None:
            return replace(self, schedule=Schedule(((0, None), *later)))
        return replace(self, target=region, schedule=Schedule(later) if later else None)

    def target_at(self, step: int) -> Region | None:
        """Return the target while answer token `step` is produced; None where the heads are let go."""
        return self.schedule.target_at(step, before=self.target) if self.schedule else self.target

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object; each region once, switches by index into "regions"."""
        regions = list(dict.fromkeys((self.target, *(self.schedule.regions if self.schedule else ()))))
        number = {region: index for index, region in enumerate(regions)}
        switches = self.schedule.switches if self.schedule else ()
        return {
            "heads": self.heads.to_json(),
            "regions": [region.to_json() for region in regions],
            "target": 0,
            "schedule": [[step, region and number[region]] for step, region in switches],
            **{key: getattr(self, key) for key in ("mode", "strength", "scope", "alpha", "rule", "share")},
            **({} if self.means is None else {"means": self.means.to_json()}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Steering:
        """Rebuild a steering from `to_json()`."""
        fields = dict(data)
        regions = [Region.from_json(region) for region in fields.pop("regions")]
        switches = fields.pop("schedule")
        turns = tuple((step, None if index is None else regions[index]) for step, index in switches)
        heads, target = HeadSet.from_json(fields.pop("heads")), regions[fields.pop("target")]
        means = fields.pop("means", None)
        fields["means"] = None if means is None else HeadMeans.from_json(means)
        return cls(heads, target, schedule=Schedule(turns) if turns else None, **fields)


def check_strength(strength: float | str) -> None:
    """Raise UserError unless `strength` is a finite number of 0 or more, "hard" or "hard_uniform"."""
    if strength in HARD:
        return
    if isinstance(strength, str) or not math.isfinite(strength) or strength < 0:
        raise UserError(
            f"The steering cannot have the strength {strength}.",
            next_step=f"Choose a number of 0 or more, or one of: {', '.join(HARD)}.",
        )


def check_alpha(alpha: float) -> None:
    """Raise UserError unless `alpha` is in (0, 1]."""
    if not 0 < alpha <= 1:
        raise UserError(
            f"The target cannot receive the share {alpha} of the attention.",
            next_step="Choose alpha above 0 and up to 1.",
        )


def bias_by_group(mode: Mode, beta: float) -> NDArray[np.float64]:
    """Return the bias on the scores of each group of key positions, float64 (5,).

    Raises ValueError for the modes "mass" and "knock_out", which have none.
    """
    if mode not in _SIGNS:
        raise ValueError(f"mode {mode!r} has no bias by group")
    return np.array(_SIGNS[mode], dtype=np.float64) * beta


def steered_weights(
    scores_K: ArrayLike,
    codes_K: ArrayLike,
    visible_K: ArrayLike,
    mode: Mode,
    strength: float | Hard = 8.0,
    alpha: float = 0.9,
) -> NDArray[np.float64]:
    """Return a steered head's attention weights: the specification that the engine must equal.

    scores_K: scaled scores before the softmax, (..., K): any leading axes (heads, query rows).
    codes_K: group code of each key position, (..., K), broadcast against the scores.
    visible_K: bool, (..., K), broadcast: the keys that the row may see (causal, sliding, padding).
    Returns float64 (..., K): 0 at hidden keys, each row summing to 1, or all 0 when it sees no key.
    "knock_out" leaves the weights as they are: it replaces what the head puts out.
    A row that cannot see the target is never emptied: "hard" leaves it the keys of the highest bias it
    does see, with their own scores, and "mass" leaves it as it is.
    """
    scores, codes, visible = np.broadcast_arrays(
        np.asarray(scores_K, dtype=np.float64), np.asarray(codes_K), np.asarray(visible_K, dtype=bool)
    )
    if mode == "mass":
        return _fixed_mass(scores, visible, codes == TARGET, alpha)
    if mode == "knock_out":
        return softmax_visible(scores, visible)
    if strength not in HARD:
        return softmax_visible(scores + bias_by_group(mode, float(strength))[codes], visible)
    level = np.where(visible, bias_by_group(mode, 1.0)[codes], -np.inf)
    kept = visible & (level == level.max(axis=-1, keepdims=True))
    if strength == "hard_uniform" and mode == "boost_suppress":
        # Where the target is kept nothing else is, so equal scores there make it uniform.
        scores = np.where(codes == TARGET, 0.0, scores)
    return softmax_visible(scores, kept)


def softmax_visible(scores_K: NDArray[np.float64], visible_K: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the softmax over the visible keys of (..., K) scores; all 0 where a row sees none."""
    masked = np.where(visible_K, scores_K, -np.inf)
    peak = masked.max(axis=-1, keepdims=True)
    weights = np.exp(masked - np.where(np.isfinite(peak), peak, 0.0))
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def _fixed_mass(
    scores: NDArray[np.float64], visible: NDArray[np.bool_], target: NDArray[np.bool_], alpha: float
) -> NDArray[np.float64]:
    """Target and rest keep their inner proportions and receive alpha and 1 - alpha of the row."""
    inside, outside = visible & target, visible & ~target
    # Two softmaxes instead of rescaling one: a target whose weight underflows still has proportions.
    both = inside.any(axis=-1, keepdims=True) & outside.any(axis=-1, keepdims=True)
    split = alpha * softmax_visible(scores, inside) + (1 - alpha) * softmax_visible(scores, outside)
    return np.asarray(np.where(both, split, softmax_visible(scores, visible)))


def mass_by_group(weights_K: ArrayLike, codes_K: ArrayLike) -> NDArray[np.float64]:
    """Sum attention weights (..., K) by the key positions' group codes (K,): float64 (..., 5)."""
    one_hot_KG = np.asarray(codes_K)[:, None] == np.arange(len(GROUP_NAMES))
    return np.asarray(np.asarray(weights_K, dtype=np.float64) @ one_hot_KG)


def _check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UserError(
            f"“{value}” is no steering {what}.", next_step=f"Choose one of: {', '.join(choices)}."
        )
