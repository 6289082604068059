"""Choosing many heads at once: the best K by slider or number, the lowest, random ones, all, none."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget, QWidgetAction

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft
from gazeviz.ui.controls import LabelledSlider, MenuButton
from gazeviz.ui.head_gesture import Gesture

_TIP: Final = "Choose so many of the best heads of the shown ranking"
_MAX_SEED: Final = 999_999


class ChoiceBar(QWidget):
    """Top K, and a menu of other choices; the seed belongs to the random ones."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("choiceBar")
        self._model, self._controller = model, controller
        self._gesture = Gesture()
        self._top = LabelledSlider("topK", "Top K", 0, 1, _TIP)
        self._top.slider_pressed.connect(self._gesture.begin)
        self._top.value_chosen.connect(self._on_top)
        self._seed = named(QSpinBox(), "randomSeed")
        self._menu = self._make_menu()
        self._matched: HeadSet | None = None
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self._top, 1)
        row.addWidget(self._menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        for signal in (model.chosen_changed, model.ranking_changed, model.model_changed):
            signal.connect(self._refresh)
        self._refresh()

    @property
    def k(self) -> int:
        """How many heads the slider stands at."""
        return self._top.slider.value()

    # The menu

    def _make_menu(self) -> MenuButton:
        button = MenuButton("Choose", "chooseMenu", "Other ways to choose heads")
        menu = button.menu()
        self._bottom = self._entry(button, "chooseBottom", "The lowest scores of the ranking: a control")
        self._random = self._entry(button, "chooseRandom", "As many heads, drawn from all: a control")
        self._layers = self._entry(
            button,
            "chooseMatched",
            "As many other heads in each layer as are chosen now: a control",
        )
        self._again = self._entry(button, "chooseAgain", "The same draw with the next seed")
        menu.addAction(self._seed_entry(button))
        menu.addSeparator()
        everything = self._entry(button, "chooseAll", "Every head of the model: mostly ends in junk")
        nothing = self._entry(button, "chooseNone", "No head; maps are means of all heads then")
        others = self._entry(button, "chooseInvert", "The heads that are not chosen")
        for entry, text in ((everything, "All heads"), (nothing, "No heads"), (others, "Invert")):
            entry.setText(text)
        heads, attempt = self._controller.heads, self._controller.attempt
        everything.triggered.connect(lambda: attempt(heads.all, "heads"))
        nothing.triggered.connect(lambda: attempt(heads.clear, "heads"))
        others.triggered.connect(lambda: attempt(heads.invert, "heads"))
        self._bottom.triggered.connect(lambda: attempt(lambda: heads.bottom(self._n()), "heads"))
        self._random.triggered.connect(lambda: self._draw(False))
        self._layers.triggered.connect(lambda: self._draw(True))
        self._again.triggered.connect(self._on_again)
        menu.aboutToShow.connect(self._name_entries)
        self._name_entries()
        return button

    def _entry(self, button: MenuButton, name: str, tip: str) -> QAction:
        entry = button.menu().addAction("")
        entry.setObjectName(name)
        entry.setToolTip(tip)
        return entry

    def _seed_entry(self, button: MenuButton) -> QWidgetAction:
        holder = QWidget()
        self._seed.setRange(0, _MAX_SEED)
        self._seed.setAccessibleName("Seed of random draws")
        self._seed.setToolTip("The same seed draws the same heads")
        row = QHBoxLayout(holder)
        row.setContentsMargins(10, 2, 10, 2)
        row.addWidget(soft(QLabel("Seed")))
        row.addWidget(self._seed, 1)
        entry = QWidgetAction(button)
        entry.setDefaultWidget(holder)
        return entry

    def _n(self) -> int:
        """As many as are chosen, or as the slider says while none are."""
        return len(self._model.chosen) or self.k

    def _name_entries(self) -> None:
        chosen, ranking = len(self._model.chosen), self._model.ranking
        self._bottom.setText(f"Lowest {self._n()}")
        self._bottom.setEnabled(ranking is not None)
        self._random.setText(f"Random {self._n()}")
        self._layers.setText(f"Random {chosen}, layer-matched" if chosen else "Random, layer-matched")
        self._layers.setEnabled(chosen > 0)
        self._again.setText("Draw again with the next seed")
        self._again.setEnabled(self._model.chosen.origin.kind in ("random", "layer_matched"))

    # Choices

    def _on_top(self, n: int) -> None:
        number = self._gesture.number if self._top.slider.isSliderDown() else self._gesture.go_on()
        heads = self._controller.heads
        if not self._controller.attempt(lambda: heads.top(n, number), "heads"):
            self._refresh()

    def _draw(self, layer_matched: bool) -> None:
        """Draw as many heads as are chosen."""
        like, seed, number = self._model.chosen, self._seed.value(), self._gesture.begin()
        heads = self._controller.heads
        if self._controller.attempt(
            lambda: heads.random(self._n(), seed, layer_matched=layer_matched, gesture=number), "heads"
        ):
            self._matched = like if layer_matched else None

    def _on_again(self) -> None:
        """The next seed, matched with the heads that the last draw was matched with."""
        origin, like = self._model.chosen.origin, self._matched
        matched = origin.kind == "layer_matched" and like is not None
        self._seed.setValue((origin.seed if origin.seed is not None else self._seed.value()) + 1)
        if matched and like is not None:
            number, seed = self._gesture.begin(), self._seed.value()
            editor, heads = self._controller.editor, self._controller.heads

            def draw() -> None:
                editor.choose_heads(like, number)
                heads.random(len(like), seed, layer_matched=True, gesture=number)

            self._controller.attempt(draw, "heads")
        else:
            self._draw(origin.kind == "layer_matched")

    def _refresh(self) -> None:
        """Show how many heads are chosen; by hand or by rank, the slider goes on from there."""
        ranking, chosen = self._model.ranking, self._model.chosen
        n_scored = len(ranking.order()) if ranking is not None else 0
        self._top.setEnabled(n_scored > 0)
        self._top.set_range(0, max(1, n_scored))
        self._top.set_value(min(len(chosen), max(1, n_scored)))
