"""How much memory a model will take, told from its files before it is loaded.

For choosing a device and for the doctor's report. The weights are counted exactly; cache and activations are
estimates that lean to the high side. Knows nothing of what is running at the moment but a device's free
memory.
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any

import torch

TEXT_TOK = 512
"""Text tokens counted besides the image tokens: prompt and answer."""
OVERHEAD = 1.1
"""Allocator slack and small buffers."""
_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def estimate_memory(
    model: str | Path | Any, dtype: torch.dtype | None = None, n_image_tok: int = 1280
) -> int:
    """Return the bytes that a model needs for one picture of `n_image_tok` tokens, weights included.

    `model` is a folder of safetensors (weights counted from their headers) or a transformers configuration
    (weights counted by building it without memory). `dtype` None means as stored (for a configuration: its
    own, or float32).
    Cache: 2 x layers x key/value heads x head size x tokens. Activations: the widest layer of the language
    model and of the vision tower, and float32 logits for every position.

    Raises:
        OSError: a weight file cannot be read.
    """
    if isinstance(model, (str, Path)):
        from transformers import AutoConfig

        folder = Path(model)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        weights = _weights_of_files(folder, dtype)
    else:
        config = model
        weights = _weights_of_config(config, dtype)
    size = (dtype or _own_dtype(config)).itemsize
    n_tok = n_image_tok + TEXT_TOK
    return int(
        OVERHEAD * (weights + _cache_bytes(config, n_tok, size) + _activation_bytes(config, n_tok, size))
    )


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a GPU; of a Mac's shared memory what it recommends at most, less what is
    used."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def _weights_of_files(folder: Path, dtype: torch.dtype | None) -> int:
    """Sum over all tensors of the safetensors headers; floating tensors in `dtype` where one is given."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            stored = _BYTES.get(entry["dtype"], 1)
            floating = entry["dtype"] in ("F64", "F32", "BF16", "F16")
            total += prod(entry["shape"]) * (dtype.itemsize if dtype is not None and floating else stored)
    return total


def _weights_of_config(config: Any, dtype: torch.dtype | None) -> int:
    """Count the parameters of a model that is built on the meta device, so without memory."""
    from transformers import AutoModelForImageTextToText

    build: Any = AutoModelForImageTextToText.from_config
    with torch.device("meta"):
        model = build(config)
    return int(sum(p.numel() for p in model.parameters()) * (dtype or _own_dtype(config)).itemsize)


def _own_dtype(config: Any) -> torch.dtype:
    own = config.dtype or getattr(config.get_text_config(), "dtype", None)
    return own if isinstance(own, torch.dtype) else torch.float32


def _cache_bytes(config: Any, n_tok: int, size: int) -> int:
    text = config.get_text_config()
    n_heads = int(text.num_attention_heads)
    n_kv_heads = int(getattr(text, "num_key_value_heads", None) or n_heads)
    head_dim = int(getattr(text, "head_dim", None) or text.hidden_size // n_heads)
    return 2 * int(text.num_hidden_layers) * n_kv_heads * head_dim * n_tok * size


def _activation_bytes(config: Any, n_tok: int, size: int) -> int:
    """The widest point of a forward pass: residual and MLP of a layer, and the logits."""
    text = config.get_text_config()
    widths = 6 * int(text.hidden_size) + 3 * int(
        getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    )
    vision = getattr(config, "vision_config", None)
    vision_width = int(getattr(vision, "hidden_size", None) or 1024) * 10 if vision is not None else 0
    patches_per_tok = int(getattr(vision, "spatial_merge_size", None) or 2) ** 2
    language = n_tok * (widths * size + int(text.vocab_size) * 4)
    return language + n_tok * patches_per_tok * vision_width * size
