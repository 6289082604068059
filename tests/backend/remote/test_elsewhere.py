"""Commands on a model of another machine: the real engine behind a real sshd, 50 ms away each way."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gazeviz.backend.remote.ssh import SshBackend
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import Generate, LoadModel, Retarget, RunFinished, StepArrived
from tests.backend.listening import PANELS, Heard, narration, open_strip
from tests.backend.remote.conftest import ROOT, OtherMachine
from tests.command_line import Run, answered, command_line

QUESTION = "What is happening in this panel of the comic strip?"


@pytest.fixture
def place(machine: OtherMachine, monkeypatch: pytest.MonkeyPatch) -> str:
    """A gazeviz over there, as a person names it."""
    program = "import sys; from gazeviz.cli import main; sys.exit(main())"
    command = f'exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} "$@"'
    machine.program("real", f"cd {ROOT} && PYTHONPATH={ROOT} OMP_NUM_THREADS=1 {command}")
    machine.ssh_on_path(monkeypatch)
    return str(machine.place(str(machine.folder / "real")))


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(capsys)


def test_commands_give_there_what_they_give_here(gazeviz: Run, place: str, tmp_path: Path) -> None:
    log = ("--log", str(tmp_path / "log.db"))
    steer = ("steer", "builtin:3", "-p", QUESTION, "--panel", "4", "--max-new-tokens", "8", *log)
    here, there = answered(gazeviz, *steer), answered(gazeviz, *steer, "--worker", place)
    for side in ("baseline", "steered"):
        assert there[side]["text"] == here[side]["text"]
        assert there[side]["request"]["steering"] == here[side]["request"]["steering"]
    after = [answer["steered"]["audit"]["mass_after"] for answer in (here, there)]
    assert after[1] == pytest.approx(after[0], abs=1e-5)
    shown = [
        answered(gazeviz, "log", "show", str(run), *log) for run in (here["logged"][1], there["logged"][1])
    ]
    assert shown[0]["text"] == shown[1]["text"]


def test_a_map_and_a_ranking_come_from_there(gazeviz: Run, place: str, tmp_path: Path) -> None:
    asked = ("map", "builtin:3", "-p", QUESTION, "--heads", "L4H1,L5H2", "--max-new-tokens", "3", "--no-log")
    here = answered(gazeviz, *asked, "--out", tmp_path / "here.png")
    there = answered(gazeviz, *asked, "--out", tmp_path / "there.png", "--worker", place)
    assert there["attention"] == pytest.approx(here["attention"], abs=1e-3)
    discover = ("discover", "--strips", "builtin:2", "--no-log")
    answered(gazeviz, *discover, "--out", tmp_path / "here.json")
    answered(gazeviz, *discover, "--out", tmp_path / "there.json", "--worker", place)
    ours, theirs = (HeadRanking.load(tmp_path / f"{name}.json") for name in ("here", "there"))
    assert theirs.scores_LH == pytest.approx(ours.scores_LH, abs=1e-6)


def test_what_another_machine_cannot_do_is_said(gazeviz: Run, place: str) -> None:
    code, _, err = gazeviz(
        "describe", "builtin:1", "-p", "What?", "--worker", place, "--model", "no/such", "--no-log"
    )
    assert code == 2 and "no/such" in err
    code, _, err = gazeviz("demo", "--worker", place)
    assert code == 2 and "cannot run its model on another machine" in err
    question = ("--question", "Where is the {ordinal} panel?")
    code, _, err = gazeviz("discover", "--strips", "builtin:2", "--worker", place, "--no-log", *question)
    assert code == 2 and "usual question" in err


def test_the_real_engine_follows_a_new_target_while_it_writes(
    machine: OtherMachine, place: str, heard: Heard
) -> None:
    del place  # puts the program there
    named = machine.place(str(machine.folder / "real"))
    with SshBackend(heard, named, options=machine.options, waits_s=(0.0,)) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        spec = narration(200, panel=1)
        assert spec.steering is not None
        # The whole narration: steered in earnest it may end before the line has carried another target.
        spec = replace(spec, steering=replace(spec.steering, strength=0.0))
        for job in range(3, 23):
            backend.send(Generate(job, spec))
            first = heard.until(StepArrived, job)
            backend.send(Retarget(job, PANELS[3], due=first.index + 1))
            done = heard.until(RunFinished, job).run
            if done.switches:
                break
    steps = heard.of(StepArrived, job)
    [(moved, name)] = done.switches
    assert name == PANELS[3].name
    assert [step.target for step in steps] == [
        PANELS[0].name if step.index < moved else name for step in steps
    ]
