"""The worker as a process of its own: it can crash, be killed or run out of memory, and the app lives.

The process is spawned, not forked, and talks over one pipe whose far end the parent closes for itself: so a
kill is noticed at once, on either side. A worker never outlives its app. What it writes to stderr goes to a
file, the end of which tells why it died. Knows processes and pipes, not messages.
"""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import pickle
import select
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from gazeviz.backend.client import CANCEL_PATIENCE_S, STOP_PATIENCE_S, Client, Ending, Listener, Transport
from gazeviz.backend.engine_adapter import Load, load_engine

# The first lines of a worker process: bound to its app before anything slow is imported.
#
# What a worker computes is in gazeviz.backend.worker; the app's side of the process in
# gazeviz.backend.process. This module imports nothing but the standard library, because until it runs
# nothing would end a process whose app is gone.


_NICER: Final = 5
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def begin(connection: Connection, stderr_path: str, load: bytes, *, dies_with_starter: bool) -> None:
    """Be a worker: the process's whole life.

    load: what loads models (gazeviz.backend.engine_adapter.Load), pickled; read once the process is bound.
    dies_with_starter: the thread that starts this process lives as long as its app does.
    """
    # The app decides what Ctrl+C in its terminal means; the terminal sends it to this process too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_way_to_the_screen()
    _end_with_the_app(dies_with_starter)
    _send_stderr_to(stderr_path)
    from gazeviz.backend.worker import Worker

    exit_code = Worker(PipeChannel(connection), pickle.loads(load)).serve()
    sys.stderr.flush()
    os._exit(exit_code)  # a device in a bad state can hang its own tidying up


class PipeChannel:
    """The worker's end of the pipe: gazeviz.backend.worker.Channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wait(self) -> None:
        """Wait until there is a message, or the app is gone."""
        self._connection.poll(None)

    def pending(self) -> bool:
        """Whether `receive` would return or raise at once."""
        return self._connection.poll(0)

    def receive(self) -> bytes:
        """Take a message; EOFError when the app is gone."""
        return self._connection.recv_bytes()

    def send(self, payload: bytes) -> None:
        """Send a message; OSError when the app is gone."""
        self._connection.send_bytes(payload)

    def leave(self, exit_code: int) -> None:
        """End the process at once, from the listening thread: there is nothing in it that must be saved.

        Nothing gentler ends a computation in the middle of a pass.
        """
        os._exit(exit_code)


def _give_way_to_the_screen() -> None:
    """Where both want the same core the screen goes first: it needs little, and a person waits for it."""
    if sys.platform != "win32":
        os.nice(_NICER)


def _end_with_the_app(dies_with_starter: bool) -> None:
    """See to it that this process ends when its app does, in the middle of whatever it is doing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("a worker process needs a parent that it works for")
    if sys.platform == "linux" and dies_with_starter:
        # The kernel needs no interpreter lock, which an import or a busy machine can hold for seconds. It
        # watches the thread that started this process, hence the condition.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The sentinel tells of a death before that call, and of every death elsewhere.
    threading.Thread(target=_wait_and_end, args=(parent.sentinel,), name="app watcher", daemon=True).start()


def _wait_and_end(app_gone: int) -> None:
    wait([app_gone])
    os._exit(0)


def _send_stderr_to(path: str) -> None:
    """Let everything written to stderr, by C code too, go to a file; a crash leaves its traceback there."""
    target = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(target, 2)
    os.close(target)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    faulthandler.enable(file=sys.stderr)


_TAIL_BYTES: Final = 8192
_AT_ONCE_BYTES: Final = 2000
"""A pipe with any room has room for so much: its low-water mark is 2048 bytes on macOS, more on Linux."""


class ProcessBackend(Client):
    """Runs the engine in a spawned process.

    load: what loads models there; it crosses to the process by its name, so it must be importable.
    """

    def __init__(
        self, listener: Listener, *, load: Load = load_engine, cancel_patience_s: float = CANCEL_PATIENCE_S
    ) -> None:
        super().__init__(listener, cancel_patience_s=cancel_patience_s)
        self._load = load

    def _open(self) -> Transport:
        return ProcessTransport(self._load)


class ProcessTransport:
    """One spawned worker, its pipe and the file of its stderr."""

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        pickled = pickle.dumps(load)
        handle, name = tempfile.mkstemp(prefix="gazeviz-worker-", suffix=".log")
        os.close(handle)
        self._stderr = Path(name)
        self._connection, far_end = context.Pipe(duplex=True)
        self._process = context.Process(
            target=begin,
            args=(far_end, name, pickled),
            kwargs={"dies_with_starter": threading.current_thread() is threading.main_thread()},
            name="gazeviz worker",
            daemon=True,
        )
        try:
            self._process.start()
        except BaseException:
            self._connection.close()
            self._stderr.unlink(missing_ok=True)
            raise
        finally:
            # With this copy open, the worker's death would never end our reading.
            far_end.close()
        self._pid = self._process.pid

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._pid

    def write(self, payload: bytes) -> None:
        """Send a message; waits while the pipe is full, OSError when the worker is gone."""
        self._connection.send_bytes(payload)

    def write_at_once(self, payload: bytes) -> bool:
        """Send a small message if the pipe has room for it; the loss of the worker is the reader's to see."""
        if sys.platform == "win32" or len(payload) > _AT_ONCE_BYTES:
            return False  # a pipe of Windows does not say whether it has room
        try:
            if not select.select((), (self._connection,), (), 0)[1]:
                return False
            self._connection.send_bytes(payload)
        except (OSError, ValueError):  # ValueError: the number of the pipe is beyond what select can take
            return False
        return True

    def read(self) -> bytes:
        """Wait for a message; EOFError or OSError when the worker is gone."""
        return self._connection.recv_bytes()

    def terminate(self) -> None:
        """Make the worker end now (SIGTERM, which it does not catch)."""
        with suppress(ValueError):  # it is gone and put away already
            self._process.terminate()

    def kill(self) -> None:
        """Make the worker end now (SIGKILL)."""
        with suppress(ValueError):
            self._process.kill()

    def close(self) -> Ending:
        """Wait until the process is gone, and tell how it went."""
        self._process.join(STOP_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        tail = self._stderr_tail()
        self._process.close()
        self._connection.close()
        self._stderr.unlink(missing_ok=True)
        return Ending(code, _signal_name(code), tail)

    def _stderr_tail(self) -> str:
        try:
            with self._stderr.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _TAIL_BYTES))
                return file.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""


def _signal_name(exit_code: int | None) -> str | None:
    """Name of the signal that ended a process, None where it ended by itself."""
    if exit_code is None or exit_code >= 0:
        return None
    with suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
