"""The head grid: every head of the model as a square, layers from the bottom up, coloured by what is asked.

Colours are the shown ranking's scores, or every head's mass on a place at the tokens that are shown. Hovering
a head shows its map on the picture and its card; clicks, drags and keys choose heads (see head_grid_hand).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QSize, QSizeF, Qt
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
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolButton, QToolTip, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import Head
from gazeviz.render.palette import OUTLINE
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named
from gazeviz.ui.head_card import HeadCard, head_facts
from gazeviz.ui.head_grid_frame import GRID_TIP, draw_frame, draw_lit_numbers, draw_ring, part_tip
from gazeviz.ui.head_grid_hand import GridHand, mask_of
from gazeviz.ui.head_grid_keys import CTRL, KEY_REASONS, SHIFT, STEPS, is_own, mode_of
from gazeviz.ui.head_grid_layers import (
    KeptImage,
    colours_argb,
    draw_absent,
    draw_heads,
    draw_outlines,
)
from gazeviz.ui.head_grid_view import BOTTOM_PX, LEFT_PX, GridView

_ZOOM_STEP: Final = 1.25
_WHEEL_NOTCH: Final = 120


class HeadGrid(QWidget):
    """Shows the heads and chooses them."""

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
        self._hand = GridHand(model, controller)
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
        self.setAccessibleDescription(facts or f"{len(self._model.chosen)} heads chosen")
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
        if hovered is not None and self._has(hovered):
            draw_ring(painter, self.view.box(hovered), Qt.GlobalColor.white)
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
