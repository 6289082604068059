"""Steering wishes, and the specification of every mode against plain arithmetic and its limits."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import (
    DECODED,
    FIRST,
    GROUP_NAMES,
    MODES,
    OTHER_IMAGE,
    PROMPT_TEXT,
    SCOPES,
    TARGET,
    HeadMeans,
    Schedule,
    Steering,
    bias_by_group,
    mass_by_group,
    softmax_visible,
    steered_weights,
)
from gazeviz.errors import UserError

BIAS_MODES = tuple(mode for mode in MODES if mode not in ("mass", "knock_out"))
STRENGTHS = (0.0, 0.7, 8.0, 10_000.0, "hard", "hard_uniform")
CODES_K = np.array(
    [FIRST, PROMPT_TEXT, OTHER_IMAGE, TARGET, TARGET, OTHER_IMAGE, PROMPT_TEXT, DECODED, DECODED]
)
N_KEYS = len(CODES_K)
CAUSAL_QK = np.tril(np.ones((N_KEYS, N_KEYS), dtype=bool))


@pytest.fixture
def scores_HQK(rng):
    return rng.normal(scale=3, size=(4, N_KEYS, N_KEYS))


def exp_normalised(scores_K, visible_K):
    """The softmax as written in a book, for one row and moderate scores."""
    weights = np.where(visible_K, np.exp(scores_K), 0.0)
    return weights / weights.sum()


class TestEveryMode:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_rows_sum_to_one_and_hidden_keys_get_nothing(self, scores_HQK, mode, strength):
        weights = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, strength)
        assert weights.shape == scores_HQK.shape
        assert np.allclose(weights.sum(axis=-1), 1)
        assert (weights >= 0).all()
        assert (weights[:, ~CAUSAL_QK] == 0).all()

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_many_rows_at_once_equal_one_by_one(self, scores_HQK, mode, strength):
        together = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, strength)
        for head, query in itertools.product(range(4), range(N_KEYS)):
            alone = steered_weights(scores_HQK[head, query], CODES_K, CAUSAL_QK[query], mode, strength)
            assert np.array_equal(together[head, query], alone)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_hidden_scores_do_not_matter_and_extreme_ones_do_no_harm(self, scores_HQK, mode, strength):
        expected = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, strength)
        garbled = np.where(CAUSAL_QK, scores_HQK, np.nan)
        assert np.array_equal(steered_weights(garbled, CODES_K, CAUSAL_QK, mode, strength), expected)
        extreme = steered_weights(scores_HQK * 1e5, CODES_K, CAUSAL_QK, mode, strength)
        assert np.allclose(extreme.sum(axis=-1), 1)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_adding_a_constant_to_a_row_changes_nothing(self, scores_HQK, mode, strength):
        moved = steered_weights(scores_HQK + 17, CODES_K, CAUSAL_QK, mode, strength)
        assert np.allclose(moved, steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, strength))

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_a_row_that_sees_nothing_is_zero_and_not_nan(self, mode, strength):
        weights = steered_weights(np.zeros(N_KEYS), CODES_K, np.zeros(N_KEYS, bool), mode, strength)
        assert weights.tolist() == [0.0] * N_KEYS


class TestBias:
    @pytest.mark.parametrize(
        ("mode", "by_group"),
        [
            ("boost_suppress", [0, 0, -3, 3, 0]),
            ("suppress_image", [0, 0, -3, 0, 0]),
            ("suppress_all", [-3, -3, -3, 0, 0]),
            ("max_suppress_all", [-3, -3, -3, 0, -3]),
        ],
    )
    def test_the_table_of_modes(self, mode, by_group):
        assert bias_by_group(mode, 3.0).tolist() == by_group

    def test_mass_has_no_bias(self):
        with pytest.raises(ValueError, match="no bias"):
            bias_by_group("mass", 8.0)

    @pytest.mark.parametrize("mode", BIAS_MODES)
    def test_a_finite_strength_is_the_softmax_of_biased_scores(self, scores_HQK, mode):
        weights = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, 2.5)
        bias_K = [bias_by_group(mode, 2.5)[code] for code in CODES_K]
        for head, query in itertools.product(range(4), range(N_KEYS)):
            expected = exp_normalised(scores_HQK[head, query] + bias_K, CAUSAL_QK[query])
            assert np.allclose(weights[head, query], expected)

    @pytest.mark.parametrize("mode", BIAS_MODES)
    def test_strength_zero_is_the_plain_softmax_to_the_last_bit(self, scores_HQK, mode):
        plain = softmax_visible(scores_HQK, np.broadcast_to(CAUSAL_QK, scores_HQK.shape))
        assert np.array_equal(steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, 0.0), plain)

    def test_the_targets_mass_rises_with_the_strength(self, scores_HQK):
        row = scores_HQK[:, -1]
        for mode in BIAS_MODES:
            masses = [
                steered_weights(row, CODES_K, True, mode, strength)[:, CODES_K == TARGET].sum(axis=-1)
                for strength in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
            ]
            assert (np.diff(masses, axis=0) > 0).all()


class TestHard:
    @pytest.mark.parametrize("mode", BIAS_MODES)
    def test_hard_is_the_limit_of_large_strengths(self, scores_HQK, mode):
        hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, "hard")
        large = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, 1e5)
        assert np.allclose(hard, large, atol=1e-9)

    def test_a_row_that_sees_the_target_is_restricted_to_it(self, scores_HQK):
        target_K = CODES_K == TARGET
        hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", "hard")
        for head in range(4):
            expected = exp_normalised(scores_HQK[head, -1], target_K)
            assert np.allclose(hard[head, -1], expected)

    def test_a_row_that_cannot_see_the_target_keeps_its_own_keys(self, scores_HQK):
        hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", "hard")
        # Row 2 sees the first token, text and one other image token: the suppressed one goes.
        assert np.allclose(hard[0, 2], exp_normalised(scores_HQK[0, 2], np.arange(N_KEYS) < 2))
        only_suppressed = np.arange(N_KEYS) == 2
        alone = steered_weights(scores_HQK[0, 2], CODES_K, only_suppressed, "boost_suppress", "hard")
        assert alone.tolist() == only_suppressed.astype(float).tolist()

    def test_max_suppress_all_leaves_rows_before_the_image_as_they_are(self, scores_HQK):
        hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "max_suppress_all", "hard")
        for query in range(3):
            assert np.allclose(hard[1, query], exp_normalised(scores_HQK[1, query], CAUSAL_QK[query]))

    def test_hard_uniform_is_uniform_over_the_visible_target(self, scores_HQK):
        uniform = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", "hard_uniform")
        assert np.allclose(uniform[:, 3], np.eye(N_KEYS)[3])  # sees one target key
        for query in range(4, N_KEYS):
            assert np.allclose(uniform[:, query], np.where(CODES_K == TARGET, 0.5, 0.0))

    def test_hard_uniform_differs_from_hard_on_a_boosted_target_only(self, scores_HQK):
        for mode in BIAS_MODES:
            hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, "hard")
            uniform = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, mode, "hard_uniform")
            sees_target = 4 if mode == "boost_suppress" else N_KEYS
            assert np.array_equal(hard[:, :sees_target], uniform[:, :sees_target])
        uniform = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", "hard_uniform")
        hard = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", "hard")
        assert not np.allclose(hard[:, 4:], uniform[:, 4:])


class TestMass:
    @pytest.mark.parametrize("alpha", [0.01, 0.5, 0.9, 1.0])
    def test_the_target_receives_alpha_and_proportions_stay(self, scores_HQK, alpha):
        target_K = CODES_K == TARGET
        before = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", 0.0)[:, 4:]
        after = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "mass", alpha=alpha)[:, 4:]
        assert np.allclose(after[..., target_K].sum(axis=-1), alpha)
        for group in (target_K, ~target_K):
            share = after[..., group].sum(axis=-1, keepdims=True) / before[..., group].sum(
                axis=-1, keepdims=True
            )
            assert np.allclose(after[..., group], before[..., group] * share)

    def test_alpha_equal_to_the_targets_mass_changes_nothing(self, scores_HQK):
        row, visible = scores_HQK[0, -1], np.ones(N_KEYS, bool)
        before = softmax_visible(row, visible)
        own = before[CODES_K == TARGET].sum()
        assert np.allclose(steered_weights(row, CODES_K, visible, "mass", alpha=own), before)

    def test_rows_without_the_target_or_with_nothing_else_stay(self, scores_HQK):
        before = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "boost_suppress", 0.0)
        after = steered_weights(scores_HQK, CODES_K, CAUSAL_QK, "mass", alpha=0.5)
        assert np.array_equal(after[:, :3], before[:, :3])
        only_target = CODES_K == TARGET
        alone = steered_weights(scores_HQK[0, 0], CODES_K, only_target, "mass", alpha=0.5)
        assert np.allclose(alone, exp_normalised(scores_HQK[0, 0], only_target))

    def test_a_target_whose_weight_underflows_still_receives_alpha(self):
        scores = np.where(CODES_K == TARGET, -5000.0, 0.0) + np.arange(N_KEYS) * 0.1
        weights = steered_weights(scores, CODES_K, True, "mass", alpha=0.9)
        assert weights[CODES_K == TARGET].sum() == pytest.approx(0.9)
        assert weights[4] / weights[3] == pytest.approx(np.exp(0.1))


def test_mass_by_group_sums_what_lies_where(rng):
    weights = rng.random((3, N_KEYS))
    mass_G = mass_by_group(weights, CODES_K.astype(np.int8))
    assert mass_G.shape == (3, len(GROUP_NAMES))
    for group in range(5):
        assert np.allclose(mass_G[:, group], weights[:, group == CODES_K].sum(axis=1))


def boxes(n=3, size_px=(60, 20)):
    return [Region.box(f"Panel {i + 1}", (i * 20, 0, i * 20 + 20, 20), size_px) for i in range(n)]


class TestSchedule:
    def test_targets_take_turns(self):
        first, second, third = boxes()
        schedule = Schedule.every(50, [first, second, third])
        assert [schedule.target_at(step) for step in (0, 49, 50, 99, 100, 10_000)] == [
            first, first, second, second, third, third,
        ]  # fmt: skip
        assert schedule.regions == (first, second, third)

    def test_nothing_holds_before_the_first_switch(self):
        first, second, _ = boxes()
        assert Schedule(((10, second),)).target_at(9) is None
        steering = Steering(HeadSet.of("L0H0"), first, schedule=Schedule(((10, second),)))
        assert steering.target_at(9) == first
        assert steering.target_at(10) == second

    def test_heads_are_let_go_and_taken_up_again(self):
        first, second, _ = boxes()
        steering = Steering(HeadSet.of("L0H0"), first, schedule=Schedule(((4, None), (6, second))))
        assert [steering.target_at(step) for step in (3, 4, 5, 6)] == [first, None, None, second]
        assert Steering.from_json(json.loads(json.dumps(steering.to_json()))) == steering

    @pytest.mark.parametrize("steps", [(), (5, 5), (5, 3), (-1, 3)])
    def test_steps_must_rise_from_zero(self, steps):
        region = boxes()[0]
        with pytest.raises(UserError, match="cannot switch at"):
            Schedule(tuple((step, region) for step in steps))

    def test_every_needs_a_token_and_a_region(self):
        with pytest.raises(UserError, match="every 0 tokens"):
            Schedule.every(0, boxes())
        with pytest.raises(UserError, match="at least one switch"):
            Schedule.every(5, [])


class TestWish:
    def test_defaults_are_the_papers_mode_at_a_gentle_strength(self):
        steering = Steering(HeadSet.of("L0H0"), boxes()[0])
        assert (steering.mode, steering.strength, steering.scope) == ("boost_suppress", 8.0, "all_rows")

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("heads", HeadSet(()), "No head is chosen"),
            ("mode", "boost", "“boost” is no steering mode"),
            ("scope", "everywhere", "“everywhere” is no steering scope"),
            ("strength", -1.0, "cannot have the strength -1.0"),
            ("strength", float("nan"), "cannot have the strength nan"),
            ("strength", float("inf"), "cannot have the strength inf"),
            ("strength", "soft", "cannot have the strength soft"),
            ("alpha", 0.0, "share 0.0"),
            ("alpha", 1.5, "share 1.5"),
            ("alpha", float("nan"), "share nan"),
            ("rule", "touch", "no rule"),
            ("share", 0.0, "share of 0.0"),
        ],
    )
    def test_what_is_out_of_range_is_refused(self, field, value, sentence):
        wish = {"heads": HeadSet.of("L0H0"), "target": boxes()[0], field: value}
        with pytest.raises(UserError, match=sentence) as caught:
            Steering(**wish)
        assert caught.value.next_step.startswith("Choose")

    def test_targets_must_be_on_one_picture(self):
        elsewhere = Region.box("far", (0, 0, 5, 5), (30, 30))
        with pytest.raises(UserError, match="different pictures"):
            Steering(HeadSet.of("L0H0"), boxes()[0], schedule=Schedule(((3, elsewhere),)))

    def test_another_target_changes_nothing_else(self):
        first, second, _ = boxes()
        steering = Steering(HeadSet.of("L0H0"), first, mode="mass", alpha=0.4)
        assert steering.with_target(second) == Steering(HeadSet.of("L0H0"), second, mode="mass", alpha=0.4)

    def test_another_beginning_keeps_what_was_laid_out_for_later(self):
        first, second, third = boxes()
        heads, later = HeadSet.of("L0H0"), ((4, first), (9, None))
        steering = Steering(heads, first, alpha=0.4, schedule=Schedule(((0, second), *later)))
        begun = steering.beginning_at(third)
        assert [begun.target_at(step) for step in (0, 3, 4, 9)] == [third, third, first, None]
        assert begun == Steering(heads, third, alpha=0.4, schedule=Schedule(later))
        let_go = steering.beginning_at(None)
        assert [let_go.target_at(step) for step in (0, 3, 4, 9)] == [None, None, first, None]
        assert Steering(heads, first).beginning_at(second) == Steering(heads, second)

    def test_equal_wishes_are_equal_and_hash_alike(self):
        assert Steering(HeadSet.of("L0H0"), boxes()[0]) == Steering(HeadSet.of("L0H0"), boxes()[0])
        assert len({Steering(HeadSet.of("L0H0"), boxes()[0]), Steering(HeadSet.of("L0H0"), boxes()[0])}) == 1

    @pytest.mark.parametrize("strength", [8, np.float32(0.5), "hard", "hard_uniform"])
    @pytest.mark.parametrize("scope", SCOPES)
    def test_json_round_trip(self, strength, scope):
        first, second, third = boxes()
        plain = Steering(HeadSet.of("L0H0"), first, "suppress_image", strength, scope)
        scheduled = Steering(
            HeadSet.of("L3H1,L0H0"), second, strength=strength, rule="share", share=0.25,
            schedule=Schedule(((0, third), (5, second), (9, third))),
        )  # fmt: skip
        for steering in (plain, scheduled):
            data = steering.to_json()
            assert Steering.from_json(json.loads(json.dumps(data))) == steering
        assert len(scheduled.to_json()["regions"]) == 2  # a region that returns is kept once


A_REGION = Region.whole((4, 4))
MEANS = HeadMeans(HeadSet.of("L0H1,L2H3"), 2, np.arange(4, dtype="<f4").tobytes(), "builtin:2@7")


def test_means_go_with_the_heads_that_are_knocked_out() -> None:
    heads = HeadSet.of("L2H3")
    steering = Steering(heads, A_REGION, "knock_out", means=MEANS)
    assert steering.means is not None
    assert steering.means.values_hD.tolist() == [[2.0, 3.0]]
    assert Steering.from_json(json.loads(json.dumps(steering.to_json()))) == steering
    assert "means" not in replace(steering, means=None).to_json()


def test_means_without_a_knock_out_or_of_other_heads_are_refused() -> None:
    with pytest.raises(UserError, match="only where these are knocked out"):
        Steering(HeadSet.of("L2H3"), A_REGION, means=MEANS)
    with pytest.raises(UserError, match="L1H1 was not measured"):
        Steering(HeadSet.of("L1H1"), A_REGION, "knock_out", means=MEANS)
    with pytest.raises(UserError, match="incomplete"):
        HeadMeans(HeadSet.of("L0H1"), 2, b"1234")


def test_a_knock_out_leaves_the_weights_alone() -> None:
    scores, visible = np.array([[1.0, 2.0, 3.0]]), np.array([[True, True, False]])
    codes = np.array([TARGET, OTHER_IMAGE, DECODED])
    expected = softmax_visible(scores, visible)
    assert (steered_weights(scores, codes, visible, "knock_out", 8.0) == expected).all()
    with pytest.raises(ValueError, match="no bias"):
        bias_by_group("knock_out", 1.0)
