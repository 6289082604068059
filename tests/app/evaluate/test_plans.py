"""An experiment's plan in the words of the command line, and back again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gazeviz.app.evaluate.evaluations import ExperimentPlan, plan_again
from gazeviz.cli import build_parser
from gazeviz.commands.evaluation.evaluate import spec_of
from gazeviz.domain.experiments.conditions import unsteered
from gazeviz.domain.experiments.picture_set import SetSource
from gazeviz.domain.experiments.plan import EvaluationSpec
from gazeviz.domain.experiments.treatment import PROTOCOLS
from gazeviz.engine.engine import Engine, load
from gazeviz.evaluating import Heads, open_pictures, plan_of
from gazeviz.store.evaluations import StoredEvaluation


@pytest.fixture(scope="module")
def builtin_engine() -> Engine:
    return load(device="cpu")


PLANS = (
    ExperimentPlan("plain", pictures="builtin:2@7"),
    ExperimentPlan(
        "all that there is", "static", "builtin:2@7", "mass:4", "uniform:2,range:3@2-6,zero", ("top=2,4",),
        "lexical", "hard", "Describe -- one panel.", "boost", "decode_only", "7", "5",
    ),
    ExperimentPlan("drawn", pictures="builtin:2@7", heads="random:5@3", controls="lowest", strength="2.5"),
    ExperimentPlan("by hand", "dynamic", "builtin:2@7:2x3", "L4H1,L3H2", "", tokens="9"),
)  # fmt: skip


def spec(plan: ExperimentPlan, engine: Engine) -> EvaluationSpec:
    """What the command makes of a plan's words."""
    options = build_parser().parse_args(plan.arguments("m", "l"))
    wish = spec_of(options)
    return plan_of(wish, Heads(engine), open_pictures(wish.pictures, engine))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_stored_plan_in_words_is_the_same_evaluation(plan: ExperimentPlan, builtin_engine: Engine) -> None:
    first = spec(plan, builtin_engine)
    again = plan_again(StoredEvaluation(1, first.name, "paused", "", 0, 9, 0.0, first))
    assert again.stored
    assert spec(replace(again, stored=False), builtin_engine).digest == first.digest


def test_the_filters_of_a_coco_set_are_in_the_words() -> None:
    plan = ExperimentPlan(
        "coco", "region", "coco:a.json:b", categories=("dog", "traffic light"), sizes=("large",),
        smallest_side="12.5", most_regions="3", number="40", seed="2", captions="c.txt",
    )  # fmt: skip
    wish = spec_of(build_parser().parse_args(plan.arguments("m", "l")))
    source = SetSource.parse(wish.pictures) if isinstance(wish.pictures, str) else wish.pictures
    stored = EvaluationSpec("coco", PROTOCOLS["region"], source, "", "", (unsteered(),), seed=2)
    again = plan_again(StoredEvaluation(1, "coco", "paused", "", 0, 9, 0.0, stored))
    told = ("categories", "sizes", "smallest_side", "most_regions", "number", "seed")
    assert [getattr(again, one) for one in told] == [getattr(plan, one) for one in told]
