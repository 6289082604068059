"""Runs and head rankings side by side: which settings differ, where the heads look, which heads are shared.

Pure: takes runs as the log keeps them and a few answers about them, and draws nothing. Letters A to F name
what is compared, in the order in which it was asked for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.history.session_pairs import word_overlap
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import LoggedRun
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering
from gazeviz.domain.wording import (
    MODE_NAMES,
    SCOPE_NAMES,
    format_heads,
    format_rule,
    format_sampling,
    format_strength,
)
from gazeviz.errors import UserError

# Which words of some texts differ, and which tokens they belong to.
#
# Texts come as tokens, because that is how they are shown; words are found in the joined text. Knows no run.


_UNSPACED: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Scripts that put no space between words: each of their characters is compared by itself."""
_WORD: Final = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+(?:['’]\w+)*|[^\w\s]")


class Word(NamedTuple):
    """A word or a punctuation mark, and the characters of the text that it fills; `end` lies behind it."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text in order, each punctuation mark as one of them."""
    return [Word(match[0], match.start(), match.end()) for match in _WORD.finditer(text)]


def different_tokens(answers: Sequence[Sequence[str]], reference: int = 0) -> tuple[frozenset[int], ...]:
    """Return, for each answer, the indices of its tokens that hold a word that differs.

    answers: the tokens' texts of each.  A word differs from the reference where the longest common order of
    words leaves it out; a word of the reference does where it does so against every other answer.  Words are
    compared as they are written, capitals included.
    """
    words = [words_of("".join(tokens)) for tokens in answers]
    common = set(range(len(words[reference]))) if len(answers) > 1 else set()
    marked: list[frozenset[int]] = [frozenset()] * len(answers)
    for place, tokens in enumerate(answers):
        if place == reference:
            continue
        only_there, only_here = _left_out(words[reference], words[place])
        common &= only_there
        marked[place] = _tokens_with(tokens, [words[place][index] for index in only_here])
    marked[reference] = _tokens_with(answers[reference], [words[reference][index] for index in common])
    return tuple(marked)


def _left_out(first: Sequence[Word], second: Sequence[Word]) -> tuple[set[int], set[int]]:
    """Indices of the words of either that the other does not have at a place in the same order."""
    matcher = SequenceMatcher(
        None, [word.text for word in first], [word.text for word in second], autojunk=False
    )
    here, there = set(range(len(first))), set(range(len(second)))
    for block in matcher.get_matching_blocks():
        here -= set(range(block.a, block.a + block.size))
        there -= set(range(block.b, block.b + block.size))
    return here, there


def _tokens_with(tokens: Sequence[str], words: Sequence[Word]) -> frozenset[int]:
    """Indices of the tokens that hold a character of these words."""
    ends = list(accumulate(map(len, tokens)))
    found: set[int] = set()
    for word in words:
        first, last = bisect_right(ends, word.start), bisect_right(ends, word.end - 1)
        found.update(index for index in range(first, last + 1) if tokens[index])
    return frozenset(found)


LETTERS: Final = "ABCDEF"
MOST: Final = len(LETTERS)
"""Things that can be told apart side by side."""

NONE: Final = "none"
_STEERING: Final = ("heads", "target", "mode", "strength", "scope", "cells")
_LABELLED: Final = (
    "heads", "target", "strength", "mode", "scope", "prompt", "picture", "model", "sampling",
    "longest answer", "cells", "picture fed as", "computed on", "heads watched", "regions",
)  # fmt: skip


# Settings


@dataclass(frozen=True)
class ComparedSetting:
    """One setting of all compared runs. values: in words; keys: what decides whether two are the same."""

    name: str
    values: tuple[str, ...]
    keys: tuple[Hashable, ...]

    @property
    def differs(self) -> bool:
        """Whether not all of them are the same."""
        return any(key != self.keys[0] for key in self.keys)


def settings_of(runs: Sequence[LoggedRun], picture_names: Mapping[str, str]) -> tuple[ComparedSetting, ...]:
    """Return everything that can change the result, a setting each.

    picture_names: by sha256; a picture without a name is called by the beginning of its digest.
    """
    rows = [_settings(run, picture_names) for run in runs]
    made = []
    for name in rows[0]:
        keys = tuple(row[name][1] for row in rows)
        made.append(ComparedSetting(name, _told_apart([row[name][0] for row in rows], keys), keys))
    return tuple(made)


def differing(settings: Sequence[ComparedSetting]) -> tuple[str, ...]:
    """Name what differs, shortly: a baseline among steered runs differs in "steering" and not in all of it.

    The heads that are watched are not named where those that are steered differ anyway.
    """
    of_steering = [setting for setting in settings if setting.name in _STEERING]
    steered = [place for place, value in enumerate(of_steering[0].values) if value != NONE]
    mixed = 0 < len(steered) < len(of_steering[0].values)
    names = ["steering"] if mixed else []
    for setting in settings:
        among = [setting.keys[place] for place in steered] if setting in of_steering else setting.keys
        derived = setting.name == "heads watched" and (mixed or "heads" in names)
        if not derived and any(key != among[0] for key in among):
            names.append(setting.name)
    return tuple(names)


def _settings(run: LoggedRun, names: Mapping[str, str]) -> dict[str, tuple[str, Hashable]]:
    """Name to words and key, in the order of the table."""
    spec, model, request = run.spec, run.model, run.summary.request if run.summary else None
    sha256 = spec.picture_sha256
    return {
        "model": (model.name, model.fingerprint),
        "picture": (names.get(sha256) or sha256[:8], sha256),
        "prompt": (spec.prompt, spec.prompt),
        **_steering_settings(steering_of(run)),
        "sampling": (format_sampling(spec.sampling), spec.sampling.effective),
        "longest answer": (f"{spec.max_new_tokens} tokens", spec.max_new_tokens),
        "heads watched": (format_heads(spec.chosen), spec.chosen.heads),
        "regions": (_regions_words(spec.regions), tuple((r.name, r.sha256) for r in spec.regions)),
        "computed on": (f"{model.device}, {model.dtype}", (model.device, model.dtype)),
        "picture fed as": (_size_words(request.fed_size_px) if request else NONE,
                           request.fed_size_px if request else None),
        "versions": _versions(request.attention, request.versions) if request else (NONE, None),
    }  # fmt: skip


def _steering_settings(steering: Steering | None) -> dict[str, tuple[str, Hashable]]:
    if steering is None:
        return dict.fromkeys(_STEERING, (NONE, None))
    strength = format_strength(steering)
    cells = format_rule(steering.rule, steering.share)
    return {
        "heads": (format_heads(steering.heads), steering.heads.heads),
        "target": _target(steering),
        "mode": (MODE_NAMES[steering.mode], steering.mode),
        "strength": (strength, strength),
        "scope": (SCOPE_NAMES[steering.scope], steering.scope),
        "cells": (cells, cells),
    }


def _target(steering: Steering) -> tuple[str, Hashable]:
    """The target, or the targets in turn with the tokens at which they begin."""
    turns: list[tuple[int, Region | None]] = [(0, steering.target)]
    if steering.schedule is not None:
        turns = [turn for turn in turns if steering.schedule.switches[0][0] > 0]
        turns += steering.schedule.switches
    names = [region.name if region else "no target" for _, region in turns]
    key = tuple((step, region and (region.name, region.sha256)) for step, region in turns)
    if len(turns) == 1:
        return names[0], key
    return ", ".join(f"{name} from {step}" for (step, _), name in zip(turns, names, strict=True)), key


def _versions(attention: str, versions: Mapping[str, str]) -> tuple[str, Hashable]:
    text = ", ".join([attention, *(f"{name} {number}" for name, number in sorted(versions.items()))])
    return text, text


def _regions_words(regions: Sequence[Region]) -> str:
    return ", ".join(region.name for region in regions) or NONE


def _size_words(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]} px"


def _told_apart(values: Sequence[str], keys: Sequence[Hashable]) -> tuple[str, ...]:
    """Number values that read the same and are not: two regions of one name, two models of one name."""
    known: dict[str, list[Hashable]] = {}
    parts = []
    for value, key in zip(values, keys, strict=True):
        seen = known.setdefault(value, [])
        if key not in seen:
            seen.append(key)
        number = seen.index(key)
        parts.append(f"{value} ({number + 1})" if number else value)
    return tuple(parts)


def steering_of(run: LoggedRun) -> Steering | None:
    """How a run was steered: as it happened where it has ended, else as it was asked for."""
    return run.summary.request.steering if run.summary else run.spec.steering


# Head sets


@dataclass(frozen=True)
class Overlap:
    """Two sets of heads. rank_correlation: of the rankings that they come from, None where they do not."""

    shared: tuple[Head, ...]
    only_first: tuple[Head, ...]
    only_second: tuple[Head, ...]
    rank_correlation: float | None = None

    @classmethod
    def of(cls, first: HeadSet, second: HeadSet, rank_correlation: float | None = None) -> Overlap:
        """Compare two sets."""
        ours, theirs = set(first), set(second)
        parts = (sorted(part) for part in (ours & theirs, ours - theirs, theirs - ours))
        shared, only_first, only_second = map(tuple, parts)
        return cls(shared, only_first, only_second, rank_correlation)

    @property
    def jaccard(self) -> float:
        """Shared heads / heads of either; NaN for two empty sets."""
        either = len(self.shared) + len(self.only_first) + len(self.only_second)
        return len(self.shared) / either if either else float("nan")


@dataclass(frozen=True, eq=False)
class HeadsCompared:
    """Head sets of one model, and how every two of them overlap.

    shape_LH: None where they are of models of different shapes and cannot be laid over each other.
    rankings: that each was taken from, best or worst first; None for sets that come from elsewhere.
    watched: places of sets that were only watched, not steered.
    """

    names: tuple[str, ...]
    sets: tuple[HeadSet, ...]
    shape_LH: tuple[int, int] | None
    present_LH: NDArray[np.bool_] | None = None
    rankings: tuple[HeadRanking | None, ...] = ()
    watched: frozenset[int] = frozenset()

    @cached_property
    def overlaps(self) -> Mapping[tuple[int, int], Overlap]:
        """By the places of the two, the smaller first; empty without a shape."""
        if self.shape_LH is None:
            return {}
        return {
            (i, j): Overlap.of(self.sets[i], self.sets[j], self._correlation(i, j))
            for i, j in combinations(range(len(self.sets)), 2)
        }

    def _correlation(self, first: int, second: int) -> float | None:
        ours, theirs = (self.rankings[place] if self.rankings else None for place in (first, second))
        if ours is None or theirs is None or ours.shape_LH != theirs.shape_LH:
            return None
        if np.array_equal(ours.scores_LH, theirs.scores_LH, equal_nan=True):
            return None  # one ranking agrees with itself: that says nothing
        return ours.rank_correlation(theirs)


def compare_rankings(rankings: Sequence[HeadRanking], n: int) -> HeadsCompared:
    """Compare the best `n` heads of two to six rankings, fewer where a ranking has fewer.

    Raises UserError for too few or too many of them, and for rankings of models with different heads.
    """
    check_count(len(rankings), "rankings")
    if len({ranking.shape_LH for ranking in rankings}) > 1:
        raise UserError(
            "These rankings are of models with different heads.", next_step="Compare rankings of one model."
        )
    shape_LH = rankings[0].shape_LH
    present_LH = np.any([np.isfinite(ranking.scores_LH) for ranking in rankings], axis=0)
    tops = tuple(ranking.top(min(n, len(ranking.order()))) for ranking in rankings)
    return HeadsCompared(tuple(r.name for r in rankings), tops, shape_LH, present_LH, tuple(rankings))


def check_count(n: int, what: str) -> None:
    """Raise UserError unless so many things can be compared."""
    if not 2 <= n <= MOST:
        raise UserError(f"{n} {what} cannot be compared.", next_step=f"Choose two to {MOST} {what}.")


# Runs


@dataclass(frozen=True, eq=False)
class Curve:
    """Mass of one run by token, float32 (T,), NaN where it is not known. about: the region, in words."""

    mass_T: NDArray[np.float32]
    about: str


@dataclass(frozen=True, eq=False)
class RunComparison:
    """Two to six runs side by side.

    picture_names, pictures: by sha256; pixels uint8 (H, W, 3), a picture that is not known any more is left
        out.  grids: of each run, None where it can neither be known nor proven.
    rankings: that each run's heads were taken from, see HeadsCompared.
    """

    runs: tuple[LoggedRun, ...]
    picture_names: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    grids: tuple[TokenGrid | None, ...] = ()
    rankings: tuple[HeadRanking | None, ...] = ()

    def __post_init__(self) -> None:
        check_count(len(self.runs), "runs")

    @cached_property
    def settings(self) -> tuple[ComparedSetting, ...]:
        """Everything that can change the result."""
        return settings_of(self.runs, self.picture_names)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What tells each run from the others, in a few words."""
        by_name = {setting.name: setting for setting in self.settings}
        wanted = [by_name[name] for name in _LABELLED if by_name[name].differs][:2]
        wanted = wanted or [by_name["heads"], by_name["target"]]
        return tuple(_label(run, [s.values[place] for s in wanted]) for place, run in enumerate(self.runs))

    @cached_property
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        """Each run's tokens as texts."""
        return tuple(tuple(step.text for step in run.steps) for run in self.runs)

    def different(self, reference: int = 0) -> tuple[frozenset[int], ...]:
        """Each run's tokens with a word that differs, see word_diff."""
        return different_tokens(self.tokens, reference)

    def overlap(self, place: int, reference: int = 0) -> float:
        """Word overlap of a run's text with the reference's."""
        return word_overlap("".join(self.tokens[place]), "".join(self.tokens[reference]))

    @property
    def n_tok(self) -> int:
        """Tokens of the longest answer."""
        return max(map(len, self.tokens))

    @cached_property
    def heads(self) -> HeadsCompared:
        """The heads that are steered; of a baseline those that are watched, all where nobody chose."""
        shapes = {run.model.shape_LH for run in self.runs}
        shape_LH = next(iter(shapes)) if len(shapes) == 1 else None
        present = [run.model.heads_present_LH for run in self.runs]
        sets = tuple(_heads_of(run) for run in self.runs)
        present_LH = np.any(present, axis=0) if shape_LH else None
        watched = frozenset(place for place, run in enumerate(self.runs) if steering_of(run) is None)
        return HeadsCompared(self.labels, sets, shape_LH, present_LH, self.rankings, watched)

    @cached_property
    def region_names(self) -> tuple[str, ...]:
        """Names of all regions that any of the runs watched, in their order."""
        return tuple(dict.fromkeys(region.name for run in self.runs for region in run.spec.regions))

    def curves(self, region: str | None = None) -> tuple[Curve, ...]:
        """Mass on a region by token, of each run.

        region: None for each run's own target at each token; a run without one is asked about the target of
            the first run that has one.
        """
        targets = [target_names(run) for run in self.runs]
        borrowed = next((names[0] for names in targets if names and names[0]), None)
        if borrowed is None and self.region_names:
            borrowed = self.region_names[0]
        return tuple(
            _curve(run, [region] * len(run.steps) if region is not None else names, borrowed)
            for run, names in zip(self.runs, targets, strict=True)
        )


def target_names(run: LoggedRun) -> list[str | None]:
    """The name of the target at each token; where the heads were let go, of the last one."""
    names: list[str | None] = []
    for step in run.steps:
        names.append(step.target or (names[-1] if names else None))
    return names


def _curve(run: LoggedRun, names: Sequence[str | None], borrowed: str | None) -> Curve:
    place_of = {region.name: place for place, region in reversed(list(enumerate(run.spec.regions)))}
    mass_T = np.full(len(run.steps), np.nan, dtype=np.float32)
    about = []
    for index, step in enumerate(run.steps):
        name = names[index] or borrowed
        place = place_of.get(name) if name is not None else None
        if place is not None:
            mass_T[index] = step.masses_R[place]
        if name is not None and name not in about:
            about.append(name)
    return Curve(mass_T, ", ".join(about) if about else borrowed or NONE)


def _heads_of(run: LoggedRun) -> HeadSet:
    steering = steering_of(run)
    if steering is not None:
        return steering.heads
    return run.spec.chosen if len(run.spec.chosen) else HeadSet.all(run.model.shape_LH)


def _label(run: LoggedRun, values: Sequence[str]) -> str:
    parts = [value for value in dict.fromkeys(values) if value != NONE]
    return " · ".join(parts if steering_of(run) is not None else ["baseline", *parts])
