"""Presets become the session's prompt, length and rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gazeviz.app.runs import presets
from gazeviz.domain.messages import Recommended
from gazeviz.domain.prompts import AMBIGUOUS, DIRECT, NARRATION, PRESETS
from gazeviz.errors import UserError
from tests.app.fixtures.staging import N_PANELS, model_with_picture


def test_a_question_brings_its_length_and_rows(stage):
    presets.ask(stage.model, NARRATION)
    assert stage.model.prompt == NARRATION.wording and stage.model.steering.scope == "decode_only"
    assert stage.model.generation.max_new_tokens == N_PANELS * NARRATION.new_tok
    presets.ask(stage.model, AMBIGUOUS)
    assert stage.model.generation.max_new_tokens == 100 and stage.model.steering.scope == "all_rows"


def test_the_direct_question_names_a_panel(stage):
    presets.ask(stage.model, DIRECT, panel=3)
    assert "fourth panel from the left" in stage.model.prompt
    assert presets.preset_asked(stage.model) is DIRECT
    with pytest.raises(UserError, match="names a panel"):
        presets.ask(stage.model, DIRECT, panel=N_PANELS)


def test_a_picture_without_panels_has_no_direct_question():
    model = model_with_picture((64, 64), (4, 4))
    assert presets.questions_of(model) == ()
    with pytest.raises(UserError, match="the picture has none"):
        presets.ask(model, DIRECT)
    presets.ask(model, NARRATION)
    assert model.generation.max_new_tokens == NARRATION.new_tok


def test_the_models_own_rows_are_taken_for_questions(stage):
    stage.model.model_info = replace(stage.model.model_info, recommended=Recommended(9, scope="after_image"))
    for preset in PRESETS.values():
        presets.ask(stage.model, preset)
        moving = preset is NARRATION
        assert stage.model.steering.scope == ("decode_only" if moving else "after_image")
        assert presets.preset_asked(stage.model) is preset


def test_ones_own_words_are_no_preset(stage):
    stage.model.prompt = "What colour is the cat?"
    assert presets.preset_asked(stage.model) is None
