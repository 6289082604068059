"""What the app remembers between sessions: theme, recent files, sizes, and where the window was.

On QSettings. Whatever is in the file, a setting of the right type comes out: the file may be old, damaged or
written by hand. Knows no widget; geometry and dock states are opaque bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

from PySide6.QtCore import QByteArray, QSettings

ThemeChoice: TypeAlias = Literal["system", "light", "dark"]
THEME_CHOICES: tuple[ThemeChoice, ...] = get_args(ThemeChoice)

RECENT_KEPT: Final = 12
_LAYOUT_VERSION: Final = 1
"""Part of the keys of window layouts: docks of another version of the window are not restored."""


class AppSettings:
    """Typed settings; `store` may be another QSettings (tests)."""

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store if store is not None else QSettings("gazeviz", "gazeviz")

    # Looks

    @property
    def theme(self) -> ThemeChoice:
        """Light, dark, or as the system is."""
        value = self._text("theme", "system")
        return value if value in THEME_CHOICES else "system"

    @theme.setter
    def theme(self, choice: ThemeChoice) -> None:
        self._store.setValue("theme", choice)

    @property
    def overlay_opacity(self) -> float:
        """Of the map over the picture, in [0, 1]."""
        return self._number("overlay_opacity", 0.8, 0.0, 1.0)

    @overlay_opacity.setter
    def overlay_opacity(self, opacity: float) -> None:
        self._store.setValue("overlay_opacity", float(opacity))

    @property
    def brush_px(self) -> int:
        """Diameter of the brush in picture pixels."""
        return round(self._number("brush_px", 24, 1, 512))

    @brush_px.setter
    def brush_px(self, diameter_px: int) -> None:
        self._store.setValue("brush_px", int(diameter_px))

    @property
    def tour_seen(self) -> bool:
        """Whether the guided tour was finished or skipped."""
        return self._text("tour_seen", "no") == "yes"

    @tour_seen.setter
    def tour_seen(self, seen: bool) -> None:
        self._store.setValue("tour_seen", "yes" if seen else "no")

    # Recent files

    @property
    def recent_pictures(self) -> tuple[str, ...]:
        """Paths, the newest first."""
        return self._texts("recent_pictures")

    def note_picture(self, path: str) -> None:
        """A picture was opened."""
        self._note_recent("recent_pictures", path)

    @property
    def recent_models(self) -> tuple[str, ...]:
        """Model folders, the newest first."""
        return self._texts("recent_models")

    def note_model(self, source: str) -> None:
        """A model was loaded."""
        self._note_recent("recent_models", source)

    def forget_recent(self) -> None:
        """Forget all recent files."""
        for key in ("recent_pictures", "recent_models"):
            self._store.remove(key)

    @property
    def last_folder(self) -> str:
        """Where a file was last chosen, "" at first."""
        return self._text("last_folder", "")

    @last_folder.setter
    def last_folder(self, folder: str) -> None:
        self._store.setValue("last_folder", folder)

    # The window

    def window_layout(self, name: str = "window") -> tuple[bytes, bytes] | None:
        """Geometry and dock state of a window as they were saved; None where there are none."""
        geometry, state = (self._bytes(f"{name}/{_LAYOUT_VERSION}/{part}") for part in ("geometry", "state"))
        return (geometry, state) if geometry is not None and state is not None else None

    def save_window_layout(self, geometry: bytes, state: bytes, name: str = "window") -> None:
        """Remember where a window and its docks are."""
        self._store.setValue(f"{name}/{_LAYOUT_VERSION}/geometry", QByteArray(geometry))
        self._store.setValue(f"{name}/{_LAYOUT_VERSION}/state", QByteArray(state))

    def sync(self) -> None:
        """Write everything to disk."""
        self._store.sync()

    # Reading, whatever is there

    def _text(self, key: str, otherwise: str) -> str:
        value = self._store.value(key, otherwise)
        return value if isinstance(value, str) else otherwise

    def _number(self, key: str, otherwise: float, low: float, high: float) -> float:
        value = self._store.value(key, otherwise)
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return otherwise
        return min(max(number, low), high) if number == number else otherwise

    def _bytes(self, key: str) -> bytes | None:
        value = self._store.value(key)
        return bytes(value.data()) if isinstance(value, QByteArray) else None

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._store.value(key, [])
        values: Sequence[object] = (
            [value] if isinstance(value, str) else value if isinstance(value, list) else []
        )
        return tuple(text for text in values if isinstance(text, str) and text)[:RECENT_KEPT]

    def _note_recent(self, key: str, newest: str) -> None:
        others = [text for text in self._texts(key) if text != newest]
        self._store.setValue(key, [newest, *others][:RECENT_KEPT])
