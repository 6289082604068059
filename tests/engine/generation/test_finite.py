"""Numbers that left the range of their type are noticed in the pass where it happens, and said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from gazeviz.engine.generation.finite import check_logits
from gazeviz.engine.models.placement import Numbers
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_engine import HEADS, PICTURES, PROMPT, TinyEngine, steering, tiny_engine


@pytest.fixture
def overflowing() -> Iterator[TinyEngine]:
    """An engine in float16 whose second layer makes numbers beyond 65 504."""
    engine = tiny_engine("llava")
    engine.model.half()
    engine._loaded = replace(engine.loaded, numbers=Numbers(torch.float16))
    layer = engine.model.model.language_model.layers[1]
    handle = layer.mlp.register_forward_hook(lambda _module, _inputs, output: output * 60_000)
    yield engine
    handle.remove()
    engine.model.float()


def complaint(caught: pytest.ExceptionInfo[UserError]) -> str:
    return f"{caught.value.sentence} {caught.value.next_step}"


@pytest.mark.parametrize("how", [None, steering("all_rows"), steering("decode_only")])
def test_an_answer_is_refused(overflowing: TinyEngine, how: object) -> None:
    with pytest.raises(UserError) as caught:
        overflowing.generate(PICTURES[0], PROMPT, steering=how, track=HEADS, max_new_tokens=3)  # type: ignore[arg-type]
    assert "overflow in float16" in complaint(caught) and "bfloat16 or float32" in complaint(caught)


def test_reading_along_and_attention_are_refused(overflowing: TinyEngine) -> None:
    with pytest.raises(UserError, match="overflow in float16"):
        overflowing.read(PICTURES[0], PROMPT, "w5 w6")
    with pytest.raises(UserError, match="overflow in float16"):
        overflowing.attention(PICTURES[0], PROMPT)


def test_a_forbidden_token_is_no_overflow() -> None:
    check_logits(torch.tensor([[[1.0, -torch.inf]]]), torch.float32)
    check_logits(torch.zeros(2, 0, 5), torch.float32)
    for number in (torch.nan, torch.inf, -torch.inf):
        with pytest.raises(UserError, match="not numbers in float32"):
            check_logits(torch.tensor([[[number, number]]]), torch.float32)
