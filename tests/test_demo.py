"""The demonstration's arithmetic: verdicts of the exact judge, percentiles among random draws."""

from dataclasses import replace

import pytest

from gazeviz.demo import TURNS, Condition, Demonstration, Verdict, verdict
from gazeviz.testbed.grammar import Fact

FACTS = (Fact(0, 0, 0, 0), Fact(1, 1, 1, 0), Fact(2, 2, 2, 3))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("panel", [1, 2, 3])
def test_a_caption_is_judged_as_its_panel_in_every_word_order(order: int, panel: int) -> None:
    assert verdict(FACTS[panel - 1].caption(order), FACTS) == Verdict(panel, 4)


def test_a_text_that_fits_two_panels_equally_names_none() -> None:
    assert verdict("something happens in town", FACTS) == Verdict(None, 1)


def test_a_text_that_fits_no_panel_names_none() -> None:
    assert verdict("hello", FACTS) == Verdict(None, 0)


def test_a_mixed_text_goes_to_the_panel_with_more() -> None:
    mixed = f"{FACTS[0].colour} {FACTS[1].character} {FACTS[1].action}"
    assert verdict(mixed, FACTS) == Verdict(2, 2)


def test_the_percentile_counts_draws_that_gaze_heads_beat_and_half_of_the_ties() -> None:
    gaze = Condition("gaze heads", 10, 6, 3, 0)
    draws = tuple(Condition(f"random draw {hits}", 10, hits, 0, 0) for hits in (1, 2, 6, 9))
    blank = object.__new__(Demonstration)
    object.__setattr__(blank, "conditions", (gaze, *draws, replace(gaze, name="all heads")))
    assert blank.random_draws == draws
    assert blank.percentile == (1 + 1 + 0.5 + 0) / 4


def test_no_turn_of_the_narration_is_in_its_own_place() -> None:
    assert sorted(TURNS) == [1, 2, 3, 4, 5, 6]
    assert all(panel != place for place, panel in enumerate(TURNS, start=1))
