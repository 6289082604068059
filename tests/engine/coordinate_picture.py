"""The coordinate picture: which part of a picture does each image token really carry?

A picture's pixels tell their own place (brightness = x, then = y), and gradients tell which input pixels
reach the embedding that a position of the language model receives. Put together, every image token reads back
its place: through the family's image processor, vision tower, connector and the merging into the prompt. For
that the vision tower is made local: the output of its attention is set to zero, so that no token sees
another's pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gazeviz.domain.grid import TokenGrid
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import Prepared, prepare


@dataclass(frozen=True)
class Read:
    """What the image tokens of one picture carry.

    Attributes:
        centres_P2: mean x and y, in picture pixels, of what reaches each token; NaN where it is padding or
            nothing.
        spreads_P2: standard deviation of x and y of the whole picture pixels among it.
        n_inputs_P: numbers of the model's input that reach each token, padding included.
        grid: the token grid that is to be proven.
    """

    centres_P2: NDArray[np.float64]
    spreads_P2: NDArray[np.float64]
    n_inputs_P: NDArray[np.int64]
    grid: TokenGrid


def coordinate_pictures(
    loaded: LoadedModel, size_px: tuple[int, int], max_image_tokens: int = 1280
) -> tuple[Prepared, Prepared, Prepared, Prepared]:
    """Prepare pictures of (width, height): black, white, brightness = x, brightness = y."""
    width, height = size_px
    ramp_x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    ramp_y = np.broadcast_to((np.arange(height)[:, None] + 0.5) / height, (height, width))

    def fed(level_HW: NDArray[Any]) -> Prepared:
        picture = Image.fromarray(np.rint(level_HW * 255).astype(np.uint8))
        return prepare(loaded, picture, "where is it ?", max_image_tokens=max_image_tokens)

    return fed(np.zeros((height, width))), fed(np.ones((height, width))), fed(ramp_x), fed(ramp_y)


def read_back(loaded: LoadedModel, size_px: tuple[int, int], by_weight: bool = False) -> Read:
    """Feed coordinate pictures of (width, height) and read every image token's place.

    `by_weight`: how strongly an input reaches a token counts, not only whether (for tokens mixed by
    interpolation; with random weights that is a noisier reading).
    """
    fed = coordinate_pictures(loaded, size_px)
    numbers = [one.inputs["pixel_values"].double().flatten().numpy() for one in fed]
    # The processor scales and shifts each channel; black and white tell by how much, and where there is
    # padding.
    present = numbers[1] - numbers[0]
    scaled = np.stack([(numbers[2] - numbers[0]) * size_px[0], (numbers[3] - numbers[0]) * size_px[1]])
    whole = present > 0.98 * present.max()
    centres, spreads, n_inputs = [], [], []
    for gradient in _gradients(loaded, fed[2]):
        weight = gradient.abs().flatten().double().numpy()
        weight = weight if by_weight else (weight > 0).astype(np.float64)
        seen = (weight * present).sum()
        shown = seen > 0.02 * weight.sum() * present.max() and seen > 0
        centres.append((scaled * weight).sum(axis=1) / seen if shown else np.full(2, np.nan))
        inside = whole & (weight > 0)
        spreads.append(
            (scaled[:, inside] / present[inside]).std(axis=1) if inside.any() else np.full(2, np.nan)
        )
        n_inputs.append(int((weight > 0).sum()))
    return Read(np.array(centres), np.array(spreads), np.array(n_inputs), fed[2].grid)


def _gradients(loaded: LoadedModel, prepared: Prepared) -> Tensor:
    """For every image token, the gradient of its embedding (along a random direction) by the pixels: (P,
    ...)."""
    pixels = prepared.inputs["pixel_values"].clone().requires_grad_(True)
    embeddings: list[Tensor] = []
    decoder = loaded.model.get_decoder()
    seen = decoder.register_forward_pre_hook(
        lambda _module, args, options: embeddings.append(
            options.get("inputs_embeds", args[0] if args else None)
        ),
        with_kwargs=True,
    )
    with _local_vision(loaded), torch.enable_grad():
        loaded.model(**{**prepared.inputs, "pixel_values": pixels, "use_cache": False})
    seen.remove()
    direction = torch.randn(embeddings[0].shape[-1], generator=torch.Generator().manual_seed(0))
    along = (embeddings[0] @ direction)[0, prepared.image_positions_tok]
    (gradients,) = torch.autograd.grad(along, pixels, torch.eye(len(along)), is_grads_batched=True)
    return gradients


@contextmanager
def _local_vision(loaded: LoadedModel) -> Iterator[None]:
    """Set the output of every attention module outside of the language model to zero."""
    of_language = set(loaded.model.get_decoder().modules())
    hooks = [
        module.register_forward_hook(_zeroed)
        for module in loaded.model.modules()
        if _is_attention(module)
        and not any(map(_is_attention, list(module.modules())[1:]))
        and module not in of_language
    ]
    assert hooks, "no attention found in the vision tower"
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_attention(module: torch.nn.Module) -> bool:
    return "Attention" in type(module).__name__


def _zeroed(_module: Any, _args: Any, output: Any) -> Any:
    if isinstance(output, tuple):
        return (torch.zeros_like(output[0]), *output[1:])
    return torch.zeros_like(output)
