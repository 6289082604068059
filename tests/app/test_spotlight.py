"""The spotlight: a run follows the mouse, a message for each token at most."""

from gazeviz.backend.scripted import GAZE_HEADS, Script
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import Retarget
from gazeviz.domain.strip import Layout
from tests.app.staging import N_PANELS, Stage


def streaming(open_stage, strip_path) -> Stage:
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.model.chosen = HeadSet(GAZE_HEADS)
    stage.controller.retarget(stage.model.regions.ids[0])
    stage.controller.run("steered")
    stage.until(lambda: stage.shown("steered").steps)
    return stage


def test_the_next_token_follows_the_light_and_goes_back_when_it_is_out(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    n_tok = len(stage.shown("steered").steps)
    stage.controller.spotlight(64 * 4 + 32, 32, 60)
    stage.until(lambda: stage.shown("steered").steps[-1].target == "Spotlight")
    first = next(step.index for step in stage.shown("steered").steps if step.target == "Spotlight")
    assert first <= n_tok + 1
    stage.controller.end_spotlight()
    stage.until(lambda: stage.shown("steered").steps[-1].target == "Panel 1")
    stage.controller.stop()
    assert [name for _, name in stage.until_ended().switches] == ["Panel 1", "Spotlight", "Panel 1"]


def test_a_fast_mouse_sends_one_message_a_token_and_the_newest_place(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    sent: list[Retarget] = []
    send = stage.backend.send

    def watched(request):
        if isinstance(request, Retarget):
            sent.append(request)
        return send(request)

    stage.controller._desk.jobs.send_through(watched)
    for x_px in range(70, 380, 5):
        stage.controller.spotlight(x_px, 32, 40)
    assert len(sent) == 1
    stage.until(lambda: len(sent) == 2)
    assert sent[-1].region.box_px[2] > 370, "the newest place, not one in between"
    for _ in range(5):
        stage.controller.spotlight(375, 32, 40)
    n_tok = len(stage.shown("steered").steps)
    stage.until(lambda: len(stage.shown("steered").steps) > n_tok + 2)
    assert len(sent) == 2, "the same cells are not sent again"
    stage.controller.stop()
    stage.until_ended()


def test_a_light_that_meets_no_cell_stays_where_it_was(open_stage, strip_path):
    stage = streaming(open_stage, strip_path)
    stage.controller.spotlight(-500, -500, 40)
    stage.controller.spotlight(0.5, 0.5, 1)
    stage.controller.end_spotlight()
    stage.controller.stop()
    assert [name for _, name in stage.until_ended().switches] == ["Panel 1"]


def test_there_is_no_light_without_a_steered_run(stage):
    stage.controller.spotlight(100, 32, 40)
    stage.controller.end_spotlight()
    assert stage.model.target_region_id is None and stage.model.notice is None
