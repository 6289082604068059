"""What a picture would cost in image tokens is told from how it is fed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gazeviz.app.runs.picture_opener import TokenCost, token_cost
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import ModelInfo
from tests.app.fixtures.staging import model_with_picture


def info(**other: Any) -> ModelInfo:
    parts: dict[str, Any] = {
        "name": "x", "path": "x", "family": "x", "shape_LH": (1, 1),
        "heads_present_LH": np.ones((1, 1), dtype=bool), "device": "cpu", "dtype": "float32",
        "why_not_gpu": None, "fingerprint": "x", "max_image_tok": 100,
    }  # fmt: skip
    return ModelInfo(**(parts | other))


def session(size_px: tuple[int, int], shape_RC: tuple[int, int], fed_px: tuple[int, int]) -> SessionModel:
    model = model_with_picture(size_px, shape_RC)
    model.model_info = info()
    model.set_grid(TokenGrid.plain(shape_RC, size_px, fed_px), None)
    return model


def test_a_picture_that_was_made_smaller_would_cost_more() -> None:
    model = session((600, 100), (4, 24), (300, 50))
    assert token_cost(model) == TokenCost(96, 384, 100)


@pytest.mark.parametrize(
    ("size_px", "shape_RC", "fed_px"),
    [
        ((300, 50), (4, 24), (300, 50)),  # as it is
        ((320, 50), (4, 24), (300, 50)),  # hardly smaller
        ((600, 100), (2, 12), (300, 50)),  # smaller for a reason of the model's own
    ],
)
def test_a_picture_that_the_limit_did_not_touch_costs_no_more(
    size_px: tuple[int, int], shape_RC: tuple[int, int], fed_px: tuple[int, int]
) -> None:
    assert token_cost(session(size_px, shape_RC, fed_px)) is None


def test_what_was_allowed_is_the_limit() -> None:
    model = session((600, 100), (4, 24), (300, 50))
    model.max_image_tok = 384
    assert token_cost(model) is None


def test_it_is_never_more_than_the_context_holds() -> None:
    model = session((6000, 1000), (4, 24), (300, 50))
    model.model_info = info(context_tok=4096)
    cost = token_cost(model)
    assert cost is not None and cost.full_tok == 4096 - 512


def test_a_model_that_cannot_do_with_less_says_so() -> None:
    model = session((300, 50), (8, 24), (300, 50))
    cost = token_cost(model)
    assert cost is not None and cost.forced and cost.now_tok == 192


def test_nothing_is_said_of_no_picture_or_no_model() -> None:
    assert token_cost(SessionModel()) is None
    model = session((600, 100), (4, 24), (300, 50))
    model.model_info = None
    assert token_cost(model) is None
