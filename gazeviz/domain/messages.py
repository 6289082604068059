"""What the app and the worker say to each other: frozen messages, the same whoever runs the engine.

Requests go to the worker, events come back. A job is one request that is answered by an ending event
(`ENDING`); its number is chosen by who asks and is repeated in every event about it. Nothing here knows
pipes, processes or screens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.experiments.head_messages import (
    CollectExamples,
    ExamplesCollected,
    HeadsMeasured,
    MeansMeasured,
    MeasureHeads,
    MeasureMeans,
)
from gazeviz.domain.grid import Rule, TokenGrid, check_rule
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.model_files import ModelSizes, StoredWeights
from gazeviz.domain.region import Region
from gazeviz.domain.run import Audit, Finish, Run, RunRequest, Sampling
from gazeviz.domain.steering import Hard, Mode, Scope, Steering
from gazeviz.errors import UserError

# What messages between the app and the worker carry: what is asked for, and what is told of it.
#
# Known to whoever writes or reads a message (gazeviz.domain.messages, which offers these names too) and to
# whoever keeps them. Nothing here knows which message they travel in.


Side: TypeAlias = Literal["baseline", "steered", "glance"]

_GREEDY = Sampling()
_NO_HEADS = HeadSet(())


@dataclass(frozen=True)
class PictureSource:
    """A picture that the worker is to open: a file, or encoded bytes (PNG, JPEG ...) where there is no file.

    sha256: the name that requests use for this picture, chosen by who asks.
    sent: the digest of a file that was sent to the worker before (KeepFile).
    Raises ValueError unless there is exactly one of path, data and sent.
    """

    sha256: str
    name: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False)
    sent: str | None = None

    def __post_init__(self) -> None:
        if sum(source is not None for source in (self.path, self.data, self.sent)) != 1:
            raise ValueError("a picture comes from one of a path, data and a file that was sent")


@dataclass(frozen=True)
class StripsSource:
    """Strips to measure rankings on: "builtin" ones, drawn from a seed, or those of a "folder", which may
    also have been "sent" file by file.

    n: how many; of a folder the first ones, None for all (built-in strips need a number).
    files: path inside the folder and digest of every file that was sent (KeepFile).
    """

    kind: Literal["builtin", "folder", "sent"]
    n: int | None = None
    seed: int = 0
    folder: str | None = None
    files: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "sent") != bool(self.files):
            raise ValueError(f"strips of kind {self.kind!r} with {len(self.files)} files")
        if (self.kind == "folder") != (self.folder is not None):
            raise ValueError(f"strips of kind {self.kind!r} with the folder {self.folder!r}")
        if self.kind == "builtin" and self.n is None:
            raise ValueError("built-in strips need a number of them")
        if self.n is not None and self.n < 1:
            raise UserError(f"Cannot measure on {self.n} strips.", next_step="Choose at least one.")


@dataclass(frozen=True)
class GenerateSpec:
    """One answer that is asked for, and what is to be watched meanwhile.

    picture_sha256: of a picture that was opened before.
    chosen: heads whose masses and maps come with every step; where it is empty, all heads of the model.
    control: a random set of heads to compare with, or None.
    regions: what masses are summed over; one that selects no cell has mass 0.
    rule, share: how those regions select cells; the steering's targets have their own.
    Raises UserError for less than one token and a rule out of range.
    """

    picture_sha256: str
    prompt: str
    steering: Steering | None = None
    sampling: Sampling = _GREEDY
    max_new_tokens: int = 60
    chosen: HeadSet = _NO_HEADS
    control: HeadSet | None = None
    regions: tuple[Region, ...] = ()
    rule: Rule = "centre"
    share: float = 0.5

    def __post_init__(self) -> None:
        check_rule(self.rule, self.share)
        if self.max_new_tokens < 1:
            raise UserError(
                f"An answer cannot have {self.max_new_tokens} new tokens.", next_step="Choose at least one."
            )

    @property
    def side(self) -> Side:
        """A glance is one token of attention; everything longer is steered or a baseline."""
        if self.max_new_tokens == 1:
            return "glance"
        return "steered" if self.steering is not None else "baseline"


@dataclass(frozen=True)
class Recommended:
    """How a model's own folder says that it is steered well: the `n` best heads of a ranking.

    ranking: its name in ModelInfo.rankings, "" for the default ranking.
    """

    n: int
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    scope: Scope | None = None
    alpha: float = 0.9
    ranking: str = ""


@dataclass(frozen=True, eq=False)
class ModelInfo(HoldsArrays):
    """A loaded model, in numbers and words.

    heads_present_LH: bool (L, H), which heads of the grid exist.
    why_not_gpu: one sentence where it computes on the processor although nobody asked for that.
    max_image_tok: image tokens that a picture may cost before it is fed smaller.
    default_ranking: the ranking that comes with the model as the one to steer by, if one does.
    recommended: how many of its heads, and how; None where there is no default ranking.
    rankings: all rankings that come with the model, by name.
    recommended_moving: the same for narrations while the target moves; None where nothing else is said.
    special_tokens: the names of tokens that add no text, by id; empty in logs that did not keep them.
    """

    name: str
    path: str
    family: str
    shape_LH: tuple[int, int]
    heads_present_LH: NDArray[np.bool_]
    device: str
    dtype: str
    why_not_gpu: str | None
    fingerprint: str
    max_image_tok: int
    default_ranking: HeadRanking | None = None
    recommended: Recommended | None = None
    rankings: Mapping[str, HeadRanking] = field(default_factory=dict)
    n_parameters: int = 0
    context_tok: int = 0
    recommended_moving: Recommended | None = None
    special_tokens: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads_present_LH", read_only(self.heads_present_LH, np.bool_, "LH"))


@dataclass(frozen=True)
class RunResult:
    """A run that ended.

    switches: (step, region name) of every change of target that took effect, "" for none.
    seconds: wall time from the request's turn to the last token.
    fingerprint: of the model that wrote it.
    request: everything that could change the result, the schedule as it happened included.
    grid: where its image tokens lie; None in logs that did not keep it.
    """

    text: str
    finish: Finish
    junk: Junk | None
    audit: Audit | None
    switches: tuple[tuple[int, str], ...]
    seconds: float
    n_tok: int
    fingerprint: str
    request: RunRequest
    grid: TokenGrid | None = field(default=None, compare=False)

    @classmethod
    def of(cls, run: Run, seconds: float) -> RunResult:
        """Sum up a run that took `seconds`."""
        return cls(
            text=run.text,
            finish=run.finish,
            junk=run.junk,
            audit=run.audit,
            switches=run.switches,
            seconds=seconds,
            n_tok=len(run.tokens),
            fingerprint=run.request.model_fingerprint,
            request=run.request,
            grid=run.grid,
        )


PROTOCOL = 4
"""Changes with the messages; two sides that do not agree part at once."""

NO_JOB = 0
"""The job of a message that belongs to none; real jobs count from 1."""

FailureKind: TypeAlias = Literal["user", "run", "memory", "fatal", "bug"]


# Requests


@dataclass(frozen=True)
class Hello:
    """The first message of a conversation; answered by Ready."""

    protocol: int = PROTOCOL
    job: int = NO_JOB


@dataclass(frozen=True)
class LoadModel:
    """Load a model (source None: the built-in one); answered by ModelLoaded.

    device, dtype: as gazeviz.load takes them. Waits until runs under way have ended.
    """

    job: int
    source: str | None = None
    device: str = "auto"
    dtype: str = "auto"


@dataclass(frozen=True)
class KeepFile:
    """A piece of a file that later requests name by its digest; for workers that cannot read it themselves.

    sha256, n_bytes: of the whole file.  offset: where the piece stands; pieces come in order.
    """

    sha256: str
    n_bytes: int
    offset: int
    data: bytes = field(repr=False)
    job: int = NO_JOB


@dataclass(frozen=True)
class AskModels:
    """Ask which models and devices the worker's machine has; answered by ModelsListed."""

    job: int


@dataclass(frozen=True)
class OpenPicture:
    """Open a picture and lay it out for the loaded model; answered by PicturePrepared.

    max_image_tok: image tokens that this picture may cost, in its runs too, before it is fed smaller; None:
        the model's usual limit (ModelInfo).
    """

    job: int
    picture: PictureSource
    max_image_tok: int | None = None


@dataclass(frozen=True)
class Generate:
    """Write an answer; answered by a StepArrived per token, then RunFinished.

    Several run side by side, a token each in turn.
    """

    job: int
    spec: GenerateSpec


@dataclass(frozen=True)
class Retarget:
    """Point a steered run's heads elsewhere from its next token on; None lets them go.

    `job` is the run's. Without effect on a run that has ended; answered by Refused where it cannot be done.
    due: the first token that has to be under it: where this comes while that one, or one after it, is being
    computed, it is computed again if the model's cache can forget it. None: whichever token begins next.
    """

    job: int
    region: Region | None
    due: int | None = None


@dataclass(frozen=True)
class Cancel:
    """Stop a job. A run ends in RunFinished with the finish "cancelled", any other job in JobCancelled."""

    job: int


@dataclass(frozen=True)
class Discover:
    """Rank all heads on strips; answered by RankingPartial events, then RankingsFinished."""

    job: int
    strips: StripsSource
    by: tuple[str, ...] = ("mass",)


@dataclass(frozen=True)
class AskMap:
    """Ask for a run's attention to each image token, mean over some steps and heads; answered by MapReady.

    heads: None for the run's chosen ones.
    """

    job: int
    run_job: int
    steps: tuple[int, ...]
    heads: HeadSet | None = None


@dataclass(frozen=True, eq=False)
class AskMass(HoldsArrays):
    """Ask for every head's attention mass on some image tokens, mean over some steps; answered by MassReady.

    tokens_P: int64 indices of image tokens, each counted once.
    """

    job: int
    run_job: int
    steps: tuple[int, ...]
    tokens_P: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens_P", read_only(self.tokens_P, np.int64, "P"))


@dataclass(frozen=True)
class AskGallery:
    """Ask for single heads' attention to each image token, mean over some steps; answered by GalleryReady."""

    job: int
    run_job: int
    steps: tuple[int, ...]
    heads: tuple[Head, ...]


@dataclass(frozen=True)
class Shutdown:
    """End the worker, whatever it is doing."""

    job: int = NO_JOB


Request: TypeAlias = (
    Hello
    | KeepFile
    | AskModels
    | LoadModel
    | OpenPicture
    | Generate
    | Retarget
    | Cancel
    | Discover
    | MeasureHeads
    | CollectExamples
    | MeasureMeans
    | AskMap
    | AskMass
    | AskGallery
    | Shutdown
)


# Events


@dataclass(frozen=True)
class Ready:
    """The worker listens. versions: of what results depend on, by library."""

    protocol: int
    versions: Mapping[str, str]
    job: int = NO_JOB


@dataclass(frozen=True)
class JobProgress:
    """How far a job is: `done` of `total`, what is being done, and a guess of the rest where there is one."""

    job: int
    done: int
    total: int
    text: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class ListedModel:
    """A model that a machine could load, told from its files; fields as gazeviz.app has them for this one."""

    source: str | None
    name: str
    origin: Literal["built-in", "recent", "cache", "folder"]
    folder: str
    family: str
    disk_bytes: int
    weights: StoredWeights | None
    sizes: ModelSizes | None
    refusal: str


@dataclass(frozen=True)
class ListedDevice:
    """Somewhere to compute on a machine; bytes are None where unknown."""

    device: str
    name: str
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True)
class ModelsListed:
    """AskModels's answer."""

    job: int
    models: tuple[ListedModel, ...]
    devices: tuple[ListedDevice, ...]


@dataclass(frozen=True)
class ModelForgotten:
    """The model before had to make room: it is gone with its pictures and runs, even if the new one fails.

    Not sent where nothing was loaded, nor where LoadModel is refused before anything is read.
    """

    job: int


@dataclass(frozen=True)
class ModelLoaded:
    """LoadModel's answer."""

    job: int
    info: ModelInfo


@dataclass(frozen=True, eq=False)
class PicturePrepared(HoldsArrays):
    """OpenPicture's answer: where the image tokens lie, and what the model is really fed.

    fed_pixels_HW3: uint8 (H, W, 3).
    """

    job: int
    sha256: str
    grid: TokenGrid
    fed_pixels_HW3: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fed_pixels_HW3", read_only(self.fed_pixels_HW3, np.uint8, "HW3"))


@dataclass(frozen=True, eq=False)
class StepArrived(HoldsArrays):
    """One token of a run, with the attention of the row that produced it.

    logprob, target, text: as in domain.run.Step.  ms: wall time that the token took.
    masses_R: float32 (R,), the chosen heads' mean mass on each region.
    weighted_R: the same with every weight multiplied by the norm of its value vector (the model's own unit).
    control_R: the random control's masses, None without one.
    map_P: float32 (P,), mean attention of the chosen heads to each image token.
    looks_at: index of the region with most mass; None where there is no region, or no mass on any.
    """

    job: int
    index: int
    token_id: int
    text: str
    logprob: float
    ms: float
    target: str | None
    masses_R: NDArray[np.float32]
    weighted_R: NDArray[np.float32]
    control_R: NDArray[np.float32] | None
    map_P: NDArray[np.float32]
    looks_at: int | None

    def __post_init__(self) -> None:
        for name in ("masses_R", "weighted_R", "control_R", "map_P"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(values, np.float32, name[-1]))


@dataclass(frozen=True)
class RunFinished:
    """Generate's answer."""

    job: int
    run: RunResult


@dataclass(frozen=True, eq=False)
class RankingPartial(HoldsArrays):
    """A ranking so far, over `done` of `total` measurements. scores_LH: float64 (L, H)."""

    job: int
    name: str
    scores_LH: NDArray[np.float64]
    done: int
    total: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores_LH", read_only(self.scores_LH, np.float64, "LH"))


@dataclass(frozen=True)
class RankingsFinished:
    """Discover's answer: the rankings by name."""

    job: int
    rankings: Mapping[str, HeadRanking]


@dataclass(frozen=True, eq=False)
class MapReady(HoldsArrays):
    """AskMap's answer. values_P: float32 (P,), attention to each image token, in [0, 1]."""

    job: int
    values_P: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_P", read_only(self.values_P, np.float32, "P"))


@dataclass(frozen=True, eq=False)
class MassReady(HoldsArrays):
    """AskMass's answer. mass_LH: float32 (L, H), in [0, 1]; NaN where the model has no head."""

    job: int
    mass_LH: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mass_LH", read_only(self.mass_LH, np.float32, "LH"))


@dataclass(frozen=True, eq=False)
class GalleryReady(HoldsArrays):
    """AskGallery's answer. values_HP: float32 (H, P), one row per head in the order asked for, in [0, 1]."""

    job: int
    values_HP: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_HP", read_only(self.values_HP, np.float32, "HP"))


@dataclass(frozen=True)
class Refused:
    """A Retarget cannot be followed; its run (`job`) goes on as it was."""

    job: int
    sentence: str
    next_step: str


@dataclass(frozen=True)
class JobCancelled:
    """A job ended because it was asked to; a run that was cancelled ends in RunFinished instead."""

    job: int


@dataclass(frozen=True)
class Failed:
    """A job ended in an error, and the worker lives on (but for the kind "fatal").

    kind: "user" (can be put right: next_step says how), "run" (the engine refused), "memory" (there was not
        enough, and what could be freed was), "fatal" (the device is in no usable state, and the worker
        ends), "bug".
    detail: what helps to find the cause, a traceback perhaps; not meant to be shown at once.
    """

    job: int
    kind: FailureKind
    sentence: str
    next_step: str = ""
    detail: str = ""


Event: TypeAlias = (
    Ready
    | JobProgress
    | ModelsListed
    | ModelForgotten
    | ModelLoaded
    | PicturePrepared
    | StepArrived
    | RunFinished
    | RankingPartial
    | RankingsFinished
    | HeadsMeasured
    | ExamplesCollected
    | MeansMeasured
    | MapReady
    | MassReady
    | GalleryReady
    | Refused
    | JobCancelled
    | Failed
)

ENDING = (
    ModelsListed,
    ModelLoaded,
    PicturePrepared,
    RunFinished,
    RankingsFinished,
    HeadsMeasured,
    ExamplesCollected,
    MeansMeasured,
    MapReady,
    MassReady,
    GalleryReady,
    JobCancelled,
    Failed,
)
"""Events after which nothing more is heard of their job."""

WITHOUT_ANSWER = (Hello, KeepFile, Retarget, Cancel, Shutdown)
"""Requests that open no job of their own: they concern the worker, or a job that another request opened."""


# A run as the log gives it back: what reports, replays and lists of runs are made from.
#
# Who keeps runs, and how, is not known here.


@dataclass(frozen=True)
class RunVerdict:
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
    def summary(self) -> RunResult | None: ...
    @property
    def message(self) -> str: ...
    @property
    def started_s(self) -> float: ...
