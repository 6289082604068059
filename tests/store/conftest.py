"""What tests of the log share: logs that are closed, faults that are told, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.faults import LogFault

OpenStore = Callable[..., SessionStore]


@contextmanager
def refused(kind: str, said: str) -> Iterator[None]:
    """What happens within is refused as a fault of this kind, in a sentence that says so, with a step."""
    with pytest.raises(LogFault, match=said) as caught:
        yield
    assert caught.value.kind == kind
    assert caught.value.sentence.endswith(".") and "\n" not in caught.value.sentence
    assert caught.value.next_step.endswith(".")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "gazeviz.db"


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    """Opens the log, or one at another path; every one that was opened is closed."""
    opened: list[SessionStore] = []

    def open_one(at: Path | None = None, **options: object) -> SessionStore:
        opened.append(SessionStore(at or path, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for store in opened:
        with suppress(UserError):
            store.close()


@pytest.fixture
def store(open_store: OpenStore) -> SessionStore:
    """The log, open."""
    return open_store()


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before
