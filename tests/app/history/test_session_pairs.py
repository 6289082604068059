"""Runs of two sessions in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from gazeviz.app.history.session_pairs import ListedRun, pair_sessions, word_overlap


@dataclass(frozen=True)
class Line:
    """A row of a list of runs."""

    id: int
    prompt: str = "What?"
    target: str = "Panel 1"
    text: str = "a cat"
    heads: str = "top 8 of mass"
    strength: str = "8"
    mode: str = "boost_suppress"
    image_sha256: str = "ab"
    picture: str = "strip"
    state: str = "done"
    target_colour: str | None = None


def paired(first: Sequence[ListedRun], second: Sequence[ListedRun]) -> list[tuple[int, int]]:
    """The numbers of the pairs."""
    return [(pair.first.id, pair.second.id) for pair in pair_sessions(first, second).pairs]


def test_runs_meet_by_prompt_and_target() -> None:
    first = [Line(1), Line(2, target="Panel 2"), Line(3, prompt="Why?")]
    second = [Line(4, prompt="Why?"), Line(5, target="Panel 2"), Line(6, target="Panel 3")]
    pairing = pair_sessions(first, second)
    assert [(pair.first.id, pair.second.id) for pair in pairing.pairs] == [(2, 5), (3, 4)]
    assert [run.id for run in pairing.only_first] == [1]
    assert [run.id for run in pairing.only_second] == [6]


def test_of_several_the_most_alike_meet_first() -> None:
    first = [Line(1, strength="4"), Line(2), Line(3, heads="random 8")]
    second = [Line(4, heads="random 8"), Line(5), Line(6, strength="4")]
    assert paired(first, second) == [(1, 6), (2, 5), (3, 4)]


def test_every_run_is_paired_once() -> None:
    assert paired([Line(1), Line(2), Line(3)], [Line(4)]) == [(1, 4)]


def test_another_picture_is_better_than_no_partner_and_is_named() -> None:
    (pair,) = pair_sessions([Line(1)], [Line(2, image_sha256="cd", strength="hard")]).pairs
    assert pair.different == ("picture", "strength")


def test_figures_of_a_pairing() -> None:
    pairing = pair_sessions([Line(1), Line(2, target="")], [Line(3), Line(4, target="", text="a dog")])
    assert pairing.n_same == 1
    assert abs(pairing.mean_overlap - (1 + 1 / 3) / 2) < 1e-9
    assert isnan(pair_sessions([Line(1)], []).mean_overlap)


def test_word_overlap_counts_distinct_words_without_case() -> None:
    assert word_overlap("A cat, a cat", "the cat") == 1 / 3
    assert word_overlap("", "…") == 1.0
    assert word_overlap("cat", "") == 0.0
