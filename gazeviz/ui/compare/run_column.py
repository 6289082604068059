"""One run of a comparison: its letter and what is special about it, its map at a token, its text as chips.

Words that differ from the run that is compared with are marked. Reads nothing: it is given everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from gazeviz.app.history.comparison import LETTERS, RunComparison, steering_of
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.messages import LoggedRun, StepArrived
from gazeviz.domain.wording import format_figure, plural, quoted_token, quoted_tokens
from gazeviz.render.report.report import safe_colour
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ElidedLabel, as_written, named, soft, soft_text
from gazeviz.ui.widgets.letters import LetterBadge
from gazeviz.ui.widgets.map_painter import MapPainter, dimmed
from gazeviz.ui.widgets.region_cue import RegionCue
from gazeviz.ui.widgets.token_flow import LINE_PX, Mark, TokenFlow, spell

# A run's map at one token over its picture: small, dimmed, beside the others of a comparison.


_LOWEST_PX: Final = 24
QWIDGETSIZE_MAX: Final = 16_777_215


class CompareMap(QWidget):
    """Picture and map; where either is missing, a sentence says why."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._pixels_HW3: NDArray[np.uint8] | None = None
        self._painter: MapPainter | None = None
        self._ground: QPixmap | None = None
        self._map: QImage | None = None
        self._note = self._instead = ""
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)
        theme.changed.connect(self.update)

    def show_picture(self, pixels_HW3: NDArray[np.uint8] | None, grid: TokenGrid | None, note: str) -> None:
        """Take picture and grid, and what to say where there is neither. pixels_HW3: uint8 (H, W, 3)."""
        self._pixels_HW3, self._note = pixels_HW3, note
        self._painter = MapPainter(grid) if grid is not None else None
        self._ground = self._map = None
        self.setVisible(pixels_HW3 is not None or bool(note))
        self.updateGeometry()
        self.update()

    def show_values(
        self, values_P: NDArray[np.float32] | None, highest: float, sentence: str, instead: str = ""
    ) -> None:
        """Take a map, None for none; `highest` is the bright end of the scale.

        instead: a word on the picture where there is no map.
        """
        self._instead = instead if values_P is None else ""
        self._map = (
            self._painter.image(values_P, highest)
            if values_P is not None and self._painter is not None and self._pixels_HW3 is not None
            else None
        )
        self.setAccessibleName(sentence)
        self.setToolTip(as_written(sentence))
        self.update()

    @property
    def shows_map(self) -> bool:
        """Whether a map is drawn."""
        return self._map is not None

    def set_room(self, width_px: float, fixed: bool) -> None:
        """Be as high as the picture is at a width. fixed: be no wider and no narrower, either."""
        width_px = max(_LOWEST_PX, width_px)
        self.setMinimumWidth(round(width_px) if fixed else _LOWEST_PX)
        self.setMaximumWidth(round(width_px) if fixed else QWIDGETSIZE_MAX)
        self.setFixedHeight(round(max(_LOWEST_PX, width_px / self.aspect if self.aspect else 0.0)))

    @property
    def aspect(self) -> float:
        """Width / height of the picture; 0 without one."""
        if self._pixels_HW3 is None:
            return 0.0
        height_px, width_px = self._pixels_HW3.shape[:2]
        return float(width_px / height_px)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The ground has to be scaled anew."""
        super().resizeEvent(event)
        self._ground = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture as large as it fits, and the map over it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._pixels_HW3 is None:
            self._draw_note(painter, QRectF(self.rect()))
            return
        box = self._picture_box()
        path = QPainterPath()
        path.addRoundedRect(box, 3, 3)
        painter.setClipPath(path)
        if self._ground is None:
            self._ground = dimmed(self._pixels_HW3, box.size().toSize(), self.devicePixelRatioF())
        painter.drawPixmap(box, self._ground, QRectF(self._ground.rect()))
        if self._map is not None and self._painter is not None:
            part = self._painter.part
            at = QRectF(
                box.left() + box.width() * part.left(), box.top() + box.height() * part.top(),
                box.width() * part.width(), box.height() * part.height(),
            )  # fmt: skip
            painter.drawImage(at, self._map, QRectF(self._map.rect()))
        elif self._note or self._instead:
            painter.setFont(theme.font_ui(12, 500))
            painter.setPen(Qt.GlobalColor.white)  # the ground is dark in either theme
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(box.adjusted(4, 0, -4, 0), flags, self._instead or self._note)

    def _picture_box(self) -> QRectF:
        width = min(float(self.width()), self.height() * self.aspect)
        # Whole pixels: a ground of just that size need not be scaled with every token.
        return QRectF(0, 0, max(1, round(width)), max(1, round(width / self.aspect)))

    def _draw_note(self, painter: QPainter, box: QRectF) -> None:
        painter.setFont(theme.font_ui(11))
        painter.setPen(theme.current().soft)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        painter.drawText(box, flags, self._note)

    def sizeHint(self) -> QSize:
        """As wide as it may be."""
        return QSize(240, 48)


WIDTH_PX: Final = 190
_ROOMY_PX: Final = 270
_MARK_ALPHA: Final = 0.3
_SIDES_PX: Final = 22
_WIDE: Final = 1.8
"""Width / height from which on a picture stands above its text."""
_SHARE_BESIDE: Final = 0.4
_STATES: Final = {
    "queued": "queued",
    "loading": "waiting for the model",
    "running": "in progress",
    "cancelled": "stopped early",
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
            return "The picture is no longer available."
        if self._comparison.grids[self._place] is None:
            return "The positions of its cells were not logged, so there is no map."
        return ""

    def _state_sentence(self) -> str:
        run = self._run
        if run.state == "done":
            if run.summary is not None and run.summary.junk:
                return f"Junk: {run.summary.junk}."
            return "" if run.steps else "It ended before the first token."
        text = f"{_STATES.get(run.state, run.state)}"
        return f"{text[0].upper()}{text[1:]}. {run.message}".strip()

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
        text = "" if overlap is None else f"Word overlap {format_figure(overlap)}: shared words of all words"
        self._overlap.setToolTip(text)
        self._overlap.setAccessibleName(text)

    def _show_overlap(self) -> None:
        """The figure, with words where there is room."""
        overlap, roomy = self._said_overlap, self.width() >= _ROOMY_PX
        figure = "" if overlap is None else format_figure(overlap)
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
            text = quoted_tokens([step], self._run.model.special_tokens)
            text = f"{letter}, token {token} {text}: mean attention of {self._heads()}"
            self.map.show_values(step.map_P, highest, text)

    def step_at(self, token: int) -> StepArrived | None:
        """The run's token of a number."""
        return self._run.steps[token] if token < len(self._run.steps) else None

    def _heads(self) -> str:
        n = len(self._run.spec.chosen)
        return plural(n, "head") if n else "all heads"

    def _tip(self, index: int) -> str:
        step = self._run.steps[index]
        lines = [f"token {index} {quoted_token(step.text, step.token_id, self._run.model.special_tokens)}"]
        if step.looks_at is not None and step.looks_at < len(self._run.spec.regions):
            name = self._run.spec.regions[step.looks_at].name
            lines.append(f"looks at {name}: {format_figure(float(step.masses_R[step.looks_at]))}")
        if steering_of(self._run) is not None:
            lines.append(f"target: {step.target or 'no target'}")
        return as_written("\n".join(lines))

    def _on_stepped(self, by: int, _extend: bool) -> None:
        if self._run.steps:
            self.token_wanted.emit(min(max(0, self._token + by), len(self._run.steps) - 1))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText("".join(self._comparison.tokens[self._place]))
