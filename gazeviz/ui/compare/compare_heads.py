"""Head sets laid over each other: a grid of shared heads and those of one set alone, and a table of pairs.

In the grid a set fills its half of a head's box, above or below the diagonal: a shared head is a full square,
a head of one set alone a triangle, so that shapes say what colours say. Knows sets of heads and no runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from gazeviz.app.history.comparison import LETTERS, HeadsCompared, Overlap
from gazeviz.domain.heads import Head
from gazeviz.domain.wording import format_figure
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ElidedLabel, named, soft, soft_text
from gazeviz.ui.widgets.letters import draw_letter, letter_colour

_LEFT_PX: Final = 22
_BOTTOM_PX: Final = 15
_LARGEST_PX: Final = 30
_LABELS: Final = (1, 2, 4, 8, 16, 32)
_PAIR_PX: Final = 34
_PAIR_ROW_PX: Final = 22
_ARROWS: Final = {
    Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
}  # fmt: skip


class OverlapGrid(QWidget):
    """Layers from the bottom up, heads from left to right; two sets of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareGrid")
        self.setMinimumSize(QSize(120, 60))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._shape_LH = (0, 0)
        self._present_LH: NDArray[np.bool_] | None = None
        self._kinds: dict[Head, int] = {}  # 0 shared, 1 only first, 2 only second
        self._pair = (0, 1)
        theme.changed.connect(self.update)

    def show_overlap(
        self,
        shape_LH: tuple[int, int],
        present_LH: NDArray[np.bool_] | None,
        overlap: Overlap,
        pair: tuple[int, int],
    ) -> None:
        """Take two sets; pair: the places of their letters."""
        self._shape_LH, self._present_LH, self._pair = shape_LH, present_LH, pair
        parts = (overlap.shared, overlap.only_first, overlap.only_second)
        self._kinds = {head: kind for kind, heads in enumerate(parts) for head in heads}
        self.setAccessibleName(f"Heads of two sets: {pair_sentence(overlap, pair)}")
        self.update()

    def box(self, head: Head) -> QRectF:
        """Where a head is."""
        side, gap = self._side()
        row = self._shape_LH[0] - 1 - head.layer
        return QRectF(_LEFT_PX + head.index * side[0], row * side[1], side[0] - gap, side[1] - gap)

    def head_at(self, at: QPointF) -> Head | None:
        """The head at a point."""
        (width, height), _ = self._side()
        n_layers, n_heads = self._shape_LH
        column, row = int((at.x() - _LEFT_PX) // width), int(at.y() // height)
        if not (0 <= column < n_heads and 0 <= row < n_layers):
            return None
        return Head(n_layers - 1 - row, column)

    def sentence(self, head: Head) -> str:
        """Which of the sets a head is in."""
        first, second = (LETTERS[place] for place in self._pair)
        words = {0: f"in {first} and {second}", 1: f"only in {first}", 2: f"only in {second}"}
        return f"{head}: {words.get(self._kinds.get(head, -1), 'in neither')}"

    def event(self, event: QEvent) -> bool:
        """Say what a head is in."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            head = self.head_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self.sentence(head) if head else "", self)
            return True
        return super().event(event)

    def _side(self) -> tuple[tuple[float, float], float]:
        """Width and height of a head's place, and the gap between two."""
        n_layers, n_heads = (max(1, n) for n in self._shape_LH)
        width = min(_LARGEST_PX, (self.width() - _LEFT_PX) / n_heads)
        height = min(_LARGEST_PX, (self.height() - _BOTTOM_PX) / n_layers)
        width, height = min(width, 2.2 * height), min(height, 2.2 * width)
        return (max(1.0, width), max(1.0, height)), 2.0 if min(
            width, height
        ) >= 8 else 1.0 if width > 3 else 0.0

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw all heads, the two sets and the numbers at the edges."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        n_layers, n_heads = self._shape_LH
        for layer in range(n_layers):
            for index in range(n_heads):
                if self._present_LH is None or self._present_LH[layer, index]:
                    head = Head(layer, index)
                    draw_kind(painter, self.box(head), self._kinds.get(head), self._pair)
        self._draw_numbers(painter)

    def _draw_numbers(self, painter: QPainter) -> None:
        painter.setFont(theme.font_mono(9))
        painter.setPen(theme.current().soft)
        n_layers, n_heads = self._shape_LH
        (width, height), gap = self._side()
        for layer in range(0, n_layers, _every(height, 10)):
            at = self.box(Head(layer, 0))
            side = QRectF(0, at.center().y() - 6, _LEFT_PX - 5, 12)
            painter.drawText(side, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(layer))
        for index in range(0, n_heads, _every(width, 16)):
            middle = _LEFT_PX + index * width + (width - gap) / 2
            beneath = QRectF(middle - 12, n_layers * height + 1, 24, 12)
            painter.drawText(beneath, Qt.AlignmentFlag.AlignCenter, str(index))


class PairTable(QWidget):
    """Every two sets with their Jaccard; one pair is chosen."""

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparePairs")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip("Jaccard of every two sets: shared heads of all heads. Click two letters to see them")
        self._compared: HeadsCompared | None = None
        self._pair = (0, 1)
        theme.changed.connect(self.update)

    def show_pairs(self, compared: HeadsCompared, pair: tuple[int, int]) -> None:
        """Take sets and the pair that is chosen."""
        self._compared, self._pair = compared, pair
        n = len(compared.sets)
        self.setFixedSize(n * _PAIR_PX, n * _PAIR_ROW_PX)
        self.setAccessibleName(f"Pairs of head sets; chosen: {LETTERS[pair[0]]} and {LETTERS[pair[1]]}")
        self.update()

    def box(self, first: int, second: int) -> QRectF:
        """Where a pair is: the first one's column, the second one's row."""
        return QRectF(first * _PAIR_PX, second * _PAIR_ROW_PX, _PAIR_PX, _PAIR_ROW_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a pair."""
        column, row = int(event.position().x() // _PAIR_PX), int(event.position().y() // _PAIR_ROW_PX)
        self._choose(row, column)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from pair to pair."""
        step = _ARROWS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._choose(self._pair[1] + step[0], self._pair[0] + step[1])

    def _choose(self, row: int, column: int) -> None:
        n = len(self._compared.sets) if self._compared else 0
        if 0 <= row < n and 0 <= column < n and row != column:
            self.chosen.emit(min(row, column), max(row, column))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Letters on the diagonal, Jaccards beneath it."""
        if self._compared is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for place in range(len(self._compared.sets)):
            box = self.box(place, place)
            middle = box.center()
            draw_letter(painter, QRectF(middle.x() - 8, middle.y() - 8, 16, 16), place)
        for pair, overlap in self._compared.overlaps.items():
            self._draw_pair(painter, pair, overlap)

    def _draw_pair(self, painter: QPainter, pair: tuple[int, int], overlap: Overlap) -> None:
        colours, box = theme.current(), self.box(*pair).adjusted(1, 1, -1, -1)
        ground = QColor(colours.accent)
        ground.setAlphaF(0.06 + 0.44 * float(np.nan_to_num(overlap.jaccard)))
        chosen = pair == self._pair
        painter.setPen(QPen(colours.accent, 2) if chosen else Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 3, 3)
        painter.setPen(colours.ink)
        painter.setFont(theme.font_mono(11, 600 if chosen and self.hasFocus() else 400))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, format_figure(overlap.jaccard))


class OverlapLegend(QWidget):
    """What the shapes of the grid mean, each with how many heads there are of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareLegend")
        self.setFixedHeight(18)
        self._counts: Sequence[int] = (0, 0, 0)
        self._pair = (0, 1)
        theme.changed.connect(self.update)

    def show_counts(self, overlap: Overlap, pair: tuple[int, int]) -> None:
        """Take two sets."""
        self._counts = len(overlap.shared), len(overlap.only_first), len(overlap.only_second)
        self._pair = pair
        self.setAccessibleName(f"Legend: {pair_sentence(overlap, pair)}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font_ui(11))
        first, second = (LETTERS[place] for place in self._pair)
        x = 0.0
        for kind, name in enumerate(("shared", f"only {first}", f"only {second}")):
            painter.setPen(Qt.PenStyle.NoPen)
            draw_kind(painter, QRectF(x, 4, 11, 11), kind, self._pair)
            text = f"{name} {self._counts[kind]}"
            painter.setPen(theme.current().soft)
            width = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(QRectF(x + 16, 0, width + 4, 18), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 32


class CompareHeads(QWidget):
    """Table of pairs where there are more than two, grid and legend.

    figures: a line about the chosen pair, for whoever puts this together to place.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareHeads")
        self._compared: HeadsCompared | None = None
        self._pair = (0, 1)
        self.figures = soft(named(ElidedLabel(), "compareFigures"))
        self._why = soft_text(
            "compareWhy", "These heads are of models of different shapes: no grid shows both."
        )
        self._pairs, self._grid, self._legend = PairTable(), OverlapGrid(), OverlapLegend()
        self._pairs.chosen.connect(self._on_chosen)
        layout, body = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        body.setSpacing(4 * theme.SPACE)
        body.addWidget(self._pairs, 0, Qt.AlignmentFlag.AlignTop)
        body.addWidget(self._grid, 1)
        layout.addWidget(self._why)
        layout.addLayout(body, 1)
        layout.addWidget(self._legend)

    def show_heads(self, compared: HeadsCompared) -> None:
        """Take sets of heads; the pair that was looked at stays while there is one."""
        self._compared = compared
        self._pair = self._pair if self._pair in compared.overlaps else (0, 1)
        self._show()

    @property
    def pair(self) -> tuple[int, int]:
        """The two that are laid over each other."""
        return self._pair

    def _on_chosen(self, first: int, second: int) -> None:
        self._pair = first, second
        self._show()

    def _show(self) -> None:
        compared = self._compared
        if compared is None:
            return
        shape_LH = compared.shape_LH
        for widget in (self._grid, self._legend):
            widget.setVisible(shape_LH is not None)
        self._pairs.setVisible(shape_LH is not None and len(compared.sets) > 2)
        self._why.setVisible(shape_LH is None)
        self.figures.set_whole("")
        if shape_LH is not None:
            overlap = compared.overlaps[self._pair]
            self.figures.set_whole(pair_sentence(overlap, self._pair) + _watched_words(compared, self._pair))
            self._pairs.show_pairs(compared, self._pair)
            self._grid.show_overlap(shape_LH, compared.present_LH, overlap, self._pair)
            self._legend.show_counts(overlap, self._pair)


def pair_sentence(overlap: Overlap, pair: tuple[int, int]) -> str:
    """Two sets in figures."""
    first, second = (LETTERS[place] for place in pair)
    shared = f"{first} \N{INTERSECTION} {second}  {len(overlap.shared)}"
    parts = [shared, f"Jaccard {format_figure(overlap.jaccard)}"]
    if overlap.rank_correlation is not None:
        parts.append(f"rank correlation {format_figure(overlap.rank_correlation)}")
    return " · ".join(parts)


def _watched_words(compared: HeadsCompared, pair: tuple[int, int]) -> str:
    """Which of two sets was not steered."""
    letters = [LETTERS[place] for place in pair if place in compared.watched]
    return f" · {' and '.join(letters)} only watched" if letters else ""


def draw_kind(painter: QPainter, box: QRectF, kind: int | None, pair: tuple[int, int]) -> None:
    """Draw a head: in neither set, in both, or in one of them."""
    colours = theme.current()
    radius = 2.0 if box.width() >= 8 else 0.0
    painter.setBrush(colours.raised)
    painter.drawRoundedRect(box, radius, radius)
    for place, corner in enumerate((box.topLeft(), box.bottomRight())):
        if kind == 0 or kind == place + 1:
            painter.setBrush(letter_colour(pair[place]))
            painter.drawPolygon(QPolygonF([corner, box.topRight(), box.bottomLeft()]))


def _every(side_px: float, needed_px: float) -> int:
    return next((step for step in _LABELS if step * side_px >= needed_px), 64)
