"""What the app and the worker say to each other: frozen messages, the same whoever runs the engine.

Requests go to the worker, events come back. A job is one request that is answered by an ending event
(`ENDING`); its number is chosen by who asks and is repeated in every event about it. Nothing here knows
pipes, processes or screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.message_parts import GenerateSpec as GenerateSpec
from gazeviz.domain.message_parts import ModelInfo as ModelInfo
from gazeviz.domain.message_parts import PictureSource as PictureSource
from gazeviz.domain.message_parts import Recommended as Recommended
from gazeviz.domain.message_parts import RunSummary as RunSummary
from gazeviz.domain.message_parts import Side as Side
from gazeviz.domain.message_parts import StripsSource as StripsSource
from gazeviz.domain.region import Region

PROTOCOL = 2
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
    """

    job: int
    region: Region | None


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
    | LoadModel
    | OpenPicture
    | Generate
    | Retarget
    | Cancel
    | Discover
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
class Progress:
    """How far a job is: `done` of `total`, what is being done, and a guess of the rest where there is one."""

    job: int
    done: int
    total: int
    text: str
    seconds_left: float | None = None


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
    run: RunSummary


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
    | Progress
    | ModelForgotten
    | ModelLoaded
    | PicturePrepared
    | StepArrived
    | RunFinished
    | RankingPartial
    | RankingsFinished
    | MapReady
    | MassReady
    | GalleryReady
    | Refused
    | JobCancelled
    | Failed
)

ENDING = (
    ModelLoaded,
    PicturePrepared,
    RunFinished,
    RankingsFinished,
    MapReady,
    MassReady,
    GalleryReady,
    JobCancelled,
    Failed,
)
"""Events after which nothing more is heard of their job."""

WITHOUT_ANSWER = (Hello, Retarget, Cancel, Shutdown)
"""Requests that open no job of their own: they concern the worker, or a job that another request opened."""
