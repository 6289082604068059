"""The head grid with 64 x 64 heads: what a change costs until it is drawn.

python tests/benchmarks/bench_head_grid.py          measure, and write the section of the help page
python tests/benchmarks/bench_head_grid.py --look   only print
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.messages import ModelInfo
from gazeviz.ui.heads.head_grid import HeadGrid
from tests.benchmarks.bench_painting import dressed_app, figures, screen_conditions
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

SHAPE_LH = (64, 64)
N_CHOSEN = 350
SIZES_PX = ((321, 320), (900, 900))  # the right column's, and the grid on its own
N_TIMES = 300
_NONE, _LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton


def make_grid(size_px: tuple[int, int]) -> tuple[SessionModel, RunController, HeadGrid]:
    """A grid on the screen with random scores and N_CHOSEN heads chosen."""
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    present_LH = np.ones(SHAPE_LH, dtype=bool)
    model.model_info = ModelInfo(
        "big", "big", "big", SHAPE_LH, present_LH, "cpu", "float32", None, "f00d", 64
    )
    model.put_rankings({"mass": HeadRanking("mass", np.random.default_rng(0).random(SHAPE_LH) ** 4)})
    controller.heads.top(N_CHOSEN)
    grid = HeadGrid(model, controller)
    grid.resize(*size_px)
    grid.show()
    QApplication.processEvents()
    return model, controller, grid


def send(grid: HeadGrid, kind: QEvent.Type, head: Head, held: Qt.MouseButton) -> None:
    """Hand the grid a mouse event at a head."""
    at = grid.view.box(head).center()
    button = _NONE if kind == QEvent.Type.MouseMove else _LEFT
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(grid, QMouseEvent(kind, at, grid.mapToGlobal(at), button, held, keys))


def timed(grid: HeadGrid, change: Callable[[int], object]) -> list[float]:
    """Milliseconds of each change, drawing included."""
    times_ms = []
    for number in range(N_TIMES):
        started = time.perf_counter()
        change(number)
        grid.repaint()
        times_ms.append((time.perf_counter() - started) * 1000)
    return times_ms


def measure(size_px: tuple[int, int]) -> list[str]:
    """Rows of the table for a grid of a size."""
    model, controller, grid = make_grid(size_px)
    rng = np.random.default_rng(1)
    masses = [rng.random(SHAPE_LH, dtype=np.float32) for _ in range(8)]
    model.grid_metric = "live"

    def show_mass(number: int) -> None:
        model.live_mass_LH = masses[number % len(masses)]

    def hover(number: int) -> None:
        send(grid, QEvent.Type.MouseMove, Head(number % 64, number * 7 % 64), _NONE)

    def drag(number: int) -> None:
        send(grid, QEvent.Type.MouseMove, Head(number % 16 + 1, number % 32 + 1), _LEFT)

    results = {
        "every head another colour": timed(grid, show_mass),
        "another head pointed at, with its card": timed(grid, hover),
    }
    results[f"another top K, up to {N_TIMES}"] = timed(grid, lambda number: controller.heads.top(number, 1))
    send(grid, QEvent.Type.MouseButtonPress, Head(0, 0), _LEFT)
    results["a rectangle of up to 512 heads dragged on"] = timed(grid, drag)
    send(grid, QEvent.Type.MouseButtonRelease, Head(0, 0), _NONE)
    middle = QPointF(grid.rect().center())
    results["zoomed by a notch"] = timed(
        grid, lambda number: grid.zoom(1.25 if number % 8 < 4 else 0.8, middle)
    )
    grid.close()
    controller.editor.undo_stack.clear()
    controller.shutdown()
    where = f"{size_px[0]} x {size_px[1]} px"
    return [f"| {what}, {where} | {figures(times_ms)} |" for what, times_ms in results.items()]


def main() -> None:
    """Print the figures, and write them down unless `--look` is given."""
    app = dressed_app()
    rows = ["| | ms |", "|---|---|"]
    for size_px in SIZES_PX:
        rows += measure(size_px)
    app.processEvents()
    text = (
        f"## Head grid\n\n{SHAPE_LH[0]} layers of {SHAPE_LH[1]} heads, {N_CHOSEN} of them chosen; "
        f"each change until it is drawn. {screen_conditions()}\n\n" + "\n".join(rows)
    )
    print(text)
    if "--look" not in sys.argv:
        write_section("head-grid", text)


if __name__ == "__main__":
    main()
