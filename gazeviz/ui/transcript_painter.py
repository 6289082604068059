"""How a token's chip is drawn: text on its region's colour, colour and number beneath, the cursor around."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen

from gazeviz.ui import theme
from gazeviz.ui.token_chips import NUMBER_PX, PAD_PX, Place, Spelling
from gazeviz.ui.transcript_cues import RegionCue

TOKEN_FONT_PX: Final = 13
_NUMBER_FONT_PX: Final = 9
_LINE_PX: Final = 2
_BASELINE_PX: Final = 16
_RADIUS_PX: Final = 3.0


class ChipPainter:
    """Draws chips one after the other with one painter."""

    def __init__(self, painter: QPainter, font: QFont) -> None:
        self._painter, self._font = painter, font
        self._metrics = QFontMetricsF(font)
        self._number_font = theme.font_mono(_NUMBER_FONT_PX, 500)
        self._colours = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def draw(
        self, place: Place, spelling: Spelling, cue: RegionCue | None, numbered: bool, outline: str
    ) -> None:
        """Draw one chip. outline: "", "newest", "pinned" or "span"."""
        self._draw_body(place, cue)
        if numbered and cue is not None:
            self._draw_number(place, cue)
        self._draw_text(place, spelling)
        if outline:
            self._draw_outline(place, outline)

    def _draw_body(self, place: Place, cue: RegionCue | None) -> None:
        painter, box = self._painter, place.box
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cue.tint if cue is not None else self._colours.raised)
        painter.drawRoundedRect(box.adjusted(0, 0, 0, -_LINE_PX), _RADIUS_PX, _RADIUS_PX)
        beneath = QRectF(box.x(), box.bottom() - _LINE_PX, box.width(), _LINE_PX)
        painter.fillRect(beneath, cue.solid if cue is not None else self._colours.line)

    def _draw_number(self, place: Place, cue: RegionCue) -> None:
        painter, box = self._painter, place.box
        width_px = min(box.width(), 6.0 + 6.0 * len(cue.number))
        tab = QRectF(box.x(), box.bottom() - _LINE_PX, width_px, NUMBER_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cue.solid)
        painter.drawRoundedRect(tab, 2, 2)
        painter.setFont(self._number_font)
        painter.setPen(cue.ink)
        painter.drawText(tab, Qt.AlignmentFlag.AlignCenter, cue.number)

    def _draw_text(self, place: Place, spelling: Spelling) -> None:
        painter, box = self._painter, place.box
        painter.setFont(self._font)
        at = QPointF(box.x() + PAD_PX, box.y() + _BASELINE_PX)
        painter.setPen(self._colours.ink)
        if place.cut:
            room_px = box.width() - 2 * PAD_PX
            text = self._metrics.elidedText(spelling.text, Qt.TextElideMode.ElideMiddle, room_px)
            painter.drawText(at, text)
            return
        for text, unseen in spelling.runs:
            painter.setPen(self._colours.soft if unseen else self._colours.ink)
            painter.drawText(at, text)
            if len(spelling.runs) > 1:
                at.setX(at.x() + self._metrics.horizontalAdvance(text))

    def _draw_outline(self, place: Place, outline: str) -> None:
        painter = self._painter
        width_px = 1.0 if outline == "newest" else 2.0
        pen = QPen(self._colours.accent, width_px)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        grow = width_px / 2
        painter.drawRoundedRect(place.box.adjusted(-grow, -grow, grow, grow), _RADIUS_PX + 1, _RADIUS_PX + 1)
