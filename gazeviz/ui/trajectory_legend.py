"""The legend of a trajectory: each region's number, colour, name, and its mass at the token looked at.

Numbers and names are drawn once into a picture: only the masses change from token to token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from gazeviz.render.overlay import ink_on
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import as_written

_TITLE_PX, _ROW_PX, _CHIP_PX, _GAP_PX = 17, 17, 14, 8
_LEAST_FIGURE = 4  # letters that a mass is given room for at least: raw ones never take more
WIDTH_PX = 148


@dataclass(frozen=True)
class LegendRow:
    """One region. mass, control: at the token looked at, None while there is none."""

    number: str
    colour: str
    name: str
    mass: float | None = None
    control: float | None = None


class TrajectoryLegend(QWidget):
    """Rows under a line that says which token they are about; columns without names where rows are many."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trajectoryLegend")
        self.setFixedWidth(WIDTH_PX)
        self._title = ""
        self._rows: Sequence[LegendRow] = ()
        self._names = QPixmap()
        self._key: tuple[object, ...] = ()
        theme.changed.connect(self.update)

    def show_rows(self, title: str, rows: Sequence[LegendRow]) -> None:
        """Take the rows, in the order of the regions."""
        if (title, rows) != (self._title, self._rows):
            self._title, self._rows = title, rows
            said = [_sentence(row) for row in rows]
            self.setToolTip(as_written("\n".join([title, *said])) if rows else "")
            self.setAccessibleName(", ".join(["Legend", title, *said]))
            self.update()

    @property
    def columns(self) -> int:
        """How many columns it takes to show every row."""
        fitting = max(1, (self.height() - _TITLE_PX) // _ROW_PX)
        return max(1, -(-len(self._rows) // fitting))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn_names())
        painter.setFont(theme.font_ui(11))
        painter.setPen(theme.current().soft)
        title = painter.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), 16), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(theme.font_mono(11))
        painter.setPen(theme.current().ink)
        for rect, row in zip(self._places(), self._rows, strict=True):
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(rect, right, _figure(row))

    def _places(self) -> list[QRectF]:
        """Where each row is drawn."""
        columns = self.columns
        per_column = -(-len(self._rows) // columns)
        width = (self.width() - _GAP_PX * (columns - 1)) / columns
        cells = (divmod(place, per_column) for place in range(len(self._rows)))
        return [
            QRectF(column * (width + _GAP_PX), _TITLE_PX + line * _ROW_PX, width, _ROW_PX)
            for column, line in cells
        ]

    def _drawn_names(self) -> QPixmap:
        """What stays from token to token, drawn anew where any of it has changed."""
        ratio = self.devicePixelRatioF()
        looks = tuple((row.number, row.colour, row.name) for row in self._rows)
        widest = max((len(_figure(row)) for row in self._rows), default=0)
        letters = max(_LEAST_FIGURE, widest)
        key = (looks, letters, self.width(), self.height(), ratio, theme.current())
        if key != self._key:
            self._key, self._names = key, QPixmap(self.size() * ratio)
            self._names.setDevicePixelRatio(ratio)
            self._names.fill(Qt.GlobalColor.transparent)
            painter = QPainter(self._names)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for rect, row in zip(self._places(), self._rows, strict=True):
                self._draw_name(painter, rect, row, letters)
            painter.end()
        return self._names

    def _draw_name(self, painter: QPainter, rect: QRectF, row: LegendRow, letters: int) -> None:
        chip = QRectF(rect.left(), rect.top() + 1.5, _CHIP_PX + 5 * max(0, len(row.number) - 1), _CHIP_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(row.colour))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setFont(theme.font_mono(9, 500))
        painter.setPen(QColor(ink_on(row.colour)))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, row.number)
        figure = QFontMetricsF(theme.font_mono(11)).horizontalAdvance("0" * letters)
        room = rect.right() - chip.right() - figure - 12
        if self.columns == 1 and room > 24:
            painter.setFont(theme.font_ui(12))
            painter.setPen(theme.current().ink)
            name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, int(room))
            at = QRectF(chip.right() + 6, rect.top(), room, rect.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, name)


class LineKey(QWidget):
    """A sample of a line, solid or dashed."""

    def __init__(self, dashed: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dashed = dashed
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A short line."""
        return QSize(20, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it as the curves are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.current().soft, 1.2 if self._dashed else 1.8)
        if self._dashed:
            pen.setDashPattern([3.0, 3.0])
        painter.setPen(pen)
        middle = self.height() / 2
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))


def _figure(row: LegendRow) -> str:
    return "" if row.mass is None else figure_text(row.mass)


def _sentence(row: LegendRow) -> str:
    text = f"{row.number} {row.name}".strip()
    if row.mass is not None:
        text += f": {figure_text(row.mass)}"
    if row.control is not None:
        text += f", random control {figure_text(row.control)}"
    return text
