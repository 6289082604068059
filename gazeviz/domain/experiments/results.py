"""The results of an evaluation: figures made of its items and of what a judge said of them, never kept.

Accuracies are shares of hits with a 95 % bootstrap interval over whole pictures. What is not there yet is
left out, so that results are shown while they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import mean
from typing import Any

from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation, JudgedAnswer, Segment
from gazeviz.domain.experiments.conditions import At, Condition
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, ItemKey, Judgement
from gazeviz.domain.statistics import cohen_kappa, percentile_of, spearman


@dataclass(frozen=True)
class ConditionFigures:
    """What one condition came to; shares in 0..1.

    accuracy: share of hits; "unsteered": of texts that happen to describe the region.  n: answers.
    interval: 95 %, whole pictures resampled.  by_position: accuracy by place of the target, NaN where none.
    by_size: size class to (accuracy, interval, n).  different: answers whose tokens are not the unsteered
        ones.  mass_before, mass_after: mean on the target, None when unsteered.
    rho, rho_interval, latency_tok: of moving targets only.  rho_natural: against the panels' own order.
    """

    condition: Condition
    n: int
    accuracy: float
    interval: tuple[float, float]
    junk: float
    unchanged: float
    chance: float
    by_position: tuple[float, ...]
    by_size: Mapping[str, tuple[float, tuple[float, float], int]]
    different: int
    mass_before: float | None = None
    mass_after: float | None = None
    rho: float | None = None
    rho_interval: tuple[float, float] | None = None
    rho_natural: float | None = None
    latency_tok: float | None = None

    @property
    def name(self) -> str:
        """Its condition's."""
        return self.condition.name

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return {
            "name": self.name,
            "kind": self.condition.kind,
            "at": dict(self.condition.at),
            "heads": len(self.condition.treatment.heads or ()),
            "n": self.n,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "junk": self.junk,
            "unchanged": self.unchanged,
            "chance": self.chance,
            "by_position": list(self.by_position),
            "by_size": {
                size: {"accuracy": share, "interval": list(interval), "n": n}
                for size, (share, interval, n) in self.by_size.items()
            },
            "different_from_unsteered": self.different,
            "mass_before": self.mass_before,
            "mass_after": self.mass_after,
            "rho": self.rho,
            "rho_interval": self.rho_interval and list(self.rho_interval),
            "rho_natural": self.rho_natural,
            "latency_tok": self.latency_tok,
        }


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """An evaluation with the items that are there, and all judgements of them.

    judge: whose judgements the figures are made of; the specification's unless given.
    n_items: how many items there will be.
    """

    spec: EvaluationSpec
    items: tuple[EvaluationItem, ...]
    judgements: tuple[Judgement, ...]
    n_items: int
    judge: str = ""
    _figures: dict[str, ConditionFigures] = field(default_factory=dict, repr=False)

    @property
    def judged_by(self) -> str:
        """The judge of the figures."""
        return self.judge or self.spec.judge

    @property
    def is_complete(self) -> bool:
        """Whether every item is there, and judged."""
        return len(self.items) == self.n_items and len(self._judged) == self.n_items

    @property
    def is_dynamic(self) -> bool:
        """Whether the target moved."""
        return self.spec.protocol.name == "dynamic"

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Everyone who judged any item."""
        return tuple(dict.fromkeys(judgement.judge for judgement in self.judgements))

    @cached_property
    def _judged(self) -> dict[ItemKey, Judgement]:
        return {one.key: one for one in self.judgements if one.judge == self.judged_by}

    @cached_property
    def _by_condition(self) -> dict[str, list[EvaluationItem]]:
        items: dict[str, list[EvaluationItem]] = {}
        for item in self.items:
            items.setdefault(item.key.condition, []).append(item)
        return items

    @property
    def conditions(self) -> tuple[ConditionFigures, ...]:
        """The figures of every condition that has a judged item, in the specification's order."""
        return tuple(
            self.figures_of(condition)
            for condition in self.spec.conditions
            if any(item.key in self._judged for item in self._by_condition.get(condition.name, ()))
        )

    def evaluation(self, name: str) -> Evaluation:
        """The judged answers of a condition; UserError where there is no such condition."""
        condition = self.spec.condition(name)
        answers = [
            self._answer(item, self._judged[item.key])
            for item in self._by_condition.get(name, ())
            if item.key in self._judged
        ]
        return Evaluation(
            self.spec.protocol.name, condition.treatment.to_json(), self.judged_by, tuple(answers)
        )

    def narrations(self, name: str) -> DynamicEvaluation:
        """The judged segments of a condition whose target moves."""
        condition = self.spec.condition(name)
        segments = []
        for item in self._by_condition.get(name, ()):
            said = self._judged.get(item.key)
            if said is not None:
                segments.append(_segment(item, said))
        return DynamicEvaluation(
            condition.treatment.to_json(), self.judged_by, self.spec.protocol.new_tok, tuple(segments)
        )

    def figures_of(self, condition: Condition) -> ConditionFigures:
        if condition.name not in self._figures:
            self._figures[condition.name] = self._computed(condition)
        return self._figures[condition.name]

    def gaze(self, at: At | None = None) -> ConditionFigures | None:
        """The figures of the chosen heads (at a place of the sweep, if there is one), None where not yet."""
        for figures in self.conditions:
            if figures.condition.kind == "gaze" and at in (None, figures.condition.at):
                return figures
        return None

    def draws(self, at: At | None = None, kind: str | None = None) -> tuple[ConditionFigures, ...]:
        """The figures of the random draws."""
        return tuple(
            figures
            for figures in self.conditions
            if figures.condition.is_draw
            and at in (None, figures.condition.at)
            and kind in (None, figures.condition.kind)
        )

    def percentile(self, at: At | None = None) -> float | None:
        """Where the chosen heads stand among the random draws, in per cent; None without draws."""
        gaze, draws = self.gaze(at), self.draws(at)
        if gaze is None or not draws:
            return None
        return percentile_of(gaze.accuracy, [draw.accuracy for draw in draws])

    def confusion(self, name: str = "gaze") -> list[list[int]]:
        """Counts: row = target, column = region described, last column = none or junk."""
        rows: list[list[int]] = self.evaluation(name).confusion.tolist()
        return rows

    def kappa(self, first: str, second: str) -> float:
        """Cohen's kappa of two judges over the items that both judged, junk left out; NaN without any."""
        junk = {item.key for item in self.items if item.junk}
        sides = [
            {one.key: one.chosen for one in self.judgements if one.judge == judge and one.key not in junk}
            for judge in (first, second)
        ]
        both = sorted(sides[0].keys() & sides[1].keys())
        return cohen_kappa([sides[0][key] for key in both], [sides[1][key] for key in both])

    def best_setting(self) -> ConditionFigures | None:
        """The swept setting with the best lower bound; of equal ones the fewest heads."""
        swept = [one for one in self.conditions if one.condition.kind == "gaze"]
        return max(
            swept, key=lambda one: (one.interval[0], -len(one.condition.treatment.heads or ())), default=None
        )

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON: what was asked for and what came of it."""
        best = self.best_setting()
        pairs = [(a, b) for place, a in enumerate(self.judges) for b in self.judges[place + 1 :]]
        return {
            "name": self.spec.name,
            "protocol": self.spec.protocol.name,
            "prompt": self.spec.protocol.prompt,
            "judge": self.judged_by,
            "pictures": str(self.spec.source),
            "set_fingerprint": self.spec.set_fingerprint,
            "model_fingerprint": self.spec.model_fingerprint,
            "items": len(self.items),
            "complete": self.is_complete,
            "conditions": [figures.to_json() for figures in self.conditions],
            "percentile": self.percentile(best.condition.at if self.spec.axes and best else None),
            "confusion": self.confusion(best.name) if best else [],
            "kappa": {f"{a} / {b}": self.kappa(a, b) for a, b in pairs},
            "recommended": best.name if self.spec.axes and best else None,
            "near_duplicates": "word Jaccard of .85 or more, a leading “Panel k:” left out",
            "rows": [row_json(item, self._judged.get(item.key)) for item in self.items],
        }

    def table(self) -> list[dict[str, Any]]:
        """One row for each condition, the draws of one kind at one place in one row with their range."""
        rows: list[dict[str, Any]] = []
        drawn: set[tuple[str, At]] = set()
        for figures in self.conditions:
            kind, at = figures.condition.kind, figures.condition.at
            if not figures.condition.is_draw:
                rows.append(_row(figures))
            elif (kind, at) not in drawn:
                drawn.add((kind, at))
                rows.append(_draws_row(self.draws(at, kind)))
        return rows

    def _answer(self, item: EvaluationItem, said: Judgement) -> JudgedAnswer:
        return JudgedAnswer(
            item=item.key.picture,
            target=item.key.target,
            n_regions=item.n_regions,
            text=item.text,
            baseline=item.baseline,
            chosen=said.chosen,
            complete=said.complete,
            junk=item.junk,
            unchanged=item.unchanged,
            area_px=item.area_px,
            mass_before=item.mass_before,
            mass_after=item.mass_after,
        )

    def _computed(self, condition: Condition) -> ConditionFigures:
        judged = self.evaluation(condition.name)
        items = [one for one in self._by_condition[condition.name] if one.key in self._judged]
        before = [one.mass_before for one in items if one.mass_before is not None]
        after = [one.mass_after for one in items if one.mass_after is not None]
        return ConditionFigures(
            condition=condition,
            n=len(judged.answers),
            accuracy=judged.share(),
            interval=judged.interval(),
            junk=judged.junk_share,
            unchanged=judged.unchanged_share,
            chance=judged.chance,
            by_position=judged.by_target(),
            by_size=_by_size(judged),
            different=sum(one.same_tokens is False for one in items),
            mass_before=mean(before) if before else None,
            mass_after=mean(after) if after else None,
            **(self._moving(condition.name) if self.is_dynamic else {}),
        )

    def _moving(self, name: str) -> dict[str, Any]:
        narrations = self.narrations(name)
        told = narrations.figures()
        return {
            "rho": told["rho"],
            "rho_interval": tuple(told["rho_interval"]),
            "rho_natural": _natural_rho(narrations.segments),
            "latency_tok": told["latency_median_tok"],
        }


def row_json(item: EvaluationItem, said: Judgement | None) -> dict[str, Any]:
    """One item as JSON, with what the judge said of it (null where it has not yet)."""
    return {
        "picture": item.key.picture,
        "condition": item.key.condition,
        "turn": item.key.turn,
        "target": item.key.target,
        "text": item.text,
        "described": None if said is None else said.chosen,
        "junk": item.junk,
        "unchanged": item.unchanged,
        "mass_before": item.mass_before,
        "mass_after": item.mass_after,
    }


def _by_size(judged: Evaluation) -> dict[str, tuple[float, tuple[float, float], int]]:
    found = {}
    for size, (share, n) in judged.by_size().items():
        part = Evaluation(
            judged.protocol,
            judged.treatment,
            judged.judge,
            tuple(a for a in judged.answers if a.size == size),
        )
        found[size] = (share, part.interval(), n)
    return found


def _natural_rho(segments: Sequence[Segment]) -> float:
    """Mean rho between what was described and the panels' own order: what a model does that no head moves."""
    rhos = []
    for picture in dict.fromkeys(segment.item for segment in segments):
        told = [
            (one.turn, one.chosen)
            for one in segments
            if one.item == picture and one.chosen is not None and one.junk is None
        ]
        rho = spearman([turn for turn, _ in told], [chosen for _, chosen in told]) if len(told) >= 3 else 0.0
        rhos.append(0.0 if rho != rho else rho)
    return mean(rhos) if rhos else float("nan")


def _segment(item: EvaluationItem, said: Judgement) -> Segment:
    key = item.key
    return Segment(
        item=key.picture,
        turn=key.turn,
        target=key.target,
        n_regions=item.n_regions,
        first_tok=item.first_tok,
        n_tok=item.n_tok,
        text=item.text,
        chosen=said.chosen,
        junk=item.junk,
        latency_tok=said.latency_tok,
    )


def _row(figures: ConditionFigures) -> dict[str, Any]:
    return {
        "condition": figures.name,
        "n": figures.n,
        "accuracy": figures.accuracy,
        "low": figures.interval[0],
        "high": figures.interval[1],
        "junk": figures.junk,
        "unchanged": figures.unchanged,
        "rho": figures.rho,
    }


def _draws_row(draws: Sequence[ConditionFigures]) -> dict[str, Any]:
    """The draws' mean, and their least and greatest accuracy in place of an interval."""
    shares, rhos = [draw.accuracy for draw in draws], [draw.rho for draw in draws if draw.rho is not None]
    name = draws[0].name.rsplit(" ", 1)[0]
    return {
        "condition": f"{name} ({len(draws)} draws)",
        "n": sum(draw.n for draw in draws),
        "accuracy": mean(shares),
        "low": min(shares),
        "high": max(shares),
        "junk": mean(draw.junk for draw in draws),
        "unchanged": mean(draw.unchanged for draw in draws),
        "rho": mean(rhos) if rhos else None,
    }
