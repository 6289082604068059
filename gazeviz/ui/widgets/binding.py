"""Keeps what a person sets between two starts: the session says what changed, the settings remember it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject

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
