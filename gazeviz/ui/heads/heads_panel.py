"""The right column's upper part: what the head grid shows, the grid, its legend, and ways to choose heads."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget, QWidgetAction

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadSet
from gazeviz.ui.heads.grid_selection import Gesture
from gazeviz.ui.heads.head_commands import choice_commands
from gazeviz.ui.heads.head_grid import HeadGrid, scale_of, shown_values
from gazeviz.ui.heads.head_sets import HeadSets
from gazeviz.ui.heads.ranking_bar import RankingBar
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Entry
from gazeviz.ui.widgets.controls import (
    ColourScale,
    ElidedLabel,
    LabelledSlider,
    MenuButton,
    named,
    section_title,
    soft,
)
from gazeviz.ui.widgets.number_box import WholeNumberBox

# Choosing many heads at once: the best K by slider or number, the lowest, random ones, all, none.


_TIP: Final = "Choose this many of the best heads of the shown ranking"
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
        self._seed = named(WholeNumberBox(), "randomSeed")
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
        seed = self._seed_entry(button)
        button.offer(lambda: self._entries(seed))
        return button

    def _entries(self, seed: QWidgetAction) -> list[Entry]:
        by_id = {command.id: command for command in choice_commands(self._model, self._controller, self)}
        drawn = ("lowest", "random", "random_matched", "draw_again")
        return [
            *(by_id[f"heads.{name}"] for name in drawn),
            seed,
            None,
            *(by_id[f"heads.{name}"] for name in ("all", "none", "invert")),
        ]

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

    @property
    def n(self) -> int:
        """As many as are chosen, or as the slider says while none are, at least one."""
        return len(self._model.chosen) or max(self.k, 1)

    # Choices

    def _on_top(self, n: int) -> None:
        number = self._gesture.number if self._top.slider.isSliderDown() else self._gesture.go_on()
        heads = self._controller.heads
        if not notices.attempt(self._controller.model, lambda: heads.top(n, number), "heads"):
            self._refresh()

    def draw(self, layer_matched: bool) -> None:
        """Draw as many heads as are chosen."""
        like, seed, number = self._model.chosen, self._seed.value(), self._gesture.begin()
        heads = self._controller.heads
        if notices.attempt(
            self._controller.model,
            lambda: heads.random(self.n, seed, layer_matched=layer_matched, gesture=number),
            "heads",
        ):
            self._matched = like if layer_matched else None

    def draw_again(self) -> None:
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

            notices.attempt(self._controller.model, draw, "heads")
        else:
            self.draw(origin.kind == "layer_matched")

    def _refresh(self) -> None:
        """Show how many heads are chosen; by hand or by rank, the slider goes on from there."""
        ranking, chosen = self._model.ranking, self._model.chosen
        n_scored = len(ranking.order()) if ranking is not None else 0
        self._top.setEnabled(n_scored > 0)
        self._top.set_range(0, max(1, n_scored))
        self._top.set_value(min(len(chosen), max(1, n_scored)))


class HeadPanel(QWidget):
    """Everything about heads but their maps."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headPanel")
        self._model = model
        self._chosen = soft(named(ElidedLabel(), "chosenHeads"))
        self._chosen.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.ranking_bar, self.sets = RankingBar(model, controller), HeadSets(model, controller)
        self.choice = ChoiceBar(model, controller)
        self.grid = HeadGrid(model, controller)
        self._legend = GridLegend(model)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
        self.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(self._title())
        for part in (self.ranking_bar, self.grid, self._legend, self.choice, self.sets):
            layout.addWidget(part)
        model.chosen_changed.connect(self._refresh)
        model.model_changed.connect(self._refresh)
        self._refresh()

    def _title(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(section_title("Heads"))
        row.addWidget(self._chosen, 1)
        return row

    def _refresh(self) -> None:
        info = self._model.model_info
        n_heads = int(info.heads_present_LH.sum()) if info is not None else None
        self._chosen.set_whole(chosen_text(self._model.chosen, n_heads))


class GridLegend(QWidget):
    """The colour scale, and signs for heads without a colour where there are such."""

    def __init__(self, model: SessionModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gridLegend")
        self._model = model
        self._scale = ColourScale("headScale")
        self._signs = HeadSigns()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3 * theme.SPACE)
        layout.addWidget(self._scale, 1)
        layout.addWidget(self._signs)
        for signal in (
            model.ranking_changed,
            model.metric_changed,
            model.live_mass_changed,
            model.model_changed,
        ):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        values_LH, info = shown_values(self._model), self._model.model_info
        self._scale.set_ends(*scale_of(values_LH))
        self._scale.setVisible(values_LH is not None)
        what = (
            "score in the ranking" if self._model.grid_metric == "ranking" else "part of its attention there"
        )
        self._scale.setToolTip(f"A head's colour: its {what}")
        present_LH = info.heads_present_LH if info is not None else np.zeros((0, 0), dtype=bool)
        known = values_LH is not None and values_LH.shape == present_LH.shape
        unknown_LH = present_LH & ~np.isfinite(values_LH) if known and values_LH is not None else present_LH
        self._signs.show_signs(unknown=bool(unknown_LH.any()), absent=not present_LH.all())


class HeadSigns(QWidget):
    """Small squares as the grid draws them: "not known" and "no head"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("headSigns")
        self.signs: tuple[str, ...] = ()
        theme.changed.connect(self.update)

    def show_signs(self, *, unknown: bool, absent: bool) -> None:
        """Take which signs are needed."""
        signs = (("not known", unknown), ("no head", absent))
        self.signs = tuple(text for text, needed in signs if needed)
        self.setVisible(bool(self.signs))
        self.setAccessibleName(", ".join(self.signs))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """All signs in one line."""
        metrics = self.fontMetrics()
        return QSize(sum(24 + metrics.horizontalAdvance(text) for text in self.signs), 16)

    def minimumSizeHint(self) -> QSize:
        """They are not cut off."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw them."""
        painter, colours, x = QPainter(self), theme.current(), 0.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font_ui(11))
        for sign in self.signs:
            box = QRectF(x + 0.5, 2.5, 11, 11)
            hollow = sign == "no head"
            painter.setPen(QPen(colours.line, 1))
            painter.setBrush(Qt.GlobalColor.transparent if hollow else colours.raised)
            painter.drawRoundedRect(box, 2, 2)
            if hollow:
                painter.drawLine(box.bottomLeft(), box.topRight())
            painter.setPen(colours.soft)
            words = QRectF(x + 16, 0, self.width(), self.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, sign)
            x += 24 + self.fontMetrics().horizontalAdvance(sign)


def chosen_text(chosen: HeadSet, n_heads: int | None) -> str:
    """How many heads are chosen and where they came from: "8 of 48 · top 8 of mass"."""
    if n_heads is None:
        return ""
    if not len(chosen):
        return f"none of {n_heads} chosen"
    return f"{len(chosen)} of {n_heads} · {chosen.origin}"
