"""What the head grid's colours say: a ranking and how it was measured, or the mass on a place right now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import GridMetric
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.wording import format_ranking_name, plural
from gazeviz.ui.heads.head_commands import RANKING_TEXTS, ranking_commands, ranking_file_commands
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Entry
from gazeviz.ui.widgets.controls import ElidedLabel, MenuButton, named, push_button, soft
from gazeviz.ui.widgets.region_badge import PlaceLabel, place_of

_FILES: Final = "Head ranking (*.json)"
_ROW_PX: Final = 28
_FILE_NAME: Final = "gaze_head_ranking.json"


class MetricText(NamedTuple):
    """What a way to colour the grid is called, and what it shows."""

    name: str
    shows: str


METRIC_TEXTS: Final[dict[GridMetric, MetricText]] = {
    "ranking": MetricText("Ranking", "Colour the heads by the shown ranking's scores."),
    "live": MetricText(
        "Live", "Colour the heads by their mass on the active region, or else the target, at the shown token."
    ),
    "look_here": MetricText(
        "Looks here", "Colour the heads by their mass on the region or cell that was asked about  Ctrl+L"
    ),
}


class RankingBar(QWidget):
    """Chooses what the grid shows, and says how that was measured."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rankingBar")
        self._model, self._controller = model, controller
        self._metrics = {metric: _metric_button(metric, text) for metric, text in METRIC_TEXTS.items()}
        self._rankings = MenuButton("no ranking", "rankingMenu", "Head ranking")
        self._rankings.offer(self._entries)
        self._measured = soft(named(ElidedLabel(), "rankingMeasured"))
        self._agreed = soft(named(QLabel(), "splitHalf"))
        self._place = PlaceLabel("metricPlace")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(self._metric_row())
        layout.addLayout(self._row(self._rankings, self._measured, self._place, self._agreed))
        for signal in (
            model.ranking_changed, model.metric_changed, model.chosen_changed, model.worker_changed,
            model.active_region_changed, model.target_changed, model.regions_changed, model.live_mass_changed,
        ):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def import_from(self, path: Path) -> bool:
        """Read a ranking from a file and show it; what is wrong with it becomes a notice."""
        done = notices.attempt(
            self._controller.model, lambda: self._controller.heads.import_ranking(path), "heads"
        )
        if done:
            self._model.grid_metric = "ranking"
        return done

    def export_to(self, path: Path) -> bool:
        """Write the shown ranking into a file; what goes wrong becomes a notice."""
        return notices.attempt(
            self._controller.model, lambda: self._controller.heads.export_ranking(path), "heads"
        )

    # Pieces

    def _metric_row(self) -> QHBoxLayout:
        group = QButtonGroup(self)
        for metric, button in self._metrics.items():
            group.addButton(button)
            button.clicked.connect(self._chooser(metric))
        row = self._row(*self._metrics.values())
        row.addStretch(1)
        return row

    def _row(self, *widgets: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SPACE if widgets[0] is self._metrics["ranking"] else 2 * theme.SPACE)
        row.addStrut(_ROW_PX)  # whatever it says, nothing moves under the cursor
        for widget in widgets:
            row.addWidget(widget, 1 if isinstance(widget, ElidedLabel | PlaceLabel) else 0)
        return row

    def _chooser(self, metric: GridMetric) -> Callable[[], None]:
        return lambda: self._on_metric(metric)

    def _on_metric(self, metric: GridMetric) -> None:
        """Show something else; with no place asked about yet, ask about the region at hand."""
        model = self._model
        region_id = self._region_id()
        if metric == "look_here" and model.look_at is None and region_id is not None:
            self._controller.look_at_region(region_id)
        else:
            model.grid_metric = metric
        self._refresh()

    def _region_id(self) -> int | None:
        model = self._model
        return model.active_region_id if model.active_region_id is not None else model.target_region_id

    def _entries(self) -> list[Entry]:
        return [*ranking_commands(self._model, self), None, *ranking_file_commands(self._model, self)]

    @property
    def names(self) -> list[str]:
        """The rankings that there are, the measured ones last."""
        measured = [name for name in self._model.measured_rankings if name not in self._model.rankings]
        return [*self._model.rankings, *measured]

    def show_ranking(self, name: str) -> None:
        """Colour and order heads by one of the rankings."""
        self._model.ranking_name = name
        self._model.grid_metric = "ranking"

    def ask_to_import(self) -> None:
        """Ask for a file and read the ranking in it."""
        path, _ = QFileDialog.getOpenFileName(self, "Import a head ranking", "", _FILES)
        if path:
            self.import_from(Path(path))

    def ask_to_export(self) -> None:
        """Ask for a file and write the shown ranking into it."""
        path, _ = QFileDialog.getSaveFileName(self, "Export the head ranking", _FILE_NAME, _FILES)
        if path:
            self.export_to(Path(path))

    # What is shown

    def _refresh(self) -> None:
        model = self._model
        self._metrics[model.grid_metric].setChecked(True)
        can_ask = model.look_at is not None or self._region_id() is not None
        self._metrics["look_here"].setEnabled(can_ask or model.grid_metric == "look_here")
        by_ranking = model.grid_metric == "ranking"
        for widget in (self._rankings, self._measured, self._agreed):
            widget.setVisible(by_ranking)
        self._place.setVisible(not by_ranking)
        if by_ranking:
            self._show_ranking(model.ranking)
        else:
            self._show_place()

    def _show_ranking(self, ranking: HeadRanking | None) -> None:
        name = self._model.ranking_name
        self._rankings.set_label(format_ranking_name(name) if name else "no ranking")
        self._rankings.setToolTip(RANKING_TEXTS.get(name or "", "") or "Choose what the heads are ranked by")
        self._measured.set_whole(self._how_measured(ranking))
        agreed = split_half_text(ranking, len(self._model.chosen))
        self._agreed.setText(agreed or ("no split-half" if ranking is not None else ""))
        self._agreed.setToolTip(
            "Of as many best heads as are chosen, how many the two halves of the strips agree on"
            if agreed
            else "The reliability of this ranking is unknown: measure it on strips."
        )

    def _how_measured(self, ranking: HeadRanking | None) -> str:
        progress = self._model.progress
        if self._model.ranking_name in self._model.measured_rankings and progress is not None:
            return f"measuring, {progress.done} of {progress.total or '?'}"
        if ranking is None:
            return "measure one on strips, or import one"
        if ranking.n_strips:
            return plural(ranking.n_strips, "strip")
        info = self._model.model_info
        return "came with the model" if info is not None and ranking.name in info.rankings else "from a file"

    def _show_place(self) -> None:
        model = self._model
        at = "" if model.live_mass_LH is not None else "not known yet: run, or paint it first"
        if model.grid_metric == "look_here" and model.look_at is not None:
            place = place_of(model, model.look_at.region_id, model.look_at.label)
        elif (region_id := self._region_id()) is not None:
            place = place_of(model, region_id, "")
        else:
            place, at = place_of(model, None, "a region"), "choose one in the list of regions"
        self._place.show_place("mass on", place, at)


def split_half_text(ranking: HeadRanking | None, n_chosen: int) -> str:
    """ "split-half 11 / 12" for the best so many heads; "" where the ranking has no halves."""
    if ranking is None or ranking.halves is None:
        return ""
    n = min(n_chosen or len(ranking.order()), *(len(half.order()) for half in ranking.halves))
    overlap = ranking.split_half_overlap(n)
    return f"split-half {overlap} / {n}" if n else ""


def _metric_button(metric: GridMetric, text: MetricText) -> QPushButton:
    button = push_button(f"metric_{metric}", text.name, text.shows, f"Colour heads by: {text.name}", "pill")
    button.setCheckable(True)
    return button
