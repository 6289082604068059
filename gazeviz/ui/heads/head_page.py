"""The page of one head: where it stands among all, what it does over pictures, what answers owe to it.

Loading this module loads pyqtgraph. Measuring and collecting belong to the app (app.runs.head_studies).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.readiness import readiness
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import time_left
from gazeviz.domain.experiments.head_metrics import METRICS, HeadEffect
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.wording import METRIC_NAMES, format_figure, format_ranking_name, plural
from gazeviz.ui.heads.head_page_examples import ExampleGroups
from gazeviz.ui.heads.head_page_measures import EffectRows, MassHistogram, Measure, MeasureRows
from gazeviz.ui.heads.head_page_plots import HeadScatter
from gazeviz.ui.heads.matrix_plot import MatrixPlot
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ElidedLabel,
    hairline,
    named,
    push_button,
    section_title,
    side_by_side,
    soft,
    soft_text,
)

LEFT_PX: Final = 300
RIGHT_PX: Final = 320
_NARROW_PX: Final = (264, 296)
_WIDE_FROM_PX: Final = 1200
HEADER_PX: Final = 56
_MATRIX_PX: Final = 190
_BEST: Final = 3
"""Ranks up to this one are in the accent's colour."""


class RankFigures(QWidget):
    """A head's score and rank in every ranking, beside each other; those without room are left out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rankFigures")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.parts: tuple[tuple[str, str, int], ...] = ()
        """Name, score and rank in each ranking that has the head."""
        theme.changed.connect(self.update)

    def show_parts(self, parts: tuple[tuple[str, str, int], ...]) -> None:
        """Take name, score and rank of each ranking."""
        self.parts = parts
        words = "; ".join(f"{name} {score}, rank {rank}" for name, score, rank in parts)
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.update()

    def sizeHint(self) -> QSize:
        """A few rankings."""
        return QSize(360, HEADER_PX)

    def minimumSizeHint(self) -> QSize:
        """None of them at least."""
        return QSize(0, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw them from left to right."""
        painter, colours, x = QPainter(self), theme.current(), 12.0
        middle = self.height() / 2
        for name, score, rank in self.parts:
            painter.setFont(theme.font_mono(12))
            score_px = painter.fontMetrics().horizontalAdvance(f"{score} ")
            wide = float(score_px + painter.fontMetrics().horizontalAdvance(f"#{rank}"))
            painter.setFont(theme.font_ui(11))
            wide = max(wide, float(painter.fontMetrics().horizontalAdvance(name)))
            if x + wide > self.width():
                return
            painter.setPen(colours.line)
            painter.drawLine(int(x - 10), int(middle - 16), int(x - 10), int(middle + 16))
            painter.setPen(colours.soft)
            painter.drawText(QRectF(x, middle - 17, wide + 2, 16), Qt.AlignmentFlag.AlignVCenter, name)
            painter.setFont(theme.font_mono(12))
            beneath = QRectF(x, middle, wide + 2, 18)
            painter.setPen(colours.ink)
            painter.drawText(beneath, Qt.AlignmentFlag.AlignVCenter, score)
            painter.setPen(colours.accent if rank <= _BEST else colours.soft)
            beneath.setLeft(x + score_px)
            painter.drawText(beneath, Qt.AlignmentFlag.AlignVCenter, f"#{rank}")
            x += wide + 22


class HeadPage(QWidget):
    """Signal `back_wanted`: to the picture."""

    back_wanted = Signal()

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headPage")
        self._model, self._controller, self._studies = model, controller, controller.studies
        self._title = named(QLabel(), "headPageTitle")
        self._title.setFont(theme.font_ui(18, 600))
        self._chosen = soft(named(QLabel(), "headPageChosen"))
        self.ranks, self.scatter = RankFigures(), HeadScatter(model)
        self.histogram, self.groups = MassHistogram(), ExampleGroups()
        self.measures, self.effects, self.matrix = MeasureRows(), EffectRows(), MatrixPlot()
        self.field = named(QLineEdit(self._studies.pictures), "headPagePictures")
        self.field.setAccessibleName("Pictures that examples and measures are from")
        self.field.setToolTip("builtin:24@7 (number@seed), scenes:60@7, a folder, or coco:FILE.json:FOLDER")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._make_buttons()
        self._notes = {
            name: soft_text(f"{name}Note") for name in ("tokens", "examples", "measures", "matrix", "effects")
        }
        self._progress = named(QProgressBar(), "headPageProgress")
        self._put_together()
        self._connect()

    def _make_buttons(self) -> None:
        self.back = push_button("headPageBack", "‹ Explore", "Back to the picture  Alt+1", kind="flat")
        self.previous = push_button("headPagePrevious", "‹", "The head one rank higher  Alt+Up", kind="flat")
        self.next = push_button("headPageNext", "›", "The head one rank lower  Alt+Down", kind="flat")
        for button in (self.previous, self.next):
            button.setFixedWidth(30)
        tip = "Choose this head alone and go back to the picture; with a target it is run at once"
        self.alone = push_button("headPageSteer", "Steer it alone", tip, kind="primary")
        self.collect = push_button(
            "headPageCollect", "Collect", "Describe every picture of the set and keep where this head looks"
        )
        self.measure = push_button("headPageMeasure", "Measure", "Measure all heads over the set of pictures")
        self.measure_effect = push_button(
            "headPageEffect", "Measure",
            "Knock this head out and steer it alone over the set, beside a random other head",
            spoken="Measure the effect of this head",
        )  # fmt: skip

    # Putting together

    def _put_together(self) -> None:
        columns = QHBoxLayout()
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(0)
        left, middle, right = self._left(), _scrolled(self._middle(), "headPageMiddle"), self._right()
        self._sides = left, right
        self._fit_sides()
        for part, stretch in ((left, 0), (hairline(True), 0), (middle, 1), (hairline(True), 0), (right, 0)):
            columns.addWidget(part, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._header())
        layout.addWidget(hairline())
        layout.addLayout(columns, 1)

    def _fit_sides(self) -> None:
        """In a narrow window the columns give way to the middle: two tiles stand beside each other."""
        widths = (LEFT_PX, RIGHT_PX) if self.width() >= _WIDE_FROM_PX else _NARROW_PX
        for part, width_px in zip(self._sides, widths, strict=True):
            part.setFixedWidth(width_px)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the columns their widths."""
        super().resizeEvent(event)
        self._fit_sides()

    def _header(self) -> QWidget:
        whole = QWidget()
        whole.setFixedHeight(HEADER_PX)
        row = QHBoxLayout(whole)
        row.setContentsMargins(8, 0, 16, 0)
        row.setSpacing(6)
        for part in (self.back, self._title, self.previous, self.next, self._chosen):
            row.addWidget(part)
        row.addWidget(self.ranks, 1)
        row.addWidget(self.alone)
        return whole

    def _left(self) -> QWidget:
        where = side_by_side(self.field, self.collect)
        whole, layout = _column()
        layout.addWidget(self.scatter, 1)
        layout.addWidget(hairline())
        self._tokens_title = soft(named(ElidedLabel(), "tokensTitle"))
        layout.addLayout(_titled("All its tokens", self._tokens_title))
        _add(layout, self.histogram, self._notes["tokens"], section_title("Examples from"))
        layout.addLayout(where)
        layout.addWidget(self._progress)
        return whole

    def _middle(self) -> QWidget:
        whole, layout = _column()
        layout.addWidget(self._notes["examples"])
        layout.addWidget(self.groups)
        layout.addStretch(1)
        return whole

    def _right(self) -> QWidget:
        whole, layout = _column()
        self._over = soft(named(ElidedLabel(), "measuresOver"))
        layout.addLayout(_titled("Measures", self._over, self.measure))
        _add(layout, self.measures, self._notes["measures"], hairline())
        self._matrix_about = soft(named(ElidedLabel(), "matrixAbout"))
        layout.addLayout(_titled("Asked about × looks at", self._matrix_about))
        self.matrix.setFixedSize(_MATRIX_PX, _MATRIX_PX)
        _add(layout, self.matrix, self._notes["matrix"], hairline())
        self._effects_about = soft(named(ElidedLabel(), "effectsAbout"))
        layout.addLayout(_titled("Effect of this head alone", self._effects_about, self.measure_effect))
        _add(layout, self._notes["effects"], self.effects)
        layout.addStretch(1)
        return _scrolled(whole, "headPageRight")

    def _connect(self) -> None:
        model = self._model
        self.back.clicked.connect(self.back_wanted)
        self.previous.clicked.connect(lambda: self.step(-1))
        self.next.clicked.connect(lambda: self.step(1))
        self.alone.clicked.connect(self.steer_alone)
        self.collect.clicked.connect(self.collect_or_stop)
        self.measure.clicked.connect(self.measure_all)
        self.measure_effect.clicked.connect(self.measure_head)
        self.field.editingFinished.connect(self.refresh)
        self.field.returnPressed.connect(self.collect_or_stop)
        self.scatter.head_wanted.connect(self.open_head)
        self._studies.changed.connect(self.refresh)
        for signal in (model.ranking_changed, model.model_changed, model.chosen_changed,
                       model.worker_changed):  # fmt: skip
            signal.connect(self.refresh)

    # The head

    @property
    def head(self) -> Head | None:
        """Whose page it is; None where the model has no such head."""
        head, info = self._model.studied_head, self._model.model_info
        if head is None or info is None:
            return None
        there = head.layer < info.shape_LH[0] and head.index < info.shape_LH[1]
        return head if there and bool(info.heads_present_LH[head.layer, head.index]) else None

    def open_head(self, head: Head) -> None:
        """Show a head."""
        self._model.studied_head = head
        self.refresh()

    def _order(self) -> tuple[Head, ...]:
        """What previous and next walk along: the shown ranking, or layer by layer without one."""
        if self._model.ranking is not None and self._model.ranking.order():
            return self._model.ranking.order()
        info = self._model.model_info
        places = np.argwhere(info.heads_present_LH).tolist() if info is not None else []
        return tuple(Head(*place) for place in places)

    def _beside(self, by: int) -> Head | None:
        order, head = self._order(), self.head
        if head not in order:
            return order[0] if order else None
        place = order.index(head) + by
        return order[place] if 0 <= place < len(order) else None

    def step(self, by: int) -> None:
        """Go along the ranking; without effect at its ends."""
        beside = self._beside(by)
        if beside is not None:
            self.open_head(beside)

    def steer_alone(self) -> None:
        """Choose this head alone and go back to the picture; with a target, run."""
        head, controller = self.head, self._controller
        if head is None:
            return
        chosen = notices.attempt(
            self._model, lambda: controller.editor.choose_heads(HeadSet((head,))), "heads"
        )
        if chosen:
            self.back_wanted.emit()
            if readiness(self._model, "steered").steered:
                controller.run("steered")

    # Studies

    @property
    def studying(self) -> bool:
        """Whether something is being measured or collected."""
        return self._studies.active

    @property
    def pictures(self) -> str:
        """The set as it is written in the field."""
        return self.field.text().strip()

    def collect_or_stop(self) -> None:
        """Collect this head's examples, or stop what is under way."""
        if self._studies.active:
            self._studies.cancel()
        elif self.head is not None:
            self._studies.collect(self.head, self.pictures)

    def measure_all(self) -> None:
        """Measure all heads over the set."""
        self._studies.measure(self.pictures)

    def measure_head(self) -> None:
        """Measure what answers owe to this head, and to a random other one."""
        head = self.head
        if head is None:
            return
        control = self._control(head)
        sets = (head, control) if control is not None else (head,)
        self._studies.measure(self.pictures, tuple(HeadSet((one,)) for one in sets))

    def _control(self, head: Head) -> Head | None:
        """Another head, drawn with a seed of its own so that it is the same every time."""
        info = self._model.model_info
        places = np.argwhere(info.heads_present_LH).tolist() if info is not None else []
        others = [Head(*place) for place in places if Head(*place) != head]
        seed = head.layer * 10_000 + head.index
        return others[int(np.random.default_rng(seed).integers(len(others)))] if others else None

    # Showing

    def refresh(self) -> None:
        """Show the head and what is known of it now."""
        head, model = self.head, self._model
        self._title.setText(str(head) if head is not None else "No head")
        chosen = head is not None and head in model.chosen
        self._chosen.setText("chosen" if chosen else "not chosen")
        self._chosen.setVisible(head is not None)
        rankings = model.rankings.values()
        self.ranks.show_parts(tuple(_rank_part(one, head) for one in rankings if _scores(one, head)))
        for button, by in ((self.previous, -1), (self.next, 1)):
            button.setEnabled(self._beside(by) is not None)
        self.alone.setEnabled(head is not None)
        self.scatter.show_head(head, self._studies.metrics(self.pictures))
        self._show_study(head)
        self._show_examples(head)
        self._show_measures(head)
        self._show_matrix(head)
        self._show_effects(head)

    def _show_study(self, head: Head | None) -> None:
        """What is under way, and what can be begun."""
        progress, active = self._studies.progress, self._studies.active
        there = head is not None and self._studies.examples(head, self.pictures) is not None
        self.collect.setText("Stop" if active else "Collect again" if there else "Collect")
        for button in (self.collect, self.measure, self.measure_effect):
            button.setEnabled(head is not None and (button is self.collect or not active))
        self.field.setEnabled(not active)
        self._progress.setVisible(active)
        if progress is not None:
            self._progress.setRange(0, max(progress.total, 0))
            self._progress.setValue(progress.done)

    def _show_examples(self, head: Head | None) -> None:
        examples = self._studies.examples(head, self.pictures) if head is not None else None
        self.groups.show_examples(examples)
        self.groups.setVisible(examples is not None)
        self.histogram.show_masses(examples)
        self.histogram.setVisible(examples is not None)
        note = self._notes["examples"]
        note.setText(self._why_no_examples(head))
        note.setVisible(examples is None or self._studies.active)
        n_tok = int(examples.masses_T.size) if examples is not None else 0
        median = format_figure(float(np.median(examples.masses_T))) if examples is not None else ""
        self._tokens_title.set_whole(f"{n_tok:,}, median {median}" if n_tok else "")
        told = "largest mass on a region, at each token" if n_tok else "Not collected over these pictures."
        self._notes["tokens"].setText(told)

    def _why_no_examples(self, head: Head | None) -> str:
        if head is None:
            loading = self._model.worker_state in ("starting", "loading")
            return "The model is being loaded." if loading else "No model is loaded. Open one: Ctrl+M."
        studies = self._studies
        if studies.progress is not None:
            far = time_left(studies.progress)
            return f"{self._model.studying} {far}".strip()
        if studies.failure is not None:
            return f"{studies.failure.sentence} {studies.failure.next_step}".strip()
        return (
            f"No examples over {self.pictures or 'these pictures'} yet. Collect describes each picture, and"
            f" shows the tokens at which {head} looks most at a region, and others from the middle and the"
            " lowest tenth: a head is not judged by its best examples alone."
        )

    def _show_measures(self, head: Head | None) -> None:
        metrics = self._studies.metrics(self.pictures)
        rows = []
        if metrics is not None and head is not None:
            for metric in METRICS:
                values_LH = metrics.mean_LH(metric)
                mine = float(values_LH[head.layer, head.index])
                others = np.delete(values_LH.ravel(), head.layer * values_LH.shape[1] + head.index)
                rows.append(Measure(METRIC_NAMES[metric], mine, others[np.isfinite(others)]))
        self.measures.show_measures(rows)
        self.measures.setVisible(bool(rows))
        self._over.set_whole(plural(len(metrics.names), "picture") if metrics is not None else "")
        self._notes["measures"].setText(
            "At the last prompt token. Ticks: the other heads." if rows
            else "Not measured over these pictures. Measure fills the axes of “All heads”, too."
        )  # fmt: skip

    def _show_matrix(self, head: Head | None) -> None:
        ranking = self._ranking_with_matrix(head)
        self.matrix.setVisible(ranking is not None)
        if ranking is None or head is None or ranking.matrix_LHRR is None:
            self._matrix_about.set_whole("")
            self._notes["matrix"].setText(
                "No ranking that is loaded carries matrices. Measure heads on strips."
            )
            return
        matrix_RR = ranking.matrix_LHRR[head.layer, head.index]
        self.matrix.show_matrix(matrix_RR)
        n = ranking.n_strips
        self._matrix_about.set_whole(plural(n, "strip") if n is not None else ranking.name)
        diagonal = float(np.nanmean(np.diag(matrix_RR)))
        off = matrix_RR[~np.eye(len(matrix_RR), dtype=bool)]
        beside = f", next highest {format_figure(float(np.nanmax(off)))}" if off.size else ""
        self._notes["matrix"].setText(f"diagonal {format_figure(diagonal)}{beside}")

    def _ranking_with_matrix(self, head: Head | None) -> HeadRanking | None:
        """The shown ranking where it carries matrices, else another one that does."""
        model = self._model
        candidates = [*([model.ranking] if model.ranking is not None else []), *model.rankings.values()]
        with_matrix = (one for one in candidates if one.matrix_LHRR is not None and _scores(one, head))
        return next(with_matrix, None)

    def _show_effects(self, head: Head | None) -> None:
        rows: list[tuple[str, HeadEffect]] = []
        if head is not None:
            rows += self._effects_of(head, "")
            control = self._control(head)
            if rows and control is not None:
                rows += self._effects_of(control, "random, ")
        self.effects.show_effects(rows)
        self.effects.setVisible(bool(rows))
        n = rows[0][1].n_pictures if rows else 0
        self._effects_about.set_whole(plural(n, "picture") if rows else "")
        self._notes["effects"].setText(
            "Change in log p, in nats, with 95 % intervals. Knocked out: of the model's own answer. Steered:"
            f" of the target's caption against the others'.{self._control_words(head)}" if rows
            else "Not measured. Steered alone and knocked out, beside a random other head."
        )  # fmt: skip

    def _control_words(self, head: Head | None) -> str:
        control = self._control(head) if head is not None else None
        return f" Random: {control}, the same each time." if control is not None else ""

    def _effects_of(self, head: Head, before: str) -> list[tuple[str, HeadEffect]]:
        found = self._studies.effects(HeadSet((head,)), self.pictures)
        words = {"steered": "steered", "knocked_out": "knocked out"}
        ordered = sorted(found, key=lambda effect: effect.what != "steered")
        return [(f"{before}{words[effect.what]}", effect) for effect in ordered]


def _scores(ranking: HeadRanking, head: Head | None) -> bool:
    """Whether a ranking scores a head."""
    if head is None:
        return False
    n_layers, n_heads = ranking.shape_LH
    there = head.layer < n_layers and head.index < n_heads
    return there and bool(np.isfinite(ranking.scores_LH[head.layer, head.index]))


def _rank_part(ranking: HeadRanking, head: Head | None) -> tuple[str, str, int]:
    assert head is not None  # only of heads that are scored
    score = format_figure(float(ranking.scores_LH[head.layer, head.index]))
    return format_ranking_name(ranking.name), score, ranking.rank_of(head)


def _column() -> tuple[QWidget, QVBoxLayout]:
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(16, 12, 16, 12)
    layout.setSpacing(2 * theme.SPACE)
    return whole, layout


def _add(layout: QVBoxLayout, *parts: QWidget) -> None:
    for part in parts:
        layout.addWidget(part)


def _titled(title: str, about: QWidget, *more: QWidget) -> QHBoxLayout:
    row = side_by_side(section_title(title), about, *more)
    row.setStretch(1, 1)
    return row


def _scrolled(part: QWidget, name: str) -> QScrollArea:
    area = named(QScrollArea(), name)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(part)
    return area
