"""Tokens of one head as small pictures: the highest, and others from the middle and the lowest tenth.

Knows what was collected, and not who collects.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPainterPath, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gazeviz.domain.experiments.head_examples import (
    FEWEST_TOKENS,
    GROUPS,
    ExampleGroup,
    HeadExample,
    HeadExamples,
)
from gazeviz.domain.region import region_colour
from gazeviz.domain.wording import format_figure, plural
from gazeviz.render.overlay import attention_rgba
from gazeviz.ui.heads.gallery import shared_end
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ElidedLabel, named, section_title, side_by_side, soft
from gazeviz.ui.widgets.map_painter import dimmed
from gazeviz.ui.widgets.region_badge import draw_badge

LEAST_TILE_PX: Final = 180
_GAP_PX: Final = 14
_LABEL_PX: Final = 22
_TALLEST_PX: Final = 150
_TITLES: Final[dict[ExampleGroup, str]] = {
    "top": "Where it looks most", "middle": "40-60 %", "low": "0-10 %",
}  # fmt: skip


class ExampleTile(QWidget):
    """One token: its picture with the head's map, badge, text with the token bold, and mass."""

    def __init__(self, example: HeadExample, highest: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exampleTile")
        self.example = example
        place = f" on {example.region_name}" if example.region >= 0 else ""
        words = f"“{example.token.strip()}” in {example.picture}: {format_figure(example.mass)}{place}"
        self.setAccessibleName(words)
        self.setToolTip(words)
        rgba = attention_rgba(example.map_YX, highest)
        height, width = rgba.shape[:2]
        image = QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self._map = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
        self._ground: QPixmap | None = None
        theme.changed.connect(self.update)

    def height_for(self, width_px: int) -> int:
        """Picture and line of text at a width."""
        return self._picture_size(width_px).height() + _LABEL_PX

    def _picture_size(self, width_px: int) -> QSize:
        height, width = self.example.thumbnail_HW3.shape[:2]
        return QSize(width, height).scaled(width_px, _TALLEST_PX, Qt.AspectRatioMode.KeepAspectRatio)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture, map and words."""
        painter, size = QPainter(self), self._picture_size(self.width())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        ratio = self.devicePixelRatioF()
        if self._ground is None or self._ground.size() != size * ratio:
            self._ground = dimmed(self.example.thumbnail_HW3, size, ratio)
        box, path = QRectF(0, 0, size.width(), size.height()), QPainterPath()
        path.addRoundedRect(box, 3, 3)
        painter.save()
        painter.setClipPath(path)
        painter.drawPixmap(box, self._ground, QRectF(self._ground.rect()))
        painter.drawImage(box, self._map, QRectF(self._map.rect()))
        painter.restore()
        self._draw_words(painter, size.height() + 3)

    def _draw_words(self, painter: QPainter, top: float) -> None:
        """Badge, text, mass: the token is never cut for what stands around it."""
        colours, example, x = theme.current(), self.example, 0.0
        line = QRectF(0, top, self.width(), _LABEL_PX - 4)
        if example.region >= 0:
            box = QRectF(0, top + 1, 18, 16)
            draw_badge(
                painter, box, str(example.region + 1), region_colour(example.region), theme.font_ui(10, 600)
            )
            x = 24.0
        painter.setFont(theme.font_mono(11))
        painter.setPen(colours.soft)
        mass = format_figure(example.mass)
        align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, align, mass)
        end = self.width() - QFontMetricsF(painter.font()).horizontalAdvance(mass) - 8
        plain, bold = theme.font_mono(11), theme.font_mono(11, 700)
        wide = QFontMetricsF(bold).horizontalAdvance(example.token)
        room = max(0.0, end - x - wide)
        before = QFontMetricsF(plain).elidedText(
            example.before.lstrip(), Qt.TextElideMode.ElideLeft, 0.6 * room
        )
        for font, text, colour in (
            (plain, before, colours.soft),
            (bold, example.token.replace("\n", "⏎"), colours.ink),
            (plain, example.after.replace("\n", "⏎"), colours.soft),
        ):
            metrics = QFontMetricsF(font)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0.0, end - x))
            painter.setFont(font)
            painter.setPen(colour)
            painter.drawText(QPointF(x, top + 13), shown)
            x += metrics.horizontalAdvance(shown)


class _TileRows(QWidget):
    """Tiles in as many columns as there is room for."""

    def __init__(self, tiles: list[ExampleTile], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles = tiles
        for tile in tiles:
            tile.setParent(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay them out anew."""
        columns = min(3, max(1, (self.width() + _GAP_PX) // (LEAST_TILE_PX + _GAP_PX)))
        wide = (self.width() - (columns - 1) * _GAP_PX) // columns
        y = 0
        for first in range(0, len(self._tiles), columns):
            row = self._tiles[first : first + columns]
            tall = max(tile.height_for(wide) for tile in row)
            for column, tile in enumerate(row):
                tile.setGeometry(column * (wide + _GAP_PX), y, wide, tall)
            y += tall + 2 * theme.SPACE
        self.setFixedHeight(y)


class ExampleGroups(QWidget):
    """The groups under each other, each with what it is drawn from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exampleGroups")
        self._shown: HeadExamples | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2 * theme.SPACE)

    @property
    def tiles(self) -> tuple[ExampleTile, ...]:
        """Those that are shown, in order."""
        return tuple(self.findChildren(ExampleTile)) if self._shown is not None else ()

    def show_examples(self, examples: HeadExamples | None) -> None:
        """Take the examples of one head; None shows nothing."""
        if examples is self._shown:
            return
        self._shown = examples
        while (item := self._layout.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.setParent(None)
                old.deleteLater()
        if examples is None:
            return
        highest = shared_end([one.map_YX.ravel() for one in examples.of("top")])
        for group in GROUPS:
            some = examples.of(group)
            if some:
                self._layout.addWidget(_title(examples, group))
                self._layout.addWidget(_TileRows([ExampleTile(one, highest) for one in some]))


def _title(examples: HeadExamples, group: ExampleGroup) -> QWidget:
    about = soft(named(ElidedLabel(group_words(examples, group)), f"exampleGroup_{group}"))
    whole = QWidget()
    row = side_by_side(section_title(_TITLES[group]), about)
    row.setStretch(1, 1)
    row.setContentsMargins(0, 4, 0, 0)
    whole.setLayout(row)
    return whole


def group_words(examples: HeadExamples, group: ExampleGroup) -> str:
    """What a group is drawn from."""
    n_tok = int(examples.masses_T.size)
    low, high = (format_figure(end) for end in examples.bounds(group))
    if group == "top":
        words = f"{plural(examples.n_pictures, 'picture')}, {plural(n_tok, 'token')}, one of a region at most"
        return words if n_tok >= FEWEST_TOKENS else f"{words} · fewer than {FEWEST_TOKENS} tokens: no tenths"
    return f"drawn at random, seed {examples.seed} · mass {low} to {high}"
