"""Discovery on a random model against the plain recipe, and what it does with strips of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.prompts import NARRATION_PROMPT, panel_questions
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout, Strip, panel_regions
from gazeviz.engine.discovery import discovery
from gazeviz.engine.discovery.discovery import KINDS, RANKINGS, discover
from gazeviz.engine.evaluation.protocols import narration_of
from gazeviz.engine.generation import shared_prefix
from gazeviz.engine.generation.shared_prefix import PicturePrefix
from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.engine.models.prompt import prepare
from gazeviz.errors import Cancelled, UserError
from tests.engine.fixtures.random_comic import random_comic_model, strips
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The built-in architecture, four layers of random weights."""
    return random_comic_model(tmp_path_factory.mktemp("comic"))


@pytest.fixture(scope="module")
def all_rankings(loaded: LoadedModel) -> dict[str, HeadRanking]:
    """Every ranking of the same four strips, measured together."""
    return discover(loaded, strips(4), RANKINGS)


@pytest.fixture(scope="module")
def eager(loaded: LoadedModel) -> Any:
    """The same weights in transformers' eager attention."""
    return AutoModelForImageTextToText.from_pretrained(
        loaded.path, dtype=torch.float32, attn_implementation={"": "sdpa", "text_config": "eager"}
    ).eval()


def plain_rows(
    eager: Any, loaded: LoadedModel, image: Image.Image, text: str, answer: str = ""
) -> np.ndarray:
    """The plain recipe: a whole pass that returns every map; rows (L, H, S, P) over the image tokens."""
    prompt = prepare(loaded, image, text)
    tail = loaded.tokenizer(answer, add_special_tokens=False)["input_ids"] if answer else []
    inputs = dict(prompt.inputs)
    inputs["input_ids"] = torch.cat([prompt.input_ids, torch.tensor([tail], dtype=torch.long)], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["mm_token_type_ids"] = torch.nn.functional.pad(inputs["mm_token_type_ids"], (0, len(tail)))
    with torch.no_grad():
        maps = eager(**inputs, output_attentions=True).attentions
    return np.stack([one[0][:, :, prompt.image_positions_tok].numpy() for one in maps])


def test_the_matrix_equals_the_plain_recipe(
    loaded: LoadedModel, all_rankings: dict[str, HeadRanking], eager: Any
):
    expected = np.zeros((*loaded.hook.shape_LH, 3, 3))
    for strip in strips(4):
        for asked, question in enumerate(panel_questions(strip.panels)):
            row = plain_rows(eager, loaded, strip.image, question)[:, :, -1]
            grid = prepare(loaded, strip.image, question).grid
            for looked_at, panel in enumerate(strip.panels):
                expected[:, :, asked, looked_at] += row[..., grid.tokens(panel)].sum(axis=-1) / 4
    matrix = all_rankings["mass"].matrix_LHRR
    assert matrix is not None
    np.testing.assert_allclose(matrix, expected, atol=1e-5)
    diagonal = np.einsum("lhkk->lhk", expected)
    np.testing.assert_allclose(all_rankings["mass"].scores_LH, diagonal.mean(axis=-1), atol=1e-5)
    shares = diagonal / np.maximum(expected.sum(axis=-1), 0.05)
    np.testing.assert_allclose(all_rankings["selectivity"].scores_LH, shares.mean(axis=-1), atol=1e-4)


def test_tracking_equals_the_plain_recipe(loaded: LoadedModel, eager: Any):
    strip = strips(1)[0]
    prompt = prepare(loaded, strip.image, NARRATION_PROMPT)
    rows = plain_rows(eager, loaded, strip.image, NARRATION_PROMPT, narration_of(strip.captions))
    place, masses = prompt.n_prompt_tok, []
    for panel, caption in zip(strip.panels, strip.captions, strict=True):
        place += 3  # "Panel", the number and the colon
        for _ in loaded.tokenizer(f"{caption}.", add_special_tokens=False)["input_ids"]:
            masses.append(rows[:, :, place - 1][..., prompt.grid.tokens(panel)].sum(axis=-1))
            place += 1
    found = discover(loaded, [strip], ("tracking",))["tracking"]
    np.testing.assert_allclose(found.scores_LH, np.mean(masses, axis=0), atol=1e-5)


def test_rankings_measured_together_equal_those_measured_alone(
    loaded: LoadedModel, all_rankings: dict[str, HeadRanking]
):
    assert tuple(all_rankings) == RANKINGS
    for name in ("selectivity", "tracking", "causal", "localization"):
        alone = discover(loaded, strips(4), (name,))[name]
        np.testing.assert_array_equal(alone.scores_LH, all_rankings[name].scores_LH)


def test_every_ranking_says_what_it_was_measured_on(
    loaded: LoadedModel, all_rankings: dict[str, HeadRanking]
):
    for name, ranking in all_rankings.items():
        assert (ranking.name, ranking.n_strips, ranking.model) == (name, 4, loaded.path.name)
        assert ranking.shape_LH == loaded.hook.shape_LH
        assert len(ranking.order()) == 32
        assert (ranking.matrix_LHRR is None) == (name == "causal")


def test_halves_are_the_odd_and_the_even_strips(loaded: LoadedModel, all_rankings: dict[str, HeadRanking]):
    four = strips(4)
    for half, start in enumerate((0, 1)):
        alone = discover(loaded, four[start::2], ("selectivity",))["selectivity"]
        halves = all_rankings["selectivity"].halves
        assert halves is not None
        np.testing.assert_allclose(halves[half].scores_LH, alone.scores_LH, atol=1e-6)
    assert all_rankings["mass"].split_half_overlap(8) in range(9)


def test_one_strip_has_no_halves(loaded: LoadedModel):
    assert discover(loaded, strips(1))["mass"].halves is None


def test_the_same_strips_give_the_same_numbers(loaded: LoadedModel, all_rankings: dict[str, HeadRanking]):
    again = discover(loaded, strips(4), ("mass", "causal"))
    for name, ranking in again.items():
        np.testing.assert_array_equal(ranking.scores_LH, all_rankings[name].scores_LH)


def test_strips_with_different_numbers_of_panels(loaded: LoadedModel):
    mixed = (*strips(2), *strips(1, (2, 2)))
    found = discover(loaded, mixed, RANKINGS)
    assert found["mass"].matrix_LHRR is None
    parts = [discover(loaded, part)["mass"].scores_LH for part in (mixed[:2], mixed[2:])]
    np.testing.assert_allclose(found["mass"].scores_LH, (2 * parts[0] + parts[1]) / 3, atol=1e-6)


def test_questions_read_one_by_one_give_the_same(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    two = strips(2)
    together = discover(loaded, two)["mass"].scores_LH
    monkeypatch.setattr(PicturePrefix, "packing_is_exact", lambda *_: False)
    passes: list[int] = []
    handle = loaded.hook.sites[0].module.register_forward_hook(lambda *_: passes.append(1))
    alone = discover(loaded, two)["mass"].scores_LH
    handle.remove()
    assert len(passes) == 2 * (1 + 3)
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_a_strip_costs_one_prefill_and_one_pass_for_its_questions(loaded: LoadedModel):
    passes: list[int] = []
    handle = loaded.hook.sites[0].module.register_forward_hook(lambda *_: passes.append(1))
    discover(loaded, strips(2), KINDS["looks"])
    handle.remove()
    check = 1  # the last question by itself, on the first strip only
    assert len(passes) == 2 * 2 + check


def test_progress_partial_results_and_their_order(loaded: LoadedModel):
    told: list[tuple[int, int, float | None]] = []
    partial: list[HeadRanking] = []
    final = discover(
        loaded,
        strips(3),
        ("mass", "tracking"),
        progress=lambda done, total, left: told.append((done, total, left)),
        on_partial=partial.append,
    )
    assert [(done, total) for done, total, _ in told] == [(done, 6) for done in range(7)]
    assert told[0][2] is None
    assert all(left is not None and left >= 0 for _, _, left in told[1:])
    assert told[-1][2] == 0
    assert [(one.name, one.n_strips) for one in partial] == [
        (name, n) for n in (1, 2, 3) for name in ("mass", "tracking")
    ]
    np.testing.assert_array_equal(partial[-1].scores_LH, final["tracking"].scores_LH)


def test_cancelling_stops_between_measurements(loaded: LoadedModel):
    partial: list[HeadRanking] = []
    with pytest.raises(Cancelled):
        discover(loaded, strips(3), on_partial=partial.append, cancelled=lambda: len(partial) == 1)
    assert [one.n_strips for one in partial] == [1]
    assert loaded.hook.capture is None
    assert loaded.hook.steer is None


def without_captions(n: int) -> list[Strip]:
    """Strips of which nobody has said what they show."""
    return [Strip(strip.image, strip.panels) for strip in strips(n)]


def narrating(monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel, text: str) -> None:
    """Make the model say a text when it narrates."""
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(PicturePrefix, "greedy", lambda *_: ids)


def test_without_captions_the_models_own_narration_takes_their_place(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    strip = strips(1)[0]
    narrating(monkeypatch, loaded, narration_of(strip.captions))
    found = discover(loaded, without_captions(1), ("tracking", "causal"))
    expected = discover(loaded, [strip], ("tracking", "causal"))
    np.testing.assert_array_equal(found["tracking"].scores_LH, expected["tracking"].scores_LH)
    assert found["causal"].n_strips == 1  # its answers end in full stops, which captions do not


def test_of_a_narration_only_the_panels_it_names_are_used(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    narrating(monkeypatch, loaded, "Panel 2: red cat sleeps. Panel 9: blue dog eats.")
    found = discover(loaded, without_captions(2), ("tracking",))["tracking"]
    assert found.n_strips == 2
    assert found.matrix_LHRR is None  # nothing is known of panels 1 and 3


@pytest.mark.parametrize("name", ["tracking", "causal"])
def test_a_narration_that_names_no_panel_is_refused(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, name: str
):
    narrating(monkeypatch, loaded, "red cat sleeps.")
    with pytest.raises(UserError, match=f"“{name}” could not be measured.*Give the strips captions"):
        discover(loaded, without_captions(2), (name,))


def test_other_rankings_need_no_captions(loaded: LoadedModel):
    captioned = discover(loaded, strips(2))["mass"].scores_LH
    np.testing.assert_array_equal(discover(loaded, without_captions(2))["mass"].scores_LH, captioned)


def test_a_question_of_ones_own_is_asked(loaded: LoadedModel):
    default = discover(loaded, strips(1))["mass"].scores_LH
    own = discover(loaded, strips(1), question="What happens in panel {number}?")["mass"].scores_LH
    assert np.abs(own - default).max() > 1e-4
    with pytest.raises(UserError, match="cannot be put for each panel"):
        discover(loaded, strips(1), question="What is here?")


@dataclass(frozen=True)
class Loose:
    """A strip that nothing has checked yet."""

    image: Image.Image
    panels: tuple[Region, ...]
    captions: tuple[str, ...] = ()


PICTURE = Image.new("RGB", (192, 64), "white")
PANELS = panel_regions(Layout(1, 3), 192, 64)
SPECK = Region.box("Speck", (0, 0, 2, 2), size_px=(192, 64))


@pytest.mark.parametrize(
    ("wrong", "by", "complaint"),
    [
        ([], ("mass",), "no strip to measure on"),
        ([Loose(PICTURE, PANELS[:1])], ("mass",), "Strip 1 has 1 panel,"),
        ([Loose(PICTURE, ())], ("mass",), "Strip 1 has no panel,"),
        ([Loose(PICTURE, PANELS, ("red cat",))], ("mass",), "Strip 1 has 3 panels and 1 captions"),
        ([Loose(PICTURE, (*PANELS[:2], SPECK))], ("mass",), "In strip 1: The region “Speck”"),
        ([Loose(PICTURE, (*PANELS[:2], SPECK))], ("tracking",), "In strip 1: The region “Speck”"),
        ([Loose(PICTURE, PANELS)], ("gaze",), "no head ranking 'gaze'"),
        ([Loose(PICTURE, PANELS)], (), "No head ranking is chosen"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(
    loaded: LoadedModel, wrong: Sequence[Loose], by: tuple[str, ...], complaint: str
):
    with pytest.raises(UserError, match=complaint) as refusal:
        discover(loaded, wrong, by)
    assert refusal.value.next_step


def test_a_single_name_is_as_good_as_a_tuple(loaded: LoadedModel):
    assert tuple(discover(loaded, strips(1), "image_heads")) == ("image_heads",)


def test_attention_that_overflows_is_refused(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    measured = PicturePrefix.question_rows
    monkeypatch.setattr(PicturePrefix, "question_rows", lambda *args: measured(*args) * np.nan)
    with pytest.raises(UserError, match="not a number for some heads"):
        discover(loaded, strips(1))


def test_the_causal_ranking_needs_a_picture_that_can_be_read_ahead(loaded: LoadedModel):
    whole_only = replace(loaded, family=replace(loaded.family, shares_prefix=False))
    with pytest.raises(UserError, match="causal ranking needs a model"):
        discover(whole_only, strips(1), ("causal",))
    others = [name for name in RANKINGS if name != "causal"]
    found, expected = discover(whole_only, strips(1), others), discover(loaded, strips(1), others)
    for name in ("mass", "tracking", "image_heads"):
        np.testing.assert_allclose(found[name].scores_LH, expected[name].scores_LH, atol=1e-5)


def test_long_narrations_are_read_in_pieces(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    whole = discover(loaded, strips(1), RANKINGS)
    monkeypatch.setattr(shared_prefix, "ROW_BYTES", 20_000)
    pieces = discover(loaded, strips(1), RANKINGS)
    for name in ("mass", "tracking"):
        np.testing.assert_allclose(pieces[name].scores_LH, whole[name].scores_LH, atol=1e-6)


def test_layers_without_heads_have_no_score(tmp_path: Path):
    hybrid = load_model(write_checkpoint(tmp_path / "hybrid", "qwen3_5"), device="cpu")
    strip = Loose(Image.effect_noise((96, 48), 90).convert("RGB"), panel_regions(Layout(1, 2), 96, 48))
    found = discover(
        hybrid, [strip, strip], ("mass", "image_heads", "localization"), question="is it {number} ?"
    )
    layers = {site.index for site in hybrid.hook.sites}
    for ranking in found.values():
        assert {head.layer for head in ranking.order()} == layers


def test_every_kind_has_its_measurement():
    assert KINDS.keys() == discovery._MEASURE.keys()
