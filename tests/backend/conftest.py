"""What tests of the backend share; no test may leave a thread or a process behind."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.backend.listening import Heard
from tests.patience import wait_until


@pytest.fixture
def heard() -> Heard:
    """A listener that keeps what it hears."""
    return Heard()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    with suppress(AssertionError):
        wait_until(lambda: not set(threading.enumerate()) - before)
    left = set(threading.enumerate()) - before
    assert not left, f"threads left behind: {left}"
    assert not multiprocessing.active_children()
