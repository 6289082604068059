"""What the app knows of whoever runs the engine, and the bookkeeping that all of them share.

`Backend` is the protocol, `Client` its one implementation: it keeps which jobs are open, delivers events from
one reader thread, ends a worker that does not answer a cancel, and says what was lost when a worker is gone.
What a worker is made of (a process, a thread) is a `Transport`, which the subclasses open.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

from gazeviz.backend.message_codec import WireError
from gazeviz.backend.wire import decode, encode
from gazeviz.domain.messages import ENDING, WITHOUT_ANSWER, Cancel, Event, Hello, Request, Shutdown

CANCEL_PATIENCE_S: Final = 5.0
"""How long a worker may leave a cancel unanswered before it is ended."""

STOP_PATIENCE_S: Final = 2.0
"""How long a worker may take to end by itself before it is killed."""


@dataclass(frozen=True)
class WorkerStarted:
    """A worker is there; Ready follows when it listens. pid: None where it is no process of its own."""

    pid: int | None


@dataclass(frozen=True)
class WorkerEnded:
    """The worker is gone without having been asked to end. What it had loaded is gone with it.

    exit: as multiprocessing reports it, negative for a signal; None where it is no process.
    signal_name: "SIGKILL", say, where a signal ended it.
    stderr_tail: the end of what it wrote to stderr.
    job: the oldest job that was open; jobs: all of them. Nothing more is heard of any.
    cancelled: it was ended because it did not answer a cancel (of `job`).
    sentence, next_step: what happened and what helps, where more is known than how it ended.
    """

    exit: int | None
    signal_name: str | None
    stderr_tail: str
    job: int | None
    jobs: tuple[int, ...] = ()
    cancelled: bool = False
    sentence: str = ""
    next_step: str = ""


BackendEvent: TypeAlias = Event | WorkerStarted | WorkerEnded
Listener: TypeAlias = Callable[[BackendEvent], None]


class Backend(Protocol):
    """Whoever runs the engine. Events go to the listener, from one thread that is not the caller's."""

    def start(self) -> None:
        """Begin a worker; answered by WorkerStarted, then Ready."""

    def send(self, request: Request) -> bool:
        """Hand over a request without waiting; False when there is no worker (a WorkerLost is on its way).

        Raises UserError for a request that is too large to hand over.
        """

    def stop(self) -> None:
        """End the worker, whatever it is doing, and wait until it is gone; no event follows."""

    def restart(self) -> None:
        """End the worker if there is one, and begin another."""

    def kill(self) -> None:
        """End the worker without a word to it; answered by WorkerLost."""


@dataclass(frozen=True)
class Ending:
    """How a worker ended; see WorkerLost."""

    exit: int | None = None
    signal_name: str | None = None
    stderr_tail: str = ""
    sentence: str = ""
    next_step: str = ""


class Transport(Protocol):
    """One conversation with one worker."""

    @property
    def pid(self) -> int | None: ...

    def write(self, payload: bytes) -> None:
        """Send a message; OSError when the worker is gone."""

    def write_at_once(self, payload: bytes) -> bool:
        """Send a small message if that takes no waiting; False where it was not sent."""

    def read(self) -> bytes:
        """Wait for a message; EOFError or OSError when the worker is gone."""

    def terminate(self) -> None:
        """Make the worker end now; returns at once."""

    def kill(self) -> None:
        """Make the worker end now, whatever it thinks of that; returns at once."""

    def close(self) -> Ending:
        """Wait until the worker is gone and say how it ended; called once, from the reader thread."""


class Client(ABC):
    """The bookkeeping of a backend; see the module's text.

    Subclasses open the link. All methods may be called from any thread but the listener's.
    """

    def __init__(self, listener: Listener, *, cancel_patience_s: float = CANCEL_PATIENCE_S) -> None:
        self._listener = listener
        self._patience_s = cancel_patience_s
        self._talk: _Connection | None = None

    def start(self) -> None:
        """Begin a worker; RuntimeError when there is one."""
        if self.running:
            raise RuntimeError("there is a worker already")
        self._talk = _Connection(self._open(), self._listener, self._patience_s)

    def send(self, request: Request) -> bool:
        """Hand over a request; see Backend."""
        for part in self._parts(request):
            payload = encode(part)
            if self._talk is None or not self._talk.say(part, payload):
                return False
        return True

    def stop(self) -> None:
        """End the worker and wait until it is gone; without effect where there is none."""
        if self._talk is not None:
            self._talk.part()
            self._talk = None

    def restart(self) -> None:
        """End the worker if there is one, and begin another."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End the worker without a word to it; without effect where there is none."""
        if self._talk is not None:
            self._talk.link.kill()

    @property
    def running(self) -> bool:
        """Whether there is a worker that has not been lost."""
        return self._talk is not None and not self._talk.over

    @property
    def open_jobs(self) -> tuple[int, ...]:
        """Jobs that were sent and have not ended, oldest first."""
        return self._talk.open_jobs if self._talk is not None else ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _parts(self, request: Request) -> Iterable[Request]:
        """What is sent for a request; more than itself where the worker cannot read this machine's files."""
        return (request,)

    @abstractmethod
    def _open(self) -> Transport:
        """Begin a worker."""


class _Connection:
    """One link and its two threads: one only hears, one writes, so that no caller waits for a full pipe.

    What can be sent without waiting is sent by the caller itself: waking a thread up takes longer, and a new
    target or a cancel is for the very next token.
    """

    def __init__(self, link: Transport, listener: Listener, patience_s: float) -> None:
        self.link = link
        self.over = False
        self._listener = listener
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._jobs: dict[int, threading.Timer | None] = {}
        self._overdue: int | None = None
        self._unreadable = ""
        self._parting = False
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outgoing.put(encode(Hello()))
        self._n_unsent = 1
        self._reader = threading.Thread(target=self._read, name="worker reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="worker writer", daemon=True)
        self._reader.start()
        self._writer.start()

    @property
    def open_jobs(self) -> tuple[int, ...]:
        with self._lock:
            return tuple(self._jobs)

    def say(self, request: Request, payload: bytes) -> bool:
        """Note what the request opens, and send it after all before it; False when the worker is gone."""
        with self._lock:
            if self.over:
                return False
            if isinstance(request, Cancel):
                self._expect_answer(request.job)
            elif not isinstance(request, WITHOUT_ANSWER):
                self._jobs[request.job] = None
            if self._n_unsent or not self.link.write_at_once(payload):
                self._n_unsent += 1
                self._outgoing.put(payload)
        return True

    def part(self) -> None:
        """End the worker and both threads; no event about it."""
        if threading.current_thread() is self._reader:
            raise RuntimeError("a backend cannot be stopped by its own listener")
        with self._lock:
            self._parting = True
            self._outgoing.put(encode(Shutdown()))
        self._reader.join(STOP_PATIENCE_S)
        if self._reader.is_alive():
            self.link.kill()
        self._reader.join()
        self._outgoing.put(None)
        self._writer.join()

    def _expect_answer(self, job: int) -> None:
        """Begin to count the patience with a cancelled job, once."""
        if job in self._jobs and self._jobs[job] is None:
            timer = threading.Timer(self._patience_s, self._lose_patience, (job,))
            timer.name, timer.daemon = "cancel patience", True
            self._jobs[job] = timer
            timer.start()

    def _lose_patience(self, job: int) -> None:
        with self._lock:
            if job not in self._jobs or self.over:
                return
            self._overdue = job
        self.link.terminate()

    def _read(self) -> None:
        """Hear events until the worker is gone, then say what became of it."""
        try:
            self._hear()
        finally:  # also where the listener fails: the books are closed, and no worker is left behind
            lost = self._conclude(self.link.close())
            if lost is not None:
                self._listener(lost)

    def _hear(self) -> None:
        self._listener(WorkerStarted(self.link.pid))
        while True:
            try:
                event = decode(self.link.read())
            except (EOFError, OSError):
                return
            except WireError as error:
                self._unreadable = f"The worker sent what is no message: {error}."
                self.link.kill()
                return
            if isinstance(event, ENDING):
                self._close_job(event.job)
            self._listener(event)

    def _write(self) -> None:
        while (payload := self._outgoing.get()) is not None:
            try:
                self.link.write(payload)
            except OSError:
                return  # the reader sees the loss too, and tells
            with self._lock:
                self._n_unsent -= 1

    def _close_job(self, job: int) -> None:
        with self._lock:
            timer = self._jobs.pop(job, None)
        if timer is not None:
            timer.cancel()

    def _conclude(self, ending: Ending) -> WorkerEnded | None:
        """Close the books; None when the end was asked for."""
        with self._lock:
            self.over = True
            self._outgoing.put(None)
            jobs, self._jobs = self._jobs, {}
        for timer in jobs.values():
            if timer is not None:
                timer.cancel()
        if self._parting:
            return None
        job = self._overdue if self._overdue is not None else next(iter(jobs), None)
        tail = "\n".join(filter(None, (ending.stderr_tail, self._unreadable)))
        return WorkerEnded(
            ending.exit, ending.signal_name, tail, job, tuple(jobs), self._overdue is not None,
            ending.sentence, ending.next_step,
        )  # fmt: skip
