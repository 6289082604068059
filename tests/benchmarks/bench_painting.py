"""Painting on a picture of 4096 x 4096: what one move of the brush costs, drawing included.

python tests/benchmarks/bench_painting.py          measure, and write the section of the help page
python tests/benchmarks/bench_painting.py --look   only print
"""

from __future__ import annotations

import math
import os
import platform
import sys
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import PySide6
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import PictureSource
from gazeviz.ui.picture.canvas import ImageCanvas
from gazeviz.ui.widgets import theme
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

SIDE_PX = 4096
N_MOVES = 400
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def figures(times_ms: list[float]) -> str:
    """Write p50 and p99."""
    p50, p99 = np.percentile(times_ms, [50, 99])
    return f"p50 {p50:.2f}, p99 {p99:.2f} (n = {len(times_ms)})"


def dressed_app() -> QApplication:
    """The application as the window dresses it."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.apply(app, "dark")
    return app


def screen_conditions() -> str:
    """What the figures were measured with, in one line."""
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, offscreen; "
        f"Python {platform.python_version()}, PySide6 {PySide6.__version__}."
    )


def make_canvas(
    side_px: int, cells: int, canvas_px: tuple[int, int] = (1000, 800)
) -> tuple[SessionModel, RunController, ImageCanvas]:
    """Show a canvas with a random picture and a grid of cells x cells."""
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    rng = np.random.default_rng(0)
    pixels_HW3 = rng.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    model.picture = Picture("random", pixels_HW3, "0" * 64, PictureSource("0" * 64, "random", path="random"))
    size_px = (side_px, side_px)
    model.set_grid(TokenGrid.plain((cells, cells), size_px, size_px), pixels_HW3[:64, :64])
    canvas = ImageCanvas(model, controller)
    canvas.resize(*canvas_px)
    canvas.show()
    QApplication.processEvents()
    return model, controller, canvas


def send(canvas: ImageCanvas, kind: QEvent.Type, at: QPointF, held: Qt.MouseButton) -> None:
    """Hand a mouse event to the canvas and draw all that it changes."""
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
    QApplication.sendEvent(canvas, QMouseEvent(kind, at, canvas.mapToGlobal(at), button, held, _NONE))
    QApplication.processEvents()


def paint(canvas: ImageCanvas, model: SessionModel, brush_px: int, zoom: float | None) -> list[float]:
    """Draw a spiral with the brush; milliseconds of each move, drawing included."""
    model.tool, model.brush_px = "brush", brush_px
    canvas.fit() if zoom is None else canvas.view.zoom_to(zoom)
    middle = QPointF(canvas.width() / 2, canvas.height() / 2)
    send(canvas, QEvent.Type.MouseButtonPress, middle, _LEFT)
    times_ms = []
    for move in range(N_MOVES):
        turn, radius = move / 15, 30 + move * 0.6
        at = middle + QPointF(radius * math.cos(turn), radius * math.sin(turn))
        started = time.perf_counter()
        send(canvas, QEvent.Type.MouseMove, at, _LEFT)
        times_ms.append((time.perf_counter() - started) * 1000)
    send(canvas, QEvent.Type.MouseButtonRelease, middle, Qt.MouseButton.NoButton)
    return times_ms


def main() -> None:
    """Print the figures, and write them down unless `--look` is given."""
    app = dressed_app()
    model, controller, canvas = make_canvas(SIDE_PX, 32)
    rows = ["| brush | zoom | a move, ms |", "|---|---|---|"]
    for brush_px, zoom in ((40, None), (200, None), (40, 1.0), (16, 8.0)):
        times_ms = paint(canvas, model, brush_px, zoom)
        rows.append(
            f"| {brush_px} px | {'fitted' if zoom is None else f'{zoom:.0%}'} | {figures(times_ms)} |"
        )
    canvas.close()
    controller.shutdown()
    app.processEvents()
    text = (
        f"## Painting\n\nOne move of the brush on a picture of {SIDE_PX} x {SIDE_PX} px with 32 x 32 cells, "
        f"to the pixels on a canvas of 1000 x 800. {screen_conditions()}\n\n" + "\n".join(rows)
    )
    print(text)
    if "--look" not in sys.argv:
        write_section("painting", text)


if __name__ == "__main__":
    main()
