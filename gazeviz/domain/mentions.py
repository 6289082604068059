"""Where an answer itself names a region: by its name, or a panel by its ordinal.

Knows words and tokens' texts; whether the answer is about that region is a judge's question.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

_NUMBERS: Final = (
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
        if 1 <= number <= len(_NUMBERS):
            ordinal, cardinal = _NUMBERS[number - 1]
            words += [rf"{ordinal}\s+panel", rf"panel\s+{cardinal}"]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
