"""The plots of an evaluation, drawn by pyqtgraph: accuracy by condition, and the curve of a sweep.

Loading this module loads pyqtgraph. Shares are in per cent; of random draws every one is a dot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gazeviz.domain.experiments.conditions import SweepAxis, controls_of
from gazeviz.domain.experiments.paper import PaperExperiment
from gazeviz.domain.experiments.results import ConditionFigures, EvaluationResult
from gazeviz.ui.widgets import theme

pg.setConfigOptions(antialias=True, useOpenGL=False)

_AXIS_PX = 170
_LEAST_SHARE, _BRIGHT = 0.02, 0.6
"""Cells of fewer answers carry no figure; on brighter ones it is black."""


class ResultPlot(QWidget):
    """One plot: conditions as rows, or the first swept axis as a curve."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("resultPlot")
        self._result: EvaluationResult | None = None
        self._paper: PaperExperiment | None = None
        self._by_panel = False
        self.plot = pg.PlotWidget()
        self.plot.setAccessibleName("Share of answers about the target, by condition")
        item = self.plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        self.plot.setMouseEnabled(False, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        theme.changed.connect(self._draw)
        self._draw()

    def show_result(self, result: EvaluationResult | None, paper: PaperExperiment | None = None) -> None:
        """Draw what is there of an evaluation, the paper's figures as diamonds; None draws those alone."""
        self._result, self._paper = result, paper
        self._draw()

    def show_by_panel(self, on: bool) -> None:
        """Show which region the answers are about for each target, or the conditions."""
        self._by_panel = on
        self._draw()

    def _draw_confusion(self, result: EvaluationResult, item: Any) -> None:
        """Share of the answers to each target (rows) about each region (columns; the last one: none)."""
        best = result.best_setting()
        if best is None:
            return
        counts = np.asarray(result.confusion(best.name), dtype=float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = pg.ImageItem(shares.T, levels=(0.0, 1.0), colorMap=pg.colormap.get("magma"))
        item.addItem(image)
        for row, column in zip(*np.nonzero(shares >= _LEAST_SHARE), strict=True):
            share = shares[row, column]
            colour = "#000000" if share > _BRIGHT else "#ffffff"
            text = pg.TextItem(f"{100 * share:.0f}", color=colour, anchor=(0.5, 0.5))
            text.setPos(column + 0.5, row + 0.5)
            item.addItem(text)
        item.invertY(True)
        item.getAxis("left").setWidth(48)
        n_targets, n_columns = shares.shape
        item.getAxis("left").setTicks([[(k + 0.5, str(k + 1)) for k in range(n_targets)]])
        names = [*(str(k + 1) for k in range(n_columns - 1)), "none"]
        item.getAxis("bottom").setTicks([[(k + 0.5, name) for k, name in enumerate(names)]])
        item.getAxis("bottom").setLabel(f"{best.name}: region described, %  (rows: the target)")
        item.setXRange(0, n_columns, padding=0.01)
        item.setYRange(0, n_targets, padding=0.01)

    def _draw(self) -> None:
        colours, item = theme.current(), self.plot.getPlotItem()
        item.clear()
        self.plot.setBackground(colours.panel)
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setPen(colours.line)
            axis.setTextPen(colours.ink)
            axis.setStyle(tickFont=theme.font_ui(11), tickLength=-4)
            axis.setTicks(None)
        result = self._result
        item.invertY(False)
        if result is None or not result.conditions:
            self._draw_empty(item)
        elif self._by_panel:
            self._draw_confusion(result, item)
        elif result.spec.axes:
            self._draw_curve(result, item)
        else:
            self._draw_rows(result, item)

    def _draw_empty(self, item: Any) -> None:
        """The rows that there will be, with the paper's figures where it has them."""
        names = _expected(self._paper) if self._paper is not None else []
        for place, name in enumerate(reversed(names)):
            self._diamond(item, name, place)
        self._show_axes(item, [(place, name) for place, name in enumerate(reversed(names))], len(names))

    def _diamond(self, item: Any, name: str, y: float) -> None:
        """The paper's figure of a row; rho has an axis of its own there, and is no share."""
        value = self._paper.published.get(name.rsplit(" (", 1)[0]) if self._paper is not None else None
        if value is None or (self._paper is not None and self._paper.protocol == "dynamic"):
            return
        colours = theme.current()
        item.addItem(
            pg.ScatterPlotItem(
                x=[value], y=[y], symbol="d", size=12, pen=_pen(colours.ink, 2), brush=colours.panel
            )
        )

    def _show_axes(self, item: Any, ticks: list[tuple[float, str]], n_rows: int) -> None:
        left = item.getAxis("left")
        left.setWidth(_AXIS_PX)
        left.setTicks([ticks])
        item.getAxis("bottom").setLabel("about the target, %   (◇ paper; dashed: chance; grey: junk)")
        item.setXRange(0, 104, padding=0.02)
        item.setYRange(-0.6, max(n_rows, 1) - 0.4, padding=0)

    def _draw_rows(self, result: EvaluationResult, item: Any) -> None:
        colours, rows = theme.current(), result.table()
        y = float(len(rows))
        ticks = []
        for row in rows:
            y -= 1
            name = row["condition"]
            ticks.append((y, name))
            drawn = [100 * one.accuracy for one in _drawn(result, name)]
            colour = colours.accent if name.startswith("gaze") else colours.ink
            if drawn:
                self._dots(item, drawn, [y] * len(drawn), colours.soft, 6)
                self._line(item, [100 * row["accuracy"]] * 2, [y - 0.3, y + 0.3], colours.ink, 2)
            else:
                self._line(item, [100 * row["low"], 100 * row["high"]], [y, y], colour, 2)
                self._dots(item, [100 * row["accuracy"]], [y], colour, 10)
            self._line(item, [0, 100 * row["junk"]], [y - 0.4, y - 0.4], colours.line, 3)
            self._diamond(item, name, y)
        chance = pg.InfiniteLine(100 * result.conditions[0].chance, pen=_pen(colours.soft, 1, dashed=True))
        item.addItem(chance)
        self._show_axes(item, ticks, len(rows))

    def _draw_curve(self, result: EvaluationResult, item: Any) -> None:
        colours = theme.current()
        gaze = [one for one in result.conditions if one.condition.kind == "gaze"]
        xs = list(range(len(gaze)))
        draws = [[100 * one.accuracy for one in result.draws(point.condition.at)] for point in gaze]
        if gaze and all(draws):
            self._band(item, xs, [min(one) for one in draws], [max(one) for one in draws], colours.soft)
        low = [100 * one.interval[0] for one in gaze]
        high = [100 * one.interval[1] for one in gaze]
        self._band(item, xs, low, high, colours.accent)
        shares = [100 * one.accuracy for one in gaze]
        self._line(item, xs, shares, colours.accent, 2)
        self._dots(item, xs, shares, colours.accent, 8)
        item.plot(xs, [100 * one.junk for one in gaze], pen=_pen(colours.ink, 1, dashed=True))
        best = result.best_setting()
        if best in gaze:
            place = gaze.index(best)
            mark = pg.TextItem(f"{shares[place]:.0f} %", color=colours.ink, anchor=(0.5, 1.3))
            mark.setPos(place, shares[place])
            item.addItem(mark)
        item.getAxis("left").setWidth(48)
        labels = [" ".join(value for _, value in one.condition.at)[:18] for one in gaze]
        item.getAxis("bottom").setTicks([list(zip(xs, labels, strict=True))])
        item.getAxis("bottom").setLabel(
            f"{result.spec.axes[0].name}  (grey: range of random draws; dashed: junk)"
        )
        item.setXRange(-0.3, max(len(gaze) - 0.7, 0.3), padding=0)
        item.setYRange(0, 112, padding=0)

    def _dots(
        self, item: Any, xs: Sequence[float], ys: Sequence[float], colour: QColor, side_px: int
    ) -> None:
        item.addItem(pg.ScatterPlotItem(x=xs, y=ys, size=side_px, pen=None, brush=colour))

    def _line(self, item: Any, xs: Sequence[float], ys: Sequence[float], colour: QColor, width: int) -> None:
        item.plot(xs, ys, pen=_pen(colour, width))

    def _band(self, item: Any, xs: list[int], low: list[float], high: list[float], colour: QColor) -> None:
        faint = QColor(colour)
        faint.setAlphaF(0.25)
        # A curve without a pen has no path, and nothing would be filled.
        edges = [pg.PlotCurveItem(xs, one, pen=pg.mkPen(0, 0, 0, 0)) for one in (low, high)]
        item.addItem(pg.FillBetweenItem(*edges, brush=faint))


def _expected(paper: PaperExperiment) -> list[str]:
    """The names of the rows that an experiment will have."""
    at = [f" {axis.name}={value}" for axis in map(SweepAxis.parse, paper.sweep) for value in axis.values]
    kinds = ["gaze", *(str(one.kind) for one in controls_of(paper.controls))]
    rows = ["gaze" + place for place in at] if at else kinds
    return [*rows, "unsteered"]


def _drawn(result: EvaluationResult, row: str) -> tuple[ConditionFigures, ...]:
    """The random draws that a row of the table stands for."""
    kind = row.rsplit(" (", 1)[0]
    return tuple(one for one in result.draws() if one.name.rsplit(" ", 1)[0] == kind)


def _pen(colour: QColor, width: int, dashed: bool = False) -> Any:
    from PySide6.QtCore import Qt

    return pg.mkPen(colour, width=width, style=Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
