"""A model card's measurement: rankings first, then settings by screening, then what a section asks for.

Turns questions ("these treatments on those pictures") into tasks for a crew and their rows into evaluations.
The sections are `card_strips` and `card_scenes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation, JudgedAnswer, Segment
from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.heads import HeadRanking
from gazeviz.testbed.card.plan import Plan
from gazeviz.testbed.card.settings import Setting, choose, first_round, recommended, second_round
from gazeviz.testbed.card.tasks import JUDGE, Pictures, Task, joined, ranking_from_json

Figures = dict[str, Any]

# Rankings that are measured together: the causal one takes as long as all others, in a process of its own.
RANKED_BY: Final = (("mass", "selectivity", "image_heads", "localization", "tracking"), ("causal",))


class Doer(Protocol):
    """Whoever does tasks: a crew of processes, or this one."""

    def do(self, tasks: Sequence[Task], what: str) -> list[dict[str, Any]]:
        """The results of all tasks, in their order."""
        ...


@dataclass
class Measurement:
    """Measures one model by a plan; whatever several sections need is measured once."""

    crew: Doer
    plan: Plan

    @cached_property
    def rankings(self) -> dict[str, HeadRanking]:
        """All rankings, from the ranking strips."""
        pictures = Pictures(self.plan.seeds["ranking"], self.plan.ranking_strips)
        tasks = [Task("rank", pictures, options={"by": list(by)}) for by in RANKED_BY]
        found = [ranking_from_json(row) for row in joined(self.crew.do(tasks, "ranking the heads"))]
        return {ranking.name: ranking for ranking in found}

    @property
    def n_heads(self) -> int:
        """Heads of the model."""
        return len(self.rankings["mass"].order())

    @property
    def few(self) -> int:
        """A sixth of the heads: what "few" means."""
        return self.n_heads // 6

    @cached_property
    def screened(self) -> dict[Setting, Figures]:
        """Figures of every setting on the screening strips."""
        figures = self.screen(first_round(self.rankings, self.plan.counts))
        return figures | self.screen(second_round(figures, self.few, self.plan.modes, self.plan.scopes))

    @cached_property
    def chosen(self) -> dict[str, Setting]:
        """The settings that are measured on the final strips."""
        return choose(self.screened, self.few)

    @cached_property
    def recommended_key(self) -> str:
        """Which of the chosen settings is recommended."""
        return recommended(self.screened, self.few)

    @property
    def recommended(self) -> Setting:
        """The setting that the card recommends."""
        return self.chosen[self.recommended_key]

    def treatment(self, setting: Setting) -> Treatment:
        """What a setting does to the model."""
        return setting.treatment(self.rankings)

    def excludes_own(self, setting: Setting) -> bool:
        """Whether random draws leave out the setting's heads: not where the rest is so small that all are
        alike."""
        return 3 * setting.n <= self.n_heads

    def screen(self, settings: Sequence[Setting]) -> dict[Setting, Figures]:
        """Short figures of settings on the screening strips."""
        treatments = [self.treatment(setting) for setting in settings]
        found = self.evaluate_all(treatments, self.plan.screening, "screening")
        return {setting: short(one.figures()) for setting, one in zip(settings, found, strict=True)}

    def evaluate(
        self, treatment: Treatment, pictures: Pictures, what: str, options: Mapping[str, Any] | None = None
    ) -> Evaluation:
        return self.evaluate_all([treatment], pictures, what, options)[0]

    def evaluate_all(
        self,
        treatments: Sequence[Treatment],
        pictures: Pictures,
        what: str,
        options: Mapping[str, Any] | None = None,
    ) -> list[Evaluation]:
        """Several treatments on the same pictures, in pieces that the crew shares out."""
        parts, options = pictures.parts(self.plan.piece), options or {}
        tasks = [Task("answers", part, _nameless(one), options) for one in treatments for part in parts]
        rows = _by_treatment(self.crew.do(tasks, what), len(parts))
        protocol = options.get("protocol", "static")
        return [
            Evaluation(protocol, one.to_json(), JUDGE.name, tuple(JudgedAnswer(**row) for row in found))
            for one, found in zip(treatments, rows, strict=True)
        ]

    def narrate_all(
        self, treatments: Sequence[Treatment], pictures: Pictures, every_tok: int, what: str
    ) -> list[Figures]:
        """Figures of narrations along a moving target, for several treatments."""
        options = {"protocol": "dynamic", "every_tok": every_tok, "seed": 0}
        parts = pictures.parts(2 * self.plan.piece)
        tasks = [Task("narrate", part, _nameless(one), options) for one in treatments for part in parts]
        rows = _by_treatment(self.crew.do(tasks, what), len(parts))
        return [
            DynamicEvaluation(
                one.to_json(), JUDGE.name, every_tok, tuple(Segment(**row) for row in found)
            ).figures()
            for one, found in zip(treatments, rows, strict=True)
        ]

    def ranking_figures(self) -> Figures:
        """How stable the rankings are and how much they agree, and what heads they put first."""
        n, rankings = self.few, self.rankings
        return {
            "n": n,
            "strips": self.plan.ranking_strips,
            "split_half": {name: one.split_half_overlap(n) for name, one in rankings.items()},
            "overlap": {a: {b: rankings[a].overlap(rankings[b], n) for b in rankings} for a in rankings},
            "correlation": {
                a: {b: rankings[a].rank_correlation(rankings[b]) for b in rankings} for a in rankings
            },
            "top": {name: [str(head) for head in one.order()[:n]] for name, one in rankings.items()},
            "best_score": {name: float(np.nanmax(one.scores_LH)) for name, one in rankings.items()},
            "layers": {
                name: one.top(n).layer_histogram(one.shape_LH[0]).tolist() for name, one in rankings.items()
            },
        }

    def screening_rows(self) -> list[Figures]:
        """The screening as rows of a table."""
        return [{"label": s.label, **s.to_json(), **figures} for s, figures in self.screened.items()]


def short(figures: Mapping[str, Any]) -> Figures:
    """The figures that a row of a table shows."""
    keys = ("answers", "hit", "described", "right", "complete", "junk", "unchanged")
    return {key: figures[key] for key in (*keys, "hit_interval", "right_interval")}


def _by_treatment(results: Sequence[Mapping[str, Any]], n_parts: int) -> list[list[Figures]]:
    return [joined(results[start : start + n_parts]) for start in range(0, len(results), n_parts)]


def _nameless(treatment: Treatment) -> Figures:
    """A treatment without what does not change its answers, so that equal work is done once."""
    data = replace(treatment, name="").to_json()
    if treatment.heads is not None:
        data["heads"] = {"heads": data["heads"]["heads"], "origin": {"kind": "hand"}}
    return data
