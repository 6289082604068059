"""The axis of targets under mouse and keyboard: drag to add, drag an edge to move it, change and leave out.

Every change is an undo step of the session. A drag is shown as it will be and made when the button goes up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QSpinBox, QToolTip, QVBoxLayout, QWidget

from gazeviz.app.editing import schedule as turns
from gazeviz.app.editing.schedule import Order, ScheduleBlock, Turns
from gazeviz.app.runs import presets
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.ui.steering import schedule_axis as axis
from gazeviz.ui.steering.prompt_bar import ONE_LINE_PX
from gazeviz.ui.steering.schedule_axis import AxisPainter, Scale
from gazeviz.ui.steering.steering_commands import block_menu, order_commands
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import add_commands
from gazeviz.ui.widgets.controls import ElidedLabel, MenuButton, named, push_button, section_title, soft
from gazeviz.ui.widgets.number_box import WholeNumberBox

_GRIP_PX: Final = 5.0
_HINT: Final = "Drag to schedule a target, drag an edge to move it; 1 to 9 change it, Delete removes it"


@dataclass
class _EdgeDrag:
    """A drag from the edge at `anchor`. turn: the one that is moved; None lays a new block."""

    anchor: int
    now: int
    turn: int | None


class ScheduleView(QWidget):
    """Shows and changes the session's schedule."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scheduleView")
        self._model, self._controller = model, controller
        self._drag: _EdgeDrag | None = None
        self._selected: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(axis.HEIGHT_PX)
        self.setMinimumWidth(240)
        for signal in (model.schedule_changed, model.target_changed, model.regions_changed,
                       model.generation_changed):  # fmt: skip
            signal.connect(self._on_changed)
        for signal in (model.step_arrived, model.run_changed, model.cursor_changed, theme.changed):
            signal.connect(self.update)
        self._on_changed()

    @property
    def scale(self) -> Scale:
        """Where tokens lie."""
        return Scale(axis.length_tok(self._model), self.width())

    @property
    def selected(self) -> int | None:
        """The turn that the keyboard changes."""
        return self._selected

    def sizeHint(self) -> QSize:
        """Two rows and the figures."""
        return QSize(480, axis.HEIGHT_PX)

    # What is there

    def plan(self) -> Turns:
        """The schedule, during a drag as it will be."""
        drag, model = self._drag, self._model
        if drag is None or drag.now == drag.anchor:
            return model.schedule
        length_tok = self.scale.length_tok
        if drag.turn is not None:
            return turns.moved(model.schedule, drag.turn, drag.now, length_tok)
        first, end = sorted((drag.anchor, drag.now))
        region_id = self._next_region(turns.held_at(model.schedule, first, axis.target_before(model)))
        if region_id is None:
            return model.schedule
        return turns.laid(model.schedule, first, end, region_id, length_tok, model.target_region_id)

    def _next_region(self, held: int | None) -> int | None:
        """What a new block is aimed at: the target, or where that holds already the next region."""
        target = self._model.target_region_id
        if target is not None and target != held:
            return target
        ids = tuple(region.id for region in self._model.regions.painted())
        if not ids:
            return None
        return ids[(ids.index(held) + 1) % len(ids)] if held in ids else ids[0]

    def _block_at(self, x: float) -> ScheduleBlock:
        token = self.scale.token_at(x)
        found = axis.blocks_of(self._model, self._model.schedule)
        return next(block for block in found if block.first <= token < block.end)

    def _edge_at(self, at: QPointF) -> int | None:
        """The turn whose beginning is under the mouse."""
        if not axis.PLAN_TOP <= at.y() <= axis.PLAN_TOP + axis.PLAN_PX:
            return None
        near = [
            (abs(self.scale.x_of(first) - at.x()), turn)
            for turn, (first, _) in enumerate(self._model.schedule)
            if first < self.scale.length_tok
        ]
        distance, turn = min(near, default=(_GRIP_PX + 1, 0))
        return turn if distance <= _GRIP_PX else None

    # Changing

    def _change(self, plan: Turns, text: str) -> None:
        notices.attempt(
            self._controller.model, lambda: self._controller.editor.lay_out_targets(plan, text), "schedule"
        )

    def aim(self, region_id: int | None, block: ScheduleBlock | None = None) -> None:
        """Point a block, or the selected turn, elsewhere."""
        schedule = self._model.schedule
        if block is not None and block.turn is None:
            self._change(turns.laid(schedule, block.first, block.end, region_id, self.scale.length_tok,
                                    self._model.target_region_id), "Schedule a target")  # fmt: skip
            return
        turn = block.turn if block is not None else self._selected
        if turn is not None:
            self._change(turns.aimed(schedule, turn, region_id), "Change a target")

    def remove(self, turn: int) -> None:
        """Take a turn out: the one before it lasts longer."""
        self._change(turns.without(self._model.schedule, turn), "Remove a target")

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of an edge, or begin a block."""
        at = event.position()
        in_row = axis.PLAN_TOP <= at.y() <= axis.PLAN_TOP + axis.PLAN_PX
        if event.button() != Qt.MouseButton.LeftButton or not in_row:
            return
        turn, anchor = self._edge_at(at), self.scale.edge_at(at.x())
        if turn is not None:
            anchor = self._model.schedule[turn][0]
        self._drag = _EdgeDrag(anchor, anchor, turn)
        self._selected = turn if turn is not None else self._block_at(at.x()).turn
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag on, or show what a press would take hold of."""
        if self._drag is not None:
            self._drag.now = self.scale.edge_at(event.position().x())
            self.update()
            return
        grip = self._edge_at(event.position()) is not None
        self.setCursor(Qt.CursorShape.SplitHCursor if grip else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Make the change."""
        if self._drag is None or event.button() != Qt.MouseButton.LeftButton:
            return
        plan, drag = self.plan(), self._drag
        self._drag = None
        if plan != self._model.schedule:
            self._change(plan, "Move a target" if drag.turn is not None else "Schedule a target")
            first = drag.now if drag.turn is not None else min(drag.anchor, drag.now)
            self._selected = self._block_at(self.scale.x_of(first + 0.5)).turn
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with the block there, or by keyboard with the selected one."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            block = self._selected_block()
        else:
            block = self._block_at(event.pos().x())
        menu = self.make_menu(block)
        menu.exec(event.globalPos())
        menu.deleteLater()

    def make_menu(self, block: ScheduleBlock) -> QMenu:
        """What can be done with a block."""
        menu = QMenu(self)
        add_commands(menu, block_menu(self._model, self._controller, self, block))
        return menu

    # Keyboard

    def event(self, event: QEvent) -> bool:
        """Keep keys that change the schedule from the window's shortcuts; say what is under the mouse."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self._takes(event)
        ):
            event.accept()
            return True
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos().x()), self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select with the arrows, move an edge with Shift and an arrow, aim with a number, Delete."""
        key = event.key()
        if self._drag is not None and key == Qt.Key.Key_Escape:
            self._drag = None
            self.update()
        elif not self._takes(event):
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            (self._nudge if shifted else self._select_next)(step)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if self._selected is not None:
                self.remove(self._selected)
        else:
            self._aim_by_number(key - Qt.Key.Key_0)

    def _takes(self, event: QKeyEvent) -> bool:
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return modifiers in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_Escape:
            return self._drag is not None
        taken = key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) or Qt.Key.Key_0 <= key <= Qt.Key.Key_9
        return taken and modifiers == Qt.KeyboardModifier.NoModifier

    def _select_next(self, step: int) -> None:
        n = len(self._model.schedule)
        if n:
            self._selected = (
                (0 if step > 0 else n - 1) if self._selected is None else (self._selected + step) % n
            )
            self._describe()
            self.update()

    def _nudge(self, step: int) -> None:
        if self._selected is not None:
            schedule = self._model.schedule
            first = schedule[self._selected][0] + step
            moved = turns.moved(schedule, self._selected, first, self.scale.length_tok)
            self._change(moved, "Move a target")

    def _aim_by_number(self, number: int) -> None:
        ids = self._model.regions.ids
        if number <= len(ids):
            self.aim(ids[number - 1] if number else None)

    def _selected_block(self) -> ScheduleBlock:
        found = axis.blocks_of(self._model, self._model.schedule)
        return next((block for block in found if block.turn == self._selected), found[0])

    # Showing

    def tip_at(self, x: float) -> str:
        """What is at a place, and what can be done there."""
        block = self._block_at(x)
        look = axis.look_of(self._model, block.region_id)
        where = f"<b>{look.name}</b>: tokens {block.first} to {block.end - 1}"
        return f"{where}<br>{_HINT}"

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Nothing is selected where nobody listens."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the plan, and what became of it."""
        model, plan = self._model, self.plan()
        painter = AxisPainter(QPainter(self), self.scale)
        painter.captions()
        painter.ground()
        for block in axis.blocks_of(model, plan) if plan or model.target_region_id is not None else ():
            chosen = block.turn is not None and block.turn == self._selected and self.hasFocus()
            painter.block(block, axis.look_of(model, block.region_id), selected=chosen)
        record = model.run_of("steered")
        for part in axis.ran(record):
            painter.ran(part, axis.look_named(model, record, part.name))
        if model.cursor is not None and model.cursor.side == "steered":
            painter.cursor(model.cursor.first, model.cursor.last)
        if self.hasFocus():
            painter.focus()

    def _on_changed(self) -> None:
        if self._selected is not None and self._selected >= len(self._model.schedule):
            self._selected = None
        self._describe()
        self.update()

    def _describe(self) -> None:
        """Say in words what is drawn."""
        found = axis.blocks_of(self._model, self._model.schedule) if self._model.schedule else ()
        parts = [
            f"{axis.look_of(self._model, block.region_id).name} from token {block.first}" for block in found
        ]
        self.setAccessibleName(f"Scheduled targets: {', '.join(parts) or 'none'}")
        chosen = [f"selected: {text}" for text, block in zip(parts, found, strict=True)
                  if block.turn is not None and block.turn == self._selected]  # fmt: skip
        self.setAccessibleDescription("; ".join([*chosen, _HINT]))


# Scheduled targets: ready-made layouts for narrations, and the axis to change them by hand.


USUAL_EVERY_TOK: Final = 12
"""As `gazeviz narrate` has it: a sentence about a panel, more or less."""


class ScheduleBar(QWidget):
    """A line of layouts above the axis."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scheduleBar")
        self._model, self._controller = model, controller
        self._n_mixed = 0
        self._note = soft(named(ElidedLabel(), "scheduleNote"))
        self._every = self._make_every()
        self._orders = self._make_orders()
        tip = "Remove all scheduled targets; only the current target is used"
        self._clear = push_button(
            "scheduleClear", "Clear", tip, spoken="Clear the scheduled targets", kind="flat"
        )
        self._clear.clicked.connect(lambda: self._lay_out((), "Clear the targets"))
        self.view = ScheduleView(model, controller)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(self._make_line())
        layout.addWidget(self.view)
        for signal in (model.schedule_changed, model.generation_changed, model.steering_changed,
                       model.regions_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _make_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(2 * theme.SPACE)
        line.addWidget(section_title("Targets in turn"))
        line.addWidget(self._note, 1)
        for widget in (self._clear, self._every, self._orders):
            line.addWidget(widget)
        return line

    def _make_every(self) -> WholeNumberBox:
        box = named(WholeNumberBox(), "scheduleEvery")
        box.setRange(1, 500)
        box.setValue(USUAL_EVERY_TOK)
        box.setPrefix("every ")
        box.setSuffix(" tokens")
        box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        box.setFixedWidth(120)
        box.setFixedHeight(ONE_LINE_PX - 4)
        box.setAccessibleName("Tokens for each target of a sequence")
        box.setToolTip("How many tokens each target lasts in a sequence through all panels")
        return box

    def _make_orders(self) -> MenuButton:
        button = MenuButton(
            "Through all panels", "scheduleOrders",
            "Move the target from panel to panel; the token limit is raised as needed",
        )  # fmt: skip
        button.offer(lambda: order_commands(self._model, self.lay_out_panels))
        return button

    def lay_out_panels(self, order: Order) -> None:
        """Move the target through all panels, or where there are none through all painted regions."""
        notices.attempt(self._controller.model, lambda: self._through_panels(order), "schedule")

    def _through_panels(self, order: Order) -> None:
        regions = presets.panels_of(self._model) or self._model.regions.painted()
        every_tok = self._every.value()
        if order == "mixed":
            self._n_mixed += 1
        ids = turns.ordered([region.id for region in regions], order, self._n_mixed)
        plan = turns.even(ids, every_tok)
        if len(plan) * every_tok < 2:
            raise UserError("The limit is a single token.", next_step="Allow at least two.")
        self._lay_out(plan, f"A target every {every_tok} tokens")
        length_tok = len(plan) * every_tok
        self._model.generation = replace(self._model.generation, max_new_tokens=length_tok)

    def _lay_out(self, plan: turns.Turns, text: str) -> None:
        notices.attempt(
            self._controller.model, lambda: self._controller.editor.lay_out_targets(plan, text), "schedule"
        )

    def _refresh(self) -> None:
        self._clear.setEnabled(bool(self._model.schedule))
        self._note.set_whole(schedule_note(self._model))
        one = "panels" if presets.panels_of(self._model) else "regions"
        self._orders.set_label(f"Through all {one}")


def schedule_note(model: SessionModel) -> str:
    """What is to be known about what is laid out."""
    if not model.schedule:
        return "none: drag on the axis, or choose a layout"
    late = sum(first >= axis.length_tok(model) for first, _ in model.schedule)
    if late:
        return f"{late} of {len(model.schedule)} begin after the answer's end: allow more tokens"
    if model.steering.scope != "decode_only":
        return "for a target that moves, steer only the answer's rows"
    n_turns = len(model.schedule)
    return f"{plural(n_turns, 'target')} in turn; a click still moves the target"
