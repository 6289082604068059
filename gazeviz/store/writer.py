"""The thread that writes: orders come from the screen's thread, and go to the disk in one transaction each
batch.

Handing over an order costs microseconds. What is submitted is written within a tenth of a second; `call`
returns when its order, and all before it, are on the disk. When the disk is full, or another program holds
the log, what was submitted is kept and tried again: nothing of it is lost as long as the process lives. Knows
no tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from gazeviz.store.connection import immediate
from gazeviz.store.faults import fault_of, log_fault

_T = TypeVar("_T")
GATHER_S: Final = 0.1
"""How long submitted orders wait for company; a kill loses no more than this."""
RETRY_S: Final = 2.0


@dataclass(eq=False)
class _Order:
    """work: what to do with the connection.  answer: where somebody waits for it.  keep: try again after a
    fault.  at_least: what is written in its place at the end, where it never could be."""

    work: Callable[[], Any]
    keep: bool
    answer: Future[Any] | None = field(default=None)
    at_least: Callable[[], object] | None = None


class Writer:
    """Carries out orders, in their order, on a connection that is its own from now on."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, on_rollback: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._path = path
        self._on_rollback = on_rollback
        self._orders: list[_Order] = []
        self._kept: list[_Order] = []
        self._trouble: BaseException | None = None
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._live, name="gazeviz log", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], object]) -> None:
        """Write soon. Raises what went wrong with orders before it (LogFault); this one is kept all the
        same."""
        if self._is_within():
            work()
            return
        self._give(_Order(work, keep=True))
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    def begin(
        self, work: Callable[[], _T], *, keep: bool = False, at_least: Callable[[], object] | None = None
    ) -> Future[_T]:
        """Write now, after everything that was submitted; done when what `work` did is on the disk.

        keep: whether it is tried again when a fault prevents it, as submitted orders are.
        at_least: what `close` tries to write where `work` never could be: something small.
        The future's result is what `work` returns; its errors are LogFaults, and what `work` raises.
        """
        answer: Future[_T] = Future()
        if self._is_within():
            answer.set_result(work())
        else:
            self._give(_Order(work, keep, answer, at_least))
        return answer

    def call(self, work: Callable[[], _T]) -> _T:
        """Write now and wait for it; LogFaults, and what `work` raises."""
        result = self.begin(work).result()
        self._trouble = None  # whatever it was, everything before this has been written now
        return result

    def flush(self) -> None:
        """Wait until all that was submitted is on the disk; LogFaults."""
        self.call(lambda: None)

    def close(self) -> None:
        """Write what is left and end the thread; LogFault where that cannot be written."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._connection.close()
        if self._kept and self._trouble is not None:
            raise self._trouble

    def _is_within(self) -> bool:
        """Whether an order that is being carried out gives this one: it belongs to its transaction."""
        return threading.get_ident() == self._thread.ident

    def _give(self, order: _Order) -> None:
        with self._wake:
            if self._closing:
                raise log_fault("closed", self._path)
            self._orders.append(order)
            self._wake.notify()

    def _live(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._is_due, timeout=RETRY_S if self._kept else None)
                if not self._is_urgent():
                    self._wake.wait_for(self._is_urgent, timeout=GATHER_S)
                orders, self._orders, closing = self._orders, [], self._closing
            self._kept = self._carry_out([*self._kept, *orders])
            if closing:
                self._write_at_least()
                return

    def _write_at_least(self) -> None:
        """Of what is lost with the program, write that it is; each by itself, since there is little room."""
        for order in self._kept:
            if order.at_least is not None:
                with suppress(Exception), immediate(self._connection):
                    order.at_least()

    def _is_due(self) -> bool:
        return bool(self._orders) or self._closing

    def _is_urgent(self) -> bool:
        return self._closing or any(order.answer is not None for order in self._orders)

    def _carry_out(self, orders: Sequence[_Order]) -> list[_Order]:
        """Write a batch; returns what has to be tried again."""
        if not orders:
            return []
        try:
            with immediate(self._connection):
                results = [order.work() for order in orders]
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for the writer
            self._on_rollback()
            fault = fault_of(error, self._path)
            if fault is None:
                return self._find_the_culprit(orders, error)
            self._trouble = fault
            for order in orders:
                if order.answer is not None:
                    order.answer.set_exception(fault)
                    order.answer = None
            return [order for order in orders if order.keep]
        for order, result in zip(orders, results, strict=True):
            if order.answer is not None:
                order.answer.set_result(result)
        return []

    def _find_the_culprit(self, orders: Sequence[_Order], error: Exception) -> list[_Order]:
        """One order of a batch cannot be carried out by anyone: the others must not suffer."""
        if len(orders) > 1:
            return [order for each in orders for order in self._carry_out([each])]
        if orders[0].answer is not None:
            orders[0].answer.set_exception(error)
        else:
            self._trouble = error
        return []
