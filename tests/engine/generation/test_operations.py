"""How many operations watching and steering add to a decode step: on a GPU each of them is a launch."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.steering import Steering
from tests.engine.fixtures.tiny_engine import HEADS, PICTURES, PROMPT, TinyEngine, steering

NOTHING = HeadSet(())
N_STEERED_LAYERS = len(HEADS.by_layer())
N_LAYERS = 3


class Counter(TorchDispatchMode):
    """Counts every operation, views among them."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and compute."""
        self.n += 1
        return func(*args, **(kwargs or {}))


def operations(engine: TinyEngine, wish: Steering | None, track: HeadSet) -> int:
    """Operations of one decode step in the middle of an answer."""
    stream = engine.stream(PICTURES[0], PROMPT, steering=wish, track=track, max_new_tokens=8)
    for _ in range(3):
        next(stream)
    with Counter() as counter:
        next(stream)
    stream.cancel()
    return int(counter.n)


def plain_operations(engine: TinyEngine) -> int:
    """Operations of the model's own decode step."""
    inputs = engine.prepared(PICTURES[0], PROMPT).inputs
    with torch.inference_mode():
        cache = engine.model(**inputs, use_cache=True).past_key_values
        with Counter() as counter:
            engine.model(input_ids=torch.tensor([[5]]), past_key_values=cache, use_cache=True)
    return int(counter.n)


def test_a_step_costs_a_bounded_number_of_operations(qwen: TinyEngine) -> None:
    plain = plain_operations(qwen)
    nothing = operations(qwen, None, NOTHING)
    recorded = operations(qwen, None, qwen.all_heads())
    steered = operations(qwen, steering(), NOTHING)
    both = operations(qwen, steering(), HEADS)
    everything = operations(qwen, steering(), qwen.all_heads())
    assert nothing - plain <= 20
    assert recorded - nothing <= 10 * N_LAYERS + 10
    assert steered - nothing <= 28 * N_STEERED_LAYERS + 20
    assert both - steered <= 12
    assert everything - steered <= 10 * N_LAYERS + 10


def test_one_product_serves_steered_and_recorded_heads(qwen: TinyEngine) -> None:
    """The rows that are recorded beside a steered head are those that it is steered with."""
    alone = qwen.generate(PICTURES[0], PROMPT, steering=steering(), track=HEADS, max_new_tokens=4)
    wide = qwen.generate(PICTURES[0], PROMPT, steering=steering(), track=qwen.all_heads(), max_new_tokens=4)
    places = [qwen.all_heads().heads.index(head) for head in HEADS]
    assert wide.token_ids == alone.token_ids
    torch.testing.assert_close(
        torch.tensor(wide.rows_THP)[:, places], torch.tensor(alone.rows_THP), atol=1e-6, rtol=0
    )
    assert wide.audit is not None and alone.audit is not None
    torch.testing.assert_close(
        torch.tensor(wide.audit.ledger.before_G), torch.tensor(alone.audit.ledger.before_G), atol=1e-6, rtol=0
    )
