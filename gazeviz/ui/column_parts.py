"""Small parts that columns and dialogs share: names, titles, soft labels, buttons, rows, tips, icons."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QFontMetricsF, QIcon, QPainter, QPixmap, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

_GAP_PX = 8

_Widget = TypeVar("_Widget", bound=QWidget)
_Label = TypeVar("_Label", bound=QLabel)


def named(widget: _Widget, name: str) -> _Widget:
    """Give a widget its object name, by which tests and style sheets find it."""
    widget.setObjectName(name)
    return widget


def as_written(text: str) -> str:
    """Return a text so that a tooltip shows it as it is, where Qt would take the token `<s>` for a style."""
    if not Qt.mightBeRichText(text):
        return text
    return Qt.convertFromPlainText(text, Qt.WhiteSpaceMode.WhiteSpaceNormal)


def section_title(text: str) -> QLabel:
    """A section's title, small and soft."""
    label = QLabel(text)
    label.setProperty("role", "section")
    return label


def soft(label: _Label) -> _Label:
    """Give a label the soft look of what explains, and is not the matter itself."""
    label.setProperty("role", "soft")
    return label


def soft_text(name: str, text: str = "") -> QLabel:
    """A named soft label that takes as many lines as its text needs."""
    label = soft(named(QLabel(text), name))
    label.setWordWrap(True)
    return label


def push_button(name: str, text: str, tip: str, spoken: str | None = None, kind: str = "") -> QPushButton:
    """A button with words on it.

    spoken: its accessible name, for which the tip stands where none is given.  kind: of the style sheet.
    """
    button = named(QPushButton(text), name)
    button.setProperty("kind", kind)
    button.setAccessibleName(tip if spoken is None else spoken)
    button.setToolTip(tip)
    return button


def tinted(icon: QIcon, side_px: int, colour: QColor, ratio: float) -> QPixmap:
    """An icon's shape in one colour."""
    pixmap = icon.pixmap(QSize(side_px, side_px), ratio)
    if pixmap.isNull():
        return pixmap
    painter = QPainter(pixmap)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(pixmap.rect(), colour)
    painter.end()
    return pixmap


def draw_words(painter: QPainter, at: QPointF, text: str, end_px: float) -> float:
    """Draw text from a point of its baseline on, in dots where it goes beyond `end_px`; returns its end."""
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, end_px - at.x())
    painter.drawText(at, shown)
    return end_px if shown != text else at.x() + metrics.horizontalAdvance(text)


def side_by_side(*widgets: QWidget | None) -> QHBoxLayout:
    """Widgets in a row; None is room that stretches."""
    row = QHBoxLayout()
    row.setSpacing(_GAP_PX)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row
