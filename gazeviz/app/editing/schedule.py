"""Targets laid out beforehand, as blocks on an axis of answer tokens: adding, moving, changing, leaving out.

Pure functions on `SessionModel.schedule`: (first token, region id) pairs, rising; a region of None lets the
heads go. Knows no session and no screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from gazeviz.domain.statistics import random_derangement
from gazeviz.errors import UserError

Turns: TypeAlias = tuple[tuple[int, int | None], ...]
Order: TypeAlias = Literal["forwards", "backwards", "mixed"]


@dataclass(frozen=True)
class ScheduleBlock:
    """Answer tokens `first` up to but without `end`, under one target (None: the heads are let go).

    turn: its place in the schedule; None for what holds before the first turn.
    """

    first: int
    end: int
    region_id: int | None
    turn: int | None


def blocks(turns: Turns, length_tok: int, before: int | None = None) -> tuple[ScheduleBlock, ...]:
    """The whole axis of an answer of so many tokens; `before` is the target until the first turn."""
    starts: list[tuple[int, int | None, int | None]] = [
        (first, region_id, turn) for turn, (first, region_id) in enumerate(turns) if first < length_tok
    ]
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, before, None))
    ends = [first for first, _, _ in starts[1:]] + [length_tok]
    return tuple(
        ScheduleBlock(first, end, region_id, turn)
        for (first, region_id, turn), end in zip(starts, ends, strict=True)
    )


def held_at(turns: Turns, step: int, before: int | None = None) -> int | None:
    """The target of an answer token."""
    reached = [region_id for first, region_id in turns if first <= step]
    return reached[-1] if reached else before


def laid(turns: Turns, first: int, end: int, region_id: int | None, length_tok: int,
         before: int | None = None) -> Turns:  # fmt: skip
    """A region over the tokens from `first` up to but without `end`; what held after them holds on.

    Without a target `before` the heads are let go until the first block, which would else begin at once.
    """
    kept = [turn for turn in turns if turn[0] < first]
    if not kept and first > 0 and before is None:
        kept = [(0, None)]
    after = [turn for turn in turns if turn[0] > end]
    if end < length_tok:
        after.insert(0, (end, held_at(turns, end, before)))
    return _without_repeats([*kept, (first, region_id), *after])


def moved(turns: Turns, turn: int, first: int, length_tok: int) -> Turns:
    """A turn that begins elsewhere, between its neighbours: each keeps a token at least."""
    low = turns[turn - 1][0] + 1 if turn else 0
    high = (turns[turn + 1][0] if turn + 1 < len(turns) else max(length_tok, low + 1)) - 1
    place = min(max(first, low), max(low, high))
    return (*turns[:turn], (place, turns[turn][1]), *turns[turn + 1 :])


def without(turns: Turns, turn: int) -> Turns:
    """A turn left out: the one before it lasts longer."""
    return _without_repeats([*turns[:turn], *turns[turn + 1 :]])


def aimed(turns: Turns, turn: int, region_id: int | None) -> Turns:
    """Another target for a turn."""
    return (*turns[:turn], (turns[turn][0], region_id), *turns[turn + 1 :])


def even(region_ids: Sequence[int], every_tok: int) -> Turns:
    """One region after the other, each for so many tokens; UserErrors for none and for no token."""
    if not region_ids:
        raise UserError("There is no region to move the target to.", next_step="Paint one, or choose panels.")
    if every_tok < 1:
        raise UserError(
            f"A target cannot switch every {every_tok} tokens.", next_step="Choose at least one token."
        )
    return tuple((place * every_tok, region_id) for place, region_id in enumerate(region_ids))


def ordered(region_ids: Sequence[int], order: Order, seed: int = 0) -> tuple[int, ...]:
    """Regions in another order; "mixed" leaves none in its place (a single one stays, of course)."""
    if order == "backwards":
        return tuple(region_ids)[::-1]
    if order == "mixed" and len(region_ids) > 1:
        places = random_derangement(len(region_ids), np.random.default_rng(seed))
        return tuple(region_ids[place] for place in places)
    return tuple(region_ids)


def _without_repeats(turns: Sequence[tuple[int, int | None]]) -> Turns:
    """Turns that change nothing left out."""
    first, later = turns[:1], [after for before, after in pairwise(turns) if after[1] != before[1]]
    return (*first, *later)
