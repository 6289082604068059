"""Settings: what was set is there the next time, and a damaged file gives settings of the right type."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from gazeviz.app.session.settings import RECENT_KEPT, AppSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.ini"


def opened(path: Path) -> AppSettings:
    return AppSettings(QSettings(str(path), QSettings.Format.IniFormat))


def test_what_was_set_is_there_the_next_time(path):
    settings = opened(path)
    settings.theme = "dark"
    settings.brush_px = 40
    settings.overlay_opacity = 0.25
    settings.tour_seen = True
    settings.last_folder = "/pictures, old"
    settings.note_picture("/a, b.png")
    settings.save_window_layout(b"\x00geometry", b"state\xff")
    settings.sync()
    again = opened(path)
    assert (again.theme, again.brush_px, again.overlay_opacity, again.tour_seen) == ("dark", 40, 0.25, True)
    assert again.last_folder == "/pictures, old" and again.recent_pictures == ("/a, b.png",)
    assert again.window_layout() == (b"\x00geometry", b"state\xff")


def test_the_first_start(path):
    settings = opened(path)
    assert (settings.theme, settings.brush_px, settings.tour_seen) == ("system", 24, False)
    assert not settings.recent_pictures + settings.recent_models and settings.window_layout() is None


@pytest.mark.parametrize("junk", ["", "purple", "-inf", "nan", "1e999", "@Invalid()", "\x00"])
def test_a_damaged_file_gives_settings_of_the_right_type(path, junk):
    store = QSettings(str(path), QSettings.Format.IniFormat)
    for key in ("theme", "brush_px", "overlay_opacity", "tour_seen", "recent_pictures", "window/1/geometry"):
        store.setValue(key, junk)
    settings = AppSettings(store)
    assert settings.theme == "system" and settings.tour_seen is False
    assert 1 <= settings.brush_px <= 512 and 0 <= settings.overlay_opacity <= 1
    assert all(isinstance(text, str) for text in settings.recent_pictures)
    assert settings.window_layout() is None


def test_recent_files_are_listed_once_newest_first(path):
    settings = opened(path)
    for number in range(RECENT_KEPT + 5):
        settings.note_picture(f"{number}.png")
    settings.note_picture("10.png")
    assert settings.recent_pictures[0] == "10.png" and len(settings.recent_pictures) == RECENT_KEPT
    assert settings.recent_pictures.count("10.png") == 1
    settings.note_model("/models/a")
    assert settings.recent_models == ("/models/a",)
    settings.forget_recent()
    assert not settings.recent_pictures + settings.recent_models
