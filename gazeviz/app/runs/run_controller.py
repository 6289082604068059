"""The run controller: gestures become requests to the worker, events become changes of the session.

Puts the parts together (loading, pictures, runs, glances, maps, discovery), keeps the worker alive and says
what it is doing. Its public calls never raise a UserError: what cannot be done is shown as a notice. Events
come from the backend's reader thread and are handled in the thread of the screen. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.editing.editor import HeadChooser, RegionEditor
from gazeviz.app.editing.region_files import RegionForm, write_regions
from gazeviz.app.history.region_log import RegionLog
from gazeviz.app.history.reopening import LoggedView, Reopening
from gazeviz.app.runs.attention_queries import MapQuestions
from gazeviz.app.runs.discovery import Discovery
from gazeviz.app.runs.first_token import FirstTokenPreview
from gazeviz.app.runs.head_studies import HeadStudies
from gazeviz.app.runs.model_loader import ModelLoader
from gazeviz.app.runs.picture_opener import PictureOpener, panel_folder, picture_data, picture_file
from gazeviz.app.runs.readiness import LOADING, OTHER_MODEL
from gazeviz.app.runs.region_import import RegionImport
from gazeviz.app.runs.runner import Runner, SpecMaker, Which, loss_sentence
from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import LookAt, RunRecord, WorkerState
from gazeviz.backend.client import Backend, BackendEvent, Listener, WorkerEnded, WorkerStarted
from gazeviz.backend.places import backend_maker
from gazeviz.domain.messages import (
    NO_JOB,
    AskModels,
    Failed,
    GenerateSpec,
    ModelsListed,
    Ready,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.store import SessionStore

# The spotlight: a disc under the mouse that a steered run looks at while the mouse is held.
#
# The target moves only when other cells are lit, and once for each token at most: what is sent faster than
# tokens are written could never be seen. Knows no mouse; points are in picture pixels.


NAME = "Spotlight"


class Spotlight:
    """Moves the target of the steered run that is under way."""

    def __init__(self, model: SessionModel, runner: Runner) -> None:
        self._model, self._runner = model, runner
        self._lit: bytes | None = None
        self._waiting: Region | None = None
        self._sent_since_step = False

    @property
    def on(self) -> bool:
        """Whether cells are lit."""
        return self._lit is not None

    def point(self, x_px: float, y_px: float, diameter_px: float) -> None:
        """Light a disc; between cells and outside the picture the light stays where it was."""
        model = self._model
        if model.grid is None or self._runner.steered is None:
            return
        radius = diameter_px / 2
        box = (x_px - radius, y_px - radius, x_px + radius, y_px + radius)
        try:
            region = Region.ellipse(NAME, box, model.grid.picture_size_px)
            lit = model.grid.tokens(region, model.rule, model.share).tobytes()
        except UserError:
            return
        if lit != self._lit:
            self._lit, self._waiting = lit, region
            self._send()

    def step_arrived(self) -> None:
        """A token was written: the light may move on."""
        self._sent_since_step = False
        self._send()

    def end(self) -> bool:
        """Put it out; returns whether it was on."""
        was_on = self.on
        self._lit, self._waiting, self._sent_since_step = None, None, False
        return was_on

    def _send(self) -> None:
        region = self._waiting
        if region is None or self._sent_since_step or self._runner.steered is None:
            return
        self._waiting, self._sent_since_step = None, True
        notices.attempt(self._model, lambda: self._runner.retarget(region), "target")


MakeBackend: TypeAlias = Callable[[Listener], Backend]

MAX_LOSSES_IN_A_ROW: Final = 5
"""Workers that may be lost in a row while they load a model; after that somebody has to ask for the next."""


class RunController(QObject):
    """What the window calls.

    editor: regions and strokes; its calls raise UserErrors, see `notices.attempt`.
    heads: choosing heads; its calls raise UserErrors, too.
    runs, loader, pictures, discovery, studies, maps: what is under way of each kind, and how it is stopped.
    """

    _heard = Signal(object)

    def __init__(
        self,
        model: SessionModel,
        make_backend: MakeBackend,
        log: SessionStore | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self.editor = RegionEditor(model)
        self.log = log = log if log is not None else SessionStore.temporary()
        """The log of everything that is done."""
        self._jobs = jobs = Jobs()
        self.heads = HeadChooser(model, log, self.editor)
        self.region_import = RegionImport(model, self.editor)
        self.loader = ModelLoader(model, log, jobs, lambda: self.pictures.lay_out())  # noqa: PLW0108 - made later
        self.pictures = PictureOpener(
            model, log, jobs, self.editor, lambda: self.loader.loaded, self._leave_picture
        )
        self._settling = model.frames.part(self, self._settle)
        self.runs = Runner(model, log, jobs, self._settling.request)
        self.discovery = Discovery(model, log, jobs, self._settle)
        self.studies = HeadStudies(model, jobs, self._check_free, self._settle, self)
        self._glance = FirstTokenPreview(model, log, jobs, self._is_free)
        self._reopening = Reopening(model, self.editor, self.loader, self.pictures, lambda: self.busy)
        self.maps = MapQuestions(model, jobs)
        self._specs = SpecMaker(model)
        self._spotlight = Spotlight(model, self.runs)
        self._gave_up = self._ready = self._closed = self._reached = False
        self._unready_losses = 0
        self.place: str | None = None
        """Where the worker runs: None is this computer, else an address (see `go_to`)."""
        self._backend = make_backend(self._heard.emit)
        self._jobs.send_through(self._backend.send)
        self._heard.connect(self._on_event, Qt.ConnectionType.QueuedConnection)
        self._region_log = RegionLog(model, log, self.editor)
        self.versions: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether closing the app now would end something that somebody waits for."""
        return self.runs.active or self.discovery.active or self.studies.active

    @property
    def regions_unsaved(self) -> bool:
        """Whether painted regions have still to be written down."""
        return self._region_log.pending

    # The worker

    def start(self, source: str | None = None, device: str = "auto", dtype: str = "auto") -> None:
        """Open a session of the log, begin a worker and load a model (source None: the built-in one)."""
        with notices.shown(self.model, "log"):
            self.log.open_session()
        self.loader.want(source, device, dtype)
        self._start_worker()

    def shutdown(self) -> None:
        """End the worker and whatever it is doing; returns when it is gone. Nothing may be called after.

        Without effect when it was done before.
        """
        if self._closed:
            return
        self._closed = True
        for part in (self._glance, self.maps):
            part.stop()
        self._region_log.close()
        self.pictures.close()
        self.region_import.close()
        self._backend.stop()
        self._heard.disconnect(self._on_event)
        self._jobs.cancel_all()
        with notices.shown(self.model, "log"):
            self.log.close()

    def restart_worker(self) -> None:
        """End the worker if there is one, and begin another with the same model and picture."""
        self._gave_up = False
        wanted = self.loader.wanted
        self._jobs.cancel_all()
        self._spotlight.end()
        self.loader.note_loss()
        if wanted is not None:
            self.loader.want(wanted.source, wanted.device, wanted.dtype)
        self._start_worker()

    def go_to(self, place: str | None) -> bool:
        """End the worker and begin one elsewhere: ssh://[user@]host[/path/to/gazeviz]; None: here.

        It has no model yet. Returns whether it was begun, else a notice says why not.
        """
        return notices.attempt(self.model, lambda: self._go_to(place), "worker")

    def ask_models(self, on_listed: Callable[[ModelsListed], object]) -> None:
        """Ask which models and devices there are where the worker runs."""

        def on_event(event: JobEvent) -> None:
            if isinstance(event, ModelsListed):
                on_listed(event)
            elif isinstance(event, Failed):
                notices.fail(self.model, event, "model")

        self._jobs.ask(AskModels, on_event)

    @property
    def reached(self) -> bool:
        """Whether the worker has answered since it was last begun."""
        return self._ready

    def kill_worker(self) -> None:
        """End the worker without a word to it, as a crash would; another one follows."""
        self._backend.kill()

    # Model and picture

    def load_model(self, source: str | None = None, device: str = "auto", dtype: str = "auto") -> None:
        """Load a model in the place of the one that is loaded; runs and measurements are stopped."""
        self.runs.stop()
        self.discovery.cancel()
        self.studies.cancel()
        self.loader.want(source, device, dtype)
        if self._ready:
            self.loader.load()
        elif self._gave_up:
            self.restart_worker()
        self._settle()

    def open_picture(
        self, path: str | Path, layout: Layout | None = None, captions: tuple[str, ...] = ()
    ) -> None:
        """Open a picture file, or a folder of panels as a strip; layout None: as its gutters show."""
        path = Path(path)
        if path.is_dir():
            self.pictures.open(lambda: panel_folder(path))
        else:
            self.pictures.open(lambda: picture_file(path, layout, captions))

    def open_picture_data(self, data: bytes, name: str = "Pasted picture") -> None:
        """Open an encoded picture that is not a file."""
        self.pictures.open(lambda: picture_data(data, name))

    def allow_image_tokens(self, max_tok: int | None) -> None:
        """Let the picture cost more image tokens than is usual (None: as many as is usual)."""
        if max_tok != self.model.max_image_tok:
            self.model.max_image_tok = max_tok
            self.runs.stop()
            self.pictures.lay_out()

    def apply_layout(self, layout: Layout | None) -> None:
        """Make a layout's panels regions; None: no panels."""
        notices.attempt(self.model, lambda: self.editor.apply_layout(layout), "picture")

    # Runs

    def run(self, which: Which = "both") -> None:
        """Run the baseline, the steered answer, or both one after the other (see Runner.run)."""
        self.model.notice = None
        notices.attempt(self.model, lambda: self._begin(lambda: self.runs.run(which)), "run")
        self._settle()

    def run_regions(self) -> None:
        """Run the baseline, then one steered answer for every region (see Runner.run_regions)."""
        self.model.notice = None
        notices.attempt(self.model, lambda: self._begin(self.runs.run_regions), "run")
        self._settle()

    def repeat(self, spec: GenerateSpec) -> RunRecord | None:
        """Run exactly this, whatever is set now; None where it cannot be, which a notice says."""
        begun = notices.attempt(self.model, lambda: self._begin(lambda: self.runs.repeat(spec)), "run")
        self._settle()
        return self.model.run_of(spec.side) if begun else None

    def reopen(self, view: LoggedView) -> bool:
        """Show a logged run as it was; returns whether it is shown, else a notice says why not."""
        shown = notices.attempt(self.model, lambda: self._reopening.show(view), "log")
        self._settle()
        return shown

    def run_or_stop(self) -> None:
        """Stop what is running, or run: what Space and the run button mean."""
        if self.runs.active:
            self.runs.stop()
        else:
            self.run()

    def retarget(self, region_id: int | None) -> None:
        """Make a region the target (None: none); a steered run under way follows with its next token."""
        if self.runs.steered is None:
            self.model.target_region_id = region_id
            return
        if notices.attempt(self.model, lambda: self.runs.retarget(self._specs.target(region_id)), "target"):
            self.model.target_region_id = region_id

    def spotlight(self, x_px: float, y_px: float, diameter_px: float) -> None:
        """Point a steered run under way at a disc around a point, one change for each token at most."""
        self._spotlight.point(x_px, y_px, diameter_px)

    def end_spotlight(self) -> None:
        """Let the run go back to its target region, or without one to what was laid out beforehand."""
        record = self.runs.steered
        if not self._spotlight.end() or record is None:
            return
        planned = record.spec.steering.target_at(len(record.steps)) if record.spec.steering else None
        if self.model.target_region_id is None:
            notices.attempt(self.model, lambda: self.runs.retarget(planned), "target")
        else:
            self.retarget(self.model.target_region_id)

    # Heads

    def discover(self, strips: StripsSource, by: tuple[str, ...] = ("mass",)) -> None:
        """Measure head rankings on strips; the first one is shown as it fills in."""
        notices.attempt(self.model, lambda: self._discover(strips, by), "discovery")
        self._settle()

    def look_at_region(self, region_id: int) -> None:
        """Ask which heads look at a region, at the tokens that are shown."""
        region = self.model.regions.of(region_id)
        self.model.look_at = LookAt(region.name, self.model.cells_of(region_id), region_id)
        self.model.grid_metric = "look_here"

    def look_at_point(self, x_px: float, y_px: float) -> None:
        """Ask which heads look at the cell under a point; without effect where there is none."""
        tokens = self.model.grid.token_at(x_px, y_px) if self.model.grid else np.zeros(0, dtype=np.int64)
        if tokens.size:
            self.model.look_at = LookAt(f"cell {int(tokens[0])}", tokens)
            self.model.grid_metric = "look_here"

    # Files of regions

    def import_regions(self, paths: Sequence[str | Path], entry: str = "") -> None:
        """Add the regions of PNG masks, labelme and COCO files in one undo step, once they are read.

        entry: the picture's name in a COCO file of several, where its own does not tell.
        """
        files = [Path(path) for path in paths]
        notices.attempt(self.model, lambda: self.region_import.begin(files, entry), "regions")

    def export_regions(self, path: str | Path, form: RegionForm) -> bool:
        """Write all painted regions: PNG masks into a folder, or a labelme or COCO file."""
        picture = self.model.picture
        regions = tuple(region.as_region() for region in self.model.regions.painted())
        if picture is None or not regions:
            notices.say(
                self.model, "error", "Nothing is painted yet.", "Paint a region first.", about="regions"
            )
            return False
        source = Path(picture.source.path) if picture.source.path else None
        return notices.attempt(
            self.model, lambda: write_regions(Path(path), regions, picture.name, form, source), "regions"
        )

    # Pieces

    def _begin(self, run: Callable[[], object]) -> None:
        self._check_free()
        self._spotlight.end()
        run()

    def _discover(self, strips: StripsSource, by: tuple[str, ...]) -> None:
        self._check_free()
        self.discovery.begin(strips, by)

    def _check_free(self) -> None:
        if self.model.worker_state in ("starting", "loading"):
            raise UserError(LOADING[0], next_step=LOADING[1])
        if not self.loader.loaded:
            sentence = OTHER_MODEL if self.model.model_info else "No model is loaded."
            raise UserError(sentence, next_step="Load it first: Ctrl+M.")
        if self.discovery.active:
            raise UserError("The heads are being measured.", next_step="Wait for it to finish, or cancel it.")
        if self.studies.active:
            raise UserError(self.model.studying, next_step="Wait for it to finish, or cancel it.")

    def _is_free(self) -> bool:
        """Whether the worker has a model and nothing to do."""
        return self._ready and self.loader.loaded and not self.loader.loading and not self.busy

    def _leave_picture(self) -> None:
        """Another picture is about to be shown: stop what concerns the last one, and keep its regions."""
        self.runs.stop()
        self._region_log.save_pending()

    def _go_to(self, place: str | None) -> None:
        backend = backend_maker(place)(self._heard.emit)
        self.runs.stop()
        self.discovery.cancel()
        self.studies.cancel()
        self._backend.stop()
        self._jobs.cancel_all()
        self._spotlight.end()
        self.loader.note_loss()
        self.loader.leave()
        self._backend, self.place = backend, place
        self._jobs.send_through(backend.send)
        self._gave_up = self._reached = False
        self._unready_losses = 0
        self._start_worker()

    # Events

    def _start_worker(self) -> None:
        self._ready = False
        self.model.worker_state = "starting"
        try:
            self._backend.restart()  # also ends what is left of the one before
        except OSError as error:
            self._gave_up = True
            self.model.worker_state = "lost"
            notices.say(self.model,
                "error", f"The worker could not be started: {error}.",
                "Free some memory, then restart the worker.",
                about="worker",
            )  # fmt: skip

    def _on_event(self, event: BackendEvent) -> None:
        match event:
            case WorkerStarted():
                self._jobs.worker += 1
            case Ready():
                self._ready = self._reached = True
                self._unready_losses = 0
                self.versions = dict(event.versions)
                self.loader.load()
            case WorkerEnded():
                self._recover(event)
            case Failed(job=job) if job == NO_JOB:
                self._gave_up = True
                notices.fail(self.model, event, "worker")
            case _:
                self._jobs.hear(event)
        if isinstance(event, StepArrived):
            self._spotlight.step_arrived()
        else:
            self._settling.request()  # in a frame of its own: much is drawn when the worker falls idle

    def _recover(self, lost: WorkerEnded) -> None:
        """Close what was under way, say what happened and begin another worker, unless it keeps happening."""
        self._unready_losses += not self._ready
        self._ready = False
        self._spotlight.end()
        self.loader.note_loss()
        self._jobs.lose(lost)
        sentence = loss_sentence(lost)
        self.model.worker_state, self.model.worker_message = "lost", sentence
        if max(self.loader.losses_in_a_row, self._unready_losses) >= MAX_LOSSES_IN_A_ROW:
            self._gave_up = True
        if lost.next_step and not self._reached:
            self._gave_up = True  # trying again does not help before somebody has done something
        next_step = (
            lost.next_step or "Load another model, or restart the worker."
            if self._gave_up
            else "A new worker is starting; the session is intact."
        )
        notices.say(self.model, "error", sentence, next_step, about="worker", detail=lost.stderr_tail)
        if not self._gave_up:
            self._start_worker()

    def _settle(self) -> None:
        """Say what the worker is doing."""
        state: WorkerState
        if self._closed or (self.model.worker_state == "lost" and self._gave_up):
            return
        if not self._ready:
            state = "starting"
        elif self.loader.loading:
            state = "loading"
        elif not self.loader.loaded:
            state = "none"
        else:
            state = "busy" if self.busy else "ready"
        self.model.worker_state = state
        if state in ("ready", "busy"):
            self.model.worker_message = ""
        if state == "ready":
            self._glance.request()
