"""Jobs: every event comes to whoever asked, the end of a worker too."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from gazeviz.app.runs.worker_jobs import Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.messages import JobCancelled, JobProgress, LoadModel
from gazeviz.errors import UserError

LOST = WorkerEnded(-9, "SIGKILL", "", None)


class Kept(list[Any]):
    """Keeps what it is called with; as a way to send, it always finds a worker."""

    def __call__(self, message: object) -> bool:
        self.append(message)
        return True


def test_events_come_to_who_asked_until_the_end():
    jobs, sent = Jobs(), Kept()
    jobs.send_through(sent)
    first, second = Kept(), Kept()
    a, b = jobs.ask(LoadModel, first), jobs.ask(LoadModel, second)
    assert [request.job for request in sent] == [a, b] and a != b
    jobs.hear(JobProgress(a, 1, 2, "half"))
    jobs.hear(JobCancelled(a))
    jobs.hear(JobProgress(a, 2, 2, "too late"))
    jobs.hear(JobProgress(999, 1, 1, "nobody's"))
    assert [type(event) for event in first] == [JobProgress, JobCancelled] and not second


def test_a_lost_worker_is_told_to_everybody_once():
    jobs, heard = Jobs(), Kept()
    jobs.ask(LoadModel, heard)
    jobs.ask(LoadModel, heard)
    jobs.lose(LOST)
    jobs.lose(LOST)
    assert heard == [LOST, LOST]


def test_a_worker_that_is_ended_on_purpose_cancels():
    jobs, heard = Jobs(), Kept()
    job = jobs.ask(LoadModel, heard)
    jobs.cancel_all()
    assert heard == [JobCancelled(job)]


def test_who_asks_again_while_hearing_of_the_loss_is_heard_by_the_next_worker():
    jobs, later = Jobs(), Kept()

    def ask_again(event):
        jobs.ask(LoadModel, later)

    jobs.ask(LoadModel, ask_again)
    jobs.lose(LOST)
    assert later == []
    jobs.lose(LOST)
    assert later == [LOST]


def test_a_request_that_cannot_be_sent_opens_no_job():
    def too_large(request):
        raise UserError("This request has 99 MB.", next_step="Use fewer regions.")

    jobs, heard = Jobs(), Kept()
    jobs.send_through(too_large)
    with pytest.raises(UserError, match="99 MB"):
        jobs.ask(LoadModel, heard)
    jobs.lose(LOST)
    assert heard == []


def test_what_was_refused_is_no_longer_said_once_it_is_done():
    model = SessionModel()

    def refuse() -> None:
        raise UserError("It cannot be.", next_step="Try it otherwise.")

    assert not notices.attempt(model, refuse, "picture")
    refused = model.notice
    assert notices.attempt(model, lambda: None, "heads") and model.notice is refused, (
        "that is about something else"
    )
    assert notices.attempt(model, lambda: None, "picture")
    assert (refused is None, model.notice is None) == (False, True)
    notices.attempt(model, refuse, "picture")
    notices.attempt(
        model, lambda: notices.say(model, "error", "It is done, almost.", about="picture"), "picture"
    )
    assert [model.notice.sentence if model.notice else ""] == ["It is done, almost."]


def test_nobody_waits_for_the_log_and_what_goes_wrong_is_shown_in_the_screens_thread(qtbot, temporary_log):
    model = SessionModel()
    written: Future[None] = Future()
    refused: Future[None] = Future()
    shown_in: list[threading.Thread] = []
    model.notice_changed.connect(lambda: shown_in.append(threading.current_thread()))
    notices.watch(model, written)
    notices.watch(model, refused)
    written.set_result(None)
    error = UserError("The disk is full.", next_step="Free some room.")
    failing = threading.Thread(target=lambda: refused.set_exception(error))
    failing.start()
    failing.join()
    said = lambda: [(notice.sentence, notice.about) for notice in [model.notice] if notice]  # noqa: E731
    assert said() == []
    qtbot.waitUntil(lambda: said() == [("The disk is full.", "log")])
    assert shown_in == [threading.current_thread()]
