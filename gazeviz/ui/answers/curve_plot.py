"""The curves of a trajectory and their axes: mass on each region, token by token.

Solid lines are the chosen heads, dashed ones a random control.  Axes and drawn lines are kept in a picture;
tokens that arrive are only added to it, and only what they add is painted: drawing 300 tokens of 12 regions
anew would take longer than a frame.  Knows no session.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QWidget

from gazeviz.app.history.comparison import LETTERS, Curve
from gazeviz.render.style import figure_text
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.letters import BADGE_PX, draw_letter, letter_colour, letter_pen

# Where a trajectory is drawn: tokens across, mass upwards, in a widget's own pixels.
#
# Curves and what is drawn over them share it, so that a token is at the same place for both.


LEFT_PX: Final = 36
"""Room for the figures of the mass."""
TOP_PX: Final = 30
"""Room for the blocks of targets and for what the text names."""
BOTTOM_PX: Final = 20
RIGHT_PX: Final = 8
BLOCK_PX: Final = 13

_SPANS: Final = (16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class PlotPlace:
    """The rectangle of the data, tokens 0 to n_tok - 1 across it and mass 0 to top upwards."""

    left_px: float
    top_px: float
    width_px: float
    height_px: float
    n_tok: int = 8
    top: float = 1.0

    @classmethod
    def within(cls, size: QSize, n_tok: int, top: float) -> PlotPlace:
        """Fit into a widget, with room for axes and blocks."""
        width_px = max(1, size.width() - LEFT_PX - RIGHT_PX)
        height_px = max(1, size.height() - TOP_PX - BOTTOM_PX)
        return cls(LEFT_PX, TOP_PX, width_px, height_px, max(1, n_tok), top)

    @property
    def rect(self) -> QRectF:
        """The data's rectangle."""
        return QRectF(self.left_px, self.top_px, self.width_px, self.height_px)

    @property
    def token_px(self) -> float:
        """How wide a token is."""
        return self.width_px / self.n_tok

    def x_of(self, token: float) -> float:
        """Where the middle of a token is; its edges are half a token away."""
        return self.left_px + (token + 0.5) * self.token_px

    def y_of(self, mass: float) -> float:
        """Where a mass is."""
        return self.top_px + self.height_px * (1 - mass / self.top)

    def token_at(self, x_px: float) -> int:
        """The token under a point, those at the ends for points outside."""
        return min(max(0, math.floor((x_px - self.left_px) / self.token_px)), self.n_tok - 1)


def span_of(n_tok: int, max_tok: int, ended: bool) -> int:
    """How many tokens the axis shows: all of an answer that has ended, else room that grows in leaps."""
    if ended:
        return max(1, n_tok)
    return min(max_tok, next((span for span in _SPANS if span > n_tok), max_tok)) if max_tok else n_tok


def top_of(highest: float, weighted: bool) -> float:
    """The upper end of the axis: a round number above the highest mass; raw mass never leaves 1."""
    if not math.isfinite(highest) or highest <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(highest))
    top = next(step * magnitude for step in (1, 2, 5, 10, 20) if step * magnitude >= highest * 1.02)
    return top if weighted else min(1.0, max(0.1, top))


def token_ticks(n_tok: int, width_px: float) -> list[int]:
    """Tokens that the axis names, round and not too close."""
    wanted = max(1.0, n_tok * 44 / max(1.0, width_px))
    step = next((step for step in (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 200) if step >= wanted), 500)
    return list(range(0, n_tok, step))


# Mass by token of up to six runs on one axis, a letter at the end of each line, and the token looked at.
#
# Beside each letter stands its mass at that token.
#
# Draws what it is given and tells which token was pointed at; knows no run.


_LEFT_PX: Final = 32
_TOP_PX: Final = 8
_BOTTOM_PX: Final = 20
_FIGURE_PX: Final = 28
_RIGHT_PX: Final = BADGE_PX + 12 + _FIGURE_PX
_STEPS: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class ComparePlot(QWidget):
    """Curves with axes and a cursor; a click, a drag or the arrow keys choose the token."""

    token_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparePlot")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(QSize(160, 60))
        self.setToolTip("Click a token, or use the arrow keys: texts and maps follow")
        self._curves: Sequence[Curve] = ()
        self._n_tok, self._token, self._top = 1, 0, 1.0
        self._lines: QPixmap | None = None
        self._lines_key: tuple[object, ...] = ()
        theme.changed.connect(self.update)

    def show_curves(self, curves: Sequence[Curve], n_tok: int) -> None:
        """Take a curve for each letter; the axis spans so many tokens."""
        self._curves, self._n_tok = curves, max(1, n_tok)
        highest = max(
            (float(np.nanmax(c.mass_T)) for c in curves if np.isfinite(c.mass_T).any()), default=0.0
        )
        self._top = top_of(highest, weighted=False)
        self._lines = None
        self._describe()
        self.update()

    def show_token(self, token: int) -> None:
        """Take the token that is looked at."""
        if token != self._token:
            self._token = token
            self._describe()
            self.update()

    @property
    def place(self) -> PlotPlace:
        """Where tokens and masses lie."""
        width_px = max(1, self.width() - _LEFT_PX - _RIGHT_PX)
        height_px = max(1, self.height() - _TOP_PX - _BOTTOM_PX)
        return PlotPlace(_LEFT_PX, _TOP_PX, width_px, height_px, self._n_tok, self._top)

    def value(self, place: int) -> float:
        """A run's mass at the token looked at; NaN where there is none."""
        mass_T = self._curves[place].mass_T
        return float(mass_T[self._token]) if self._token < len(mass_T) else float("nan")

    def _describe(self) -> None:
        said = [f"{LETTERS[place]} {figure_text(self.value(place))}" for place in range(len(self._curves))]
        self.setAccessibleName(f"Mass by token; at token {self._token}: {', '.join(said)}")

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a token."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.token_wanted.emit(self.place.token_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pull the cursor along."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.token_wanted.emit(self.place.token_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the next token or to the one before."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.token_wanted.emit(min(max(0, self._token + step), self._n_tok - 1))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axes, cursor, lines and letters."""
        place, key = self.place, (self.size(), self.devicePixelRatioF(), theme.current().dark)
        if self._lines is None or key != self._lines_key:
            self._lines, self._lines_key = self._drawn_lines(place), key
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._lines)
        x = place.x_of(self._token)
        painter.setPen(QPen(theme.current().accent, 2 if self.hasFocus() else 1))
        painter.drawLine(QPointF(x, place.top_px), QPointF(x, place.rect.bottom()))
        self._draw_points(painter, place)
        self._draw_letters(painter, place)

    def _drawn_lines(self, place: PlotPlace) -> QPixmap:
        """Axes and lines: drawn once, because the cursor moves over them while it is pulled."""
        lines = QPixmap(self.size() * self.devicePixelRatioF())
        lines.setDevicePixelRatio(self.devicePixelRatioF())
        lines.fill(Qt.GlobalColor.transparent)
        painter = QPainter(lines)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_axes(painter, place)
        painter.setClipRect(place.rect.adjusted(0, -2, 0, 2))
        for number, curve in reversed(list(enumerate(self._curves))):
            painter.setPen(letter_pen(number))
            for piece in pieces(curve.mass_T):
                xy = [QPointF(place.x_of(token), place.y_of(mass)) for token, mass in piece]
                painter.drawPolyline(QPolygonF(xy if len(xy) > 1 else [xy[0], xy[0] + QPointF(3, 0)]))
        painter.end()
        return lines

    def _draw_axes(self, painter: QPainter, place: PlotPlace) -> None:
        colours, rect = theme.current(), place.rect
        painter.setFont(theme.font_mono(10))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for mass in (0.0, place.top / 2, place.top):
            y = round(place.y_of(mass)) + 0.5
            painter.setPen(QPen(colours.line, 1))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
            painter.setPen(colours.soft)
            painter.drawText(QRectF(0, y - 8, rect.left() - 6, 16), right, figure_text(mass))
        for token in token_ticks(place.n_tok, place.width_px):
            label = QRectF(place.x_of(token) - 20, rect.bottom() + 3, 40, 14)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, str(token))

    def _draw_points(self, painter: QPainter, place: PlotPlace) -> None:
        """A dot on each line at the token looked at."""
        painter.setPen(QPen(theme.current().panel, 1))
        for number in range(len(self._curves)):
            mass = self.value(number)
            if np.isfinite(mass):
                painter.setBrush(letter_colour(number))
                painter.drawEllipse(QPointF(place.x_of(self._token), place.y_of(mass)), 3.5, 3.5)

    def _draw_letters(self, painter: QPainter, place: PlotPlace) -> None:
        """Letters beside the axis at the height of their lines' ends, moved apart where they overlap."""
        wanted = [
            place.y_of(float(curve.mass_T[np.isfinite(curve.mass_T)][-1])) if np.isfinite(curve.mass_T).any()
            else None
            for curve in self._curves
        ]  # fmt: skip
        numbers = [number for number, y in enumerate(wanted) if y is not None]
        heights = spread([wanted[number] or 0.0 for number in numbers], BADGE_PX - 2, place.rect.bottom() + 8)
        for number, y in zip(numbers, heights, strict=True):
            side = BADGE_PX - 4
            badge = QRectF(place.rect.right() + 6, y - side / 2, side, side)
            draw_letter(painter, badge, number)
            if np.isfinite(self.value(number)):
                painter.setFont(theme.font_mono(11))
                painter.setPen(theme.current().ink)
                figure = QRectF(badge.right() + 5, y - 8, _FIGURE_PX + 4, 16)
                painter.drawText(figure, Qt.AlignmentFlag.AlignVCenter, figure_text(self.value(number)))


def pieces(mass_T: NDArray[np.float32]) -> list[list[tuple[int, float]]]:
    """The stretches of a curve between gaps: (token, mass) each."""
    found: list[list[tuple[int, float]]] = []
    before = -2
    for token in np.flatnonzero(np.isfinite(mass_T)).tolist():
        if token != before + 1:
            found.append([])
        found[-1].append((token, float(mass_T[token])))
        before = token
    return found


def spread(wanted: Sequence[float], apart: float, lowest: float) -> list[float]:
    """Move places apart so that each two are `apart` or more, none below `lowest`, order kept."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    least = float("-inf")
    for index in order:
        placed[index] = least = max(wanted[index], least + apart)
    most = lowest
    for index in reversed(order):
        placed[index] = min(placed[index], most)
        most = placed[index] - apart
    return placed


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
            figure = f"{mass:g}" if mass >= 10 else figure_text(mass)
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
