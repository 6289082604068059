"""Messages as bytes, in both directions, and none of them large.

A message that would take long to cross is refused where it is made: what is large is reduced by the worker,
and asked for in slices. Knows messages, not pipes.
"""

from __future__ import annotations

import pickle
import zlib
from typing import Any, Final

from gazeviz.domain.messages import Discover, Generate, OpenPicture, Retarget, RunFinished
from gazeviz.errors import UserError

MAX_MESSAGE_BYTES: Final = 10_000_000
"""Largest message that crosses, as it crosses."""

_PACKED: Final = b"z"
_PLAIN: Final = b"p"

# Painted masks are almost all of one colour: what takes 2 MB for a picture of 16 megapixels crosses as 10 kB.
_WITH_MASKS: Final = (Generate, Retarget, RunFinished)

_NEXT_STEP: Final[dict[type, str]] = {
    OpenPicture: "Save the picture as a file and open that.",
    Generate: "Use fewer regions, or a smaller picture.",
    Retarget: "Use a region of simpler shape, or a smaller picture.",
    Discover: "Ask for fewer rankings at once.",
}


def encode(message: object) -> bytes:
    """Return a message as bytes.

    Raises UserError for one larger than `MAX_MESSAGE_BYTES`.
    """
    plain = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    packed = isinstance(message, _WITH_MASKS)
    payload = _PACKED + zlib.compress(plain, level=1) if packed else _PLAIN + plain
    if len(payload) > MAX_MESSAGE_BYTES:
        raise UserError(
            f"This request or its answer ({type(message).__name__}) has {len(payload) / 1e6:.1f} MB; "
            f"at most {MAX_MESSAGE_BYTES / 1e6:.0f} MB can cross to or from the worker.",
            next_step=_NEXT_STEP.get(type(message), "Ask for less at once, for example for fewer heads."),
        )
    return payload


def decode(payload: bytes) -> Any:
    """Return the message that `encode` made bytes of; only ever fed with what our own processes wrote."""
    plain = zlib.decompress(payload[1:]) if payload[:1] == _PACKED else memoryview(payload)[1:]
    return pickle.loads(plain)
