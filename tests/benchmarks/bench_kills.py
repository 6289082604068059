"""Measures what kills cost, and what programs do to each other on one log; all with the built-in model.

    python -m tests.benchmarks.bench_kills            all of it, into resources/help/reliability.md
    python -m tests.benchmarks.bench_kills --look     a few of each; nothing is written
    --datasette PATH                                  the program of Datasette (default: the one on the path)

The worker is killed while it generates, the window's program while an answer is being written, and an
evaluation wherever it is. Windows run without a screen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from gazeviz.backend.client import WorkerEnded, WorkerStarted
from gazeviz.domain.messages import Generate, StepArrived
from gazeviz.store import SessionStore
from gazeviz.store.upkeep import check
from tests.backend.listening import is_alive
from tests.benchmarks.bench_backend import STRIP, Bench
from tests.benchmarks.bench_reliability import PAGE
from tests.benchmarks.performance_page import write_section

ROOT: Final = Path(__file__).parents[2]
WORKER_KILLS, APP_KILLS, EVALUATION_KILLS, RUNS, CALLS = 20, 20, 20, 15, 10
NOT_COMPARED: Final = ("id", "evaluation_id")


def outlives(pid: int, timeout_s: float = 10.0) -> bool:
    """Whether a process is still there so long after its program was killed."""
    deadline_s = time.monotonic() + timeout_s
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return is_alive(pid)


def environment(folder: Path) -> dict[str, str]:
    """What a program of its own folder runs with."""
    own = {"GAZEVIZ_DATA": str(folder), "XDG_CONFIG_HOME": str(folder), "QT_QPA_PLATFORM": "offscreen"}
    return os.environ | own | {"PYTHONPATH": str(ROOT)}


def live_in_a_window(n_runs: int) -> None:
    """Open the window, paint and run again and again; say which runs the log's file holds as done."""
    from tests.benchmarks.bench_window import Live

    live = Live(time.time())
    controller, model = live.controller, live.model
    print("ready", flush=True)
    draw, number = random.Random(os.getpid()), 0
    while number < n_runs or not n_runs:
        number += 1
        x, y = draw.randrange(900), draw.randrange(100)
        controller.editor.paint_rectangle((x, y), (x + 200, y + 120))
        controller.retarget(model.regions.ids[-1])
        controller.run("steered")
        live.live_until(lambda: not controller.runs.active)
        with closing(sqlite3.connect(Path(os.environ["GAZEVIZ_DATA"]) / "log.db")) as log:
            print(
                "done",
                *(row[0] for row in log.execute("SELECT id FROM runs WHERE state = 'done'")),
                flush=True,
            )
    live.close()


def window(folder: Path, n_runs: int = 0) -> subprocess.Popen[str]:
    """Start such a window."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_kills", "--child", str(n_runs)]
    return subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def kill_worker(n: int) -> str:
    """Kill the worker while it generates; it must come back and say the same as before."""
    bench, rng, same, orphans, n_seen = Bench(None, real=True), random.Random(3), 0, 0, []
    with bench.backend:
        bench.begin()
        expected = bench.answer(12, 4)[0]
        for _ in range(n):
            job = bench.job()
            bench.backend.send(Generate(job, bench.spec(40, 4)))
            wanted = rng.randint(1, 12)
            for _ in range(wanted):
                bench.heard.until(StepArrived, job)
            pid = bench.heard.of(WorkerStarted)[-1].pid or 0
            os.kill(pid, signal.SIGKILL)
            lost = bench.heard.until(WorkerEnded)
            assert lost.signal_name == "SIGKILL", lost
            orphans += is_alive(pid)
            n_seen.append(wanted)
            bench.begin()
            same += bench.answer(12, 4)[0] == expected
    return (
        f"Worker killed while it generates, after its token {min(n_seen)} to {max(n_seen)}: {n} kills,"
        f" {n - orphans} workers gone, {same} came back with model and picture and gave the same answer"
        " as before"
    )


def kill_app(n: int) -> str:
    """Kill the window's program at random moments of its runs; nothing that its log's file held may go."""
    rng, wrong, promised, orphans, under_way = random.Random(4), [], 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(n):
            program = window(folder)
            assert program.stdout is not None and program.stderr is not None
            while (line := program.stdout.readline()).strip() != "ready":
                if not line:
                    raise RuntimeError(program.stderr.read()[-3000:])
            workers = children(program.pid)
            seen = {int(number) for number in program.stdout.readline().split()[1:]}
            time.sleep(rng.uniform(0, 1.0))
            program.kill()
            for line in program.stdout.read().splitlines(keepends=True):
                seen |= {int(number) for number in line.split()[1:]} if line.endswith("\n") else set()
            program.wait()
            program.stderr.close()
            orphans += sum(outlives(pid) for pid in workers)
            wrong += lost_runs(folder / "log.db", seen)
            promised += len(seen)
            under_way += one_number(folder / "log.db", "SELECT count(*) FROM runs WHERE state = 'lost'")
    return (
        f"The window's program killed while it runs: {n} kills on one log; finished runs that the file held"
        f" before a kill, counted at every kill: {promised:,}, of them gone or changed afterwards:"
        f" {len(wrong)}"
        f"{' (' + '; '.join(wrong[:3]) + ')' if wrong else ''}; workers left behind: {orphans};"
        f" `gazeviz log check` finds nothing after any kill" * (not wrong)
    )


def children(pid: int) -> list[int]:
    """Processes that a process has begun (Linux)."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for tasks in lists for child in tasks.read_text().split()]


def lost_runs(path: Path, done: set[int]) -> list[str]:
    """Which runs are no longer as the file said, and what else is wrong with it."""
    with closing(SessionStore(path, program="look after the kill")) as store:
        states = dict(store.reader.rows("SELECT id, state FROM runs"))
    wrong = [f"run {run_id} is {states.get(run_id)}" for run_id in done if states.get(run_id) != "done"]
    wrong += [f"run {run_id} is still {state}" for run_id, state in states.items() if state == "running"]
    return wrong + list(check(path))


def one_number(path: Path, query: str) -> int:
    """What a query of one number finds."""
    with closing(sqlite3.connect(path)) as log:
        return int(log.execute(query).fetchone()[0])


def evaluate(folder: Path) -> subprocess.Popen[str]:
    """Begin, or go on with, an evaluation of the built-in model."""
    command = [
        sys.executable, "-m", "gazeviz", "evaluate", "vqa", "--pictures", "builtin:12@7",
        "--heads", "mass:10", "--controls", "uniform:2,all,zero",
        "--name", "killed", "--log", str(folder / "log.db"), "--json",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def items(path: Path) -> list[tuple[Any, ...]]:
    """An evaluation's rows, without their numbers."""
    with closing(sqlite3.connect(path)) as log:
        names = [row[1] for row in log.execute("PRAGMA table_info(evaluation_items)")]
        kept = [name for name in names if name not in NOT_COMPARED]
        return sorted(log.execute(f"SELECT {', '.join(kept)} FROM evaluation_items"), key=repr)


def kill_evaluation(n: int) -> str:
    """Kill an evaluation wherever it is, let it go on, and compare with one that was left alone."""
    rng, counts = random.Random(5), [0]
    with tempfile.TemporaryDirectory() as name:
        killed, whole = Path(name) / "killed", Path(name) / "whole"
        for folder in (killed, whole):
            folder.mkdir()
        answer = json.loads(evaluate(whole).communicate()[0])
        n_killed = 0
        while n_killed < n:
            program, log = evaluate(killed), killed / "log.db"
            while program.poll() is None and rows_in(log) <= counts[-1]:
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 1.0))
            finished = program.poll() is not None
            program.kill()
            program.communicate()
            assert rows_in(log) >= counts[-1], "rows are gone"
            counts.append(rows_in(log))
            if finished:
                break
            n_killed += 1
        last = evaluate(killed)
        again = json.loads(last.communicate()[0])
        same = items(killed / "log.db") == items(whole / "log.db")
        wrong = check(killed / "log.db")
    same_words = "the same" if same else "NOT the same"
    return (
        f"`gazeviz evaluate` killed each time that it had written more rows, up to a second later:"
        f" {n_killed} kills (after {', '.join(map(str, counts[1 : n_killed + 1]))} rows; none of them went),"
        f" then left to finish: {len_of(again)} rows, {same_words} as of one that nobody killed"
        f" ({len_of(answer)}); `gazeviz log check` finds {len(wrong) or 'nothing'}"
    )


def rows_in(log: Path) -> int:
    """How many rows an evaluation has written; 0 before there is a log."""
    try:
        return one_number(log, "SELECT count(*) FROM evaluation_items") if log.exists() else 0
    except sqlite3.OperationalError:  # its tables are being made
        return 0


def len_of(answer: dict[str, Any]) -> str:
    """How many items an evaluation's answer counts."""
    for key in ("n_items", "n_done", "items"):
        if key in answer:
            return str(answer[key] if isinstance(answer[key], int) else len(answer[key]))
    return "all"


def one_log(n_runs: int, n_calls: int, datasette: str) -> str:
    """Two windows, the command line and Datasette on one log at the same time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log.db"
        SessionStore(log).close()
        windows = [window(folder, n_runs) for _ in range(2)]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        served = subprocess.Popen([datasette, "serve", str(log), "--port", str(port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        query = f"http://127.0.0.1:{port}/log.json?sql=select+count(*)+as+n+from+runs+join+run_steps"
        asked = failed = calls = 0
        codes: list[int] = []
        while any(one.poll() is None for one in windows) or calls < n_calls:
            if calls < n_calls:
                command = [sys.executable, "-m", "gazeviz", "describe", str(STRIP), "-p",
                           "What is happening here?", "--log", str(log)]  # fmt: skip
                codes.append(subprocess.run(command, env=environment(folder), cwd=ROOT, check=False,
                                            capture_output=True).returncode)  # fmt: skip
                calls += 1
            for _ in range(10):
                try:
                    with urllib.request.urlopen(query, timeout=30) as reply:
                        json.load(reply)
                    asked += 1
                except OSError:
                    failed += asked > 0  # it needs its time to start
                time.sleep(0.05)
        errors = [one.communicate()[1] for one in windows]
        served.terminate()
        served.wait()
        done = one_number(log, "SELECT count(*) FROM runs WHERE state = 'done'")
        other = one_number(log, "SELECT count(*) FROM runs WHERE state <> 'done'")
        wrong = check(log)
        version = subprocess.run([datasette, "--version"], capture_output=True, text=True, check=True).stdout
    ended = [one.returncode for one in windows]
    said = " ".join(error.strip()[-200:] for error in errors if "Error" in error)
    return (
        f"One log, at the same time: two windows with {n_runs} runs each (ended with {ended[0]} and"
        f" {ended[1]}), {n_calls} calls of `gazeviz describe` ({codes.count(0)} ended with 0), and {asked}"
        f" queries to {version.strip().replace(', version', '')} ({failed} failed): {done} runs are done"
        f" ({other} not), `gazeviz log check` finds {len(wrong) or 'nothing'}{said}"
    )


def main() -> int:
    """Measure and print; write the page after a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--datasette", default=shutil.which("datasette") or "datasette")
    parser.add_argument("--only", choices=("worker", "app", "evaluation", "log"))
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        live_in_a_window(options.child)
        return 0
    few = options.look
    measures = {
        "worker": lambda: kill_worker(2 if few else WORKER_KILLS),
        "app": lambda: kill_app(2 if few else APP_KILLS),
        "evaluation": lambda: kill_evaluation(2 if few else EVALUATION_KILLS),
        "log": lambda: one_log(2 if few else RUNS, 2 if few else CALLS, options.datasette),
    }
    titles = {"worker": "A worker that is killed", "app": "A window that is killed",
              "evaluation": "An evaluation that is killed", "log": "Several programs on one log"}  # fmt: skip
    for name, measure in measures.items():
        if options.only in (None, name):
            found = measure()
            print(found, flush=True)
            if not few:
                how = f"Measured by `python -m tests.benchmarks.bench_kills --only {name}` on shared cores."
                write_section(name, f"## {titles[name]}\n\n{found}.\n\n{how}", PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
