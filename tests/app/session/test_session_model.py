"""The session model: every property tells of a change once, and of no change never."""

import numpy as np
import pytest

from gazeviz.app.editing.regions import RegionLook
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import (
    Cursor,
    GalleryChoice,
    GenerationSettings,
    LookAt,
    MapView,
    Notice,
    RunRecord,
    SteeringSettings,
    WorkProgress,
)
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, StepArrived
from tests.app.fixtures.staging import counted, model_with_picture

SAME_BY_VALUE = [
    ("worker_state", "loading", "ready", "worker_changed"),
    ("worker_message", "gone", "back", "worker_changed"),
    ("progress", WorkProgress(1, 2, "a"), WorkProgress(2, 2, "a"), "worker_changed"),
    ("active_region_id", 3, 4, "active_region_changed"),
    ("target_region_id", 3, None, "target_changed"),
    ("rule", "share", "centre", "rule_changed"),
    ("share", 0.25, 0.75, "rule_changed"),
    ("tool", "brush", "erase", "tool_changed"),
    ("brush_px", 3, 9, "brush_changed"),
    ("show_cells", True, False, "view_changed"),
    ("show_map", False, True, "view_changed"),
    ("overlay_opacity", 0.2, 0.3, "view_changed"),
    ("weighted", True, False, "view_changed"),
    ("gallery_choice", GalleryChoice("best"), GalleryChoice(n=6), "view_changed"),
    ("grid_metric", "live", "ranking", "metric_changed"),
    ("chosen", HeadSet.of("L1H1"), HeadSet.of("L1H2"), "chosen_changed"),
    ("hovered_head", Head(1, 2), Head(2, 1), "hovered_head_changed"),
    ("prompt", "a", "b", "prompt_changed"),
    ("generation", GenerationSettings(15), GenerationSettings(16), "generation_changed"),
    ("steering", SteeringSettings(strength="hard"), SteeringSettings(strength=2.0), "steering_changed"),
    ("schedule", ((0, 1), (8, None)), ((0, 1),), "schedule_changed"),
    ("cursor", Cursor("steered", 1, 2), Cursor("baseline", 1, 2), "cursor_changed"),
    ("notice", Notice("info", "a"), Notice("info", "b"), "notice_changed"),
]


def again(value: object) -> object:
    """An equal value that is another object where there can be one."""
    if isinstance(value, HeadSet):
        return HeadSet(tuple(value))
    if isinstance(value, tuple):
        return (*value,)
    return value


@pytest.mark.parametrize(("name", "value", "other", "signal"), SAME_BY_VALUE)
def test_a_property_tells_of_a_change_and_of_nothing_else(qtbot, name, value, other, signal):
    model = SessionModel()
    spy = counted(getattr(model, signal))
    setattr(model, name, value)
    assert getattr(model, name) == value and spy.count() == 1
    setattr(model, name, again(value))
    assert spy.count() == 1, "nothing has changed"
    setattr(model, name, other)
    assert getattr(model, name) == other and spy.count() == 2


@pytest.mark.parametrize(
    ("name", "make", "signal"),
    [
        ("map", lambda: MapView.of(np.ones(4, dtype=np.float32), "a"), "map_changed"),
        ("live_mass_LH", lambda: np.ones((2, 2), dtype=np.float32), "live_mass_changed"),
        ("look_at", lambda: LookAt("cell 1", np.array([1])), "metric_changed"),
        ("gallery", lambda: ((Head(0, 0), np.ones(4, dtype=np.float32), 0.5),), "gallery_changed"),
    ],
)
def test_what_holds_arrays_is_only_the_same_if_it_is_identical(qtbot, name, make, signal):
    model = SessionModel()
    spy = counted(getattr(model, signal))
    value = make()
    setattr(model, name, value)
    setattr(model, name, value)
    assert getattr(model, name) is value and spy.count() == 1
    setattr(model, name, make())
    assert spy.count() == 2


def test_views_bound_to_each_other_do_not_loop(qtbot):
    model = SessionModel()

    def clamp() -> None:
        model.prompt = model.prompt.strip()

    model.prompt_changed.connect(clamp)
    spy = counted(model.prompt_changed)
    model.prompt = "  two changes  "
    assert model.prompt == "two changes" and spy.count() == 2


def test_two_sessions_share_nothing(qtbot):
    first, second = SessionModel(), SessionModel()
    first.prompt = "only here"
    first.put_saved_set("gaze", HeadSet.of("L1H1"))
    assert second.prompt == "" and not second.saved_sets


def test_the_brush_stays_within_its_range(qtbot):
    model = SessionModel()
    model.brush_px = 100_000
    assert model.brush_px == 512
    spy = counted(model.brush_changed)
    model.brush_px = 4000
    assert spy.count() == 0
    model.brush_px = -3
    assert model.brush_px == 1


def test_grid_and_fed_pixels_come_together(qtbot):
    model = SessionModel()
    spy = counted(model.grid_changed)
    grid, fed_HW3 = TokenGrid.plain((2, 2), (20, 20), (20, 20)), np.zeros((4, 4, 3), dtype=np.uint8)
    model.set_grid(grid, fed_HW3)
    model.set_grid(grid, fed_HW3)
    assert spy.count() == 1 and model.grid is grid and model.fed_pixels_HW3 is fed_HW3


def test_cells_follow_paint_rule_and_grid(qtbot):
    model = model_with_picture((40, 30), (3, 4))
    region = model.regions.make(RegionLook("cat", "#0072B2"), np.zeros((30, 40), dtype=bool))
    model.regions.replace_all([region])
    assert model.cells_of(region.id).tolist() == []
    region.mask_HW[0:10, 0:14] = True
    spy = counted(model.region_painted)
    model.note_painted(region.id, (0, 0, 14, 10))
    assert model.cells_of(region.id).tolist() == [0]
    assert spy.count() == 1 and spy.at(0) == [region.id, (0, 0, 14, 10)]
    model.rule, model.share = "share", 0.4
    assert model.cells_of(region.id).tolist() == [0, 1]
    model.set_grid(TokenGrid.plain((1, 1), (40, 30), (40, 30)), None)
    assert model.cells_of(region.id).tolist() == []
    assert model.cells_of(None).size == 0 and model.cells_of(77).size == 0


def test_ids_of_regions_that_are_gone_are_forgotten(qtbot):
    model = model_with_picture((40, 30), (3, 4))
    kept, gone = (model.regions.make(RegionLook(n, "#0072B2"), np.ones((30, 40), dtype=bool)) for n in "ab")
    model.regions.replace_all([kept, gone])
    model.note_regions()
    model.active_region_id, model.target_region_id = gone.id, kept.id
    model.schedule = ((0, kept.id), (4, gone.id), (8, None))
    spy = counted(model.regions_changed)
    model.regions.replace_all([kept])
    model.note_regions()
    assert model.active_region is None and model.target_region is kept and spy.count() == 1
    assert list(model.schedule) == [(0, kept.id), (8, None)]


def ranking(name: str, top: tuple[int, int] = (0, 0)) -> HeadRanking:
    scores_LH = np.zeros((2, 3))
    scores_LH[top] = 1.0
    return HeadRanking(name, scores_LH)


def test_the_first_ranking_is_shown_and_then_the_one_that_is_named(qtbot):
    model = SessionModel()
    spy = counted(model.ranking_changed)
    mass, causal = ranking("mass"), ranking("causal", (1, 1))
    model.put_rankings({"mass": mass})
    assert model.ranking is mass and spy.count() == 1
    model.put_rankings({"causal": causal})
    assert model.ranking is mass and spy.count() == 2
    model.ranking_name = "causal"
    assert model.ranking is causal and spy.count() == 3


def test_a_ranking_in_the_making_does_not_lose_the_complete_one(qtbot):
    model = SessionModel()
    complete, partial = ranking("mass"), ranking("mass", (1, 2))
    model.put_rankings({"mass": complete})
    model.put_partial_ranking(partial)
    assert model.ranking is partial and model.rankings["mass"] is complete
    assert model.drop_partial_rankings() == {"mass": partial}
    assert model.ranking is complete


def test_rankings_of_another_model_are_forgotten(qtbot):
    model = SessionModel()
    model.put_rankings({"mass": ranking("mass")})
    spy = counted(model.ranking_changed)
    model.forget_rankings()
    assert model.ranking is None and model.ranking_name is None and spy.count() == 1
    model.forget_rankings()
    assert spy.count() == 1


def test_saved_sets_are_kept_by_name(qtbot):
    model = SessionModel()
    spy = counted(model.saved_sets_changed)
    model.put_saved_set("gaze", HeadSet.of("L1H1"))
    model.put_saved_set("gaze", HeadSet.of("L1H1"))
    assert spy.count() == 1 and dict(model.saved_sets) == {"gaze": HeadSet.of("L1H1")}
    model.put_saved_set("gaze", None)
    model.put_saved_set("gaze", None)
    assert spy.count() == 2 and not model.saved_sets


def record(run_id, side, n_steps=0, first=0):
    made = RunRecord(run_id, side, GenerateSpec("ab", "What?"))
    for index in range(first, first + n_steps):
        values = np.zeros(1, dtype=np.float32)
        made.steps.append(
            StepArrived(1, index, 7, f" t{index}", -0.1, 1.0, None, values, values, None, values, None)
        )
    return made


def test_a_side_shows_one_run_and_tells_which(qtbot):
    model = SessionModel()
    spy = counted(model.run_changed)
    first, second = record(1, "steered", 3), record(2, "steered")
    model.show_run("steered", first)
    model.cursor = Cursor("steered", 1, 1)
    model.show_run("steered", second)
    assert [spy.at(number)[0] for number in range(spy.count())] == [1, 2]
    assert model.steered_run_id == 2 and set(model.runs) == {1, 2}
    assert getattr(model, "cursor") is None  # noqa: B009 - not what was assigned above
    model.show_run("steered", second)
    assert spy.count() == 2
    model.show_run("steered", None)
    assert model.run_of("steered") is None and spy.at(2)[0] == 2


def test_steps_and_states_are_told_with_the_runs_id(qtbot):
    model = SessionModel()
    steps, runs = counted(model.step_arrived), counted(model.run_changed)
    model.note_step(4, 2)
    model.note_run(4)
    assert steps.at(0) == [4, 2] and runs.at(0) == [4]


def test_a_forgotten_run_is_gone(qtbot):
    model = SessionModel()
    model.show_run("glance", record(1, "glance", 1))
    model.forget_run(1)
    assert model.run_of("glance") is None and not model.runs


def test_what_is_shown_follows_the_newest_run_and_then_the_cursor(qtbot):
    model = SessionModel()
    assert model.shown_steps() is None
    glance, baseline, steered = record(1, "glance", 1), record(2, "baseline", 3), record(3, "steered")
    model.show_run("glance", glance)
    assert model.shown_steps() == (glance, (0,))
    model.show_run("baseline", baseline)
    model.show_run("steered", steered)
    assert model.shown_steps() == (baseline, (2,)), "the steered run has no token yet"
    steered.steps += record(3, "steered", 2).steps
    assert model.shown_steps() == (steered, (1,))
    model.cursor = Cursor("baseline", 1, 2)
    assert model.shown_steps() == (baseline, (1, 2))
    model.cursor = Cursor("baseline", 2, 9)
    assert model.shown_steps() == (baseline, (2,)), "cut to the tokens that there are"
    model.cursor = Cursor("glance", 5, 5)
    assert model.shown_steps() == (steered, (1,))


def test_a_cursor_spans_tokens_forwards():
    assert Cursor("steered", 2, 4).steps == (2, 3, 4)
    with pytest.raises(ValueError, match="span"):
        Cursor("steered", 4, 2)
