"""Engines that the tests of this room share."""

import pytest

from tests.engine.fixtures.tiny_engine import TinyEngine, tiny_engine
from tests.engine.fixtures.tiny_models import FAMILIES


@pytest.fixture(params=FAMILIES)
def engine(request: pytest.FixtureRequest) -> TinyEngine:
    """One engine per kind of attention."""
    return tiny_engine(request.param)


@pytest.fixture
def qwen() -> TinyEngine:
    """An engine whose answers vary from token to token."""
    return tiny_engine("qwen3_vl")
