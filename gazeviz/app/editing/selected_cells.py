"""Which image tokens each region selects, kept up to date while it is painted.

The rule is gazeviz.domain.grid's; this room only asks again about those cells that a change can have reached,
so that a dab on a picture of 16 megapixels costs a few cells and not a sum over the picture. Unlike there, a
region that selects nothing is no error: it selects nothing yet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.editing.regions import EditableRegion
from gazeviz.app.session.values import DirtyBox
from gazeviz.domain.grid import Rule, TokenGrid
from gazeviz.domain.region import Region


class SelectedCells:
    """Remembers the selection of every region for one grid and one rule."""

    def __init__(self, grid: TokenGrid, rule: Rule, share: float) -> None:
        self._grid, self._rule, self._share = grid, rule, share
        width_px, height_px = grid.picture_size_px
        upper = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
        # A token without a place becomes an empty box in the corner, which nothing touches.
        self._clipped_P4 = np.clip(np.nan_to_num(grid.boxes_P4, nan=0.0), 0.0, upper)
        self._known: dict[int, tuple[int, NDArray[np.bool_]]] = {}

    def of(self, region: EditableRegion) -> NDArray[np.int64]:
        """Selected image tokens, ascending, int64; none where the region belongs to another picture."""
        if region.size_px != self._grid.picture_size_px:
            return np.zeros(0, dtype=np.int64)
        revision, selected_P = self._known.get(region.id, (None, None))
        if selected_P is None or revision != region.revision:
            selected_P = np.zeros(self._grid.n_tokens, dtype=np.bool_)
            self._refresh(region, selected_P, np.arange(self._grid.n_tokens))
            self._known[region.id] = region.revision, selected_P
        return np.flatnonzero(selected_P).astype(np.int64)

    def painted(self, region: EditableRegion, box_px: DirtyBox) -> None:
        """A box of a region has changed: look at the cells again that touch it."""
        revision, selected_P = self._known.get(region.id, (None, None))
        if selected_P is None or revision != region.revision - 1:
            self._known.pop(region.id, None)  # unknown, or something was missed: asked anew when wanted
            return
        x0, y0, x1, y1 = self._clipped_P4.T
        bx0, by0, bx1, by1 = box_px
        touched = np.flatnonzero((x0 < bx1) & (bx0 < x1) & (y0 < by1) & (by0 < y1))
        self._refresh(region, selected_P, touched)
        self._known[region.id] = region.revision, selected_P

    def _refresh(self, region: EditableRegion, selected_P: NDArray[np.bool_], of: NDArray[np.intp]) -> None:
        """Select anew among some cells, looking at no more of the mask than they cover."""
        selected_P[of] = False
        if not of.size:
            return
        x0, y0 = np.floor(self._clipped_P4[of, :2].min(axis=0)).astype(int).tolist()
        x1, y1 = np.ceil(self._clipped_P4[of, 2:].max(axis=0)).astype(int).tolist()
        part_HW = region.mask_HW[y0:y1, x0:x1]
        if not part_HW.any():
            return
        size_px = (x1 - x0, y1 - y0)
        part = TokenGrid(self._grid.boxes_P4[of] - np.array([x0, y0, x0, y0]), size_px, size_px)
        selected_P[of[part.watched_tokens(Region(region.name, part_HW), self._rule, self._share)]] = True
