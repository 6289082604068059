"""How far the shown ranking can be trusted: its halves' agreement, its likeness to others, a head's matrix.

Every figure stands beside what chance would give. Knows rankings, and not how they were measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking
from gazeviz.domain.wording import format_figure, format_ranking_name, plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ColourScale, ElidedLabel, named, soft_text

if TYPE_CHECKING:
    from gazeviz.ui.heads.matrix_plot import MatrixPlot

# One head's matrix: asked about a panel (rows), how much of its attention lies on each panel (columns).
#
# A gaze head's is bright on the diagonal; a head that looks at one panel whatever is asked has a bright
# column.


_SIDE_PX: Final = 116
_LABEL_PX: Final = 16


class HeadMatrix(QWidget):
    """The matrix of the head that is pointed at, or of the ranking's best, with its figures."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headMatrix")
        self._model = model
        self._cells = MatrixCells()
        self._name, self._message = named(QLabel(), "matrixHead"), soft_text("matrixSaid")
        self._name.setProperty("role", "strong")
        self._scale = ColourScale("matrixScale")
        beside = QVBoxLayout()
        beside.setSpacing(theme.SPACE)
        for widget in (self._name, self._message, self._scale):
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
        self._message.setText(matrix_text(matrix_RR))
        self._scale.set_ends(0.0, float(matrix_RR.max()))
        self._cells.show_matrix(matrix_RR)
        self._cells.setAccessibleName(f"{head}: {matrix_text(matrix_RR)}")

    def _head(self, ranking: HeadRanking | None) -> Head | None:
        if ranking is None or not ranking.order():
            return None
        pointed = self._model.hovered_head
        return pointed if pointed in ranking.order() else ranking.order()[0]


class MatrixCells(QWidget):
    """The room of a matrix; its plot is made when it is first seen, since the window opens without one."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("matrixCells")
        self.setToolTip(
            "Rows: the panel asked about. Columns: the panel attended to.\n"
            "Mean attention mass over the strips."
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._matrix_RR: NDArray[np.float64] = np.zeros((1, 1))
        self._plot: MatrixPlot | None = None

    def sizeHint(self) -> QSize:
        """A square and its labels."""
        return QSize(_SIDE_PX + _LABEL_PX, _SIDE_PX + _LABEL_PX)

    def show_matrix(self, matrix_RR: NDArray[np.float64]) -> None:
        """Take a matrix, float64 (R, R): asked-about panel by looked-at panel."""
        self._matrix_RR = matrix_RR
        if self._plot is not None:
            self._plot.show_matrix(matrix_RR)

    def showEvent(self, event: QShowEvent) -> None:
        """Make the plot, once."""
        super().showEvent(event)
        if self._plot is None:
            from gazeviz.ui.heads.matrix_plot import MatrixPlot

            self._plot = MatrixPlot(self)
            self._plot.resize(self.size())
            self._plot.show_matrix(self._matrix_RR)
            self._plot.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The plot has all of the room."""
        super().resizeEvent(event)
        if self._plot is not None:
            self._plot.resize(self.size())


def matrix_text(matrix_RR: NDArray[np.float64]) -> str:
    """The two figures of a matrix in a sentence: mean mass on the panel asked about, and on another one."""
    n_panels = len(matrix_RR)
    on = float(np.trace(matrix_RR)) / n_panels
    elsewhere = (float(matrix_RR.sum()) - on * n_panels) / max(1, n_panels * (n_panels - 1))
    return (
        f"Asked about a panel (rows), it puts {format_figure(on)} of its attention on that panel "
        f"and {format_figure(elsewhere)} on each other panel (columns)."
    )


_USUAL_COUNT: Final = 12
_IN_PART: Final = "Still being measured: its two halves are compared when it is complete."
_ROW_PX, _SHARED_PX, _RHO_PX, _BAR_PX = 24, 58, 44, 72


class Likeness(NamedTuple):
    """How like another ranking is: heads that the best `n` of both share, and their rank correlation."""

    name: str
    shared: int
    n: int
    rho: float


class DiscoveryResult(QWidget):
    """The shown ranking's name, its split halves, and a row for every other ranking."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("discoveryResult")
        self._model = model
        self._rows: dict[str, LikenessRow] = {}
        self._name = named(ElidedLabel(), "resultName")
        self._name.setProperty("role", "strong")
        self._halves = soft_text("resultHalves")
        self._heading = named(RowHeading(), "resultHeading")
        self._chance = soft_text("resultChance")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.SPACE, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addWidget(self._name)
        layout.addWidget(self._halves)
        layout.addWidget(self._heading)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        layout.addLayout(self._list)
        layout.addWidget(self._chance)
        layout.addWidget(HeadMatrix(model))
        for signal in (model.ranking_changed, model.chosen_changed, model.model_changed):
            signal.connect(self._on_changed)
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while nobody looked."""
        super().showEvent(event)
        self._refresh()

    def _on_changed(self) -> None:
        if self.isVisible():
            self._refresh()
        else:
            self.setVisible(self._model.ranking is not None)

    def _refresh(self) -> None:
        ranking = self._model.ranking
        self.setVisible(ranking is not None)
        if ranking is None:
            return
        n = self._count(ranking)
        strips = "" if ranking.n_strips is None else f" · {plural(ranking.n_strips, 'strip')}"
        self._name.set_whole(f"{format_ranking_name(ranking.name)}{strips} · top {n}")
        in_part = ranking.name in self._model.measured_rankings
        self._halves.setText(_IN_PART if in_part else halves_text(ranking, n))
        likes = [likeness(ranking, other, n) for name, other in self._model.rankings.items()
                 if name != ranking.name and other.shape_LH == ranking.shape_LH]  # fmt: skip
        self._show_rows(likes)
        self._heading.setVisible(bool(likes))
        self._chance.setVisible(bool(likes))
        by_chance = n * n / max(1, len(ranking.order()))
        self._chance.setText(f"Two unrelated rankings would share {format_figure(by_chance)} of {n}.")

    def _count(self, ranking: HeadRanking) -> int:
        """How many of the best heads are compared: as many as are chosen, or as are recommended."""
        info = self._model.model_info
        usual = info.recommended.n if info is not None and info.recommended is not None else _USUAL_COUNT
        return min(len(self._model.chosen) or usual, len(ranking.order()))

    def _show_rows(self, likes: list[Likeness]) -> None:
        names = {like.name for like in likes}
        for name in [name for name in self._rows if name not in names]:
            row = self._rows.pop(name)
            self._list.removeWidget(row)
            row.deleteLater()
        for like in likes:
            if like.name not in self._rows:
                row = self._rows[like.name] = LikenessRow(like.name)
                row.clicked.connect(lambda _=False, name=like.name: self._show_ranking(name))
                self._list.addWidget(row)
            self._rows[like.name].show_likeness(like)

    def _show_ranking(self, name: str) -> None:
        self._model.ranking_name = name
        self._model.grid_metric = "ranking"


class LikenessRow(QAbstractButton):
    """Another ranking: name, bar and number of shared heads, rank correlation. A click shows it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"likeness_{name}")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_ROW_PX)
        self.like = Likeness(name, 0, 1, float("nan"))
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(200, _ROW_PX)

    def show_likeness(self, like: Likeness) -> None:
        """Take figures."""
        self.like = like
        text = f"shares {like.shared} of the best {like.n}, rank correlation {_rho(like.rho)}"
        self.setAccessibleName(f"{format_ranking_name(like.name)}: {text}")
        self.setToolTip(f"{self.accessibleName()}. Click: the grid shows this ranking.")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the row."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        if self.underMouse() or self.hasFocus():
            painter.setPen(colours.accent if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(box.adjusted(0.5, 1.5, -0.5, -1.5), 4, 4)
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        self._draw_bar(painter, box)
        painter.setFont(theme.font_ui(12))
        painter.setPen(colours.ink)
        room = box.adjusted(6, 0, -(_BAR_PX + _SHARED_PX + _RHO_PX), 0)
        name = painter.fontMetrics().elidedText(
            format_ranking_name(self.like.name), Qt.TextElideMode.ElideRight, int(room.width())
        )
        painter.drawText(room, middle, name)
        painter.setFont(theme.font_mono(12))
        painter.drawText(box.adjusted(0, 0, -_RHO_PX, 0), middle | right, f"{self.like.shared}/{self.like.n}")
        painter.drawText(box.adjusted(0, 0, -6, 0), middle | right, _rho(self.like.rho))

    def _draw_bar(self, painter: QPainter, box: QRectF) -> None:
        colours, share = theme.current(), self.like.shared / max(1, self.like.n)
        left = box.right() - _RHO_PX - _SHARED_PX - _BAR_PX
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.line)
        painter.drawRoundedRect(QRectF(left, box.center().y() - 3, _BAR_PX, 6), 3, 3)
        if share > 0:
            painter.setBrush(colours.soft)
            painter.drawRoundedRect(QRectF(left, box.center().y() - 3, max(4.0, _BAR_PX * share), 6), 3, 3)


class RowHeading(QWidget):
    """What the columns of the rows are."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(6, theme.SPACE, 6, 0)
        for text, tip in (
            ("other rankings", ""),
            ("shared", "Number of best heads that both rankings share"),
            ("rank ρ", "Spearman's rank correlation over all heads that both score"),
        ):
            label = QLabel(text)
            label.setProperty("role", "section")
            label.setToolTip(tip)
            row.addWidget(label)
            if not tip:
                row.addStretch(1)


def likeness(ranking: HeadRanking, other: HeadRanking, n: int) -> Likeness:
    """Compare two rankings of one model, by as many of their best heads as both have."""
    n = min(n, len(ranking.order()), len(other.order()))
    return Likeness(other.name, ranking.overlap(other, n), n, ranking.rank_correlation(other))


def halves_text(ranking: HeadRanking, n: int) -> str:
    """How many of the best heads two halves of the strips agree on, in a sentence."""
    agreed = ranking.split_half_overlap(n) if ranking.halves is not None else None
    if agreed is None:
        return (
            "Its split-half agreement is unknown: measure it on two strips or more to see how reliable it is."
        )
    by_chance = format_figure(n * n / max(1, len(ranking.order())))
    return (
        f"The two halves of the strips agree on {agreed} of the best {n}; by chance it would be {by_chance}."
    )


def _rho(rho: float) -> str:
    return "–" if math.isnan(rho) else format_figure(rho)
