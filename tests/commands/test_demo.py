"""The demonstration's own arithmetic; what it measures is tested where it is measured."""

from gazeviz.demo import TURNS, Demonstration
from gazeviz.domain.evaluation import Evaluation, JudgedAnswer


def evaluation(name: str, n_hits: int) -> Evaluation:
    answers = tuple(
        JudgedAnswer(
            item, 0, 6, "a", "b", chosen=0 if item < n_hits else 1, complete=None, junk=None, unchanged=False
        )
        for item in range(10)
    )
    return Evaluation("static", {"name": name}, "exact", answers)


def test_gaze_heads_stand_among_the_random_draws_alone() -> None:
    draws = tuple(evaluation(f"random 8, seed {hits}", hits) for hits in (1, 2, 6, 9))
    demo = object.__new__(Demonstration)
    object.__setattr__(demo, "steered", evaluation("top 8 of mass", 6))
    object.__setattr__(demo, "controls", (*draws, evaluation("all heads", 0)))
    assert demo.random_draws == draws
    assert demo.percentile == 100 * (1 + 1 + 0.5 + 0) / 4


def test_no_turn_of_the_narration_is_in_its_own_place() -> None:
    assert sorted(TURNS) == [1, 2, 3, 4, 5, 6]
    assert all(panel != place for place, panel in enumerate(TURNS, start=1))
