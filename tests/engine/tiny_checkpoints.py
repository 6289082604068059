"""Tiny checkpoints of every family, as folders of Hugging Face files: random weights, real processors.

What `load_model` reads in a test, it reads the way it reads a downloaded model: config, safetensors, tokenizer, image
processor and chat template. Weights are random; the vision towers are a few layers of a few numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.tiny_models import model_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, PreTrainedTokenizerFast

WORDS = (
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    "user",
    "assistant",
    "where",
    "what",
    "is",
    "it",
    "?",
    "red",
    "cat",
    "\n",
)
TEXT: Mapping[str, Any] = {
    "vocab_size": 160,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 1, 1]}}
TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
DEPTH = {"hidden_size": 32, "intermediate_size": 48, "depth": 2, "num_heads": 2, "patch_size": 4}
PLAIN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
Ids = Mapping[str, int]


@dataclass(frozen=True)
class Tiny:
    """What a tiny checkpoint of one family is made of.

    Attributes:
        config: config.json by the ids of the control tokens.
        image_processor: preprocessor_config.json.
        image: the placeholder of a picture in the rendered prompt.
        control: control tokens of the tokenizer.
        named: control tokens that the tokenizer knows by a name of their own.
        processor: settings of the processor as a whole.
    """

    config: Callable[[Ids], dict[str, Any]]
    image_processor: dict[str, Any]
    image: str
    control: tuple[str, ...]
    named: dict[str, str] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(folder: Path, family: str, seed: int = 0) -> Path:
    """Write the family's tiny checkpoint into `folder` and return it."""
    tiny = TINY[family]
    tokenizer = _tokenizer(tiny)
    ids = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in tiny.control}
    settings = tiny.config(ids)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    folder.mkdir(parents=True, exist_ok=True)
    model_of(config, attention="sdpa", seed=seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PLAIN, **tiny.image_processor}))
    if tiny.processor:
        (folder / "processor_config.json").write_text(json.dumps(tiny.processor))
    return folder


def _tokenizer(tiny: Tiny) -> PreTrainedTokenizerFast:
    """A word tokenizer with the family's control tokens and a chat template of one line."""
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.WordPiece()
    core.add_special_tokens(list(tiny.control))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=tiny.named,
    )
    tokenizer.chat_template = (
        "{%- for message in messages -%}user {% for part in message.content -%}"
        "{%- if part.type == 'image' -%}" + tiny.image + "{%- else -%} {{ part.text }}{%- endif -%}"
        "{%- endfor -%}{%- endfor %} assistant"
    )
    return tokenizer


def _merged(
    model_type: str,
    text: dict[str, Any],
    vision: dict[str, Any],
    image_processor: str,
    *,
    processor: str,
    named: bool = False,
    merge: int = 2,
    frames: int = 2,
    **top: Any,
) -> Tiny:
    """A family with one merged grid of patches of 4 px, at most 40 image tokens."""

    def config(ids: Ids) -> dict[str, Any]:
        return {
            "model_type": model_type,
            "text_config": {**TEXT, **text},
            "vision_config": {**DEPTH, "out_hidden_size": 32, **vision},
            "image_token_id": ids["<image>"],
            "video_token_id": ids["<video>"],
            "vision_start_token_id": ids["<vision>"],
            "vision_end_token_id": ids["</vision>"],
            "image_start_token_id": ids["<vision>"],
            "image_end_token_id": ids["</vision>"],
            "video_start_token_id": ids["<film>"],
            "video_end_token_id": ids["</film>"],
            **top,
        }

    cell = (4 * merge) ** 2 * (frames if "Glm" in image_processor else 1)
    size = {"shortest_edge": 4 * cell, "longest_edge": 40 * cell}
    tokens = {"image_token": "<image>", "video_token": "<video>"}
    tokens |= {
        f"{kind}_{end}_token": f"<{'/' if end == 'end' else ''}{word}>"
        for kind, word in (("image", "vision"), ("video", "film"))
        for end in ("start", "end")
    }
    return Tiny(
        config,
        {
            "image_processor_type": image_processor,
            "processor_class": processor,
            "patch_size": 4,
            "merge_size": merge,
            "temporal_patch_size": frames,
            "size": size,
        },
        "<vision> <image> </vision>",
        ("<image>", "<video>", "<vision>", "</vision>", "<film>", "</film>"),
        tokens,
    )


def _placed(
    model_type: str, text: dict[str, Any], vision: dict[str, Any], **top: Any
) -> Callable[[Ids], dict[str, Any]]:
    """config.json of a family that names its image token `<image>`."""

    def config(ids: Ids) -> dict[str, Any]:
        return {
            "model_type": model_type,
            "text_config": {**TEXT, **text},
            "vision_config": {**TOWER, **vision},
            "image_token_id": ids["<image>"],
            "image_token_index": ids["<image>"],
            **top,
        }

    return config


_MOE = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
_HYBRID = {
    "num_hidden_layers": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "layer_types": ["linear_attention", "full_attention"] * 2, "head_dim": 16, **MROPE,
}  # fmt: skip
_QWEN3_VISION = {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
_GLM_MOE = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
}
_GLM_ROPE = {"rope_parameters": {**MROPE["rope_parameters"], "partial_rotary_factor": 1.0}}
_PINPOINTS = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
_CLIP = {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8}
_SIGLIP = {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, "vision_use_head": False}
_PIXTRAL = {"model_type": "pixtral", "image_size": 128, "patch_size": 8, "head_dim": 16}
_IDEFICS_TILES = {
    "size": {"longest_edge": 64},
    "max_image_size": {"longest_edge": 32},
    "do_image_splitting": True,
}
_IDEFICS_TOKENS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
                   *(f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4)))  # fmt: skip
_INTERNVL_NAMED = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<image>",
                   "video_token": "<video>"}  # fmt: skip
_CROPS = {"size": {"height": 32, "width": 32}, "crop_to_patches": True, "min_patches": 1, "max_patches": 6}
_LLAVA_PROCESSOR = {"processor_class": "LlavaProcessor", "patch_size": 8, "vision_feature_select_strategy": "default",
                    "num_additional_image_tokens": 1}  # fmt: skip
_CLIP_CROP = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "do_center_crop": True,
              "crop_size": {"height": 32, "width": 32}}  # fmt: skip

TINY: dict[str, Tiny] = {
    "qwen2_vl": _merged(
        "qwen2_vl", MROPE, {"embed_dim": 32}, "Qwen2VLImageProcessor", processor="Qwen2VLProcessor"
    ),
    "qwen2_5_vl": _merged(
        "qwen2_5_vl",
        MROPE,
        {"window_size": 16, "fullatt_block_indexes": [1]},
        "Qwen2VLImageProcessor",
        processor="Qwen2_5_VLProcessor",
    ),
    "qwen3_vl": _merged(
        "qwen3_vl", MROPE, _QWEN3_VISION, "Qwen2VLImageProcessor", processor="Qwen3VLProcessor"
    ),
    "qwen3_vl_moe": _merged(
        "qwen3_vl_moe",
        {**MROPE, **_MOE},
        _QWEN3_VISION,
        "Qwen2VLImageProcessor",
        processor="Qwen3VLProcessor",
    ),
    "qwen3_5": _merged(
        "qwen3_5",
        _HYBRID,
        {"num_position_embeddings": 64},
        "Qwen2VLImageProcessor",
        processor="Qwen3VLProcessor",
    ),
    "qwen3_5_moe": _merged(
        "qwen3_5_moe",
        {**_HYBRID, **_MOE, "shared_expert_intermediate_size": 16},
        {"num_position_embeddings": 64},
        "Qwen2VLImageProcessor",
        processor="Qwen3VLProcessor",
    ),
    "glm4v": _merged(
        "glm4v", _GLM_ROPE, {"image_size": 32}, "Glm4vImageProcessor", processor="Glm4vProcessor"
    ),
    "glm4v_moe": _merged(
        "glm4v_moe",
        {**_GLM_ROPE, **_GLM_MOE},
        {"image_size": 32},
        "Glm4vImageProcessor",
        processor="Glm4vProcessor",
    ),
    "glm46v": _merged(
        "glm46v",
        {"model_type": "glm4v_text", **_GLM_ROPE},
        {"model_type": "glm4v_vision", "image_size": 32},
        "Glm46VImageProcessor",
        processor="Glm46VProcessor",
    ),
    "ernie4_5_vl_moe": _merged(
        "ernie4_5_vl_moe",
        {
            "rope_parameters": {**MROPE["rope_parameters"], "mrope_section": [1, 1, 2]},
            "moe_intermediate_size": [16, 8],
            "moe_k": 2,
            "moe_num_experts": 4,
            "moe_num_shared_experts": 1,
        },
        {},
        "Ernie4_5_VLMoeImageProcessor",
        processor="Ernie4_5_VLMoeProcessor",
        frames=1,
    ),
    "paddleocr_vl": _merged(
        "paddleocr_vl",
        MROPE,
        {**TOWER, "image_size": 32, "patch_size": 4},
        "PaddleOCRVLImageProcessor",
        processor="PaddleOCRVLProcessor",
        frames=1,
    ),
    "video_llama_3": _merged(
        "video_llama_3",
        {"model_type": "qwen2"},
        {**TOWER, "patch_size": 4},
        "VideoLlama3ImageProcessor",
        processor="VideoLlama3Processor",
        merge=1,
        frames=1,
    ),
    "cosmos3_omni": _merged(
        "cosmos3_omni",
        {"model_type": "qwen3_vl_text", **MROPE},
        {"model_type": "qwen3_vl_vision", **_QWEN3_VISION},
        "Qwen2VLImageProcessor",
        processor="Qwen3VLProcessor",
    ),
    "internvl": Tiny(
        _placed(
            "internvl",
            {"model_type": "qwen2"},
            {"image_size": [32, 32], "patch_size": [4, 4]},
            image_seq_length=16,
        ),
        {"image_processor_type": "GotOcr2ImageProcessor", "processor_class": "InternVLProcessor", **_CROPS},
        "<image>",
        ("<image>", "<img>", "</img>", "<video>"),
        _INTERNVL_NAMED,
        {"processor_class": "InternVLProcessor", "image_seq_length": 16},
    ),
    "qianfan_ocr": Tiny(
        _placed(
            "qianfan_ocr",
            {"model_type": "qwen3"},
            {"image_size": [32, 32], "patch_size": [4, 4]},
            image_seq_length=16,
        ),
        {"image_processor_type": "GotOcr2ImageProcessor", "processor_class": "QianfanOCRProcessor", **_CROPS},
        "<image>",
        ("<image>", "<img>", "</img>", "<video>"),
        _INTERNVL_NAMED,
        {"processor_class": "QianfanOCRProcessor", "image_seq_length": 16},
    ),
    "aya_vision": Tiny(
        lambda ids: _placed(
            "aya_vision", {"model_type": "cohere2"}, {**_SIGLIP, "patch_size": 4}, downsample_factor=2
        )({"<image>": ids["<patch>"]}),
        {"image_processor_type": "GotOcr2ImageProcessor", "processor_class": "AyaVisionProcessor", **_CROPS},
        "<image>",
        ("<image>", "<patch>", "<start>", "<end>", "TILE", "TILE_GLOBAL"),
        {},
        {
            "processor_class": "AyaVisionProcessor",
            "patch_size": 4,
            "img_size": 32,
            "downsample_factor": 2,
            "img_patch_token": "<patch>",
            "start_of_img_token": "<start>",
            "end_of_img_token": "<end>",
        },
    ),
    "ovis2": Tiny(
        lambda ids: _placed(
            "ovis2",
            {"model_type": "qwen2"},
            {"image_size": 32, "patch_size": 8, "vocab_size": 64, "num_visual_indicator_tokens": 5},
            visual_indicator_token_ids=[
                ids[t] for t in ("<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")
            ],
            hidden_size=32,
            vocab_size=160,
        )({"<image>": ids["<IMG_ATOM>"]}),
        {"image_processor_type": "Ovis2ImageProcessor", "processor_class": "Ovis2Processor", **_CROPS},
        "<image>",
        ("<image>", "<IMG_ATOM>", "<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"),
        {},
        {"processor_class": "Ovis2Processor", "image_seq_length": 16},
    ),
    "idefics3": Tiny(
        _placed("idefics3", {"model_type": "llama"}, {"image_size": 32, "patch_size": 4}, scale_factor=2),
        {
            "image_processor_type": "Idefics3ImageProcessor",
            "processor_class": "Idefics3Processor",
            **_IDEFICS_TILES,
        },
        "<image>",
        _IDEFICS_TOKENS,
        {},
        {"processor_class": "Idefics3Processor", "image_seq_len": 16},
    ),
    "smolvlm": Tiny(
        _placed("smolvlm", {"model_type": "llama"}, {"image_size": 32, "patch_size": 4}, scale_factor=2),
        {
            "image_processor_type": "SmolVLMImageProcessor",
            "processor_class": "SmolVLMProcessor",
            **_IDEFICS_TILES,
        },
        "<image>",
        (*_IDEFICS_TOKENS, "<video>"),
        {},
        {"processor_class": "SmolVLMProcessor", "image_seq_len": 16},
    ),
    "llava": Tiny(
        _placed("llava", {"model_type": "llama"}, _CLIP, image_seq_length=16),
        {**_CLIP_CROP, "processor_class": "LlavaProcessor"},
        "<image>",
        ("<image>",),
        {},
        _LLAVA_PROCESSOR,
    ),
    "vipllava": Tiny(
        _placed(
            "vipllava", {"model_type": "llama"}, _CLIP, image_seq_length=16, vision_feature_layers=[-1, -2]
        ),
        {**_CLIP_CROP, "processor_class": "LlavaProcessor"},
        "<image>",
        ("<image>",),
        {},
        _LLAVA_PROCESSOR,
    ),
    "gemma3": Tiny(
        lambda ids: _placed(
            "gemma3",
            {
                "query_pre_attn_scalar": 8,
                "sliding_window": 16,
                "layer_types": ["sliding_attention", "full_attention"],
            },
            {**_SIGLIP, "patch_size": 4},
            mm_tokens_per_image=16,
            boi_token_index=ids["<boi>"],
            eoi_token_index=ids["<eoi>"],
        )(ids),
        {
            "image_processor_type": "Gemma3ImageProcessor",
            "processor_class": "Gemma3Processor",
            "size": {"height": 32, "width": 32},
        },
        "<boi>",
        ("<image>", "<boi>", "<eoi>"),
        {"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"},
        {"processor_class": "Gemma3Processor", "image_seq_length": 16},
    ),
    "paligemma": Tiny(
        _placed(
            "paligemma", {"model_type": "gemma"}, _SIGLIP, projection_dim=32, hidden_size=32, vocab_size=160
        ),
        {
            "image_processor_type": "SiglipImageProcessor",
            "processor_class": "PaliGemmaProcessor",
            "size": {"height": 32, "width": 32},
            "image_seq_length": 16,
        },
        "<image>",
        ("<image>",),
        {"image_token": "<image>"},
        {"processor_class": "PaliGemmaProcessor"},
    ),
    "llava_next": Tiny(
        _placed(
            "llava_next",
            {"model_type": "llama"},
            {**_CLIP, "image_size": 16, "patch_size": 4},
            image_grid_pinpoints=_PINPOINTS,
            image_seq_length=16,
        ),
        {
            "image_processor_type": "LlavaNextImageProcessor",
            "processor_class": "LlavaNextProcessor",
            "size": {"shortest_edge": 16},
            "crop_size": {"height": 16, "width": 16},
            "image_grid_pinpoints": _PINPOINTS,
        },
        "<image>",
        ("<image>",),
        {},
        {
            "processor_class": "LlavaNextProcessor",
            "patch_size": 4,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
    ),
    "llava_onevision": Tiny(
        lambda ids: _placed(
            "llava_onevision",
            {"model_type": "qwen2"},
            {**_SIGLIP, "image_size": 16, "patch_size": 4},
            image_grid_pinpoints=[[16, 16], *_PINPOINTS, [64, 64]],
            vision_aspect_ratio="anyres_max_4",
            video_token_index=ids["<video>"],
        )(ids),
        {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "processor_class": "LlavaOnevisionProcessor",
            "size": {"height": 16, "width": 16},
            "image_grid_pinpoints": [[16, 16], *_PINPOINTS, [64, 64]],
        },
        "<image>",
        ("<image>", "<video>"),
        {},
        {
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": 16,
            "vision_feature_select_strategy": "full",
            "vision_aspect_ratio": "anyres_max_4",
        },
    ),
    "pixtral": Tiny(
        _placed(
            "llava",
            {"model_type": "mistral"},
            _PIXTRAL,
            vision_feature_select_strategy="full",
            vision_feature_layer=-1,
        ),
        {
            "image_processor_type": "PixtralImageProcessor",
            "processor_class": "PixtralProcessor",
            "size": {"longest_edge": 64},
            "patch_size": {"height": 8, "width": 8},
        },
        "<image>",
        ("<image>", "[IMG_BREAK]", "[IMG_END]"),
        {},
        {"processor_class": "PixtralProcessor", "patch_size": 8, "image_token": "<image>"},
    ),
    "mistral3": Tiny(
        _placed("mistral3", {"model_type": "mistral"}, {**_PIXTRAL, "patch_size": 4}, spatial_merge_size=2),
        {
            "image_processor_type": "PixtralImageProcessor",
            "processor_class": "PixtralProcessor",
            "size": {"longest_edge": 64},
            "patch_size": {"height": 4, "width": 4},
        },
        "<image>",
        ("<image>", "[IMG_BREAK]", "[IMG_END]"),
        {},
        {
            "processor_class": "PixtralProcessor",
            "patch_size": 4,
            "spatial_merge_size": 2,
            "image_token": "<image>",
        },
    ),
    "gemma4": Tiny(
        lambda ids: _placed(
            "gemma4",
            {
                "model_type": "gemma4_text",
                "layer_types": ["sliding_attention", "full_attention"],
                "sliding_window": 32,
                "vocab_size_per_layer_input": 160,
                "hidden_size_per_layer_input": 8,
                "global_head_dim": 16,
            },
            {
                "model_type": "gemma4_vision",
                "num_key_value_heads": 2,
                "head_dim": 16,
                "patch_size": 4,
                "pooling_kernel_size": 2,
                "position_embedding_size": 64,
            },
            boi_token_id=ids["<boi>"],
            eoi_token_id=ids["<eoi>"],
            video_token_id=ids["<|video|>"],
            audio_token_id=ids["<audio>"],
            audio_config=None,
            boa_token_id=ids["<boa>"],
            eoa_token_index=ids["<eoa>"],
        )(ids),
        {
            "image_processor_type": "Gemma4ImageProcessor",
            "processor_class": "Gemma4Processor",
            "patch_size": 4,
            "pooling_kernel_size": 2,
            "max_soft_tokens": 70,
        },
        "<image>",
        ("<image>", "<boi>", "<eoi>", "<|video|>", "<audio>", "<boa>", "<eoa>"),
        {
            "image_token": "<image>",
            "boi_token": "<boi>",
            "eoi_token": "<eoi>",
            "audio_token": "<audio>",
            "boa_token": "<boa>",
            "eoa_token": "<eoa>",
        },
        {"processor_class": "Gemma4Processor", "image_seq_length": 70},
    ),
}
