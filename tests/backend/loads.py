"""Ways to load that go wrong, for workers that tests spawn: what is imported there has to have a name."""

import ctypes
import sys
import threading
import time
from collections.abc import Callable

from gazeviz.backend.engine_adapter import LoadProgress, ModelBackend
from gazeviz.domain.messages import LoadModel


def crash(request: LoadModel, make_room: Callable[[], None], progress: LoadProgress) -> ModelBackend:
    """Read from address 0."""
    print("the last words", file=sys.stderr)
    ctypes.string_at(0)
    raise AssertionError("unreachable")


def compute_for_ever(
    request: LoadModel, make_room: Callable[[], None], progress: LoadProgress
) -> ModelBackend:
    """Keep the interpreter busy and never look up."""
    progress("computing", 0.0)
    while True:
        sum(range(100_000))


def sleep_for_ever(request: LoadModel, make_room: Callable[[], None], progress: LoadProgress) -> ModelBackend:
    """Wait in a call that nothing wakes up, with another thread that would keep a process from ending."""
    threading.Thread(target=time.sleep, args=(1000,), daemon=False).start()
    progress("sleeping", 0.0)
    time.sleep(1000)  # time itself: it passes in a call that nothing wakes up
    raise AssertionError("unreachable")
