"""Random things to log: every field is varied, awkward texts and numbers included."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from PIL import Image

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import ORIGIN_KINDS, Head, HeadOrigin, HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, Recommended, RunResult, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, RunRequest, Sampling
from gazeviz.domain.steering import MODES, SCOPES, Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions

_T = TypeVar("_T")
SIZE_PX = (37, 23)
TEXTS = (
    "", "What is happening in the cat's panel?", '<script>alert("x")</script>', "=1+1", "🦒 giraffe 🧭",
    "half a pair \ud83e here", "nul \0 inside", "line\nbreak\ttab", "“quotes” 'single' \"double\"",
    "ünïcödé 漢字",     "%_\\ wild", "a" * 500,
)  # fmt: skip
FINGERPRINT = "f00dfeed"
SPEC = GenerateSpec("ab", "What?", regions=panel_regions(Layout(1, 2), 64, 32))


def tiny_info(fingerprint: str = FINGERPRINT, name: str = "toy") -> ModelInfo:
    """A model with one head."""
    present = np.ones((1, 1), dtype=bool)
    return ModelInfo(name, "/models/toy", "toy", (1, 1), present, "cpu", "float32", None, fingerprint, 64)


def plain_step(index: int, n_regions: int = 2, n_tok: int = 64) -> StepArrived:
    """A token " wN" with masses and a map that only depend on its index."""
    values_R = np.full(n_regions, 1 / (index + 3), dtype=np.float32)
    map_P = np.linspace(0, 1 / (index + 1), n_tok, dtype=np.float32)
    return StepArrived(
        1, index, 7 + index, f" w{index}", -0.1, 1.5, "Panel 1", values_R, values_R, None, map_P, 0
    )


def png(size_px: tuple[int, int], seed: int = 0) -> bytes:
    """A picture of noise as a file holds it."""
    pixels = np.random.default_rng(seed).integers(0, 255, (*size_px[::-1], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Samples:
    """Draws them from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, choices: Sequence[_T]) -> _T:
        """One of them."""
        return choices[int(self.rng.integers(len(choices)))]

    def text(self) -> str:
        """A text that is awkward half of the time."""
        return self.one(TEXTS) if self.rng.random() < 0.5 else f"word{self.rng.integers(10**6)}"

    def flip(self) -> bool:
        """Heads or tails."""
        return bool(self.rng.random() < 0.5)

    def region(self) -> Region:
        """A painted region."""
        mask_HW = self.rng.random(SIZE_PX[::-1]) < self.rng.random()
        mask_HW[self.rng.integers(SIZE_PX[1]), self.rng.integers(SIZE_PX[0])] = True
        return Region(self.text(), mask_HW, self.one(("#0072B2", None, "#ffffff")))

    def regions(self, most: int = 4) -> tuple[Region, ...]:
        """Some regions."""
        return tuple(self.region() for _ in range(self.rng.integers(most + 1)))

    def head_set(self, least: int = 0) -> HeadSet:
        """Some heads with any origin."""
        n = int(self.rng.integers(least, 9))
        heads = tuple(Head(int(layer), int(index)) for layer, index in self.rng.integers(0, 40, (n, 2)))
        kind = self.one(ORIGIN_KINDS)
        origin = HeadOrigin(kind, self.text(), n, 5, "lower_half") if self.flip() else HeadOrigin(kind)
        return HeadSet(heads, origin)

    def steering(self) -> Steering:
        """A steering, with a schedule half of the time."""
        targets = (*(self.region() for _ in range(3)), None)
        switches = tuple((step, self.one(targets)) for step in (0, 4, 9)[int(self.rng.integers(2)) :])
        return Steering(
            heads=self.head_set(least=1),
            target=self.region(),
            mode=self.one(MODES),
            strength=self.one(("hard", "hard_uniform", 0.0, 8.0, float(self.rng.random()))),
            scope=self.one(SCOPES),
            alpha=1 - float(self.rng.random()),
            rule=self.one(("centre", "share")),
            share=1 - float(self.rng.random()),
            schedule=Schedule(switches) if self.flip() else None,
        )

    def sampling(self) -> Sampling:
        """A way to choose tokens."""
        way = Sampling(float(self.rng.random()), 1 - float(self.rng.random()), int(self.rng.integers(2**31)))
        return replace(way, repetition_penalty=1.2, no_repeat_ngram_tok=3) if way.seed % 2 else way

    def spec(self) -> GenerateSpec:
        """What is asked of a run."""
        return GenerateSpec(
            picture_sha256=f"{self.rng.integers(2**62):064x}",
            prompt=self.text(),
            steering=self.steering() if self.flip() else None,
            sampling=self.sampling(),
            max_new_tokens=int(self.rng.integers(1, 400)),
            chosen=self.head_set(),
            control=self.head_set() if self.flip() else None,
            regions=self.regions(),
            rule=self.one(("centre", "share")),
            share=1 - float(self.rng.random()),
        )

    def floats(self, n: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 (n,) of any size, the smallest and the odd ones among them."""
        bits = self.rng.integers(0, 2**32, n, dtype=np.uint32)
        return np.where(self.rng.random(n) < 0.8, self.rng.random(n), bits.view(np.float32)).astype(
            np.float32
        )

    def step(self, index: int) -> StepArrived:
        """A token."""
        n_regions = int(self.rng.integers(5))
        return StepArrived(
            job=int(self.rng.integers(1000)),
            index=index,
            token_id=int(self.rng.integers(2**31)),
            text=self.text(),
            logprob=self.one((-float(self.rng.random()), 0.0, float("-inf"), float("nan"))),
            ms=float(self.rng.random() * 1000),
            target=self.text() if self.flip() else None,
            masses_R=self.floats(n_regions),
            weighted_R=self.floats(n_regions),
            control_R=self.floats(n_regions) if self.flip() else None,
            map_P=self.floats(int(self.rng.integers(100))),
            looks_at=int(self.rng.integers(5)) if self.flip() else None,
        )

    def audit(self) -> Audit:
        """A proof that the bias arrived."""
        before, after = self.rng.dirichlet(np.ones(5)), self.rng.dirichlet(np.ones(5))
        n_heads, n_rows, n_tok = (int(number) for number in self.rng.integers(0, 1000, 3))
        ledger = Account.of(before, after)
        return Audit(n_heads, n_rows, n_tok, float(before[3]), float(after[3]), ledger)

    def summary(self) -> RunResult:
        """What became of a run."""
        return RunResult(
            text=self.text(),
            finish=self.one(("stop", "length", "cancelled")),
            junk=self.one((None, "looping", "empty")),
            audit=self.audit() if self.flip() else None,
            switches=tuple((step, self.text()) for step in range(int(self.rng.integers(4)))),
            seconds=float(self.rng.random() * 100),
            n_tok=int(self.rng.integers(300)),
            fingerprint=self.text(),
            request=self.request(),
            grid=self.grid() if self.flip() else None,
        )

    def grid(self) -> TokenGrid:
        """A token grid: plain, or of any cells, those without a place among them."""
        if self.flip():
            return TokenGrid.plain((4, 6), SIZE_PX, (64, 48), self.text())
        boxes_P4 = self.rng.random((int(self.rng.integers(1, 90)), 4)) * 30
        boxes_P4[self.rng.random(len(boxes_P4)) < 0.2] = np.nan
        return TokenGrid(boxes_P4, SIZE_PX, (64, 48), None, self.text())

    def request(self) -> RunRequest:
        """Everything that can change a result."""
        tokens = tuple(int(token) for token in self.rng.integers(0, 1280, 5))
        return RunRequest(
            model_path=self.text(),
            model_fingerprint=self.text(),
            dtype="float32",
            device="cpu",
            attention="gazeviz/sdpa",
            prompt=self.text(),
            image_sha256=self.text(),
            picture_size_px=SIZE_PX,
            fed_size_px=(64, 48),
            steering=self.steering() if self.flip() else None,
            sampling=self.sampling(),
            max_new_tokens=int(self.rng.integers(1, 400)),
            tracked=self.head_set(),
            max_image_tokens=self.one((None, 1280)),
            target_tokens=((self.text(), tokens), (self.text(), ())),
            versions={"torch": "2.13.0", self.text(): self.text()},
        )

    def ranking(self, shape_LH: tuple[int, int] = (3, 4), halves: bool = True) -> HeadRanking:
        """A ranking with gaps, with matrix and halves half of the time."""
        scores_LH = self.rng.normal(size=shape_LH)
        scores_LH[self.rng.random(shape_LH) < 0.2] = np.nan
        return HeadRanking(
            self.text(),
            scores_LH,
            self.one((None, 25)),
            self.rng.random((*shape_LH, 6, 6)) if self.flip() else None,
            (self.ranking(shape_LH, False), self.ranking(shape_LH, False))
            if halves and self.flip()
            else None,
            self.one((None, self.text())),
        )

    def info(self) -> ModelInfo:
        """A model."""
        present_LH = self.rng.random((3, 4)) < 0.8
        ranking = self.ranking()
        return ModelInfo(
            name=self.text(),
            path=self.text(),
            family=self.text(),
            shape_LH=(3, 4),
            heads_present_LH=present_LH,
            device="cpu",
            dtype="float32",
            why_not_gpu=self.one((None, self.text())),
            fingerprint=f"{self.rng.integers(2**62):x}",
            max_image_tok=1280,
            default_ranking=self.one((None, ranking)),
            recommended=self.one((None, Recommended(4), Recommended(9, "mass", "hard", "decode_only", 0.5))),
            rankings=cast("dict[str, HeadRanking]", {"mass": ranking, self.text(): self.ranking()}),
            n_parameters=int(self.rng.integers(2**40)),
            context_tok=2048,
            recommended_moving=self.one((None, Recommended(24, scope="decode_only"))),
            special_tokens={int(self.rng.integers(2**18)): self.text() for _ in range(3)},
        )


def alike(a: Any, b: Any) -> bool:
    """Whether two values are the same to the last bit, arrays and dataclasses within them included."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            and np.array_equal(np.signbit(a), np.signbit(b))
            if a.dtype.kind == "f"
            else np.array_equal(a, b)
        )
    if isinstance(a, Region):
        return bool(a == b)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(
            alike(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__
        )
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and (a == b or (a != a and b != b))
    return type(a) is type(b) and bool(a == b)
