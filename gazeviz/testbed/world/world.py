"""Pictures with their truth: strips and scenes drawn from a seed, with facts, captions and boxes.

The world joins grammar and drawing; it does not know any model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.strip import Layout, Strip, panel_boxes_px, panel_regions
from gazeviz.testbed.world.drawing import draw_scene, draw_strip
from gazeviz.testbed.world.grammar import SETTINGS, Fact, SceneObject, Split, draw_facts, draw_objects
from gazeviz.testbed.world.placing import Box

Seed = tuple[int, int]
"""The seed that was asked for, and which picture of its series this is."""


@dataclass(frozen=True, eq=False)
class DrawnStrip:
    """A strip and everything true of it; panels are in reading order, captions in word order 0.

    `layout` is (rows, columns).
    """

    image: Image.Image
    facts: tuple[Fact, ...]
    captions: tuple[str, ...]
    layout: tuple[int, int]
    seed: Seed

    @property
    def panel_boxes_px(self) -> tuple[Box, ...]:
        """The (left, top, right, bottom) of each panel."""
        return panel_boxes_px(Layout(*self.layout), *self.image.size)

    @property
    def panels(self) -> tuple[Region, ...]:
        """The panels as regions of the picture."""
        return panel_regions(Layout(*self.layout), *self.image.size)

    @property
    def strip(self) -> Strip:
        """The strip as discovery takes it."""
        return Strip(self.image, self.panels, self.captions, f"Comic {self.seed[0]}-{self.seed[1]}")


@dataclass(frozen=True, eq=False)
class DrawnScene:
    """A scene and everything true of it; objects go from left to right by the centres of their boxes.

    `boxes_px` are (left, top, right, bottom) of whole bodies, also where another stands in front.
    """

    image: Image.Image
    objects: tuple[SceneObject, ...]
    setting: str
    boxes_px: tuple[Box, ...]
    seed: Seed

    @property
    def captions(self) -> tuple[str, ...]:
        """The objects in words."""
        return tuple(item.phrase for item in self.objects)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The objects' boxes as regions of the picture, named by their phrases."""
        return tuple(
            Region.box(phrase, box_px, self.image.size, region_colour(number))
            for number, (phrase, box_px) in enumerate(zip(self.captions, self.boxes_px, strict=True))
        )


# Width to height of panels by layout (rows, columns), square if not named: so shaped that the built-in
# model's processor, which has room for 56 cells, puts every border of a panel on a border of cells.
PANEL_RATIOS: Final[dict[tuple[int, int], float]] = {
    (1, 4): 1.25,
    (1, 5): 0.875,
    (1, 7): 1.2,
    (1, 8): 4 / 3,
    (2, 2): 1.25,
    (2, 4): 1.375,
    (3, 3): 1.5,
}


def panel_ratio(layout: tuple[int, int]) -> float:
    """Width to height of the panels that this project draws in a layout."""
    return PANEL_RATIOS.get(layout, 1.0)


def panel_size_px(layout: tuple[int, int], height_px: int = 192) -> tuple[int, int]:
    """The (width, height) of a panel in a layout, as this project draws it."""
    return round(height_px * panel_ratio(layout)), height_px


def builtin_strips(
    n: int = 50,
    seed: int = 0,
    *,
    layout: tuple[int, int] = (1, 6),
    panel_px: int | tuple[int, int] | None = None,
    split: Split = "held_out",
) -> tuple[DrawnStrip, ...]:
    """Draw n strips from a seed; by default every panel is a combination that was never trained on.

    `panel_px` is a panel's side, or its (width, height), by default `panel_size_px` of the layout. The k-th
    strip depends on the seed and k, not on n.
    """
    return tuple(drawn_strip((seed, k), layout, panel_px, split) for k in range(n))


def drawn_strip(
    seed: Seed,
    layout: tuple[int, int] = (1, 6),
    panel_px: int | tuple[int, int] | None = None,
    split: Split = "held_out",
) -> DrawnStrip:
    """Draw one strip of a series; arguments as for `builtin_strips`."""
    rng = np.random.default_rng((*seed, 0))
    rows, columns = layout
    size_px = panel_size_px(layout) if panel_px is None else panel_px
    width_px, height_px = (size_px, size_px) if isinstance(size_px, int) else size_px
    facts = draw_facts(rng, rows * columns, split)
    image = draw_strip(facts, layout, columns * width_px, rows * height_px, rng)
    return DrawnStrip(image, facts, tuple(fact.caption() for fact in facts), layout, seed)


def builtin_scenes(
    n: int = 20, seed: int = 0, *, width_px: int = 512, height_px: int = 384
) -> tuple[DrawnScene, ...]:
    """Draw n scenes from a seed; the k-th depends on the seed and k, not on n."""
    return tuple(drawn_scene((seed, k), width_px, height_px) for k in range(n))


def drawn_scene(seed: Seed, width_px: int = 512, height_px: int = 384) -> DrawnScene:
    """Draw one scene of a series."""
    rng = np.random.default_rng((*seed, 1))
    objects, setting = draw_objects(rng)
    image, boxes_px = draw_scene(objects, setting, width_px, height_px, rng)
    order = left_to_right(boxes_px)
    return DrawnScene(
        image, tuple(objects[i] for i in order), SETTINGS[setting], tuple(boxes_px[i] for i in order), seed
    )


def left_to_right(boxes_px: Sequence[Box]) -> list[int]:
    """The indices of boxes by the x of their centres."""
    return sorted(range(len(boxes_px)), key=lambda i: boxes_px[i][0] + boxes_px[i][2])


# Picked from one series for variety: five settings and five actions or more in a strip of six.
_SAMPLE_SEED: Final = 2606
_SAMPLE_STRIPS: Final[tuple[tuple[int, tuple[int, int], int], ...]] = (
    *((k, (1, 6), 256) for k in (107, 5, 19, 22, 24, 158)),
    (79, (2, 3), 256),
    (1, (1, 4), 256),
    (256, (1, 8), 192),
)
_SAMPLE_SCENES: Final = (10, 2)


def write_samples(folder: Path) -> None:
    """Draw the sample pictures into a folder as PNG, with what is true of them in `samples.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number, (k, layout, height_px) in enumerate(_SAMPLE_STRIPS, start=1):
        strip = drawn_strip((_SAMPLE_SEED, k), layout, panel_size_px(layout, height_px))
        file = f"strip-{number}-{Layout(*layout)}.png"
        strip.image.save(folder / file, optimize=True)
        entries.append({"file": file, **_strip_truth(strip)})
    for number, k in enumerate(_SAMPLE_SCENES, start=1):
        scene = drawn_scene((_SAMPLE_SEED, k))
        file = f"scene-{number}.png"
        scene.image.save(folder / file, optimize=True)
        entries.append({"file": file, **_scene_truth(scene)})
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (folder / "samples.json").write_text(text + "\n", encoding="utf-8")


def _strip_truth(strip: DrawnStrip) -> dict[str, Any]:
    return {
        "kind": "strip",
        "layout": str(Layout(*strip.layout)),
        "seed": strip.seed,
        "captions": strip.captions,
        "facts": [asdict(fact) for fact in strip.facts],
    }


def _scene_truth(scene: DrawnScene) -> dict[str, Any]:
    objects = zip(scene.captions, scene.boxes_px, strict=True)
    return {
        "kind": "scene",
        "seed": scene.seed,
        "setting": scene.setting,
        "objects": [{"phrase": phrase, "box_px": box_px} for phrase, box_px in objects],
    }
