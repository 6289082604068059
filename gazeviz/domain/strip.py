"""Strips: one picture made of panels, and the layouts that say where the panels are.

Panels are regions with an order: row by row, from the left.  The picture itself is opaque here, so that
this room needs no imaging library; panel detection works on plain pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.uneven_panels import Box, uneven_boxes
from gazeviz.errors import UserError

_MAX_PANELS = 64
_LINE_TOLERANCE = 24  # of 255: what JPEG leaves of a line of one colour
_SIZE_TOLERANCE = 0.15  # how far a panel may be from the median panel's size
_SMALLEST_PART = 0.3  # of a picture: what its margins leave of it, if it is a strip
_WIDEST_GUTTER = 0.25  # of a panel
_EDGE_PX = 3  # lines in which a panel begins: JPEG blurs its edge
_MOST = 0.9  # of a line: the rest is corners and noise
_SMALLEST_SIDE = 0.25  # of a panel's side: what must differ from the gutter beside it
_UNEVEN = re.compile(r"\d{1,2}x\d{1,2}( \d{1,6},\d{1,6},\d{1,6},\d{1,6}){1,64}")


@dataclass(frozen=True, order=True)
class Layout:
    """Rows and columns of equal panels, "1x6"; or panels where a picture's gutters leave them.

    boxes_px: the panels in reading order where they are not equal divisions, else (). Then `rows` and `cols`
    are the rows of panels, and the panels of the longest.
    """

    rows: int
    cols: int
    boxes_px: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        if min(self.rows, self.cols) < 1 or self.n > _MAX_PANELS:
            raise UserError(
                f"A strip cannot have {self.rows} rows of {self.cols} panels.",
                next_step=f"Choose at least one row and column, and at most {_MAX_PANELS} panels.",
            )

    def __str__(self) -> str:
        boxes = " ".join(",".join(map(str, box)) for box in self.boxes_px)
        return f"{self.rows}x{self.cols}" + (f" {boxes}" if boxes else "")

    @property
    def n(self) -> int:
        """Number of panels."""
        return len(self.boxes_px) or self.rows * self.cols

    @classmethod
    def parse(cls, text: str) -> Layout:
        """Read "1x6" (rows, columns), and what `str` makes of uneven panels; all else is a UserError.

        x may be a real multiplication sign.
        """
        shape, *boxes = text.split(" ") if _UNEVEN.fullmatch(text) else [text]
        if boxes:
            x0_y0_x1_y1 = [tuple(map(int, box.split(","))) for box in boxes]
            return replace(cls.parse(shape), boxes_px=tuple((a, b, c, d) for a, b, c, d in x0_y0_x1_y1))
        match = re.fullmatch(r"\s*(\d{1,3})\s*[x*\u00d7]\s*(\d{1,3})\s*", text, re.IGNORECASE)
        if match is None:
            raise UserError(
                f"“{text.strip()}” is no panel layout.",
                next_step="Write rows x columns, like 1x6 for six panels in a row.",
            )
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class Strip:
    """One picture made of panels: what discovery takes.

    image: a picture as the engine opens it; opaque here.
    captions: what each panel shows, one per panel, or () when nobody has said.
    """

    image: Any
    panels: tuple[Region, ...]
    captions: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if not self.panels:
            raise UserError(
                f"The strip “{self.name}” has no panels.", next_step="Choose a layout, or paint its panels."
            )
        if len({panel.size_px for panel in self.panels}) > 1:
            raise UserError(
                f"The panels of the strip “{self.name}” belong to pictures of different sizes.",
                next_step="Paint all panels on this picture.",
            )
        if self.captions and len(self.captions) != len(self.panels):
            raise UserError(
                f"The strip “{self.name}” has {len(self.panels)} panels and {len(self.captions)} captions.",
                next_step="Give one caption for each panel, or none.",
            )


def panel_boxes_px(layout: Layout, width_px: int, height_px: int) -> tuple[Box, ...]:
    """Return a layout's panels in a picture: x0, y0, x1, y1 each, on whole pixels; equal ones without a gap.

    Raises UserError when the picture has fewer pixels than the layout has rows or columns, or its uneven
    panels are those of another picture.
    """
    for x0, y0, x1, y1 in layout.boxes_px:
        if not (0 <= x0 < x1 <= width_px and 0 <= y0 < y1 <= height_px):
            raise UserError(
                f"These panels do not lie in a picture of {width_px} x {height_px} px.",
                next_step="Detect its panels again, or choose rows and columns.",
            )
    if layout.boxes_px:
        return layout.boxes_px
    if width_px < layout.cols or height_px < layout.rows:
        raise UserError(
            f"A picture of {width_px} x {height_px} px has no room for {layout} panels.",
            next_step="Choose a smaller layout or a larger picture.",
        )
    x = [round(col * width_px / layout.cols) for col in range(layout.cols + 1)]
    y = [round(row * height_px / layout.rows) for row in range(layout.rows + 1)]
    return tuple(
        (x[col], y[row], x[col + 1], y[row + 1]) for row in range(layout.rows) for col in range(layout.cols)
    )


def panel_regions(layout: Layout, width_px: int, height_px: int) -> tuple[Region, ...]:
    """Return a layout's panels as coloured regions "Panel 1", "Panel 2", ...; errors as above."""
    return tuple(
        Region.box(f"Panel {number}", box, (width_px, height_px), region_colour(number - 1))
        for number, box in enumerate(panel_boxes_px(layout, width_px, height_px), start=1)
    )


def gutters(pixels_HW3: NDArray[np.uint8]) -> Layout | None:
    """Return the panels that a picture's gutters show, or None where there are none.

    pixels_HW3: uint8 (H, W, 3).  A gutter is a run of lines of one colour right across the picture, or
    across a row of panels, inside its margins: a line that happens to be plain within one object, or a smooth
    ground around it, is none. Equal divisions where these run within gutters, else each panel's own box:
    nothing with content is cut.
    """
    pixels = np.asarray(pixels_HW3, dtype=np.int16)
    inner, box_px = _without_margins(pixels)
    if inner.shape[0] * inner.shape[1] < _SMALLEST_PART * pixels.shape[0] * pixels.shape[1]:
        return None
    even = _even_panels(pixels, inner, box_px)
    n_even = even.n if even else 1
    return _uneven_panels(pixels, n_even) or _uneven_panels(inner, n_even, (box_px[2], box_px[0])) or even


def _uneven_panels(
    pixels: NDArray[np.int16], more_than: int, origin_px: tuple[int, int] = (0, 0)
) -> Layout | None:
    """Panels with their own boxes, where there are more than so many; origin_px: x and y of the pixels."""
    rows, n = uneven_boxes(pixels)
    if n <= more_than:
        return None
    x, y = origin_px
    boxes_px = tuple((x0 + x, y0 + y, x1 + x, y1 + y) for row in rows for x0, y0, x1, y1 in row)
    return Layout(len(rows), max(map(len, rows)), boxes_px)


def _even_panels(
    pixels: NDArray[np.int16], inner: NDArray[np.int16], box_px: tuple[int, int, int, int]
) -> Layout | None:
    """The rows and columns of nearly equal panels whose gutters are where equal divisions run."""
    rows = _count_even_spans(inner, box_px[:2], pixels.shape[0])
    cols = _count_even_spans(inner.swapaxes(0, 1), box_px[2:], pixels.shape[1])
    if rows is None or cols is None or not 1 < rows * cols <= _MAX_PANELS:
        return None
    return Layout(rows, cols)


def _is_plain(pixels_NM3: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which lines of the first axis are of one colour."""
    plain_N = np.ones(len(pixels_NM3), dtype=bool)
    for stride in (16, 1):  # few lines pass the coarse look, so the full one is cheap
        looked_at = pixels_NM3[plain_N, ::stride]
        spread_N3 = looked_at.max(axis=1) - looked_at.min(axis=1)
        plain_N[plain_N] = (spread_N3 <= _LINE_TOLERANCE).all(axis=1)
    return plain_N


def _without_margins(pixels_HW3: NDArray[np.int16]) -> tuple[NDArray[np.int16], tuple[int, int, int, int]]:
    """Cut plain lines off all four sides, frame after frame; also returns y0, y1, x0, x1 of what is left."""
    spans = [[0, pixels_HW3.shape[0]], [0, pixels_HW3.shape[1]]]
    shape: tuple[int, ...] = ()
    while shape != pixels_HW3.shape:
        shape = pixels_HW3.shape
        for span in spans:  # rows, then columns; two swaps restore the axes
            content = np.flatnonzero(~_is_plain(pixels_HW3))
            if content.size:
                pixels_HW3 = pixels_HW3[content[0] : content[-1] + 1]
                span[:] = span[0] + int(content[0]), span[0] + int(content[-1]) + 1
            pixels_HW3 = pixels_HW3.swapaxes(0, 1)
    (y0, y1), (x0, x1) = spans
    return pixels_HW3, (y0, y1, x0, x1)


def _count_even_spans(pixels_NM3: NDArray[np.int16], span: tuple[int, int], whole_px: int) -> int | None:
    """Number of panels along the first axis; None when the spans between gutters are uneven.

    span: where these lines begin and end among the `whole_px` of the picture with its margins.
    """
    plain_N = _is_plain(pixels_NM3)
    colour = np.zeros(3)
    if plain_N.any():
        # Gutters share one colour; a plain line of another one is sky or night inside a panel.
        colour_N3 = np.median(pixels_NM3[plain_N], axis=1)
        colour = np.median(colour_N3, axis=0)
        plain_N[plain_N] = (np.abs(colour_N3 - colour) <= _LINE_TOLERANCE).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], plain_N, [True]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    lengths = ends - begins
    if not lengths.size:
        return None
    median = float(np.median(lengths))
    even = np.abs(lengths - median) <= max(2.0, _SIZE_TOLERANCE * median)
    if not even.all() or median < 4:
        return None
    widths = begins[1:] - ends[:-1]
    if (widths > _WIDEST_GUTTER * median).any():
        return None
    # Each panel reaches the gutter along its side, not with the tip of a round thing alone.
    before = [pixels_NM3[end - _EDGE_PX : end] for end in ends[:-1]]
    behind = [pixels_NM3[begin : begin + _EDGE_PX] for begin in begins[1:]]
    if not all(_reaches(lines, colour) for lines in before + behind):
        return None
    if lengths.size == 2 and _goes_on(before[0][-1], behind[0][0], colour):
        return None
    # Equal divisions of the picture must run within the gutters: a line beside one would cut a panel.
    n = int(lengths.size)
    cuts = np.array([round(number * whole_px / n) for number in range(1, n)]) - span[0]
    return n if ((ends[:-1] <= cuts) & (cuts <= begins[1:])).all() else None


def _reaches(lines_KM3: NDArray[np.int16], colour: NDArray[np.float64]) -> bool:
    """Whether one of these lines differs from a colour along a good part of it."""
    differs_KM = (np.abs(lines_KM3 - colour) > _LINE_TOLERANCE).any(axis=2)
    return bool(differs_KM.mean(axis=1).max() >= _SMALLEST_SIDE)


def _goes_on(before_M3: NDArray[np.int16], behind_M3: NDArray[np.int16], colour: NDArray[np.float64]) -> bool:
    """Whether one ground goes on behind what would be the only gutter: a pole before the sky.

    Two frames are alike, too, but plain, apart from gutters that cross them.
    """
    crossed_M = (np.abs(before_M3 - colour) <= _LINE_TOLERANCE).all(axis=1)
    before_M3, behind_M3 = before_M3[~crossed_M], behind_M3[~crossed_M]
    if not len(before_M3):
        return False
    off_M = np.abs(before_M3 - np.median(before_M3, axis=0)).max(axis=1)
    if (off_M <= _LINE_TOLERANCE).mean() > _MOST:  # but for its rounded corners
        return False
    alike_M = (np.abs(before_M3 - behind_M3) <= _LINE_TOLERANCE).all(axis=1)
    return bool(alike_M.mean() > _MOST)
