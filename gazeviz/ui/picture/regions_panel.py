"""The regions in the left column: what they are called, how many cells they select, and which is the target.

Reads the session and changes it through undo commands and the controller alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QDropEvent,
    QEnterEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.editing.region_files import RegionForm
from gazeviz.app.editing.regions import EditableRegion
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.wording import plural
from gazeviz.render.overlay import ink_on
from gazeviz.ui.picture.import_row import ImportRow
from gazeviz.ui.picture.region_commands import FORMS, colour_commands, region_menu
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import add_commands
from gazeviz.ui.widgets.controls import named, section_title, soft, soft_text, tinted
from gazeviz.ui.widgets.name_edit import NameEdit
from gazeviz.ui.widgets.region_badge import draw_badge

# One row of the region list: number, name, cells, eye, lock, and the key that makes it the target.


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
        self._count.setToolTip(
            "No model has processed the picture yet"
            if n_cells is None
            else f"{plural(n_cells, 'token cell')} selected"
        )
        self._count.setAccessibleName(self._count.toolTip())
        seen = "Hide this region on the picture; it stays active" if region.visible else "Show this region"
        self._eye.show_state(not region.visible, seen, f"{region.name} visible")
        held = "Unlock: allow changes" if region.locked else "Lock: protect it from changes"
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
        draw_badge(painter, QRectF(self.rect()), self._number, self._colour, theme.font_ui(11, 600))


class NameLabel(QWidget):
    """A name that becomes a line to write in."""

    renamed = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._text = ""
        self._label = RegionNameLabel()
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


class RegionNameLabel(QWidget):
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
        self.setToolTip("The target of the chosen heads" if is_target
                        else f"Steer the chosen heads to this region{hint}")  # fmt: skip
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


_ID = Qt.ItemDataRole.UserRole
_MAX_ROWS = 8
_ICONS: Final = {"newRegion": "plus", "deleteRegion": "trash", "moreRegions": "more"}
_READABLE = "Regions (*.png *.json)"


class RegionListView(QWidget):
    """Lists the regions; the selected row is the active region."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("regionListView")
        self._model, self._controller, self._editor = model, controller, controller.editor
        controller.region_import.ask_which_picture = self._ask_which_picture
        self._rows: dict[int, RegionRow] = {}
        self._list = named(OrderedList(), "regionList")
        self._list.setAccessibleName("Regions, in the order of their numbers")
        self._none = soft_text("noRegion")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(self._make_header())
        layout.addWidget(ImportRow(controller.region_import, self))
        layout.addWidget(self._list)
        layout.addWidget(self._none)
        layout.addLayout(self._make_footer())
        self._connect()
        self._rebuild()

    def _make_header(self) -> QHBoxLayout:
        """The title, and over the counts what they count."""
        header, cells = QHBoxLayout(), named(QLabel("cells"), "regionCellsTitle")
        cells.setProperty("role", "section")
        cells.setToolTip("How many token cells each region selects")
        header.setContentsMargins(0, 0, KEY_ROOM_PX, 0)
        header.addWidget(section_title("Regions"), 1)
        header.addWidget(cells)
        return header

    def _make_footer(self) -> QHBoxLayout:
        footer = QHBoxLayout()
        self._new = _button("newRegion", "New region", "Add an empty region and paint on it  N")
        self._new.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._new.setText("New region")
        self._new.setMinimumWidth(40)  # a narrow column cuts its words, not the rows
        self._new.clicked.connect(self.add_region)
        self._delete = _button("deleteRegion", "Delete region", "Delete the active region  Del")
        self._delete.clicked.connect(self.delete_active)
        more = _button("moreRegions", "More about regions", "Import, export and more")
        more.clicked.connect(lambda: self._open_menu(more.mapToGlobal(QPoint(0, more.height()))))
        footer.setSpacing(theme.SPACE)
        for widget in (self._new, self._delete, more):
            footer.addWidget(widget)
        footer.insertStretch(1)
        return footer

    def _connect(self) -> None:
        model = self._model
        model.regions_changed.connect(self._rebuild)
        model.region_painted.connect(lambda region_id, _: self._refresh_row(region_id))
        for signal in (model.target_changed, model.grid_changed, model.rule_changed):
            signal.connect(self._refresh)
        model.picture_changed.connect(self._refresh)
        model.active_region_changed.connect(self._show_active)
        theme.changed.connect(self._on_theme_changed)
        self._list.currentItemChanged.connect(self._on_current_changed)
        self._list.place_wanted.connect(self._on_place_wanted)
        self._list.customContextMenuRequested.connect(
            lambda at: self._open_menu(self._list.viewport().mapToGlobal(at))
        )
        self._list.itemDoubleClicked.connect(lambda item: self._rows[item.data(_ID)].edit_name())
        self._list.rename_wanted.connect(self.rename_active)
        self._list.delete_wanted.connect(self.delete_active)

    def _on_theme_changed(self) -> None:
        for name, icon in _ICONS.items():
            button = self.findChild(QToolButton, name)
            if isinstance(button, QToolButton):
                button.setIcon(theme.icon(icon))
        self._refresh()

    # The list follows the session

    def _rebuild(self) -> None:
        """Rows for the regions that are there; the same rows where only looks have changed."""
        shown = [self._list.item(place).data(_ID) for place in range(self._list.count())]
        if shown != list(self._model.regions.ids):
            self._list.blockSignals(True)
            self._list.clear()
            self._rows = {region.id: self._add_row(region) for region in self._model.regions}
            self._list.blockSignals(False)
        self._list.setFixedHeight(ROW_HEIGHT_PX * min(len(self._rows), _MAX_ROWS) + 2)
        self._list.setVisible(bool(self._rows))
        self._none.setVisible(not self._rows)
        self._refresh()
        self._show_active()

    def _add_row(self, region: EditableRegion) -> RegionRow:
        item = QListWidgetItem(self._list)
        item.setData(_ID, region.id)
        item.setSizeHint(QSize(0, ROW_HEIGHT_PX))
        row, region_id = RegionRow(region.id), region.id
        row.rename_wanted.connect(
            lambda name: self._attempt(lambda: self._editor.rename_region(region_id, name))
        )
        row.colour_wanted.connect(lambda: self._open_colours(region_id))
        row.visible_wanted.connect(lambda on: self._attempt(lambda: self._editor.show_region(region_id, on)))
        row.locked_wanted.connect(lambda on: self._attempt(lambda: self._editor.lock_region(region_id, on)))
        row.target_wanted.connect(lambda: self._aim(region_id))
        self._list.setItemWidget(item, row)
        return row

    def _refresh(self) -> None:
        for region_id in self._rows:
            self._refresh_row(region_id)
        there = self._model.picture is not None
        self._new.setEnabled(there)
        self._none.setText("No region yet. Draw one on the picture." if there else "Open a picture first.")

    def _refresh_row(self, region_id: int) -> None:
        region, row = self._model.regions.get(region_id), self._rows.get(region_id)
        if region is None or row is None:
            return
        n_cells = None if self._model.grid is None else len(self._model.cells_of(region_id))
        number = self._model.regions.number_of(region_id)
        row.show_region(region, number, n_cells, region_id == self._model.target_region_id)
        cells = "" if n_cells is None else f", {plural(n_cells, 'cell')}"
        self._list.item(number - 1).setData(
            Qt.ItemDataRole.AccessibleTextRole, f"{number}, {region.name}{cells}"
        )

    def _show_active(self) -> None:
        ids, active = list(self._model.regions.ids), self._model.active_region_id
        self._list.blockSignals(True)
        self._list.setCurrentRow(ids.index(active) if active in ids else -1)
        self._list.blockSignals(False)
        self._delete.setEnabled(active is not None)

    # Gestures

    def add_region(self) -> None:
        """Add an empty region, which becomes the active one."""
        self._attempt(self._editor.add_region)

    def rename_active(self) -> None:
        """Let the active region's name be written in its row."""
        row = self._rows.get(self._model.active_region_id or 0)
        if row is not None:
            row.edit_name()

    def delete_active(self) -> None:
        """Delete the active region; its neighbour becomes the active one."""
        ids, active = list(self._model.regions.ids), self._model.active_region_id
        if active in ids and self._attempt(lambda: self._editor.remove_region(active)):
            place = min(ids.index(active), len(ids) - 2)
            self._model.active_region_id = self._model.regions.ids[place] if len(ids) > 1 else None

    def import_regions(self) -> None:
        """Ask for files and add their regions."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Import regions", "", _READABLE)
        if paths:
            self._controller.import_regions(paths)

    def _ask_which_picture(self, names: tuple[str, ...]) -> str:
        """Ask which picture of a file the shown one is; "" where nobody says."""
        label = "The file describes several pictures. Which one is open?"
        chosen, agreed = QInputDialog.getItem(self, "Import regions", label, list(names), 0, False)
        return chosen if agreed else ""

    def export_regions(self, form: RegionForm) -> None:
        """Ask for a place and write all painted regions there."""
        title = f"Export regions: {FORMS[form]}"
        if form == "png":
            path = QFileDialog.getExistingDirectory(self, title)
        else:
            name = self._model.picture.name if self._model.picture is not None else "regions"
            path, _ = QFileDialog.getSaveFileName(self, title, f"{Path(name).stem}.json", "JSON (*.json)")
        if path:
            self._controller.export_regions(path, form)

    def _on_current_changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._model.active_region_id = item.data(_ID)

    def _on_place_wanted(self, from_place: int, to_place: int) -> None:
        region_id = self._list.item(from_place).data(_ID)
        self._attempt(lambda: self._editor.move_region(region_id, to_place))

    def _aim(self, region_id: int) -> None:
        self._model.active_region_id = region_id
        self._controller.retarget(region_id)

    def _open_colours(self, region_id: int) -> None:
        menu = QMenu(self)
        add_commands(menu, colour_commands(self._model, self._controller, region_id))
        menu.exec(self._rows[region_id].mapToGlobal(QPoint(6, ROW_HEIGHT_PX)))
        menu.deleteLater()

    def _open_menu(self, at: QPoint) -> None:
        menu = self.context_menu()
        menu.exec(at)
        menu.deleteLater()

    def context_menu(self) -> QMenu:
        """What can be done with the active region, and with all of them."""
        menu = QMenu(self)
        add_commands(menu, region_menu(self._model, self._controller, self))
        return menu

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Do something; a refusal becomes the session's notice, and the rows show what still holds."""
        done = notices.attempt(self._controller.model, action, "regions")
        if not done:
            self._refresh()
        return done


class OrderedList(QListWidget):
    """A list whose rows are dragged: it says where one is wanted and lets the session move it."""

    place_wanted = Signal(int, int)
    rename_wanted = Signal()
    delete_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)  # rows follow the column's width
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setItemDelegate(RowGround(self))

    def dropEvent(self, event: QDropEvent) -> None:
        """Say which row is wanted where; nothing is moved here."""
        from_place = self.currentRow()
        to_place = self.place_at(event.position().toPoint(), from_place)
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()
        if to_place != from_place >= 0:
            self.place_wanted.emit(from_place, to_place)

    def place_at(self, at: QPoint, from_place: int) -> int:
        """The place, counted without the dragged row, of a drop at a point."""
        index: QModelIndex = self.indexAt(at)
        place = self.count()
        if index.isValid():
            below = at.y() > self.visualRect(index).center().y()
            place = index.row() + int(below)
        return place - int(place > from_place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete deletes, F2 renames, Alt with an arrow moves."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_wanted.emit()
        elif event.key() == Qt.Key.Key_F2:
            self.rename_wanted.emit()
        elif event.key() in steps and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            to_place = self.currentRow() + steps[Qt.Key(event.key())]
            if 0 <= to_place < self.count():
                self.place_wanted.emit(self.currentRow(), to_place)
        else:
            super().keyPressEvent(event)


class RowGround(QStyledItemDelegate):
    """The ground of a row: raised where it is the active region's."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw no text: the row itself does."""
        if option.state & QStyle.StateFlag.State_Selected:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
            painter.setPen(theme.current().accent if focused else Qt.PenStyle.NoPen)
            painter.setBrush(theme.current().raised)
            painter.drawRoundedRect(QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            painter.restore()

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Give the row the whole width and no more, whatever its name would like."""
        editor.setGeometry(option.rect)


def _button(name: str, accessible: str, tip: str) -> QToolButton:
    button = named(QToolButton(), name)
    button.setIcon(theme.icon(_ICONS[name]))
    button.setIconSize(QSize(16, 16))
    button.setAutoRaise(True)
    button.setAccessibleName(accessible)
    button.setToolTip(tip)
    return button
