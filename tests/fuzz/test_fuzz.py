"""Damaged inputs of every kind are taken or refused with a sentence: no crash, no hang, nothing else touched.

5,000 inputs are shared out over the kinds, each in a process of its own; `make fuzz` tries more seeds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.campaign import MOST_MB, try_kind
from tests.fuzz.kinds import KINDS

SECONDS = 7
"""The longest for one kind, a minute for all eight: on a slow machine fewer of its inputs are tried."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_inputs_are_taken_or_refused(kind: str, tmp_path: Path) -> None:
    tally = try_kind(kind, 0, KINDS[kind].n, SECONDS, tmp_path)
    assert not tally.failures, "\n".join(tally.failures[:5])
    assert tally.outcomes["taken"] and tally.outcomes["refused"], (
        "a harness that takes or refuses all tries nothing"
    )


def test_a_kinds_memory_is_its_own(tmp_path: Path) -> None:
    """Not that of the process which starts it: Linux hands `ru_maxrss` down."""
    held = np.ones((MOST_MB + 100) * 2**20, dtype=np.uint8)
    tally = try_kind("rankings", 0, 2, SECONDS, tmp_path)
    assert held[-1] and not tally.failures and not tally.outcomes["memory"]
