"""One head's matrix: asked about a panel (rows), how much of its attention lies on each panel (columns).

A gaze head's is bright on the diagonal; a head that looks at one panel whatever is asked has a bright column.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft_text
from gazeviz.ui.controls import ColourScale

_SIDE_PX: Final = 116
_LABEL_PX: Final = 16


class HeadMatrix(QWidget):
    """The matrix of the head that is pointed at, or of the ranking's best, with its figures."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headMatrix")
        self._model = model
        self._cells = MatrixCells()
        self._name, self._said = named(QLabel(), "matrixHead"), soft_text("matrixSaid")
        self._name.setProperty("role", "strong")
        self._scale = ColourScale("matrixScale")
        beside = QVBoxLayout()
        beside.setSpacing(theme.SPACE)
        for widget in (self._name, self._said, self._scale):
            beside.addWidget(widget)
        beside.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, theme.SPACE, 0, 0)
        row.setSpacing(3 * theme.SPACE)
        row.addWidget(self._cells, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(beside, 1)
        model.ranking_changed.connect(self._refresh)
        model.hovered_head_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        ranking = self._model.ranking
        head = self._head(ranking)
        there = ranking is not None and ranking.matrix_LHRR is not None and head is not None
        self.setVisible(there)
        if ranking is None or ranking.matrix_LHRR is None or head is None:
            return
        matrix_RR = ranking.matrix_LHRR[head.layer, head.index]
        rank = f"#{ranking.rank_of(head)}"
        self._name.setText(f"{head} · {rank}")
        self._said.setText(matrix_text(matrix_RR))
        self._scale.set_ends(0.0, float(matrix_RR.max()))
        self._cells.show_matrix(matrix_RR)
        self._cells.setAccessibleName(f"{head}: {matrix_text(matrix_RR)}")

    def _head(self, ranking: HeadRanking | None) -> Head | None:
        if ranking is None or not ranking.order():
            return None
        pointed = self._model.hovered_head
        return pointed if pointed in ranking.order() else ranking.order()[0]


class MatrixCells(QWidget):
    """The cells in magma, with the panels' numbers: asked about down the side, looked at beneath."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("matrixCells")
        self.setToolTip(
            "Rows: the panel that was asked about. Columns: the panel that is looked at.\n"
            "Mean attention mass over the strips."
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._matrix_RR: NDArray[np.float64] = np.zeros((1, 1))
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A square and its labels."""
        return QSize(_SIDE_PX + _LABEL_PX, _SIDE_PX + _LABEL_PX)

    def show_matrix(self, matrix_RR: NDArray[np.float64]) -> None:
        """Take a matrix, float64 (R, R): asked-about panel by looked-at panel."""
        self._matrix_RR = matrix_RR
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw cells and numbers."""
        painter, colours = QPainter(self), theme.current()
        n_panels, lut = len(self._matrix_RR), theme.magma_lut()
        side, highest = _SIDE_PX / n_panels, float(self._matrix_RR.max())
        levels_RR = np.nan_to_num(self._matrix_RR / highest if highest > 0 else self._matrix_RR * 0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font_mono(10))
        for asked in range(n_panels):
            painter.setPen(Qt.PenStyle.NoPen)
            for looked in range(n_panels):
                painter.setBrush(QColor(*lut[int(levels_RR[asked, looked] * 255)].tolist()))
                cell = QRectF(_LABEL_PX + looked * side, asked * side, side - 2, side - 2)
                painter.drawRoundedRect(cell, 2, 2)
            painter.setPen(colours.soft)
            number, middle = str(asked + 1), Qt.AlignmentFlag.AlignCenter
            painter.drawText(QRectF(0, asked * side, _LABEL_PX - 4, side - 2), middle, number)
            beneath = QRectF(_LABEL_PX + asked * side, _SIDE_PX, side - 2, _LABEL_PX)
            painter.drawText(beneath, middle, number)


def matrix_text(matrix_RR: NDArray[np.float64]) -> str:
    """The two figures of a matrix in a sentence: mean mass on the panel asked about, and on another one."""
    n_panels = len(matrix_RR)
    on = float(np.trace(matrix_RR)) / n_panels
    elsewhere = (float(matrix_RR.sum()) - on * n_panels) / max(1, n_panels * (n_panels - 1))
    return (
        f"Asked about a panel (rows), it looks at that panel with {figure_text(on)} of its attention, "
        f"at another one (columns) with {figure_text(elsewhere)}."
    )
