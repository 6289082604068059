"""Runs: requests that repeat themselves from JSON, trajectories and the rerouting ledger."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, Run, RunRequest, Sampling, Step, Trajectory, mass_by_region
from gazeviz.domain.steering import GROUP_NAMES, Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.errors import UserError

SIZE_PX = (96, 16)
PANELS = panel_regions(Layout(1, 6), *SIZE_PX)
GRID = TokenGrid.plain((2, 12), SIZE_PX, (384, 64))  # 2 x 2 cells a panel
TRACKED = HeadSet.of("L2H0,L2H3,L4H1")


def request(**changes) -> RunRequest:
    return RunRequest(
        **{
            "model_path": "comic-vlm",
            "model_fingerprint": "ab12",
            "dtype": "float32",
            "device": "cpu",
            "attention": "gazeviz",
            "prompt": "What happens?",
            "image_sha256": "cd34",
            "picture_size_px": SIZE_PX,
            "fed_size_px": (384, 64),
            "tracked": TRACKED,
            "versions": {"torch": "2.13.0"},
            **changes,
        }
    )


def run(rows_THP, text="red cat", value_norms_HP=None, tracked=TRACKED, **changes) -> Run:
    steps = tuple(
        Step(t, 100 + t, f"word{t}", -0.5, "Panel 1", rows_HP) for t, rows_HP in enumerate(rows_THP)
    )
    return Run(request(**changes), text, steps, "stop", None, tracked, value_norms_HP, GRID)


class TestSampling:
    def test_zero_is_greedy(self):
        assert Sampling().greedy
        assert not Sampling(temperature=0.7).greedy

    @pytest.mark.parametrize(
        "values", [{"temperature": -1}, {"temperature": float("nan")}, {"temperature": float("inf")},
                   {"top_p": 0}, {"top_p": 1.1}, {"top_p": float("nan")},
                   {"repetition_penalty": 0}, {"repetition_penalty": float("nan")},
                   {"no_repeat_ngram_tok": -1}],
    )  # fmt: skip
    def test_out_of_range_is_refused(self, values):
        with pytest.raises(UserError, match="cannot be"):
            Sampling(**values)

    def test_plans_from_before_keep_their_words(self):
        assert Sampling().to_json() == {"temperature": 0.0, "top_p": 1.0, "seed": 0}
        held = Sampling(repetition_penalty=1.2, no_repeat_ngram_tok=3)
        assert Sampling(**held.to_json()) == held

    def test_what_changes_nothing_is_equal_in_effect(self):
        assert Sampling(seed=3).effective == Sampling(top_p=0.5).effective == Sampling()
        assert Sampling(repetition_penalty=1.2).effective != Sampling()
        assert Sampling(0.5, seed=3).effective != Sampling(0.5).effective


class TestMassByRegion:
    def test_equals_sums_written_out(self, rng):
        rows_THP, norms_HP = rng.random((5, 3, 24), dtype=np.float32), rng.random((3, 24), dtype=np.float32)
        tokens = [[0, 1, 12, 13], [5], []]
        raw, weighted = mass_by_region(rows_THP, tokens), mass_by_region(rows_THP, tokens, norms_HP)
        assert raw.shape == (5, 3)
        assert raw.dtype == np.float32
        for t, r in np.ndindex(5, 3):
            assert raw[t, r] == pytest.approx(
                np.mean([sum(rows_THP[t, h, p] for p in tokens[r]) for h in range(3)]), rel=1e-5
            )
            assert weighted[t, r] == pytest.approx(
                np.mean([sum(rows_THP[t, h, p] * norms_HP[h, p] for p in tokens[r]) for h in range(3)]),
                rel=1e-5,
            )

    def test_no_step_gives_no_row(self):
        assert mass_by_region(np.zeros((0, 3, 24), np.float32), [[1]]).shape == (0, 1)

    def test_no_head_is_refused(self):
        with pytest.raises(ValueError, match="no head"):
            mass_by_region(np.zeros((2, 0, 24), np.float32), [[1]])


class TestTrajectory:
    def test_a_staircase(self):
        rows = []
        for panel in range(6):
            row_P = np.zeros(24, np.float32)
            row_P[GRID.tokens(PANELS[panel])] = 0.2
            rows.append(np.stack([row_P] * 3))
        trajectory = run(rows).trajectory(PANELS)
        assert np.allclose(trajectory.masses_TR, 0.8 * np.eye(6))
        assert trajectory.names[2] == "Panel 3"
        assert trajectory.leader_T.tolist() == [0, 1, 2, 3, 4, 5]

    def test_panels_share_out_the_image_mass(self, rng):
        rows_THP = rng.dirichlet(np.ones(30), (7, 3))[..., :24].astype(np.float32)
        finished = run(rows_THP)
        masses_TR = finished.trajectory(PANELS).masses_TR
        assert np.allclose(masses_TR.sum(axis=1), rows_THP.sum(axis=2).mean(axis=1), rtol=1e-5)
        assert np.array_equal(finished.rows_THP, rows_THP)
        assert finished.token_ids == tuple(range(100, 107))

    def test_weighted_by_value_norms(self, rng):
        rows_THP, norms_HP = rng.random((4, 3, 24), dtype=np.float32), rng.random((3, 24), dtype=np.float32)
        tokens = [GRID.tokens(panel) for panel in PANELS]
        trajectory = run(rows_THP, value_norms_HP=norms_HP).trajectory(PANELS, weighted=True)
        assert trajectory.weighted
        assert np.array_equal(trajectory.masses_TR, mass_by_region(rows_THP, tokens, norms_HP))

    def test_cells_are_selected_as_the_steering_did(self):
        rows_THP = np.ones((1, 3, 24), np.float32)
        sliver = Region.box("sliver", (0, 0, 2, 16), SIZE_PX)  # a quarter of two cells, no centre
        steering = Steering(TRACKED, sliver, rule="share", share=0.2)
        assert run(rows_THP, steering=steering).trajectory([sliver]).masses_TR.tolist() == [[2.0]]
        with pytest.raises(UserError, match="no cell's centre"):
            run(rows_THP).trajectory([sliver])
        assert run(rows_THP).trajectory([sliver], rule="share", share=0.2).masses_TR.tolist() == [[2.0]]

    def test_what_was_not_kept_is_refused(self):
        with pytest.raises(UserError, match="kept no attention"):
            run([None, None]).trajectory(PANELS)
        with pytest.raises(UserError, match="kept no attention"):
            assert run([], tracked=HeadSet(())).rows_THP is None
        with pytest.raises(UserError, match="kept no value norms"):
            run(np.ones((1, 3, 24))).trajectory(PANELS, weighted=True)

    def test_a_run_cancelled_before_its_first_token(self):
        assert run([]).rows_THP.shape == (0, 3, 24)
        assert run([]).trajectory(PANELS).masses_TR.shape == (0, 6)

    def test_one_column_for_each_name(self):
        with pytest.raises(ValueError, match="columns"):
            Trajectory(np.zeros((3, 2), np.float32), ("one",))


class TestLedger:
    BEFORE, AFTER = (0.3, 0.2, 0.3, 0.1, 0.1), (0.1, 0.1, 0.05, 0.7, 0.05)

    def test_what_the_target_gained_others_lost(self):
        account = Account.of(self.BEFORE, self.AFTER)
        assert account.gained_G.sum() == pytest.approx(0)
        assert account.gained_G.tolist() == pytest.approx([-0.2, -0.1, -0.25, 0.6, -0.05])
        assert account.to_json()["target"] == {"before": 0.1, "after": 0.7}
        assert tuple(account.to_json()) == GROUP_NAMES

    def test_the_audits_masses_are_the_ledgers(self):
        audit = Audit.of(12, 40, 4, Account.of(self.BEFORE, self.AFTER))
        assert (audit.mass_before, audit.mass_after) == (0.1, 0.7)
        assert json.loads(json.dumps(audit.to_json()))["ledger"]["target"]["after"] == 0.7

    @pytest.mark.parametrize("wrong", [(0.5, 0.5), (0.5, 0.1, 0.1, 0.1, 0.1), (np.nan, 0.2, 0.3, 0.1, 0.1)])
    def test_masses_that_do_not_sum_to_one_are_a_bug(self, wrong):
        with pytest.raises(ValueError, match="sum to 1"):
            Account.of(self.BEFORE, wrong)


class TestRequest:
    def test_json_round_trip_of_everything(self):
        schedule = Schedule.every(12, PANELS[1:4])
        full = request(
            steering=Steering(TRACKED, PANELS[1], strength="hard", schedule=schedule),
            sampling=Sampling(0.7, 0.9, 5),
            target_tokens=(("Panel 2", (2, 3, 14, 15)),),
            max_image_tokens=1280,
        )
        for asked in (request(), full):
            again = RunRequest.from_json(json.loads(json.dumps(asked.to_json())))
            assert again == asked
            assert hash(again) == hash(asked)

    def test_every_field_is_in_the_json(self):
        names = {field.name for field in dataclasses.fields(RunRequest)}
        assert set(request().to_json()) == names

    def test_no_token_is_no_answer(self):
        with pytest.raises(UserError, match="cannot have 0 new tokens"):
            request(max_new_tokens=0)


def test_a_run_can_be_seen_with_fewer_heads(rng):
    rows_THP, norms_HP = rng.random((2, 3, 24), dtype=np.float32), rng.random((3, 24), dtype=np.float32)
    fewer = run(rows_THP, value_norms_HP=norms_HP).watching(HeadSet.of("L2H3,L4H1"))
    np.testing.assert_array_equal(fewer.rows_THP, rows_THP[:, 1:])
    np.testing.assert_array_equal(fewer.value_norms_HP, norms_HP[1:])
    assert fewer.tracked == fewer.request.tracked == HeadSet.of("L2H3,L4H1")


def test_a_run_says_whether_it_is_junk():
    assert run([], text="").junk == "empty"
    assert run([], text="red cat jumps").junk is None


def test_a_run_survives_a_pipe(rng):
    finished = run(rng.random((2, 3, 24), dtype=np.float32), value_norms_HP=np.ones((3, 24)))
    again = pickle.loads(pickle.dumps(finished))
    assert np.array_equal(again.rows_THP, finished.rows_THP)
    assert again.request == finished.request
    with pytest.raises(ValueError, match="read-only"):
        again.tokens[0].rows_HP[0, 0] = 1
