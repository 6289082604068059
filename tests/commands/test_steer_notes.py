"""What `gazeviz steer` says of strengths that bfloat16 cannot tell apart."""

from __future__ import annotations

import pytest

from gazeviz.commands.steer import strength_note


@pytest.mark.parametrize(
    ("dtype", "strength", "is_told"),
    [
        ("bfloat16", 1000.0, True), ("bfloat16", 10000.0, True), ("bfloat16", 999.0, False),
        ("float32", 10000.0, False), ("bfloat16", "hard", False),
    ],
)  # fmt: skip
def test_a_strength_that_rounds_scores_away_offers_hard_uniform(
    dtype: str, strength: float | str, is_told: bool
) -> None:
    assert ("hard_uniform" in strength_note(dtype, strength)) is is_told
