"""Head sets with a name, as chips: click one to choose its heads, or keep what is chosen now under a name."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLayout,
    QLayoutItem,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.ui.picture.regions_panel import NameEdit
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import bring_into_sight, named, push_button

_LONGEST_NAME = 22


class HeadSets(QWidget):
    """The saved sets in rows, and a way to save another."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headSets")
        self._model, self._controller = model, controller
        self._chips: dict[str, SetChip] = {}
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        tip = "Keep the chosen heads under a name, to choose them again"
        self._add = push_button(
            "saveHeadSet", "+ Save set", tip, spoken="Save the chosen heads under a name", kind="pill"
        )
        self._add.clicked.connect(self.begin_naming)
        self._name = named(NameEdit(), "headSetName")
        self._name.setPlaceholderText("Name, then Enter")
        self._name.setAccessibleName("Name of the head set")
        self._name.setFixedWidth(130)
        self._name.returnPressed.connect(self._on_named)
        self._name.left.connect(self._stop_naming)
        self._flow = FlowLayout(self, theme.SPACE)
        self._name.hide()
        model.saved_sets_changed.connect(self._rebuild)
        model.chosen_changed.connect(self._refresh)
        self._rebuild()

    def _rebuild(self) -> None:
        """Make the chips anew."""
        for chip in self._chips.values():
            self._flow.removeWidget(chip)
            chip.deleteLater()
        self._chips = {name: self._chip(name, heads) for name, heads in self._model.saved_sets.items()}
        for last in (self._name, self._add):
            self._flow.removeWidget(last)
            self._flow.addWidget(last)
        self._refresh()

    def _chip(self, name: str, heads: HeadSet) -> SetChip:
        chip = SetChip(name, heads, self)
        chip.choose.clicked.connect(lambda: self._on_recall(name))
        chip.forget.clicked.connect(lambda: self._controller.heads.forget(name))
        self._flow.addWidget(chip)
        chip.show()
        return chip

    def _refresh(self) -> None:
        chosen = self._model.chosen
        for name, chip in self._chips.items():
            chip.set_chosen(self._model.saved_sets[name].heads == chosen.heads)
        self._add.setEnabled(len(chosen) > 0)

    def _on_recall(self, name: str) -> None:
        self._controller.attempt(lambda: self._controller.heads.recall(name), "heads")
        self._refresh()

    def begin_naming(self) -> None:
        """Let a name be written under which the chosen heads are kept."""
        self._add.hide()
        self._name.clear()
        self._name.show()
        self._name.setFocus()
        bring_into_sight(self)

    def _on_named(self) -> None:
        name = self._name.text()
        if self._controller.attempt(lambda: self._controller.heads.save(name), "heads"):
            self._stop_naming()

    def _stop_naming(self) -> None:
        self._name.hide()
        self._add.show()
        self._add.setFocus()


class SetChip(QWidget):
    """One saved set: its name with the number of heads, and a small cross that forgets it."""

    def __init__(self, name: str, heads: HeadSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
        text = f"{shown} · {len(heads)}"
        tip = f"{name}: {len(heads)} heads, {heads.origin}. Click to choose them."
        self.choose = push_button(f"headSet_{name}", text, tip, f"Choose the head set {name}", "pill")
        self.choose.setCheckable(True)
        self.forget = named(QToolButton(), f"forgetHeadSet_{name}")
        self.forget.setText("×")
        self.forget.setAccessibleName(f"Forget the head set {name}")
        self.forget.setToolTip(f"Forget {name}; its heads stay as they are")
        self.forget.setFixedSize(20, 20)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.choose)
        layout.addWidget(self.forget)

    def set_chosen(self, chosen: bool) -> None:
        """Whether its heads are the chosen ones."""
        self.choose.setChecked(chosen)


class FlowLayout(QLayout):
    """Widgets side by side, in as many rows as they need."""

    def __init__(self, parent: QWidget, gap_px: int) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setSpacing(gap_px)
        self.setContentsMargins(QMargins(0, 0, 0, 0))

    def addItem(self, item: QLayoutItem) -> None:
        """Put something at the end."""
        self._items.append(item)
        self.invalidate()

    def count(self) -> int:
        """How many there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """One of them, None past the end."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Let one go."""
        if not 0 <= index < len(self._items):
            return None
        item = self._items.pop(index)
        self.invalidate()
        return item

    def expandingDirections(self) -> Qt.Orientation:
        """It takes no more room than it needs."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Less width, more rows."""
        return True

    def heightForWidth(self, width_px: int) -> int:
        """Of all rows."""
        return self._arrange(QRect(0, 0, width_px, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Put everything in its place."""
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        """One row."""
        widths = [item.sizeHint().width() for item in self._shown()]
        return QSize(sum(widths) + self.spacing() * len(widths), self.minimumSize().height())

    def minimumSize(self) -> QSize:
        """Its largest widget."""
        size = QSize(0, 0)
        for item in self._shown():
            size = size.expandedTo(item.sizeHint())
        return size

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        """Lay rows out from the top left; returns their height."""
        x, y, row_px = rect.x(), rect.y(), 0
        for item in self._shown():
            size = item.sizeHint()
            if x > rect.x() and x + size.width() > rect.right() + 1:
                x, y, row_px = rect.x(), y + row_px + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x += size.width() + self.spacing()
            row_px = max(row_px, size.height())
        return y + row_px - rect.y()
