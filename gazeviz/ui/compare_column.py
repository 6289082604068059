"""One run of a comparison: its letter and what is special about it, its map at a token, its text as chips.

Words that differ from the run that is compared with are marked. Reads nothing: it is given everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gazeviz.app.comparison import LETTERS, RunComparison, steering_of
from gazeviz.app.store_port import LoggedRun
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.token_names import quoted_token, quoted_tokens
from gazeviz.render.palette import figure_text
from gazeviz.render.report_words import safe_colour
from gazeviz.ui import theme
from gazeviz.ui.column_parts import as_written, named, soft, soft_text
from gazeviz.ui.compare_letters import LetterBadge
from gazeviz.ui.compare_map import CompareMap
from gazeviz.ui.controls import ElidedLabel
from gazeviz.ui.token_chips import LINE_PX, spell
from gazeviz.ui.transcript_cues import RegionCue
from gazeviz.ui.transcript_tokens import Mark, TokenFlow

WIDTH_PX: Final = 190
_ROOMY_PX: Final = 270
_MARK_ALPHA: Final = 0.3
_SIDES_PX: Final = 22
_WIDE: Final = 1.8
"""Width / height from which on a picture stands above its text."""
_SHARE_BESIDE: Final = 0.4
_STATES: Final = {
    "queued": "waits for its turn",
    "loading": "waits for the model",
    "running": "being written",
    "cancelled": "stopped before its end",
    "failed": "failed",
    "lost": "lost: the worker ended",
}


class MarkedTokens(TokenFlow):
    """Chips of which some are marked."""

    def __init__(self, name: str, accessible_name: str, tip_of: Callable[[int], str]) -> None:
        super().__init__(name, accessible_name, tip_of)
        self._marked: frozenset[int] = frozenset()

    def mark_words(self, marked: frozenset[int]) -> None:
        """Mark these tokens and no others."""
        self._marked = marked
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the token that is looked at in sight."""
        super().resizeEvent(event)
        mark = self._mark
        if mark is not None and mark.last < self.n_tok:
            self._reveal(mark.last)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the chips, and a frame on those with a word that differs."""
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(theme.current().accent)
        fill = QColor(ink)
        fill.setAlphaF(_MARK_ALPHA)
        painter.setPen(QPen(ink, 1))
        painter.setBrush(fill)
        top_px = self.verticalScrollBar().value() - LINE_PX
        for index in self._lines.between(top_px, top_px + self.viewport().height() + 2 * LINE_PX):
            box = QRectF(self.box_of(index))
            if index in self._marked and event.rect().intersects(box.toAlignedRect()):
                painter.drawRoundedRect(box.adjusted(2.5, 2.5, -2.5, -5.5), 2, 2)


class CompareColumn(QWidget):
    """Letter, words, map and text of one run."""

    token_wanted = Signal(int)
    reference_wanted = Signal(int)
    open_wanted = Signal(int)

    def __init__(self, comparison: RunComparison, place: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"compareColumn{LETTERS[place]}")
        self.setMinimumWidth(WIDTH_PX)
        self._comparison, self._place = comparison, place
        self._run: LoggedRun = comparison.runs[place]
        self._token, self._map_px = 0, 48.0
        self._said_overlap: float | None = None
        self.badge = LetterBadge(place)
        self.badge.clicked.connect(lambda: self.reference_wanted.emit(place))
        self.map = CompareMap(f"compareMap{LETTERS[place]}")
        self.flow = MarkedTokens(f"compareText{LETTERS[place]}", f"Text of {LETTERS[place]}", self._tip)
        self.flow.pointed.connect(lambda index, _: self.token_wanted.emit(index))
        self.flow.stepped.connect(self._on_stepped)
        self.flow.copy_wanted.connect(self._copy)
        self._state = soft_text(f"compareState{LETTERS[place]}")
        self._lay_out()
        self._fill()

    def _lay_out(self) -> None:
        layout, top = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(14, 8, 8, 6)
        layout.setSpacing(theme.SPACE)
        top.setSpacing(theme.SPACE)
        self._label = named(ElidedLabel(), f"compareLabel{LETTERS[self._place]}")
        self._overlap = soft(named(QLabel(), f"compareOverlap{LETTERS[self._place]}"))
        open_ = named(QToolButton(), f"compareOpen{LETTERS[self._place]}")
        open_.setText(f"#{self._run.id}")
        open_.setFont(theme.font_mono(11))
        open_.setAccessibleName(f"Open run {self._run.id} in Explore")
        open_.setToolTip("Show this run in Explore exactly as it was; the model does not run")
        open_.clicked.connect(lambda: self.open_wanted.emit(self._run.id))
        for widget in (self.badge, self._label, self._overlap, open_):
            top.addWidget(widget, int(widget is self._label))
        layout.addLayout(top)
        layout.addWidget(self._state)
        self._body = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._body.setSpacing(theme.SPACE)
        self._body.addWidget(self.map)
        self._body.setAlignment(self.map, Qt.AlignmentFlag.AlignTop)
        self._body.addWidget(self.flow, 1)
        layout.addLayout(self._body, 1)

    def _fill(self) -> None:
        run, comparison, place = self._run, self._comparison, self._place
        self._label.set_whole(comparison.labels[place])
        pixels = comparison.pictures.get(run.spec.picture_sha256)
        self.map.show_picture(pixels, comparison.grids[place], self._map_note(pixels is not None))
        cues = [
            RegionCue(region.name, str(number), safe_colour(region.colour, number - 1))
            for number, region in enumerate(run.spec.regions, start=1)
        ]
        for step in run.steps:
            looks = step.looks_at
            self.flow.append(
                spell(step.text, step.token_id, run.model.special_tokens),
                cues[looks] if looks is not None and looks < len(cues) else None,
            )
        self._state.setText(self._state_sentence())
        self._state.setVisible(bool(self._state.text()))

    def _map_note(self, has_picture: bool) -> str:
        if not self._run.steps:
            return ""
        if not has_picture:
            return "The picture is not there any more."
        if self._comparison.grids[self._place] is None:
            return "Where its cells lay was not kept, so there is no map."
        return ""

    def _state_sentence(self) -> str:
        run = self._run
        if run.state == "done":
            if run.summary is not None and run.summary.junk:
                return f"Junk: {run.summary.junk}."
            return "" if run.steps else "It ended without a token."
        said = f"{_STATES.get(run.state, run.state)}"
        return f"{said[0].upper()}{said[1:]}. {run.message}".strip()

    def fit_map(self, height_px: float) -> None:
        """Give the map so much of the height; a picture that is not wide stands beside the text."""
        self._map_px = height_px
        aspect, width_px = self.map.aspect, max(1.0, self.width() - _SIDES_PX)
        beside = 0 < aspect < _WIDE
        directions = QBoxLayout.Direction
        self._body.setDirection(directions.LeftToRight if beside else directions.TopToBottom)
        if beside:
            self.map.set_room(min(width_px * _SHARE_BESIDE, height_px * 2 * aspect), fixed=True)
        else:
            self.map.set_room(min(width_px, height_px * aspect) if aspect else width_px, fixed=False)

    # What is shown of it

    def show_marks(self, marked: frozenset[int], overlap: float | None) -> None:
        """Mark words; overlap: with the run that is compared with, None for that run itself."""
        self.flow.mark_words(marked)
        self.badge.setChecked(overlap is None)
        self._said_overlap = overlap
        self._show_overlap()
        said = "" if overlap is None else f"Word overlap {figure_text(overlap)}: shared words of all words"
        self._overlap.setToolTip(said)
        self._overlap.setAccessibleName(said)

    def _show_overlap(self) -> None:
        """The figure, with words where there is room."""
        overlap, roomy = self._said_overlap, self.width() >= _ROOMY_PX
        figure = "" if overlap is None else figure_text(overlap)
        self._overlap.setText(f"overlap {figure}" if roomy and figure else figure)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Map and words fit the room."""
        super().resizeEvent(event)
        self._show_overlap()
        self.fit_map(self._map_px)

    def show_token(self, token: int, highest: float) -> None:
        """Outline a token and show its map; `highest` is the bright end of everybody's scale."""
        self._token = token
        step = self.step_at(token)
        self.flow.mark(Mark(token, token, True) if step is not None else None)
        letter = LETTERS[self._place]
        if step is None:
            self.map.show_values(None, highest, f"{letter} has no token {token}", "ended")
        else:
            said = quoted_tokens([step], self._run.model.special_tokens)
            said = f"{letter}, token {token} {said}: mean attention of {self._heads()}"
            self.map.show_values(step.map_P, highest, said)

    def step_at(self, token: int) -> StepArrived | None:
        """The run's token of a number."""
        return self._run.steps[token] if token < len(self._run.steps) else None

    def _heads(self) -> str:
        n = len(self._run.spec.chosen)
        return "all heads" if n == 0 else "1 head" if n == 1 else f"{n} heads"

    def _tip(self, index: int) -> str:
        step = self._run.steps[index]
        lines = [f"token {index} {quoted_token(step.text, step.token_id, self._run.model.special_tokens)}"]
        if step.looks_at is not None and step.looks_at < len(self._run.spec.regions):
            name = self._run.spec.regions[step.looks_at].name
            lines.append(f"looks at {name}: {figure_text(float(step.masses_R[step.looks_at]))}")
        if steering_of(self._run) is not None:
            lines.append(f"target: {step.target or 'let go'}")
        return as_written("\n".join(lines))

    def _on_stepped(self, by: int, _extend: bool) -> None:
        if self._run.steps:
            self.token_wanted.emit(min(max(0, self._token + by), len(self._run.steps) - 1))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText("".join(self._comparison.tokens[self._place]))
