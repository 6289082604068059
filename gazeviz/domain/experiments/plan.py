"""An evaluation as it was asked for, and the items that it is made of.

The plan fixes the order in which items are computed and which of them are computed together (a *block*): a
chunk of pictures under one condition, every region in turn. Blocks go round the conditions, so that a pause
leaves a fair comparison, and a block is kept as a whole, so that whoever goes on computes the same batches
and gets the same rows. Nothing here runs anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.experiments.conditions import Condition, SweepAxis
from gazeviz.domain.experiments.picture_set import PictureSet, SetSource
from gazeviz.domain.experiments.treatment import Protocol
from gazeviz.domain.run import Sampling
from gazeviz.errors import UserError

_GREEDY: Final = Sampling()
BLOCK_ROWS: Final = 48
"""Answers that are written together at most: as many as the engine puts into one batch."""


@dataclass(frozen=True)
class EvaluationSpec:
    """Everything that decides the rows of an evaluation.

    protocol: with its own prompt, where another was wished.  judge: the name of the one that judges first.
    axes: of a sweep, () for none.  seed: of schedules and draws.
    """

    name: str
    protocol: Protocol
    source: SetSource
    set_fingerprint: str
    model_fingerprint: str
    conditions: tuple[Condition, ...]
    judge: str = "exact"
    sampling: Sampling = _GREEDY
    axes: tuple[SweepAxis, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError(f"conditions of one name: {names}")
        if "unsteered" not in names:
            raise ValueError("an evaluation always has its unsteered answers")

    @property
    def digest(self) -> str:
        """Equal for evaluations whose rows are the same; the name and the judge change no row."""
        return digest_of(self.to_json())

    def condition(self, name: str) -> Condition:
        """The condition of a name; UserError where there is none."""
        for condition in self.conditions:
            if condition.name == name:
                return condition
        raise UserError(
            f"The evaluation “{self.name}” has no condition “{name}”.",
            next_step=f"Choose among {', '.join(one.name for one in self.conditions[:8])}.",
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "name": self.name,
            "protocol": dict(vars(self.protocol)),
            "source": self.source.to_json(),
            "set_fingerprint": self.set_fingerprint,
            "model_fingerprint": self.model_fingerprint,
            "conditions": [condition.to_json() for condition in self.conditions],
            "judge": self.judge,
            "sampling": self.sampling.to_json(),
            "axes": [str(axis) for axis in self.axes],
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluationSpec:
        """Rebuild a specification from `to_json()`."""
        return cls(
            **{
                **data,
                "protocol": Protocol(**data["protocol"]),
                "source": SetSource.from_json(data["source"]),
                "conditions": tuple(Condition.from_json(one) for one in data["conditions"]),
                "sampling": Sampling(**data["sampling"]),
                "axes": tuple(SweepAxis.parse(text) for text in data["axes"]),
            }
        )


def digest_of(spec: Mapping[str, Any]) -> str:
    """The digest of a specification as JSON, which may be one of an earlier gazeviz."""
    told = {key: value for key, value in spec.items() if key not in ("name", "judge")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, order=True)
class ItemKey:
    """Which answer: picture and condition, the region that it is about, and the turn of its schedule."""

    picture: int
    condition: str
    turn: int
    target: int


@dataclass(frozen=True)
class EvaluationItem:
    """One answer about one region of one picture under one condition (dynamic: one segment of it).

    unchanged: whether the text is essentially the unsteered one.  area_px: the region's, as its source
        counts it, else in the pixels that the model is fed.
    mass_before, mass_after: of the steered heads on the target, None when unsteered.
    same_tokens: whether the tokens are those of the unsteered answer; None for the unsteered one itself.
    first_tok, n_tok: the segment's place in its narration.
    """

    key: ItemKey
    n_regions: int
    text: str
    baseline: str
    junk: Junk | None = None
    unchanged: bool = False
    area_px: float = 0.0
    mass_before: float | None = None
    mass_after: float | None = None
    same_tokens: bool | None = None
    first_tok: int = 0
    n_tok: int = 0
    token_ids: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Judgement:
    """What one judge reads in one item's text.

    chosen: the region described (from 0), None for none or a tie.  complete: as in `Verdict`, of the target.
    latency_tok: dynamic only: tokens until the text follows the switch.
    """

    key: ItemKey
    judge: str
    chosen: int | None
    complete: bool | None = None
    latency_tok: int | None = None


@dataclass(frozen=True)
class ItemBlock:
    """What is computed and kept together: (picture, region) cells under one condition."""

    number: int
    condition: Condition
    cells: tuple[tuple[int, int], ...]

    @property
    def pictures(self) -> tuple[int, ...]:
        """The pictures of the block, each once."""
        return tuple(dict.fromkeys(picture for picture, _ in self.cells))


def blocks_of(spec: EvaluationSpec, regions: Sequence[int], rows: int = BLOCK_ROWS) -> tuple[ItemBlock, ...]:
    """All blocks in their order: chunk by chunk of pictures, each round all conditions, unsteered first.

    regions: how many each picture has.
    """
    ordered = sorted(spec.conditions, key=lambda condition: condition.kind != "unsteered")
    blocks: list[ItemBlock] = []
    for chunk in _chunks(regions, rows):
        cells = tuple((picture, region) for picture in chunk for region in range(regions[picture]))
        for condition in ordered:
            blocks.append(ItemBlock(len(blocks), condition, cells))
    return tuple(blocks)


def _chunks(regions: Sequence[int], rows: int) -> Iterator[tuple[int, ...]]:
    chunk: list[int] = []
    for picture, n in enumerate(regions):
        if chunk and sum(regions[one] for one in chunk) + n > rows:
            yield tuple(chunk)
            chunk = []
        chunk.append(picture)
    yield tuple(chunk)


def regions_of(pictures: PictureSet) -> tuple[int, ...]:
    """How many regions each picture has."""
    return tuple(len(picture.panels) for picture in pictures.pictures)
