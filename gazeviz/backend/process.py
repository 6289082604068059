"""The worker as a process of its own: it can crash, be killed or run out of memory, and the app lives.

The process is spawned, not forked, and talks over one pipe whose far end the parent closes for itself: so a
kill is noticed at once, on either side. A worker never outlives its app. What it writes to stderr goes to a
file, the end of which tells why it died. Knows processes and pipes, not messages.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import select
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from gazeviz.backend.base import CANCEL_PATIENCE_S, STOP_PATIENCE_S, Client, Ending, Link, Listener
from gazeviz.backend.machine import Load, load_engine
from gazeviz.backend.worker_process import begin

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

    def _open(self) -> Link:
        return ProcessLink(self._load)


class ProcessLink:
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
