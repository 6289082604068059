"""The steering in one line, heads to target and how strongly; unfolded, every choice with what it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, cast

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs import presets
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import SteeringSettings
from gazeviz.domain.messages import ModelInfo
from gazeviz.domain.steering import Hard
from gazeviz.domain.wording import MODE_NAMES, SCOPE_NAMES, format_settings, format_strength, plural
from gazeviz.ui.steering.knock_out_bar import KnockOutBar
from gazeviz.ui.steering.prompt_bar import set_kind
from gazeviz.ui.steering.schedule_editor import ScheduleBar
from gazeviz.ui.steering.steer_text import (
    HARD_TEXTS,
    MODE_TEXTS,
    SCOPE_TEXTS,
    strength_note,
)
from gazeviz.ui.steering.target_menu import TargetMenu
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ElidedLabel,
    NumberSlider,
    choice_button,
    hairline,
    named,
    soft,
    soft_text,
)

# How the chosen heads are steered, each choice with what it does to the model: mode, limit and rows.


USUAL_STRENGTH: Final = 8.0
_CHOICE_PX: Final = 208


class SteerDetails(QWidget):
    """Three lines: what is done to the scores, how far, and in which rows."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("steerDetails")
        self._model = model
        self._mode = choice_button(
            "steerMode", "What is done to the chosen heads' attention from the next run on",
            list(MODE_NAMES.items()), lambda mode: self._set(mode=mode), subject="Steering mode",
        )  # fmt: skip
        self._scope = choice_button(
            "steerScope", "Which rows are steered from the next run on",
            list(SCOPE_NAMES.items()),
            lambda scope: self._set(scope=scope), subject="Steered rows",
        )  # fmt: skip
        self._hard = {limit: self._hard_button(limit) for limit in HARD_TEXTS}
        self._notes = {name: _note(name) for name in ("modeNote", "limitNote", "scopeNote")}
        self._lay_out()
        self._explain_entries()
        model.steering_changed.connect(self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(3 * theme.SPACE)
        grid.setVerticalSpacing(theme.SPACE)
        grid.setColumnStretch(2, 1)
        self._limits = QWidget()
        limits = QHBoxLayout(self._limits)
        limits.setContentsMargins(0, 0, 0, 0)
        limits.setSpacing(theme.SPACE)
        for button in self._hard.values():
            limits.addWidget(button)
        limits.addStretch(1)
        rows = (("Mode", self._mode), ("Limit", self._limits), ("Rows", self._scope))
        for row, ((text, control), note) in enumerate(zip(rows, self._notes.values(), strict=True)):
            control.setFixedWidth(_CHOICE_PX)
            grid.addWidget(soft(QLabel(text)), row, 0, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(control, row, 1, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(note, row, 2, Qt.AlignmentFlag.AlignVCenter)

    def _hard_button(self, limit: Hard) -> QPushButton:
        words = HARD_TEXTS[limit]
        button = named(QPushButton(words.name), f"steer_{limit}")
        button.setCheckable(True)
        button.setProperty("kind", "pill")
        button.setAccessibleName(f"Strength without limit: {words.name}")
        button.clicked.connect(lambda on: self._set(strength=limit if on else USUAL_STRENGTH))
        return button

    def _explain_entries(self) -> None:
        """What a choice does is read before it is made."""
        for button, texts in ((self._mode, MODE_TEXTS), (self._scope, SCOPE_TEXTS)):
            button.set_tips({key: f"{text.name}. {text.does}" for key, text in cast(Any, texts).items()})

    def _set(self, **change: object) -> None:
        settings = replace(self._model.steering, **cast(Any, change))
        if settings.mode != "boost_suppress" and settings.strength == "hard_uniform":
            settings = replace(settings, strength="hard")  # no target is boosted that it could be even over
        self._model.steering = settings

    def _refresh(self) -> None:
        settings = self._model.steering
        self._mode.set_current(settings.mode)
        self._scope.set_current(settings.scope)
        for limit, button in self._hard.items():
            button.setChecked(settings.mode not in ("mass", "knock_out") and settings.strength == limit)
            why_not = why_not_hard(limit, settings)
            button.setEnabled(not why_not)
            button.setToolTip(f"<b>{HARD_TEXTS[limit].name}</b><br>{why_not or HARD_TEXTS[limit].does}")
        self._notes["modeNote"].setText(MODE_TEXTS[settings.mode].does)
        self._notes["limitNote"].setText(strength_note(settings))
        self._notes["scopeNote"].setText(SCOPE_TEXTS[settings.scope].does)


def why_not_hard(limit: Hard, settings: SteeringSettings) -> str:
    """Why a limit has no meaning in a mode; "" where it has one."""
    if settings.mode == "knock_out":
        return "A knock-out has no strength."
    if settings.mode == "mass":
        return "A fixed share has no strength."
    if limit == "hard_uniform" and settings.mode != "boost_suppress":
        return "Only where the target is boosted."
    return ""


def _note(name: str) -> QLabel:
    label = soft_text(name)
    label.setMinimumHeight(30)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


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
            "How far the scores of the chosen heads are shifted, from the next run on; 0 changes nothing",
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
        button.setToolTip("Mode, hard limit, rows and scheduled targets")
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
        layout.addWidget(KnockOutBar(self._model, self._controller))
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
        for signal in (model.steering_changed, model.schedule_changed,
                       model.model_changed, model.prompt_changed):  # fmt: skip
            signal.connect(self._refresh)
        model.chosen_changed.connect(self._refresh_heads)
        theme.changed.connect(self._draw_caret)
        theme.changed.connect(self._refresh)
        self._draw_caret()

    # Acting

    def _on_recommended(self) -> None:
        editor = self._controller.editor
        notices.attempt(
            self._controller.model, lambda: presets.take_recommended(self._model, editor), "heads"
        )

    # Showing

    def _refresh(self) -> None:
        settings, info = self._model.steering, self._model.model_info
        self._how.set_whole(self._summary())
        by_share = settings.mode == "mass"
        self._strength.setVisible(settings.mode not in ("mass", "knock_out"))
        self._alpha.setVisible(by_share)
        self._alpha.set_value(settings.alpha)
        if isinstance(settings.strength, str):
            self._strength.set_word(format_strength(settings).removeprefix("hard ") or "hard")
        else:
            self._strength.set_value(settings.strength)
        self._recommended.setToolTip(recommended_text(self._model, info))
        self._refresh_heads()

    def _refresh_heads(self) -> None:
        self._heads.setText(f"{heads_text(self._model)} →")
        self._heads.setToolTip(f"The heads that are steered: {self._model.chosen.origin}")
        in_force = presets.is_recommended(self._model)
        self._recommended.setIcon(theme.icon("check") if in_force else QIcon())
        set_kind(self._recommended, "flat" if in_force else "pill")

    def _summary(self) -> str:
        """Mode and rows, and before them the schedule if there is one; the strength has its own place."""
        settings, n_turns = self._model.steering, len(self._model.schedule)
        parts = [MODE_NAMES[settings.mode], SCOPE_NAMES[settings.scope]]
        if n_turns:
            parts.insert(0, f"{n_turns} in turn")
        return " · ".join(parts)

    def _draw_caret(self) -> None:
        self._caret.setIcon(theme.icon("caret-right" if self.folded else "caret-down"))


def heads_text(model: SessionModel) -> str:
    """How many heads are chosen."""
    n = len(model.chosen)
    return plural(n, "head") if n else "no heads"


def recommended_text(model: SessionModel, info: ModelInfo | None) -> str:
    """What the button would choose."""
    if info is None:
        return "No model is loaded."
    if info.default_ranking is None:
        return f"{info.name} comes without a ranking of its heads."
    moving = presets.target_moves(model)
    ranking = presets.recommended_ranking(info, moving=moving)
    n = len(presets.recommended_heads(info, moving=moving))
    how = format_settings(presets.recommended_for(model, info))
    named = ranking.name if ranking is not None else ""
    task = "For a target that moves: the" if moving else "The"
    measured = (
        "." if info.recommended else ". Nothing was measured for this model; these are the usual settings."
    )
    return f"{task} {n} best heads of “{named}”, {how}{measured}"
