"""Measures the log: what writing costs the screen, lists of 100,000 runs, kills and two writers.

    python -m tests.benchmarks.bench_log              measure, and write the section of the help page
    python -m tests.benchmarks.bench_log --runs 500 --kills 2 --transactions 20   a look at whether it runs

Fails where anything that was promised is lost.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gazeviz.domain.heads import HeadOrigin, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, RunResult
from gazeviz.domain.run import Account, Audit, RunRequest
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.store import RunFilter, SessionStore
from gazeviz.store.run_query import SortKey
from gazeviz.store.upkeep import check, stats
from tests.benchmarks.performance_page import write_section
from tests.store import processes
from tests.store.samples import plain_step, tiny_info

FULL_RUNS, FULL_KILLS, FULL_TRANSACTIONS = 100_000, 100, 1000
N_TOK, N_CELLS, N_LISTED = 15, 64, 50
KILLS_PER_LOG = 20
PANELS = panel_regions(Layout(1, 6), 1536, 256)
COLOURS = ("black", "purple", "white", "orange", "green", "blue")
ANIMALS = ("cat", "dog", "turtle", "fish", "giraffe", "owl", "fox", "bear")
DEEDS = ("eats", "jumps", "sleeps", "digs", "paints", "reads", "swims")
PLACES = ("in the city", "at night", "in the snow", "on the beach", "in the forest")
QUESTIONED = ("this panel", "the first panel", "the second panel", "the picture", "the last panel")
PROMPTS = tuple(f"What is happening in {place} of the comic strip?" for place in QUESTIONED)
HEADS = tuple(
    HeadSet.of("L1H2,L3H0,L4H1", HeadOrigin("top", name, 3)) for name in ("mass", "tracking", "causal")
)


@dataclass
class Times:
    """Wall times of one thing, in ms."""

    name: str
    ms: list[float]

    def __str__(self) -> str:
        p50, p99 = np.percentile(self.ms, [50, 99])
        return f"| {self.name} | {p50:.2f} | {p99:.2f} | {max(self.ms):.2f} |"


def timed(name: str, n: int, action: Callable[[int], object]) -> Times:
    """Do something n times."""
    times = []
    for number in range(n):
        began_s = time.perf_counter()
        action(number)
        times.append((time.perf_counter() - began_s) * 1000)
    return Times(name, times)


# A large log


def sentence(rng: random.Random) -> str:
    """What a model on the comic world says."""
    return f"{rng.choice(COLOURS)} {rng.choice(ANIMALS)} {rng.choice(DEEDS)} {rng.choice(PLACES)}."


def one_run(rng: random.Random) -> tuple[GenerateSpec, RunResult]:
    """A run as a person or a sweep makes them; a fifth are baselines."""
    target, heads = rng.choice(PANELS), rng.choice(HEADS)
    strength = rng.choice((2.0, 4.0, 8.0, 8.0, 16.0, "hard"))
    steering = None if rng.random() < 0.2 else Steering(heads, target, strength=strength)  # type: ignore[arg-type]
    text = "at at at at at at" if rng.random() < 0.03 else sentence(rng)
    spec = GenerateSpec(
        f"{rng.randrange(40):064x}", rng.choice(PROMPTS), steering, max_new_tokens=N_TOK, chosen=heads,
        regions=PANELS,
    )  # fmt: skip
    ledger = Account.of([0.2, 0.2, 0.3, 0.2, 0.1], [0.05, 0.05, 0.05, 0.8, 0.05])
    request = RunRequest(
        "/models/comic-vlm", "f00d" * 16, "float32", "cpu", "gazeviz/sdpa", spec.prompt, spec.picture_sha256,
        (1536, 256), (1536, 256), steering, max_new_tokens=N_TOK, tracked=heads,
        target_tokens=((target.name, tuple(range(10, 22))),) if steering else (),
        versions={"gazeviz": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "numpy": "2.4.6"},
    )  # fmt: skip
    audit = Audit.of(3, 22, 12, ledger) if steering else None
    junk = "looping" if text.startswith("at at") else None
    return spec, RunResult(text, "stop", junk, audit, (), 0.4, N_TOK, "f00d" * 16, request)  # type: ignore[arg-type]


def fill(path: Path, n_runs: int) -> float:
    """Log runs, a thousand a transaction; returns seconds."""
    rng, began_s = random.Random(0), time.perf_counter()
    models = [tiny_info(f"f00d{number}", f"model {number}") for number in range(3)]
    with closing(SessionStore(path)) as store:
        for first in range(0, n_runs, 1000):
            n_more = min(1000, n_runs - first)

            def log_some(_: object, number: int = first // 1000, n_more: int = n_more) -> None:
                store.open_session(f"Sweep {number}")
                for _run in range(n_more):
                    log_one(store, rng, rng.choice(models))

            store.write(log_some)  # one transaction
    return time.perf_counter() - began_s


def log_one(store: SessionStore, rng: random.Random, model: ModelInfo) -> None:
    """Log a run with its tokens."""
    spec, summary = one_run(rng)
    run_id = store.run_created(spec.side, spec, model)
    shift = rng.random() / 7
    for index in range(N_TOK):
        step = plain_step(index, len(PANELS), N_CELLS)
        masses_R = (step.masses_R + np.float32(shift)).astype(np.float32)
        map_P = (step.map_P * np.float32(shift)).astype(np.float32)
        store.step_appended(run_id, replace(step, masses_R=masses_R, weighted_R=masses_R * 3, map_P=map_P))
    store.run_ended(run_id, "done", summary, "")


def mark(path: Path, n_runs: int) -> None:
    """Stars, tags and notes on some of them."""
    rng = random.Random(1)
    with closing(SessionStore(path)) as store:
        some = [rng.randint(1, n_runs) for _ in range(max(1, n_runs // 100))]
        store.star_runs(some)
        store.tag_runs(some[::2], "figure 2")
        for run_id in some[:50]:
            store.note_run(run_id, f"look again at the {rng.choice(ANIMALS)}")


def list_times(path: Path, n_runs: int) -> list[Times]:
    """What the list of runs asks."""
    rng = random.Random(2)
    with closing(SessionStore(path)) as store:
        runs = store.list
        everything = runs.ids()

        def place(_: int) -> object:
            at = rng.randrange(max(1, len(everything) - N_LISTED))
            return runs.lines(everything[at : at + N_LISTED])

        def page(typed: Callable[[], str], sort: SortKey = "started") -> Callable[[int], object]:
            return lambda _: runs.page(RunFilter.parse(typed()), limit=N_LISTED, sort=sort)

        def count(typed: Callable[[], str]) -> Callable[[int], object]:
            return lambda _: runs.count(RunFilter.parse(typed()))

        def rare() -> str:
            return f"{rng.choice(COLOURS)} {rng.choice(ANIMALS)} {rng.choice(DEEDS)}"

        def target() -> str:
            return f'target:"Panel {rng.randint(1, 6)}" strength:>4'

        return [
            timed("first page", 200, page(lambda: "")),
            timed("how many there are", 100, count(lambda: "")),
            timed("numbers of all of them, for scrolling", 20, lambda _: runs.ids()),
            timed("rows anywhere in the list", 200, place),
            timed("full-text search, three words, first page", 200, page(rare)),
            timed("full-text search, three words, how many", 100, count(rare)),
            timed("full-text search, one common word, first page", 100, page(lambda: rng.choice(ANIMALS))),
            timed("full-text search, one common word, how many", 50, count(lambda: rng.choice(ANIMALS))),
            timed("search for a part of a word, first page", 100, page(lambda: rng.choice(("urtl", "iraf")))),
            timed("search for a part of a word, how many", 50, count(lambda: rng.choice(("urtl", "iraf")))),
            timed("search for two letters, how many", 20, count(lambda: rng.choice(("ox", "漢字")))),
            timed("filter by target and strength, first page", 200, page(target)),
            timed("filter by target and strength, how many", 50, count(target)),
            timed("filter by star, first page", 200, page(lambda: "is:starred")),
            timed(
                "20 sessions by a part of their names, sorted by text, first page",
                50,
                page(lambda: "session:7", "text"),
            ),
            timed("all, sorted by text, first page", 20, page(lambda: "", "text")),
            timed("figures of the side list", 20, lambda _: runs.counts()),
            timed("one run with its tokens, decoded", 200, lambda _: opened(store, rng.randint(1, n_runs))),
        ]


def opened(store: SessionStore, run_id: int) -> object:
    """Read everything of a run."""
    run = store.reader.run(run_id)
    return run.spec, run.summary, run.steps


def write_times(path: Path, n: int) -> list[Times]:
    """What logging costs the screen's thread."""
    with closing(SessionStore(path)) as store:
        spec, summary = one_run(random.Random(3))
        info, created, ended, steps = tiny_info(), [], [], []
        for _ in range(n):
            began_s = time.perf_counter()
            run_id = store.run_created("steered", spec, info)
            created.append((time.perf_counter() - began_s) * 1000)
            for index in range(60):
                step = plain_step(index, len(PANELS), 1280)
                began_s = time.perf_counter()
                store.step_appended(run_id, step)
                steps.append((time.perf_counter() - began_s) * 1000)
                time.sleep(0.0005)
            began_s = time.perf_counter()
            store.run_ended(run_id, "done", summary, "").result()
            ended.append((time.perf_counter() - began_s) * 1000)
    return [
        Times("a run begins, until it is on the disk", created),
        Times("a token, until the caller goes on", steps),
        Times("a run ends, until it and its tokens are on the disk", ended),
    ]


# Promises


def kills(folder: Path, n_kills: int) -> tuple[int, int]:
    """Kill a logging program again and again; returns promised and interrupted runs. Fails on any loss."""
    rng, n_begun, n_interrupted = random.Random(4), 0, 0
    for number in range(n_kills):
        path = folder / f"kills-{number // KILLS_PER_LOG}" / "gazeviz.db"
        path.parent.mkdir(exist_ok=True)
        begun, ended = processes.kill_while_logging(path, rng)
        lost = processes.losses(path, begun, ended)
        if lost:
            raise SystemExit(f"kill {number}: {lost[:5]}")
        n_begun += len(begun)
        n_interrupted += len(begun - ended)
    return n_begun, n_interrupted


def two_writers(folder: Path, n: int) -> float:
    """Two programs write and one reads, n transactions each; returns seconds. Fails on any loss."""
    path = folder / "writers" / "gazeviz.db"
    SessionStore(path).close()
    began_s = time.perf_counter()
    programs = [processes.begin(job, path, str(n)) for job in ("marks", "marks", "reads")]
    codes = [program.wait() for program in programs]
    seconds = time.perf_counter() - began_s
    with closing(sqlite3.connect(path)) as database:
        done = database.execute(
            "SELECT count(*) FROM runs WHERE state = 'done' GROUP BY session_id"
        ).fetchall()
    if codes != [0, 0, 0] or done != [(n // 2,)] * 2 or check(path):
        raise SystemExit(f"two writers: codes {codes}, runs {done}")
    return seconds


# The page


def section(
    n_runs: int, filled_s: float, n_bytes: int, reading: Sequence[Times], writing: Sequence[Times],
    kill_line: str, writer_line: str,
) -> str:  # fmt: skip
    """The text of the help page."""
    rows = "\n".join(map(str, [*reading, *writing]))
    return f"""## The log

A generated log of {n_runs:,} runs of {N_TOK} tokens, six regions and {N_CELLS} image tokens, with all maps:
{n_bytes / n_runs / 1000:.1f} kB on disk a run ({n_bytes / 1e9:.2f} GB), written in {filled_s:.0f} s.
A page has {N_LISTED} rows. Tokens that are written have 1280 image tokens.

| | p50, ms | p99, ms | longest, ms |
|---|---|---|---|
{rows}

{kill_line}
{writer_line}

{platform.system()} on {platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()},
SQLite {sqlite3.sqlite_version}, write-ahead log, synchronous FULL."""


def main() -> None:
    """Measure, and write the section unless this was only a look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=FULL_RUNS)
    parser.add_argument("--kills", type=int, default=FULL_KILLS)
    parser.add_argument("--transactions", type=int, default=FULL_TRANSACTIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large" / "gazeviz.db"
        filled_s = fill(path, options.runs)
        mark(path, options.runs)
        n_bytes = stats(path).database_bytes
        print(f"filled in {filled_s:.0f} s, {n_bytes / options.runs / 1000:.1f} kB a run", flush=True)
        reading = list_times(path, options.runs)
        writing = write_times(path, 50)
        print(*reading, *writing, sep="\n", flush=True)
        n_begun, n_interrupted = kills(folder, options.kills)
        kill_line = (
            f"{options.kills} kills (signal 9) of a program that logs as fast as it can: {n_begun:,} runs\n"
            f"were begun and {n_interrupted} interrupted; nothing that was promised was lost, every check\n"
            "was sound, and every interrupted run was marked lost at the next start."
        )
        print(kill_line, flush=True)
        seconds = two_writers(folder, options.transactions)
        writer_line = (
            f"Two programs that write and one that reads, {options.transactions} transactions each at\n"
            f"the same time: none lost, {seconds:.0f} s."
        )
        print(writer_line, flush=True)
    if (options.runs, options.kills, options.transactions) == (FULL_RUNS, FULL_KILLS, FULL_TRANSACTIONS):
        text = section(options.runs, filled_s, n_bytes, reading, writing, kill_line, writer_line)
        write_section("log", text)


if __name__ == "__main__":
    main()
