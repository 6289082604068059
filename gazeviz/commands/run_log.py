"""Writes what a command does with the model into the log: pictures, rankings, and runs as they happen.

Logging never stands in the way: a command whose log cannot be written says so once and goes on, unless the
person has named that log. Runs of the command line share a session a day. Knows the engine and the store;
what a command prints is its own business.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gazeviz.commands import inputs
from gazeviz.commands.logged import log_path
from gazeviz.commands.terminal import Terminal
from gazeviz.errors import Cancelled, GazevizError, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gazeviz.backend.remote.elsewhere import EngineElsewhere, StreamElsewhere
    from gazeviz.domain.grid import Rule
    from gazeviz.domain.heads import HeadRanking, HeadSet
    from gazeviz.domain.messages import GenerateSpec, ModelInfo, RunResult, Side, StepArrived
    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run, Sampling, Step
    from gazeviz.domain.steering import Steering
    from gazeviz.engine.engine import Engine
    from gazeviz.engine.generation.decoding import Stream
    from gazeviz.store import SessionStore

_T = TypeVar("_T")
OnStep = Callable[["Step"], object]


def session_name(now_s: float) -> str:
    """Return the session of a day's command lines."""
    return time.strftime("Command line %Y-%m-%d", time.localtime(now_s))


@contextmanager
def open_run_log(options: argparse.Namespace, terminal: Terminal) -> Iterator[RunLog]:
    """Open the log that the options mean, or none with --no-log, while this lasts.

    UserError for a log that the person has named and that cannot be written, unless its disk is full: the
    answer is worth more than its row.
    """
    log = RunLog(_opened(options, terminal), terminal)
    try:
        yield log
    finally:
        log.close()


def _opened(options: argparse.Namespace, terminal: Terminal) -> SessionStore | None:
    if options.no_log:
        return None
    from gazeviz.store import SessionStore
    from gazeviz.store.faults import LogFault

    try:
        store = SessionStore(log_path(options), program=f"gazeviz {options.command}")
        store.continue_session(session_name(time.time()))
    except UserError as error:
        if options.log and not (isinstance(error, LogFault) and error.kind in ("full", "disk")):
            raise
        terminal.warn(f"Nothing is logged. {error.sentence} {error.next_step}")
        return None
    return store


class RunLog:
    """What a command writes to. store: None logs nothing."""

    def __init__(self, store: SessionStore | None, terminal: Terminal) -> None:
        self._store = store
        self._terminal = terminal
        self._info: ModelInfo | None = None
        self._elsewhere: EngineElsewhere | None = None
        self.run_ids: list[int] = []
        self._told: set[str] = set()
        self._present_LH: NDArray[np.bool_] | None = None
        self.control: Run | None = None
        """The random heads that were watched beside the last run's own, None where there were none."""

    def close(self) -> None:
        """Nothing more will be written, and a worker elsewhere is let go."""
        if self._elsewhere is not None:
            self._elsewhere.close()
            self._elsewhere = None
        if self._store is not None:
            self._write(lambda store: store.close())
        self._store = None

    def load_engine(self, options: argparse.Namespace) -> Engine:
        """Load the model that the options name, on this machine: what follows is its."""
        engine = inputs.load_engine(options, self._terminal)
        self._began(engine)
        return engine

    def open_engine(self, options: argparse.Namespace) -> Engine | EngineElsewhere:
        """Load the model that the options name, here or where --worker says: what follows is its."""
        from gazeviz.backend.remote.elsewhere import EngineElsewhere

        engine = inputs.open_engine(options, self._terminal)
        if isinstance(engine, EngineElsewhere):
            self._elsewhere = engine
        self._began(engine)
        return engine

    def _began(self, engine: Engine | EngineElsewhere) -> None:
        """Write down which model it is."""
        from gazeviz.backend.remote.elsewhere import EngineElsewhere

        if isinstance(engine, EngineElsewhere):
            self._present_LH = engine.info.heads_present_LH
        else:
            self._present_LH = engine.describe_model().present_LH
        if self._store is None:
            return
        from gazeviz.backend.engine_adapter import EngineAdapter

        try:
            info = engine.info if isinstance(engine, EngineElsewhere) else EngineAdapter(engine).info()
        except UserError as error:  # rankings in its folder are damaged: no reason not to run it
            self._give_up(error)
            return
        self._info = info
        self._write(lambda store: store.save_model(info))

    def ranking(self, ranking: HeadRanking, engine: Engine | EngineElsewhere) -> None:
        """A ranking was measured."""
        from gazeviz.backend.remote.elsewhere import EngineElsewhere

        described = engine.info if isinstance(engine, EngineElsewhere) else engine.describe_model()
        fingerprint = described.fingerprint
        self._write(lambda store: store.ranking_saved(ranking, fingerprint))

    def picture(self, shown: inputs.NamedPicture) -> str:
        """A picture was opened; returns the digest that runs know it by."""
        from gazeviz.domain.messages import PictureSource
        from gazeviz.imaging import picture_sha256

        sha256 = picture_sha256(shown.image)
        if self._store is not None:
            path = shown.path
            data = None if path else _png(shown)
            source = PictureSource(sha256, shown.name, path=str(path.absolute()) if path else None, data=data)
            self._write(
                lambda store: store.save_picture(source, shown.image.size, shown.layout, shown.captions)
            )
        return sha256

    def generate(
        self,
        engine: Engine | EngineElsewhere,
        shown: inputs.NamedPicture,
        prompt: str,
        *,
        sampling: Sampling,
        max_new_tokens: int,
        steering: Steering | None = None,
        track: HeadSet | None = None,
        regions: Sequence[Region] = (),
        on_step: OnStep = lambda _: None,
    ) -> Run:
        """Let the model answer as Engine.generate does, and log it token by token.

        regions: what the tracked heads' masses are logged for. on_step: told of every token.
        """
        from gazeviz.backend.remote.elsewhere import EngineElsewhere
        from gazeviz.domain.heads import HeadSet
        from gazeviz.domain.messages import RunResult

        chosen = track if track is not None else steering.heads if steering else HeadSet(())
        control = self._control_of(chosen)
        self._tell_stretched(shown)
        stream: Stream | StreamElsewhere
        asked: dict[str, Any] = {
            "steering": steering, "max_new_tokens": max_new_tokens, "sampling": sampling
        }  # fmt: skip
        if isinstance(engine, EngineElsewhere):
            stream = engine.stream(
                shown.image, prompt, chosen=chosen, control=control, regions=regions, **asked
            )
        else:
            track = HeadSet((*chosen, *control)) if control else chosen
            stream = engine.stream(shown.image, prompt, track=track, **asked)
        watched = _Watched(stream, chosen, control, steering, regions)
        run_id = self._created(watched, self.picture(shown)) if self._store is not None else None
        began_s = time.perf_counter()
        rows = []
        try:
            for step in stream:
                on_step(step)
                if run_id is not None:
                    rows.append(watched.row(step))
                    self._step(run_id, rows[-1])
        except BaseException as error:
            self._broken_off(run_id, error)
            raise
        whole = stream.run()
        run = whole.watching(chosen)
        # A worker elsewhere sends the rows of the chosen heads alone.
        watched_beside = control is not None and set(control) <= set(whole.tracked)
        self.control = whole.watching(control) if control is not None and watched_beside else None
        self._ended(run_id, "done", RunResult.of(run, time.perf_counter() - began_s), "")
        self._judge(run_id, watched.spec(run.request.image_sha256), rows, shown)
        return run

    def _tell_stretched(self, shown: inputs.NamedPicture) -> None:
        """Say once how a picture of deep data is shown."""
        from gazeviz.imaging import stretched

        text = stretched(shown.image)
        if text and text not in self._told:
            self._told.add(text)
            self._terminal.note(text)

    def finished(self, run: Run, shown: inputs.NamedPicture, regions: Sequence[Region] = ()) -> int | None:
        """Log a run that is over already; returns its number, None where nothing is logged."""
        if self._store is None or self._info is None:
            return None
        from gazeviz.domain.messages import RunResult

        control = self._control_of(run.tracked)
        watched = _Watched(_Over(run), run.tracked, control, run.request.steering, regions)
        run_id = self._created(watched, self.picture(shown))
        for step in run.tokens:
            self._step(run_id, watched.row(step))
        seconds = sum(step.ms for step in run.tokens) / 1000
        self._ended(run_id, "done", RunResult.of(run, seconds), "")
        return run_id

    def verdict(self, run_id: int | None, verdict: str, ok: bool | None, judge: str) -> None:
        """Write down what a judge says of a logged run."""
        if run_id is not None:
            self._write(lambda store: store.judge_run(run_id, verdict, ok, judge))

    def document(self) -> dict[str, Any]:
        """Return what a program is told: the numbers of the runs."""
        return {"logged": list(self.run_ids)}

    def tell(self) -> None:
        """Say beside the answer where its runs are found again."""
        if self.run_ids and not self._terminal.as_json:
            self._terminal.note(f"Logged as run {' and '.join(map(str, self.run_ids))}.")

    # Pieces

    def _created(self, watched: _Watched, picture_sha256: str) -> int | None:
        info, spec = self._info, watched.spec(picture_sha256)
        if info is None:
            return None
        side: Side = "steered" if spec.steering else "baseline"
        run_id = self._write(lambda store: store.run_created(side, spec, info))
        if run_id is not None:
            self.run_ids.append(run_id)
        return run_id

    def _control_of(self, chosen: HeadSet) -> HeadSet | None:
        """Return the random heads that the log keeps beside the chosen ones; None where nothing is logged."""
        from gazeviz.domain.heads import random_control

        return None if self._present_LH is None else random_control(chosen, self._present_LH)

    def _step(self, run_id: int | None, row: StepArrived) -> None:
        if run_id is not None:
            self._write(lambda store: store.step_appended(run_id, row))

    def _ended(self, run_id: int | None, state: str, summary: RunResult | None, message: str) -> None:
        if run_id is not None:
            self._write(lambda store: store.run_ended(run_id, state, summary, message).result())

    def _judge(
        self, run_id: int | None, spec: GenerateSpec, rows: list[StepArrived], shown: inputs.NamedPicture
    ) -> None:
        """Write down which panel a text is about, where the picture's captions are known."""
        if run_id is None or not shown.captions:
            return
        import numpy as np

        from gazeviz.app.history.judgement import logged_verdict
        from gazeviz.app.session.values import Picture, RunRecord
        from gazeviz.domain.messages import PictureSource

        sha256 = spec.picture_sha256
        source = PictureSource(sha256, shown.name, data=b"")
        picture = Picture(
            shown.name, np.asarray(shown.image), sha256, source, shown.layout, tuple(shown.captions)
        )
        verdict = logged_verdict(RunRecord(run_id, spec.side, spec, "done", steps=rows), picture)
        if verdict is not None and spec.side != "glance":
            self.verdict(run_id, verdict.words, verdict.ok, verdict.judge)

    def _broken_off(self, run_id: int | None, error: BaseException) -> None:
        if isinstance(error, (Cancelled, KeyboardInterrupt)):
            self._ended(run_id, "cancelled", None, "It was interrupted.")
        else:
            message = str(error) if isinstance(error, GazevizError) else f"{type(error).__name__}: {error}"
            self._ended(run_id, "failed", None, message)

    def _write(self, entry: Callable[[SessionStore], _T]) -> _T | None:
        if self._store is None:
            return None
        try:
            return entry(self._store)
        except UserError as error:
            self._give_up(error)
            return None

    def _give_up(self, error: UserError) -> None:
        """Say once that nothing more is logged."""
        store, self._store = self._store, None
        self._terminal.warn(f"Logging stopped. {error.sentence} {error.next_step}")
        if store is not None:
            with suppress(UserError):  # the same again
                store.close()


class _Answer(Protocol):
    """What a run is known by while it is written, and after."""

    def run(self) -> Run: ...


class _Over:
    """A run that is over."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self) -> Run:
        """The run."""
        return self._run


class _Watched:
    """A run that is logged: what was asked for, and its steps as rows of the log.

    tracked: heads whose rows the steps hold. chosen: those of them that the run is about. control: the
    random ones beside them, as far as they are tracked, too.
    """

    def __init__(
        self,
        answer: _Answer,
        chosen: HeadSet,
        control: HeadSet | None,
        steering: Steering | None,
        regions: Sequence[Region],
    ) -> None:
        from gazeviz.engine.generation.observer import StepObserver

        begun, self._answer = answer.run(), answer
        self._request, self._chosen, self._steering = begun.request, chosen, steering
        self._regions = tuple(regions) if len(chosen) else ()
        self._told = getattr(answer, "told", None)
        seen = self._told is not None or set(control or ()) <= set(begun.tracked)
        self._control = control if seen else None
        self._rule: Rule = steering.rule if steering else "centre"
        self._share = steering.share if steering else 0.5
        place = {head: number for number, head in enumerate(begun.tracked)}
        self._observer = StepObserver(
            begun.grid,
            self._regions,
            self._rule,
            self._share,
            chosen=[place[head] for head in chosen],
            control=None if self._control is None or self._told else [place[head] for head in self._control],
            value_norms=lambda: answer.run().value_norms_HP,
        )

    def spec(self, picture_sha256: str) -> GenerateSpec:
        """What was asked for."""
        from gazeviz.domain.messages import GenerateSpec

        return GenerateSpec(
            picture_sha256=picture_sha256,
            prompt=self._request.prompt,
            steering=self._steering,
            sampling=self._request.sampling,
            max_new_tokens=self._request.max_new_tokens,
            chosen=self._chosen,
            control=self._control,
            regions=self._regions,
            rule=self._rule,
            share=self._share,
        )

    def row(self, step: Step) -> StepArrived:
        """Return a step as the log keeps it; a worker has already said it."""
        from gazeviz.domain.messages import NO_JOB

        if self._told is not None:
            told: StepArrived = self._told(step.index)
            return told

        return self._observer.observe(NO_JOB, step)


def _png(shown: inputs.NamedPicture) -> bytes:
    buffer = io.BytesIO()
    shown.image.save(buffer, "PNG")
    return buffer.getvalue()
