"""Where the characters of a scene stand, so that all of them can be seen and told from left to right.

Only bodies' sizes are known here; nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from gazeviz.testbed.world.bodies import body_of
from gazeviz.testbed.world.grammar import SceneObject

MOST_HIDDEN: Final = 0.4  # share of a box that boxes in front may cover
_LEAST_STEP: Final = 0.3  # between neighbours' centres, in widths of the narrowest
_SHRINK: Final = 0.985

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Spot:
    """Where a character's feet are and how tall it is, in pixels of the picture that is drawn on."""

    x: float
    y: float
    scale: float


def find_spots(
    objects: Sequence[SceneObject], width_px: int, height_px: int, rng: np.random.Generator
) -> list[Spot]:
    """Draw spots, everyone a little smaller at each try, until no one is too hidden or out of order."""
    size = min(0.62 * height_px, 1.35 * width_px / len(objects))
    while True:
        spots = [_spot(item, size, width_px, height_px, rng) for item in objects]
        boxes = [_box(item, spot) for item, spot in zip(objects, spots, strict=True)]
        if _in_order(boxes) and _all_seen(boxes, spots):
            return spots
        size *= _SHRINK


def _spot(item: SceneObject, size: float, width_px: int, height_px: int, rng: np.random.Generator) -> Spot:
    body = body_of(item.character)
    scale = size * float(rng.uniform(0.72, 1.0)) / max(1.0, body.height)
    margin = (1.2 * body.half_width + 0.05) * scale
    x = float(rng.uniform(margin, max(margin + 1, width_px - margin)))
    y = height_px * float(rng.uniform(0.72, 0.96))
    return Spot(x, max(y, body.height * scale + 0.03 * height_px), scale)


def _in_order(boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    centres = sorted((left + right) / 2 for left, _, right, _ in boxes)
    narrowest = min(right - left for left, _, right, _ in boxes)
    return all(after - before >= _LEAST_STEP * narrowest for before, after in pairwise(centres))


def _all_seen(boxes: Sequence[tuple[float, float, float, float]], spots: Sequence[Spot]) -> bool:
    for mine, spot in zip(boxes, spots, strict=True):
        front = [box for box, other in zip(boxes, spots, strict=True) if other.y > spot.y]
        hidden = sum(_overlap(mine, box) for box in front)
        if hidden > MOST_HIDDEN * (mine[2] - mine[0]) * (mine[3] - mine[1]):
            return False
    return True


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, tall)


def _box(item: SceneObject, spot: Spot) -> tuple[float, float, float, float]:
    body = body_of(item.character)
    half = (1.1 * body.half_width + 0.03) * spot.scale
    top = spot.y - (body.height + 0.03) * spot.scale
    return spot.x - half, top, spot.x + half, spot.y + 0.03 * spot.scale


def box_on(item: SceneObject, spot: Spot, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """The (left, top, right, bottom) of a character at a spot, cut at the picture's edges."""
    left, top, right, bottom = _box(item, spot)
    return max(0.0, left), max(0.0, top), min(size_px[0], right), min(size_px[1], bottom)
