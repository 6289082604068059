"""Targets laid out beforehand: ready-made layouts for narrations, and the axis to change them by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from gazeviz.app import asking, turns
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.app.turns import Order
from gazeviz.errors import UserError
from gazeviz.ui import schedule_axis as axis
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, section_title, soft
from gazeviz.ui.controls import ElidedLabel, MenuButton
from gazeviz.ui.prompt_edit import ONE_LINE_PX
from gazeviz.ui.schedule_view import ScheduleView

USUAL_EVERY_TOK: Final = 12
"""As `gazeviz narrate` has it: a sentence about a panel, more or less."""
_ORDERS: Final[tuple[tuple[Order, str, str], ...]] = (
    ("forwards", "In order", "One panel after the other, from the first"),
    ("backwards", "Backwards", "One panel after the other, from the last"),
    (
        "mixed",
        "Mixed, none in its place",
        "A random order in which no panel keeps its place: again for another",
    ),
)


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
        tip = "Take all out: the target alone counts"
        self._clear = push_button(
            "scheduleClear", "Clear", tip, spoken="Clear the targets laid out beforehand", kind="flat"
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

    def _make_every(self) -> QSpinBox:
        box = named(QSpinBox(), "scheduleEvery")
        box.setRange(1, 500)
        box.setValue(USUAL_EVERY_TOK)
        box.setPrefix("every ")
        box.setSuffix(" tokens")
        box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        box.setFixedWidth(120)
        box.setFixedHeight(ONE_LINE_PX - 4)
        box.setAccessibleName("Tokens for each target of a layout")
        box.setToolTip("How long each target holds in a layout that is chosen beside")
        return box

    def _make_orders(self) -> MenuButton:
        button = MenuButton(
            "Through all panels", "scheduleOrders",
            "Let the target move from panel to panel; the answer is made as long as that takes",
        )  # fmt: skip
        for order, text, tip in _ORDERS:
            action = button.menu().addAction(text)
            action.setObjectName(f"schedule_{order}")
            action.setToolTip(tip)
            action.triggered.connect(lambda _=False, wanted=order: self.lay_out_panels(wanted))
        return button

    def lay_out_panels(self, order: Order) -> None:
        """Move the target through all panels, or where there are none through all painted regions."""
        self._controller.attempt(lambda: self._through_panels(order), "schedule")

    def _through_panels(self, order: Order) -> None:
        regions = asking.panels_of(self._model) or self._model.regions.painted()
        every_tok = self._every.value()
        if order == "mixed":
            self._n_mixed += 1
        ids = turns.ordered([region.id for region in regions], order, self._n_mixed)
        plan = turns.even(ids, every_tok)
        if len(plan) * every_tok < 2:
            raise UserError("An answer of a single token is no text.", next_step="Choose at least two.")
        self._lay_out(plan, f"A target every {every_tok} tokens")
        length_tok = len(plan) * every_tok
        self._model.generation = replace(self._model.generation, max_new_tokens=length_tok)

    def _lay_out(self, plan: turns.Turns, text: str) -> None:
        self._controller.attempt(lambda: self._controller.editor.lay_out_targets(plan, text), "schedule")

    def _refresh(self) -> None:
        self._clear.setEnabled(bool(self._model.schedule))
        self._note.set_whole(schedule_note(self._model))
        one = "panels" if asking.panels_of(self._model) else "regions"
        self._orders.set_label(f"Through all {one}")


def schedule_note(model: SessionModel) -> str:
    """What is to be known about what is laid out."""
    if not model.schedule:
        return "none: drag on the axis, or choose a layout"
    late = sum(first >= axis.length_tok(model) for first, _ in model.schedule)
    if late:
        return f"{late} of {len(model.schedule)} begin after the answer's end: allow more tokens"
    if model.steering.scope != "decode_only":
        return "“answer's rows” suit a target that moves"
    n_turns = len(model.schedule)
    return f"{n_turns} turn{'s' if n_turns > 1 else ''}; a click still moves the target"
