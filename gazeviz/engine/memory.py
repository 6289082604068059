"""How much memory a model will take, told from its files before it is loaded.

For choosing a device and for the doctor's report. The arithmetic is that of gazeviz.domain.footprint; here it
is asked about transformers' configurations, which know every family's usual values. Knows nothing of what is
running at the moment but a device's free memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from gazeviz.domain.footprint import TEXT_TOK as TEXT_TOK
from gazeviz.domain.footprint import ModelSizes, needed_bytes, stored_weights


def estimate_memory(
    model: str | Path | Any, dtype: torch.dtype | None = None, n_image_tok: int = 1280
) -> int:
    """Return the bytes that a model needs for one picture of `n_image_tok` tokens, weights included.

    `model` is a folder of safetensors (weights counted from their headers) or a transformers configuration
    (weights counted by building it without memory). `dtype` None means as stored (for a configuration: its
    own, or float32).

    Raises:
        OSError, ValueError: a weight file cannot be read.
    """
    if isinstance(model, (str, Path)):
        from transformers import AutoConfig

        folder = Path(model)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        weights = _weights_of_files(folder, dtype)
    else:
        config = model
        weights = _weights_of_config(config, dtype)
    return needed_bytes(weights, _sizes(config), (dtype or _own_dtype(config)).itemsize, n_image_tok)


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a GPU; of a Mac's shared memory what it recommends at most, less what is
    used."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def _weights_of_files(folder: Path, dtype: torch.dtype | None) -> int:
    """Sum over all tensors of a folder; floating ones in `dtype` where one is given."""
    weights = stored_weights(folder.glob("*.safetensors"))
    return weights.bytes_as(dtype.itemsize if dtype is not None else None)


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


def _sizes(config: Any) -> ModelSizes | None:
    return ModelSizes.of(config.get_text_config(), getattr(config, "vision_config", None))
