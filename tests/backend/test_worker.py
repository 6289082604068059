"""The worker's loop, in a thread, on the scripted model: what is done when, what becomes of mistakes."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from gazeviz.backend.client import WorkerEnded
from gazeviz.backend.worker import EXIT_DEVICE, EXIT_PROTOCOL
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import (
    PROTOCOL,
    AskGallery,
    AskMap,
    AskMass,
    Cancel,
    Discover,
    Failed,
    GalleryReady,
    Generate,
    Hello,
    JobCancelled,
    JobProgress,
    LoadModel,
    MapReady,
    MassReady,
    ModelForgotten,
    ModelLoaded,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingPartial,
    Ready,
    Refused,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.run import mass_by_region
from tests.backend.listening import (
    GAZE,
    PANELS,
    SIZE_PX,
    Heard,
    assert_near,
    narration,
    one_more_token,
    open_strip,
)
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import SAYINGS, SHAPE_LH, Script

SCRIPT = Script(
    token_s=0.01,
    failures={
        "no memory": MemoryError(),
        "no device": RuntimeError("CUDA error: device-side assert triggered"),
        "a bug": KeyError("layer"),
    },
)


@pytest.fixture
def backend(heard: Heard) -> Iterator[FakeBackend]:
    """A scripted worker with a model (job 1) and a picture (job 2)."""
    with FakeBackend(heard, SCRIPT) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        heard.until(PicturePrepared, 2)
        yield backend


def write_and_hold(backend: FakeBackend, heard: Heard, request: Generate, n_tok: int) -> None:
    """Let a run write some tokens; the next one is not allowed to come to its end."""
    backend.pace.hold()
    backend.send(request)
    backend.pace.allow(n_tok)
    for _ in range(n_tok):
        heard.until(StepArrived, request.job)


def test_it_says_what_it_is(backend: FakeBackend, heard: Heard) -> None:
    (ready,) = heard.of(Ready)
    assert ready.protocol == PROTOCOL
    assert {"gazeviz", "numpy", "torch", "transformers"} <= ready.versions.keys()
    progress = heard.of(JobProgress, 1)
    assert [event.done for event in progress] == list(range(0, 101, 10))
    (loaded,) = heard.of(ModelLoaded)
    assert loaded.info.shape_LH == SHAPE_LH
    assert not heard.of(ModelForgotten)
    (prepared,) = heard.of(PicturePrepared)
    assert (prepared.sha256, prepared.grid.picture_size_px) == ("strip", SIZE_PX)
    assert prepared.fed_pixels_HW3.shape == (*prepared.grid.fed_size_px[::-1], 3)


def test_a_step_is_reduced_to_what_is_shown(backend: FakeBackend, heard: Heard) -> None:
    control = HeadSet.of("L0H0,L7H7")
    backend.send(Generate(3, narration(3, panel=4, control=control)))
    heard.until(RunFinished, 3)
    steps = heard.of(StepArrived, 3)
    assert [step.index for step in steps] == [0, 1, 2]
    assert [step.looks_at for step in steps] == [3, 3, 3]
    assert {step.target for step in steps} == {"Panel 4"}
    backend.send(AskGallery(4, 3, (1,), (*GAZE, *control)))
    rows_HP = heard.until(GalleryReady, 4).values_HP
    grid = heard.of(PicturePrepared)[0].grid
    tokens_R = [grid.tokens(panel) for panel in PANELS]
    assert_near(steps[1].map_P, rows_HP[:9].mean(0))
    expected = mass_by_region(rows_HP[None, :9], tokens_R)[0]
    assert_near(steps[1].masses_R, expected)
    expected = mass_by_region(rows_HP[None, 9:], tokens_R)[0]
    assert_near(steps[1].control_R, expected)
    norms_HP = np.array([[1 + head.index / 8] for head in GAZE], dtype=np.float32)
    expected = mass_by_region(rows_HP[None, :9] * norms_HP, tokens_R)[0]
    assert_near(steps[1].weighted_R, expected)


def test_a_run_ends_in_its_summary(backend: FakeBackend, heard: Heard) -> None:
    backend.send(Generate(3, narration(8, panel=4)))
    run = heard.until(RunFinished, 3).run
    assert run.text == "".join(SAYINGS[3]) == "".join(step.text for step in heard.of(StepArrived, 3))
    assert (run.finish, run.n_tok, run.junk, run.switches) == ("length", 8, None, ())
    assert run.audit is not None
    assert run.audit.mass_after > run.audit.mass_before
    assert run.request.prompt == narration().prompt
    assert run.seconds >= 0.08


def test_without_chosen_heads_all_are_shown_and_without_regions_none_is_looked_at(
    backend: FakeBackend, heard: Heard
) -> None:
    backend.send(Generate(3, narration(1, chosen=HeadSet(()), regions=())))
    step = heard.until(StepArrived, 3)
    assert (step.looks_at, step.masses_R.shape, step.control_R) == (None, (0,), None)
    backend.send(AskMap(4, 3, (0,), HeadSet.all(SHAPE_LH)))
    np.testing.assert_allclose(step.map_P, heard.until(MapReady, 4).values_P, rtol=2e-3)


def test_a_watched_region_may_select_nothing_but_not_belong_elsewhere(
    backend: FakeBackend, heard: Heard
) -> None:
    speck = Region.box("Speck", (0, 0, 1, 1), SIZE_PX)
    backend.send(Generate(3, narration(1, regions=(speck, PANELS[0]))))
    step = heard.until(StepArrived, 3)
    assert (step.masses_R[0], step.looks_at) == (0, 1)
    elsewhere = Region.box("Elsewhere", (0, 0, 5, 5), (9, 9))
    backend.send(Generate(4, narration(1, regions=(elsewhere,))))
    assert heard.until(Failed, 4).kind == "user"


def test_any_head_at_any_token_can_be_asked_for_while_the_run_goes_on(
    backend: FakeBackend, heard: Heard
) -> None:
    write_and_hold(backend, heard, Generate(3, narration(48)), n_tok=1)
    backend.send(AskMap(4, 3, (0,), HeadSet.of("L0H0")))
    backend.send(AskMass(5, 3, (0,), np.arange(4)))
    one_more_token(backend)
    heard.until(MassReady, 5)
    assert len(heard.of(StepArrived, 3)) <= 2
    mass_LH = heard.of(MassReady)[0].mass_LH
    assert mass_LH.shape == SHAPE_LH
    map_P = heard.of(MapReady)[0].values_P
    np.testing.assert_allclose(mass_LH[0, 0], map_P[:4].sum(), rtol=1e-5)
    backend.pace.free()
    heard.until(RunFinished, 3)


def test_questions_that_have_no_answer(backend: FakeBackend, heard: Heard) -> None:
    backend.send(Generate(3, narration(2)))
    heard.until(RunFinished, 3)
    backend.send(AskMap(4, 3, (2,)))
    assert "token 2" in heard.until(Failed, 4).sentence
    backend.send(AskMap(5, 99, (0,)))
    assert "no longer in memory" in heard.until(Failed, 5).sentence
    backend.send(AskGallery(6, 3, (0,), (Head(9, 0),)))
    assert "L9H0" in heard.until(Failed, 6).sentence


def test_an_answer_too_large_to_cross_is_refused(
    backend: FakeBackend, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.send(Generate(3, narration(1)))
    heard.until(RunFinished, 3)
    monkeypatch.setattr("gazeviz.backend.wire.MAX_MESSAGE_BYTES", 2000)
    backend.send(AskGallery(4, 3, (0,), tuple(HeadSet.all(SHAPE_LH))))
    failed = heard.until(Failed, 4)
    assert failed.kind == "user"
    assert "fewer heads" in failed.next_step


def test_a_cancel_is_answered_within_a_token(backend: FakeBackend, heard: Heard) -> None:
    write_and_hold(backend, heard, Generate(3, narration(48)), n_tok=3)
    backend.send(Cancel(3))
    one_more_token(backend)
    run = heard.until(RunFinished, 3).run
    assert run.finish == "cancelled"
    assert run.n_tok in (3, 4)  # the fourth may have been under way
    backend.send(AskMap(4, 3, (0,)))
    heard.until(MapReady, 4)  # what there is can still be looked at


def test_a_cancel_of_what_has_not_begun(backend: FakeBackend, heard: Heard) -> None:
    write_and_hold(backend, heard, Generate(4, narration(48)), n_tok=1)
    backend.send(Discover(5, StripsSource("builtin", 1)))
    backend.send(Cancel(5))
    heard.until(JobCancelled, 5)  # by the listening thread, in the middle of a token
    backend.pace.free()
    heard.until(RunFinished, 4)
    assert not heard.of(RankingPartial, 5)


def test_the_next_token_follows_a_new_target(backend: FakeBackend, heard: Heard) -> None:
    write_and_hold(backend, heard, Generate(3, narration(48, panel=4)), n_tok=3)
    backend.send(Retarget(3, PANELS[1]))
    one_more_token(backend)
    backend.pace.free()
    run = heard.until(RunFinished, 3).run
    switched = next(step for step in heard.of(StepArrived, 3) if step.target == "Panel 2")
    assert switched.index in (3, 4)  # the fourth token may have been under way
    assert switched.looks_at == 1
    assert run.switches == ((switched.index, "Panel 2"),)


def test_a_token_under_way_follows_a_target_that_was_due_for_it(backend: FakeBackend, heard: Heard) -> None:
    """Somebody who had seen two tokens moves the target: of the three that come, only one may be late."""
    write_and_hold(backend, heard, Generate(3, narration(16, panel=4)), n_tok=3)
    backend.send(Retarget(3, PANELS[1], due=3))
    backend.settle()
    backend.pace.allow(2)  # the fourth token, and the same again
    assert heard.until(StepArrived, 3).target == "Panel 2"
    backend.send(Retarget(3, PANELS[2], due=5))  # the fifth token is under way, and may be late
    one_more_token(backend)
    assert heard.until(StepArrived, 3).target == "Panel 2"
    backend.pace.free()
    run = heard.until(RunFinished, 3).run
    assert run.switches == ((3, "Panel 2"), (5, "Panel 3"))


def test_a_target_that_is_overdue_and_cannot_be_followed_is_refused(
    backend: FakeBackend, heard: Heard
) -> None:
    write_and_hold(backend, heard, Generate(3, narration(16, panel=4)), n_tok=3)
    backend.send(Retarget(3, Region.box("Speck", (0, 0, 1, 1), SIZE_PX), due=2))
    one_more_token(backend)
    assert "Speck" in heard.until(Refused, 3).sentence
    assert heard.until(StepArrived, 3).index == 3  # which was not computed once more for it
    backend.pace.free()
    run = heard.until(RunFinished, 3).run
    assert (run.finish, run.n_tok, run.switches) == ("length", 16, ())


def test_a_target_can_be_moved_before_the_run_begins(backend: FakeBackend, heard: Heard) -> None:
    backend.send(Generate(3, narration(48)))
    backend.send(Discover(4, StripsSource("builtin", 1)))
    backend.send(Generate(5, narration(3, panel=4)))
    backend.send(Retarget(5, PANELS[1]))
    backend.send(Generate(6, narration(3, panel=4)))
    backend.send(Retarget(6, None))
    run = heard.until(RunFinished, 5).run
    assert run.switches == ()
    assert run.request.steering is not None
    assert run.request.steering.target == PANELS[1]
    assert {step.target for step in heard.of(StepArrived, 5)} == {"Panel 2"}
    heard.until(RunFinished, 6)
    assert heard.of(StepArrived, 6)[0].target is None


def test_a_target_that_cannot_be_followed_leaves_the_run_as_it_was(
    backend: FakeBackend, heard: Heard
) -> None:
    write_and_hold(backend, heard, Generate(3, narration(16, panel=4)), n_tok=1)
    backend.send(Retarget(3, Region.box("Speck", (0, 0, 1, 1), SIZE_PX)))
    one_more_token(backend)
    assert "Speck" in heard.until(Refused, 3).sentence
    backend.send(Retarget(3, None))
    one_more_token(backend)
    backend.pace.free()
    assert [name for _, name in heard.until(RunFinished, 3).run.switches] == [""]
    assert heard.of(StepArrived, 3)[1].target == "Panel 4"
    assert not heard.of(Failed)


def test_a_run_without_target_has_none_to_move(backend: FakeBackend, heard: Heard) -> None:
    write_and_hold(backend, heard, Generate(3, narration(4)), n_tok=1)
    backend.send(Retarget(3, PANELS[0]))
    one_more_token(backend)
    assert "not steered" in heard.until(Refused, 3).sentence
    backend.pace.free()
    heard.until(RunFinished, 3)
    backend.send(Retarget(3, PANELS[0]))  # it has ended: nothing to do, nothing to say
    backend.send(AskMap(5, 3, (0,)))
    heard.until(MapReady, 5)
    assert len(heard.of(Refused)) == 1


def test_runs_write_a_token_each_in_turn(backend: FakeBackend, heard: Heard) -> None:
    backend.send(Generate(3, narration(8)))
    backend.send(Generate(4, narration(8, panel=2)))
    heard.until(RunFinished, 3)
    heard.until(RunFinished, 4)
    jobs = [step.job for step in heard.of(StepArrived)]
    both = jobs[jobs.index(4) : len(jobs) - jobs[::-1].index(3)]
    assert all(one != other for one, other in pairwise(both))
    assert jobs.count(3) == jobs.count(4) == 8


def test_a_model_that_is_replaced_takes_its_pictures_and_runs_along(
    backend: FakeBackend, heard: Heard
) -> None:
    backend.send(Generate(3, narration(1)))
    backend.send(LoadModel(4, "missing"))
    assert heard.until(Failed, 4).kind == "user"
    assert not heard.of(ModelForgotten)
    backend.send(AskMap(5, 3, (0,)))
    heard.until(MapReady, 5)
    backend.send(LoadModel(6))
    heard.until(ModelForgotten, 6)
    heard.until(ModelLoaded, 6)
    backend.send(AskMap(7, 3, (0,)))
    assert heard.until(Failed, 7).kind == "user"
    backend.send(Generate(8, narration(1)))
    assert "picture" in heard.until(Failed, 8).sentence


def test_a_picture_that_cannot_be_read_leaves_the_one_before(backend: FakeBackend, heard: Heard) -> None:
    backend.send(OpenPicture(3, PictureSource("other", "notes.txt", data=b"no picture")))
    failed = heard.until(Failed, 3)
    assert (failed.kind, "notes.txt" in failed.sentence) == ("user", True)
    backend.send(Generate(4, narration(1)))
    heard.until(RunFinished, 4)


def test_only_the_latest_pictures_are_kept(backend: FakeBackend, heard: Heard) -> None:
    for job in range(10, 18):
        backend.send(open_strip(job, f"picture {job}"))
    backend.send(Generate(3, narration(1)))
    assert "Open the picture again" in heard.until(Failed, 3).next_step


@pytest.mark.parametrize(("prompt", "kind"), [("no memory", "memory"), ("a bug", "bug")])
def test_a_mistake_ends_its_run_and_not_the_worker(
    backend: FakeBackend, heard: Heard, prompt: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.send(Generate(3, narration(8, prompt=prompt)))
    failed = heard.until(Failed, 3)
    assert failed.kind == kind
    assert "Traceback" in failed.detail
    assert "Traceback" in capsys.readouterr().err  # for the worker's log
    assert len(heard.of(StepArrived, 3)) == 1
    backend.send(Generate(4, narration(8)))
    assert heard.until(RunFinished, 4).run.n_tok == 8
    assert backend.open_jobs == ()


def test_a_device_in_no_usable_state_ends_the_worker(backend: FakeBackend, heard: Heard) -> None:
    backend.send(Generate(3, narration(8, prompt="no device")))
    assert heard.until(Failed, 3).kind == "fatal"
    lost = heard.until(WorkerEnded)
    assert (lost.exit, lost.job) == (EXIT_DEVICE, None)
    backend.restart()
    backend.send(LoadModel(4))
    heard.until(ModelLoaded, 4)


def test_two_protocols_part_at_once(heard: Heard) -> None:
    with FakeBackend(heard) as backend:
        heard.until(Ready)
        backend.send(Hello(protocol=PROTOCOL + 1))
        failed = heard.until(Failed)
        assert (failed.kind, f"protocol {PROTOCOL + 1}" in failed.sentence) == ("fatal", True)
        assert heard.until(WorkerEnded).exit == EXIT_PROTOCOL


def test_a_scripted_worker_can_be_killed_and_comes_back(backend: FakeBackend, heard: Heard) -> None:
    write_and_hold(backend, heard, Generate(3, narration(48)), n_tok=1)
    backend.kill()
    lost = heard.until(WorkerEnded)
    assert (lost.exit, lost.signal_name, lost.jobs) == (-9, "SIGKILL", (3,))
    backend.restart()
    backend.send(LoadModel(4))
    backend.send(open_strip(5))
    backend.send(Generate(6, narration(8)))
    assert heard.until(RunFinished, 6).run.n_tok == 8
