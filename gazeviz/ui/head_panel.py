"""The right column's upper part: what the head grid shows, the grid, its legend, and ways to choose heads."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, section_title, soft
from gazeviz.ui.controls import ColourScale, ElidedLabel
from gazeviz.ui.head_choice_bar import ChoiceBar
from gazeviz.ui.head_grid import HeadGrid, shown_values
from gazeviz.ui.head_grid_layers import scale_of
from gazeviz.ui.head_ranking_bar import RankingBar
from gazeviz.ui.head_sets import HeadSets


class HeadPanel(QWidget):
    """Everything about heads but their maps."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headPanel")
        self._model = model
        self._chosen = soft(named(ElidedLabel(), "chosenHeads"))
        self._chosen.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.ranking_bar, self.sets = RankingBar(model, controller), HeadSets(model, controller)
        self.grid = HeadGrid(model, controller)
        self._legend = GridLegend(model)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
        self.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(self._title())
        for part in (self.ranking_bar, self.grid, self._legend, ChoiceBar(model, controller), self.sets):
            layout.addWidget(part)
        model.chosen_changed.connect(self._refresh)
        model.model_changed.connect(self._refresh)
        self._refresh()

    def _title(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(section_title("Heads"))
        row.addWidget(self._chosen, 1)
        return row

    def _refresh(self) -> None:
        info = self._model.model_info
        n_heads = int(info.heads_present_LH.sum()) if info is not None else None
        self._chosen.set_whole(chosen_text(self._model.chosen, n_heads))


class GridLegend(QWidget):
    """The colour scale, and signs for heads without a colour where there are such."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gridLegend")
        self._model = model
        self._scale = ColourScale("headScale")
        self._signs = HeadSigns()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * theme.SPACE)
        layout.addWidget(self._scale, 1)
        layout.addWidget(self._signs)
        for signal in (
            model.ranking_changed,
            model.metric_changed,
            model.live_mass_changed,
            model.model_changed,
        ):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        values_LH, info = shown_values(self._model), self._model.model_info
        self._scale.set_ends(*scale_of(values_LH))
        self._scale.setVisible(values_LH is not None)
        what = (
            "score in the ranking" if self._model.grid_metric == "ranking" else "part of its attention there"
        )
        self._scale.setToolTip(f"A head's colour: its {what}")
        present_LH = info.heads_present_LH if info is not None else np.zeros((0, 0), dtype=bool)
        known = values_LH is not None and values_LH.shape == present_LH.shape
        unknown_LH = present_LH & ~np.isfinite(values_LH) if known and values_LH is not None else present_LH
        self._signs.show_signs(unknown=bool(unknown_LH.any()), absent=not present_LH.all())


class HeadSigns(QWidget):
    """Small squares as the grid draws them: "not known" and "no head"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headSigns")
        self.signs: tuple[str, ...] = ()
        theme.changed.connect(self.update)

    def show_signs(self, *, unknown: bool, absent: bool) -> None:
        """Take which signs are needed."""
        signs = (("not known", unknown), ("no head", absent))
        self.signs = tuple(text for text, needed in signs if needed)
        self.setVisible(bool(self.signs))
        self.setAccessibleName(", ".join(self.signs))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """All signs in one line."""
        metrics = self.fontMetrics()
        return QSize(sum(24 + metrics.horizontalAdvance(text) for text in self.signs), 16)

    def minimumSizeHint(self) -> QSize:
        """They are not cut off."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw them."""
        painter, colours, x = QPainter(self), theme.current(), 0.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font_ui(11))
        for sign in self.signs:
            box = QRectF(x + 0.5, 2.5, 11, 11)
            hollow = sign == "no head"
            painter.setPen(QPen(colours.line, 1))
            painter.setBrush(Qt.GlobalColor.transparent if hollow else colours.raised)
            painter.drawRoundedRect(box, 2, 2)
            if hollow:
                painter.drawLine(box.bottomLeft(), box.topRight())
            painter.setPen(colours.soft)
            words = QRectF(x + 16, 0, self.width(), self.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, sign)
            x += 24 + self.fontMetrics().horizontalAdvance(sign)


def chosen_text(chosen: HeadSet, n_heads: int | None) -> str:
    """How many heads are chosen and where they came from: "8 of 48 · top 8 of mass"."""
    if n_heads is None:
        return ""
    if not len(chosen):
        return f"none of {n_heads} chosen"
    return f"{len(chosen)} of {n_heads} · {chosen.origin}"
