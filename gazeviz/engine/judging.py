"""Judges: which region a text describes.

Every judge answers the same question with a `Verdict`: one score for each region, and the one that is
described best. Here are those that need no second model: by a known grammar, by rare words, and by the loaded
model's own probabilities. A language model at an address is `engine.language_judge`, a person
`engine.blind_sheet`. Whether the description is a *hit* is not a judge's business (domain.evaluation).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from gazeviz.domain.evaluation import Verdict, words_of
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine

ABOUT_A_PANEL: Final = "What is happening in this picture?"

# Words that carry no content, so that sharing them with a caption means nothing.
_STOP_WORDS: Final = frozenset(
    words_of(
        "a an the this that these those it its is are was were be been being has have had do does did and or"
        " but of to in on at by for from with as into over under there here he she they his her their them"
        " who which what where when while some no not one panel picture image"
    )
)


class Judged(Protocol):
    """What judges need of a picture: the picture, its regions in order, and one caption for each (or none at
    all)."""

    @property
    def image(self) -> Any: ...
    @property
    def panels(self) -> tuple[Region, ...]: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


class Judge(Protocol):
    """Anything that says which region a text describes."""

    @property
    def name(self) -> str:
        """What it is called in results."""
        ...

    def judge(self, text: str, item: Judged) -> Verdict:
        """Read a text about a picture; UserError where the picture lacks what this judge needs."""
        ...


class WordJudge(Judge, Protocol):
    """A judge that can also judge a single word, which tells how soon a text follows a switch of target."""

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region whose caption calls for this word, None where none or several do."""
        ...


@dataclass(frozen=True)
class GrammarJudge:
    """Exact, where captions follow a known grammar: counts the attributes of each caption that a text states.

    parse: from a text to the attributes that it states ("red", "cat", "by the sea").
    A caption is complete when the text states all of its attributes and no other of the grammar.
    """

    parse: Callable[[str], AbstractSet[str]]
    name: str = "exact"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Score = attributes stated; the region with most of them is chosen, a tie is no choice."""
        stated, wanted = self.parse(text), [self.parse(caption) for caption in _captions(item, self.name)]
        return Verdict.best_of([len(stated & one) for one in wanted], [stated == one for one in wanted])

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region that has the attribute which this word states."""
        stated = self.parse(word)
        having = [k for k, caption in enumerate(_captions(item, self.name)) if stated & self.parse(caption)]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True)
class LexicalJudge:
    """By rare words: a word counts the more, the fewer of the picture's captions hold it.

    Score of region k = sum over the words that the text shares with caption k of log(N / captions that hold
    the word), as a share of what caption k could give: in 0..1. Words that all captions hold count nothing
    (inverse document frequency, Spärck Jones 1972, with the captions of one picture as the documents).
    """

    name: str = "lexical"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Score the overlap with each caption; a tie is no choice."""
        captions = [_content_words(caption) for caption in _captions(item, self.name)]
        weights = _rarity(captions)
        said = _content_words(text)
        return Verdict.best_of([_weighted_share(said & caption, caption, weights) for caption in captions])

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region whose caption holds this word."""
        said = _content_words(word)
        having = [k for k, caption in enumerate(_captions(item, self.name)) if said & _content_words(caption)]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True)
class LikelihoodJudge:
    """By the loaded model itself: how probable the text is when the model sees one region alone.

    Each region is cut out of the picture by its box and asked about with `prompt`; score = log-probability of
    the text in nats. Needs no captions, but one pass for each region, and it trusts the model's own eyes.
    """

    engine: Engine
    prompt: str = ABOUT_A_PANEL
    name: str = "likelihood"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Choose the region that makes the text most probable; an empty text chooses none."""
        from gazeviz.pictures import open_picture

        if not text.strip():
            return Verdict(tuple(-math.inf for _ in item.panels), None)
        picture = open_picture(item.image)
        crops = [picture.crop(region.box_px) for region in item.panels]
        scores = [self.engine.read(crop, self.prompt, text).logprob for crop in crops]
        return Verdict.best_of(scores, floor=-math.inf)


def _captions(item: Judged, judge: str) -> tuple[str, ...]:
    if len(item.captions) != len(item.panels):
        raise UserError(
            f"The {judge} judge needs a caption for each of the {len(item.panels)} regions, there are"
            f" {len(item.captions)}.",
            next_step="Write the captions, or choose the likelihood judge, which needs none.",
        )
    return item.captions


def _content_words(text: str) -> frozenset[str]:
    """The words of a text that carry content, without the s of plurals and of the third person."""
    words = (word for word in words_of(text) if word not in _STOP_WORDS)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def _rarity(captions: Sequence[frozenset[str]]) -> dict[str, float]:
    held = Counter(word for caption in captions for word in caption)
    return {word: math.log(len(captions) / count) for word, count in held.items()}


def _weighted_share(shared: frozenset[str], caption: frozenset[str], weights: dict[str, float]) -> float:
    # Summed in one order, so that equal overlaps are equal to the last bit and count as ties.
    whole = math.fsum(weights[word] for word in sorted(caption))
    return math.fsum(weights[word] for word in sorted(shared)) / whole if whole > 0 else 0.0
