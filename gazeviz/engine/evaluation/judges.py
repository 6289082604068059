"""Judges: which region a text describes.

Every judge answers the same question with a `Verdict`: one score for each region, and the one that is
described best. Here are those that need no second model: by a known grammar, by rare words, by the names of
categories, and by the loaded model's own probabilities. A language model at an address is `language_judge`, a
person `blind_sheet`. Whether the description is a *hit* is not a judge's business (domain.evaluation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from gazeviz.domain.evaluation import Verdict, content_words, describes
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine


ABOUT_A_PANEL: Final = "What is happening in this picture?"


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

    Regions of one category (of one caption, where there are no categories) are one answer. The score is that
    of domain.described.  stem: from a word to its stem; left out, the s of plurals and verbs goes.
    """

    name: str = "lexical"
    stem: Callable[[str], str] | None = None

    def judge(self, text: str, item: Judged) -> Verdict:
        """Score the overlap with each caption; a tie between different ones is no choice."""
        captions = _captions(item, self.name)
        kinds = getattr(item, "categories", ()) or captions
        distinct = list(dict.fromkeys(kinds))
        told = [
            " ".join(caption for caption, kind in zip(captions, kinds, strict=True) if kind == one)
            for one in distinct
        ]
        verdict = describes(text, told, self.stem)
        scores = tuple(verdict.scores[distinct.index(kind)] for kind in kinds)
        if verdict.chosen is None:
            return Verdict(scores, None)
        alike = tuple(k for k, kind in enumerate(kinds) if kind == distinct[verdict.chosen])
        return Verdict(scores, alike[0], alike=alike)

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region whose caption holds this word."""
        said, captions = content_words(word, self.stem), _captions(item, self.name)
        having = [k for k, caption in enumerate(captions) if said & content_words(caption, self.stem)]
        return having[0] if len(having) == 1 else None


def lexical_judge(language: str = "english") -> LexicalJudge:
    """The lexical judge with a language's stems; UserError for a language that has none."""
    from snowballstemmer import algorithms, stemmer

    if language not in algorithms():
        raise UserError(
            f"There are no stems for “{language}”.", next_step=f"Choose among {', '.join(algorithms())}."
        )
    return LexicalJudge(stem=stemmer(language).stemWord)


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
        from gazeviz.imaging import open_picture

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
