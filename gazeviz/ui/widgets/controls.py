"""Small controls that the columns and bars share: menus that say their choice, fold-outs, sliders, legends.

They know the theme and nothing of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QIcon,
    QImage,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.domain.wording import format_figure
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, Entry, refill
from gazeviz.ui.widgets.number_box import NumberBox, WholeNumberBox, guard_wheel

# Small parts that columns and dialogs share: names, titles, soft labels, buttons, rows, tips, icons.


_GAP_PX = 8

_Widget = TypeVar("_Widget", bound=QWidget)
_Label = TypeVar("_Label", bound=QLabel)


def named(widget: _Widget, name: str) -> _Widget:
    """Give a widget its object name, by which tests and style sheets find it."""
    widget.setObjectName(name)
    return widget


def as_written(text: str) -> str:
    """Return a text so that a tooltip shows it as it is, where Qt would take the token `<s>` for a style."""
    if not GuiQt.mightBeRichText(text):
        return text
    return GuiQt.convertFromPlainText(text, Qt.WhiteSpaceMode.WhiteSpaceNormal)


def section_title(text: str) -> QLabel:
    """A section's title, small and soft."""
    label = QLabel(text)
    label.setProperty("role", "section")
    return label


def soft(label: _Label) -> _Label:
    """Give a label the soft look of what explains, and is not the matter itself."""
    label.setProperty("role", "soft")
    return label


def soft_text(name: str, text: str = "") -> QLabel:
    """A named soft label that takes as many lines as its text needs."""
    label = soft(named(QLabel(text), name))
    label.setWordWrap(True)
    return label


def push_button(name: str, text: str, tip: str, spoken: str | None = None, kind: str = "") -> QPushButton:
    """A button with words on it.

    spoken: its accessible name, for which the tip stands where none is given.  kind: of the style sheet.
    """
    button = named(QPushButton(text), name)
    button.setProperty("kind", kind)
    button.setAccessibleName(tip if spoken is None else spoken)
    button.setToolTip(tip)
    return button


def tinted(icon: QIcon, side_px: int, colour: QColor, ratio: float) -> QPixmap:
    """An icon's shape in one colour."""
    pixmap = icon.pixmap(QSize(side_px, side_px), ratio)
    if pixmap.isNull():
        return pixmap
    painter = QPainter(pixmap)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(pixmap.rect(), colour)
    painter.end()
    return pixmap


def draw_words(painter: QPainter, at: QPointF, text: str, end_px: float) -> float:
    """Draw text from a point of its baseline on, in dots where it goes beyond `end_px`; returns its end."""
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, end_px - at.x())
    painter.drawText(at, shown)
    return end_px if shown != text else at.x() + metrics.horizontalAdvance(text)


def side_by_side(*widgets: QWidget | None) -> QHBoxLayout:
    """Widgets in a row; None is room that stretches."""
    row = QHBoxLayout()
    row.setSpacing(_GAP_PX)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row


# A small sheet of controls that opens under a button and closes on Esc or a click elsewhere.


class Popover(QFrame):
    """Holds whatever layout it is given; knows only the button that it belongs to."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        theme.changed.connect(self.update)

    def open_at(self, button: QWidget) -> None:
        """Open beside a button, under it where the screen has room."""
        self.adjustSize()
        corner = button.mapToGlobal(QPoint(button.width() - self.width(), button.height() + theme.SPACE))
        room = button.screen().availableGeometry()
        if corner.y() + self.height() > room.bottom():
            corner.setY(button.mapToGlobal(QPoint(0, 0)).y() - self.height() - theme.SPACE)
        corner.setX(max(room.left() + theme.SPACE, min(corner.x(), room.right() - self.width())))
        self.move(corner)
        self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Esc, and on Enter."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.close()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a round sheet with a hairline."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.line)
        painter.setBrush(colours.panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)


# A slider with its number beside it, in steps of less than one; the number may go beyond the slider.


_SLIDER_PX: Final = 64
_NUMBER_PX: Final = 46


class NumberSlider(QWidget):
    """Signals: `value_chosen`, a number; also while the slider is dragged."""

    value_chosen = Signal(float)

    def __init__(
        self,
        name: str,
        label: str,
        low: float,
        high: float,
        step: float,
        tip: str,
        *,
        most: float | None = None,
    ) -> None:
        """most: the largest number that can be typed, `high` if it is not given."""
        super().__init__()
        self.setObjectName(name)
        self._low, self._step = low, step
        self.slider = named(QSlider(Qt.Orientation.Horizontal), f"{name}Slider")
        self.slider.setRange(0, round((high - low) / step))
        self.slider.setMinimumWidth(48)
        guard_wheel(self.slider)
        self.slider.setMaximumWidth(_SLIDER_PX)
        self.number = named(_Number(), f"{name}Number")
        self.number.setRange(low, high if most is None else most)
        self.number.setSingleStep(step)
        self._word = named(QLabel(), f"{name}Word")
        self._word.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._word.setFont(theme.font_ui(11, 500))
        for control in (self.slider, self.number, self._word):
            control.setToolTip(tip)
            control.setAccessibleName(label)
        self._lay_out(label)
        self.slider.valueChanged.connect(lambda place: self._on_chosen(self._low + place * self._step))
        self.number.valueChanged.connect(self._on_chosen)

    def _lay_out(self, label: str) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.number)
        self._stack.addWidget(self._word)
        self._stack.setFixedSize(_NUMBER_PX, 28)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(soft(QLabel(label)))
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._stack)

    @property
    def value(self) -> float:
        """The number that is, or was last, shown."""
        return self.number.value()

    @property
    def word(self) -> str:
        """What is shown in the number's place, "" for the number."""
        return self._word.text() if self._stack.currentWidget() is self._word else ""

    def set_value(self, value: float) -> None:
        """Show a number, without a signal."""
        with QSignalBlocker(self.number), QSignalBlocker(self.slider):
            self.number.setValue(value)
            self.slider.setValue(round((value - self._low) / self._step))
        self._stack.setCurrentWidget(self.number)

    def set_word(self, word: str) -> None:
        """Show a word in the number's place, the slider at its end; the next move of it is a number again."""
        self._word.setText(word)
        self._stack.setCurrentWidget(self._word)
        with QSignalBlocker(self.slider):
            self.slider.setValue(self.slider.maximum())

    def _on_chosen(self, value: float) -> None:
        self.set_value(value)
        self.value_chosen.emit(value)


class _Number(NumberBox):
    """Writes numbers as everything else here does."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(2)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def textFromValue(self, value: float) -> str:
        """Without zeros that say nothing."""
        return format_figure(value).removesuffix(".0")


OWNS_ESCAPE: Final = "ownsEscape"
"""Property of a widget that Esc leaves: no shortcut of the window takes the key while it has the focus."""
CARET: Final = "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
PART_MARK: Final = " · "


class MenuButton(QPushButton):
    """A quiet button that opens a menu of commands: `offer` says which."""

    def __init__(self, text: str, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setToolTip(tip)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._offered: Callable[[], Iterable[Entry]] = tuple
        self.setMenu(self._menu)
        self.set_label(text)

    def menu(self) -> QMenu:
        """The menu that it opens."""
        return self._menu

    def offer(self, entries: Callable[[], Iterable[Entry]]) -> None:
        """Fill the menu with commands, anew each time that it opens."""

        self._offered = entries
        self._menu.aboutToShow.connect(self.refill)
        self.refill()

    def refill(self) -> None:
        """Make the menu anew of what is offered now."""
        refill(self._menu, self._offered())

    def set_label(self, text: str) -> None:
        """Show another text before the caret."""
        self.setText(f"{text} {CARET}")
        self.setAccessibleName(f"{self.toolTip()}: {text}" if self.toolTip() else text)


class ChoiceButton(MenuButton):
    """A menu of which one entry is chosen and shown. Signal `chosen`: the key of what a person chose.

    subject: what is chosen, "Mode", for the palette; none: the palette does not list the entries.
    """

    chosen = Signal(str)

    def __init__(
        self,
        name: str,
        tip: str,
        options: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
        subject: str = "",
    ) -> None:
        super().__init__("", name, tip, parent)
        self._options: dict[str, str] = {}
        self._tips: Mapping[str, str] = {}
        self._current = ""
        self.subject = subject
        self.offer(self.commands)
        self.set_options(options)

    def set_options(self, options: Sequence[tuple[str, str]]) -> None:
        """Offer other entries: (key, label) each; the first is shown until `set_current`."""
        self._options = dict(options)
        self.refill()
        if options:
            self.set_current(options[0][0])

    def set_tips(self, tips: Mapping[str, str]) -> None:
        """Explain entries, by their keys; the tip of the button stands for one without."""
        self._tips = tips
        self.refill()

    def set_current(self, key: str) -> None:
        """Show an entry as the chosen one, without a signal."""
        if key in self._options:
            self._current = key
            self.set_label(self._options[key])

    def commands(self) -> list[Command]:
        """A command for each entry."""
        subject = self.subject or self.toolTip()
        return [
            Command(
                f"{self.objectName()}.{key}", f"{subject}: {label}", "",
                self._tips.get(key, f"{self.toolTip()}."),
                partial(self.chosen.emit, key), checked=partial(self._is_current, key), label=label,
            )
            for key, label in self._options.items()
        ]  # fmt: skip

    def _is_current(self, key: str) -> bool:
        return key == self._current


def choice_button(
    name: str,
    tip: str,
    options: Sequence[tuple[str, str]],
    on_chosen: Callable[[str], object],
    subject: str = "",
) -> ChoiceButton:
    """A ChoiceButton that calls a function with the key of what was chosen."""
    button = ChoiceButton(name, tip, options, subject=subject)
    button.chosen.connect(on_chosen)
    return button


def bring_into_sight(part: QWidget) -> None:
    """Scroll the column that a part stands in until the part is seen."""
    above = part.parentWidget()
    while above is not None and not isinstance(above, QScrollArea):
        above = above.parentWidget()
    if above is not None:
        above.ensureWidgetVisible(part, 0, 0)


class FoldOut(QWidget):
    """A title with a caret; a click or Enter shows or hides what is beneath. Folded at first."""

    folded_changed = Signal(bool)

    def __init__(self, title: str, name: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._header = named(QToolButton(), f"{name}Header")
        self._header.setCheckable(False)
        self._header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._header.setFont(theme.font_ui(11, 600))
        self._header.setText(title)
        self._header.setIconSize(QSize(12, 12))
        self._header.setAccessibleName(title)
        self._header.clicked.connect(lambda: self.set_folded(not self.folded))
        self.content = content
        content.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addWidget(self._header, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(content)
        theme.changed.connect(self._draw_caret)
        self._draw_caret()

    @property
    def folded(self) -> bool:
        """Whether the content is hidden."""
        return self.content.isHidden()

    def set_folded(self, folded: bool) -> None:
        """Hide or show the content."""
        if folded != self.folded:
            self.content.setHidden(folded)
            self._draw_caret()
            self.folded_changed.emit(folded)
        if not folded:
            QTimer.singleShot(0, self, self._scroll_to)  # once it has its height

    def _scroll_to(self) -> None:
        """Show as much of the content as fits, and its header."""
        bring_into_sight(self.content)
        bring_into_sight(self._header)

    def set_title(self, title: str) -> None:
        """Say something else in the header."""
        self._header.setText(title)
        self._header.setAccessibleName(title)

    def _draw_caret(self) -> None:
        self._header.setIcon(theme.icon("caret-right" if self.folded else "caret-down"))


class CloseButton(QToolButton):
    """A small cross. spoken: its accessible name, for which the tip stands where none is given."""

    def __init__(
        self, name: str, tip: str, on_closed: Callable[[], object], spoken: str | None = None
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tip)
        self.setAccessibleName(tip if spoken is None else spoken)
        self.clicked.connect(on_closed)
        theme.changed.connect(self._draw_cross)
        self._draw_cross()

    def _draw_cross(self) -> None:
        self.setIcon(theme.icon("close"))


class MagmaBar(QWidget):
    """The colour map of scores and attention as a bar."""

    def __init__(self, width_px: int = 88) -> None:
        super().__init__()
        self.setMinimumSize(QSize(width_px, 10))
        self.setMaximumHeight(10)
        self.setAccessibleName("Colour scale, magma: dark is little, bright is much")
        self._image = QImage(theme.magma_lut().tobytes(), 256, 1, 768, QImage.Format.Format_RGB888).copy()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it with round ends."""
        painter, path = QPainter(self), QPainterPath()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        path.addRoundedRect(QRectF(self.rect()), 3, 3)
        painter.setClipPath(path)
        painter.drawImage(QRectF(self.rect()), self._image)


class ColourScale(QWidget):
    """A legend: the colour map between the figures of its ends."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._low, self._high = named(QLabel(), f"{name}Low"), named(QLabel(), f"{name}High")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        for label in (self._low, self._high):
            label.setProperty("role", "mono")
        layout.addWidget(self._low)
        layout.addWidget(MagmaBar(), 1)
        layout.addWidget(self._high)
        self.set_ends(0.0, 1.0)

    def set_ends(self, low: float, high: float) -> None:
        """Say what the darkest and the brightest colour stand for."""
        self._low.setText(format_figure(low))
        self._high.setText(format_figure(high))


class LabelledSlider(QWidget):
    """A label, a slider and its number, which can be typed. Signals: `value_chosen`, `slider_released`."""

    value_chosen = Signal(int)
    slider_pressed = Signal()
    slider_released = Signal()

    def __init__(
        self, name: str, label: str, low: int, high: int, tip: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.slider = named(QSlider(Qt.Orientation.Horizontal), f"{name}Slider")
        guard_wheel(self.slider)
        self.number = named(WholeNumberBox(), f"{name}Number")
        self.number.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.number.setFixedWidth(46)
        self.number.setKeyboardTracking(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(soft(QLabel(label)))
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        for control in (self.slider, self.number):
            control.setToolTip(tip)
            control.setAccessibleName(label)
        self.set_range(low, high)
        self.slider.valueChanged.connect(self._on_value)
        self.number.valueChanged.connect(self._on_value)
        self.slider.sliderPressed.connect(self.slider_pressed)
        self.slider.sliderReleased.connect(self.slider_released)

    def set_range(self, low: int, high: int) -> None:
        """Let it go from low to high, both included, without a signal."""
        for control in (self.slider, self.number):
            with QSignalBlocker(control):
                control.setRange(low, high)

    def set_value(self, value: int) -> None:
        """Show a value, without a signal."""
        for control in (self.slider, self.number):
            with QSignalBlocker(control):
                control.setValue(value)

    def _on_value(self, value: int) -> None:
        self.set_value(value)
        self.value_chosen.emit(value)


class ElidedLabel(QLabel):
    """A line that ends in dots where there is no room, after a whole part if it can; the tooltip says all."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = text
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_whole(text)

    @property
    def whole(self) -> str:
        """All of the text."""
        return self._whole

    def set_whole(self, text: str) -> None:
        """Say something else."""
        self._whole = text
        self.setToolTip(as_written(text))
        self.setAccessibleName(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text to the room."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room_px, metrics = max(self.width(), 1), self.fontMetrics()
        parts = self._whole.split(PART_MARK)
        for n_parts in range(len(parts) - 1, 0, -1):
            if metrics.horizontalAdvance(self._whole) <= room_px:
                break
            shorter = f"{PART_MARK.join(parts[:n_parts])} …"
            if metrics.horizontalAdvance(shorter) <= room_px:
                self.setText(shorter)
                return
        self.setText(metrics.elidedText(self._whole, Qt.TextElideMode.ElideRight, room_px))


class ClosedByEscape(QWidget):
    """While something in it has the focus, Esc is its own and no shortcut of the window."""

    def escape_pressed(self) -> None:
        """What Esc does here."""
        self.hide()

    def event(self, event: QEvent) -> bool:
        """Take Esc from the window's shortcuts."""
        is_key = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_key and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes it."""
        if event.key() == Qt.Key.Key_Escape:
            self.escape_pressed()
        else:
            super().keyPressEvent(event)


def hairline(vertical: bool = False) -> QFrame:
    """A line of one pixel between two parts."""
    line = QFrame()
    line.setProperty("role", "line")
    if vertical:
        line.setFixedWidth(1)
    else:
        line.setFixedHeight(1)
    return line
