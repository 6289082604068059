"""Two sessions side by side: their runs paired by prompt and target.

Works on the light rows of a list of runs, so that sessions of thousands of runs are paired at once. Knows
neither log nor screen.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gazeviz.domain.evaluation import words_of


class ListedRun(Protocol):
    """A run as a list shows it (gazeviz.store.RunRow). heads, target, mode, strength: "" for a baseline."""

    @property
    def id(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def image_sha256(self) -> str: ...
    @property
    def picture(self) -> str: ...
    @property
    def prompt(self) -> str: ...
    @property
    def heads(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def target_colour(self) -> str | None: ...
    @property
    def mode(self) -> str: ...
    @property
    def strength(self) -> str: ...
    @property
    def text(self) -> str: ...


_Key: TypeAlias = Callable[[ListedRun], tuple[str, ...]]

# The same prompt and target always; of several such runs those that have most in common are paired first.
_CLOSER: tuple[_Key, ...] = (
    lambda run: (run.prompt, run.target, run.image_sha256, run.heads, run.mode, run.strength),
    lambda run: (run.prompt, run.target, run.image_sha256, run.mode, run.strength),
    lambda run: (run.prompt, run.target, run.image_sha256, run.heads),
    lambda run: (run.prompt, run.target, run.image_sha256),
    lambda run: (run.prompt, run.target),
)


@dataclass(frozen=True)
class Pair:
    """One run of each session with the same prompt and target."""

    first: ListedRun
    second: ListedRun

    @property
    def same_text(self) -> bool:
        """Whether the answers are the same to the last character."""
        return self.first.text == self.second.text

    @property
    def overlap(self) -> float:
        """The answers' word overlap, see `word_overlap`."""
        return word_overlap(self.first.text, self.second.text)

    @property
    def different(self) -> tuple[str, ...]:
        """Which of picture, heads, mode and strength differ."""
        names = {"picture": "image_sha256", "heads": "heads", "mode": "mode", "strength": "strength"}
        return tuple(
            name for name, field in names.items() if getattr(self.first, field) != getattr(self.second, field)
        )


@dataclass(frozen=True)
class Pairing:
    """Two sessions: pairs in the order of the first, and the runs that found none."""

    pairs: tuple[Pair, ...]
    only_first: tuple[ListedRun, ...]
    only_second: tuple[ListedRun, ...]

    @property
    def n_same(self) -> int:
        """Pairs with the same answer."""
        return sum(pair.same_text for pair in self.pairs)

    @property
    def mean_overlap(self) -> float:
        """Mean word overlap of the pairs; NaN without any."""
        overlaps = [pair.overlap for pair in self.pairs]
        return sum(overlaps) / len(overlaps) if overlaps else float("nan")


def word_overlap(first: str, second: str) -> float:
    """Shared distinct words / distinct words of either, 0 to 1; 1 for two texts without a word.

    The word Jaccard by which an answer counts as unchanged (gazeviz.domain.evaluation.same_text).
    """
    ours, theirs = set(words_of(first)), set(words_of(second))
    either = ours | theirs
    return len(ours & theirs) / len(either) if either else 1.0


def pair_sessions(first: Sequence[ListedRun], second: Sequence[ListedRun]) -> Pairing:
    """Pair the runs of two sessions, each run once; among equals the order of the lists decides."""
    partner: dict[int, int] = {}  # place in the first list to place in the second
    free_second = set(range(len(second)))
    for key in _CLOSER:
        waiting: dict[tuple[str, ...], deque[int]] = defaultdict(deque)
        for place in sorted(free_second):
            waiting[key(second[place])].append(place)
        for place, run in enumerate(first):
            if place not in partner and (found := waiting.get(key(run))):
                partner[place] = found.popleft()
                free_second.discard(partner[place])
    pairs = tuple(Pair(first[place], second[partner[place]]) for place in sorted(partner))
    alone = tuple(run for place, run in enumerate(first) if place not in partner)
    return Pairing(pairs, alone, tuple(second[place] for place in sorted(free_second)))
