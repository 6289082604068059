"""A worker on another machine: real ssh, a real sshd on this one, and a line with 50 ms in each direction."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gazeviz.backend.client import WorkerEnded, WorkerStarted
from gazeviz.backend.remote.ssh import SshBackend
from gazeviz.domain.messages import (
    AskMap,
    AskModels,
    Cancel,
    Discover,
    Generate,
    JobProgress,
    KeepFile,
    LoadModel,
    MapReady,
    ModelsListed,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingPartial,
    RankingsFinished,
    Ready,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from tests.backend.listening import PANELS, Heard, narration, open_strip, until_gone
from tests.backend.remote.conftest import ROOT, OtherMachine
from tests.patience import PATIENCE_S, let_time_pass

AT_ONCE = (0.0,)
STRIP = next(resource_path("samples").glob("*.png"))


def backend_at(machine: OtherMachine, heard: Heard, name: str = "gazeviz") -> SshBackend:
    place = machine.place(str(machine.folder / name))
    return SshBackend(heard, place, options=machine.options, waits_s=AT_ONCE)


def whole_session(backend: SshBackend, heard: Heard, first_job: int = 1) -> None:
    """Load, open, write, ask, discover: all of it has to work."""
    load, picture, run, ask, rank = range(first_job, first_job + 5)
    backend.send(LoadModel(load))
    backend.send(open_strip(picture))
    backend.send(Generate(run, narration(8, panel=4)))
    assert heard.until(RunFinished, run).run.n_tok == 8
    backend.send(AskMap(ask, run, (0,)))
    backend.send(Discover(rank, StripsSource("builtin", 3)))
    heard.until(MapReady, ask)
    heard.until(RankingsFinished, rank)


def test_a_whole_session_crosses_and_nothing_that_is_printed_there_disturbs_it(
    machine: OtherMachine, heard: Heard
) -> None:
    with backend_at(machine, heard) as backend:
        assert heard.until(Ready).versions["gazeviz"]
        whole_session(backend, heard)
        (pid,) = machine.workers()
    until_gone(pid)
    assert not heard.of(WorkerEnded)


def test_steps_stream_while_the_answer_is_written(machine: OtherMachine, heard: Heard) -> None:
    with backend_at(machine, heard, "slow") as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        backend.send(Generate(3, narration(12, panel=4)))
        heard.until(StepArrived, 3)
        first_s = time.monotonic()
        heard.until(RunFinished, 3)
        assert time.monotonic() - first_s > 0.5  # time itself: eleven tokens of 0.1 s were to come


def test_a_new_target_is_followed_within_two_tokens(machine: OtherMachine, heard: Heard) -> None:
    """On a line of 100 ms there and back, with 100 ms a token."""
    late = []
    with backend_at(machine, heard, "slow") as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        for job in range(3, 8):
            backend.send(Generate(job, narration(48, panel=4)))
            for _ in range(3):
                step = heard.until(StepArrived, job)
            shown = step.index
            backend.send(Retarget(job, PANELS[1], due=shown + 1))
            while step.target != "Panel 2":
                step = heard.until(StepArrived, job)
            late.append(step.index - shown - 1)
            backend.send(Cancel(job))
            heard.until(RunFinished, job)
    assert sorted(late)[len(late) // 2] <= 2, late


@pytest.mark.slow
def test_killed_in_every_way_at_every_moment_it_comes_back(machine: OtherMachine, heard: Heard) -> None:
    """The worker, ssh or the line, while it loads, writes or measures; nothing is left on either side."""
    rng = random.Random(0)
    moments = [(JobProgress, 1), (StepArrived, 3), (RankingPartial, 4), (Ready, 0)]
    with backend_at(machine, heard) as backend:
        machine.workers()
        for turn in range(12):  # three ways at four moments
            first = 10 * turn
            backend.send(LoadModel(first + 1))
            backend.send(open_strip(first + 2))
            backend.send(Generate(first + 3, narration(48, panel=4)))
            backend.send(Discover(first + 4, StripsSource("builtin", 30)))
            kind, job = moments[turn % 4]
            heard.until(kind, first + job if job else 0)
            let_time_pass(rng, 0.1)
            (pid,) = machine.workers()
            match turn % 3:
                case 0:
                    os.kill(pid, signal.SIGKILL)
                case 1:
                    backend.kill()
                case _:
                    machine.break_line()
            lost = heard.until(WorkerEnded)
            assert lost.sentence == "The line to 127.0.0.1 broke."
            assert lost.jobs
            until_gone(pid)
            backend.restart()
            heard.until(WorkerStarted)
        whole_session(backend, heard, first_job=1001)


# What travels


def sent(backend: SshBackend, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Everything that is sent from now on."""
    requests: list[object] = []
    parts = backend._parts

    def noted(request):
        for part in parts(request):
            requests.append(part)
            yield part

    monkeypatch.setattr(backend, "_parts", noted)
    return requests


def test_a_picture_travels_once(machine: OtherMachine, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    path = STRIP
    with backend_at(machine, heard) as backend:
        requests = sent(backend, monkeypatch)
        backend.send(LoadModel(1))
        for job in (2, 3):
            backend.send(OpenPicture(job, PictureSource("ab", path.name, str(path))))
            grid = heard.until(PicturePrepared, job).grid
            assert grid.picture_size_px[0] > 0
        pieces = [request for request in requests if isinstance(request, KeepFile)]
        assert sum(len(piece.data) for piece in pieces) == path.stat().st_size
        opened = [request for request in requests if isinstance(request, OpenPicture)]
        assert all(request.picture.path is None and request.picture.sent for request in opened)
        backend.kill()
        heard.until(WorkerEnded)
        backend.restart()
        backend.send(LoadModel(11))
        backend.send(OpenPicture(12, PictureSource("ab", path.name, str(path))))
        heard.until(PicturePrepared, 12)  # to the next worker it has to travel again, and does


def test_strips_of_a_folder_travel(machine: OtherMachine, heard: Heard) -> None:
    with backend_at(machine, heard) as backend:
        backend.send(LoadModel(1))
        backend.send(Discover(2, StripsSource("folder", 3, folder=str(STRIP.parent))))
        assert heard.until(RankingsFinished, 2).rankings


def test_what_cannot_be_read_here_is_said_here(machine: OtherMachine, heard: Heard, tmp_path: Path) -> None:
    with backend_at(machine, heard) as backend, pytest.raises(UserError, match="cannot be read"):
        backend.send(OpenPicture(1, PictureSource("ab", "gone.png", str(tmp_path / "gone.png"))))


def test_models_and_devices_are_those_of_the_other_machine(machine: OtherMachine, heard: Heard) -> None:
    with backend_at(machine, heard) as backend:
        backend.send(AskModels(1))
        listed = heard.until(ModelsListed, 1)
    assert (listed.models[0].source, listed.models[0].origin) == (None, "built-in")
    assert listed.models[0].weights is not None and listed.models[0].sizes is not None
    assert listed.devices[0].device == "cpu"


# What does not work


def ended(machine: OtherMachine, heard: Heard, program: str, port: int | None = None) -> WorkerEnded:
    """How a worker ends that another program was to be."""
    place = machine.place(program, port)
    with SshBackend(heard, place, options=machine.options, waits_s=AT_ONCE) as backend:
        backend.send(LoadModel(1))
        return heard.until(WorkerEnded)


def test_a_machine_without_gazeviz(machine: OtherMachine, heard: Heard) -> None:
    lost = ended(machine, heard, "/nowhere/gazeviz")
    assert lost.sentence == "127.0.0.1 has no program /nowhere/gazeviz."
    assert "ssh://user@host/path/to/gazeviz" in lost.next_step
    assert lost.jobs == (1,)


def test_a_machine_that_cannot_be_reached(machine: OtherMachine, heard: Heard) -> None:
    lost = ended(machine, heard, "/x", port=1)
    assert lost.sentence.startswith("ssh could not reach 127.0.0.1 (")
    assert "Connection refused" in lost.sentence


def test_a_key_that_is_not_known_there(machine: OtherMachine, heard: Heard) -> None:
    place = machine.place()
    nothing = ("-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
        "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityFile=/nowhere")  # fmt: skip
    with SshBackend(heard, place, options=nothing, waits_s=AT_ONCE):
        lost = heard.until(WorkerEnded)
    assert "Permission denied" in lost.sentence
    assert lost.next_step.startswith("Try ssh 127.0.0.1 in a terminal")


def test_a_host_key_that_has_changed(machine: OtherMachine, heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "known").write_text(
        "[127.0.0.1]:* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2Qk8Lx8m7fZbqLkdwTqUWPVPXFkQzJZ9XN1Hq0c4cS\n"
    )
    options = ("-o", f"UserKnownHostsFile={tmp_path / 'known'}", *machine.options)
    with SshBackend(heard, machine.place(), options=options, waits_s=AT_ONCE):
        assert "Host key verification failed" in heard.until(WorkerEnded).sentence


@pytest.mark.parametrize(
    ("greeting", "sentence"),
    [
        ("\\0gazeviz-worker 2 0.1.7\\n", "gazeviz 0.1.7 on 127.0.0.1 and gazeviz"),
        ("Welcome to this machine.\\nNo account here.\\n", "No worker began on 127.0.0.1: No account here."),
    ],
)
def test_versions_that_do_not_fit_and_other_programs(
    machine: OtherMachine, heard: Heard, greeting: str, sentence: str
) -> None:
    program = machine.program("other", f"printf '{greeting}'; cat > {machine.folder}/heard")
    if "Welcome" in greeting:
        program = machine.program("other", f"printf '{greeting}'")
    lost = ended(machine, heard, program)
    assert lost.sentence.startswith(sentence)
    assert not (machine.folder / "heard").exists() or not (machine.folder / "heard").read_bytes()


def test_an_older_gazeviz(machine: OtherMachine, heard: Heard) -> None:
    program = machine.program("old", "echo 'Invalid choice: worker.' >&2; exit 2")
    assert ended(machine, heard, program).sentence == "gazeviz on 127.0.0.1 is too old to be a worker."


def test_a_login_that_talks_first(machine: OtherMachine, heard: Heard) -> None:
    program = machine.program(
        "chatty", f"printf 'Welcome!\\0\\377 \\n'; exec {machine.folder}/gazeviz \"$@\""
    )
    place = machine.place(program)
    with SshBackend(heard, place, options=machine.options, waits_s=AT_ONCE) as backend:
        whole_session(backend, heard)
    machine.workers()


def test_a_worker_whose_line_falls_silent_ends(machine: OtherMachine, tmp_path: Path) -> None:
    """Nobody tells a machine that its caller has lost power: then nothing comes any more, that is all."""
    text = (
        "import os, sys\n"
        "from gazeviz.backend.remote import stdio\n"
        "stdio.StdioChannel.__init__.__kwdefaults__['patience_s'] = 1.0\n"
        "from tests.fakes.scripted import Script\n"
        "stdio.serve(Script().load)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert worker.stdout is not None and worker.stdin is not None
    assert b"gazeviz-worker" in worker.stdout.readline()
    assert worker.wait(PATIENCE_S) == 0
    worker.stdin.close()
    worker.stdout.close()
    assert not list(tmp_path.iterdir())
