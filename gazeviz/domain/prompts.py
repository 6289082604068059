"""Prompts that steering is tried with, each with the length and the rows that belong to it.

The wordings of Gandikota & Bau (arXiv 2606.14703). The one source of screen, commands and evaluations; knows
no model and no picture. Loads nothing but the standard library, so that the command line starts at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.domain.region import Region
    from gazeviz.domain.steering import Scope


Ordinals: TypeAlias = Literal["words", "nth"]
ORDINALS: Final[tuple[Ordinals, ...]] = get_args(Ordinals)
"""How a panel is named: "fourth", as in the paper's text, or "4th", as in its code."""
ROW_QUESTION: Final = (
    "Look carefully at this {count}-panel comic strip."
    " What is happening in the {ordinal} panel from the left? Answer briefly."
)
GRID_QUESTION: Final = ROW_QUESTION.replace(" from the left", "")
NARRATION_PROMPT: Final = "Describe each panel in order, one short sentence each."
OPEN_QUESTION: Final = "What is happening in this panel of the comic strip?"
MAIN_EVENT_QUESTION: Final = "What is the main action or event happening in this comic strip? Answer briefly."
REGION_QUESTION: Final = "What is the main object in this part of the image? Answer in a few words."
LIST_QUESTION: Final = "List all the objects present in this image:"


@dataclass(frozen=True)
class Preset:
    """A prompt that says by itself what it is good for.

    key, name: for programs and for people.
    wording: the prompt; None for the direct question, of which there is one for each panel
        (gazeviz.domain.prompts.panel_questions).
    scope: which rows the published experiment steers.
    new_tok: its longest answer; each_panel: for each panel, that is.
    ordinals: how the direct question names its panel.
    does: what it shows, in a sentence.
    """

    key: str
    name: str
    wording: str | None
    scope: Scope
    new_tok: int
    does: str
    each_panel: bool = False
    ordinals: Ordinals = "words"

    def length_tok(self, n_panels: int) -> int:
        """New tokens for a picture of so many panels (0 where it has none)."""
        return self.new_tok * max(1, n_panels) if self.each_panel else self.new_tok


AMBIGUOUS: Final = Preset(
    "ambiguous", "Ambiguous", OPEN_QUESTION, "all_rows", 100,
    "Names no panel, so what the heads look at decides which one is described.",
)  # fmt: skip
MAIN_EVENT: Final = Preset(
    "main_event", "Main event", MAIN_EVENT_QUESTION, "all_rows", 15,
    "Asks for the strip's main event in a few words: the published steering question.",
)  # fmt: skip
DIRECT: Final = Preset(
    "direct", "Direct", None, "all_rows", 15,
    "Names the panel in words: what heads are ranked by, and what steering has to hold against.",
)  # fmt: skip
DIRECT_NTH: Final = Preset(
    "direct_nth", "Direct, as “4th”", None, "all_rows", 15,
    "Names the panel as 1st to 6th, which some models read better than words.", ordinals="nth",
)  # fmt: skip
NARRATION: Final = Preset(
    "narration", "Narration", NARRATION_PROMPT, "decode_only", 50,
    "Describes panel after panel, while the target may move.", each_panel=True,
)  # fmt: skip
SHORT_TURN_TOK: Final = 12
"""Answer tokens for each target on the built-in model, whose captions are that short; else NARRATION's."""
PART: Final = Preset(
    "part", "Part of a picture", REGION_QUESTION, "all_rows", 40,
    "Asks for the main object of a part that only the target names: for painted regions of a photo.",
)  # fmt: skip
LIST: Final = Preset(
    "list", "List of objects", LIST_QUESTION, "all_rows", 40,
    "Lists what is in the picture: steered, what is in the target.",
)  # fmt: skip
PRESETS: Final[Mapping[str, Preset]] = {
    preset.key: preset for preset in (AMBIGUOUS, MAIN_EVENT, DIRECT, DIRECT_NTH, NARRATION, PART, LIST)
}
"""In the order of menus."""
DIRECTS: Final = (DIRECT, DIRECT_NTH)
"""Those that are put for each panel."""


# How a model is asked about the panels of a strip.
#
# Knows wordings and where panels stand; knows no model, and not what is done with the answers.


_ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
)  # fmt: skip
_PLACES: Final = ("{ordinal}", "{nth}", "{number}")
_COUNTS: Final = (
    "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


def asked_about(wording: str, panels: Sequence[Region], panel: int) -> str:
    """The question that a wording puts about one of the panels, counted from 0.

    wording: "words" or "nth" for the direct question; one of one's own that names the panel by {ordinal},
    {nth} or {number}; anything else is asked as it is.  UserError as `panel_questions`.
    """
    if wording in ORDINALS:
        return panel_questions(panels, ordinals="nth" if wording == "nth" else "words")[panel]
    if any(place in wording for place in _PLACES):
        return panel_questions(panels, wording)[panel]
    return wording


def panel_questions(
    panels: Sequence[Region], question: str | None = None, ordinals: Ordinals = "words"
) -> tuple[str, ...]:
    """The question about each panel; "from the left" is said of panels in one row only.

    question: of one's own.  ordinals: how the usual one names the panel.
    UserError for a question of one's own that has no place for the panel, or one that is not known.
    """
    usual = ROW_QUESTION if _in_one_row(panels) else GRID_QUESTION
    wording = question or (usual.replace("{ordinal}", "{nth}") if ordinals == "nth" else usual)
    count = _COUNTS[len(panels) - 1] if len(panels) <= len(_COUNTS) else str(len(panels))
    try:
        texts = tuple(
            wording.format(ordinal=ordinal(k + 1), nth=nth(k + 1), number=k + 1, count=count)
            for k in range(len(panels))
        )
    except (KeyError, IndexError, ValueError) as error:
        raise _unusable(wording) from error
    if len(set(texts)) < len(texts):
        raise _unusable(wording)
    return texts


def _unusable(wording: str) -> UserError:
    return UserError(
        f"The question “{wording}” cannot be put for each panel.",
        next_step="Write {ordinal} (first, second ...), {nth} (1st, 2nd ...) or {number} (1, 2 ...) where the"
        " panel is named.",
    )


def ordinal(number: int) -> str:
    """ "first" to "twelfth", then "13th", "21st", "22nd" ..."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    return nth(number)


def nth(number: int) -> str:
    """ "1st", "2nd", "3rd", "4th" ... "11th" ... "21st" ..."""
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _in_one_row(panels: Sequence[Region]) -> bool:
    """Whether all panels stand side by side, in order from the left."""
    boxes = [panel.box_px for panel in panels]
    centres = [x0 + x1 for x0, _, x1, _ in boxes]
    level = max(y0 for _, y0, _, _ in boxes) < min(y1 for _, _, _, y1 in boxes)
    return level and centres == sorted(centres)
