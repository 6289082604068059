"""Conditions: the chosen heads, and everything that an honest experiment holds them against.

A condition is a treatment with a name that results use, the kind of comparison that it stands for, and where
it lies on the axes of a sweep. The chosen heads are never among the heads of a random draw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.heads import Head, HeadOrigin, HeadRanking, HeadSet
from gazeviz.domain.steering import HARD, MODES
from gazeviz.errors import UserError

Kind: TypeAlias = Literal[
    "gaze", "uniform", "layers", "range", "bottom", "lower", "all", "lowest", "wrong-region", "zero",
    "prompt", "unsteered",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DRAWN: Final[tuple[Kind, ...]] = ("uniform", "layers", "range", "bottom", "lower")
"""Kinds of random draws: what the percentile of the chosen heads is taken among."""
CONTROLS: Final = "uniform:10,layers:10,all,lowest,wrong-region,zero,prompt"
AXES: Final = ("top", "strength", "mode", "ranking", "wording")
"""What a sweep may vary."""
_DEFAULT_DRAWS: Final = 10
_CONTROL: Final = re.compile(r"([a-z-]+)(?::(\d{1,4}))?(?:@(\d{1,4})-(\d{1,4}))?")

At: TypeAlias = tuple[tuple[str, str], ...]
"""A place on a sweep's axes: (axis, value as text) pairs."""


@dataclass(frozen=True)
class Condition:
    """One line of an evaluation.

    name: unique in its evaluation; "gaze" are the chosen heads. draw: which of several random draws (from 1).
    at: its place on the axes of a sweep, () where nothing is swept. prompt: instead of the protocol's,
    see `gazeviz.domain.prompts.asked_about`.
    """

    name: str
    kind: Kind
    treatment: Treatment
    draw: int | None = None
    at: At = ()
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of condition {self.kind!r}")

    @property
    def is_draw(self) -> bool:
        """Whether its heads were drawn at random."""
        return self.kind in DRAWN

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "name": self.name,
            "kind": self.kind,
            "treatment": self.treatment.to_json(),
            "draw": self.draw,
            "at": [list(pair) for pair in self.at],
            "prompt": self.prompt,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Condition:
        """Rebuild a condition from `to_json()`."""
        return cls(
            data["name"],
            data["kind"],
            Treatment.from_json(data["treatment"]),
            data["draw"],
            tuple((axis, value) for axis, value in data["at"]),
            data["prompt"],
        )


@dataclass(frozen=True)
class Control:
    """A kind of control as a person asks for it: `uniform:10`, `range:10@20-28`, `zero`.

    n: random draws.  layers: first and last layer of "range".
    """

    kind: Kind
    n: int = 1
    layers: tuple[int, int] | None = None

    def __str__(self) -> str:
        drawn = f":{self.n}" if self.kind in DRAWN else ""
        return f"{self.kind}{drawn}" + (f"@{self.layers[0]}-{self.layers[1]}" if self.layers else "")

    @classmethod
    def parse(cls, text: str) -> Control:
        """Read one control; UserError for anything else."""
        match = _CONTROL.fullmatch(text.strip())
        kind = match[1] if match else ""
        if match is None or kind not in KINDS or kind == "gaze" or (kind == "range") != bool(match[3]):
            raise UserError(
                f"“{text.strip()}” is no control.",
                next_step="Choose among uniform:10, layers:10, range:10@20-28, bottom:10, lower:10, all,"
                " lowest, wrong-region, zero, prompt.",
            )
        n = int(match[2] or _DEFAULT_DRAWS) if kind in DRAWN else 1
        if n < 1:
            raise UserError(f"“{text}” draws no heads.", next_step="Ask for one draw or more.")
        layers = (int(match[3]), int(match[4])) if match[3] else None
        return cls(kind, n, layers)


def controls_of(text: str) -> tuple[Control, ...]:
    """Read a list of controls, "" for none; unsteered is always there and need not be asked for."""
    found = (Control.parse(part) for part in text.split(",") if part.strip())
    return tuple(one for one in dict.fromkeys(found) if one.kind != "unsteered")


def unsteered(prompt: str | None = None, at: At = ()) -> Condition:
    """The condition that every other one is held against; of a wording of its own where one is swept."""
    return Condition(f"unsteered{place_text(at)}", "unsteered", Treatment("unsteered"), None, at, prompt)


def conditions_for(
    gaze: Treatment,
    ranking: HeadRanking,
    controls: Sequence[Control],
    *,
    first_seed: int = 0,
    suffix: str = "",
    at: At = (),
) -> tuple[Condition, ...]:
    """The chosen heads and their controls, the chosen heads first.

    Draw i has seed first_seed + i - 1. suffix: goes behind every name, where several settings stand in one
    evaluation. UserError where a pool is too small, and for a treatment without heads.
    """
    if gaze.heads is None:
        raise UserError("There are no heads to evaluate.", next_step="Choose heads: --heads mass:10.")
    conditions = [Condition(f"gaze{suffix}", "gaze", gaze, at=at)]
    for control in controls:
        conditions += _conditions(gaze, gaze.heads, ranking, control, first_seed, suffix, at)
    return tuple(conditions)


def _conditions(
    gaze: Treatment,
    heads: HeadSet,
    ranking: HeadRanking,
    control: Control,
    first_seed: int,
    suffix: str,
    at: At,
) -> list[Condition]:
    kind, name = control.kind, f"{control.kind}{suffix}"
    if kind in DRAWN:
        return [
            Condition(
                f"{name} {draw}",
                kind,
                replace(gaze, name=kind, heads=drawn_heads(heads, ranking, control, first_seed + draw - 1)),
                draw,
                at,
            )
            for draw in range(1, control.n + 1)
        ]
    everything = HeadSet(ranking.order(), HeadOrigin("all", n=len(ranking.order())))
    treatments: dict[str, Treatment] = {
        "all": replace(gaze, name="all", heads=everything),
        "lowest": replace(gaze, name="lowest", heads=ranking.bottom(len(heads))),
        "wrong-region": replace(gaze, name="wrong region", aim="elsewhere"),
        "zero": replace(gaze, name="strength 0", mode="boost_suppress", strength=0.0),
        "prompt": Treatment("panel named in the prompt", names_panel=True),
    }
    return [Condition(name, kind, treatments[kind], at=at)]


def drawn_heads(heads: HeadSet, ranking: HeadRanking, control: Control, seed: int) -> HeadSet:
    """Draw as many heads as were chosen, never a chosen one, from the control's pool; UserError as above."""
    n = len(heads)
    if control.kind == "layers":
        return _near_layers(heads, ranking, seed)
    if control.kind == "range" and control.layers is not None:
        return _from_layers(heads, ranking, control.layers, seed)
    pools = {"uniform": "all", "bottom": "bottom_5_percent", "lower": "lower_half"}
    return ranking.random(n, seed, exclude=heads, pool=pools[control.kind])  # type: ignore[arg-type]


def _near_layers(heads: HeadSet, ranking: HeadRanking, seed: int) -> HeadSet:
    """As many heads of each layer as were chosen there; where too few are left, from the nearest layers.

    The origin says so.
    """
    rng = np.random.default_rng(seed)
    free = [head for head in sorted(ranking.order()) if head not in heads]
    if len(free) < len(heads):
        raise UserError(
            f"{len(heads)} heads cannot be drawn: there are {len(free)} others.",
            next_step="Choose fewer heads, or leave the random draws out.",
        )
    drawn: list[Head] = []
    strayed = False
    # Layers that can be matched come first, so that none loses its own heads to a neighbour.
    lacking: list[tuple[int, int]] = []
    for layer, indices in heads.by_layer().items():
        here = [head for head in free if head.layer == layer]
        n = min(len(indices), len(here))
        drawn += [here[place] for place in rng.choice(len(here), size=n, replace=False)] if n else []
        if n < len(indices):
            lacking.append((layer, len(indices) - n))
    for layer, n in lacking:
        strayed = True
        order = rng.permutation(len(free))
        others = [free[place] for place in order if free[place] not in drawn]
        drawn += sorted(others, key=lambda head: abs(head.layer - layer))[:n]
    pool = "nearest layers" if strayed else None
    return HeadSet(tuple(drawn), HeadOrigin("layer_matched", ranking.name, len(heads), seed, pool))


def _from_layers(heads: HeadSet, ranking: HeadRanking, layers: tuple[int, int], seed: int) -> HeadSet:
    first, last = layers
    pool: list[Head] = sorted(
        head for head in ranking.order() if first <= head.layer <= last and head not in heads
    )
    if len(pool) < len(heads):
        raise UserError(
            f"{len(heads)} heads cannot be drawn: layers {first} to {last} hold {len(pool)} others.",
            next_step="Choose a wider range of layers, or fewer heads.",
        )
    chosen = np.random.default_rng(seed).choice(len(pool), size=len(heads), replace=False)
    origin = HeadOrigin("random", ranking.name, len(heads), seed, f"layers {first}-{last}")
    return HeadSet(tuple(pool[i] for i in chosen), origin)


@dataclass(frozen=True)
class SweepAxis:
    """One thing that a sweep varies, with its values as text: `top=5,10,20`."""

    name: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> SweepAxis:
        """Read "top=5,10,20"; UserError for another axis, for no value, and for values that do not fit."""
        name, _, listed = text.partition("=")
        name = name.strip()
        # A wording holds commas of its own, so wordings are parted by bars.
        parts = listed.split("|" if name == "wording" else ",")
        values = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
        if name not in AXES or not values:
            raise UserError(
                f"“{text}” is nothing that can be swept.",
                next_step=f"Write one of {', '.join(AXES)} with its values, like top=5,10,20.",
            )
        fits: dict[str, Callable[[str], bool]] = {
            "top": _is_count,
            "strength": _is_strength,
            "mode": lambda value: value in MODES,
        }
        wrong = [value for value in values if name in fits and not fits[name](value)]
        if wrong:
            raise UserError(f"“{wrong[0]}” is no {name}.", next_step=f"Correct the sweep “{text}”.")
        return cls(name, values)

    def __str__(self) -> str:
        return f"{self.name}={('|' if self.name == 'wording' else ',').join(self.values)}"


def places(axes: Sequence[SweepAxis]) -> tuple[At, ...]:
    """Every combination of the axes' values, the last axis fastest; one place () without axes."""
    return tuple(product(*([(axis.name, value) for value in axis.values] for axis in axes)))


def place_text(at: At) -> str:
    """A place as names carry it: " top=10 strength=8"; "" for no place."""
    return "".join(f" {axis}={value}" for axis, value in at)


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _is_strength(text: str) -> bool:
    return text in HARD or bool(re.fullmatch(r"\d+(?:\.\d+)?", text))
