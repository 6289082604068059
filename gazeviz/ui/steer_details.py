"""How the chosen heads are steered, each choice with what it does to the model: mode, limit and rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import SteeringSettings
from gazeviz.domain.steering import Hard
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft, soft_text
from gazeviz.ui.controls import choice_button
from gazeviz.ui.steer_texts import HARD_WORDS, MODE_WORDS, SCOPE_WORDS, strength_note

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
            [(mode, words.short) for mode, words in MODE_WORDS.items()], lambda mode: self._set(mode=mode),
        )  # fmt: skip
        self._scope = choice_button(
            "steerScope", "Which rows are steered from the next run on",
            [(scope, words.short) for scope, words in SCOPE_WORDS.items()],
            lambda scope: self._set(scope=scope),
        )  # fmt: skip
        self._hard = {limit: self._hard_button(limit) for limit in HARD_WORDS}
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
        words = HARD_WORDS[limit]
        button = named(QPushButton(words.name), f"steer_{limit}")
        button.setCheckable(True)
        button.setProperty("kind", "pill")
        button.setAccessibleName(f"Strength without limit: {words.name}")
        button.clicked.connect(lambda on: self._set(strength=limit if on else USUAL_STRENGTH))
        return button

    def _explain_entries(self) -> None:
        """What a choice does is read before it is made."""
        for button, texts in ((self._mode, MODE_WORDS), (self._scope, SCOPE_WORDS)):
            for action, words in zip(button.menu().actions(), cast(Any, texts).values(), strict=True):
                action.setToolTip(f"<b>{words.name}</b><br>{words.does}")

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
            button.setChecked(settings.mode != "mass" and settings.strength == limit)
            why_not = why_not_hard(limit, settings)
            button.setEnabled(not why_not)
            button.setToolTip(f"<b>{HARD_WORDS[limit].name}</b><br>{why_not or HARD_WORDS[limit].does}")
        self._notes["modeNote"].setText(MODE_WORDS[settings.mode].does)
        self._notes["limitNote"].setText(strength_note(settings))
        self._notes["scopeNote"].setText(SCOPE_WORDS[settings.scope].does)


def why_not_hard(limit: Hard, settings: SteeringSettings) -> str:
    """Why a limit has no meaning in a mode; "" where it has one."""
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
