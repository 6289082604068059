"""The inbox: order of work, urgency, cancels before and after the beginning."""

import threading

from gazeviz.backend.worker import Inbox
from gazeviz.domain.messages import (
    AskMap,
    Cancel,
    Discover,
    Generate,
    GenerateSpec,
    LoadModel,
    Retarget,
    StripsSource,
)

SPEC = GenerateSpec("ab", "?")
ASK = AskMap(9, 1, (0,))


def filled(*requests: object) -> Inbox:
    inbox = Inbox()
    for request in requests:
        inbox.put(request)  # type: ignore[arg-type]
    return inbox


def test_work_is_taken_in_order_and_questions_apart() -> None:
    inbox = filled(Generate(1, SPEC), ASK, Generate(2, SPEC))
    assert inbox.next_urgent() == ASK
    assert inbox.next_urgent() is None
    assert [inbox.next_work(busy=True).job for _ in range(2)] == [1, 2]  # type: ignore[union-attr]
    assert inbox.next_work(busy=False) is None


def test_what_needs_the_model_for_itself_waits_and_holds_back_what_is_behind_it() -> None:
    for exclusive in (LoadModel(1), Discover(1, StripsSource("builtin", 2))):
        inbox = filled(exclusive, Generate(2, SPEC))
        assert inbox.next_work(busy=True) is None
        assert inbox.next_work(busy=False) == exclusive
        assert inbox.next_work(busy=True) == Generate(2, SPEC)


def test_a_cancel_ends_what_has_not_begun_and_marks_what_has() -> None:
    inbox = filled(Generate(1, SPEC), Generate(2, SPEC))
    inbox.next_work(busy=False)
    assert inbox.put(Cancel(2)) == 2
    assert inbox.next_work(busy=False) is None
    assert inbox.put(Cancel(1)) is None
    assert inbox.is_cancelled(1)
    inbox.forget(1)
    assert not inbox.is_cancelled(1)


def test_a_change_of_target_is_overdue_from_the_token_that_it_was_due_for() -> None:
    inbox = filled(ASK, Retarget(2, None, due=1), Retarget(1, None, due=5), Retarget(1, None, due=6))
    assert inbox.next_overdue(1, 4) is None
    assert inbox.next_overdue(1, 5) == Retarget(1, None, due=5)
    assert inbox.next_overdue(1, 5) is None
    assert [inbox.next_urgent() for _ in range(3)] == [
        ASK,
        Retarget(2, None, due=1),
        Retarget(1, None, due=6),
    ]


def test_a_change_that_is_due_whenever_is_never_overdue_and_is_not_overtaken() -> None:
    inbox = filled(Retarget(1, None), Retarget(1, None, due=2))
    assert inbox.next_overdue(1, 9) is None


def test_what_waits_can_be_told() -> None:
    inbox = filled(Generate(1, SPEC))
    assert inbox.is_waiting(1)
    inbox.next_work(busy=False)
    assert not inbox.is_waiting(1)


def test_whoever_waits_wakes_up_for_a_request_and_for_the_end() -> None:
    for wake in (lambda inbox: inbox.put(ASK), lambda inbox: inbox.close()):
        inbox = Inbox()
        waiting = threading.Thread(target=inbox.wait)
        waiting.start()
        wake(inbox)
        waiting.join(10)
        assert not waiting.is_alive()


def test_at_the_end_every_job_counts_as_cancelled() -> None:
    inbox = Inbox()
    inbox.close()
    assert inbox.closed
    assert inbox.is_cancelled(7)
