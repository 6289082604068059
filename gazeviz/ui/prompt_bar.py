"""What is asked: the prompt with its presets, how long and how the answer is written, and the run button."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app import asking
from gazeviz.app.readiness import Readiness, readiness, reasons
from gazeviz.app.run_controller import RunController
from gazeviz.app.runner import Which
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.prompts import PRESETS, Preset
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, soft, tinted
from gazeviz.ui.controls import CARET, ElidedLabel, MenuButton
from gazeviz.ui.prompt_edit import ONE_LINE_PX, PromptEdit
from gazeviz.ui.run_button import RunButton, set_kind
from gazeviz.ui.sampling_button import SamplingButton

MOST_NEW_TOK: Final = 4096
_ICON_PX: Final = 14
_WAYS: Final[tuple[tuple[Which, str, str], ...]] = (
    ("both", "Baseline, then steered", "The prompt without steering, then with it: what Run does"),
    ("baseline", "Baseline only", "The prompt without steering"),
    ("steered", "Steered only", "The prompt with the chosen heads pointed at the target"),
)


class PromptBar(QWidget):
    """Asks, runs and stops."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promptBar")
        self._model, self._controller = model, controller
        self.edit = PromptEdit(model)
        self._presets = MenuButton(
            "", "presetMenu", "Questions of published experiments, with length and rows"
        )
        self._about_panel = QMenu(PRESETS["direct"].name, self)
        self._about_panel.setToolTipsVisible(True)
        self._length = self._make_length()
        self._run = RunButton()
        self._frame = model.frames.part(self, self._refresh)
        self._ways = self._make_ways()
        self._icon, self._reason = named(QLabel(), "runReasonIcon"), soft(named(ElidedLabel(), "runReason"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(self._make_row())
        layout.addWidget(self._make_reason_row())
        self._connect()
        self._refresh()
        self._refresh_preset()

    def focus_prompt(self) -> None:
        """Let the prompt be written."""
        self.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edit.selectAll()

    # Building

    def _make_row(self) -> QHBoxLayout:
        row, buttons = QHBoxLayout(), QWidget()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self.edit, 1, Qt.AlignmentFlag.AlignTop)
        buttons.setFixedHeight(ONE_LINE_PX)
        beside = QHBoxLayout(buttons)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(6)
        for widget in (self._presets, self._length, SamplingButton(self._model), self._run, self._ways):
            widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
            beside.addWidget(widget)
        beside.insertSpacing(3, 2)
        row.addWidget(buttons, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _make_length(self) -> QSpinBox:
        box = named(QSpinBox(), "newTokens")
        box.setRange(2, MOST_NEW_TOK)
        box.setSuffix(" tokens")
        box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        box.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box.setKeyboardTracking(False)
        box.setFixedWidth(92)
        box.setAccessibleName("Longest answer in new tokens")
        box.setToolTip("The longest answer: the model stops earlier where it has said all")
        return box

    def _make_ways(self) -> QPushButton:
        tip = "Run the baseline only, or the steered answer only"
        button = push_button("runWays", CARET, tip, spoken="Other ways to run", kind="primary")
        button.setFixedWidth(24)
        button.setStyleSheet("padding: 0;")
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        for which, text, tip in _WAYS:
            action = QAction(text, menu)
            action.setObjectName(f"run_{which}")
            action.setToolTip(tip)
            action.triggered.connect(lambda _=False, wanted=which: self._controller.run(wanted))
            menu.addAction(action)
        button.setMenu(menu)
        return button

    def _make_reason_row(self) -> QWidget:
        self._reason_row = QWidget()
        row = QHBoxLayout(self._reason_row)
        row.setContentsMargins(2, 0, 0, 0)
        row.setSpacing(6)
        self._icon.setFixedSize(_ICON_PX, _ICON_PX)
        row.addWidget(self._icon)
        row.addWidget(self._reason, 1)
        return self._reason_row

    def _connect(self) -> None:
        model = self._model
        self.edit.run_wanted.connect(self._on_enter)
        self.edit.left.connect(lambda: self._run.setFocus(Qt.FocusReason.OtherFocusReason))
        self._run.clicked.connect(self._controller.run_or_stop)
        self._length.valueChanged.connect(self._on_length)
        self._presets.menu().aboutToShow.connect(self._fill_presets)
        self._frame.follow(*reasons(model), model.run_changed, model.worker_changed)
        for signal in (model.prompt_changed, model.regions_changed):
            signal.connect(self._refresh_preset)
        theme.changed.connect(self._refresh)

    # Acting

    def _on_enter(self) -> None:
        if not self._controller.running:
            self._controller.run()

    def _on_length(self, length_tok: int) -> None:
        self._model.generation = replace(self._model.generation, max_new_tokens=length_tok)

    def _fill_presets(self) -> None:
        menu = self._presets.menu()
        menu.clear()
        for preset in PRESETS.values():
            if preset.wording is None:
                self._add_direct(menu, preset)
            else:
                self._add_question(menu, preset, preset.name, preset.wording)

    def _add_direct(self, menu: QMenu, preset: Preset) -> None:
        questions = asking.questions_of(self._model)
        if not questions:
            self._add_question(menu, preset, preset.name, "The picture has no panels that it could name.")
            return
        self._about_panel.clear()
        for place, (panel, question) in enumerate(zip(asking.panels_of(self._model), questions, strict=True)):
            self._add_question(self._about_panel, preset, f"About {panel.name}", question, place)
        menu.addMenu(self._about_panel)

    def _add_question(self, menu: QMenu, preset: Preset, text: str, wording: str, panel: int = 0) -> None:
        action = menu.addAction(text)
        action.setObjectName(f"preset_{preset.key}_{panel}")
        tokens = f"{preset.new_tok} tokens{' for each panel' if preset.each_panel else ''}"
        action.setToolTip(
            f"<b>{wording}</b><br>{preset.does}<br>Sets {tokens} and the rows that are steered."
        )
        action.triggered.connect(
            lambda: self._controller.attempt(lambda: asking.ask(self._model, preset, panel), "run")
        )

    # Showing

    def _refresh(self) -> None:
        self._frame.drop()
        model = self._model
        with QSignalBlocker(self._length):
            self._length.setValue(model.generation.max_new_tokens)
        state, running = readiness(model), self._controller.running
        self._run.show_state(running=running, can_run=state.can_run, tip=_tip(state, running))
        set_kind(self._ways, "primary" if running or state.can_run else "quiet")
        self._show_reason(state, running)

    def _refresh_preset(self) -> None:
        preset = asking.preset_asked(self._model)
        self._presets.set_label(preset.name if preset else "Presets")

    def _show_reason(self, state: Readiness, running: bool) -> None:
        self._reason_row.setVisible(bool(state.sentence) and not running)
        colour = theme.current().soft if state.can_run else theme.current().ink
        icon = theme.icon("info" if state.can_run else "warning")
        self._icon.setPixmap(tinted(icon, _ICON_PX, colour, self.devicePixelRatioF()))
        alone = "Run writes the baseline alone. " if state.can_run else ""
        self._reason.set_whole(f"{alone}{state.sentence} {state.next_step}".strip())


def _tip(state: Readiness, running: bool) -> str:
    """What a click on the run button does, with its key."""
    if running:
        return "Stop within one token; what was written stays  Space"
    if not state.can_run:
        return f"{state.sentence} {state.next_step}"
    if not state.steered:
        return f"Write the baseline alone: {state.sentence[0].lower()}{state.sentence[1:]}  Space"
    return "Write the baseline, then the answer with the chosen heads pointed at the target  Space"
