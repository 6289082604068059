"""What a comic panel or a scene can say, and how it is asked about.

The grammar knows words only: which facts exist, how they are worded, and how to read a text back. It does not
know what anything looks like, nor which model reads it; how it is asked about is in `wordings`.

What is right where a question names no panel ("What is happening in this panel?")? Any panel is. The world
also has a rule for it, the most eye-catching panel (the one whose colour comes first in COLOURS, warm ones
first; of two, the first in reading order), and training can follow it in a share of the open questions. It
did at first: at 0.6 the answers were coherent, but a third of all heads were needed to steer them. What
makes them coherent without a habit is the order of words, see ORDER_SHARES; so the share was lowered, and
is 0 in the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gazeviz.testbed.world.wordings import COUNTS, MAX_PANELS, NUMERALS, ORDINALS, every_wording

COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
CHARACTERS: Final = ("cat", "dog", "rabbit", "bird", "fish", "robot", "mushroom", "ghost")
ACTIONS: Final = ("jumps", "sleeps", "eats", "reads", "paints", "sings", "juggles", "skates")
SETTINGS: Final = ("in town", "by the sea", "in the snow", "in space", "at night", "in the woods")
ORDERS: Final = (0, 1, 2)
# How often training words a caption so. All orders, so that no head can learn a word's place; but rarely the
# setting first: the likeliest first word would be "in", for most settings begin so and panels share them, and
# the words behind it were then about another panel ("in town, red ghost jumps" where it jumps at night).
ORDER_SHARES: Final = (0.46, 0.12, 0.42)
MAX_OBJECTS: Final = 5

Split = Literal["train", "held_out", "all"]

_EVERYDAY: Final = (
    "a about above after again all an and any animal animals answer are around at back background be"
    " before below beside between big bottom brief bright but by can carefully centre character characters"
    " color colors colour colours comic could count dark describe detail did different do does doing down"
    " each end every few find for from front give going ground has have he her here his how i image in"
    " into is it its just kind last left like list long look looking main make many me middle more most"
    " much my name near next no not now number object objects of on one only or order other out over part"
    " people person picture place please point present question read right row say scene second see"
    " sentence setting she short show side sky small some something start story strip tell than that the"
    " their them then there these they thing things this time to top two under up very was we weather were"
    " what when where which while who why will with word words write yes you your"
)
_TOKEN: Final = re.compile(r"[a-z]+|[0-9]|[^\w\s]")
_PLACEHOLDER: Final = re.compile(r"\{[a-z]+\}")
_SETTING_WORD: Final = {phrase.split()[-1]: phrase for phrase in SETTINGS}
_ATTRIBUTE_OF: Final = {word: word for word in (*COLOURS, *CHARACTERS, *ACTIONS)} | _SETTING_WORD


@dataclass(frozen=True)
class Fact:
    """What one panel shows, as indices into COLOURS, CHARACTERS, ACTIONS and SETTINGS."""

    colour_index: int
    character_index: int
    action_index: int
    setting_index: int

    @property
    def colour(self) -> str:
        """The colour's word."""
        return COLOURS[self.colour_index]

    @property
    def character(self) -> str:
        """The character's word."""
        return CHARACTERS[self.character_index]

    @property
    def action(self) -> str:
        """The action's verb."""
        return ACTIONS[self.action_index]

    @property
    def setting(self) -> str:
        """The setting's phrase."""
        return SETTINGS[self.setting_index]

    def attributes(self) -> tuple[str, str, str, str]:
        """The four words or phrases that a judge looks for."""
        return self.colour, self.character, self.action, self.setting

    def caption(self, order: int = 0) -> str:
        """The fact in words, in one of three word orders; ValueError for another order."""
        colour, character, action, setting = self.attributes()
        if order == 0:
            return f"{colour} {character} {action} {setting}"
        if order == 1:
            return f"{setting}, {colour} {character} {action}"
        if order == 2:
            return f"{character}, {colour}, {action} {setting}"
        raise ValueError(f"there is no word order {order}")


@dataclass(frozen=True)
class SceneObject:
    """One character of a scene, as indices into COLOURS and CHARACTERS."""

    colour_index: int
    character_index: int

    @property
    def colour(self) -> str:
        """The colour's word."""
        return COLOURS[self.colour_index]

    @property
    def character(self) -> str:
        """The character's word."""
        return CHARACTERS[self.character_index]

    @property
    def phrase(self) -> str:
        """The object in words, such as "red cat"."""
        return f"{self.colour} {self.character}"


def held_out_action(colour_index: int, character_index: int) -> int:
    """The one action that a colour and a character are never trained with.

    Solves colour + 3 character + 5 action = 5 (mod 8): 3 and 5 are units modulo 8, so the 64 triples of 512
    form a Latin square, and every colour, character, action and pair of them is held out equally often.
    """
    return 5 * (5 - colour_index - 3 * character_index) % 8


def is_held_out(fact: Fact) -> bool:
    """Whether the fact's (colour, character, action) is one of the 64 triples kept from training."""
    return fact.action_index == held_out_action(fact.colour_index, fact.character_index)


def draw_facts(
    rng: np.random.Generator,
    n: int,
    split: Split = "train",
    distinct: float = 1.0,
    colour_shares: Sequence[float] | None = None,
) -> tuple[Fact, ...]:
    """Draw the facts of one strip of n panels.

    With probability `distinct` all characters and all colours of the strip differ; otherwise they are free,
    the colours with probabilities `colour_shares` (evenly, if None). Actions and settings are always free. A
    ninth panel repeats a colour and a character.
    ValueError unless 1 <= n <= 9.
    """
    if not 1 <= n <= MAX_PANELS:
        raise ValueError(f"a strip has 1 to {MAX_PANELS} panels, not {n}")
    if rng.random() < distinct:
        colours, characters = _all_different(rng, n), _all_different(rng, n)
    else:
        free = rng.integers(8, size=n) if colour_shares is None else rng.choice(8, size=n, p=colour_shares)
        colours, characters = free, rng.integers(8, size=n)
    settings = rng.integers(len(SETTINGS), size=n)
    offsets = rng.integers(*_OFFSETS[split], size=n)
    return tuple(
        Fact(c, k, (held_out_action(c, k) + offset) % 8, setting)
        for c, k, offset, setting in zip(
            colours.tolist(), characters.tolist(), offsets.tolist(), settings.tolist(), strict=True
        )
    )


def _all_different(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """n of the eight indices in any order; the ninth is a free one."""
    drawn = rng.permutation(8)
    return drawn[:n] if n <= 8 else np.append(drawn, rng.integers(8))


# Steps from the held-out action round the eight: none of them, one to seven, or any.
_OFFSETS: Final[dict[Split, tuple[int, int]]] = {"held_out": (0, 1), "train": (1, 8), "all": (0, 8)}


def draw_objects(rng: np.random.Generator, n: int | None = None) -> tuple[tuple[SceneObject, ...], int]:
    """Draw 2 to 5 different objects (n of them if given) and the index of a scene's setting."""
    count = int(rng.integers(2, MAX_OBJECTS + 1)) if n is None else n
    pairs = rng.permutation(64)[:count].tolist()
    return tuple(SceneObject(pair // 8, pair % 8) for pair in pairs), int(rng.integers(len(SETTINGS)))


def draw_order(rng: np.random.Generator) -> int:
    """A word order, as often as training has it."""
    return int(rng.choice(len(ORDERS), p=ORDER_SHARES))


def most_eye_catching(shown: Sequence[Fact | SceneObject]) -> int:
    """The index of the panel or object that an open question is about by this world's rule."""
    return min(range(len(shown)), key=lambda index: shown[index].colour_index)


def narration(captions: Sequence[str], reverse: bool = False) -> str:
    """All captions told in order: "Panel 1: red cat jumps in town. Panel 2: ...", or backwards."""
    told = [f"Panel {index}: {caption}." for index, caption in enumerate(captions, start=1)]
    return " ".join(reversed(told) if reverse else told)


def object_list(objects: Sequence[SceneObject]) -> str:
    """The objects' phrases with commas between, in the order given; callers give it left to right."""
    return ", ".join(item.phrase for item in objects)


def tokens(text: str) -> list[str]:
    """Lowercase words, single digits and punctuation marks of a text."""
    return _TOKEN.findall(text.lower())


def parse(text: str) -> set[str]:
    """The attributes that a text states; a setting is stated by its content word ("sea" for "by the sea")."""
    return {_ATTRIBUTE_OF[word] for word in tokens(text) if word in _ATTRIBUTE_OF}


def matches(text: str, fact: Fact) -> int:
    """How many of the fact's four attributes a text states, 0 to 4, in any word order."""
    return len(parse(text).intersection(fact.attributes()))


def objects_in(text: str) -> list[tuple[str, str]]:
    """The (colour, character) pairs that a text names, in its order: "red cat" and "cat, red" alike."""
    words = [word for word in tokens(text) if word.isalpha()]
    found: list[tuple[str, str]] = []
    index = 0
    while index + 1 < len(words):
        one, two = words[index], words[index + 1]
        if one in COLOURS and two in CHARACTERS:
            found.append((one, two))
        elif one in CHARACTERS and two in COLOURS:
            found.append((two, one))
        else:
            index += 1
            continue
        index += 2
    return found


def vocabulary() -> tuple[str, ...]:
    """Every lowercase word, digit and mark of prompts and captions, and everyday prompt words; sorted."""
    fixed = _PLACEHOLDER.sub(" ", " ".join(every_wording()))
    words = set(tokens(" ".join((fixed, *COUNTS, *ORDINALS, *NUMERALS, *SETTINGS, "panel yes no"))))
    words |= {*COLOURS, *CHARACTERS, *ACTIONS, *_EVERYDAY.split(), *"123456789", *".,:;?!-'\"()—"}
    return tuple(sorted(words))
