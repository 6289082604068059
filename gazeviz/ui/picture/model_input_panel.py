"""What the model is fed of the picture: sizes, crop, cells and panels, in the left column."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import QAbstractButton, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.wording import format_percent, plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, section_title, soft_text

_PREVIEW_HEIGHT_PX = 96
_LARGEST_TIMES = 4


class PicturePanel(QWidget):
    """The picture in figures, and the pixels that really reach the model."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("picturePanel")
        self._model = model
        self._name = named(QLabel(), "pictureName")
        self._name.setWordWrap(True)
        self._fed, self._panels = soft_text("pictureFed"), soft_text("picturePanels")
        self._preview = FedPreview(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addWidget(section_title("Picture"))
        for label in (self._name, self._fed, self._panels):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        layout.addWidget(self._preview)
        model.picture_changed.connect(self._refresh)
        model.grid_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        picture, grid = self._model.picture, self._model.grid
        if picture is None:
            self._name.setText("No picture")
            self._fed.setText("Drop one on the window, or open a sample.")
            self._panels.setText("")
        else:
            width_px, height_px = picture.size_px
            self._name.setText(f"{picture.name}  {width_px} × {height_px}")
            self._fed.setText(fed_text(grid))
            rows_columns = picture.layout
            if rows_columns is None:
                self._panels.setText("no panels")
            else:
                count = rows_columns.n
                shape = f"{rows_columns.rows} × {rows_columns.cols}"
                where = "of their own sizes" if rows_columns.boxes_px else shape
                self._panels.setText(f"{plural(count, 'panel')}, {where}")
        self._name.setToolTip(self._name.text())
        self._panels.setVisible(bool(self._panels.text()))
        self._preview.show_pixels(self._model.fed_pixels_HW3 if grid is not None else None)


def fed_text(grid: TokenGrid | None) -> str:
    """What the model is fed, in words: size, cells, and what is cut off."""
    if grid is None:
        return "not processed by a model yet"
    width_px, height_px = grid.fed_size_px
    if grid.shape_RC is not None:
        rows, columns = grid.shape_RC
        cells = f"{columns} × {rows} cells"
    else:
        placed = int((~np.isnan(grid.boxes_P4).any(axis=1)).sum())
        cells = f"{grid.n_tokens} tokens, {placed} with a place"
    text = f"fed as {width_px} × {height_px} · {cells}"
    seen = float(grid.seen_HW().mean())
    if seen < 0.995:
        text += f"\n{format_percent(seen)} of the picture is visible to the model; the rest is cropped."
    rest = _beyond_the_sizes(grid)
    return f"{text}\n{rest}" if rest else text


def _beyond_the_sizes(grid: TokenGrid) -> str:
    """The grid's note without a sentence that only repeats the two sizes."""
    sizes = [f"{width_px} x {height_px}" for width_px, height_px in (grid.picture_size_px, grid.fed_size_px)]
    sentences = re.split(r"(?<=\.)\s+", grid.note)
    return " ".join(sentence for sentence in sentences if not all(size in sentence for size in sizes))


class FedPreview(QAbstractButton):
    """A small picture of the fed pixels; a click shows them large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fedPreview")
        self.setAccessibleName("The pixels the model receives")
        self.setToolTip(
            "What the image processor passes to the model, after resizing and cropping. Click to enlarge"
        )
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(self.show_large)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._image: QImage | None = None
        theme.changed.connect(self.update)

    def show_pixels(self, pixels_HW3: NDArray[np.uint8] | None) -> None:
        """Take the pixels, uint8 (H, W, 3); None hides the preview."""
        self._image = None
        if pixels_HW3 is not None:
            pixels = np.ascontiguousarray(pixels_HW3)
            height_px, width_px = pixels.shape[:2]
            image = QImage(pixels.data, width_px, height_px, 3 * width_px, QImage.Format.Format_RGB888)
            self._image = image.copy()
        self.setVisible(self._image is not None)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as the pixels are at the column's width, and never more than a small picture."""
        if self._image is None:
            return QSize(0, 0)
        height_px = 188 * self._image.height() / max(1, self._image.width())
        return QSize(188, 2 * theme.SPACE + round(min(height_px, _PREVIEW_HEIGHT_PX)))

    def show_large(self) -> QLabel | None:
        """Show every fed pixel, as squares where there is room, until a click or Esc; None without pixels."""
        if self._image is None:
            return None
        label = named(QLabel(self, Qt.WindowType.Popup), "fedLarge")
        label.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        label.setAccessibleName(self.accessibleName())
        room = self.screen().availableSize() * 0.8
        size = self._image.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        times = size.width() / self._image.width()
        if times >= 1:
            size = self._image.size() * min(_LARGEST_TIMES, int(times))
        ratio = self.devicePixelRatioF()
        mode = (
            Qt.TransformationMode.FastTransformation
            if times >= 1
            else Qt.TransformationMode.SmoothTransformation
        )
        pixmap = QPixmap.fromImage(
            self._image.scaled(size * ratio, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
        )
        pixmap.setDevicePixelRatio(ratio)
        label.setPixmap(pixmap)
        label.resize(size)
        label.move(self.mapToGlobal(QPoint(self.width() + 3 * theme.SPACE, 0)))
        label.show()
        return label

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it smoothly, at the left, in a hairline."""
        if self._image is None:
            return
        room = QRectF(self.rect()).adjusted(0.5, 2 * theme.SPACE + 0.5, -0.5, -0.5)
        size = self._image.size().scaled(room.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        ratio = self.devicePixelRatioF()
        image = self._image.scaled(
            size * ratio, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        place = QRectF(room.left(), room.top(), size.width(), size.height())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        path = QPainterPath()
        path.addRoundedRect(place, 3, 3)
        painter.save()
        painter.setClipPath(path)
        painter.drawImage(place, image)
        painter.restore()
        colours = theme.current()
        painter.setPen(colours.accent if self.hasFocus() else colours.line)
        painter.drawPath(path)
