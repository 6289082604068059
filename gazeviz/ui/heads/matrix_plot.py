"""A square matrix of panels, drawn by pyqtgraph: asked about down the side, looked at beneath.

Loading this module loads pyqtgraph: import it where a matrix is shown for the first time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gazeviz.ui.widgets import theme

_LABEL_PX: Final = 16
_GAP_PX: Final = 2


class MatrixPlot(QWidget):
    """Cells in magma with gaps between them, and the panels' numbers; takes no mouse and no keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._matrix_RR: NDArray[np.float64] = np.zeros((1, 1))
        self.plot = pg.PlotWidget()
        self.plot.setMinimumSize(0, 0)
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._item = self.plot.getPlotItem()
        self._item.setMenuEnabled(False)
        self._item.hideButtons()
        self._item.getViewBox().setMouseEnabled(x=False, y=False)
        self._item.getViewBox().invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setLookupTable(theme.magma_lut())
        self._gaps = pg.PlotCurveItem(connect="pairs")
        for part in (self._image, self._gaps):
            self._item.addItem(part)
        self._axes = self._item.getAxis("left"), self._item.getAxis("bottom")
        self._axes[0].setWidth(_LABEL_PX)
        self._axes[1].setHeight(_LABEL_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        theme.changed.connect(self._dress)
        self._dress()

    def show_matrix(self, matrix_RR: NDArray[np.float64]) -> None:
        """Take a matrix, float64 (R, R); what is no number is drawn as nothing."""
        n_panels, n_before = len(matrix_RR), len(self._matrix_RR)
        self._matrix_RR = matrix_RR
        known_RR = np.nan_to_num(matrix_RR)
        self._image.setImage(known_RR, levels=(0.0, float(known_RR.max()) or 1.0))
        if n_panels != n_before:
            self._lay_out(n_panels)

    def _lay_out(self, n_panels: int) -> None:
        """Numbers in the middle of rows and columns, and the lines that part the cells."""
        ticks = [[(number + 0.5, str(number + 1)) for number in range(n_panels)]]
        for axis in self._axes:
            axis.setTicks(ticks)
        lines = np.repeat(np.arange(n_panels + 1.0), 2)
        ends = np.tile([0.0, float(n_panels)], n_panels + 1)
        self._gaps.setData(x=np.concatenate([lines, ends]), y=np.concatenate([ends, lines]))
        self._item.getViewBox().setRange(xRange=(0, n_panels), yRange=(0, n_panels), padding=0)

    def _dress(self) -> None:
        colours = theme.current()
        self.plot.setBackground(colours.panel)
        self._gaps.setPen(pg.mkPen(colours.panel, width=_GAP_PX))
        for axis in self._axes:
            axis.setPen(None)
            axis.setTickPen(pg.mkPen(colours.panel))  # a tick of no length is a dot
            axis.setTextPen(colours.soft)
            axis.setStyle(tickLength=0, tickFont=theme.font_mono(10), tickTextOffset=2)
