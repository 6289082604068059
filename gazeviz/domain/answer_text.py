"""Where an answer itself names a region: by its name, or a panel by its ordinal.

Knows words and tokens' texts; whether the answer is about that region is a judge's question.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, Literal, TypeAlias

# Junk: answers that say nothing, told apart from answers that say the wrong thing.
#
# Steering too hard destroys texts before it misses.  Junk is judged by form alone (empty, looping, a label
# and nothing more), in any language; whether a text is *right* is a judge's question (engine.judging).


Junk: TypeAlias = Literal["empty", "looping", "label only"]

_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_ORDINALS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last"
_POSITION = rf"{_NUMBERS}|{_ORDINALS}|\d+(?:st|nd|rd|th)?"
_LABEL = re.compile(rf"panels?|images?|pictures?|frames?|scenes?|{_POSITION}")
_FILLER = {"the", "this", "that", "in", "is", "it", "a", "number"}

# Loops fill at least half of the text, each with a unit of at most this many words (characters), said at
# least so many times in a row.
_WORD_PERIODS, _WORD_TIMES = 16, 3
_CHARACTER_PERIODS, _CHARACTER_TIMES = 24, 6
# A list of several things is an answer although the last of them comes again and again, up to this share.
_LISTED_THINGS, _LISTED_SHARE = 3, 0.8
_MIN_LOOP_WORDS = 4  # "no no no" is a text; four times the same word is a loop


def junk_kind(text: str) -> Junk | None:
    """Return how a text is junk, or None when it is not.

    "empty": no letter or digit.  "label only": "Panel 2:" or "the second panel", and nothing about it.
    "looping": at least half of it is one word, phrase or syllable said over and over; of a list that names
    three things or more, four fifths ("cat, tractor, bike, bike, bike, bike" is an answer).
    """
    words = re.findall(r"\w+", text.lower())
    if not words:
        return "empty"
    if _is_label(words):
        return "label only"
    listed = {part.strip(" .") for part in text.lower().split(",")}
    share = _LISTED_SHARE if len(listed) >= _LISTED_THINGS else 0.5
    if _loops(words, _WORD_PERIODS, _WORD_TIMES, _MIN_LOOP_WORDS, share):
        return "looping"
    characters = [character for character in text.lower() if character.isalnum()]
    if _loops(characters, _CHARACTER_PERIODS, _CHARACTER_TIMES, _CHARACTER_TIMES, share):
        return "looping"
    return None


def _is_label(words: Sequence[str]) -> bool:
    labels = [word for word in words if word not in _FILLER]
    return bool(labels) and all(_LABEL.fullmatch(word) for word in labels)


def _loops(units: Sequence[str], max_period: int, min_times: int, min_length: int, share: float) -> bool:
    """Whether units of up to `max_period` items, each said `min_times` in a row, fill a share of `units`.

    They may follow each other: a text whose target moves can loop over one thing after the other.
    """
    looped = [False] * len(units)
    for period in range(1, min(max_period, len(units) // min_times) + 1):
        least, run = max(min_times * period, min_length), 0
        for place in range(period, len(units) + 1):
            if place < len(units) and units[place] == units[place - period]:
                run += 1
                continue
            if run + period >= least:
                looped[place - run - period : place] = [True] * (run + period)
            run = 0
    return any(looped) and sum(looped) >= len(units) * share


_NUMBER_WORDS: Final = (
    ("first", "one"), ("second", "two"), ("third", "three"), ("fourth", "four"), ("fifth", "five"),
    ("sixth", "six"), ("seventh", "seven"), ("eighth", "eight"), ("ninth", "nine"), ("tenth", "ten"),
    ("eleventh", "eleven"), ("twelfth", "twelve"),
)  # fmt: skip
_PANEL: Final = re.compile(r"panel (\d+)", re.IGNORECASE)


def named_regions(texts: Sequence[str], names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Find where tokens begin to name a region: (token, place of the region in `names`), rising.

    texts: what each token adds to the answer.
    A name counts as a whole word in either case; of "Panel 2" also "second panel", "panel two" and "2nd
    panel". Of names that begin at one place the longest counts ("Panel 12", not "Panel 1").
    """
    text = "".join(texts)
    ends = list(accumulate(map(len, texts)))
    longest: dict[int, tuple[int, int]] = {}
    for place, name in enumerate(names):
        for found in _pattern(name).finditer(text):
            known = longest.get(found.start())
            if known is None or known[0] < found.end():
                longest[found.start()] = found.end(), place
    return tuple((bisect_right(ends, start), place) for start, (_, place) in sorted(longest.items()))


def _pattern(name: str) -> re.Pattern[str]:
    words = [r"\s+".join(map(re.escape, name.split()))]
    panel = _PANEL.fullmatch(name.strip())
    if panel is not None:
        number = int(panel[1])
        words.append(rf"{number}(?:st|nd|rd|th)\s+panel")
        if 1 <= number <= len(_NUMBER_WORDS):
            ordinal, cardinal = _NUMBER_WORDS[number - 1]
            words += [rf"{ordinal}\s+panel", rf"panel\s+{cardinal}"]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
