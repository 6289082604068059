"""What tests of the backend share; no test may leave a thread or a process behind."""

import multiprocessing
import threading
import time
from collections.abc import Iterator

import pytest

from tests.backend.listening import Heard


@pytest.fixture
def heard() -> Heard:
    """A listener that keeps what it hears."""
    return Heard()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline_s = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not left, f"threads left behind: {left}"
    assert not multiprocessing.active_children()
