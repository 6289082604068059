"""Tiny checkpoints of every family, as folders of Hugging Face files: random weights, real processors.

What `load_model` reads in a test it reads the way it reads a downloaded model: config, safetensors,
tokenizer, image processor and chat template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, PreTrainedTokenizerFast

from tests.engine.tiny_families import TINY
from tests.engine.tiny_family import Tiny, Token
from tests.engine.tiny_models import model_of

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "user", "assistant"]
WORDS += ["where", "what", "is", "it", "?", "red", "cat"]


def write_checkpoint(folder: Path, family: str, seed: int = 0) -> Path:
    """Write the tiny checkpoint of a family into `folder` and return it."""
    tiny = TINY[family]
    tokenizer = _tokenizer(tiny)
    ids = {token: tokenizer.get_vocab()[token] for token in tiny.control}
    settings = _with_ids(tiny.config, ids)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    folder.mkdir(parents=True, exist_ok=True)
    model_of(config, attention="sdpa", seed=seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(tiny.image_processor))
    (folder / "processor_config.json").write_text(json.dumps(tiny.processor))
    return folder


def _with_ids(setting: Any, ids: Mapping[str, int]) -> Any:
    """Put the ids of control tokens into a copy of a configuration."""
    if isinstance(setting, Token):
        return ids[setting]
    if isinstance(setting, dict):
        return {name: _with_ids(value, ids) for name, value in setting.items()}
    return [_with_ids(value, ids) for value in setting] if isinstance(setting, list) else setting


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
