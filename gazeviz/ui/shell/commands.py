"""Everything that the window can do, once: name, key, what it does. Menus and the palette are made of these.

Single keys (B, 1, Space) work wherever no text is being typed. It knows the window only through the calls
that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QListView,
    QMenu,
    QWidget,
)

from gazeviz.app.runs.presets import take_recommended
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.answers.token_cursor import TokenCursor
from gazeviz.ui.picture.canvas import ImageCanvas
from gazeviz.ui.picture.tool_bar import TOOL_TEXTS
from gazeviz.ui.widgets.controls import OWNS_ESCAPE

BRUSH_STEP: Final = 1.25

OF_EXPLORE: Final = ("Edit", "Run", "Tools", "Steering", "Heads", "Tokens")
"""Groups that are about the picture: on another tab their keys mean something else, or nothing."""

_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)


@dataclass(frozen=True)
class Deed:
    """One thing that can be done. key: as Qt writes it, "" for none. group: the menu that it stands in."""

    group: str
    name: str
    key: str
    does: str
    run: Callable[[], object]
    checked: Callable[[], bool] | None = None


class Actions(QObject):
    """QActions of a window, by name, in order."""

    def __init__(self, window: QWidget, deeds: Sequence[Deed]) -> None:
        super().__init__(window)
        self._deeds = tuple(deeds)
        self._actions: dict[str, QAction] = {}
        for deed in deeds:
            self._actions[deed.name] = self._make(window, deed)
        self._guard = KeyGuard(self)

    def _make(self, window: QWidget, deed: Deed) -> QAction:
        action = QAction(deed.name, window)
        action.setToolTip(f"{deed.does}  {deed.key}".rstrip())
        action.setStatusTip(deed.does)
        if deed.key:
            action.setShortcut(QKeySequence(deed.key))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(deed.checked is not None)
        action.triggered.connect(lambda _=False: deed.run())
        window.addAction(action)
        return action

    @property
    def deeds(self) -> tuple[Deed, ...]:
        """All of them, in order."""
        return self._deeds

    def action(self, name: str) -> QAction:
        """The action of a name."""
        return self._actions[name]

    def fill(self, menu: QMenu) -> None:
        """Make a menu of them, a submenu for each group."""
        menu.clear()
        submenus: dict[str, QMenu] = {}
        for deed in self._deeds:
            if deed.group not in submenus:
                submenus[deed.group] = menu.addMenu(deed.group)
                submenus[deed.group].setToolTipsVisible(True)
            submenus[deed.group].addAction(self._actions[deed.name])
        menu.aboutToShow.connect(self.refresh)

    def enable(self, groups: Collection[str], on: bool) -> None:
        """Let the deeds of some groups be done, or not: their keys mean something else on another tab."""
        for deed in self._deeds:
            if deed.group in groups:
                self._actions[deed.name].setEnabled(on)

    def refresh(self) -> None:
        """Tick what is on."""
        for deed in self._deeds:
            if deed.checked is not None:
                self._actions[deed.name].setChecked(deed.checked())


class KeyGuard(QObject):
    """Leaves Space, arrows and Esc to the control that has the focus where it needs them itself.

    Watches that control alone: a filter of the whole application would see every event of every widget.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
            self._on_focus_changed(None, QApplication.focusWidget())

    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        if before is not None:
            before.removeEventFilter(self)
        if now is not None:
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Accept the override of a shortcut on behalf of the focused control."""
        asked = event.type() == QEvent.Type.ShortcutOverride
        if not asked or not isinstance(event, QKeyEvent) or not isinstance(watched, QWidget):
            return False
        needed = needs_key(watched, Qt.Key(event.key()))
        event.setAccepted(needed)
        return needed


def needs_key(widget: QWidget, key: Qt.Key) -> bool:
    """Whether a focused control acts on a key by itself."""
    if key == Qt.Key.Key_Space:
        return isinstance(widget, QAbstractButton | QComboBox)
    if key in _ARROWS:
        if isinstance(widget, QListView) and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return False  # its rows are above each other
        return isinstance(widget, QAbstractSlider | QAbstractSpinBox | QComboBox | QAbstractItemView)
    return key == Qt.Key.Key_Escape and bool(widget.property(OWNS_ESCAPE))


def run_deeds(controller: RunController) -> list[Deed]:
    """Asking the model, and beginning again with another worker."""
    return [
        Deed("Run", "Run or stop", "Space", "Run baseline and steered answer, or stop within a token.",
             controller.run_or_stop),
        Deed("Run", "Run the baseline alone", "Ctrl+Shift+Return", "Without steering.",
             partial(controller.run, "baseline")),
        Deed("Run", "Run the steered answer alone", "Ctrl+Return", "The baseline stays as it is.",
             partial(controller.run, "steered")),
        Deed("Run", "Restart the worker", "", "Stop the model's process and start a new one; the session is "
             "kept.", controller.restart_worker),
    ]  # fmt: skip


def picture_deeds(model: SessionModel, canvas: ImageCanvas) -> list[Deed]:
    """What is laid over the picture, and how large it is shown."""
    return [
        Deed("View", "Token cells", "Ctrl+G", "Draw the grid of image tokens over the picture.",
             lambda: setattr(model, "show_cells", not model.show_cells), lambda: model.show_cells),
        Deed("View", "Attention map", "Ctrl+H", "Lay the map over the picture.",
             lambda: setattr(model, "show_map", not model.show_map), lambda: model.show_map),
        Deed("View", "Fit the picture", "Ctrl+0", "Show all of the picture.", canvas.fit),
        Deed("View", "Picture at actual size", "Ctrl+1", "One pixel for each pixel.", canvas.actual_size),
        Deed("View", "Zoom in", "Ctrl++", "Show the picture larger.", partial(canvas.zoom_by, 1.25)),
        Deed("View", "Zoom out", "Ctrl+-", "Show the picture smaller.", partial(canvas.zoom_by, 0.8)),
    ]  # fmt: skip


def tool_deeds(model: SessionModel) -> list[Deed]:
    """Choosing a tool, and its size."""
    tools = [
        Deed("Tools", text.name, text.key, text.does, partial(setattr, model, "tool", tool))
        for tool, text in TOOL_TEXTS.items()
    ]

    def scale(factor: float) -> None:
        model.brush_px = max(round(model.brush_px * factor), model.brush_px + (1 if factor > 1 else -1))

    def shrink() -> None:
        model.brush_px = min(round(model.brush_px / BRUSH_STEP), model.brush_px - 1)

    return [
        *tools,
        Deed("Tools", "Smaller brush", "[", "Paint with a smaller brush.", shrink),
        Deed("Tools", "Larger brush", "]", "Paint with a larger brush.", partial(scale, BRUSH_STEP)),
    ]


def target_deeds(model: SessionModel, controller: RunController) -> list[Deed]:
    """Pointing the chosen heads at a region by its number, also while text streams."""

    def aim(place: int) -> None:
        ids = model.regions.ids
        if place < len(ids):
            controller.retarget(ids[place])

    does = "Steer the chosen heads to this region; a steered run in progress follows from its next token."
    return [
        *(
            Deed("Steering", f"Target region {number}", str(number), does, partial(aim, number - 1))
            for number in range(1, 10)
        ),
        Deed("Steering", "No target", "0", "Let the heads go.", partial(controller.retarget, None)),
    ]


def cursor_deeds(model: SessionModel) -> list[Deed]:
    """Moving through the tokens that everything shows."""

    cursor = TokenCursor(model)

    def move(by: int, extend: bool = False) -> None:
        if cursor.side is not None:
            cursor.step(cursor.side, by, extend)

    def go_to(end: bool) -> None:
        if cursor.side is not None:
            cursor.move_to(cursor.side, cursor.n_tok(cursor.side) if end else 0, False)

    return [
        Deed("Tokens", "Previous token", "Left", "Show the attention one token before.", partial(move, -1)),
        Deed("Tokens", "Next token", "Right", "Show the attention one token later.", partial(move, 1)),
        Deed("Tokens", "Extend back", "Shift+Left", "Show the mean of a span of tokens.",
             partial(move, -1, True)),
        Deed("Tokens", "Extend forward", "Shift+Right", "Show the mean of a span of tokens.",
             partial(move, 1, True)),
        Deed("Tokens", "First token", "Home", "Show the attention at the first token.",
             partial(go_to, False)),
        Deed("Tokens", "Last token", "End", "Show the attention at the last token.", partial(go_to, True)),
        Deed("Tokens", "Follow the newest token", "Esc", "Show what arrives, as it arrives.",
             cursor.follow),
    ]  # fmt: skip


def head_deeds(model: SessionModel, controller: RunController) -> list[Deed]:
    """Choosing heads without the mouse."""
    heads, attempt = controller.heads, controller.attempt

    def look() -> None:
        if model.active_region_id is not None:
            controller.look_at_region(model.active_region_id)

    def next_seed() -> int:
        """Drawn again, they are others."""
        last = model.chosen.origin
        return (last.seed or 0) + 1 if last.kind == "random" else 0

    def act(deed: Callable[[], object]) -> Callable[[], object]:
        return lambda: attempt(deed, "heads")

    return [
        Deed("Heads", "Steer as recommended", "Ctrl+B", "The heads, mode, strength and rows that the "
             "model's own folder recommends for what is asked.",
             act(lambda: take_recommended(model, controller.editor))),
        Deed("Heads", "Draw as many heads at random", "", "A control: as many heads, drawn uniformly.",
             act(lambda: heads.random(max(len(model.chosen), 1), next_seed()))),
        Deed("Heads", "Draw layer-matched heads at random", "", "A control: as many heads in each layer, "
             "none of them chosen now.", act(lambda: heads.random(len(model.chosen), 0, layer_matched=True))),
        Deed("Heads", "Choose all heads", "Ctrl+A", "Steer every head: usually ends in junk.",
             act(heads.all)),
        Deed("Heads", "Invert the choice of heads", "Ctrl+I", "Choose the heads that are not chosen.",
             act(heads.invert)),
        Deed("Heads", "Choose no heads", "Ctrl+Shift+A", "Maps are means of all heads then.",
             act(heads.clear)),
        Deed("Heads", "Which heads look at the active region?", "Ctrl+L", "Colour the grid by every head's "
             "mass on the active region.", look),
    ]  # fmt: skip
