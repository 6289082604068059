"""Metrics of heads: sums of one row, examples at the top and below, effects with their interval."""

import numpy as np
import pytest

from gazeviz.domain.experiments.head_metrics import METRICS, HeadEffect, HeadMetrics, look_metrics
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.errors import UserError

IMAGE_TOK = np.array([2, 3, 4, 5])


def test_metrics_of_a_row() -> None:
    weights = np.array([[0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0], [0.5, 0.0, 0.4, 0.0, 0.0, 0.0, 0.1, 0.0]])
    found = look_metrics(weights.astype(np.float32), IMAGE_TOK)
    assert found["image"] == pytest.approx([0.8, 0.4])
    assert found["sink"] == pytest.approx([0.1, 0.5])
    assert found["text"] == pytest.approx([0.1, 0.1])
    assert found["previous"] == pytest.approx([0.0, 0.1])
    assert found["entropy"] == pytest.approx([1.0, 0.0])
    assert found["peak"] == pytest.approx([0.25, 1.0])


def test_a_head_that_sees_nothing_of_the_picture_has_no_spread() -> None:
    found = look_metrics(np.array([[1.0, 0, 0, 0, 0, 0, 0]], dtype=np.float32), IMAGE_TOK)
    assert [float(found[name][0]) for name in ("image", "entropy", "peak")] == [0, 0, 0]


def measured(values_S: list[float]) -> HeadMetrics:
    """Metrics of two heads on some pictures; the second head does not exist."""
    values = np.full((len(values_S), 1, 2), np.nan, dtype=np.float32)
    values[:, 0, 0] = values_S
    names = tuple(f"p{place}" for place in range(len(values_S)))
    return HeadMetrics(dict.fromkeys(METRICS, values), names, "Why?", "set", "model")


def test_examples_show_what_a_head_does_on_the_rest_too() -> None:
    metrics = measured([0.1, 0.9, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6, 0.0, 1.0])
    assert metrics.example_names(Head(0, 0), n=2) == {
        "top": ["p10", "p1"], "median": ["p2"], "lowest decile": ["p0"],
    }  # fmt: skip


def test_means_leave_a_missing_head_out() -> None:
    told = measured([0.25, 0.75]).to_json()
    assert told["metrics"]["image"] == [[0.5, None]]
    assert told["pictures"] == 2
    with pytest.raises(UserError, match="L1H0"):
        measured([0.5]).of(Head(1, 0))


def test_an_effect_resamples_whole_pictures() -> None:
    heads = HeadSet.of("L0H0")
    effect = HeadEffect.of(heads, "steered", [1.0, 3.0, 1.0, 3.0], [0, 0, 1, 1])
    assert (effect.mean_nats, effect.low, effect.high, effect.n_pictures) == (2.0, 2.0, 2.0, 2)
    with pytest.raises(UserError, match="no answer"):
        HeadEffect.of(heads, "steered", [], [])
