"""A run as the log gives it back: what reports, replays and lists of runs are made from.

Who keeps runs, and how, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gazeviz.domain.messages import GenerateSpec, ModelInfo, RunSummary, Side, StepArrived


@dataclass(frozen=True)
class Verdict:
    """What a judge says of a run's text. ok: whether it met its target, None where it had none."""

    words: str
    ok: bool | None
    judge: str


class LoggedRun(Protocol):
    """A run as the log knows it. state: "running" until it has ended; see app.session_parts.RunState."""

    @property
    def id(self) -> int: ...
    @property
    def session_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def spec(self) -> GenerateSpec: ...
    @property
    def model(self) -> ModelInfo: ...
    @property
    def state(self) -> str: ...
    @property
    def steps(self) -> Sequence[StepArrived]: ...
    @property
    def summary(self) -> RunSummary | None: ...
    @property
    def message(self) -> str: ...
    @property
    def started_s(self) -> float: ...
