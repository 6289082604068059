"""The spotlight: a run follows the mouse, a message for each token at most."""

from typing import Any

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import Retarget
from gazeviz.domain.strip import Layout
from tests.app.fixtures.staging import N_PANELS
from tests.fakes.scripted import GAZE_HEADS, Script


def streaming(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.01))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.model.chosen = HeadSet(GAZE_HEADS)
    stage.controller.retarget(stage.model.regions.ids[0])
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("steered").steps) == 2)
    return stage


def test_the_next_token_follows_the_light_and_goes_back_when_it_is_out(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    stage.controller.spotlight(64 * 4 + 32, 32, 60)
    stage.backend.settle()
    stage.backend.pace.allow(3)
    stage.until(lambda: len(stage.shown("steered").steps) == 5)
    assert stage.shown("steered").steps[3].target == "Spotlight"
    stage.controller.end_spotlight()
    stage.backend.settle()
    stage.backend.pace.free()
    names = [name for _, name in stage.until_ended().switches]
    assert names == ["Spotlight", "Panel 1"] and stage.model.target_region.name == "Panel 1"


def test_a_fast_mouse_sends_one_message_a_token_and_the_newest_place(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    sent: list[Any] = []
    send = stage.backend.send

    def watched(request):
        if isinstance(request, Retarget):
            sent.append(request)
        return send(request)

    stage.controller._jobs.send_through(watched)
    for x_px in range(70, 380, 5):
        stage.controller.spotlight(x_px, 32, 40)
    assert len(sent) == 1
    stage.backend.pace.allow(1)
    stage.until(lambda: len(sent) == 2)
    assert sent[-1].region.box_px[2] > 370, "the newest place, not one in between"
    for _ in range(5):
        stage.controller.spotlight(375, 32, 40)
    stage.backend.pace.free()
    stage.until_ended()
    assert len(sent) == 2, "the same cells are not sent again"


def test_a_light_that_meets_no_cell_stays_where_it_was(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    stage.controller.spotlight(-500, -500, 40)
    stage.controller.spotlight(0.5, 0.5, 1)
    stage.controller.end_spotlight()
    stage.backend.settle()
    stage.backend.pace.free()
    assert [name for _, name in stage.until_ended().switches] == []


def test_a_run_that_was_laid_out_goes_back_to_its_plan(stage):
    stage.model.prompt = "Describe each of the panels."
    stage.model.schedule = ((0, stage.model.regions.ids[1]), (4, stage.model.regions.ids[5]))
    stage.backend.pace.hold()
    stage.controller.run("steered")
    stage.backend.pace.allow(2)
    stage.until(lambda: len(stage.shown("steered").steps) == 2)
    stage.controller.spotlight(64 * 3 + 32, 32, 60)
    stage.backend.settle()
    stage.backend.pace.allow(4)
    stage.until(lambda: len(stage.shown("steered").steps) == 6)
    stage.controller.end_spotlight()
    stage.backend.settle()
    stage.backend.pace.free()
    assert [name for _, name in stage.until_ended().switches] == ["Spotlight", "Panel 6"]


def test_there_is_no_light_without_a_steered_run(stage):
    stage.controller.spotlight(100, 32, 40)
    stage.controller.end_spotlight()
    assert stage.model.target_region_id is None and stage.model.notice is None
