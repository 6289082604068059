"""Head grid, curves and canvas by hand and by pyqtgraph: CPU time until a change is drawn.

    python tests/benchmarks/bench_drawing.py          measure, and write the section of the help page
    python tests/benchmarks/bench_drawing.py --look   only print

The decision record on what is drawn by hand quotes it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QApplication, QGraphicsItem, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo
from gazeviz.ui.answers.curve_plot import TrajectoryCurves
from gazeviz.ui.heads.head_grid import HeadGrid
from gazeviz.ui.widgets.plot_place import PlotPlace
from tests.benchmarks.bench_painting import dressed_app, make_canvas, screen_conditions, send
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

SHAPE_LH = (36, 32)
GRID_PX, CURVES_PX = (321, 361), (760, 170)
N_TIMES, N_TOK, N_REGIONS = 100, 200, 7
PLACES = [
    np.sort(np.random.default_rng(n).choice(SHAPE_LH[0] * SHAPE_LH[1], 100, replace=False)) for n in range(8)
]
_LEFT = Qt.MouseButton.LeftButton


def timed(change: Callable[[int], object], drawn: QWidget, n_times: int = N_TIMES) -> str:
    """Median and 95th percentile of the CPU milliseconds of a change, drawing included."""
    times_ms = []
    for number in range(n_times):
        started = time.process_time()
        change(number)
        drawn.repaint()
        times_ms.append((time.process_time() - started) * 1000)
    return f"{statistics.median(times_ms):.1f} | {statistics.quantiles(times_ms, n=20)[-1]:.1f}"


class ChosenOutlines(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """Outlines around the chosen heads over an image of heads."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[QRectF] = []

    def boundingRect(self) -> QRectF:
        """All heads."""
        return QRectF(0, 0, SHAPE_LH[1], SHAPE_LH[0])

    def paint(self, painter: QPainter, option: object, widget: QWidget | None = None) -> None:
        """The gaps between all heads, and the outlines."""
        gaps = QPen(QColor("white"), 2)
        gaps.setCosmetic(True)
        painter.setPen(gaps)
        for row in range(SHAPE_LH[0] + 1):
            painter.drawLine(QPointF(0, row), QPointF(SHAPE_LH[1], row))
        for column in range(SHAPE_LH[1] + 1):
            painter.drawLine(QPointF(column, 0), QPointF(column, SHAPE_LH[0]))
        pen = QPen(QColor("teal"), 2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawRects(self.boxes)


def own_grid() -> list[str]:
    """The head grid as it is: new values, and another choice of 100 heads."""
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    present_LH = np.ones(SHAPE_LH, dtype=bool)
    model.model_info = ModelInfo("m", "m", "m", SHAPE_LH, present_LH, "cpu", "float32", None, "f00d", 64)
    rng = np.random.default_rng(0)
    model.put_rankings({"mass": HeadRanking("mass", rng.random(SHAPE_LH))})
    masses = [rng.random(SHAPE_LH, dtype=np.float32) for _ in range(8)]
    grid = HeadGrid(model, controller)
    grid.resize(*GRID_PX)
    grid.show()
    QApplication.processEvents()
    model.grid_metric = "live"

    def values(number: int) -> None:
        model.live_mass_LH = masses[number % 8]

    results = [timed(values, grid)]
    controller.heads.top(100)
    results.append(timed(values, grid))
    sets = [HeadSet(tuple(Head(*divmod(place, SHAPE_LH[1])) for place in some.tolist())) for some in PLACES]

    def choose(number: int) -> None:
        model.chosen = sets[number % 8]

    results.append(timed(choose, grid))
    grid.close()
    controller.editor.undo_stack.clear()
    controller.shutdown()
    return results


def graph_grid() -> list[str]:
    """The same on an ImageItem with an item for gaps and outlines, axes and a view that zooms."""
    rng = np.random.default_rng(0)
    plot = pg.PlotWidget()
    plot.resize(*GRID_PX)
    image = pg.ImageItem(axisOrder="row-major")
    image.setLookupTable(pg.colormap.get("magma").getLookupTable(nPts=256))
    marks = ChosenOutlines()
    plot.addItem(image)
    plot.addItem(marks)
    plot.setAspectLocked(True)
    masses = [rng.random(SHAPE_LH, dtype=np.float32) for _ in range(8)]
    image.setImage(masses[0], levels=(0, 1))
    plot.show()
    QApplication.processEvents()

    def values(number: int) -> None:
        image.setImage(masses[number % 8], levels=(0, 1))

    def choose(number: int) -> None:
        places = PLACES[number % 8]
        marks.boxes = [QRectF(place % SHAPE_LH[1], place // SHAPE_LH[1], 1, 1) for place in places.tolist()]
        marks.update()

    results = [timed(values, plot.viewport())]
    choose(0)
    results += [timed(values, plot.viewport()), timed(choose, plot.viewport())]
    plot.close()
    return results


def masses() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two tables of masses: steered heads and random ones, (N_TOK, N_REGIONS) each."""
    rng = np.random.default_rng(0)
    first, second = (rng.random((N_TOK, N_REGIONS), dtype=np.float32) for _ in range(2))
    return first, second


def own_curves() -> str:
    """A token more in 14 curves."""
    mass_TR, control_TR = masses()
    curves = TrajectoryCurves()
    curves.resize(*CURVES_PX)
    place = PlotPlace.within(curves.size(), N_TOK, 1.0)
    colours = [QColor.fromHsv(40 * number, 200, 200) for number in range(N_REGIONS)]
    curves.show()
    QApplication.processEvents()
    result = timed(
        lambda number: curves.show_masses(
            place, mass_TR[: 100 + number], control_TR[: 100 + number], colours
        ),
        curves,
    )
    curves.close()
    return result


def graph_curves(width_px: float, style: Sequence[Qt.PenStyle]) -> str:
    """A token more in 14 PlotDataItems."""
    mass_TR, control_TR = masses()
    plot = pg.PlotWidget(antialias=True)
    plot.resize(*CURVES_PX)
    plot.setXRange(0, N_TOK)
    plot.setYRange(0, 1)
    colours = [QColor.fromHsv(40 * number, 200, 200) for number in range(N_REGIONS)]
    pens = [[pg.mkPen(colour, width=width_px, style=kind) for colour in colours] for kind in style]
    lines = [[plot.plot(pen=pen, antialias=True) for pen in some] for some in pens]
    plot.show()
    QApplication.processEvents()

    def add(number: int) -> None:
        for some, table in zip(lines, (mass_TR, control_TR), strict=True):
            for line, column_T in zip(some, table[: 100 + number].T, strict=True):
                line.setData(column_T)

    result = timed(add, plot.viewport(), 40)
    plot.close()
    return result


def own_canvas() -> str:
    """A move of the brush on a picture of 3000 x 3000 pixels."""
    model, controller, canvas = make_canvas(3000, 32)
    model.tool, model.brush_px = "brush", 120
    middle = QPointF(canvas.rect().center())
    send(canvas, QEvent.Type.MouseButtonPress, middle, _LEFT)
    times_ms = []
    for number in range(N_TIMES):
        started = time.process_time()
        send(canvas, QEvent.Type.MouseMove, middle + QPointF(number % 40 * 4, number % 25 * 4), _LEFT)
        QApplication.processEvents()
        times_ms.append((time.process_time() - started) * 1000)
    send(canvas, QEvent.Type.MouseButtonRelease, middle, _LEFT)
    canvas.close()
    controller.editor.undo_stack.clear()
    controller.shutdown()
    return f"{statistics.median(times_ms):.1f} | {statistics.quantiles(times_ms, n=20)[-1]:.1f}"


def graph_canvas() -> str:
    """The same stroke as a new mask for an ImageItem over one of the picture."""
    rng = np.random.default_rng(0)
    plot = pg.PlotWidget()
    plot.resize(1000, 800)
    plot.setAspectLocked(True)
    picture, region = pg.ImageItem(axisOrder="row-major"), pg.ImageItem(axisOrder="row-major")
    picture.setImage(rng.integers(0, 255, (3000, 3000, 3), dtype=np.uint8), autoLevels=False)
    region.setLookupTable(np.array([[0, 0, 0, 0], [0, 114, 178, 90]], dtype=np.uint8))
    mask_HW = np.zeros((3000, 3000), dtype=np.uint8)
    region.setImage(mask_HW, levels=(0, 1))
    plot.addItem(picture)
    plot.addItem(region)
    region.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption, True)
    plot.show()
    QApplication.processEvents()

    def stroke(number: int) -> None:
        mask_HW[1500 + number * 4 : 1620 + number * 4, 1500 + number * 8 : 1620 + number * 8] = 1
        region.updateImage(autoLevels=False)

    result = timed(stroke, plot.viewport(), 40)
    plot.close()
    return result


def import_ms(module: str, n_times: int = 7) -> float:
    """Median CPU milliseconds that importing a module adds to a program with widgets."""
    code = (
        "import time; import PySide6.QtWidgets, numpy; began = time.process_time();"
        f" import {module}; print(1000 * (time.process_time() - began))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(n_times)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> None:
    """Print the table, and write it down unless `--look` is given."""
    app = dressed_app()
    pg.setConfigOptions(background="w", foreground="k")
    kinds = ("new values", "new values, 100 heads chosen", "another choice of 100 heads")
    rows = ["| | by hand: median | p95 | pyqtgraph: median | p95 |", "|---|---|---|---|---|"]
    for kind, own, graph in zip(kinds, own_grid(), graph_grid(), strict=True):
        rows.append(f"| head grid {SHAPE_LH[0]} x {SHAPE_LH[1]}, {kind} | {own} | {graph} |")
    own, solid, dashed = own_curves(), Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
    rows += [
        f"| a token more in 14 curves, width 1, all solid | {own} | {graph_curves(1, (solid, solid))} |",
        f"| the same, width 2, half of them dashed | {own} | {graph_curves(2, (solid, dashed))} |",
        f"| a move of the brush, 3000 x 3000 px | {own_canvas()} | {graph_canvas()} |",
    ]
    app.processEvents()
    text = (
        "## Drawn by hand and by pyqtgraph\n\n"
        "Milliseconds of processor time until a change is drawn. pyqtgraph draws less: heads without rounded "
        "corners, labels and counts, a region without its outline. Importing "
        f"it takes {import_ms('pyqtgraph'):.0f} ms of processor time, which no start of the window pays. "
        f"{screen_conditions()} pyqtgraph {pg.__version__}.\n\n" + "\n".join(rows)
    )
    print(text)
    if "--look" not in sys.argv:
        write_section("drawing", text)


if __name__ == "__main__":
    main()
