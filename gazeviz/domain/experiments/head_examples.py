"""Examples of what one head does: tokens at which it looks most, and others drawn from the rest.

A head that does one thing on its best examples rarely does it everywhere, so the middle and the lowest tenth
of all tokens are drawn beside the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.heads import Head

ExampleGroup: TypeAlias = Literal["top", "middle", "low"]
GROUPS: Final[tuple[ExampleGroup, ...]] = ("top", "middle", "low")
N_TOP, N_MIDDLE, N_LOW = 12, 6, 6
FEWEST_TOKENS: Final = 30
"""With fewer tokens than this there are no tenths to speak of, and only the top is shown."""


@dataclass(frozen=True)
class TokenLook:
    """One answer token of one picture: which region the head looked at most, and how much of its attention.

    picture, token: numbers from 0.  region: number of the region, -1 where the picture has none.
    """

    picture: int
    token: int
    region: int
    mass: float


@dataclass(frozen=True, eq=False)
class HeadExample(HoldsArrays):
    """One token as it is shown.

    before, token, after: its text and that around it.  region: number and name of what it looked at most.
    map_YX: float32, the head's attention over the picture on a raster of cells.
    thumbnail_HW3: uint8, the picture made small.
    """

    group: ExampleGroup
    picture: str
    before: str
    token: str
    after: str
    region: int
    region_name: str
    mass: float
    map_YX: NDArray[np.float32]
    thumbnail_HW3: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "map_YX", read_only(self.map_YX, np.float32, "YX"))
        object.__setattr__(self, "thumbnail_HW3", read_only(self.thumbnail_HW3, np.uint8, "HWC"))


@dataclass(frozen=True, eq=False)
class HeadExamples(HoldsArrays):
    """The examples of one head over a set, and the masses of all its tokens.

    masses_T: float32 (T,), largest mass on a region at each token of all answers, in no order.
    seed: of the middle and low groups' draw.
    """

    head: Head
    measured_on: str
    prompt: str
    n_pictures: int
    masses_T: NDArray[np.float32]
    examples: tuple[HeadExample, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "masses_T", read_only(self.masses_T, np.float32, "T"))

    def of(self, group: ExampleGroup) -> tuple[HeadExample, ...]:
        """The examples of one group, the highest mass first."""
        return tuple(one for one in self.examples if one.group == group)

    def bounds(self, group: ExampleGroup) -> tuple[float, float]:
        """Lowest and highest mass that a group is drawn from; NaN for no tokens."""
        if not self.masses_T.size:
            return float("nan"), float("nan")
        low, high = {"top": (90, 100), "middle": (40, 60), "low": (0, 10)}[group]
        ends = np.percentile(self.masses_T, [low, high])
        return float(ends[0]), float(ends[1])


def choose_looks(looks: Sequence[TokenLook], seed: int = 0) -> dict[ExampleGroup, tuple[TokenLook, ...]]:
    """Choose what is shown: the top with one token for each region of a picture, then draws from the rest.

    The middle is drawn from the 40th to the 60th percentile, the low group from the lowest tenth; both are
    empty with fewer than `FEWEST_TOKENS` tokens. Each group has its highest mass first.
    """
    ordered = sorted(looks, key=lambda look: (-look.mass, look.picture, look.token))
    best: dict[tuple[int, int], TokenLook] = {}
    for look in ordered:
        best.setdefault((look.picture, look.region), look)
    chosen: dict[ExampleGroup, tuple[TokenLook, ...]] = {"top": tuple(best.values())[:N_TOP]}
    n = len(ordered)
    rng = np.random.default_rng(seed)
    shown = set(chosen["top"])
    parts: tuple[tuple[ExampleGroup, float, float, int], ...] = (
        ("middle", 0.4, 0.6, N_MIDDLE),
        ("low", 0.9, 1.0, N_LOW),
    )
    for group, first, last, wanted in parts:
        pool = [look for look in ordered[round(first * n) : round(last * n)] if look not in shown]
        drawn: Sequence[int] = ()
        if n >= FEWEST_TOKENS:
            drawn = sorted(rng.permutation(len(pool))[:wanted].tolist())
        chosen[group] = tuple(pool[place] for place in drawn)
    return chosen
