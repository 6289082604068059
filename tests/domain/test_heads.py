"""Heads, head sets with their origins, and rankings with their controls."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from gazeviz.domain.heads import Head, HeadOrigin, HeadRanking, HeadSet, random_control
from gazeviz.errors import UserError


def scored(name, rows, **fields) -> HeadRanking:
    """A ranking written out as rows of layers."""
    return HeadRanking(name, np.array(rows), **fields)


@pytest.fixture
def ranking(rng: np.random.Generator) -> HeadRanking:
    """36 x 32 heads, as in the paper's 8B model."""
    return HeadRanking("mass", rng.random((36, 32)))


class TestHead:
    def test_text_and_back(self):
        for layer, index in [(0, 0), (4, 1), (35, 31)]:
            assert Head.parse(str(Head(layer, index))) == Head(layer, index)

    @pytest.mark.parametrize("text", ["L4H1", "l4h1", " L04H01 ", "L4.H1", "L4-H1"])
    def test_spellings(self, text):
        assert Head.parse(text) == Head(4, 1)

    @pytest.mark.parametrize("text", ["", "L4", "4.1", "L-1H2", "LxHy", "L4H1x", "L4H1,L3H2", "L٤H١"])
    def test_what_names_no_head_is_refused_with_an_example(self, text):
        with pytest.raises(UserError, match="does not name a head") as caught:
            Head.parse(text)
        assert "L4H1" in caught.value.next_step

    def test_sorts_by_layer_then_index(self):
        assert sorted([Head(1, 0), Head(0, 9), Head(0, 2)]) == [Head(0, 2), Head(0, 9), Head(1, 0)]

    def test_counts_from_zero(self):
        with pytest.raises(ValueError, match="count from 0"):
            Head(-1, 0)


class TestHeadSet:
    def test_sorted_and_each_head_once(self):
        heads = HeadSet.of("L4H1, L3H2 L4H1;L0H7")
        assert [str(head) for head in heads] == ["L0H7", "L3H2", "L4H1"]
        assert len(heads) == 3
        assert Head(3, 2) in heads
        assert Head(3, 3) not in heads
        assert HeadSet.of(str(heads)) == heads

    def test_from_heads_names_and_pairs(self):
        assert HeadSet.of([Head(1, 2), "L0H1", (3, 4)]) == HeadSet.of("L0H1,L1H2,L3H4")

    def test_no_text_is_the_empty_set(self):
        assert len(HeadSet.of("")) == 0
        assert not HeadSet.of("").mask_LH((2, 2)).any()

    def test_by_layer_mask_and_histogram_agree(self, rng):
        mask_LH = rng.random((6, 8)) < 0.3
        heads = HeadSet.of((int(layer), int(index)) for layer, index in np.argwhere(mask_LH))
        assert np.array_equal(heads.mask_LH((6, 8)), mask_LH)
        assert np.array_equal(heads.layer_histogram(6), mask_LH.sum(axis=1))
        for layer, indices in heads.by_layer().items():
            assert list(indices) == np.flatnonzero(mask_LH[layer]).tolist()

    def test_all_heads_of_a_shape(self):
        every = HeadSet.all((3, 4))
        assert every.mask_LH((3, 4)).all()
        assert str(every.origin) == "all heads"

    def test_heads_that_the_model_lacks_are_named(self):
        HeadSet.of("L5H7").check((6, 8))
        with pytest.raises(UserError, match=r"no L6H0, L9H1: its layers are 0-5, its heads 0-7\."):
            HeadSet.of("L0H0,L6H0,L9H1").check((6, 8))
        with pytest.raises(UserError, match=r"L1H0, L2H0, L3H0, L4H0, L5H0 and 4 more"):
            HeadSet.of((layer, 0) for layer in range(10)).check((1, 1))
        with pytest.raises(UserError, match="no L0H8"):
            HeadSet.of("L0H8").mask_LH((6, 8))

    def test_json_round_trip(self, ranking):
        for heads in (
            HeadSet.of("L4H1,L3H2"),
            HeadSet(()),
            ranking.top(12),
            ranking.random(5, seed=3, pool="lower_half"),
        ):
            assert HeadSet.from_json(json.loads(json.dumps(heads.to_json()))) == heads


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (HeadOrigin("hand"), "chosen by hand"),
        (HeadOrigin("all", n=48), "all heads"),
        (HeadOrigin("top", "mass", 12), "top 12 of mass"),
        (HeadOrigin("bottom", "tracking", 4), "bottom 4 of tracking"),
        (HeadOrigin("random", "mass", 12, 3, "all"), "random 12, seed 3"),
        (HeadOrigin("random", "mass", 12, 3, "lower_half"), "random 12 from the lower half of mass, seed 3"),
        (
            HeadOrigin("random", "mass", 2, 0, "bottom_5_percent"),
            "random 2 from the bottom 5 % of mass, seed 0",
        ),
        (HeadOrigin("layer_matched", "mass", 12, 7, "all"), "layer-matched random 12, seed 7"),
    ],
)
def test_an_origin_reads_as_a_line(origin, text):
    assert str(origin) == text


def test_an_unknown_origin_is_refused():
    with pytest.raises(ValueError, match="unknown kind"):
        HeadOrigin("luck")  # type: ignore[arg-type]


class TestRanking:
    def test_order_is_best_first_with_ties_by_layer_then_head(self):
        ranking = scored("mass", [[0.1, 0.5, np.nan], [0.5, 0.1, 0.9]])
        assert " ".join(map(str, ranking.order())) == "L1H2 L0H1 L1H0 L0H0 L1H1"
        assert ranking.shape_LH == (2, 3)

    def test_top_bottom_rank_and_score_agree(self, ranking):
        scores = [ranking.score(head) for head in ranking.order()]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 36 * 32
        for rank, head in enumerate(ranking.order(), start=1):
            assert ranking.rank_of(head) == rank
        assert min(map(ranking.score, ranking.top(100))) == scores[99]
        assert max(map(ranking.score, ranking.bottom(100))) == scores[-100]
        assert len(ranking.top(0)) == len(ranking.bottom(0)) == 0

    def test_a_larger_set_than_the_ranking_is_refused(self):
        ranking = scored("mass", [[0.1, np.nan]])
        for take in (ranking.top, ranking.bottom):
            with pytest.raises(UserError, match="2 heads cannot be taken: the ranking has 1"):
                take(2)
            with pytest.raises(UserError):
                take(-1)

    @pytest.mark.parametrize("head", [Head(0, 1), Head(5, 0)])
    def test_a_head_without_a_score_is_refused(self, head):
        ranking = scored("mass", [[0.1, np.nan]])
        with pytest.raises(UserError, match=f"no score for {head}"):
            ranking.rank_of(head)

    def test_infinite_scores_and_a_matrix_of_another_shape_are_refused(self):
        with pytest.raises(ValueError, match="infinite"):
            scored("mass", [[np.inf]])
        with pytest.raises(ValueError, match="matrix"):
            scored("mass", [[1.0]], matrix_LHRR=np.zeros((2, 1, 3, 3)))

    def test_it_can_be_renamed(self, ranking):
        assert dataclasses.replace(ranking, name="again").top(5).heads == ranking.top(5).heads


class TestControls:
    @pytest.mark.parametrize("pool", ["all", "lower_half", "bottom_5_percent"])
    def test_a_draw_is_repeatable_and_from_its_pool(self, ranking, pool):
        drawn = ranking.random(12, seed=4, pool=pool)
        assert drawn == ranking.random(12, seed=4, pool=pool)
        assert drawn.heads != ranking.random(12, seed=5, pool=pool).heads
        assert len(drawn) == 12
        assert set(drawn) <= set(ranking.pool(pool))

    def test_pool_sizes(self, ranking):
        assert [len(ranking.pool(pool)) for pool in ("all", "lower_half", "bottom_5_percent")] == [
            1152,
            576,
            58,
        ]
        assert set(ranking.pool("bottom_5_percent")) == set(ranking.bottom(58))
        with pytest.raises(ValueError, match="unknown pool"):
            ranking.pool("upper")

    def test_the_papers_pool_cannot_fill_a_hundred(self, ranking):
        with pytest.raises(UserError, match="100 heads cannot be taken: the pool “bottom 5 percent” has 58"):
            ranking.random(100, seed=0, pool="bottom_5_percent")

    def test_excluded_heads_are_never_drawn(self, ranking):
        gaze = ranking.top(1100)
        drawn = ranking.random(52, seed=0, exclude=gaze)
        assert set(drawn) == set(ranking.order()) - set(gaze)
        with pytest.raises(UserError, match="has 52"):
            ranking.random(53, seed=0, exclude=gaze)

    def test_a_layer_matched_draw_has_the_same_histogram_and_none_of_the_set(self, ranking):
        gaze = ranking.top(100)
        for seed in range(10):
            control = ranking.random(100, seed=seed, like=gaze)
            assert np.array_equal(control.layer_histogram(36), gaze.layer_histogram(36))
            assert not set(control) & set(gaze)

    def test_a_layer_without_enough_other_heads_is_named(self):
        ranking = HeadRanking("mass", np.arange(8.0).reshape(2, 4))
        with pytest.raises(UserError, match=r"3 heads cannot be taken: the part of layer 1 .* has 1"):
            ranking.random(3, seed=0, like=HeadSet.of("L1H0,L1H1,L1H2"))

    def test_a_layer_matched_draw_has_the_sets_size(self, ranking):
        with pytest.raises(ValueError, match="cannot match"):
            ranking.random(5, seed=0, like=ranking.top(6))

    def test_every_head_of_the_pool_is_drawn_about_equally_often(self):
        ranking = HeadRanking("mass", np.arange(20.0).reshape(4, 5))
        counts = np.zeros((4, 5))
        for seed in range(2000):
            counts += ranking.random(5, seed=seed).mask_LH((4, 5))
        # Binomial(2000, 1/4): standard deviation 19.4; five of them.
        assert np.abs(counts - 500).max() < 97


class TestComparison:
    def test_rank_correlation_equals_scipys_with_ties(self, rng):
        for _ in range(20):
            a = rng.integers(0, 6, (5, 7)).astype(float)
            b = a + rng.integers(0, 6, (5, 7))
            expected = spearmanr(a.ravel(), b.ravel()).statistic
            assert HeadRanking("a", a).rank_correlation(HeadRanking("b", b)) == pytest.approx(expected)

    def test_rank_correlation_of_monotone_scores_is_one(self, ranking):
        stretched = HeadRanking("b", np.exp(3 * ranking.scores_LH))
        assert ranking.rank_correlation(stretched) == pytest.approx(1)
        assert ranking.rank_correlation(HeadRanking("b", -ranking.scores_LH)) == pytest.approx(-1)

    def test_only_heads_that_both_score_count(self, rng):
        a, b = rng.random((4, 4)), rng.random((4, 4))
        expected = spearmanr(a.ravel()[1:], b.ravel()[1:]).statistic
        a[0, 0] = np.nan
        assert HeadRanking("a", a).rank_correlation(HeadRanking("b", b)) == pytest.approx(expected)

    def test_a_constant_ranking_has_no_correlation(self, rng):
        constant = HeadRanking("a", np.ones((3, 3)))
        assert np.isnan(constant.rank_correlation(HeadRanking("b", rng.random((3, 3)))))
        nothing = HeadRanking("a", np.full((3, 3), np.nan))
        assert np.isnan(nothing.rank_correlation(constant))

    def test_overlap_and_split_halves(self):
        first = scored("a", [[4.0, 3, 2, 1]])
        second = scored("b", [[1.0, 4, 3, 2]])
        assert [first.overlap(second, n) for n in range(5)] == [0, 0, 1, 2, 4]
        assert first.split_half_overlap(2) is None
        assert scored("c", [[1.0, 2, 3, 4]], halves=(first, second)).split_half_overlap(3) == 2

    def test_rankings_of_different_models_cannot_be_compared(self, ranking):
        other = HeadRanking("b", np.ones((2, 2)))
        for compare in (lambda: ranking.overlap(other, 1), lambda: ranking.rank_correlation(other)):
            with pytest.raises(UserError, match="models with different heads"):
                compare()


class TestFile:
    def test_round_trip_to_the_last_bit(self, ranking, tmp_path):
        ranking.save(tmp_path / "mine.json")
        loaded = HeadRanking.load(tmp_path / "mine.json")
        assert loaded.name == "mine"
        assert np.array_equal(loaded.scores_LH, ranking.scores_LH)
        assert loaded.order() == ranking.order()

    def test_missing_heads_have_no_score(self, tmp_path):
        scored("mass", [[0.5, np.nan], [np.nan, 0.25]]).save(tmp_path / "r.json")
        assert HeadRanking.load(tmp_path / "r.json", shape_LH=(3, 4)).order() == (Head(0, 0), Head(1, 1))
        assert HeadRanking.load(tmp_path / "r.json", name="mass").name == "mass"

    def test_heads_that_the_model_lacks_are_refused(self, ranking, tmp_path):
        ranking.save(tmp_path / "r.json")
        with pytest.raises(UserError, match="The model has no"):
            HeadRanking.load(tmp_path / "r.json", shape_LH=(28, 32))


def test_the_control_of_a_choice_is_always_the_same_and_holds_none_of_it():
    present_LH = np.ones((3, 4), dtype=bool)
    present_LH[0] = False
    chosen = HeadSet.of("L1H0,L2H3")
    control = random_control(chosen, present_LH)
    assert control is not None and len(control) == 2 and not set(control) & set(chosen)
    assert control == random_control(chosen, present_LH) and all(
        present_LH[h.layer, h.index] for h in control
    )
    assert random_control(HeadSet(()), present_LH) is None
    assert random_control(HeadSet.all((3, 4)), present_LH) is None
