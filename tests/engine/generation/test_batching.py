"""Many answers at once are the answers one by one."""

from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.steering import Schedule as Targets
from gazeviz.domain.steering import Steering
from gazeviz.engine.engine import NO_HEADS
from gazeviz.errors import Cancelled
from tests.engine.fixtures.tiny_engine import (
    HEADS,
    PICTURES,
    PROMPT,
    QUARTERS,
    N,
    TinyEngine,
    assert_idle,
    assert_same,
    counted,
    steering,
)


class TestManyAtOnce:
    def test_equals_one_by_one(self, engine: TinyEngine) -> None:
        pictures = [PICTURES[seed] for seed in (0, 1, 1, 2, 0, 1, 2)]
        prompts = [PROMPT, PROMPT, "what is here", PROMPT, PROMPT, PROMPT, "what is here"]
        moving = replace(steering(quarter=0), schedule=Targets(((4, QUARTERS[2]),)))
        wishes = [None, steering(quarter=0), None, steering(quarter=2), moving, steering("after_image"), None]
        many = engine.generate_many(pictures, prompts, wishes, max_new_tokens=N, track=HEADS)
        for picture, prompt, wish, run in zip(pictures, prompts, wishes, many, strict=True):
            alone = engine.generate(picture, prompt, steering=wish, max_new_tokens=N, track=HEADS)
            assert_same(run, alone, tolerance=2e-5)
            assert run.switches == alone.switches
            assert (run.audit is None) == (alone.audit is None)
            if run.audit and alone.audit:
                assert run.audit.n_rows == alone.audit.n_rows
                np.testing.assert_allclose(run.audit.ledger.after_G, alone.audit.ledger.after_G, atol=1e-5)

    def test_answers_of_different_lengths(self, qwen: TinyEngine) -> None:
        pictures = PICTURES[:6]
        free = qwen.generate_many(pictures, PROMPT, steering(), max_new_tokens=N)
        ends = [free[0].token_ids[1], free[1].token_ids[4], free[2].token_ids[5]]
        qwen.model.generation_config.eos_token_id = ends
        many = qwen.generate_many(pictures, PROMPT, steering(), max_new_tokens=N)
        assert len({len(run.tokens) for run in many}) >= 3
        for picture, run in zip(pictures, many, strict=True):
            alone = qwen.generate(picture, PROMPT, steering=steering(), max_new_tokens=N, track=NO_HEADS)
            assert_same(run, alone, tolerance=2e-5)

    @pytest.mark.parametrize("wish", [None, steering()])
    def test_every_picture_is_seen_once(self, qwen: TinyEngine, wish: Steering | None) -> None:
        with counted(qwen) as pictures:
            qwen.generate_many([*PICTURES[1:3], *PICTURES[1:3]], PROMPT, wish, max_new_tokens=2)
            qwen.generate_many(PICTURES[1:3], PROMPT, steering(quarter=0), max_new_tokens=2)
        assert len(pictures) == 2

    def test_progress_and_cancel(self, qwen: TinyEngine) -> None:
        told: list[tuple[int, int]] = []
        prompts = [PROMPT, "what is here", PROMPT]
        qwen.generate_many(
            [PICTURES[0], *PICTURES[:2]], prompts, max_new_tokens=2, progress=lambda *part: told.append(part)
        )
        assert told == [(2, 3), (3, 3)]
        asked: list[int] = []

        def after_three() -> bool:
            asked.append(1)
            return len(asked) > 3

        with pytest.raises(Cancelled):
            qwen.generate_many(PICTURES[:2], PROMPT, max_new_tokens=N, cancelled=after_three)
        assert len(asked) == 4
        assert_idle(qwen)

    def test_nothing_asked_nothing_answered(self, qwen: TinyEngine) -> None:
        assert qwen.generate_many([], PROMPT) == []
        with pytest.raises(ValueError, match="2 images"):
            qwen.generate_many(PICTURES[:2], [PROMPT])
