"""What messages between the app and the worker carry: what is asked for, and what is told of it.

Known to whoever writes or reads a message (gazeviz.domain.messages, which offers these names too) and to
whoever keeps them. Nothing here knows which message they travel in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.grid import Rule, TokenGrid, check_rule
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.junk import Junk
from gazeviz.domain.region import Region
from gazeviz.domain.run import Audit, Finish, Run, RunRequest, Sampling
from gazeviz.domain.steering import Hard, Mode, Scope, Steering
from gazeviz.errors import UserError

Side: TypeAlias = Literal["baseline", "steered", "glance"]

_GREEDY = Sampling()
_NO_HEADS = HeadSet(())


@dataclass(frozen=True)
class PictureSource:
    """A picture that the worker is to open: a file, or encoded bytes (PNG, JPEG ...) where there is no file.

    sha256: the name that requests use for this picture, chosen by who asks.
    Raises ValueError unless there is exactly one of path and data.
    """

    sha256: str
    name: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError("a picture comes from a path or from data, not from both or neither")


@dataclass(frozen=True)
class StripsSource:
    """Strips to measure rankings on: "builtin" ones, drawn from a seed, or those of a "folder".

    n: how many; of a folder the first ones, None for all (built-in strips need a number).
    """

    kind: Literal["builtin", "folder"]
    n: int | None = None
    seed: int = 0
    folder: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "folder") != (self.folder is not None):
            raise ValueError(f"strips of kind {self.kind!r} with the folder {self.folder!r}")
        if self.kind == "builtin" and self.n is None:
            raise ValueError("built-in strips need a number of them")
        if self.n is not None and self.n < 1:
            raise UserError(f"Nothing can be measured on {self.n} strips.", next_step="Choose at least one.")


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
class RunSummary:
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
    def of(cls, run: Run, seconds: float) -> RunSummary:
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
