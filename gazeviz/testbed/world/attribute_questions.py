"""Questions for one attribute of what a picture shows, and their answers: which colour, where, which panel.

A question is asked only where it has one right answer. They teach what belongs together: having said one word
about a panel, the model has to find the rest of it. Knows no picture, only what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from gazeviz.testbed.world import wordings
from gazeviz.testbed.world.grammar import CHARACTERS, COLOURS, Fact, SceneObject, draw_order

Shown = Sequence[Fact] | Sequence[SceneObject]


class Block(NamedTuple):
    """One question about a picture and its answer."""

    question: str
    answer: str


# How often each kind is asked; what a panel's own word leads to comes first. Which panel, and yes or no, are
# learnt last: with .16 and .12 of the questions they were right in 28 and 44 % after 2,600 steps.
KINDS: Final = {
    "caption": 0.2, "character": 0.13, "colour": 0.08, "setting": 0.08, "action": 0.06, "panel": 0.26,
    "yes_no": 0.18, "count": 0.01,
}  # fmt: skip
SCENE_KINDS: Final = {"colour": 0.5, "yes_no": 0.3, "count": 0.2}
_TRIES: Final = 12  # wordings of a kind, until one has a single answer in this picture


def draw_kind(rng: np.random.Generator, scene: bool) -> tuple[str, str]:
    """A kind of question and one of its wordings."""
    shares = SCENE_KINDS if scene else KINDS
    kind = str(rng.choice(list(shares), p=list(shares.values())))
    return kind, _wording(rng, kind, scene)


def _wording(rng: np.random.Generator, kind: str, scene: bool) -> str:
    if kind == "count":
        return wordings.pick(rng, wordings.SCENE_COUNT if scene else wordings.COUNT)
    return wordings.pick(rng, wordings.YES_NO if kind == "yes_no" else wordings.ATTRIBUTE[kind])


def ask_kind(rng: np.random.Generator, kind: str, shown: Shown) -> Block | None:
    """A question of a kind in one of its wordings that has a single answer here; None where none has."""
    for _ in range(_TRIES):
        block = ask(rng, kind, _wording(rng, kind, isinstance(shown[0], SceneObject)), shown)
        if block is not None:
            return block
    return None


def ask(rng: np.random.Generator, kind: str, wording: str, shown: Shown) -> Block | None:
    """The question about one of the panels or objects shown, or None where none has a single answer."""
    if kind == "count":
        return Block(wording, sentence(wordings.COUNTS[len(shown) - 1]))
    if kind == "yes_no":
        return _yes_or_no(rng, wording, shown)
    asked = [_filled(wording, one) for one in shown]
    single = [index for index, question in enumerate(asked) if _fits(wording, shown[index], shown) == 1]
    if not single:
        return None
    chosen = int(rng.choice(single))
    return Block(asked[chosen], sentence(_answer(rng, kind, shown[chosen], chosen)))


def sentence(text: str) -> str:
    """The text with a full stop."""
    return f"{text}."


def _filled(wording: str, one: Fact | SceneObject) -> str:
    words = {name: getattr(one, name, "") for name in ("colour", "character", "action", "setting")}
    return wording.format(**words)


def _fits(wording: str, one: Fact | SceneObject, shown: Shown) -> int:
    """How many of those shown agree with one of them in all that the wording names."""
    names = [name for name in ("colour", "character", "action", "setting") if f"{{{name}}}" in wording]
    return sum(all(getattr(other, name) == getattr(one, name) for name in names) for other in shown)


def _answer(rng: np.random.Generator, kind: str, one: Fact | SceneObject, index: int) -> str:
    if kind == "panel":
        return f"panel {index + 1}"
    if kind == "character":
        return f"{one.colour} {one.character}"
    if kind == "caption" and isinstance(one, Fact):
        return one.caption(draw_order(rng))
    return str(getattr(one, kind))


def _yes_or_no(rng: np.random.Generator, wording: str, shown: Shown) -> Block | None:
    """A question that is true of one shown, or the same with a word of another one that makes it false."""
    one = shown[int(rng.integers(len(shown)))]
    if wording.startswith("Is the "):
        if sum(other.character == one.character for other in shown) > 1:
            return None
        said = _with_colour(rng, wording, one, shown, lambda colour: colour != one.colour)
    elif "{colour}" in wording:
        there = {(other.colour, other.character) for other in shown}
        said = _with_colour(rng, wording, one, shown, lambda colour: (colour, one.character) not in there)
    else:
        absent = [name for name in CHARACTERS if all(other.character != name for other in shown)]
        if not absent:
            return None
        false = wording.format(character=wordings.pick(rng, absent))
        said = _filled(wording, one), false
    true_or_false = int(rng.integers(2))
    return Block(said[true_or_false], sentence(("yes", "no")[true_or_false]))


def _with_colour(
    rng: np.random.Generator,
    wording: str,
    one: Fact | SceneObject,
    shown: Shown,
    is_false: Callable[[str], bool],
) -> tuple[str, str]:
    """The question with its own colour, and with a false one, which most often is another panel's."""
    others = [other.colour for other in shown if is_false(other.colour)]
    if not others or rng.random() < 0.3:
        others = [colour for colour in COLOURS if is_false(colour)]
    false = wording.format(character=one.character, colour=wordings.pick(rng, others))
    return _filled(wording, one), false
