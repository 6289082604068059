"""The guided tour: a card that points at parts of the window - run, choose heads, paint, steer.

A step is over when the person has done it, or by Next. The tour takes no key but Esc and does nothing to the
session by itself. Knows parts of the window by their names alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.app.settings import AppSettings
from gazeviz.ui.tour_card import TourCard, TourRing, place_card

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
        "Each square is one attention head, the brighter the more it looks at the panel that is asked about. "
        "Click heads, drag a rectangle, or move Top K: the map is theirs, and they are what is steered.",
        ("headGrid", "headPanel"),
    ),
    TourStep(
        "paint",
        "Paint a region",
        "Drag a rectangle (R) or brush (B) over what the model should speak of. The region takes in the "
        "token cells that it covers; the panels of a strip are regions already.",
        ("imageCanvas",),
    ),
    TourStep(
        "steer",
        "Steer",
        "Press a region's number, 1 to 9: the chosen heads are pointed at it. Then run. While the text "
        "streams, press another number: the next token already follows.",
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
        model.run_changed.connect(self._on_run_changed)
        model.chosen_changed.connect(lambda: self._done("heads"))
        model.region_painted.connect(lambda *_: self._done("paint"))

    @property
    def step(self) -> TourStep | None:
        """The one that is shown; None while there is no tour."""
        return STEPS[self._at] if self._at is not None else None

    def start(self) -> None:
        """Begin with the first step; whoever hears `started` brings what it points at into sight."""
        self.started.emit()
        self._window.removeEventFilter(self)
        self._window.installEventFilter(self)
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
        self._window.removeEventFilter(self)
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
