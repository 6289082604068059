"""Scheduled targets: blocks on an axis of tokens."""

from __future__ import annotations

import numpy as np
import pytest

from gazeviz.app.editing import schedule as turns
from gazeviz.app.editing.schedule import ScheduleBlock
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Schedule
from gazeviz.errors import UserError

THREE = ((0, 1), (8, 2), (16, 3))


def test_blocks_fill_the_axis():
    assert turns.blocks(THREE, 24) == (
        ScheduleBlock(0, 8, 1, 0),
        ScheduleBlock(8, 16, 2, 1),
        ScheduleBlock(16, 24, 3, 2),
    )
    assert turns.blocks(((5, 2),), 9, before=1) == (ScheduleBlock(0, 5, 1, None), ScheduleBlock(5, 9, 2, 0))
    assert turns.blocks((), 9, before=4) == (ScheduleBlock(0, 9, 4, None),)
    assert turns.blocks(THREE, 12)[-1] == ScheduleBlock(8, 12, 2, 1), (
        "what begins after the answer's end is not seen"
    )


def test_blocks_agree_with_the_engines_schedule(rng):
    regions: dict[int | None, Region] = {
        number: Region(f"R{number}", np.ones((2, 2), dtype=bool)) for number in (1, 2, 3)
    }
    for _ in range(50):
        firsts = sorted(rng.choice(30, size=4, replace=False).tolist())
        plan = tuple((first, int(rng.integers(1, 4))) for first in firsts)
        schedule = Schedule(tuple((first, regions[region_id]) for first, region_id in plan))
        for block in turns.blocks(plan, 30, before=1):
            for step in range(block.first, block.end):
                assert schedule.target_at(step, regions[1]) is regions[block.region_id]
                assert turns.held_at(plan, step, 1) == block.region_id


def test_a_block_is_laid_over_what_is_there():
    assert turns.laid((), 4, 8, 2, 20, before=1) == ((4, 2), (8, 1))
    assert turns.laid((), 4, 20, 2, 20, before=1) == ((4, 2),)
    assert turns.laid(THREE, 4, 10, 5, 24) == ((0, 1), (4, 5), (10, 2), (16, 3))
    assert turns.laid(THREE, 8, 16, 5, 24) == ((0, 1), (8, 5), (16, 3))
    assert turns.laid(THREE, 0, 24, 5, 24) == ((0, 5),)


def test_a_block_that_changes_nothing_leaves_no_trace():
    assert turns.laid(THREE, 9, 12, 2, 24) == THREE


def test_without_a_target_the_heads_are_free_until_the_first_block():
    assert turns.laid((), 4, 8, 2, 20) == ((0, None), (4, 2), (8, None))


def test_an_edge_stays_between_its_neighbours():
    assert turns.moved(THREE, 1, 11, 24) == ((0, 1), (11, 2), (16, 3))
    assert turns.moved(THREE, 1, -3, 24) == ((0, 1), (1, 2), (16, 3))
    assert turns.moved(THREE, 1, 40, 24) == ((0, 1), (15, 2), (16, 3))
    assert turns.moved(THREE, 2, 40, 24) == ((0, 1), (8, 2), (23, 3))
    assert turns.moved(THREE, 0, 3, 24) == ((3, 1), (8, 2), (16, 3))


def test_turns_are_left_out_and_aimed_elsewhere():
    assert turns.without(THREE, 1) == ((0, 1), (16, 3))
    assert turns.without(((0, 1), (8, 2), (16, 1)), 1) == ((0, 1),)
    assert turns.without(((3, 1),), 0) == ()
    assert turns.aimed(THREE, 2, None) == ((0, 1), (8, 2), (16, None))


def test_an_even_layout():
    assert turns.even((1, 2, 3), 8) == THREE
    for region_ids, every_tok in (((), 8), ((1,), 0)):
        with pytest.raises(UserError):
            turns.even(region_ids, every_tok)


def test_orders_of_a_narration():
    assert turns.ordered((4, 5, 6), "forwards") == (4, 5, 6)
    assert turns.ordered((4, 5, 6), "backwards") == (6, 5, 4)
    for seed in range(20):
        mixed = turns.ordered((4, 5, 6), "mixed", seed)
        assert sorted(mixed) == [4, 5, 6] and all(a != b for a, b in zip(mixed, (4, 5, 6), strict=True))
        assert mixed == turns.ordered((4, 5, 6), "mixed", seed)
    assert turns.ordered((4,), "mixed") == (4,)
