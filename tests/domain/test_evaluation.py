"""What counts as a hit, and the figures made of judged answers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.evaluation import (
    DynamicEvaluation,
    Evaluation,
    JudgedAnswer,
    Segment,
    Verdict,
    same_text,
    size_class,
)

HIT = JudgedAnswer(
    item=0,
    target=1,
    n_regions=3,
    text="red cat jumps",
    baseline="blue dog eats",
    chosen=1,
    complete=True,
    junk=None,
    unchanged=False,
)


def evaluation(*answers: JudgedAnswer) -> Evaluation:
    return Evaluation("static", {"name": "test"}, "exact", answers)


def test_the_best_score_is_chosen_and_a_tie_is_none() -> None:
    assert Verdict.best_of([1, 3, 2]).chosen == 1
    assert Verdict.best_of([3, 3, 2]).chosen is None
    assert Verdict.best_of([0, 0, 0]).chosen is None
    assert Verdict.best_of([-5.0, -2.0], floor=-np.inf).chosen == 1
    assert Verdict.best_of([]).chosen is None


def test_a_text_that_steering_did_not_change_is_a_miss_even_where_it_fits() -> None:
    unchanged = replace(HIT, unchanged=True)
    assert HIT.hit
    assert HIT.right
    assert unchanged.described
    assert not unchanged.hit
    assert not unchanged.right


def test_junk_and_other_panels_are_misses() -> None:
    assert not replace(HIT, junk="looping").described
    assert not replace(HIT, chosen=0).described
    assert not replace(HIT, chosen=None).described
    assert HIT.right
    assert not replace(HIT, complete=False).right
    assert not replace(HIT, complete=None).right


def test_texts_are_the_same_by_words_or_by_jaccard() -> None:
    assert same_text("Red cat jumps.", "red cat, jumps")
    assert same_text("in town, red cat jumps", "red cat jumps in town")
    assert not same_text("red cat jumps in town", "red cat jumps in space")
    assert same_text("", " ")
    words = " ".join(f"w{n}" for n in range(20))
    assert same_text(words, f"{words} x y z")  # 20 of 23: 0.87
    assert not same_text(words, f"{words} x y z v")  # 20 of 24: 0.83
    assert not same_text(words, f"{words} x y z", threshold=0.9)


def test_shares_and_chance() -> None:
    made = evaluation(HIT, replace(HIT, item=1, chosen=0), replace(HIT, item=2, n_regions=6, junk="empty"))
    assert made.share("hit") == pytest.approx(1 / 3)
    assert made.chance == pytest.approx((1 / 3 + 1 / 3 + 1 / 6) / 3)
    assert made.junk_share == pytest.approx(1 / 3)
    assert made.unchanged_share == 0.0
    low, high = made.interval("hit")
    assert (low, high) == (0.0, 1.0)


def test_figures_by_target_and_the_confusion_matrix() -> None:
    answers = (
        replace(HIT, target=0, chosen=0),
        replace(HIT, target=0, chosen=2),
        replace(HIT, target=1, chosen=None),
        replace(HIT, target=1, chosen=1, junk="label only"),
    )
    made = evaluation(*answers)
    by_target = made.by_target()
    assert by_target[:2] == (0.5, 0.0)
    assert np.isnan(by_target[2])
    assert made.confusion.tolist() == [[1, 0, 1, 0], [0, 0, 0, 2], [0, 0, 0, 0]]


def test_sizes_are_cocos() -> None:
    assert [size_class(side**2) for side in (32, 33, 96, 97)] == ["small", "medium", "medium", "large"]
    made = evaluation(
        replace(HIT, area_px=97**2), replace(HIT, area_px=50**2, chosen=0), replace(HIT, area_px=60**2)
    )
    assert made.by_size("hit") == {"large": (1.0, 1), "medium": (0.5, 2)}


def test_no_answers_give_no_figures() -> None:
    none = evaluation()
    assert np.isnan(none.share())
    assert np.isnan(none.chance)
    assert np.isnan(none.junk_share)
    assert none.by_target() == ()
    assert none.confusion.shape == (0, 1)


def test_an_evaluation_survives_json() -> None:
    made = evaluation(HIT, replace(HIT, item=4, mass_before=0.1, mass_after=0.9, junk="empty", complete=None))
    data = json.loads(json.dumps(made.to_json()))
    assert Evaluation.from_json(data) == made
    assert data["figures"]["hit"] == 0.5
    assert data["answers"][1]["mass_after"] == 0.9


def segment(
    turn: int, target: int, chosen: int | None, latency_tok: int | None = None, item: int = 0
) -> Segment:
    return Segment(item, turn, target, 4, turn * 5, 5, "text", chosen, None, latency_tok)


def dynamic(*segments: Segment) -> DynamicEvaluation:
    return DynamicEvaluation({"name": "test"}, "exact", 5, segments)


def test_a_narration_that_follows_its_schedule_has_rho_one() -> None:
    follows = dynamic(*(segment(turn, target, target, 2) for turn, target in enumerate((2, 0, 3, 1))))
    assert follows.rho_by_item() == {0: pytest.approx(1.0)}
    assert follows.on_target == 1.0
    against = dynamic(*(segment(turn, target, 3 - target) for turn, target in enumerate((2, 0, 3, 1))))
    assert against.rho_by_item() == {0: pytest.approx(-1.0)}


def test_a_narration_that_says_too_little_has_rho_zero() -> None:
    assert dynamic(segment(0, 1, 1), segment(1, 0, 0), segment(2, 2, None)).rho_by_item() == {0: 0.0}
    assert dynamic(*(segment(turn, turn, 2) for turn in range(4))).rho_by_item() == {0: 0.0}


def test_latency_counts_switches_and_not_the_first_target() -> None:
    made = dynamic(segment(0, 1, 1, 1), segment(1, 0, 0, 3), segment(2, 2, 2, 5), segment(3, 3, None))
    figures = made.figures()
    assert figures["latency_median_tok"] == 4.0
    assert figures["followed"] == pytest.approx(2 / 3)
    assert figures["on_target"] == 0.75
    assert dynamic(segment(0, 1, 1)).figures()["latency_median_tok"] is None


def test_a_dynamic_evaluation_survives_json() -> None:
    made = dynamic(segment(0, 1, 1, 1), segment(1, 0, None))
    assert DynamicEvaluation.from_json(json.loads(json.dumps(made.to_json()))) == made
