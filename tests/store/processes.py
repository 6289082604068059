"""Programs that log at full speed, to be run beside each other and to be killed.

python -m tests.store.processes runs PATH      log runs until killed; every promise is printed
python -m tests.store.processes marks PATH N   N transactions
python -m tests.store.processes reads PATH N   N reads
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gazeviz.store import SessionStore
from gazeviz.store.upkeep import check
from tests.patience import let_time_pass
from tests.store.samples import Samples, plain_step, tiny_info

N_STEPS = 12
ROOT = Path(__file__).parents[2]


def log_runs(path: Path) -> None:
    """Log runs for ever; a line for everything that the log has promised to keep."""
    store = SessionStore(path)
    samples, info = Samples(os.getpid()), tiny_info()
    store.open_session("logging")
    while True:
        run_id = store.run_created("steered", replace(samples.spec(), picture_sha256="ab"), info)
        print("created", run_id, flush=True)
        for index in range(N_STEPS):
            store.step_appended(run_id, plain_step(index))
        store.save_regions("ab", samples.regions())
        store.run_ended(run_id, "done", samples.summary(), "").result()
        print("ended", run_id, flush=True)


def write_marks(path: Path, n: int) -> None:
    """Make n transactions: runs and notes, in turn."""
    store = SessionStore(path)
    session_id = store.open_session(f"writer {os.getpid()}")
    spec, info, run_id = Samples(1).spec(), tiny_info(), 0
    for number in range(n):
        if number % 2 == 0:
            run_id = store.run_created("baseline", spec, info)
        else:
            store.run_ended(run_id, "done", None, f"{session_id}:{number}").result()
    store.close()


def read_on(path: Path, n: int) -> None:
    """Read n times; what was seen once never disappears."""
    with closing(SessionStore(path)) as store:
        seen = 0
        for _ in range(n):
            now = store.list.count()
            assert now >= seen, (now, seen)
            seen = now
            store.list.page(limit=20)


def begin(job: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start one of these programs."""
    command = [sys.executable, "-m", "tests.store.processes", job, str(path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_while_logging(path: Path, rng: random.Random) -> tuple[set[int], set[int]]:
    """Kill a logging program at a random moment; returns the runs it was promised: begun, and ended."""
    process = begin("runs", path)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    let_time_pass(rng, 0.3)
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    # A line that the kill cut short may lack the end of its number.
    promises = [line.split() for line in lines if line.endswith("\n")]
    begun, ended = (
        {int(run_id) for what, run_id in promises if what == kind} for kind in ("created", "ended")
    )
    return begun, ended


def losses(path: Path, begun: set[int], ended: set[int]) -> Sequence[str]:
    """What the log has lost of its promises, and what else is wrong with it after a kill."""
    wrong = list(check(path))
    with closing(SessionStore(path, program="look after the kill")) as store:
        states = dict(store.reader.rows("SELECT id, state FROM runs"))
        wrong += [f"run {run_id} is gone" for run_id in begun - states.keys()]
        wrong += [f"run {run_id} is {states[run_id]}" for run_id in ended if states.get(run_id) != "done"]
        wrong += [f"run {run_id} is still {state}" for run_id, state in states.items()
                  if state not in ("done", "lost")]  # fmt: skip
        counts = store.reader.rows("SELECT run_id, count(*) FROM run_steps GROUP BY run_id")
        wrong += [f"run {run_id} has {n} tokens" for run_id, n in counts if run_id in ended and n != N_STEPS]
        wrong += [f"run {run_id} has no summary" for run_id in ended if store.run(run_id).summary is None]
    return wrong


def main() -> None:
    """Do what the command line says."""
    job, path, *rest = sys.argv[1:]
    if job == "runs":
        log_runs(Path(path))
    elif job == "marks":
        write_marks(Path(path), int(rest[0]))
    else:
        read_on(Path(path), int(rest[0]))


if __name__ == "__main__":
    main()
