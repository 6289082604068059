"""The trajectory: attention mass on each region, token by token, for the chosen heads and a random control.

It shows the run that everything shows (the cursor's, else the newest) and moves the session's cursor.  New
tokens are drawn a few times a second, however fast they come.  Measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord
from gazeviz.domain.answer_text import named_regions
from gazeviz.domain.wording import format_figure, plural, quoted_tokens
from gazeviz.ui.answers.curve_plot import TrajectoryCurves
from gazeviz.ui.answers.run_text import RunCues
from gazeviz.ui.answers.token_cursor import COLUMNS, Column, TokenCursor
from gazeviz.ui.answers.trajectory_marks import Mention, PlotMarks, TargetSpan, TrajectoryMarks
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import bind
from gazeviz.ui.widgets.controls import ElidedLabel, as_written, choice_button, named
from gazeviz.ui.widgets.plot_place import PlotPlace, span_of, top_of
from gazeviz.ui.widgets.region_badge import draw_badge

# The legend of a trajectory: each region's number, colour, name, and its mass at the token looked at.
#
# Numbers and names are drawn once into a picture: only the masses change from token to token.


_TITLE_PX, _ROW_PX, _CHIP_PX, _GAP_PX = 17, 17, 14, 8
_LEAST_FIGURE = 4  # letters that a mass is given room for at least: raw ones never take more
WIDTH_PX = 148


@dataclass(frozen=True)
class LegendRow:
    """One region. mass, control: at the token looked at, None while there is none."""

    number: str
    colour: str
    name: str
    mass: float | None = None
    control: float | None = None


class TrajectoryLegend(QWidget):
    """Rows under a line that says which token they are about; columns without names where rows are many."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trajectoryLegend")
        self.setFixedWidth(WIDTH_PX)
        self._title = ""
        self._rows: Sequence[LegendRow] = ()
        self._names = QPixmap()
        self._key: tuple[object, ...] = ()
        theme.changed.connect(self.update)

    def show_rows(self, title: str, rows: Sequence[LegendRow]) -> None:
        """Take the rows, in the order of the regions."""
        if (title, rows) != (self._title, self._rows):
            self._title, self._rows = title, rows
            parts = [_sentence(row) for row in rows]
            self.setToolTip(as_written("\n".join([title, *parts])) if rows else "")
            self.setAccessibleName(", ".join(["Legend", title, *parts]))
            self.update()

    @property
    def columns(self) -> int:
        """How many columns it takes to show every row."""
        fitting = max(1, (self.height() - _TITLE_PX) // _ROW_PX)
        return max(1, -(-len(self._rows) // fitting))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn_names())
        painter.setFont(theme.font_ui(11))
        painter.setPen(theme.current().soft)
        title = painter.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), 16), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(theme.font_mono(11))
        painter.setPen(theme.current().ink)
        for rect, row in zip(self._places(), self._rows, strict=True):
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(rect, right, _figure(row))

    def _places(self) -> list[QRectF]:
        """Where each row is drawn."""
        columns = self.columns
        per_column = -(-len(self._rows) // columns)
        width = (self.width() - _GAP_PX * (columns - 1)) / columns
        cells = (divmod(place, per_column) for place in range(len(self._rows)))
        return [
            QRectF(column * (width + _GAP_PX), _TITLE_PX + line * _ROW_PX, width, _ROW_PX)
            for column, line in cells
        ]

    def _drawn_names(self) -> QPixmap:
        """What stays from token to token, drawn anew where any of it has changed."""
        ratio = self.devicePixelRatioF()
        looks = tuple((row.number, row.colour, row.name) for row in self._rows)
        widest = max((len(_figure(row)) for row in self._rows), default=0)
        letters = max(_LEAST_FIGURE, widest)
        key = (looks, letters, self.width(), self.height(), ratio, theme.current())
        if key != self._key:
            self._key, self._names = key, QPixmap(self.size() * ratio)
            self._names.setDevicePixelRatio(ratio)
            self._names.fill(Qt.GlobalColor.transparent)
            painter = QPainter(self._names)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for rect, row in zip(self._places(), self._rows, strict=True):
                self._draw_name(painter, rect, row, letters)
            painter.end()
        return self._names

    def _draw_name(self, painter: QPainter, rect: QRectF, row: LegendRow, letters: int) -> None:
        chip = QRectF(rect.left(), rect.top() + 1.5, _CHIP_PX + 5 * max(0, len(row.number) - 1), _CHIP_PX)
        draw_badge(painter, chip, row.number, row.colour, theme.font_mono(9, 500))
        figure = QFontMetricsF(theme.font_mono(11)).horizontalAdvance("0" * letters)
        room = rect.right() - chip.right() - figure - 12
        if self.columns == 1 and room > 24:
            painter.setFont(theme.font_ui(12))
            painter.setPen(theme.current().ink)
            name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, int(room))
            at = QRectF(chip.right() + 6, rect.top(), room, rect.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, name)


class LineKey(QWidget):
    """A sample of a line, solid or dashed."""

    def __init__(self, dashed: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dashed = dashed
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A short line."""
        return QSize(20, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it as the curves are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.current().soft, 1.2 if self._dashed else 1.8)
        if self._dashed:
            pen.setDashPattern([3.0, 3.0])
        painter.setPen(pen)
        middle = self.height() / 2
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))


def _figure(row: LegendRow) -> str:
    return "" if row.mass is None else format_figure(row.mass)


def _sentence(row: LegendRow) -> str:
    text = f"{row.number} {row.name}".strip()
    if row.mass is not None:
        text += f": {format_figure(row.mass)}"
    if row.control is not None:
        text += f", random control {format_figure(row.control)}"
    return text


REFRESH_MS = 50
LEGEND_MS = 125
"""Between two drawings while tokens stream: of what moves, and of what is read."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn of a run. masses_TR: in the unit that is shown; control_TR: None where it is not."""

    record: RunRecord
    cues: RunCues
    masses_TR: NDArray[np.float32]
    control_TR: NDArray[np.float32] | None


class TrajectoryPlot(QWidget):
    """Curves with their legend, targets and names, and the cursor in both directions."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trajectoryPlot")
        self.setMinimumHeight(124)
        self._model, self._cursor = model, TokenCursor(model)
        self._drawn: Drawn | None = None
        self._run_id, self._top = -1, 0.0
        self._stage = named(QWidget(), "trajectoryStage")
        self._stage.installEventFilter(self)
        self._curves = TrajectoryCurves(self._stage)
        self._marks = TrajectoryMarks(self._stage)
        self._legend = TrajectoryLegend()
        self._empty = named(QLabel(self._stage), "trajectoryEmpty")
        self._empty.setProperty("role", "soft")
        self._empty.setWordWrap(True)
        self._frame = model.frames.part(self, self._follow)
        self._legend_frame = model.frames.part(self, self._show_legend)
        self._lay_out()
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        layout, row = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(16, 8, 16, 6)
        layout.setSpacing(theme.SPACE)
        row.setSpacing(3 * theme.SPACE)
        row.addWidget(self._stage, 1)
        row.addWidget(self._legend)
        layout.addLayout(self._make_header())
        layout.addLayout(row, 1)

    def _make_header(self) -> QHBoxLayout:
        header, title = QHBoxLayout(), QLabel("Where the heads look")
        title.setProperty("role", "strong")
        self._about = named(ElidedLabel(), "trajectoryAbout")
        self._about.setProperty("role", "soft")
        self._side = choice_button(
            "trajectorySide", "The answer whose tokens are shown; the cursor moves there",
            (("steered", "Steered"), ("baseline", "Baseline")), self._on_side_chosen, "Trajectory of",
        )  # fmt: skip
        self._control = named(QCheckBox("random heads"), "trajectoryControl")
        self._control.setAccessibleName("Show a random control")
        self._control.setToolTip(
            "The same number of heads drawn at random from the others, dashed: the level of chance"
        )
        bind(self._model, "show_control", self._model.view_changed, self._control,
             shown=lambda on: on and not self._model.weighted)  # fmt: skip
        self._unit = choice_button(
            "trajectoryUnit", "What is drawn: raw attention, or attention weighted by the norm of the values",
            (("raw", "Raw mass"), ("weighted", "Value-weighted")),
            lambda key: setattr(self._model, "weighted", key == "weighted"),
            "Trajectory",
        )  # fmt: skip
        for button in (self._side, self._unit):
            button.setProperty("kind", "flat")
        header.setSpacing(2 * theme.SPACE)
        for widget in (
            title,
            self._side,
            LineKey(False),
            self._about,
            LineKey(True),
            self._control,
            self._unit,
        ):
            header.addWidget(widget, int(widget is self._about))
        return header

    def _connect(self) -> None:
        model, marks = self._model, self._marks
        model.step_arrived.connect(self._on_step_arrived)
        self._frame.follow(model.run_changed, wait_ms=REFRESH_MS)  # a run that begins soon has a token
        model.cursor_changed.connect(self._on_cursor_changed)
        model.view_changed.connect(self.refresh)
        model.regions_changed.connect(self.refresh)
        theme.changed.connect(self.refresh)
        marks.token_pressed.connect(lambda token: self._with_side(self._cursor.put, token))
        marks.token_pulled.connect(lambda token: self._with_side(self._cursor.pull_to, token))
        marks.end_wanted.connect(lambda token: self._with_side(self._cursor.put, token))
        marks.token_hovered.connect(lambda _: self._show_legend())
        marks.follow_wanted.connect(self._cursor.follow)

    # What the session says

    def _on_step_arrived(self, run_id: int, _: int) -> None:
        shown = self._shown()
        if shown is not None and shown.id == run_id:
            self._frame.request(REFRESH_MS)

    def _on_cursor_changed(self) -> None:
        shown = self._shown()
        if shown is None or self._drawn is None or shown is not self._drawn.record:
            self.refresh()
        else:
            self._show_cursor()

    def _on_side_chosen(self, side: str) -> None:
        column: Column = "baseline" if side == "baseline" else "steered"
        shown = self._model.shown_steps()
        if self._cursor.n_tok(column):
            self._cursor.move_to(column, shown[1][-1] if shown is not None else 0, extend=False)

    def _with_side(self, move: Callable[[Column, int], None], token: int) -> None:
        side = self._cursor.side
        if side is not None:
            move(side, token)

    def _shown(self) -> RunRecord | None:
        """The run whose tokens everything shows; a glance has none to follow."""
        shown = self._model.shown_steps()
        return shown[0] if shown is not None and shown[0].side in COLUMNS else None

    # Drawing

    def _follow(self) -> None:
        """Draw what has come since; its legend in a frame of its own."""
        record, drawn = self._shown(), self._drawn
        if record is None or drawn is None or record is not drawn.record or record.ended:
            self.refresh()
            return
        self._drawn = self._collect(record)
        self._draw(self._drawn)
        self._show_mark()
        self._legend_frame.request(LEGEND_MS)

    def refresh(self) -> None:
        """Draw what is shown now."""
        self._frame.drop()
        record = self._shown()
        self._drawn = None if record is None or not record.regions else self._collect(record)
        for widget in (self._curves, self._marks, self._legend):
            widget.setVisible(self._drawn is not None)
        self._show_header(record)
        self._empty.setText("" if self._drawn is not None else _why_empty(self._model, record))
        self._empty.setVisible(self._drawn is None)
        if self._drawn is not None:
            self._draw(self._drawn)
            self._show_cursor()

    def _collect(self, record: RunRecord) -> Drawn:
        model = self._model
        masses_TR = record.masses_TR("weighted" if model.weighted else "raw")
        control_TR = record.masses_TR("control") if model.show_control and not model.weighted else None
        if control_TR is not None and not len(control_TR):
            control_TR = None
        return Drawn(record, RunCues(model, record), masses_TR, control_TR)

    def _draw(self, drawn: Drawn) -> None:
        place = self._place_of(drawn)
        colours = [QColor(cue.colour) for cue in drawn.cues.regions]
        self._curves.show_masses(place, drawn.masses_TR, drawn.control_TR, colours)
        looks = [(cue.number, cue.colour) for cue in drawn.cues.regions]
        marks = PlotMarks(
            blocks_of(drawn.record, drawn.cues, place.n_tok), mentions_of(drawn.record, drawn.cues),
            drawn.masses_TR, looks, len(drawn.masses_TR),
        )  # fmt: skip
        self._marks.show_marks(place, marks)

    def _place_of(self, drawn: Drawn) -> PlotPlace:
        """The axes; the upper end never sinks while a run goes on."""
        record, model = drawn.record, self._model
        highest = float(drawn.masses_TR.max(initial=0.0))
        if drawn.control_TR is not None:
            highest = max(highest, float(drawn.control_TR.max(initial=0.0)))
        key = hash((record.id, model.weighted, model.show_control))
        top = top_of(highest, model.weighted)
        self._top = max(top, self._top) if key == self._run_id and not record.ended else top
        self._run_id = key
        n_tok = span_of(len(record.steps), record.spec.max_new_tokens, record.ended)
        return PlotPlace.within(self._stage.size(), n_tok, self._top)

    def _show_header(self, record: RunRecord | None) -> None:
        sides = [side for side in COLUMNS if self._cursor.n_tok(side)]
        self._side.setVisible(len(sides) > 1)
        if record is not None:
            self._side.set_current(record.side)
        self._about.set_whole("" if record is None else about(record, alone=len(sides) < 2))
        self._unit.set_current("weighted" if self._model.weighted else "raw")
        measured = record is None or any(step.control_R is not None for step in record.steps[:1])
        self._control.setEnabled(measured and not self._model.weighted)

    def _show_cursor(self) -> None:
        self._show_mark()
        self._show_legend()

    def _show_mark(self) -> None:
        shown = self._model.shown_steps()
        self._marks.show_cursor(None if shown is None else (shown[1][0], shown[1][-1]))

    def _show_legend(self) -> None:
        """Masses at the token under the mouse, else the mean over those of the cursor."""
        self._legend_frame.drop()
        drawn, shown = self._drawn, self._model.shown_steps()
        if drawn is None or shown is None:
            return
        hovered = self._marks.hover
        steps = [hovered] if hovered >= 0 else list(shown[1])
        if not len(drawn.masses_TR):
            return
        steps = sorted({min(step, len(drawn.masses_TR) - 1) for step in steps})  # others come with the curves
        masses_R = drawn.masses_TR[steps].mean(axis=0)
        controls_R = None if drawn.control_TR is None else drawn.control_TR[steps].mean(axis=0)
        rows = [
            LegendRow(cue.number, cue.colour, cue.name, float(masses_R[place]),
                      None if controls_R is None else float(controls_R[place]))
            for place, cue in enumerate(drawn.cues.regions)
        ]  # fmt: skip
        self._legend.show_rows(_tokens_text(drawn.record, steps), rows)

    # Room

    def sizeHint(self) -> QSize:
        """High enough for a legend of six regions with their names."""
        return QSize(720, 172)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Curves and marks fill the stage."""
        if watched is self._stage and isinstance(event, QResizeEvent):
            for widget in (self._curves, self._marks, self._empty):
                widget.setGeometry(self._stage.rect())
            if self._drawn is not None:
                self._draw(self._drawn)
        return super().eventFilter(watched, event)


def blocks_of(record: RunRecord, cues: RunCues, n_tok: int) -> list[TargetSpan]:
    """The targets in turn: those that were, and those still laid out for tokens up to `n_tok`."""
    steering = record.spec.steering
    if steering is None:
        return []
    names = [(step.target, False) for step in record.steps]
    if not record.ended:
        later = (steering.target_at(step) for step in range(len(names), n_tok))
        names += [(region.name if region is not None else None, True) for region in later]
    blocks: list[TargetSpan] = []
    first, before = 0, None
    for (name, planned), turn in groupby(names):
        n = len(list(turn))
        cue = cues.named(name)
        if cue is not None:
            last, switched = first + n - 1, first > 0 and name != before
            blocks.append(TargetSpan(first, last, cue.number, cue.colour, cue.name, planned, switched))
        first, before = first + n, name
    return blocks


def mentions_of(record: RunRecord, cues: RunCues) -> list[Mention]:
    """Where the text names a region."""
    found = named_regions([step.text for step in record.steps], [cue.name for cue in cues.regions])
    looks = cues.regions
    return [Mention(token, looks[place].number, looks[place].colour) for token, place in found]


def about(record: RunRecord, alone: bool) -> str:
    """What the curves are of, in a few words. alone: no button says which side it is."""
    n_heads = len(record.chosen)
    heads = plural(n_heads, "head") if n_heads else "all heads"
    return f"{record.side} · {heads}, mean" if alone else f"{heads}, mean"


def _why_empty(model: SessionModel, record: RunRecord | None) -> str:
    if record is not None:
        return "There were no regions during this run. Paint one, or choose a layout, and run again."
    if any(run is not None and not run.ended for run in map(model.run_of, COLUMNS)):
        return "Waiting for the first token …"
    return "Run the prompt (Space): the mass on each region is drawn here, token by token."


def _tokens_text(record: RunRecord, steps: list[int]) -> str:
    if len(steps) > 1:
        return f"mean of tokens {steps[0]}-{steps[-1]}"
    return f"token {steps[0]} {quoted_tokens([record.steps[steps[0]]], record.special_tokens)}"
