"""The backend of screen tests: the real bookkeeping and the real worker's loop, on a scripted model.

Loads in no time, needs no torch, always says the same, and can be killed and restarted like the process. Its
pace can be held, so that a test decides what happens between two tokens.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Final

from gazeviz.backend.client import CANCEL_PATIENCE_S, BackendEvent, Listener
from gazeviz.backend.in_process import InProcessBackend
from gazeviz.domain.messages import ENDING, Cancel, Discover, StripsSource
from tests.fakes.scripted import Script

_PLAIN = Script()
LOOK_AGAIN_S: Final = 0.05
_SETTLING: Final = -1  # the job of `settle`, which the listener does not hear of


class Pace:
    """Lets time pass as the script says, or, while held, only as far as it is allowed to go on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held = False
        self._allowed = 0

    def __call__(self, seconds: float) -> None:
        """Wait: what the scripted model calls for every token, strip and part of loading."""
        with self._changed:
            if self._held:
                self._changed.wait_for(lambda: self._allowed or not self._held)
                self._allowed = max(0, self._allowed - 1)
                return
        time.sleep(seconds)  # time itself: what a script says that a token takes

    def hold(self) -> None:
        """From now on, go on only as far as is allowed."""
        with self._changed:
            self._held, self._allowed = True, 0

    def allow(self, n: int = 1) -> None:
        """Let n tokens (strips, parts) pass."""
        with self._changed:
            self._allowed += n
            self._changed.notify_all()

    def free(self) -> None:
        """Go on as the script says."""
        with self._changed:
            self._held = False
            self._changed.notify_all()


class FakeBackend(InProcessBackend):
    """Runs the scripted model in a thread; `script` sets its speed and its failures, `pace` can hold it."""

    def __init__(
        self, listener: Listener, script: Script = _PLAIN, *, cancel_patience_s: float = CANCEL_PATIENCE_S
    ) -> None:
        self.pace = Pace()
        self._forward = listener
        self._settled = threading.Event()
        paced = replace(script, wait=self.pace)
        super().__init__(self._hear, load=paced.load, cancel_patience_s=cancel_patience_s)

    def settle(self) -> None:
        """Return when the worker has heard all that was sent so far; what it is doing may go on.

        RuntimeError where there is no worker.
        """
        self._settled.clear()
        # What queued is cancelled by the thread that listens, at once and in its order.
        if not self.send(Discover(_SETTLING, StripsSource("builtin", 1))) or not self.send(Cancel(_SETTLING)):
            raise RuntimeError("there is no worker that could hear anything")
        while not self._settled.wait(LOOK_AGAIN_S):
            if not self.running:
                raise RuntimeError("the worker was lost before it had heard all")

    def _hear(self, event: BackendEvent) -> None:
        if getattr(event, "job", None) != _SETTLING:
            self._forward(event)
        elif isinstance(event, ENDING):
            self._settled.set()

    def stop(self) -> None:
        """End the worker; a held one goes on to its end."""
        self.pace.free()
        super().stop()

    def kill(self) -> None:
        """End the worker without a word to it, held or not."""
        super().kill()
        self.pace.free()
