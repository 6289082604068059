"""Questions: what the program asks is what the model is trained on, and every question has its answer."""

from __future__ import annotations

import numpy as np
import pytest

from gazeviz.domain import prompts
from gazeviz.domain.prompts import panel_questions
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.testbed.training.data import GRIDS, ROWS
from gazeviz.testbed.training.layout_check import UNSEEN, same
from gazeviz.testbed.training.model import build_tokenizer
from gazeviz.testbed.world import attribute_questions, grammar, wordings


@pytest.mark.parametrize("layout", [*ROWS[1:], *GRIDS])
def test_the_programs_direct_questions_are_trained_on(layout):
    asked = panel_questions(panel_regions(Layout(*layout), 640, 480))
    one_row, n = layout[0] == 1, layout[0] * layout[1]
    wording = wordings.direct_wordings(one_row)[0]
    assert asked == tuple(wordings.fill(wording, k, n) for k in range(n))
    rng = np.random.default_rng(0)
    drawn = [wordings.draw_direct(rng, one_row) for _ in range(300)]
    assert drawn.count(wording) > 60
    assert drawn.count(wording.replace("{ordinal}", "{nth}")) > 10
    assert one_row or not any("left" in text for text in drawn)


def test_the_programs_presets_are_trained_on():
    assert wordings.AMBIGUOUS[:2] == (prompts.OPEN_QUESTION, prompts.MAIN_EVENT_QUESTION)
    rng = np.random.default_rng(1)
    drawn = {wordings.draw_open(rng) for _ in range(100)}
    assert {prompts.OPEN_QUESTION, prompts.MAIN_EVENT_QUESTION} <= drawn
    assert {prompts.NARRATION_PROMPT, *wordings.NARRATION[:3]} <= {
        wordings.draw_narration(rng, backwards=False) for _ in range(200)
    }
    assert wordings.SCENE_PART[0] == prompts.REGION_QUESTION
    assert wordings.SCENE_LIST[0] == prompts.LIST_QUESTION
    for preset in prompts.PRESETS.values():
        assert preset.wording is None or preset.wording in wordings.every_wording()


def test_every_purpose_has_three_paraphrases_or_more():
    for listed in (
        wordings.DIRECT, wordings.AMBIGUOUS, wordings.NARRATION, wordings.NARRATION_REVERSED,
        wordings.SCENE_LIST, wordings.SCENE_PART, wordings.SCENE_DIRECT, *wordings.ATTRIBUTE.values(),
        wordings.COUNT, wordings.SCENE_COUNT, wordings.YES_NO,
    ):  # fmt: skip
        assert len(set(listed)) >= 3


def test_the_paraphrases_kept_for_checking_are_never_trained_on():
    rng = np.random.default_rng(2)
    drawn = {wordings.draw_direct(rng, one_row=True) for _ in range(3000)}
    assert not drawn & set(UNSEEN)
    assert len(drawn) > 500


def test_every_word_of_every_question_is_known():
    unknown = build_tokenizer().convert_tokens_to_ids("<unk>")
    words = {"place": "here", "colour": "red", "character": "cat", "action": "sleeps", "setting": "in town"}
    words |= {"ordinal": "ninth", "nth": "9th", "number": "9", "count": "nine"}
    for wording in wordings.every_wording():
        assert unknown not in build_tokenizer()(wording.format(**words))["input_ids"], wording
    assert not {"ordinal", "nth"} & set(grammar.vocabulary())


def test_unknown_words_are_unknown_and_only_added():
    rng, vocabulary = np.random.default_rng(3), set(grammar.vocabulary())
    assert not vocabulary & set(wordings.UNKNOWN_WORDS)
    question = "What is happening in the third panel?"
    asked = [wordings.with_unknown_word(rng, question) for _ in range(1000)]
    strange = [text for text in asked if text != question]
    assert 30 < len(strange) < 100
    for text in strange:
        assert [word for word in text.split() if word not in wordings.UNKNOWN_WORDS] == question.split()


# What an answer must be, said from the picture's truth by other means than the questions are made.


@pytest.mark.parametrize("kind", [*wordings.ATTRIBUTE, "yes_no", "count"])
def test_an_attribute_question_has_the_one_right_answer(kind):
    rng = np.random.default_rng(4)
    options = {"yes_no": wordings.YES_NO, "count": wordings.COUNT}.get(kind) or wordings.ATTRIBUTE[kind]
    for _ in range(200):
        facts = grammar.draw_facts(rng, int(rng.integers(1, 10)), "all", distinct=0.5)
        wording = wordings.pick(rng, options)
        block = attribute_questions.ask(rng, kind, wording, facts)
        if block is None:
            continue
        meant = [fact for fact in facts if grammar.parse(block.question) <= set(fact.attributes())]
        if kind == "count":
            assert block.answer == f"{wordings.COUNTS[len(facts) - 1]}."
        elif kind == "yes_no":
            assert block.answer == ("yes." if meant else "no.")
        else:
            assert len(meant) == 1
            _check_answer(kind, block.answer, facts, meant[0])


def _check_answer(kind: str, answer: str, facts: tuple[grammar.Fact, ...], meant: grammar.Fact) -> None:
    if kind == "panel":
        assert answer == f"panel {facts.index(meant) + 1}."
        return
    right = {"caption": set(meant.attributes()), "character": {meant.colour, meant.character}}
    said = grammar.parse(answer)
    assert said == right.get(kind, {getattr(meant, kind, "")})


def test_scenes_are_asked_for_what_they_show():
    rng = np.random.default_rng(5)
    kinds = set()
    for _ in range(300):
        objects, _setting = grammar.draw_objects(rng)
        kind, wording = attribute_questions.draw_kind(rng, scene=True)
        block = attribute_questions.ask(rng, kind, wording, objects)
        if block is None:
            continue
        kinds.add(kind)
        named = [one for one in objects if grammar.parse(block.question) <= {one.colour, one.character}]
        right = {"count": wordings.COUNTS[len(objects) - 1], "yes_no": "yes" if named else "no"}
        assert block.answer == right.get(kind, named[0].colour if named else "") + "."
    assert kinds == {"colour", "yes_no", "count"}


def test_the_eye_catching_panel_is_the_warmest_and_of_two_the_first():
    facts = [grammar.Fact(colour, 0, 0, 0) for colour in (4, 1, 7, 1)]
    assert grammar.most_eye_catching(facts) == 1
    rng = np.random.default_rng(6)
    chosen = [grammar.most_eye_catching(grammar.draw_facts(rng, 6)) for _ in range(600)]
    assert min(chosen.count(panel) for panel in range(6)) > 60


def test_an_answer_is_the_same_in_any_word_order_but_a_number_is_a_number():
    assert same("caption", "in town, red cat jumps", "cat, red, jumps in town.")
    assert not same("caption", "in town, red dog jumps", "cat, red, jumps in town.")
    assert not same("panel", "panel 3.", "panel 4.")
    assert same("panel", "panel 3.", "Panel 3.")
