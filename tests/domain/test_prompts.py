"""The prompts that steering is tried with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gazeviz.domain.prompts import NARRATION, PRESETS, asked_about, nth, panel_questions
from gazeviz.domain.region import Region
from gazeviz.domain.steering import SCOPES
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.errors import UserError

# How the panels of a strip are asked about.


ROW = panel_regions(Layout(1, 6), 96, 16)


def test_panels_in_a_row_are_counted_from_the_left():
    questions = panel_questions(ROW)
    assert len(set(questions)) == 6
    assert questions[5] == (
        "Look carefully at this six-panel comic strip. What is happening in the sixth panel from the left?"
        " Answer briefly."
    )


@pytest.mark.parametrize("panels", [panel_regions(Layout(2, 3), 96, 32), ROW[::-1]])
def test_other_panels_are_counted_without_a_side(panels: tuple[Region, ...]):
    assert "from the left" not in panel_questions(panels)[0]


def test_beyond_twelve_panels_are_counted_in_figures():
    questions = panel_questions(panel_regions(Layout(1, 24), 240, 10))
    assert "24-panel" in questions[0]
    for place, ordinal in (
        (11, "twelfth"),
        (12, "13th"),
        (20, "21st"),
        (21, "22nd"),
        (22, "23rd"),
        (23, "24th"),
    ):
        assert f"the {ordinal} panel" in questions[place]


def test_a_question_of_ones_own_names_the_panel_by_word_or_number():
    assert panel_questions(ROW[:2], "Panel {number} of {count}?") == ("Panel 1 of two?", "Panel 2 of two?")
    assert panel_questions(ROW[:2], "The {ordinal}?") == ("The first?", "The second?")


@pytest.mark.parametrize(
    "question", ["What is here?", "Panel {k}?", "Panel {0}?", "Panel {number", "{count}?"]
)
def test_a_question_that_cannot_tell_the_panels_apart_is_refused(question: str):
    with pytest.raises(UserError, match="cannot be put for each panel"):
        panel_questions(ROW, question)


def test_panels_are_named_in_figures_too():
    questions = panel_questions(ROW, ordinals="nth")
    assert "the 4th panel from the left" in questions[3] and "six-panel" in questions[0]
    assert [nth(number) for number in (1, 2, 3, 11, 22)] == ["1st", "2nd", "3rd", "11th", "22nd"]


def test_a_wording_is_put_about_a_panel_where_it_names_one():
    assert asked_about("words", ROW, 3) == panel_questions(ROW)[3]
    assert asked_about("nth", ROW, 3) == panel_questions(ROW, ordinals="nth")[3]
    assert asked_about("The {nth} panel?", ROW, 1) == "The 2nd panel?"
    assert asked_about("What is {here}?", ROW, 1) == "What is {here}?"


def test_every_preset_can_be_found_and_told_apart():
    assert [preset.key for preset in PRESETS.values()] == list(PRESETS)
    presets = PRESETS.values()
    for texts in ([preset.name for preset in presets], [preset.wording or preset.key for preset in presets]):
        assert len(set(texts)) == len(PRESETS)
    assert all(preset.scope in SCOPES and preset.new_tok > 1 for preset in PRESETS.values())


def test_a_narration_is_as_long_as_its_panels_ask_for():
    assert NARRATION.length_tok(6) == 6 * NARRATION.new_tok
    assert NARRATION.length_tok(0) == NARRATION.new_tok
    assert PRESETS["main_event"].length_tok(6) == 15


def test_the_command_line_can_read_them_without_numpy():
    code = "import gazeviz.domain.prompts, sys; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
