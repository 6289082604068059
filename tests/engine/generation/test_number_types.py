"""A pass computes in types that every device has: Apple's GPUs have no float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gazeviz.domain.steering import SCOPES, Steering
from tests.engine.fixtures.tiny_engine import HEADS, PICTURES, PROMPT, QUARTERS, TinyEngine


class NoDoubles(TorchDispatchMode):
    """Complains of the first tensor in float64."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and look at what it gives."""
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (list, tuple)) else (made,):
            if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64:
                raise AssertionError(f"{func} computes in float64")
        return made


@contextmanager
def passes_without_doubles(engine: TinyEngine) -> Iterator[None]:
    """Watch every pass of the model, attention function and all, but not what is added up between them."""
    modes: list[NoDoubles] = []

    def begin(*_: object) -> None:
        modes.append(NoDoubles())
        modes[-1].__enter__()

    def end(*_: object) -> None:
        modes.pop().__exit__(None, None, None)

    handles = [
        engine.model.register_forward_pre_hook(begin),
        engine.model.register_forward_hook(end, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("mode", ["boost_suppress", "suppress_all", "mass"])
def test_no_pass_computes_in_float64(engine: TinyEngine, mode: Any) -> None:
    with passes_without_doubles(engine):
        for scope in SCOPES:
            for strength in (8.0, "hard", "hard_uniform"):
                wish = Steering(HEADS, QUARTERS[0], mode=mode, strength=strength, scope=scope)
                engine.generate(
                    PICTURES[0], PROMPT, steering=wish, max_new_tokens=3, track=engine.all_heads()
                )
