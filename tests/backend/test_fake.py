"""What the fake backend offers beside the worker's loop: a pace that can be held, and a way to be sure."""

import pytest

from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.messages import Failed, Generate, LoadModel, ModelLoaded, StepArrived
from tests.backend.listening import Heard, narration, open_strip
from tests.fakes.fake import FakeBackend


def test_a_held_pace_goes_as_far_as_it_is_allowed(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        heard.until(ModelLoaded, 1)
        backend.pace.hold()
        backend.send(Generate(3, narration(8)))
        backend.pace.allow(2)
        for _ in range(2):
            heard.until(StepArrived, 3)
        backend.settle()
        heard.take_all()
        assert len(heard.of(StepArrived, 3)) == 2
        backend.pace.free()
        for _ in range(6):
            heard.until(StepArrived, 3)


def test_settling_is_not_heard_of_busy_or_idle(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.settle()
        backend.send(LoadModel(1))
        backend.settle()
        heard.until(ModelLoaded, 1)
        backend.settle()
        backend.pace.hold()
        backend.send(open_strip(2))
        backend.send(Generate(3, narration(8)))
        backend.settle()
        backend.settle()
        backend.pace.allow(1)
        heard.until(StepArrived, 3)
        assert -1 not in {getattr(event, "job", None) for event in heard.events}
        assert not heard.of(Failed)


def test_nothing_settles_without_a_worker(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.kill()
        heard.until(WorkerEnded)
        with pytest.raises(RuntimeError, match="no worker"):
            backend.settle()
