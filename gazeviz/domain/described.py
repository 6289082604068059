"""Which region a text describes, by the rare words that it shares with the regions' captions.

Pure counting of words: no model, no grammar. Knows nothing of steering; whether the description is a hit is
decided in gazeviz.domain.evaluation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from gazeviz.domain.evaluation import Verdict, words_of

# Words that carry no content, so that sharing them with a caption means nothing.
_STOP_WORDS: Final = frozenset(
    words_of(
        "a an the this that these those it its is are was were be been being has have had do does did and or"
        " but of to in on at by for from with as into over under there here he she they his her their them"
        " who which what where when while some no not one panel picture image"
    )
)


def describes(text: str, captions: Sequence[str]) -> Verdict:
    """Score the overlap of a text with each caption, in 0..1; a tie is no choice.

    Score of caption k = sum over the words that the text shares with it of log(N / captions that hold the
    word), as a share of what caption k could give. Words that all captions hold count nothing (inverse
    document frequency, Spärck Jones 1972, with the captions of one picture as the documents).
    """
    contents = [content_words(caption) for caption in captions]
    weights = rarity(contents)
    said = content_words(text)
    return Verdict.best_of([_weighted_share(said & content, content, weights) for content in contents])


def content_words(text: str) -> frozenset[str]:
    """The words of a text that carry content, without the s of plurals and of the third person."""
    words = (word for word in words_of(text) if word not in _STOP_WORDS)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def rarity(captions: Sequence[frozenset[str]]) -> dict[str, float]:
    """The weight of each word: log(captions / captions that hold it), 0 for a word that all hold."""
    held = Counter(word for caption in captions for word in caption)
    return {word: math.log(len(captions) / count) for word, count in held.items()}


def _weighted_share(shared: frozenset[str], caption: frozenset[str], weights: Mapping[str, float]) -> float:
    # Summed in one order, so that equal overlaps are equal to the last bit and count as ties.
    whole = math.fsum(weights[word] for word in sorted(caption))
    return math.fsum(weights[word] for word in sorted(shared)) / whole if whole > 0 else 0.0
