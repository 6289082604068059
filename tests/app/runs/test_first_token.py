"""A glance: one token, taken by itself when there is nothing else to look at, and not at every key."""

from __future__ import annotations

from gazeviz.domain.messages import Generate


def watch(stage) -> list[Generate]:
    """Every run that is sent from now on."""
    sent: list[Generate] = []
    send = stage.backend.send

    def watched(request):
        if isinstance(request, Generate):
            sent.append(request)
        return send(request)

    stage.controller._jobs.send_through(watched)
    return sent


def test_picture_and_prompt_are_looked_at_by_themselves(stage):
    glance = stage.shown("glance")
    assert glance.spec.max_new_tokens == 1 and glance.spec.steering is None and len(glance.steps) == 1
    assert stage.model.map.values_P is not None
    stage.until(lambda: stage.model.gallery)
    assert stage.log.run(glance.id).side == "glance"


def test_typing_is_looked_at_once(stage):
    sent = watch(stage)
    for n_letters in range(1, 12):
        stage.model.prompt = "What is it?"[:n_letters]
    stage.until(lambda: sent)
    stage.qtbot.until_quiet()
    assert [request.spec.prompt for request in sent] == ["What is it?"]
    stage.until(lambda: stage.shown("glance").spec.prompt == "What is it?")
    assert sum(record.side == "glance" for record in stage.model.runs.values()) == 1


def test_the_same_is_not_looked_at_again(stage):
    sent = watch(stage)
    prompt = stage.model.prompt
    stage.model.prompt = "other"
    stage.model.prompt = prompt
    stage.controller.heads.top(3)
    stage.qtbot.until_quiet()
    assert not sent


def test_no_glance_beside_a_run(stage):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    sent = watch(stage)
    stage.model.prompt = "Something else"
    stage.qtbot.until_quiet()
    assert not sent


def test_an_empty_prompt_is_no_reason_to_look(open_stage, strip_path):
    stage = open_stage()
    stage.controller.open_picture(strip_path)
    stage.until(lambda: stage.model.grid is not None)
    stage.qtbot.until_quiet()
    assert not stage.model.runs and stage.model.notice is None


def test_a_new_worker_looks_again(stage):
    before = stage.shown("glance").id
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.glance_run_id != before and stage.shown("glance").ended)
    assert stage.shown("glance").worker == 2 and stage.shown("glance").state == "done"
