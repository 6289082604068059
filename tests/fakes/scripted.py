"""A scripted model: 8 layers x 8 heads that behave like a real one on a screen, in numpy and in no time.

It says what the place shows that its gaze heads look at, so steering and retargeting change its text with the
next token; heads that are not gaze heads can be steered without any effect on the text. Deterministic. For
tests of screens and of the worker's loop; nothing that it says is about the picture.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.backend.engine_adapter import LoadProgress, OpenedPicture, RankProgress, decoded_image
from gazeviz.domain.experiments.head_examples import HeadExample, HeadExamples, TokenLook, choose_looks
from gazeviz.domain.experiments.head_metrics import METRICS, HeadEffect, HeadMetrics
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import (
    GenerateSpec,
    LoadModel,
    ModelInfo,
    PictureSource,
    Recommended,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, Finish, Run, RunRequest, Step
from gazeviz.domain.steering import (
    DECODED,
    FIRST,
    OTHER_IMAGE,
    PROMPT_TEXT,
    TARGET,
    HeadMeans,
    Schedule,
    Steering,
)
from gazeviz.errors import Cancelled, UserError

SHAPE_LH: Final = (8, 8)
MAX_IMAGE_TOK: Final = 64
N_PLACES: Final = 6
"""Places from left to right that the script can speak of."""

GAZE_HEADS: Final = tuple(Head(layer, index) for layer in (3, 4, 5) for index in (1, 4, 6))
"""The heads that decide what is said."""

SAYINGS: Final = (
    ("in", " the", " snow", ",", " red", " cat", " sleeps", "."),
    ("by", " the", " sea", ",", " blue", " fish", " swims", "."),
    ("in", " the", " woods", ",", " green", " bird", " sings", "."),
    ("in", " the", " city", ",", " black", " dog", " runs", "."),
    ("at", " the", " farm", ",", " white", " horse", " eats", "."),
    ("on", " the", " moon", ",", " grey", " robot", " waves", "."),
)
"""What is said of each place, a token each; all of one length."""

END_ID: Final = 2
SPECIAL_TOKENS: Final = {END_ID: "<|end|>"}
"""As a tokenizer names them."""

RANKINGS: Final = (
    "mass",
    "selectivity",
    "tracking",
    "causal",
    "image_heads",
    "localization",
    "localization_by_question",
)

_N_SAID: Final = len(SAYINGS[0])
_SINK, _TEXT = 0.25, 0.15  # of every row's attention: first token, prompt text; the rest is the image's
_IMAGE = 1 - _SINK - _TEXT


@dataclass(frozen=True)
class Script:
    """How the scripted model behaves.

    load_s, token_s, strip_s: how long loading, a token and a strip take.
    wait: lets that time pass; called for every token and strip, and ten times while loading.
    failures: raised instead of the second token of an answer to these prompts.
    ranking: whether the model comes with rankings.
    end_token: whether an answer's last token ends it and adds no text, as a real model's does.
    """

    load_s: float = 0.0
    token_s: float = 0.0
    strip_s: float = 0.0
    failures: Mapping[str, Exception] = field(default_factory=dict)
    ranking: bool = True
    end_token: bool = False
    wait: Callable[[float], object] = time.sleep

    def load(
        self, request: LoadModel, make_room: Callable[[], None], progress: LoadProgress
    ) -> ScriptedModel:
        """Load the scripted model, whatever the source but for "missing" (engine_adapter.Load)."""
        if request.source == "missing":
            raise UserError("There is no model folder missing.", next_step="Choose another folder.")
        make_room()
        for part in range(11):
            progress("loading the scripted model", part / 10)
            self.wait(self.load_s / 10)
        return ScriptedModel(self, request)


class ScriptedModel:
    """The scripted model, as gazeviz.backend.engine_adapter.Machine."""

    def __init__(self, script: Script, request: LoadModel) -> None:
        self._script = script
        self._request = request

    def info(self) -> ModelInfo:
        """A model of 64 heads, with rankings that have the gaze heads on top."""
        names = RANKINGS if self._script.ranking else ()
        rankings = {name: HeadRanking(name, _scores_LH(name, 1.0)) for name in names}
        return ModelInfo(
            name="scripted",
            path=self._request.source or "scripted",
            family="scripted",
            shape_LH=SHAPE_LH,
            heads_present_LH=np.ones(SHAPE_LH, dtype=bool),
            device="cpu",
            dtype="float32",
            why_not_gpu="A scripted model needs none.",
            fingerprint="5c" * 32,
            max_image_tok=MAX_IMAGE_TOK,
            default_ranking=rankings.get("mass"),
            recommended=Recommended(len(GAZE_HEADS)) if rankings else None,
            rankings=rankings,
            special_tokens=SPECIAL_TOKENS,
        )

    def open_picture(self, source: PictureSource, max_image_tok: int | None) -> OpenedPicture:
        """Decode a picture as the engine does."""
        return OpenedPicture(decoded_image(source), max_image_tok)

    def lay_out(self, picture: OpenedPicture) -> tuple[TokenGrid, NDArray[np.uint8]]:
        """Square cells, as many as allowed and a column for each place at least; fed 16 px a cell."""
        image, max_tok = picture.image, picture.max_image_tok or MAX_IMAGE_TOK
        columns = min(max_tok, max(N_PLACES, int(math.sqrt(max_tok * image.width / image.height))))
        rows = max(1, min(max_tok // columns, round(columns * image.height / image.width)))
        fed = image.resize((16 * columns, 16 * rows))
        grid = TokenGrid.plain((rows, columns), image.size, fed.size, "A scripted grid.")
        return grid, np.asarray(fed, dtype=np.uint8)

    def all_heads(self) -> HeadSet:
        """All 64."""
        return HeadSet.all(SHAPE_LH)

    def stream(self, picture: OpenedPicture, spec: GenerateSpec, track: HeadSet) -> ScriptedStream:
        """Begin an answer; UserErrors for an empty prompt, and heads and targets that do not fit."""
        if not spec.prompt.strip():
            raise UserError("The prompt is empty.", next_step="Write a prompt.")
        for heads in (track, spec.chosen, spec.steering.heads if spec.steering else HeadSet(())):
            heads.check(SHAPE_LH)
        return ScriptedStream(self._script, spec, track, self.lay_out(picture)[0])

    def rank(
        self,
        source: StripsSource,
        by: tuple[str, ...],
        *,
        progress: RankProgress,
        cancelled: Callable[[], bool],
        on_partial: Callable[[HeadRanking], None],
    ) -> Mapping[str, HeadRanking]:
        """Rank the heads, sharper with every strip."""
        unknown = [name for name in by if name not in RANKINGS]
        if unknown:
            raise UserError(f"There is no head ranking {unknown[0]!r}.", next_step=f"Choose of {RANKINGS}.")
        n = source.n or 4
        progress(0, n, None)
        rankings: dict[str, HeadRanking] = {}
        for done in range(1, n + 1):
            if cancelled():
                raise Cancelled("The discovery was cancelled.")
            self._script.wait(self._script.strip_s)
            for name in by:
                halves = tuple(HeadRanking(name, _scores_LH(name, part)) for part in (0.9, 1.0))
                scores_LH = _scores_LH(name, done / n)
                rankings[name] = HeadRanking(name, scores_LH, done, None, (halves[0], halves[1]), "scripted")
                on_partial(rankings[name])
            progress(done, n, (n - done) * self._script.strip_s)
        return rankings

    def measure_heads(
        self,
        pictures: str,
        prompt: str,
        effects_of: tuple[HeadSet, ...],
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMetrics:
        """Four pictures; metrics that rise from head to head, effects of minus and plus one."""
        n, shape_LH = 4, self.info().shape_LH
        for done in range(1, n + 1):
            if cancelled():
                raise Cancelled("The measurement of the heads was cancelled.")
            self._script.wait(self._script.strip_s)
            progress(done, n)
        rising_LH = np.linspace(0.1, 0.9, shape_LH[0] * shape_LH[1]).reshape(shape_LH)
        values = np.stack([rising_LH * (place + 1) / n for place in range(n)]).astype(np.float32)
        effects = tuple(
            effect
            for heads in effects_of
            for effect in (
                HeadEffect(heads, "knocked_out", -1.0, -1.5, -0.5, n),
                HeadEffect(heads, "steered", 1.0, 0.5, 1.5, n),
            )
        )
        names = tuple(f"strip {place + 1}" for place in range(n))
        return HeadMetrics(dict.fromkeys(METRICS, values), names, prompt, pictures, "scripted", effects)

    def collect_examples(
        self,
        head: Head,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadExamples:
        """Four pictures of forty tokens, whose masses rise from 0 to 1."""
        for done in range(1, 5):
            if cancelled():
                raise Cancelled("Collecting examples was cancelled.")
            self._script.wait(self._script.strip_s)
            progress(done, 4)
        looks = [TokenLook(token % 4, token // 4, token % 6, token / 160) for token in range(160)]
        shown = tuple(
            HeadExample(
                group, f"strip {look.picture + 1}", "the red ", "cat", " jumps", look.region,
                f"Panel {look.region + 1}", look.mass, np.full((2, 12), look.mass),
                np.full((24, 144, 3), 40 * look.picture, dtype=np.uint8),
            )
            for group, some in choose_looks(looks).items()
            for look in some
        )  # fmt: skip
        masses = np.array([look.mass for look in looks], dtype=np.float32)
        return HeadExamples(head, pictures, prompt, 4, masses, shown)

    def measure_means(
        self,
        heads: HeadSet,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMeans:
        """Four pictures; each head puts out its own number, four times."""
        for done in range(1, 5):
            if cancelled():
                raise Cancelled("The measurement of mean outputs was cancelled.")
            self._script.wait(self._script.strip_s)
            progress(done, 4)
        rows = np.repeat([[8 * head.layer + head.index] for head in heads], 4, axis=1)
        return HeadMeans(HeadSet(heads.heads), 4, rows.astype("<f4").tobytes(), pictures)

    def release_memory(self) -> None:
        """There is none to release."""


class ScriptedStream:
    """A scripted answer while it is written."""

    def __init__(self, script: Script, spec: GenerateSpec, track: HeadSet, grid: TokenGrid) -> None:
        self._script, self._spec, self._track, self._grid = script, spec, track, grid
        self.revised: Callable[[], bool] | None = None
        self._steps: list[Step] = []
        self._finish: Finish | None = None
        self._moves: dict[int, Region | None] = {}
        self._ledger: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        narrating = any(word in spec.prompt.lower() for word in ("each", "narrat", "panels"))
        self._n_said = _N_SAID * (N_PLACES if narrating else 1)
        if spec.steering:
            self._tokens_of(spec.steering.target)

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._finish is not None:
            raise StopIteration
        index = len(self._steps)
        if index == 1 and self._spec.prompt in self._script.failures:
            raise self._script.failures[self._spec.prompt]
        started = time.perf_counter()
        self._script.wait(self._script.token_s)
        if index and self.revised is not None and self.revised():
            self._script.wait(self._script.token_s)
        target = self._target(index)
        place = self._place(index, target)
        token_id, text = self._said(index, place)
        rows_HP = self._rows(index, place, target)
        ms = (time.perf_counter() - started) * 1000
        name = target.name if target else None
        step = Step(index, token_id, text, -0.1, name, rows_HP, ms)
        self._steps.append(step)
        if index + 1 == self._n_said + self._script.end_token:
            self._finish = "stop"
        elif index + 1 == self._spec.max_new_tokens:
            self._finish = "length"
        return step

    def retarget(self, region: Region | None) -> None:
        """Point the steered heads elsewhere from the next token on; UserErrors as the engine's."""
        if self._spec.steering is None:
            raise UserError("This answer is not steered.", next_step="Start it with a steering.")
        if region is not None:
            self._tokens_of(region)
        self._moves[len(self._steps)] = region

    def cancel(self) -> None:
        """Stop before the next token."""
        self._finish = self._finish or "cancelled"

    def run(self) -> Run:
        """The run so far."""
        n_cells = self._grid.n_tokens
        norms_HP = np.array([1 + head.index / 8 for head in self._track], dtype=np.float32)[:, None]
        steering = self._as_it_happened()
        request = RunRequest(
            model_path="scripted",
            model_fingerprint="5c" * 32,
            dtype="float32",
            device="cpu",
            attention="scripted",
            prompt=self._spec.prompt,
            image_sha256=self._spec.picture_sha256,
            picture_size_px=self._grid.picture_size_px,
            fed_size_px=self._grid.fed_size_px,
            steering=steering,
            sampling=self._spec.sampling,
            max_new_tokens=self._spec.max_new_tokens,
            tracked=self._track,
            versions={"gazeviz": "scripted"},
        )
        return Run(
            request=request,
            text="".join(step.text for step in self._steps),
            tokens=tuple(self._steps),
            finish=self._finish or "cancelled",
            audit=self._audit(),
            tracked=self._track,
            value_norms_HP=np.repeat(norms_HP, n_cells, axis=1),
            grid=self._grid,
            switches=self._switches(),
        )

    def _turns(self) -> dict[int, Region | None]:
        """The target from each step on: moved by hand or by the schedule, which wins at its own steps."""
        steering = self._spec.steering
        if steering is None:
            return {}
        planned = steering.schedule.switches if steering.schedule else ()
        return {0: steering.target, **self._moves, **dict(planned)}

    def _target(self, index: int) -> Region | None:
        """The steered heads' target at a token."""
        reached = [(step, region) for step, region in self._turns().items() if step <= index]
        return max(reached, key=lambda turn: turn[0])[1] if reached else None

    def _said(self, index: int, place: int) -> tuple[int, str]:
        """A token's id and text: the next word about a place, or the end."""
        if index == self._n_said:
            return END_ID, ""
        word = index % _N_SAID
        gap = " " if word == 0 and index else ""
        return 100 + place * _N_SAID + word, gap + SAYINGS[place][word]

    def _place(self, index: int, target: Region | None) -> int:
        """What is spoken of: the target's place if gaze heads are steered, else place after place."""
        steering = self._spec.steering
        if target is None or steering is None or not _rules(steering):
            return index // _N_SAID % N_PLACES
        x0, _, x1, _ = self._grid.boxes_of(self._tokens_of(target)).mean(axis=0)
        return int(min(N_PLACES - 1, (x0 + x1) / 2 / self._grid.picture_size_px[0] * N_PLACES))

    def _tokens_of(self, region: Region) -> NDArray[np.int64]:
        steering = self._spec.steering
        rule, share = (steering.rule, steering.share) if steering else ("centre", 0.5)
        return self._grid.tokens(region, rule, share)

    def _rows(self, index: int, place: int, target: Region | None) -> NDArray[np.float32]:
        """Rows of the tracked heads; the steered ones' before and after go into the ledger."""
        x_P = self._grid.boxes_P4[:, ::2].mean(axis=1) / self._grid.picture_size_px[0] * N_PLACES
        there_P = _normed((x_P.astype(np.int64) == place).astype(np.float64))
        rows_HP = np.stack([self._natural_P(head, index, there_P) for head in self._track])
        steering = self._spec.steering
        if target is not None and steering is not None:
            tokens = self._tokens_of(target)
            steered_H = np.array([head in steering.heads for head in self._track])
            before_P = rows_HP[steered_H].mean(axis=0)
            kept = _kept_share(steering)
            rows_HP[steered_H] *= kept
            rows_HP[np.ix_(steered_H, tokens)] += (1 - kept) * _IMAGE / len(tokens)
            after_P = rows_HP[steered_H].mean(axis=0)
            self._ledger.append((_by_group(before_P, tokens), _by_group(after_P, tokens)))
        return rows_HP.astype(np.float32)

    def _natural_P(self, head: Head, index: int, there_P: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a head looks by itself: gaze heads at what is spoken of, others anywhere."""
        noise_P = np.random.default_rng((head.layer, head.index, index)).random(len(there_P))
        if head in GAZE_HEADS:
            return _IMAGE * (0.8 * there_P + 0.2 * _normed(noise_P))
        return _IMAGE * _normed(noise_P**2)

    def _switches(self) -> tuple[tuple[int, str], ...]:
        return tuple(
            (step.index, step.target or "")
            for before, step in pairwise(self._steps)
            if step.target != before.target
        )

    def _as_it_happened(self) -> Steering | None:
        """The steering with the targets that were moved by hand as its schedule."""
        steering = self._spec.steering
        if steering is None or not self._moves:
            return steering
        turns = sorted(self._turns().items(), key=lambda turn: turn[0])
        return replace(steering, schedule=Schedule(tuple(turns)))

    def _audit(self) -> Audit | None:
        steering = self._spec.steering
        if steering is None or not self._ledger:
            return None
        before_G, after_G = np.mean(self._ledger, axis=0)
        target = next((self._target(step.index) for step in reversed(self._steps) if step.target), None)
        n_target_tok = len(self._tokens_of(target or steering.target))
        return Audit.of(len(steering.heads), len(self._ledger), n_target_tok, Account.of(before_G, after_G))


def _rules(steering: Steering) -> bool:
    """Whether a steering decides what is said: strong enough, and on a third of the gaze heads at least."""
    n_gaze = sum(head in steering.heads for head in GAZE_HEADS)
    return n_gaze >= len(GAZE_HEADS) / 3 and _kept_share(steering) < 0.5


def _kept_share(steering: Steering) -> float:
    """What a steered row keeps of its own attention to the picture."""
    if steering.mode == "mass":
        return 1 - steering.alpha
    return 0.0 if isinstance(steering.strength, str) else math.exp(-steering.strength / 4)


def _normed(values_P: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values_P / max(float(values_P.sum()), 1e-12))


def _by_group(mean_P: NDArray[np.float64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    mass_G = np.zeros(5)
    mass_G[TARGET] = mean_P[tokens].sum()
    mass_G[OTHER_IMAGE] = mean_P.sum() - mass_G[TARGET]
    mass_G[FIRST], mass_G[PROMPT_TEXT], mass_G[DECODED] = _SINK, _TEXT, 0.0
    return np.asarray(mass_G / mass_G.sum())


def _scores_LH(name: str, sharpness: float) -> NDArray[np.float64]:
    """Scores in [0, 1): noise of each ranking's own, and the gaze heads above it."""
    seed: Any = list(name.encode())
    scores_LH = 0.3 * np.random.default_rng(seed).random(SHAPE_LH)
    for head in GAZE_HEADS:
        scores_LH[head.layer, head.index] += 0.6 * sharpness
    return np.asarray(scores_LH)
