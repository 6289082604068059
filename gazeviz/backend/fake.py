"""The backend of screen tests: the real bookkeeping and the real worker's loop, on a scripted model.

Loads in no time, needs no torch, always says the same, and can be killed and restarted like the process.
"""

from __future__ import annotations

from gazeviz.backend.base import CANCEL_PATIENCE_S, Listener
from gazeviz.backend.in_process import InProcessBackend
from gazeviz.backend.scripted import Script

_PLAIN = Script()


class FakeBackend(InProcessBackend):
    """Runs the scripted model in a thread; `script` sets its pace and its failures."""

    def __init__(
        self, listener: Listener, script: Script = _PLAIN, *, cancel_patience_s: float = CANCEL_PATIENCE_S
    ) -> None:
        super().__init__(listener, load=script.load, cancel_patience_s=cancel_patience_s)
