"""A region as it is known everywhere: its number on its colour."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from gazeviz.render.overlay import ink_on
from gazeviz.ui import theme

BADGE_PX = QSize(20, 16)


def badge(number: int, colour: str, ratio: float = 1.0) -> QPixmap:
    """The number on the colour, for a screen of a device-pixel ratio."""
    pixmap = QPixmap(BADGE_PX * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(0, 0, BADGE_PX.width(), BADGE_PX.height())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QColor(ink_on(colour)))
    painter.setFont(theme.font_ui(11, 600))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(number))
    painter.end()
    return pixmap


def badge_icon(number: int, colour: str) -> QIcon:
    """The badge for buttons and menus, sharp on every screen."""
    icon = QIcon()
    for ratio in (1.0, 1.5, 2.0, 3.0):
        icon.addPixmap(badge(number, colour, ratio))
    return icon
