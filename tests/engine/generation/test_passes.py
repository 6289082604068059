"""A picture's prefix: read in two pieces or in one, kept or read anew, it is the same prefix."""

import numpy as np
import pytest

from gazeviz.domain.steering import SCOPES, Scope
from tests.engine.fixtures.tiny_engine import (
    HEADS,
    PICTURES,
    PROMPT,
    N,
    TinyEngine,
    assert_same,
    counted,
    steering,
    tiny_engine,
)
from tests.engine.fixtures.tiny_models import FAMILIES


class TestPrefix:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("scope", [None, *SCOPES])
    def test_equals_the_pass_in_one_piece(self, family: str, scope: Scope | None) -> None:
        wish = scope and steering(scope, strength=1.0)
        in_two, whole = (
            tiny_engine(family, shares).generate(
                PICTURES[2], PROMPT, steering=wish, max_new_tokens=N, track=HEADS
            )
            for shares in (True, False)
        )
        assert_same(in_two, whole, tolerance=2e-5)
        assert (in_two.audit is None) == (scope is None)
        if in_two.audit and whole.audit:
            assert in_two.audit.n_rows == whole.audit.n_rows
            np.testing.assert_allclose(in_two.audit.ledger.after_G, whole.audit.ledger.after_G, atol=1e-5)

    def test_kept_prefix_gives_the_same_bits(self, engine: TinyEngine) -> None:
        first = engine.generate(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS)
        other = engine.generate(PICTURES[2], "another question", max_new_tokens=N, track=HEADS)
        again = engine.generate(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS)
        assert_same(first, again)
        engine.release_memory()
        assert_same(other, engine.generate(PICTURES[2], "another question", max_new_tokens=N, track=HEADS))

    def test_one_picture_pass_serves_every_target_after_the_image(self, qwen: TinyEngine) -> None:
        with counted(qwen) as pictures:
            for scope in ("after_image", "decode_only"):
                for quarter in range(4):
                    qwen.generate(
                        PICTURES[2], PROMPT, steering=steering(scope, quarter=quarter), max_new_tokens=2
                    )
            qwen.generate(PICTURES[2], "an unsteered question", max_new_tokens=2)
        assert len(pictures) == 1

    def test_steering_every_row_reads_the_prefix_anew_but_sees_once(self, qwen: TinyEngine) -> None:
        """The tower does not know the steering; what the language model makes of its output does."""
        first_layer = qwen.model.model.language_model.layers[0]
        lengths: list[int] = []
        handle = first_layer.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
        with counted(qwen) as pictures:
            for quarter in range(3):
                qwen.generate(PICTURES[2], PROMPT, steering=steering(quarter=quarter), max_new_tokens=1)
        handle.remove()
        assert len(pictures) == 1
        assert lengths == [21, 6] * 3

    def test_another_picture_is_another_prefix(self, qwen: TinyEngine) -> None:
        runs = [qwen.generate(picture, PROMPT, max_new_tokens=N) for picture in PICTURES[:3] * 2]
        for one, again in zip(runs[:3], runs[3:], strict=True):
            assert_same(one, again)
        assert len({run.token_ids for run in runs}) == 3
