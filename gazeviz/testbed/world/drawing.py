"""Pictures of facts: one panel, a strip of panels, or a scene of several characters.

Everything is drawn in unit coordinates at twice the size and reduced, so that a picture looks the same at 48
and at 512 px. The module does not know about questions, captions or models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gazeviz.domain.strip import Layout, panel_boxes_px
from gazeviz.testbed.world.backdrops import DARK_SETTINGS, VARIANTS, backdrop
from gazeviz.testbed.world.bodies import body_of, roles
from gazeviz.testbed.world.cast import POSES, STANDING, Pose, draw_arms, draw_body
from gazeviz.testbed.world.grammar import SETTINGS, Fact, SceneObject
from gazeviz.testbed.world.pen import Colour, Pen
from gazeviz.testbed.world.placing import Box, Spot, box_on, find_spots
from gazeviz.testbed.world.props import BEHIND, FRONT

_PAPER: Final[Colour] = (250, 247, 241)
_FRAME: Final[Colour] = (52, 46, 62)
_OVERSAMPLING: Final = 2
_GROUND: Final = 0.9  # where the feet are, as a share of the panel's height


def draw_panel(fact: Fact, width_px: int, height_px: int, rng: np.random.Generator) -> Image.Image:
    """Draw one fact as an RGB picture of width_px by height_px with a thin frame and a gutter."""
    width, height = width_px * _OVERSAMPLING, height_px * _OVERSAMPLING
    chance = rng.random(8)
    image = backdrop(fact.setting, width, height, int(chance[0] * VARIANTS))
    _act(image, fact, chance)
    _frame(ImageDraw.Draw(image), width, height)
    return image.reduce(_OVERSAMPLING)


def _act(image: Image.Image, fact: Fact, chance: NDArray[np.float64]) -> None:
    """Place the character so that its pose with props fits the picture, and draw all of it."""
    pose = POSES[fact.action]
    left, right, top = _span(fact.character, pose)
    width, height = image.size
    scale = min(0.9 * width / (right - left), (_GROUND - 0.05) * height / top, 0.62 * height)
    scale *= 0.88 + 0.12 * chance[1]
    mirror = bool(chance[2] < 0.5)
    if mirror:
        left, right = -right, -left
    free = 0.94 * width - (right - left) * scale
    x = 0.03 * width + free * (0.2 + 0.6 * chance[3]) - left * scale
    y = height * (_GROUND + 0.03 * (chance[4] - 0.5))
    colours = roles(fact.colour) | _marks(fact.setting)
    wiggle = int(chance[5] * 5) / 2 - 1  # five steps, so that the pen can keep its shapes
    stage = Pen(ImageDraw.Draw(image), x, y, scale, mirror, 0.0, colours)
    _shadow(stage, pose, (left + right) / 2 if fact.action == "sleeps" else 0.0)
    for prop in BEHIND.get(fact.action, ()):
        prop(stage, fact.character, pose, wiggle)
    actor = _actor(stage, fact, pose, wiggle)
    draw_body(actor, fact.character, pose, wiggle)
    draw_arms(actor, fact.character, pose, wiggle)
    for prop in FRONT.get(fact.action, ()):
        prop(stage if fact.action == "sleeps" else actor, fact.character, pose, wiggle)


def _actor(stage: Pen, fact: Fact, pose: Pose, wiggle: float) -> Pen:
    """The stage's pen lifted and turned into the pose; a sleeper lies on its back, a fish on its belly."""
    turn, dx, dy, mirror = pose.turn_deg + 4 * wiggle, 0.0, -pose.lift, stage.mirror
    if fact.action == "sleeps" and fact.character == "fish":
        turn, dx, dy, mirror = 10 * wiggle / 2, -0.5, -0.04, not mirror
    elif fact.action == "sleeps":
        dy = -0.88 * min(body_of(fact.character).half_width, 0.46) - 0.04
    turn *= -1 if stage.mirror else 1
    x_px = stage.x_px + (-dx if stage.mirror else dx) * stage.scale_px
    return Pen(
        stage.draw, x_px, stage.y_px + dy * stage.scale_px, stage.scale_px, mirror, turn, stage.colours
    )


def _span(character: str, pose: Pose) -> tuple[float, float, float]:
    """The pose's room, widened for a broad or tall character."""
    body = body_of(character)
    left, right, top = pose.span
    if pose.turn_deg < -45:
        return left - (body.height - 1.0), right, min(0.96, 2 * body.half_width) + 0.5
    if pose.mouth in ("none", "wide") and pose.eyes != "down":
        right = max(right, body.face[0] + 0.54)  # a donut or a microphone before the mouth
    return (
        min(left, -body.half_width - 0.04),
        max(right, body.half_width + 0.04),
        top + max(0.0, body.height - 1.05),
    )


def _marks(setting: str) -> dict[str, Colour]:
    """The colours of motion marks and notes, which must show on light and dark settings."""
    if setting in DARK_SETTINGS:
        return {"spark": (250, 244, 226), "shadow": (38, 32, 48)}
    return {"spark": (58, 50, 70), "shadow": (250, 247, 241)}


def _shadow(pen: Pen, pose: Pose, x: float) -> None:
    half = 0.5 if pose.turn_deg < -45 else 0.34
    centre = pen.x_px + x * pen.scale_px
    a, b = half * pen.scale_px, 0.06 * pen.scale_px
    pen.draw.ellipse((centre - a, pen.y_px - b, centre + a, pen.y_px + b), fill=(96, 92, 104))


def _frame(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """A paper gutter at the edge and a dark line inside it."""
    short = min(width, height)
    gutter, line = max(2, round(0.018 * short)), max(2, round(0.012 * short))
    draw.rectangle((0, 0, width - 1, height - 1), outline=_PAPER, width=gutter)
    draw.rectangle((gutter, gutter, width - 1 - gutter, height - 1 - gutter), outline=_FRAME, width=line)


def draw_strip(
    facts: Sequence[Fact], layout: tuple[int, int], width_px: int, height_px: int, rng: np.random.Generator
) -> Image.Image:
    """Draw the facts row by row as one RGB picture; ValueError unless there are rows x columns of them."""
    rows, columns = layout
    boxes = panel_boxes_px(Layout(rows, columns), width_px, height_px)
    if len(facts) != len(boxes):
        raise ValueError(f"a {rows} x {columns} layout needs {len(boxes)} facts, not {len(facts)}")
    strip = Image.new("RGB", (width_px, height_px), _PAPER)
    for fact, (left, top, right, bottom) in zip(facts, boxes, strict=True):
        strip.paste(draw_panel(fact, right - left, bottom - top, rng), (left, top))
    return strip


def draw_scene(
    objects: Sequence[SceneObject],
    setting: int | str,
    width_px: int,
    height_px: int,
    rng: np.random.Generator,
) -> tuple[Image.Image, tuple[Box, ...]]:
    """Draw standing characters placed freely, and say where they are.

    `setting` is a phrase or its index. The boxes are (left, top, right, bottom) in pixels, in the objects'
    order. Who stands lower stands in front; `placing` says how much of the others stays to be seen.
    """
    width, height = width_px * _OVERSAMPLING, height_px * _OVERSAMPLING
    phrase = SETTINGS[setting] if isinstance(setting, int) else setting
    image = backdrop(phrase, width, height, int(rng.integers(VARIANTS)))
    draw = ImageDraw.Draw(image)
    spots = find_spots(objects, width, height, rng)
    for index in sorted(range(len(objects)), key=lambda i: spots[i].y):
        mirror = bool(rng.random() < 0.5)
        wiggle = int(rng.integers(5)) / 2 - 1
        draw_object(draw, objects[index], spots[index], phrase, mirror, wiggle)
    boxes = (box_on(item, spot, image.size) for item, spot in zip(objects, spots, strict=True))
    return image.reduce(_OVERSAMPLING), tuple(_reduced(box) for box in boxes)


def draw_object(
    draw: ImageDraw.ImageDraw, item: SceneObject, spot: Spot, setting: str, mirror: bool, wiggle: float
) -> None:
    """Draw one standing character at a spot."""
    pen = Pen(draw, spot.x, spot.y, spot.scale, mirror, 0.0, roles(item.colour) | _marks(setting))
    _shadow(pen, STANDING, 0.0)
    draw_body(pen, item.character, STANDING, wiggle)
    draw_arms(pen, item.character, STANDING, wiggle)


def _reduced(box: tuple[float, float, float, float]) -> Box:
    left, top, right, bottom = (value / _OVERSAMPLING for value in box)
    return int(left), int(top), math.ceil(right), math.ceil(bottom)
