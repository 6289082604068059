"""All heads as dots between two axes, each a layer, a ranking or a measure; a dot opens its head.

Loading this module loads pyqtgraph: import it where the page of a head is shown for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.experiments.head_metrics import METRICS, HeadMetrics
from gazeviz.domain.heads import Head
from gazeviz.domain.wording import METRIC_NAMES, format_figure, format_ranking_name
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ChoiceButton,
    ColourScale,
    ElidedLabel,
    choice_button,
    named,
    section_title,
    side_by_side,
    soft,
)

pg.setConfigOptions(antialias=True, useOpenGL=False)

NEAR_PX: Final = 10
_DOT_PX, _RING_PX = 8, 15
_SPREAD: Final = 0.6  # of the room between two layers that the heads of one are spread over


def axis_options(model: SessionModel, metrics: HeadMetrics | None) -> list[tuple[str, str]]:
    """What heads can be laid out and coloured by: (key, label)."""
    rankings = [(f"ranking {name}", format_ranking_name(name)) for name in model.rankings]
    measured = [(f"metric {name}", METRIC_NAMES[name]) for name in METRICS] if metrics is not None else []
    return [("layer", "layer"), ("head", "head"), *rankings, *measured]


def values_of(
    model: SessionModel, metrics: HeadMetrics | None, key: str, shape_LH: tuple[int, int]
) -> NDArray[np.float64]:
    """What a key says of each head, float64 (L, H); NaN where it says nothing."""
    kind, _, name = key.partition(" ")
    found: NDArray[np.floating] | None = None
    if kind == "layer":
        found = np.repeat(np.arange(shape_LH[0], dtype=np.float64)[:, None], shape_LH[1], axis=1)
    elif kind == "head":
        found = np.repeat(np.arange(shape_LH[1], dtype=np.float64)[None], shape_LH[0], axis=0)
    elif kind == "ranking" and name in model.rankings:
        found = model.rankings[name].scores_LH
    elif kind == "metric" and metrics is not None:
        found = metrics.mean_LH(next(metric for metric in METRICS if metric == name))
    if found is None or found.shape != shape_LH:
        return np.full(shape_LH, np.nan)
    return np.asarray(found, dtype=np.float64)


class HeadScatter(QWidget):
    """Two menus for the axes, the dots, a menu for their colour. Signal `head_wanted`: a dot was clicked."""

    head_wanted = Signal(object)

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headScatter")
        self._model = model
        self._metrics: HeadMetrics | None = None
        self._head: Head | None = None
        self._heads: tuple[Head, ...] = ()
        self._places_N2: NDArray[np.float64] = np.zeros((0, 2))
        self._options: list[tuple[str, str]] = []
        self.keys = {"x": "layer", "y": "", "colour": ""}
        """What axes and colour say, by menu."""
        self.menus: dict[str, ChoiceButton] = {
            "x": choice_button("scatterX", "Axis from left to right", [], lambda key: self.choose("x", key)),
            "y": choice_button("scatterY", "Axis from bottom to top", [], lambda key: self.choose("y", key)),
            "colour": choice_button("scatterColour", "Colour", [], lambda key: self.choose("colour", key)),
        }
        self._scale, self._about = ColourScale("scatterScale"), soft(named(ElidedLabel(), "scatterNote"))
        self.plot = named(pg.PlotWidget(), "headScatterPlot")
        self.plot.setAccessibleName("All heads; click a dot to open its head")
        self._prepare_plot()
        self._lay_out()
        model.ranking_changed.connect(self._refresh)
        model.model_changed.connect(self._refresh)
        theme.changed.connect(self._draw)
        self._refresh()

    def _prepare_plot(self) -> None:
        item = self.plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.setMinimumSize(120, 140)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.viewport().installEventFilter(self)
        self.plot.setMouseTracking(True)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addWidget(section_title("All heads"))
        layout.addLayout(side_by_side(self.menus["x"], self.menus["y"], None))
        layout.addWidget(self.plot, 1)
        layout.addLayout(side_by_side(self.menus["colour"], None))
        layout.addWidget(self._scale)
        layout.addWidget(self._about)

    # What is shown

    def show_head(self, head: Head | None, metrics: HeadMetrics | None) -> None:
        """Mark a head, and lay out by what was measured."""
        self._head = head
        if metrics is not self._metrics:
            self._metrics = metrics
            self._refresh()
        else:
            self._draw()

    def choose(self, menu: str, key: str) -> None:
        """Lay out or colour by something else."""
        self.keys[menu] = key
        self._refresh()

    def point_of(self, head: Head) -> QPointF:
        """Where a head's dot lies in the viewport."""
        x, y = self._places_N2[self._heads.index(head)]
        at: QPointF = self.plot.getPlotItem().getViewBox().mapViewToScene(QPointF(x, y))
        return at

    @property
    def heads(self) -> tuple[Head, ...]:
        """Those that have a dot."""
        return self._heads

    def _refresh(self) -> None:
        options = axis_options(self._model, self._metrics)
        known = {key for key, _ in options}
        by_ranking = next((key for key, _ in options[2:]), "head")
        for menu, usual in (("x", "layer"), ("y", by_ranking), ("colour", by_ranking)):
            if self.keys[menu] not in known:
                self.keys[menu] = usual
        if options != self._options:
            self._options = options
            for menu, button in self.menus.items():
                button.set_options([(key, f"{menu}: {label}") for key, label in options])
        for menu, button in self.menus.items():
            button.set_current(self.keys[menu])
        self._draw()

    def _draw(self) -> None:
        colours, item = theme.current(), self.plot.getPlotItem()
        item.clear()
        self.plot.setBackground(colours.panel)
        self._heads, self._places_N2 = (), np.zeros((0, 2))
        info = self._model.model_info
        self._about.set_whole("A dot opens its head." if info is not None else "No model is loaded.")
        if info is None:
            return
        shape_LH = info.shape_LH
        x_LH, y_LH, z_LH = (
            values_of(self._model, self._metrics, self.keys[menu], shape_LH) for menu in self.menus
        )
        for key, values_LH in (("x", x_LH), ("y", y_LH)):
            if self.keys[key] == "layer":
                values_LH += _SPREAD * (np.arange(shape_LH[1]) / max(shape_LH[1] - 1, 1) - 0.5)
        shown_LH = info.heads_present_LH & np.isfinite(x_LH) & np.isfinite(y_LH)
        self._heads = tuple(Head(*place) for place in np.argwhere(shown_LH).tolist())
        self._places_N2 = np.stack([x_LH[shown_LH], y_LH[shown_LH]], axis=1)
        self._draw_dots(z_LH[shown_LH])
        self._dress_axes(x_LH, y_LH)

    def _draw_dots(self, values_N: NDArray[np.float64]) -> None:
        colours, item = theme.current(), self.plot.getPlotItem()
        if not self._heads:
            self._about.set_whole("No head has a value on both axes.")
            return
        known = values_N[np.isfinite(values_N)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        self._scale.set_ends(low, high)
        level_N = np.nan_to_num((values_N - low) / ((high - low) or 1.0))
        lut = theme.magma_lut()
        brushes = [
            pg.mkBrush(QColor(*lut[round(255 * level)].tolist()) if known_one else colours.raised)
            for level, known_one in zip(level_N, np.isfinite(values_N), strict=True)
        ]
        item.addItem(
            pg.ScatterPlotItem(
                x=self._places_N2[:, 0], y=self._places_N2[:, 1], size=_DOT_PX, brush=brushes,
                pen=pg.mkPen(colours.line, width=1),
            )
        )  # fmt: skip
        if self._head in self._heads:
            x, y = self._places_N2[self._heads.index(self._head)]
            ring = pg.ScatterPlotItem(
                x=[x], y=[y], size=_RING_PX, brush=None, pen=pg.mkPen(colours.accent, width=2)
            )
            item.addItem(ring)
            right = x > self._places_N2[:, 0].mean()
            name = pg.TextItem(
                str(self._head), color=colours.ink, anchor=(1.25, 0.5) if right else (-0.25, 0.5)
            )
            name.setFont(theme.font_ui(11, 600))
            name.setPos(x, y)
            item.addItem(name)

    def _dress_axes(self, *values: NDArray[np.float64]) -> None:
        colours, item = theme.current(), self.plot.getPlotItem()
        for side, values_LH, room in (("bottom", values[0], 22), ("left", values[1], 34)):
            axis = item.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(colours.line)
            axis.setTextPen(colours.soft)
            axis.setStyle(tickFont=theme.font_mono(10), tickLength=-4, tickTextOffset=4)
            (axis.setHeight if side == "bottom" else axis.setWidth)(room)
            known = values_LH[np.isfinite(values_LH)]
            low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
            margin = 0.08 * ((high - low) or 1.0)
            axis.setTicks([[(place, tick) for place, tick in ticks_between(low, high)]])
            set_range = item.setXRange if side == "bottom" else item.setYRange
            set_range(low - margin, high + margin, padding=0)

    # The mouse

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A dot under the pointer is named; a click opens its head."""
        if isinstance(event, QMouseEvent) and watched is self.plot.viewport():
            if event.type() == QEvent.Type.MouseMove:
                self._name(self._head_at(event.position()))
            elif event.type() == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
                head = self._head_at(event.position())
                if head is not None:
                    self.head_wanted.emit(head)
                return True
        return super().eventFilter(watched, event)

    def _head_at(self, at: QPointF) -> Head | None:
        if not self._heads:
            return None
        points = [self.point_of(head) for head in self._heads]
        apart = [np.hypot(point.x() - at.x(), point.y() - at.y()) for point in points]
        nearest = int(np.argmin(apart))
        return self._heads[nearest] if apart[nearest] <= NEAR_PX else None

    def _name(self, head: Head | None) -> None:
        if head is None:
            self._about.set_whole("A dot opens its head.")
            return
        info = self._model.model_info
        assert info is not None  # a dot has a head, and a head has a model
        labels = dict(self._options)
        parts = [str(head)]
        for key in dict.fromkeys(self.keys.values()):
            if key not in ("layer", "head"):
                value = values_of(self._model, self._metrics, key, info.shape_LH)[head.layer, head.index]
                parts.append(f"{labels.get(key, key)} {format_figure(float(value))}")
        self._about.set_whole(" · ".join(parts))


def ticks_between(low: float, high: float) -> Sequence[tuple[float, str]]:
    """Three to seven round figures from low to high, as people write them."""
    span = (high - low) or 1.0
    raw = span / 6
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    places = max(0, int(np.ceil(-np.log10(step) - 1e-9)))
    ticks = []
    for number in range(first, last + 1):
        text = f"{number * step:.{places}f}"
        text = "0" if float(text) == 0 else text
        ticks.append((number * step, text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text))
    return ticks
