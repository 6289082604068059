"""The settings that a model card screens: head set, mode, strength and scope, and which of them is best.

Pure choosing on numbers: it draws nothing and runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.steering import Hard, Mode, Scope

Figures = Mapping[str, Any]
How: TypeAlias = tuple[Mode, float | Hard, float]
"""Mode, strength and (for the mode "mass") alpha."""

COUNTS: Final = (4, 6, 8, 10, 12, 16, 24, 32)
FIRST_MODES: Final[tuple[How, ...]] = (
    ("boost_suppress", 8.0, 0.9),
    ("suppress_image", 8.0, 0.9),
)
MORE_MODES: Final[tuple[How, ...]] = (
    *FIRST_MODES,
    ("boost_suppress", "hard", 0.9),
    ("boost_suppress", "hard_uniform", 0.9),
    ("suppress_all", 8.0, 0.9),
    ("max_suppress_all", 8.0, 0.9),
    ("mass", 8.0, 0.9),
    ("mass", 8.0, 0.99),
)


@dataclass(frozen=True)
class Setting:
    """The top n heads of a ranking, and how they are steered."""

    ranking: str
    n: int
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    scope: Scope = "all_rows"
    alpha: float = 0.9

    def treatment(self, rankings: Mapping[str, HeadRanking]) -> Treatment:
        """What is done to the model."""
        heads = rankings[self.ranking].top(self.n)
        return Treatment(self.label, heads, self.mode, self.strength, scope=self.scope, alpha=self.alpha)

    @property
    def label(self) -> str:
        """The line a person reads."""
        strength = self.strength if isinstance(self.strength, str) else f"{self.strength:g}"
        how = f"alpha {self.alpha:g}" if self.mode == "mass" else strength
        return f"{self.ranking}, {self.n} heads, {self.mode} {how}, {self.scope}"

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def first_round(rankings: Iterable[str], counts: Sequence[int] = COUNTS) -> list[Setting]:
    """Every ranking with every number of heads, under the two modes that work best elsewhere."""
    return [
        Setting(name, n, mode, strength, alpha=alpha)
        for name in rankings
        for n in counts
        for mode, strength, alpha in FIRST_MODES
    ]


def second_round(
    screened: Mapping[Setting, Figures], few: int, modes: Sequence[How], scopes: Sequence[Scope]
) -> list[Setting]:
    """Every mode and scope for the head sets that did best in the first round, but those screened already."""
    leaders = choose(screened, few).values()
    heads = dict.fromkeys((setting.ranking, setting.n) for setting in leaders)
    settings = [
        Setting(name, n, mode, strength, scope, alpha)
        for name, n in heads
        for mode, strength, alpha in modes
        for scope in scopes
    ]
    return [setting for setting in settings if setting not in screened]


def choose(screened: Mapping[Setting, Figures], few: int) -> dict[str, Setting]:
    """The best settings: with at most `few` heads by forced choice and by all attributes right, and of all by
    both.

    Equal figures: the other figure decides, then fewer heads.
    """

    def best(settings: Iterable[Setting], value: Callable[[Figures], tuple[float, ...]]) -> Setting:
        return max(settings, key=lambda setting: (*value(screened[setting]), -setting.n))

    small = [setting for setting in screened if setting.n <= few]
    return {
        "few_by_choice": best(small, lambda figures: (figures["hit"], figures["right"])),
        "few_by_right": best(small, lambda figures: (figures["right"], figures["hit"])),
        "overall": best(screened, lambda figures: (figures["hit"] + figures["right"], figures["hit"])),
    }


def recommended(screened: Mapping[Setting, Figures], few: int) -> str:
    """Which of the two settings with few heads is recommended: the one with more forced choice and right
    together."""
    chosen = choose(screened, few)
    both = {key: screened[chosen[key]]["hit"] + screened[chosen[key]]["right"] for key in chosen}
    return max(("few_by_choice", "few_by_right"), key=lambda key: both[key])


def named_together(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings by their names, equal ones once under all their names: "few, overall"."""
    names: dict[Setting, list[str]] = {}
    for name, setting in settings.items():
        names.setdefault(setting, []).append(name)
    return {", ".join(of_it): setting for setting, of_it in names.items()}


def decoding(setting: Setting) -> Setting:
    """The same heads and mode for a narration whose target moves: only rows of decoded tokens are biased."""
    return replace(setting, scope="decode_only")
