"""The worker's end of a line that is its own standard input and output.

Nothing else may print there: what does, in Python or in C, goes to stderr. The worker ends when its input
does, or when nothing has come for a while: a line can break without either end being told, and a model must
not keep a GPU for nobody.
"""

from __future__ import annotations

import faulthandler
import os
import select
import shutil
import sys
import tempfile
import threading
import time
from typing import Final, NoReturn

from gazeviz import __version__
from gazeviz.backend.engine_adapter import Load, load_engine
from gazeviz.backend.message_codec import WireError
from gazeviz.backend.remote.frames import LINE_PATIENCE_S, FrameReader, Greeting, framed
from gazeviz.backend.worker import Listing, Worker
from gazeviz.domain.messages import PROTOCOL

_CHUNK_BYTES: Final = 2**20
_LOOK_S: Final = 0.005


class StdioChannel:
    """Messages over two file descriptors: gazeviz.backend.worker.Channel.

    patience_s: how long nothing may come before the other end counts as gone.
    folder: where temporary files lie; removed at the end.
    """

    def __init__(
        self, read_fd: int, write_fd: int, *, patience_s: float = LINE_PATIENCE_S, folder: str | None = None
    ) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._patience_s = patience_s
        self.folder = folder
        self._frames = FrameReader()
        self._over = False
        self._leaving = threading.Lock()

    def greet(self) -> None:
        """Say who is there, before anything slow is done."""
        self._write(Greeting(PROTOCOL, __version__).line())

    def wait(self) -> None:
        """Wait until something has come, or nothing more will: also because nothing came for too long."""
        if not self._over and not readable(self._read_fd, self._patience_s):
            self._over = True

    def pending(self) -> bool:
        """Whether `receive` would return or raise at once; takes in what has come."""
        while not self._frames.has_message and not self._over and readable(self._read_fd, 0.0):
            data = os.read(self._read_fd, _CHUNK_BYTES)
            if not data:
                self._over = True
            self._frames.feed(data)
        return self._over or self._frames.has_message

    def receive(self) -> bytes:
        """Take a message; EOFError when the app is gone."""
        payload = self._frames.next()
        if payload is None:
            raise EOFError
        return payload

    def send(self, payload: bytes) -> None:
        """Send a message; OSError when the app is gone."""
        self._write(framed(payload))

    def leave(self, exit_code: int) -> None:
        """End the process at once; nothing gentler ends a computation in the middle of a pass."""
        self._leaving.acquire()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(exit_code)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._write_fd, left) :]


def readable(fd: int, timeout_s: float) -> bool:
    """Whether a read from a pipe or socket returns at once, waiting for that as long as is said."""
    if sys.platform == "win32":
        deadline_s = time.monotonic() + timeout_s
        while not _has_bytes(fd):
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_LOOK_S)  # a pipe of Windows can be looked at, not waited for
        return True
    else:
        return bool(select.select((fd,), (), (), timeout_s)[0])


def _has_bytes(fd: int) -> bool:
    """Windows: whether there is something in a pipe, or nobody at its other end."""
    import ctypes
    import msvcrt

    n_bytes = ctypes.c_ulong()
    handle = msvcrt.get_osfhandle(fd)  # type: ignore[attr-defined]
    there = ctypes.windll.kernel32.PeekNamedPipe(  # type: ignore[attr-defined]
        handle, None, 0, None, ctypes.byref(n_bytes), None
    )
    return not there or n_bytes.value > 0


def own_line() -> tuple[int, int]:
    """Take standard input and output for messages; prints go to stderr, and reads of input find its end."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":
        import msvcrt

        for fd in (read_fd, write_fd):
            msvcrt.setmode(fd, os.O_BINARY)
    return read_fd, write_fd


def serve(load: Load = load_engine, listing: Listing | None = None) -> NoReturn:
    """Be a worker on standard input and output: the process's whole life."""
    channel = StdioChannel(*own_line(), folder=tempfile.mkdtemp(prefix="gazeviz-worker-"))
    tempfile.tempdir = channel.folder
    faulthandler.enable(file=sys.stderr)
    exit_code = 1
    try:
        channel.greet()
        exit_code = Worker(channel, load, listing).serve()
    except (OSError, WireError) as error:
        print(error, file=sys.stderr)
    sys.stderr.flush()
    channel.leave(exit_code)  # a device in a bad state can hang its own tidying up
    raise AssertionError("the process has ended")
