"""The token grid: where on the picture each image token looks, and which tokens a region selects.

A cell is one image token's rectangle of picture pixels.  Grids may be plain (rows and columns over the
whole picture), cropped, tiled with an overlapping thumbnail, or hold tokens without a place (separators,
newlines).  How a model family lays its tokens out is not known here (engine.families).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

Rule: TypeAlias = Literal["centre", "share"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True, eq=False)
class TokenGrid(HoldsArrays):
    """The layout of a picture's image tokens, in the order in which the model reads them.

    boxes_P4: float64 (P, 4), read-only: x0, y0, x1, y1 of each cell in *picture* pixels; a row of NaN
        for a token without a place.  Cells may overlap and may reach beyond the picture.
    picture_size_px, fed_size_px: width and height of the picture, and of what the model is fed.
    shape_RC: rows and columns when the cells are one plain row-major grid, else None.
    note: one sentence on the layout for a person to read, "" when there is nothing to say.
    """

    boxes_P4: NDArray[np.float64]
    picture_size_px: tuple[int, int]
    fed_size_px: tuple[int, int]
    shape_RC: tuple[int, int] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        boxes_P4 = read_only(self.boxes_P4, np.float64, "P4")
        if boxes_P4.shape[1] != 4:
            raise ValueError(f"expected boxes (P, 4), got {boxes_P4.shape}")
        object.__setattr__(self, "boxes_P4", boxes_P4)
        if self.shape_RC is not None and self.shape_RC[0] * self.shape_RC[1] != len(boxes_P4):
            raise ValueError(f"{len(boxes_P4)} cells are no grid of {self.shape_RC}")

    @classmethod
    def plain(
        cls,
        shape_RC: tuple[int, int],
        picture_size_px: tuple[int, int],
        fed_size_px: tuple[int, int],
        note: str = "",
    ) -> TokenGrid:
        """Build rows x columns equal cells that cover the whole picture, row by row."""
        width_px, height_px = picture_size_px
        boxes_P4 = even_boxes(shape_RC, (0.0, 0.0, width_px, height_px))
        return cls(boxes_P4, picture_size_px, fed_size_px, shape_RC, note)

    @property
    def n_tokens(self) -> int:
        """Number of image tokens P, those without a place among them."""
        return len(self.boxes_P4)

    @property
    def cell_size_px(self) -> tuple[float, float]:
        """Median width and height of a cell in picture pixels; NaN when no token has a place."""
        placed_P4 = self.boxes_P4[~np.isnan(self.boxes_P4).any(axis=1)]
        if not len(placed_P4):
            return float("nan"), float("nan")
        width_px, height_px = np.median(placed_P4[:, 2:] - placed_P4[:, :2], axis=0)
        return float(width_px), float(height_px)

    def tokens(self, region: Region, rule: Rule = "centre", share: float = 0.5) -> NDArray[np.int64]:
        """Return the image tokens that a region selects: ascending indices, int64, 0 <= index < P.

        rule "centre": cells whose centre lies in the region.
        rule "share": cells of whose area inside the picture at least `share`, in (0, 1], is covered.
        Raises UserError when the region belongs to a picture of another size, or selects no cell.
        """
        tokens = self.watched_tokens(region, rule, share)
        if not tokens.size:
            raise self._nothing_selected(region, rule, share)
        return tokens

    def watched_tokens(self, region: Region, rule: Rule = "centre", share: float = 0.5) -> NDArray[np.int64]:
        """Return `tokens` for a region that nothing is pointed at: none, where it selects no cell.

        Raises UserError when the region belongs to a picture of another size.
        """
        self._check_size(region)
        check_rule(rule, share)
        if rule == "centre":
            selected_P = self._centre_in(region)
        else:
            # The tolerance keeps a cell that is covered by exactly `share` despite rounding.
            selected_P = self.covered_share(region) >= share - 1e-9
        return np.flatnonzero(selected_P).astype(np.int64)

    def covered_share(self, region: Region) -> NDArray[np.float64]:
        """Return each cell's covered share of its area inside the picture, float64 (P,) in [0, 1].

        Exact for cells with fractional edges; 0 for tokens without a place in the picture.
        """
        self._check_size(region)
        clipped_P4 = self._clipped()
        area_P = (clipped_P4[:, 2] - clipped_P4[:, 0]) * (clipped_P4[:, 3] - clipped_P4[:, 1])
        covered_P = _mask_integral(region.mask_HW, clipped_P4)
        share_P = np.divide(covered_P, area_P, out=np.zeros_like(area_P), where=area_P > 0)
        return np.clip(share_P, 0.0, 1.0)

    def picture_map(self, values_P: ArrayLike, size_px: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """Spread one value per image token over the picture: float32 (H, W).

        size_px: width and height of the map, by default the picture's; a smaller one is faster.
        A pixel takes the value of the cell that its centre lies in, the mean where cells overlap, and 0
        where there is none.  Raises ValueError unless there is one value for each token.
        """
        values = np.asarray(values_P, dtype=np.float32)
        if values.shape != (self.n_tokens,):
            raise ValueError(f"expected {self.n_tokens} values, got shape {values.shape}")
        width_px, height_px = size_px or self.picture_size_px
        total_HW = np.zeros((height_px, width_px), dtype=np.float32)
        count_HW = np.zeros((height_px, width_px), dtype=np.uint16)
        boxes = self._pixel_boxes((width_px, height_px)).tolist()
        for (x0, y0, x1, y1), value in zip(boxes, values, strict=True):
            total_HW[y0:y1, x0:x1] += value
            count_HW[y0:y1, x0:x1] += 1
        if count_HW.max() > 1:
            total_HW /= np.maximum(count_HW, 1)
        return total_HW

    def seen_HW(self) -> NDArray[np.bool_]:
        """Return which pixels any cell covers, bool (H, W): what the model is fed of the picture."""
        width_px, height_px = self.picture_size_px
        seen_HW = np.zeros((height_px, width_px), dtype=bool)
        for x0, y0, x1, y1 in self._pixel_boxes(self.picture_size_px):
            seen_HW[y0:y1, x0:x1] = True
        return seen_HW

    def token_at(self, x_px: float, y_px: float) -> NDArray[np.int64]:
        """Return the tokens whose cells contain a point of the picture, int64; several in an overlap."""
        x0, y0, x1, y1 = self.boxes_P4.T
        return np.flatnonzero((x0 <= x_px) & (x_px < x1) & (y0 <= y_px) & (y_px < y1)).astype(np.int64)

    def boxes_of(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cells x0, y0, x1, y1 of some tokens, float64 (N, 4)."""
        return self.boxes_P4[np.asarray(indices, dtype=np.int64)]

    def _clipped(self) -> NDArray[np.float64]:
        """Cells cut at the picture's edges; a token without a place becomes an empty box."""
        width_px, height_px = self.picture_size_px
        upper = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
        return np.clip(np.nan_to_num(self.boxes_P4, nan=0.0), 0.0, upper)

    def _pixel_boxes(self, size_px: tuple[int, int]) -> NDArray[np.int64]:
        """Cells as half-open ranges of the pixels whose centres they contain on a map of a size, (P, 4)."""
        scale = np.tile(np.divide(size_px, self.picture_size_px), 2)
        # Rounding first: neighbours' shared edges may differ in the last bits and must not leave a gap.
        edges_P4 = np.round(self._clipped() * scale, 6)
        return np.asarray(np.ceil(edges_P4 - 0.5), dtype=np.int64)

    def _centre_in(self, region: Region) -> NDArray[np.bool_]:
        width_px, height_px = self.picture_size_px
        x_P = (self.boxes_P4[:, 0] + self.boxes_P4[:, 2]) / 2
        y_P = (self.boxes_P4[:, 1] + self.boxes_P4[:, 3]) / 2
        inside_P = (x_P >= 0) & (x_P < width_px) & (y_P >= 0) & (y_P < height_px)  # False for NaN
        rows, columns = y_P[inside_P].astype(np.int64), x_P[inside_P].astype(np.int64)
        inside_P[inside_P] = region.mask_HW[rows, columns]
        return inside_P

    def _check_size(self, region: Region) -> None:
        if region.size_px != self.picture_size_px:
            raise UserError(
                f"The region “{region.name}” belongs to a picture of {_by(region.size_px)} px, "
                f"this one has {_by(self.picture_size_px)} px.",
                next_step="Paint the region on this picture.",
            )

    def _nothing_selected(self, region: Region, rule: Rule, share: float) -> UserError:
        if not (self.seen_HW() & region.mask_HW).any():
            return UserError(
                f"The region “{region.name}” lies in a part of the picture that the model is not shown.",
                next_step="Paint where the cells are, or use a picture that is not cropped.",
            )
        x0, y0, x1, y1 = region.box_px
        missed = "contains no cell's centre" if rule == "centre" else f"covers no cell by {share:.0%}"
        other = "choose the rule “share”" if rule == "centre" else "choose a smaller share"
        width_px, height_px = self.cell_size_px
        return UserError(
            f"The region “{region.name}” of {x1 - x0} x {y1 - y0} px {missed}; "
            f"a cell has {width_px:.0f} x {height_px:.0f} px.",
            next_step=f"Enlarge the region, {other}, or let the model use more image tokens.",
        )


def check_rule(rule: str, share: float) -> None:
    """Raise UserError unless `rule` is a selection rule and `share` is in (0, 1]."""
    if rule not in RULES:
        raise UserError(
            f"“{rule}” is no rule for selecting cells.", next_step=f"Choose one of: {', '.join(RULES)}."
        )
    if not 0 < share <= 1:
        raise UserError(
            f"A cell cannot be selected by a share of {share}.",
            next_step="Choose a share above 0 and up to 1.",
        )


def even_boxes(shape_RC: tuple[int, int], box_px: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Divide a box into rows x columns equal cells, row by row: float64 (R * C, 4)."""
    n_rows, n_cols = shape_RC
    x_edges = np.linspace(box_px[0], box_px[2], n_cols + 1)
    y_edges = np.linspace(box_px[1], box_px[3], n_rows + 1)
    x0_RC, y0_RC = np.meshgrid(x_edges[:-1], y_edges[:-1])
    x1_RC, y1_RC = np.meshgrid(x_edges[1:], y_edges[1:])
    return np.stack([x0_RC, y0_RC, x1_RC, y1_RC], axis=-1).reshape(-1, 4)


def _mask_integral(mask_HW: NDArray[np.bool_], boxes_P4: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covered area inside each box, exact for fractional edges.

    The summed-area table of a piecewise constant picture is bilinear between its entries, so
    interpolating it at the four corners gives the integral itself.
    """
    height_px, width_px = mask_HW.shape
    table = np.zeros((height_px + 1, width_px + 1))
    table[1:, 1:] = mask_HW.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)

    def area_up_to(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        column = np.minimum(x.astype(np.int64), width_px - 1)
        row = np.minimum(y.astype(np.int64), height_px - 1)
        dx, dy = x - column, y - row
        above = table[row, column] * (1 - dx) + table[row, column + 1] * dx
        below = table[row + 1, column] * (1 - dx) + table[row + 1, column + 1] * dx
        return np.asarray(above * (1 - dy) + below * dy)

    x0, y0, x1, y1 = boxes_P4.T
    return area_up_to(x1, y1) - area_up_to(x0, y1) - area_up_to(x1, y0) + area_up_to(x0, y0)


def _by(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]}"
