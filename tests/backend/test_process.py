"""The worker as a process: real children, really killed."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gazeviz.backend.client import WorkerEnded, WorkerStarted
from gazeviz.backend.engine_adapter import Load
from gazeviz.backend.process import ProcessBackend
from gazeviz.domain.messages import (
    ENDING,
    AskMap,
    Cancel,
    Discover,
    Event,
    Generate,
    JobCancelled,
    JobProgress,
    LoadModel,
    ModelLoaded,
    PicturePrepared,
    RankingPartial,
    RankingsFinished,
    Ready,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from tests.backend import loads
from tests.backend.listening import PANELS, Heard, is_alive, narration, open_strip, until_gone
from tests.fakes.scripted import Script
from tests.patience import PATIENCE_S, let_time_pass

SCRIPT = Script(load_s=0.3, token_s=0.01, strip_s=0.02)

APP = """
import sys, threading
from gazeviz.backend.process import ProcessBackend
from gazeviz.domain.messages import LoadModel
from tests.backend import loads
if __name__ == "__main__":
    backend = ProcessBackend(lambda event: print(event, flush=True), load=getattr(loads, sys.argv[1]))
    backend.start()
    backend.send(LoadModel(1))
    threading.Event().wait()
"""


def pid_of(heard: Heard) -> int:
    pid = heard.until(WorkerStarted).pid
    assert pid is not None
    assert is_alive(pid)
    return pid


def whole_session(backend: ProcessBackend, heard: Heard, first_job: int = 1) -> None:
    """Load, open, write, ask, discover: all of it has to work."""
    load, picture, run, ask, rank = range(first_job, first_job + 5)
    backend.send(LoadModel(load))
    backend.send(open_strip(picture))
    backend.send(Generate(run, narration(8, panel=4)))
    backend.send(AskMap(ask, run, (0,)))
    backend.send(Discover(rank, StripsSource("builtin", 3)))
    heard.until(RankingsFinished, rank)
    assert heard.of(RunFinished, run)[0].run.n_tok == 8


def test_a_whole_session_leaves_nothing_behind(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ProcessBackend(heard, load=SCRIPT.load) as backend:
        pid = pid_of(heard)
        assert pid != os.getpid()
        whole_session(backend, heard)
    assert not is_alive(pid)
    assert not list(tmp_path.iterdir())
    assert not heard.of(WorkerEnded)


def test_the_next_token_follows_a_new_target(heard: Heard) -> None:
    with ProcessBackend(heard, load=Script(token_s=0.1).load) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        backend.send(Generate(3, narration(48, panel=4)))
        for _ in range(3):
            step = heard.until(StepArrived, 3)
        backend.send(Retarget(3, PANELS[1]))
        while step.target != "Panel 2":
            step = heard.until(StepArrived, 3)
        assert step.index <= 2 + 5
        backend.send(Cancel(3))
        run = heard.until(RunFinished, 3).run
        assert (run.finish, run.n_tok <= step.index + 6) == ("cancelled", True)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_it_comes_back(heard: Heard, seed: int) -> None:
    """SIGKILL some time after the first sign of loading, writing or discovery."""
    rng = random.Random(seed)
    moment: tuple[type[Event], int] = [(JobProgress, 1), (StepArrived, 3), (RankingPartial, 4), (Ready, 0)][
        seed
    ]
    with ProcessBackend(heard, load=SCRIPT.load) as backend:
        pid = pid_of(heard)
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        backend.send(Generate(3, narration(48, panel=4)))
        backend.send(Discover(4, StripsSource("builtin", 20)))
        heard.until(*moment)
        let_time_pass(rng, 0.25)
        os.kill(pid, signal.SIGKILL)
        lost = heard.until(WorkerEnded)
        assert (lost.exit, lost.signal_name, lost.cancelled) == (-9, "SIGKILL", False)
        ended = {event.job for event in heard.events if isinstance(event, ENDING)}
        assert set(lost.jobs) == {1, 2, 3, 4} - ended
        assert not is_alive(pid)
        backend.restart()
        assert pid_of(heard) != pid
        whole_session(backend, heard, first_job=11)


@pytest.mark.parametrize("what", ["compute_for_ever", "sleep_for_ever"])
def test_the_worker_never_outlives_the_app(what: str) -> None:
    """An app is killed while its worker is in the middle of something."""
    root = Path(__file__).parents[2]
    app = subprocess.Popen(
        [sys.executable, "-c", APP, what],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        assert app.stdout is not None
        pid = int(app.stdout.readline().rpartition("pid=")[2].rstrip(")\n"))
        while "Progress" not in app.stdout.readline():
            assert is_alive(pid)
    finally:
        app.kill()
        app.wait()
        app.stdout.close()  # type: ignore[union-attr]
    until_gone(pid)


@pytest.mark.parametrize("load", [loads.compute_for_ever, loads.sleep_for_ever])
def test_the_app_ends_a_worker_that_is_in_the_middle_of_something(heard: Heard, load: Load) -> None:
    backend = ProcessBackend(heard, load=load)
    backend.start()
    pid = pid_of(heard)
    backend.send(LoadModel(1))
    heard.until(JobProgress, 1)
    backend.stop()
    assert not is_alive(pid)
    assert not heard.of(WorkerEnded)


def test_a_cancel_that_is_not_answered_ends_the_worker(heard: Heard) -> None:
    with ProcessBackend(heard, load=loads.sleep_for_ever, cancel_patience_s=0.3) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        heard.until(JobProgress, 1)
        backend.send(Cancel(1))
        lost = heard.until(WorkerEnded)
        assert (lost.signal_name, lost.job, lost.jobs, lost.cancelled) == ("SIGTERM", 1, (1, 2), True)


def test_a_cancel_behind_something_long_is_answered_at_once(heard: Heard) -> None:
    with ProcessBackend(heard, load=loads.sleep_for_ever, cancel_patience_s=PATIENCE_S) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        heard.until(JobProgress, 1)
        backend.send(Cancel(2))
        heard.until(JobCancelled, 2)
        assert backend.running


def test_a_crash_tells_its_last_words(heard: Heard) -> None:
    with ProcessBackend(heard, load=loads.crash) as backend:
        backend.send(LoadModel(1))
        lost = heard.until(WorkerEnded)
        assert (lost.signal_name, lost.job) == ("SIGSEGV", 1)
        assert "the last words" in lost.stderr_tail
        assert "in crash" in lost.stderr_tail  # the stack at the moment of the crash


def test_what_interrupts_the_app_does_not_interrupt_the_worker(heard: Heard) -> None:
    with ProcessBackend(heard, load=SCRIPT.load) as backend:
        pid = pid_of(heard)
        backend.send(LoadModel(1))
        heard.until(ModelLoaded)
        os.kill(pid, signal.SIGINT)
        backend.send(open_strip(2))
        heard.until(PicturePrepared)
