"""Measures what lasts: answers by the thousand, undo on a large picture, many regions, a full disk.

python -m tests.benchmarks.bench_reliability       all of it, into resources/help/reliability.md
python -m tests.benchmarks.bench_reliability --answers 50 --steps 50   a look at whether it runs
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication

from gazeviz.app.editing.editor import MAX_UNDO_STEPS, RegionEditor
from gazeviz.app.editing.region_files import read_regions, write_regions
from gazeviz.backend.client import WorkerStarted
from gazeviz.domain.region import Region
from gazeviz.errors import UserError
from tests.app.fixtures.staging import model_with_picture
from tests.benchmarks.bench_backend import STRIP, Bench
from tests.benchmarks.performance_page import write_section
from tests.own_memory import memory_mib

PAGE = Path(__file__).parents[2] / "resources" / "help" / "reliability.md"
FULL_ANSWERS, FULL_STEPS, WARM = 1000, 1000, 100
SIDE_PX, MANY = 4096, 500
SMALL_LOG_BYTES = 460_000


def memory_kb(pid: int) -> int:
    """What a process holds in memory (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def answers(n: int) -> str:
    """Ask the worker of the built-in model again and again; its memory after a tenth, and at the end."""
    bench = Bench(None, real=True)
    with bench.backend:
        bench.begin()
        pid = bench.heard.of(WorkerStarted)[-1].pid or 0
        warm_kb = texts = 0
        for number in range(n):
            text, _ = bench.answer(6, panel=1 + number % 6 if number % 2 else None)
            texts += bool(text)
            if number + 1 == min(WARM, n):
                warm_kb = memory_kb(pid)
        end_kb = memory_kb(pid)
    growth = 100 * (end_kb - warm_kb) / warm_kb
    return (
        f"{n:,} answers of the built-in model through one worker, every second one steered: {texts:,} with a"
        f" text; memory {warm_kb / 1000:.0f} MB after {min(WARM, n)}, {end_kb / 1000:.0f} MB at the end"
        f" ({growth:+.1f} %)"
    )


def undo(n: int) -> str:
    """Paint on a large picture, take all of it back and do it again: the mask must be the same."""
    model = model_with_picture((SIDE_PX, SIDE_PX), (16, 16))
    editor, draw = RegionEditor(model), random.Random(0)
    editor.add_region("painted")

    def mask() -> NDArray[np.bool_]:
        return next(iter(model.regions)).mask_HW

    model.brush_px = 60
    kept = min(n, MAX_UNDO_STEPS - 1)
    before = 0
    for number in range(n):
        if number == n - kept:
            before = int(mask().sum())
        x, y = draw.randrange(SIDE_PX), draw.randrange(SIDE_PX)
        editor.begin_stroke((x, y))
        editor.extend_stroke((x + 80, y + 40))
        editor.commit_stroke()
    painted = mask().copy()
    began_s = time.perf_counter()
    for _ in range(kept):
        editor.undo()
    undone_ms = 1000 * (time.perf_counter() - began_s) / kept
    back = int(mask().sum()) == before
    for _ in range(kept):
        editor.redo()
    same = bool(np.array_equal(mask(), painted))
    peak_mb = memory_mib("VmHWM")
    return (
        f"{n:,} strokes on {SIDE_PX} x {SIDE_PX}, the last {kept:,} taken back and done again: before"
        f" {'equal' if back else 'DIFFERENT'}, after {'equal' if same else 'DIFFERENT'}; {undone_ms:.2f} ms a"
        f" step taken back, {peak_mb:.0f} MB at most in the whole process"
    )


def many_regions(folder: Path) -> str:
    """Import, keep and export many regions at once."""
    size_px = (1024, 1024)
    model = model_with_picture(size_px, (16, 16))
    editor, draw = RegionEditor(model), random.Random(1)
    boxes = [(draw.randrange(900), draw.randrange(900)) for _ in range(MANY)]
    regions = [Region.box(f"r{n}", (x, y, x + 90, y + 60), size_px) for n, (x, y) in enumerate(boxes)]
    began_s = time.perf_counter()
    editor.add_regions(regions)
    added_s = time.perf_counter() - began_s
    write_regions(folder / "many.json", regions, "many.png", "labelme")
    began_s = time.perf_counter()
    found = read_regions([folder / "many.json"], size_px, "many.png")
    read_s = time.perf_counter() - began_s
    editor.undo()
    return (
        f"{MANY} regions on 1024 x 1024: added in {added_s:.1f} s, {len(found.regions)} read back from"
        f" labelme in {read_s:.1f} s, taken back in one step ({len(model.regions)} left)"
    )


def large_files(folder: Path) -> str:
    """Read region files of a size that no hand paints: points, shapes, and a long run-length text."""
    size_px, draw = (1000, 800), random.Random(2)
    turn = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    round_px = np.stack([500 + 390 * np.cos(turn), 400 + 390 * np.sin(turn)], axis=1).tolist()
    small = [[draw.randrange(900), draw.randrange(700)] for _ in range(20_000)]
    boxes = [[[x, y], [x + 40, y], [x + 40, y + 30], [x, y + 30]] for x, y in small]
    wide_px = (4000, 4000)
    files = {
        "one polygon of 200,000 points": (size_px, {"shapes": [shape("round", round_px)]}),
        "20,000 polygons": (size_px, {"shapes": [shape(f"s{n}", box) for n, box in enumerate(boxes)]}),
        "400 kB of run lengths for a picture of 4000 x 4000": (
            wide_px,
            {"images": [{"id": 1, "file_name": "p.png", "width": 4000, "height": 4000}],
             "categories": [{"id": 1, "name": "dots"}],
             "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 1,
                              "segmentation": {"size": [4000, 4000], "counts": "1" * 400_000}}]},
        ),
    }  # fmt: skip
    told = []
    for name, (picture_px, content) in files.items():
        path = folder / "large.json"
        path.write_text(json.dumps(content))
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        try:
            found = read_regions([path], picture_px, "p.png")
            n = len(found.regions)
            what = f"{n:,} {'region' if n == 1 else 'regions'}"
            what += f", {found.left_out_text}" if found.left_out else ""
        except UserError as error:
            what = f"refused: {error.sentence}"
        took = f"{time.process_time() - began_cpu_s:.2f} s of processor time"
        told.append(f"- {name}: {what}; {took}, {time.perf_counter() - began_s:.2f} s by the clock")
    return "read by `gazeviz.app.editing.region_files`:\n\n" + ";\n".join(told)


def shape(label: str, points: list[Any]) -> dict[str, Any]:
    """A polygon as labelme writes it."""
    return {"label": label, "points": points, "shape_type": "polygon"}


def full_disk(folder: Path) -> str:
    """Describe a picture while the log's file may not grow, then list what is in the log."""
    log = folder / "small" / "gazeviz.db"
    command = [sys.executable, "-m", "gazeviz"]
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parents[2])}
    limited = (
        "import resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({SMALL_LOG_BYTES}, {SMALL_LOG_BYTES})); "
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from gazeviz.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    answered = 0
    codes: list[int] = []
    said: list[str] = []
    for _ in range(6):
        asked = [sys.executable, "-c", limited, "describe", str(STRIP), "-p", "What is happening here?"]
        done = subprocess.run(
            [*asked, "--log", str(log)], capture_output=True, text=True, env=environment, check=False
        )
        answered += bool(done.stdout.strip())
        codes.append(done.returncode)
        said.append(done.stderr)
    listed = subprocess.run(
        [*command[:3], "log", "list", "--log", str(log)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    sentences = {
        line.replace(str(folder), "...").rstrip(".")
        for text in said
        for line in text.splitlines()
        if "gazeviz.db" in line
    }
    answers_of = f"{answered} answers printed (exit codes {', '.join(map(str, codes))})"
    return (
        f"a log that may not grow past {SMALL_LOG_BYTES // 1000} kB, 6 calls of `gazeviz describe`:"
        f" {answers_of}; `gazeviz log list` afterwards ends with {listed.returncode};"
        f" what was said: {' / '.join(sorted(sentences)) or 'nothing'}"
    )


def main() -> int:
    """Measure and print; write the page after a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=FULL_ANSWERS)
    parser.add_argument("--steps", type=int, default=FULL_STEPS)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="NAME", help="disk, regions, files, undo, answers"
    )
    options = parser.parse_args()
    application = QApplication.instance() or QApplication(["bench", "-platform", "offscreen"])
    full = (options.answers, options.steps) == (FULL_ANSWERS, FULL_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        measures = {
            "disk": ("A full disk", lambda: full_disk(Path(folder))),
            "regions": ("Many regions", lambda: many_regions(Path(folder))),
            "files": ("Large region files", lambda: large_files(Path(folder))),
            "undo": ("A thousand steps back", lambda: undo(options.steps)),
            "answers": ("A thousand answers", lambda: answers(options.answers)),
        }
        for name, (title, measure) in measures.items():
            if options.only and name not in options.only:
                continue
            found = measure()
            print(found, flush=True)
            if full:
                how = "Measured by `python -m tests.benchmarks.bench_reliability` on shared cores."
                write_section(name, f"## {title}\n\n{found[0].upper()}{found[1:]}.\n\n{how}", PAGE)
    application.processEvents()
    return 0


if __name__ == "__main__":
    sys.exit(main())
