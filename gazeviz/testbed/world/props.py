"""What an action needs besides a body: books, easels, balls, and the marks of motion and sound.

Props are drawn in the character's own frame (see `pen`), some behind the body and some in front of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gazeviz.testbed.world.bodies import CREAM, DARK_WOOD, INK, PINK, STEEL, TEAL, WOOD, body_of
from gazeviz.testbed.world.cast import Pose, hands_of
from gazeviz.testbed.world.pen import Pen, limb, oval, shape, tube

Prop = Callable[[Pen, str, Pose, float], None]


def _trampoline(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    for x in (-0.4, 0.4):
        pen.group([limb(STEEL, (x, -0.12), (x * 1.12, -0.02), 0.025)], INK)
    pen.group([oval(TEAL, 0, -0.15, 0.52, 0.075)], INK)
    pen.group([oval((48, 92, 104), 0, -0.15, 0.4, 0.045, line=0)])
    for x in (-0.3, 0.0, 0.3):
        pen.group([limb("spark", (x, -0.28), (x, -0.4 - 0.03 * wiggle), 0.02, 0)])


def _pillow(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    pen.group([shape((238, 226, 240), [(-1.2, -0.04), (-1.22, -0.4), (-0.62, -0.34), (-0.58, -0.0)], 2)], INK)
    pen.group([shape(TEAL, [(-0.62, 0.03), (-0.6, -0.1), (0.24, -0.1), (0.26, 0.03)], 2)], INK)


def _zzz(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    for x, y, size in ((-0.5, 0.14, 0.15), (-0.24, 0.24, 0.2), (0.08, 0.36, 0.25)):
        y = -min(0.96, 2 * body_of(character).half_width) - y
        flip = -1 if pen.mirror else 1
        corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
        path = [(x + flip * size / 2 * u, y + size / 2 * v + 0.03 * wiggle) for u, v in corners]
        pen.group(tube("spark", path, 0.02, 0.022), "shadow")


def _donut(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    x, y = _bite(character)
    pen.group([oval((222, 170, 110), x, y, 0.2, 0.2)], INK)
    pen.group([oval(PINK, x, y, 0.165, 0.165, line=0)])
    pen.group([oval(CREAM, x, y, 0.06, 0.06, line=0.02)], INK)
    for dx, dy in ((-0.09, -0.08), (0.1, -0.06), (0.03, 0.12), (-0.08, 0.09), (0.02, -0.12)):
        pen.group([limb(CREAM, (x + dx, y + dy), (x + dx + 0.025, y + dy + 0.015), 0.014, 0)])


def _bite(character: str) -> tuple[float, float]:
    x, y = body_of(character).face
    return x + 0.27, y + 0.22


def _book(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    x, y = 0.04, -0.24 if body_of(character).face[1] < -0.5 else -0.1  # below the eyes
    pen.group(
        [
            shape(
                DARK_WOOD,
                [
                    (x - 0.4, y - 0.2),
                    (x, y - 0.13),
                    (x + 0.4, y - 0.2),
                    (x + 0.4, y + 0.14),
                    (x, y + 0.2),
                    (x - 0.4, y + 0.14),
                ],
                0,
            )
        ],
        INK,
    )
    for side in (-1, 1):
        page = [
            (x + side * 0.015, y - 0.13),
            (x + side * 0.35, y - 0.2),
            (x + side * 0.35, y + 0.09),
            (x + side * 0.015, y + 0.15),
        ]
        pen.group([shape(CREAM, page, 0, 0)])
        for row in range(3):
            top = y - 0.1 + 0.075 * row
            pen.group(
                [limb((150, 140, 134), (x + side * 0.07, top), (x + side * 0.29, top - 0.04), 0.012, 0)]
            )
        pen.group([oval("body", x + side * 0.4, y - 0.01, 0.06, 0.07)])


def _easel(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    pen.group(
        [
            limb(WOOD, (0.66, -0.3), (0.56, -0.02), 0.03),
            limb(WOOD, (0.88, -0.3), (0.98, -0.02), 0.03),
            limb(WOOD, (0.77, -1.0), (0.77, -0.25), 0.03),
        ],
        INK,
    )
    pen.group([shape(CREAM, [(0.5, -0.96), (1.06, -0.96), (1.06, -0.36), (0.5, -0.36)], 0)], INK)
    pen.group(tube(TEAL, [(0.6, -0.5), (0.74, -0.62), (0.86, -0.5), (0.97, -0.6)], 0.035, 0))
    pen.group([oval(PINK, 0.88, -0.8, 0.08, 0.08, line=0)])


def _brush(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    x, y = hands_of(character, pose, wiggle)[1]
    tip = (0.62, -0.64 + 0.04 * wiggle)
    pen.group([limb(WOOD, (x - 0.04, y + 0.05), tip, 0.02)], INK)
    pen.group([oval(PINK, tip[0], tip[1], 0.045, 0.045, line=0.02)], INK)


def _microphone(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    x, y = body_of(character).face
    head = (max(x + 0.36, 0.42), y + 0.2)
    pen.group(
        [
            limb(STEEL, (head[0], head[1]), (head[0] + 0.04, -0.03), 0.02),
            oval(STEEL, head[0] + 0.04, -0.03, 0.14, 0.03),
        ],
        INK,
    )
    pen.group([oval((84, 84, 100), head[0], head[1] - 0.05, 0.09, 0.11)], INK)
    pen.group(
        [limb((190, 194, 204), (head[0] - 0.07, head[1] - 0.05), (head[0] + 0.07, head[1] - 0.05), 0.014, 0)]
    )


def _notes(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    for x, y in ((-0.6, -0.74), (-0.46, -1.08 + 0.04 * wiggle), (0.5, -1.08)):
        pen.group(
            [
                oval("spark", x, y, 0.075, 0.055, -20, 0.02),
                limb("spark", (x + 0.06, y), (x + 0.06, y - 0.22), 0.014, 0.02),
                limb("spark", (x + 0.06, y - 0.22), (x + 0.15, y - 0.15), 0.02, 0.02),
            ],
            "shadow",
        )


def _balls(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    top, wide = body_of(character).height, max(0.54, body_of(character).half_width + 0.1)
    for x, y, colour in ((-wide, -0.9, PINK), (0.0, -top - 0.2, CREAM), (wide, -0.9 - 0.05 * wiggle, TEAL)):
        pen.group([oval(colour, x, y, 0.115, 0.115)], INK)
        pen.group([limb((255, 255, 255), (x - 0.05, y - 0.05), (x - 0.03, y - 0.06), 0.02, 0)])


def _board(pen: Pen, character: str, pose: Pose, wiggle: float) -> None:
    for x in (-0.3, 0.3):
        pen.group([oval(CREAM, x, -0.07, 0.07, 0.07)], INK)
    pen.group(tube(TEAL, [(-0.54, -0.24), (-0.4, -0.17), (0.4, -0.17), (0.54, -0.24)], 0.04), INK)
    for y, start in ((-0.3, -0.6), (-0.5, -0.56), (-0.7, -0.62)):
        pen.group([limb("spark", (start - 0.22, y), (start, y), 0.02, 0)])


BEHIND: Final[dict[str, tuple[Prop, ...]]] = {
    "jumps": (_trampoline,),
    "sleeps": (_pillow,),
    "paints": (_easel,),
    "skates": (_board,),
    "juggles": (_balls,),
    "sings": (_notes,),
}
FRONT: Final[dict[str, tuple[Prop, ...]]] = {
    "eats": (_donut,),
    "reads": (_book,),
    "paints": (_brush,),
    "sings": (_microphone,),
    "sleeps": (_zzz,),
}
