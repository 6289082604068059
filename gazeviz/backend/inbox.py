"""What the worker was asked and has not done yet, in the order in which it is to be done.

Filled by the thread that listens, emptied by the one that computes. Questions about runs and changes to them
are urgent: they are taken between two tokens. All else waits for its turn. Knows no model.
"""

from __future__ import annotations

import threading
from collections import deque

from gazeviz.domain.messages import (
    AskGallery,
    AskMap,
    AskMass,
    Cancel,
    Discover,
    Generate,
    Hello,
    LoadModel,
    OpenPicture,
    Request,
    Retarget,
)

Urgent = Hello | Retarget | AskMap | AskMass | AskGallery
Work = LoadModel | OpenPicture | Generate | Discover


class Inbox:
    """Requests that have come in; safe to use from two threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: deque[Urgent] = deque()
        self._work: deque[Work] = deque()
        self._cancelled: set[int] = set()
        self._closed = False

    def put(self, request: Request) -> int | None:
        """Take a request in; returns the job that a Cancel has ended before it began."""
        with self._changed:
            self._changed.notify_all()
            if isinstance(request, Cancel):
                return self._cancel(request.job)
            if isinstance(request, Work):
                self._work.append(request)
            elif isinstance(request, Urgent):
                self._urgent.append(request)
        return None

    def close(self) -> None:
        """Nothing more is to be done: wakes up whoever waits, and every job counts as cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be done."""
        return self._closed

    def wait(self) -> None:
        """Wait until there is something to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent or self._work)

    def next_urgent(self) -> Urgent | None:
        """Take the oldest urgent request."""
        with self._changed:
            return self._urgent.popleft() if self._urgent else None

    def next_overdue(self, job: int, token: int) -> Retarget | None:
        """Take the oldest change of a run's target that was due for this token, or for one before it."""
        with self._changed:
            for request in self._urgent:
                if isinstance(request, Retarget) and request.job == job:
                    if request.due is None or request.due > token:
                        return None  # later changes must not overtake it
                    self._urgent.remove(request)
                    return request
        return None

    def next_work(self, *, busy: bool) -> Work | None:
        """Take the oldest piece of work, unless it needs the model for itself while runs are under way."""
        with self._changed:
            if not self._work or (busy and isinstance(self._work[0], LoadModel | Discover)):
                return None
            return self._work.popleft()

    def is_waiting(self, job: int) -> bool:
        """Whether a piece of work has not begun."""
        with self._changed:
            return any(work.job == job for work in self._work)

    def is_cancelled(self, job: int) -> bool:
        """Whether a job that has begun is to stop."""
        return self._closed or job in self._cancelled

    def forget(self, job: int) -> None:
        """A job has ended: its cancel, if there was one, is done with."""
        with self._changed:
            self._cancelled.discard(job)

    def _cancel(self, job: int) -> int | None:
        for request in self._work:
            if request.job == job:
                self._work.remove(request)
                return job
        self._cancelled.add(job)
        return None
