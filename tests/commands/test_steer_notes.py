"""What `gazeviz steer` says of strengths that bfloat16 cannot tell apart."""

from __future__ import annotations

import pytest

from gazeviz.commands.inputs import say_why_not_gpu
from gazeviz.commands.steer import strength_note
from gazeviz.doctor import CUDA_LINE, NO_GPU_FOUND, NO_GPU_SUPPORT, PLAIN_MACHINE


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


def test_a_machine_without_a_gpu_is_not_told_so_at_every_command() -> None:
    """Only where something can be done about it, or the number type follows from it."""
    said: list[str] = []
    for plain in (None, *PLAIN_MACHINE):
        say_why_not_gpu(plain, "", said.append)
    assert said == []
    say_why_not_gpu(f"{NO_GPU_FOUND} On the processor it is held as bfloat16.", "lab: ", said.append)
    say_why_not_gpu(f"{NO_GPU_SUPPORT} Install the build for it: {CUDA_LINE}", "", said.append)
    assert len(said) == 2 and said[0].startswith("lab: ") and CUDA_LINE in said[1]
