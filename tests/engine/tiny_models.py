"""Tiny vision-language models with random weights: real architectures, milliseconds per forward.

Shared by the tests of the engine. Weights are larger than at a usual start, so that attention is far from
uniform and a wrong mask or a forgotten bias shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForImageTextToText,
    Gemma3Config,
    LlavaConfig,
    PaliGemmaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3VLConfig,
)

from gazeviz.domain.steering import FIRST, OTHER_IMAGE, PROMPT_TEXT, TARGET
from gazeviz.engine.attention.hook import ATTENTION_NAME, AttentionHook, register

VOCABULARY = 100
IMAGE_TOKEN = 90
FAMILIES = ("qwen3_vl", "llava", "gemma3")
_TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def qwen3_vl_config() -> Qwen3VLConfig:
    """Grouped query heads, rotary positions over time, row and column; an image is 4 x 4 tokens."""
    return Qwen3VLConfig(
        text_config={
            **_TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 48,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=IMAGE_TOKEN,
        video_token_id=91,
        vision_start_token_id=92,
        vision_end_token_id=93,
    )


def llava_config() -> LlavaConfig:
    """A CLIP tower before a Llama; an image is 4 x 4 tokens and the picture 32 pixels wide."""
    return LlavaConfig(
        text_config={"model_type": "llama", **_TEXT},
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8, **_TOWER},
        image_token_index=IMAGE_TOKEN,
        image_seq_length=16,
    )


def gemma3_config(window_tok: int = 8) -> Gemma3Config:
    """Two sliding layers to one full layer, the image's tokens see each other; an image is 4 x 4 tokens."""
    return Gemma3Config(
        text_config={
            **_TEXT,
            "query_pre_attn_scalar": 8,
            "sliding_window": window_tok,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
        vision_config={"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, **_TOWER},
        mm_tokens_per_image=16,
        boi_token_index=92,
        eoi_token_index=93,
        image_token_index=IMAGE_TOKEN,
    )


def paligemma2_config() -> PaliGemmaConfig:
    """Gemma 2 behind a SigLIP tower: its attention scores are bent by a soft cap, which SDPA refuses."""
    return PaliGemmaConfig(
        text_config={
            "model_type": "gemma2",
            **_TEXT,
            "query_pre_attn_scalar": 8,
            "sliding_window": 8,
            "attn_logit_softcapping": 2.0,
        },
        vision_config={"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, **_TOWER},
        image_token_index=IMAGE_TOKEN,
        projection_dim=48,
    )


_TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
_CONFIGS = {
    "qwen3_vl": qwen3_vl_config,
    "llava": llava_config,
    "gemma3": gemma3_config,
    "paligemma2": paligemma2_config,
}


def tiny_model(
    family: str = "qwen3_vl",
    attention: str = ATTENTION_NAME,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """A model of a family with seeded random weights; `attention` is the language model's implementation."""
    register()
    return model_of(_CONFIGS[family](), attention, seed, dtype)


def model_of(
    config: PreTrainedConfig,
    attention: str = ATTENTION_NAME,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """A model of any configuration, its weights drawn from the seed alone."""
    implementations = {"": "sdpa", "text_config": attention, "vision_config": "sdpa"}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForImageTextToText.from_config(
            config, attn_implementation=implementations
        )
        for name, weight in sorted(model.named_parameters()):
            if weight.ndim > 1:
                weight.normal_(std=1.0 if "embed" in name else 1.5 / weight[0].numel() ** 0.5)
    model.eval()
    nn.Module.to(model, dtype=dtype)  # transformers' own `to` has no types
    return model


def hooked(model: PreTrainedModel) -> AttentionHook:
    """Attach a hook to a model by a forward over three text tokens."""
    tokens = torch.tensor([[5, 6, 7]])

    def probe() -> None:
        with torch.no_grad():
            model(input_ids=tokens)

    return AttentionHook.attach(model, probe)


@dataclass(frozen=True)
class TinyPrompt:
    """A prompt with one image of 16 tokens, as a model's forward takes it.

    `inputs` input_ids (B, S), pixel_values and what else the family wants; `image_tok` the image's positions.
    """

    inputs: dict[str, Tensor]
    image_tok: range

    @property
    def n_tok(self) -> int:
        """Length of the prompt in tokens."""
        return self.inputs["input_ids"].shape[1]


def tiny_prompt(family: str = "qwen3_vl", batch: int = 1, seed: int = 0) -> TinyPrompt:
    """Four text tokens, an image and five text tokens, with random pixels and text for each batch row."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(3, 80, (batch, 9), generator=generator)
    image = torch.full((batch, 16), IMAGE_TOKEN)
    begin, end = torch.full((batch, 1), 92), torch.full((batch, 1), 93)
    input_ids = torch.cat([words[:, :4], begin, image, end, words[:, 4:]], dim=1)
    inputs: dict[str, Any] = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    if family == "qwen3_vl":
        inputs["pixel_values"] = torch.randn(batch * 64, 3 * 2 * 4 * 4, generator=generator)
        inputs["image_grid_thw"] = torch.tensor([[1, 8, 8]] * batch)
    else:
        inputs["pixel_values"] = torch.randn(batch, 3, 32, 32, generator=generator)
    if family in ("qwen3_vl", "gemma3"):
        key = "mm_token_type_ids" if family == "qwen3_vl" else "token_type_ids"
        inputs[key] = (input_ids == IMAGE_TOKEN).long()
    return TinyPrompt(inputs, range(5, 21))


def group_codes(prompt: TinyPrompt, *targets: range) -> Tensor:
    """Group codes (B, S) of a prompt; each batch row's target is given as places among the image tokens."""
    codes_BK = torch.full((len(targets), prompt.n_tok), PROMPT_TEXT)
    codes_BK[:, 0] = FIRST
    codes_BK[:, list(prompt.image_tok)] = OTHER_IMAGE
    for row, target in enumerate(targets):
        codes_BK[row, [prompt.image_tok.start + place for place in target]] = TARGET
    return codes_BK


def read(
    model: PreTrainedModel,
    prompt: TinyPrompt,
    answer_BT: Tensor,
    before_pass: Callable[[int], None] = lambda past_tok: None,
    after_pass: Callable[[], None] = lambda: None,
) -> Tensor:
    """Read a prompt and then an answer token by token, as a decode loop does: last logits (T + 1, B, V).

    `before_pass` hears how many tokens the cache holds.
    """
    logits = []
    inputs, past_tok = prompt.inputs, 0
    attention_mask, cache = prompt.inputs["attention_mask"], None
    for step in range(answer_BT.shape[1] + 1):
        before_pass(past_tok)
        with torch.no_grad():
            outputs = model(**inputs, past_key_values=cache, use_cache=True)
        after_pass()
        logits.append(outputs.logits[:, -1].float())
        past_tok, cache = attention_mask.shape[1], outputs.past_key_values
        attention_mask = torch.cat([attention_mask, attention_mask.new_ones(len(attention_mask), 1)], dim=1)
        inputs = {"input_ids": answer_BT[:, step : step + 1], "attention_mask": attention_mask}
        deltas_B1 = getattr(model.model, "rope_deltas", None)
        if (
            deltas_B1 is not None
        ):  # positions over time, row and column go on from the image's side, not its area
            inputs["position_ids"] = (attention_mask.sum(dim=1, keepdim=True) - 1 + deltas_B1).expand(
                3, -1, -1
            )
    return torch.stack(logits)
