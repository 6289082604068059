"""The command palette: a list of everything that can be done, found by a few letters of its name.

A frameless card over the window that opened it, for the keyboard alone if one likes. Knows no command itself:
the window gives the list anew each time, so that it holds what can be done at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import named, soft

# Finding a command by a few letters: what a command is, and how well its name fits what was typed.
#
# Pure functions; knows no widget.


@dataclass(frozen=True)
class FoundCommand:
    """A command that was found; `places` are the letters of its title that were asked for.

    reason: why it cannot be done now, None where it can.
    """

    command: Command
    places: tuple[int, ...] = ()
    reason: str | None = None


def find(commands: Sequence[Command], asked: str) -> list[FoundCommand]:
    """Commands that hold all words of `asked`, the best first.

    A word fits a name if its letters occur there in that order, better together and at the beginning of
    words; or a tip, if it occurs there as it is. Without words all commands fit, in their order.
    """
    words = asked.casefold().split()
    scored = []
    for place, command in enumerate(commands):
        fits = [_fit(word, command) for word in words]
        if all(fit is not None for fit in fits):
            score = sum(fit[0] for fit in fits if fit)
            places = sorted({at for fit in fits if fit for at in fit[1]})
            scored.append((-score, place, FoundCommand(command, tuple(places), command.enabled_when())))
    return [match for _, _, match in sorted(scored, key=lambda entry: entry[:2])]


def _fit(word: str, command: Command) -> tuple[float, tuple[int, ...]] | None:
    in_name = _best_places(word, command.title.casefold())
    if in_name is not None:
        return _score(in_name, command.title), in_name
    if command.key and word == command.key.casefold():
        return 4.0, ()
    return (0.5, ()) if len(word) > 1 and word in command.tip.casefold() else None


def _best_places(word: str, name: str) -> tuple[int, ...] | None:
    """Where the letters of a word lie in a name: the best of the ways that begin at each of its letters."""
    ways = [_places_from(word, name, start) for start, letter in enumerate(name) if letter == word[0]]
    return max((way for way in ways if way), key=lambda way: _score(way, name), default=None)


def _places_from(word: str, name: str, start: int) -> tuple[int, ...] | None:
    places = [start]
    for letter in word[1:]:
        beside = places[-1] + 1
        at = beside if name[beside : beside + 1] == letter else _next_at(letter, name, beside)
        if at < 0:
            return None
        places.append(at)
    return tuple(places)


def _next_at(letter: str, name: str, start: int) -> int:
    """The next beginning of a word with that letter, else the next letter like it; -1 for none."""
    begins = (at for at in range(start, len(name)) if name[at] == letter and _begins_word(name, at))
    return next(begins, name.find(letter, start))


def _begins_word(name: str, at: int) -> bool:
    return at == 0 or not name[at - 1].isalnum()


def _score(places: tuple[int, ...], name: str) -> float:
    score = 0.0
    for n, at in enumerate(places):
        score += 1.0 + (2.0 if _begins_word(name, at) else 0.0)
        score += 1.5 if n and places[n - 1] == at - 1 else 0.0
    return score - 0.02 * len(name) - 0.05 * places[0]


WIDTH_PX: Final = 560
ROW_PX: Final = 30
_MOST_ROWS: Final = 11
_TOP_PX: Final = 72
_COMMAND_ROLE: Final = int(Qt.ItemDataRole.UserRole)
_MOVES: Final = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: _MOST_ROWS - 1,
    Qt.Key.Key_PageUp: 1 - _MOST_ROWS,
}


class CommandList(QAbstractListModel):
    """What was found, for the view."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.matches: list[FoundCommand] = []

    def show_matches(self, matches: list[FoundCommand]) -> None:
        """Take other matches."""
        self.beginResetModel()
        self.matches = matches
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        """One row per match."""
        return 0 if parent.isValid() else len(self.matches)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> object:
        """Its name; what it does; all of it for the delegate."""
        match = self.matches[index.row()]
        command = match.command
        spoken = f"{command.title}, key {command.key}" if command.key else command.title
        tip = match.reason or command.tip
        return {
            int(Qt.ItemDataRole.DisplayRole): command.title,
            int(Qt.ItemDataRole.ToolTipRole): tip,
            int(Qt.ItemDataRole.AccessibleTextRole): spoken,
            int(Qt.ItemDataRole.AccessibleDescriptionRole): tip,
            _COMMAND_ROLE: match,
        }.get(int(role))


class CommandRow(QStyledItemDelegate):
    """Draws a command: name with the letters that were asked for, what it does, its key."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """All rows are of one height."""
        return QSize(WIDTH_PX // 2, ROW_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        match: FoundCommand = index.data(_COMMAND_ROLE)
        colours = theme.current()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(option.rect)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(room, 6, 6)
            painter.setBrush(colours.accent)
            painter.drawRoundedRect(QRectF(room.left(), room.top() + 7, 3, room.height() - 14), 1.5, 1.5)
        room.adjust(12, 0, -10, 0)
        room.setRight(self._draw_key(painter, room, match.command.key) - 12)
        room.setLeft(self._draw_name(painter, room, match) + 12)
        painter.setFont(theme.font_ui(12))
        painter.setPen(colours.soft)
        tip = (match.reason or match.command.tip).partition("\n")[0]
        shown = QFontMetricsF(painter.font()).elidedText(tip, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.restore()

    @staticmethod
    def _draw_key(painter: QPainter, room: QRectF, key: str) -> float:
        """Draw the key as a chip at the right; returns its left edge."""
        if not key:
            return room.right()
        colours = theme.current()
        painter.setFont(theme.font_mono(11))
        width = QFontMetricsF(painter.font()).horizontalAdvance(key) + 12
        chip = QRectF(room.right() - width, room.center().y() - 9, width, 18)
        painter.setPen(colours.line)
        painter.setBrush(colours.panel)
        painter.drawRoundedRect(chip.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setPen(colours.soft)
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, key)
        return chip.left()

    @staticmethod
    def _draw_name(painter: QPainter, room: QRectF, match: FoundCommand) -> float:
        """Draw the name, its found letters in the accent; returns its right edge."""
        colours, x = theme.current(), room.left()
        plain, found = theme.font_ui(13, 500), theme.font_ui(13, 600)
        for at, letter in enumerate(match.command.title):
            lit = at in match.places
            painter.setFont(found if lit else plain)
            ink = colours.ink if match.reason is None else colours.soft
            painter.setPen(colours.accent if lit and match.reason is None else ink)
            width = QFontMetricsF(painter.font()).horizontalAdvance(letter)
            painter.drawText(
                QRectF(x, room.top(), width + 2, room.height()), Qt.AlignmentFlag.AlignVCenter, letter
            )
            x += width
        return x


class CommandPalette(QWidget):
    """Opened by `open_palette`; `commands` is asked each time. Signal `closed`."""

    closed = Signal()

    def __init__(self, commands: Callable[[], Sequence[Command]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("commandPalette")
        self.setAccessibleName("Command palette")
        self._commands = commands
        self._known: Sequence[Command] = ()
        self._before: QWidget | None = None
        self._search = named(QLineEdit(), "commandSearch")
        self._search.setPlaceholderText("Find a command")
        self._search.setAccessibleName("Find a command")
        self._search.setToolTip(
            "Type part of a command's name; Up and Down select, Enter runs it, Esc closes"
        )
        self._search.setClearButtonEnabled(True)
        self._list = CommandList(self)
        self._view = named(QListView(), "commandList")
        self._none = soft(named(QLabel("No command matches. Try fewer letters."), "commandNone"))
        self._make_view()
        self._window = parent
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(2 * theme.SPACE)
        for widget in (self._search, self._view, self._none):
            layout.addWidget(widget)
        self._search.textChanged.connect(self._on_text_changed)
        self._search.installEventFilter(self)
        theme.changed.connect(self.update)
        self.hide()

    def _make_view(self) -> None:
        self._view.setModel(self._list)
        self._view.setItemDelegate(CommandRow(self._view))
        self._view.setUniformItemSizes(True)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._view.setAccessibleName("Matching commands")
        self._view.setMouseTracking(True)
        self._view.entered.connect(self._view.setCurrentIndex)
        self._view.clicked.connect(lambda index: self._do(index.row()))
        self._none.setContentsMargins(4, 4, 4, 8)

    @property
    def found(self) -> tuple[Command, ...]:
        """The commands that are listed now."""
        return tuple(match.command for match in self._list.matches)

    def open_palette(self) -> None:
        """Show it with all commands, ready to type; closes it if it is open."""
        if self.isVisible():
            self.close_palette()
            return
        self._known = tuple(self._commands())
        self._before = QApplication.focusWidget()
        self._search.clear()
        self._on_text_changed("")
        self.show()
        self.raise_()
        self._search.setFocus(Qt.FocusReason.PopupFocusReason)
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]

    def close_palette(self) -> None:
        """Hide it, and give the keyboard back."""
        if self.isHidden():
            return
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        had_focus = self._search.hasFocus()
        self.hide()
        before, self._before = self._before, None
        if before is not None and had_focus:
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit()

    def _on_text_changed(self, text: str) -> None:
        self._list.show_matches(find(self._known, text))
        self._view.setCurrentIndex(self._list.index(0, 0))
        self._view.setVisible(bool(self._list.matches))
        self._none.setVisible(not self._list.matches)
        self._place()

    def _place(self) -> None:
        """Near the top of the window, in its middle, as high as what was found."""
        window = self._window
        width = min(WIDTH_PX, window.width() - 32)
        rows = min(max(len(self._list.matches), 1), _MOST_ROWS)
        self._view.setFixedHeight(rows * ROW_PX)
        self._layout.activate()
        height = self._layout.sizeHint().height()
        self.setGeometry((window.width() - width) // 2, min(_TOP_PX, window.height() // 8), width, height)

    def _do(self, row: int) -> None:
        if not 0 <= row < len(self._list.matches):
            return
        match = self._list.matches[row]
        if match.reason is None:  # else it stays open: the row says what is missing
            self.close_palette()
            match.command.run()

    def _move(self, by: int) -> None:
        n = len(self._list.matches)
        if n:
            row = self._view.currentIndex().row() + by
            row = row % n if abs(by) == 1 else min(max(row, 0), n - 1)
            self._view.setCurrentIndex(self._list.index(row, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of the search line; a click elsewhere closes; a window of another size moves it."""
        kind = event.type()
        if watched is self._search and kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._on_key(event)
        if watched is self._search and kind == QEvent.Type.ShortcutOverride:
            event.accept()  # while one types, no letter is a shortcut of the window
            return True
        if (
            kind == QEvent.Type.MouseButtonPress
            and isinstance(watched, QWidget)
            and isinstance(event, QMouseEvent)
        ):
            if watched is not self and not self.isAncestorOf(watched):
                self.close_palette()
        elif kind == QEvent.Type.Resize and watched is self._window:
            self._place()
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key == Qt.Key.Key_Escape or (control and key == Qt.Key.Key_K):
            self.close_palette()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._do(self._view.currentIndex().row())
        elif key in _MOVES:
            self._move(_MOVES[key])
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            self._move(1 if key == Qt.Key.Key_Tab else -1)
        else:
            return False
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.line)
        painter.setBrush(colours.panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
