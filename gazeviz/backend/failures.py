"""What an exception means for whoever asked, and whether the worker can go on after it.

Torch's own exceptions are told apart without importing torch: where it is not imported, none of them can
occur.
"""

from __future__ import annotations

import sys
import traceback

from gazeviz.domain.messages import Failed, JobCancelled
from gazeviz.errors import Cancelled, RunError, UserError

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
            "There was not enough memory for this.",
            "Use a smaller picture, fewer new tokens or a smaller number type, or close other programs.",
            detail,
        )
    if is_device_error(error):
        return Failed(
            job,
            "fatal",
            "The device reported an error after which it cannot be used by this worker.",
            "The worker starts again by itself; if it happens again, load the model on the processor.",
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
