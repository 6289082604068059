"""A new map over a picture of 1024 x 1024, and a trajectory of 300 tokens: what it costs until it is drawn.

python tests/benchmarks/bench_overlay.py          measure, and write the section of the help page
python tests/benchmarks/bench_overlay.py --look   only print
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Cursor, MapView, RunRecord
from gazeviz.domain.messages import GenerateSpec, StepArrived
from gazeviz.domain.region import Region
from gazeviz.ui.answers.trajectory import TrajectoryPlot
from gazeviz.ui.picture.canvas import ImageCanvas
from tests.benchmarks.bench_painting import dressed_app, figures, make_canvas, screen_conditions
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

SIDE_PX = 1024
CANVAS_PX = (SIDE_PX + 48, SIDE_PX + 48)  # room in which the picture is shown pixel by pixel
N_MAPS, N_TOK, N_REGIONS = 200, 300, 12


def time_maps(canvas: ImageCanvas, model: SessionModel, n_cells: int) -> list[float]:
    """Show map after map while the last one still fades; milliseconds until each is drawn."""
    rng, times_ms = np.random.default_rng(1), []
    for _ in range(N_MAPS):
        values_P = rng.random(n_cells, dtype=np.float32) ** 4
        started = time.perf_counter()
        model.map = MapView.of(values_P, "random")
        canvas.repaint()
        times_ms.append((time.perf_counter() - started) * 1000)
    return times_ms


def measure_maps() -> list[str]:
    """Rows of the table: soft surfaces and exact cells, few and many."""
    rows = []
    for cells in (16, 32, 64):
        model, controller, canvas = make_canvas(SIDE_PX, cells, CANVAS_PX)
        for as_cells in (False, True):
            model.show_cells = as_cells
            what = "exact cells with their lines" if as_cells else "soft surface"
            rows.append(
                f"| a new map, {cells} x {cells}, {what} | {figures(time_maps(canvas, model, cells**2))} |"
            )
        canvas.close()
        controller.shutdown()
    return rows


def long_run() -> RunRecord:
    """An answer of N_TOK tokens that looks at one region after the other."""
    size_px = (N_REGIONS * 10, 10)
    regions = tuple(
        Region.box(f"Panel {n + 1}", (n * 10, 0, n * 10 + 10, 10), size_px) for n in range(N_REGIONS)
    )
    spec = GenerateSpec("0" * 64, "?", max_new_tokens=N_TOK, regions=regions)
    record, rng = RunRecord(1, "baseline", spec, "running"), np.random.default_rng(2)
    for index in range(N_TOK):
        masses_R = rng.random(N_REGIONS, dtype=np.float32) * 0.1
        masses_R[index // 25] = 0.8
        text = f" Panel {index // 25 + 1}" if index % 25 == 0 else " word"
        record.steps.append(
            StepArrived(
                1, index, index, text, -0.1, 5.0, None,
                masses_R, masses_R, masses_R * np.float32(0.5), np.zeros(4, dtype=np.float32), index // 25,
            )
        )  # fmt: skip
    return record


def measure_trajectory() -> list[str]:
    """Rows of the table: a token more, everything anew, and only the cursor."""
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    plot = TrajectoryPlot(model, controller)
    plot.resize(730, 170)
    plot.show()
    record = long_run()
    rest, record.steps[:] = record.steps[-N_MAPS:], record.steps[:-N_MAPS]
    model.show_run("baseline", record)

    def more(index: int) -> None:
        record.steps.append(rest[index])
        plot.refresh()

    grown = timed(plot, more)
    moved = timed(plot, lambda index: setattr(model, "cursor", Cursor("baseline", index, index)))
    anew = timed(plot, lambda index: plot.resize(730 + index % 2, 170))
    plot.close()
    controller.shutdown()
    what = f"a trajectory of {N_TOK} tokens, {N_REGIONS} regions and their control"
    return [
        f"| {what}: another token | {figures(grown)} |",
        f"| the cursor moved | {figures(moved)} |",
        f"| everything anew at another size | {figures(anew)} |",
    ]


def timed(plot: TrajectoryPlot, change: Callable[[int], object]) -> list[float]:
    """Change something N_MAPS times; milliseconds until each is drawn."""
    times_ms = []
    for index in range(N_MAPS):
        started = time.perf_counter()
        change(index)
        plot.grab()
        times_ms.append((time.perf_counter() - started) * 1000)
    return times_ms


def main() -> None:
    """Print the figures, and write them down unless `--look` is given."""
    app = dressed_app()
    rows = ["| | ms |", "|---|---|", *measure_maps(), *measure_trajectory()]
    app.processEvents()
    text = (
        f"## Overlay and trajectory\n\nA picture of {SIDE_PX} x {SIDE_PX} px, each of its pixels one of the "
        f"screen's, the map before still fading. {screen_conditions()}\n\n" + "\n".join(rows)
    )
    print(text)
    if "--look" not in sys.argv:
        write_section("overlay", text)


if __name__ == "__main__":
    main()
