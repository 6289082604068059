"""The head grid: every head of the model as a square, layers from the bottom up, coloured by what is asked.

Colours are the shown ranking's scores, or every head's mass on a place at the tokens that are shown. Hovering
a head shows its map on the picture and its card; clicks, drags and keys choose heads (see head_grid_hand).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolButton, QToolTip, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.wording import plural
from gazeviz.render.style import OUTLINE
from gazeviz.ui.heads.grid_geometry import BOTTOM_PX, LEFT_PX, WIDE_GAP_FROM_PX, GridPart, GridView
from gazeviz.ui.heads.grid_selection import (
    KEY_REASONS,
    STEPS,
    GridSelection,
    is_own,
    mask_of,
)
from gazeviz.ui.heads.head_card import HeadCard, head_facts
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.choosing import CTRL, SHIFT, mode_of
from gazeviz.ui.widgets.controls import named

# What stands around the head grid: numbers of layers and heads, the layer histogram, and rings.
#
# Thin numbers: all of them where there is room, else every fourth, eighth ... Knows a view and counts.


_LINE_PX: Final = 12
_DIGIT_PX: Final = 6
GRID_TIP: Final = (
    "Click a head to choose it, drag over several, Shift adds, Ctrl takes away.\n"
    "Double-click: its page. Numbers choose layers and columns. Ctrl and wheel zoom; arrows, Enter work, too."
)
_STEPS: Final = (1, 4, 8, 16, 32)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter


def draw_frame(view: GridView, size: QSize, counts_L: NDArray[np.int64]) -> QImage:
    """Numbers and histogram on an image as large as the widget.

    counts_L: chosen heads of each layer, int64 (L,).
    """
    image = QImage(size * view.ratio, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(view.ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setFont(theme.font_mono(10))
    painter.setPen(theme.current().soft)
    _draw_layers(painter, view)
    _draw_columns(painter, view)
    _draw_histogram(painter, view, counts_L)
    painter.end()
    return image


def draw_lit_numbers(painter: QPainter, view: GridView, head: Head) -> None:
    """A head's two numbers in ink, over whatever numbers stand there."""
    colours = theme.current()
    painter.setFont(theme.font_mono(10))
    painter.setPen(colours.ink)
    for place, align, number in (
        (_layer_place(view, head.layer), _RIGHT, head.layer),
        (_column_place(view, head.index), _MIDDLE, head.index),
    ):
        painter.fillRect(place.adjusted(0, 0, 1, 0), colours.panel)
        painter.drawText(place, align, str(number))


def part_tip(part: GridPart | None, chosen: HeadSet, present_LH: NDArray[np.bool_]) -> str:
    """What a click on a label does and how many of its heads are chosen; "" over heads, which have a card."""
    if part is None:
        return GRID_TIP
    if part.axis == "cell":
        return ""
    if part.axis == "layer":
        here, there = part.head.layer, [head.layer for head in chosen]
        n, name = int(present_LH[here].sum()), "Layer"
    else:
        here, there = part.head.index, [head.index for head in chosen]
        n, name = int(present_LH[:, here].sum()), "Column"
    return f"{name} {here}: {there.count(here)} of {n} heads chosen.\nClick to choose all, Shift adds them."


def draw_ring(painter: QPainter, box: QRectF, colour: QColor | Qt.GlobalColor) -> None:
    """A ring around a head that stands out on light and dark."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen, out in ((QPen(Qt.GlobalColor.black, 1), 1.5), (QPen(colour, 2), 0.0)):
        painter.setPen(pen)
        painter.drawRoundedRect(box.adjusted(-out, -out, out, out), 3, 3)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _layer_place(view: GridView, layer: int) -> QRectF:
    middle = view.box(Head(layer, 0)).center().y()
    return QRectF(0, middle - _LINE_PX / 2, LEFT_PX - 5, _LINE_PX)


def _column_width(view: GridView) -> int:
    return _DIGIT_PX * len(str(view.shape_LH[1] - 1)) + 5


def _column_place(view: GridView, index: int) -> QRectF:
    middle, width = view.box(Head(0, index)).center().x(), _column_width(view)
    return QRectF(middle - width / 2, view.area.bottom() + 3, width, BOTTOM_PX - 4)


def _draw_layers(painter: QPainter, view: GridView) -> None:
    area = view.area
    for layer in range(0, view.shape_LH[0], _step(view.box_px[1], _LINE_PX)):
        place = _layer_place(view, layer)
        if area.top() <= place.center().y() < area.bottom():
            painter.drawText(place, _RIGHT, str(layer))


def _draw_columns(painter: QPainter, view: GridView) -> None:
    area = view.area
    for index in range(0, view.shape_LH[1], _step(view.box_px[0], _column_width(view))):
        place = _column_place(view, index)
        if area.left() <= place.center().x() < area.right():
            painter.drawText(place, _MIDDLE, str(index))


def _draw_histogram(painter: QPainter, view: GridView, counts_L: NDArray[np.int64]) -> None:
    """A bar for each layer as long as its share of the fullest one, whose count is written beneath."""
    most = int(counts_L.max(initial=0))
    edge, area, colours = view.edge, view.area, theme.current()
    painter.setPen(QPen(colours.line, 1))
    painter.drawLine(edge.topLeft(), edge.bottomLeft())
    if not most:
        return
    thick = max(1.0, min(view.box_px[1] * 0.5, 10.0))
    for layer in np.flatnonzero(counts_L).tolist():
        middle = view.box(Head(layer, 0)).center().y()
        if area.top() <= middle < area.bottom():
            length = max(2.0, (edge.width() - 2) * int(counts_L[layer]) / most)
            painter.fillRect(QRectF(edge.left() + 1, middle - thick / 2, length, thick), colours.accent)
    painter.setPen(colours.soft)
    beneath = QRectF(edge.left(), area.bottom() + 3, edge.width() + 4, BOTTOM_PX - 4)
    painter.drawText(beneath, _RIGHT, str(most))


def _step(box_px: float, needed_px: float) -> int:
    """Every how manieth number has room."""
    return next((step for step in _STEPS if step * box_px >= needed_px), 64)


# The head grid's images: heads in their colours, heads that are missing, outlines of the chosen ones.
#
# Each is drawn at the screen's own resolution and only copied until something changes. One pixel for each
# head is coloured by numpy and stretched; gaps, corners and outlines are one small tile laid out over all
# boxes, so that the cost hardly depends on the number of heads. Knows a view, arrays and colours; knows no
# session.


_PREMULTIPLIED = QImage.Format.Format_ARGB32_Premultiplied
_ROUND_FROM_PX, _ROUNDER_FROM_PX = 9, 15
_STROKE_FROM_PX, _BOLD_FROM_PX = 7, 10


class KeptImage:
    """An image that is drawn anew only when its key has changed."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._image = QImage()

    def get(self, key: Hashable, draw: Callable[[], QImage]) -> QImage:
        """The image of a key."""
        if key != self._key or self._image.isNull():
            self._key, self._image = key, draw()
        return self._image


def scale_of(values_LH: NDArray[np.floating] | None) -> tuple[float, float]:
    """The ends of the colour scale: from nothing, or the lowest score below it, to the highest."""
    known = values_LH[np.isfinite(values_LH)] if values_LH is not None else np.zeros(0)
    if not known.size:
        return 0.0, 1.0
    low, high = min(0.0, float(known.min())), float(known.max())
    return low, high if high > low else low + 1.0


def colours_argb(
    values_LH: NDArray[np.floating] | None,
    present_LH: NDArray[np.bool_],
    lut_256x3: NDArray[np.uint8],
    unknown: QColor,
) -> NDArray[np.uint32]:
    """Colour each head: uint32 (L, H) ARGB; without a value in the colour `unknown`, absent ones in none."""
    low, high = scale_of(values_LH)
    argb_LH = np.full(present_LH.shape, unknown.rgba(), dtype=np.uint32)
    if values_LH is not None and values_LH.shape == present_LH.shape:
        table = lut_256x3.astype(np.uint32)
        argb_256 = 0xFF000000 | table[:, 0] << 16 | table[:, 1] << 8 | table[:, 2]
        known_LH = np.isfinite(values_LH)
        level = (values_LH[known_LH] - low) * (255.0 / (high - low))
        argb_LH[known_LH] = argb_256[np.clip(np.rint(level), 0, 255).astype(np.intp)]
    argb_LH[~present_LH] = 0
    return argb_LH


def draw_heads(view: GridView, argb_LH: NDArray[np.uint32], darkest: QColor) -> QImage:
    """All heads of the view in their colours.

    darkest: the scale's dark end, on which small boxes stand, for bright gaps would outshine them.
    """
    image = _stencilled(view, argb_LH, _tile(view, _fill_tile))
    if min(view.box_px) >= WIDE_GAP_FROM_PX:
        return image
    ground = _stretched(view, _coloured(argb_LH != 0, darkest))
    painter = QPainter(ground)
    painter.drawImage(0, 0, image)
    painter.end()
    return ground


def draw_absent(view: GridView, absent_LH: NDArray[np.bool_], colour: QColor) -> QImage:
    """A hollow box with a stroke through it where the model has no head."""
    return _stencilled(view, _coloured(absent_LH, colour), _tile(view, _hollow_tile))


def draw_outlines(view: GridView, chosen_LH: NDArray[np.bool_], colour: QColor) -> QImage:
    """Outlines around the chosen heads."""
    return _stencilled(view, _coloured(chosen_LH, colour), _tile(view, _outline_tile))


def _coloured(mask_LH: NDArray[np.bool_], colour: QColor) -> NDArray[np.uint32]:
    return np.where(mask_LH, np.uint32(colour.rgba()), np.uint32(0))


def _stencilled(view: GridView, argb_LH: NDArray[np.uint32], tile: QPixmap) -> QImage:
    """Stretch a pixel for each head over its box, and keep of every box what the tile covers."""
    image = _stretched(view, argb_LH)
    (width, height), (x, y) = view.box_dev, view.scroll_dev
    image.setDevicePixelRatio(1)
    painter = QPainter(image)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawTiledPixmap(image.rect(), tile, QPoint(x % width, y % height))
    painter.end()
    image.setDevicePixelRatio(view.ratio)
    return image


def _stretched(view: GridView, argb_LH: NDArray[np.uint32]) -> QImage:
    """A pixel for each head stretched over its whole box."""
    area = view.area
    size = QSize(round(area.width() * view.ratio), round(area.height() * view.ratio))
    image = QImage(size, _PREMULTIPLIED)
    image.fill(Qt.GlobalColor.transparent)
    n_layers, n_heads = argb_LH.shape
    rows = np.ascontiguousarray(argb_LH[::-1])  # layer 0 is at the bottom
    dots = QImage(rows.data, n_heads, n_layers, 4 * n_heads, _PREMULTIPLIED)
    (width, height), (x, y) = view.box_dev, view.scroll_dev
    painter = QPainter(image)
    painter.drawImage(QRect(-x, -y, n_heads * width, n_layers * height), dots)
    painter.end()
    image.setDevicePixelRatio(view.ratio)
    return image


def _tile(view: GridView, draw: Callable[[QPainter, GridView, QRectF], None]) -> QPixmap:
    """One box's stencil in device pixels; `draw` gets the head's rectangle inside its box."""
    width, height = view.box_dev
    tile = QPixmap(width, height)
    tile.fill(Qt.GlobalColor.transparent)
    gap = view.gap_dev
    before = gap // 2
    painter = QPainter(tile)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(Qt.GlobalColor.black)
    draw(painter, view, QRectF(before, before, width - gap, height - gap))
    painter.end()
    return tile


def _radius_dev(view: GridView) -> float:
    side_px = min(view.box_px)
    return view.ratio * (3.0 if side_px >= _ROUNDER_FROM_PX else 2.0 if side_px >= _ROUND_FROM_PX else 0.0)


def _rounded(painter: QPainter, box: QRectF, radius: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, radius > 0)
    if radius > 0:
        painter.drawRoundedRect(box, radius, radius)
    else:
        painter.drawRect(box)


def _fill_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    _rounded(painter, head, _radius_dev(view))


def _hollow_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    line = max(1.0, view.ratio)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(Qt.GlobalColor.black, line))
    inside = head.adjusted(line / 2, line / 2, -line / 2, -line / 2)
    _rounded(painter, inside, _radius_dev(view))
    if min(view.box_px) >= _STROKE_FROM_PX:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawLine(inside.bottomLeft(), inside.topRight())


def _outline_tile(painter: QPainter, view: GridView, head: QRectF) -> None:
    """The gap around a head and a pixel of the head itself."""
    width, height = view.box_dev
    line = max(1, round(view.ratio * (2 if min(view.box_px) >= _BOLD_FROM_PX else 1)))
    radius = _radius_dev(view)
    _rounded(painter, QRectF(0, 0, width, height), radius + line / 2 if radius else 0.0)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
    _rounded(painter, QRectF(line, line, width - 2 * line, height - 2 * line), radius)


_ZOOM_STEP: Final = 1.25
_WHEEL_NOTCH: Final = 120


class HeadGrid(QWidget):
    """Shows the heads and chooses them. Signal `page_wanted(head)`: by a double click."""

    page_wanted = Signal(object)

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headGrid")
        self.setAccessibleName("Head grid")
        self.setToolTip(GRID_TIP)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._model = model
        self._hand = GridSelection(model, controller)
        self.view = GridView()
        self._cells, self._absent, self._outlines, self._frame = (KeptImage() for _ in range(4))
        self._values = self._choice = 0
        self._panned_from: QPointF | None = None
        self._by_keys = False
        self._card = HeadCard(model, self)
        self._fit = named(QToolButton(self), "fitGrid")
        self._fit.setIcon(theme.icon("fit"))
        self._fit.setIconSize(QSize(12, 12))
        self._fit.setAccessibleName("Show the whole head grid")
        self._fit.setToolTip("Show the whole head grid  Esc")
        self._fit.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._fit.clicked.connect(self.fit)
        self._fit.hide()
        self._listen()
        self._on_model_changed()

    def _listen(self) -> None:
        model = self._model
        model.model_changed.connect(self._on_model_changed)
        for signal in (model.ranking_changed, model.metric_changed, model.live_mass_changed):
            signal.connect(self._on_values_changed)
        model.chosen_changed.connect(self._on_chosen_changed)
        model.hovered_head_changed.connect(self._on_hovered_changed)
        model.worker_changed.connect(lambda: self.view.empty and self.update())
        theme.changed.connect(self._on_theme_changed)

    # What it shows

    @property
    def present_LH(self) -> NDArray[np.bool_]:
        """Which heads there are, bool (L, H); those of the shown ranking while no model is loaded."""
        if self._model.model_info is not None:
            return self._model.model_info.heads_present_LH
        ranking = self._model.ranking
        return np.isfinite(ranking.scores_LH) if ranking is not None else np.zeros((0, 0), dtype=bool)

    @property
    def values_LH(self) -> NDArray[np.floating] | None:
        """What the colours say, NaN where nobody knows; None while nothing is known."""
        return shown_values(self._model)

    def fit(self) -> None:
        """Show the whole grid."""
        self.view.fit()
        self._note_view()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom around a point of the widget, by default its focused head."""
        self.view.zoom_by(factor, at if at is not None else self.view.box(self._hand.focus).center())
        self._note_view()

    def sizeHint(self) -> QSize:
        """As wide as the right column leaves it."""
        return QSize(317, self.heightForWidth(317))

    def minimumSizeHint(self) -> QSize:
        """Enough for a few heads."""
        return QSize(160, 100)

    def hasHeightForWidth(self) -> bool:
        """Square boxes need more height where there is more width."""
        return True

    def heightForWidth(self, width_px: int) -> int:
        """The height that lets all heads be square."""
        return self.view.height_for(width_px)

    # Changes of the session

    def _on_model_changed(self) -> None:
        if self.view.set_shape((self.present_LH.shape[0], self.present_LH.shape[1])):
            self.updateGeometry()
        self._note_view()
        self._on_values_changed()
        self._on_chosen_changed()

    def _on_values_changed(self) -> None:
        if self._model.model_info is None and self.view.set_shape(
            (self.present_LH.shape[0], self.present_LH.shape[1])
        ):
            self.updateGeometry()
        self._values += 1
        self.update()

    def _on_chosen_changed(self) -> None:
        self._choice += 1
        self.update()

    def _on_hovered_changed(self) -> None:
        head = self._model.hovered_head
        facts = " · ".join(head_facts(self._model, head)) if head is not None else ""
        self.setAccessibleDescription(facts or f"{plural(len(self._model.chosen), 'head')} chosen")
        if head is None or not (self.underMouse() or self.hasFocus()):
            self._card.hide()
        self.update()

    def _on_theme_changed(self) -> None:
        self._fit.setIcon(theme.icon("fit"))
        self._values += 1
        self._choice += 1
        self.update()

    def _without_model(self) -> str:
        loading = self._model.worker_state in ("starting", "loading")
        return "The model is being loaded." if loading else "No model is loaded."

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the images and draw what is thin."""
        painter, colours = QPainter(self), theme.current()
        if self.view.empty:
            painter.setPen(colours.soft)
            painter.setFont(theme.font_ui(12))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._without_model())
            return
        at = self.view.area.topLeft()
        for image in self._images():
            painter.drawImage(at, image)
        painter.drawImage(0, 0, self._frame.get((self._choice, self.view.key()), self._draw_frame))
        hovered = self._model.hovered_head
        if hovered is not None and self._has(hovered):
            draw_lit_numbers(painter, self.view, hovered)
        painter.setClipRect(self.view.area.adjusted(-3, -3, 3, 3))
        self._draw_rectangle(painter)
        for head, colour in ((self._model.studied_head, colours.accent), (hovered, Qt.GlobalColor.white)):
            if head is not None and self._has(head):
                draw_ring(painter, self.view.box(head), colour)
        if self.hasFocus() and self._by_keys:
            draw_ring(painter, self.view.box(self._hand.focus).adjusted(-2, -2, 2, 2), colours.accent)

    def _images(self) -> tuple[QImage, ...]:
        """Heads, absent ones and outlines, drawn anew as far as they have changed."""
        colours, where, model = theme.current(), self.view.key(), self._model
        present_LH = self.present_LH
        cells = self._cells.get(
            (self._values, where),
            lambda: draw_heads(
                self.view,
                colours_argb(self.values_LH, present_LH, theme.magma_lut(), colours.raised),
                QColor(*theme.magma_lut()[0].tolist()),
            ),
        )
        outlines = self._outlines.get(
            (self._choice, where),
            lambda: draw_outlines(self.view, mask_of(model.chosen, present_LH.shape), QColor(OUTLINE)),
        )
        if present_LH.all():
            return cells, outlines
        absent = self._absent.get(
            (self._values, where), lambda: draw_absent(self.view, ~present_LH, colours.line)
        )
        return absent, cells, outlines

    def _draw_frame(self) -> QImage:
        n_layers = self.view.shape_LH[0]
        counts_L = self._model.chosen.layer_histogram(n_layers)[:n_layers]
        return draw_frame(self.view, self.size(), counts_L)

    def _has(self, head: Head) -> bool:
        n_layers, n_heads = self.view.shape_LH
        return head.layer < n_layers and head.index < n_heads

    def _draw_rectangle(self, painter: QPainter) -> None:
        corners = self._hand.rectangle
        if corners is None:
            return
        accent = theme.current().accent
        box = self.view.box(corners[0]).united(self.view.box(corners[1]))
        wash = accent.lighter()
        wash.setAlpha(40)
        painter.fillRect(box, wash)
        painter.setPen(QPen(accent, 1, Qt.PenStyle.DashLine))
        painter.drawRect(box)

    def _note_view(self) -> None:
        """The view has changed: draw it, and offer the way back from a zoom."""
        self._fit.setVisible(self.view.zoom > 1.0)
        self._fit.setGeometry(QRect(0, round(self.view.area.bottom()) + 1, LEFT_PX, BOTTOM_PX))
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the grid into the new size."""
        self._take_size()

    def _take_size(self) -> None:
        self.view.set_size(QSizeF(self.size()), self.devicePixelRatioF())
        self._note_view()

    # The mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose with the left button, move the view with the middle one."""
        self._by_keys = False
        if event.button() == Qt.MouseButton.MiddleButton and self.view.scrolls:
            self._panned_from = event.position()
            return
        part = self.view.part_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and part is not None:
            self._hand.press(part, mode_of(event.modifiers()))
            self.update()
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open the page of a head, with the choice as it was before the first click."""
        head = self.view.head_at(event.position())
        if head is not None and self._has(head) and self.present_LH[head.layer, head.index]:
            self._hand.take_back()
            self.page_wanted.emit(head)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Hover, drag a rectangle, or move the view."""
        at = event.position()
        if self._panned_from is not None:
            moved = self._panned_from - at
            self._panned_from = at
            self.view.scroll_by(moved.x(), moved.y())
            self._note_view()
        elif self._hand.dragging:
            self._hand.move(self.view.nearest_head(at))
            if self._hand.rectangle is not None:
                self._model.hovered_head = None  # the picture shows what the rectangle holds
        else:
            self._hover(self.view.head_at(at))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag."""
        self._panned_from = None
        if event.button() == Qt.MouseButton.LeftButton and self._hand.dragging:
            self._hand.release()
            self._hover(self.view.head_at(event.position()))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is hovered any more."""
        if not self._hand.dragging:
            self._hover(None)

    def _hover(self, head: Head | None) -> None:
        """Show a head's map and card; a place without a head counts as none."""
        there = head if head is not None and self.present_LH[head.layer, head.index] else None
        self._model.hovered_head = there
        if there is None:
            self._card.hide()
        else:
            self._card.show_head(there, self)

    # Zoom

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom with Ctrl, else scroll a zoomed grid; the column scrolls where there is nothing to scroll."""
        turned = event.angleDelta()
        if event.modifiers() & CTRL:
            self.zoom(_ZOOM_STEP ** (turned.y() / _WHEEL_NOTCH), event.position())
        elif self.view.scrolls:
            moved = QPointF(event.pixelDelta()) if not event.pixelDelta().isNull() else QPointF(turned) * 0.3
            across = event.modifiers() & SHIFT and not moved.x()
            self.view.scroll_by(*((-moved.y(), 0.0) if across else (-moved.x(), -moved.y())))
            self._note_view()
        else:
            event.ignore()
            return
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Take pinches, and keep the grid's keys from the window's shortcuts."""
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom(1.0 + event.value(), event.position())
                return True
        elif event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self._takes(event):
                event.accept()
                return True
        elif isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            part = self.view.part_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), part_tip(part, self._model.chosen, self.present_LH), self)
            return True
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self._take_size()
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the focus, with Shift they add; Enter chooses or lets go; + - zoom, Esc goes back."""
        if not self._takes(event):
            super().keyPressEvent(event)
            return
        key = Qt.Key(event.key())
        if key in STEPS:
            focus = self._hand.go(*STEPS[key], extend=bool(event.modifiers() & SHIFT))
            self._show_focus(focus)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._hand.toggle_focus()
            self._show_focus(self._hand.focus)
        elif key == Qt.Key.Key_Escape:
            if not self._hand.abort():
                self.fit()
        else:
            self.zoom(1 / _ZOOM_STEP if key == Qt.Key.Key_Minus else _ZOOM_STEP)
        self.update()

    def _takes(self, event: QKeyEvent) -> bool:
        """Whether a key is the grid's own: Esc only where there is something to go back from."""
        if Qt.Key(event.key()) == Qt.Key.Key_Escape:
            return self._hand.dragging or self.view.zoom > 1.0
        return is_own(event)

    def _show_focus(self, head: Head | None) -> None:
        self._by_keys = True
        if head is not None and self._has(head):
            self.view.reveal(head)
            self._note_view()
            self._hover(head)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keyboard is."""
        self._by_keys = event.reason() in KEY_REASONS
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The head under the keyboard is no longer looked at."""
        if self._by_keys and not self.underMouse():
            self._hover(None)
        super().focusOutEvent(event)


def shown_values(model: SessionModel) -> NDArray[np.floating] | None:
    """What the grid is coloured by: the ranking's scores, or the mass that was asked about, (L, H)."""
    if model.grid_metric != "ranking":
        return model.live_mass_LH
    return model.ranking.scores_LH if model.ranking is not None else None
