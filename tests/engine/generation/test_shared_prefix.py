"""Reading behind a shared prefix gives what whole passes with eager attention give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from gazeviz.domain.model_files import ROW_BYTES
from gazeviz.engine.generation import shared_prefix
from gazeviz.engine.generation.shared_prefix import PicturePrefix, common_start, pack, picture_inputs
from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.engine.models.prompt import Prepared, prepare
from tests.engine.fixtures.random_comic import random_comic_model, strips
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint

# Plain caches, sliding windows, recurrent layers, tiles, and prompts that are attended to in both directions.
FAMILIES = ("qwen3_vl", "llava", "internvl", "gemma3", "qwen3_5", "paligemma")
QUESTIONS = ("what is it ?", "where is it ?", "what is red cat it where ?")
ANSWER = (11, 12, 6, 11, 8)

# transformers' own processor of PaliGemma asks numpy for an array in a way that numpy 2 complains about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=FAMILIES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny model of each kind, loaded from files."""
    return load_model(write_checkpoint(tmp_path_factory.mktemp(request.param), request.param), device="cpu")


@pytest.fixture(scope="module")
def comic(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The built-in architecture with random weights."""
    return random_comic_model(tmp_path_factory.mktemp("comic"))


def prompts_of(loaded: LoadedModel, questions: Sequence[str] = QUESTIONS) -> list[Prepared]:
    """Questions about one picture."""
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return [prepare(loaded, pixels, question, max_image_tokens=256) for question in questions]


@cache
def eager_model(folder: Path) -> Any:
    """The same weights with transformers' eager attention."""
    eager = {"": "sdpa", "text_config": "eager"}
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=eager
    )
    return model.eval()


def eager_attentions(
    loaded: LoadedModel, prompt: Prepared, answer: Sequence[int] = ()
) -> dict[int, np.ndarray]:
    """Every map of a whole pass with transformers' eager attention, {layer: (H, S, S)}; the plain recipe."""
    model = eager_model(loaded.path)
    ids = torch.cat([prompt.input_ids, torch.tensor([list(answer)], dtype=torch.long)], dim=1)
    extra = picture_inputs(prompt, prompt.n_prompt_tok)
    padded: dict[str, Any] = {
        name: torch.nn.functional.pad(value, (0, len(answer)))
        if value.shape == prompt.input_ids.shape
        else value
        for name, value in extra.items()
    }
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True, **padded)
    layers = [site.index for site in loaded.hook.sites]
    found = [maps for maps in output.attentions if maps is not None]
    return {layer: maps[0].numpy() for layer, maps in zip(layers, found, strict=True)}


def compare(rows: np.ndarray, maps: dict[int, np.ndarray], prompt: Prepared, rows_tok: Sequence[int]) -> None:
    """Rows (L, H, Q, P) are those of the eager maps, and every other layer is absent."""
    keys = prompt.image_positions_tok.numpy()
    for layer in range(len(rows)):
        if layer not in maps:
            assert np.isnan(rows[layer]).all()
            continue
        expected = maps[layer][:, rows_tok][:, :, keys]
        np.testing.assert_allclose(rows[layer], expected, atol=1e-5)


def test_last_rows_equal_whole_eager_passes(loaded: LoadedModel):
    prompts = prompts_of(loaded)
    rows = PicturePrefix(loaded, prompts[0]).question_rows(prompts)
    assert rows.shape[2] == len(prompts)
    assert np.nanmax(rows) > 1.2 / len(prompts[0].image_positions_tok) / 4  # they look at the picture at all
    for place, prompt in enumerate(prompts):
        last = [prompt.n_prompt_tok - 1]
        compare(rows[:, :, place : place + 1], eager_attentions(loaded, prompt), prompt, last)


def test_answer_rows_equal_a_whole_eager_pass_however_they_are_cut(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    if loaded.family.name == "paligemma":
        answer: tuple[int, ...] = ()  # an eager pass cannot tell its prompt, read both ways, from the answer
    else:
        answer = ANSWER
    prompt = prompts_of(loaded)[0]
    rows_tok = list(range(prompt.n_prompt_tok - 1, prompt.n_prompt_tok + max(len(answer) - 1, 0)))
    maps = eager_attentions(loaded, prompt, answer)
    for row_bytes in (ROW_BYTES, 1):
        monkeypatch.setattr(shared_prefix, "ROW_BYTES", row_bytes)
        compare(PicturePrefix(loaded, prompt).rows(prompt, answer, rows_tok), maps, prompt, rows_tok)


def test_answer_rows_of_a_prompt_read_both_ways_equal_token_by_token(tmp_path: Path):
    loaded = load_model(write_checkpoint(tmp_path / "paligemma", "paligemma"), device="cpu")
    prompt = prompts_of(loaded)[0]
    prefix = PicturePrefix(loaded, prompt)
    rows_tok = range(prompt.n_prompt_tok - 1, prompt.n_prompt_tok + len(ANSWER) - 1)
    together = prefix.rows(prompt, ANSWER, rows_tok)
    for place, row in enumerate(rows_tok):
        alone = prefix.rows(prompt, ANSWER[: place + 1], [row])
        np.testing.assert_allclose(together[:, :, [place]], alone, atol=1e-5)


def test_reducing_keeps_what_is_wanted_of_every_piece(comic: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    prompt = prompts_of(comic)[0]
    prefix = PicturePrefix(comic, prompt)
    rows_tok = [prompt.n_prompt_tok - 1, prompt.n_prompt_tok + 1, prompt.n_prompt_tok + 2]
    whole = prefix.rows(prompt, ANSWER, rows_tok)
    monkeypatch.setattr(shared_prefix, "ROW_BYTES", 1)
    np.testing.assert_allclose(
        prefix.rows(prompt, ANSWER, rows_tok, lambda rows: rows.sum(axis=-1)), whole.sum(axis=-1), atol=1e-6
    )


def test_reading_together_equals_reading_one_by_one(comic: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    questions = (
        "What happens in panel 1?",
        "What happens in panel 2?",
        "Describe it.",
        "Describe it all now.",
    )
    prompts = prompts_of(comic, questions)
    together, alone = PicturePrefix(comic, prompts[0]), PicturePrefix(comic, prompts[0], packs=False)
    assert together.packs and not alone.packs
    expected = alone.question_rows(prompts)
    np.testing.assert_allclose(together.question_rows(prompts), expected, atol=1e-6)
    monkeypatch.setattr(PicturePrefix, "max_rows", 3)
    np.testing.assert_allclose(together.question_rows(prompts), expected, atol=1e-6)


def test_a_prefix_is_as_before_after_every_use(loaded: LoadedModel):
    prompts = prompts_of(loaded)
    prefix = PicturePrefix(loaded, prompts[0])
    first = prefix.question_rows(prompts)
    prefix.rows(prompts[1], ANSWER, [prompts[1].n_prompt_tok])
    prefix.greedy(prompts[2], 3)
    if prefix.n_tok:
        list(prefix.branch_logits(prompts[0], [ANSWER, ANSWER[:2]]))
    np.testing.assert_array_equal(prefix.question_rows(prompts), first)


def test_only_plain_caches_are_read_together(loaded: LoadedModel):
    prefix = PicturePrefix(loaded, prompts_of(loaded)[0])
    assert prefix.packs == (loaded.family.name not in ("gemma3", "qwen3_5", "paligemma"))


def test_reading_together_is_found_exact_where_the_mask_is_heeded(comic: LoadedModel):
    prompts = prompts_of(comic)
    assert PicturePrefix(comic, prompts[0]).packing_is_exact(prompts)


def test_reading_together_is_found_out_where_the_mask_is_ignored(
    comic: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    def without_mask(*args: Any) -> shared_prefix.Packed:
        packed = pack(*args)
        n_rows, n_keys = packed.mask_11NK.shape[2:]
        causal = torch.ones(n_rows, n_keys, dtype=torch.bool).tril(n_keys - n_rows)
        return replace(packed, mask_11NK=causal[None, None])

    monkeypatch.setattr(shared_prefix, "pack", without_mask)
    prompts = prompts_of(comic)
    assert not PicturePrefix(comic, prompts[0]).packing_is_exact(prompts)


def test_greedy_says_what_generate_says(loaded: LoadedModel):
    prompt = prompts_of(loaded)[0]
    loaded.model.generation_config.eos_token_id = 2
    expected = loaded.model.generate(**prompt.inputs, max_new_tokens=6, do_sample=False, pad_token_id=0)[
        0, prompt.n_prompt_tok :
    ].tolist()
    expected = expected[: expected.index(2)] if 2 in expected else expected
    assert PicturePrefix(loaded, prompt).greedy(prompt, 6) == expected


@pytest.fixture
def stops_after_two(comic: LoadedModel) -> Iterator[list[int]]:
    """The comic model with the third token of its answer as the one that ends it; yields the answer."""
    prompt = prompts_of(comic)[0]
    answer = PicturePrefix(comic, prompt).greedy(prompt, 6)
    before = comic.model.generation_config.eos_token_id
    comic.model.generation_config.eos_token_id = [answer[2]]
    yield answer
    comic.model.generation_config.eos_token_id = before


def test_greedy_ends_before_the_end_token(comic: LoadedModel, stops_after_two: list[int]):
    prompt = prompts_of(comic)[0]
    end = stops_after_two.index(stops_after_two[2])
    assert PicturePrefix(comic, prompt).greedy(prompt, 6) == stops_after_two[:end]


def test_branch_logits_equal_whole_passes(loaded: LoadedModel):
    prompt = prompts_of(loaded)[0]
    prefix = PicturePrefix(loaded, prompt)
    if not prefix.n_tok:
        assert loaded.family.name == "paligemma"
        return
    answers = [ANSWER, (11,), ANSWER[::-1]]
    for index, logits in prefix.branch_logits(prompt, answers):
        ids = torch.cat([prompt.input_ids, torch.tensor([answers[index]])], dim=1)
        extra = {
            name: torch.nn.functional.pad(v, (0, len(answers[index])))
            if v.shape == prompt.input_ids.shape
            else v
            for name, v in picture_inputs(prompt, prompt.n_prompt_tok).items()
        }
        with torch.no_grad():
            whole = loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids), **extra).logits[0]
        torch.testing.assert_close(logits.detach(), whole[prompt.n_prompt_tok - 1 : -1], atol=1e-4, rtol=1e-4)


def test_packed_rows_see_prefix_trunk_and_their_own_branch():
    def part(*ids: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([ids]), torch.tensor([ids]) * 10

    packed = pack(2, part(1, 2), [part(3), part(4, 5)])
    assert packed.ids_1N.tolist() == [[1, 2, 3, 4, 5]]
    assert packed.positions.tolist() == [[10, 20, 30, 40, 50]]
    assert (packed.starts, packed.stops) == ((2, 3), (3, 5))
    assert packed.mask_11NK[0, 0].int().tolist() == [
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0, 1, 1],
    ]


def test_common_start_leaves_every_sequence_a_token():
    ids = [torch.tensor([row]) for row in ([1, 2, 3, 4], [1, 2, 5], [1, 2, 3])]
    assert common_start(ids) == 2
    assert common_start([ids[0], ids[0]]) == 3
    assert common_start([torch.tensor([[1]]), torch.tensor([[1, 2]])]) == 0


def test_the_strip_is_read_once(comic: LoadedModel):
    strip = strips(1)[0]
    prompts = [prepare(comic, strip.image, f"Describe panel {k}.") for k in (1, 2, 3)]
    calls: list[int] = []
    handle = comic.model.model.visual.register_forward_hook(lambda *_: calls.append(1))
    PicturePrefix(comic, prompts[0]).question_rows(prompts)
    handle.remove()
    assert len(calls) == 1
