"""Panels of any sizes, found by cutting a picture along its gutters, and the pieces along theirs.

For pages whose panels are no equal divisions. Without the evenness as a witness, more is asked of each panel:
that it is a rectangle along all its sides, and that rows are as high as their panels.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[int, int, int, int]  # x0, y0, x1, y1 in picture pixels

_LINE_TOLERANCE = 24  # of 255: what JPEG leaves of a line of one colour
_MAX_PANELS = 64
_DEEPEST = 4  # cuts within cuts
_THINNEST_GUTTER_PX = 2
_SMALLEST_SIDE_PX = 16
_SMALLEST_SIDE = 1 / 16  # of the picture's shorter side
_SMALLEST_PART = 0.3  # of a picture: what panels and the gutters between them fill
_PANELS_PART = 0.25  # of a picture: what panels fill
_EDGE_PX = 3  # lines in which a panel begins: JPEG blurs its edge
_STRAIGHT = 0.8  # of each side: what differs from the gutter; the rest is corners
_WIDEST_GUTTER = 0.35  # of the shorter side of the smallest panel beside it
_FLUSH = 0.03  # of a piece: how far a panel's side may lie within it
_MOST = 0.9  # of a side that goes on behind what would be a gutter


def uneven_boxes(pixels_HW3: NDArray[np.int16]) -> tuple[list[list[Box]], int]:
    """Return the panels as rows in reading order, and their number; ([], 0) where the picture has none."""
    colour = _gutter_colour(pixels_HW3)
    if colour is None:
        return [], 0
    height, width = pixels_HW3.shape[:2]
    ground_HW = _of_colour(pixels_HW3, colour)
    whole = _trimmed(ground_HW, (0, 0, width, height))
    if whole is None or _area(whole) < _SMALLEST_PART * width * height:
        return [], 0
    pieces = _cut(ground_HW, whole, _DEEPEST)
    if not 1 < len(pieces) <= _MAX_PANELS or not _are_panels(pixels_HW3, ground_HW, pieces):
        return [], 0
    return _in_rows(pieces), len(pieces)


def _of_colour(pixels_HW3: NDArray[np.int16], colour: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which pixels have nearly a colour; a channel at a time, since the pictures are large."""
    found_HW = np.ones(pixels_HW3.shape[:2], dtype=np.bool_)
    for channel in range(3):
        found_HW &= np.abs(pixels_HW3[..., channel] - colour[channel]) <= _LINE_TOLERANCE
    return found_HW


def _gutter_colour(pixels_HW3: NDArray[np.int16]) -> NDArray[np.int16] | None:
    """The colour of the lines that run plain across the picture within it, None where there is none."""
    for lines_NM3 in (pixels_HW3, pixels_HW3.swapaxes(0, 1)):
        sampled = lines_NM3[:, :: max(1, lines_NM3.shape[1] // 256)]  # all of a line is looked at later
        spread_N3 = sampled.max(axis=1) - sampled.min(axis=1)
        plain_N = (spread_N3 <= _LINE_TOLERANCE).all(axis=1)
        content = np.flatnonzero(~plain_N)
        if content.size:
            plain_N[: content[0]] = plain_N[content[-1] :] = False  # margins
        if plain_N.any():
            colours_N3 = np.median(sampled[plain_N], axis=1)
            return np.asarray(np.median(colours_N3, axis=0), dtype=np.int16)
    return None


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _trimmed(ground_HW: NDArray[np.bool_], box: Box) -> Box | None:
    """A box without the lines of gutter colour around what it holds; None where it holds nothing."""
    x0, y0, x1, y1 = box
    content_HW = ~ground_HW[y0:y1, x0:x1]
    rows, cols = np.flatnonzero(content_HW.any(axis=1)), np.flatnonzero(content_HW.any(axis=0))
    if not rows.size:
        return None
    return x0 + int(cols[0]), y0 + int(rows[0]), x0 + int(cols[-1]) + 1, y0 + int(rows[-1]) + 1


def _cut(ground_HW: NDArray[np.bool_], box: Box, depth: int) -> list[Box]:
    """Cut a box along its gutters, rows first; a box without any is a piece."""
    for across in (True, False) if depth else ():
        parts = _parts(ground_HW, box, across)
        if len(parts) > 1:
            return [piece for part in parts for piece in _cut(ground_HW, part, depth - 1)]
    return [box]


def _parts(ground_HW: NDArray[np.bool_], box: Box, across: bool) -> list[Box]:
    """What lies between the gutters that run right across a box, or down it."""
    x0, y0, x1, y1 = box
    plain_N = ground_HW[y0:y1, x0:x1].all(axis=1 if across else 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], plain_N, [True]]).astype(np.int8)))
    spans = [[int(begin), int(end)] for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    joined = spans[:1]
    for begin, end in spans[1:]:
        if begin - joined[-1][1] < _THINNEST_GUTTER_PX:
            joined[-1][1] = end
        else:
            joined.append([begin, end])
    cut = [(x0, y0 + a, x1, y0 + b) if across else (x0 + a, y0, x0 + b, y1) for a, b in joined]
    return [part for part in (_trimmed(ground_HW, one) for one in cut) if part is not None]


def _are_panels(pixels_HW3: NDArray[np.int16], ground_HW: NDArray[np.bool_], boxes: list[Box]) -> bool:
    """Whether pieces are rectangles of some size that fill the picture, each a picture of its own."""
    height, width = ground_HW.shape
    least = max(_SMALLEST_SIDE_PX, _SMALLEST_SIDE * min(width, height))
    if any(
        min(x1 - x0, y1 - y0) < least or not _is_straight(ground_HW, (x0, y0, x1, y1))
        for x0, y0, x1, y1 in boxes
    ):
        return False
    if sum(map(_area, boxes)) < _PANELS_PART * width * height:
        return False
    pairs = _neighbours(boxes)
    if any(_is_wide(*pair) for pair in pairs):
        return False
    return not any(_goes_on(pixels_HW3, *pair) for pair in pairs)


def _is_wide(one: Box, other: Box, beside: bool) -> bool:
    """Whether what lies between two panels is too wide for a gutter: a thing before a plain ground."""
    gap = other[0] - one[2] if beside else other[1] - one[3]
    return gap > _WIDEST_GUTTER * min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (one, other))


def _is_straight(ground_HW: NDArray[np.bool_], box: Box) -> bool:
    """Whether a panel differs from the gutters along all its four sides."""
    x0, y0, x1, y1 = box
    content_HW = ~ground_HW[y0:y1, x0:x1]
    sides = (
        content_HW[:_EDGE_PX],
        content_HW[-_EDGE_PX:],
        content_HW[:, :_EDGE_PX].T,
        content_HW[:, -_EDGE_PX:].T,
    )
    return all(side.any(axis=0).mean() >= _STRAIGHT for side in sides)


def _neighbours(boxes: list[Box]) -> list[tuple[Box, Box, bool]]:
    """Pairs of panels of the same extent, next to each other, and whether they lie side by side."""
    found = []
    for one in boxes:
        beside = [box for box in boxes if box[1::2] == one[1::2] and one[2] <= box[0]]
        below = [box for box in boxes if box[::2] == one[::2] and one[3] <= box[1]]
        found += [(one, other, True) for other in sorted(beside)[:1]]
        found += [(one, other, False) for other in sorted(below, key=lambda box: box[1])[:1]]
    return found


def _goes_on(pixels_HW3: NDArray[np.int16], one: Box, other: Box, beside: bool) -> bool:
    """Whether a scene goes on behind what would be a gutter: a pole before the sky.

    Frames are alike, too, but plain.
    """
    if beside:
        before_M3, behind_M3 = pixels_HW3[one[1] : one[3], one[2] - 1], pixels_HW3[one[1] : one[3], other[0]]
    else:
        before_M3, behind_M3 = pixels_HW3[one[3] - 1, one[0] : one[2]], pixels_HW3[other[1], one[0] : one[2]]
    off_M = np.abs(before_M3 - np.median(before_M3, axis=0)).max(axis=1)
    if (off_M <= _LINE_TOLERANCE).mean() > _MOST:
        return False
    alike_M = (np.abs(before_M3 - behind_M3) <= _LINE_TOLERANCE).all(axis=1)
    return bool(alike_M.mean() > _MOST)


def _in_rows(boxes: list[Box]) -> list[list[Box]]:
    """Panels in reading order: those that begin at nearly one height are a row."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0])):
        least = min(box[3] - box[1], *(one[3] - one[1] for one in rows[-1])) if rows else 0
        if rows and box[1] - rows[-1][0][1] < 0.25 * least:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row) for row in rows]
