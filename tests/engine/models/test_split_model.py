"""A model spread over several devices answers, is steered, ranked and measured as on one.

The devices are pretended, see `tests.fakes.split_machine`: what fails here would fail on two GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.run import Run, Sampling
from gazeviz.domain.steering import HeadMeans, Steering
from gazeviz.domain.strip import Layout, Strip, panel_regions
from gazeviz.engine.engine import Engine, load
from gazeviz.engine.models.placement import Placement
from gazeviz.testbed.world.world import drawn_strip
from tests.fakes.split_machine import WrongDeviceError, put, spread_over

PROMPT = "What is happening in this panel of the comic strip?"
HEADS = HeadSet.of("L2H6,L4H9,L4H10,L8H9,L10H0")  # on both sides of the cut
STRIP, OTHER = (drawn_strip((17, k)).strip for k in range(2))
FIRST, SECOND = "cuda:0", "cuda:1"


def places(n_layers: int, cut: int) -> dict[str, str]:
    """The first `cut` layers on the first device with what comes before and after all; the rest second."""
    return {
        "": FIRST,
        "model.visual": FIRST,
        "model.language_model": SECOND,
        "model.language_model.embed_tokens": FIRST,
        "lm_head": FIRST,
        **{
            f"model.language_model.layers.{layer}": FIRST if layer < cut else SECOND
            for layer in range(n_layers)
        },
    }


N_TOK = 10


def pointed(engine: Engine, **options: object) -> Run:
    steering = replace(Steering(HEADS, STRIP.panels[4], strength=8.0), **options)  # type: ignore[arg-type]
    return engine.generate(STRIP.image, PROMPT, steering=steering, max_new_tokens=N_TOK, track=HEADS)


def moved_while_written(engine: Engine) -> Run:
    steering = Steering(HEADS, STRIP.panels[1], scope="decode_only", strength=8.0)
    stream = engine.stream(STRIP.image, PROMPT, steering=steering, max_new_tokens=N_TOK)
    for number, _ in enumerate(stream):
        if number == 3:
            stream.retarget(STRIP.panels[5])
    return stream.run()


def many(engine: Engine) -> list[Run]:
    steerings = [Steering(HEADS, region, strength=8.0) for region in STRIP.panels[:3]]
    return engine.generate_many(
        [STRIP.image, STRIP.image, OTHER.image], PROMPT, steerings, max_new_tokens=N_TOK, track=HEADS
    )


ASKED: dict[str, Callable[[Engine], Run | list[Run]]] = {
    "alone, all heads recorded": lambda engine: engine.generate(
        STRIP.image, PROMPT, max_new_tokens=N_TOK, track=engine.all_heads()
    ),
    "drawn by chance": lambda engine: engine.generate(
        STRIP.image, PROMPT, max_new_tokens=N_TOK, sampling=Sampling(temperature=0.8, seed=3), track=HEADS
    ),
    "steered": pointed,
    "rows after the picture": lambda engine: pointed(engine, scope="after_image"),
    "suppressed": lambda engine: pointed(engine, mode="suppress_image"),
    "mass": lambda engine: pointed(engine, mode="mass", strength=0.8),
    "knocked out": lambda engine: pointed(engine, mode="knock_out"),
    "moved while it is written": moved_while_written,
    "several at once": many,
}


@pytest.fixture(scope="module")
def whole() -> Engine:
    return load(None)


@pytest.fixture(scope="module")
def another() -> Engine:
    return load(None)


@pytest.fixture
def split(another: Engine) -> Iterator[Engine]:
    with spread_over(another.model, places(n_layers=12, cut=5)):
        yield Engine(replace(another.loaded, place=Placement.on(FIRST)))


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_an_answer_is_that_of_the_model_on_one_device(
    whole: Engine, split: Engine, asked: Callable[[Engine], Run | list[Run]]
) -> None:
    ours, theirs = (one if isinstance(one, list) else [one] for one in (asked(split), asked(whole)))
    assert [run.token_ids for run in ours] == [run.token_ids for run in theirs]
    for run, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(run.rows_THP, other.rows_THP)


def test_the_second_question_reads_the_kept_picture(whole: Engine, split: Engine) -> None:
    for engine in (whole, split):
        engine.generate(STRIP.image, PROMPT, max_new_tokens=2)
    question = "What do you see?"
    ours, theirs = (
        engine.generate(STRIP.image, question, max_new_tokens=N_TOK, track=HEADS) for engine in (split, whole)
    )
    assert ours.text == theirs.text
    assert ours.value_norms_HP is not None and theirs.value_norms_HP is not None
    np.testing.assert_array_equal(ours.value_norms_HP, theirs.value_norms_HP)


def test_where_every_head_looks_is_told_alike(whole: Engine, split: Engine) -> None:
    ours_HP, theirs_HP = (engine.attention(STRIP.image, PROMPT) for engine in (split, whole))
    np.testing.assert_array_equal(ours_HP, theirs_HP)


def test_heads_are_ranked_and_measured_alike(checkpoint: Path) -> None:
    """On a model of eight heads, because the causal ranking mutes each of them by itself."""
    theirs, tiny = load(checkpoint), load(checkpoint)
    before = measured(theirs)
    with spread_over(tiny.model, places(n_layers=2, cut=1)):
        after = measured(Engine(replace(tiny.loaded, place=Placement.on(FIRST))))
    for name, scores_LH in before[0].items():
        np.testing.assert_allclose(after[0][name], scores_LH, rtol=0, atol=1e-6)
    assert before[1:] == after[1:]


def measured(engine: Engine) -> tuple[dict[str, NDArray[np.float64]], HeadMeans, dict[str, Any]]:
    """The rankings that a random model can have, means and metrics, over two pictures of noise."""
    noise = np.random.default_rng(0).integers(256, size=(96, 128, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    strip = Strip(picture, panel_regions(Layout(1, 2), *picture.size), ("red cat", "blue dog"), "noise")
    heads, question = HeadSet.of("L0H1,L1H0"), "where is the {ordinal} cat"
    rankings = engine.rank([strip, strip], ("mass", "localization", "causal"), question=question)
    return (
        {name: ranking.scores_LH for name, ranking in rankings.items()},
        engine.head_means([strip], heads, prompt="where is red cat"),
        engine.head_metrics([strip], prompt="where is red cat").to_json(),
    )


def test_a_given_text_is_read_alike(whole: Engine, split: Engine) -> None:
    steering = Steering(HEADS, STRIP.panels[2], strength=8.0)
    ours, theirs = (
        engine.read(STRIP.image, PROMPT, "red cat jumps in town", steering=steering, track=HEADS)
        for engine in (split, whole)
    )
    assert ours.token_ids == theirs.token_ids
    np.testing.assert_array_equal(ours.logprobs_T, theirs.logprobs_T)


def test_the_machine_refuses_to_mix_devices(split: Engine) -> None:
    ours, theirs = torch.ones(2), torch.ones(2)
    put(theirs, torch.device(SECOND))
    with pytest.raises(WrongDeviceError, match="add"):
        _ = ours + theirs
    assert (ours.to(theirs.device) + theirs).device == torch.device(SECOND)
    with pytest.raises(WrongDeviceError, match="numpy"):
        theirs.numpy()
