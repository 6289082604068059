"""Picture and question become what the model takes, with the place of every image token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gazeviz.domain.region import Region
from gazeviz.domain.steering import FIRST, OTHER_IMAGE, PROMPT_TEXT, TARGET
from gazeviz.engine.models.layouts import Square
from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.engine.models.prompt import RopePositions, prepare, render_prompt
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint

STRIP = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 240, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny Qwen3-VL: cells of 8 px, at most 40 of them."""
    return load_model(write_checkpoint(tmp_path_factory.mktemp("qwen3_vl"), "qwen3_vl"))


def test_what_is_prepared_fits_together(tiny: LoadedModel) -> None:
    prepared = prepare(tiny, STRIP, "what is it ?")
    assert prepared.n_prompt_tok == prepared.input_ids.shape[1]
    assert prepared.grid.n_tokens == prepared.image_positions_tok.numel() == 30
    assert (prepared.input_ids[0, prepared.image_positions_tok] == tiny.image_token_id).all()
    assert prepared.grid.picture_size_px == prepared.picture.size == STRIP.size
    assert prepared.grid.fed_size_px == prepared.fed_image.size == (120, 16)
    assert prepared.inputs["pixel_values"].dtype == tiny.dtype
    assert all(tensor.device == tiny.device for tensor in prepared.inputs.values())


def test_the_prompt_is_put_in_chat_form(tiny: LoadedModel) -> None:
    assert render_prompt(tiny, "what is it ?") == "user <vision> <image> </vision>what is it ? assistant"
    prepared = prepare(tiny, STRIP, "what is it ?")
    words = tiny.tokenizer.convert_ids_to_tokens(prepared.input_ids[0])
    assert words[:2] == ["user", "<vision>"]
    assert words[-6:] == ["</vision>", "what", "is", "it", "?", "assistant"]


def test_a_begin_token_of_the_template_is_not_doubled(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.processor, "chat_template", "<s> " + tiny.processor.chat_template)
    monkeypatch.setattr(tiny.tokenizer, "_add_bos_token", True)
    tiny.tokenizer.update_post_processor()
    prepared = prepare(tiny, STRIP, "what is it ?")
    assert (prepared.input_ids == tiny.tokenizer.bos_token_id).sum() == 1
    monkeypatch.undo()
    tiny.tokenizer.update_post_processor()


def test_key_positions_are_coded_by_what_they_are(tiny: LoadedModel) -> None:
    prepared = prepare(tiny, STRIP, "what is it ?")
    first_half = Region.box("first half", (0, 0, 120, 40), size_px=STRIP.size)
    target = prepared.grid.tokens(first_half)
    codes = prepared.codes_K(target)
    assert codes.dtype == torch.int8
    assert codes[0] == FIRST
    image = codes[prepared.image_positions_tok]
    assert (image == TARGET).nonzero().flatten().tolist() == target.tolist()
    assert (image == OTHER_IMAGE).sum() == 30 - len(target) == 30 - 14
    assert (codes == PROMPT_TEXT).sum() == prepared.n_prompt_tok - 30 - 1
    assert (prepared.codes_K()[prepared.image_positions_tok] == OTHER_IMAGE).all()


def test_a_first_token_that_is_an_image_token_is_no_sink(tmp_path: Path) -> None:
    loaded = load_model(write_checkpoint(tmp_path, "paligemma"))
    loaded.processor.chat_template = None  # PaliGemma was trained on plain prompts, its picture first
    prepared = prepare(loaded, STRIP, "what is it ?")
    assert prepared.codes_K([0])[:2].tolist() == [TARGET, OTHER_IMAGE]
    words = loaded.tokenizer.convert_ids_to_tokens(prepared.input_ids[0])
    assert words[16:] == ["<s>", "what", "is", "it", "?"]
    assert "labels" not in prepared.inputs


def test_the_picture_is_kept_within_a_limit_and_the_note_tells(tiny: LoadedModel) -> None:
    prepared = prepare(tiny, STRIP, "what is it ?", max_image_tokens=12)
    assert prepared.grid.n_tokens <= 12
    width, height = prepared.grid.fed_size_px
    assert prepared.grid.note == f"The picture of 240 x 40 pixels is fed as {width} x {height}."
    exact = prepare(tiny, Image.new("RGB", (64, 32)), "what is it ?")
    assert (exact.grid.fed_size_px, exact.grid.note) == ((64, 32), "")


def test_a_picture_that_cannot_be_made_smaller_is_fed_and_the_note_tells(tiny: LoadedModel) -> None:
    thin = prepare(tiny, Image.new("RGB", (1500, 10)), "what is it ?", max_image_tokens=4)
    assert thin.grid.n_tokens > 4
    assert f"It makes {thin.grid.n_tokens} image tokens; this model cannot take it in 4." in thin.grid.note


def test_six_questions_prepare_their_picture_once(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tap = tiny.processor.image_processor
    calls: list[object] = []
    original = tap.wrapped

    def counted(*args: object, **options: object) -> object:
        calls.append(args)
        return original(*args, **options)

    monkeypatch.setattr(tap, "wrapped", counted)
    for name in ("patch_size", "merge_size", "size", "temporal_patch_size", "fetch_images", "do_normalize",
                 "image_mean", "image_std", "do_rescale", "rescale_factor"):  # fmt: skip
        monkeypatch.setattr(counted, name, getattr(original, name), raising=False)
    strip = STRIP.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    first, second = (prepare(tiny, strip.copy(), question) for question in ("what is it ?", "where is it ?"))
    assert len(calls) == 1
    assert torch.equal(first.inputs["pixel_values"], second.inputs["pixel_values"])
    assert not torch.equal(first.input_ids, second.input_ids)
    prepare(tiny, strip, "where is it ?", max_image_tokens=9)
    assert len(calls) == 2


def refusal(tiny: LoadedModel, image: Image.Image, prompt: str, **options: int) -> str:
    with pytest.raises(UserError) as caught:
        prepare(tiny, image, prompt, **options)
    return caught.value.sentence


def test_what_cannot_be_asked_is_refused(tiny: LoadedModel) -> None:
    assert refusal(tiny, STRIP, "  \n") == "The prompt is empty."
    assert "'<image>', a control token" in refusal(tiny, STRIP, "what is <image> ?")
    assert "0 image tokens are too few" in refusal(tiny, STRIP, "what ?", max_image_tokens=0)
    assert "the model's context holds 2048" in refusal(tiny, STRIP, "what " * 2048)
    assert "too narrow" in refusal(tiny, Image.new("RGB", (2100, 10)), "what ?")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (None, "has no chat template"),
        ("{{ messages[0].content[1].text }}", "no place for a picture"),
        ("{{ raise_exception('no pictures please') }}", "cannot be used: no pictures please"),
        ("{% for %}", "cannot be used"),
    ],
)
def test_a_chat_template_that_does_not_serve_is_refused(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch, template: str | None, complaint: str
) -> None:
    monkeypatch.setattr(tiny.processor, "chat_template", template)
    assert complaint in refusal(tiny, STRIP, "what ?")


def test_of_several_chat_templates_the_default_is_taken(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = render_prompt(tiny, "what ?")
    monkeypatch.setattr(
        tiny.processor, "chat_template", {"default": tiny.processor.chat_template, "tools": "no"}
    )
    assert render_prompt(tiny, "what ?") == usual


def test_a_layout_that_does_not_account_for_every_token_is_refused(tiny: LoadedModel) -> None:
    other = replace(tiny, family=replace(tiny.family, layout=Square()))
    assert "Where the image tokens of this qwen3_vl model lie is not known" in refusal(other, STRIP, "what ?")


def test_positions_inside_across_and_behind_the_prompt() -> None:
    plain = RopePositions(torch.arange(5)[None], 0)
    assert plain.between(3, 7).tolist() == [[3, 4, 5, 6]]
    turned = RopePositions(torch.tensor([[[0, 1, 1, 3]], [[0, 1, 2, 3]], [[0, 2, 1, 3]]]), -2)
    assert turned.between(1, 3).tolist() == [[[1, 1]], [[1, 2]], [[2, 1]]]
    assert turned.between(2, 6).tolist() == [[[1, 3, 2, 3]], [[2, 3, 2, 3]], [[1, 3, 2, 3]]]
    assert turned.between(6, 7).tolist() == [[[4]], [[4]], [[4]]]
    assert turned.between(2, 2).shape == (3, 1, 0)
