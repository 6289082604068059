"""How a row of the table of runs is drawn: small pictures, regions' colours, verdicts, sessions' headings.

Reads rows and the archive's small pictures; changes nothing.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QTableView

from gazeviz.app.archive import Archive, RunLine
from gazeviz.ui import theme
from gazeviz.ui.column_parts import tinted
from gazeviz.ui.session_rows import RUN_COLUMNS, Index, RunRows
from gazeviz.ui.session_words import runs_words, session_title

ROW_PX: Final = 36
_INSET_PX: Final = 8
_PICTURE_PX: Final = 26
_MONO: Final = frozenset({"text", "strength", "at", "tokens", "seconds", "mass", "id"})
_SOFT: Final = frozenset({"at", "tokens", "seconds", "mass", "session", "model", "id", "state"})
_MIDDLE: Final = Qt.AlignmentFlag.AlignVCenter
_CACHED: Final = 300


class RunDelegate(QStyledItemDelegate):
    """Draws cells; `pictures` keeps the small ones at the size in which they are shown."""

    def __init__(self, view: QTableView, rows: RunRows, archive: Archive) -> None:
        super().__init__(view)
        self._view, self._rows, self._archive = view, rows, archive
        self._pictures: dict[tuple[str, int, float], QPixmap] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Rows of one height."""
        return QSize(RUN_COLUMNS[index.column()].width_px, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a cell."""
        box: QRect = getattr(option, "rect")  # noqa: B009 - the stubs lack it
        painter.save()
        painter.setClipRect(box)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plan, row = self._rows.plan, index.row()
        session, run_id = plan.group_at(row), plan.run_at(row)
        if session is not None:
            self._draw_group(painter, box, row, session)
        elif run_id is not None:
            self._draw_ground(painter, box, row, index)
            self._draw_cell(painter, box, run_id, RUN_COLUMNS[index.column()].key)
        painter.fillRect(QRect(box.left(), box.bottom(), box.width(), 1), theme.current().line)
        painter.restore()

    def _draw_ground(self, painter: QPainter, box: QRect, row: int, index: Index) -> None:
        colours, selection = theme.current(), self._view.selectionModel()
        if selection.isSelected(index):
            painter.fillRect(box, colours.raised)
        current = self._view.currentIndex().row() == row and self._view.hasFocus()
        if current and index.column() == self._first_column():
            painter.fillRect(QRect(box.left(), box.top(), 3, box.height()), colours.accent)

    def _first_column(self) -> int:
        return self._view.horizontalHeader().logicalIndexAt(1)

    def _draw_group(self, painter: QPainter, box: QRect, row: int, session_id: int) -> None:
        """A session's heading runs through all columns: each cell draws its part of it."""
        colours, view = theme.current(), self._view
        painter.fillRect(box, colours.window)
        left = -view.horizontalHeader().offset()
        whole = QRect(left, box.top(), max(view.viewport().width() - left, 1), box.height())
        if view.currentIndex().row() == row and view.hasFocus():
            painter.fillRect(QRect(left, box.top(), 3, box.height()), colours.accent)
        folded = session_id in self._rows.folded
        icon = theme.icon("caret-right" if folded else "caret-down")
        ratio = view.devicePixelRatioF()
        top = box.top() + (box.height() - 12) // 2
        painter.drawPixmap(left + 10, top, tinted(icon, 12, colours.soft, ratio))
        session, n_runs = self._rows.sessions.get(session_id), self._rows.plan.group_sizes[session_id]
        painter.setFont(theme.font_ui(13, 600))
        title = session_title(session)
        place = QRectF(whole).adjusted(30, 0, -_INSET_PX, 0)
        painter.setPen(colours.ink)
        painter.drawText(place, _MIDDLE, title)
        after = QFontMetricsF(painter.font()).horizontalAdvance(title) + 10
        painter.setFont(theme.font_ui(12))
        painter.setPen(colours.soft)
        painter.drawText(place.adjusted(after, 0, 0, 0), _MIDDLE, runs_words(n_runs))

    def _draw_cell(self, painter: QPainter, box: QRect, run_id: int, key: str) -> None:
        line = self._rows.line(run_id)
        place = box.adjusted(_INSET_PX, 0, -_INSET_PX // 2, 0)
        if line is None:
            self._draw_waiting(painter, place, key)
        elif key == "picture":
            self._draw_picture(painter, place, line)
        elif key == "target" and line.side == "steered":
            self._draw_target(painter, place, line)
        else:
            self._draw_text(painter, place, line, key)

    def _draw_waiting(self, painter: QPainter, place: QRect, key: str) -> None:
        """A row of which nothing is known yet keeps its place, quietly."""
        if key in ("prompt", "text", "picture"):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.current().raised)
            height = _PICTURE_PX if key == "picture" else 8
            top = place.top() + (place.height() - height) / 2
            painter.drawRoundedRect(QRectF(place.left(), top, place.width() * 0.8, height), 3, 3)

    def _draw_text(self, painter: QPainter, place: QRect, line: RunLine, key: str) -> None:
        colours = theme.current()
        strong = key == "verdict" and line.verdict_ok is True
        weight = 600 if strong else 400
        painter.setFont(theme.font_mono(12, weight) if key in _MONO else theme.font_ui(13, weight))
        soft = key in _SOFT or (key == "verdict" and not strong) or (key == "target")
        painter.setPen(colours.soft if soft else colours.ink)
        alignment = Qt.AlignmentFlag.AlignCenter if key == "star" else _MIDDLE
        _draw_elided(painter, QRectF(place), self._rows.text(line.id, key), alignment)

    def _draw_target(self, painter: QPainter, place: QRect, line: RunLine) -> None:
        """The region's colour, and its name as the second cue."""
        colours, colour = theme.current(), QColor(line.target_colour or "")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour if colour.isValid() else colours.soft)
        painter.drawRoundedRect(QRectF(place.left(), place.center().y() - 4, 10, 10), 3, 3)
        painter.setPen(colours.ink)
        painter.setFont(theme.font_ui(13))
        _draw_elided(
            painter, QRectF(place).adjusted(16, 0, 0, 0), self._rows.text(line.id, "target"), _MIDDLE
        )

    def _draw_picture(self, painter: QPainter, place: QRect, line: RunLine) -> None:
        pixmap = self._picture(line.image_sha256, place.width())
        if pixmap is None:
            painter.setFont(theme.font_ui(12))
            painter.setPen(theme.current().soft)
            _draw_elided(painter, QRectF(place), self._rows.text(line.id, "picture"), _MIDDLE)
            return
        size = pixmap.deviceIndependentSize()
        top = place.top() + (place.height() - size.height()) / 2
        painter.drawPixmap(round(place.left()), round(top), pixmap)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.current().line, 1))
        painter.drawRoundedRect(
            QRectF(place.left() + 0.5, round(top) + 0.5, size.width() - 1, size.height() - 1), 2, 2
        )

    def _picture(self, sha256: str, room_px: int) -> QPixmap | None:
        """A small picture as large as its cell allows, smooth on every screen."""
        ratio = self._view.devicePixelRatioF()
        key = sha256, room_px, ratio
        if key not in self._pictures:
            image = self._archive.thumbnail(sha256)
            if image is None:
                return None
            size = QSize(round(room_px * ratio), round(_PICTURE_PX * ratio))
            scaled = image.scaled(
                size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            if len(self._pictures) >= _CACHED:
                self._pictures.clear()
            self._pictures[key] = QPixmap.fromImage(scaled)
            self._pictures[key].setDevicePixelRatio(ratio)
        return self._pictures[key]


def _draw_elided(painter: QPainter, place: QRectF, text: str, alignment: Qt.AlignmentFlag) -> None:
    metrics = painter.fontMetrics()
    painter.drawText(
        place, alignment, metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    )
