"""Measuring head rankings from the app: on which strips, which rankings, how far it is, and how to stop.

A fold-out in the heads' column. The form is the panel's own; everything about the measurement itself is read
from the session. Knows neither how a ranking is measured nor how it is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import time_left
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import StripsSource
from gazeviz.domain.wording import format_ranking_name, plural
from gazeviz.ui.heads.discovery_result import DiscoveryResult
from gazeviz.ui.heads.head_commands import RANKING_TEXTS
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ElidedLabel,
    FoldOut,
    choice_button,
    named,
    push_button,
    soft,
    soft_text,
)
from gazeviz.ui.widgets.number_box import WholeNumberBox

# Which strips heads are measured on: drawn ones by their number and seed, or those of a folder.


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
            "discoverySource",
            "Which strips the heads are measured on",
            options,
            self._on_source,
            "Measure heads on",
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


def _number(name: str, says: str, bounds: tuple[int, int], first: int) -> WholeNumberBox:
    box = named(WholeNumberBox(), name)
    box.setRange(*bounds)
    box.setValue(first)
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(48)
    box.setAccessibleName(says)
    box.setToolTip(says)
    return box


# How the last measurement of heads ended, in a sentence: measured, stopped, or refused.


class MeasurementWatch(QObject):
    """Watches measurements begin and end. Signal `changed`: there may be something else to say."""

    changed = Signal()

    def __init__(self, model: SessionModel) -> None:
        super().__init__(model)
        self._model = model
        self._measuring = False
        self._forget()
        model.ranking_changed.connect(self._on_ranking_changed)
        model.notice_changed.connect(self._on_notice_changed)
        model.model_changed.connect(self._forget)

    @property
    def text(self) -> str:
        """What came of it; "" while nothing was measured with the loaded model."""
        if self._refused or not self._wanted:
            return self._refused
        rankings = self._model.rankings.items()
        new = [ranking for name, ranking in rankings if ranking is not self._before.get(name)]
        whole = [ranking for ranking in new if ranking.name in self._wanted]
        if whole:
            return f"Measured on {_strips(whole[0].n_strips)}: {_named(whole)}."
        parts = [ranking for ranking in new if _is_part(ranking, self._wanted)]
        if parts:
            return f"Stopped. What was measured is kept: {_named(parts)}."
        return "Stopped before anything was measured."

    def _forget(self) -> None:
        self._wanted: tuple[str, ...] = ()
        self._before: dict[str, HeadRanking] = {}
        self._refused = ""

    def _on_ranking_changed(self) -> None:
        measured = self._model.measured_rankings
        if measured and not self._measuring:
            self._wanted, self._before, self._refused = measured, dict(self._model.rankings), ""
        self._measuring = bool(measured)
        self.changed.emit()

    def _on_notice_changed(self) -> None:
        notice = self._model.notice
        if notice is not None and notice.about == "discovery" and not self._measuring:
            self._refused = f"{notice.sentence} {notice.next_step}".strip()
            self.changed.emit()


def _strips(n: int | None) -> str:
    return "the strips" if n is None else plural(n, "strip")


def _is_part(ranking: HeadRanking, wanted: tuple[str, ...]) -> bool:
    """Whether this is what a stopped measurement has left: its name goes on with how much it was."""
    return any(ranking.name.startswith(f"{name} (") for name in wanted)


def _named(rankings: list[HeadRanking]) -> str:
    return ", ".join(format_ranking_name(ranking.name) for ranking in rankings)


RANKING_LABELS: Final = {
    "mass": "mass",
    "selectivity": "selectivity",
    "tracking": "tracking",
    "causal": "causal",
    "image_heads": "image heads",
    "localization": "localization",
    "localization_by_question": "by question",
}
"""What can be measured, in the order of the form and of the measurement."""

_COLUMNS: Final = 3
_COSTS: Final = {
    "tracking": "Measured separately: one more forward pass for each strip.",
    "causal": "Measured separately: one backward pass for each strip.",
}
_SHARED_COST: Final = "Mass, selectivity, image heads and both localizations are measured together."


class DiscoveryPanel(QWidget):
    """The fold-out: form, progress, and what came of it."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("discoveryPanel")
        self._model, self._controller = model, controller
        self._form = StripsForm()
        self._outcome = MeasurementWatch(model)
        self._rankings = {name: _ranking_button(name, text) for name, text in RANKING_LABELS.items()}
        self._rankings["mass"].setChecked(True)
        tip = "Ask about every panel of every strip and score all heads"
        self._measure = push_button("discoveryMeasure", "Measure", tip, spoken="Measure")
        tip = "Stop measuring; what was measured so far is kept under a name that says so"
        self._cancel = push_button("discoveryCancel", "Cancel", tip, spoken="Cancel")
        self._bar = named(QProgressBar(), "discoveryBar")
        self._message = soft_text("discoverySaid")
        content = named(QWidget(), "discoveryContent")
        self.fold = FoldOut("Measure heads", "discoveryFold", content)
        self._lay_out(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        self._listen()
        self._refresh()

    def open(self) -> None:
        """Unfold it, and let the keyboard go on there."""
        self.fold.set_folded(False)
        self._form.setFocus()

    def set_folder(self, folder: Path) -> None:
        """Measure on the strips of a folder."""
        self._form.set_folder(folder)

    def _lay_out(self, content: QWidget) -> None:
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._form)
        chips = QGridLayout()
        chips.setSpacing(theme.SPACE)
        for place, button in enumerate(self._rankings.values()):
            chips.addWidget(button, place // _COLUMNS, place % _COLUMNS)
        layout.addLayout(chips)
        self._bar.setAccessibleName("Progress of the measurement")
        self._bar.setTextVisible(False)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self._measure)
        row.addWidget(self._cancel)
        row.addWidget(self._bar, 1)
        row.addStretch(0)
        layout.addLayout(row)
        layout.addWidget(self._message)
        layout.addWidget(DiscoveryResult(self._model))

    def _listen(self) -> None:
        model = self._model
        for signal in (model.worker_changed, model.model_changed, model.ranking_changed):
            signal.connect(self._refresh)
        self._outcome.changed.connect(self._refresh)
        self._form.changed.connect(self._refresh)
        for button in self._rankings.values():
            button.toggled.connect(self._refresh)
        self._measure.clicked.connect(self._on_measure)
        self._cancel.clicked.connect(self._controller.discovery.cancel)

    # What is asked for

    @property
    def wanted(self) -> tuple[str, ...]:
        """The rankings that are to be measured."""
        return tuple(name for name, button in self._rankings.items() if button.isChecked())

    def _on_measure(self) -> None:
        source = self._form.source()
        if source is not None and self.wanted:
            self._controller.discover(source, self.wanted)

    def _why_not(self) -> str:
        """What is missing before anything can be measured; "" for nothing."""
        if self._model.model_info is None:
            return "Load a model first: Ctrl+M."
        if not self.wanted:
            return "Choose at least one ranking."
        return "" if self._form.source() is not None else "Choose a folder of strips."

    # What is shown

    def _refresh(self) -> None:
        measuring = bool(self._model.measured_rankings)
        why_not = "" if measuring else self._why_not()
        self._form.setEnabled(not measuring)
        for button in self._rankings.values():
            button.setEnabled(not measuring)
        self._measure.setVisible(not measuring)
        self._measure.setEnabled(not why_not)
        self._cancel.setVisible(measuring)
        self._bar.setVisible(measuring)
        if measuring:
            text = self._show_progress()
        else:
            text = why_not or self._outcome.text
            self.fold.set_title("Measure heads")
        self._message.setText(text)
        self._message.setVisible(bool(text))

    def _show_progress(self) -> str:
        """Move the bar; returns how far it is in words."""
        progress = self._model.progress
        if progress is None or not progress.total:
            self._bar.setRange(0, 0)
            self.fold.set_title("Measuring heads")
            return progress.text if progress is not None else ""
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        self.fold.set_title(f"Measuring heads · {progress.done} of {progress.total}")
        names = ", ".join(RANKING_LABELS.get(name, name) for name in self._model.measured_rankings)
        return f"{names}: {time_left(progress)}. The grid shows the heads as far as they are measured."


def _ranking_button(name: str, text: str) -> QPushButton:
    tip = f"{RANKING_TEXTS[name]}\n{_COSTS.get(name, _SHARED_COST)}"
    button = push_button(f"discovery_{name}", text, tip, f"Measure the ranking {text}", "pill")
    button.setCheckable(True)
    return button
