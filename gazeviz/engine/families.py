"""The table of vision-language families: which work, with which image-token layout, and which are refused and why.

A family is named by `model_type` in a checkpoint's config.json. It stands in the table only if a coordinate picture
has proven its layout (tests/engine/test_families.py); a layout is never guessed. Knows nothing of files or devices.
"""

from __future__ import annotations

from dataclasses import dataclass

from gazeviz.engine.layouts import Layout, MergedGrid
from gazeviz.errors import UserError


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: `model_type` of its config.json.
        layout: where its image tokens lie.
        needs: Python packages beyond gazeviz's own that its processor asks for.
        shares_prefix: whether questions about one picture can share its cached prefix (not where the prompt is
            attended to in both directions).
    """

    name: str
    layout: Layout
    needs: tuple[str, ...] = ()
    shares_prefix: bool = True


_PROVEN = (
    Family("qwen2_vl", MergedGrid()),
    Family("qwen2_5_vl", MergedGrid()),
    Family("qwen3_vl", MergedGrid()),
)
FAMILIES: dict[str, Family] = {family.name: family for family in _PROVEN}

REFUSED: dict[str, str] = {
    "idefics2": "it turns every picture into 64 latents that belong to no place, so no attention map can be drawn",
    "mllama": "it sees the picture in separate cross-attention layers, which have no image tokens to steer",
}
"""Families that cannot work, and why (continues the sentence "... cannot be used, because")."""


def family_of(model_type: str) -> Family:
    """Return the family named by `model_type`.

    Raises:
        UserError: a family that is refused, with its reason, or one whose layout is not known, naming those that work.
    """
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    works = f"Choose a model of one of these families: {', '.join(sorted(FAMILIES))}."
    if model_type in REFUSED:
        raise UserError(
            f"A {model_type} model cannot be used, because {REFUSED[model_type]}.", next_step=works
        )
    raise UserError(
        f"The family {model_type!r} is not known: where its image tokens lie on the picture has not been proven.",
        next_step=works,
    )
