"""Small parts that columns and dialogs share: names, titles, rows, tips, tinted icons."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

_GAP_PX = 8

_Widget = TypeVar("_Widget", bound=QWidget)


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
