"""Which panel a narration's tokens speak of.

A narration says "Panel 1: ... Panel 2: ..."; what stands behind a mark, up to the next one, speaks of that
panel, the mark itself of none. Knows text and tokens; knows no model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.engine.picking import Decoder, Speller

# "Panel 2:", also "**Panel 2**:", "Panel 2 - "; "as in panel 2, it sleeps" is no mark.
_MARK: Final = re.compile(r"\bpanel\s+(\d{1,2})\W{0,3}?(?::|[–—-]\s)\**\s*", re.IGNORECASE)


def narration_of(captions: Sequence[str]) -> str:
    """The captions told in order: "Panel 1: a cat sleeps. Panel 2: it wakes." """
    return " ".join(
        f"Panel {k}: {caption.strip().rstrip('.')}." for k, caption in enumerate(captions, start=1)
    )


def spans(text: str, n_panels: int) -> tuple[tuple[int, int, int], ...]:
    """(panel from 0, first character, character behind the last) of every marked passage about one of the
    panels.
    """
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return tuple(
        (int(mark[1]) - 1, mark.end(), end)
        for mark, end in zip(marks, ends, strict=True)
        if 1 <= int(mark[1]) <= n_panels and text[mark.end() : end].strip()
    )


def captions_in(text: str, n_panels: int) -> Mapping[int, str]:
    """What a narration says of each panel (from 0), the first time it speaks of it."""
    said: dict[int, str] = {}
    for panel, start, end in spans(text, n_panels):
        said.setdefault(panel, text[start:end].strip(" *\n"))  # a bold mark's stars belong to the mark
    return said


def panel_of_tokens(tokenizer: Decoder, token_ids: Sequence[int], n_panels: int) -> NDArray[np.int64]:
    """The panel (from 0) that each token speaks of, int64 (T,); -1 for marks and what stands before the
    first.

    A token belongs to the passage in which its own text starts, spaces before it left out.
    """
    speller = Speller(tokenizer)
    starts, text = [], ""
    for place, token_id in enumerate(token_ids, start=1):
        added = speller.add(token_id, last=place == len(token_ids))
        starts.append(len(text) + len(added) - len(added.lstrip()))
        text += added
    panels = np.full(len(token_ids), -1, dtype=np.int64)
    for panel, start, end in spans(text, n_panels):
        panels[[place for place, at in enumerate(starts) if start <= at < end]] = panel
    return panels
