"""The built-in model's files: a small Qwen3-VL, its tokenizer and its image processor, made from nothing.

Everything is written as ordinary Hugging Face files, so that the program loads the built-in model the way it
loads any other. The module does not know how the weights are trained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gazeviz.testbed.world.grammar import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

PATCH_PX: Final = 16
CELL_PX: Final = 32  # one image token is a merged square of 2 x 2 patches
# Between these two a row of six square panels becomes 18 x 3 cells whatever its size, so that every border
# of a panel is a border of cells. What else is drawn: `world.PANEL_RATIOS`.
MAX_IMAGE_TOKENS: Final = 56
MIN_IMAGE_TOKENS: Final = 52

PAD, BOS_TURN, EOS_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE_PAD, VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"
UNKNOWN = "<unk>"
SPECIAL_TOKENS: Final = (PAD, BOS_TURN, EOS_TURN, VISION_START, VISION_END, IMAGE_PAD, VIDEO_PAD, UNKNOWN)
ROLES: Final = ("system", "user", "assistant")

# The turns are Qwen's; without its newlines, which a word-level tokenizer has no use for.
CHAT_TEMPLATE: Final = (
    "{%- for message in messages -%}"
    "<|im_start|>{{ message.role + ' ' }}"
    "{%- if message.content is string -%}{{ message.content }}"
    "{%- else -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif part.type == 'text' -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}<|im_end|>"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant{%- endif -%}"
)

LANGUAGE: Final[Mapping[str, Any]] = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": 4096,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [6, 5, 5],
        "mrope_interleaved": True,
    },
}
VISION: Final[Mapping[str, Any]] = {
    "depth": 3,
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_heads": 4,
    "patch_size": PATCH_PX,
    "spatial_merge_size": CELL_PX // PATCH_PX,
    "temporal_patch_size": 2,
    "num_position_embeddings": 24 * 24,
    "deepstack_visual_indexes": [0, 1],
}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the comic world's vocabulary: lowercase words, single digits, punctuation marks."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [word for word in vocabulary() if word not in ROLES]
    index_of = {word: index for index, word in enumerate((*SPECIAL_TOKENS, *ROLES, *words))}
    core = Tokenizer(models.WordLevel(vocab=index_of, unk_token=UNKNOWN))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]|[^\w\s]"), behavior="isolated"),
        ]
    )
    # The word-piece decoder joins with spaces and takes back those before marks, all but the colon's.
    core.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix="##", cleanup=True), decoders.Replace(" :", ":")],
    )
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        eos_token=EOS_TURN,
        pad_token=PAD,
        unk_token=UNKNOWN,
        additional_special_tokens=[BOS_TURN, VISION_START, VISION_END, IMAGE_PAD, VIDEO_PAD],
        model_max_length=LANGUAGE["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_processor() -> Qwen2VLImageProcessorPil:
    """The image processor: any picture is resized to multiples of 32 px that make 52 to 56 image tokens,
    or a few less or more where no multiple fits."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return Qwen2VLImageProcessorPil(
        size={
            "shortest_edge": MIN_IMAGE_TOKENS * CELL_PX**2,
            "longest_edge": MAX_IMAGE_TOKENS * CELL_PX**2,
        },
        patch_size=PATCH_PX,
        merge_size=CELL_PX // PATCH_PX,
        temporal_patch_size=2,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def fed_size_px(width_px: int, height_px: int) -> tuple[int, int]:
    """The (width, height) that the processor gives a picture."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(
        height_px, width_px, CELL_PX, MIN_IMAGE_TOKENS * CELL_PX**2, MAX_IMAGE_TOKENS * CELL_PX**2
    )
    return width, height


def build_model(
    config_overrides: Mapping[str, Mapping[str, Any]] | None = None, seed: int = 0
) -> Qwen3VLForConditionalGeneration:
    """A freshly initialised model in float32; the global random state is left as it was.

    `config_overrides` may hold "text_config" and "vision_config", merged over LANGUAGE and VISION.
    """
    import torch
    from transformers import GenerationConfig, Qwen3VLConfig, Qwen3VLForConditionalGeneration

    overrides = config_overrides or {}
    id_of: dict[str, int] = build_tokenizer().get_vocab()
    text = {**LANGUAGE, **overrides.get("text_config", {})}
    text |= {
        "vocab_size": len(id_of),
        "pad_token_id": id_of[PAD],
        "eos_token_id": id_of[EOS_TURN],
        "tie_word_embeddings": True,
    }
    vision = {**VISION, "out_hidden_size": text["hidden_size"], **overrides.get("vision_config", {})}
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=id_of[IMAGE_PAD],
        video_token_id=id_of[VIDEO_PAD],
        vision_start_token_id=id_of[VISION_START],
        vision_end_token_id=id_of[VISION_END],
        tie_word_embeddings=True,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(config)
        _initialise(model)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False, eos_token_id=id_of[EOS_TURN], pad_token_id=id_of[PAD], max_new_tokens=128
    )
    return model


def _initialise(model: Qwen3VLForConditionalGeneration) -> None:
    """Draw matrices at half of 1/sqrt(fan-in), residual outputs less by 1/sqrt(2 layers), embeddings at 0.02.

    A fixed 0.02 is made for widths of thousands; at 128 it would leave the first steps nearly linear.
    """
    from torch import nn

    layers = len(model.model.language_model.layers)
    depth = len(model.model.visual.blocks)
    residual_scale = {
        "self_attn.o_proj": 1 / math.sqrt(2 * layers),
        "mlp.down_proj": 1 / math.sqrt(2 * layers),
        "attn.proj": 1 / math.sqrt(2 * depth),
        "mlp.linear_fc2": 1 / math.sqrt(2 * depth),
    }
    for name, module in model.named_modules():
        if name == "lm_head":  # tied to the embeddings
            continue
        if isinstance(module, nn.Linear | nn.Conv3d):
            fan_in = module.weight[0].numel()
            scale = next((value for end, value in residual_scale.items() if name.endswith(end)), 1.0)
            nn.init.normal_(module.weight, std=0.5 * scale / math.sqrt(fan_in))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)


def save_pretrained(folder: Path, model: Qwen3VLForConditionalGeneration) -> None:
    """Write the model, its tokenizer and its processors as files that need no code of ours to load."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    settings = build_processor().to_dict()
    # The names without "Pil" are those every release knows; the backend is chosen by what is installed.
    settings["image_processor_type"] = "Qwen2VLImageProcessor"
    settings["processor_class"] = "Qwen3VLProcessor"
    _write_json(folder / "preprocessor_config.json", settings)
    video = {key: settings[key] for key in ("size", "patch_size", "merge_size", "temporal_patch_size")}
    video |= {"video_processor_type": "Qwen3VLVideoProcessor", "processor_class": "Qwen3VLProcessor"}
    video |= {"image_mean": settings["image_mean"], "image_std": settings["image_std"]}
    _write_json(folder / "video_preprocessor_config.json", video)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
