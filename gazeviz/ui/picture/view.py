"""Where a picture stands on the canvas: zoom and place, and the way between screen and picture.

Points and boxes of the picture are (x, y) in its pixels, as in gazeviz.domain.region; those of the screen are
Qt's own types, in device-independent pixels.  Knows no painting.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF
from PySide6.QtGui import QRegion

from gazeviz.app.editing.painting import Box, Point

FIT_MARGIN_PX = 24.0
"""Free screen pixels around a fitted picture."""
ZOOM_MAX = 64.0
ZOOM_STEP = 1.2
"""What one notch of the wheel multiplies the zoom by."""


class PictureView:
    """Zoom (screen pixels a picture pixel) and the screen place of the picture's top left corner.

    A fitted view stays fitted while the canvas changes its size.
    """

    def __init__(self) -> None:
        self.zoom = 1.0
        self.left_px, self.top_px = 0.0, 0.0
        self.fitted = True
        self._height_px, self._width_px = 1, 1
        self._canvas = QSizeF(1, 1)

    def show_picture(self, size_px: tuple[int, int]) -> None:
        """Take a picture of another width and height, fitted."""
        self._width_px, self._height_px = size_px
        self.fit()

    def resize(self, canvas: QSizeF) -> None:
        """Follow the canvas's size: a fitted picture stays fitted, any other keeps its middle."""
        before, self._canvas = self._canvas, canvas
        if self.fitted:
            self.fit()
        else:
            self.pan((canvas.width() - before.width()) / 2, (canvas.height() - before.height()) / 2)

    def fit(self) -> None:
        """Show the whole picture, as large as it can be."""
        width_px = max(1.0, self._canvas.width() - 2 * FIT_MARGIN_PX)
        height_px = max(1.0, self._canvas.height() - 2 * FIT_MARGIN_PX)
        self.zoom = min(width_px / self._width_px, height_px / self._height_px, ZOOM_MAX)
        self._centre()
        self.fitted = True

    def zoom_to(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Zoom, keeping the picture's point under `anchor` where it is (None: the canvas's middle)."""
        at = anchor or QPointF(self._canvas.width() / 2, self._canvas.height() / 2)
        zoom = min(max(zoom, self._smallest()), ZOOM_MAX)
        self.left_px = at.x() - (at.x() - self.left_px) * zoom / self.zoom
        self.top_px = at.y() - (at.y() - self.top_px) * zoom / self.zoom
        self.zoom = zoom
        self.fitted = False
        self._keep_in_sight()

    def actual_size(self, pixel_ratio: float = 1.0) -> None:
        """Show one picture pixel as one pixel of the screen's own."""
        self.zoom_to(1.0 / pixel_ratio)
        self._centre()

    def pan(self, x_px: float, y_px: float) -> None:
        """Move the picture by screen pixels; a part of it always stays in sight."""
        self.left_px += x_px
        self.top_px += y_px
        self.fitted = False
        self._keep_in_sight()

    def picture_rect(self) -> QRectF:
        """Where the picture is on the screen."""
        return QRectF(self.left_px, self.top_px, self._width_px * self.zoom, self._height_px * self.zoom)

    def to_picture(self, at: QPointF) -> Point:
        """The picture's point under one of the screen; outside the picture too."""
        return (at.x() - self.left_px) / self.zoom, (at.y() - self.top_px) / self.zoom

    def to_screen(self, point: Point) -> QPointF:
        """The screen's point of one of the picture."""
        return QPointF(self.left_px + point[0] * self.zoom, self.top_px + point[1] * self.zoom)

    def box_to_screen(self, box_px: Box) -> QRectF:
        """The screen's rectangle of x0, y0, x1, y1."""
        return QRectF(self.to_screen((box_px[0], box_px[1])), self.to_screen((box_px[2], box_px[3])))

    def contains(self, point: Point) -> bool:
        """Whether a point lies on the picture."""
        return 0 <= point[0] < self._width_px and 0 <= point[1] < self._height_px

    def key(self) -> tuple[float, ...]:
        """Changes when anything drawn at this zoom and place has to be drawn anew."""
        return (self.zoom, self.left_px, self.top_px, self._canvas.width(), self._canvas.height())

    def _smallest(self) -> float:
        """Half of the fitting zoom, and never so small that the picture is lost."""
        fitting = min(self._canvas.width() / self._width_px, self._canvas.height() / self._height_px)
        return max(min(fitting / 2, 1.0), 1e-3)

    def _centre(self) -> None:
        self.left_px = math.floor((self._canvas.width() - self._width_px * self.zoom) / 2)
        self.top_px = math.floor((self._canvas.height() - self._height_px * self.zoom) / 2)

    def _keep_in_sight(self) -> None:
        """Leave at least a quarter of the canvas's shorter side, or the whole picture, in sight."""
        width_px, height_px = self._width_px * self.zoom, self._height_px * self.zoom
        keep_px = min(self._canvas.width(), self._canvas.height()) / 4
        keep_x, keep_y = min(keep_px, width_px), min(keep_px, height_px)
        self.left_px = min(max(self.left_px, keep_x - width_px), self._canvas.width() - keep_x)
        self.top_px = min(max(self.top_px, keep_y - height_px), self._canvas.height() - keep_y)


def few_rects(region: QRegion) -> list[QRect]:
    """A region's rectangles, or the one around them where that is hardly more to draw."""
    around = region.boundingRect()
    rects = [rect for rect in region]  # type: ignore[attr-defined]  # noqa: C416 - it has no stub for `iter`
    area = sum(rect.width() * rect.height() for rect in rects)
    return [around] if around.width() * around.height() <= 2 * area else rects
