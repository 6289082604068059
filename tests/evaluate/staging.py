"""Small evaluations on a scripted engine, for the tests of this folder."""

from __future__ import annotations

from typing import cast

import numpy as np

from gazeviz.domain.experiments.conditions import conditions_for, controls_of, unsteered
from gazeviz.domain.experiments.picture_set import PictureSet, SetPicture, SetSource
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, Judgement
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.experiments.treatment import PROTOCOLS, Treatment
from gazeviz.domain.heads import HeadRanking
from gazeviz.engine.engine import Engine
from gazeviz.engine.evaluation.judges import GrammarJudge
from gazeviz.engine.evaluation.runner import EvaluationRunner
from gazeviz.testbed.world.grammar import parse
from tests.engine.fixtures.scripted_engine import CAPTIONS, PANELS, ScriptedEngine, obedient, strips

EXACT = GrammarJudge(parse)
RANKING = HeadRanking("mass", np.arange(64, dtype=float).reshape(8, 8))


def picture_set(n: int = 3) -> PictureSet:
    pictures = tuple(
        SetPicture(one.image, PANELS, f"{place:064d}", CAPTIONS, name=f"strip {place}")
        for place, one in enumerate(strips(n))
    )
    return PictureSet(SetSource("builtin", n=n), pictures)


def spec_of(
    pictures: PictureSet,
    controls: str = "uniform:2,zero,prompt",
    protocol: str = "static",
    name: str = "first",
) -> EvaluationSpec:
    gaze = Treatment("gaze", RANKING.top(4))
    conditions = (unsteered(), *conditions_for(gaze, RANKING, controls_of(controls)))
    return EvaluationSpec(
        name, PROTOCOLS[protocol], pictures.source, pictures.fingerprint, "model", conditions
    )


class Kept:
    """Keeps what a runner hands over, and stops it after so many blocks."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.items: list[EvaluationItem] = []
        self.judgements: list[Judgement] = []
        self._left = stop_after

    def __call__(self, items, judgements) -> None:
        self.items += items
        self.judgements += judgements
        if self._left is not None:
            self._left -= 1

    def stopped(self) -> bool:
        return self._left is not None and self._left <= 0


def runner(
    spec: EvaluationSpec, pictures: PictureSet, kept: Kept, say=obedient, **options
) -> EvaluationRunner:
    engine = cast(Engine, ScriptedEngine(say))
    judge = options.pop("judge", EXACT)
    return EvaluationRunner(
        engine,
        spec,
        pictures,
        judge,
        kept,
        tuple(kept.items),
        {one.key for one in kept.judgements},
        **options,
    )


def result(spec: EvaluationSpec, pictures: PictureSet, kept: Kept) -> EvaluationResult:
    n = pictures.n_regions * len(spec.conditions)
    return EvaluationResult(spec, tuple(kept.items), tuple(kept.judgements), n)
