"""RedrawQueue: who draws when, and that nobody draws together."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from time import monotonic

import pytest
from PySide6.QtCore import QCoreApplication, QObject, QTimer
from shiboken6 import delete

from gazeviz.app.session.redraw_queue import GAP_MS, RedrawQueue
from tests.patience import PatientBot


@pytest.fixture
def frames(qapp: QCoreApplication) -> RedrawQueue:
    return RedrawQueue()


def test_parts_draw_one_at_a_time_and_those_due_longest_first(frames: RedrawQueue, qtbot: PatientBot) -> None:
    drawn: list[tuple[str, float]] = []

    def draw(name: str) -> None:
        drawn.append((name, monotonic()))

    for name, wait_ms in (("c", 4), ("a", 0), ("b", 2)):
        frames.part(frames, partial(draw, name)).request(wait_ms)
    qtbot.waitUntil(lambda: not frames.waiting)
    assert [name for name, _ in drawn] == ["a", "b", "c"]
    times_s = [at_s for _, at_s in drawn]
    assert all(1000 * (after - before) >= GAP_MS - 0.1 for before, after in pairwise(times_s))


def test_what_else_waits_is_heard_between_two_parts(frames: RedrawQueue, qtbot: PatientBot) -> None:
    heard: list[str] = []
    tick = QTimer(interval=1)
    tick.timeout.connect(lambda: heard.append("tick"))
    tick.start()
    for name in ("first", "second"):
        frames.part(frames, partial(heard.append, name)).request()
    qtbot.waitUntil(lambda: "second" in heard)
    tick.stop()
    assert heard[heard.index("first") + 1] == "tick"


def test_a_wish_is_one_drawing_and_only_a_sooner_one_counts(frames: RedrawQueue, qtbot: PatientBot) -> None:
    drawn: list[float] = []
    part = frames.part(frames, lambda: drawn.append(monotonic()))
    began_s = monotonic()
    part.request(60_000)
    part.request(20)
    part.request(50_000)
    assert frames.waiting
    qtbot.waitUntil(lambda: bool(drawn))
    assert drawn[0] - began_s >= 0.02 and not frames.waiting
    qtbot.until_quiet()
    assert len(drawn) == 1


def test_a_part_that_asks_again_while_it_draws_lets_the_others_draw_first(
    frames: RedrawQueue, qtbot: PatientBot
) -> None:
    drawn: list[str] = []

    def draw_again() -> None:
        drawn.append("again")
        if len(drawn) < 4:
            again.request()

    again = frames.part(frames, draw_again)
    again.request()
    frames.part(frames, lambda: drawn.append("other")).request()
    qtbot.waitUntil(lambda: not frames.waiting)
    assert drawn[:3] == ["again", "other", "again"]


def test_what_was_dropped_or_has_no_owner_any_more_does_not_draw(
    frames: RedrawQueue, qtbot: PatientBot
) -> None:
    drawn: list[str] = []
    dropped, owner = frames.part(frames, lambda: drawn.append("dropped")), QObject()
    dropped.request()
    frames.part(owner, lambda: drawn.append("gone")).request()
    delete(owner)
    dropped.drop()
    frames.part(frames, lambda: drawn.append("there")).request()
    qtbot.waitUntil(lambda: not frames.waiting)
    assert drawn == ["there"]


def test_a_bug_in_one_part_keeps_no_other_from_drawing(frames: RedrawQueue, qtbot: PatientBot) -> None:
    drawn: list[str] = []
    frames.part(frames, partial(divmod, 1, 0)).request()
    frames.part(frames, lambda: drawn.append("other")).request()
    with qtbot.captureExceptions() as caught:
        qtbot.waitUntil(lambda: not frames.waiting)
    assert drawn == ["other"] and [kind for kind, _, _ in caught] == [ZeroDivisionError]
