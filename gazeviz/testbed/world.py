"""Pictures with their truth: strips and scenes drawn from a seed, with facts, captions and boxes.

The world joins grammar and drawing; it does not know any model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gazeviz.testbed.drawing import Box, draw_scene, draw_strip, panel_boxes
from gazeviz.testbed.grammar import SETTINGS, Fact, SceneObject, Split, draw_facts, draw_objects

if TYPE_CHECKING:
    from gazeviz.domain.region import Region


@dataclass(frozen=True, eq=False)
class DrawnStrip:
    """A strip and everything true of it; `captions` are in word order 0, panels in reading order."""

    image: Image.Image
    facts: tuple[Fact, ...]
    captions: tuple[str, ...]
    layout: tuple[int, int]
    seed: tuple[int, int]

    @property
    def panel_boxes_px(self) -> tuple[Box, ...]:
        """The (left, top, right, bottom) of each panel."""
        return panel_boxes(self.layout, *self.image.size)

    @property
    def panels(self) -> tuple[Region, ...]:
        """The panels as regions of the picture."""
        from gazeviz.domain.strip import panel_regions

        return tuple(panel_regions(self.layout, *self.image.size))


@dataclass(frozen=True, eq=False)
class DrawnScene:
    """A scene and everything true of it; objects are ordered from left to right by their boxes' centres."""

    image: Image.Image
    objects: tuple[SceneObject, ...]
    setting: str
    boxes_px: tuple[Box, ...]
    captions: tuple[str, ...]
    seed: tuple[int, int]

    @property
    def regions(self) -> tuple[Region, ...]:
        """The objects' boxes as regions of the picture."""
        from gazeviz.domain import region

        make: Any = region.Region
        return tuple(
            make.from_box(item.phrase, box, self.image.size) for item, box in zip(self.objects, self.boxes_px, strict=True)
        )


def builtin_strips(
    n: int = 50,
    seed: int = 0,
    *,
    layout: tuple[int, int] = (1, 6),
    panel_px: int = 192,
    split: Split = "held_out",
) -> tuple[DrawnStrip, ...]:
    """Draw n strips from the seed; by default every panel is a combination that was never trained on.

    The k-th strip depends on the seed and k alone.
    """
    return tuple(_strip(seed, k, layout, panel_px, split) for k in range(n))


def _strip(seed: int, k: int, layout: tuple[int, int], panel_px: int, split: Split) -> DrawnStrip:
    rng = np.random.default_rng((seed, k, 0))
    rows, columns = layout
    facts = draw_facts(rng, rows * columns, split)
    image = draw_strip(facts, layout, columns * panel_px, rows * panel_px, rng)
    return DrawnStrip(image, facts, tuple(fact.caption() for fact in facts), layout, (seed, k))


def builtin_scenes(n: int = 20, seed: int = 0, *, width_px: int = 512, height_px: int = 384) -> tuple[DrawnScene, ...]:
    """Draw n scenes from the seed; the k-th depends on the seed and k alone."""
    return tuple(_scene(seed, k, width_px, height_px) for k in range(n))


def _scene(seed: int, k: int, width_px: int, height_px: int) -> DrawnScene:
    rng = np.random.default_rng((seed, k, 1))
    objects, setting = draw_objects(rng)
    image, boxes = draw_scene(objects, setting, width_px, height_px, rng)
    order = left_to_right(boxes)
    objects = tuple(objects[i] for i in order)
    captions = tuple(item.phrase for item in objects)
    return DrawnScene(image, objects, SETTINGS[setting], tuple(boxes[i] for i in order), captions, (seed, k))


def left_to_right(boxes: tuple[Box, ...]) -> list[int]:
    """The indices of the boxes by the x of their centres."""
    return sorted(range(len(boxes)), key=lambda i: boxes[i][0] + boxes[i][2])
