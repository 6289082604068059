"""Attention heads: one head, a set of them with its origin, and a ranking of them all.

A head (l, h) is query head h of decoder layer l of the language-model backbone.  This module does not
know how scores are measured (engine.discovery) nor what a head set is used for.
"""

from __future__ import annotations

import json
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.notebook_face import ranking_html
from gazeviz.errors import UserError
from gazeviz.whole_files import written_whole

# The published file format of a head ranking: a JSON list of {"layer", "head", "score"}, best first.
#
# The format of `gaze_head_ranking.json`, written by the gaze-heads paper's discovery, so that rankings
# travel between tools.  Knows the file and its entries, not what a model's heads are.


_FORMAT = 'a JSON list of {"layer": 4, "head": 1, "score": 0.5}'
_MAX_INDEX = 2000  # far beyond any model; keeps a nonsense file from asking for a giant grid

Entry = tuple[int, int, float]  # layer, head, score


def read_ranking_file(path: Path) -> list[Entry]:
    """Return the (layer, head, score) entries of `path`, in the file's order.

    Raises UserError when the file cannot be read, is not JSON or not such a list, or lists a head twice.
    """
    entries = [_entry(path, place, raw) for place, raw in enumerate(_json_list(path), start=1)]
    seen: set[tuple[int, int]] = set()
    for layer, head, _ in entries:
        if (layer, head) in seen:
            raise _refused(path, f"lists L{layer}H{head} twice", "Keep one entry for each head.")
        seen.add((layer, head))
    return entries


def write_ranking_file(path: Path, entries: Iterable[Entry]) -> None:
    """Write the entries to `path`, replacing it whole or leaving it as it was.

    Raises UserError when the folder is missing or the file cannot be written.
    """
    rows = [json.dumps({"layer": layer, "head": head, "score": score}) for layer, head, score in entries]
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    with written_whole(path, "ranking") as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _json_list(path: Path) -> list[object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(
            f"The head ranking {path} could not be read: {error.strerror or error}.",
            next_step="Check the path, or choose another file.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, "is not JSON", f"Choose a head ranking: {_FORMAT}.") from error
    if not isinstance(data, list) or not data:
        raise _refused(path, "is not a list of heads", f"Choose a head ranking: {_FORMAT}.")
    return data


def _entry(path: Path, place: int, raw: object) -> Entry:
    fix = f"Correct the file: it must be {_FORMAT}."
    if not isinstance(raw, dict) or not {"layer", "head", "score"} <= raw.keys():
        raise _refused(path, f"lacks “layer”, “head” or “score” in entry {place}", fix)
    layer, head, score = raw["layer"], raw["head"], raw["score"]
    for index in (layer, head):
        if type(index) is not int or not 0 <= index < _MAX_INDEX:
            raise _refused(path, f"names no head in entry {place} (layer {layer!r}, head {head!r})", fix)
    if type(score) not in (int, float) or not abs(score) <= sys.float_info.max:
        raise _refused(path, f"has a score that is no finite number in entry {place}", fix)
    return layer, head, float(score)


def _refused(path: Path, why: str, next_step: str) -> UserError:
    return UserError(f"The head ranking {path} {why}.", next_step=next_step)


OriginKind: TypeAlias = Literal["top", "bottom", "random", "layer_matched", "all", "hand"]
Pool: TypeAlias = Literal["all", "lower_half", "bottom_5_percent"]
CONTROL_SEED: Final = 0
"""Of the random heads that are shown beside chosen ones: the same choice has the same control everywhere."""
ORIGIN_KINDS: tuple[OriginKind, ...] = get_args(OriginKind)
POOLS: tuple[Pool, ...] = get_args(Pool)

_LAYER_THEN_INDEX = attrgetter("layer", "index")  # several times faster than comparing heads themselves
_HEAD_TEXT = re.compile(r"\s*l(\d{1,6})[.-]?h(\d{1,6})\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, order=True)
class Head:
    """Query head `index` of decoder layer `layer`, both counted from 0; sorts by layer, then index."""

    layer: int
    index: int

    def __post_init__(self) -> None:
        if self.layer < 0 or self.index < 0:
            raise ValueError(f"a head's layer and index count from 0, got ({self.layer}, {self.index})")

    def __str__(self) -> str:
        return f"L{self.layer}H{self.index}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read "L4H1" in any case, "L4.H1" or "L4-H1"; anything else is a UserError."""
        match = _HEAD_TEXT.fullmatch(text)
        if match is None:
            raise UserError(
                f"“{text.strip()}” does not name a head.",
                next_step="Write heads as layer and head counted from 0, like L4H1.",
            )
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class HeadOrigin:
    """Where a head set came from; `str()` is the line a person reads."""

    kind: OriginKind
    ranking: str | None = None
    n: int | None = None
    seed: int | None = None
    pool: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ORIGIN_KINDS:
            raise ValueError(f"unknown kind of origin {self.kind!r}, expected one of {ORIGIN_KINDS}")

    def __str__(self) -> str:
        if self.kind == "hand":
            return "chosen by hand"
        if self.kind == "all":
            return "all heads"
        if self.kind in ("top", "bottom"):
            return f"{self.kind} {self.n} of {self.ranking}"
        how = "random" if self.kind == "random" else "layer-matched random"
        among = "" if self.pool in (None, "all") else f" from the {str(self.pool).replace('_', ' ')}"
        of = f" of {self.ranking}" if among else ""
        return f"{how} {self.n}{among}{of}, seed {self.seed}".replace("5 percent", "5 %")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object, the unused ones left out."""
        return {key: value for key, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HeadOrigin:
        """Rebuild an origin from `to_json()`."""
        return cls(**data)


_BY_HAND = HeadOrigin("hand")


@dataclass(frozen=True)
class HeadSet:
    """Heads chosen for steering or viewing, sorted and each once, with where they came from."""

    heads: tuple[Head, ...]
    origin: HeadOrigin = _BY_HAND

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", tuple(sorted(set(self.heads), key=_LAYER_THEN_INDEX)))

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Head]:
        return iter(self.heads)

    def __contains__(self, head: object) -> bool:
        if not isinstance(head, Head):
            return False
        place = bisect_left(self.heads, head)
        return place < len(self.heads) and self.heads[place] == head

    def __str__(self) -> str:
        return ",".join(map(str, self.heads))

    @classmethod
    def of(
        cls, heads: str | Iterable[Head | str | tuple[int, int]], origin: HeadOrigin = _BY_HAND
    ) -> HeadSet:
        """Build a set from "L4H1,L3H2" or from heads, head names or (layer, index) pairs.

        Raises UserError for a text that names no head; "" is the empty set.
        """
        if isinstance(heads, str):
            heads = [part for part in re.split(r"[,;\s]+", heads) if part]
        return cls(tuple(_as_head(head) for head in heads), origin)

    @classmethod
    def all(cls, shape_LH: tuple[int, int]) -> HeadSet:
        """Return every head of a model with L layers of H heads."""
        n_layers, n_heads = shape_LH
        heads = tuple(Head(layer, index) for layer in range(n_layers) for index in range(n_heads))
        return cls(heads, HeadOrigin("all", n=len(heads)))

    def by_layer(self) -> dict[int, tuple[int, ...]]:
        """Return the ascending head indices of each layer that has any, layers ascending."""
        layers: dict[int, list[int]] = {}
        for head in self.heads:
            layers.setdefault(head.layer, []).append(head.index)
        return {layer: tuple(indices) for layer, indices in layers.items()}

    def mask_LH(self, shape_LH: tuple[int, int]) -> NDArray[np.bool_]:
        """Return a bool array (L, H), True at the chosen heads; UserError as in `check`."""
        self.check(shape_LH)
        mask_LH = np.zeros(shape_LH, dtype=bool)
        for head in self.heads:
            mask_LH[head.layer, head.index] = True
        return mask_LH

    def layer_histogram(self, n_layers: int) -> NDArray[np.int64]:
        """Return the number of chosen heads in each of `n_layers` layers, int64 (L,)."""
        return np.bincount([head.layer for head in self.heads], minlength=n_layers).astype(np.int64)

    def check(self, shape_LH: tuple[int, int]) -> None:
        """Raise UserError naming the heads that a model of L layers of H heads does not have."""
        check_heads(self.heads, shape_LH)

    def to_json(self) -> dict[str, Any]:
        """Return {"heads": [{"layer", "head"}, ...], "origin": {...}}."""
        heads = [{"layer": head.layer, "head": head.index} for head in self.heads]
        return {"heads": heads, "origin": self.origin.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HeadSet:
        """Rebuild a head set from `to_json()`."""
        heads = tuple(Head(entry["layer"], entry["head"]) for entry in data["heads"])
        return cls(heads, HeadOrigin.from_json(data["origin"]))


def check_heads(heads: Iterable[Head], shape_LH: tuple[int, int]) -> None:
    """Raise UserError naming those of `heads` that a model of L layers of H heads does not have."""
    n_layers, n_heads = shape_LH
    missing = [str(head) for head in heads if head.layer >= n_layers or head.index >= n_heads]
    if missing:
        named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UserError(
            f"The model has no {named}: its layers are 0-{n_layers - 1}, its heads 0-{n_heads - 1}.",
            next_step="Choose heads of this model, or load the model that these heads were found in.",
        )


@dataclass(frozen=True, eq=False)
class HeadRanking(HoldsArrays):
    """Every head of a model with a score, higher is better.

    scores_LH: float64 (L, H), read-only; NaN where there is no head (ragged models) or no score.
    n_strips: how many strips the scores are averaged over, where that is known.
    matrix_LHRR: float64 (L, H, R, R) or None: mean attention mass on the looked-at panel (last axis)
        when the asked panel (last axis but one) was asked about, in [0, 1].
    halves: the same ranking from each half of the strips, for `split_half_overlap`.
    model: the model that was measured, in words.
    """

    name: str
    scores_LH: NDArray[np.float64]
    n_strips: int | None = None
    matrix_LHRR: NDArray[np.float64] | None = None
    halves: tuple[HeadRanking, HeadRanking] | None = None
    model: str | None = None
    _order: tuple[Head, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        scores_LH = read_only(self.scores_LH, np.float64, "LH")
        if np.isinf(scores_LH).any():
            raise ValueError(f"the scores of ranking {self.name!r} must not be infinite")
        object.__setattr__(self, "scores_LH", scores_LH)
        object.__setattr__(self, "_order", _best_first(scores_LH))
        if self.matrix_LHRR is not None:
            matrix_LHRR = read_only(self.matrix_LHRR, np.float64, "LHRR")
            if matrix_LHRR.shape[:2] != scores_LH.shape:
                raise ValueError(f"matrix of {matrix_LHRR.shape[:2]} for scores of {scores_LH.shape}")
            object.__setattr__(self, "matrix_LHRR", matrix_LHRR)

    def __repr__(self) -> str:
        n_layers, n_heads = self.scores_LH.shape
        best = f", best {self._order[0]}" if self._order else ""
        strips = f", {self.n_strips} strips" if self.n_strips is not None else ""
        return f"HeadRanking({self.name!r}, {n_layers} layers x {n_heads} heads{strips}{best})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return ranking_html(self)

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Number of layers and (largest) number of heads of a layer."""
        n_layers, n_heads = self.scores_LH.shape
        return n_layers, n_heads

    def order(self) -> tuple[Head, ...]:
        """Return the scored heads, best first; of equal scores the lower layer, then the lower head."""
        return self._order

    def top(self, n: int) -> HeadSet:
        """Return the `n` best heads; UserError when the ranking has fewer."""
        self._check_count(n, self._order, "ranking")
        return HeadSet(self._order[:n], HeadOrigin("top", self.name, n))

    def bottom(self, n: int) -> HeadSet:
        """Return the `n` lowest-scoring heads; UserError when the ranking has fewer."""
        self._check_count(n, self._order, "ranking")
        return HeadSet(self._order[len(self._order) - n :], HeadOrigin("bottom", self.name, n))

    def random(
        self,
        n: int,
        seed: int,
        like: HeadSet | None = None,
        exclude: HeadSet | None = None,
        pool: Pool = "all",
    ) -> HeadSet:
        """Draw `n` heads without replacement: a random control, repeatable by its seed.

        pool: "all" scored heads, the "lower_half" of them by score, or the "bottom_5_percent" (rounded
            up: 58 of 1152), the pool of the gaze-heads paper's public code.
        exclude: heads that are never drawn.
        like: draw as many heads in each layer as this set has there, and none of its own; `n` must be
            its length.
        Raises UserError when the pool (with `like`: the pool within a layer) is too small.
        """
        banned = set(exclude or ()) | set(like or ())
        candidates = sorted(head for head in self.pool(pool) if head not in banned)
        rng = np.random.default_rng(seed)
        if like is None:
            self._check_count(n, candidates, f"pool “{pool.replace('_', ' ')}”")
            return HeadSet(_draw(candidates, n, rng), HeadOrigin("random", self.name, n, seed, pool))
        if n != len(like):
            raise ValueError(f"a draw of {n} heads cannot match the layers of {len(like)} heads")
        drawn: list[Head] = []
        for layer, indices in like.by_layer().items():
            in_layer = [head for head in candidates if head.layer == layer]
            self._check_count(len(indices), in_layer, f"part of layer {layer} that is free to draw from")
            drawn += _draw(in_layer, len(indices), rng)
        return HeadSet(tuple(drawn), HeadOrigin("layer_matched", self.name, n, seed, pool))

    def pool(self, pool: Pool) -> tuple[Head, ...]:
        """Return the heads of a named pool of random controls, best first (see `random`)."""
        if pool not in POOLS:
            raise ValueError(f"unknown pool {pool!r}, expected one of {POOLS}")
        n = len(self._order)
        size = {"all": n, "lower_half": n // 2, "bottom_5_percent": -(-n // 20)}[pool]
        return self._order[n - size :]

    def rank_of(self, head: Head) -> int:
        """Return the head's place, 1 for the best; UserError when it has no score."""
        self.score(head)
        return self._place[head]

    def score(self, head: Head) -> float:
        """Return the head's score; UserError when it has none."""
        if head not in self._place:
            raise UserError(
                f"The ranking “{self.name}” has no score for {head}.",
                next_step="Choose a head of the grid, or rank the heads of the loaded model again.",
            )
        return float(self.scores_LH[head.layer, head.index])

    @cached_property
    def _place(self) -> dict[Head, int]:
        return {head: place for place, head in enumerate(self._order, start=1)}

    def overlap(self, other: HeadRanking, n: int) -> int:
        """Return how many heads the two rankings' top `n` share."""
        self._check_comparable(other)
        for ranking in (self, other):
            ranking._check_count(n, ranking._order, "ranking")
        return len(set(self._order[:n]) & set(other._order[:n]))

    def rank_correlation(self, other: HeadRanking) -> float:
        """Return Spearman's rho over the heads that both score, ties given their mean rank.

        In [-1, 1]; NaN when fewer than two heads are shared or one ranking is constant on them.
        """
        self._check_comparable(other)
        both_LH = np.isfinite(self.scores_LH) & np.isfinite(other.scores_LH)
        # Ranks 1..n have the mean (n + 1) / 2, ties or not; Spearman's rho is their correlation.
        middle = (np.count_nonzero(both_LH) + 1) / 2
        ours, theirs = (_mean_ranks(ranking.scores_LH[both_LH]) - middle for ranking in (self, other))
        spread = float(np.sqrt((ours @ ours) * (theirs @ theirs)))
        return float(ours @ theirs) / spread if spread > 0 else float("nan")

    def split_half_overlap(self, n: int) -> int | None:
        """Return how many of the top `n` the two halves of the strips agree on; None without halves."""
        return None if self.halves is None else self.halves[0].overlap(self.halves[1], n)

    def save(self, path: str | Path) -> None:
        """Write the published JSON list of {"layer", "head", "score"}, best first, all or nothing.

        Raises UserError when the file cannot be written.
        """
        write_ranking_file(Path(path), [(h.layer, h.index, self.score(h)) for h in self._order])

    @classmethod
    def load(
        cls, path: str | Path, shape_LH: tuple[int, int] | None = None, name: str | None = None
    ) -> HeadRanking:
        """Read a ranking in the published format; it is called `name`, or as the file.

        shape_LH: the model's; left out, the smallest grid that holds every head of the file.  Heads
            that the file leaves out have no score.
        Raises UserError for a file that is missing, not JSON or not such a list, for scores that are
        not finite numbers, heads listed twice, and heads that the model lacks.
        """
        path = Path(path)
        scored = {Head(layer, index): score for layer, index, score in read_ranking_file(path)}
        if shape_LH is None:
            shape_LH = max(h.layer for h in scored) + 1, max(h.index for h in scored) + 1
        check_heads(scored, shape_LH)
        scores_LH = np.full(shape_LH, np.nan)
        for head, score in scored.items():
            scores_LH[head.layer, head.index] = score
        return cls(name or path.stem, scores_LH)

    def _check_comparable(self, other: HeadRanking) -> None:
        if self.shape_LH != other.shape_LH:
            raise UserError(
                f"The rankings “{self.name}” and “{other.name}” are of models with different heads.",
                next_step="Compare rankings of one model.",
            )

    def _check_count(self, n: int, candidates: Iterable[Head], where: str) -> None:
        available = len(tuple(candidates))
        if not 0 <= n <= available:
            raise UserError(
                f"{n} heads cannot be taken: the {where} has {available}.",
                next_step=f"Choose a number from 0 to {available}, or a larger pool.",
            )


def random_control(chosen: HeadSet, present_LH: NDArray[np.bool_]) -> HeadSet | None:
    """Draw as many heads as are chosen from the others, always the same; None where they are too few.

    present_LH: bool (L, H), True where the model has a head.
    """
    if not len(chosen):
        return None
    everyone = HeadRanking("all heads", np.where(present_LH, 0.0, np.nan))
    try:
        return everyone.random(len(chosen), CONTROL_SEED, exclude=chosen)
    except UserError:
        return None


def _as_head(head: Head | str | tuple[int, int]) -> Head:
    if isinstance(head, Head):
        return head
    return Head.parse(head) if isinstance(head, str) else Head(*head)


def _best_first(scores_LH: NDArray[np.float64]) -> tuple[Head, ...]:
    scores = scores_LH.ravel()
    # A stable sort keeps equal scores in row-major order: lower layer, then lower head.
    best_first = np.argsort(-scores, kind="stable")[: np.isfinite(scores).sum()]
    return tuple(Head(*divmod(int(flat), scores_LH.shape[1])) for flat in best_first)


def _draw(candidates: list[Head], n: int, rng: np.random.Generator) -> tuple[Head, ...]:
    return tuple(candidates[i] for i in rng.choice(len(candidates), size=n, replace=False)) if n else ()


def _mean_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ascending; equal scores share the mean of the ranks that they fill."""
    _, group, count = np.unique(scores, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(count)
    return np.asarray((last_rank - (count - 1) / 2)[group], dtype=np.float64)
