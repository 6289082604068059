"""The families of vision-language models by name: which work, which are refused and why.

A family is named by `model_type` in a checkpoint's config.json. Known to the engine, which has a proven
layout for each (engine.families), and to screens that list models before one is loaded. Knows no layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PROVEN: Final = frozenset(
    (
        "aya_vision", "cosmos3_omni", "ernie4_5_vl_moe", "gemma3", "gemma4", "glm46v", "glm4v", "glm4v_moe",
        "idefics3", "internvl", "llava", "llava_next", "llava_onevision", "mistral3", "ovis2",
        "paddleocr_vl", "paligemma", "pixtral", "qianfan_ocr", "qwen2_5_vl", "qwen2_vl", "qwen3_5",
        "qwen3_5_moe", "qwen3_vl", "qwen3_vl_moe", "smolvlm", "video_llama_3", "vipllava",
    )
)  # fmt: skip
"""Families whose token layout is proven: the rows of the engine's table."""

_NEEDS_TORCHVISION = "its image processor exists for torchvision only, and its layout has not been proven"
_NEEDS_TIMM = "its vision tower needs the package timm, and its layout has not been proven"
REFUSED: Final[Mapping[str, str]] = {
    "idefics2": "it turns every picture into 64 latents without a place, so no attention map can be drawn",
    "mllama": "it sees the picture in separate cross-attention layers, which have no image tokens to steer",
    **dict.fromkeys(
        ("cohere2_vision", "gemma4_unified", "kimi_k25", "lfm2_vl", "lfm3_vl", "llama4", "molmo2"),
        _NEEDS_TORCHVISION,
    ),
    **dict.fromkeys(("fast_vlm", "gemma3n", "perception_lm"), _NEEDS_TIMM),
}
"""Families that cannot work, and why (continues the sentence "... cannot be used, because")."""


def family_name(settings: Mapping[str, Any]) -> str:
    """Return the family's name by a checkpoint's config.json; "" where it names none.

    Its `model_type`; where checkpoints of one type differ by vision tower (LLaVA with Pixtral's), that one's.
    """
    name = str(settings.get("model_type") or "")
    vision = settings.get("vision_config")
    if name == "llava" and isinstance(vision, Mapping) and vision.get("model_type") == "pixtral":
        return "pixtral"
    return name


def takes_pictures(settings: Mapping[str, Any]) -> bool:
    """Whether the config.json of an unknown family speaks of pictures, by its parts and architectures."""
    if any(
        settings.get(key) is not None
        for key in ("vision_config", "vision_tower", "image_token_id", "image_token_index")
    ):
        return True
    architectures = settings.get("architectures")
    named = [str(name) for name in architectures] if isinstance(architectures, list) else []
    return any("Vision2Seq" in name or "ImageTextToText" in name for name in named)
