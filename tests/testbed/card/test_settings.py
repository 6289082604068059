"""Which settings are screened, and which of them is best."""

import numpy as np

from gazeviz.domain.heads import HeadRanking
from gazeviz.testbed.card.plan import Plan
from gazeviz.testbed.card.settings import (
    MORE_MODES,
    Setting,
    choose,
    decoding,
    first_round,
    named_together,
    recommended,
    second_round,
)

RANKINGS = {name: HeadRanking(name, np.arange(64.0).reshape(8, 8)) for name in ("mass", "causal")}


def figures(hit: float, right: float) -> dict[str, float]:
    return {"hit": hit, "right": right}


SCREENED = {
    Setting("mass", 4): figures(0.70, 0.20),
    Setting("mass", 8): figures(0.70, 0.10),
    Setting("causal", 8): figures(0.60, 0.45),
    Setting("mass", 24): figures(0.65, 0.64),
}


def test_the_first_round_crosses_rankings_counts_and_two_modes() -> None:
    settings = first_round(RANKINGS, (4, 8))
    assert len(settings) == len(set(settings)) == 2 * 2 * 2
    assert {setting.scope for setting in settings} == {"all_rows"}


def test_the_best_few_and_the_best_of_all() -> None:
    chosen = choose(SCREENED, few=10)
    assert chosen["few_by_choice"] == Setting("mass", 4)
    assert chosen["few_by_right"] == Setting("causal", 8)
    assert chosen["overall"] == Setting("mass", 24)
    assert recommended(SCREENED, few=10) == "few_by_right"


def test_of_equal_figures_fewer_heads_win() -> None:
    equal = {Setting("mass", n): figures(0.5, 0.5) for n in (8, 4, 6)}
    assert set(choose(equal, 10).values()) == {Setting("mass", 4)}


def test_equal_settings_are_shown_once_under_all_their_names() -> None:
    settings = {"few": Setting("mass", 4), "recommended": Setting("causal", 4), "overall": Setting("mass", 4)}
    assert named_together(settings) == {
        "few, overall": Setting("mass", 4),
        "recommended": Setting("causal", 4),
    }


def test_the_second_round_tries_every_mode_and_scope_on_the_leaders_only() -> None:
    settings = second_round(SCREENED, 10, MORE_MODES, ("all_rows", "decode_only"))
    assert {(setting.ranking, setting.n) for setting in settings} == {
        ("mass", 4),
        ("causal", 8),
        ("mass", 24),
    }
    assert len(settings) == 3 * (len(MORE_MODES) * 2 - 1)
    assert not set(settings) & set(SCREENED)


def test_a_setting_reads_well_and_becomes_a_treatment() -> None:
    setting = Setting("mass", 8, "mass", alpha=0.99, scope="after_image")
    assert setting.label == "mass, 8 heads, mass alpha 0.99, after_image"
    assert Setting("causal", 4, strength="hard").label == "causal, 4 heads, boost_suppress hard, all_rows"
    treatment = setting.treatment(RANKINGS)
    assert treatment.heads == RANKINGS["mass"].top(8)
    assert (treatment.mode, treatment.alpha, treatment.scope) == ("mass", 0.99, "after_image")
    assert decoding(setting).scope == "decode_only"


def test_a_plan_of_fewer_strips_has_fewer_of_all_pictures_but_never_too_few() -> None:
    assert Plan.sized(200) == Plan()
    half = Plan.sized(100)
    assert (half.strips, half.ranking_strips, half.scenes, half.draws) == (100, 24, 30, Plan.draws)
    assert Plan.sized(20).screening_strips == 8
    assert Plan.sized(300).ranking_strips == Plan.ranking_strips
