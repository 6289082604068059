"""The steering in one line, heads to target and how strongly; unfolded, every choice with what it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from gazeviz.app import asking
from gazeviz.app.recommended import recommended_heads, recommended_ranking
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.messages import ModelInfo
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft
from gazeviz.ui.controls import ElidedLabel, hairline
from gazeviz.ui.number_slider import NumberSlider
from gazeviz.ui.run_button import set_kind
from gazeviz.ui.schedule_bar import ScheduleBar
from gazeviz.ui.steer_details import SteerDetails
from gazeviz.ui.steer_texts import MODE_WORDS, SCOPE_WORDS, steering_text, strength_text
from gazeviz.ui.target_menu import TargetMenu

MOST_STRENGTH: Final = 10_000.0
_SLIDER_STRENGTH: Final = 24.0
_STEP: Final = 0.5


class SteerPanel(QWidget):
    """A line, and beneath it, folded at first, the details and the schedule. Signal: `unfolded`."""

    unfolded = Signal(bool)

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("steerPanel")
        self._model, self._controller = model, controller
        self._caret = self._make_caret()
        self._heads, self._how = named(QLabel(), "steerHeads"), soft(named(ElidedLabel(), "steerSummary"))
        self._strength = NumberSlider(
            "strength", "Strength", 0.0, _SLIDER_STRENGTH, _STEP,
            "How far the scores of the chosen heads are moved, from the next run on; 0 changes nothing",
            most=MOST_STRENGTH,
        )  # fmt: skip
        self._alpha = NumberSlider(
            "alpha", "Share", 0.05, 1.0, 0.05,
            "The share of each row's attention that the target receives, from the next run on",
        )  # fmt: skip
        self._recommended = self._make_recommended()
        self.schedule = ScheduleBar(model, controller)
        self._details = self._make_details()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 4, 16, 4)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(self._make_line())
        layout.addWidget(self._details)
        self._connect()
        self._refresh()

    @property
    def folded(self) -> bool:
        """Whether the details are hidden."""
        return self._details.isHidden()

    def set_folded(self, folded: bool) -> None:
        """Hide or show the details."""
        if folded != self.folded:
            self._details.setHidden(folded)
            self._draw_caret()
            self.unfolded.emit(not folded)

    # Building

    def _make_caret(self) -> QToolButton:
        button = named(QToolButton(), "steerFold")
        button.setText("Steer")
        button.setFont(theme.font_ui(12, 600))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(12, 12))
        button.setAccessibleName("Steering in detail")
        button.setToolTip("Mode, limit, rows and targets laid out beforehand")
        button.clicked.connect(lambda: self.set_folded(not self.folded))
        return button

    def _make_recommended(self) -> QPushButton:
        button = named(QPushButton("Recommended"), "steerRecommended")
        button.setProperty("kind", "pill")
        button.setAccessibleName("Choose heads and steering as the model recommends")
        button.clicked.connect(self._on_recommended)
        return button

    def _make_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(6)
        target = TargetMenu(self._model, self._controller)
        before: tuple[QWidget, ...] = (self._caret, self._heads, target)
        after: tuple[QWidget, ...] = (self._strength, self._alpha, self._recommended)
        for widget in before:
            line.addWidget(widget)
        line.addWidget(self._how, 1)
        for widget in after:
            line.addWidget(widget)
        return line

    def _make_details(self) -> QWidget:
        details = QWidget()
        layout = QVBoxLayout(details)
        layout.setContentsMargins(8, 0, 0, 4)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(SteerDetails(self._model))
        layout.addWidget(hairline())
        layout.addWidget(self.schedule)
        details.hide()
        return details

    def _connect(self) -> None:
        model = self._model
        self._strength.value_chosen.connect(
            lambda value: setattr(model, "steering", replace(model.steering, strength=value))
        )
        self._alpha.value_chosen.connect(
            lambda value: setattr(model, "steering", replace(model.steering, alpha=value))
        )
        for signal in (model.steering_changed, model.chosen_changed, model.schedule_changed,
                       model.model_changed, model.prompt_changed):  # fmt: skip
            signal.connect(self._refresh)
        theme.changed.connect(self._draw_caret)
        theme.changed.connect(self._refresh)
        self._draw_caret()

    # Acting

    def _on_recommended(self) -> None:
        editor = self._controller.editor
        self._controller.attempt(lambda: asking.take_recommended(self._model, editor), "heads")

    # Showing

    def _refresh(self) -> None:
        settings, info = self._model.steering, self._model.model_info
        self._heads.setText(f"{heads_text(self._model)} →")
        self._heads.setToolTip(f"The heads that are steered: {self._model.chosen.origin}")
        self._how.set_whole(self._summary())
        by_share = settings.mode == "mass"
        self._strength.setVisible(not by_share)
        self._alpha.setVisible(by_share)
        self._alpha.set_value(settings.alpha)
        if isinstance(settings.strength, str):
            self._strength.set_word(strength_text(settings).removeprefix("hard ") or "hard")
        else:
            self._strength.set_value(settings.strength)
        self._recommended.setToolTip(recommended_text(self._model, info))
        in_force = asking.is_recommended(self._model)
        self._recommended.setIcon(theme.icon("check") if in_force else QIcon())
        set_kind(self._recommended, "flat" if in_force else "pill")

    def _summary(self) -> str:
        """Mode and rows, and before them the schedule if there is one; the strength has its own place."""
        settings, n_turns = self._model.steering, len(self._model.schedule)
        parts = [MODE_WORDS[settings.mode].short, SCOPE_WORDS[settings.scope].short]
        if n_turns:
            parts.insert(0, f"{n_turns} in turn")
        return " · ".join(parts)

    def _draw_caret(self) -> None:
        self._caret.setIcon(theme.icon("caret-right" if self.folded else "caret-down"))


def heads_text(model: SessionModel) -> str:
    """How many heads are chosen."""
    n = len(model.chosen)
    return "no heads" if not n else "1 head" if n == 1 else f"{n} heads"


def recommended_text(model: SessionModel, info: ModelInfo | None) -> str:
    """What the button would choose."""
    if info is None:
        return "No model is loaded"
    if info.default_ranking is None:
        return f"{info.name} comes without a ranking of its heads"
    moving = asking.target_moves(model)
    ranking, n = recommended_ranking(info, moving=moving), len(recommended_heads(info, moving=moving))
    how = steering_text(asking.recommended_for(model, info))
    named = ranking.name if ranking is not None else ""
    task = "For a target that moves: the" if moving else "The"
    measured = "" if info.recommended else "; nothing was measured, these are the usual settings"
    return f"{task} {n} best heads of “{named}”, {how}{measured}"
