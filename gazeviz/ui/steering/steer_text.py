"""What modes, strengths and rows of a steering are called, and what they do to the model, in plain words."""

from __future__ import annotations

from typing import Final, NamedTuple

from gazeviz.app.session.values import SteeringSettings
from gazeviz.domain.steering import Hard, Mode, Scope

JUNK_FROM: Final = 16.0
"""From this strength on many models write junk: about 35 % of texts in replications of arXiv 2606.14703."""


class SettingText(NamedTuple):
    """A name for menus, and what it does; the short name is the one of domain.wording."""

    name: str
    does: str


MODE_TEXTS: Final[dict[Mode, SettingText]] = {
    "boost_suppress": SettingText(
        "Boost the target, suppress the rest of the picture",
        "The strength is added to the scores of the target's image tokens and subtracted from those of all"
        " other image tokens; text is unchanged. The published setting.",
    ),
    "suppress_image": SettingText(
        "Suppress the rest of the picture",
        "The strength is subtracted from all image tokens except the target's; nothing is boosted.",
    ),
    "suppress_all": SettingText(
        "Suppress the rest of the picture and the prompt",
        "The strength is subtracted from all image tokens except the target's and from the prompt; what has"
        " been generated so far is unchanged.",
    ),
    "max_suppress_all": SettingText(
        "Suppress everything but the target",
        "The strength is subtracted from everything except the target: picture, prompt, and what has been"
        " generated so far.",
    ),
    "knock_out": SettingText(
        "Knock the heads out",
        "The output of the chosen heads is replaced by zero, or by its mean over a set of pictures: shows"
        " what the answer owes to them. Needs no target.",
    ),
    "mass": SettingText(
        "Give the target a fixed share",
        "The target receives exactly this share of each row's attention; the rest keeps its proportions.",
    ),
}  # fmt: skip

SCOPE_TEXTS: Final[dict[Scope, SettingText]] = {
    "all_rows": SettingText(
        "All rows",
        "Steers every row of the prompt and the answer: the published setting for questions.",
    ),
    "decode_only": SettingText(
        "Only rows that generate the answer",
        "Steers only the rows that generate the answer: for narrations with a moving target.",
    ),
    "after_image": SettingText(
        "Rows after the picture",
        "Steers the prompt's rows after the picture and the answer's rows: the picture is encoded once for"
        " all targets. This is a different intervention from all rows.",
    ),
}  # fmt: skip

HARD_TEXTS: Final[dict[Hard, SettingText]] = {
    "hard": SettingText(
        "Hard",
        "Infinite strength: the heads see only the target, or what the mode does not suppress, in its own"
        " proportions.",
    ),
    "hard_uniform": SettingText(
        "Hard uniform",
        "Infinite strength, uniform over the target: what a strength of 10 000 does in bfloat16, as in the"
        " published runs.",
    ),
}  # fmt: skip


def strength_note(settings: SteeringSettings) -> str:
    """What is to be known about this strength."""
    if settings.mode == "knock_out":
        return "A knock-out has no strength."
    if settings.mode == "mass":
        return "A fixed share has no strength."
    if isinstance(settings.strength, str):
        return HARD_TEXTS[settings.strength].does
    if settings.strength >= JUNK_FROM:
        return f"Many models produce junk from {JUNK_FROM:g} on."
    if settings.strength == 0:
        return "A strength of 0 changes nothing: the text must equal the baseline."
    return "None: the strength above applies."
