"""A slider with its number beside it, in steps of less than one; the number may go beyond the slider."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QStackedWidget, QWidget

from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft

_SLIDER_PX: Final = 64
_NUMBER_PX: Final = 46


class NumberSlider(QWidget):
    """Signals: `value_chosen`, a number; also while the slider is dragged."""

    value_chosen = Signal(float)

    def __init__(
        self,
        name: str,
        label: str,
        low: float,
        high: float,
        step: float,
        tip: str,
        *,
        most: float | None = None,
    ) -> None:
        """most: the largest number that can be typed, `high` if it is not given."""
        super().__init__()
        self.setObjectName(name)
        self._low, self._step = low, step
        self.slider = named(QSlider(Qt.Orientation.Horizontal), f"{name}Slider")
        self.slider.setRange(0, round((high - low) / step))
        self.slider.setMinimumWidth(48)
        self.slider.setMaximumWidth(_SLIDER_PX)
        self.number = named(_Number(), f"{name}Number")
        self.number.setRange(low, high if most is None else most)
        self.number.setSingleStep(step)
        self._word = named(QLabel(), f"{name}Word")
        self._word.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._word.setFont(theme.font_ui(11, 500))
        for control in (self.slider, self.number, self._word):
            control.setToolTip(tip)
            control.setAccessibleName(label)
        self._lay_out(label)
        self.slider.valueChanged.connect(lambda place: self._on_chosen(self._low + place * self._step))
        self.number.valueChanged.connect(self._on_chosen)

    def _lay_out(self, label: str) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.number)
        self._stack.addWidget(self._word)
        self._stack.setFixedSize(_NUMBER_PX, 28)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(soft(QLabel(label)))
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._stack)

    @property
    def value(self) -> float:
        """The number that is, or was last, shown."""
        return self.number.value()

    @property
    def word(self) -> str:
        """What is shown in the number's place, "" for the number."""
        return self._word.text() if self._stack.currentWidget() is self._word else ""

    def set_value(self, value: float) -> None:
        """Show a number, without a signal."""
        with QSignalBlocker(self.number), QSignalBlocker(self.slider):
            self.number.setValue(value)
            self.slider.setValue(round((value - self._low) / self._step))
        self._stack.setCurrentWidget(self.number)

    def set_word(self, word: str) -> None:
        """Show a word in the number's place, the slider at its end; the next move of it is a number again."""
        self._word.setText(word)
        self._stack.setCurrentWidget(self._word)
        with QSignalBlocker(self.slider):
            self.slider.setValue(self.slider.maximum())

    def _on_chosen(self, value: float) -> None:
        self.set_value(value)
        self.value_chosen.emit(value)


class _Number(QDoubleSpinBox):
    """Writes numbers as everything else here does."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setDecimals(2)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def textFromValue(self, value: float) -> str:
        """Without zeros that say nothing."""
        return figure_text(value).removesuffix(".0")
