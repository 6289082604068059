"""Every family of the table is proven by a coordinate picture; every other is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gazeviz.domain.model_files import PROVEN
from gazeviz.engine.models.families import FAMILIES, REFUSED, family_of
from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.errors import UserError
from tests.engine.fixtures.coordinate_picture import Read, coordinate_pictures, read_back
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint
from tests.engine.fixtures.tiny_families import TINY

LANDSCAPE, STRIP, PORTRAIT = (90, 50), (240, 40), (50, 90)
WORST_ERROR_CELL = 0.05
INTERPOLATED = {("llava_onevision", LANDSCAPE), ("llava_onevision", PORTRAIT)}
"""Here a cell is a mixture of its neighbours by weight, which can be read back less exactly."""


@pytest.fixture(scope="module", params=sorted(TINY))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny model of each family, loaded from its files."""
    name = str(request.param)
    if name == "smolvlm":
        # Only its videos need num2words, which is not installed; here the import's result is stood in for.
        import transformers.models.smolvlm.processing_smolvlm as smolvlm

        patch = pytest.MonkeyPatch()
        patch.setattr(smolvlm, "num2words", str)
        request.addfinalizer(patch.undo)
    return load_model(write_checkpoint(tmp_path_factory.mktemp(name), name))


def test_the_names_that_screens_know_are_those_of_the_table() -> None:
    assert set(FAMILIES) == PROVEN


def test_every_family_of_the_table_is_proven_here() -> None:
    assert set(TINY) == set(FAMILIES)


@pytest.mark.parametrize("size_px", [LANDSCAPE, STRIP], ids=["landscape", "strip"])
def test_each_image_token_reads_back_its_place(tiny: LoadedModel, size_px: tuple[int, int]) -> None:
    mixed = (tiny.family.name, size_px) in INTERPOLATED
    read = read_back(tiny, size_px, by_weight=mixed)
    boxes, shown, whole = _clipped(read, size_px)
    size = boxes[:, 2:] - boxes[:, :2]
    error = np.abs(read.centres_P2 - (boxes[:, :2] + boxes[:, 2:]) / 2) / size

    assert shown.any()
    assert np.isnan(read.centres_P2[~shown]).all(), "a token outside of the picture carries some of it"
    assert not np.isnan(read.centres_P2[shown]).any(), "a token inside of the picture carries nothing of it"
    without = np.isnan(read.grid.boxes_P4[:, 0])
    assert (read.n_inputs_P[without] == 0).all(), "a token without a place carries pixels"
    assert error[whole].max(initial=0) < (0.15 if mixed else WORST_ERROR_CELL)
    assert error[shown].max() < 0.2  # cells cut by the picture's edge blend with the padding
    # An even spread over a width w has the standard deviation w / sqrt(12).
    spread = read.spreads_P2[whole] / (size[whole] / np.sqrt(12))
    assert np.abs(spread - 1).max(initial=0) < (0.5 if mixed else 0.15)


def _clipped(
    read: Read, size_px: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The boxes inside of the picture; which tokens show some of it; which lie in it as a whole."""
    boxes = read.grid.boxes_P4
    limits = np.array([*size_px, *size_px], dtype=np.float64)
    clipped = np.clip(boxes, 0, limits)
    shown = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    return clipped, shown, shown & np.isclose(boxes, clipped).all(axis=1)


def test_the_fed_image_is_what_the_inputs_say(tiny: LoadedModel) -> None:
    pictures = coordinate_pictures(tiny, STRIP)
    black, white, in_x, in_y = (np.asarray(one.fed_image, dtype=np.float64)[:, :, 0] for one in pictures)
    assert black.shape == pictures[0].grid.fed_size_px[::-1]
    present = np.clip((white - black) / 255, 0, 1)
    rows, cols = np.nonzero(present > 0.99)
    for ramp, places, profile in ((in_x, cols, present.max(axis=0)), (in_y, rows, present.max(axis=1))):
        first = int(np.argmax(profile > 0.02))
        start = first + 1 - profile[first]  # the picture may begin inside of a pixel
        expected = (places + 0.5 - start) / profile.sum() * 255
        assert np.abs(ramp[rows, cols] - expected).mean() < 4


@torch.no_grad()
def test_our_positions_are_the_models_own(tiny: LoadedModel) -> None:
    prepared = coordinate_pictures(tiny, STRIP)[2]
    by_itself = tiny.model(**prepared.inputs).logits
    by_ours = tiny.model(
        **prepared.inputs, position_ids=prepared.positions.between(0, prepared.n_prompt_tok)
    ).logits
    assert torch.equal(by_itself, by_ours)


@torch.no_grad()
def test_a_cached_prefix_gives_the_whole_prompts_answer(tiny: LoadedModel) -> None:
    prepared = coordinate_pictures(tiny, STRIP)[2]
    whole = tiny.model(**prepared.inputs, use_cache=True)
    cut = int(prepared.image_positions_tok[-1]) + 1
    prefix = tiny.model(**prepared.prefix_inputs(cut), use_cache=True)
    suffix = tiny.model(**prepared.text_inputs(cut), past_key_values=prefix.past_key_values, use_cache=True)
    equal = torch.allclose(suffix.logits[:, -1], whole.logits[:, -1], atol=2e-5, rtol=1e-4)
    assert equal == tiny.family.shares_prefix


@torch.no_grad()
def test_positions_go_on_behind_the_prompt_as_in_generate(tiny: LoadedModel) -> None:
    prepared = coordinate_pictures(tiny, STRIP)[2]
    n_tok = prepared.n_prompt_tok
    answer = tiny.model.generate(**prepared.inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)[
        :, n_tok:
    ]
    output = tiny.model(**prepared.inputs, use_cache=True)
    ours = [int(output.logits[0, -1].argmax())]
    for place in range(n_tok, n_tok + 3):
        output = tiny.model(
            input_ids=torch.tensor([ours[-1:]]),
            attention_mask=torch.ones(1, place + 1, dtype=torch.int64),
            position_ids=prepared.positions.between(place, place + 1),
            past_key_values=output.past_key_values,
        )
        ours.append(int(output.logits[0, -1].argmax()))
    assert ours == answer[0].tolist()


@pytest.mark.parametrize("edge_px", [36, 44])
def test_what_a_centre_crop_takes_off_is_accounted_for(tmp_path: Path, edge_px: int) -> None:
    settings = write_checkpoint(tmp_path, "llava") / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace('"shortest_edge": 32', f'"shortest_edge": {edge_px}'))
    read = read_back(load_model(tmp_path), (64, 64))
    boxes = read.grid.boxes_P4
    taken_px = 64 * (1 - 32 / edge_px) / 2
    assert boxes.min() == pytest.approx(taken_px) and boxes.max() == pytest.approx(64 - taken_px)
    assert np.abs(read.centres_P2 - (boxes[:, :2] + boxes[:, 2:]) / 2).max() < 0.5


def test_a_limit_of_image_tokens_is_kept_or_told(tiny: LoadedModel) -> None:
    free, limited = (coordinate_pictures(tiny, STRIP, limit)[0].grid for limit in (1280, 20))
    assert limited.n_tokens <= free.n_tokens
    assert limited.n_tokens <= 20 or "cannot take it in 20" in limited.note


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refused_family_says_why(name: str) -> None:
    with pytest.raises(UserError) as caught:
        family_of({"model_type": name})
    assert REFUSED[name] in caught.value.sentence
    assert "qwen3_vl" in caught.value.next_step


def test_an_unknown_family_names_those_that_work() -> None:
    with pytest.raises(UserError, match=r"'phi9_vision' is not known.*gemma3.*qwen3_vl"):
        family_of({"model_type": "phi9_vision"})


def test_pixtral_is_told_from_llava_by_its_vision_tower(tmp_path: Path) -> None:
    assert family_of({"model_type": "llava", "vision_config": {"model_type": "pixtral"}}).name == "pixtral"
    assert (
        family_of({"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}}).name
        == "llava"
    )
    assert family_of({"model_type": "llava"}).name == "llava"
