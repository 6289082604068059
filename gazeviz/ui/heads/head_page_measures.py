"""What is known of one head in figures: measures among the other heads', masses of its tokens, effects.

Three small drawings that take values and say them; they know neither the session nor who measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gazeviz.domain.experiments.head_examples import HeadExamples
from gazeviz.domain.experiments.head_metrics import HeadEffect
from gazeviz.domain.wording import format_figure, format_gain
from gazeviz.ui.widgets import theme

_LINE_PX: Final = 24
_FIGURE_PX: Final = 46
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, eq=False)
class Measure:
    """One figure of a head. others_N: that of the other heads, float (N,)."""

    name: str
    value: float
    others_N: NDArray[np.float64]


class _Drawing(QWidget):
    """A drawing of a fixed height that is as wide as its column."""

    def __init__(self, name: str, height_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._height_px = height_px
        theme.changed.connect(self.update)

    def set_height(self, height_px: int) -> None:
        """Ask for another height."""
        self._height_px = height_px
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as what is drawn."""
        return QSize(240, self._height_px)

    def minimumSizeHint(self) -> QSize:
        """It can be narrower, never lower."""
        return QSize(160, self._height_px)


class MeasureRows(_Drawing):
    """A row for each measure: ticks where the other heads lie, a bar where this one does, its figure."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("measureRows", 0, parent)
        self._rows: tuple[Measure, ...] = ()

    def show_measures(self, rows: Sequence[Measure]) -> None:
        """Take the measures of one head."""
        self._rows = tuple(rows)
        self.setAccessibleName("; ".join(f"{row.name} {format_figure(row.value)}" for row in self._rows))
        self.set_height(_LINE_PX * len(self._rows))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows."""
        painter, colours = QPainter(self), theme.current()
        name_px = min(160.0, 0.46 * self.width())
        band = QRectF(name_px + 4, 0, self.width() - name_px - _FIGURE_PX - 12, _LINE_PX)
        for place, row in enumerate(self._rows):
            line = QRectF(0, place * _LINE_PX, self.width(), _LINE_PX)
            painter.setFont(theme.font_ui(12))
            painter.setPen(colours.soft)
            text = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, int(name_px))
            painter.drawText(line, _LEFT, text)
            painter.setFont(theme.font_mono(12))
            painter.setPen(colours.ink)
            painter.drawText(line, _RIGHT, format_figure(row.value))
            self._draw_ticks(painter, band.translated(0, line.top()), row)

    def _draw_ticks(self, painter: QPainter, band: QRectF, row: Measure) -> None:
        colours = theme.current()
        values = np.append(row.others_N, row.value)
        values = values[np.isfinite(values)]
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        faint = QColor(colours.soft)
        faint.setAlphaF(0.45)

        def at(value: float) -> float:
            return band.left() + band.width() * ((value - low) / ((high - low) or 1.0))

        painter.setPen(QPen(faint, 1))
        middle = band.center().y()
        for value in row.others_N[np.isfinite(row.others_N)].tolist():
            painter.drawLine(QPointF(at(value), middle - 4), QPointF(at(value), middle + 4))
        if np.isfinite(row.value):
            painter.fillRect(QRectF(at(row.value) - 1.5, middle - 8, 3, 16), colours.accent)


class EffectRows(_Drawing):
    """Changes with their intervals around one zero line, in nats."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("effectRows", 0, parent)
        self.rows: tuple[tuple[str, HeadEffect], ...] = ()
        """What is drawn: a name and its effect each; one that begins with "random" is a control."""

    def show_effects(self, rows: Sequence[tuple[str, HeadEffect]]) -> None:
        """Take named effects."""
        self.rows = tuple(rows)
        self.setAccessibleName("; ".join(f"{name} {_in_words(effect)}" for name, effect in self.rows))
        self.set_height(_LINE_PX * len(self.rows) + 18 if self.rows else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw rows, zero line and axis."""
        if not self.rows:
            return
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ends = [0.0] + [end for _, effect in self.rows for end in (effect.low, effect.high)]
        low, high = min(ends), max(ends)
        margin = 0.08 * ((high - low) or 1.0)
        low, high = low - margin, high + margin
        name_px = min(138.0, 0.42 * self.width())
        band = QRectF(name_px + 4, 0, self.width() - name_px - _FIGURE_PX - 16, self.height() - 18)

        def at(value: float) -> float:
            return band.left() + band.width() * (value - low) / (high - low)

        painter.setPen(QPen(colours.soft, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(at(0), band.top()), QPointF(at(0), band.bottom()))
        for place, (name, effect) in enumerate(self.rows):
            line = QRectF(0, place * _LINE_PX, self.width(), _LINE_PX)
            control = name.startswith("random")
            ink = colours.soft if control else colours.accent if effect.what == "steered" else colours.ink
            painter.setFont(theme.font_ui(12))
            painter.setPen(colours.soft if control else colours.ink)
            text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(name_px))
            painter.drawText(line, _LEFT, text)
            painter.setFont(theme.font_mono(12))
            painter.drawText(line, _RIGHT, format_gain(effect.mean_nats))
            middle = line.center().y()
            painter.setPen(QPen(ink, 2))
            painter.drawLine(QPointF(at(effect.low), middle), QPointF(at(effect.high), middle))
            painter.setBrush(ink)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(at(effect.mean_nats), middle), 4, 4)
        painter.setFont(theme.font_mono(10))
        painter.setPen(colours.soft)
        foot = QRectF(at(0) - 60, band.bottom() + 2, 120, 14)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, "0")


def _in_words(effect: HeadEffect) -> str:
    ends = f"[{format_figure(effect.low)}, {format_figure(effect.high)}]"
    return f"{format_gain(effect.mean_nats)} {ends}"


class MassHistogram(_Drawing):
    """How the masses of all tokens are spread, and where the groups of examples come from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("massHistogram", 112, parent)
        self._examples: HeadExamples | None = None

    def show_masses(self, examples: HeadExamples | None) -> None:
        """Take the examples of one head; None draws nothing."""
        self._examples = examples
        words = ""
        if examples is not None and examples.masses_T.size:
            words = f"{examples.masses_T.size} tokens, median mass {format_figure(_median(examples))}"
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars: accent where the top is, ink for the other groups."""
        if self._examples is None or not self._examples.masses_T.size:
            return
        painter, colours, examples = QPainter(self), theme.current(), self._examples
        counts, edges = np.histogram(examples.masses_T, bins=20, range=(0.0, 1.0))
        base, top = self.height() - 16.0, 18.0
        wide = self.width() / len(counts)
        least = min((one.mass for one in examples.of("top")), default=1.0)
        groups = [group for group in ("middle", "low") if examples.of(group)]
        for place, count in enumerate(counts.tolist()):
            low, high = float(edges[place]), float(edges[place + 1])
            colour = colours.line
            for group in groups:
                ends = examples.bounds(group)  # type: ignore[arg-type]
                colour = colours.soft if low <= ends[1] and high >= ends[0] else colour
            colour = colours.accent if high > least else colour
            tall = (base - top) * count / max(int(counts.max()), 1)
            painter.fillRect(QRectF(place * wide + 1, base - tall, wide - 2, tall), colour)
        painter.setPen(QPen(colours.line, 1))
        painter.drawLine(QPointF(0, base + 0.5), QPointF(self.width(), base + 0.5))
        painter.setFont(theme.font_mono(10))
        painter.setPen(colours.soft)
        foot = QRectF(0, base + 2, self.width(), 14)
        for align, text in ((_LEFT, "0"), (Qt.AlignmentFlag.AlignCenter, ".5"), (_RIGHT, "1")):
            painter.drawText(foot, align, text)
        self._name_groups(painter, groups)

    def _name_groups(self, painter: QPainter, groups: Sequence[str]) -> None:
        """Names over the places that groups come from, the top last; one that has no room is left out."""
        assert self._examples is not None
        painter.setFont(theme.font_ui(10))
        names = {"low": "0-10 %", "middle": "40-60 %"}
        end = self.width() - painter.fontMetrics().horizontalAdvance("top") - 2.0
        painter.setPen(theme.current().accent)
        painter.drawText(QPointF(end, 11), "top")
        painter.setPen(theme.current().soft)
        for group in groups:
            low, high = self._examples.bounds(group)  # type: ignore[arg-type]
            wide = painter.fontMetrics().horizontalAdvance(names[group])
            x = max(0.0, self.width() * (low + high) / 2 - wide / 2)
            if x + wide + 6 <= end:
                painter.drawText(QPointF(x, 11), names[group])
                end = x if group == "middle" else end


def _median(examples: HeadExamples) -> float:
    return float(np.median(examples.masses_T))
