"""Runs: a baseline and a steered answer after it, streamed into their records, stopped and steered live.

Every run is written into the log before it is sent, every token when it arrives. Targets can be moved while a
run streams: each next token then follows, and the run keeps what happened. Knows no maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from gazeviz.app.history.judgement import logged_verdict
from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord, RunState
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.heads import HeadSet, random_control
from gazeviz.domain.messages import (
    Cancel,
    Failed,
    Generate,
    GenerateSpec,
    JobCancelled,
    ModelInfo,
    Refused,
    Retarget,
    RunFinished,
    RunResult,
    Side,
    StepArrived,
)
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.store import SessionStore

Which: TypeAlias = Literal["both", "baseline", "steered"]

_NEVER_BEGAN: Final = "Stopped before it started."


class SpecMaker:
    """Turns what the session shows into what the worker is asked; UserErrors for what is missing."""

    def __init__(self, model: SessionModel) -> None:
        self._model = model
        self._drawn: tuple[HeadSet, ModelInfo, HeadSet | None] | None = None

    def baseline(self) -> GenerateSpec:
        """The prompt without steering."""
        model = self._model
        if model.picture is None:
            raise UserError("There is no picture.", next_step="Open a picture first.")
        if model.grid is None:
            raise UserError(
                "The picture is not ready yet.", next_step="Wait until the model has processed it."
            )
        if not model.prompt.strip():
            raise UserError("The prompt is empty.", next_step="Write a prompt.")
        if model.generation.max_new_tokens < 2:
            raise UserError("The limit is a single token.", next_step="Allow at least two.")
        return GenerateSpec(
            picture_sha256=model.picture.sha256,
            prompt=model.prompt,
            sampling=model.generation.sampling,
            max_new_tokens=model.generation.max_new_tokens,
            chosen=model.chosen,
            control=self._control(),
            regions=tuple(region.as_region() for region in model.regions.painted()),
            rule=model.rule,
            share=model.share,
        )

    def glance(self) -> GenerateSpec:
        """The first token alone, without steering."""
        return replace(self.baseline(), max_new_tokens=1, control=None)

    def steered(self) -> GenerateSpec:
        """The prompt with the chosen heads pointed at the target."""
        return replace(self.baseline(), steering=self._steering())

    def target(self, region_id: int | None) -> Region | None:
        """A region to point at, None to let the heads go; UserError where it selects no cell."""
        region = self._model.regions.get(region_id)
        if region is None:
            return None
        return self._checked(region.as_region())

    def steered_to(self, region_ids: Sequence[int]) -> list[GenerateSpec]:
        """The prompt once for each region, the chosen heads pointed at it throughout."""
        first = self.steered()
        assert first.steering is not None
        steering = replace(first.steering, schedule=None)
        targets = [target for one in region_ids if (target := self.target(one)) is not None]
        return [replace(first, steering=replace(steering, target=target)) for target in targets]

    def _steering(self) -> Steering:
        model, settings = self._model, self._model.steering
        turns = tuple((first, self.target(region_id)) for first, region_id in model.schedule)
        target = self.target(model.target_region_id) or next((region for _, region in turns if region), None)
        if target is None and settings.mode == "knock_out" and model.grid is not None:
            target = Region.whole(model.grid.picture_size_px)
        if target is None:
            raise UserError("No target: steering is off.", next_step="Click a region or press its number.")
        return Steering(
            heads=model.chosen,
            target=target,
            mode=settings.mode,
            strength=settings.strength,
            scope=settings.scope,
            alpha=settings.alpha,
            rule=model.rule,
            share=model.share,
            means=settings.means if settings.mode == "knock_out" else None,
            schedule=Schedule(turns) if turns else None,
        )

    def _checked(self, region: Region) -> Region:
        model = self._model
        if model.grid is not None:
            model.grid.tokens(region, model.rule, model.share)
        return region

    def _control(self) -> HeadSet | None:
        """As many heads as are chosen, drawn at random from the others; None where there are too few."""
        chosen, info = self._model.chosen, self._model.model_info
        if info is None or not len(chosen):
            return None
        if self._drawn is None or self._drawn[0] is not chosen or self._drawn[1] is not info:
            self._drawn = chosen, info, random_control(chosen, info.heads_present_LH)
        return self._drawn[2]


class Runner:
    """Runs answers, one after the other."""

    def __init__(
        self, model: SessionModel, log: SessionStore, jobs: Jobs, on_idle: Callable[[], None]
    ) -> None:
        self._model, self._log, self._jobs = model, log, jobs
        self._on_idle = on_idle
        self._specs = SpecMaker(model)
        self._waiting: list[RunRecord] = []
        self._running: RunRecord | None = None

    @property
    def active(self) -> bool:
        """Whether a run is under way or queued."""
        return self._running is not None or bool(self._waiting)

    @property
    def steered(self) -> RunRecord | None:
        """The steered run that has not ended, under way or waiting."""
        records = [self._running, *self._waiting]
        return next((record for record in records if record and record.side == "steered"), None)

    def run(self, which: Which) -> None:
        """Run the baseline, the steered answer, or one after the other.

        "both" without a target runs the baseline alone. A baseline that is shown already, asked for in the
        same way of the same worker, is kept.
        UserErrors of SpecMaker, of the log, and while a run is under way: then nothing is sent.
        """
        if self.active:
            raise UserError("A run is in progress.", next_step="Stop it, or wait for it to finish.")
        model = self._model
        specs: list[GenerateSpec] = []
        with_steering = which == "steered" or (which == "both" and self._can_steer())
        steered = self._specs.steered() if with_steering else None
        if which != "steered":
            spec = self._specs.baseline()
            if which == "baseline" or steered is None or not self._is_shown(spec):
                specs.append(spec)
        if steered is not None:
            specs.append(steered)
        elif which == "both":
            model.show_run("steered", None)
            if model.has_aim:
                notices.say(
                    self._model,
                    "info",
                    "No head is selected: only the baseline will run.",
                    "Choose heads to steer.",
                    about="run",
                )
        self._begin(specs)

    def run_regions(self) -> None:
        """Run the baseline, then a steered answer for each painted region, shown one after the other.

        Each is a run of its own in the log. UserErrors of `run`, and where no region is painted.
        """
        if self.active:
            raise UserError("A run is in progress.", next_step="Stop it, or wait for it to finish.")
        model = self._model
        if not len(model.chosen):
            raise UserError("No head is selected.", next_step="Choose heads to steer.")
        painted = [region.id for region in model.regions.painted()]
        if not painted:
            raise UserError("Nothing is painted yet.", next_step="Paint a region, or choose a layout.")
        if not model.has_aim:
            model.target_region_id = painted[0]
        baseline = self._specs.baseline()
        specs = [] if self._is_shown(baseline) else [baseline]
        self._begin([*specs, *self._specs.steered_to(painted)])

    def repeat(self, spec: GenerateSpec) -> None:
        """Run exactly this, whatever is set now; UserErrors of `run`."""
        if self.active:
            raise UserError("A run is in progress.", next_step="Stop it, or wait for it to finish.")
        self._begin([spec])

    def stop(self) -> None:
        """Stop what is under way, within a token, and what waits."""
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            self._close(record, "cancelled", message=_NEVER_BEGAN)
        if self._running is not None and self._running.job is not None:
            self._jobs.tell(Cancel(self._running.job))
        elif waiting:
            self._on_idle()

    def retarget(self, region: Region | None) -> None:
        """Point the heads of the steered run elsewhere from its next token on; None lets them go.

        At most one more token comes under the old target: the one that is being computed. A run that waits
        for its turn begins with it. Without effect where there is none.
        UserErrors for a region that is too intricate to send, and of the log.
        """
        record = self.steered
        if record is None or record.spec.steering is None:
            return
        if record.job is not None:
            self._jobs.tell(Retarget(record.job, region, due=len(record.steps) + 1))
            return
        spec = replace(record.spec, steering=record.spec.steering.beginning_at(region))
        self._log.run_respecified(record.id, spec)
        record.spec = spec

    def _can_steer(self) -> bool:
        model = self._model
        return bool(len(model.chosen)) and model.has_aim

    def _is_shown(self, spec: GenerateSpec) -> bool:
        """Whether the baseline that is shown is this one, and its attention can still be asked for."""
        shown = self._model.run_of("baseline")
        return (
            shown is not None
            and shown.state == "done"
            and shown.worker == self._jobs.worker
            and shown.spec == spec
        )

    def _begin(self, specs: Sequence[GenerateSpec]) -> None:
        """Write runs down, send the first one, and then show them: the worker reads while the screen draws.

        Where one cannot be written down none begins.
        """
        model = self._model
        records: list[RunRecord] = []
        try:
            for spec in specs:
                records.append(create_record(self._model, self._log, spec))
        except UserError:
            for record in records:
                self._close(record, "cancelled", message=_NEVER_BEGAN)
                model.show_run(record.side, record)
            raise
        self._waiting += records
        model.cursor = None
        self._begin_next()
        first = {record.side: record for record in reversed(records)}
        for record in (*records, *first.values()):  # of several on one side all are known, the first is seen
            model.show_run(record.side, record)

    def _begin_next(self) -> RunRecord | None:
        """Send the run whose turn it is, and return it; None where there is none."""
        if self._running is not None or not self._waiting:
            return None
        record = self._running = self._waiting.pop(0)
        record.state, record.worker = "loading", self._jobs.worker
        try:
            record.job = self._jobs.ask(
                lambda job: Generate(job, record.spec), lambda event: self._on_event(record, event)
            )
        except UserError as error:
            notices.refuse(self._model, error, "run")
            self._end(record, "failed", message=str(error))
        return record

    def _on_event(self, record: RunRecord, event: JobEvent) -> None:
        match event:
            case StepArrived():
                take_step(self._model, self._log, record, event)
            case RunFinished():
                state: RunState = "cancelled" if event.run.finish == "cancelled" else "done"
                self._end(record, state, summary=event.run)
            case JobCancelled():
                began = "It was interrupted." if record.steps else _NEVER_BEGAN
                self._end(record, "cancelled", message=began)
            case Refused():
                notices.say(self._model, "warning", event.sentence, event.next_step, about="target")
            case Failed():
                notices.fail(self._model, event, "run")
                self._end(record, "failed", message=f"{event.sentence} {event.next_step}".strip())
            case WorkerEnded():
                self._end(record, "lost", message=loss_message(event, record))

    def _end(self, record: RunRecord, state: RunState, *, summary: RunResult | None = None,
             message: str = "") -> None:  # fmt: skip
        """Close a run; what waits goes on after one that ended well, and not after one that did not."""
        self._running = None
        waiting: list[RunRecord] = []
        if state != "done":
            waiting, self._waiting = self._waiting, []
        self._close(record, state, summary=summary, message=message)
        for other in waiting:
            self._close(other, "cancelled", message="The previous run did not finish.")
        next_record = self._begin_next()
        if next_record is not None:
            self._model.show_run(next_record.side, next_record)
            self._model.note_run(next_record.id)
        if not self.active:
            self._on_idle()

    def _close(self, record: RunRecord, state: RunState, *, summary: RunResult | None = None,
               message: str = "") -> None:  # fmt: skip
        close_record(self._model, self._log, record, state, summary=summary, message=message)


def create_record(model: SessionModel, log: SessionStore, spec: GenerateSpec) -> RunRecord:
    """Write a run into the log and return its record; UserErrors of the log."""
    info = model.model_info
    if info is None:
        raise UserError("No model is loaded.", next_step="Load a model first.")
    side: Side = spec.side
    run_id = log.run_created(side, spec, info)
    return RunRecord(run_id, side, spec, special_tokens=info.special_tokens)


def take_step(model: SessionModel, log: SessionStore, record: RunRecord, step: StepArrived) -> None:
    """Add a token to a record, to the log and to the screen."""
    record.steps.append(step)
    with notices.shown(model, "log"):
        log.step_appended(record.id, step)
    if record.state != "running":
        record.state = "running"
        model.note_run(record.id)
    model.note_step(record.id, step.index)


def close_record(
    model: SessionModel,
    log: SessionStore,
    record: RunRecord,
    state: RunState,
    *,
    summary: RunResult | None = None,
    message: str = "",
) -> None:
    """Say in a record, in the log and on the screen how a run ended."""
    record.state, record.summary, record.message = state, summary, message
    judged = state == "done" and record.side != "glance"
    verdict = logged_verdict(record, model.picture) if judged else None
    with notices.shown(model, "log"):
        notices.watch(model, log.run_ended(record.id, state, summary, message, verdict))
    model.note_run(record.id)


def loss_message(lost: WorkerEnded, record: RunRecord) -> str:
    """What became of a run whose worker was lost, in a sentence."""
    n_tok = len(record.steps)
    return f"{loss_sentence(lost)} {plural(n_tok, 'token')} had arrived."


def loss_sentence(lost: WorkerEnded) -> str:
    """What happened to a worker."""
    if lost.cancelled:
        return "The worker did not respond to the stop request and was terminated."
    if lost.sentence:
        return lost.sentence
    if lost.signal_name:
        return f"The worker was terminated by {lost.signal_name}."
    if lost.exit is not None:
        return f"The worker exited with code {lost.exit}."
    return "The worker exited."
