"""How a model is asked about the panels of a strip.

Knows wordings and where panels stand; knows no model, and not what is done with the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gazeviz.domain.prompts import GRID_QUESTION, ROW_QUESTION
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

_ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
)  # fmt: skip
_COUNTS: Final = (
    "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


def panel_questions(panels: Sequence[Region], question: str | None = None) -> tuple[str, ...]:
    """The question about each panel, in words; "from the left" is said of panels in one row only.

    UserError for a question of one's own that has no place for the panel, or one that is not known.
    """
    wording = question or (ROW_QUESTION if _in_one_row(panels) else GRID_QUESTION)
    count = _COUNTS[len(panels) - 1] if len(panels) <= len(_COUNTS) else str(len(panels))
    try:
        texts = tuple(
            wording.format(ordinal=_ordinal(k + 1), number=k + 1, count=count) for k in range(len(panels))
        )
    except (KeyError, IndexError, ValueError) as error:
        raise _unusable(wording) from error
    if len(set(texts)) < len(texts):
        raise _unusable(wording)
    return texts


def _unusable(wording: str) -> UserError:
    return UserError(
        f"The question “{wording}” cannot be put for each panel.",
        next_step="Write {ordinal} (first, second ...) or {number} (1, 2 ...) where the panel is named.",
    )


def _ordinal(number: int) -> str:
    """ "first" to "twelfth", then "13th", "21st", "22nd" ..."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    teens = 10 < number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _in_one_row(panels: Sequence[Region]) -> bool:
    """Whether all panels stand side by side, in order from the left."""
    boxes = [panel.box_px for panel in panels]
    centres = [x0 + x1 for x0, _, x1, _ in boxes]
    level = max(y0 for _, y0, _, _ in boxes) < min(y1 for _, _, _, y1 in boxes)
    return level and centres == sorted(centres)
