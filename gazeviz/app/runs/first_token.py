"""A glance: the first token of the prompt, taken before anything is run, so that heads can be looked at.

Happens by itself a moment after picture, prompt and model are ready, and again when one of them changes,
unless a run is shown. Knows no maps: it only makes a run whose attention can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QTimer

from gazeviz.app.runs.runner import SpecMaker, close_record, create_record, loss_message, take_step
from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.messages import Failed, Generate, GenerateSpec, JobCancelled, RunFinished, StepArrived
from gazeviz.errors import UserError
from gazeviz.store import SessionStore

DELAY_MS: Final = 300
"""Long enough that a sentence being typed is not asked about at every letter."""


class FirstTokenPreview:
    """Takes glances; `may_look` says whether the worker is free for one."""

    def __init__(
        self, model: SessionModel, log: SessionStore, jobs: Jobs, may_look: Callable[[], bool]
    ) -> None:
        self._model, self._log, self._jobs = model, log, jobs
        self._may_look = may_look
        self._specs = SpecMaker(model)
        self._running: RunRecord | None = None
        self._timer = QTimer(model)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._look)
        for signal in (model.prompt_changed, model.grid_changed, model.model_changed, model.worker_changed):
            signal.connect(self.request)

    def request(self) -> None:
        """Look soon, if there is anything new to look at; begins the wait again when called again."""
        if self._is_due():
            self._timer.start()

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def _look(self) -> None:
        if not self._is_due():
            return
        try:
            record = self._running = create_record(self._model, self._log, self._specs.glance())
        except UserError:
            return  # a run would say why; a glance is nothing that anybody has asked for
        record.worker = self._jobs.worker
        record.job = self._jobs.ask(
            lambda job: Generate(job, record.spec), lambda event: self._on_event(record, event)
        )
        before = self._model.glance_run_id
        self._model.show_run("glance", record)
        if before is not None:
            self._model.forget_run(before)

    def _is_due(self) -> bool:
        """Whether there is everything to look with, nothing else to look at, and no glance like it."""
        if self._running is not None or not self._may_look():
            return False
        model, worker = self._model, self._jobs.worker
        shown = [model.run_of(side) for side in ("steered", "baseline")]
        if any(record and record.steps and (record.logged or record.worker == worker) for record in shown):
            return False
        try:
            wanted = self._specs.glance()
        except UserError:
            return False
        last = model.run_of("glance")
        return last is None or last.worker != worker or not _asks_the_same(last.spec, wanted)

    def _on_event(self, record: RunRecord, event: JobEvent) -> None:
        match event:
            case StepArrived():
                take_step(self._model, self._log, record, event)
            case RunFinished():
                self._running = None
                close_record(self._model, self._log, record, "done", summary=event.run)
            case JobCancelled():
                self._running = None
                close_record(self._model, self._log, record, "cancelled")
            case Failed():
                self._running = None
                close_record(self._model, self._log, record, "failed", message=event.sentence)
            case WorkerEnded():
                self._running = None
                close_record(self._model, self._log, record, "lost", message=loss_message(event, record))
            case _:
                return
        if record.ended:
            self.request()


def _asks_the_same(a: GenerateSpec, b: GenerateSpec) -> bool:
    """Whether two glances see the same; regions and heads do not matter, any can be asked for later."""
    return (a.picture_sha256, a.prompt) == (b.picture_sha256, b.prompt)
