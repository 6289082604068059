"""A step becomes a row: what is summed over which heads."""

import numpy as np

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.region import Region
from gazeviz.domain.run import Step
from gazeviz.engine.generation.observer import StepObserver

SIZE_PX = (40, 20)
GRID = TokenGrid.plain((1, 2), SIZE_PX, SIZE_PX)
LEFT, RIGHT = Region.box("Left", (0, 0, 20, 20), SIZE_PX), Region.box("Right", (20, 0, 40, 20), SIZE_PX)
ROWS_HP = np.array([[0.1, 0.3], [0.3, 0.5], [0.5, 0.1]], dtype=np.float32)
NORMS_HP = np.array([[1, 1], [2, 1], [1, 3]], dtype=np.float32)


def observer(control=(2,), chosen=(0, 1), norms=lambda: NORMS_HP) -> StepObserver:
    return StepObserver(
        GRID, (LEFT, RIGHT), "centre", 0.5, chosen=chosen, control=control, value_norms=norms
    )  # fmt: skip


def step(rows_HP=ROWS_HP, index=4) -> Step:
    return Step(index, 17, "cat", -0.5, "Right", rows_HP, 3.0)


def test_masses_and_map_are_the_chosen_heads_and_control_is_the_others():
    row = observer().observe(9, step())
    assert row.control_R is not None
    assert (row.job, row.index, row.token_id, row.text, row.target, row.ms) == (9, 4, 17, "cat", "Right", 3.0)
    np.testing.assert_allclose(row.masses_R, [0.2, 0.4], rtol=1e-6)
    np.testing.assert_allclose(row.weighted_R, [0.35, 0.4], rtol=1e-6)
    np.testing.assert_allclose(row.control_R, [0.5, 0.1], rtol=1e-6)
    np.testing.assert_allclose(row.map_P, [0.2, 0.4], rtol=1e-6)
    assert row.looks_at == 1


def test_without_control_none_is_written():
    assert observer(control=None).observe(0, step()).control_R is None


def test_without_heads_there_is_nothing_to_see():
    for watched, seen in ((observer(chosen=()), step()), (observer(), step(rows_HP=None))):
        row = watched.observe(0, seen)
        assert (row.masses_R.size, row.weighted_R.size, row.map_P.size) == (0, 0, 0)
        assert row.control_R is None and row.looks_at is None


def test_norms_are_asked_for_until_they_are_known():
    known = [None, NORMS_HP]
    watched = observer(norms=lambda: known.pop(0))
    np.testing.assert_allclose(watched.observe(0, step()).weighted_R, [0.2, 0.4], rtol=1e-6)
    for _ in range(2):
        np.testing.assert_allclose(watched.observe(0, step()).weighted_R, [0.35, 0.4], rtol=1e-6)
