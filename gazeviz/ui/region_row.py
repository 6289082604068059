"""One row of the region list: number, name, cells, eye, lock, and the key that makes it the target."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QLineEdit, QStackedLayout, QWidget

from gazeviz.app.regions import EditableRegion
from gazeviz.render.overlay import ink_on
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft, tinted

ROW_HEIGHT_PX = 28
COUNT_WIDTH_PX = 20
KEY_ROOM_PX = 28
"""Right of the count: the target's key and the space around it."""
_LAST_KEY = 9


class RegionRow(QWidget):
    """Shows a region and says what was clicked; changes nothing."""

    rename_wanted = Signal(str)
    colour_wanted = Signal()
    visible_wanted = Signal(bool)
    locked_wanted = Signal(bool)
    target_wanted = Signal()

    def __init__(self, region_id: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"region_{region_id}")
        self._chip = NumberChip(f"regionColour_{region_id}")
        self._name = NameLabel(f"regionName_{region_id}")
        self._count = soft(named(QLabel(), f"regionCells_{region_id}"))
        self._count.setMinimumWidth(COUNT_WIDTH_PX)
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._eye = IconToggle(f"regionEye_{region_id}", "eye", "eye-off")
        self._lock = IconToggle(f"regionLock_{region_id}", "unlock", "lock")
        self._key = TargetKey(f"regionTarget_{region_id}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 4, 0)
        layout.setSpacing(4)
        for widget in (self._chip, self._name, self._eye, self._lock, self._count, self._key):
            layout.addWidget(widget, int(widget is self._name))
        self._chip.clicked.connect(self.colour_wanted)
        self._name.renamed.connect(self.rename_wanted)
        self._eye.clicked.connect(lambda: self.visible_wanted.emit(self._eye.off))
        self._lock.clicked.connect(lambda: self.locked_wanted.emit(not self._lock.off))
        self._key.clicked.connect(self.target_wanted)

    def show_region(self, region: EditableRegion, number: int, n_cells: int | None, is_target: bool) -> None:
        """Show how a region is now. n_cells: None while no model has laid the picture out."""
        key = str(number) if number <= _LAST_KEY else ""
        self._chip.show_number(number, region.colour, region.name)
        self._name.show_name(region.name, region.visible)
        self._count.setText("" if n_cells is None else str(n_cells))
        cells = f"{n_cells} token cell{'' if n_cells == 1 else 's'} selected"
        self._count.setToolTip("No model has laid the picture out yet" if n_cells is None else cells)
        self._count.setAccessibleName(self._count.toolTip())
        seen = "Hide this region on the picture; it still counts" if region.visible else "Show this region"
        self._eye.show_state(not region.visible, seen, f"{region.name} visible")
        held = "Unlock: it can be painted again" if region.locked else "Lock: protect it from changes"
        self._lock.show_state(region.locked, held, f"{region.name} locked")
        self._key.show_key(key, region.colour, is_target, region.name)

    def edit_name(self) -> None:
        """Let the name be written."""
        self._name.edit()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the quiet controls."""
        self._light(True)

    def leaveEvent(self, event: QEvent) -> None:
        """Hide them again."""
        self._light(False)

    def _light(self, lit: bool) -> None:
        for toggle in (self._eye, self._lock):
            toggle.light(lit)


class NumberChip(QAbstractButton):
    """A region's number on its colour."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._number, self._colour = "", "#999999"
        self.setFixedSize(20, 18)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def show_number(self, number: int, colour: str, name: str) -> None:
        """Take number and colour."""
        self._number, self._colour = str(number), colour
        self.setAccessibleName(f"Colour of {name}, region {number}")
        self.setToolTip("Choose another colour for this region")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._colour))
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setFont(theme.font_ui(11, 600))
        painter.setPen(QColor(ink_on(self._colour)))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._number)


class NameLabel(QWidget):
    """A name that becomes a line to write in."""

    renamed = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._text = ""
        self._label = ElidedLabel()
        self._edit = named(NameEdit(), name)
        self._edit.setAccessibleName("Name of the region")
        self._edit.setMinimumWidth(24)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._label)
        self._stack.addWidget(self._edit)
        self._edit.editingFinished.connect(self._on_finished)
        self._edit.left.connect(self._on_left)

    def show_name(self, text: str, visible: bool) -> None:
        """Take the name; that of a hidden region is softer."""
        self._text = text
        self._label.show_text(text, soft=not visible)

    def edit(self) -> None:
        """Begin to write."""
        self._edit.setText(self._text)
        self._stack.setCurrentWidget(self._edit)
        self._edit.selectAll()
        self._edit.setFocus()

    def _on_left(self) -> None:
        self._edit.setText(self._text)  # losing the focus ends the writing, too
        self._stack.setCurrentWidget(self._label)

    def _on_finished(self) -> None:
        if self._stack.currentWidget() is self._edit:
            self._stack.setCurrentWidget(self._label)
            if self._edit.text() != self._text:
                self.renamed.emit(self._edit.text())


class NameEdit(QLineEdit):
    """A line that Esc leaves without a change."""

    left = Signal()

    def event(self, event: QEvent) -> bool:
        """Keep keys that write a name from the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave on Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class ElidedLabel(QWidget):
    """A text that ends in three dots where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._soft = "", False
        theme.changed.connect(self.update)

    def show_text(self, text: str, soft: bool) -> None:
        """Take a text."""
        self._text, self._soft = text, soft
        self.setToolTip(f"{text}: double-click or F2 to rename")
        self.update()

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(24, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter, colours = QPainter(self), theme.current()
        painter.setFont(theme.font_ui(13))
        painter.setPen(colours.soft if self._soft else colours.ink)
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)


class IconToggle(QAbstractButton):
    """A quiet icon: there while its row is pointed at, and always while it is off the ordinary.

    The name has its room otherwise; what it does is in the row's menu too.
    """

    def __init__(self, name: str, usual: str, other: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._icons = usual, other
        self.off = self._lit = False
        self.setFixedSize(18, 22)
        self.hide()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_state(self, off: bool, tip: str, name: str) -> None:
        """Take the state. off: not as usual, hidden or locked."""
        self.off = off
        self.setToolTip(tip)
        self.setAccessibleName(name)
        self.light(self._lit)
        self.update()

    def light(self, lit: bool) -> None:
        """Be there because the row is pointed at, or only for a reason of its own."""
        self._lit = lit
        self.setVisible(lit or self.off or self.hasFocus())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the icon."""
        colours = theme.current()
        ink = colours.ink if self.off or self.underMouse() else colours.soft
        painter = QPainter(self)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(colours.accent)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 2.5, -0.5, -2.5), 4, 4)
        icon = tinted(theme.icon(self._icons[self.off]), 16, ink, self.devicePixelRatioF())
        painter.drawPixmap(QRect((self.width() - 16) // 2, (self.height() - 16) // 2, 16, 16), icon)


class TargetKey(QAbstractButton):
    """The key that makes a region the target; filled with its colour while it is."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._key, self._colour, self._on = "", "#999999", False
        self.setFixedSize(20, 20)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_key(self, key: str, colour: str, is_target: bool, name: str) -> None:
        """Take the key, "" for none, and whether the region is the target."""
        self._key, self._colour, self._on = key, colour, is_target
        self.setAccessibleName(f"{name} is the target" if is_target else f"Make {name} the target")
        hint = f"  {key}" if key else ""
        self.setToolTip("The target: the chosen heads are pointed at it" if is_target
                        else f"Point the chosen heads at this region{hint}")  # fmt: skip
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a key, or the target's rings where there is no key."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        ink = QColor(ink_on(self._colour)) if self._on else colours.soft
        painter.setBrush(QColor(self._colour) if self._on else Qt.GlobalColor.transparent)
        painter.setPen(colours.accent if self.hasFocus() else colours.ink if self._on else colours.line)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(ink)
        painter.setFont(theme.font_mono(11))
        if self._key and not self._on:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._key)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            centre = QRectF(self.rect()).center()
            painter.drawEllipse(centre, 4.5, 4.5)
            painter.setBrush(ink)
            painter.drawEllipse(centre, 1.5, 1.5)
