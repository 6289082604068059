"""A region as it is known everywhere: its number on its colour."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QIcon, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from gazeviz.app.session.session_model import SessionModel
from gazeviz.render.overlay import ink_on
from gazeviz.ui.widgets import theme

# A line that names a place of the picture: a region by its colour and number, or anything else in words.


_CHIP_PX = QSize(18, 16)
_GAP_PX = 6


def draw_badge(
    painter: QPainter,
    box: QRectF,
    text: str,
    colour: str,
    font: QFont,
    *,
    radius_px: float = 4,
    edge: QColor | None = None,
) -> None:
    """Draw a number or a letter on a small sheet of its colour.

    edge: of the line around it, which parts it from curves beneath; none where it is left out.
    """
    painter.setPen(Qt.PenStyle.NoPen if edge is None else QPen(edge, 1))
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(box, radius_px, radius_px)
    painter.setFont(font)
    painter.setPen(QColor(ink_on(colour)))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class PicturePlace(NamedTuple):
    """A place of the picture; number and colour are those of its region, None where it is none."""

    name: str
    number: int | None = None
    colour: str | None = None


def place_of(model: SessionModel, region_id: int | None, otherwise: str) -> PicturePlace:
    """The place of a region as the list shows it, or `otherwise` where there is no such region."""
    region = model.regions.get(region_id)
    if region is None:
        return PicturePlace(otherwise)
    return PicturePlace(region.name, model.regions.number_of(region.id), region.colour)


class PlaceLabel(QWidget):
    """Says "mass on [4] Panel 4"; what does not fit ends in dots, and the tooltip says all."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._before, self._after, self._place = "", "", PicturePlace("")
        theme.changed.connect(self.update)

    @property
    def text(self) -> str:
        """All of it, in words."""
        number = "" if self._place.number is None else f"{self._place.number} "
        words = (self._before, f"{number}{self._place.name}", self._after)
        return " ".join(word for word in words if word)

    def show_place(self, before: str, place: PicturePlace, after: str = "") -> None:
        """Name a place between two pieces of soft text."""
        if (before, after, place) == (self._before, self._after, self._place):
            return
        self._before, self._after, self._place = before, after, place
        self.setToolTip(self.text)
        self.setAccessibleName(self.text)
        self.update()

    def sizeHint(self) -> QSize:
        """One line, as wide as there is room."""
        return QSize(120, 20)

    def minimumSizeHint(self) -> QSize:
        """A chip and a few letters."""
        return QSize(48, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the words and the chip between them."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = self._draw_words(painter, 0.0, self._before, colours.soft)
        if self._place.number is not None and self._place.colour is not None:
            x = self._draw_chip(painter, x, self._place.number, self._place.colour)
        x = self._draw_words(painter, x, self._place.name, colours.ink)
        self._draw_words(painter, x, self._after, colours.soft)

    def _draw_words(self, painter: QPainter, x: float, words: str, colour: QColor) -> float:
        """Draw some words as far as there is room; returns where the next begin."""
        font = theme.font_ui(12)
        metrics, room = QFontMetricsF(font), self.width() - x
        if not words or room < 12:
            return x
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(QRectF(x, 0, room, self.height()), Qt.AlignmentFlag.AlignVCenter, shown)
        return x + metrics.horizontalAdvance(shown) + _GAP_PX

    def _draw_chip(self, painter: QPainter, x: float, number: int, colour: str) -> float:
        top = (self.height() - _CHIP_PX.height()) / 2
        box = QRectF(x, top, _CHIP_PX.width(), _CHIP_PX.height())
        draw_badge(painter, box, str(number), colour, theme.font_ui(11, 600))
        return box.right() + _GAP_PX


BADGE_PX = QSize(20, 16)


def badge(number: int, colour: str, ratio: float = 1.0) -> QPixmap:
    """The number on the colour, for a screen of a device-pixel ratio."""
    pixmap = QPixmap(BADGE_PX * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(0, 0, BADGE_PX.width(), BADGE_PX.height())
    draw_badge(painter, box, str(number), colour, theme.font_ui(11, 600))
    painter.end()
    return pixmap


def badge_icon(number: int, colour: str) -> QIcon:
    """The badge for buttons and menus, sharp on every screen."""
    icon = QIcon()
    for ratio in (1.0, 1.5, 2.0, 3.0):
        icon.addPixmap(badge(number, colour, ratio))
    return icon
