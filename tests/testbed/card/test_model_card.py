"""The whole program on the built-in architecture with random weights: every section, file and sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gazeviz.domain.evaluation import JudgedAnswer
from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.heads import HeadRanking
from gazeviz.engine.engine import Engine
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.testbed.card import model_card, plan, tasks
from gazeviz.testbed.card.plan import MAIN_LAYOUT, Plan
from gazeviz.testbed.card.remembering import RememberingEngine
from gazeviz.testbed.card.strips import misread
from gazeviz.testbed.card.tasks import SCENES, Pictures, Task, run_task
from gazeviz.testbed.world import attribute_questions
from tests.engine.fixtures.random_comic import random_comic_model

TINY = replace(
    Plan.quick(1),
    draw_strips=1,
    overall_draw_strips=1,
    moving_draw_strips=1,
    screening_strips=1,
    ranking_strips=2,
    scenes=2,
    screening_scenes=1,
    counts=(4, 12),
    moving_counts=(8,),
)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Few pictures, layouts and tokens: random weights never end an answer by themselves."""
    patch.setattr(Plan, "quick", classmethod(lambda cls, strips: TINY))
    patch.setattr(plan, "OTHER_LAYOUTS", ((1, 3), (2, 2), (3, 3)))
    for limit in ("ANSWER_TOK", "SENTENCE_TOK", "OBJECT_TOK", "LIST_TOK"):
        patch.setattr(tasks, limit, 5)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return random_comic_model(tmp_path_factory.mktemp("comic"), n_layers=6)


@pytest.fixture(scope="module")
def written(loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the program wrote into."""
    folder = tmp_path_factory.mktemp("card")
    arguments = ["--model", str(loaded.path), "--out", str(folder / "README.md"), "--strips", "1", "--quick"]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        code = model_card.main([*arguments, "--workers", "0", "--journal", str(folder / "journal.jsonl")])
    assert code == 0
    return folder


@pytest.mark.slow
def test_strength_zero_changed_nothing(written: Path) -> None:
    figures = json.loads((written / "model-card.json").read_text())
    for controls in figures["controls"].values():
        assert controls["strength_0"] == {"changed": 0, "compared": 6}


@pytest.mark.slow
def test_the_card_has_every_section_and_no_hole(written: Path) -> None:
    card = (written / "README.md").read_text()
    titles = ("Unsteered", "Steered", "Controls", "A target that moves", "A painted region", "The rankings")
    for title in (*titles, "elsewhere", "All settings", "Limits"):
        assert title in card
    assert "nan" not in card
    assert "None" not in card
    assert "A quick look, not a measurement" in card
    assert "{" not in card
    assert all(len(row.split("|")) > 3 for row in card.splitlines() if row.startswith("|"))


@pytest.mark.slow
def test_the_recommended_setting_names_heads_of_its_ranking(written: Path, loaded: LoadedModel) -> None:
    setting = json.loads((written / "recommended.json").read_text())
    ranking = HeadRanking.load(written / "rankings" / f"{setting['ranking']}.json", loaded.hook.shape_LH)
    assert setting["heads"] == [str(head) for head in ranking.top(setting["n"])]
    assert setting["n"] <= 48 // 6
    assert {setting[use]["scope"] for use in ("moving", "region")} == {"decode_only", "all_rows"}
    assert setting["model_fingerprint"] == loaded.fingerprint


@pytest.mark.slow
def test_a_second_run_takes_up_what_is_in_the_journal(written: Path, loaded: LoadedModel) -> None:
    first = (written / "journal.jsonl").read_text()
    arguments = ["--model", str(loaded.path), "--out", str(written / "again" / "README.md"), "--quick"]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        model_card.main([*arguments, "--workers", "0", "--journal", str(written / "journal.jsonl")])
    assert (written / "journal.jsonl").read_text() == first
    again, before = (
        json.loads((folder / "model-card.json").read_text()) for folder in (written / "again", written)
    )
    assert {k: v for k, v in again.items() if k not in ("minutes", "command")} == {
        k: v for k, v in before.items() if k not in ("minutes", "command")
    }


def test_wrong_answers_are_told_by_the_combination_that_they_are_about() -> None:
    pictures = Pictures(3, 2)
    captions = [caption for strip in pictures.draw() for caption in strip.captions]
    answers = [
        JudgedAnswer(item, target, 6, "", "", None, (item, target) != (1, 2), None, False)
        for item in range(2)
        for target in range(6)
    ]
    triple = " ".join(captions[8].split()[:3])
    asked = sum(caption.startswith(triple) for caption in captions)
    assert misread({pictures: answers}) == {"missed": 1, "triples": [[triple, 1, asked]]}


def test_final_strips_are_other_strips_than_those_that_settings_were_chosen_on() -> None:
    whole = Plan()
    seeds = [whole.seeds[name] for name in ("ranking", "screening", "final", "other")]
    assert len(set(seeds)) == 4
    assert whole.final.layout == MAIN_LAYOUT
    assert whole.final_scenes.layout == SCENES


def test_pictures_in_pieces_are_the_same_pictures() -> None:
    whole = Pictures(3, 5)
    parts = whole.parts(2)
    assert [part.n for part in parts] == [2, 2, 1]
    drawn = [strip for part in parts for strip in part.draw()]
    assert [strip.captions for strip in drawn] == [strip.captions for strip in whole.draw()]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(drawn, whole.draw(), strict=True))


def test_a_remembering_engine_answers_as_any_other(loaded: LoadedModel) -> None:
    heads = Engine(loaded).all_heads()
    wish = Treatment("", heads, strength=2.0).to_json()
    tasks = [
        Task("answers", Pictures(1, 2, layout=(1, 3), panel_px=96), wish),
        Task("listed", Pictures(1, 3, layout=SCENES)),
    ]
    plain = [run_task(Engine(loaded), task)["rows"] for task in tasks]
    remembering = RememberingEngine(loaded)
    try:
        for _ in range(2):
            rows = [run_task(remembering, task)["rows"] for task in tasks]
            assert [[row["text"] for row in part] for part in rows] == [
                [row["text"] for row in part] for part in plain
            ]
    finally:
        del loaded.model.model.get_image_features  # the class's own again


def test_an_attribute_is_right_in_exactly_its_words_and_a_caption_in_any_order() -> None:
    assert tasks._says("Red.", {"kind": "colour", "answer": "red."})
    assert not tasks._says("red cat.", {"kind": "colour", "answer": "red."})
    assert tasks._says("cat, red, jumps in town.", {"kind": "caption", "answer": "in town, red cat jumps."})
    assert not tasks._says("red cat jumps in space.", {"kind": "caption", "answer": "red cat jumps in town."})
    assert not tasks._says("panel 2.", {"kind": "panel", "answer": "panel 3."})


def test_every_kind_of_attribute_question_is_asked_and_judged(loaded: LoadedModel) -> None:
    engine = Engine(loaded)
    for layout, kinds in (((1, 6), attribute_questions.KINDS), (SCENES, attribute_questions.SCENE_KINDS)):
        rows = run_task(engine, Task("asked", Pictures(5, 3, layout=layout)))["rows"]
        assert {row["kind"] for row in rows} == set(kinds) and {row["item"] for row in rows} == {0, 1, 2}
        assert all(row["right"] == tasks._says(row["text"], row) for row in rows)
