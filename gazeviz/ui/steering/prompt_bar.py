"""What is asked: the prompt with its presets, how long and how the answer is written, and the run button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QSpinBox,
    QStyle,
    QStyleOptionButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs import presets
from gazeviz.app.runs.readiness import Readiness, readiness, reasons
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import GenerationSettings
from gazeviz.domain.wording import format_figure
from gazeviz.ui.steering.steering_commands import preset_menu, way_commands
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import bind
from gazeviz.ui.widgets.command import refill
from gazeviz.ui.widgets.controls import (
    CARET,
    OWNS_ESCAPE,
    ElidedLabel,
    MenuButton,
    Popover,
    named,
    push_button,
    soft,
    tinted,
)
from gazeviz.ui.widgets.number_box import NumberBox, WholeNumberBox

# The line that the question is written on; it grows to three. Enter runs, Shift+Enter begins a new line.


MOST_LINES: Final = 3
ONE_LINE_PX: Final = 34
_ABOVE_PX: Final = 3
_DOCUMENT_MARGIN_PX: Final = 2


class PromptEdit(QPlainTextEdit):
    """The session's prompt. Signals: `run_wanted` on Enter, `left` on Esc."""

    run_wanted = Signal()
    left = Signal()

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promptEdit")
        self._model = model
        self.setProperty(OWNS_ESCAPE, True)
        self.setAccessibleName("Prompt")
        self.setToolTip(
            "What the model is asked about the picture.  Enter runs, Shift+Enter begins a new line"
        )
        self.setPlaceholderText("Ask about the picture")
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(_DOCUMENT_MARGIN_PX)
        self.setViewportMargins(0, _ABOVE_PX, 0, _ABOVE_PX)  # no part of a fourth line is seen there
        self.textChanged.connect(self._on_text_changed)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        model.prompt_changed.connect(self._on_prompt_changed)
        theme.changed.connect(self._fit)
        self._on_prompt_changed()
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Room for a few words."""
        return QSize(120, self.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter runs and Esc leaves; anything else writes."""
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not shifted:
            self.run_wanted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words wrap elsewhere now."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Another font has another height."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        """As high as its lines, and from the fourth on scrolling."""
        lines = round(self.document().size().height())  # a plain text document counts its height in lines
        scroll = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            scroll.ScrollBarAsNeeded if lines > MOST_LINES else scroll.ScrollBarAlwaysOff
        )
        shown = min(max(lines, 1), MOST_LINES)
        height_px = ONE_LINE_PX + (shown - 1) * self.fontMetrics().lineSpacing()
        if height_px != self.height():
            self.setFixedHeight(height_px)

    def _on_text_changed(self) -> None:
        self._model.prompt = self.toPlainText()

    def _on_prompt_changed(self) -> None:
        if self.toPlainText() != self._model.prompt:
            self.setPlainText(self._model.prompt)


# The one button in the accent: Run, and Stop while something runs. It is never disabled: it says why not.


_KEY: Final = "Space"
_ICON_PX: Final = 14


class RunButton(QPushButton):
    """Shows whether it runs or stops, its key, and whether a run could begin."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runButton")
        self.setProperty("kind", "primary")
        self._running = False
        self._shown: tuple[bool, bool, str] | None = None
        self.show_state(running=False, can_run=False, tip="")
        theme.changed.connect(self.update)

    def show_state(self, *, running: bool, can_run: bool, tip: str) -> None:
        """Take in what a click would do."""
        if (running, can_run, tip) == self._shown:
            return
        self._running, self._shown = running, (running, can_run, tip)
        self.setAccessibleName("Stop" if running else "Run")
        self.setAccessibleDescription(tip)
        self.setToolTip(tip)
        set_kind(self, "primary" if running or can_run else "quiet")
        self.update()

    @property
    def label(self) -> str:
        """What is written on it."""
        return "Stop" if self._running else "Run"

    def sizeHint(self) -> QSize:
        """The same for Run and Stop, so that nothing moves."""
        return QSize(112, 34)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the button, then icon, word and key."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter, colours = QPainter(self), theme.current()
        self.style().drawControl(QStyle.ControlElement.CE_PushButton, option, painter, self)
        primary = self.property("kind") == "primary"
        ink = colours.on_accent if primary else colours.soft
        middle, left = self.height() // 2, 12
        icon = tinted(
            theme.icon("stop" if self._running else "play"), _ICON_PX, ink, self.devicePixelRatioF()
        )
        painter.drawPixmap(QRect(left, middle - _ICON_PX // 2, _ICON_PX, _ICON_PX), icon)
        painter.setPen(ink)
        painter.setFont(theme.font_ui(13, 600))
        room = self.rect().adjusted(left + _ICON_PX + 6, 0, -12, 0)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.label)
        painter.setFont(theme.font_ui(11, 500))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, _KEY)


def set_kind(button: QPushButton, kind: str) -> None:
    """Dress a button as another kind (see the style sheet)."""
    if button.property("kind") != kind:
        button.setProperty("kind", kind)
        button.style().unpolish(button)
        button.style().polish(button)


# How the next token is chosen: greedy, or drawn with a temperature, a nucleus and a seed.


USUAL_TEMPERATURE: Final = 0.8
_MAX_SEED: Final = 2**31 - 1


class SamplingButton(QPushButton):
    """Says how tokens are chosen; opens the sheet where that is changed."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("samplingButton")
        self._model = model
        self._sheet = SamplingSheet(model, self)
        self.setToolTip("How the next token is chosen: the most likely one, or sampled with a seed")
        self.clicked.connect(lambda: self._sheet.open_at(self))
        model.generation_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        text = sampling_text(self._model.generation)
        self.setText(f"{text} {CARET}")
        self.setAccessibleName(f"How tokens are chosen: {text}")


class SamplingSheet(Popover):
    """Greedy or drawn; temperature, top-p and seed of the draw; what holds repetition back in both."""

    def __init__(self, model: SessionModel, parent: QWidget) -> None:
        super().__init__("samplingSheet", parent)
        self._model = model
        self._greedy = _radio(
            "samplingGreedy", "Greedy", "Always the most likely token: the same text every time"
        )
        self._drawn = _radio(
            "samplingDrawn", "Drawn at random", "Tokens are sampled; the seed makes it repeatable"
        )
        self._temperature = _decimal(
            "temperature", 0.05, 5.0, 0.1, "Temperature: below 1 more conservative, above 1 more varied"
        )
        self._temperature.setValue(USUAL_TEMPERATURE)
        self._top_p = _decimal(
            "topP", 0.05, 1.0, 0.05, "Sample only from the most likely tokens that make up this share"
        )
        self._seed = named(WholeNumberBox(), "samplingSeed")
        self._seed.setRange(0, _MAX_SEED)
        _plain(self._seed, "Seed of the draw: the same seed gives the same text")
        self._penalty = _decimal(
            "repetitionPenalty", 0.05, 10.0, 0.05,
            "Repetition penalty: above 1 makes tokens of the prompt and the answer less likely; 1 for none",
        )  # fmt: skip
        self._ngram = named(WholeNumberBox(), "noRepeatNgram")
        self._ngram.setRange(0, 20)
        self._ngram.setSpecialValueText("off")
        _plain(self._ngram, "Never write so many tokens in a row a second time; 0 turns it off")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._greedy)
        layout.addWidget(self._drawn)
        draw = (("Temperature", self._temperature), ("Top-p", self._top_p), ("Seed", self._seed))
        layout.addLayout(_form(draw, indent_px=20))
        both = (("Repetition penalty", self._penalty), ("No repeated n-gram", self._ngram))
        layout.addLayout(_form(both, indent_px=0))

    def _connect(self) -> None:
        self._greedy.clicked.connect(lambda: self._set(temperature=0.0))
        self._drawn.clicked.connect(lambda: self._set(temperature=self._temperature.value()))
        changed = self._model.generation_changed
        bind(self._model, "generation.temperature", changed, self._temperature,
             shown=lambda value: value or self._temperature.value())  # fmt: skip
        bind(self._model, "generation.top_p", changed, self._top_p)
        bind(self._model, "generation.seed", changed, self._seed)
        bind(self._model, "generation.repetition_penalty", changed, self._penalty)
        bind(self._model, "generation.no_repeat_ngram_tok", changed, self._ngram)
        self._model.generation_changed.connect(self._refresh)
        self._refresh()

    def _set(self, **change: float) -> None:
        self._model.generation = replace(self._model.generation, **change)  # type: ignore[arg-type]

    def _refresh(self) -> None:
        settings = self._model.generation
        drawn = settings.temperature > 0
        (self._drawn if drawn else self._greedy).setChecked(True)
        for control in (self._temperature, self._top_p, self._seed):
            control.setEnabled(drawn)


def sampling_text(settings: GenerationSettings) -> str:
    """How tokens are chosen, short."""
    parts = ["Greedy"]
    if settings.temperature:
        parts = [f"T {format_figure(settings.temperature)}"]
        parts += [f"p {format_figure(settings.top_p)}"] if settings.top_p < 1 else []
        parts.append(f"seed {settings.seed}")
    if settings.repetition_penalty != 1 or settings.no_repeat_ngram_tok:
        parts.append("less repetition")
    return " · ".join(parts)


def _form(rows: Sequence[tuple[str, QWidget]], indent_px: int) -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(indent_px, 0, 0, 0)
    for text, control in rows:
        form.addRow(soft(QLabel(text)), control)
    return form


def _radio(name: str, text: str, tip: str) -> QRadioButton:
    button = named(QRadioButton(text), name)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _decimal(name: str, low: float, high: float, step: float, tip: str) -> NumberBox:
    box = named(NumberBox(), name)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(2)
    _plain(box, tip)
    return box


def _plain(box: QAbstractSpinBox, tip: str) -> None:
    box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    box.setKeyboardTracking(False)
    box.setFixedWidth(96)
    box.setToolTip(tip)
    box.setAccessibleName(tip)


MOST_NEW_TOK: Final = 4096
_DICE_PX: Final = 14


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
        self._presets.offer(partial(preset_menu, model, controller))
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

    def _make_length(self) -> WholeNumberBox:
        box = named(WholeNumberBox(), "newTokens")
        box.setRange(2, MOST_NEW_TOK)
        box.setSuffix(" tokens")
        box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        box.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box.setKeyboardTracking(False)
        box.setFixedWidth(92)
        box.setAccessibleName("Maximum number of new tokens")
        box.setToolTip("Token limit; the model may stop earlier")
        return box

    def _make_ways(self) -> QPushButton:
        tip = "Run the baseline only, or the steered answer only"
        button = push_button("runWays", CARET, tip, spoken="Other ways to run", kind="primary")
        button.setFixedWidth(24)
        button.setStyleSheet("padding: 0;")
        menu = QMenu(button)
        button.setMenu(menu)

        def fill() -> None:
            refill(menu, way_commands(self._controller))

        menu.aboutToShow.connect(fill)
        fill()
        return button

    def _make_reason_row(self) -> QWidget:
        self._reason_row = QWidget()
        row = QHBoxLayout(self._reason_row)
        row.setContentsMargins(2, 0, 0, 0)
        row.setSpacing(6)
        self._icon.setFixedSize(_DICE_PX, _DICE_PX)
        row.addWidget(self._icon)
        row.addWidget(self._reason, 1)
        return self._reason_row

    def _connect(self) -> None:
        model = self._model
        self.edit.run_wanted.connect(self._on_enter)
        self.edit.left.connect(lambda: self._run.setFocus(Qt.FocusReason.OtherFocusReason))
        self._run.clicked.connect(self._controller.run_or_stop)
        bind(model, "generation.max_new_tokens", model.generation_changed, self._length)
        self._frame.follow(*reasons(model), model.run_changed, model.worker_changed)
        for signal in (model.prompt_changed, model.regions_changed):
            signal.connect(self._refresh_preset)
        theme.changed.connect(self._refresh)

    # Acting

    def _on_enter(self) -> None:
        if not self._controller.runs.active:
            self._controller.run()

    # Showing

    def _refresh(self) -> None:
        self._frame.drop()
        model = self._model
        state, running = readiness(model), self._controller.runs.active
        self._run.show_state(running=running, can_run=state.can_run, tip=_tip(state, running))
        set_kind(self._ways, "primary" if running or state.can_run else "quiet")
        self._show_reason(state, running)

    def _refresh_preset(self) -> None:
        preset = presets.preset_asked(self._model)
        self._presets.set_label(preset.name if preset else "Presets")

    def _show_reason(self, state: Readiness, running: bool) -> None:
        self._reason_row.setVisible(bool(state.sentence) and not running)
        colour = theme.current().soft if state.can_run else theme.current().ink
        icon = theme.icon("info" if state.can_run else "warning")
        self._icon.setPixmap(tinted(icon, _DICE_PX, colour, self.devicePixelRatioF()))
        alone = "Run will produce the baseline only. " if state.can_run else ""
        self._reason.set_whole(f"{alone}{state.sentence} {state.next_step}".strip())


def _tip(state: Readiness, running: bool) -> str:
    """What a click on the run button does, with its key."""
    if running:
        return "Stop within one token; the tokens so far are kept  Space"
    if not state.can_run:
        return f"{state.sentence} {state.next_step}"
    if not state.steered:
        return f"Run the baseline only: {state.sentence[0].lower()}{state.sentence[1:]}  Space"
    return "Run the baseline, then the answer with the chosen heads pointed at the target  Space"
