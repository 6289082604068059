"""Where the heads lie in the head grid's widget: layers from the bottom up, heads from left to right.

A head's box is a whole number of device pixels, gap included, so that every box is as sharp as the next.
Places are in the widget's own pixels. Knows zoom and scroll; knows no scores and paints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal, TypeAlias

from PySide6.QtCore import QPointF, QRectF, QSizeF

from gazeviz.domain.heads import Head

LEFT_PX: Final = 24
"""Room for the layers' numbers."""
BOTTOM_PX: Final = 18
"""Room for the heads' numbers."""
EDGE_PX: Final = 42
"""Room for the layer histogram of the chosen heads."""
TOP_PX: Final = 3

MAX_BOX_PX: Final = 40
MAX_ZOOMED_BOX_PX: Final = 72
_MIN_BOX_PX: Final = 3
_TALLEST_PX: Final = 340
_SHORTEST_PX: Final = 96
WIDE_GAP_FROM_PX: Final = 12
"""Boxes from this size on stand apart and are square; smaller ones stand close together on a dark ground, and
are longer one way where that makes them easier to hit."""
_NO_GAP_BELOW_PX: Final = 5.5

Axis: TypeAlias = Literal["cell", "layer", "column"]


@dataclass(frozen=True)
class GridPart:
    """What lies under a point: a head's box, or the label of a layer or of a column of heads."""

    axis: Axis
    head: Head


class GridView:
    """Fits, zooms and scrolls a grid of L layers by H heads."""

    def __init__(self) -> None:
        self.shape_LH = (0, 0)
        self._size = QSizeF(0, 0)
        self.ratio = 1.0
        self._zoom = 1.0
        self._scroll_px = QPointF(0, 0)
        self.box_dev = (1, 1)
        """Width and height of a head's box in device pixels, gap included."""
        self.scroll_dev = (0, 0)
        """Device pixels of the grid that lie left of and above the area."""
        self.area = QRectF()
        """Where boxes are seen."""

    # What is shown

    def set_shape(self, shape_LH: tuple[int, int]) -> bool:
        """Take a grid of another shape, fitted; returns whether it is another one."""
        if shape_LH == self.shape_LH:
            return False
        self.shape_LH = shape_LH
        self.fit()
        return True

    def set_size(self, size: QSizeF, ratio: float) -> None:
        """Take the widget's size and its device pixels for each of its own."""
        self._size, self.ratio = size, ratio
        self._clamp()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to lay out."""
        return not all(self.shape_LH) or self._size.isEmpty()

    @property
    def zoom(self) -> float:
        """1 where the whole grid is fitted."""
        return self._zoom

    def key(self) -> tuple[object, ...]:
        """Differs whenever anything lies elsewhere."""
        size = self._size.width(), self._size.height()
        return (*self.shape_LH, *self.box_dev, *self.scroll_dev, *size, self.ratio)

    # Sizes

    @property
    def box_px(self) -> tuple[float, float]:
        """Width and height of a head's box in the widget's pixels."""
        width, height = self.box_dev
        return width / self.ratio, height / self.ratio

    @property
    def gap_dev(self) -> int:
        """Device pixels between two heads' colours."""
        side_px = min(self.box_px)
        if side_px < _NO_GAP_BELOW_PX:
            return 0
        return max(1, round((2 if side_px >= WIDE_GAP_FROM_PX else 1) * self.ratio))

    def height_for(self, width_px: int) -> int:
        """The height that a widget of a width would like."""
        n_layers, n_heads = self.shape_LH
        if not n_layers or not n_heads:
            return _SHORTEST_PX + TOP_PX + BOTTOM_PX
        least, most = self._limits_dev()
        room_dev = (width_px - LEFT_PX - EDGE_PX) * self.ratio
        box_px = min(most, max(least, int(room_dev // n_heads))) / self.ratio
        shortest = min(_SHORTEST_PX, n_layers * WIDE_GAP_FROM_PX)
        return ceil(min(_TALLEST_PX, max(shortest, n_layers * box_px))) + TOP_PX + BOTTOM_PX

    # Places

    def box(self, head: Head) -> QRectF:
        """A head's box, gap included; it may lie outside the area."""
        width, height = self.box_px
        scroll_x, scroll_y = self.scroll_dev
        x = LEFT_PX + head.index * width - scroll_x / self.ratio
        row = self.shape_LH[0] - 1 - head.layer
        return QRectF(x, TOP_PX + row * height - scroll_y / self.ratio, width, height)

    def head_at(self, at: QPointF) -> Head | None:
        """The head whose box a point of the area lies in."""
        return self.nearest_head(at) if not self.empty and self.area.contains(at) else None

    def nearest_head(self, at: QPointF) -> Head:
        """The head nearest to a point, which may lie anywhere."""
        width, height = self.box_px
        area, (scroll_x, scroll_y) = self.area, self.scroll_dev
        x = min(max(at.x(), area.left()), area.right() - 0.5) - LEFT_PX + scroll_x / self.ratio
        y = min(max(at.y(), area.top()), area.bottom() - 0.5) - TOP_PX + scroll_y / self.ratio
        n_layers, n_heads = self.shape_LH
        row = min(n_layers - 1, max(0, int(y / height)))
        return Head(n_layers - 1 - row, min(n_heads - 1, max(0, int(x / width))))

    def part_at(self, at: QPointF) -> GridPart | None:
        """What lies under a point; the histogram's bars count as labels of their layers."""
        if self.empty:
            return None
        area, head = self.area, self.nearest_head(at)
        if area.contains(at):
            return GridPart("cell", head)
        if area.top() <= at.y() < area.bottom() and (at.x() < area.left() or self.edge.contains(at)):
            return GridPart("layer", head)
        if area.left() <= at.x() < area.right() and area.bottom() <= at.y() < area.bottom() + BOTTOM_PX:
            return GridPart("column", head)
        return None

    @property
    def edge(self) -> QRectF:
        """Where the histogram is drawn."""
        area = self.area
        return QRectF(area.right() + 6, area.top(), EDGE_PX - 10, area.height())

    # Zoom and scroll

    def fit(self) -> None:
        """Show the whole grid."""
        self._zoom, self._scroll_px = 1.0, QPointF(0, 0)
        self._clamp()

    def zoom_by(self, factor: float, at: QPointF) -> None:
        """Zoom, the head under a point staying there."""
        if self.empty:
            return
        area, before = self.area, self.box_px
        most = MAX_ZOOMED_BOX_PX * self.ratio / min(self._fitted_dev())
        self._zoom = min(max(1.0, self._zoom * factor), max(1.0, most))
        inside = QPointF(
            min(max(at.x(), area.left()), area.right()), min(max(at.y(), area.top()), area.bottom())
        ) - area.topLeft()  # fmt: skip
        after = (side / self.ratio for side in self._box_of(self._zoom))
        grown_x, grown_y = (now / old for now, old in zip(after, before, strict=True))
        reached = self._scroll_px + inside
        self._scroll_px = QPointF(reached.x() * grown_x, reached.y() * grown_y) - inside
        self._clamp()

    def scroll_by(self, dx_px: float, dy_px: float) -> None:
        """Show what lies further right and below."""
        self._scroll_px += QPointF(dx_px, dy_px)
        self._clamp()

    @property
    def scrolls(self) -> bool:
        """Whether there is more than the area shows."""
        width, height = self._content_px()
        return width > self.area.width() + 0.5 or height > self.area.height() + 0.5

    def reveal(self, head: Head) -> None:
        """Scroll as little as it takes to show a head."""
        box, area = self.box(head), self.area
        dx = min(0.0, box.left() - area.left()) + max(0.0, box.right() - area.right())
        dy = min(0.0, box.top() - area.top()) + max(0.0, box.bottom() - area.bottom())
        self.scroll_by(dx, dy)

    # Pieces

    def _room_px(self) -> tuple[float, float]:
        return (
            max(0.0, self._size.width() - LEFT_PX - EDGE_PX),
            max(0.0, self._size.height() - TOP_PX - BOTTOM_PX),
        )

    def _content_px(self) -> tuple[float, float]:
        if not all(self.shape_LH):
            return 0.0, 0.0
        width, height = self.box_px
        return self.shape_LH[1] * width, self.shape_LH[0] * height

    def _fitted_dev(self) -> tuple[int, int]:
        """A box that lets the whole grid be seen where there is room, as square as that allows."""
        n_layers, n_heads = self.shape_LH
        room_w, room_h = (room * self.ratio for room in self._room_px())
        least, most = self._limits_dev()
        width = min(most, max(least, int(room_w // max(1, n_heads))))
        height = min(most, max(least, int(room_h // max(1, n_layers))))
        roomy = round(WIDE_GAP_FROM_PX * self.ratio)
        return min(width, max(height, roomy)), min(height, max(width, roomy))

    def _limits_dev(self) -> tuple[int, int]:
        """The smallest and the largest side of a box that is not zoomed."""
        return max(2, int(_MIN_BOX_PX * self.ratio)), round(MAX_BOX_PX * self.ratio)

    def _box_of(self, zoom: float) -> tuple[int, int]:
        width, height = self._fitted_dev()
        if zoom == 1.0:
            return width, height
        most = round(MAX_ZOOMED_BOX_PX * self.ratio)
        return max(width, min(round(width * zoom), most)), max(height, min(round(height * zoom), most))

    def _clamp(self) -> None:
        """Lay out anew, with the scroll inside its bounds."""
        self.box_dev = self._box_of(self._zoom)
        (width, height), (room_w, room_h) = self._content_px(), self._room_px()
        self._scroll_px = QPointF(
            min(max(0.0, self._scroll_px.x()), max(0.0, width - room_w)),
            min(max(0.0, self._scroll_px.y()), max(0.0, height - room_h)),
        )
        self.scroll_dev = round(self._scroll_px.x() * self.ratio), round(self._scroll_px.y() * self.ratio)
        self.area = QRectF(LEFT_PX, TOP_PX, max(0.0, min(width, room_w)), max(0.0, min(height, room_h)))
