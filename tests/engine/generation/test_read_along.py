"""A text read along is the text generated."""

import numpy as np
import pytest

from gazeviz.domain.steering import SCOPES, Scope
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_engine import HEADS, PICTURES, PROMPT, QUARTERS, N, TinyEngine, steering


class TestReading:
    @pytest.mark.parametrize("scope", [None, *SCOPES])
    def test_equals_generating_the_same_tokens(self, engine: TinyEngine, scope: Scope | None) -> None:
        wish = scope and steering(scope, strength=1.0)
        run = engine.generate(PICTURES[2], PROMPT, steering=wish, max_new_tokens=N, track=HEADS)
        reading = engine.read(PICTURES[2], PROMPT, run.text, steering=wish, track=HEADS)
        assert reading.token_ids == run.token_ids
        np.testing.assert_allclose(reading.logprobs_T, [step.logprob for step in run.tokens], atol=2e-5)
        assert reading.rows_THP is not None
        np.testing.assert_allclose(reading.rows_THP, run.rows_THP, atol=1e-5)
        np.testing.assert_allclose(
            reading.trajectory(QUARTERS).masses_TR, run.trajectory(QUARTERS).masses_TR, atol=1e-5
        )
        assert reading.logprob == pytest.approx(sum(step.logprob for step in run.tokens), abs=1e-4)

    def test_refusals(self, qwen: TinyEngine) -> None:
        with pytest.raises(UserError, match="no text"):
            qwen.read(PICTURES[2], PROMPT, "")
        with pytest.raises(UserError, match="No head was tracked"):
            qwen.read(PICTURES[2], PROMPT, "w5").trajectory(QUARTERS)
