"""What tests of the backend share: a listener that can be waited on, a picture, and requests about it."""

import io
import os
import queue
import time
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from gazeviz.backend.client import BackendEvent
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, OpenPicture, PictureSource
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout, panel_regions
from tests.fakes.fake import FakeBackend
from tests.patience import PATIENCE_S, wait_until

SIZE_PX = (1152, 192)
PANELS = panel_regions(Layout(1, 6), *SIZE_PX)
GAZE = HeadSet.of("L3H1,L3H4,L3H6,L4H1,L4H4,L4H6,L5H1,L5H4,L5H6")
NARRATE = "Tell what happens in each panel."

E = TypeVar("E")


class Heard:
    """A listener that keeps what it hears; `until` waits for what is not there yet."""

    def __init__(self) -> None:
        self.events: list[BackendEvent] = []
        self._queue: queue.SimpleQueue[BackendEvent] = queue.SimpleQueue()

    def __call__(self, event: BackendEvent) -> None:
        self._queue.put(event)

    def until(self, kind: type[E], job: int | None = None, *, timeout_s: float = PATIENCE_S) -> E:
        """Return the next event of a kind (and job), noting those before it; AssertionError if none comes."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                event: Any = self._queue.get(timeout=max(0.001, deadline_s - time.monotonic()))
            except queue.Empty:
                last = [f"{type(event).__name__} {getattr(event, 'job', '')}" for event in self.events[-9:]]
                raise AssertionError(f"no {kind.__name__} of job {job}; at last came {last}") from None
            self.events.append(event)
            if isinstance(event, kind) and job in (None, getattr(event, "job", None)):
                return event

    def take_all(self) -> None:
        """Note what has been heard and was not waited for."""
        while not self._queue.empty():
            self.events.append(self._queue.get())

    def of(self, kind: type[E], job: int | None = None) -> list[E]:
        """What was heard so far, of a kind and job."""
        return [
            event
            for event in self.events
            if isinstance(event, kind) and job in (None, getattr(event, "job", None))
        ]


def open_strip(job: int, sha256: str = "strip") -> OpenPicture:
    """Open a strip of six panels, each of one grey."""
    strip = Image.new("RGB", SIZE_PX)
    for number in range(6):
        strip.paste((40 * number,) * 3, (192 * number, 0, 192 * (number + 1), 192))
    buffer = io.BytesIO()
    strip.save(buffer, "PNG")
    return OpenPicture(job, PictureSource(sha256, "strip.png", data=buffer.getvalue()))


def narration(max_new_tokens: int = 48, *, panel: int | None = None, **other: Any) -> GenerateSpec:
    """Narrate the strip, steered towards a panel (counted from 1) or not."""
    steering = None if panel is None else Steering(GAZE, PANELS[panel - 1])
    fields: dict[str, Any] = {"chosen": GAZE, "regions": PANELS, "prompt": NARRATE} | other
    return GenerateSpec("strip", steering=steering, max_new_tokens=max_new_tokens, **fields)


def one_more_token(backend: FakeBackend) -> None:
    """Allow one more token (strip, part of loading), once the worker has heard all that was sent."""
    backend.settle()
    backend.pace.allow(1)


def assert_near(values: Any, expected: Any) -> None:
    """Equal but for the rounding to half precision."""
    np.testing.assert_allclose(values, expected, rtol=2e-3, atol=1e-6)


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and was not fetched by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


def until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    wait_until(lambda: not is_alive(pid))
