"""Loading a model: progress, cancel, and loading it again for a new worker.

Keeps what is wanted, so that a lost worker's successor gets the same model. Knows no picture and no run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from gazeviz.app.runs.presets import recommended_heads, recommended_steering
from gazeviz.app.runs.readiness import LOADING
from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import WorkProgress
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    Cancel,
    Failed,
    JobCancelled,
    JobProgress,
    LoadModel,
    ModelForgotten,
    ModelInfo,
    ModelLoaded,
)
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.store import SessionStore

STOPPING: Final = "Stopping"
"""What the worker is doing between a request to cancel and the moment that it hears it."""

_RECOVERED: Final = "A new worker has started; the session is intact."


class ModelLoader:
    """Loads models."""

    def __init__(
        self, model: SessionModel, log: SessionStore, jobs: Jobs, on_loaded: Callable[[], None]
    ) -> None:
        self._model, self._log, self._jobs = model, log, jobs
        self._on_loaded = on_loaded
        self._wanted: LoadModel | None = None
        self._current: LoadModel | None = None
        self._cancelling = False
        self._job: int | None = None
        self._in_worker: ModelInfo | None = None
        self._fingerprint: str | None = None  # of the model that the session shows
        self._shows_logged = False
        self.losses_in_a_row = 0
        """Workers lost before they had a model, since one was last loaded."""

    @property
    def loading(self) -> bool:
        """Whether a model is being loaded."""
        return self._job is not None

    @property
    def loaded(self) -> bool:
        """Whether the worker has the model that the session shows."""
        return self._in_worker is not None and self._in_worker.fingerprint == self._fingerprint

    @property
    def wanted(self) -> LoadModel | None:
        """What was asked for last, its job left open; None where nothing is."""
        return self._wanted

    def want(self, source: str | None, device: str, dtype: str) -> None:
        """Take note of what is to be loaded."""
        self.losses_in_a_row = 0
        self._shows_logged = False
        self._wanted = LoadModel(0, source, device, dtype)

    def load(self) -> None:
        """Load what is wanted, in the place of what is being loaded."""
        wanted = self._wanted
        if wanted is None:
            return
        if self._job is not None:
            self._jobs.tell(Cancel(self._job))
        self._cancelling = False
        self._model.progress = WorkProgress(0, 0, "Waiting for the worker")
        self._job = self._jobs.ask(
            lambda job: LoadModel(job, wanted.source, wanted.device, wanted.dtype), self._on_event
        )

    def cancel(self) -> None:
        """Stop loading; the model before is still there unless it had to make room."""
        if self._job is not None:
            self._cancelling = True
            self._model.progress = WorkProgress(0, 0, STOPPING)
            self._jobs.tell(Cancel(self._job))

    def note_loss(self) -> None:
        """The worker is gone with its model; what is shown of it stays, for it will be loaded again."""
        if self._in_worker is None and self._wanted is not None:
            self.losses_in_a_row += 1
        if self._cancelling:
            self._wanted = None
        self._in_worker = None
        self._end()

    def leave(self) -> None:
        """The worker goes elsewhere: nothing is wanted there yet, and what is shown is only shown."""
        self._wanted = self._current = None
        self.losses_in_a_row = 0

    def show_logged(self, info: ModelInfo, rankings: Mapping[str, HeadRanking]) -> bool:
        """Show the model that wrote a logged run, loaded or not; returns whether another one was shown.

        One that is being loaded, or loaded again for a new worker, does not take its place any more.
        """
        model, here = self._model, self._in_worker
        self._shows_logged = True
        changed = info.fingerprint != self._fingerprint
        if changed:
            self._fingerprint = info.fingerprint
            model.forget_rankings()
            model.hovered_head = None
        missing = {name: ranking for name, ranking in rankings.items() if name not in model.rankings}
        if missing:
            model.put_rankings(missing)
        if changed or model.model_info is None:
            model.model_info = here if here is not None and self.loaded else info
        return changed

    def _on_event(self, event: JobEvent) -> None:
        if isinstance(event, WorkerEnded):
            return  # see note_loss, which is also for a worker that was lost while it was idle
        if isinstance(event, ModelForgotten):
            self._forget()  # whichever load it was: the worker has none now
        if event.job != self._job:
            return
        match event:
            case JobProgress() if not self._cancelling:
                self._model.progress = WorkProgress(event.done, event.total, event.text, event.seconds_left)
            case ModelLoaded():
                self._end()
                self._take(event.info)
            case JobCancelled():
                self._end()
                self._wanted = self._current
            case Failed():
                self._end()
                self._wanted = self._current
                notices.fail(self._model, event, "model")

    def _end(self) -> None:
        self._job = None
        self._cancelling = False
        model = self._model
        model.progress = None
        if model.notice is not None and (model.notice.sentence, model.notice.next_step) == LOADING:
            model.notice = None

    def _forget(self) -> None:
        if self.loaded:
            self._model.model_info = None
            self._model.set_grid(None, None)
        self._in_worker = self._current = None

    def _take(self, info: ModelInfo) -> None:
        """Show a model that was loaded."""
        self.losses_in_a_row = 0
        self._in_worker = info
        self._current = self._wanted
        model = self._model
        with notices.shown(self._model, "log"):
            self._log.save_model(info)
        if self._shows_logged and not self.loaded:
            return
        if info.fingerprint != self._fingerprint:
            self._fingerprint = info.fingerprint
            self._make_new(info)
        model.model_info = info
        if model.notice is not None and model.notice.about == "worker":
            model.notice = replace(model.notice, kind="info", next_step=_RECOVERED)
        self._on_loaded()

    def _make_new(self, info: ModelInfo) -> None:
        """Another model: nothing that was said about the heads of the last one holds."""
        model = self._model
        model.forget_rankings()
        model.hovered_head = None
        for side in ("steered", "baseline", "glance"):
            model.show_run(side, None)
        default = info.default_ranking
        first = {default.name: default} if default else {}  # the one that is shown
        rankings = first | dict(info.rankings) | first
        for ranking in rankings.values():
            with notices.shown(model, "log"):
                self._log.ranking_saved(ranking, info.fingerprint)
        if rankings:
            model.put_rankings(rankings)
        self._offer_what_was_kept(info, rankings)
        model.chosen = self._first_choice(info)
        if info.recommended is not None:
            model.steering = recommended_steering(info, model.steering.scope)

    def _offer_what_was_kept(self, info: ModelInfo, shipped: Mapping[str, HeadRanking]) -> None:
        """Rankings that were measured or imported for these weights, and head sets saved for them."""
        model = self._model
        for name in tuple(model.saved_sets):
            model.put_saved_set(name, None)
        with notices.shown(model, "log"):
            kept = kept_rankings(self._log.reader.rankings(info.fingerprint), shipped)
            for ranking in kept.values():
                self._log.ranking_saved(ranking, info.fingerprint)
            if kept:
                model.put_rankings(kept)
            for name, heads in self._log.reader.head_sets(info.fingerprint).items():
                model.put_saved_set(name, heads)

    def _first_choice(self, info: ModelInfo) -> HeadSet:
        """What the model recommends; else what is chosen, if it has these heads."""
        if info.default_ranking is not None:
            return recommended_heads(info)
        chosen = self._model.chosen
        try:
            chosen.check(info.shape_LH)
        except UserError:
            return HeadSet(())
        return chosen


def kept_rankings(
    logged: Sequence[HeadRanking], shipped: Mapping[str, HeadRanking]
) -> dict[str, HeadRanking]:
    """What a log keeps beside the rankings that come with the model; of each name the newest.

    logged: the newest first, the shipped ones among them.  One that has a shipped one's name says on how many
    strips it was measured.
    """
    kept: dict[str, HeadRanking] = {}
    for ranking in logged:
        own = shipped.get(ranking.name)
        if own is not None and np.array_equal(own.scores_LH, ranking.scores_LH, equal_nan=True):
            continue
        name = ranking.name
        if own is not None:
            name = f"{name} ({plural(ranking.n_strips, 'strip')})" if ranking.n_strips else f"{name} (logged)"
        kept.setdefault(name, replace(ranking, name=name))
    return kept
