"""The card of the head that is pointed at: layer, head, score, rank, and its map over the picture.

It stands beneath the head grid (above it where there is no room), so that it hides neither the heads nor the
picture, and takes no part in what the mouse does.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head
from gazeviz.domain.wording import format_figure
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.map_painter import MapPainter, dimmed

_NARROWEST_PX, _WIDEST_PX = 200, 360
_PAD_PX: Final = 10
_LINE_PX: Final = 18
_TALLEST_MAP_PX: Final = 150
_NO_MAP_PX: Final = 22
_GAP_PX: Final = 4
_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


class HeadCard(QWidget):
    """Shows one head."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headCard")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._model = model
        self._head: Head | None = None
        self._ground: tuple[tuple[object, ...], QPixmap] | None = None
        self._painter: tuple[object, MapPainter] | None = None
        for signal in (model.map_changed, model.ranking_changed, model.live_mass_changed):
            signal.connect(self.update)

    @property
    def head(self) -> Head | None:
        """The head that is shown; None while the card is hidden."""
        return self._head if not self.isHidden() else None

    def show_head(self, head: Head, beside: QWidget) -> None:
        """Show a head beneath a widget of the same window."""
        self._head = head
        window = beside.window()
        if self.parentWidget() is not window:
            self.setParent(window)
        size = QSize(min(_WIDEST_PX, max(_NARROWEST_PX, beside.width())), 0)
        size.setHeight(2 * _PAD_PX + 2 * _LINE_PX + 4 + self._map_size(size.width()).height())
        self.setGeometry(_place(size, beside, window))
        if self.isHidden():
            self.show()
            self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card."""
        if self._head is None:
            return
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(QPen(colours.line, 1))
        painter.setBrush(colours.raised)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        self._draw_words(painter, self._head)
        top = _PAD_PX + 2 * _LINE_PX + 4
        size = self._map_size(self.width())
        left = _PAD_PX + (self.width() - 2 * _PAD_PX - size.width()) // 2
        self._draw_map(painter, QRect(QPoint(left, top), size))

    def _draw_words(self, painter: QPainter, head: Head) -> None:
        colours, width = theme.current(), self.width() - 2 * _PAD_PX
        first = QRect(_PAD_PX, _PAD_PX - 2, width, _LINE_PX)
        name, *facts = head_facts(self._model, head)
        painter.setFont(theme.font_ui(13, 600))
        painter.setPen(colours.ink)
        painter.drawText(first, _LEFT | _MIDDLE, name)
        painter.setFont(theme.font_mono(11))
        painter.setPen(colours.accent if head in self._model.chosen else colours.soft)
        painter.drawText(first, _RIGHT | _MIDDLE, "chosen" if head in self._model.chosen else "not chosen")
        painter.setPen(colours.soft)
        painter.setFont(theme.font_ui(12))
        words = [fact for fact in facts if fact != "chosen"]
        text = painter.fontMetrics().elidedText(" · ".join(words), Qt.TextElideMode.ElideRight, width)
        painter.drawText(first.translated(0, _LINE_PX), _LEFT | _MIDDLE, text)

    def _draw_map(self, painter: QPainter, box: QRect) -> None:
        view, picture, grid = self._model.map, self._model.picture, self._model.grid
        about_it = self._head is not None and view.heads == (self._head,)
        if picture is None or grid is None or (view.values_P is None and view.label):
            painter.setPen(theme.current().soft)
            words = view.label or "Open a picture to see maps."
            text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, box.width())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
            return
        path = QPainterPath()
        path.addRoundedRect(QRectF(box), 3, 3)
        painter.setClipPath(path)
        painter.drawPixmap(box, self._grounded(picture, box.size()))
        if about_it and view.values_P is not None and len(view.values_P) == grid.n_tokens:
            maps = self._maps(grid)
            part = QRectF(
                box.left() + box.width() * maps.part.left(), box.top() + box.height() * maps.part.top(),
                box.width() * maps.part.width(), box.height() * maps.part.height(),
            )  # fmt: skip
            painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
            image = maps.image(view.values_P, view.high)
            painter.drawImage(part, image, QRectF(image.rect()))

    def _map_size(self, width_px: int) -> QSize:
        """The picture's shape in the card's width; a line of text where there is no picture."""
        picture, room_px = self._model.picture, width_px - 2 * _PAD_PX
        if picture is None or self._model.grid is None:
            return QSize(room_px, _NO_MAP_PX)
        size = QSize(*picture.size_px)
        return size.scaled(QSize(room_px, _TALLEST_MAP_PX), Qt.AspectRatioMode.KeepAspectRatio)

    def _grounded(self, picture: Picture, size: QSize) -> QPixmap:
        """The dimmed picture at a size, kept."""
        ratio = self.devicePixelRatioF()
        key = (picture.sha256, size.width(), size.height(), ratio)
        if self._ground is None or self._ground[0] != key:
            self._ground = key, dimmed(picture.pixels_HW3, size, ratio)
        return self._ground[1]

    def _maps(self, grid: TokenGrid) -> MapPainter:
        if self._painter is None or self._painter[0] is not grid:
            self._painter = grid, MapPainter(grid)
        return self._painter[1]


def head_facts(model: SessionModel, head: Head) -> tuple[str, ...]:
    """What is known of a head, in words: its name first, then mass, score and rank, "chosen" last."""
    facts = [f"Layer {head.layer}, head {head.index}"]
    facts += _mass_fact(model, head) + _rank_facts(model, head)
    return (*facts, "chosen") if head in model.chosen else tuple(facts)


def _mass_fact(model: SessionModel, head: Head) -> list[str]:
    live_LH = model.live_mass_LH
    if model.grid_metric == "ranking" or live_LH is None:
        return []
    if head.layer >= live_LH.shape[0] or head.index >= live_LH.shape[1]:
        return []
    return [f"mass {format_figure(float(live_LH[head.layer, head.index]))}"]


def _rank_facts(model: SessionModel, head: Head) -> list[str]:
    """Score and rank in the shown ranking."""
    ranking = model.ranking
    if ranking is None or head.layer >= ranking.shape_LH[0] or head.index >= ranking.shape_LH[1]:
        return ["no ranking"]
    score = float(ranking.scores_LH[head.layer, head.index])
    if score != score:
        return [f"no score in {ranking.name}"]
    order = len(ranking.order())
    return [f"score {format_figure(score)}", f"rank {ranking.rank_of(head)} of {order} in {ranking.name}"]


def _place(size: QSize, beside: QWidget, window: QWidget) -> QRect:
    """Beneath the widget where there is room, else above it, else as low as the window goes."""
    corner = beside.mapTo(window, QPoint(0, 0))
    x = min(max(0, corner.x()), max(0, window.width() - size.width()))
    beneath = corner.y() + beside.height() + _GAP_PX
    above = corner.y() - size.height() - _GAP_PX
    if beneath + size.height() <= window.height():
        return QRect(QPoint(x, beneath), size)
    return QRect(QPoint(x, above if above >= 0 else max(0, window.height() - size.height())), size)
