"""The token grid that a run's own figures prove, for runs whose grid was not written down.

A run keeps its masses on regions beside its maps, and the mass on a region is the sum of the map over the
region's cells: a grid is believed only where that holds. Only plain grids over a whole picture can be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import LoggedRun

_SAME_MASS: Final = 1e-4
_FLATTEST: Final = 4.0
"""Sides of a cell in what the model is fed, one to the other: real ones are square."""


def proven_grid(run: LoggedRun) -> TokenGrid | None:
    """Return the plain grid that explains every mass of the run; None where no region can prove one."""
    regions = run.spec.regions
    if not run.steps or not regions:
        return None
    size_px = regions[0].size_px
    fed_px = run.summary.request.fed_size_px if run.summary else size_px
    candidates = [
        TokenGrid.plain(shape, size_px, fed_px) for shape in _shapes(len(run.steps[0].map_P), fed_px)
    ]
    explaining = [grid for grid in candidates if _explains(grid, run)]
    return explaining[0] if len(explaining) == 1 else None


def _shapes(n_tok: int, fed_px: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Rows and columns that make so many cells, of a shape that cells can have."""
    for rows in range(1, n_tok + 1):
        columns, rest = divmod(n_tok, rows)
        aspect = (fed_px[0] / columns) / (fed_px[1] / rows) if columns else 0.0
        if not rest and 1 / _FLATTEST <= aspect <= _FLATTEST:
            yield rows, columns


def _explains(grid: TokenGrid, run: LoggedRun) -> bool:
    """Whether each mass is the sum of its map over the region's cells, and one region at least has cells."""
    spec = run.spec
    if any(region.size_px != grid.picture_size_px for region in spec.regions):
        return False
    tokens = [grid.watched_tokens(region, spec.rule, spec.share) for region in spec.regions]
    for step in run.steps:
        if len(step.map_P) != grid.n_tokens or len(step.masses_R) != len(tokens):
            return False
        sums = [float(step.map_P[cells].sum(dtype=np.float64)) for cells in tokens]
        if not np.allclose(sums, step.masses_R, rtol=0.0, atol=_SAME_MASS):
            return False
    return bool(np.any([step.masses_R for step in run.steps]))
