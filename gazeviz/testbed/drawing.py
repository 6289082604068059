"""Pictures of facts: one panel, a strip of panels, or a scene of several characters.

Everything is drawn in unit coordinates at two or three times the size and reduced, so that a picture looks the same
at 48 and at 512 px. The module does not know about questions, captions or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from gazeviz.testbed.backdrops import DARK_SETTINGS, VARIANTS, backdrop
from gazeviz.testbed.cast import POSES, STANDING, Pose, body_of, draw_arms, draw_body, roles
from gazeviz.testbed.grammar import SETTINGS, Fact, SceneObject
from gazeviz.testbed.pen import Colour, Pen
from gazeviz.testbed.props import BEHIND, FRONT

PAPER: Final[Colour] = (250, 247, 241)
FRAME: Final[Colour] = (52, 46, 62)
GROUND: Final = 0.9
Box = tuple[int, int, int, int]


def draw_panel(fact: Fact, width_px: int, height_px: int, rng: np.random.Generator) -> Image.Image:
    """Draw one fact as an RGB picture of width_px by height_px with a thin frame and a gutter."""
    over = 2 if max(width_px, height_px) <= 640 else 1
    width, height = width_px * over, height_px * over
    chance = rng.random(8)
    image = backdrop(fact.setting, width, height, int(chance[0] * VARIANTS))
    _act(image, fact, chance)
    _frame(ImageDraw.Draw(image), width, height)
    return image.reduce(over) if over > 1 else image


def _act(image: Image.Image, fact: Fact, chance: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    """Place the character so that its pose with props fits the picture, and draw all of it."""
    pose = POSES[fact.action]
    left, right, top = _span(fact.character, pose)
    width, height = image.size
    scale = min(0.9 * width / (right - left), (GROUND - 0.05) * height / top, 0.62 * height) * (0.88 + 0.12 * chance[1])
    mirror = bool(chance[2] < 0.5)
    if mirror:
        left, right = -right, -left
    free = 0.94 * width - (right - left) * scale
    x = 0.03 * width + free * (0.2 + 0.6 * chance[3]) - left * scale
    y = height * (GROUND + 0.03 * (chance[4] - 0.5))
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
    return Pen(stage.draw, x_px, stage.y_px + dy * stage.scale_px, stage.scale_px, mirror, turn, stage.colours)


def _span(character: str, pose: Pose) -> tuple[float, float, float]:
    """The pose's room, widened for a broad or tall character."""
    body = body_of(character)
    left, right, top = pose.span
    if pose.turn_deg < -45:
        return left - (body.height - 1.0), right, min(0.96, 2 * body.half_width) + 0.5
    if pose.mouth in ("none", "wide") and pose.eyes != "down":
        right = max(right, body.face[0] + 0.54)  # a donut or a microphone before the mouth
    return min(left, -body.half_width - 0.04), max(right, body.half_width + 0.04), top + max(0.0, body.height - 1.05)


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
    draw.rectangle((0, 0, width - 1, height - 1), outline=PAPER, width=gutter)
    draw.rectangle((gutter, gutter, width - 1 - gutter, height - 1 - gutter), outline=FRAME, width=line)


def panel_boxes(layout: tuple[int, int], width_px: int, height_px: int) -> tuple[Box, ...]:
    """The (left, top, right, bottom) of each panel in reading order: equal shares, rounded to whole pixels."""
    rows, columns = layout
    xs = [round(width_px * column / columns) for column in range(columns + 1)]
    ys = [round(height_px * row / rows) for row in range(rows + 1)]
    return tuple((xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns))


def draw_strip(
    facts: Sequence[Fact], layout: tuple[int, int], width_px: int, height_px: int, rng: np.random.Generator
) -> Image.Image:
    """Draw the facts in reading order as one RGB picture; ValueError unless rows x columns panels are given."""
    boxes = panel_boxes(layout, width_px, height_px)
    if len(facts) != len(boxes):
        raise ValueError(f"a {layout[0]} x {layout[1]} layout needs {len(boxes)} facts, not {len(facts)}")
    strip = Image.new("RGB", (width_px, height_px), PAPER)
    for fact, (left, top, right, bottom) in zip(facts, boxes, strict=True):
        strip.paste(draw_panel(fact, right - left, bottom - top, rng), (left, top))
    return strip


def draw_scene(
    objects: Sequence[SceneObject], setting: int | str, width_px: int, height_px: int, rng: np.random.Generator
) -> tuple[Image.Image, tuple[Box, ...]]:
    """Draw standing characters placed freely, and say where each is: (left, top, right, bottom) px in the objects' order.

    Objects farther down stand in front; every one keeps at least 55 % of its box clear of those in front.
    """
    over = 2 if max(width_px, height_px) <= 1024 else 1
    width, height = width_px * over, height_px * over
    phrase = SETTINGS[setting] if isinstance(setting, int) else setting
    image = backdrop(phrase, width, height, int(rng.integers(VARIANTS)))
    draw = ImageDraw.Draw(image)
    spots = _spots(objects, width, height, rng)
    for index in sorted(range(len(objects)), key=lambda i: spots[i][1]):
        x, y, scale = spots[index]
        item = objects[index]
        mirror = bool(rng.random() < 0.5)
        pen = Pen(draw, x, y, scale, mirror, 0.0, roles(item.colour) | _marks(phrase))
        _shadow(pen, STANDING, 0.0)
        wiggle = int(rng.integers(5)) / 2 - 1
        draw_body(pen, item.character, STANDING, wiggle)
        draw_arms(pen, item.character, STANDING, wiggle)
    boxes = tuple(_clip(_box(item, spot), width, height, over) for item, spot in zip(objects, spots, strict=True))
    return image.reduce(over) if over > 1 else image, boxes


Spot = tuple[float, float, float]


def _spots(objects: Sequence[SceneObject], width: int, height: int, rng: np.random.Generator) -> list[Spot]:
    """Feet positions and scales, drawn again (a little smaller each time) until everyone can be seen."""
    size = min(0.62 * height, 1.35 * width / len(objects))
    while True:
        spots: list[Spot] = []
        for item in objects:
            body = body_of(item.character)
            scale = size * float(rng.uniform(0.72, 1.0)) / max(1.0, body.height)
            margin = (1.2 * body.half_width + 0.05) * scale
            x = float(rng.uniform(margin, max(margin + 1, width - margin)))
            y = height * float(rng.uniform(0.72, 0.96))
            spots.append((x, max(y, body.height * scale + 0.03 * height), scale))
        if _all_seen(objects, spots):
            return spots
        size *= 0.985


def _all_seen(objects: Sequence[SceneObject], spots: Sequence[Spot]) -> bool:
    boxes = [_box(item, spot) for item, spot in zip(objects, spots, strict=True)]
    centres = sorted((box[0] + box[2]) / 2 for box in boxes)
    narrowest = min(box[2] - box[0] for box in boxes)
    if any(b - a < 0.3 * narrowest for a, b in zip(centres, centres[1:], strict=False)):
        return False  # left-to-right order must be plain to see
    for mine, spot in zip(boxes, spots, strict=True):
        front = [box for box, other in zip(boxes, spots, strict=True) if other[1] > spot[1]]
        hidden = sum(_overlap(mine, box) for box in front)
        if hidden > 0.4 * (mine[2] - mine[0]) * (mine[3] - mine[1]):
            return False
    return True


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, tall)


def _box(item: SceneObject, spot: Spot) -> tuple[float, float, float, float]:
    body = body_of(item.character)
    x, y, scale = spot
    half = (1.1 * body.half_width + 0.03) * scale
    return x - half, y - (body.height + 0.03) * scale, x + half, y + 0.03 * scale


def _clip(box: tuple[float, ...], width: int, height: int, over: int) -> Box:
    left, top, right, bottom = box
    return (
        max(0, int(left / over)),
        max(0, int(top / over)),
        min(width // over, int(right / over) + 1),
        min(height // over, int(bottom / over) + 1),
    )
