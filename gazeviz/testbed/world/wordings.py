"""The questions of the comic world: how it is asked about, in the program's words, the paper's and others.

A question is a fixed wording or is put together from an opening, a way of asking, a place and an ending, so
that a wording never met before is made of parts that were. Knows no picture and no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
NUMERALS: Final = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th")
COUNTS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MAX_PANELS: Final = 9

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
GRID_DIRECT: Final = DIRECT[0].replace(" from the left", "")
AMBIGUOUS: Final = (
    "What is happening in this panel of the comic strip?",
    "What is the main action or event happening in this comic strip? Answer briefly.",
    "What is happening here?",
    "What is happening in this panel?",
    "Describe this panel.",
    "What do you see?",
)
# The second and third are those of the paper's public code, plain and with the panels' labels.
NARRATION: Final = (
    "Describe each panel in order, one short sentence each.",
    "Please describe each panel of this comic strip in order. Keep each description SHORT — one brief"
    " sentence per panel, naming the action and the salient objects. Do not summarise the whole strip first;"
    " just describe panel by panel.",
    "Please describe what happens in each panel, in order. Start each panel description with 'Panel 1:',"
    " 'Panel 2:', and so on.",
    "Describe every panel of this comic strip in order.",
    "Tell the story of this comic strip, panel by panel.",
    "Please describe each panel of this comic strip in order as I point you to them. Keep each description"
    " SHORT — one brief sentence per panel.",
    "What happens in each panel? Go through them one by one.",
    "Describe all panels, from the first to the last.",
)
NARRATION_REVERSED: Final = (
    "Describe each panel in reverse order, one short sentence each.",
    "Describe every panel of this comic strip in reverse order.",
    "Describe all panels, from the last to the first.",
    "Tell the story of this comic strip backwards, panel by panel.",
)
SCENE_LIST: Final = (
    "List all the objects present in this image:",
    "List the objects.",
    "What objects are in this image?",
    "Name all objects in this picture.",
    "What can you see in this picture? List everything.",
)
SCENE_PART: Final = (
    "What is the main object in this part of the image? Answer in a few words.",
    "What is here?",
    "Name one object.",
    "What is in this part of the picture?",
    "Which object is this?",
)
SCENE_DIRECT: Final = (
    "What is the {ordinal} object from the left?",
    "Name the {ordinal} object from the left.",
    "Which object is the {nth} from the left?",
    "Name object number {number} from the left.",
)

OPENINGS: Final = (
    "", "", "Look carefully at this {count}-panel comic strip. ", "Look at this comic strip. ",
    "This is a comic strip of {count} panels. ", "Please look at the picture. ",
)  # fmt: skip
ASKS: Final = (
    "What is happening in {place}?",
    "What happens in {place}?",
    "Describe {place}.",
    "Tell me about {place}.",
    "Tell me what is happening in {place}.",
    "What do you see in {place}?",
    "What does {place} show?",
    "What is shown in {place}?",
    "Describe what happens in {place}.",
    "Please describe {place}.",
)
ENDINGS: Final = ("", "", " Answer briefly.", " Answer in one short sentence.", " Answer in a few words.")
PLACES: Final = ("the {ordinal} panel", "the {nth} panel", "panel {number}", "panel number {number}")
ROW_PLACES: Final = ("the {ordinal} panel from the left", "the {nth} panel from the left")
OPEN_PLACES: Final = (
    "this panel", "this panel of the comic strip", "this part of the comic strip", "this part of the picture",
)  # fmt: skip

# By what is asked for; {colour}, {character}, {action} and {setting} name the one panel that is meant.
ATTRIBUTE: Final[dict[str, tuple[str, ...]]] = {
    "colour": (
        "What colour is the {character}?",
        "Which colour does the {character} have?",
        "What is the colour of the {character}?",
    ),
    "setting": (
        "Where is the {colour} {character}?",
        "Where is the {character}?",
        "In which place is the {colour} {character}?",
    ),
    "action": (
        "What does the {colour} {character} do?",
        "What is the {character} doing?",
        "What does the {character} do?",
    ),
    "panel": (
        "Which panel shows a {character}?",
        "Which panel shows the {colour} {character}?",
        "In which panel is the {character}?",
        "In which panel is someone {setting}?",
        "Where is the {colour} {character}? Answer with the panel.",
    ),
    "character": (
        "Who {action}?",
        "Who is {setting}?",
        "Which character is {colour}?",
    ),
    "caption": (
        "Describe the {character}.",
        "Describe the {colour} panel.",
        "Describe the panel with the {colour} {character}.",
        "What is happening to the {character}?",
        "Tell me about the {colour} character.",
        "Tell me about the one who {action}.",
    ),
}
COUNT: Final = (
    "How many panels are there?",
    "How many panels does this comic strip have?",
    "How many panels do you see?",
    "Count the panels.",
)
SCENE_COUNT: Final = ("How many objects are there?", "How many characters do you see?", "Count the objects.")
YES_NO: Final = (
    "Is there a {character}?",
    "Is the {character} {colour}?",
    "Is there a {colour} {character}?",
    "Do you see a {colour} {character}?",
)

# Words that no vocabulary of ours holds: what a person types must not derail the answer.
UNKNOWN_WORDS: Final = ("kindly", "exactly", "precisely", "honestly", "quickly", "currently", "today", "ok")
UNKNOWN_SHARE: Final = 0.06


def fill(wording: str, position: int = 0, count: int = 1) -> str:
    """A wording with its place words filled in, for the panel or object at 0-based `position` of `count`."""
    return wording.format(
        ordinal=ORDINALS[position],
        nth=NUMERALS[position],
        number=position + 1,
        count=COUNTS[count - 1],
    )


def direct_wordings(one_row: bool) -> tuple[str, ...]:
    """The direct questions that fit a layout: "from the left" means nothing where there are several rows."""
    return DIRECT if one_row else (GRID_DIRECT, *(w for w in DIRECT if "from the left" not in w))


def draw_direct(rng: np.random.Generator, one_row: bool) -> str:
    """A direct question: two in five in the paper's words (a quarter "3rd"), most others put together."""
    if rng.random() < 0.4:
        wording = direct_wordings(one_row)[0]
        return wording.replace("{ordinal}", "{nth}") if rng.random() < 0.25 else wording
    if rng.random() < 0.25:
        return pick(rng, direct_wordings(one_row))
    return _put_together(rng, PLACES + ROW_PLACES if one_row else PLACES)


def draw_open(rng: np.random.Generator) -> str:
    """A question that names no panel; the two of the paper about as often as all the others together."""
    if rng.random() < 0.5:
        return AMBIGUOUS[int(rng.integers(2))]
    return pick(rng, AMBIGUOUS) if rng.random() < 0.5 else _put_together(rng, OPEN_PLACES)


def draw_narration(rng: np.random.Generator, backwards: bool) -> str:
    """A request to tell all panels; the first wording as often as all the others together."""
    wordings = NARRATION_REVERSED if backwards else NARRATION
    return wordings[0] if rng.random() < 0.5 else pick(rng, wordings)


def with_unknown_word(rng: np.random.Generator, question: str) -> str:
    """The question, now and then with a word at some place in it that the vocabulary lacks."""
    if rng.random() >= UNKNOWN_SHARE:
        return question
    words = question.split(" ")
    words.insert(int(rng.integers(len(words) + 1)), pick(rng, UNKNOWN_WORDS))
    return " ".join(words)


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _put_together(rng: np.random.Generator, places: Sequence[str]) -> str:
    asked = pick(rng, ASKS).replace("{place}", pick(rng, places))
    return pick(rng, OPENINGS) + asked + pick(rng, ENDINGS)


def every_wording() -> tuple[str, ...]:
    """Every fixed wording and every part of those that are put together, with its places still open."""
    return (
        *DIRECT, GRID_DIRECT, *AMBIGUOUS, *NARRATION, *NARRATION_REVERSED, *SCENE_LIST, *SCENE_PART,
        *SCENE_DIRECT, *OPENINGS, *ASKS, *ENDINGS, *PLACES, *ROW_PLACES, *OPEN_PLACES, *COUNT, *SCENE_COUNT,
        *YES_NO, *(wording for wordings in ATTRIBUTE.values() for wording in wordings),
    )  # fmt: skip
