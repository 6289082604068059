"""Measures another checkout of gazeviz and this one in turn: launch, smoothness, painting and the log.

    python -m tests.benchmarks.bench_before CHECKOUT          measure, and write the section of the help page
    python -m tests.benchmarks.bench_before CHECKOUT --look   one round; nothing is written

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

from tests.benchmarks.performance_page import write_section
from tests.ui.fixtures.screen_driver import Screen

HERE = Path(__file__).parents[2]
ROUNDS = {"launch": 6, "live": 3, "painting": 4, "log": 3}
LOG_WORDS = ("--runs", "2000", "--kills", "0", "--transactions", "20")
LOG_ROWS = (
    "first page", "full-text search, three words, first page", "filter by target and strength, first page",
    "one run with its tokens, decoded", "a run begins, until it is on the disk",
    "a token, until the caller goes on", "a run ends, until it and its tokens are on the disk",
)  # fmt: skip
Figures = dict[str, float]


def run(checkout: Path, display: str, *words: str) -> tuple[str, float]:
    """Run a benchmark of a checkout; returns what it prints and its processor seconds, children included."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DISPLAY": display, "PYTHONPATH": str(checkout), "XDG_CONFIG_HOME": folder,
            "GAZEVIZ_DATA": folder, "QT_QPA_PLATFORM": "xcb" if "--child" in words else "offscreen",
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=checkout, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        after = os.times()
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, cpu_s


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


def measured(checkouts: Sequence[Path], look: bool) -> list[tuple[str, list[list[float]]]]:
    """Each figure with its values in every checkout."""
    found: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in checkouts])
    with Screen((1440, 900)) as display:
        for what in (launch, live, painting, log):
            for number in range(1 if look else ROUNDS[what.__name__]):
                order = list(enumerate(checkouts))
                for place, checkout in order if number % 2 else reversed(order):
                    for name, figure in what(checkout, display).items():
                        found[name][place].append(figure)
            print(what.__name__, "done", flush=True)
    return list(found.items())


def section(figures: Sequence[tuple[str, list[list[float]]]], commits: Sequence[str]) -> str:
    """The report as a section of the help page."""
    rows = []
    for name, (before, after) in figures:
        ratio = statistics.median(b / a for a, b in zip(before, after, strict=True) if a)
        rows.append(
            f"| {name} | {statistics.median(before):.2f} | {statistics.median(after):.2f} | {ratio:.2f} "
            f"| {len(before)} |"
        )
    import PySide6

    return (
        "## Before and after\n\n"
        f"Two checkouts, {commits[0]} and {commits[1]}, measured in turn on one busy machine, each by its "
        "own benchmarks, both on the built-in model of the second: medians of the rounds, and the median of "
        f"their ratios. {platform.system()} on {platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, PySide6 {PySide6.__version__}; the log has 2,000 runs.\n\n"
        "| | before | after | after / before | rounds |\n|---|---|---|---|---|\n" + "\n".join(rows)
    )


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
    options = parser.parse_args()
    checkouts = (options.checkout.resolve(), options.after.resolve())
    for checkout in checkouts:
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(checkout / "gazeviz")], check=True)
    text = section(measured(checkouts, options.look), [commit_of(checkout) for checkout in checkouts])
    print(text)
    if not options.look:
        write_section("before-after", text)


if __name__ == "__main__":
    main()
