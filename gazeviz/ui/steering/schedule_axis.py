"""Where things stand on the schedule's axis of answer tokens, and how they are drawn.

Two rows: targets laid out beforehand as blocks, and under them the targets of the steered run as they were.
Knows the session to read; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gazeviz.app.editing import schedule as turns
from gazeviz.app.editing.schedule import ScheduleBlock
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord
from gazeviz.render.overlay import ink_on
from gazeviz.ui.widgets import theme

PLAN_TOP: Final = 2.0
PLAN_PX: Final = 22.0
RAN_TOP: Final = 30.0
RAN_PX: Final = 8.0
TICKS_TOP: Final = 40.0
HEIGHT_PX: Final = 56
_GUTTER_PX: Final = 52.0
_RIGHT_PX: Final = 10.0
_NICE_STEPS: Final = (1, 2, 4, 5, 8, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
_LEAST_TICK_PX: Final = 44.0


@dataclass(frozen=True)
class Scale:
    """Tokens and pixels of an axis."""

    length_tok: int
    width_px: float

    @property
    def left(self) -> float:
        """Where token 0 begins."""
        return _GUTTER_PX

    @property
    def token_px(self) -> float:
        """Width of a token."""
        return max(1.0, self.width_px - _GUTTER_PX - _RIGHT_PX) / max(1, self.length_tok)

    def x_of(self, token: float) -> float:
        """The left edge of a token."""
        return self.left + token * self.token_px

    def edge_at(self, x: float) -> int:
        """The nearest edge between tokens, 0 to the length."""
        return min(max(round((x - self.left) / self.token_px), 0), self.length_tok)

    def token_at(self, x: float) -> int:
        """The token at a place, within the axis."""
        return min(max(int((x - self.left) // self.token_px), 0), max(0, self.length_tok - 1))

    @property
    def ticks(self) -> tuple[int, ...]:
        """Tokens that get a figure."""
        step = next((step for step in _NICE_STEPS if step * self.token_px >= _LEAST_TICK_PX), 2000)
        return tuple(range(0, self.length_tok + 1, step))


class Look(NamedTuple):
    """Number and colour of a target; number 0 for none."""

    number: int
    name: str
    colour: str


class Ran(NamedTuple):
    """Answer tokens `first` up to but without `end` of a run, and the target they had, "" for none."""

    first: int
    end: int
    name: str


def length_tok(model: SessionModel) -> int:
    """Tokens on the axis: the longest answer, or what the run has become if it is longer."""
    record = model.run_of("steered")
    return max(model.generation.max_new_tokens, len(record.steps) if record else 0, 1)


def target_before(model: SessionModel) -> int | None:
    """What holds until the first turn: the target; without one the first that is laid out."""
    if model.target_region_id is not None:
        return model.target_region_id
    return next((region_id for _, region_id in model.schedule if region_id is not None), None)


def blocks_of(model: SessionModel, plan: turns.Turns) -> tuple[ScheduleBlock, ...]:
    """The blocks of a plan, on the session's axis."""
    return turns.blocks(plan, length_tok(model), target_before(model))


def ran(record: RunRecord | None) -> tuple[Ran, ...]:
    """The targets of a run as they were."""
    parts: list[Ran] = []
    for step in record.steps if record else ():
        name = step.target or ""
        if parts and parts[-1].name == name:
            parts[-1] = parts[-1]._replace(end=step.index + 1)
        else:
            parts.append(Ran(step.index, step.index + 1, name))
    return tuple(parts)


def look_of(model: SessionModel, region_id: int | None) -> Look:
    """How a target is known."""
    region = model.regions.get(region_id)
    if region is None:
        return Look(0, "no target", "")
    return Look(model.regions.number_of(region.id), region.name, region.colour)


def look_named(model: SessionModel, record: RunRecord | None, name: str) -> Look:
    """How a run's target is known: as it is now, else as it was when the run began."""
    region = model.regions.named(name)
    if region is not None:
        return look_of(model, region.id)
    before = record.regions if record else ()
    colour = next((region.colour for region in before if region.name == name), None)
    return Look(0, name or "no target", colour or "")


class AxisPainter:
    """Draws both rows with a painter."""

    def __init__(self, painter: QPainter, scale: Scale) -> None:
        self._painter, self._scale, self._colours = painter, scale, theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def captions(self) -> None:
        """What the rows are."""
        self._painter.setFont(theme.font_ui(11))
        self._painter.setPen(self._colours.soft)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        self._painter.drawText(QRectF(0, PLAN_TOP, _GUTTER_PX, PLAN_PX), middle, "laid out")
        self._painter.drawText(QRectF(0, RAN_TOP - 4, _GUTTER_PX, RAN_PX + 8), middle, "as it ran")

    def ground(self) -> None:
        """Empty rows and the figures beneath them."""
        scale, painter = self._scale, self._painter
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours.raised)
        width = scale.x_of(scale.length_tok) - scale.left
        painter.drawRoundedRect(QRectF(scale.left, PLAN_TOP, width, PLAN_PX), 4, 4)
        painter.drawRoundedRect(QRectF(scale.left, RAN_TOP, width, RAN_PX), 2, 2)
        painter.setFont(theme.font_mono(10))
        painter.setPen(self._colours.soft)
        for token in scale.ticks:
            place = QRectF(scale.x_of(token) - 24, TICKS_TOP, 48, HEIGHT_PX - TICKS_TOP)
            painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, str(token))

    def block(self, block: ScheduleBlock, look: Look, *, selected: bool) -> None:
        """A target laid out; what holds before the first turn is drawn in its colour's outline alone."""
        box = self._box(block.first, block.end, PLAN_TOP, PLAN_PX)
        colour = QColor(look.colour) if look.colour else self._colours.line
        painter = self._painter
        filled = block.turn is not None and bool(look.colour)
        painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
        painter.setPen(Qt.PenStyle.NoPen if filled else QPen(colour, 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        self._caption(box, look, QColor(ink_on(look.colour)) if filled else self._colours.soft)
        if selected:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._colours.ink, 2))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)

    def ran(self, part: Ran, look: Look) -> None:
        """A target as it was."""
        colour = QColor(look.colour) if look.colour else self._colours.line
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(colour)
        self._painter.drawRoundedRect(self._box(part.first, part.end, RAN_TOP, RAN_PX), 2, 2)

    def cursor(self, first: int, last: int) -> None:
        """The tokens that everything shows."""
        box = self._box(first, last + 1, RAN_TOP - 2, RAN_PX + 4)
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(self._colours.accent, 1.5))
        self._painter.drawRoundedRect(box, 2, 2)

    def focus(self) -> None:
        """The frame of who listens to the keyboard."""
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(self._colours.accent)
        right = self._scale.x_of(self._scale.length_tok) - self._scale.left
        self._painter.drawRoundedRect(
            QRectF(self._scale.left - 2, PLAN_TOP - 2, right + 4, PLAN_PX + 4), 5, 5
        )

    def _box(self, first: int, end: int, top: float, height: float) -> QRectF:
        left, right = self._scale.x_of(first), self._scale.x_of(end)
        return QRectF(left, top, max(1.5, right - left - 1), height)

    def _caption(self, box: QRectF, look: Look, ink: QColor) -> None:
        """Number and name, the number alone, or nothing, as there is room."""
        self._painter.setFont(theme.font_ui(11, 500))
        self._painter.setPen(ink)
        metrics = self._painter.fontMetrics()
        number = str(look.number) if look.number else ""
        for text in (f"{number}  {look.name}".strip(), number or look.name, number):
            if text and metrics.horizontalAdvance(text) + 8 <= box.width():
                self._painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                return
