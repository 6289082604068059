"""Evaluations: what steered answers were judged to describe, row by row, and the figures made of the rows.

An *item* is a picture with its regions (a strip with panels, a scene with objects). Every steered answer is
one row; figures are computed from rows and never kept beside them. Knows neither models nor how a judge
judges (engine.judging); what counts as a hit is decided here, once, for every judge.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.statistics import bootstrap_interval, spearman

Measure: TypeAlias = Literal["hit", "described", "right", "complete"]

SAME_WORDS: Final = 0.85
"""Word Jaccard from which a text counts as the baseline's: as in the gaze-heads code (paper: above 0.9)."""

_LABEL: Final = re.compile(r"^\W*panel\s+\d+\W*", re.IGNORECASE)

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class Verdict:
    """What a judge reads in a text.

    scores: how well the text describes each region; higher is better, the unit is the judge's own.
    chosen: the region described best (from 0), None where the best is shared or nothing is described.
    complete: per region, whether the text says all of it and nothing else; None where the judge cannot tell.
    alike: the regions that share the answer, where several are of one category; () where one is meant.
    """

    scores: tuple[float, ...]
    chosen: int | None
    complete: tuple[bool, ...] | None = None
    alike: tuple[int, ...] = ()

    @classmethod
    def best_of(
        cls, scores: Sequence[float], complete: Sequence[bool] | None = None, floor: float = 0.0
    ) -> Verdict:
        """Choose the one region whose score is highest and above `floor`: a tie is no choice."""
        best = max(scores, default=floor)
        leaders = [region for region, score in enumerate(scores) if score == best]
        chosen = leaders[0] if len(leaders) == 1 and best > floor else None
        return cls(tuple(scores), chosen, None if complete is None else tuple(complete))


@dataclass(frozen=True)
class JudgedAnswer:
    """One judged answer about one item.

    item: which picture.  target, n_regions: the region meant (from 0) of how many.
    chosen: the region that the judge found described, None for a tie, for nothing and for junk.
    complete: whether all of the target is said and nothing else, None where the judge cannot tell.
    unchanged: whether the text is essentially the baseline's (`same_text`).
    area_px: the target's area in the pixels that the model is fed.
    mass_before, mass_after: mean attention mass of the steered heads on the target, None when unsteered.
    """

    item: int
    target: int
    n_regions: int
    text: str
    baseline: str
    chosen: int | None
    complete: bool | None
    junk: Junk | None
    unchanged: bool
    area_px: float = 0.0
    mass_before: float | None = None
    mass_after: float | None = None

    @property
    def described(self) -> bool:
        """Whether the target is what the text describes best, be it the baseline's text or not."""
        return self.junk is None and self.chosen == self.target

    @property
    def size(self) -> str:
        """The target's size class."""
        return size_class(self.area_px)

    @property
    def hit(self) -> bool:
        """Whether steering worked: the target is described, and the text is not the baseline's."""
        return self.described and not self.unchanged

    @property
    def right(self) -> bool:
        """A hit that says all of the target and nothing else."""
        return self.hit and bool(self.complete)


@dataclass(frozen=True)
class Evaluation:
    """The judged answers of one treatment under one protocol.

    protocol, judge: their names.  treatment: what was done, as JSON.  seconds: how long it took.
    """

    protocol: str
    treatment: Mapping[str, Any]
    judge: str
    answers: tuple[JudgedAnswer, ...]
    seconds: float = 0.0

    def share(self, measure: Measure = "hit") -> float:
        """Share of the answers with a property of `Answer`, in 0..1; NaN without answers."""
        hits = self._marks(measure)
        return float(hits.mean()) if hits.size else float("nan")

    def interval(self, measure: Measure = "hit") -> tuple[float, float]:
        """95 % bootstrap interval of `share`, items resampled (10 000 resamples)."""
        return bootstrap_interval(self._marks(measure), [answer.item for answer in self.answers])

    @property
    def chance(self) -> float:
        """What a blind guess would hit: the mean of 1 / regions."""
        return (
            float(np.mean([1 / answer.n_regions for answer in self.answers]))
            if self.answers
            else float("nan")
        )

    @property
    def junk_share(self) -> float:
        """Share of texts that are junk: empty, looping or a label only. They are misses as well."""
        return self._mean(lambda answer: answer.junk is not None)

    @property
    def unchanged_share(self) -> float:
        """Share of texts that are essentially the baseline's. They are misses as well."""
        return self._mean(lambda answer: answer.unchanged)

    def by_target(self, measure: Measure = "hit") -> tuple[float, ...]:
        """Share for each target position; NaN where nothing was aimed at."""
        n = max((answer.n_regions for answer in self.answers), default=0)
        marks, targets = self._marks(measure), np.array([answer.target for answer in self.answers])
        aimed = [marks[targets == position] for position in range(n)]
        return tuple(float(part.mean()) if part.size else float("nan") for part in aimed)

    def by_size(self, measure: Measure = "hit") -> dict[str, tuple[float, int]]:
        """Share and number of answers for each size of target (`size_class`), largest first."""
        classes = ("large", "medium", "small")
        marks, sizes = self._marks(measure), np.array([size_class(answer.area_px) for answer in self.answers])
        parts = {name: marks[sizes == name] for name in classes}
        return {name: (float(part.mean()), part.size) for name, part in parts.items() if part.size}

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Counts, int64 (N, N + 1): row = target, column = region described, last column = none, tie or junk.

        N is the largest number of regions of an item.
        """
        n = max((answer.n_regions for answer in self.answers), default=0)
        counts = np.zeros((n, n + 1), dtype=np.int64)
        for answer in self.answers:
            described = n if answer.chosen is None or answer.junk else answer.chosen
            counts[answer.target, described] += 1
        return counts

    def figures(self) -> dict[str, Any]:
        """The figures as JSON; shares in 0..1."""
        measures: tuple[Measure, ...] = ("hit", "described", "right", "complete")
        return {
            "answers": len(self.answers),
            "items": len({answer.item for answer in self.answers}),
            "chance": self.chance,
            **{measure: self.share(measure) for measure in measures},
            "hit_interval": list(self.interval("hit")),
            "right_interval": list(self.interval("right")),
            "junk": self.junk_share,
            "unchanged": self.unchanged_share,
            "hit_by_target": list(self.by_target("hit")),
            "complete_by_target": list(self.by_target("complete")),
            "confusion": self.confusion.tolist(),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything: what was done, figures, and one object for each answer."""
        return {
            "protocol": self.protocol,
            "treatment": dict(self.treatment),
            "judge": self.judge,
            "seconds": self.seconds,
            "figures": self.figures(),
            "answers": [asdict(answer) for answer in self.answers],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from `to_json()`; its figures are computed anew."""
        answers = tuple(JudgedAnswer(**row) for row in data["answers"])
        return cls(data["protocol"], data["treatment"], data["judge"], answers, data["seconds"])

    def _marks(self, measure: Measure) -> NDArray[np.float64]:
        return np.array([bool(getattr(answer, measure)) for answer in self.answers], dtype=np.float64)

    def _mean(self, holds: Callable[[JudgedAnswer], bool]) -> float:
        return float(np.mean([holds(answer) for answer in self.answers])) if self.answers else float("nan")


@dataclass(frozen=True)
class Segment:
    """What was written while one target of a schedule held.

    turn: which switch of the schedule (from 0).  first_tok, n_tok: its answer tokens.
    latency_tok: answer tokens from the switch up to and with the first word that only the target calls for;
        None if there is none before the next switch, or the judge cannot judge words.
    """

    item: int
    turn: int
    target: int
    n_regions: int
    first_tok: int
    n_tok: int
    text: str
    chosen: int | None
    junk: Junk | None
    latency_tok: int | None

    @property
    def hit(self) -> bool:
        """Whether the segment describes its target."""
        return self.junk is None and self.chosen == self.target


@dataclass(frozen=True)
class DynamicEvaluation:
    """Narrations whose target moved along a schedule, segment by segment."""

    treatment: Mapping[str, Any]
    judge: str
    every_tok: int
    segments: tuple[Segment, ...]
    seconds: float = 0.0

    @property
    def on_target(self) -> float:
        """Share of the segments that describe their target; NaN without segments."""
        return float(np.mean([s.hit for s in self.segments])) if self.segments else float("nan")

    def rho_by_item(self) -> dict[int, float]:
        """Spearman's rho between the schedule and what was described, for each item.

        Over the segments that describe any region; 0 where fewer than three do or all describe the same one:
        such a narration does not follow its schedule.
        """
        rhos = {}
        for item in sorted({segment.item for segment in self.segments}):
            told = [s for s in self.segments if s.item == item and s.chosen is not None and s.junk is None]
            described = [-1 if s.chosen is None else s.chosen for s in told]
            rho = spearman([s.target for s in told], described) if len(told) >= 3 else 0.0
            rhos[item] = 0.0 if np.isnan(rho) else rho
        return rhos

    def figures(self) -> dict[str, Any]:
        """The figures as JSON: rho is the mean over items, latencies are in tokens and over the switches.

        "followed" is the share of switches with a latency; the first target is not a switch.
        """
        rhos = list(self.rho_by_item().values())
        switched = [s for s in self.segments if s.turn > 0]
        latencies = [s.latency_tok for s in switched if s.latency_tok is not None]
        hits, items = [s.hit for s in self.segments], [s.item for s in self.segments]
        return {
            "items": len(rhos),
            "segments": len(self.segments),
            "rho": float(np.mean(rhos)) if rhos else float("nan"),
            "rho_interval": list(bootstrap_interval(rhos)),
            "on_target": self.on_target,
            "on_target_interval": list(bootstrap_interval(hits, items)),
            "junk": float(np.mean([s.junk is not None for s in self.segments]))
            if self.segments
            else float("nan"),
            "latency_median_tok": float(np.median(latencies)) if latencies else None,
            "latency_mean_tok": float(np.mean(latencies)) if latencies else None,
            "followed": len(latencies) / len(switched) if switched else float("nan"),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything: what was done, figures, and one object for each segment."""
        return {
            "protocol": "dynamic",
            "treatment": dict(self.treatment),
            "judge": self.judge,
            "every_tok": self.every_tok,
            "seconds": self.seconds,
            "figures": self.figures(),
            "segments": [asdict(segment) for segment in self.segments],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DynamicEvaluation:
        """Rebuild an evaluation from `to_json()`; its figures are computed anew."""
        segments = tuple(Segment(**row) for row in data["segments"])
        return cls(data["treatment"], data["judge"], data["every_tok"], segments, data["seconds"])


def size_class(area_px: float) -> str:
    """The size of a target as COCO classes it (cocodataset.org): large above 96 x 96 px, small up to 32 x
    32."""
    return "large" if area_px > 96**2 else "medium" if area_px > 32**2 else "small"


def words_of(text: str) -> tuple[str, ...]:
    """Lowercase words of a text, punctuation left out."""
    return tuple(_WORD.findall(text.lower()))


def same_text(text: str, baseline: str, threshold: float = SAME_WORDS) -> bool:
    """Whether two texts are essentially equal: the same words in order, or a word Jaccard of the threshold or
    more; a leading "Panel k:" is not compared.

    Jaccard = shared distinct words / distinct words of either; word order does not count.
    """
    ours, theirs = (words_of(_LABEL.sub("", one)) for one in (text, baseline))
    if ours == theirs:
        return True
    either = set(ours) | set(theirs)
    return len(set(ours) & set(theirs)) / len(either) >= threshold


# Which region a text describes, by the rare words that it shares with the regions' captions.
#
# Pure counting of words: no model, no grammar. Knows nothing of steering; whether the description is a hit is
# decided in gazeviz.domain.evaluation.


# Words that carry no content, so that sharing them with a caption means nothing.
_STOP_WORDS: Final = frozenset(
    words_of(
        "a an the this that these those it its is are was were be been being has have had do does did and or"
        " but of to in on at by for from with as into over under there here he she they his her their them"
        " who which what where when while some no not one panel picture image"
    )
)


def describes(text: str, captions: Sequence[str], stem: Callable[[str], str] | None = None) -> Verdict:
    """Score the overlap of a text with each caption, in 0..1; a tie is no choice.

    Score of caption k = sum over the words that the text shares with it of log(N / captions that hold the
    word), as a share of what caption k could give. Words that all captions hold count nothing (inverse
    document frequency, Spärck Jones 1972, with the captions of one picture as the documents); of one caption
    alone every word counts alike.
    """
    contents = [content_words(caption, stem) for caption in captions]
    weights = rarity(contents)
    said = content_words(text, stem)
    return Verdict.best_of([_weighted_share(said & content, content, weights) for content in contents])


def content_words(text: str, stem: Callable[[str], str] | None = None) -> frozenset[str]:
    """The words of a text that carry content, as stems (left out: without the s of plurals and verbs)."""
    words = (word for word in words_of(text) if word not in _STOP_WORDS)
    return frozenset(map(stem or _without_s, words))


def _without_s(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def rarity(captions: Sequence[frozenset[str]]) -> dict[str, float]:
    """The weight of each word: log(captions / captions that hold it), 0 for a word that all hold.

    1 for every word of a single caption, which no other can be told from.
    """
    if len(captions) == 1:
        return dict.fromkeys(captions[0], 1.0)
    held = Counter(word for caption in captions for word in caption)
    return {word: math.log(len(captions) / count) for word, count in held.items()}


def _weighted_share(shared: frozenset[str], caption: frozenset[str], weights: Mapping[str, float]) -> float:
    # Summed in one order, so that equal overlaps are equal to the last bit and count as ties.
    whole = math.fsum(weights[word] for word in sorted(caption))
    return math.fsum(weights[word] for word in sorted(shared)) / whole if whole > 0 else 0.0
