"""The tour's card with its pointer, the ring around what it points at, and where the card stands.

Draws and places; what is said, and when, is the tour's business.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, soft

CARD_WIDTH_PX: Final = 320
POINTER_PX: Final = 9
_GAP_PX: Final = 4
_EDGE_PX: Final = 8

Side: TypeAlias = Literal["left", "right", "top", "bottom", "none"]
"""The side of the card that its pointer is on."""


class CardPlace(NamedTuple):
    """Where a card stands, and where on which of its sides the pointer is (pixels along that side)."""

    corner: QPoint
    side: Side
    pointer_px: int


def place_card(card: QSize, target: QRect | None, window: QRect) -> CardPlace:
    """Put a card beside its target within the window: right, left, above or below; else in a corner of it.

    Without a target in the middle of the window.
    """
    if target is None or target.isEmpty():
        return CardPlace(window.center() - QPoint(card.width() // 2, card.height() // 2), "none", 0)
    room = window.adjusted(_EDGE_PX, _EDGE_PX, -_EDGE_PX, -_EDGE_PX)
    x = _within(target.center().x() - card.width() // 2, room.left(), room.right() - card.width())
    y = _within(target.center().y() - card.height() // 2, room.top(), room.bottom() - card.height())
    along_y, along_x = target.center().y() - y, target.center().x() - x
    ways: tuple[CardPlace, ...] = (
        CardPlace(QPoint(target.right() + _GAP_PX, y), "left", along_y),
        CardPlace(QPoint(target.left() - _GAP_PX - card.width(), y), "right", along_y),
        CardPlace(QPoint(x, target.top() - _GAP_PX - card.height()), "bottom", along_x),
        CardPlace(QPoint(x, target.bottom() + _GAP_PX), "top", along_x),
    )
    fitting = (way for way in ways if room.contains(QRect(way.corner, card)))
    corner = QPoint(target.right() - card.width() - _EDGE_PX, target.top() + _EDGE_PX)
    return next(fitting, CardPlace(corner, "none", 0))


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


class TourCard(QWidget):
    """One step in words. Signals: `next_wanted`, `skip_wanted`."""

    next_wanted = Signal()
    skip_wanted = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("tourCard")
        self.setFixedWidth(CARD_WIDTH_PX)
        self._side: Side = "none"
        self._pointer_px = 0
        self._count = soft(named(QLabel(), "tourCount"))
        self._title = named(QLabel(), "tourTitle")
        self._text = named(QLabel(), "tourText")
        tip = "Show the next step; it also comes by itself once this one is done"
        self._next = push_button("tourNext", "Next", tip, spoken="Next", kind="primary")
        tip = "End the tour; Help starts it again  Esc"
        self._skip = push_button("tourSkip", "Skip the tour", tip, spoken="Skip the tour", kind="flat")
        self._dress()
        self._lay_out()
        self._next.clicked.connect(self.next_wanted)
        self._skip.clicked.connect(self.skip_wanted)
        theme.changed.connect(self.update)
        self.hide()

    def _dress(self) -> None:
        self._title.setProperty("role", "strong")
        self._text.setWordWrap(True)
        for button in (self._next, self._skip):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _lay_out(self) -> None:
        head, foot = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self._count)
        foot.addWidget(self._skip)
        foot.addStretch(1)
        foot.addWidget(self._next)
        self._layout = layout = QVBoxLayout(self)
        margin = POINTER_PX + 14
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(head)
        layout.addWidget(self._text)
        layout.addLayout(foot)

    def show_step(self, title: str, text: str, number: int, of: int) -> None:
        """Say another step."""
        self._title.setText(title)
        self._text.setText(text)
        self._count.setText(f"{number} of {of}")
        self._next.setText("Finish" if number == of else "Next")
        self._skip.setVisible(number < of)
        self._next.setAccessibleName(self._next.text())
        self.setAccessibleName(f"Tour, step {number} of {of}: {title}. {text}")

    def fit(self) -> None:
        """Be as high as its words need."""
        self._layout.activate()
        self.resize(CARD_WIDTH_PX, self._layout.totalHeightForWidth(CARD_WIDTH_PX))

    def show_done(self) -> None:
        """The person has done it."""
        self._count.setText("done ✓")

    def point(self, side: Side, pointer_px: int) -> None:
        """Have the pointer on another side."""
        self._side, self._pointer_px = side, pointer_px
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card and its pointer."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(POINTER_PX, POINTER_PX, -POINTER_PX, -POINTER_PX)
        painter.setPen(QPen(colours.accent, 1.5))
        painter.setBrush(colours.panel)
        painter.drawRoundedRect(room, 8, 8)
        if self._side == "none":
            return
        tip, *foot = self._pointer(room)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.accent)
        painter.drawPolygon(QPolygonF([tip, *foot]))

    def _pointer(self, room: QRectF) -> list[QPointF]:
        """Its tip, then the two ends of its foot."""
        upright = self._side in ("left", "right")
        low, high = (room.top(), room.bottom()) if upright else (room.left(), room.right())
        along = min(max(float(self._pointer_px), low + 18), high - 18)
        near = {"left": room.left(), "right": room.right(), "top": room.top(), "bottom": room.bottom()}
        foot = near[self._side]
        tip = foot + (-POINTER_PX if self._side in ("left", "top") else POINTER_PX)
        points = [(tip, along), (foot, along - POINTER_PX), (foot, along + POINTER_PX)]
        return [QPointF(*point) if upright else QPointF(point[1], point[0]) for point in points]


class TourRing(QWidget):
    """A ring around a part of the window; lets the mouse through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("tourRing")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.changed.connect(self.update)
        self.hide()

    def show_around(self, target: QRect | None) -> None:
        """Lie around a part; None hides it."""
        if target is None or target.isEmpty():
            self.hide()
            return
        self.setGeometry(target.adjusted(-3, -3, 3, 3))
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it in the accent."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.current().accent, 2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 7, 7)
