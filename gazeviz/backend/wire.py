"""Messages as bytes, in both directions, and none of them large.

A message that would take long to cross is refused where it is made: what is large is reduced by the worker,
and asked for in slices. Knows messages, not pipes.
"""

from __future__ import annotations

import sys
import traceback
import zlib
from typing import Any, Final

from gazeviz.backend.message_codec import WireError, pack, unpack
from gazeviz.domain.experiments.head_messages import (
    ExamplesCollected,
    HeadsMeasured,
)
from gazeviz.domain.messages import (
    Discover,
    Event,
    Failed,
    Generate,
    JobCancelled,
    OpenPicture,
    Request,
    Retarget,
    RunFinished,
)
from gazeviz.errors import Cancelled, RunError, UserError

# What an exception means for whoever asked, and whether the worker can go on after it.
#
# Torch's own exceptions are told apart without importing torch: where it is not imported, none of them can
# occur.


_DEVICE_ERRORS = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "device-side assert", "HIP error")
"""How the driver's errors begin where torch raises them as plain RuntimeErrors."""

_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "Cannot allocate memory")


def failure(job: int, error: Exception) -> Failed | JobCancelled:
    """Return the event that tells of an exception."""
    if isinstance(error, Cancelled):
        return JobCancelled(job)
    if isinstance(error, UserError):
        return Failed(job, "user", error.sentence, error.next_step)
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, RunError):
        return Failed(job, "run", str(error), "Change the request, or choose another model.", detail)
    if is_out_of_memory(error):
        return Failed(
            job,
            "memory",
            "Not enough memory.",
            "Use a smaller picture, fewer new tokens or a smaller number type, or close other programs.",
            detail,
        )
    if is_device_error(error):
        return Failed(
            job,
            "fatal",
            "The device reported an error that this worker cannot recover from.",
            "The worker restarts automatically; if this happens again, load the model on the CPU.",
            detail,
        )
    last_line = traceback.format_exception_only(error)[-1].strip()
    return Failed(
        job, "bug", f"Something went wrong inside gazeviz: {last_line}", "Please report it.", detail
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the device or on the processor."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and any(words in str(error) for words in _NO_MEMORY)


def is_device_error(error: Exception) -> bool:
    """Whether the device is in no usable state any more (CUDA keeps an error until the process ends)."""
    torch = sys.modules.get("torch")
    kind = getattr(torch, "AcceleratorError", None)
    if kind is not None and isinstance(error, kind):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _DEVICE_ERRORS)


MAX_MESSAGE_BYTES: Final = 10_000_000
"""Largest message that crosses, as it crosses."""

_MAX_UNPACKED_BYTES: Final = 2**28
_PACKED: Final = b"z"
_PLAIN: Final = b"m"

# Painted masks are almost all of one colour: what takes 2 MB for a picture of 16 megapixels crosses as 10 kB.
_WITH_MASKS: Final = (Generate, Retarget, RunFinished)

_NEXT_STEP: Final[dict[type, str]] = {
    OpenPicture: "Save the picture as a file and open that.",
    Generate: "Use fewer regions, or a smaller picture.",
    Retarget: "Use a region of simpler shape, or a smaller picture.",
    Discover: "Ask for fewer rankings at once.",
    ExamplesCollected: "Collect examples from smaller pictures.",
    HeadsMeasured: "Measure fewer pictures at once.",
}


def encode(message: Request | Event) -> bytes:
    """Return a message as bytes.

    Raises UserError for one larger than `MAX_MESSAGE_BYTES`.
    """
    plain = pack(message)
    packed = isinstance(message, _WITH_MASKS)
    payload = _PACKED + zlib.compress(plain, level=1) if packed else _PLAIN + plain
    if len(payload) > MAX_MESSAGE_BYTES or len(plain) > _MAX_UNPACKED_BYTES:
        raise UserError(
            f"This request or its reply ({type(message).__name__}) has {len(payload) / 1e6:.1f} MB; "
            f"at most {MAX_MESSAGE_BYTES / 1e6:.0f} MB can cross to or from the worker.",
            next_step=_NEXT_STEP.get(type(message), "Request less at once, for example fewer heads."),
        )
    return payload


def decode(payload: bytes) -> Any:
    """Return the message that `encode` made bytes of; WireError for anything else, whoever sent it."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise WireError(f"a message of {len(payload)} bytes")
    if payload[:1] == _PLAIN:
        return unpack(memoryview(payload)[1:])
    if payload[:1] != _PACKED:
        raise WireError("bytes that begin like no message")
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(memoryview(payload)[1:], _MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise WireError(str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise WireError("a message that is cut, or larger than any")
    return unpack(plain)
