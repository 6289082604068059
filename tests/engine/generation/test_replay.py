"""A run once more: where two answers part, and what has changed since."""

from dataclasses import replace
from pathlib import Path

import pytest

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.reproduction import ReplayRequest
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Steering
from gazeviz.engine.engine import Engine, load
from gazeviz.engine.generation.replay import Original, first_difference, replay
from gazeviz.errors import UserError
from gazeviz.testbed.world.world import builtin_strips

STRIP = builtin_strips(1)[0]


@pytest.fixture(scope="module")
def engine(untrained_model: Path) -> Engine:
    return load(untrained_model, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def original(engine: Engine) -> Original:
    steering = Steering(HeadSet.of("L1H2,L4H1"), STRIP.panels[2])
    run = engine.generate(STRIP.image, "What is it?", steering=steering, max_new_tokens=4)
    request = ReplayRequest(None, "cpu", "float32", "What is it?", steering, Sampling(), 4)
    fingerprint, versions = run.request.model_fingerprint, run.request.versions
    return Original(5, request, STRIP.image, fingerprint, run.token_ids, run.text, versions)


@pytest.mark.parametrize(
    ("before", "now", "where"),
    [
        ((), (), None),
        ((1, 2), (1, 2), None),
        ((1, 2), (1, 3), 1),
        ((1, 2), (1,), 1),
        ((1,), (1, 2), 1),
        ((0,), (1,), 0),
    ],
)
def test_two_answers_part_at_their_first_difference(
    before: tuple[int, ...], now: tuple[int, ...], where: int | None
) -> None:
    assert first_difference(before, now) == where


def test_the_same_request_gives_the_same_tokens(engine: Engine, original: Original) -> None:
    result = replay(original, engine)
    assert result.same
    assert result.token_ids == original.token_ids
    assert result.to_json()["run"] == 5
    assert result.changed == ()


def test_another_answer_and_other_versions_are_told(engine: Engine, original: Original) -> None:
    ids = (*original.token_ids[:2], -1, *original.token_ids[3:])
    result = replay(replace(original, token_ids=ids, versions={"torch": "1.0", "unknown": "2"}), engine)
    assert result.first_difference == 2
    assert not result.same
    assert len(result.changed) == 1
    assert result.changed[0].startswith("torch 1.0 is ")


def test_the_limit_of_image_tokens_is_the_originals_and_then_the_engines_again(
    engine: Engine, original: Original
) -> None:
    usual_tok = engine.max_image_tokens
    fewer = replace(original, request=replace(original.request, max_image_tok=24))
    expected = load(engine.describe_model().path, device="cpu", dtype="float32", max_image_tokens=24)
    run = expected.generate(STRIP.image, "What is it?", steering=original.request.steering, max_new_tokens=4)
    assert replay(fewer, engine).token_ids == run.token_ids
    assert engine.max_image_tokens == usual_tok


def test_other_weights_and_runs_without_a_token_are_refused(engine: Engine, original: Original) -> None:
    with pytest.raises(UserError, match="other weights"):
        replay(replace(original, fingerprint="00"), engine)
    with pytest.raises(UserError, match="no tokens to compare"):
        replay(replace(original, token_ids=()), engine)
