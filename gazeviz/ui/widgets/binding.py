"""Controls and settings that mirror a piece of the session.

`bind` is for a control that shows a value and sets it; SettingsBinding keeps what a person sets between two
starts: the session says what changed, the settings remember it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from PySide6.QtCore import QObject, QSignalBlocker, SignalInstance
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QDoubleSpinBox, QSpinBox

from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.resources import resource_path


class SettingsBinding(QObject):
    """Takes brush and overlay from the settings, and writes them back; notes recent models."""

    def __init__(self, model: SessionModel, settings: AppSettings) -> None:
        super().__init__(model)
        self._model, self._settings = model, settings
        model.brush_px = settings.brush_px
        model.overlay_opacity = settings.overlay_opacity
        model.brush_changed.connect(self._on_brush_changed)
        model.view_changed.connect(self._on_view_changed)
        model.model_changed.connect(self._on_model_changed)

    def _on_brush_changed(self) -> None:
        self._settings.brush_px = self._model.brush_px

    def _on_view_changed(self) -> None:
        self._settings.overlay_opacity = self._model.overlay_opacity

    def _on_model_changed(self) -> None:
        info = self._model.model_info
        if info is not None and Path(info.path) != resource_path("models", "comic-vlm"):
            self._settings.note_model(info.path)


Control: TypeAlias = QAbstractButton | QAbstractSlider | QSpinBox | QDoubleSpinBox


def bind(
    model: SessionModel,
    name: str,
    changed: SignalInstance,
    control: Control,
    *,
    shown: Callable[[Any], Any] = lambda value: value,
    taken: Callable[[Any], Any] = lambda value: value,
) -> None:
    """Let a control show a value of the session, now and after each `changed`, and set it by hand.

    name: of an attribute of the session, or of a field of one, "generation.seed".
    shown, taken: from the session's value to the control's, and back. Showing never sets: a control in whole
    steps would turn 0.805 into 0.8.
    """
    binding = _Binding(model, name, control, shown, taken)
    changed.connect(binding.show)
    binding.show()


class _Binding(QObject):
    """Belongs to its control and ends with it."""

    def __init__(
        self,
        model: SessionModel,
        name: str,
        control: Control,
        shown: Callable[[Any], Any],
        taken: Callable[[Any], Any],
    ) -> None:
        super().__init__(control)
        self._model, self._control, self._shown, self._taken = model, control, shown, taken
        self._whole, _, self._part = name.partition(".")
        by_hand = control.toggled if isinstance(control, QAbstractButton) else control.valueChanged
        by_hand.connect(self.take)

    def show(self) -> None:
        value = getattr(self._model, self._whole)
        value = self._shown(getattr(value, self._part) if self._part else value)
        with QSignalBlocker(self._control):
            if isinstance(self._control, QAbstractButton):
                self._control.setChecked(value)
            else:
                self._control.setValue(value)

    def take(self, value: Any) -> None:
        value = self._taken(value)
        if self._part:
            value = replace(getattr(self._model, self._whole), **{self._part: value})
        setattr(self._model, self._whole, value)
