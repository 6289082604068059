"""What a tiny checkpoint of a family is made of, and what they all have in common.

The families themselves are in `tiny_families` and `tiny_merged_families`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Token(str):
    """Stands in a configuration for the id of this control token."""


@dataclass(frozen=True)
class Tiny:
    """What a tiny checkpoint of one family is made of.

    Attributes:
        config: config.json, ids of control tokens given as `Token`.
        image_processor: preprocessor_config.json.
        processor: processor_config.json.
        control: control tokens of the tokenizer.
        named: those of them that the tokenizer knows by a name of their own.
        image: the placeholder of a picture in the rendered prompt.
    """

    config: dict[str, Any]
    image_processor: dict[str, Any]
    processor: dict[str, Any]
    control: tuple[str, ...]
    named: dict[str, str] = field(default_factory=dict)
    image: str = "<image>"


_TEXT: Mapping[str, Any] = {
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
_TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
_EVEN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def tiny_family(
    model_type: str,
    language: str | None,
    vision: Mapping[str, Any],
    image_processor: Mapping[str, Any],
    processor: Mapping[str, Any],
    *,
    text: Mapping[str, Any] | None = None,
    tokens: tuple[str, ...] = (),
    named: Mapping[str, str] | None = None,
    image: str = "<image>",
    image_token: str = "<image>",
    **top: Any,
) -> Tiny:
    """A family with a vision tower, `language` being the model type of its text part (None: its own)."""
    of_text = {**_TEXT, **({"model_type": language} if language else {}), **(text or {})}
    config = {
        "model_type": model_type,
        "text_config": of_text,
        "vision_config": {**_TOWER, **vision},
        "image_token_id": Token(image_token),
        "image_token_index": Token(image_token),
        **top,
    }
    pictures = {**_EVEN, "processor_class": processor["processor_class"], **image_processor}
    return Tiny(config, pictures, dict(processor), ("<image>", *tokens), dict(named or {}), image)
