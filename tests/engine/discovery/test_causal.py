"""The causal ranking against finite differences, and the contrast that it is the gradient of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from gazeviz.engine.discovery import causal
from gazeviz.engine.discovery.causal import Contrast, contrast_at, effects
from gazeviz.engine.generation.shared_prefix import PicturePrefix
from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.engine.models.prompt import prepare
from tests.engine.fixtures.random_comic import random_comic_model, strips
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint

QUESTION = "What is happening in this panel of the comic strip?"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The built-in architecture, two layers of random weights."""
    return random_comic_model(tmp_path_factory.mktemp("comic"), n_layers=2)


@pytest.fixture
def contrast(loaded: LoadedModel) -> Contrast:
    """A strip of three panels and its captions as answers."""
    strip = strips(1)[0]
    prompt = prepare(loaded, strip.image, QUESTION)
    answers = tuple(
        tuple(loaded.tokenizer(caption, add_special_tokens=False)["input_ids"]) for caption in strip.captions
    )
    return Contrast(prompt, answers, tuple(prompt.grid.tokens(panel) for panel in strip.panels))


@pytest.fixture
def prefix(loaded: LoadedModel, contrast: Contrast) -> Iterator[PicturePrefix]:
    """The strip, read ahead."""
    yield PicturePrefix(loaded, contrast.prompt)
    assert loaded.hook.steer is None  # a measurement leaves the model as it was


def finite_differences(
    loaded: LoadedModel, prefix: PicturePrefix, contrast: Contrast, strength: float, layers: Sequence[int]
) -> np.ndarray:
    """Two passes a head and target, for the heads of some layers: the slow way to the same numbers."""
    slopes, step = np.zeros(loaded.hook.shape_LH), 0.03
    with torch.no_grad():
        for target in contrast.answered:
            for layer, head in product(layers, range(slopes.shape[1])):
                values = []
                for sign in (1, -1):
                    gains = torch.full(slopes.shape, strength)
                    gains[layer, head] += sign * step
                    values.append(float(contrast_at(loaded.hook, prefix, contrast, target, gains)))
                slopes[layer, head] += (values[0] - values[1]) / (2 * step) / len(contrast.answered)
    return slopes


@pytest.mark.parametrize(("packs", "strength"), [(True, 0.0), (False, 1.5)])
def test_the_gradient_is_what_finite_differences_give(
    loaded: LoadedModel, contrast: Contrast, packs: bool, strength: float
):
    contrast = replace(contrast, answers=(*contrast.answers[:2], None))
    prefix = PicturePrefix(loaded, contrast.prompt, packs=packs)
    slow = finite_differences(loaded, prefix, contrast, strength, layers=(0, 1))
    fast = effects(loaded.hook, prefix, contrast, (strength,))
    assert np.corrcoef(slow.ravel(), fast.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(fast, slow, atol=0.02 * np.abs(slow).max())


def test_strengths_are_averaged(loaded: LoadedModel, prefix: PicturePrefix, contrast: Contrast):
    each = [effects(loaded.hook, prefix, contrast, (strength,)) for strength in (0.0, 1.0)]
    both = effects(loaded.hook, prefix, contrast, (0.0, 1.0))
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, atol=1e-6)


@pytest.mark.parametrize("packs", [True, False])
def test_at_gain_zero_the_contrast_is_the_models_own(loaded: LoadedModel, contrast: Contrast, packs: bool):
    prefix = PicturePrefix(loaded, contrast.prompt, packs=packs)

    def log_p(answer: tuple[int, ...]) -> float:
        ids = torch.cat([contrast.prompt.input_ids, torch.tensor([answer])], dim=1)
        inputs = dict(contrast.prompt.inputs) | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.nn.functional.pad(kinds, (0, len(answer)))
        with torch.no_grad():
            logits = loaded.model(**inputs).logits[0, -len(answer) - 1 : -1]
        return float(logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum())

    values = [log_p(answer or ()) for answer in contrast.answers]
    with torch.no_grad():
        measured = contrast_at(loaded.hook, prefix, contrast, 1, torch.zeros(loaded.hook.shape_LH))
    assert float(measured) == pytest.approx(values[1] - (values[0] + values[2]) / 2, abs=1e-3)


def test_panels_without_an_answer_are_left_out(
    loaded: LoadedModel, prefix: PicturePrefix, contrast: Contrast
):
    two = Contrast(
        contrast.prompt, (contrast.answers[0], None, contrast.answers[2]), contrast.tokens_by_panel
    )
    assert two.answered == (0, 2)
    assert np.isfinite(effects(loaded.hook, prefix, two)).all()
    alone = Contrast(contrast.prompt, (contrast.answers[0], None, ()), contrast.tokens_by_panel)
    with pytest.raises(ValueError, match="two panels"):
        effects(loaded.hook, prefix, alone)


def test_an_error_on_the_way_leaves_no_steering_behind(
    loaded: LoadedModel, prefix: PicturePrefix, contrast: Contrast, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_args: object) -> torch.Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(causal, "_log_probability", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        effects(loaded.hook, prefix, contrast)


def test_recurrent_layers_do_not_stand_in_the_way(tmp_path: Path):
    hybrid = load_model(write_checkpoint(tmp_path / "hybrid", "qwen3_5"), device="cpu")
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    prompt = prepare(hybrid, pixels, "what is it ?")
    half = len(prompt.image_positions_tok) // 2
    contrast = Contrast(prompt, ((11, 12), (12, 6)), (np.arange(half), np.arange(half, 2 * half)))
    prefix = PicturePrefix(hybrid, prompt)
    measured = effects(hybrid.hook, prefix, contrast)
    with_heads = [site.index for site in hybrid.hook.sites]
    assert np.flatnonzero(np.isfinite(measured).all(axis=1)).tolist() == with_heads
    layer = with_heads[0]
    slow = finite_differences(hybrid, prefix, contrast, 0.0, layers=[layer])
    assert np.corrcoef(slow[layer], measured[layer])[0, 1] > 0.999
