"""The guided tour: a card that points at parts of the window - run, choose heads, paint, steer.

A step is over when the person has done it, or by Next. The tour takes no key but Esc and does nothing to the
session by itself. Knows parts of the window by their names alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import named, push_button, soft

# The tour's card with its pointer, the ring around what it points at, and where the card stands.
#
# Draws and places; what is said, and when, is the tour's business.


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
        tip = "Next step; it also follows when this one is done"
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


ADVANCE_MS: Final = 700
"""Between what a person does and the next card: it must not come under the cursor of a drag."""
_MOVES: Final = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide)


@dataclass(frozen=True)
class TourStep:
    """key: for tests and programs.  parts: names of widgets to point at, the first that is shown is taken."""

    key: str
    title: str
    text: str
    parts: tuple[str, ...]


STEPS: Final = (
    TourStep(
        "run",
        "Run",
        "Press Run, or Space. The model answers the prompt about this picture, and every token is tinted by "
        "the region that it looks at most. Click a token: the picture shows where the model looked.",
        ("runButton", "promptBar"),
    ),
    TourStep(
        "heads",
        "Choose heads",
        "Each square is one attention head: the brighter, the more it attends to the panel in question. "
        "Click heads, drag a rectangle, or move Top K: the map and the steering use these heads.",
        ("headGrid", "headPanel"),
    ),
    TourStep(
        "paint",
        "Paint a region",
        "Drag a rectangle (R) or brush (B) over what the model should describe. The region selects the "
        "token cells it covers; the panels of a strip are regions already.",
        ("imageCanvas",),
    ),
    TourStep(
        "steer",
        "Steer",
        "Press a region's number, 1 to 9: the chosen heads are steered to it. Then run. While the text "
        "streams, press another number: the next token follows.",
        ("steerPanel", "runButton", "promptBar"),
    ),
)


class Tour(QObject):
    """Begins with `start`; remembers in the settings that it was seen. Signals `started` and `ended`."""

    started, ended = Signal(), Signal()

    def __init__(
        self, window: QWidget, model: SessionModel, controller: RunController, settings: AppSettings
    ) -> None:
        super().__init__(window)
        self._window, self._model, self._settings = window, model, settings
        self._at: int | None = None
        self._part: QWidget | None = None
        self._runs_before: frozenset[int] = frozenset()
        self.card, self.ring = TourCard(window), TourRing(window)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(ADVANCE_MS)
        self._timer.timeout.connect(self.next_step)
        self.card.next_wanted.connect(self.next_step)
        self.card.skip_wanted.connect(self.skip)

    @property
    def step(self) -> TourStep | None:
        """The one that is shown; None while there is no tour."""
        return STEPS[self._at] if self._at is not None else None

    def start(self) -> None:
        """Begin with the first step; whoever hears `started` brings what it points at into sight."""
        self.started.emit()
        if self._at is None:
            self._listen(True)
        self._show(0)

    def next_step(self) -> None:
        """Go on; after the last step the tour ends."""
        if self._at is None:
            return
        if self._at + 1 < len(STEPS):
            self._show(self._at + 1)
        else:
            self._end()

    def skip(self) -> None:
        """End the tour; it can be started again."""
        if self._at is not None:
            self._end()

    # What the person does

    def _listen(self, on: bool) -> None:
        """Hear of the person's deeds only while there is a tour."""
        model = self._model
        for signal, slot in (
            (model.run_changed, self._on_run_changed),
            (model.chosen_changed, self._on_chosen),
            (model.region_painted, self._on_painted),
        ):
            (signal.connect if on else signal.disconnect)(slot)
        (self._window.installEventFilter if on else self._window.removeEventFilter)(self)

    def _on_chosen(self) -> None:
        self._done("heads")

    def _on_painted(self, *_: object) -> None:
        self._done("paint")

    def _on_run_changed(self, run_id: int) -> None:
        record = self._model.runs.get(run_id)
        if record is None or record.state != "done" or run_id in self._runs_before:
            return
        if record.side == "steered":
            self._done("steer")
        if record.side != "glance":
            self._done("run")

    def _done(self, key: str) -> None:
        if self.step is not None and self.step.key == key and not self._timer.isActive():
            self.card.show_done()
            self._timer.start()

    # Showing

    def _show(self, at: int) -> None:
        self._timer.stop()
        self._at = at
        self._runs_before = frozenset(self._model.runs)  # also one under way is of the step before
        step = STEPS[at]
        self._watch(_first_shown(self._window, step.parts))
        self.card.show_step(step.title, step.text, at + 1, len(STEPS))
        self._place()

    def _watch(self, part: QWidget | None) -> None:
        if self._part is not None:
            self._part.removeEventFilter(self)
        self._part = part
        if part is not None:
            part.installEventFilter(self)
            part.destroyed.connect(self._on_part_gone)

    def _on_part_gone(self) -> None:
        self._part = None

    def _place(self) -> None:
        """Put the card beside its part, and a ring around that; in the middle where the part is not shown."""
        target = None
        if self._part is not None and self._part.isVisible():
            corner = self._part.mapTo(self._window, QPoint(0, 0))
            target = QRect(corner, self._part.size()) & self._window.rect()
        self.card.fit()
        place = place_card(self.card.size(), target, self._window.rect())
        self.card.point(place.side, place.pointer_px)
        self.card.move(place.corner)
        self.ring.show_around(target)
        self.card.show()
        self.card.raise_()

    def _end(self) -> None:
        self._timer.stop()
        self._at = None
        self._watch(None)
        self._listen(False)
        self.card.hide()
        self.ring.hide()
        self._settings.tour_seen = True
        self.ended.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the window and the part; an Esc that nothing else in the window wants ends the tour."""
        if self._at is None:
            return False
        if event.type() in _MOVES:
            QTimer.singleShot(0, self, self._follow)
        is_key = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if watched is not self._window or not is_key:
            return False
        event.accept()  # its shortcut, which only asks, as well as the key
        if event.type() == QEvent.Type.KeyPress:
            self.skip()
        return True

    def _follow(self) -> None:
        if self._at is not None:
            self._place()


def _first_shown(window: QWidget, names: tuple[str, ...]) -> QWidget | None:
    for name in names:
        shown = [part for part in window.findChildren(QWidget, name) if part.isVisible()]
        if shown:
            return shown[0]
    return None
