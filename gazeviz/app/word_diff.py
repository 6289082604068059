"""Which words of some texts differ, and which tokens they belong to.

Texts come as tokens, because that is how they are shown; words are found in the joined text. Knows no run.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Final, NamedTuple

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
