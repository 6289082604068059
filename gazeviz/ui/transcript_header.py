"""The head of a transcript's column: which side it is, and how its run was steered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gazeviz.ui import theme
from gazeviz.ui.column_parts import draw_words
from gazeviz.ui.transcript_cues import RegionCue
from gazeviz.ui.transcript_words import Part

_HEIGHT_PX: Final = 30
_BASELINE_PX: Final = 20
_BADGE_PX: Final = 14
_GAP_PX: Final = 8
_LEAST_REGION_PX: Final = 44


class HeaderLine(QWidget):
    """A line of text in which regions stand with their number and underlined with their colour."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._parts: tuple[Part, ...] = ()
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return f"{self._title}  {''.join(part.text for part in self._parts)}"

    def show_parts(self, parts: Sequence[Part], tip: str) -> None:
        """Say how the run was steered."""
        self._parts = tuple(parts)
        self.setToolTip(tip)
        self.setAccessibleName(self.text)
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the parts as far as there is room, and dots where there is none."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.current()
        x_px = self._draw_text(painter, 0.0, self._title, theme.font_ui(13, 600), colours.ink) + _GAP_PX
        for part in self._parts:
            room_px = self.width() - x_px
            if room_px < (8 if part.cue is None else _LEAST_REGION_PX):
                if room_px > 0:  # else what stands there ends in dots already
                    self._draw_text(painter, x_px, "…", theme.font_ui(12), colours.soft)
                return
            if part.cue is None:
                x_px = self._draw_text(painter, x_px, part.text, theme.font_ui(12), colours.soft)
            else:
                x_px = self._draw_region(painter, x_px, part.text, part.cue)

    def _draw_text(self, painter: QPainter, x_px: float, text: str, font: QFont, colour: QColor) -> float:
        """Draw text on the line's baseline; returns where it ends."""
        painter.setFont(font)
        painter.setPen(colour)
        return draw_words(painter, QPointF(x_px, _BASELINE_PX), text, self.width())

    def _draw_region(self, painter: QPainter, x_px: float, text: str, cue: RegionCue) -> float:
        if cue.number:
            x_px = self._draw_badge(painter, x_px, cue)
        end_px = self._draw_text(painter, x_px, text, theme.font_ui(12, 500), theme.current().ink)
        painter.fillRect(QRectF(x_px, _BASELINE_PX + 3, end_px - x_px, 2), cue.solid)
        return end_px

    def _draw_badge(self, painter: QPainter, x_px: float, cue: RegionCue) -> float:
        width_px = _BADGE_PX + 6.0 * (len(cue.number) - 1)
        badge = QRectF(x_px, _BASELINE_PX - 11, width_px, _BADGE_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cue.solid)
        painter.drawRoundedRect(badge, 3, 3)
        painter.setFont(theme.font_mono(10, 500))
        painter.setPen(cue.ink)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, cue.number)
        return x_px + width_px + 4
