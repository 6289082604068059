"""The six settings as pictures without characters, in two or three muted layers of depth.

A backdrop depends on its setting, size and variant alone, so small ones are kept and reused. It does not know
what will stand before it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from gazeviz.testbed.world.grammar import SETTINGS

VARIANTS: Final = 32
KEPT_PX: Final = 300 * 300
DARK_SETTINGS: Final = ("in space", "at night")

Rng = np.random.Generator


class _Canvas:
    """Draws in fractions of the picture, (0, 0) top left to (1, 1); radii in fractions of the short side."""

    def __init__(self, image: Image.Image) -> None:
        self.w, self.h = image.size
        self.unit = min(self.w, self.h)
        self.draw = ImageDraw.Draw(image)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: str) -> None:
        self.draw.rectangle((x0 * self.w, y0 * self.h, x1 * self.w, y1 * self.h), fill=fill)

    def disc(self, x: float, y: float, rx: float, fill: str, ry: float | None = None) -> None:
        px, py = x * self.w, y * self.h
        a, b = rx * self.unit, (rx if ry is None else ry) * self.unit
        self.draw.ellipse((px - a, py - b, px + a, py + b), fill=fill)

    def poly(self, points: list[tuple[float, float]], fill: str) -> None:
        self.draw.polygon([(x * self.w, y * self.h) for x, y in points], fill=fill)

    def hills(self, y: float, amplitude: float, phase: float, waves: float, fill: str) -> None:
        xs = np.linspace(0, 1, 24)
        ys = y + amplitude * np.sin(phase + xs * waves * 6.283)
        self.poly([*zip(xs.tolist(), ys.tolist(), strict=True), (1, 1), (0, 1)], fill)

    def cloud(self, x: float, y: float, r: float, fill: str) -> None:
        for dx, dy, k in ((-1.0, 0.15, 0.6), (0.0, 0.0, 0.8), (1.0, 0.15, 0.55)):
            self.disc(x + dx * r * self.unit / self.w, y + dy * r, r * k, fill)


def _town(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#dfe3e6")
    c.cloud(rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.2), 0.1, "#f0f1f1")
    for tone, low, high, wide in (("#c9c3cd", 0.16, 0.4, 0.2), ("#a59eb2", 0.34, 0.55, 0.26)):
        x = -rng.uniform(0, 0.15)
        while x < 1:
            width, top = wide * rng.uniform(0.7, 1.15), rng.uniform(low, high)
            c.box(x, top, x + width * 0.93, 0.8, tone)
            if tone == "#a59eb2":
                for row in np.arange(top + 0.05, 0.7, 0.11):
                    for column in (0.2, 0.6):
                        lit = "#f1e2b4" if rng.random() < 0.6 else "#8f88a0"
                        c.box(x + width * column, row, x + width * (column + 0.2), row + 0.055, lit)
            x += width
    c.box(0, 0.76, 1, 0.8, "#c8c4bd")
    c.box(0, 0.8, 1, 1, "#8d8b93")
    for x in np.arange(rng.uniform(-0.2, 0), 1, 0.3):
        c.box(x, 0.925, x + 0.16, 0.945, "#d9d6cc")


def _sea(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#cfe6ea")
    c.disc(rng.uniform(0.12, 0.88), rng.uniform(0.12, 0.22), 0.1, "#f8e7b0")
    c.cloud(rng.uniform(0.1, 0.9), rng.uniform(0.12, 0.3), 0.09, "#eef5f4")
    c.box(0, 0.46, 1, 0.8, "#7fb4c6")
    c.box(0, 0.46, 1, 0.5, "#95c3d0")
    x = rng.uniform(0.1, 0.8)
    c.poly([(x, 0.28), (x + 0.13, 0.45), (x, 0.45)], "#f4efe4")
    c.poly([(x - 0.09, 0.47), (x + 0.15, 0.47), (x + 0.1, 0.52), (x - 0.05, 0.52)], "#8a6a58")
    for row in (0.56, 0.63):
        for x in np.arange(rng.uniform(-0.2, 0), 1, 0.27):
            c.box(x, row, x + 0.13, row + 0.012, "#b4d8de")
    c.hills(0.72, 0.015, rng.uniform(0, 6), 1.5, "#eaf3ee")
    c.hills(0.745, 0.015, rng.uniform(0, 6), 1.3, "#ead7ac")
    for _ in range(4):
        c.disc(rng.uniform(0, 1), rng.uniform(0.84, 0.98), 0.016, "#d2bb8a")


def _pine(c: _Canvas, x: float, base: float, height: float, fill: str, snow: str | None) -> None:
    half = 0.3 * height
    c.box(x - half * 0.15, base - 0.02, x + half * 0.15, base + 0.05, "#7d6656")
    for step in range(3):
        top = base - height + step * height * 0.25
        k = half * (0.55 + 0.225 * step)
        c.poly([(x, top), (x + k, top + height * 0.5), (x - k, top + height * 0.5)], fill)
        if snow:
            c.poly([(x, top), (x + k * 0.4, top + height * 0.2), (x - k * 0.4, top + height * 0.2)], snow)


def _snow(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#b3c6d6")
    c.poly([(-0.2, 0.7), (rng.uniform(0.1, 0.3), 0.24), (0.62, 0.7)], "#9fb2c6")
    c.poly([(0.35, 0.7), (rng.uniform(0.65, 0.85), 0.3), (1.25, 0.7)], "#93a8be")
    c.hills(0.62, 0.035, rng.uniform(0, 6), 1.0, "#d7e3ea")
    for x in rng.uniform(0, 1, 3).tolist():
        _pine(c, x, 0.68, rng.uniform(0.26, 0.38), "#6f9490", "#f2f7f8")
    c.hills(0.72, 0.025, rng.uniform(0, 6), 0.8, "#e9f0f3")
    for x, y, r in rng.random((26, 3)).tolist():
        c.disc(x, y, 0.009 + 0.012 * r, "#ffffff" if y < 0.7 else "#cfdde6")


def _space(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#352f5c")
    for x, y, r in rng.random((26, 3)).tolist():
        c.disc(x, y * 0.75, 0.005 + 0.009 * r, "#e8e2f4")
    x, y, r = rng.uniform(0.15, 0.85), rng.uniform(0.16, 0.3), rng.uniform(0.11, 0.15)
    c.disc(x, y, r * 1.75, "#b99fc4", r * 0.34)
    c.disc(x, y, r, "#d8a898")
    c.disc(x - 0.02, y - 0.02, r * 0.72, "#e4bcaa")
    c.disc(1 - x, rng.uniform(0.3, 0.5), 0.045, "#8f9cc0")
    c.hills(0.73, 0.02, rng.uniform(0, 6), 1.2, "#8f88a4")
    c.hills(0.79, 0.02, rng.uniform(0, 6), 1.0, "#a59eb6")
    for x in rng.uniform(0, 1, 4).tolist():
        row, r = rng.uniform(0.84, 0.96), rng.uniform(0.04, 0.08)
        c.disc(x, row, r, "#857e9c", r * 0.35)
        c.disc(x, row + 0.01, r * 0.85, "#938ca8", r * 0.24)


def _night(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#2c4468")
    c.box(0, 0.42, 1, 1, "#38537a")
    for x, y, r in rng.random((14, 3)).tolist():
        c.disc(x, y * 0.45, 0.006 + 0.008 * r, "#f1e9c6")
    x, y = rng.uniform(0.14, 0.86), rng.uniform(0.14, 0.22)
    c.disc(x, y, 0.105, "#f6eab8")
    c.disc(x + 0.05, y - 0.025, 0.09, "#2c4468")
    c.hills(0.6, 0.05, rng.uniform(0, 6), 0.8, "#2f4a62")
    x = rng.uniform(0.05, 0.75)
    c.box(x, 0.54, x + 0.2, 0.74, "#4b5572")
    c.poly([(x - 0.04, 0.55), (x + 0.1, 0.42), (x + 0.24, 0.55)], "#5d4f66")
    for column in (0.03, 0.12):
        c.box(x + column, 0.6, x + column + 0.05, 0.66, "#f5d98a")
    c.hills(0.72, 0.02, rng.uniform(0, 6), 1.0, "#41616a")
    c.hills(0.84, 0.015, rng.uniform(0, 6), 1.3, "#4d7076")


def _woods(c: _Canvas, rng: Rng) -> None:
    c.box(0, 0, 1, 1, "#dde8cb")
    for x in np.arange(rng.uniform(-0.1, 0.05), 1.1, 0.22).tolist():
        c.disc(x, 0.28, rng.uniform(0.15, 0.2), "#c0d3ac")
        c.box(x - 0.02, 0.3, x + 0.02, 0.75, "#b3ab90")
    c.hills(0.68, 0.02, rng.uniform(0, 6), 1.0, "#b2c797")
    for x in (rng.uniform(-0.02, 0.2), rng.uniform(0.42, 0.6), rng.uniform(0.82, 1.02)):
        c.box(x - 0.035, 0.2, x + 0.035, 0.77, "#8b7260")
        top = rng.uniform(0.08, 0.18)
        for dx, dy, r in ((-0.12, 0.07, 0.13), (0.12, 0.08, 0.12), (0.0, -0.03, 0.16)):
            c.disc(x + dx, top + dy + 0.08, r, "#86a676")
        c.disc(x - 0.03, top + 0.03, 0.09, "#98b586")
    c.hills(0.75, 0.015, rng.uniform(0, 6), 1.4, "#9bb380")
    for x in rng.uniform(0, 1, 6).tolist():
        y = rng.uniform(0.8, 0.97)
        c.poly(
            [(x - 0.025, y), (x - 0.012, y - 0.045), (x, y), (x + 0.014, y - 0.04), (x + 0.026, y)], "#7f9a68"
        )


_PAINTERS: Final[dict[str, Callable[[_Canvas, Rng], None]]] = dict(
    zip(SETTINGS, (_town, _sea, _snow, _space, _night, _woods), strict=True)
)


def backdrop(setting: str, width_px: int, height_px: int, variant: int) -> Image.Image:
    """An RGB picture of the setting that the caller may draw on; `variant` is 0 .. VARIANTS - 1."""
    if width_px * height_px <= KEPT_PX:
        return _kept(setting, width_px, height_px, variant).copy()
    return _paint(setting, width_px, height_px, variant)


@lru_cache(maxsize=6 * VARIANTS * 4)
def _kept(setting: str, width_px: int, height_px: int, variant: int) -> Image.Image:
    return _paint(setting, width_px, height_px, variant)


def _paint(setting: str, width_px: int, height_px: int, variant: int) -> Image.Image:
    image = Image.new("RGB", (width_px, height_px))
    rng = np.random.default_rng((SETTINGS.index(setting), variant))
    _PAINTERS[setting](_Canvas(image), rng)
    return image
