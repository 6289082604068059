"""The worker's jobs, which the parts of the run controller share.

`Jobs` numbers requests and brings every event to whoever asked, the loss of the worker included. Knows the
backend only as something that requests can be sent to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.messages import ENDING, Event, JobCancelled, Request
from gazeviz.errors import UserError

JobEvent: TypeAlias = Event | WorkerEnded
Handler: TypeAlias = Callable[[JobEvent], object]


class Jobs:
    """Requests under way; `worker` counts the workers of this session from 1."""

    def __init__(self) -> None:
        self.worker = 0
        self._send: Callable[[Request], bool] = lambda _: False
        self._last = 0
        self._handlers: dict[int, Handler] = {}

    def send_through(self, send: Callable[[Request], bool]) -> None:
        """Requests go there from now on."""
        self._send = send

    def ask(self, make: Callable[[int], Request], on_event: Handler) -> int:
        """Send what `make` makes of a new job number; `on_event` hears all about it, up to its end.

        The end is one of ENDING, or the WorkerLost. UserError for a request that is too large.
        """
        self._last += 1
        job = self._last
        self._handlers[job] = on_event
        try:
            self._send(make(job))  # False: the worker is gone, and its loss will be heard
        except UserError:
            del self._handlers[job]
            raise
        return job

    def tell(self, request: Request) -> None:
        """Send a request that opens no job."""
        self._send(request)

    def hear(self, event: Event) -> None:
        """Bring an event to whoever asked; what nobody waits for is dropped."""
        handler = self._handlers.get(event.job)
        if isinstance(event, ENDING):
            self._handlers.pop(event.job, None)
        if handler is not None:
            handler(event)

    def cancel_all(self) -> None:
        """The worker was ended on purpose: every job counts as stopped."""
        handlers, self._handlers = self._handlers, {}
        for job, handler in handlers.items():
            handler(JobCancelled(job))

    def lose(self, lost: WorkerEnded) -> None:
        """The worker is gone, and with it every job."""
        handlers, self._handlers = self._handlers, {}
        for handler in handlers.values():
            handler(lost)
