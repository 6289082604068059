"""The app's end of a worker on another machine: one ssh process, its input and output the line.

Keys, known hosts, jump hosts and names are ssh's business, as its own configuration says; it never asks,
because nobody may be there to answer. When the line breaks the worker is lost like any other; the next one is
begun a little later each time, for a network may need a moment to come back.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Final

from gazeviz import __version__
from gazeviz.backend.client import CANCEL_PATIENCE_S, STOP_PATIENCE_S, Client, Ending, Listener, Transport
from gazeviz.backend.message_codec import WireError
from gazeviz.backend.remote.frames import (
    SIGN_OF_LIFE_S,
    STILL_HERE,
    FrameReader,
    Greeting,
    GreetingReader,
    framed,
)
from gazeviz.backend.remote.place import WorkerPlace
from gazeviz.backend.sent_files import OutgoingFiles
from gazeviz.domain.messages import PROTOCOL, Request
from gazeviz.errors import UserError

SSH_OPTIONS: Final = (
    "-T", "-x", "-a",
    "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=15",
    "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3",
    "-o", "RequestTTY=no",
    "-o", "ClearAllForwardings=yes",
    "-o", "PermitLocalCommand=no",
)  # fmt: skip
"""No terminal, no forwarding, no questions; a line that is silent for 15 s is broken."""

WAITS_S: Final = (0.0, 1.0, 3.0, 6.0, 10.0)
"""Before each new try in a row."""

EXIT_SSH, EXIT_NOT_FOUND, EXIT_NOT_RUNNABLE, EXIT_USAGE = 255, 127, 126, 2

_CHUNK_BYTES: Final = 2**18
_AT_ONCE_BYTES: Final = 2000
_TAIL_BYTES: Final = 8192


class SshBackend(Client):
    """Runs the engine on another machine.

    options: more of ssh's options, before the host.
    Raises UserError where this machine has no ssh.
    """

    def __init__(
        self,
        listener: Listener,
        place: WorkerPlace,
        *,
        options: tuple[str, ...] = (),
        cancel_patience_s: float = CANCEL_PATIENCE_S,
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        super().__init__(listener, cancel_patience_s=cancel_patience_s)
        program = shutil.which("ssh")
        if program is None:
            raise UserError(
                "There is no ssh on this computer, so no other machine can be reached.",
                next_step="Install the OpenSSH client (Debian: sudo apt-get install openssh-client).",
            )
        self.place = place
        self._command = (program, *SSH_OPTIONS, *options, *place.ssh_arguments())
        self._waits_s = waits_s
        self._files = OutgoingFiles()
        self._tries = _Tries()

    def _parts(self, request: Request) -> Iterable[Request]:
        return self._files.parts(request)

    def _open(self) -> Transport:
        self._files = OutgoingFiles()  # what was sent went with the worker
        wait_s = self._waits_s[min(self._tries.failed, len(self._waits_s) - 1)]
        return SshTransport(self._command, self.place, self._tries, wait_s)


class _Tries:
    """How often in a row no worker answered."""

    def __init__(self) -> None:
        self.failed = 0


class SshTransport:
    """One ssh process. It is begun by whoever reads, so that no screen waits for it."""

    pid = None

    def __init__(
        self, command: tuple[str, ...], place: WorkerPlace, tries: _Tries, wait_s: float = 0.0
    ) -> None:
        self._command, self._place, self._tries, self._wait_s = command, place, tries, wait_s
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] = tempfile.TemporaryFile(prefix="gazeviz-ssh-")  # noqa: SIM115 - until `close`
        self._begun, self._unwanted = threading.Event(), threading.Event()
        self._writing = threading.Lock()
        self._greetings, self._frames = GreetingReader(), FrameReader()
        self._greeting: Greeting | None = None
        self._alive = threading.Thread(target=self._say_still_here, name="signs of life", daemon=True)

    # The writers' side

    def write(self, payload: bytes) -> None:
        """Send a message; waits until there is a line, OSError when there is none any more."""
        self._begun.wait()
        self._write(framed(payload))

    def write_at_once(self, payload: bytes) -> bool:
        """Send a small message if the pipe to ssh has room for it."""
        process = self._process
        if sys.platform == "win32" or len(payload) > _AT_ONCE_BYTES or process is None or not self._greeting:
            return False
        if not self._writing.acquire(blocking=False):
            return False
        try:
            stdin = self._stdin(process)
            if not select.select((), (stdin,), (), 0)[1]:
                return False
            os.write(stdin, framed(payload))
        except (OSError, ValueError):  # ValueError: the number of the pipe is beyond what select can take
            return False
        finally:
            self._writing.release()
        return True

    # The reader's side

    def read(self) -> bytes:
        """Wait for a message; EOFError when the worker is gone, WireError for what is no message."""
        if self._process is None:
            self._begin()
        while (payload := self._frames.next()) is None:
            assert self._process is not None and self._process.stdout is not None
            data = os.read(self._process.stdout.fileno(), _CHUNK_BYTES)
            if not data:
                raise EOFError
            self._take(data)
        self._tries.failed = 0
        return payload

    def terminate(self) -> None:
        """Break the line: the worker ends when its input does."""
        self.kill()

    def kill(self) -> None:
        """Break the line, now."""
        self._unwanted.set()
        process = self._process
        if process is not None:
            with suppress(OSError):
                process.kill()

    def close(self) -> Ending:
        """Wait until ssh has ended, and tell how it went."""
        self._unwanted.set()
        self._begun.set()
        self._tries.failed += self._greeting is None
        process = self._process
        if process is None:
            self._stderr.close()
            return Ending()
        with suppress(OSError, ValueError):
            if process.stdin is not None and self._writing.acquire(timeout=STOP_PATIENCE_S):
                process.stdin.close()
                self._writing.release()
        try:
            code = process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if self._alive.is_alive():
            self._alive.join()
        if process.stdout is not None:
            process.stdout.close()
        return self._ending(code)

    # Pieces

    def _begin(self) -> None:
        self._unwanted.wait(self._wait_s)
        if self._unwanted.is_set():
            raise EOFError
        # A group of its own: Ctrl+C in the app's terminal is the app's to understand.
        own_group = {} if sys.platform == "win32" else {"process_group": 0}
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            **own_group,  # type: ignore[call-overload]
        )
        if self._unwanted.is_set():
            self.kill()

    def _take(self, data: bytes) -> None:
        if self._greeting is not None:
            self._frames.feed(data)
            return
        found = self._greetings.feed(data)
        if found is None:
            return
        greeting, rest = found
        if greeting.protocol != PROTOCOL:
            self._greeting = greeting
            raise WireError("it speaks another protocol")
        self._greeting = greeting
        self._frames.feed(rest)
        self._begun.set()
        self._alive.start()

    def _write(self, data: bytes) -> None:
        process = self._process
        if process is None or self._unwanted.is_set():
            raise BrokenPipeError
        with self._writing:
            left = memoryview(data)
            while left:
                left = left[os.write(self._stdin(process), left) :]

    def _stdin(self, process: subprocess.Popen[bytes]) -> int:
        if process.stdin is None or process.stdin.closed:
            raise BrokenPipeError
        return process.stdin.fileno()

    def _say_still_here(self) -> None:
        while not self._unwanted.wait(SIGN_OF_LIFE_S):
            with suppress(OSError):
                self._write(STILL_HERE)

    def _ending(self, code: int) -> Ending:
        tail = self._stderr_tail()
        name = None
        if code < 0:
            with suppress(ValueError):
                name = signal.Signals(-code).name
        sentence, next_step = why_ended(self._place, self._greeting, code, tail or self._greetings.noise)
        return Ending(code, name, tail, sentence, next_step)

    def _stderr_tail(self) -> str:
        with self._stderr as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()


def why_ended(place: WorkerPlace, greeting: Greeting | None, code: int, said: str) -> tuple[str, str]:
    """What happened to a worker there, and what helps. said: what ssh or that machine printed."""
    host, last = place.host, said.strip().splitlines()[-1].strip() if said.strip() else ""
    if greeting is not None and greeting.protocol != PROTOCOL:
        return (
            f"gazeviz {greeting.version} on {host} and gazeviz {__version__} here do not fit together.",
            "Install the same version on both.",
        )
    if greeting is not None:
        if code in (EXIT_SSH, 0) or code < 0:
            return f"The line to {host} broke.", ""
        return f"The worker on {host} ended by itself with the code {code}.", ""
    if code in (EXIT_NOT_FOUND, EXIT_NOT_RUNNABLE):
        return (
            f"{host} has no program {place.program}.",
            "Install gazeviz there, or name its path: ssh://user@host/path/to/gazeviz.",
        )
    if code == EXIT_USAGE:
        return f"gazeviz on {host} is too old to be a worker.", "Install the same version on both."
    if code == EXIT_SSH:
        because = f" ({last})" if last else ""
        return (
            f"ssh could not reach {host}{because}.",
            f"Try ssh {host} in a terminal: it has to log in there without asking for anything.",
        )
    return f"No worker began on {host}{f': {last}' if last else ''}.", "See whether gazeviz runs there."
