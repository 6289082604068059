"""What the transcript says about runs: headers, tooltips, verdicts and the ledger in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gazeviz.app.history.judgement import judgement, logged_verdict
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture, RunRecord, SteeringSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, PictureSource, RunVerdict, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.ui.answers.run_status import junk_warning, weaker
from gazeviz.ui.answers.run_text import (
    RunCues,
    arrived,
    header_tip,
    rerouting_text,
    steering_parts,
    targets_of,
    token_tip,
    tokens_table,
)

SIZE_PX = (60, 20)
PANELS = panel_regions(Layout(1, 3), *SIZE_PX)
CAPTIONS = ("red cat sleeps at home", "blue fish swims in the sea", "green bird sings in town")
STEERING = Steering(HeadSet.of("L0H1,L2H3"), PANELS[1])


def step(index: int, text: str, looks_at: int | None = 0, target: str | None = None) -> StepArrived:
    masses_R = np.zeros(len(PANELS), dtype=np.float32)
    if looks_at is not None:
        masses_R[looks_at] = 0.5
    return StepArrived(0, index, 40 + index, text, -0.5, 11.2, target, masses_R, masses_R, None,
                       np.full(10, 0.06, dtype=np.float32), looks_at)  # fmt: skip


def record(*texts: str, steering: Steering | None = None, targets: tuple[str | None, ...] = ()) -> RunRecord:
    spec = GenerateSpec("ab", "What is <it>?", steering=steering, regions=PANELS)
    made = RunRecord(3, spec.side, spec, "done")
    names = targets or (steering.target.name if steering else None,) * len(texts)
    made.steps = [step(n, text, target=name) for n, (text, name) in enumerate(zip(texts, names, strict=True))]
    return made


def picture(captions: tuple[str, ...] = CAPTIONS, sha256: str = "ab") -> Picture:
    pixels_HW3 = np.zeros((*SIZE_PX[::-1], 3), dtype=np.uint8)
    return Picture("strip", pixels_HW3, sha256, PictureSource(sha256, "s", data=b""), Layout(1, 3), captions)


def said(made: RunRecord) -> str:
    return "".join(part.text for part in steering_parts(made, RunCues(SessionModel(), made)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "2 heads → Panel 2 · boost/suppress · 8 · all rows"),
        ({"strength": "hard_uniform", "scope": "decode_only"},
         "2 heads → Panel 2 · boost/suppress · hard uniform · answer's rows"),
        ({"mode": "mass", "alpha": 0.9}, "2 heads → Panel 2 · fixed share .9 · all rows"),
        ({"mode": "knock_out"}, "2 heads · knock out · output zero · all rows"),
        ({"heads": HeadSet.of("L0H1")}, "1 head → Panel 2 · boost/suppress · 8 · all rows"),
    ],
)  # fmt: skip
def test_a_header_says_how_its_own_run_was_steered(change: dict[str, Any], words: str) -> None:
    assert said(record("a", steering=replace(STEERING, **change))) == words


def test_a_baseline_is_not_steered() -> None:
    assert said(record("a")) == "no steering"
    assert targets_of(record("a")) == ()


def test_the_targets_are_those_that_held_and_those_still_to_come() -> None:
    schedule = Schedule(((1, PANELS[2]), (2, None), (9, PANELS[0])))
    running = record("a", "b", steering=replace(STEERING, schedule=schedule), targets=("Panel 2", "Panel 3"))
    running.state = "running"
    assert targets_of(running) == ("Panel 2", "Panel 3", None, "Panel 1")
    running.state = "done"
    assert targets_of(running) == ("Panel 2", "Panel 3")
    assert targets_of(record(steering=STEERING)) == ("Panel 2",)


def test_more_targets_than_there_is_room_for_are_counted() -> None:
    names = ("Panel 1", "Panel 2", "Panel 3", "Panel 1", "Panel 2")
    assert "Panel 1 → Panel 2 → Panel 3 → 2 more" in said(record(*"abcde", steering=STEERING, targets=names))


def test_a_header_tells_all_settings_to_whoever_asks() -> None:
    tip = header_tip(record("a", steering=STEERING))
    for part in ("What is <it>?", "greedy", "L0H1,L2H3", "targets: Panel 2"):
        assert part in tip


def test_a_token_tells_what_it_is_and_where_it_looks() -> None:
    made = record(" <b>", "", "\n", steering=STEERING)
    cues = RunCues(SessionModel(), made)
    tip = token_tip(made, 0, cues)
    for part in ("Token 0", "“ &lt;b&gt;”", "id 40", "log p -0.50 (61 %)", "11 ms", "steered to Panel 2",
                 "<b>Panel 1</b>", ".5", "not on the picture", ".4"):  # fmt: skip
        assert part in tip, part
    assert "adds no text" in token_tip(made, 1, cues)
    assert "“\\n”" in token_tip(made, 2, cues)


def test_regions_look_as_in_the_list_and_otherwise_as_in_the_run() -> None:
    made = record("a")
    cues = RunCues(SessionModel(), made)
    assert [cue.number for cue in cues.regions] == ["1", "2", "3"]
    assert cues.regions[1].colour == PANELS[1].colour
    spotlight = cues.named("Spotlight")
    assert spotlight is not None and spotlight.number == ""
    assert cues.of_step(step(0, "a", looks_at=None), "looks_at") is None
    assert cues.of_step(step(0, "a", target="Panel 3"), "target") == cues.regions[2]


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (record("a blue fish swims", steering=STEERING), ("about", "Panel 2 ✓")),
        (record("a red cat sleeps", steering=STEERING), ("about", "Panel 1")),
        (record("a blue fish swims"), ("about", "Panel 2")),
        (record("nothing of it"), ("about", "none")),
        (record("red cat sleeps home", " and blue fish swims sea"), ("about", "Panel 1, Panel 2")),
        (record("blue fish", "in a loop", steering=STEERING, targets=("Panel 2", "Panel 3")),
         ("follows", "1 of 2")),
    ],
)  # fmt: skip
def test_captions_tell_what_a_text_is_about(made: RunRecord, verdict: tuple[str, str]) -> None:
    assert judgement(made, picture()) == verdict


def test_without_captions_a_text_is_about_what_it_calls_by_name() -> None:
    for other in (None, picture(captions=()), picture(sha256="cd")):
        assert judgement(record("a blue fish"), other) is None
        assert judgement(record("the second", " panel and Panel 1"), other) == ("names", "Panel 2, Panel 1")


def test_a_region_in_a_panels_place_keeps_its_own_name() -> None:
    made = record("a blue fish swims")
    renamed = (PANELS[0], Region("sea", PANELS[1].mask_HW), PANELS[2])
    made.spec = replace(made.spec, regions=renamed)
    assert judgement(made, picture()) == ("about", "sea")


def test_a_painted_target_is_the_panel_that_holds_most_of_it() -> None:
    mask_HW = np.zeros_like(PANELS[1].mask_HW)
    x0, y0, x1, y1 = PANELS[1].box_px
    mask_HW[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = True
    made = record("a blue fish swims", steering=STEERING, targets=("mine",))
    made.spec = replace(made.spec, regions=(*PANELS, Region("mine", mask_HW)))
    assert judgement(made, picture()) == ("about", "Panel 2 ✓")


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (record("a blue fish swims", steering=STEERING), ("Panel 2", True)),
        (record("a red cat sleeps", steering=STEERING), ("Panel 1", False)),
        (record("a blue fish swims"), ("Panel 2", None)),
        (record("blue fish", "in a loop", steering=STEERING, targets=("Panel 2", "Panel 3")),
         ("follows 1 of 2", False)),
    ],
)  # fmt: skip
def test_the_log_is_told_what_a_text_is_about(made: RunRecord, verdict: tuple[str, bool | None]) -> None:
    assert logged_verdict(made, picture()) == RunVerdict(*verdict, "captions")
    assert logged_verdict(made, picture(captions=())) is None


def test_the_ledger_says_where_the_mass_came_from() -> None:
    ledger = Account.of([0.2, 0.2, 0.41, 0.19, 0], [0.1, 0.04, 0.05, 0.81, 0])
    audit = Audit.of(8, 100, 16, ledger)
    assert rerouting_text(ledger) == (
        "The target gained .62: .36 from other image tokens, .16 from prompt text, .1 from first token."
    )
    assert arrived(audit)


def test_a_bias_that_did_not_arrive_is_told() -> None:
    ledger = Account.of([0.2, 0.2, 0.4, 0.2, 0], [0.2, 0.2, 0.41, 0.19, 0])
    assert not arrived(Audit.of(8, 100, 16, ledger))
    assert "did not reach it" in rerouting_text(ledger)


def test_tokens_are_copied_as_a_table() -> None:
    made = record("a\tb", " c", steering=STEERING)
    rows = tokens_table(made, RunCues(SessionModel(), made)).splitlines()
    assert len(rows) == 3
    assert {row.count("\t") for row in rows} == {8}


def test_a_token_without_text_is_told_by_its_name_where_it_has_one() -> None:
    made = record("", "", " a")
    made.special_tokens = {40: "<s>"}
    cues = RunCues(SessionModel(), made)
    assert "<code>&lt;s&gt;</code><br>adds no text: a special token<br>id 40" in token_tip(made, 0, cues)
    assert "<code>‹41›</code><br>adds no text: a special token, or a part" in token_tip(made, 1, cues)
    cells = [row.split("\t")[1:3] for row in tokens_table(made, cues).splitlines()[1:]]
    assert cells == [["40", "<s>"], ["41", "‹41›"], ["42", "“ a”"]]


@pytest.mark.parametrize(
    ("steering", "settings"),
    [
        (STEERING, SteeringSettings(strength=4.0)),
        (replace(STEERING, strength="hard"), SteeringSettings(strength=8.0)),
        (replace(STEERING, mode="mass", alpha=0.9), SteeringSettings(mode="mass", alpha=0.45)),
        (None, SteeringSettings()),
    ],
)
def test_junk_is_answered_with_half_the_strength(
    steering: Steering | None, settings: SteeringSettings
) -> None:
    assert weaker(record("a", steering=steering), SteeringSettings()) == settings


def test_junk_is_blamed_on_steering_where_there_is_any() -> None:
    assert junk_warning(record("a", steering=STEERING), "looping").command == "run.weaker"
    assert junk_warning(record("a"), "empty").command == ""


def test_a_run_of_the_log_is_told_by_its_number() -> None:
    made = replace(record("a"), logged=True)
    assert said(made) == "log, run 3 · no steering"
    steered = replace(record("a", steering=STEERING), logged=True)
    assert said(steered).startswith("log, run 3 · 2 heads → Panel 2")
