"""A trained model's weights put into a larger one that gives the same answers at first.

New heads and layers begin with an output of zero, so nothing changes until training moves them; new words
take the mean of the old ones. Only the language model may grow, in layers, query heads and words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from gazeviz.testbed.training.model import build_tokenizer

if TYPE_CHECKING:
    from transformers import Qwen3VLForConditionalGeneration

WEIGHTS: Final = "model.safetensors"
_EMBEDDINGS: Final = "model.language_model.embed_tokens.weight"
_LAYERS: Final = "model.language_model.layers."


def digest(folder: Path) -> str:
    """SHA-256 of a folder's weights file."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def layer_origins(n_old: int, n_new: int) -> list[tuple[int, bool]]:
    """For every new layer the old one that it is made of, and whether it is an added copy.

    Copies follow the middle layers, where pictures are read; the first two take the deep picture features.
    ValueError where more layers are to be added than there are to copy.
    """
    added = n_new - n_old
    start = (n_old - added + 1) // 2
    if not 0 <= added <= n_old or (added and start < 1):
        raise ValueError(f"{n_old} layers cannot grow to {n_new}")
    return [
        (old, copy)
        for old in range(n_old)
        for copy in ((False, True) if start <= old < start + added else (False,))
    ]


@torch.no_grad()
def grow_from(folder: Path, model: Qwen3VLForConditionalGeneration) -> None:
    """Fill a freshly built model with a folder's weights; ValueError where it is no larger form of them."""
    old: dict[str, Tensor] = load_file(folder / WEIGHTS)
    old_config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"]
    old_words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    config: Any = model.config.text_config
    origins = layer_origins(old_config["num_hidden_layers"], config.num_hidden_layers)
    state = dict(model.state_dict())
    for name, tensor in state.items():
        if name in (_EMBEDDINGS, "lm_head.weight"):
            continue
        source, copy = _source_name(name, origins)
        if source not in old:
            raise ValueError(f"the weights lack {source}")
        tensor.copy_(_grown(name, old[source], tensor, old_config, config))
        if copy and name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor.zero_()
    _fill_words(state[_EMBEDDINGS], old[_EMBEDDINGS], _ids(old_words))


def _source_name(name: str, origins: list[tuple[int, bool]]) -> tuple[str, bool]:
    if not name.startswith(_LAYERS):
        return name, False
    number, rest = name.removeprefix(_LAYERS).split(".", 1)
    old, copy = origins[int(number)]
    return f"{_LAYERS}{old}.{rest}", copy


def _grown(name: str, old: Tensor, new: Tensor, old_config: Mapping[str, Any], config: Any) -> Tensor:
    """The old weights in the new shape: a key head's new query heads behind its old ones."""
    if old.shape == new.shape:
        return old
    n_keys, width = config.num_key_value_heads, config.head_dim
    if n_keys != old_config["num_key_value_heads"] or "self_attn." not in name:
        raise ValueError(f"{name} cannot grow from {tuple(old.shape)} to {tuple(new.shape)}")
    had = old_config["num_attention_heads"] // n_keys
    if name.endswith("q_proj.weight"):
        grown = new.reshape(n_keys, -1, width, new.shape[1]).clone()
        grown[:, :had] = old.reshape(n_keys, had, width, new.shape[1])
    else:
        grown = torch.zeros_like(new).reshape(new.shape[0], n_keys, -1, width)
        grown[:, :, :had] = old.reshape(new.shape[0], n_keys, had, width)
    return grown.reshape(new.shape)


def _fill_words(new: Tensor, old: Tensor, old_ids: Mapping[str, int]) -> None:
    new += old.mean(dim=0)
    for word, number in build_tokenizer().get_vocab().items():
        if word in old_ids:
            new[number] = old[old_ids[word]]


def _ids(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of all words in a tokenizer's file."""
    added = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    return {**tokenizer["model"]["vocab"], **added}
