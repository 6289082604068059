"""The curves of a trajectory and their axes: mass on each region, token by token.

Solid lines are the chosen heads, dashed ones a random control.  Axes and drawn lines are kept in a picture;
tokens that arrive are only added to it, and only what they add is painted: drawing 300 tokens of 12 regions
anew would take longer than a frame.  Knows no session.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from gazeviz.domain.wording import format_figure
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.plot_place import PlotPlace, token_ticks

_LINE_PX, _CONTROL_PX = 1.8, 1.2
_CONTROL_ALPHA = 0.8
_DASH_PX, _GAP_PX = 4.0, 3.0
_VALUE_PX = 12
_NEAR_PX = 10  # how far before a token something is drawn with it: the rest of a dash, a line's width

Masses = NDArray[np.float32]


class TrajectoryCurves(QWidget):
    """Draws two tables of masses."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trajectoryCurves")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._place = PlotPlace(0, 0, 1, 1)
        self._masses_TR: Masses = np.zeros((0, 0), dtype=np.float32)
        self._control_TR: Masses | None = None
        self._colours: list[QColor] = []
        self._drawn = QPixmap()
        self._n_drawn = 0  # tokens whose lines are in the picture
        self._along_R = np.zeros(0)  # how long each dashed line is up to there
        self._key: tuple[object, ...] = ()
        theme.changed.connect(self.update)

    @property
    def n_tok(self) -> int:
        """Tokens that are shown."""
        return len(self._masses_TR)

    @property
    def n_lines(self) -> int:
        """Lines that are shown, the control's among them."""
        return len(self._colours) * (1 if self._control_TR is None else 2)

    def show_masses(
        self, place: PlotPlace, masses_TR: Masses, control_TR: Masses | None, colours: Sequence[QColor]
    ) -> None:
        """Draw a line for each region; colours: one for each, in the order of the columns."""
        n_before = len(self._masses_TR)
        if not (_goes_on(self._masses_TR, masses_TR) and _goes_on(self._control_TR, control_TR)):
            n_before = 0
        self._n_drawn = min(self._n_drawn, n_before)
        only_more = self._n_drawn > 0 and place == self._place and list(colours) == self._colours
        self._place, self._masses_TR, self._control_TR = place, masses_TR, control_TR
        self._colours = list(colours)
        self.update(self._new_part() if only_more else self.rect())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Show the picture of axes and lines, with what has come since."""
        self._bring_up_to_date()
        QPainter(self).drawPixmap(0, 0, self._drawn)

    # Lines

    def _bring_up_to_date(self) -> None:
        """Add what has arrived to the picture, or draw it anew where anything else has changed."""
        ratio = self.devicePixelRatioF()
        names = tuple(colour.name() for colour in self._colours)
        key = (self._place, self.width(), self.height(), ratio, names, theme.current())
        if key != self._key or self._n_drawn == 0:
            self._key, self._n_drawn = key, 0
            self._drawn = QPixmap(self.size() * ratio)
            self._drawn.setDevicePixelRatio(ratio)
            self._drawn.fill(theme.current().panel)
            painter = QPainter(self._drawn)
            self._draw_axes(painter)
            painter.end()
        if self._n_drawn < len(self._masses_TR):
            painter = QPainter(self._drawn)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._control_TR is not None:
                self._draw_controls(painter, self._control_TR)
            for xy_T2, colour in zip(self._on_screen(self._masses_TR), self._colours, strict=True):
                painter.setPen(QPen(colour, _LINE_PX))
                painter.drawLines(_pieces(xy_T2))
            painter.end()
            self._n_drawn = len(self._masses_TR)

    def _new_part(self) -> QRect:
        """Where lines are added to those that are drawn."""
        left = math.floor(self._place.x_of(self._n_drawn - 1)) - _NEAR_PX
        right = math.ceil(self._place.x_of(len(self._masses_TR) - 1)) + _NEAR_PX
        return QRect(left, 0, right - left, self.height())

    def _draw_controls(self, painter: QPainter, control_TR: Masses) -> None:
        if not self._n_drawn:
            self._along_R = np.zeros(control_TR.shape[1])
        drawn, self._along_R = dashes(self._on_screen(control_TR), self._along_R)
        for lines, colour in zip(drawn, self._colours, strict=True):
            soft = QColor(colour)
            soft.setAlphaF(_CONTROL_ALPHA)
            painter.setPen(QPen(soft, _CONTROL_PX))
            painter.drawLines([QLineF(*dash) for dash in lines])

    def _on_screen(self, mass_TR: Masses) -> NDArray[np.float64]:
        """Points of each line from the last one drawn, x and y, float64 (R, T, 2); no number: the bottom."""
        place, first = self._place, max(0, self._n_drawn - 1)
        mass_RT = mass_TR[first:].T
        mass_RT = np.where(np.isnan(mass_RT), 0.0, mass_RT)  # a tenth of what nan_to_num takes
        y_RT = place.top_px + place.height_px * (1 - mass_RT / place.top)
        x_T = place.left_px + (np.arange(first, len(mass_TR)) + 0.5) * place.token_px
        return np.stack([np.broadcast_to(x_T, y_RT.shape), y_RT], axis=2)

    # Axes

    def _draw_axes(self, painter: QPainter) -> None:
        place, colours, rect = self._place, theme.current(), self._place.rect
        painter.setFont(theme.font_mono(10))
        named = (0.0, place.top / 2, place.top) if place.height_px >= 3 * _VALUE_PX else (0.0, place.top)
        for mass in named:
            y = round(place.y_of(mass)) + 0.5
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(colours.soft)
            label = QRectF(0, y - 8, rect.left() - 6, 16)
            figure = f"{mass:g}" if mass >= 10 else format_figure(mass)
            painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, figure)
        for token in token_ticks(place.n_tok, place.width_px):
            label = QRectF(place.x_of(token) - 20, rect.bottom() + 3, 40, 14)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, str(token))


def dashes(
    xy_RT2: NDArray[np.float64], along_R: NDArray[np.float64]
) -> tuple[list[list[list[float]]], NDArray[np.float64]]:
    """Dashes of equal length along curves: x0, y0, x1, y1 of each, for each curve.

    along_R: how long each curve was before its first point here, so that its dashes go on where they ended.
    Returns with them how long each is at its last point.
    """
    steps_RT = np.hypot(*np.moveaxis(np.diff(xy_RT2, axis=1), 2, 0))
    along_RT = np.cumsum(np.concatenate([along_R[:, None], steps_RT], axis=1), axis=1)
    ends_R, step = along_RT[:, -1], _DASH_PX + _GAP_PX
    first_R = (along_R // step).astype(int)
    counts_R = np.ceil(ends_R / step).astype(int) - first_R
    curve_N = np.repeat(np.arange(len(along_R)), counts_R)
    begins_N = (np.arange(len(curve_N)) + (first_R + counts_R - np.cumsum(counts_R))[curve_N]) * step
    from_N = np.maximum(begins_N, along_R[curve_N])
    to_N = np.minimum(begins_N + _DASH_PX, ends_R[curve_N])
    # All curves are one for the interpolation, each so far along that it cannot meet the one before.
    apart = float(ends_R.max(initial=0.0)) + 1
    at_RT, far_N = along_RT + apart * np.arange(len(along_R))[:, None], apart * curve_N
    ways = [np.interp(at_N + far_N, at_RT.ravel(), xy_RT2[..., axis].ravel())
            for at_N in (from_N, to_N) for axis in (0, 1)]  # fmt: skip
    pieces_N4, seen_N = np.stack(ways, axis=1), to_N > from_N
    return [pieces_N4[seen_N & (curve_N == curve)].tolist() for curve in range(len(along_R))], ends_R


def _pieces(xy_T2: NDArray[np.float64]) -> list[QLineF]:
    """The lines from point to point: drawn one by one, fifteen times as fast as a wide antialiased path.

    A single point becomes a short line, so that the first token is seen.
    """
    if len(xy_T2) == 1:
        x, y = xy_T2[0].tolist()
        return [QLineF(x - 2, y, x + 2, y)]
    return [QLineF(*piece) for piece in np.concatenate([xy_T2[:-1], xy_T2[1:]], axis=1).tolist()]


def _goes_on(before: Masses | None, after: Masses | None) -> bool:
    """Whether one table only continues another."""
    if before is None or after is None:
        return before is after
    same_regions = before.shape[1] == after.shape[1] and len(before) <= len(after)
    return same_regions and np.array_equal(before, after[: len(before)], equal_nan=True)
