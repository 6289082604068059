"""A model in the list of models: its name, what it is, and what it would take, in two lines.

Words and drawing alone; which models there are is the shelf's business.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gazeviz.app.model_shelf import Estimate, Origin, ShelfModel
from gazeviz.ui import theme

ROW_PX: Final = 48
ROW_ROLE: Final = int(Qt.ItemDataRole.UserRole)
ORIGINS: Final[dict[Origin, str]] = {
    "built-in": "built-in",
    "recent": "recent folder",
    "cache": "downloaded",
    "folder": "folder",
}
_KIB: Final = 1024


class ModelRow(NamedTuple):
    """What a row shows."""

    model: ShelfModel
    taken: Estimate | None
    loaded: bool


def bytes_text(n_bytes: float) -> str:
    """A size as people write it: 21 MiB, 3.4 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= _KIB
    return f"{n_bytes:.1f} GiB" if n_bytes < 100 else f"{n_bytes:.0f} GiB"


def count_text(n: float) -> str:
    """A number of weights: 5.2 M, 8.8 B."""
    for unit in ("", " K", " M"):
        if n < 1000:
            return f"{n:.0f}{unit}" if n >= 100 or not unit else f"{n:.1f}{unit}"
        n /= 1000
    return f"{n:.1f} B"


def model_text(model: ShelfModel) -> str:
    """What a model is, in one line: family, heads, weights, number type, size on disk."""
    parts = [model.family]
    if model.sizes is not None:
        parts.append(f"{model.sizes.n_layers} × {model.sizes.n_heads} heads")
    if model.n_parameters:
        parts.append(f"{count_text(model.n_parameters)} weights in {model.dtype}")
    if model.disk_bytes:
        parts.append(f"{bytes_text(model.disk_bytes)} on disk")
    return " · ".join(part for part in parts if part)


def taken_text(taken: Estimate | None) -> str:
    """What a model would take and what is free, in a sentence."""
    if taken is None:
        return "What it would take cannot be told from its files."
    need = f"About {bytes_text(taken.needed_bytes)} as {taken.dtype}"
    free_bytes = taken.place.free_bytes
    where = "the processor" if taken.place.device == "cpu" else taken.place.name
    if free_bytes is None:
        return f"{need} on {where}; what is free there is not known."
    verdict = "" if taken.fits else " It will probably not fit."
    return f"{need}, {bytes_text(free_bytes)} free on {where}.{verdict}"


class ModelRowDelegate(QStyledItemDelegate):
    """Draws a ModelRow."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """All rows are of one height."""
        return QSize(240, ROW_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        row: ModelRow = index.data(ROW_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(option.rect).adjusted(0, 1, 0, -1)
        self._draw_ground(painter, room, option.state)
        room.adjust(14, 5, -12, -5)
        usable = not row.model.refusal
        colours = theme.current()
        upper, lower = QRectF(room), QRectF(room)
        upper.setHeight(room.height() / 2)
        lower.setTop(upper.bottom())
        left = _draw_right(painter, upper, _state_text(row), theme.font_ui(11, 500), _state_colour(row))
        upper.setRight(left - 12)
        _draw_left(
            painter, upper, row.model.name, theme.font_ui(13, 600), colours.ink if usable else colours.soft
        )
        if usable and row.taken is not None:
            verdict = "" if row.taken.fits is not False else "does not fit  "
            need = f"{verdict}≈ {bytes_text(row.taken.needed_bytes)}"
            lower.setRight(_draw_right(painter, lower, need, theme.font_mono(11), colours.ink) - 12)
        said = model_text(row.model) if usable else row.model.refusal
        _draw_left(painter, lower, said, theme.font_ui(12), colours.soft)
        painter.restore()

    @staticmethod
    def _draw_ground(painter: QPainter, room: QRectF, state: QStyle.StateFlag) -> None:
        colours = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(room, 6, 6)
            painter.setBrush(colours.accent)
            painter.drawRoundedRect(QRectF(room.left(), room.top() + 9, 3, room.height() - 18), 1.5, 1.5)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(colours.window)
            painter.drawRoundedRect(room, 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(colours.accent)
            painter.drawRoundedRect(room.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)


def _state_text(row: ModelRow) -> str:
    return (
        "loaded" if row.loaded else ORIGINS[row.model.origin] if not row.model.refusal else "cannot be used"
    )


def _state_colour(row: ModelRow) -> QColor:
    return theme.current().accent if row.loaded else theme.current().soft


def _draw_left(painter: QPainter, room: QRectF, text: str, font: QFont, colour: QColor) -> None:
    painter.setFont(font)
    painter.setPen(colour)
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def _draw_right(painter: QPainter, room: QRectF, text: str, font: QFont, colour: QColor) -> float:
    """Draw a text at the right; returns its left edge."""
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
    return room.right() - QFontMetricsF(font).horizontalAdvance(text)
