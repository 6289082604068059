"""The worker in a thread of this process: the same loop, for notebooks, tests and machines without spawn.

It cannot be killed in the middle of a pass, and what crashes it crashes all; screens use the process.
"""

from __future__ import annotations

import queue
import threading
from collections import deque

from gazeviz.backend.client import CANCEL_PATIENCE_S, STOP_PATIENCE_S, Client, Ending, Listener, Transport
from gazeviz.backend.engine_adapter import Load, load_engine
from gazeviz.backend.worker import Worker


class InProcessBackend(Client):
    """Runs the engine in a thread."""

    def __init__(
        self, listener: Listener, *, load: Load = load_engine, cancel_patience_s: float = CANCEL_PATIENCE_S
    ) -> None:
        super().__init__(listener, cancel_patience_s=cancel_patience_s)
        self._load = load

    def _open(self) -> Transport:
        return ThreadTransport(self._load)


class ThreadTransport:
    """A worker thread and two queues. None in a queue: nothing more will come."""

    pid = None

    def __init__(self, load: Load) -> None:
        self._to_worker: deque[bytes | None] = deque()
        self._written = threading.Condition()
        self._to_app: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._parted: Ending | None = None
        self._exit_code: int | None = None
        self._thread = threading.Thread(target=self._serve, args=(load,), name="worker", daemon=True)
        self._thread.start()

    def write(self, payload: bytes) -> None:
        """Hand a message to the worker."""
        self._hand_over(payload)

    def write_at_once(self, payload: bytes) -> bool:
        """Hand a message to the worker, which never takes waiting."""
        self._hand_over(payload)
        return True

    def read(self) -> bytes:
        """Wait for the worker's next message; EOFError when it has ended."""
        payload = self._to_app.get()
        if payload is None:
            raise EOFError
        return payload

    def terminate(self) -> None:
        """Part with the worker; its thread ends when it next looks up."""
        self._part(Ending(-15, "SIGTERM"))

    def kill(self) -> None:
        """Part with the worker; its thread ends when it next looks up."""
        self._part(Ending(-9, "SIGKILL"))

    def close(self) -> Ending:
        """Wait a while for the thread, which can be in the middle of a pass."""
        self._gone.set()
        self._hand_over(None)
        self._thread.join(STOP_PATIENCE_S)
        return self._parted or Ending(self._exit_code)

    # The worker's end: gazeviz.backend.worker.Channel

    def wait(self) -> None:
        """Wait until the app has sent something, or has parted."""
        with self._written:
            self._written.wait_for(lambda: self._to_worker)

    def pending(self) -> bool:
        """Whether `receive` would return or raise at once."""
        return bool(self._to_worker)

    def receive(self) -> bytes:
        """Take the app's next message; EOFError when the app has parted."""
        payload = self._to_worker[0]
        if payload is not None:  # the mark of the end stays for whoever looks next
            self._to_worker.popleft()
        if payload is None or self._gone.is_set():
            raise EOFError
        return payload

    def send(self, payload: bytes) -> None:
        """Hand a message to the app; BrokenPipeError when it has parted."""
        if self._gone.is_set():
            raise BrokenPipeError
        self._to_app.put(payload)

    def leave(self, exit_code: int) -> None:
        """A thread cannot be ended from another one: it ends when it next looks into its inbox."""

    def _serve(self, load: Load) -> None:
        self._exit_code = Worker(self, load).serve()
        self._hand_over(None)
        self._to_app.put(None)

    def _hand_over(self, payload: bytes | None) -> None:
        with self._written:
            self._to_worker.append(payload)
            self._written.notify()

    def _part(self, ending: Ending) -> None:
        self._parted = ending
        self._gone.set()
        self._hand_over(None)
        self._to_app.put(None)
