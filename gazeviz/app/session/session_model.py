"""The session: the one mutable truth that every view reads, and signals that say what has changed.

Views read properties and listen. They may assign plain settings (tool, brush, prompt, cursor ...); what can
be undone is changed through the region editor, what the worker has a part in through the run controller.
Assigning compares first and emits only when something differs, so that views bound to each other cannot loop.
Knows no widget, no worker and no log.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from gazeviz.app.editing.regions import EditableRegion, RegionList
from gazeviz.app.editing.selected_cells import SelectedCells
from gazeviz.app.session.redraw_queue import RedrawQueue
from gazeviz.app.session.values import (
    Cursor,
    DirtyBox,
    GalleryChoice,
    GalleryMap,
    GenerationSettings,
    GridMetric,
    LookAt,
    MapView,
    Notice,
    Picture,
    RunRecord,
    SteeringSettings,
    Tool,
    WorkerState,
    WorkProgress,
)
from gazeviz.domain.grid import Rule, TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo, Side

_T = TypeVar("_T")

BRUSH_RANGE_PX = (1, 512)


class Watched(Generic[_T]):
    """A property of the session that emits a signal when another value is assigned."""

    def __init__(self, first: _T, signal: str) -> None:
        self._first, self._signal = first, signal

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = f"_{name}"

    @overload
    def __get__(self, model: None, owner: type) -> Self: ...
    @overload
    def __get__(self, model: QObject, owner: type) -> _T: ...
    def __get__(self, model: QObject | None, owner: type) -> Self | _T:
        if model is None:
            return self
        value: _T = getattr(model, self._attribute, self._first)
        return value

    def __set__(self, model: QObject, value: _T) -> None:
        if _same(getattr(model, self._attribute, self._first), value):
            return
        setattr(model, self._attribute, value)
        getattr(model, self._signal).emit()


class SessionModel(QObject):
    """Everything that the window shows."""

    model_changed = Signal()
    worker_changed = Signal()
    picture_changed = Signal()
    grid_changed = Signal()
    regions_changed = Signal()
    region_painted = Signal(int, object)  # region id, DirtyBox
    region_filled = Signal(int)  # region id: it selects its first cell, or none any more
    active_region_changed = Signal()
    target_changed = Signal()
    rule_changed = Signal()
    tool_changed = Signal()
    brush_changed = Signal()
    view_changed = Signal()
    ranking_changed = Signal()
    metric_changed = Signal()
    live_mass_changed = Signal()
    chosen_changed = Signal()
    saved_sets_changed = Signal()
    hovered_head_changed = Signal()
    prompt_changed = Signal()
    generation_changed = Signal()
    steering_changed = Signal()
    schedule_changed = Signal()
    run_changed = Signal(int)  # run id
    step_arrived = Signal(int, int)  # run id, index of the token
    cursor_changed = Signal()
    map_changed = Signal()
    gallery_changed = Signal()
    notice_changed = Signal()

    # The worker and its model
    model_info = Watched[ModelInfo | None](None, "model_changed")
    worker_state = Watched[WorkerState]("none", "worker_changed")
    worker_message = Watched[str]("", "worker_changed")
    progress = Watched[WorkProgress | None](None, "worker_changed")
    studying = Watched[str]("", "worker_changed")
    """What is measured of heads over pictures now, in a sentence; "" for nothing."""

    # The picture, and how the model takes it
    picture = Watched[Picture | None](None, "picture_changed")
    fed_pixels_HW3 = Watched[NDArray[np.uint8] | None](None, "grid_changed")
    max_image_tok = Watched[int | None](None, "grid_changed")
    """Image tokens that the picture may cost; None: the model's usual limit."""
    share = Watched[float](0.5, "rule_changed")

    # Regions and tools
    active_region_id = Watched[int | None](None, "active_region_changed")
    target_region_id = Watched[int | None](None, "target_changed")
    tool = Watched[Tool]("rectangle", "tool_changed")
    show_cells = Watched[bool](False, "view_changed")
    show_map = Watched[bool](True, "view_changed")
    overlay_opacity = Watched[float](0.8, "view_changed")
    weighted = Watched[bool](False, "view_changed")
    """Whether trajectories show value-weighted mass."""
    show_control = Watched[bool](True, "view_changed")

    # Heads
    ranking_name = Watched[str | None](None, "ranking_changed")
    measured_rankings = Watched[tuple[str, ...]]((), "ranking_changed")
    """Rankings that are being measured now."""
    grid_metric = Watched[GridMetric]("ranking", "metric_changed")
    live_mass_LH = Watched[NDArray[np.float32] | None](None, "live_mass_changed")
    """Every head's mass on the place that `grid_metric` asks about, float32 (L, H); None while unknown."""
    look_at = Watched[LookAt | None](None, "metric_changed")
    chosen = Watched[HeadSet](HeadSet(()), "chosen_changed")
    hovered_head = Watched[Head | None](None, "hovered_head_changed")
    studied_head = Watched[Head | None](None, "hovered_head_changed")
    """The head whose page is open, or was opened last."""

    # What is asked for
    prompt = Watched[str]("", "prompt_changed")
    generation = Watched[GenerationSettings](GenerationSettings(), "generation_changed")
    steering = Watched[SteeringSettings](SteeringSettings(), "steering_changed")
    schedule = Watched[tuple[tuple[int, int | None], ...]]((), "schedule_changed")
    """Scheduled targets: (first token, region id), rising; None lets the heads go."""

    # What is looked at
    cursor = Watched[Cursor | None](None, "cursor_changed")
    """None follows the token that arrived last."""
    map = Watched[MapView](MapView(), "map_changed")
    gallery = Watched[tuple[GalleryMap, ...]]((), "gallery_changed")
    gallery_choice = Watched[GalleryChoice](GalleryChoice(), "view_changed")
    notice = Watched[Notice | None](None, "notice_changed")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.frames = RedrawQueue(self)
        self._regions = RegionList()
        self._grid: TokenGrid | None = None
        self._cells: SelectedCells | None = None
        self._filled: dict[int, str] = {}
        self._rule: Rule = "centre"
        self._brush_px = 24
        self._rankings: dict[str, HeadRanking] = {}
        self._partials: dict[str, HeadRanking] = {}
        self._saved_sets: dict[str, HeadSet] = {}
        self._runs: dict[int, RunRecord] = {}
        self._shown: dict[Side, int] = {}
        self.rule_changed.connect(self._forget_cells)

    # The grid and its cells

    @property
    def has_aim(self) -> bool:
        """Whether chosen heads have something to do: a target, a schedule, or a mode that needs neither."""
        knocked_out = self.steering.mode == "knock_out"
        return self.target_region_id is not None or bool(self.schedule) or knocked_out

    @property
    def grid(self) -> TokenGrid | None:
        """Where the picture's image tokens lie; None until the worker has said so."""
        return self._grid

    def set_grid(self, grid: TokenGrid | None, fed_pixels_HW3: NDArray[np.uint8] | None) -> None:
        """Take in how the model is fed the picture."""
        if grid is self._grid:
            return
        self._grid = grid
        self._cells = None
        setattr(self, "_fed_pixels_HW3", fed_pixels_HW3)  # noqa: B010 - one signal for both
        self.grid_changed.emit()

    @property
    def rule(self) -> Rule:
        """How regions select cells."""
        return self._rule

    @rule.setter
    def rule(self, rule: Rule) -> None:
        if rule != self._rule:
            self._rule = rule
            self.rule_changed.emit()

    def cells_of(self, region_id: int | None) -> NDArray[np.int64]:
        """Image tokens that a region selects, ascending int64; none for no region and without a grid."""
        region = self._regions.get(region_id)
        if region is None or self._grid is None:
            return np.zeros(0, dtype=np.int64)
        if self._cells is None:
            self._cells = SelectedCells(self._grid, self._rule, self.share)
        return self._cells.of(region)

    def _forget_cells(self) -> None:
        self._cells = None
        self._filled.clear()

    # Regions: changed through undo commands and strokes alone

    @property
    def regions(self) -> RegionList:
        """In the order of the list."""
        return self._regions

    @property
    def active_region(self) -> EditableRegion | None:
        """The one that tools paint on."""
        return self._regions.get(self.active_region_id)

    @property
    def target_region(self) -> EditableRegion | None:
        """The one that the chosen heads are pointed at."""
        return self._regions.get(self.target_region_id)

    def note_regions(self) -> None:
        """The list has changed: forget ids that are gone, then tell."""
        for name in ("active_region_id", "target_region_id"):
            if getattr(self, name) not in (None, *self._regions.ids):
                setattr(self, name, None)
        if any(region_id not in (None, *self._regions.ids) for _, region_id in self.schedule):
            self.schedule = tuple(turn for turn in self.schedule if turn[1] in (None, *self._regions.ids))
        self._filled.clear()
        self.regions_changed.emit()

    def note_painted(self, region_id: int, box_px: DirtyBox) -> None:
        """A box of a region's mask has changed in place: count it, then tell."""
        region = self._regions.of(region_id)
        region.revision += 1
        if self._cells is not None:
            self._cells.painted(region, box_px)
        self.region_painted.emit(region_id, box_px)
        self._note_filled(region)

    def _note_filled(self, region: EditableRegion) -> None:
        """Tell when a region selects its first cell: what waits for that need not look at every dab."""
        filled = "cells" if self.cells_of(region.id).size else "nothing" if region.empty else "no cell"
        if self._filled.get(region.id) != filled:
            self._filled[region.id] = filled
            self.region_filled.emit(region.id)

    @property
    def brush_px(self) -> int:
        """Diameter of the brush in picture pixels, within BRUSH_RANGE_PX."""
        return self._brush_px

    @brush_px.setter
    def brush_px(self, diameter_px: int) -> None:
        low, high = BRUSH_RANGE_PX
        diameter_px = min(max(int(diameter_px), low), high)
        if diameter_px != self._brush_px:
            self._brush_px = diameter_px
            self.brush_changed.emit()

    # Heads

    @property
    def rankings(self) -> Mapping[str, HeadRanking]:
        """Of the loaded model, by name."""
        return MappingProxyType(self._rankings)

    @property
    def ranking(self) -> HeadRanking | None:
        """The one that is shown: as far as it is measured while it is being measured."""
        name = self.ranking_name or ""
        return self._partials.get(name) or self._rankings.get(name)

    def put_rankings(self, rankings: Mapping[str, HeadRanking]) -> None:
        """Keep rankings, in the place of those of the same names; shows the first one if none is shown."""
        for name in rankings:
            self._partials.pop(name, None)
        self._rankings |= rankings
        self._show_some_ranking()

    def put_partial_ranking(self, ranking: HeadRanking) -> None:
        """Show a ranking as far as it is measured; the last complete one of its name is not lost."""
        self._partials[ranking.name] = ranking
        self._show_some_ranking()

    def drop_partial_rankings(self) -> dict[str, HeadRanking]:
        """Forget what was measured in part, and return it."""
        partials, self._partials = self._partials, {}
        if partials:
            self._show_some_ranking()
        return partials

    def forget_rankings(self) -> None:
        """Another model: none of the rankings is about its heads."""
        if self._rankings or self._partials:
            self._rankings, self._partials = {}, {}
            self._show_some_ranking()

    def _show_some_ranking(self) -> None:
        known = [*self._rankings, *self._partials]
        first = next(iter(known), None)
        if self.ranking_name in (*known, first):
            self.ranking_changed.emit()
        else:
            self.ranking_name = first

    @property
    def saved_sets(self) -> Mapping[str, HeadSet]:
        """Head sets that were given a name."""
        return MappingProxyType(self._saved_sets)

    def put_saved_set(self, name: str, heads: HeadSet | None) -> None:
        """Keep a head set under a name; None forgets it."""
        if self._saved_sets.get(name) == heads:
            return
        if heads is None:
            del self._saved_sets[name]
        else:
            self._saved_sets[name] = heads
        self.saved_sets_changed.emit()

    # Runs

    @property
    def runs(self) -> Mapping[int, RunRecord]:
        """Every run of the session by its id, oldest first."""
        return MappingProxyType(self._runs)

    @property
    def baseline_run_id(self) -> int | None:
        """The baseline that is shown."""
        return self._shown.get("baseline")

    @property
    def steered_run_id(self) -> int | None:
        """The steered run that is shown."""
        return self._shown.get("steered")

    @property
    def glance_run_id(self) -> int | None:
        """The single token that was looked at before anything was run."""
        return self._shown.get("glance")

    def run_of(self, side: Side) -> RunRecord | None:
        """The run that a side shows."""
        return self._runs.get(self._shown.get(side, -1))

    def show_run(self, side: Side, record: RunRecord | None) -> None:
        """Show a run on a side, None for none (then run_changed tells the one that was); its cursor goes."""
        before = self._shown.get(side)
        if record is None:
            self._shown.pop(side, None)
        else:
            self._runs[record.id] = record
            self._shown[side] = record.id
        now = self._shown.get(side)
        if now == before:
            return
        if self.cursor is not None and self.cursor.side == side:
            self.cursor = None
        changed = now if now is not None else before
        if changed is not None:
            self.run_changed.emit(changed)

    def forget_run(self, run_id: int) -> None:
        """Let a run go from the session; the log keeps it."""
        if self._runs.pop(run_id, None) is not None:
            self.run_changed.emit(run_id)

    def note_run(self, run_id: int) -> None:
        """A run's record has changed in place."""
        self.run_changed.emit(run_id)

    def note_step(self, run_id: int, index: int) -> None:
        """A token was added to a run's record."""
        self.step_arrived.emit(run_id, index)

    def shown_steps(self) -> tuple[RunRecord, tuple[int, ...]] | None:
        """The run and its tokens that everything shows now; None while nothing was looked at.

        Those of the cursor; without one the last token of the steered run, the baseline or the glance.
        """
        cursor = self.cursor
        if cursor is not None:
            record = self.run_of(cursor.side)
            steps = tuple(step for step in cursor.steps if record and step < len(record.steps))
            if record is not None and steps:
                return record, steps
        for side in ("steered", "baseline", "glance"):
            record = self.run_of(side)
            if record is not None and record.steps:
                return record, (len(record.steps) - 1,)
        return None


def _same(before: Any, after: Any) -> bool:
    """Whether an assignment changes nothing; arrays and what holds them are only the same if identical."""
    if before is after:
        return True
    if type(before) is not type(after) or isinstance(before, np.ndarray):
        return False
    if isinstance(before, tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after)
