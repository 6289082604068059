"""Studies of heads over a set of pictures: where all look, what one does, what answers owe to it.

One study at a time, in the worker. What was found is kept in memory by model and set, so that going back to
a head, or to a model that is loaded again, asks for nothing twice. Knows no widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QObject, Signal

from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import WorkProgress
from gazeviz.backend.client import WorkerEnded
from gazeviz.domain.experiments.head_examples import HeadExamples
from gazeviz.domain.experiments.head_messages import (
    CollectExamples,
    ExamplesCollected,
    HeadsMeasured,
    MeansMeasured,
    MeasureHeads,
    MeasureMeans,
)
from gazeviz.domain.experiments.head_metrics import HeadEffect, HeadMetrics
from gazeviz.domain.experiments.picture_set import SetSource
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import Cancel, Failed, JobCancelled, JobProgress, Request
from gazeviz.domain.prompts import NARRATION_PROMPT, OPEN_QUESTION
from gazeviz.errors import UserError

FIRST_SET: Final = "builtin:24@7"
"""What is offered before anybody has named a set."""


class HeadStudies(QObject):
    """Measures and collects; signal `changed` after every step, with `progress` and results as they are."""

    changed = Signal()

    def __init__(
        self,
        model: SessionModel,
        jobs: Jobs,
        check_free: Callable[[], None],
        on_idle: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        """check_free: raises a UserError where the worker cannot take anything now."""
        super().__init__(parent)
        self._model, self._jobs = model, jobs
        self._check_free, self._on_idle = check_free, on_idle
        self._job: int | None = None
        self._asked = ("", "")
        self._begun_s = 0.0
        self._metrics: dict[tuple[str, str], HeadMetrics] = {}
        self._effects: dict[tuple[str, str], dict[str, tuple[HeadEffect, ...]]] = {}
        self._examples: dict[tuple[str, str, Head], HeadExamples] = {}
        self._means_of = ""
        self.pictures = FIRST_SET
        """The set that was asked for last."""
        self.progress: WorkProgress | None = None
        self.failure: Failed | None = None
        """Why the last study came to nothing; None where it did not fail."""
        model.model_changed.connect(self._forget_means)

    @property
    def active(self) -> bool:
        """Whether something is being measured."""
        return self._job is not None

    # What was found of the loaded model

    @property
    def means_fit(self) -> bool:
        """Whether mean outputs were measured on the loaded model."""
        return bool(self._means_of) and self._means_of == self._fingerprint()

    def metrics(self, pictures: str) -> HeadMetrics | None:
        """All heads over a set; None while they were not measured on it."""
        return self._metrics.get((self._fingerprint(), set_name(pictures)))

    def effects(self, heads: HeadSet, pictures: str) -> tuple[HeadEffect, ...]:
        """What answers over a set owe to a head set; () while it was not measured."""
        return self._effects.get((self._fingerprint(), set_name(pictures)), {}).get(str(heads), ())

    def examples(self, head: Head, pictures: str) -> HeadExamples | None:
        """One head's examples over a set; None while they were not collected."""
        return self._examples.get((self._fingerprint(), set_name(pictures), head))

    # Asking

    def collect(self, head: Head, pictures: str, prompt: str = NARRATION_PROMPT) -> bool:
        """Collect a head's examples; returns whether it was begun, else a notice says why not."""
        return self._begin(
            f"Examples of {head} are being collected.", pictures,
            lambda job, named: CollectExamples(job, head, named, prompt),
        )  # fmt: skip

    def measure(
        self, pictures: str, effects_of: tuple[HeadSet, ...] = (), prompt: str = OPEN_QUESTION
    ) -> bool:
        """Measure all heads, and the effects of some head sets."""
        return self._begin(
            "The heads are being measured over pictures.", pictures,
            lambda job, named: MeasureHeads(job, named, prompt, effects_of),
        )  # fmt: skip

    def measure_means(self, heads: HeadSet, pictures: str, prompt: str = OPEN_QUESTION) -> bool:
        """Measure mean outputs, which then stand in for heads that are knocked out."""
        return self._begin(
            "Mean outputs of the heads are being measured.", pictures,
            lambda job, named: MeasureMeans(job, heads, named, prompt),
        )  # fmt: skip

    def cancel(self) -> None:
        """Stop; nothing is kept of a study that was not finished."""
        if self._job is not None:
            self._jobs.tell(Cancel(self._job))

    # Pieces

    def _fingerprint(self) -> str:
        info = self._model.model_info
        return info.fingerprint if info is not None else ""

    def _begin(self, sentence: str, pictures: str, make: Callable[[int, str], Request]) -> bool:
        begun = notices.attempt(self._model, lambda: self._ask(sentence, pictures, make), "heads")
        self._on_idle()
        self.changed.emit()
        return begun

    def _ask(self, sentence: str, pictures: str, make: Callable[[int, str], Request]) -> None:
        self._check_free()
        named = str(SetSource.parse(pictures)) if pictures.strip() else ""
        if not named:
            raise UserError("No pictures are named.", next_step=f"Write a set, for example {FIRST_SET}.")
        self.failure = None
        self._asked = self._fingerprint(), named
        self._begun_s = time.monotonic()
        self._job = self._jobs.ask(lambda job: make(job, named), self._on_event)
        self.pictures = pictures.strip()
        self._model.studying = sentence
        self._show(WorkProgress(0, 0, sentence.removesuffix(".")))

    def _seconds_left(self, done: int, total: int) -> float | None:
        """As every picture takes about as long as those before; None before the first."""
        return (time.monotonic() - self._begun_s) / done * (total - done) if done else None

    def _show(self, progress: WorkProgress | None) -> None:
        self.progress = self._model.progress = progress

    def _on_event(self, event: JobEvent) -> None:
        match event:
            case JobProgress():
                left_s = self._seconds_left(event.done, event.total)
                self._show(WorkProgress(event.done, event.total, event.text, left_s))
            case HeadsMeasured():
                self._take(event.metrics)
                self._end()
            case ExamplesCollected():
                self._examples[(*self._asked, event.examples.head)] = event.examples
                self._end()
            case MeansMeasured():
                self._means_of = self._asked[0]
                self._model.steering = replace(self._model.steering, mode="knock_out", means=event.means)
                self._end()
            case JobCancelled() | WorkerEnded():
                self._end()
            case Failed():
                self.failure = event
                self._end()
                notices.fail(self._model, event, "heads")
        self.changed.emit()

    def _take(self, metrics: HeadMetrics) -> None:
        """Keep what was measured; effects are added to those of other heads."""
        self._metrics[self._asked] = metrics
        kept = self._effects.setdefault(self._asked, {})
        for name in dict.fromkeys(str(effect.heads) for effect in metrics.effects):
            kept[name] = tuple(effect for effect in metrics.effects if str(effect.heads) == name)

    def _end(self) -> None:
        self._job = None
        self._model.studying = ""
        self._show(None)
        self._on_idle()

    def _forget_means(self) -> None:
        """Mean outputs of one model mean nothing to another."""
        if self._means_of and self._fingerprint() not in ("", self._means_of):
            self._means_of = ""
            self._model.steering = replace(self._model.steering, means=None)
        self.changed.emit()


def set_name(pictures: str) -> str:
    """A set as results are kept by; as it is written where it is none."""
    try:
        return str(SetSource.parse(pictures))
    except UserError:
        return pictures.strip()
