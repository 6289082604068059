"""The eight characters and what they do: bodies, faces, poses and props as parts for the pen.

Coordinates are those of `pen`: one character high, feet at (0, 0), facing right. The module does not know about
pictures, sizes or settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gazeviz.testbed.pen import Colour, Part, Pen, Point, limb, oval, shape, tube

INK: Final = (38, 32, 48)
CHALK: Final = (240, 236, 228)
CREAM: Final = (250, 243, 222)
WOOD: Final = (150, 106, 74)
DARK_WOOD: Final = (112, 78, 58)
TEAL: Final = (74, 168, 164)
PINK: Final = (240, 150, 176)
STEEL: Final = (150, 156, 168)

# body, shade, light: separable by hue, and by lightness for eyes that miss a hue.
PAINTS: Final[dict[str, tuple[Colour, Colour, Colour]]] = {
    "red": ((216, 44, 48), (168, 28, 40), (244, 128, 118)),
    "orange": ((246, 140, 36), (206, 104, 20), (255, 198, 128)),
    "yellow": ((252, 216, 52), (220, 172, 24), (255, 242, 160)),
    "green": ((58, 158, 72), (36, 116, 56), (148, 214, 140)),
    "blue": ((44, 104, 214), (26, 70, 160), (132, 178, 246)),
    "purple": ((142, 68, 184), (104, 42, 142), (206, 154, 232)),
    "black": ((46, 42, 54), (28, 25, 34), (104, 98, 116)),
    "white": ((250, 250, 248), (206, 208, 216), (255, 255, 255)),
}


def roles(colour: str) -> dict[str, Colour]:
    """The RGB of every role for a character of this colour; a black one gets a light outline."""
    body, shade, light = PAINTS[colour]
    dark = colour == "black"
    return {"body": body, "shade": shade, "light": light, "line": CHALK if dark else INK, "ink": INK, "mouth": (120, 36, 52)}


@dataclass(frozen=True)
class Body:
    """A character's parts from back to front (groups outlined together), and where its face and limbs attach."""

    groups: tuple[tuple[Part, ...], ...]
    marks: tuple[Part, ...]
    face: Point
    eye_gap: float
    eye_r: float
    arms: tuple[Point, Point]
    hips: tuple[Point, Point] | None
    arm_r: float = 0.065
    leg_r: float = 0.075
    half_width: float = 0.36
    height: float = 1.0


def _cat() -> Body:
    ears = (shape("body", [(-0.33, -0.62), (-0.33, -1.06), (-0.02, -0.86)], 2), shape("body", [(0.33, -0.62), (0.33, -1.06), (0.02, -0.86)], 2))
    tail = tuple(tube("body", [(-0.16, -0.16), (-0.36, -0.18), (-0.45, -0.34), (-0.42, -0.5)], 0.05))
    body = oval("body", 0, -0.3, 0.23, 0.23)
    head = oval("body", 0, -0.66, 0.345, 0.265)
    marks = (
        shape("light", [(-0.28, -0.78), (-0.28, -0.96), (-0.14, -0.87)], 1, 0),
        shape("light", [(0.28, -0.78), (0.28, -0.96), (0.14, -0.87)], 1, 0),
        *(limb("line", (side * 0.27, y), (side * 0.43, y + d), 0.009, 0) for side in (-1, 1) for y, d in ((-0.6, -0.03), (-0.55, 0.02))),
    )
    return Body((tail, (body, oval("light", 0, -0.27, 0.12, 0.14, line=0)), (*ears, head)), marks, (0.04, -0.66), 0.145, 0.085, ((-0.17, -0.4), (0.17, -0.4)), ((-0.11, -0.14), (0.11, -0.14)))


def _dog() -> Body:
    tail = tuple(tube("body", [(-0.16, -0.2), (-0.34, -0.36), (-0.38, -0.5)], 0.055))
    body = oval("body", 0, -0.3, 0.24, 0.23)
    head = oval("body", 0, -0.68, 0.29, 0.28)
    ears = (oval("shade", -0.33, -0.6, 0.105, 0.26, 12), oval("shade", 0.33, -0.6, 0.105, 0.26, -12))
    muzzle = (oval("light", 0.04, -0.55, 0.17, 0.115, line=0), oval("ink", 0.04, -0.61, 0.07, 0.048, line=0))
    return Body((tail, (body,), (head,), ears), muzzle, (0.04, -0.73), 0.125, 0.075, ((-0.17, -0.4), (0.17, -0.4)), ((-0.12, -0.14), (0.12, -0.14)), half_width=0.42)


def _rabbit() -> Body:
    ears = (oval("body", -0.13, -1.0, 0.085, 0.27, -8), oval("body", 0.14, -1.0, 0.085, 0.27, 10))
    body = oval("body", 0, -0.28, 0.22, 0.22)
    head = oval("body", 0, -0.6, 0.28, 0.235)
    marks = (
        oval("light", -0.13, -1.0, 0.04, 0.19, -8, 0),
        oval("light", 0.14, -1.0, 0.04, 0.19, 10, 0),
        shape(CHALK, [(0.0, -0.49), (0.09, -0.49), (0.09, -0.4), (0.0, -0.4)], 1, 0.012),
    )
    tail = oval("light", -0.24, -0.2, 0.095, 0.095)
    return Body(((tail,), (body,), (*ears, head)), marks, (0.04, -0.62), 0.12, 0.075, ((-0.16, -0.37), (0.16, -0.37)), ((-0.11, -0.12), (0.11, -0.12)), leg_r=0.085, half_width=0.34, height=1.27)


def _bird() -> Body:
    tail = shape("shade", [(-0.2, -0.3), (-0.6, -0.52), (-0.58, -0.22), (-0.3, -0.16)], 2)
    crest = tuple(tube("body", [(0.0, -0.88), (-0.04, -1.02)], 0.045)) + tuple(tube("body", [(0.06, -0.88), (0.12, -1.0)], 0.045))
    body = oval("body", 0.0, -0.53, 0.34, 0.37)
    beak = shape((240, 170, 60), [(0.24, -0.72), (0.62, -0.58), (0.24, -0.46)], 1)
    return Body(((tail,), (*crest, body, oval("light", 0.04, -0.38, 0.2, 0.2, line=0)), (beak,)), (), (0.12, -0.7), 0.11, 0.085, ((-0.24, -0.5), (0.22, -0.44)), ((-0.1, -0.2), (0.1, -0.2)), arm_r=0.085, leg_r=0.03, half_width=0.46)


def _fish() -> Body:
    tail = shape("shade", [(-0.25, -0.48), (-0.66, -0.82), (-0.56, -0.48), (-0.66, -0.14)], 2)
    fins = (shape("shade", [(-0.2, -0.66), (-0.02, -0.98), (0.24, -0.7)], 2), shape("shade", [(-0.12, -0.24), (-0.2, -0.02), (0.1, -0.2)], 2))
    body = oval("body", 0.06, -0.48, 0.42, 0.29)
    stripes = (oval("light", -0.12, -0.48, 0.035, 0.2, 8, 0), oval("light", -0.23, -0.48, 0.03, 0.13, 8, 0))
    return Body(((tail, *fins), (body, *stripes)), (), (0.28, -0.55), 0.0, 0.105, ((-0.14, -0.34), (0.14, -0.32)), ((-0.02, -0.22), (0.18, -0.22)), arm_r=0.055, leg_r=0.05, half_width=0.56, height=0.95)


def _slab(fill: str, half: float, top: float, bottom: float, r: float) -> Part:
    """A box about x = 0 with round corners."""
    corners = [(-half, top + r), (-half, top), (r - half, top), (half - r, top), (half, top), (half, top + r)]
    corners += [(half, bottom - r), (half, bottom), (half - r, bottom), (r - half, bottom), (-half, bottom), (-half, bottom - r)]
    return shape(fill, corners, 2)


def _robot() -> Body:
    antenna = (*tube("line", [(0, -0.9), (0, -1.08)], 0.02, 0), oval("light", 0, -1.1, 0.06, 0.06))
    ears = (shape("shade", [(-0.42, -0.8), (-0.28, -0.8), (-0.28, -0.6), (-0.42, -0.6)], 1), shape("shade", [(0.42, -0.8), (0.28, -0.8), (0.28, -0.6), (0.42, -0.6)], 1))
    head = _slab("body", 0.34, -0.97, -0.5, 0.12)
    body = _slab("body", 0.26, -0.5, -0.12, 0.1)
    marks = (shape("light", [(-0.13, -0.4), (0.13, -0.4), (0.13, -0.22), (-0.13, -0.22)], 1, 0),)
    return Body(((*antenna, *ears), (body, *marks), (head,)), (), (0.03, -0.74), 0.15, 0.09, ((-0.25, -0.4), (0.25, -0.4)), ((-0.14, -0.12), (0.14, -0.12)), arm_r=0.055, leg_r=0.08, half_width=0.42, height=1.15)


def _mushroom() -> Body:
    stalk = shape("light", [(-0.17, -0.6), (0.17, -0.6), (0.27, -0.06), (-0.27, -0.06)], 2)
    cap = shape("body", [(-0.56, -0.5), (-0.56, -0.78), (-0.26, -1.1), (0.26, -1.1), (0.56, -0.78), (0.56, -0.5)], 2)
    spots = (oval("light", -0.26, -0.74, 0.1, 0.085, line=0), oval("light", 0.08, -0.9, 0.11, 0.075, line=0), oval("light", 0.34, -0.68, 0.075, 0.075, line=0))
    return Body(((stalk,), (cap, *spots)), (), (0.03, -0.38), 0.105, 0.066, ((-0.19, -0.3), (0.19, -0.3)), ((-0.1, -0.1), (0.1, -0.1)), arm_r=0.05, leg_r=0.065, half_width=0.54, height=1.08)


def _ghost() -> Body:
    hem = [(0.4, -0.02), (0.26, -0.16), (0.13, -0.0), (0.0, -0.15), (-0.13, -0.0), (-0.26, -0.16), (-0.42, -0.02)]
    cloth = shape("body", [(-0.38, -0.4), (-0.34, -0.84), (-0.18, -1.06), (0.18, -1.06), (0.34, -0.84), (0.38, -0.4), *hem], 2)
    cheeks = (oval("light", -0.2, -0.56, 0.06, 0.04, line=0), oval("light", 0.26, -0.56, 0.06, 0.04, line=0))
    return Body(((cloth,),), cheeks, (0.03, -0.7), 0.13, 0.085, ((-0.32, -0.5), (0.32, -0.5)), None, arm_r=0.07, half_width=0.4, height=1.06)


_BODIES: Final[dict[str, Callable[[], Body]]] = {
    "cat": _cat, "dog": _dog, "rabbit": _rabbit, "bird": _bird, "fish": _fish, "robot": _robot, "mushroom": _mushroom, "ghost": _ghost,
}


@lru_cache(maxsize=None)
def body_of(character: str) -> Body:
    """The character's body, made once."""
    return _BODIES[character]()


@dataclass(frozen=True)
class Pose:
    """Where hands and feet go (relative to the shoulders and hips), what the face does, and the room that is needed.

    `span` is (left, right, top) of the body with its props, in character heights from the feet.
    """

    hands: tuple[Point, Point]
    feet: tuple[Point, Point] = ((-0.02, 0.0), (0.02, 0.0))
    mouth: str = "smile"
    eyes: str = "open"
    lift: float = 0.0
    turn_deg: float = 0.0
    span: tuple[float, float, float] = (-0.5, 0.5, 1.1)


STANDING: Final = Pose(((-0.2, 0.17), (0.2, 0.17)))
POSES: Final[dict[str, Pose]] = {
    "jumps": Pose(((-0.28, -0.26), (0.28, -0.26)), ((-0.16, -0.1), (0.16, -0.1)), "open", "open", 0.44, 0, (-0.56, 0.56, 1.48)),
    "sleeps": Pose(((-0.06, 0.2), (0.14, 0.2)), ((0, 0), (0, 0)), "none", "shut", 0.0, -82, (-1.2, 0.26, 1.2)),
    "eats": Pose(((-0.2, 0.12), (0.26, 0.0)), mouth="none", span=(-0.5, 0.66, 1.1)),
    "reads": Pose(((-0.14, 0.2), (0.18, 0.2)), mouth="none", eyes="down", span=(-0.52, 0.52, 1.1)),
    "paints": Pose(((-0.2, 0.14), (0.24, -0.06)), eyes="open", span=(-0.46, 1.1, 1.12)),
    "sings": Pose(((-0.26, -0.14), (0.2, 0.04)), mouth="wide", eyes="joy", span=(-0.72, 0.62, 1.25)),
    "juggles": Pose(((-0.3, -0.04), (0.3, -0.04)), mouth="smile", eyes="up", span=(-0.66, 0.66, 1.6)),
    "skates": Pose(((-0.3, -0.12), (0.3, 0.02)), ((-0.12, 0.0), (0.12, 0.0)), "smile", "open", 0.2, 10, (-0.72, 0.62, 1.3)),
}


def draw_body(pen: Pen, character: str, pose: Pose, wiggle: float = 0.0) -> None:
    """Draw a character in a pose; `wiggle` in -1..1 moves hands and feet a little."""
    body = body_of(character)
    _draw_legs(pen, body, pose, wiggle)
    for group in body.groups:
        pen.group(group)
    for part in body.marks:
        pen.group([part])
    _draw_face(pen, body, pose, character)


def _draw_legs(pen: Pen, body: Body, pose: Pose, wiggle: float) -> None:
    if body.hips is None:
        return
    for (x, y), (dx, dy), side in zip(body.hips, pose.feet, (-1, 1), strict=True):
        foot = (x + dx + 0.03 * wiggle * side, -body.leg_r - 0.03 + dy)
        shoe = oval("body", foot[0] + 0.03, foot[1] + body.leg_r * 0.4, max(body.leg_r, 0.06) * 1.25, max(body.leg_r * 0.8, 0.045))
        pen.group([limb("body", (x, y), foot, body.leg_r), shoe])


def hands_of(character: str, pose: Pose, wiggle: float = 0.0) -> tuple[Point, Point]:
    """Where the left and the right hand are."""
    (ax, ay), (bx, by) = body_of(character).arms
    (px, py), (qx, qy) = pose.hands
    if character == "fish":  # short fins that never rise before the eye
        px, py, qx, qy = 0.7 * px, 0.7 * max(py, -0.04), 0.5 * qx, max(0.7 * qy, 0.0)
    return (ax + px, ay + py + 0.04 * wiggle), (bx + qx, by + qy - 0.04 * wiggle)


def draw_arms(pen: Pen, character: str, pose: Pose, wiggle: float = 0.0) -> None:
    """Draw both arms; after the body, so that they lie in front of it."""
    body = body_of(character)
    for shoulder, hand in zip(body.arms, hands_of(character, pose, wiggle), strict=True):
        pen.group([limb("body", shoulder, hand, body.arm_r)])
        pen.group([limb("body", shoulder, ((shoulder[0] + hand[0]) / 2, (shoulder[1] + hand[1]) / 2), body.arm_r, 0)])


def _draw_face(pen: Pen, body: Body, pose: Pose, character: str) -> None:
    x, y = body.face
    r = body.eye_r
    for ex in (x - body.eye_gap, x + body.eye_gap) if body.eye_gap else (x,):
        if pose.eyes in ("shut", "joy"):
            bend = 0.05 if pose.eyes == "shut" else -0.05
            for part in tube("line", [(ex - r, y), (ex, y + bend), (ex + r, y)], 0.018, 0):
                pen.group([part])
            continue
        look = {"down": 0.4, "up": -0.4}.get(pose.eyes, 0.0)
        pen.group([oval((255, 255, 255), ex, y, r, r * 1.12, line=0.02)], "ink")
        pen.group([oval("ink", ex + r * 0.22, y + r * look, r * 0.6, r * 0.7, line=0)])
        pen.group([oval((255, 255, 255), ex + r * 0.42, y + r * (look - 0.3), r * 0.2, r * 0.2, line=0)])
    if character != "bird":
        _draw_mouth(pen, x, y + r + 0.085, pose.mouth)


def _draw_mouth(pen: Pen, x: float, y: float, mouth: str) -> None:
    if mouth == "smile":
        pen.group(tube("line", [(x - 0.07, y - 0.02), (x - 0.025, y + 0.015), (x + 0.025, y + 0.015), (x + 0.07, y - 0.02)], 0.014, 0))
    elif mouth == "flat":
        pen.group([limb("line", (x - 0.05, y), (x + 0.05, y), 0.014, 0)])
    elif mouth == "open":
        pen.group([oval("mouth", x, y, 0.07, 0.055, line=0.018)])
    elif mouth == "wide":
        pen.group([oval("mouth", x, y + 0.02, 0.085, 0.095, line=0.02)])
