"""The first lines of a worker process: bound to its app before anything slow is imported.

What a worker computes is in gazeviz.backend.worker; the app's side of the process in gazeviz.backend.process.
This module imports nothing but the standard library, because until it runs nothing would end a process whose
app is gone.
"""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection, wait
from typing import Final

_NICER: Final = 5
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def begin(connection: Connection, stderr_path: str, load: bytes, *, dies_with_starter: bool) -> None:
    """Be a worker: the process's whole life.

    load: what loads models (gazeviz.backend.machine.Load), pickled; read once the process is bound.
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
