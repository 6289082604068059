"""Measures the worker: how soon it is there, how fast it obeys, and whether it comes back from being killed.

    python -m tests.benchmarks.bench_backend             measure, and write the section of the help page
    python -m tests.benchmarks.bench_backend --kills 3   a look at whether it runs; nothing is written
    python -m tests.benchmarks.bench_backend --scripted  the same without torch, on a scripted model

Nothing here fails but a worker that does not recover.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gazeviz.backend.client import BackendEvent, WorkerEnded, WorkerStarted
from gazeviz.backend.engine_adapter import Load, load_engine
from gazeviz.backend.process import ProcessBackend
from gazeviz.backend.wire import decode, encode
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import (
    AskMap,
    Cancel,
    Discover,
    Generate,
    GenerateSpec,
    JobProgress,
    LoadModel,
    MapReady,
    ModelInfo,
    ModelLoaded,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingPartial,
    Ready,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.resources import resource_path
from tests.backend.listening import Heard, is_alive, until_gone
from tests.benchmarks.performance_page import conditions, write_section
from tests.fakes.scripted import Script

FULL_KILLS = 50
STRIP = resource_path("samples", "strip-1-1x6.png")
TARGETS = panel_regions(Layout(1, 6), 1536, 256)
PROMPT = "narrate each panel in order."  # as the built-in model and the scripted one know it

APP = """
import sys, time
from gazeviz.backend.process import ProcessBackend
from gazeviz.domain.messages import LoadModel
from tests.benchmarks import bench_backend
if __name__ == "__main__":
    load = bench_backend.loader(sys.argv[2] == "real")
    backend = ProcessBackend(lambda event: print(event, flush=True), load=load)
    backend.start()
    backend.send(LoadModel(1, sys.argv[1] or None))
    time.sleep(1000)
"""


def loader(real: bool) -> Load:
    """The engine, or a scripted model that takes its time."""
    return load_engine if real else Script(load_s=0.5, token_s=0.01, strip_s=0.1).load


class Timed(Heard):
    """A listener that notes when each token arrived, in the thread that hears it."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived_s: dict[tuple[int, int], float] = {}

    def __call__(self, event: BackendEvent) -> None:
        if isinstance(event, StepArrived):
            self.arrived_s[event.job, event.index] = time.perf_counter()
        super().__call__(event)

    def n_since(self, job: int, moment_s: float, end: int) -> int:
        """How many of a run's tokens before token `end` arrived after a moment."""
        return sum(self.arrived_s[job, index] > moment_s for index in range(end))


class Bench:
    """One worker being measured; `ask` numbers the jobs."""

    def __init__(self, model: str | None, real: bool) -> None:
        self.model = model
        self.heard = Timed()
        self.backend = ProcessBackend(self.heard, load=loader(real))
        self.info: ModelInfo | None = None
        self.pid = 0
        self.lines: list[tuple[str, str]] = []
        self._job = 0

    def say(self, what: str, figure: str) -> None:
        """Print one line of the report, and keep it."""
        self.lines.append((what, figure))
        print(f"{what:<62} {figure}", flush=True)

    def job(self) -> int:
        """A job number that was not used before."""
        self._job += 1
        return self._job

    def begin(self) -> tuple[float, float]:
        """Start a worker and load: seconds until it listens, and until the model and a picture are there."""
        started_s = time.perf_counter()
        self.backend.restart()
        self.pid = self.heard.until(WorkerStarted).pid or 0
        self.heard.until(Ready)
        ready_s = time.perf_counter() - started_s
        self.info = self.load()
        return ready_s, time.perf_counter() - started_s

    def load(self) -> ModelInfo:
        """Load the model and open the strip."""
        load, picture = self.job(), self.job()
        self.backend.send(LoadModel(load, self.model))
        self.backend.send(OpenPicture(picture, PictureSource("strip", STRIP.name, str(STRIP))))
        info = self.heard.until(ModelLoaded, load).info
        self.heard.until(PicturePrepared, picture)
        return info

    def spec(self, n_tok: int, panel: int | None) -> GenerateSpec:
        """A narration, steered by the recommended heads towards a panel, or not."""
        assert self.info is not None
        ranking, advice = self.info.default_ranking, self.info.recommended
        heads = ranking.top(advice.n) if ranking and advice else HeadSet.all(self.info.shape_LH)
        steering = None if panel is None else Steering(heads, TARGETS[panel - 1])
        return GenerateSpec("strip", PROMPT, steering, max_new_tokens=n_tok, chosen=heads, regions=TARGETS)

    def answer(self, n_tok: int = 24, panel: int | None = None) -> tuple[str, float]:
        """An answer's text, and the median milliseconds of its tokens after the first."""
        job = self.job()
        self.backend.send(Generate(job, self.spec(n_tok, panel)))
        text = self.heard.until(RunFinished, job).run.text
        ms = [step.ms for step in self.heard.of(StepArrived, job)]
        return text, float(np.median(ms[1:] or ms))


def spread(values: Iterable[float]) -> str:
    """The middle, the 99th percentile and the largest of some measurements."""
    measured = np.array(list(values))
    p50, p99 = np.percentile(measured, [50, 99])
    return f"p50 {p50:.1f}, p99 {p99:.1f}, max {measured.max():.1f} (n = {len(measured)})"


def counted(values: Iterable[int]) -> str:
    """How often each number occurred."""
    return ", ".join(f"{number}: {n} x" for number, n in sorted(Counter(values).items()))


def measure_messages(bench: Bench) -> None:
    """Questions about a run that has ended, and masks on their way."""
    run = bench.job()
    bench.backend.send(Generate(run, bench.spec(1, None)))
    bench.heard.until(RunFinished, run)
    round_trips = []
    for _ in range(200):
        ask, asked_s = bench.job(), time.perf_counter()
        bench.backend.send(AskMap(ask, run, (0,)))
        bench.heard.until(MapReady, ask)
        round_trips.append(1000 * (time.perf_counter() - asked_s))
    bench.say("question to answer about a map, ms", spread(round_trips))
    disc = np.hypot(*np.ogrid[-128:128, -128:128]) < 100
    mask = disc.repeat(16, axis=0).repeat(16, axis=1)
    regions = tuple(Region(f"Region {number}", mask) for number in range(12))
    begun_s = time.perf_counter()
    payload = encode(Generate(1, GenerateSpec("ab", "?", regions=regions)))
    encoded_s = time.perf_counter()
    decode(payload)
    bench.say(
        "12 masks of 4096 x 4096 px: to bytes, back, size",
        f"{1000 * (encoded_s - begun_s):.0f} ms, {1000 * (time.perf_counter() - encoded_s):.0f} ms, "
        f"{len(payload) / 1000:.0f} kB",
    )


def measure_obedience(bench: Bench, n: int) -> None:
    """From a click on another region to the first token under it, and from Stop to the end of the run."""
    delays_ms, late_tok, stops_ms, stop_tok = [], [], [], []
    rng = random.Random(0)
    for _ in range(n):
        run = bench.job()
        bench.backend.send(Generate(run, bench.spec(40, 4)))
        for _ in range(rng.randint(2, 6)):
            bench.heard.until(StepArrived, run)
        time.sleep(rng.uniform(0, 0.02))
        clicked_s = time.perf_counter()
        n_seen = sum(job == run for job, _ in bench.heard.arrived_s)
        bench.backend.send(Retarget(run, TARGETS[1], due=n_seen + 1))
        step = bench.heard.until(object, run)
        while isinstance(step, StepArrived) and step.target != TARGETS[1].name:
            step = bench.heard.until(object, run)
        if not isinstance(step, StepArrived):
            continue  # the answer ended before it could follow
        delays_ms.append(1000 * (bench.heard.arrived_s[run, step.index] - clicked_s))
        late_tok.append(bench.heard.n_since(run, clicked_s, step.index))
        stopped_s = time.perf_counter()
        bench.backend.send(Cancel(run))
        ended = bench.heard.until(RunFinished, run)
        stops_ms.append(1000 * (time.perf_counter() - stopped_s))
        stop_tok.append(bench.heard.n_since(run, stopped_s, ended.run.n_tok))
    bench.say("click on a region to the first token under it, ms", spread(delays_ms))
    bench.say("  tokens under the old target that arrived meanwhile", counted(late_tok))
    bench.say("stop to the end of the run, ms", spread(stops_ms))
    bench.say("  tokens that arrived meanwhile", counted(stop_tok))


def measure_kills(bench: Bench, n: int, load_s: float) -> int:
    """Kill the worker at random moments; returns how often it came back and said the same as before."""
    rng = random.Random(1)
    expected = bench.answer(12, 4)[0]
    seen_ms, back_s, recovered, orphans = [], [], 0, 0
    phases = [rng.choice(("loading", "discovery", "generation")) for _ in range(n)]
    for phase in phases:
        job = bench.job()
        if phase == "loading":
            bench.backend.restart()
            bench.pid = bench.heard.until(WorkerStarted).pid or 0
            bench.backend.send(LoadModel(job, bench.model))
            time.sleep(rng.uniform(0, load_s))
        elif phase == "discovery":
            bench.backend.send(Discover(job, StripsSource("builtin", 50), ("mass", "causal")))
            bench.heard.until(rng.choice((JobProgress, RankingPartial)), job)
            time.sleep(rng.uniform(0, 1.0))
        else:
            bench.backend.send(Generate(job, bench.spec(200, 4)))
            time.sleep(rng.uniform(0, 0.5))
        killed_s, pid = time.perf_counter(), bench.pid
        os.kill(pid, signal.SIGKILL)
        lost = bench.heard.until(WorkerEnded)
        seen_ms.append(1000 * (time.perf_counter() - killed_s))
        assert lost.signal_name == "SIGKILL", lost
        orphans += is_alive(pid)
        back_s.append(bench.begin()[1])
        recovered += bench.answer(12, 4)[0] == expected
    counts = ", ".join(f"{phases.count(phase)} in {phase}" for phase in sorted(set(phases)))
    bench.say(f"{n} kills ({counts}): recoveries, orphans", f"{recovered}, {orphans}")
    bench.say("  kill to notice, ms", spread(seen_ms))
    bench.say("  restart to model and picture there again, s", spread(back_s))
    return recovered


def measure_app_deaths(bench: Bench, real: bool, n: int) -> None:
    """Kill an app while its worker loads, at a random moment; how long the worker outlives it."""
    rng = random.Random(2)
    outlived_ms = []
    root = Path(__file__).parents[2]
    for _ in range(n):
        command = [sys.executable, "-c", APP, bench.model or "", "real" if real else "-"]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
        assert app.stdout is not None
        with app.stdout:
            pid = int(app.stdout.readline().rpartition("pid=")[2].rstrip(")\n"))
            time.sleep(rng.uniform(0, 3.0))
            app.kill()
            app.wait()
        began_s = time.monotonic()
        until_gone(pid)
        outlived_ms.append(1000 * (time.monotonic() - began_s))
    bench.say("app killed to worker gone, ms", spread(outlived_ms))


def section(bench: Bench) -> str:
    """The report as a section of the help page."""
    assert bench.info is not None
    table = "\n".join(f"| {what.strip()} | {figure} |" for what, figure in bench.lines)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return (
        "## The worker\n\n"
        f"{bench.info.name} on {bench.info.device}, a strip of six panels. {conditions(threads)}\n\n"
        f"| | |\n|---|---|\n{table}\n"
    )


def main() -> int:
    """Measure and print; 1 when a killed worker did not recover."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="model folder (default: the built-in model)")
    parser.add_argument("--kills", type=int, default=FULL_KILLS)
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--scripted", action="store_true")
    options = parser.parse_args()
    real = not options.scripted
    bench = Bench(options.model, real)
    with bench.backend:
        ready_s, loaded_s = bench.begin()
        bench.say("start to the worker listening, to the model ready, s", f"{ready_s:.2f}, {loaded_s:.2f}")
        bench.answer(2)
        plain_ms, steered_ms = bench.answer()[1], bench.answer(panel=4)[1]
        bench.say("a token, unsteered and steered, all rows kept, ms", f"{plain_ms:.1f}, {steered_ms:.1f}")
        measure_messages(bench)
        measure_obedience(bench, options.clicks)
        recovered = measure_kills(bench, options.kills, loaded_s)
    measure_app_deaths(bench, real, 10)
    if real and options.kills >= FULL_KILLS:
        write_section("worker", section(bench))
    return 0 if recovered == options.kills else 1


if __name__ == "__main__":
    raise SystemExit(main())
