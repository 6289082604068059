"""Engines on tiny random models, one per kind of attention, without processors or files.

A picture is a seed (its pixels are random), a prompt is words whose letters give the token ids; both sides of
every comparison are fed the very same tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Run
from gazeviz.domain.steering import Scope, Steering
from gazeviz.engine.engine import Engine
from gazeviz.engine.models.families import Family
from gazeviz.engine.models.layouts import MergedGrid
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import Prepared, rope_positions
from gazeviz.imaging import Picture
from tests.engine.tiny_models import hooked, tiny_model, tiny_prompt

SIZE_PX = (32, 32)
QUARTERS = tuple(
    Region.box(name, (x, y, x + 16, y + 16), size_px=SIZE_PX)
    for y, side in ((0, "top"), (16, "bottom"))
    for x, name in ((0, f"{side} left"), (16, f"{side} right"))
)
"""Four regions of four cells each."""
PICTURES = tuple(np.full((1, 1), seed, dtype=np.uint8) for seed in range(8))
"""Pictures of one pixel, which is the seed of what the model is fed."""


class NumberTokenizer:
    """Decodes token 17 as " w17", so that a text shows its tokens; token 2 ends an answer and is not
    shown.
    """

    eos_token_id = 2

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The tokens' names."""
        return "".join(f" w{token}" for token in token_ids if not (skip_special_tokens and token == 2))

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        """The inverse of `decode`."""
        return {"input_ids": [int(word.removeprefix("w")) for word in text.split()]}


class TinyEngine(Engine):
    """An engine whose pictures are seeds."""

    def prepared(self, image: Picture, prompt: str) -> Prepared:
        """Four random words and the picture's 16 tokens, both from the seed, and the prompt's words."""
        seed = int(np.asarray(image).item())
        inputs = dict(tiny_prompt(self.family, seed=seed).inputs)
        start = inputs["input_ids"][:, :22]
        words = torch.tensor([[3 + sum(map(ord, word)) % 77 for word in prompt.split()]])
        inputs["input_ids"] = torch.cat([start, words], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        for name in {"mm_token_type_ids", "token_type_ids"} & inputs.keys():
            inputs[name] = (inputs["input_ids"] == self.loaded.image_token_id).long()
        picture = Image.new("RGB", SIZE_PX, (seed, 0, 0))
        grid = TokenGrid.plain((4, 4), SIZE_PX, SIZE_PX)
        positions = rope_positions(self.loaded, inputs)
        return Prepared(inputs, torch.arange(5, 21), positions, grid, picture, picture)


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


PROMPT = "tell me what is here"
HEADS = HeadSet.of("L0H1,L0H4,L1H0,L2H5")
N = 8
"""New tokens of the tests' answers."""


def steering(scope: Scope = "all_rows", strength: float = 8.0, quarter: int = 3) -> Steering:
    """Four heads pointed at a quarter of the picture."""
    return Steering(HEADS, QUARTERS[quarter], scope=scope, strength=strength)


def assert_same(run: Run, other: Run, tolerance: float = 0.0) -> None:
    """Same tokens, texts and end; logprobs and rows equal to the last bit unless a tolerance is given."""
    assert run.token_ids == other.token_ids
    assert (run.text, run.finish) == (other.text, other.finish)
    logprobs, others = ([step.logprob for step in one.tokens] for one in (run, other))
    np.testing.assert_allclose(logprobs, others, rtol=0, atol=tolerance)
    if len(run.tracked):
        np.testing.assert_allclose(run.rows_THP, other.rows_THP, rtol=0, atol=tolerance)
        assert run.value_norms_HP is not None and other.value_norms_HP is not None
        np.testing.assert_allclose(run.value_norms_HP, other.value_norms_HP, rtol=0, atol=10 * tolerance)


def assert_idle(engine: TinyEngine) -> None:
    """Nothing of a run is left on the model."""
    hook = engine.loaded.hook
    assert (hook.past_tok, hook.capture, hook.steer, hook.capture_values) == (0, None, None, None)
    assert not hook.take_rows() and not hook.take_value_norms() and hook.take_account() is None


@contextmanager
def counted(engine: TinyEngine) -> Iterator[list[int]]:
    """Counts the passes of the vision tower."""
    calls: list[int] = []
    handle = engine.model.model.visual.register_forward_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        handle.remove()
