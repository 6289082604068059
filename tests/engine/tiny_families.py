"""The tiny configuration of every family that gazeviz works with: real architectures, a few numbers wide.

Data for `tiny_checkpoints`. A family's row in the table of `gazeviz.engine.models.families` stands and
falls with its entry here, because the coordinate picture is read back through it.
"""

from __future__ import annotations

from tests.engine.tiny_family import Tiny, Token, tiny_family
from tests.engine.tiny_merged_families import MERGED

_CLIP = {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8}
_SIGLIP = {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, "vision_use_head": False}
_SIGLIP_FINE = {**_SIGLIP, "patch_size": 4}
_PIXTRAL = {"model_type": "pixtral", "image_size": 128, "patch_size": 8, "head_dim": 16}
_PIXTRAL_PICTURES = {"image_processor_type": "PixtralImageProcessor", "size": {"longest_edge": 64}}
_INTERN = {"image_size": [32, 32], "patch_size": [4, 4]}
_INTERN_NAMES = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<image>",
    "video_token": "<video>",
}
_SQUARE = {"size": {"height": 32, "width": 32}}
_CROPS = {
    **_SQUARE,
    "image_processor_type": "GotOcr2ImageProcessor",
    "crop_to_patches": True,
    "min_patches": 1,
    "max_patches": 6,
}
_SPLITS = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}, "do_image_splitting": True}
_TILES = tuple(f"<row_{row}_col_{col}>" for row in range(1, 4) for col in range(1, 4))
_SPLIT_TOKENS = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<video>", *_TILES)
_CENTRE_CROP = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 32},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
}
_LLAVA = {
    "processor_class": "LlavaProcessor",
    "patch_size": 8,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
}
_GEMMA_NAMES = {"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"}
_SLIDING = {"layer_types": ["sliding_attention", "full_attention"]}
_PINPOINTS = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]
_MORE_PINPOINTS = [[16, 16], *_PINPOINTS, [64, 64]]
_OVIS_TOKENS = ("<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>")

TINY: dict[str, Tiny] = {
    **MERGED,
    "internvl": tiny_family(
        "internvl",
        "qwen2",
        _INTERN,
        _CROPS,
        {"processor_class": "InternVLProcessor", "image_seq_length": 16},
        tokens=("<img>", "</img>", "<video>"),
        named=_INTERN_NAMES,
        image_seq_length=16,
    ),
    "qianfan_ocr": tiny_family(
        "qianfan_ocr",
        "qwen3",
        _INTERN,
        _CROPS,
        {"processor_class": "QianfanOCRProcessor", "image_seq_length": 16},
        tokens=("<img>", "</img>", "<video>"),
        named=_INTERN_NAMES,
        image_seq_length=16,
    ),
    "aya_vision": tiny_family(
        "aya_vision",
        "cohere2",
        _SIGLIP_FINE,
        _CROPS,
        {
            "processor_class": "AyaVisionProcessor",
            "patch_size": 4,
            "img_size": 32,
            "downsample_factor": 2,
            "img_patch_token": "<patch>",
            "start_of_img_token": "<start>",
            "end_of_img_token": "<end>",
        },
        tokens=("<patch>", "<start>", "<end>", "TILE", "TILE_GLOBAL"),
        image_token="<patch>",
        downsample_factor=2,
    ),
    "ovis2": tiny_family(
        "ovis2",
        "qwen2",
        {"image_size": 32, "patch_size": 8, "vocab_size": 64, "num_visual_indicator_tokens": 5},
        {**_CROPS, "image_processor_type": "Ovis2ImageProcessor"},
        {"processor_class": "Ovis2Processor", "image_seq_length": 16},
        tokens=("<IMG_ATOM>", *_OVIS_TOKENS),
        image_token="<IMG_ATOM>",
        visual_indicator_token_ids=[Token(token) for token in _OVIS_TOKENS],
        hidden_size=32,
        vocab_size=160,
    ),
    "idefics3": tiny_family(
        "idefics3",
        "llama",
        {"image_size": 32, "patch_size": 4},
        {**_SPLITS, "image_processor_type": "Idefics3ImageProcessor"},
        {"processor_class": "Idefics3Processor", "image_seq_len": 16},
        tokens=_SPLIT_TOKENS,
        scale_factor=2,
    ),
    "smolvlm": tiny_family(
        "smolvlm",
        "llama",
        {"image_size": 32, "patch_size": 4},
        {**_SPLITS, "image_processor_type": "SmolVLMImageProcessor"},
        {"processor_class": "SmolVLMProcessor", "image_seq_len": 16},
        tokens=_SPLIT_TOKENS,
        scale_factor=2,
    ),
    "llava": tiny_family("llava", "llama", _CLIP, _CENTRE_CROP, _LLAVA, image_seq_length=16),
    "vipllava": tiny_family(
        "vipllava", "llama", _CLIP, _CENTRE_CROP, _LLAVA, image_seq_length=16, vision_feature_layers=[-1, -2]
    ),
    "gemma3": tiny_family(
        "gemma3",
        None,
        _SIGLIP_FINE,
        {**_SQUARE, "image_processor_type": "Gemma3ImageProcessor"},
        {"processor_class": "Gemma3Processor", "image_seq_length": 16},
        text={**_SLIDING, "query_pre_attn_scalar": 8, "sliding_window": 16},
        tokens=("<boi>", "<eoi>"),
        named=_GEMMA_NAMES,
        image="<boi>",
        mm_tokens_per_image=16,
        boi_token_index=Token("<boi>"),
        eoi_token_index=Token("<eoi>"),
    ),
    "gemma4": tiny_family(
        "gemma4",
        "gemma4_text",
        {
            "model_type": "gemma4_vision",
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "pooling_kernel_size": 2,
            "position_embedding_size": 64,
        },
        {
            "image_processor_type": "Gemma4ImageProcessor",
            "patch_size": 4,
            "pooling_kernel_size": 2,
            "max_soft_tokens": 70,
        },
        {"processor_class": "Gemma4Processor", "image_seq_length": 70},
        text={
            **_SLIDING,
            "sliding_window": 32,
            "vocab_size_per_layer_input": 160,
            "hidden_size_per_layer_input": 8,
            "global_head_dim": 16,
        },
        tokens=("<boi>", "<eoi>", "<|video|>", "<audio>", "<boa>", "<eoa>"),
        named={**_GEMMA_NAMES, "audio_token": "<audio>", "boa_token": "<boa>", "eoa_token": "<eoa>"},
        boi_token_id=Token("<boi>"),
        eoi_token_id=Token("<eoi>"),
        video_token_id=Token("<|video|>"),
        audio_token_id=Token("<audio>"),
        boa_token_id=Token("<boa>"),
        eoa_token_index=Token("<eoa>"),
        audio_config=None,
    ),
    "paligemma": tiny_family(
        "paligemma",
        "gemma",
        _SIGLIP,
        {**_SQUARE, "image_processor_type": "SiglipImageProcessor", "image_seq_length": 16},
        {"processor_class": "PaliGemmaProcessor"},
        named={"image_token": "<image>"},
        projection_dim=32,
        hidden_size=32,
        vocab_size=160,
    ),
    "llava_next": tiny_family(
        "llava_next",
        "llama",
        {**_CLIP, "image_size": 16, "patch_size": 4},
        {
            "image_processor_type": "LlavaNextImageProcessor",
            "size": {"shortest_edge": 16},
            "crop_size": {"height": 16, "width": 16},
            "image_grid_pinpoints": _PINPOINTS,
        },
        {**_LLAVA, "processor_class": "LlavaNextProcessor", "patch_size": 4},
        image_grid_pinpoints=_PINPOINTS,
        image_seq_length=16,
    ),
    "llava_onevision": tiny_family(
        "llava_onevision",
        "qwen2",
        {**_SIGLIP, "image_size": 16, "patch_size": 4},
        {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "size": {"height": 16, "width": 16},
            "image_grid_pinpoints": _MORE_PINPOINTS,
        },
        {
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": 16,
            "vision_feature_select_strategy": "full",
            "vision_aspect_ratio": "anyres_max_4",
        },
        tokens=("<video>",),
        image_grid_pinpoints=_MORE_PINPOINTS,
        vision_aspect_ratio="anyres_max_4",
        video_token_index=Token("<video>"),
    ),
    "pixtral": tiny_family(
        "llava",
        "mistral",
        _PIXTRAL,
        {**_PIXTRAL_PICTURES, "patch_size": {"height": 8, "width": 8}},
        {"processor_class": "PixtralProcessor", "patch_size": 8, "image_token": "<image>"},
        tokens=("[IMG_BREAK]", "[IMG_END]"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    ),
    "mistral3": tiny_family(
        "mistral3",
        "mistral",
        {**_PIXTRAL, "patch_size": 4},
        {**_PIXTRAL_PICTURES, "patch_size": {"height": 4, "width": 4}},
        {
            "processor_class": "PixtralProcessor",
            "patch_size": 4,
            "spatial_merge_size": 2,
            "image_token": "<image>",
        },
        tokens=("[IMG_BREAK]", "[IMG_END]"),
        spatial_merge_size=2,
    ),
}
