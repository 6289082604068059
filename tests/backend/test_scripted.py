"""The scripted model: deterministic, and it obeys as a real one does."""

import numpy as np
import pytest

from gazeviz.backend.engine_adapter import OpenedPicture, StreamLike, decoded_image
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, LoadModel, StripsSource
from gazeviz.domain.run import Run
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.errors import Cancelled, UserError
from tests.backend.listening import GAZE, PANELS, narration, open_strip
from tests.fakes.scripted import GAZE_HEADS, SAYINGS, SHAPE_LH, Script, ScriptedModel

PICTURE = OpenedPicture(decoded_image(open_strip(1).picture), None)
QUESTION = "What happens here?"


@pytest.fixture
def model() -> ScriptedModel:
    return Script().load(LoadModel(1), lambda: None, lambda _text, _part: None)


def stream_of(model: ScriptedModel, spec: GenerateSpec) -> StreamLike:
    return model.stream(PICTURE, spec, model.all_heads())


def finished(model: ScriptedModel, spec: GenerateSpec) -> Run:
    stream = stream_of(model, spec)
    list(stream)
    return stream.run()


def test_it_says_place_after_place_and_then_stops(model: ScriptedModel) -> None:
    run = finished(model, narration(60))
    assert run.text == " ".join("".join(words) for words in SAYINGS)
    assert run.finish == "stop"
    assert finished(model, narration(60)).text == run.text
    assert finished(model, narration(10)).finish == "length"
    assert run.audit is None


@pytest.mark.parametrize("panel", range(1, 7))
def test_a_steered_answer_speaks_of_the_target(model: ScriptedModel, panel: int) -> None:
    run = finished(model, narration(60, panel=panel, prompt=QUESTION))
    assert run.text == "".join(SAYINGS[panel - 1])
    assert run.audit is not None
    assert run.audit.mass_after > run.audit.mass_before
    masses_TR = run.trajectory(PANELS).masses_TR
    assert masses_TR[:, panel - 1].mean() > 0.15  # over all heads; 9 of 64 are steered


def test_heads_that_do_not_gaze_and_a_weak_push_change_nothing(model: ScriptedModel) -> None:
    others = HeadSet.of("L0H0,L1H1,L2H2,L6H6")
    unsteered = finished(model, narration(60, prompt=QUESTION)).text
    for steering in (Steering(others, PANELS[3]), Steering(GAZE, PANELS[3], strength=0.0)):
        spec = GenerateSpec("strip", QUESTION, steering)
        assert finished(model, spec).text == unsteered


def test_the_next_token_follows_a_new_target(model: ScriptedModel) -> None:
    stream = stream_of(model, narration(8, panel=4))
    before = [next(stream).text for _ in range(3)]
    stream.retarget(PANELS[1])
    after = [step.text for step in stream]
    assert tuple(before) == SAYINGS[3][:3]
    assert tuple(after) == SAYINGS[1][3:]
    run = stream.run()
    assert run.switches == ((3, "Panel 2"),)
    assert run.request.steering is not None
    assert run.request.steering.schedule == Schedule(((0, PANELS[3]), (3, PANELS[1])))


def test_a_schedule_is_kept(model: ScriptedModel) -> None:
    schedule = Schedule.every(2, [PANELS[0], PANELS[5]])
    spec = GenerateSpec("strip", "narrate", Steering(GAZE, PANELS[2], schedule=schedule), max_new_tokens=4)
    assert [step.target for step in stream_of(model, spec)] == ["Panel 1", "Panel 1", "Panel 6", "Panel 6"]


def test_rows_are_attention(model: ScriptedModel) -> None:
    step = next(stream_of(model, narration(8, panel=4)))
    assert step.rows_HP is not None
    np.testing.assert_allclose(step.rows_HP.sum(axis=1), 0.6, rtol=1e-5)
    assert (step.rows_HP >= 0).all()
    assert step.rows_HP.shape == (64, model.lay_out(PICTURE)[0].n_tokens)


def test_it_refuses_what_a_real_one_refuses(model: ScriptedModel) -> None:
    small = PANELS[0].box("Speck", (0, 0, 1, 1), PANELS[0].size_px)
    with pytest.raises(UserError, match="Speck"):
        stream_of(model, GenerateSpec("strip", "?", Steering(GAZE, small)))
    with pytest.raises(UserError, match="prompt"):
        stream_of(model, GenerateSpec("strip", " "))
    with pytest.raises(UserError, match="L9H0"):
        stream_of(model, GenerateSpec("strip", "?", chosen=HeadSet.of("L9H0")))
    with pytest.raises(UserError, match="not steered"):
        stream_of(model, narration(3)).retarget(PANELS[0])


def test_a_cancelled_answer_stops(model: ScriptedModel) -> None:
    stream = stream_of(model, narration(9))
    next(stream)
    stream.cancel()
    assert list(stream) == []
    assert stream.run().finish == "cancelled"


def test_rankings_have_the_gaze_heads_on_top_and_fill_in(model: ScriptedModel) -> None:
    partials: list[HeadRanking] = []
    rankings = model.rank(
        StripsSource("builtin", 3),
        ("mass", "causal"),
        progress=lambda _done, _total, _left: None,
        cancelled=lambda: False,
        on_partial=partials.append,
    )
    assert len(partials) == 6
    for ranking in rankings.values():
        assert ranking.shape_LH == SHAPE_LH
        assert set(ranking.top(9)) == set(GAZE_HEADS)
        assert ranking.split_half_overlap(9) == 9
    with pytest.raises(Cancelled):
        model.rank(
            StripsSource("builtin", 3),
            ("mass",),
            progress=lambda _done, _total, _left: None,
            cancelled=lambda: True,
            on_partial=partials.append,
        )


def test_a_picture_may_cost_more_where_that_is_allowed(model: ScriptedModel) -> None:
    usual, finer = (model.lay_out(OpenedPicture(PICTURE.image, n))[0].n_tokens for n in (None, 300))
    assert usual <= 64 < finer <= 300


def test_scripted_failures_come_with_the_second_token() -> None:
    script = Script(failures={"break": KeyError("layer")})
    model = script.load(LoadModel(1), lambda: None, lambda _text, _part: None)
    stream = stream_of(model, GenerateSpec("strip", "break"))
    next(stream)
    with pytest.raises(KeyError):
        next(stream)
