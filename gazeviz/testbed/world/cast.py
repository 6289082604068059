"""What the characters do: poses, and drawing a body with its limbs and face in one.

Coordinates are those of `pen`. The module does not know about pictures, sizes or settings, nor about props.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gazeviz.testbed.world.bodies import Body, body_of
from gazeviz.testbed.world.pen import Pen, Point, limb, oval, tube


@dataclass(frozen=True)
class Pose:
    """Where hands and feet go (from the shoulders and hips), what the face does, and the room it all needs.

    `lift` raises the body off the ground and `turn_deg` turns it clockwise about its feet;
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
    "jumps": Pose(
        ((-0.28, -0.26), (0.28, -0.26)),
        ((-0.16, -0.1), (0.16, -0.1)),
        "open",
        "open",
        0.44,
        0,
        (-0.56, 0.56, 1.48),
    ),
    "sleeps": Pose(
        ((-0.06, 0.2), (0.14, 0.2)), ((0, 0), (0, 0)), "none", "shut", 0.0, -82, (-1.2, 0.26, 1.2)
    ),
    "eats": Pose(((-0.2, 0.12), (0.26, 0.0)), mouth="none", span=(-0.5, 0.66, 1.1)),
    "reads": Pose(((-0.14, 0.2), (0.18, 0.2)), mouth="none", eyes="down", span=(-0.52, 0.52, 1.1)),
    "paints": Pose(((-0.2, 0.14), (0.24, -0.06)), eyes="open", span=(-0.46, 1.1, 1.12)),
    "sings": Pose(((-0.26, -0.14), (0.2, 0.04)), mouth="wide", eyes="joy", span=(-0.72, 0.62, 1.25)),
    "juggles": Pose(((-0.3, -0.04), (0.3, -0.04)), mouth="smile", eyes="up", span=(-0.66, 0.66, 1.6)),
    "skates": Pose(
        ((-0.3, -0.12), (0.3, 0.02)),
        ((-0.12, 0.0), (0.12, 0.0)),
        "smile",
        "open",
        0.2,
        10,
        (-0.72, 0.62, 1.3),
    ),
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
        shoe = oval(
            "body",
            foot[0] + 0.03,
            foot[1] + body.leg_r * 0.4,
            max(body.leg_r, 0.06) * 1.25,
            max(body.leg_r * 0.8, 0.045),
        )
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
        pen.group(
            [
                limb(
                    "body",
                    shoulder,
                    ((shoulder[0] + hand[0]) / 2, (shoulder[1] + hand[1]) / 2),
                    body.arm_r,
                    0,
                )
            ]
        )


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
        pen.group(
            tube(
                "line",
                [(x - 0.07, y - 0.02), (x - 0.025, y + 0.015), (x + 0.025, y + 0.015), (x + 0.07, y - 0.02)],
                0.014,
                0,
            )
        )
    elif mouth == "flat":
        pen.group([limb("line", (x - 0.05, y), (x + 0.05, y), 0.014, 0)])
    elif mouth == "open":
        pen.group([oval("mouth", x, y, 0.07, 0.055, line=0.018)])
    elif mouth == "wide":
        pen.group([oval("mouth", x, y + 0.02, 0.085, 0.095, line=0.02)])
