"""Discovery: measuring head rankings on strips, with the grid filling in as results arrive.

What was measured in part is kept under a name that says so when the measurement is stopped or lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import WorkProgress
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import (
    Cancel,
    Discover,
    Failed,
    JobCancelled,
    JobProgress,
    RankingPartial,
    RankingsFinished,
    StripsSource,
)
from gazeviz.store import SessionStore


class Discovery:
    """Measures rankings, one measurement at a time."""

    def __init__(
        self, model: SessionModel, log: SessionStore, jobs: Jobs, on_idle: Callable[[], None]
    ) -> None:
        self._model, self._log, self._jobs = model, log, jobs
        self._on_idle = on_idle
        self._job: int | None = None
        self._measured: dict[str, tuple[int, int]] = {}

    @property
    def active(self) -> bool:
        """Whether heads are being measured."""
        return self._job is not None

    def begin(self, strips: StripsSource, by: tuple[str, ...]) -> None:
        """Measure the rankings of these names; the first one is shown."""
        self._measured = {}
        self._job = self._jobs.ask(lambda job: Discover(job, strips, by), self._on_event)
        self._model.progress = WorkProgress(0, 0, "Preparing the strips")
        self._model.measured_rankings = by

    def cancel(self) -> None:
        """Stop measuring."""
        if self._job is not None:
            self._jobs.tell(Cancel(self._job))

    def _on_event(self, event: JobEvent) -> None:
        match event:
            case JobProgress():
                self._model.progress = WorkProgress(event.done, event.total, event.text, event.seconds_left)
            case RankingPartial():
                self._take_partial(event)
            case RankingsFinished():
                self._take(dict(event.rankings))
                self._end()
            case JobCancelled() | WorkerEnded():
                self._end()
            case Failed():
                self._end()
                notices.fail(self._model, event, "discovery")

    def _take_partial(self, event: RankingPartial) -> None:
        model = self._model
        self._measured[event.name] = event.done, event.total
        first = len(self._measured) == 1
        model.put_partial_ranking(HeadRanking(event.name, event.scores_LH))
        if first and model.ranking_name not in model.measured_rankings:
            model.ranking_name = event.name

    def _take(self, rankings: dict[str, HeadRanking]) -> None:
        model = self._model
        model.put_rankings(rankings)
        if model.ranking_name not in rankings:
            model.ranking_name = next(iter(rankings))
        info = model.model_info
        fingerprint = info.fingerprint if info else ""
        for ranking in rankings.values():
            self._write_down(ranking, fingerprint)

    def _write_down(self, ranking: HeadRanking, fingerprint: str) -> None:
        with notices.shown(self._model, "log"):
            self._log.ranking_saved(ranking, fingerprint)

    def _end(self) -> None:
        """Close the job; partial results that no complete one will replace get a name of their own."""
        self._job = None
        model = self._model
        model.progress = None
        model.measured_rankings = ()
        partials = model.drop_partial_rankings()
        kept: dict[str, HeadRanking] = {}
        for name, ranking in partials.items():
            done, total = self._measured[name]
            label = f"{name} ({done} of {total})"
            kept[label] = replace(ranking, name=label)
        self._measured = {}
        model.put_rankings(kept)
        self._on_idle()
