"""Runs and pictures made up for tests of reports: consistent with themselves, no model behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadOrigin, HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, RunResult, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, RunRequest
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.render.report.report import Report, ReportedPicture, Sources, make_report

SIZE_PX = (120, 40)
GRID = TokenGrid.plain((4, 12), SIZE_PX, SIZE_PX)
PANELS = panel_regions(Layout(1, 3), *SIZE_PX)
CHOSEN = HeadSet.of("L1H2,L0H3", HeadOrigin("top", "mass", 2))
CONTROL = HeadSet.of("L0H0,L1H1", HeadOrigin("random", "mass", 2, 0, "all"))
HOSTILE = "<script>alert('x')</script> \"q\" =1+1 😀 $x^$ | **b** `c` & [a](http://b) \x1b[31m\u202e"
MODEL = ModelInfo(
    "comic", "/models/comic", "qwen3_vl", (2, 4), np.ones((2, 4), dtype=bool), "cpu", "float32", None, "f0f0",
    64, n_parameters=3_900_000,
)  # fmt: skip
RANKING = HeadRanking(
    "mass", np.arange(8, dtype=float).reshape(2, 4) / 8, 12, np.full((2, 4, 3, 3), 0.25), model="comic"
)


@dataclass
class MadeRun:
    """A run of a log."""

    id: int
    spec: GenerateSpec
    steps: tuple[StepArrived, ...]
    summary: RunResult | None = None
    state: str = "done"
    message: str = ""
    session_id: int = 1
    model: ModelInfo = MODEL
    started_s: float = 1.8e9
    side: Side = field(init=False)

    def __post_init__(self) -> None:
        self.side = self.spec.side


def made_steps(
    texts: tuple[str, ...],
    looks: tuple[int, ...],
    regions: tuple[Region, ...] = PANELS,
    targets: tuple[str | None, ...] = (),
    grid: TokenGrid = GRID,
    with_control: bool = True,
) -> tuple[StepArrived, ...]:
    """Tokens that look at one region each; masses are sums of their maps."""
    rng = np.random.default_rng(0)
    steps = []
    for index, (text, look) in enumerate(zip(texts, looks, strict=True)):
        map_P = rng.random(grid.n_tokens).astype(np.float32) * 0.01
        if regions:
            map_P[grid.tokens(regions[look])] += 0.05
        masses_R = np.array([map_P[grid.tokens(region)].sum() for region in regions], dtype=np.float32)
        steps.append(
            StepArrived(
                1, index, 100 + index, text, -0.5, 3.0, targets[index] if targets else None, masses_R,
                masses_R * 2, masses_R * np.float32(0.3) if with_control else None, map_P,
                look if regions else None,
            )
        )  # fmt: skip
    return tuple(steps)


def made_run(
    number: int = 1,
    steering: Steering | None = None,
    prompt: str = "What is happening?",
    texts: tuple[str, ...] = ("a", " cat", " eats", "."),
    looks: tuple[int, ...] = (0, 1, 1, 2),
    regions: tuple[Region, ...] = PANELS,
    picture: str = "ab",
    ended: bool = True,
) -> MadeRun:
    """A run, its summary and audit included."""
    spec = GenerateSpec(
        picture, prompt, steering, max_new_tokens=9, chosen=CHOSEN, control=CONTROL, regions=regions
    )
    targets = tuple(steering.target_at(index) for index in range(len(texts))) if steering else ()
    names = tuple(target.name if target else None for target in targets)
    steps = made_steps(texts, looks, regions, names)
    if not ended:
        return MadeRun(number, spec, steps, None, "lost", "The worker was ended by SIGKILL.")
    request = RunRequest(
        MODEL.path, MODEL.fingerprint, "float32", "cpu", "gazeviz/sdpa", prompt, picture, SIZE_PX, SIZE_PX,
        steering, max_new_tokens=9, max_image_tokens=64, versions={"gazeviz": "0.1.0", "torch": "2.13.0"},
    )  # fmt: skip
    ledger = Account.of([0.1, 0.2, 0.4, 0.2, 0.1], [0.05, 0.1, 0.05, 0.7, 0.1])
    audit = Audit.of(2, 30, 16, ledger) if steering else None
    summary = RunResult("".join(texts), "stop", None, audit, (), 0.5, len(texts), "f0f0", request)
    return MadeRun(number, spec, steps, summary)


def made_picture(name: str = "strip.png", path: str | None = "/pictures/strip.png") -> ReportedPicture:
    """A picture of many colours."""
    rng = np.random.default_rng(1)
    return ReportedPicture(name, rng.integers(256, size=(SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8), path)


SOURCES = Sources(
    picture=lambda _: made_picture(),
    ranking=lambda _: RANKING,
    note=lambda run: f"note {run.id}",
    verdict=lambda run: f"Panel {run.id} ✓ (captions)",
)


def made_report(*runs: MadeRun, sources: Sources = SOURCES, title: str = "A session") -> Report:
    """A report of runs; of a baseline and a steered one where none are given."""
    pair = (made_run(1), made_run(2, Steering(CHOSEN, PANELS[1])))
    return make_report(runs or pair, sources, title, 1.8e9)


def hostile_report() -> Report:
    """A report in which every text that anybody may write is hostile."""
    regions = tuple(
        Region(f"{name}{HOSTILE}", panel.mask_HW, colour)
        for name, panel, colour in zip("=+-", PANELS, ("red;}</style><script>", None, "#zzzzzz"), strict=True)
    )
    run = made_run(
        3,
        Steering(CHOSEN, regions[1]),
        HOSTILE,
        ("=1+1", HOSTILE, "@x", "\t-2\n"),
        (0, 1, 1, 2),
        regions,
        "cd",
    )
    lost = made_run(4, None, HOSTILE, regions=regions, picture="cd", ended=False)
    lost.message = HOSTILE
    picture = made_picture(f"={HOSTILE}.png", f"/pictures/{HOSTILE}.png")
    sources = Sources(
        lambda _: picture, lambda _: RANKING, note=lambda _: f"=2+5 {HOSTILE}", verdict=lambda _: HOSTILE
    )
    return make_report([run, lost], sources, f"@{HOSTILE}", 1.8e9)
