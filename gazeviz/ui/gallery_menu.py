"""What stands over the gallery: which heads are shown, how many, and the scale of their colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import GalleryHeads
from gazeviz.render.palette import figure_text
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named
from gazeviz.ui.controls import MagmaBar, MenuButton

COUNTS: Final = (6, 12, 24)

_HEADS_TEXT: Final[dict[GalleryHeads, str]] = {
    "chosen": "The chosen heads, best first",
    "best": "The best of the shown ranking",
}


class GalleryScale(QWidget):
    """The legend of the maps: magma, and the figure of its bright end."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("galleryScale")
        low, self._high = named(QLabel("0"), "galleryScaleLow"), named(QLabel(), "galleryScaleHigh")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        for label in (low, self._high):
            label.setProperty("role", "mono")
        for widget in (low, MagmaBar(64), self._high):
            layout.addWidget(widget)

    def show_end(self, highest: float | None) -> None:
        """Say what the brightest colour stands for; None: every map's own highest value."""
        if highest is None:
            self._high.setText("own max")
            tip = "Attention to a cell. Every map has its own scale, from 0 to its highest cell: the colours "
            tip += "of two maps cannot be compared, their figures can."
        else:
            self._high.setText(f"{figure_text(highest)}+")
            tip = "Attention to a cell, on one scale for all maps: the brightest hundredth of the cells that "
            tip += f"are shown have {figure_text(highest)} or more."
        self.setToolTip(tip)
        self.setAccessibleName(tip)


class GalleryMenu(MenuButton):
    """Says which heads are shown, and lets another choice be made."""

    def __init__(self, model: SessionModel) -> None:
        super().__init__("", "galleryChoice", "Which heads the maps are of, how many, and their scale")
        self._model = model
        self._actions: dict[object, QAction] = {}
        self._groups = [self._fill("Heads", _HEADS_TEXT.items(), self._choose_heads)]
        counts = ((n, f"At most {n}") for n in COUNTS)
        self._groups.append(self._fill("How many", counts, self._choose_count))
        scales = ((False, "One scale for all maps"), (True, "Each map from 0 to its own highest"))
        self._groups.append(self._fill("Colour scale", scales, self._choose_scale))
        for signal in (model.view_changed, model.chosen_changed, model.ranking_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _fill(self, title: str, options: Any, choose: Any) -> QActionGroup:
        """Add a titled part of which one entry is chosen."""
        group = QActionGroup(self)
        heading = self.menu().addAction(title)
        heading.setEnabled(False)
        for key, text in options:
            action = QAction(text, self, checkable=True)
            action.setData(key)
            action.setObjectName(f"gallery_{key}")
            action.triggered.connect(lambda _=False, chosen=key: choose(chosen))
            group.addAction(action)
            self.menu().addAction(action)
        return group

    def _choose_heads(self, heads: GalleryHeads) -> None:
        self._model.gallery_choice = replace(self._model.gallery_choice, heads=heads)

    def _choose_count(self, n: int) -> None:
        self._model.gallery_choice = replace(self._model.gallery_choice, n=n)

    def _choose_scale(self, own: bool) -> None:
        self._model.gallery_choice = replace(self._model.gallery_choice, own_scale=own)

    def _refresh(self) -> None:
        choice = self._model.gallery_choice
        for group, value in zip(self._groups, (choice.heads, choice.n, choice.own_scale), strict=True):
            for action in group.actions():
                action.setChecked(action.data() == value)
        self.set_label(self._said())

    def _said(self) -> str:
        choice, n_chosen, ranking = self._model.gallery_choice, len(self._model.chosen), self._model.ranking
        if choice.heads == "best" or not n_chosen:
            return f"best {choice.n} of {ranking.name}" if ranking is not None else f"best {choice.n}"
        return f"best {choice.n} of {n_chosen} chosen" if n_chosen > choice.n else f"{n_chosen} chosen"
