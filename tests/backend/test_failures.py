"""What an exception means for whoever asked."""

import pytest
import torch

from gazeviz.backend.wire import failure, is_device_error, is_out_of_memory
from gazeviz.domain.messages import Failed, JobCancelled
from gazeviz.errors import Cancelled, RunError, UserError


def thrown(error: Exception) -> Exception:
    """An exception with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RunError("The model has no eyes."), "run"),
        (MemoryError(), "memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "memory",
        ),
        (RuntimeError("CUDA error: device-side assert triggered"), "fatal"),
        (RuntimeError("CUDNN_STATUS_EXECUTION_FAILED"), "fatal"),
        (RuntimeError("The size of tensor a (3) must match"), "bug"),
        (KeyError("layer"), "bug"),
    ],
)
def test_kinds(error: Exception, kind: str) -> None:
    event = failure(4, thrown(error))
    assert isinstance(event, Failed)
    assert (event.job, event.kind) == (4, kind)
    assert event.sentence.endswith((".", "'layer'", "(3) must match"))
    assert event.next_step
    assert type(error).__name__ in event.detail
    assert "thrown" in event.detail  # the traceback


def test_what_a_person_can_put_right_comes_without_a_traceback() -> None:
    event = failure(4, thrown(UserError("The prompt is empty.", next_step="Write one.")))
    assert event == Failed(4, "user", "The prompt is empty.", "Write one.", "")


def test_a_cancel_is_no_failure() -> None:
    assert failure(4, thrown(Cancelled("Stopped."))) == JobCancelled(4)


def test_device_errors_and_missing_memory_are_told_apart() -> None:
    accelerator = torch.AcceleratorError("an illegal memory access was encountered")
    assert is_device_error(accelerator)
    assert not is_out_of_memory(accelerator)
    assert not is_device_error(torch.OutOfMemoryError("CUDA out of memory."))
