"""Measures another checkout of gazeviz and this one in turn: launch, smoothness, painting and the log.

    python -m tests.benchmarks.bench_before CHECKOUT          measure, and write the section of the help page
    python -m tests.benchmarks.bench_before CHECKOUT --look   one round; nothing is written
    python -m tests.benchmarks.bench_before CHECKOUT --only opening,entries    the other rows stay as they are

Each checkout runs its own benchmarks; give both the same built-in model (resources/models) to compare code
alone. The two take turns, so that a machine that grows slower is slower for both, and processor time stands
beside wall time. Needs Xvfb.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.performance_page import PAGE, write_section
from tests.ui.fixtures.screen_driver import Screen

HERE = Path(__file__).parents[2]
ROUNDS = {"launch": 6, "opening": 7, "entries": 5, "live": 3, "painting": 4, "log": 3}
LOG_WORDS = ("--runs", "2000", "--kills", "0", "--transactions", "20")
LOG_ROWS = (
    "first page", "full-text search, three words, first page", "filter by target and strength, first page",
    "one run with its tokens, decoded", "a run begins, until it is on the disk",
    "a token, until the caller goes on", "a run ends, until it and its tokens are on the disk",
)  # fmt: skip
Figures = dict[str, float]
OPENING = """
import os, time
from pathlib import Path
from gazeviz.commands import gui
from gazeviz.store import SessionStore
store = SessionStore(Path(os.environ["GAZEVIZ_DATA"]) / "log.db")
application = gui._application()
window, controller = gui._window(application, "dark", store)
window.show()
application.processEvents()
window.repaint()
print(time.process_time(), flush=True)
os._exit(0)
"""
ENTRIES = """
import os, random, time
from pathlib import Path
from gazeviz.store import SessionStore
from tests.benchmarks import bench_log
spec, summary = bench_log.one_run(random.Random(3))
info = bench_log.tiny_info()
store = SessionStore(Path(os.environ["GAZEVIZ_DATA"]) / "log.db")
for number in range(151):
    run_id = store.run_created("steered", spec, info)
    store.run_ended(run_id, "done", summary, "").result()
    if not number:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
print((time.process_time() - cpu_s) / 150 * 1000, (time.perf_counter() - wall_s) / 150 * 1000)
store.close()
"""


def run(checkout: Path, display: str, *words: str) -> tuple[str, float]:
    """Run a benchmark of a checkout; returns what it prints and its processor seconds, children included."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DISPLAY": display, "PYTHONPATH": str(checkout), "XDG_CONFIG_HOME": folder,
            "GAZEVIZ_DATA": folder, "QT_QPA_PLATFORM": "xcb" if "--child" in words else "offscreen",
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        program = words if words[0] == "-c" else ("-m", *words)
        before = os.times()
        done = subprocess.run(
            [sys.executable, *program], cwd=checkout, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        after = os.times()
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, cpu_s


def opening(checkout: Path, display: str) -> Figures:
    """Open the window without a worker."""
    printed, _ = run(checkout, display, "-c", OPENING)
    return {"launch: processor time until the window is painted, without the worker's, s": float(printed)}


def entries(checkout: Path, display: str) -> Figures:
    """Begin and end runs that have no token."""
    cpu_ms, wall_ms = map(float, run(checkout, display, "-c", ENTRIES)[0].split())
    return {
        "log: a run without tokens begins and ends: processor time, ms": cpu_ms,
        "log: a run without tokens begins and ends, both on the disk, ms": wall_ms,
    }


def launch(checkout: Path, display: str) -> Figures:
    """Start the window once."""
    words = ("tests.benchmarks.bench_window", "--child", "launch", "--started", repr(time.time()))
    printed, cpu_s = run(checkout, display, *words)
    measured = json.loads(printed.splitlines()[-1])
    return {
        "launch: process started to window painted, s": measured["visible_s"],
        "launch to the first map, worker included: processor time, s": cpu_s,
    }


def live(checkout: Path, display: str) -> Figures:
    """Stream a narration once and look at a timer of the screen."""
    words = ("tests.benchmarks.bench_window", "--child", "live", "--look", "--started", repr(time.time()))
    printed, _ = run(checkout, display, *words)
    measured = json.loads(printed.splitlines()[-1])
    intervals_ms = measured["intervals_ms"]
    return {
        "interval of a 10 ms timer while text streams, p50, ms": statistics.median(intervals_ms),
        "interval of a 10 ms timer while text streams, p95, ms": statistics.quantiles(intervals_ms, n=20)[-1],
        "a token meanwhile, p50, ms": statistics.median(measured["token_ms"]),
    }


def painting(checkout: Path, display: str) -> Figures:
    """Draw four spirals with the brush."""
    printed, cpu_s = run(checkout, display, "tests.benchmarks.bench_painting", "--look")
    rows = re.findall(r"^\| (\d+ px) \| (\S+) \| p50 ([\d.]+)", printed, re.MULTILINE)
    figures = {f"a move of the brush, {brush}, {zoom}, p50, ms": float(ms) for brush, zoom, ms in rows}
    return figures | {"painting: processor time of the whole benchmark, s": cpu_s}


def log(checkout: Path, display: str) -> Figures:
    """Fill a log, list it and write to it."""
    printed, cpu_s = run(checkout, display, "tests.benchmarks.bench_log", *LOG_WORDS)
    rows = dict(re.findall(r"^\| (.+?) \| ([\d.]+) \|", printed, re.MULTILINE))
    figures = {f"log: {row}, p50, ms": float(rows[row]) for row in LOG_ROWS}
    return figures | {"log: processor time of the whole benchmark, s": cpu_s}


PARTS = (launch, opening, live, painting, log, entries)


def measured(
    checkouts: Sequence[Path], look: bool, only: Sequence[str]
) -> list[tuple[str, list[list[float]]]]:
    """Each figure with its values in every checkout."""
    found: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in checkouts])
    with Screen((1440, 900)) as display:
        for what in (part for part in PARTS if part.__name__ in only):
            for number in range(1 if look else ROUNDS[what.__name__]):
                order = list(enumerate(checkouts))
                for place, checkout in order if number % 2 else reversed(order):
                    for name, figure in what(checkout, display).items():
                        found[name][place].append(figure)
            print(what.__name__, "done", flush=True)
    return list(found.items())


def row_of(name: str, before: Sequence[float], after: Sequence[float]) -> str:
    """A line of the table."""
    ratio = statistics.median(b / a for a, b in zip(before, after, strict=True) if a)
    figures = f"{statistics.median(before):.2f} | {statistics.median(after):.2f} | {ratio:.2f}"
    return f"| {name} | {figures} | {len(before)} |"


def section(rows: Sequence[str], commits: Sequence[str]) -> str:
    """The report as a section of the help page."""
    import PySide6

    return (
        "## Before and after\n\n"
        f"Two checkouts, {commits[0]} and {commits[1]}, measured in turn on one busy machine, each by its "
        "own benchmarks, both on the built-in model of the second: medians of the rounds, and the median of "
        f"their ratios. {platform.system()} on {platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, PySide6 {PySide6.__version__}; the log has 2,000 runs.\n\n"
        "| | before | after | after / before | rounds |\n|---|---|---|---|---|\n" + "\n".join(rows)
    )


def rows_of_page() -> dict[str, str]:
    """The lines of the section as it stands on the page, by their names."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition("<!-- before-after: begin -->")
    lines = after.partition("<!-- before-after: end -->")[0].splitlines()
    rows = (line for line in lines if line.startswith("| ") and not line.startswith("| |"))
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


def commit_of(checkout: Path) -> str:
    """The short name of the commit."""
    return subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def main() -> None:
    """Measure, print, and write the section unless this was only a look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--after", type=Path, default=HERE, help="the second checkout (this one)")
    parser.add_argument("--look", action="store_true")
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, help=",".join(names))
    options = parser.parse_args()
    checkouts = (options.checkout.resolve(), options.after.resolve())
    for checkout in checkouts:
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(checkout / "gazeviz")], check=True)
    new = {name: row_of(name, *values) for name, values in measured(checkouts, options.look, options.only)}
    rows = (new if options.look else rows_of_page() | new).values()
    text = section(list(rows), [commit_of(checkout) for checkout in checkouts])
    print(text)
    if not options.look:
        write_section("before-after", text)


if __name__ == "__main__":
    main()
