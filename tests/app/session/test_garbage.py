"""Cycles are collected in the screen's thread, never in the one that happens to allocate."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from gazeviz.app.session.garbage import GarbageInScreenThread


class Node:
    """Something in a cycle that notes where it was freed."""

    def __init__(self, freed_in: list[str]) -> None:
        self.itself = self
        self.freed_in = freed_in

    def __del__(self) -> None:
        self.freed_in.append(threading.current_thread().name)


@pytest.fixture
def garbage(qapp: object) -> Iterator[GarbageInScreenThread]:
    garbage = GarbageInScreenThread()
    yield garbage
    garbage.stop()
    garbage.deleteLater()


def allocate_in_another_thread() -> None:
    thread = threading.Thread(target=lambda: [[] for _ in range(20_000)])
    thread.start()
    thread.join()


def test_a_cycle_is_freed_in_the_screens_thread(garbage, qtbot):
    freed_in: list[str] = []
    Node(freed_in)
    allocate_in_another_thread()
    assert freed_in == []
    kept: list[list[int]] = [[] for _ in range(5_000)]  # what makes a collection due
    qtbot.waitUntil(lambda: bool(freed_in))
    assert freed_in == [threading.main_thread().name]
    assert kept


def test_nothing_is_collected_before_it_is_due(garbage):
    gc.collect()
    assert garbage.collect() is None


def test_afterwards_python_collects_by_itself_again(qapp):
    was_on = gc.isenabled()
    gc.enable()
    garbage = GarbageInScreenThread()
    assert not gc.isenabled()
    garbage.stop()
    assert gc.isenabled()
    if not was_on:
        gc.disable()
