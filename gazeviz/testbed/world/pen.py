"""Outlined flat shapes in unit coordinates, put on a Pillow image through an affine transform.

Shapes are arrays of shape (points, 2), x to the right and y down, in a frame one character high with the feet
at y = 0. The pen does not know what it draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

Points = NDArray[np.float64]
Colour = tuple[int, int, int]
Point = tuple[float, float]

OUTLINE = 0.03
_TURN = np.linspace(0.0, 2.0 * math.pi, 36, endpoint=False)
_CIRCLE: Points = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


@dataclass(frozen=True, eq=False)
class Part:
    """A filled shape: a colour (RGB, or a role such as "body"), and a wider shape behind it as outline."""

    fill: str | Colour
    points: Points
    halo: Points | None


@lru_cache(maxsize=8192)
def oval(
    fill: str | Colour, x: float, y: float, rx: float, ry: float, turn_deg: float = 0.0, line: float = OUTLINE
) -> Part:
    """An ellipse about (x, y) turned clockwise by `turn_deg`; no outline where `line` is 0."""
    halo = _ellipse(x, y, rx + line, ry + line, turn_deg) if line else None
    return Part(fill, _ellipse(x, y, rx, ry, turn_deg), halo)


def _ellipse(x: float, y: float, rx: float, ry: float, turn_deg: float) -> Points:
    points = _CIRCLE * (rx, ry)
    if turn_deg:
        cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
        points = points @ np.array([[cos, sin], [-sin, cos]])
    moved: Points = points + np.array([x, y])
    return moved


def shape(fill: str | Colour, corners: Sequence[Point], rounds: int = 2, line: float = OUTLINE) -> Part:
    """A polygon with its corners cut `rounds` times (Chaikin 1974), so that it looks soft."""
    return _shape(fill, tuple(corners), rounds, line)


@lru_cache(maxsize=1024)
def _shape(fill: str | Colour, corners: tuple[Point, ...], rounds: int, line: float) -> Part:
    points = np.asarray(corners, dtype=np.float64)
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        pair = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1)
        points = pair.reshape(-1, 2)
    return Part(fill, points, _grown(points, line) if line else None)


def _grown(points: Points, by: float) -> Points:
    """The polygon moved outwards by `by` along its vertex normals."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    area = float(np.sum(points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]))
    edge_in, edge_out = _unit(points - before), _unit(after - points)
    tangent = _unit(edge_in + edge_out)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) * math.copysign(1.0, area)
    # A mitre keeps the line's width at corners; past 2 it would grow a spike.
    cosine = np.clip(np.sum(tangent * edge_in, axis=1), 0.5, 1.0)
    grown: Points = points + normal * (by / cosine)[:, None]
    return grown


def _unit(vectors: Points) -> Points:
    length = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)
    unit: Points = vectors / length[:, None]
    return unit


@lru_cache(maxsize=8192)
def limb(fill: str | Colour, start: Point, end: Point, radius: float, line: float = OUTLINE) -> Part:
    """A stick with round ends."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0]) + math.pi / 2

    def capsule(r: float) -> Points:
        turns = np.linspace(angle, angle + math.pi, 8)
        cap = np.stack([np.cos(turns), np.sin(turns)], axis=1) * r
        return np.concatenate([cap + start, -cap + end])

    return Part(fill, capsule(radius), capsule(radius + line) if line else None)


def tube(fill: str | Colour, path: Sequence[Point], radius: float, line: float = OUTLINE) -> list[Part]:
    """A bent stick: one limb per stretch of the path."""
    return [limb(fill, a, b, radius, line) for a, b in pairwise(path)]


@dataclass
class Pen:
    """Draws parts: pixel = origin + scale * R(turn) (x * mirror, y)."""

    draw: ImageDraw.ImageDraw
    x_px: float
    y_px: float
    scale_px: float
    mirror: bool = False
    turn_deg: float = 0.0
    colours: dict[str, Colour] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Work out the matrix once."""
        cos, sin = math.cos(math.radians(self.turn_deg)), math.sin(math.radians(self.turn_deg))
        flip = -1.0 if self.mirror else 1.0
        self._matrix = self.scale_px * np.array([[flip * cos, flip * sin], [-sin, cos]])
        self._origin = np.array([self.x_px, self.y_px])

    def place(self, points: Points) -> list[float]:
        """Pixel coordinates, flat (x, y, x, y, ...)."""
        placed: list[float] = (points @ self._matrix + self._origin).ravel().tolist()
        return placed

    def group(self, parts: Iterable[Part], outline: str | Colour = "line") -> None:
        """Draw the parts as one silhouette: every outline first, then every fill."""
        parts = list(parts)
        rgb = self.rgb(outline)
        for part in parts:
            if part.halo is not None:
                self.draw.polygon(self.place(part.halo), fill=rgb)
        for part in parts:
            self.draw.polygon(self.place(part.points), fill=self.rgb(part.fill))

    def rgb(self, fill: str | Colour) -> Colour:
        """The colour that a role stands for."""
        return self.colours[fill] if isinstance(fill, str) else fill
