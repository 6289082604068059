"""The worker's loop: takes requests, lets runs write a token each in turn, and answers questions in between.

Two threads: one listens and only fills the inbox, so that a cancel or the app's end is noticed in the middle
of a computation; the other computes. The same loop serves a process (gazeviz.backend.process) and a thread
(gazeviz.backend.in_process). What a model is it does not know: it works on a ModelBackend.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol, TypeAlias

from gazeviz.backend.answering import AnswerJob, AttentionCache
from gazeviz.backend.engine_adapter import Load, ModelBackend
from gazeviz.backend.message_codec import WireError
from gazeviz.backend.sent_files import ReceivedFiles
from gazeviz.backend.wire import decode, encode, failure
from gazeviz.domain.experiments.head_messages import (
    CollectExamples,
    ExamplesCollected,
    HeadsMeasured,
    MeansMeasured,
    MeasureHeads,
    MeasureMeans,
)
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import (
    NO_JOB,
    PROTOCOL,
    AskGallery,
    AskMap,
    AskMass,
    AskModels,
    Cancel,
    Discover,
    Event,
    Failed,
    GalleryReady,
    Generate,
    Hello,
    JobCancelled,
    JobProgress,
    KeepFile,
    LoadModel,
    MapReady,
    MassReady,
    ModelForgotten,
    ModelLoaded,
    ModelsListed,
    OpenPicture,
    PicturePrepared,
    RankingPartial,
    RankingsFinished,
    Ready,
    Refused,
    Request,
    Retarget,
    Shutdown,
)
from gazeviz.domain.region import Region
from gazeviz.errors import Cancelled, UserError

# What the worker was asked and has not done yet, in the order in which it is to be done.
#
# Filled by the thread that listens, emptied by the one that computes. Questions about runs and changes to
# them are urgent: they are taken between two tokens. All else queued. Knows no model.


Urgent = Hello | Retarget | AskMap | AskMass | AskGallery | AskModels
Work = LoadModel | OpenPicture | Generate | Discover | MeasureHeads | CollectExamples | MeasureMeans


_EXCLUSIVE: Final = (LoadModel, Discover, MeasureHeads, CollectExamples, MeasureMeans)
"""What needs the model for itself."""


class Inbox:
    """Requests that have come in; safe to use from two threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: deque[Urgent] = deque()
        self._work: deque[Work] = deque()
        self._cancelled: set[int] = set()
        self._closed = False

    def put(self, request: Request) -> int | None:
        """Take a request in; returns the job that a Cancel has ended before it began."""
        with self._changed:
            self._changed.notify_all()
            if isinstance(request, Cancel):
                return self._cancel(request.job)
            if isinstance(request, Work):
                self._work.append(request)
            elif isinstance(request, Urgent):
                self._urgent.append(request)
        return None

    def close(self) -> None:
        """Nothing more is to be done: wakes up whoever waits, and every job counts as cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be done."""
        return self._closed

    def wait(self) -> None:
        """Wait until there is something to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent or self._work)

    def next_urgent(self) -> Urgent | None:
        """Take the oldest urgent request."""
        with self._changed:
            return self._urgent.popleft() if self._urgent else None

    def next_overdue(self, job: int, token: int) -> Retarget | None:
        """Take the oldest change of a run's target that was due for this token, or for one before it."""
        with self._changed:
            for request in self._urgent:
                if isinstance(request, Retarget) and request.job == job:
                    if request.due is None or request.due > token:
                        return None  # later changes must not overtake it
                    self._urgent.remove(request)
                    return request
        return None

    def next_work(self, *, busy: bool) -> Work | None:
        """Take the oldest piece of work, unless it needs the model for itself while runs are under way."""
        with self._changed:
            if not self._work or (busy and isinstance(self._work[0], _EXCLUSIVE)):
                return None
            return self._work.popleft()

    def is_waiting(self, job: int) -> bool:
        """Whether a piece of work has not begun."""
        with self._changed:
            return any(work.job == job for work in self._work)

    def is_cancelled(self, job: int) -> bool:
        """Whether a job that has begun is to stop."""
        return self._closed or job in self._cancelled

    def forget(self, job: int) -> None:
        """A job has ended: its cancel, if there was one, is done with."""
        with self._changed:
            self._cancelled.discard(job)

    def _cancel(self, job: int) -> int | None:
        for request in self._work:
            if request.job == job:
                self._work.remove(request)
                return job
        self._cancelled.add(job)
        return None


EXIT_PROTOCOL: Final = 64
EXIT_DEVICE: Final = 70
_PICTURES_KEPT: Final = 8
_LIBRARIES: Final = ("numpy", "pillow", "tokenizers", "torch", "transformers")


class Channel(Protocol):
    """The worker's end of a conversation."""

    def wait(self) -> None:
        """Wait until there is a message, or nobody will send one any more."""

    def pending(self) -> bool:
        """Whether `receive` would return or raise at once."""

    def receive(self) -> bytes:
        """Take a message, or wait for it; EOFError when nobody will send one any more."""

    def send(self, payload: bytes) -> None:
        """Send a message; OSError when nobody listens."""

    def leave(self, exit_code: int) -> None:
        """End the worker now, from the listening thread; a thread cannot and returns."""


Listing: TypeAlias = Callable[[int], ModelsListed]
"""Says which models and devices this machine has, as the answer of a job."""


class MessageSender:
    """Says events, from either thread."""

    def __init__(self, channel: Channel, on_loss: Callable[[], None]) -> None:
        self._channel = channel
        self._on_loss = on_loss
        self._lock = threading.Lock()

    def say(self, event: Event) -> None:
        """Send an event; one that is too large becomes a failure of its job."""
        try:
            payload = encode(event)
        except UserError as error:
            payload = encode(Failed(event.job, "user", error.sentence, error.next_step))
        try:
            with self._lock:
                self._channel.send(payload)
        except OSError:
            self._on_loss()


class MessageReader:
    """Takes messages off the channel into the inbox: in its own thread, and for whoever cannot wait for that.

    The computing thread takes in what has come itself between two tokens. Otherwise the listening thread,
    which has to get hold of the interpreter first, could come a token too late with a new target.
    """

    def __init__(self, channel: Channel, inbox: Inbox, say: Callable[[Event], None]) -> None:
        self._channel, self._inbox, self._say = channel, inbox, say
        self._files = ReceivedFiles()
        self._lock = threading.Lock()
        self._over = False

    def listen(self) -> None:
        """Fill the inbox until the conversation ends: the listening thread's whole work."""
        while not self._over:
            with suppress(OSError):
                self._channel.wait()
            self.take_in()
        self._channel.leave(0)

    def take_in(self) -> None:
        """Put every message that has come into the inbox; closes it at the conversation's end."""
        with self._lock:
            try:
                while not self._over and self._channel.pending():
                    self._put(decode(self._channel.receive()))
            except (EOFError, OSError):
                self._over = True
            except WireError as error:
                print(f"The app sent what is no message: {error}.", file=sys.stderr, flush=True)
                self._over = True
        if self._over:
            self._inbox.close()

    def _put(self, request: Request) -> None:
        if isinstance(request, Shutdown):
            self._over = True
            return
        if isinstance(request, KeepFile):
            self._files.keep(request)
            return
        ended_job = self._inbox.put(self._files.with_files(request))
        if ended_job is not None:
            self._say(JobCancelled(ended_job))


def give_freed_memory_back() -> None:
    """Return what was freed to the system, where the C library keeps it.

    The tensors of an answer are of all sizes, and glibc's heap frays with them; some hang on cycles until the
    collector comes. Without this a worker held 200 MB more after 1,000 answers, none of it in use.
    """
    gc.collect()
    trim = _heap_trimmer()
    if trim is not None:
        trim(0)


@cache
def _heap_trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None on other systems."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


class Worker:
    """Does what comes in until the conversation ends."""

    def __init__(self, channel: Channel, load: Load, listing: Listing | None = None) -> None:
        self._inbox = Inbox()
        self._listing = listing
        self._say = MessageSender(channel, self._inbox.close).say
        self._reader = MessageReader(channel, self._inbox, self._say)
        self._listener = threading.Thread(target=self._reader.listen, name="worker inbox", daemon=True)
        self._load = load
        self._machine: ModelBackend | None = None
        self._pictures: OrderedDict[str, Any] = OrderedDict()
        self._answers: OrderedDict[int, AnswerJob] = OrderedDict()
        self._early_targets: dict[int, Region | None] = {}
        self._attention_cache = AttentionCache()
        self._exit_code = 0

    def serve(self) -> int:
        """Work until the conversation ends; returns the exit code."""
        self._listener.start()
        while not self._inbox.closed:
            self._reader.take_in()
            self._answer_urgent()
            work = self._inbox.next_work(busy=bool(self._answers))
            if work is not None:
                self._guarded(work.job, lambda work=work: self._do(work))  # type: ignore[misc]
            elif self._answers:
                self._write_one_token()
            else:
                self._inbox.wait()
        return self._exit_code

    def _guarded(self, job: int, do: Callable[[], None]) -> None:
        """Do something for a job; whatever goes wrong becomes an event and not the worker's end."""
        try:
            do()
            return
        except Exception as error:  # noqa: BLE001 - the worker's loop survives every mistake
            event = failure(job, error)
        # Only now, when the traceback no longer holds the tensors of the frames that failed.
        self._answers.pop(job, None)
        self._inbox.forget(job)
        if isinstance(event, Failed) and event.kind in ("memory", "fatal", "bug"):
            print(event.detail, file=sys.stderr, flush=True)
        if isinstance(event, Failed) and event.kind == "memory":
            self._free_memory(job)
        self._say(event)
        if isinstance(event, Failed) and event.kind == "fatal":
            self._end(EXIT_DEVICE)

    def _free_memory(self, job: int) -> None:
        self._attention_cache.forget(job)
        gc.collect()
        if self._machine is not None:
            self._machine.release_memory()

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._inbox.close()

    # Work, which queued

    def _do(self, work: Work) -> None:
        match work:
            case LoadModel():
                self._load_model(work)
            case OpenPicture():
                self._open_picture(work)
            case Generate():
                self._begin_answer(work)
            case Discover():
                self._discover(work)
            case MeasureHeads():
                self._measure_heads(work)
            case CollectExamples():
                self._collect_examples(work)
            case MeasureMeans():
                self._measure_means(work)

    def _load_model(self, request: LoadModel) -> None:
        def progress(text: str, part: float) -> None:
            self._breathe(request.job)
            self._say(JobProgress(request.job, round(100 * part), 100, text))

        machine = self._load(request, lambda: self._forget_model(request.job), progress)
        self._breathe(request.job)
        info = machine.info()
        self._machine = machine
        if self._owns_process():
            # A model is 400,000 objects that stay: a collection after each answer took half a second with
            # them, and takes nothing without.
            gc.collect()
            gc.freeze()
        self._say(ModelLoaded(request.job, info))

    @staticmethod
    def _owns_process() -> bool:
        """Whether nobody else's objects live here: a worker that is a thread leaves memory alone."""
        return threading.current_thread() is threading.main_thread()

    def _forget_model(self, job: int) -> None:
        """Make room for the next model."""
        if self._machine is None:
            return
        machine, self._machine = self._machine, None
        self._pictures.clear()
        self._attention_cache.clear()
        machine.release_memory()
        del machine
        gc.unfreeze()
        gc.collect()
        self._say(ModelForgotten(job))

    def _open_picture(self, request: OpenPicture) -> None:
        machine = self._loaded()
        picture = machine.open_picture(request.picture, request.max_image_tok)
        grid, fed_pixels_HW3 = machine.lay_out(picture)
        self._pictures[request.picture.sha256] = picture, grid
        self._pictures.move_to_end(request.picture.sha256)
        while len(self._pictures) > _PICTURES_KEPT:
            self._pictures.popitem(last=False)
        self._say(PicturePrepared(request.job, request.picture.sha256, grid, fed_pixels_HW3))

    def _begin_answer(self, request: Generate) -> None:
        machine = self._loaded()
        if request.spec.picture_sha256 not in self._pictures:
            raise UserError("This picture is not open in the worker.", next_step="Open the picture again.")
        self._pictures.move_to_end(request.spec.picture_sha256)
        picture, grid = self._pictures[request.spec.picture_sha256]
        revised = partial(self._revised, request.job)
        answer = AnswerJob(request.job, request.spec, machine, picture, grid, revised)
        self._answers[request.job] = answer
        self._attention_cache.open(request.job, answer.kept)
        if request.job in self._early_targets:
            self._move_target(Retarget(request.job, self._early_targets.pop(request.job)))

    def _discover(self, request: Discover) -> None:
        done = total = 0

        def progress(done_now: int, total_now: int, seconds_left: float | None) -> None:
            nonlocal done, total
            done, total = done_now, total_now
            self._breathe(request.job)
            self._say(JobProgress(request.job, done, total, "measuring heads", seconds_left))

        def on_partial(ranking: HeadRanking) -> None:
            # The measurement that it adds is counted by the next call of progress.
            self._say(RankingPartial(request.job, ranking.name, ranking.scores_LH, done + 1, total))

        rankings = self._loaded().rank(
            request.strips,
            request.by,
            progress=progress,
            cancelled=lambda: self._inbox.is_cancelled(request.job),
            on_partial=on_partial,
        )
        self._say(RankingsFinished(request.job, dict(rankings)))

    def _measure_heads(self, request: MeasureHeads) -> None:
        metrics = self._loaded().measure_heads(
            request.pictures,
            request.prompt,
            request.effects_of,
            progress=partial(self._tell_progress, request.job, "measuring heads over pictures"),
            cancelled=lambda: self._inbox.is_cancelled(request.job),
        )
        self._say(HeadsMeasured(request.job, metrics))

    def _collect_examples(self, request: CollectExamples) -> None:
        examples = self._loaded().collect_examples(
            request.head,
            request.pictures,
            request.prompt,
            progress=partial(self._tell_progress, request.job, f"collecting examples of {request.head}"),
            cancelled=lambda: self._inbox.is_cancelled(request.job),
        )
        self._say(ExamplesCollected(request.job, examples))

    def _measure_means(self, request: MeasureMeans) -> None:
        means = self._loaded().measure_means(
            request.heads,
            request.pictures,
            request.prompt,
            progress=partial(self._tell_progress, request.job, "measuring mean outputs"),
            cancelled=lambda: self._inbox.is_cancelled(request.job),
        )
        self._say(MeansMeasured(request.job, means))

    def _tell_progress(self, job: int, text: str, done: int, total: int) -> None:
        self._breathe(job)
        self._say(JobProgress(job, done, total, text))

    def _loaded(self) -> ModelBackend:
        if self._machine is None:
            raise UserError("No model is loaded.", next_step="Load a model first.")
        return self._machine

    def _breathe(self, job: int) -> None:
        """In the middle of long work: answer what is urgent, and stop if that is wanted."""
        self._answer_urgent()
        if self._inbox.is_cancelled(job):
            raise Cancelled("The job was cancelled.")

    # Runs, a token each in turn

    def _write_one_token(self) -> None:
        job, answer = next(iter(self._answers.items()))
        self._answers.move_to_end(job)
        self._guarded(job, lambda: self._advance(answer))

    def _advance(self, answer: AnswerJob) -> None:
        if self._inbox.is_cancelled(answer.job):
            answer.cancel()
        step = answer.advance()
        if step is not None:
            self._attention_cache.fit()
            self._say(step)
            return
        del self._answers[answer.job]
        self._inbox.forget(answer.job)
        self._say(answer.finished())
        if not self._answers and self._owns_process():
            give_freed_memory_back()

    def _revised(self, job: int) -> bool:
        """Follow a target that was due for the token that has just been computed; whether one was."""
        self._reader.take_in()
        moved, token = False, self._answers[job].kept.n_tok
        while (request := self._inbox.next_overdue(job, token)) is not None:
            moved |= self._move_target(request)
        return moved

    # Questions and changes, at once

    def _answer_urgent(self) -> None:
        while (request := self._inbox.next_urgent()) is not None:
            self._guarded(request.job, lambda request=request: self._answer(request))  # type: ignore[misc]

    def _answer(self, request: Urgent) -> None:
        match request:
            case Hello():
                self._greet(request)
            case Retarget():
                self._move_target(request)
            case AskModels():
                self._list_models(request.job)
            case AskMap():
                run = self._attention_cache.run(request.run_job)
                self._say(MapReady(request.job, run.map_P(request.steps, request.heads)))
            case AskMass():
                run = self._attention_cache.run(request.run_job)
                self._say(MassReady(request.job, run.mass_LH(request.steps, request.tokens_P)))
            case AskGallery():
                run = self._attention_cache.run(request.run_job)
                self._say(GalleryReady(request.job, run.rows_HP(request.steps, request.heads)))

    def _greet(self, request: Hello) -> None:
        if request.protocol == PROTOCOL:
            self._say(Ready(PROTOCOL, _versions()))
            return
        self._say(
            Failed(
                NO_JOB,
                "fatal",
                f"The app speaks protocol {request.protocol}, the worker {PROTOCOL}.",
                "Reinstall gazeviz so that both have the same version.",
            )
        )
        self._end(EXIT_PROTOCOL)

    def _list_models(self, job: int) -> None:
        if self._listing is None:
            raise UserError("This worker lists no models.", next_step="Look for them in the app.")
        self._say(self._listing(job))

    def _move_target(self, request: Retarget) -> bool:
        """Move a run's target; whether it is under way and follows."""
        answer = self._answers.get(request.job)
        if answer is None:
            # A run that waits begins with it; one that has ended is not changed any more.
            if self._inbox.is_waiting(request.job):
                self._early_targets[request.job] = request.region
            return False
        try:
            answer.retarget(request.region)
        except UserError as error:
            self._say(Refused(request.job, error.sentence, error.next_step))
            return False
        return True


def _versions() -> dict[str, str]:
    """What results depend on; read from the packages' metadata, so that none has to be imported."""
    from gazeviz import __version__

    found = {"gazeviz": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
