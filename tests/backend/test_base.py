"""The client's bookkeeping, on a link that does what the test says."""

import queue
import threading

import pytest

from gazeviz.backend.client import Client, Ending, Transport, WorkerEnded, WorkerStarted
from gazeviz.backend.wire import decode, encode
from gazeviz.domain.messages import (
    AskMap,
    Cancel,
    Event,
    Failed,
    Generate,
    GenerateSpec,
    Hello,
    JobCancelled,
    JobProgress,
    MapReady,
    OpenPicture,
    PictureSource,
    Retarget,
    Shutdown,
)
from gazeviz.errors import UserError
from tests.backend.listening import Heard
from tests.patience import PATIENCE_S, wait_until

GENERATE = Generate(1, GenerateSpec("ab", "?"))


class Puppet:
    """A link that notes what is sent, and says what it is told to."""

    pid = 4711

    def __init__(self, *, obeys: bool = True) -> None:
        self.sent: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.ending = Ending()
        self._obeys = obeys
        self._events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.full, self.broken = threading.Event(), threading.Event()
        self.sent_by: list[str] = []

    def write(self, payload: bytes) -> None:
        if self.full.is_set():
            assert self.broken.wait(PATIENCE_S)
            raise BrokenPipeError
        request = decode(payload)
        self.sent.put(request)
        if isinstance(request, Shutdown) and self._obeys:
            self._events.put(None)

    def write_at_once(self, payload: bytes) -> bool:
        if self.full.is_set():
            return False
        self.sent_by.append(threading.current_thread().name)
        self.write(payload)
        return True

    def say(self, event: Event) -> None:
        self._events.put(encode(event))

    def read(self) -> bytes:
        payload = self._events.get()
        if payload is None:
            raise EOFError
        return payload

    def terminate(self) -> None:
        self.end(Ending(-15, "SIGTERM"))

    def kill(self) -> None:
        self.end(Ending(-9, "SIGKILL", "last words"))

    def end(self, ending: Ending) -> None:
        self.ending = ending
        self._events.put(None)

    def close(self) -> Ending:
        return self.ending


class PuppetBackend(Client):
    def __init__(self, heard: Heard, *, obeys: bool = True) -> None:
        super().__init__(heard, cancel_patience_s=0.05)
        self.puppet = Puppet(obeys=obeys)

    def _open(self) -> Transport:
        self.puppet = Puppet(obeys=self.puppet._obeys)
        return self.puppet


def test_it_begins_with_who_is_there_and_what_is_spoken(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        assert heard.until(WorkerStarted) == WorkerStarted(4711)
        assert backend.puppet.sent.get() == Hello()
        assert backend.running
        with pytest.raises(RuntimeError, match="already"):
            backend.start()
    assert not backend.running


def test_jobs_are_open_until_their_ending_event(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        for request in (GENERATE, AskMap(2, 1, (0,)), Retarget(1, None)):
            assert backend.send(request)
        assert list(backend.open_jobs) == [1, 2]
        backend.puppet.say(JobProgress(1, 1, 2, "half"))
        backend.puppet.say(MapReady(2, []))  # type: ignore[arg-type]
        heard.until(MapReady, 2)
        assert list(backend.open_jobs) == [1]
        backend.puppet.say(Failed(1, "run", "No."))
        heard.until(Failed, 1)
        assert list(backend.open_jobs) == []


def test_a_loss_names_all_that_was_open_and_the_last_words(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        backend.send(GENERATE)
        backend.send(AskMap(2, 1, (0,)))
        backend.kill()
        assert heard.until(WorkerEnded) == WorkerEnded(-9, "SIGKILL", "last words", 1, (1, 2))
        assert list(backend.open_jobs) == []
        assert not backend.send(GENERATE)
        backend.restart()
        assert backend.running
        assert backend.send(GENERATE)


def test_an_end_that_was_asked_for_is_no_loss(heard: Heard) -> None:
    backend = PuppetBackend(heard)
    backend.start()
    backend.send(GENERATE)
    backend.stop()
    backend.stop()
    heard.take_all()  # its threads have ended: nothing else will come
    assert not heard.of(WorkerEnded)
    assert not backend.send(GENERATE)


def test_a_worker_that_does_not_end_is_killed(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gazeviz.backend.client.STOP_PATIENCE_S", 0.05)
    backend = PuppetBackend(heard, obeys=False)
    backend.start()
    backend.stop()
    assert backend.puppet.ending.signal_name == "SIGKILL"


def test_an_unanswered_cancel_ends_the_worker(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        backend.send(AskMap(2, 1, (0,)))
        backend.send(GENERATE)
        backend.send(Cancel(1))
        lost = heard.until(WorkerEnded)
        assert (lost.signal_name, lost.job, lost.jobs, lost.cancelled) == ("SIGTERM", 1, (2, 1), True)


def patience_timers() -> list[threading.Thread]:
    """What would end a worker that does not answer."""
    return [thread for thread in threading.enumerate() if thread.name == "cancel patience"]


def test_an_answered_cancel_ends_nothing(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        backend.send(GENERATE)
        backend.send(Cancel(1))
        backend.send(Cancel(1))
        backend.puppet.say(JobCancelled(1))
        heard.until(JobCancelled, 1)
        backend.send(Cancel(1))  # of a job that has ended
        wait_until(lambda: not patience_timers())
    heard.take_all()
    assert not heard.of(WorkerEnded)


def test_a_caller_never_waits_for_a_full_pipe(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gazeviz.backend.client.STOP_PATIENCE_S", 0.05)
    with PuppetBackend(heard) as backend:
        backend.puppet.full.set()
        assert backend.send(GENERATE)  # returns although nothing reads
        backend.puppet.broken.set()


def test_what_can_go_at_once_is_sent_by_its_caller(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        assert backend.puppet.sent.get() == Hello()
        talk = backend._talk
        assert talk is not None
        wait_until(lambda: not talk._n_unsent)  # the greeting is written; its thread has still to say so
        backend.send(GENERATE)
        assert backend.puppet.sent_by == [threading.current_thread().name]


def test_nothing_overtakes_what_waits_for_the_pipe(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        puppet = backend.puppet
        assert puppet.sent.get() == Hello()
        writing, go_on = threading.Event(), threading.Event()
        write = puppet.write

        def slow_write(payload: bytes) -> None:
            writing.set()
            go_on.wait(PATIENCE_S)
            write(payload)

        puppet.write = slow_write  # type: ignore[method-assign]
        puppet.write_at_once = lambda payload: False  # type: ignore[method-assign]
        backend.send(GENERATE)
        assert writing.wait(PATIENCE_S)
        puppet.write_at_once = lambda payload: bool(write(payload)) or True  # type: ignore[method-assign]
        backend.send(Retarget(1, None))
        backend.send(Cancel(1))
        go_on.set()
        sent = [puppet.sent.get(timeout=PATIENCE_S) for _ in range(3)]
        assert sent == [GENERATE, Retarget(1, None), Cancel(1)]


def test_a_large_request_is_refused_and_opens_no_job(heard: Heard) -> None:
    with PuppetBackend(heard) as backend:
        with pytest.raises(UserError, match="MB"):
            backend.send(OpenPicture(3, PictureSource("ab", "photo", data=bytes(11_000_000))))
        assert list(backend.open_jobs) == []


def test_a_listener_cannot_stop_what_it_listens_to() -> None:
    errors: list[Exception] = []

    def stop_it(event: object) -> None:
        if isinstance(event, WorkerStarted):
            ready.wait()
            try:
                backend.restart()
            except RuntimeError as error:
                errors.append(error)

    ready = threading.Event()
    backend = PuppetBackend(stop_it)  # type: ignore[arg-type]
    backend.start()
    ready.set()
    wait_until(lambda: errors)
    assert "listener" in str(errors[0])
    assert backend.running
    backend.stop()
