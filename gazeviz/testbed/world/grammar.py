"""What a comic panel or a scene can say, and how it is asked about.

The grammar knows words only: which facts exist, how they are worded, and how to read a text back. It does not
know what anything looks like, nor which model reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
CHARACTERS: Final = ("cat", "dog", "rabbit", "bird", "fish", "robot", "mushroom", "ghost")
ACTIONS: Final = ("jumps", "sleeps", "eats", "reads", "paints", "sings", "juggles", "skates")
SETTINGS: Final = ("in town", "by the sea", "in the snow", "in space", "at night", "in the woods")
ORDERS: Final = (0, 1, 2)
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
COUNTS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight")
MAX_PANELS: Final = 8
MAX_OBJECTS: Final = 5

Split = Literal["train", "held_out", "all"]

# The first wording of each tuple is the one of Gandikota & Bau (arXiv 2606.14703), the rest are ours.
DIRECT: Final = (
    "Look carefully at this {count}-panel comic strip."
    " What is happening in the {ordinal} panel from the left? Answer briefly.",
    "What is happening in the {ordinal} panel from the left?",
    "What is happening in the {ordinal} panel?",
    "What happens in panel {number}?",
    "Describe the {ordinal} panel.",
    "Describe panel {number}.",
)
AMBIGUOUS: Final = (
    "What is happening in this panel of the comic strip?",
    "What is the main action or event happening in this comic strip? Answer briefly.",
    "What is happening here?",
    "What is happening in this panel?",
    "Describe this panel.",
    "What do you see?",
)
NARRATION: Final = (
    "Describe each panel in order, one short sentence each.",
    "Describe every panel of this comic strip in order.",
    "Tell the story of this comic strip, panel by panel.",
)
NARRATION_REVERSED: Final = (
    "Describe each panel in reverse order, one short sentence each.",
    "Describe every panel of this comic strip in reverse order.",
)
SCENE_LIST: Final = (
    "List all the objects present in this image:",
    "List the objects.",
    "What objects are in this image?",
)
SCENE_PART: Final = (
    "What is the main object in this part of the image? Answer in a few words.",
    "What is here?",
    "Name one object.",
)
SCENE_DIRECT: Final = (
    "What is the {ordinal} object from the left?",
    "Name the {ordinal} object from the left.",
)

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
    rng: np.random.Generator, n: int, split: Split = "train", distinct: float = 1.0
) -> tuple[Fact, ...]:
    """Draw the facts of one strip of n panels.

    With probability `distinct` all characters and all colours of the strip differ; otherwise they are free.
    Actions and settings are always free. ValueError unless 1 <= n <= 8.
    """
    if not 1 <= n <= MAX_PANELS:
        raise ValueError(f"a strip has 1 to {MAX_PANELS} panels, not {n}")
    if rng.random() < distinct:
        colours, characters = rng.permutation(8)[:n], rng.permutation(8)[:n]
    else:
        colours, characters = rng.integers(8, size=n), rng.integers(8, size=n)
    settings = rng.integers(len(SETTINGS), size=n)
    offsets = rng.integers(*_OFFSETS[split], size=n)
    return tuple(
        Fact(c, k, (held_out_action(c, k) + offset) % 8, setting)
        for c, k, offset, setting in zip(
            colours.tolist(), characters.tolist(), offsets.tolist(), settings.tolist(), strict=True
        )
    )


# Steps from the held-out action round the eight: none of them, one to seven, or any.
_OFFSETS: Final[dict[Split, tuple[int, int]]] = {"held_out": (0, 1), "train": (1, 8), "all": (0, 8)}


def draw_objects(rng: np.random.Generator, n: int | None = None) -> tuple[tuple[SceneObject, ...], int]:
    """Draw 2 to 5 different objects (n of them if given) and the index of a scene's setting."""
    count = int(rng.integers(2, MAX_OBJECTS + 1)) if n is None else n
    pairs = rng.permutation(64)[:count].tolist()
    return tuple(SceneObject(pair // 8, pair % 8) for pair in pairs), int(rng.integers(len(SETTINGS)))


def direct_wordings(one_row: bool) -> tuple[str, ...]:
    """The direct questions that fit a layout: "from the left" means nothing where there are several rows."""
    return DIRECT if one_row else tuple(w for w in DIRECT if "from the left" not in w)


def fill(wording: str, position: int = 0, count: int = 1) -> str:
    """A wording with its place words filled in, for the panel or object at 0-based `position` of `count`."""
    return wording.format(ordinal=ORDINALS[position], number=position + 1, count=COUNTS[count - 1])


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
    wordings = (*DIRECT, *AMBIGUOUS, *NARRATION, *NARRATION_REVERSED, *SCENE_LIST, *SCENE_PART, *SCENE_DIRECT)
    filled = [fill(wording, position, MAX_PANELS) for wording in wordings for position in range(MAX_PANELS)]
    words = set(tokens(" ".join(filled))) | set(tokens(" ".join((*COUNTS, *ORDINALS, *SETTINGS, "panel"))))
    words |= {*COLOURS, *CHARACTERS, *ACTIONS, *_EVERYDAY.split(), *"12345678", *".,:;?!-'\"()"}
    return tuple(sorted(words))
