"""Words and numbers on the canvas: labels of regions, what is pointed at, what to do without a picture."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPixmapCache

from gazeviz.app.session_model import SessionModel
from gazeviz.render.overlay import ink_on
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme

_LABEL_HEIGHT_PX = 18
_LABEL_FONT_PX = 11


def region_label_size(number: str, text: str) -> QSize:
    """The size of a region's label: a chip with its number, and a second part where there is a text."""
    metrics = QFontMetricsF(theme.font_ui(_LABEL_FONT_PX, 600))
    width = _number_width(metrics, number) + (metrics.horizontalAdvance(text) + 12 if text else 0)
    return QSize(round(width), _LABEL_HEIGHT_PX)


def draw_region_label(
    painter: QPainter, rect: QRect, colour: str, number: str, text: str, is_target: bool
) -> None:
    """Draw a region's number on its colour; the target's wears a ring as a second sign."""
    ratio = painter.device().devicePixelRatioF()
    key = f"region label {rect.width()}x{rect.height()} {ratio} {colour} {number} {text} {is_target}"
    label = QPixmap()
    if not QPixmapCache.find(key, label):
        label = QPixmap(rect.size() * ratio)
        label.setDevicePixelRatio(ratio)
        label.fill(Qt.GlobalColor.transparent)
        on_label = QPainter(label)
        _draw_label(on_label, QRect(QPoint(0, 0), rect.size()), colour, number, text, is_target)
        on_label.end()
        QPixmapCache.insert(key, label)
    painter.drawPixmap(rect.topLeft(), label)


def _draw_label(painter: QPainter, rect: QRect, colour: str, number: str, text: str, is_target: bool) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font_ui(_LABEL_FONT_PX, 600))
    number_width = _number_width(QFontMetricsF(painter.font()), number)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(rect, 4, 4)
    painter.setPen(QColor(ink_on(colour)))
    whole = QRectF(rect)
    number_rect = QRectF(whole.left(), whole.top(), number_width, whole.height())
    painter.drawText(number_rect, Qt.AlignmentFlag.AlignCenter, number)
    if text:
        rest = whole.adjusted(number_width - 2, 0, -6, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
    if is_target:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(whole.adjusted(1.5, 1.5, -1.5, -1.5), 3, 3)


def hover_text(model: SessionModel, cell: int | None) -> str:
    """What is under the pointer: the cell's number and place, and its share of the attention shown."""
    grid = model.grid
    if grid is None or cell is None or cell >= grid.n_tokens:
        return ""
    parts = [f"cell {cell}"]
    if grid.shape_RC is not None:
        parts.append(f"row {cell // grid.shape_RC[1]}, column {cell % grid.shape_RC[1]}")
    values_P = model.map.values_P
    if values_P is not None and cell < len(values_P):
        parts.append(f"mass {_small(float(values_P[cell]))}")
    return "  ·  ".join(parts)


def draw_chip(painter: QPainter, area: QRect, text: str) -> None:
    """Draw a line of text on a quiet ground, as wide as it needs, at the left of an area."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font_mono(11))
    colours = theme.current()
    width = min(area.width(), round(QFontMetricsF(painter.font()).horizontalAdvance(text)) + 20)
    rect = QRectF(area.left() + 0.5, area.top() + 0.5, width, area.height() - 4)
    painter.setPen(colours.line)
    painter.setBrush(colours.panel)
    painter.drawRoundedRect(rect, 6, 6)
    painter.setPen(colours.ink)
    painter.drawText(rect.adjusted(10, 0, -6, 0), Qt.AlignmentFlag.AlignVCenter, text)
    painter.restore()


def draw_focus(painter: QPainter, area: QRect) -> None:
    """Draw the frame that says that keys go here."""
    painter.setPen(QPen(theme.current().accent, 2.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(area).adjusted(1, 1, -1, -1))


def draw_empty(painter: QPainter, area: QRect) -> None:
    """Say what to do where there is no picture."""
    colours = theme.current()
    painter.setFont(theme.font_ui(15, 600))
    painter.setPen(colours.ink)
    above = QRect(area.left(), area.center().y() - 30, area.width(), 26)
    painter.drawText(above, Qt.AlignmentFlag.AlignCenter, "No picture yet")
    painter.setFont(theme.font_ui(13))
    painter.setPen(colours.soft)
    below = QRect(area.left() + 16, area.center().y() - 2, area.width() - 32, 44)
    painter.drawText(
        below,
        Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap,
        "Drop one here, paste it, or open a sample strip.",
    )


def _number_width(metrics: QFontMetricsF, number: str) -> float:
    return max(float(_LABEL_HEIGHT_PX), metrics.horizontalAdvance(number) + 10)


def _small(value: float) -> str:
    """Attention of one cell: three places, since most cells get less than a hundredth."""
    if 0 < value < 0.0005:
        return "<.001"
    return f"{value:.3f}".removeprefix("0") if 0 < value < 0.995 else figure_text(value)
