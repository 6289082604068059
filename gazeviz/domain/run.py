"""Runs: one generation with everything that can change its result, its steps and its account.

Holds what the engine measured and does the arithmetic on it (trajectories, the rerouting ledger).  How
tokens are produced is the engine's business, how runs are kept is the store's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gazeviz.domain.answer_text import Junk, junk_kind
from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.grid import Rule, TokenGrid
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.notebook_face import run_html, short
from gazeviz.domain.region import Region
from gazeviz.domain.steering import GROUP_NAMES, TARGET, Steering
from gazeviz.errors import UserError

Finish: TypeAlias = Literal["stop", "length", "cancelled"]
_NO_HEADS = HeadSet(())


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: temperature 0 takes the likeliest, else a seeded nucleus draw.

    repetition_penalty: what the logits of tokens of the prompt and of the answer so far are divided by, or
        multiplied by where negative (Keskar et al. 2019, arXiv 1909.05858); 1 changes nothing.
    no_repeat_ngram_tok: so many tokens in a row that the prompt or the answer holds are never written again;
        0 forbids nothing.
    Raises UserError for a negative or infinite temperature, a top_p outside (0, 1], a penalty that is not
    above 0 and a negative number of tokens.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram_tok: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UserError(
                f"The temperature cannot be {self.temperature}.", next_step="Choose 0 (greedy) or more."
            )
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p cannot be {self.top_p}.", next_step="Choose above 0 and up to 1.")
        if not 0 < self.repetition_penalty < float("inf"):
            raise UserError(
                f"The repetition penalty cannot be {self.repetition_penalty}.",
                next_step="Choose 1 for none, or above 1, like 1.2.",
            )
        if self.no_repeat_ngram_tok < 0:
            raise UserError(
                f"The n-gram that is not repeated cannot be {self.no_repeat_ngram_tok} tokens long.",
                next_step="Choose 0 for none, or a length like 3.",
            )

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken, so that the seed does not matter."""
        return self.temperature == 0

    @property
    def effective(self) -> Sampling:
        """Without the settings that change nothing here, so that ways equal in effect are equal."""
        return replace(self, top_p=1.0, seed=0) if self.greedy else self

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object; what holds repetition back only where it is used, so that plans
        and logs from before these settings keep their words."""
        off = {"repetition_penalty": 1.0, "no_repeat_ngram_tok": 0}
        return {name: value for name, value in vars(self).items() if off.get(name) != value}


@dataclass(frozen=True, eq=False)
class Step(HoldsArrays):
    """One answer token.

    index: counts answer tokens from 0.
    text: what the token adds to the decoded text; may be "" inside a character.
    logprob: natural logarithm of the token's probability under the model's own distribution, before
        temperature and top_p.
    target: name of the region that was the target while it was produced, None when unsteered.
    rows_HP: float32 (H, P): attention of each tracked head from the row that produced this token to each
        image token, after steering; None when no head was tracked.
    ms: wall time that the token took, in milliseconds.
    """

    index: int
    token_id: int
    text: str
    logprob: float
    target: str | None = None
    rows_HP: NDArray[np.float32] | None = None
    ms: float = 0.0

    def __post_init__(self) -> None:
        if self.rows_HP is not None:
            object.__setattr__(self, "rows_HP", read_only(self.rows_HP, np.float32, "HP"))


@dataclass(frozen=True, eq=False)
class Account(HoldsArrays):
    """The rerouting ledger: where attention lay before and after the bias, by group of key positions.

    Mean over the steered heads and over the rows that produced answer tokens; "before" is the same head's
    unbiased softmax in the same pass.  before_G, after_G: float64 (5,), each sums to 1.
    """

    groups: tuple[str, ...]
    before_G: NDArray[np.float64]
    after_G: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("before_G", "after_G"):
            mass_G = read_only(getattr(self, name), np.float64, "G")
            if len(mass_G) != len(self.groups) or not abs(mass_G.sum() - 1) < 1e-3:
                raise ValueError(f"{name} must hold one mass for each of {self.groups} and sum to 1")
            object.__setattr__(self, name, mass_G)

    @classmethod
    def of(cls, before_G: ArrayLike, after_G: ArrayLike) -> Account:
        """Build the account of the five groups of domain.steering."""
        return cls(GROUP_NAMES, np.asarray(before_G), np.asarray(after_G))

    @property
    def gained_G(self) -> NDArray[np.float64]:
        """What each group gained (lost, where negative); sums to 0."""
        return self.after_G - self.before_G

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return {group: {"before", "after"}}."""
        pairs = zip(self.groups, self.before_G.tolist(), self.after_G.tolist(), strict=True)
        return {group: {"before": before, "after": after} for group, before, after in pairs}


@dataclass(frozen=True)
class Audit:
    """Proof that the bias arrived.

    n_heads: heads steered.  n_rows: biased query rows, summed over passes, counted once and not per head.
    n_target_tok: image tokens of the target (of the last one, when it switched).
    mass_before, mass_after: mean attention mass on the target over the ledger's rows, in [0, 1].
    """

    n_heads: int
    n_rows: int
    n_target_tok: int
    mass_before: float
    mass_after: float
    ledger: Account

    @classmethod
    def of(cls, n_heads: int, n_rows: int, n_target_tok: int, ledger: Account) -> Audit:
        """Build an audit whose target masses are the ledger's."""
        before, after = float(ledger.before_G[TARGET]), float(ledger.after_G[TARGET])
        return cls(n_heads, n_rows, n_target_tok, before, after, ledger)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {**vars(self), "ledger": self.ledger.to_json()}


@dataclass(frozen=True)
class RunRequest:
    """Everything that can change a run's result; from it alone a run can be repeated.

    model_path, model_fingerprint: where the model was, and what its weights were.
    attention: the attention path that computed it ("gazeviz/sdpa").
    image_sha256: of the picture's RGB pixels and size as the engine opened it.
    target_tokens: (region name, image tokens it selected) of each target, as it was then.
    versions: library name to version.
    """

    model_path: str
    model_fingerprint: str
    dtype: str
    device: str
    attention: str
    prompt: str
    image_sha256: str
    picture_size_px: tuple[int, int]
    fed_size_px: tuple[int, int]
    steering: Steering | None = None
    sampling: Sampling = Sampling()
    max_new_tokens: int = 60
    tracked: HeadSet = _NO_HEADS
    max_image_tokens: int | None = None
    target_tokens: tuple[tuple[str, tuple[int, ...]], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UserError(
                f"An answer cannot have {self.max_new_tokens} new tokens.", next_step="Choose at least one."
            )

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            **vars(self),
            "picture_size_px": list(self.picture_size_px),
            "fed_size_px": list(self.fed_size_px),
            "steering": self.steering and self.steering.to_json(),
            "sampling": self.sampling.to_json(),
            "tracked": self.tracked.to_json(),
            "target_tokens": [[name, list(tokens)] for name, tokens in self.target_tokens],
            "versions": dict(self.versions),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRequest:
        """Rebuild a request from `to_json()`."""
        return cls(
            **{
                **data,
                "picture_size_px": tuple(data["picture_size_px"]),
                "fed_size_px": tuple(data["fed_size_px"]),
                "steering": data["steering"] and Steering.from_json(data["steering"]),
                "sampling": Sampling(**data["sampling"]),
                "tracked": HeadSet.from_json(data["tracked"]),
                "target_tokens": tuple((name, tuple(tokens)) for name, tokens in data["target_tokens"]),
            }
        )


@dataclass(frozen=True, eq=False)
class Trajectory(HoldsArrays):
    """Attention mass per answer token and region, mean over the tracked heads.

    masses_TR: float32 (T, R), read-only.  Raw mass lies in [0, 1]; when `weighted`, each image token
    counts by the norm of its value vector and the unit is the model's own.
    """

    masses_TR: NDArray[np.float32]
    names: tuple[str, ...]
    weighted: bool = False

    def __post_init__(self) -> None:
        masses_TR = read_only(self.masses_TR, np.float32, "TR")
        if masses_TR.shape[1] != len(self.names):
            raise ValueError(f"{masses_TR.shape[1]} columns for regions {self.names}")
        object.__setattr__(self, "masses_TR", masses_TR)

    @property
    def leader_T(self) -> NDArray[np.int64]:
        """Index of the region with the largest mass at each answer token, int64 (T,)."""
        return np.asarray(self.masses_TR.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Run(HoldsArrays):
    """One finished generation.

    tokens: the answer's steps.  finish: the model stopped, the length was reached, or it was cancelled.
    audit: None when unsteered, or when no token was produced.
    value_norms_HP: float32 (H, P): norms of the tracked heads' value vectors at prefill, None if unknown.
    switches: (step, region name) of every change of target that took effect, "" for none.
    """

    request: RunRequest
    text: str
    tokens: tuple[Step, ...]
    finish: Finish
    audit: Audit | None
    tracked: HeadSet
    value_norms_HP: NDArray[np.float32] | None
    grid: TokenGrid
    switches: tuple[tuple[int, str], ...] = ()

    def __post_init__(self) -> None:
        if self.value_norms_HP is not None:
            object.__setattr__(self, "value_norms_HP", read_only(self.value_norms_HP, np.float32, "HP"))

    def __repr__(self) -> str:
        steering = self.request.steering
        how = f"steered at {steering.target.name!r}" if steering is not None else "unsteered"
        return f"Run({short(self.text)}, {len(self.tokens)} tokens, {self.finish}, {how})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return run_html(self)

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The answer's token ids."""
        return tuple(step.token_id for step in self.tokens)

    @property
    def rows_THP(self) -> NDArray[np.float32]:
        """Every step's rows, float32 (T, H, P); UserError when no head was tracked."""
        rows = self._kept_rows()
        rows_THP = np.empty((len(rows), len(self.tracked), self.grid.n_tokens), dtype=np.float32)
        for index, rows_HP in enumerate(rows):
            rows_THP[index] = rows_HP
        return rows_THP

    def watching(self, heads: HeadSet) -> Run:
        """Return the same run as if only these of its tracked heads had been tracked; KeyError for others."""
        place = {head: number for number, head in enumerate(self.tracked)}
        places = [place[head] for head in heads]
        norms_HP = self.value_norms_HP
        return replace(
            self,
            request=replace(self.request, tracked=heads),
            tracked=heads,
            value_norms_HP=None if norms_HP is None else norms_HP[places],
            tokens=tuple(
                step if step.rows_HP is None else replace(step, rows_HP=step.rows_HP[places])
                for step in self.tokens
            ),
        )

    @property
    def junk(self) -> Junk | None:
        """How the text is junk ("empty", "looping", "label only"), or None."""
        return junk_kind(self.text)

    def trajectory(
        self,
        regions: Sequence[Region],
        weighted: bool = False,
        rule: Rule | None = None,
        share: float | None = None,
    ) -> Trajectory:
        """Return the mass on each region at each answer token.

        rule, share: how regions select cells; left out, as the run's steering did ("centre" without).
        Raises UserError when no head was tracked, when value norms are missing for a weighted
        trajectory, and for regions that select no cell.
        """
        if weighted and self.value_norms_HP is None:
            raise UserError("This run kept no value norms.", next_step="Choose raw mass, or run it again.")
        steering = self.request.steering
        rule = rule or (steering.rule if steering else "centre")
        share = share or (steering.share if steering else 0.5)
        tokens = [self.grid.tokens(region, rule, share) for region in regions]
        norms_HP = self.value_norms_HP if weighted else None
        masses_TR = np.zeros((len(self.tokens), len(regions)), dtype=np.float32)
        # Step by step: a long run of many heads is hundreds of megabytes in one piece.
        for index, rows_HP in enumerate(self._kept_rows()):
            masses_TR[index] = mass_by_region(rows_HP[None], tokens, norms_HP)
        return Trajectory(masses_TR, tuple(region.name for region in regions), weighted)

    def _kept_rows(self) -> list[NDArray[np.float32]]:
        rows = [step.rows_HP for step in self.tokens if step.rows_HP is not None]
        if not len(self.tracked) or len(rows) != len(self.tokens):
            raise UserError(
                "This run kept no attention.", next_step="Run it again and choose heads to track."
            )
        return rows


def mass_by_region(
    rows_THP: NDArray[np.float32],
    tokens_by_region: Sequence[ArrayLike],
    value_norms_HP: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Sum attention over each region's image tokens, mean over heads: float32 (T, R).

    tokens_by_region: image-token indices of each region.
    value_norms_HP: when given, each weight is multiplied by the norm of its value vector
        (Kobayashi et al. 2020, "Attention is Not Only a Weight").
    Raises ValueError when there is no head to average over.
    """
    if rows_THP.shape[1] == 0:
        raise ValueError("no head to average over")
    weights_THP = rows_THP if value_norms_HP is None else rows_THP * value_norms_HP
    mean_TP = weights_THP.mean(axis=1, dtype=np.float64)
    masses_TR = np.zeros((len(mean_TP), len(tokens_by_region)), dtype=np.float32)
    for number, tokens in enumerate(tokens_by_region):
        masses_TR[:, number] = mean_TP[:, np.asarray(tokens, dtype=np.int64)].sum(axis=1)
    return masses_TR


def first_difference(before: Sequence[int], now: Sequence[int]) -> int | None:
    """Return where two answers part, None where they are the same; one that is longer parts at its end."""
    for index, (one, other) in enumerate(zip(before, now, strict=False)):
        if one != other:
            return index
    return None if len(before) == len(now) else min(len(before), len(now))
