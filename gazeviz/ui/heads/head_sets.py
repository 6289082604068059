"""Head sets with a name, as chips: click one to choose its heads, or keep what is chosen now under a name."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QHBoxLayout,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.wording import plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import bring_into_sight, named, push_button
from gazeviz.ui.widgets.flow_layout import FlowLayout
from gazeviz.ui.widgets.name_edit import NameEdit

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
        tip = "Save the chosen heads under a name, so that you can choose them again"
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
        notices.attempt(self._controller.model, lambda: self._controller.heads.recall(name), "heads")
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
        if notices.attempt(self._controller.model, lambda: self._controller.heads.save(name), "heads"):
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
        tip = f"{name}: {plural(len(heads), 'head')}, {heads.origin}. Click to choose them."
        self.choose = push_button(f"headSet_{name}", text, tip, f"Choose the head set {name}", "pill")
        self.choose.setCheckable(True)
        self.forget = named(QToolButton(), f"forgetHeadSet_{name}")
        self.forget.setText("×")
        self.forget.setAccessibleName(f"Delete the head set {name}")
        self.forget.setToolTip(f"Delete {name}; the chosen heads stay chosen")
        self.forget.setFixedSize(20, 20)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.choose)
        layout.addWidget(self.forget)

    def set_chosen(self, chosen: bool) -> None:
        """Whether its heads are the chosen ones."""
        self.choose.setChecked(chosen)
