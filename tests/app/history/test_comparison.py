"""Runs, head sets and rankings side by side."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gazeviz.app.history.comparison import (
    MOST,
    ComparedSetting,
    HeadsCompared,
    Overlap,
    RunComparison,
    compare_rankings,
    differing,
)
from gazeviz.domain.heads import Head, HeadOrigin, HeadRanking, HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.errors import UserError
from tests.render.made_runs import CHOSEN, GRID, MODEL, PANELS, RANKING, MadeRun, made_run, made_steps

OTHERS = HeadSet.of("L1H2,L1H3", HeadOrigin("random", "mass", 2, 0, "all"))


def steered(
    number: int, heads: HeadSet = CHOSEN, target: Region = PANELS[1], strength: float = 8.0
) -> MadeRun:
    """A steered run."""
    return made_run(number, Steering(heads, target, strength=strength))


def compare(*runs: MadeRun, rankings: tuple[HeadRanking | None, ...] = ()) -> RunComparison:
    """Compare runs of one picture."""
    return RunComparison(runs, {"ab": "strip.png"}, {}, (GRID,) * len(runs), rankings)


def setting(comparison: RunComparison, name: str) -> ComparedSetting:
    """One of the settings."""
    return next(setting for setting in comparison.settings if setting.name == name)


def test_runs_that_were_asked_the_same_differ_in_nothing() -> None:
    comparison = compare(steered(1), steered(2))
    assert not any(setting.differs for setting in comparison.settings)
    assert comparison.labels == ("top 2 of mass · Panel 2",) * 2


def test_what_differs_is_found_and_labels_the_runs() -> None:
    comparison = compare(steered(1), steered(2, OTHERS, strength=4.0))
    assert {setting.name for setting in comparison.settings if setting.differs} == {"heads", "strength"}
    assert comparison.labels == ("top 2 of mass · 8", "random 2, seed 0 · 4")
    assert differing(comparison.settings) == ("heads", "strength")


def test_a_baseline_among_steered_runs_differs_in_its_steering() -> None:
    comparison = compare(made_run(1), steered(2), steered(3, target=PANELS[2]))
    assert setting(comparison, "heads").values == ("none", "top 2 of mass", "top 2 of mass")
    assert differing(comparison.settings) == ("steering", "target")
    assert comparison.labels[0] == "baseline"


def test_two_baselines_have_no_steering_to_differ_in() -> None:
    first, second = made_run(1), made_run(2)
    second.spec = replace(second.spec, sampling=Sampling(0.7, 0.9, 3))
    comparison = compare(first, second)
    assert differing(comparison.settings) == ("sampling",)
    assert comparison.labels == ("baseline · greedy", "baseline · temperature .7, top-p .9, seed 3")


def test_a_seed_that_is_not_used_makes_no_difference() -> None:
    first, second = made_run(1), made_run(2)
    second.spec = replace(second.spec, sampling=Sampling(seed=7))
    assert not setting(compare(first, second), "sampling").differs


def test_things_of_one_name_that_are_not_the_same_are_told_apart() -> None:
    other = Region.box("Panel 2", (0, 0, 9, 9), PANELS[1].size_px)
    comparison = compare(steered(1), steered(2, target=other), steered(3))
    assert setting(comparison, "target").values == ("Panel 2", "Panel 2 (2)", "Panel 2")
    assert setting(comparison, "target").differs


def test_the_same_heads_from_elsewhere_are_the_same_heads() -> None:
    by_hand = HeadSet(CHOSEN.heads)
    assert not setting(compare(steered(1), steered(2, by_hand)), "heads").differs


def test_a_schedule_is_told_with_its_tokens() -> None:
    plan = Schedule(((0, PANELS[0]), (2, None)))
    run = made_run(2, Steering(CHOSEN, PANELS[0], schedule=plan))
    assert setting(compare(steered(1), run), "target").values == (
        "Panel 2",
        "Panel 1 from 0, no target from 2",
    )


def test_a_run_that_did_not_end_is_compared_by_what_was_asked() -> None:
    lost = made_run(2, Steering(CHOSEN, PANELS[0]), ended=False)
    comparison = compare(steered(1), lost)
    assert setting(comparison, "target").values == ("Panel 2", "Panel 1")
    assert setting(comparison, "picture fed as").values[1] == "none"


def test_texts_are_compared_by_word() -> None:
    comparison = compare(made_run(1), made_run(2, texts=("a", " dog", " eats", "!")))
    assert comparison.different() == (frozenset({1, 3}), frozenset({1, 3}))
    assert comparison.overlap(1) == 0.5
    assert comparison.n_tok == 4


@pytest.mark.parametrize("n", [1, MOST + 1])
def test_a_number_of_runs_that_cannot_stand_side_by_side_is_refused(n: int) -> None:
    with pytest.raises(UserError, match="cannot be compared"):
        compare(*(made_run(number) for number in range(n)))


# Curves


def test_every_run_is_drawn_on_its_own_target_and_a_baseline_on_the_first_ones() -> None:
    runs = made_run(1), steered(2), steered(3, target=PANELS[2])
    curves = compare(*runs).curves()
    assert [curve.about for curve in curves] == ["Panel 2", "Panel 2", "Panel 3"]
    for curve, run, place in zip(curves, runs, (1, 1, 2), strict=True):
        assert curve.mass_T.tolist() == [step.masses_R[place] for step in run.steps]


def test_curves_on_a_chosen_region() -> None:
    curves = compare(made_run(1), steered(2)).curves("Panel 3")
    assert {curve.about for curve in curves} == {"Panel 3"}


def test_a_region_that_a_run_did_not_watch_has_no_mass() -> None:
    curves = compare(made_run(1, regions=PANELS[:2], looks=(0, 1, 1, 0)), made_run(2)).curves("Panel 3")
    assert np.isnan(curves[0].mass_T).all() and np.isfinite(curves[1].mass_T).all()


def test_where_heads_were_let_go_the_last_target_is_drawn_on() -> None:
    run = steered(1)
    run.steps = made_steps(("a", "b", "c"), (0, 1, 2), PANELS, ("Panel 1", None, "Panel 3"))
    curve = compare(run, steered(2)).curves()[0]
    assert curve.mass_T.tolist() == [
        run.steps[0].masses_R[0],
        run.steps[1].masses_R[0],
        run.steps[2].masses_R[2],
    ]
    assert curve.about == "Panel 1, Panel 3"


def test_runs_without_regions_have_no_curve() -> None:
    curves = compare(made_run(1, regions=()), made_run(2, regions=())).curves()
    assert [curve.about for curve in curves] == ["none", "none"]
    assert all(np.isnan(curve.mass_T).all() for curve in curves)


# Heads


def test_an_overlap_in_figures() -> None:
    overlap = Overlap.of(CHOSEN, OTHERS)
    assert overlap.shared == (Head(1, 2),)
    assert overlap.only_first == (Head(0, 3),)
    assert overlap.only_second == (Head(1, 3),)
    assert overlap.jaccard == 1 / 3
    assert np.isnan(Overlap.of(HeadSet(()), HeadSet(())).jaccard)


def test_heads_of_runs_are_those_steered_and_of_a_baseline_those_watched() -> None:
    heads = compare(made_run(1), steered(2, OTHERS)).heads
    assert heads.sets == (CHOSEN, OTHERS)
    assert heads.watched == {0}
    assert heads.shape_LH == MODEL.shape_LH


def test_a_baseline_that_watched_all_heads_stands_for_all_of_them() -> None:
    run = made_run(1)
    run.spec = replace(run.spec, chosen=HeadSet(()))
    assert len(compare(run, steered(2)).heads.sets[0]) == 8


def test_heads_of_models_of_other_shapes_are_not_laid_over_each_other() -> None:
    run = steered(2)
    run.model = replace(MODEL, shape_LH=(3, 4), heads_present_LH=np.ones((3, 4), dtype=bool))
    heads = compare(steered(1), run).heads
    assert heads.shape_LH is None
    assert heads.overlaps == {}


def test_rankings_of_head_sets_are_correlated_unless_they_are_the_same() -> None:
    backwards = HeadRanking("causal", -RANKING.scores_LH)
    sets = (CHOSEN, OTHERS, CHOSEN)
    compared = HeadsCompared(("a", "b", "c"), sets, (2, 4), None, (RANKING, backwards, RANKING))
    assert compared.overlaps[0, 1].rank_correlation == pytest.approx(-1.0)
    assert compared.overlaps[0, 2].rank_correlation is None
    assert HeadsCompared(("a", "b"), sets[:2], (2, 4)).overlaps[0, 1].rank_correlation is None


def test_the_best_heads_of_rankings_are_compared() -> None:
    swapped = HeadRanking("causal", RANKING.scores_LH[::-1])
    compared = compare_rankings([RANKING, swapped], 4)
    assert compared.overlaps[0, 1].shared == ()
    assert compare_rankings([RANKING, swapped], 99).overlaps[0, 1].jaccard == 1.0
    jaccards = [compare_rankings([RANKING, swapped], n).overlaps[0, 1].jaccard for n in range(1, 9)]
    assert all(first <= second for first, second in pairwise(jaccards))


def test_rankings_of_other_models_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="different heads"):
        compare_rankings([RANKING, HeadRanking("mass", np.zeros((3, 4)))], 2)
    with pytest.raises(UserError, match="1 rankings"):
        compare_rankings([RANKING], 2)
