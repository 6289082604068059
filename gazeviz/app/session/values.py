"""What the session is made of: pictures, settings, cursors and runs, as the screen shows them.

Frozen but for `RunRecord`, which grows while its run streams. Knows neither who changes these things nor who
shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import GenerateSpec, PictureSource, RunResult, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Hard, HeadMeans, Mode, Scope
from gazeviz.domain.strip import Layout

WorkerState: TypeAlias = Literal["none", "starting", "loading", "ready", "busy", "lost"]
RunState: TypeAlias = Literal["queued", "loading", "running", "done", "cancelled", "failed", "lost"]
Tool: TypeAlias = Literal[
    "move", "brush", "erase", "rectangle", "ellipse", "polygon", "cell", "panel", "spotlight"
]
GridMetric: TypeAlias = Literal["ranking", "live", "look_here"]
GalleryHeads: TypeAlias = Literal["chosen", "best"]
NoticeKind: TypeAlias = Literal["info", "warning", "error"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
GRID_METRICS: tuple[GridMetric, ...] = get_args(GridMetric)
ENDED_STATES: tuple[RunState, ...] = ("done", "cancelled", "failed", "lost")

DirtyBox: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in picture pixels; x1 and y1 lie just outside."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The picture on the screen.

    pixels_HW3: uint8 (H, W, 3) RGB, read-only, upright, as the engine decodes it.
    sha256: of these pixels and their size, as in RunRequest.image_sha256.
    source: where the worker gets it from.
    layout: rows and columns of its panels, None where it has none.
    captions: what each panel shows, () where nobody has said.
    note: what a person should know of how it is shown, "" for nothing.
    """

    name: str
    pixels_HW3: NDArray[np.uint8]
    sha256: str
    source: PictureSource
    layout: Layout | None = None
    captions: tuple[str, ...] = ()
    note: str = ""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        height_px, width_px = self.pixels_HW3.shape[:2]
        return width_px, height_px


@dataclass(frozen=True)
class WorkProgress:
    """How far the worker is with something long; total 0: nobody can say."""

    done: int
    total: int
    text: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class Notice:
    """A sentence for the person, shown in place and not in a dialog, with what to do next.

    about: what it belongs to ("model", "picture", "run", ...), so that a view can show it where it matters.
    """

    kind: NoticeKind
    sentence: str
    next_step: str = ""
    about: str = ""
    detail: str = ""


@dataclass(frozen=True)
class GenerationSettings:
    """How answers are written; the ranges are checked by `sampling` (temperature 0: greedy)."""

    max_new_tokens: int = 60
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram_tok: int = 0

    @property
    def sampling(self) -> Sampling:
        """As the engine takes it; UserError for values out of range."""
        return Sampling(
            self.temperature, self.top_p, self.seed, self.repetition_penalty, self.no_repeat_ngram_tok
        )


@dataclass(frozen=True)
class SteeringSettings:
    """How the chosen heads are steered; the ranges are those of domain.steering.Steering."""

    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    alpha: float = 0.9
    scope: Scope = "all_rows"
    means: HeadMeans | None = None


@dataclass(frozen=True)
class Cursor:
    """The tokens that everything shows, first to last and both included, of one side's run."""

    side: Side
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(f"a cursor cannot span tokens {self.first} to {self.last}")

    @property
    def steps(self) -> tuple[int, ...]:
        """Indices of its tokens."""
        return tuple(range(self.first, self.last + 1))


@dataclass(frozen=True, eq=False)
class MapView:
    """A map over the picture: float32 (P,), one value per image token; None while there is none.

    label: what it is of.  low, high: the ends of its scale.  heads: whose mean it is, () for all of them.
    """

    values_P: NDArray[np.float32] | None = None
    label: str = ""
    low: float = 0.0
    high: float = 1.0
    heads: tuple[Head, ...] = ()

    @classmethod
    def of(cls, values_P: NDArray[np.float32], label: str, heads: tuple[Head, ...] = ()) -> MapView:
        """Scale from nothing to the largest value."""
        return cls(values_P, label, 0.0, float(values_P.max()) if values_P.size else 1.0, heads)


@dataclass(frozen=True, eq=False)
class LookAt:
    """The place of the question "which heads look here?": some image tokens, int64 (N,), and its name."""

    label: str
    tokens_P: NDArray[np.int64]
    region_id: int | None = None


@dataclass(frozen=True)
class GalleryChoice:
    """Which heads the gallery shows: the best `n` of the chosen ones, or of all by the shown ranking.

    own_scale: every map from nothing to its own highest value, and not all on one scale.
    """

    heads: GalleryHeads = "chosen"
    n: int = 12
    own_scale: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a gallery cannot show {self.n} maps")


GalleryMap: TypeAlias = tuple[Head, NDArray[np.float32], float]
"""A head, its attention to each image token (P,), and its mass on the target (or on the whole picture)."""


@dataclass(eq=False)
class RunRecord:
    """One run of this session, from the request to the result.

    id: its number in the log.  job: what the worker calls it, None before it was sent.
    worker: counts workers of this session; a run's attention is only kept by the worker that wrote it.
    steps: as they arrived.  summary: once it ended by itself or was cancelled.
    message: what went wrong, for a person to read.
    logged: it was read from the log; no worker keeps its attention.
    special_tokens: the names that the model that writes it has for tokens without text, by id.
    """

    id: int
    side: Side
    spec: GenerateSpec
    state: RunState = "queued"
    job: int | None = None
    worker: int = 0
    steps: list[StepArrived] = field(default_factory=list)
    summary: RunResult | None = None
    message: str = ""
    logged: bool = False
    special_tokens: Mapping[int, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED_STATES

    @property
    def text(self) -> str:
        """The answer so far."""
        return self.summary.text if self.summary else "".join(step.text for step in self.steps)

    @property
    def regions(self) -> tuple[Region, ...]:
        """What `masses_R` of its steps are about, in that order."""
        return self.spec.regions

    @property
    def chosen(self) -> HeadSet:
        """The heads that its masses and maps are means of; none stands for all of the model."""
        return self.spec.chosen

    @property
    def switches(self) -> tuple[tuple[int, str], ...]:
        """(step, region name) of every change of target so far; "" where the heads were let go."""
        return tuple(
            (step.index, step.target or "")
            for before, step in pairwise(self.steps)
            if step.target != before.target
        )

    def masses_TR(self, kind: Literal["raw", "weighted", "control"] = "raw") -> NDArray[np.float32]:
        """Mass on each region at each token so far: float32 (T, R); no rows where there was no control."""
        rows: Sequence[NDArray[np.float32]]
        if kind == "control":
            rows = [step.control_R for step in self.steps if step.control_R is not None]
        else:
            rows = [step.masses_R if kind == "raw" else step.weighted_R for step in self.steps]
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(self.regions))


def time_left(progress: WorkProgress, in_percent: bool = False) -> str:
    """How far something is, in words: `3 of 24, 12 s left`."""
    far = f"{progress.done} %" if in_percent else f"{progress.done} of {progress.total}"
    parts = [far] if progress.total > 1 else []
    if progress.seconds_left is not None:
        seconds = progress.seconds_left
        parts.append(f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left")
    return ", ".join(parts)
