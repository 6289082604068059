"""Tiny configurations of the families whose image tokens are one merged grid (Qwen, GLM, Ernie ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.engine.tiny_family import Tiny, Token, tiny_family

_FILM_TOKENS = ("<video>", "<vision>", "</vision>", "<film>", "</film>")
_FILM_NAMES = {
    "image_token": "<image>",
    "video_token": "<video>",
    "image_start_token": "<vision>",
    "image_end_token": "</vision>",
    "video_start_token": "<film>",
    "video_end_token": "</film>",
}


def _mrope(*sections: int, **more: float) -> dict[str, Any]:
    return {
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 10_000.0, "mrope_section": list(sections), **more
        }
    }  # fmt: skip


def _merged(
    model_type: str,
    processor: str,
    vision: Mapping[str, Any],
    text: Mapping[str, Any],
    *,
    pictures: str = "Qwen2VLImageProcessor",
    language: str | None = None,
    merge: int = 2,
    frames: int = 2,
) -> Tiny:
    """A family with one merged grid of patches of 4 px: at most 40 image tokens."""
    deep = {"depth": 2, "num_heads": 2, "patch_size": 4, "out_hidden_size": 32}
    cell_px = (4 * merge) ** 2 * (frames if pictures.startswith("Glm") else 1)
    return tiny_family(
        model_type,
        language,
        {**deep, **vision},
        {
            "image_processor_type": pictures,
            "patch_size": 4,
            "merge_size": merge,
            "temporal_patch_size": frames,
            "size": {"shortest_edge": 4 * cell_px, "longest_edge": 40 * cell_px},
        },
        {"processor_class": processor},
        text=text,
        tokens=_FILM_TOKENS,
        named=_FILM_NAMES,
        image="<vision> <image> </vision>",
        video_token_id=Token("<video>"),
        vision_start_token_id=Token("<vision>"),
        vision_end_token_id=Token("</vision>"),
        image_start_token_id=Token("<vision>"),
        image_end_token_id=Token("</vision>"),
        video_start_token_id=Token("<film>"),
        video_end_token_id=Token("</film>"),
    )


_QWEN = _mrope(2, 1, 1)
_GLM = _mrope(2, 1, 1, partial_rotary_factor=1.0)
_ERNIE = {
    **_mrope(1, 1, 2),
    "moe_intermediate_size": [16, 8],
    "moe_k": 2,
    "moe_num_experts": 4,
    "moe_num_shared_experts": 1,
}
_MOE = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
_GLM_MOE = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_HYBRID = {
    **_QWEN,
    "num_hidden_layers": 4,
    "layer_types": ["linear_attention", "full_attention"] * 2,
    "head_dim": 16,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
_QWEN3_VISION = {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
_GLM_VISION = {"image_size": 32}

MERGED: dict[str, Tiny] = {
    "qwen2_vl": _merged("qwen2_vl", "Qwen2VLProcessor", {"embed_dim": 32}, _QWEN),
    "qwen2_5_vl": _merged(
        "qwen2_5_vl", "Qwen2_5_VLProcessor", {"window_size": 16, "fullatt_block_indexes": [1]}, _QWEN
    ),
    "qwen3_vl": _merged("qwen3_vl", "Qwen3VLProcessor", _QWEN3_VISION, _QWEN),
    "qwen3_vl_moe": _merged("qwen3_vl_moe", "Qwen3VLProcessor", _QWEN3_VISION, {**_QWEN, **_MOE}),
    "qwen3_5": _merged("qwen3_5", "Qwen3VLProcessor", {"num_position_embeddings": 64}, _HYBRID),
    "qwen3_5_moe": _merged(
        "qwen3_5_moe",
        "Qwen3VLProcessor",
        {"num_position_embeddings": 64},
        {**_HYBRID, **_MOE, "shared_expert_intermediate_size": 16},
    ),
    "glm4v": _merged("glm4v", "Glm4vProcessor", _GLM_VISION, _GLM, pictures="Glm4vImageProcessor"),
    "glm4v_moe": _merged(
        "glm4v_moe", "Glm4vProcessor", _GLM_VISION, {**_GLM, **_GLM_MOE}, pictures="Glm4vImageProcessor"
    ),
    "glm46v": _merged(
        "glm46v",
        "Glm46VProcessor",
        {**_GLM_VISION, "model_type": "glm4v_vision"},
        _GLM,
        pictures="Glm46VImageProcessor",
        language="glm4v_text",
    ),
    "ernie4_5_vl_moe": _merged(
        "ernie4_5_vl_moe",
        "Ernie4_5_VLMoeProcessor",
        {},
        _ERNIE,
        pictures="Ernie4_5_VLMoeImageProcessor",
        frames=1,
    ),
    "paddleocr_vl": _merged(
        "paddleocr_vl",
        "PaddleOCRVLProcessor",
        {"image_size": 32},
        _QWEN,
        pictures="PaddleOCRVLImageProcessor",
        frames=1,
    ),
    "video_llama_3": _merged(
        "video_llama_3",
        "VideoLlama3Processor",
        {},
        {},
        pictures="VideoLlama3ImageProcessor",
        language="qwen2",
        merge=1,
        frames=1,
    ),
    "cosmos3_omni": _merged(
        "cosmos3_omni",
        "Qwen3VLProcessor",
        {"model_type": "qwen3_vl_vision", **_QWEN3_VISION},
        _QWEN,
        language="qwen3_vl_text",
    ),
}
