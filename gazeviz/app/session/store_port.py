"""What the app tells the log, and asks it: the interface of the store, and a log that only lives in memory.

Everything is said in words of gazeviz.domain, so that a store can implement it without knowing the app. Calls
come from the screen's thread and have to be quick; `run_created` returns when the row is safe.
Any of them may raise a UserError (disk full, read-only ...): the app shows it and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    GenerateSpec,
    ModelInfo,
    PictureSource,
    RunSummary,
    RunVerdict,
    Side,
    StepArrived,
)
from gazeviz.domain.messages import LoggedRun as LoggedRun
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout


class LoggedSession(Protocol):
    """A session as the log knows it. started_s: seconds since 1970."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def started_s(self) -> float: ...


class SessionLog(Protocol):
    """The log of everything that is done."""

    def open_session(self, name: str = "") -> int:
        """Begin a session and return its id; what follows belongs to it."""

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name."""

    def save_model(self, info: ModelInfo) -> None:
        """A model was loaded; runs and rankings that follow are its."""

    def save_picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """A picture was opened, or got another layout."""

    def save_regions(self, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """The regions of a picture, in order, after a finished edit; those without a pixel are left out."""

    def run_created(self, side: Side, spec: GenerateSpec, model: ModelInfo) -> int:
        """Write down a run before it is sent, and return its id; the row is safe when this returns."""

    def run_respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """A run that has not been sent yet is asked for in another way; the row is safe when this returns."""

    def step_appended(self, run_id: int, step: StepArrived) -> None:
        """A run's token has arrived."""

    def run_ended(
        self,
        run_id: int,
        state: str,
        summary: RunSummary | None,
        message: str,
        verdict: RunVerdict | None = None,
    ) -> Future[None]:
        """A run is done, cancelled, failed or lost; the row is safe when the future is done."""

    def ranking_saved(self, ranking: HeadRanking, model_fingerprint: str) -> None:
        """A ranking was measured, loaded or imported."""

    def head_set_saved(self, name: str, heads: HeadSet | None, model_fingerprint: str) -> None:
        """A head set was given a name; None: the name was taken away."""

    def sessions(self) -> Sequence[LoggedSession]:
        """All sessions, the newest first."""

    def runs(self, session_id: int | None = None) -> Sequence[LoggedRun]:
        """The runs of a session (None: of all), the newest first."""

    def run(self, run_id: int) -> LoggedRun:
        """One run; KeyError where there is none."""

    def close(self) -> None:
        """Nothing more will be written."""


@dataclass
class SessionRow:
    """A session in memory."""

    id: int
    name: str
    started_s: float


@dataclass
class RunRow:
    """A run in memory."""

    id: int
    session_id: int
    side: Side
    spec: GenerateSpec
    model: ModelInfo
    started_s: float
    state: str = "running"
    steps: list[StepArrived] = field(default_factory=list)
    summary: RunSummary | None = None
    message: str = ""


class MemoryLog:
    """A log that is gone with the app: for tests, and for sessions that are not to be kept."""

    def __init__(self) -> None:
        self.models: dict[str, ModelInfo] = {}
        self.pictures: dict[str, tuple[PictureSource, tuple[int, int], Layout | None, tuple[str, ...]]] = {}
        self.regions: dict[str, tuple[Region, ...]] = {}
        self.rankings: list[tuple[str, HeadRanking]] = []
        self.verdicts: dict[int, RunVerdict] = {}
        self.head_sets: dict[str, tuple[str, HeadSet]] = {}
        self._sessions: list[SessionRow] = []
        self._runs: dict[int, RunRow] = {}

    def open_session(self, name: str = "") -> int:
        """Begin a session."""
        self._sessions.append(SessionRow(len(self._sessions) + 1, name, time.time()))
        return self._sessions[-1].id

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name."""
        self._sessions[session_id - 1].name = name

    def save_model(self, info: ModelInfo) -> None:
        """Remember a model."""
        self.models[info.fingerprint] = info

    def save_picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """Remember a picture."""
        self.pictures[source.sha256] = source, size_px, layout, captions

    def save_regions(self, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """Remember a picture's regions."""
        self.regions[picture_sha256] = regions

    def run_created(self, side: Side, spec: GenerateSpec, model: ModelInfo) -> int:
        """Remember a run."""
        if not self._sessions:
            self.open_session()
        run_id = len(self._runs) + 1
        self._runs[run_id] = RunRow(run_id, self._sessions[-1].id, side, spec, model, time.time())
        return run_id

    def run_respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """Remember how a run that waits is asked for now."""
        self._runs[run_id].spec = spec

    def step_appended(self, run_id: int, step: StepArrived) -> None:
        """Remember a token."""
        self._runs[run_id].steps.append(step)

    def run_ended(
        self,
        run_id: int,
        state: str,
        summary: RunSummary | None,
        message: str,
        verdict: RunVerdict | None = None,
    ) -> Future[None]:
        """Remember how a run ended."""
        row = self._runs[run_id]
        row.state, row.summary, row.message = state, summary, message
        if verdict is not None:
            self.verdicts[run_id] = verdict
        remembered: Future[None] = Future()
        remembered.set_result(None)
        return remembered

    def ranking_saved(self, ranking: HeadRanking, model_fingerprint: str) -> None:
        """Remember a ranking."""
        self.rankings.append((model_fingerprint, ranking))

    def head_set_saved(self, name: str, heads: HeadSet | None, model_fingerprint: str) -> None:
        """Remember a head set, or forget it."""
        if heads is None:
            self.head_sets.pop(name, None)
        else:
            self.head_sets[name] = model_fingerprint, heads

    def sessions(self) -> Sequence[LoggedSession]:
        """All sessions, the newest first."""
        return self._sessions[::-1]

    def runs(self, session_id: int | None = None) -> Sequence[LoggedRun]:
        """The runs of a session, the newest first."""
        rows = reversed(self._runs.values())
        return [row for row in rows if session_id in (None, row.session_id)]

    def run(self, run_id: int) -> LoggedRun:
        """One run."""
        return self._runs[run_id]

    def close(self) -> None:
        """Nothing is open."""
