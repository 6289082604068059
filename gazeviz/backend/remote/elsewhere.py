"""A model on another machine, asked in one line: what the commands want of an engine, over the worker's wire.

Everything that the log needs of a token comes from the worker as it would for the window; the tracked heads'
rows are asked for while the answer goes on, and come in half precision. The worker there loads, computes and
keeps; here are the questions, in order, and the waiting. Knows no window and no log.
"""

from __future__ import annotations

import atexit
import io
import itertools
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from gazeviz.backend.client import BackendEvent, Client, Listener, WorkerEnded
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    NO_JOB,
    AskGallery,
    AskModels,
    Cancel,
    Discover,
    Failed,
    GalleryReady,
    Generate,
    GenerateSpec,
    JobProgress,
    LoadModel,
    ModelInfo,
    ModelLoaded,
    ModelsListed,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingsFinished,
    Recommended,
    Refused,
    Request,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.run import Run, RunRequest, Sampling, Step
from gazeviz.errors import RunError, UserError, WorkerLost

if TYPE_CHECKING:
    from PIL.Image import Image

    from gazeviz.domain.steering import Steering

_E = TypeVar("_E")
_LOOK_S: Final = 0.5  # how long an interrupt from the keyboard may wait for an event
Progress = Callable[[str, float], None]


class _Line:
    """A worker, and one caller who waits for its answers."""

    def __init__(self, maker: Callable[[Listener], Client]) -> None:
        self._events: queue.SimpleQueue[BackendEvent] = queue.SimpleQueue()
        self._jobs = itertools.count(1)
        self._client = maker(self._events.put)
        atexit.register(self.close)
        self._client.start()

    def close(self) -> None:
        """End the worker."""
        atexit.unregister(self.close)
        self._client.stop()

    def job(self) -> int:
        """A number that no other job has."""
        return next(self._jobs)

    def send(self, request: Request) -> None:
        """Hand a request over; what is wrong with the line is told by the next event."""
        self._client.send(request)

    def next(self) -> BackendEvent:
        """The next event; WorkerLost where there will be none, and what a job failed of."""
        event: BackendEvent | None = None
        while event is None:
            try:
                event = self._events.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
        if isinstance(event, WorkerEnded):
            raise _lost(event)
        if isinstance(event, Failed):
            raise _failed(event)
        return event

    def answer(self, request: Request, kind: type[_E], progress: Progress | None = None) -> _E:
        """Ask, and wait for the answer of this kind."""
        self.send(request)
        while True:
            event = self.next()
            if isinstance(event, JobProgress) and progress is not None:
                progress(event.text, event.done / max(event.total, 1))
            if isinstance(event, kind):
                return event


def _lost(event: WorkerEnded) -> UserError | WorkerLost:
    if event.sentence:
        return UserError(event.sentence, next_step=event.next_step)
    return WorkerLost("The worker on the other machine is gone.", event.exit, None, event.stderr_tail)


def _failed(event: Failed) -> UserError | RunError:
    if event.next_step:
        return UserError(event.sentence, next_step=event.next_step)
    return RunError(f"{event.sentence} {event.detail}".strip())


class EngineElsewhere:
    """A loaded model on another machine, as far as commands ask for it; see gazeviz.engine.engine.Engine."""

    def __init__(self, maker: Callable[[Listener], Client]) -> None:
        self._line = _Line(maker)
        self._grids: dict[str, TokenGrid] = {}
        self.max_image_tokens: int | None = None
        self.info: ModelInfo

    @classmethod
    def load(
        cls,
        maker: Callable[[Listener], Client],
        source: str | None,
        *,
        device: str,
        dtype: str,
        progress: Progress | None = None,
    ) -> EngineElsewhere:
        """Begin a worker and load a model there; UserError where machine or model do not serve.

        source: a folder or a cached repository of that machine, None for its built-in model.
        """
        engine = cls(maker)
        request = LoadModel(engine._line.job(), source, device, dtype)
        try:
            engine.info = engine._line.answer(request, ModelLoaded, progress).info
        except BaseException:
            engine.close()
            raise
        return engine

    def close(self) -> None:
        """End the worker there."""
        self._line.close()

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Layers of the language model, and heads of the widest one."""
        return self.info.shape_LH

    @property
    def special_tokens(self) -> dict[int, str]:
        """Names of the tokens that add no text."""
        return dict(self.info.special_tokens)

    def all_heads(self) -> HeadSet:
        """Every head that the model has."""
        every = HeadSet.all(self.shape_LH)
        return HeadSet(
            tuple(head for head in every if self.info.heads_present_LH[head.layer, head.index]), every.origin
        )

    def advice(self, moving: bool) -> tuple[HeadRanking, Recommended] | None:
        """What the model's folder there recommends: a ranking, and how many of its heads and how."""
        info = self.info
        said = (info.recommended_moving if moving else None) or info.recommended
        ranking = info.default_ranking if said is None or not said.ranking else info.rankings[said.ranking]
        return None if said is None or ranking is None else (ranking, said)

    def grid(self, image: Image) -> TokenGrid:
        """Where the image tokens of a picture lie on it."""
        return self._grids[self._opened(image)]

    def stream(
        self,
        image: Image,
        prompt: str,
        *,
        steering: Steering | None,
        sampling: Sampling,
        max_new_tokens: int,
        chosen: HeadSet,
        control: HeadSet | None,
        regions: Sequence[Region],
    ) -> StreamElsewhere:
        """Begin an answer whose `chosen` heads' rows come with every token; masses on regions for the log."""
        spec = GenerateSpec(
            picture_sha256=self._opened(image),
            prompt=prompt,
            steering=steering,
            sampling=sampling,
            max_new_tokens=max_new_tokens,
            chosen=chosen,
            control=control,
            regions=tuple(regions) if len(chosen) else (),
            rule=steering.rule if steering else "centre",
            share=steering.share if steering else 0.5,
        )
        return StreamElsewhere(self._line, spec, self.info, self._grids[spec.picture_sha256], image.size)

    def rank(
        self, source: StripsSource, by: Sequence[str], progress: Callable[[int, int, float | None], None]
    ) -> dict[str, HeadRanking]:
        """Rank all heads on strips."""
        request = Discover(self._line.job(), source, tuple(by))
        done = self._line.answer(
            request, RankingsFinished, lambda _stage, part: progress(round(part * 1000), 1000, None)
        )
        return dict(done.rankings)

    def _opened(self, image: Image) -> str:
        """The digest of a picture that the worker has open; it travels once."""
        from gazeviz.imaging import picture_sha256

        sha256 = picture_sha256(image)
        if sha256 not in self._grids:
            encoded = io.BytesIO()
            image.save(encoded, "PNG")
            source = PictureSource(sha256, "picture.png", data=encoded.getvalue())
            request = OpenPicture(self._line.job(), source, self.max_image_tokens)
            self._grids[sha256] = self._line.answer(request, PicturePrepared).grid
        return sha256


class StreamElsewhere:
    """An answer while it is written there; iterate over its steps, move its target, stop it."""

    def __init__(
        self, line: _Line, spec: GenerateSpec, info: ModelInfo, grid: TokenGrid, size_px: tuple[int, int]
    ) -> None:
        self._line, self._spec, self._grid = line, spec, grid
        self._request = RunRequest(
            model_path=info.path,
            model_fingerprint=info.fingerprint,
            dtype=info.dtype,
            device=info.device,
            attention="gazeviz/sdpa",
            prompt=spec.prompt,
            image_sha256=spec.picture_sha256,
            picture_size_px=size_px,
            fed_size_px=grid.fed_size_px,
            steering=spec.steering,
            sampling=spec.sampling,
            max_new_tokens=spec.max_new_tokens,
            tracked=spec.chosen,
        )
        self._job = line.job()
        self._asked: dict[int, int] = {}  # the job that asks for the rows of a step
        self._rows: dict[int, Any] = {}
        self._arrived: list[StepArrived] = []
        self._steps: list[Step] = []
        self._finished: RunFinished | None = None
        self._begun = False

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if not self._begun:
            self._begun = True
            self._line.send(Generate(self._job, self._spec))
        index = len(self._steps)
        while index >= len(self._arrived) or (self._spec.chosen and index not in self._rows):
            if self._finished is not None and index >= len(self._arrived):
                raise StopIteration
            self._hear()
        told = self._arrived[index]
        step = Step(
            told.index, told.token_id, told.text, told.logprob, told.target, self._rows.get(index), told.ms
        )
        self._steps.append(step)
        return step

    def told(self, index: int) -> StepArrived:
        """What the worker says of a step: masses, control and map, as the log keeps them."""
        return replace(self._arrived[index], job=NO_JOB)

    def retarget(self, region: Region | None) -> None:
        """Point the heads at another region from the next token on; None lets them go."""
        self._line.send(Retarget(self._job, region))

    def cancel(self) -> None:
        """Stop before the next token."""
        self._line.send(Cancel(self._job))

    def run(self) -> Run:
        """The run so far; whole once the iteration has ended."""
        spec, done = self._spec, self._finished
        summary = None if done is None else done.run
        return Run(
            request=self._request if summary is None else replace(summary.request, tracked=spec.chosen),
            text="".join(step.text for step in self._steps) if summary is None else summary.text,
            tokens=tuple(self._steps),
            finish="cancelled" if summary is None else summary.finish,
            audit=None if summary is None else summary.audit,
            tracked=spec.chosen,
            value_norms_HP=None,
            grid=self._grid,
            switches=() if summary is None else summary.switches,
        )

    def _hear(self) -> None:
        """Take one event, and ask for the rows of a step that has come."""
        event = self._line.next()
        if isinstance(event, StepArrived) and event.job == self._job:
            self._arrived.append(event)
            if self._spec.chosen:
                job = self._line.job()
                self._asked[job] = event.index
                self._line.send(AskGallery(job, self._job, (event.index,), tuple(self._spec.chosen)))
        elif isinstance(event, GalleryReady) and event.job in self._asked:
            self._rows[self._asked.pop(event.job)] = np.asarray(event.values_HP)
        elif isinstance(event, RunFinished) and event.job == self._job:
            self._finished = event
        elif isinstance(event, Refused):
            raise UserError(event.sentence, next_step=event.next_step)


def models_at(maker: Callable[[Listener], Client]) -> ModelsListed:
    """Which models and devices another machine has."""
    line = _Line(maker)
    try:
        return line.answer(AskModels(line.job()), ModelsListed)
    finally:
        line.close()
