"""Opening a logged run: Explore shows it exactly as it was, and neither model nor worker has a part in it.

Everything is read from the log beside the screen's thread and then shown in one go. Of a steered run the
baseline that stood beside it is shown, too. Regions and heads are one undo step, unless picture or model
become others. Single heads' attention is in no log: for that the run has to be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QUndoCommand

from gazeviz.app.editing.editor import RegionEditor
from gazeviz.app.editing.regions import EditableRegion, RegionLook, unique_name
from gazeviz.app.editing.undo import ChooseHeadsCommand, RegionsCommand, ScheduleCommand
from gazeviz.app.report.sources import reported_picture, with_baselines
from gazeviz.app.runs.model_loader import ModelLoader
from gazeviz.app.runs.picture_opener import PictureOpener
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import (
    GenerationSettings,
    Notice,
    Picture,
    RunRecord,
    RunState,
    SteeringSettings,
)
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import GenerateSpec, ModelInfo, Side
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.reproduction import ReplayRequest
from gazeviz.domain.strip import panel_boxes_px
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.app.runs.run_controller import RunController
    from gazeviz.store.reader import LogReader, StoredRun
    from gazeviz.store.session_store import SessionStore

SIDES: Final[tuple[Side, ...]] = get_args(Side)
_STILL_WRITTEN: Final = "This run is still in progress elsewhere; it is shown as far as it was logged."

Turns: TypeAlias = tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, eq=False)
class LoggedView:
    """A logged run with everything that Explore shows of it.

    records: the run itself first, then the baseline that stood beside it, if there is one.
    rankings: of its model, by name.  max_image_tok: what its picture might cost, None for the usual.
    grid: where its image tokens lie, as it was written down or as far as its own figures prove it.
    title: what undo calls it; "" is the run's number.
    """

    picture: Picture
    model: ModelInfo
    records: tuple[RunRecord, ...]
    rankings: Mapping[str, HeadRanking]
    max_image_tok: int | None = None
    grid: TokenGrid | None = None
    title: str = ""

    @property
    def record(self) -> RunRecord:
        """The run itself."""
        return self.records[0]


def logged_view(store: SessionStore, run_id: int) -> LoggedView:
    """Read everything about a run; may be called in any thread.

    UserErrors: there is no such run, the log cannot be read, the picture is gone or has changed.
    """
    try:
        run = store.run(run_id)
    except KeyError:
        raise UserError(f"The log has no run {run_id}.", next_step="Choose another one.") from None
    reader = store.reader
    beside = [other for other in with_baselines(reader, [run]) if other.id != run.id]
    return LoggedView(
        _picture(reader, run.spec.picture_sha256),
        run.model,
        tuple(record_of(each) for each in (run, *beside)),
        _rankings(reader, run.model),
        ReplayRequest.of(run).max_image_tok,
        run.grid or proven_grid(run),
    )


def record_of(run: StoredRun) -> RunRecord:
    """A logged run as the session shows runs."""
    state: RunState = "cancelled"
    message = run.message
    if run.state in get_args(RunState) and run.state not in ("queued", "loading", "running"):
        state = run.state  # type: ignore[assignment]
    else:
        message = message or _STILL_WRITTEN
    return RunRecord(
        run.id, run.side, run.spec, state,
        steps=list(run.steps), summary=run.summary, message=message, logged=True,
        special_tokens=run.model.special_tokens,
    )  # fmt: skip


def _picture(reader: LogReader, sha256: str) -> Picture:
    """A picture of the log as the screen shows pictures, with the panels that it was given last.

    UserErrors of gazeviz.app.report.sources.reported_picture.
    """
    pixels_HW3 = reported_picture(reader, sha256).pixels_HW3
    kept = reader.picture(sha256)
    assert kept.source is not None  # or its pixels could not have been had
    pixels_HW3.setflags(write=False)
    return Picture(kept.name, pixels_HW3, sha256, kept.source, kept.layout, kept.captions)


def _rankings(reader: LogReader, info: ModelInfo) -> dict[str, HeadRanking]:
    """What came with the model, its default first, then what was measured; of each name the newest."""
    default = info.default_ranking
    found = {default.name: default} if default is not None else {}
    measured = {ranking.name: ranking for ranking in reversed(reader.rankings(info.fingerprint))}
    for name, ranking in {**measured, **info.rankings}.items():
        found.setdefault(name, ranking)
    return found


class Reopening:
    """Shows a logged run; a part of the run controller."""

    def __init__(
        self,
        model: SessionModel,
        editor: RegionEditor,
        loader: ModelLoader,
        pictures: PictureOpener,
        is_busy: Callable[[], bool],
    ) -> None:
        self._model, self._editor, self._loader, self._pictures = model, editor, loader, pictures
        self._is_busy = is_busy

    def show(self, view: LoggedView) -> None:
        """Show a run as it was; UserError while something runs, and nothing is changed then."""
        if self._is_busy():
            raise UserError(
                "A run is still active.", next_step="Stop it or wait for it to finish, then open the run."
            )
        model = self._model
        model.notice = None
        self._editor.abort_stroke()
        other_model = self._loader.show_logged(view.model, view.rankings)
        if other_model:
            self._editor.undo_stack.clear()  # what was undone there was about other heads
        self._show_picture(view, other_model)
        self._show_settings(view.record.spec)
        self._show_edits(view, other_model)
        self._show_ranking(view.record.spec)
        self._show_runs(view)
        if not self._loader.loaded and model.worker_state not in ("starting", "loading"):
            notices.say(
                self._model,
                "info",
                f"Run {view.record.id} was made with {view.model.name}, which is not loaded.",
                f"Everything that the log holds is shown. To run it again, load {view.model.path}.",
                about="model",
            )

    def _show_picture(self, view: LoggedView, other_model: bool) -> None:
        model, picture = self._model, view.picture
        self._pictures.forget_requests()
        same = model.picture is not None and model.picture.sha256 == picture.sha256
        if not same:
            self._pictures.show(picture)
        as_it_was = same and not other_model and model.max_image_tok == view.max_image_tok
        if as_it_was and model.grid is not None:
            return
        model.set_grid(view.grid, None)
        model.look_at = None
        if same or model.max_image_tok != view.max_image_tok:
            model.max_image_tok = view.max_image_tok
            self._pictures.lay_out()

    def _show_settings(self, spec: GenerateSpec) -> None:
        model, sampling, steering = self._model, spec.sampling, spec.steering
        model.rule, model.share = spec.rule, spec.share
        model.prompt = spec.prompt
        model.generation = GenerationSettings(
            spec.max_new_tokens, sampling.temperature, sampling.top_p, sampling.seed,
            sampling.repetition_penalty, sampling.no_repeat_ngram_tok,
        )  # fmt: skip
        if steering is not None:
            model.steering = SteeringSettings(
                steering.mode, steering.strength, steering.alpha, steering.scope
            )

    def _show_edits(self, view: LoggedView, other_model: bool) -> None:
        """Regions, targets and heads: one undo step, or none where nothing changes."""
        model, stack, spec = self._model, self._editor.undo_stack, view.record.spec
        if other_model:
            model.chosen = spec.chosen  # those from before are no heads of this model
        regions = self._regions(view)
        by_region = {region.as_region(): region.id for region in regions}
        target, turns = _aims(spec, by_region)
        changes: list[QUndoCommand] = []
        if regions != list(model.regions):
            changes.append(RegionsCommand(model, regions, "Regions", target=target))
        if turns != model.schedule:
            changes.append(ScheduleCommand(model, turns, "Targets"))
        if spec.chosen != model.chosen:
            changes.append(ChooseHeadsCommand(model, spec.chosen))
        if changes:
            stack.beginMacro(view.title or f"Open run {view.record.id}")
            for change in changes:
                stack.push(change)
            stack.endMacro()
        if target is not None:
            model.target_region_id = target

    def _regions(self, view: LoggedView) -> list[EditableRegion]:
        """The run's regions and targets; those that are there already, unchanged, stay themselves."""
        model, spec = self._model, view.record.spec
        there = {region.as_region(): region for region in model.regions.painted()}
        wanted = list(dict.fromkeys((*spec.regions, *_targets(spec))))
        shown: list[EditableRegion] = []
        for place, region in enumerate(wanted):
            known = there.get(region)
            if known is None:
                name = unique_name(region.name, [other.name for other in shown])
                look = RegionLook(name, region.colour or region_colour(place))
                known = model.regions.make(look, region.mask_HW.copy(), _panel_box(view.picture, region))
            shown.append(known)
        return shown

    def _show_ranking(self, spec: GenerateSpec) -> None:
        """The ranking that the heads come from, if it is known."""
        name = spec.chosen.origin.ranking
        if name in self._model.rankings:
            self._model.ranking_name = name

    def _show_runs(self, view: LoggedView) -> None:
        """Runs of this very session are shown as they are: the worker may still keep their attention."""
        model = self._model
        by_side = {record.side: model.runs.get(record.id, record) for record in view.records}
        for side in SIDES:
            model.show_run(side, by_side.get(side))
        model.cursor = None
        model.hovered_head = None
        shown = {model.steered_run_id, model.baseline_run_id, model.glance_run_id}
        for run_id in [run_id for run_id, record in model.runs.items() if record.logged]:
            if run_id not in shown:
                model.forget_run(run_id)


def _targets(spec: GenerateSpec) -> tuple[Region, ...]:
    """All regions that a run was to be pointed at."""
    steering = spec.steering
    if steering is None:
        return ()
    return (steering.target, *(steering.schedule.regions if steering.schedule else ()))


def _aims(spec: GenerateSpec, ids: Mapping[Region, int]) -> tuple[int | None, Turns]:
    """The target and the turns that a run asked for, as ids of regions."""
    steering = spec.steering
    if steering is None:
        return None, ()
    switches = steering.schedule.switches if steering.schedule else ()
    turns = tuple((first, None if region is None else ids[region]) for first, region in switches)
    return ids[steering.target], turns


def _panel_box(picture: Picture, region: Region) -> tuple[int, int, int, int] | None:
    """The panel of the picture that a region is exactly, None where it is none."""
    x0, y0, x1, y1 = region.box_px
    if picture.layout is None or region.area_px != (x1 - x0) * (y1 - y0):
        return None
    boxes = panel_boxes_px(picture.layout, *picture.size_px)
    return region.box_px if region.box_px in boxes else None


class Reopener(QObject):
    """Reads runs in a thread of its own and has them shown; of several requests the newest counts.

    Signals: `opened` with the run's number, once Explore shows it; `failed` with it, where a notice says why.
    view: what was opened last.
    """

    opened = Signal(int)
    failed = Signal(int)
    _read = Signal(int, int, object)  # number of the request, of the run; LoggedView or UserError

    def __init__(self, controller: RunController, store: SessionStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller, self._store = controller, store
        self._pool = ThreadPoolExecutor(1, "run reader")
        self.view: LoggedView | None = None
        self._latest = 0
        self._closed = False
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)

    def reopen(self, run_id: int) -> None:
        """Show a logged run."""
        if self._closed:
            return
        self._latest += 1
        number = self._latest

        def work() -> None:
            try:
                outcome: LoggedView | UserError = logged_view(self._store, run_id)
            except UserError as error:
                outcome = error
            self._read.emit(number, run_id, outcome)

        self._pool.submit(work)

    def close(self) -> None:
        """Read no more; waits for what is being read. Without effect when done before."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _on_read(self, number: int, run_id: int, outcome: LoggedView | UserError) -> None:
        if number != self._latest or self._closed:
            return
        if isinstance(outcome, UserError):
            self._controller.model.notice = Notice("error", outcome.sentence, outcome.next_step, "log")
            self.failed.emit(run_id)
        elif self._controller.reopen(outcome):
            self.view = outcome
            self.opened.emit(run_id)
        else:
            self.failed.emit(run_id)
