"""How the table of runs is drawn: small pictures, regions' colours, verdicts, sessions' headings.

A row is drawn once and then only laid on the screen, so that scrolling costs the same for any list. Reads
rows and the archive's small pictures; changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QTableView

from gazeviz.app.archive import Archive, RunLine
from gazeviz.ui import theme
from gazeviz.ui.column_parts import tinted
from gazeviz.ui.session_rows import RUN_COLUMNS, RunRows
from gazeviz.ui.session_words import runs_words, session_title

ROW_PX: Final = 36
_INSET_PX: Final = 8
_PICTURE_PX: Final = 26
_MONO: Final = frozenset({"text", "strength", "at", "tokens", "seconds", "mass", "id"})
_SOFT: Final = frozenset({"at", "tokens", "seconds", "mass", "session", "model", "id", "state"})
_MIDDLE: Final = Qt.AlignmentFlag.AlignVCenter
_KEPT_ROWS: Final = 160
_KEPT_PICTURES: Final = 300

Places: TypeAlias = tuple[tuple[str, int, int], ...]
"""The columns on the screen: key, left edge and width."""


@dataclass(frozen=True)
class _Ground:
    """What a row is drawn for, but for what it says."""

    run_id: int
    session_id: int
    selected: bool
    current: bool


class RowPainter:
    """Draws the rows of one table."""

    def __init__(self, view: QTableView, rows: RunRows, archive: Archive) -> None:
        self._view, self._rows, self._archive = view, rows, archive
        self._places: Places = ()
        self._size = QSize()
        self._drawn: dict[_Ground, QPixmap] = {}
        self._pictures: dict[tuple[str, int, float], QPixmap] = {}

    def forget(self, run_ids: Collection[int] = ()) -> None:
        """What some runs' rows say has changed; () for all rows."""
        if run_ids:
            changed = set(run_ids)
            self._drawn = {at: row for at, row in self._drawn.items() if at.run_id not in changed}
        else:
            self._drawn.clear()

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw the rows that an area of the viewport touches."""
        view = self._view
        self._look_at_columns()
        first = view.rowAt(max(area.top(), 0))
        if first < 0:
            return
        end = view.rowAt(area.bottom())
        last = end if end >= 0 else len(self._rows.plan) - 1
        top = view.rowViewportPosition(first)
        self._rows.look_ahead(first, last)
        for row in range(first, last + 1):
            painter.drawPixmap(QPointF(0, top + (row - first) * ROW_PX), self._row(row))

    def _look_at_columns(self) -> None:
        """Rows are drawn anew where the columns, the room or the screen are others."""
        view, header = self._view, self._view.horizontalHeader()
        ratio = view.devicePixelRatioF()
        places = tuple(
            (column.key, header.sectionViewportPosition(place), header.sectionSize(place))
            for place, column in enumerate(RUN_COLUMNS)
            if not header.isSectionHidden(place)
        )
        size = QSize(round(view.viewport().width() * ratio), round(ROW_PX * ratio))
        if (places, size) != (self._places, self._size):
            self._places, self._size = places, size
            self._drawn.clear()

    def _row(self, row: int) -> QPixmap:
        view, plan = self._view, self._rows.plan
        ground = _Ground(
            plan.run_at(row) or -1,
            plan.group_at(row) or -1,
            view.selectionModel().isSelected(self._rows.index(row, 0)),
            view.currentIndex().row() == row and view.hasFocus(),
        )
        known = ground.run_id < 0 or self._rows.line(ground.run_id) is not None
        if ground not in self._drawn:
            pixmap = self._draw(ground)
            if not known:
                return pixmap
            while len(self._drawn) >= _KEPT_ROWS:
                del self._drawn[next(iter(self._drawn))]
            self._drawn[ground] = pixmap
        return self._drawn[ground]

    def _draw(self, ground: _Ground) -> QPixmap:
        colours, pixmap = theme.current(), QPixmap(self._size)
        pixmap.setDevicePixelRatio(self._view.devicePixelRatioF())
        is_group = ground.run_id < 0
        pixmap.fill(colours.window if is_group else colours.raised if ground.selected else colours.panel)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = self._view.viewport().width()
        painter.fillRect(QRect(0, ROW_PX - 1, width, 1), colours.line)
        if is_group:
            self._draw_group(painter, QRect(0, 0, width, ROW_PX), ground.session_id)
        else:
            for key, left, width_px in self._places:
                self._draw_cell(painter, QRect(left, 0, width_px, ROW_PX), ground.run_id, key)
        if ground.current:
            painter.fillRect(QRect(0, 0, 3, ROW_PX), colours.accent)
        painter.end()
        return pixmap

    def _draw_group(self, painter: QPainter, box: QRect, session_id: int) -> None:
        """A session's heading runs through all columns."""
        colours = theme.current()
        icon = theme.icon("caret-right" if session_id in self._rows.folded else "caret-down")
        ratio = self._view.devicePixelRatioF()
        painter.drawPixmap(10, (box.height() - 12) // 2, tinted(icon, 12, colours.soft, ratio))
        session, n_runs = self._rows.sessions.get(session_id), self._rows.plan.group_sizes[session_id]
        title, place = session_title(session), QRectF(box).adjusted(30, 0, -_INSET_PX, 0)
        painter.setFont(theme.font_ui(13, 600))
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
            _draw_waiting(painter, place, key)
        elif key == "picture":
            self._draw_picture(painter, place, line)
        elif key == "target" and line.side == "steered":
            self._draw_target(painter, place, line)
        else:
            self._draw_text(painter, place, line, key)

    def _draw_text(self, painter: QPainter, place: QRect, line: RunLine, key: str) -> None:
        colours = theme.current()
        strong = key == "verdict" and line.verdict_ok is True
        painter.setFont(_font(key in _MONO, 600 if strong else 400))
        soft = key in _SOFT or (key == "verdict" and not strong) or key == "target"
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
        painter.setFont(_font(mono=False, weight=400))
        words = QRectF(place).adjusted(16, 0, 0, 0)
        _draw_elided(painter, words, self._rows.text(line.id, "target"), _MIDDLE)

    def _draw_picture(self, painter: QPainter, place: QRect, line: RunLine) -> None:
        pixmap = self._picture(line.image_sha256, place.width())
        if pixmap is None:
            painter.setFont(theme.font_ui(12))
            painter.setPen(theme.current().soft)
            _draw_elided(painter, QRectF(place), self._rows.text(line.id, "picture"), _MIDDLE)
            return
        size = pixmap.deviceIndependentSize()
        left, top = place.left(), round(place.top() + (place.height() - size.height()) / 2)
        painter.drawPixmap(left, top, pixmap)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.current().line, 1))
        painter.drawRoundedRect(QRectF(left + 0.5, top + 0.5, size.width() - 1, size.height() - 1), 2, 2)

    def _picture(self, sha256: str, room_px: int) -> QPixmap | None:
        """A small picture as large as its cell allows, smooth on every screen."""
        ratio = self._view.devicePixelRatioF()
        key = sha256, room_px, ratio
        if key not in self._pictures:
            image = self._archive.thumbnail(sha256)
            if image is None:
                return None
            size = QSize(round(room_px * ratio), round(_PICTURE_PX * ratio))
            aspect, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            if len(self._pictures) >= _KEPT_PICTURES:
                self._pictures.clear()
            self._pictures[key] = QPixmap.fromImage(image.scaled(size, aspect, smooth))
            self._pictures[key].setDevicePixelRatio(ratio)
        return self._pictures[key]


def _font(mono: bool, weight: int) -> QFont:
    return theme.font_mono(12, weight) if mono else theme.font_ui(13, weight)


def _draw_waiting(painter: QPainter, place: QRect, key: str) -> None:
    """A row of which nothing is known yet keeps its place, quietly."""
    if key in ("prompt", "text", "picture"):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.current().raised)
        height = _PICTURE_PX if key == "picture" else 8
        top = place.top() + (place.height() - height) / 2
        painter.drawRoundedRect(QRectF(place.left(), top, place.width() * 0.8, height), 3, 3)


def _draw_elided(painter: QPainter, place: QRectF, text: str, alignment: Qt.AlignmentFlag) -> None:
    metrics = painter.fontMetrics()
    if metrics.horizontalAdvance(text) > place.width():
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    painter.drawText(place, alignment, text)
