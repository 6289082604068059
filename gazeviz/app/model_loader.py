"""Loading a model: progress, cancel, and loading it again for a new worker.

Keeps what is wanted, so that a lost worker's successor gets the same model. Knows no picture and no run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gazeviz.app.desk import Desk, JobEvent
from gazeviz.app.session_parts import WorkProgress
from gazeviz.backend.base import WorkerLost
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import (
    Cancel,
    Failed,
    JobCancelled,
    LoadModel,
    ModelForgotten,
    ModelInfo,
    ModelLoaded,
    Progress,
)
from gazeviz.errors import UserError

FEWEST_CHOSEN: Final = 12
DEFAULT_SHARE: Final = 12
"""One head in so many is chosen at first, as the published 100 of 1152; small grids need a larger part."""


class ModelLoader:
    """Loads models."""

    def __init__(self, desk: Desk, on_loaded: Callable[[], None]) -> None:
        self._desk = desk
        self._on_loaded = on_loaded
        self._wanted: LoadModel | None = None
        self._current: LoadModel | None = None
        self._cancelling = False
        self._job: int | None = None
        self._fingerprint: str | None = None
        self.loaded = False
        """Whether the worker has a model."""
        self.losses_in_a_row = 0
        """Workers lost before they had a model, since one was last loaded."""

    @property
    def loading(self) -> bool:
        """Whether a model is being loaded."""
        return self._job is not None

    @property
    def wanted(self) -> LoadModel | None:
        """What was asked for last, its job left open; None where nothing is."""
        return self._wanted

    def want(self, source: str | None, device: str, dtype: str) -> None:
        """Take note of what is to be loaded."""
        self.losses_in_a_row = 0
        self._wanted = LoadModel(0, source, device, dtype)

    def load(self) -> None:
        """Load what is wanted, in the place of what is being loaded."""
        wanted = self._wanted
        if wanted is None:
            return
        if self._job is not None:
            self._desk.jobs.tell(Cancel(self._job))
        self._cancelling = False
        self._desk.model.progress = WorkProgress(0, 0, "Waiting for the worker")
        self._job = self._desk.jobs.ask(
            lambda job: LoadModel(job, wanted.source, wanted.device, wanted.dtype), self._on_event
        )

    def cancel(self) -> None:
        """Stop loading; the model before is still there unless it had to make room."""
        if self._job is not None:
            self._cancelling = True
            self._desk.jobs.tell(Cancel(self._job))

    def note_loss(self) -> None:
        """The worker is gone with its model; what is shown of it stays, for it will be loaded again."""
        if not self.loaded and self._wanted is not None:
            self.losses_in_a_row += 1
        if self._cancelling:
            self._wanted = None
        self.loaded = False
        self._end()

    def _on_event(self, event: JobEvent) -> None:
        if isinstance(event, WorkerLost):
            return  # see note_loss, which is also for a worker that was lost while it was idle
        if isinstance(event, ModelForgotten):
            self._forget()  # whichever load it was: the worker has none now
        if event.job != self._job:
            return
        match event:
            case Progress():
                self._desk.model.progress = WorkProgress(
                    event.done, event.total, event.text, event.seconds_left
                )
            case ModelLoaded():
                self._end()
                self._take(event.info)
            case JobCancelled():
                self._end()
                self._wanted = self._current
            case Failed():
                self._end()
                self._wanted = self._current
                self._desk.fail(event, "model")

    def _end(self) -> None:
        self._job = None
        self._cancelling = False
        self._desk.model.progress = None

    def _forget(self) -> None:
        self.loaded = False
        self._current = None
        self._desk.model.model_info = None
        self._desk.model.set_grid(None, None)

    def _take(self, info: ModelInfo) -> None:
        """Show a model that was loaded."""
        self.losses_in_a_row = 0
        self.loaded = True
        self._current = self._wanted
        model = self._desk.model
        self._desk.write(lambda log: log.save_model(info))
        if info.fingerprint != self._fingerprint:
            self._fingerprint = info.fingerprint
            self._make_new(info)
        model.model_info = info
        self._on_loaded()

    def _make_new(self, info: ModelInfo) -> None:
        """Another model: nothing that was said about the heads of the last one holds."""
        model = self._desk.model
        model.forget_rankings()
        model.hovered_head = None
        for side in ("steered", "baseline", "glance"):
            model.show_run(side, None)
        ranking = info.default_ranking
        if ranking is not None:
            self._desk.write(lambda log: log.ranking_saved(ranking, info.fingerprint))
            model.put_rankings({ranking.name: ranking})
        model.chosen = self._first_choice(info)

    def _first_choice(self, info: ModelInfo) -> HeadSet:
        """The heads that stay chosen if this model has them, or else the best of its own ranking."""
        chosen = self._desk.model.chosen
        try:
            chosen.check(info.shape_LH)
            if len(chosen) and info.default_ranking is None:
                return chosen
        except UserError:
            pass
        if info.default_ranking is None:
            return HeadSet(())
        n_heads = len(info.default_ranking.order())
        return info.default_ranking.top(min(n_heads, max(FEWEST_CHOSEN, round(n_heads / DEFAULT_SHARE))))
