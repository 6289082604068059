"""Metrics and effects of heads on tiny random models, against what single passes say."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering
from gazeviz.engine.discovery.head_examples import examples_over
from gazeviz.engine.discovery.head_metrics import ANSWER_TOK, effects_over
from gazeviz.errors import Cancelled, UserError
from tests.engine.fixtures.tiny_engine import PICTURES, PROMPT, QUARTERS, SIZE_PX, TinyEngine, assert_idle

HEADS = HeadSet.of("L0H1,L1H0")


@dataclass(frozen=True)
class Seen:
    """A picture with its regions and what could be said about each."""

    image: Any
    panels: tuple[Region, ...] = QUARTERS
    captions: tuple[str, ...] = field(default=())


SEEN = (Seen(PICTURES[0]), Seen(PICTURES[1]))


def test_image_mass_is_what_the_heads_rows_sum_to(engine: TinyEngine) -> None:
    metrics = engine.head_metrics(SEEN, prompt=PROMPT)
    assert_idle(engine)
    n_heads = [site.n_heads for site in engine.loaded.hook.sites]
    assert np.isfinite(metrics.values["image"]).sum() == 2 * sum(n_heads)
    for place, seen in enumerate(SEEN):
        rows_HP = engine.attention(seen.image, PROMPT, HEADS)
        for head, row_P in zip(HEADS, rows_HP, strict=True):
            value = metrics.values["image"][place, head.layer, head.index]
            assert value == pytest.approx(row_P.sum(), abs=1e-5)
            peak = metrics.values["peak"][place, head.layer, head.index]
            assert peak == pytest.approx(row_P.max() / row_P.sum(), abs=1e-4)


def test_an_effect_is_the_change_of_the_answers_probability(qwen: TinyEngine) -> None:
    (knocked_out,) = qwen.head_metrics(SEEN, prompt=PROMPT, effects_of=[HEADS]).effects
    steering = Steering(HEADS, Region.whole(SIZE_PX), "knock_out")
    changes = []
    for seen in SEEN:
        text = qwen.generate(seen.image, PROMPT, max_new_tokens=ANSWER_TOK).text
        plain, changed = (
            qwen.read(seen.image, PROMPT, text, steering=how).logprobs_T.sum() for how in (None, steering)
        )
        changes.append(float(changed - plain))
    assert knocked_out.what == "knocked_out"
    assert knocked_out.mean_nats == pytest.approx(np.mean(changes), abs=1e-4)
    assert (knocked_out.low, knocked_out.high) == pytest.approx((min(changes), max(changes)), abs=1e-4)


def test_steering_is_measured_where_regions_have_captions(qwen: TinyEngine) -> None:
    captions = ("w5 w6", "w7", "w8 w9", "w10")
    seen = Seen(PICTURES[2], captions=captions)
    knocked_out, steered = effects_over(qwen, [seen], PROMPT, HEADS)
    assert (knocked_out.what, steered.what, steered.n_pictures) == ("knocked_out", "steered", 1)

    def told(steering: Steering | None) -> np.ndarray:
        return np.array(
            [qwen.read(seen.image, PROMPT, one, steering=steering).logprobs_T.sum() for one in captions]
        )

    gains = [told(Steering(HEADS, region)) - told(None) for region in QUARTERS]
    expected = [gain[place] - np.delete(gain, place).mean() for place, gain in enumerate(gains)]
    assert steered.mean_nats == pytest.approx(np.mean(expected), abs=1e-4)


def test_a_mean_output_is_the_mean_over_rows_and_pictures(qwen: TinyEngine) -> None:
    means = qwen.head_means(SEEN, HEADS, prompt=PROMPT)
    one, two = (qwen.head_means([seen], HEADS, prompt=PROMPT).values_hD for seen in SEEN)
    assert_idle(qwen)
    assert means.measured_on == "2 pictures"
    np.testing.assert_allclose(means.values_hD, (one + two) / 2, atol=1e-6)
    assert np.abs(one - two).max() > 1e-4
    run = qwen.generate(
        SEEN[0].image, PROMPT, steering=Steering(HEADS, Region.whole(SIZE_PX), "knock_out", means=means)
    )
    assert run.audit is not None and run.audit.n_heads == 2


def test_nothing_to_measure_and_heads_that_are_not_there_are_refused(qwen: TinyEngine) -> None:
    with pytest.raises(UserError, match="no picture"):
        qwen.head_metrics([])
    with pytest.raises(UserError, match="L9H9"):
        qwen.head_means(SEEN, HeadSet.of("L9H9"))
    with pytest.raises(Cancelled):
        qwen.head_metrics(SEEN, prompt=PROMPT, cancelled=lambda: True)
    assert_idle(qwen)


def test_examples_name_the_region_that_the_head_looks_at_most(qwen: TinyEngine) -> None:
    head = HEADS.heads[0]
    examples = examples_over(qwen, SEEN, PROMPT, head, max_new_tokens=8, names=("first", "second"))
    assert_idle(qwen)
    runs = [qwen.generate(seen.image, PROMPT, max_new_tokens=8, track=HeadSet((head,))) for seen in SEEN]
    assert len(examples.masses_T) == sum(len(run.tokens) for run in runs)
    best = examples.of("top")[0]
    run = runs[("first", "second").index(best.picture)]
    masses_TR = np.stack(
        [run.rows_THP[:, 0][:, run.grid.tokens(region)].sum(axis=1) for region in QUARTERS], axis=1
    )
    step, region = np.unravel_index(masses_TR.argmax(), masses_TR.shape)
    assert (best.region_name, best.token) == (QUARTERS[region].name, run.tokens[step].text)
    assert best.mass == pytest.approx(examples.masses_T.max())
    np.testing.assert_allclose(best.map_YX.ravel(), run.rows_THP[step, 0], atol=2e-3)
