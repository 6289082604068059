"""How the window looks: two palettes, two typefaces, tinted icons, one style sheet.

Views ask `current()` for colours when they paint and repaint on `changed`. Colours are those of
gazeviz.render.style, so that reports and the screen agree. It does not know what is drawn with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from gazeviz.app.session.settings import ThemeChoice
from gazeviz.domain.region import region_colour as region_colour_text
from gazeviz.render.style import DARK, LIGHT, Theme, magma_256x3
from gazeviz.resources import resource_path

SPACE: Final = 4
"""The grid that everything stands on, in device-independent pixels."""

_FONT_FILES: Final = (
    "Inter-Regular.otf",
    "Inter-Medium.otf",
    "Inter-SemiBold.otf",
    "JetBrainsMono-Regular.ttf",
    "JetBrainsMono-Medium.ttf",
)
_ON_ACCENT: Final = {True: "#0b1715", False: "#ffffff"}
"""Text on the accent of the dark and of the light theme, at least 4.5 : 1."""
_DANGER: Final = {True: "#e5735c", False: "#b23a1f"}
"""The edge of what deletes."""
_ICON_SIDES_PX: Final = (16, 20, 24, 32, 48)


@dataclass(frozen=True)
class Palette:
    """The colours of a theme. on_accent: text on the accent, at least 4.5 : 1."""

    window: QColor
    panel: QColor
    raised: QColor
    line: QColor
    ink: QColor
    soft: QColor
    canvas: QColor
    accent: QColor
    on_accent: QColor
    dark: bool

    @classmethod
    def of(cls, theme: Theme) -> Palette:
        """The palette of one of render's themes."""
        names = ("window", "panel", "raised", "line", "ink", "soft", "canvas", "accent")
        colours = {name: QColor(getattr(theme, name)) for name in names}
        dark = theme is DARK
        return cls(**colours, on_accent=QColor(_ON_ACCENT[dark]), dark=dark)


class _Look(QObject):
    """Holds which palette is in use; one for the process."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.palette = Palette.of(DARK)
        self.choice: ThemeChoice = "dark"
        self.has_fonts = False


_look = _Look()
changed: Any = _look.changed
"""Emitted after another theme was applied."""


def current() -> Palette:
    """The colours to paint with now."""
    return _look.palette


def choice() -> ThemeChoice:
    """What was asked for: "light", "dark" or "system"."""
    return _look.choice


def apply(app: QApplication, choice: ThemeChoice) -> None:
    """Dress the whole application; "system" asks the platform, and follows it later (see `follow_system`)."""
    choose(app, choice)
    dress(app)
    _look.changed.emit()


def choose(app: QApplication, choice: ThemeChoice) -> None:
    """Take fonts and colours, without the style sheet: `dress` follows when the first window is put together.

    With a style sheet, every part that is put into another one is styled again with all that it holds: it
    made putting the window together three times as slow.
    """
    _load_fonts()
    _look.choice = choice
    dark = choice == "dark" or (choice == "system" and app.styleHints().colorScheme() != Qt.ColorScheme.Light)
    _look.palette = Palette.of(DARK if dark else LIGHT)
    app.setStyle("Fusion")
    app.setFont(font_ui())
    app.setPalette(_qt_palette(_look.palette))


def dress(app: QApplication) -> None:
    """Set the style sheet of the colours that were chosen."""
    app.setStyleSheet(_style_sheet(DARK if _look.palette.dark else LIGHT))


def follow_system(app: QApplication) -> None:
    """Change with the platform's theme while "system" is chosen."""
    app.styleHints().colorSchemeChanged.connect(
        lambda _: apply(app, "system") if choice() == "system" else None
    )


def font_ui(px: int = 13, weight: int = 400) -> QFont:
    """The typeface of words."""
    return _font("Inter", QFont.StyleHint.SansSerif, px, weight)


def font_mono(px: int = 12, weight: int = 400) -> QFont:
    """The typeface of tokens, axes and figures; every character as it is, none joined with its neighbour."""
    font = _font("JetBrains Mono", QFont.StyleHint.Monospace, px, weight)
    font.setFeature(QFont.Tag("calt"), 0)  # where this face keeps its ligatures: "<|" would be a triangle
    return font


def region_colour(index: int) -> QColor:
    """The colour of the region at a place of the list (Okabe-Ito, then again from the start)."""
    return QColor(region_colour_text(index))


@cache
def magma_lut() -> NDArray[np.uint8]:
    """The one colour map of scores and attention: uint8 (256, 3)."""
    return magma_256x3()


def icon(name: str) -> QIcon:
    """A shipped icon in the ink colour of the present theme; take it anew when the theme changes."""
    return _icon(name, _look.palette.ink.name(), _look.palette.soft.name())


@cache
def _icon(name: str, ink: str, soft: str) -> QIcon:
    svg = resource_path("icons", f"{name}.svg").read_bytes()
    icon = QIcon()
    for side_px in _ICON_SIDES_PX:
        icon.addPixmap(_drawn(svg, ink, side_px), QIcon.Mode.Normal)
        icon.addPixmap(_drawn(svg, soft, side_px), QIcon.Mode.Disabled)
    return icon


def _drawn(svg: bytes, colour: str, side_px: int) -> QPixmap:
    pixmap = QPixmap(side_px, side_px)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg)).render(painter, QRectF(0, 0, side_px, side_px))
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(pixmap.rect(), QColor(colour))
    painter.end()
    return pixmap


def _font(family: str, hint: QFont.StyleHint, px: int, weight: int) -> QFont:
    font = QFont(family)
    font.setStyleHint(hint)
    font.setPixelSize(px)
    font.setWeight(QFont.Weight(weight))
    return font


def _load_fonts() -> None:
    """Add the shipped typefaces; the platform's own are used where they cannot be read."""
    if not _look.has_fonts:
        for name in _FONT_FILES:
            QFontDatabase.addApplicationFont(str(resource_path("fonts", name)))
        _look.has_fonts = True


def _style_sheet(theme: Theme) -> str:
    """Qt style sheet for a theme: rules for widget kinds, and for `role` (labels) and `kind` (buttons)."""
    kind = "dark" if theme is DARK else "light"
    return Template(resource_path("window.qss").read_text(encoding="utf-8")).substitute(
        vars(theme),
        on_accent=_ON_ACCENT[theme is DARK],
        danger=_DANGER[theme is DARK],
        caret=resource_path("icons", f"caret-{kind}.svg").as_posix(),
        check=resource_path("icons", f"check-{kind}.svg").as_posix(),
    )


def _qt_palette(colours: Palette) -> QPalette:
    """Fusion's own palette: what the style sheet does not reach."""
    palette, role = QPalette(), QPalette.ColorRole
    for roles, colour in (
        ((role.Window, role.Button, role.AlternateBase), colours.panel),
        ((role.Base, role.ToolTipBase, role.Light, role.Midlight), colours.raised),
        ((role.Text, role.WindowText, role.ButtonText, role.ToolTipText, role.BrightText), colours.ink),
        ((role.PlaceholderText,), colours.soft),
        ((role.Mid, role.Dark, role.Shadow), colours.line),
        ((role.Highlight, role.Link, role.Accent), colours.accent),
        ((role.HighlightedText,), colours.on_accent),
    ):
        for one in roles:
            palette.setColor(one, colour)
    for one in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, colours.soft)
    return palette
