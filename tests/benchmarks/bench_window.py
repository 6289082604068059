"""Measures the whole window on the built-in model: launch, smoothness while text streams, obedience of a key.

    python -m tests.benchmarks.bench_window           measure, and write the section of the help page
    python -m tests.benchmarks.bench_window --look    once each; nothing is written

Needs Xvfb and starts it itself. Every launch is a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from compileall import compile_dir
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.performance_page import write_section
from tests.ui.fixtures.screen_driver import Screen

ROOT = Path(__file__).parents[2]
LAUNCHES, NARRATIONS, KEYS, KILLS = 10, 12, 50, 50
TICK_MS = 10
PAUSE_S = 0.1


def main() -> None:
    """Measure and print; write the section unless it was only a look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--child", choices=("launch", "live", "kills"), help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options.started, options.look)))
        return
    compile_dir(ROOT / "gazeviz", quiet=1)  # as every installation has it
    with Screen((1440, 900)) as display:
        launches = [child("launch", display, options.look) for _ in range(1 if options.look else LAUNCHES)]
        live = child("live", display, options.look)
        kills = child("kills", display, options.look)
    text = section(launches, live, kills)
    print(text)
    if not options.look:
        write_section("window", text)


def child(what: str, display: str, look: bool) -> dict[str, Any]:
    """Run one measurement in a process of its own, and return what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": folder, "GAZEVIZ_DATA": folder,
        }  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        words = [sys.executable, "-m", "tests.benchmarks.bench_window", "--child", what]
        done = subprocess.run(
            [*words, "--started", repr(time.time()), *(["--look"] if look else [])],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


class Live:
    """The window as the app opens it, with a clock that began when its process was started."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        from gazeviz.app.session.garbage import GarbageInScreenThread
        from gazeviz.backend import process
        from gazeviz.commands import gui
        from gazeviz.store import SessionStore

        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as gui.run has it
        sys.setswitchinterval(0.001)
        self.produced_s: dict[tuple[int, int], float] = {}
        whole = process.ProcessBackend

        def noting(listener: Any) -> Any:
            """A backend that notes when each token came off the pipe, in the thread that reads it."""

            def listen(event: Any) -> None:
                self._note(event)
                listener(event)

            return whole(listen)

        process.ProcessBackend = noting  # type: ignore[misc, assignment]
        self.application = gui._application()
        store = SessionStore(Path(os.environ["GAZEVIZ_DATA"]) / "log.db")
        self.window, self.controller = gui._window(self.application, "dark", store)
        self.model = self.controller.model
        self._garbage = GarbageInScreenThread(self.window)
        gc.freeze()
        self.window.show()
        self.n_lost = 0
        self.controller.start()
        gui._open_first(self.controller, None, None)
        self.window.tour.skip()
        self.application.processEvents()
        while not self.window.windowHandle().isExposed():
            self.application.processEvents()
        self.window.repaint()
        self.visible_s = time.time() - started_s
        self.live_until(lambda: self.model.worker_state == "ready" and self.model.map.values_P is not None)
        self.ready_s = time.time() - started_s

    def _note(self, event: Any) -> None:
        from gazeviz.backend.client import WorkerEnded
        from gazeviz.domain.messages import StepArrived

        self.n_lost += isinstance(event, WorkerEnded)
        if isinstance(event, StepArrived):
            self.produced_s[event.job, event.index] = time.perf_counter()

    def live_until(self, holds: Any, limit_s: float = 300.0) -> None:
        """Let the window live in its own event loop until something holds."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, watch, end_s = QEventLoop(), QTimer(), time.monotonic() + limit_s
        watch.timeout.connect(lambda: loop.quit() if holds() or time.monotonic() > end_s else None)
        watch.start(2)
        loop.exec()
        if not holds():
            raise RuntimeError("it never came")

    def rest(self) -> None:
        """Until what was begun is drawn."""
        end_s = time.monotonic() + PAUSE_S
        self.live_until(lambda: time.monotonic() > end_s)

    def close(self) -> None:
        """End the worker and the log."""
        self.window.end()
        self._garbage.stop()


def measure_launch(started_s: float, look: bool) -> dict[str, Any]:
    """Seconds from the process's start to the window painted, and to the model ready with a first map."""
    live = Live(started_s)
    live.close()
    return {"visible_s": live.visible_s, "ready_s": live.ready_s}


def measure_live(started_s: float, look: bool) -> dict[str, Any]:
    """Intervals of a timer of the screen while narrations stream, and tokens that a new target lets by."""
    from PySide6.QtCore import Qt, QTimer

    from gazeviz.app.runs.presets import ask
    from gazeviz.domain.prompts import PRESETS

    live = Live(started_s)
    model, controller = live.model, live.controller
    ask(model, PRESETS["narration"])
    intervals_ms: list[float] = []
    begins_ms: list[float] = []
    last_s = [0.0]

    def tick() -> None:
        now_s = time.perf_counter()
        if last_s[0]:
            intervals_ms.append(1000 * (now_s - last_s[0]))
        last_s[0] = now_s

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    ids = model.regions.ids
    late: list[int] = []
    waits_ms: list[float] = []
    token_ms: list[float] = []
    rng = np.random.default_rng(0)
    for number in range(1 if look else NARRATIONS):
        controller.retarget(ids[number % len(ids)])
        live.rest()
        last_s[0] = 0.0
        timer.start(TICK_MS)
        began_s = time.perf_counter()
        controller.run("steered")
        live.live_until(lambda: last_s[0] > 0)
        begins_ms.append(1000 * (last_s[0] - began_s))
        live.live_until(lambda: not controller.runs.active)
        timer.stop()
        token_ms += [step.ms for step in model.run_of("steered").steps[1:]]  # type: ignore[union-attr]
    while len(late) < (2 if look else KEYS):
        controller.run("steered")
        steps = model.run_of("steered").steps  # type: ignore[union-attr]
        want = int(rng.integers(2, 20))
        live.live_until(lambda steps=steps, want=want: len(steps) >= want or not controller.runs.active)
        end_s = time.monotonic() + rng.uniform(0, 0.02)
        live.live_until(lambda end_s=end_s: time.monotonic() > end_s)
        if not controller.runs.active:
            continue
        place = int(rng.integers(len(ids)))
        place = place if ids[place] != model.target_region_id else (place + 1) % len(ids)
        name, asked_s, before = model.regions.of(ids[place]).name, time.perf_counter(), len(steps)
        controller.retarget(ids[place])
        live.live_until(
            lambda steps=steps, name=name, before=before: (
                any(step.target == name for step in steps[before:]) or not controller.runs.active
            )
        )
        made = [step for step in steps if live.produced_s[step.job, step.index] > asked_s]
        first = next((place for place, step in enumerate(made) if step.target == name), None)
        if first is not None:
            waits_ms.append(1000 * (time.perf_counter() - asked_s))
            late.append(first)
        controller.runs.stop()
        live.live_until(lambda: not controller.runs.active)
    live.close()
    return {
        "intervals_ms": intervals_ms, "begins_ms": begins_ms, "late": late, "waits_ms": waits_ms,
        "token_ms": token_ms,
    }  # fmt: skip


def measure_kills(started_s: float, look: bool) -> dict[str, Any]:
    """Kill the worker at random moments; what came back, and what of the session was lost."""
    from gazeviz.domain.messages import StripsSource

    live = Live(started_s)
    model, controller = live.model, live.controller
    rng = np.random.default_rng(1)
    controller.editor.paint_rectangle((40, 30), (300, 220))
    controller.retarget(model.regions.ids[1])
    controller.run()
    live.live_until(lambda: not controller.runs.active)
    lost: list[str] = []
    moments: dict[str, int] = {}
    recovered = 0
    for number in range(3 if look else KILLS):
        kept, rankings = _session(live), set(model.rankings)  # what was measured in part is added to them
        during = ("loading", "discovery", "generation")[number % 3]
        if during == "loading":
            controller.load_model(None)
        elif during == "discovery":
            controller.discover(StripsSource("builtin", 12, seed=number), ("mass", "causal"))
        else:
            controller.run("steered")
        end_s = time.monotonic() + float(rng.uniform(0, 0.6))
        live.live_until(lambda end_s=end_s: time.monotonic() > end_s)
        moments[during] = moments.get(during, 0) + 1
        losses = live.n_lost
        controller.kill_worker()
        live.live_until(lambda losses=losses: live.n_lost > losses)
        live.live_until(lambda: model.worker_state == "ready" and not controller.busy)
        recovered += 1
        now = _session(live)
        lost += [f"{during}: {name}" for name, value in kept.items() if now[name] != value]
        lost += [f"{during}: ranking {name}" for name in rankings - set(model.rankings)]
    runs = [record.state for record in model.runs.values() if record.side != "glance"]
    live.close()
    return {"moments": moments, "recovered": recovered, "lost": lost, "unended": runs.count("running")}


def _session(live: Live) -> dict[str, Any]:
    """What a person would miss."""
    model = live.model
    done = [
        (record.id, record.text)
        for record in model.runs.values()
        if record.state == "done" and record.side != "glance"
    ]
    return {
        "regions": [(region.id, region.name, region.mask_HW.tobytes()) for region in model.regions],
        "target": model.target_region_id, "heads": model.chosen.heads, "prompt": model.prompt,
        "runs": done[:2], "undo": live.controller.editor.undo_stack.index(),
    }  # fmt: skip


CHILDREN = {"launch": measure_launch, "live": measure_live, "kills": measure_kills}


def section(launches: list[dict[str, Any]], live: dict[str, Any], kills: dict[str, Any]) -> str:
    """The report as a section of the help page."""
    import PySide6

    counts = {n: live["late"].count(n) for n in sorted(set(live["late"]))}
    moments = ", ".join(f"{n} x in {during}" for during, n in kills["moments"].items())
    lines = (
        ("process started to window painted, s", spread([one["visible_s"] for one in launches], 2)),
        ("process started to a first map, s", spread([one["ready_s"] for one in launches], 2)),
        (f"interval of a {TICK_MS} ms timer while text streams, ms", spread(live["intervals_ms"])),
        ("Run pressed to the timer's next tick, ms", spread(live["begins_ms"])),
        ("a token meanwhile, ms", spread(live["token_ms"])),
        ("another target to the first token under it on the screen, ms", spread(live["waits_ms"])),
        (
            "tokens under the old target that were produced meanwhile",
            ", ".join(f"{number}: {n} x" for number, n in counts.items()),
        ),
        (
            f"worker killed at a random moment ({moments})",
            f"{kills['recovered']} recoveries; lost of the session: {', '.join(kills['lost']) or 'nothing'}",
        ),
    )
    table = "\n".join(f"| {what} | {figure} |" for what, figure in lines)
    return (
        "## The window\n\n"
        "The app as it opens, on the built-in model and a strip of six panels, on an X server without a "
        f"monitor. {platform.system()} on {platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, PySide6 {PySide6.__version__}.\n\n| | |\n|---|---|\n{table}\n"
    )


def spread(values: list[float], digits: int = 1) -> str:
    """The middle, the 99th percentile and the largest of some measurements."""
    measured = np.array(values)
    p50, p99 = np.percentile(measured, [50, 99])
    return (
        f"p50 {p50:.{digits}f}, p99 {p99:.{digits}f}, max {measured.max():.{digits}f} (n = {len(measured)})"
    )


if __name__ == "__main__":
    main()
