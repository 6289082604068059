"""The grid that a run proves: found where its masses fit, refused where they do not or prove nothing."""

from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.domain.region import Region
from tests.render.made_runs import GRID, PANELS, SIZE_PX, made_run, made_steps

CORNER = Region.box("corner", (0, 0, 45, 22), SIZE_PX)


def test_the_grid_of_a_run_is_found() -> None:
    grid = proven_grid(made_run())
    assert grid is not None
    assert grid.shape_RC == GRID.shape_RC
    assert np.array_equal(grid.boxes_P4, GRID.boxes_P4)


@pytest.mark.parametrize("shape_RC", [(2, 8), (4, 4), (8, 16), (3, 10)])
def test_other_shapes_are_found_too(shape_RC: tuple[int, int]) -> None:
    grid = TokenGrid.plain(shape_RC, SIZE_PX, SIZE_PX)
    run = made_run(regions=(CORNER, PANELS[2]), looks=(0, 1, 1, 0))
    run.steps = made_steps(("a", "b"), (0, 1), (CORNER, PANELS[2]), grid=grid)
    found = proven_grid(run)
    assert found is not None
    assert found.shape_RC == shape_RC


def test_masses_that_fit_no_grid_prove_none() -> None:
    run = made_run()
    run.steps = tuple(replace(step, masses_R=step.masses_R[::-1] + 0.01) for step in run.steps)
    assert proven_grid(run) is None


def test_without_regions_masses_or_tokens_nothing_is_proven() -> None:
    run = made_run()
    assert proven_grid(made_run(regions=())) is None
    run.steps = tuple(replace(step, masses_R=step.masses_R * 0, map_P=step.map_P * 0) for step in run.steps)
    assert proven_grid(run) is None
    run.steps = ()
    assert proven_grid(run) is None


def test_a_region_without_a_cell_is_no_obstacle() -> None:
    speck = Region.box("speck", (1, 1, 2, 2), SIZE_PX)
    run = made_run()
    run.spec = replace(run.spec, regions=(*PANELS, speck))
    run.steps = tuple(replace(step, masses_R=np.append(step.masses_R, 0)) for step in run.steps)
    found = proven_grid(run)
    assert found is not None
    assert found.shape_RC == GRID.shape_RC
