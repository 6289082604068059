"""What a report says: cases, names, words about steering, and runs that did not end well."""

import pytest

from gazeviz.domain.evaluation import Evaluation, JudgedAnswer
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.render.report import report as words
from gazeviz.render.report.report import Sources, make_report
from tests.render.made_runs import (
    CHOSEN,
    GRID,
    PANELS,
    SOURCES,
    made_report,
    made_run,
    made_steps,
)

MOVING = Steering(CHOSEN, PANELS[0], schedule=Schedule.every(2, PANELS))


def test_runs_of_one_picture_and_prompt_are_a_case_the_first_asked_first() -> None:
    report = made_report(
        made_run(4, prompt="b"), made_run(2), made_run(3, MOVING), made_run(1, picture="cd"), made_run(2)
    )
    assert [[entry.run.id for entry in case.entries] for case in report.cases] == [[1], [2, 3], [4]]
    assert [case.number for case in report.cases] == [1, 2, 3]
    assert [entry.run.id for entry in report.entries] == [1, 2, 3, 4]


def test_a_run_is_called_what_it_is() -> None:
    named = made_report(made_run(1), made_run(2, Steering(CHOSEN, PANELS[1])), made_run(3, MOVING)).entries
    assert [entry.name for entry in named] == [
        "Run 1, baseline", "Run 2, steered to Panel 2", "Run 3, steered along a schedule",
    ]  # fmt: skip


def test_what_happened_counts_more_than_what_was_asked() -> None:
    run = made_run(1, Steering(CHOSEN, PANELS[1]))
    assert run.summary is not None
    asked = made_run(1, MOVING)
    run.summary = asked.summary
    assert made_report(run).entries[0].steering == MOVING


def test_settings_tell_everything_that_was_chosen() -> None:
    entry = made_report(
        made_run(1, Steering(CHOSEN, PANELS[1], strength="hard_uniform", rule="share"))
    ).entries[0]
    said = dict(entry.settings)
    assert said["heads steered"] == "2 (top 2 of mass): L0H3, L1H2"
    assert said["strength"] == "hard uniform"
    assert said["cells selected by"] == "by .5 of a cell's area"
    assert said["random control"].startswith("2 (random 2, seed 0)")
    assert said["ended"] == "done · 4 tokens · 500 ms · stopped by itself · no junk"
    assert dict(entry.audit)["mass on the target after"] == ".7"
    assert entry.ledger[3] == ("target", ".2", ".7", "+.5")


def test_a_schedule_is_told_turn_by_turn() -> None:
    entry = made_report(made_run(1, MOVING)).entries[0]
    assert (
        dict(entry.settings)["schedule"]
        == "from token 0: Panel 1, from token 2: Panel 2, from token 4: Panel 3"
    )
    assert entry.turns == ((0, "Panel 1"), (2, "Panel 2"))


def test_a_lost_run_says_what_happened_and_what_came() -> None:
    entry = made_report(made_run(1, ended=False)).entries[0]
    assert entry.text == "a cat eats."
    assert dict(entry.settings)["ended"] == "lost · 4 tokens · The worker was ended by SIGKILL."
    assert entry.audit == entry.ledger == ()


def test_the_grid_is_the_logs_or_what_the_run_proves() -> None:
    run = made_run(1)
    proven = make_report([run], SOURCES, "t", 0.0).entries[0].grid
    assert proven is not None
    assert proven.shape_RC == GRID.shape_RC
    known = make_report([run], Sources(grid=lambda _: GRID), "t", 0.0).entries[0].grid
    assert known is GRID


def test_a_token_that_looks_at_nothing_is_not_tinted() -> None:
    steps = made_steps(("a", "b"), (0, 1))
    chips = words.chips(steps, PANELS)
    assert [chip.number for chip in chips] == [1, 2]
    faint = (
        made_run(1)
        .steps[0]
        .__class__(
            1, 0, 1, "a", 0.0, 1.0, None, steps[0].masses_R * 0.01, steps[0].masses_R, None, steps[0].map_P, 0
        )
    )
    assert words.chips([faint], PANELS)[0].colour is None
    assert words.streaks(chips) == (("a", 1), ("b", 2))


def test_panels_that_the_text_names_are_marked_at_their_token() -> None:
    steps = made_steps(("pan", "el", " 3", ": a panel", " 12"), (0, 0, 0, 0, 0))
    assert words.panel_marks(steps) == ((0, "Panel 3"), (3, "Panel 12"))


@pytest.mark.parametrize("colour", [None, "red", "#12345", "#1234567", "#00ff00;}", ""])
def test_a_colour_that_is_none_becomes_that_of_its_place(colour: str | None) -> None:
    assert words.safe_colour(colour, 1) == "#E69F00"
    assert words.safe_colour("#00Ff00", 1) == "#00Ff00"


def test_many_heads_are_named_in_part() -> None:
    from gazeviz.domain.heads import HeadSet

    said = words.heads_words(HeadSet.all((8, 8)))
    assert said.startswith("64 (all heads): L0H0, ")
    assert said.endswith(" and 40 more")
    assert words.heads_words(HeadSet(())) == "all heads"


def test_an_evaluation_is_told_with_its_interval_and_chance() -> None:
    answers = tuple(
        JudgedAnswer(item, 0, 6, "t", "b", 0 if item else 1, None, None, unchanged=False) for item in range(4)
    )
    rows = dict(words.evaluation_rows(Evaluation("static", {"name": "top 2"}, "exact", answers)))
    assert rows["hit"].startswith(".75 (95 % interval ")
    assert (rows["heads"], rows["chance"]) == ("top 2", ".17")
