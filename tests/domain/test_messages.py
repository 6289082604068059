"""Messages: each crosses a pipe unchanged, and holds nothing that can be changed on the way."""

import dataclasses
import pickle
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from gazeviz.domain import messages
from gazeviz.domain.experiments.head_examples import HeadExample, HeadExamples
from gazeviz.domain.experiments.head_messages import (
    CollectExamples,
    ExamplesCollected,
    HeadsMeasured,
    MeansMeasured,
    MeasureHeads,
    MeasureMeans,
)
from gazeviz.domain.experiments.head_metrics import METRICS, HeadEffect, HeadMetrics
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import (
    AskGallery,
    AskMap,
    AskMass,
    AskModels,
    Cancel,
    Discover,
    Failed,
    GalleryReady,
    Generate,
    GenerateSpec,
    Hello,
    JobCancelled,
    JobProgress,
    KeepFile,
    ListedDevice,
    ListedModel,
    LoadModel,
    MapReady,
    MassReady,
    ModelForgotten,
    ModelInfo,
    ModelLoaded,
    ModelsListed,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingPartial,
    RankingsFinished,
    Ready,
    Recommended,
    Refused,
    Retarget,
    RunFinished,
    RunResult,
    Shutdown,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.model_files import StoredWeights
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, Run, RunRequest, Sampling, Step
from gazeviz.domain.steering import HeadMeans, Schedule, Steering
from gazeviz.errors import UserError

HEADS = HeadSet.of("L1H2,L3H0")
LEFT = Region.box("Left", (0, 0, 10, 8), (20, 8), "#0072B2")
RIGHT = Region.box("Right", (10, 0, 20, 8), (20, 8))
MEANS = HeadMeans(HEADS, 1, b"12345678")
STEERING = Steering(HEADS, LEFT, schedule=Schedule(((2, RIGHT), (4, None))))
SPEC = GenerateSpec(
    "ab", "?", STEERING, Sampling(0.7, 0.9, 3), 12, HEADS, HeadSet.of("L0H0"), (LEFT, RIGHT), "share", 0.25
)
RANKING = HeadRanking("mass", np.arange(12.0).reshape(3, 4), 5)
RUN = RunResult(
    "a cat", "stop", None, Audit.of(2, 9, 4, Account.of([0.2] * 5, [0.1, 0.1, 0.1, 0.6, 0.1])),
    ((2, "Right"),), 1.5, 3, "f" * 64,
    RunRequest("m", "f", "float32", "cpu", "a", "What?", "ab", (20, 8), (32, 16), STEERING),
)  # fmt: skip
INFO = ModelInfo(
    "m", "/m", "f", (3, 4), np.ones((3, 4), bool), "cpu", "float32", None, "f", 64,
    RANKING, Recommended(2), {"mass": RANKING}, special_tokens={2: "<|im_end|>"},
)  # fmt: skip
METRICS_OF_HEADS = HeadMetrics(
    dict.fromkeys(METRICS, np.ones((2, 3, 4), dtype=np.float32)), ("a", "b"), "What?", "builtin:2@7", "m",
    (HeadEffect(HEADS, "knocked_out", -1.0, -2.0, 0.0, 2),),
)  # fmt: skip
EXAMPLES = HeadExamples(
    Head(1, 2), "builtin:2@7", "What?", 2, np.ones(3, dtype=np.float32),
    (HeadExample("top", "a", "", "cat", ".", 0, "Left", 0.9, np.ones((2, 3), np.float32),
                 np.zeros((2, 3, 3), np.uint8)),),
)  # fmt: skip
ROW_P = np.linspace(0, 1, 10, dtype=np.float32)
ROW_R = np.ones(2, dtype=np.float32)

REQUESTS: tuple[messages.Request, ...] = (
    Hello(),
    KeepFile("ab", 3, 0, b"PNG"),
    AskModels(9),
    LoadModel(1, "folder", "cpu", "float32"),
    OpenPicture(2, PictureSource("ab", "pasted", data=b"PNG")),
    Generate(3, SPEC),
    Generate(4, replace(SPEC, steering=Steering(HEADS, LEFT, "knock_out", means=MEANS))),
    Retarget(3, RIGHT),
    Cancel(3),
    Discover(4, StripsSource("builtin", 5, 1), ("mass", "causal")),
    CollectExamples(5, Head(1, 2), "builtin:2@7", "What?"),
    MeasureHeads(5, "builtin:2@7", "What?", (HeadSet.of("L0H1"),)),
    MeasureMeans(5, HEADS, "builtin:2@7", "What?"),
    AskMap(5, 3, (0, 1), HEADS),
    AskMass(6, 3, (0,), np.arange(3)),
    AskGallery(7, 3, (0,), (Head(1, 2),)),
    Shutdown(),
)
EVENTS: tuple[messages.Event, ...] = (
    Ready(1, {"torch": "2"}),
    JobProgress(1, 2, 10, "loading", 0.5),
    ModelsListed(
        9,
        (ListedModel(None, "m", "built-in", "/m", "f", 7, StoredWeights(3, 6, 1, "bfloat16"), None, ""),),
        (ListedDevice("cuda:0", "GPU", 8, None),),
    ),
    ModelForgotten(1),
    ModelLoaded(1, INFO),
    PicturePrepared(2, "ab", TokenGrid.plain((2, 5), (20, 8), (32, 16)), np.zeros((16, 32, 3), np.uint8)),
    StepArrived(3, 0, 17, " cat", -0.5, 11.0, "Left", ROW_R, ROW_R, ROW_R, ROW_P, 1),
    RunFinished(3, RUN),
    RankingPartial(4, "mass", np.zeros((3, 4)), 1, 5),
    RankingsFinished(4, {"mass": RANKING}),
    HeadsMeasured(5, METRICS_OF_HEADS),
    ExamplesCollected(5, EXAMPLES),
    MeansMeasured(5, MEANS),
    MapReady(5, ROW_P),
    MassReady(6, np.zeros((3, 4), np.float32)),
    GalleryReady(7, ROW_P[None]),
    Refused(3, "No.", "Try."),
    JobCancelled(1),
    Failed(1, "user", "No.", "Try.", "why"),
)
ALL = REQUESTS + EVENTS


def same(one: Any, other: Any) -> bool:
    """Equality that looks into arrays and into the fields of dataclasses that hold some."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def arrays_in(value: Any) -> list[np.ndarray]:
    """Every array that a message holds, however deep."""
    if isinstance(value, np.ndarray):
        return [value]
    if dataclasses.is_dataclass(value):
        return arrays_in([getattr(value, field.name) for field in dataclasses.fields(value)])
    if isinstance(value, (tuple, list)):
        return [array for item in value for array in arrays_in(item)]
    return arrays_in(list(value.values())) if isinstance(value, dict) else []


def named(message: object) -> str:
    return type(message).__name__


def test_every_message_is_among_the_examples() -> None:
    assert {type(message) for message in REQUESTS} == set(get_args(messages.Request))
    assert {type(message) for message in EVENTS} == set(get_args(messages.Event))


@pytest.mark.parametrize("message", ALL, ids=named)
def test_a_message_crosses_unchanged(message: object) -> None:
    assert same(pickle.loads(pickle.dumps(message)), message)


@pytest.mark.parametrize("message", ALL, ids=named)
def test_a_message_cannot_be_changed(message: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.job = 9
    for copy in (message, pickle.loads(pickle.dumps(message))):
        assert not any(array.flags.writeable for array in arrays_in(copy))


def test_arrays_are_copied_so_that_the_sender_may_go_on_with_its_own() -> None:
    tokens = np.arange(3)
    request = AskMass(1, 2, (0,), tokens)
    tokens[0] = 7
    assert request.tokens_P.tolist() == [0, 1, 2]


@pytest.mark.parametrize("message", ALL, ids=named)
def test_every_message_has_a_job(message: messages.Request | messages.Event) -> None:
    assert isinstance(message.job, int)
    assert (message.job == messages.NO_JOB) == isinstance(message, Hello | KeepFile | Shutdown | Ready)


def test_ending_events_answer_the_requests_that_open_a_job() -> None:
    on_the_way = {Ready, JobProgress, ModelForgotten, StepArrived, RankingPartial, Refused}
    assert set(messages.ENDING) == set(get_args(messages.Event)) - on_the_way
    assert set(messages.WITHOUT_ANSWER) < set(get_args(messages.Request))
    assert not issubclass(Refused, messages.ENDING)


@pytest.mark.parametrize(
    ("max_new_tokens", "steering", "side"),
    [(1, None, "glance"), (1, STEERING, "glance"), (2, None, "baseline"), (2, STEERING, "steered")],
)
def test_the_side_of_a_run(max_new_tokens: int, steering: Steering | None, side: str) -> None:
    assert GenerateSpec("ab", "?", steering, max_new_tokens=max_new_tokens).side == side


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"rule": "touching"}, {"share": 0.0}])
def test_a_spec_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        GenerateSpec("ab", "?", **wrong)


def test_a_picture_has_one_source() -> None:
    for wrong in ({}, {"path": "a.png", "data": b"x"}):
        with pytest.raises(ValueError, match="one of a path, data"):
            PictureSource("ab", "a", **wrong)  # type: ignore[arg-type]
    assert "PNG" not in repr(PictureSource("ab", "a", data=b"PNG" * 1000))


def test_strips_have_one_source() -> None:
    with pytest.raises(ValueError, match="folder"):
        StripsSource("folder", 3)
    with pytest.raises(ValueError, match="folder"):
        StripsSource("builtin", 3, folder="f")
    with pytest.raises(ValueError, match="number"):
        StripsSource("builtin")
    with pytest.raises(UserError):
        StripsSource("folder", 0, folder="f")
    assert StripsSource("folder", folder="f").n is None


def test_a_summary_says_what_the_run_says() -> None:
    run = Run(
        RUN.request, "a cat", (Step(0, 5, "a cat", -0.5),), "stop", RUN.audit, HEADS, None,
        TokenGrid.plain((2, 5), (20, 8), (32, 16)), ((2, "Right"),),
    )  # fmt: skip
    summary = RunResult.of(run, 1.5)
    assert summary == dataclasses.replace(RUN, n_tok=1, fingerprint="f")
