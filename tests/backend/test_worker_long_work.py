"""The worker's loop at what takes long: measuring heads and loading a model, and how both are stopped."""

from gazeviz.domain.experiments.head_messages import (
    HeadsMeasured,
    MeasureHeads,
)
from gazeviz.domain.experiments.head_metrics import METRICS
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import (
    AskMap,
    Cancel,
    Discover,
    Failed,
    Generate,
    JobCancelled,
    JobProgress,
    LoadModel,
    MapReady,
    ModelLoaded,
    RankingPartial,
    RankingsFinished,
    RunFinished,
    StripsSource,
)
from tests.backend.listening import Heard, narration, one_more_token, open_strip
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import GAZE_HEADS


def test_discovery_fills_in_and_can_be_asked_about_runs_meanwhile(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        backend.send(Generate(3, narration(2)))
        heard.until(RunFinished, 3)
        backend.pace.hold()
        backend.send(Discover(4, StripsSource("builtin", 12), ("mass", "causal")))
        backend.send(AskMap(5, 3, (0,)))
        backend.pace.allow(2)
        heard.until(MapReady, 5)
        assert not heard.of(RankingsFinished)
        backend.pace.free()
        rankings = heard.until(RankingsFinished, 4).rankings
        assert rankings.keys() == {"mass", "causal"}
        assert set(rankings["mass"].top(9)) == set(GAZE_HEADS)
        partial = heard.of(RankingPartial, 4)
        assert [event.done for event in partial if event.name == "mass"] == list(range(1, 13))
        assert {event.total for event in partial} == {12}
        assert heard.of(JobProgress, 4)[-1].done == 12


def test_discovery_is_cancelled_between_strips(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.send(LoadModel(1))
        heard.until(ModelLoaded, 1)
        backend.pace.hold()
        backend.send(Discover(2, StripsSource("builtin", 500)))
        backend.pace.allow(3)
        for _ in range(3):
            heard.until(RankingPartial, 2)
        backend.send(Cancel(2))
        one_more_token(backend)
        heard.until(JobCancelled, 2)
        backend.pace.free()
        assert len(heard.of(RankingPartial, 2)) in (3, 4)
        backend.send(Discover(3, StripsSource("builtin", 2)))
        heard.until(RankingsFinished, 3)


def test_heads_are_measured_over_a_set_and_cross_the_wire_whole(heard: Heard) -> None:
    some = HeadSet.of("L1H2,L2H0")
    with FakeBackend(heard) as backend:
        backend.send(LoadModel(1))
        backend.send(MeasureHeads(2, "builtin:4@7", "What?", (some,)))
        metrics = heard.until(HeadsMeasured, 2).metrics
        assert (metrics.measured_on, metrics.prompt, len(metrics.names)) == ("builtin:4@7", "What?", 4)
        assert set(metrics.values) == set(METRICS)
        assert [effect.heads for effect in metrics.effects] == [some, some]
        assert not metrics.values["image"].flags.writeable
        assert heard.of(JobProgress, 2)[-1].done == 4


def test_measuring_heads_is_cancelled_between_pictures(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.send(LoadModel(1))
        heard.until(ModelLoaded, 1)
        backend.pace.hold()
        backend.send(MeasureHeads(2, "builtin:4@7", "What?"))
        backend.pace.allow(2)
        heard.until(JobProgress, 2)
        backend.send(Cancel(2))
        one_more_token(backend)
        heard.until(JobCancelled, 2)
        backend.pace.free()
        assert not heard.of(HeadsMeasured)


def test_loading_is_cancelled_between_its_parts(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        backend.pace.hold()
        backend.send(LoadModel(1))
        heard.until(JobProgress, 1)
        backend.send(Cancel(1))
        one_more_token(backend)
        heard.until(JobCancelled, 1)
        assert len(heard.of(JobProgress, 1)) == 1
        backend.send(open_strip(2))
        assert "No model" in heard.until(Failed, 2).sentence
