"""Treatments and their controls."""

import json

import numpy as np
import pytest

from gazeviz.domain.experiments.treatment import PROTOCOLS, Treatment, elsewhere
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.region import Region
from gazeviz.engine.evaluation.protocols import controls
from gazeviz.errors import UserError

RANKING = HeadRanking("mass", np.linspace(1, 0, 24).reshape(3, 8))
GAZE = Treatment("gaze", RANKING.top(3), strength=4.0)


def box(width: int) -> Region:
    return Region.box(f"{width} wide", (0, 0, width, 10), size_px=(40, 10))


def test_the_protocols_are_the_papers() -> None:
    assert {name: (one.scope, one.new_tok) for name, one in PROTOCOLS.items()} == {
        "vqa": ("all_rows", 15),
        "static": ("all_rows", 100),
        "dynamic": ("decode_only", 50),
        "region": ("all_rows", 40),
    }


def test_a_treatment_is_a_wish_in_the_protocols_scope_unless_it_has_its_own() -> None:
    regions = (box(10), box(20))
    wish = GAZE.steering(regions, 1, "decode_only")
    assert wish is not None
    assert (wish.target, wish.scope, wish.strength) == (regions[1], "decode_only", 4.0)
    own = Treatment("gaze", RANKING.top(3), scope="after_image").steering(regions, 0, "decode_only")
    assert own is not None
    assert own.scope == "after_image"
    assert Treatment("unsteered").steering(regions, 0, "all_rows") is None


def test_elsewhere_is_the_region_of_the_nearest_area() -> None:
    assert elsewhere((box(10), box(30), box(12)), 0) == 2
    assert elsewhere((box(10), box(10), box(10)), 1) == 2
    assert elsewhere((box(10), box(10), box(10)), 2) == 0
    with pytest.raises(UserError, match="no other region"):
        elsewhere((box(10),), 0)


def test_controls_are_drawn_without_the_heads_and_by_seed() -> None:
    made = controls(GAZE, RANKING, n_draws=10, first_seed=5)
    kinds = [one.heads.origin.kind if one.heads else None for one in made]
    assert kinds == ["random"] * 10 + ["layer_matched"] * 10 + ["all", "bottom", "top", "top", None]
    drawn = [one.heads for one in made[:20]]
    assert all(heads and not set(heads) & set(RANKING.top(3)) for heads in drawn)
    assert [heads.origin.seed for heads in drawn if heads] == [*range(5, 15)] * 2
    assert all(heads and heads.by_layer().keys() == {0} for heads in drawn[10:])
    assert made[:20] == controls(GAZE, RANKING, n_draws=10, first_seed=5)[:20]
    assert {one.strength for one in made[:22]} == {4.0}


def test_the_last_controls_are_another_region_strength_zero_and_words() -> None:
    region, zero, words = controls(GAZE, RANKING)[-3:]
    assert region.aim == "elsewhere"
    assert zero.strength == 0.0
    assert words.names_panel


def test_where_a_layer_has_too_few_other_heads_its_own_are_drawn_too() -> None:
    made = controls(Treatment("gaze", RANKING.top(5)), RANKING, n_draws=8)
    matched = [one.heads for one in made if one.heads and one.heads.origin.kind == "layer_matched"]
    assert len(matched) == 8
    assert all({layer: len(heads) for layer, heads in one.by_layer().items()} == {0: 5} for one in matched)
    assert len({one.heads for one in matched}) > 1
    assert all(2 <= len(set(one) & set(RANKING.top(5))) <= 5 for one in matched)


def test_a_pool_that_is_too_small_for_a_layer_is_refused() -> None:
    with pytest.raises(UserError, match="0 heads of layer 0"):
        controls(Treatment("gaze", RANKING.top(5)), RANKING, pool="lower_half")


def test_own_heads_may_be_drawn_where_few_others_are_left() -> None:
    half = Treatment("gaze", RANKING.top(16))
    with pytest.raises(UserError, match="16 heads cannot be taken"):
        controls(half, RANKING)
    made = controls(half, RANKING, n_draws=2, exclude_own=False)
    assert len(made[0].heads or ()) == 16


def test_a_control_needs_heads() -> None:
    with pytest.raises(UserError, match="needs heads"):
        controls(Treatment("unsteered"), RANKING)


@pytest.mark.parametrize(
    "treatment", [GAZE, Treatment("unsteered"), Treatment("hard", HeadSet.of("L1H1"), strength="hard")]
)
def test_treatments_survive_json(treatment: Treatment) -> None:
    assert Treatment.from_json(json.loads(json.dumps(treatment.to_json()))) == treatment
