"""Engines on tiny random models, one per kind of attention, without processors or files.

A picture is a seed (its pixels are random), a prompt is words whose letters give the token ids; both sides of every
comparison are fed the very same tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tests.engine.tiny_models import hooked, tiny_model, tiny_prompt

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.region import Region
from gazeviz.engine.engine import Engine
from gazeviz.engine.families import Family
from gazeviz.engine.layouts import MergedGrid
from gazeviz.engine.loading import LoadedModel
from gazeviz.engine.prompt import Prepared, rope_positions

SIZE_PX = (32, 32)
QUARTERS = tuple(
    Region.box(name, (x, y, x + 16, y + 16), size_px=SIZE_PX)
    for name, x, y in (("top left", 0, 0), ("top right", 16, 0), ("bottom left", 0, 16), ("bottom right", 16, 16))
)
"""Four regions of four cells each."""


class NumberTokenizer:
    """Decodes token 17 as " w17", so that a text shows its tokens; token 2 ends an answer and is not shown."""

    eos_token_id = 2

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str:
        """The tokens' names."""
        return "".join(f" w{token}" for token in token_ids if not (skip_special_tokens and token == 2))

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        """The inverse of `decode`."""
        return {"input_ids": [int(word.removeprefix("w")) for word in text.split()]}


class TinyEngine(Engine):
    """An engine whose pictures are seeds."""

    def prepared(self, image: Any, prompt: str) -> Prepared:
        """Four random words and the picture's 16 tokens, both from the seed, and the prompt's words."""
        inputs: dict[str, Any] = dict(tiny_prompt(self.family, seed=int(image)).inputs)
        start = inputs["input_ids"][:, :22]
        words = torch.tensor([[3 + sum(map(ord, word)) % 77 for word in prompt.split()]])
        inputs["input_ids"] = torch.cat([start, words], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        for name in {"mm_token_type_ids", "token_type_ids"} & inputs.keys():
            inputs[name] = (inputs["input_ids"] == self.loaded.image_token_id).long()
        picture = Image.new("RGB", SIZE_PX, (int(image), 0, 0))
        grid = TokenGrid.plain((4, 4), SIZE_PX, SIZE_PX)
        return Prepared(inputs, torch.arange(5, 21), rope_positions(self.loaded, inputs), grid, picture, picture)


def tiny_engine(family: str = "qwen3_vl", shares_prefix: bool = True) -> TinyEngine:
    """An engine on a tiny random model of a family."""
    model = tiny_model(family)
    loaded = LoadedModel(
        model=model,
        processor=None,
        tokenizer=NumberTokenizer(),
        family=Family(family, MergedGrid(), shares_prefix=shares_prefix),
        path=Path("tiny"),
        fingerprint="tiny",
        device=torch.device("cpu"),
        dtype=torch.float32,
        why_not_gpu=None,
        hook=hooked(model),
    )
    return TinyEngine(loaded)
