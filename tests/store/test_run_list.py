"""The list of runs: what filters find, in which order, page by page; marks and deleting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, RunResult
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.errors import UserError
from gazeviz.store import Match, RunFilter, SessionStore
from gazeviz.store.run_query import SORT_KEYS
from gazeviz.store.upkeep import check, vacuum
from tests.store.conftest import OpenStore
from tests.store.samples import Samples, tiny_info

PANEL_4 = Region("Panel 4", np.eye(8, dtype=bool), "#D55E00")
CAT = Region("The cat", ~np.eye(8, dtype=bool), "#0072B2")
HEADS = HeadSet.of("L0H0")


def summary(text: str, junk: Junk | None = None, seconds: float = 1.0) -> RunResult:
    base = Samples(2).summary()
    request = replace(base.request, steering=None)
    return replace(base, text=text, junk=junk, seconds=seconds, n_tok=len(text.split()), request=request)


def add(
    store: SessionStore,
    prompt: str,
    text: str,
    steering: Steering | None = None,
    *,
    junk: Junk | None = None,
    state: str = "done",
    model: str = "toy",
) -> int:
    spec = GenerateSpec("ab", prompt, steering)
    run_id = store.run_created("steered" if steering else "baseline", spec, tiny_info(model, model))
    store.run_ended(run_id, state, summary(text, junk) if state == "done" else None, "").result()
    return run_id


@pytest.fixture
def filled(store: SessionStore) -> SessionStore:
    """Five runs and a glance in two sessions."""
    store.open_session("morning")
    add(store, "What is happening?", "a purple dog jumps")  # 1
    add(store, "What is happening?", "black cat eats in the city", Steering(HEADS, PANEL_4))  # 2
    add(store, "Wer ist das?", "Ein Känguru, 漢字", Steering(HEADS, CAT, strength=2.5), model="other")  # 3
    store.open_session("evening")
    add(store, "100 % sure?", "at at at at", Steering(HEADS, PANEL_4, strength="hard"), junk="looping")  # 4
    add(store, "<b>bold</b> =1+1", "concatenate", state="lost")  # 5
    store.run_created("glance", GenerateSpec("ab", "What?", max_new_tokens=1), tiny_info())  # 6
    return store


def found(store: SessionStore, typed: str) -> list[int]:
    wanted = RunFilter.parse(typed)
    ids = [line.id for line in store.list.page(wanted)]
    assert ids == store.list.ids(wanted).tolist() and store.list.count(wanted) == len(ids)
    return ids


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("cat", [2]),
        ("urpl ump", [1]),  # parts of words
        ("字", [3]),
        ("kanguru 漢字", [3]),  # accents and a text without spaces
        ("kanguru äng", [3]),  # accents and a part of a word
        ("text:kanguru text:äng", [3]),
        ("kanguru dog", []),
        ("purple jump", [1]),
        ("purple cat", []),
        ("kanguru", [3]),
        ("漢字", [3]),
        ("text:dog", [1]),
        ("prompt:dog", []),
        ('prompt: "what is"', [2, 1]),
        ("prompt: “what is”", [2, 1]),
        ('target:"Panel 4"', [4, 2]),
        ("target:cat", [3]),
        ("strength:>4", [4, 2]),
        ("strength:>=2.5", [4, 3, 2]),
        ("strength:<8", [3]),
        ("strength:8", [2]),
        ("strength:hard", [4]),
        ("model:oth", [3]),
        ("session:morning", [3, 2, 1]),
        ("session:morning is:baseline", [1]),
        ("is:steered", [4, 3, 2]),
        ("is:junk", [4]),
        ("is:lost", [5]),
        ("id:3", [3]),
        ("tokens:>4", [2]),
        ("%", []),  # punctuation alone says nothing
        ("?!", []),
        ("prompt:%", [4]),
        ("=1+1", [5]),
        ('text:"', [5, 4, 3, 2, 1]),  # nothing typed yet
        ("'; DROP TABLE runs; --", []),
        ("note:x OR 1=1", []),
        ("http://example.org", []),
        ('"', [5, 4, 3, 2, 1]),
    ],
)
def test_what_is_typed_finds_what_is_meant(filled: SessionStore, typed: str, expected: list[int]) -> None:
    assert found(filled, typed) == expected


def test_a_filter_that_makes_no_sense_is_refused(filled: SessionStore) -> None:
    for attempt in (
        lambda: RunFilter.parse("is:blue"),
        lambda: RunFilter.parse("strength:>much"),
        lambda: Match("colour", "red"),
        lambda: filled.list.page(sort="colour"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError) as caught:
            attempt()
        assert caught.value.next_step.startswith("Use ")


def test_a_line_says_what_a_list_shows(filled: SessionStore) -> None:
    line = filled.list.page(RunFilter.parse("cat"))[0]
    assert (line.model, line.session, line.prompt) == ("toy", "morning", "What is happening?")
    assert (line.target, line.target_colour, line.heads, line.n_heads) == ("Panel 4", "#D55E00", "L0H0", 1)
    assert (line.mode, line.strength, line.n_tok, line.starred, line.tags) == (
        "boost_suppress",
        "8",
        6,
        False,
        (),
    )
    baseline = filled.list.page(RunFilter.parse("purple"))[0]
    assert (baseline.heads, baseline.target, baseline.strength, baseline.mode) == ("", "", "", "")


def test_a_schedule_is_told_in_the_order_of_its_turns(store: SessionStore) -> None:
    for first in (0, 3):
        schedule = Schedule(((first, CAT), (5, None), (9, PANEL_4)))
        add(store, "a", "b", Steering(HEADS, PANEL_4, schedule=schedule))
    late, early = store.list.page()
    assert early.target == "The cat → none → Panel 4" and early.target_colour == "#0072B2"
    assert late.target == "Panel 4 → The cat → none → Panel 4" and late.target_colour == "#D55E00"
    add(store, "a", "b", Steering(HEADS, CAT, mode="mass", alpha=0.5))
    assert store.list.page()[0].strength == "alpha 0.5"


@pytest.mark.parametrize("sort", SORT_KEYS)
def test_every_column_sorts_both_ways(filled: SessionStore, sort: str) -> None:
    rising = filled.list.ids(sort=sort, descending=False).tolist()  # type: ignore[arg-type]
    falling = filled.list.ids(sort=sort, descending=True).tolist()  # type: ignore[arg-type]
    assert sorted(rising) == sorted(falling) == [1, 2, 3, 4, 5]
    by_id = {line.id: line for line in filled.list.lines(rising)}
    if sort in ("prompt", "text", "target", "session", "model"):
        values = [getattr(by_id[run_id], sort).casefold() for run_id in rising]
        assert values == sorted(values)


def test_pages_and_lines_agree(filled: SessionStore) -> None:
    assert [line.id for line in filled.list.page(offset=1, limit=2)] == [4, 3]
    assert [line.id for line in filled.list.lines([1, 99, 4])] == [1, 4]
    assert filled.list.lines([]) == []


def test_stars_tags_notes_and_verdicts_are_kept_and_found(
    filled: SessionStore, open_store: OpenStore
) -> None:
    filled.star_runs([1, 2])
    filled.star_runs([2], False)
    filled.tag_runs([1, 3], "figure  2")
    filled.tag_runs([1], "odd")
    filled.tag_runs([3], "odd")
    filled.tag_runs([3], "odd", present=False)
    filled.note_run(2, "Colour comes along only with L5 H3.")
    filled.note_run(2, "Colour comes along with any head.")
    filled.note_session(1, "all before lunch")
    filled.judge_run(2, "Panel 4", True, "grammar")
    filled.judge_run(3, "Panel 1", False)
    filled.judge_run(3, "")
    filled.run_replayed(2, True)
    filled.close()
    store = open_store()
    assert found(store, "is:starred") == [1]
    assert found(store, 'tag:"figure 2"') == [3, 1] and found(store, "tag:odd") == [1]
    assert found(store, "note:colour") == [2] and found(store, "head") == [2] and found(store, "L5") == []
    assert found(store, 'judge:"Panel 4"') == [2]
    line = store.list.lines([2])[0]
    assert (line.verdict, line.verdict_ok, line.replay_same) == ("Panel 4", True, True)
    assert store.list.lines([1])[0].tags == ("figure 2", "odd")
    assert store.list.lines([3])[0].verdict == ""
    counts = store.list.counts()
    assert (counts.all, counts.starred, counts.junk, counts.lost_or_failed) == (5, 1, 1, 1)
    assert counts.by_tag == {"figure 2": 2, "odd": 1}
    assert {session.name: session.note for session in store.sessions()}["morning"] == "all before lunch"
    store.note_run(2, "")
    assert found(store, "note:colour") == []
    with pytest.raises(UserError, match="needs a name"):
        store.tag_runs([1], "  ")
    with pytest.raises(KeyError):
        store.note_run(99, "x")


def test_deleting_can_be_undone_until_it_is_final(filled: SessionStore) -> None:
    filled.delete_runs([2, 3])
    assert found(filled, "") == [5, 4, 1] and found(filled, "is:deleted") == [3, 2]
    assert [run.id for run in filled.runs()] == [6, 5, 4, 1]
    filled.restore_runs([3])
    assert found(filled, "") == [5, 4, 3, 1]
    filled.delete_session(1)
    assert found(filled, "") == [5, 4] and [session.name for session in filled.sessions()] == ["evening"]
    filled.restore_session(1)
    assert found(filled, "") == [5, 4, 3, 1]  # run 2 had been deleted by itself
    filled.close()
    removed = vacuum(filled.path)
    assert removed["runs"] == 1 and check(filled.path) == []


def test_what_is_deleted_for_a_month_goes_by_itself(filled: SessionStore, open_store: OpenStore) -> None:
    filled.delete_runs([2])
    filled.delete_runs([3])
    filled.write(lambda c: c.execute("UPDATE runs SET deleted_s = deleted_s - 31 * 86400 WHERE id = 3"))
    filled.close()
    store = open_store()
    assert found(store, "is:deleted") == [2]
    with pytest.raises(KeyError):
        store.run(3)
    assert found(store, "kanguru") == []


def test_values_that_a_filter_can_offer(filled: SessionStore) -> None:
    assert filled.list.values_of("target") == ["Panel 4", "The cat"]
    assert filled.list.values_of("model") == ["toy", "other"]
    assert filled.list.values_of("session")[0] == "evening"
    with pytest.raises(KeyError):
        filled.list.values_of("runs.id); DROP TABLE runs")


def test_the_text_that_had_arrived_is_the_text_of_a_run_that_was_stopped(store: SessionStore) -> None:
    run_id = store.run_created("baseline", GenerateSpec("ab", "What?"), tiny_info())
    samples = Samples(4)
    texts = [" a", "\ud83e", "", "\udd92 b"]
    for index, text in enumerate(texts):
        store.step_appended(run_id, replace(samples.step(index), text=text))
    store.run_ended(run_id, "cancelled", None, "It was interrupted.").result()
    line = store.list.page()[0]
    assert (line.text, line.n_tok, line.message) == ("".join(texts), 4, "It was interrupted.")
