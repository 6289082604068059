"""Selected cells: the same as the token grid says, however the region came to be painted."""

import numpy as np
import pytest

from gazeviz.app.editing import painting
from gazeviz.app.editing.painting import Stroke
from gazeviz.app.editing.regions import EditableRegion, RegionLook
from gazeviz.app.editing.selected_cells import SelectedCells
from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.errors import UserError

SIZE_PX = (97, 61)


def overlapping_grid() -> TokenGrid:
    """Two tilings over each other, a cell beyond the edge, and tokens without a place."""
    boxes_P4 = np.concatenate(
        [
            even_boxes((5, 7), (0, 0, 97, 61)),
            even_boxes((2, 3), (0, 0, 97, 61)),
            [[80, 40, 120, 90], [-30, -30, -5, -5]],
            np.full((2, 4), np.nan),
        ]
    )
    return TokenGrid(boxes_P4, SIZE_PX, SIZE_PX)


def region_of(mask_HW: np.ndarray) -> EditableRegion:
    return EditableRegion(1, RegionLook("Cat", "#0072B2"), mask_HW)


def as_the_grid_says(grid, region, rule, share):
    try:
        return grid.tokens(region.as_region(), rule, share).tolist()
    except UserError:
        return []


@pytest.mark.parametrize(
    ("rule", "share"), [("centre", 0.5), ("share", 0.5), ("share", 0.01), ("share", 1.0)]
)
def test_selection_follows_every_dab(rng, rule, share):
    grid = overlapping_grid()
    region = region_of(np.zeros(SIZE_PX[::-1], dtype=bool))
    cells = SelectedCells(grid, rule, share)
    assert cells.of(region).tolist() == []
    for number in range(40):
        stroke = Stroke(region.mask_HW, erase=number % 3 == 2)
        a, b = rng.uniform((-5, -5), (100, 66), size=(2, 2)).tolist()
        box = stroke.extend(painting.capsule(a, b, rng.uniform(1, 40), SIZE_PX))
        if box is None:
            continue
        region.revision += 1
        cells.painted(region, box)
        assert cells.of(region).tolist() == as_the_grid_says(grid, region, rule, share)


def test_a_missed_change_is_asked_about_anew():
    grid = TokenGrid.plain((2, 2), (20, 20), (20, 20))
    region = region_of(np.zeros((20, 20), dtype=bool))
    cells = SelectedCells(grid, "centre", 0.5)
    assert cells.of(region).size == 0
    region.mask_HW[:10, :10] = True
    region.revision += 1  # nobody has told the cells of this one
    region.mask_HW[10:, 10:] = True
    region.revision += 1
    cells.painted(region, (10, 10, 20, 20))
    assert cells.of(region).tolist() == [0, 3]


def test_a_region_of_another_picture_selects_nothing():
    cells = SelectedCells(TokenGrid.plain((2, 2), (20, 20), (20, 20)), "centre", 0.5)
    assert cells.of(region_of(np.ones((10, 10), dtype=bool))).tolist() == []


def test_only_the_mask_under_touched_cells_is_read():
    size_px = (4096, 4096)
    grid = TokenGrid.plain((32, 32), size_px, size_px)
    region = region_of(np.zeros(size_px[::-1], dtype=bool))
    cells = SelectedCells(grid, "share", 0.5)
    cells.of(region)
    region.mask_HW[0:128, 0:128] = True
    region.mask_HW[4000:, 4000:] = True  # not told, so not seen
    region.revision += 1
    cells.painted(region, (0, 0, 128, 128))
    assert cells.of(region).tolist() == [0]
