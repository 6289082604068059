"""The table of vision-language families: which work, with which image-token layout, which are refused, why.

A family is named by `model_type` in a checkpoint's config.json. It stands in the table only if a coordinate
picture has proven its layout (tests/engine/test_families.py); a layout is never guessed. Knows nothing of
files or devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gazeviz.domain.model_files import REFUSED as REFUSED
from gazeviz.domain.model_files import TWINS, family_name
from gazeviz.engine.models.layouts import BreakRows, MergedGrid, PooledGrid, Square, TokenLayout
from gazeviz.engine.models.tiled_layouts import AnyResolution, CanvasTiles, GridTiles, SplitTiles
from gazeviz.errors import UserError


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: `model_type` of its config.json (where checkpoints differ by vision tower: the tower's).
        layout: where its image tokens lie.
        shares_prefix: whether questions about one picture can share a cache of everything up to its last
            image token; not where the prompt is attended to in both directions (PaliGemma), nor where tokens
            behind the last image token are made from the picture too (Ovis 2).
        first_position: rotary position of the first token.
        plain_prompt: how a prompt is put where a checkpoint has no chat template (None: it is refused).
    """

    name: str
    layout: TokenLayout
    shares_prefix: bool = True
    first_position: int = 0
    plain_prompt: str | None = None


def _image_seq_length(processor: Any) -> int:
    return int(processor.image_seq_length)


def _image_seq_len(processor: Any) -> int:
    return int(processor.image_seq_len)


def _square_of_patches(processor: Any) -> int:
    return (int(processor.img_size) // int(processor.patch_size)) ** 2


_PROVEN = (
    Family("qwen2_vl", MergedGrid()),
    Family("qwen2_5_vl", MergedGrid()),
    Family("qwen3_vl", MergedGrid()),
    Family("qwen3_vl_moe", MergedGrid()),
    Family("qwen3_5", MergedGrid()),
    Family("qwen3_5_moe", MergedGrid()),
    Family("glm4v", MergedGrid(counts_frames=True)),
    Family("glm4v_moe", MergedGrid(counts_frames=True)),
    Family("glm46v", MergedGrid(counts_frames=True)),
    Family("ernie4_5_vl_moe", MergedGrid()),
    Family("paddleocr_vl", MergedGrid(merged_order=False)),
    Family("video_llama_3", MergedGrid()),
    Family("cosmos3_omni", MergedGrid()),
    Family("internvl", CanvasTiles(_image_seq_length)),
    Family("qianfan_ocr", CanvasTiles(_image_seq_length)),
    Family("aya_vision", CanvasTiles(_square_of_patches)),
    Family("ovis2", GridTiles(_image_seq_length, whole="first"), shares_prefix=False),
    Family("idefics3", SplitTiles(_image_seq_len)),
    Family("smolvlm", SplitTiles(_image_seq_len)),
    Family("llava", Square()),
    Family("vipllava", Square()),
    Family("gemma3", Square()),
    Family("paligemma", Square(), shares_prefix=False, first_position=1, plain_prompt="{image}{prompt}"),
    Family("llava_next", AnyResolution()),
    Family("llava_onevision", AnyResolution()),
    Family("pixtral", BreakRows()),
    Family("mistral3", BreakRows()),
    Family("gemma4", PooledGrid()),
)
FAMILIES: dict[str, Family] = {family.name: family for family in _PROVEN}


def family_of(settings: Mapping[str, Any]) -> Family:
    """Return the family of a checkpoint by its config.json (`model_type`, and the vision tower's).

    Raises:
        UserError: a family that is refused, with its reason, or one whose layout is not known, naming those
            that work.
    """
    name = family_name(settings)
    if name in FAMILIES:
        return FAMILIES[name]
    works = f"Choose a model of one of these families: {', '.join(sorted(FAMILIES))}."
    if name in TWINS:
        works = f"Take {TWINS[name]}. {works}"
    if name in REFUSED:
        raise UserError(f"A {name} model cannot be used, because {REFUSED[name]}.", next_step=works)
    raise UserError(
        f"The family {name!r} is not known: it is not proven where its image tokens lie on a picture.",
        next_step=works,
    )
