"""The eight characters' bodies and the colours they come in.

Coordinates are those of `pen`: one character high, feet at (0, 0), facing right. The module does not know
what a character does, nor where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from gazeviz.testbed.world.pen import Colour, Part, Point, limb, oval, shape, tube

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
    return {
        "body": body,
        "shade": shade,
        "light": light,
        "line": CHALK if dark else INK,
        "ink": INK,
        "mouth": (120, 36, 52),
    }


@dataclass(frozen=True)
class Body:
    """A character's parts and where its face and limbs attach.

    `groups` go from back to front, each outlined as one; `marks` lie on top. `arms` and `hips` are the points
    where limbs begin; `half_width` and `height` are the room that the body fills, without arms.
    """

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
    ears = (
        shape("body", [(-0.33, -0.62), (-0.33, -1.06), (-0.02, -0.86)], 2),
        shape("body", [(0.33, -0.62), (0.33, -1.06), (0.02, -0.86)], 2),
    )
    tail = tuple(tube("body", [(-0.16, -0.16), (-0.36, -0.18), (-0.45, -0.34), (-0.42, -0.5)], 0.05))
    body = oval("body", 0, -0.3, 0.23, 0.23)
    head = oval("body", 0, -0.66, 0.345, 0.265)
    marks = (
        shape("light", [(-0.28, -0.78), (-0.28, -0.96), (-0.14, -0.87)], 1, 0),
        shape("light", [(0.28, -0.78), (0.28, -0.96), (0.14, -0.87)], 1, 0),
        *(
            limb("line", (side * 0.27, y), (side * 0.43, y + d), 0.009, 0)
            for side in (-1, 1)
            for y, d in ((-0.6, -0.03), (-0.55, 0.02))
        ),
    )
    return Body(
        (tail, (body, oval("light", 0, -0.27, 0.12, 0.14, line=0)), (*ears, head)),
        marks,
        (0.04, -0.66),
        0.145,
        0.085,
        ((-0.17, -0.4), (0.17, -0.4)),
        ((-0.11, -0.14), (0.11, -0.14)),
    )


def _dog() -> Body:
    tail = tuple(tube("body", [(-0.16, -0.2), (-0.34, -0.36), (-0.38, -0.5)], 0.055))
    body = oval("body", 0, -0.3, 0.24, 0.23)
    head = oval("body", 0, -0.68, 0.29, 0.28)
    ears = (oval("shade", -0.33, -0.6, 0.105, 0.26, 12), oval("shade", 0.33, -0.6, 0.105, 0.26, -12))
    muzzle = (oval("light", 0.04, -0.55, 0.17, 0.115, line=0), oval("ink", 0.04, -0.61, 0.07, 0.048, line=0))
    return Body(
        (tail, (body,), (head,), ears),
        muzzle,
        (0.04, -0.73),
        0.125,
        0.075,
        ((-0.17, -0.4), (0.17, -0.4)),
        ((-0.12, -0.14), (0.12, -0.14)),
        half_width=0.42,
    )


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
    return Body(
        ((tail,), (body,), (*ears, head)),
        marks,
        (0.04, -0.62),
        0.12,
        0.075,
        ((-0.16, -0.37), (0.16, -0.37)),
        ((-0.11, -0.12), (0.11, -0.12)),
        leg_r=0.085,
        half_width=0.34,
        height=1.27,
    )


def _bird() -> Body:
    tail = shape("shade", [(-0.2, -0.3), (-0.6, -0.52), (-0.58, -0.22), (-0.3, -0.16)], 2)
    crest = tuple(tube("body", [(0.0, -0.88), (-0.04, -1.02)], 0.045)) + tuple(
        tube("body", [(0.06, -0.88), (0.12, -1.0)], 0.045)
    )
    body = oval("body", 0.0, -0.53, 0.34, 0.37)
    beak = shape((240, 170, 60), [(0.24, -0.72), (0.62, -0.58), (0.24, -0.46)], 1)
    return Body(
        ((tail,), (*crest, body, oval("light", 0.04, -0.38, 0.2, 0.2, line=0)), (beak,)),
        (),
        (0.12, -0.7),
        0.11,
        0.085,
        ((-0.24, -0.5), (0.22, -0.44)),
        ((-0.1, -0.2), (0.1, -0.2)),
        arm_r=0.085,
        leg_r=0.03,
        half_width=0.46,
    )


def _fish() -> Body:
    tail = shape("shade", [(-0.25, -0.48), (-0.66, -0.82), (-0.56, -0.48), (-0.66, -0.14)], 2)
    fins = (
        shape("shade", [(-0.2, -0.66), (-0.02, -0.98), (0.24, -0.7)], 2),
        shape("shade", [(-0.12, -0.24), (-0.2, -0.02), (0.1, -0.2)], 2),
    )
    body = oval("body", 0.06, -0.48, 0.42, 0.29)
    stripes = (oval("light", -0.12, -0.48, 0.035, 0.2, 8, 0), oval("light", -0.23, -0.48, 0.03, 0.13, 8, 0))
    return Body(
        ((tail, *fins), (body, *stripes)),
        (),
        (0.28, -0.55),
        0.0,
        0.105,
        ((-0.14, -0.34), (0.14, -0.32)),
        ((-0.02, -0.22), (0.18, -0.22)),
        arm_r=0.055,
        leg_r=0.05,
        half_width=0.56,
        height=0.95,
    )


def _slab(fill: str, half: float, top: float, bottom: float, r: float) -> Part:
    """A box about x = 0 with round corners."""
    corners = [(-half, top + r), (-half, top), (r - half, top), (half - r, top), (half, top), (half, top + r)]
    corners += [
        (half, bottom - r),
        (half, bottom),
        (half - r, bottom),
        (r - half, bottom),
        (-half, bottom),
        (-half, bottom - r),
    ]
    return shape(fill, corners, 2)


def _robot() -> Body:
    antenna = (*tube("line", [(0, -0.9), (0, -1.08)], 0.02, 0), oval("light", 0, -1.1, 0.06, 0.06))
    ears = (
        shape("shade", [(-0.42, -0.8), (-0.28, -0.8), (-0.28, -0.6), (-0.42, -0.6)], 1),
        shape("shade", [(0.42, -0.8), (0.28, -0.8), (0.28, -0.6), (0.42, -0.6)], 1),
    )
    head = _slab("body", 0.34, -0.97, -0.5, 0.12)
    body = _slab("body", 0.26, -0.5, -0.12, 0.1)
    marks = (shape("light", [(-0.13, -0.4), (0.13, -0.4), (0.13, -0.22), (-0.13, -0.22)], 1, 0),)
    return Body(
        ((*antenna, *ears), (body, *marks), (head,)),
        (),
        (0.03, -0.74),
        0.15,
        0.09,
        ((-0.25, -0.4), (0.25, -0.4)),
        ((-0.14, -0.12), (0.14, -0.12)),
        arm_r=0.055,
        leg_r=0.08,
        half_width=0.42,
        height=1.15,
    )


def _mushroom() -> Body:
    stalk = shape("light", [(-0.17, -0.6), (0.17, -0.6), (0.27, -0.06), (-0.27, -0.06)], 2)
    cap = shape(
        "body", [(-0.56, -0.5), (-0.56, -0.78), (-0.26, -1.1), (0.26, -1.1), (0.56, -0.78), (0.56, -0.5)], 2
    )
    spots = (
        oval("light", -0.26, -0.74, 0.1, 0.085, line=0),
        oval("light", 0.08, -0.9, 0.11, 0.075, line=0),
        oval("light", 0.34, -0.68, 0.075, 0.075, line=0),
    )
    return Body(
        ((stalk,), (cap, *spots)),
        (),
        (0.03, -0.38),
        0.105,
        0.066,
        ((-0.19, -0.3), (0.19, -0.3)),
        ((-0.1, -0.1), (0.1, -0.1)),
        arm_r=0.05,
        leg_r=0.065,
        half_width=0.54,
        height=1.08,
    )


def _ghost() -> Body:
    hem = [
        (0.4, -0.02),
        (0.26, -0.16),
        (0.13, -0.0),
        (0.0, -0.15),
        (-0.13, -0.0),
        (-0.26, -0.16),
        (-0.42, -0.02),
    ]
    cloth = shape(
        "body",
        [(-0.38, -0.4), (-0.34, -0.84), (-0.18, -1.06), (0.18, -1.06), (0.34, -0.84), (0.38, -0.4), *hem],
        2,
    )
    cheeks = (oval("light", -0.2, -0.56, 0.06, 0.04, line=0), oval("light", 0.26, -0.56, 0.06, 0.04, line=0))
    return Body(
        ((cloth,),),
        cheeks,
        (0.03, -0.7),
        0.13,
        0.085,
        ((-0.32, -0.5), (0.32, -0.5)),
        None,
        arm_r=0.07,
        half_width=0.4,
        height=1.06,
    )


_BODIES: Final[dict[str, Callable[[], Body]]] = {
    "cat": _cat,
    "dog": _dog,
    "rabbit": _rabbit,
    "bird": _bird,
    "fish": _fish,
    "robot": _robot,
    "mushroom": _mushroom,
    "ghost": _ghost,
}


@cache
def body_of(character: str) -> Body:
    """The character's body, made once."""
    return _BODIES[character]()
