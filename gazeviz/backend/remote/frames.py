"""Messages on a stream of bytes: each behind its length, after one line that says who is there.

The line comes first because a login shell may print before the worker is there (a greeting, a warning of its
start-up files): whatever stands before it is noise and is kept for the sentence that says what went wrong. A
frame of no bytes says only that the other end is still there.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from gazeviz.backend.message_codec import WireError
from gazeviz.backend.wire import MAX_MESSAGE_BYTES

STILL_HERE: Final = struct.pack(">I", 0)
"""The frame of no bytes."""

SIGN_OF_LIFE_S: Final = 10.0
"""The app says so often that it is there."""

LINE_PATIENCE_S: Final = 60.0
"""A worker that hears nothing for so long has lost its app, though nobody has told it."""

MAX_NOISE_BYTES: Final = 65_536
_GREETING: Final = re.compile(rb"\0gazeviz-worker ([0-9]{1,6}) ([!-~]{1,64})\n")


@dataclass(frozen=True)
class Greeting:
    """What a worker says first: its protocol, and which gazeviz it is."""

    protocol: int
    version: str

    def line(self) -> bytes:
        """As it crosses."""
        return b"\0gazeviz-worker %d %s\n" % (self.protocol, self.version.encode("ascii"))


def framed(payload: bytes) -> bytes:
    """Return a message with its length before it."""
    return struct.pack(">I", len(payload)) + payload


class FrameReader:
    """Takes messages out of bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._payloads: deque[bytes] = deque()

    def feed(self, data: bytes) -> None:
        """Take more bytes; WireError for a frame larger than any message."""
        self._rest += data
        begin, end = 0, len(self._rest)
        while end - begin >= 4:
            (n_bytes,) = struct.unpack_from(">I", self._rest, begin)
            if n_bytes > MAX_MESSAGE_BYTES:
                raise WireError(f"a message of {n_bytes} bytes")
            if end - begin - 4 < n_bytes:
                break
            if n_bytes:
                self._payloads.append(bytes(memoryview(self._rest)[begin + 4 : begin + 4 + n_bytes]))
            begin += 4 + n_bytes
        del self._rest[:begin]

    def next(self) -> bytes | None:
        """Take the oldest message out; None where none is there as a whole."""
        return self._payloads.popleft() if self._payloads else None

    @property
    def has_message(self) -> bool:
        """Whether a whole message is there."""
        return bool(self._payloads)


class GreetingReader:
    """Looks for a worker's greeting behind what the other machine prints before it."""

    def __init__(self) -> None:
        self._seen = bytearray()

    def feed(self, data: bytes) -> tuple[Greeting, bytes] | None:
        """Take more bytes; the greeting and what came behind it, once it is there.

        Raises WireError where so much came without one that none will.
        """
        self._seen += data
        found = _GREETING.search(self._seen)
        if found is not None:
            return Greeting(int(found[1]), found[2].decode("ascii")), bytes(self._seen[found.end() :])
        if len(self._seen) > MAX_NOISE_BYTES:
            raise WireError("no worker answered, only text")
        return None

    @property
    def noise(self) -> str:
        """What was printed instead."""
        return self._seen.decode("utf-8", "replace").strip()
