"""The decode loop on files of every family: the tokens of generate(), prefixes, steering, batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import SCOPES, Steering
from gazeviz.engine.engine import Engine, load
from gazeviz.engine.models.prompt import prepare, prepare_again
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint
from tests.engine.fixtures.tiny_families import TINY

PROMPT = "where is red cat"
LEFT = Region.box("left half", (0, 0, 64, 96), size_px=(128, 96))
N = 5


@pytest.fixture(params=sorted(TINY))
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A tiny model of each family, loaded from its files."""
    if request.param == "smolvlm":
        # Only its videos need num2words, which is not installed; here the import's result is stood in for.
        import transformers.models.smolvlm.processing_smolvlm as smolvlm

        monkeypatch.setattr(smolvlm, "num2words", str)
    return load(write_checkpoint(tmp_path, request.param), device="cpu")


def picture(seed: int) -> NDArray[np.uint8]:
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.mark.slow
def test_answers_are_generates_and_steering_arrives(engine: Engine) -> None:
    inputs = engine.prepare(picture(0), PROMPT)
    with torch.no_grad():
        expected = engine.model.generate(**inputs, max_new_tokens=N, do_sample=False)
    plain = engine.generate(picture(0), PROMPT, max_new_tokens=N, track=engine.all_heads())
    assert list(plain.token_ids) == expected[0, inputs["input_ids"].shape[1] :].tolist()

    heads = HeadSet(engine.all_heads().heads[:3])
    neutral = engine.generate(
        picture(0), PROMPT, steering=Steering(heads, LEFT, strength=0.0), max_new_tokens=N
    )
    assert [step.logprob for step in neutral.tokens] == [step.logprob for step in plain.tokens]

    wishes = [Steering(heads, LEFT, scope=scope, strength=2.0) for scope in SCOPES]
    pictures = [picture(seed) for seed in (0, 1, 0) for _ in wishes]
    many = engine.generate_many(pictures, PROMPT, wishes * 3, max_new_tokens=N, track=heads)
    for shown, wish, run in zip(pictures, wishes * 3, many, strict=True):
        alone = engine.generate(shown, PROMPT, steering=wish, max_new_tokens=N)
        assert run.token_ids == alone.token_ids
        np.testing.assert_allclose(run.rows_THP, alone.rows_THP, atol=1e-5)
        if run.audit is not None:
            assert run.audit.mass_after > run.audit.mass_before


@pytest.mark.slow
def test_another_question_about_a_picture_is_prepared_as_if_it_were_the_first(engine: Engine) -> None:
    first = engine.prepared(picture(0), PROMPT)
    for question in ("what is it", "where is the blue red cat where", "where is red cat"):
        again = prepare_again(engine.loaded, first, question)
        whole = prepare(engine.loaded, picture(0), question)
        if again is None:  # the family writes marks of its own behind the picture: prepared whole, then
            continue
        assert again.inputs.keys() == whole.inputs.keys()
        for name, value in whole.inputs.items():
            assert torch.equal(again.inputs[name], value), name
        assert torch.equal(again.positions.between(0, 200), whole.positions.between(0, 200))


def test_the_built_in_model_prepares_a_picture_once() -> None:
    builtin = load(device="cpu")
    first = builtin.prepared(picture(0), PROMPT)
    again = prepare_again(builtin.loaded, first, "What is happening?")
    assert again is not None
    assert again.inputs["pixel_values"] is first.inputs["pixel_values"]
