"""Which strips heads are measured on: drawn ones by their number and seed, or those of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from gazeviz.domain.messages import StripsSource
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, soft
from gazeviz.ui.controls import ElidedLabel, choice_button

Kind: TypeAlias = Literal["builtin", "folder"]

USUAL_STRIPS: Final = 50
_MOST_STRIPS: Final = 10_000
_LAST_SEED: Final = 2**31 - 1
_NO_FOLDER: Final = "no folder chosen"


class StripsForm(QWidget):
    """Two lines to fill in."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("discoveryStrips")
        self._kind: Kind = "builtin"
        self._folder: Path | None = None
        options = (("builtin", "built-in strips"), ("folder", "a folder"))
        self._source = choice_button(
            "discoverySource", "Which strips the heads are measured on", options, self._on_source
        )
        self._count = _number("discoveryCount", "How many strips", (1, _MOST_STRIPS), USUAL_STRIPS)
        self._count.setSpecialValueText("all")
        self._seed = _number(
            "discoverySeed", "Seed that the built-in strips are drawn from", (0, _LAST_SEED), 0
        )
        self._seed_word = soft(QLabel("seed"))
        self._path = soft(named(ElidedLabel(_NO_FOLDER), "discoveryFolder"))
        tip = (
            "A folder of PNG or JPEG files, or of folders with a picture per panel (p1, p2 ...);\n"
            "a samples.json in it may give layouts and captions"
        )
        self._open = push_button("discoveryOpen", "Choose…", tip, spoken="Choose a folder of strips")
        self._open.clicked.connect(self._on_open)
        self.setFocusProxy(self._source)
        self._lay_out()
        self._refresh()

    def _lay_out(self) -> None:
        first, self._folder_row = QHBoxLayout(), named(QWidget(), "discoveryFolderRow")
        first.setSpacing(2 * theme.SPACE)
        for widget in (self._source, soft(QLabel("N")), self._count, self._seed_word, self._seed):
            first.addWidget(widget)
        first.addStretch(1)
        second = QHBoxLayout(self._folder_row)
        second.setContentsMargins(0, 0, 0, 0)
        second.addWidget(self._path, 1)
        second.addWidget(self._open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(first)
        layout.addWidget(self._folder_row)

    def source(self) -> StripsSource | None:
        """What is asked for; None while a folder is still to be chosen."""
        n = self._count.value()
        if self._kind == "builtin":
            return StripsSource("builtin", n, self._seed.value())
        if self._folder is None:
            return None
        return StripsSource("folder", n or None, folder=str(self._folder))

    def set_folder(self, folder: Path) -> None:
        """Measure on all strips of a folder."""
        self._folder = folder
        self._on_source("folder")

    def _on_source(self, kind: str) -> None:
        self._kind = "folder" if kind == "folder" else "builtin"
        self._source.set_current(self._kind)
        self._count.setMinimum(0 if self._kind == "folder" else 1)
        self._count.setValue(0 if self._kind == "folder" else USUAL_STRIPS)
        self._refresh()

    def _on_open(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A folder of strips", str(self._folder or ""))
        if chosen:
            self.set_folder(Path(chosen))

    def _refresh(self) -> None:
        by_folder = self._kind == "folder"
        self._folder_row.setVisible(by_folder)
        self._seed.setVisible(not by_folder)
        self._seed_word.setVisible(not by_folder)
        self._path.set_whole(str(self._folder) if self._folder is not None else _NO_FOLDER)
        self.changed.emit()


def _number(name: str, says: str, bounds: tuple[int, int], first: int) -> QSpinBox:
    box = named(QSpinBox(), name)
    box.setRange(*bounds)
    box.setValue(first)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(48)
    box.setAccessibleName(says)
    box.setToolTip(says)
    return box
