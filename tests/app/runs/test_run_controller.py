"""The run controller: models load and are cancelled, and a worker that is lost takes nothing with it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from threading import Event

import numpy as np
import pytest

from gazeviz.app.runs import region_import
from gazeviz.app.runs.run_controller import MAX_LOSSES_IN_A_ROW
from gazeviz.app.session import notices
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import Failed, StripsSource
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from tests.app.fixtures.staging import N_PANELS, counted, logged_models, logged_rankings
from tests.fakes.scripted import Script
from tests.store.samples import alike


def test_a_model_loads_behind_its_progress(open_stage):
    stage = open_stage(Script(load_s=0.1))
    states, progress = [], []

    def note() -> None:
        states.append(stage.model.worker_state)
        if stage.model.progress is not None:
            progress.append(stage.model.progress.done)

    stage.model.worker_changed.connect(note)
    stage.until(lambda: stage.model.worker_state == "ready")
    assert list(dict.fromkeys(states)) == ["starting", "loading", "ready"]
    assert progress == sorted(progress) and progress[-1] == 100 and stage.model.progress is None
    info = stage.model.model_info
    assert info is not None and [alike(kept, info) for kept in logged_models(stage.log)] == [True]
    assert stage.model.ranking_name == "mass" and logged_rankings(stage.log, info.fingerprint)[-1] == "mass"
    assert set(stage.model.rankings) == set(info.rankings) and set(
        logged_rankings(stage.log, info.fingerprint)
    ) == set(info.rankings)
    assert stage.model.rankings["mass"] is info.default_ranking
    assert stage.model.chosen == info.default_ranking.top(info.recommended.n)
    assert "gazeviz" in stage.controller.versions


def test_loading_can_be_cancelled(open_stage):
    stage = open_stage(Script(load_s=5.0))
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.total)
    stage.controller.run()
    stage.until(lambda: stage.model.notice is not None and "Wait" in stage.model.notice.next_step)
    stage.controller.loader.cancel()
    assert stage.model.progress.text == "Stopping", "the request is seen at once"
    stage.until(lambda: stage.model.worker_state == "none")
    stage.until(lambda: stage.model.notice is None)  # nothing is waited for any more
    assert stage.model.model_info is None and stage.model.progress is None
    stage.controller.run()
    assert "No model" in stage.model.notice.sentence


def test_a_model_that_is_not_there_is_said_and_the_last_one_stays(stage):
    stage.controller.load_model("missing")
    stage.until(lambda: stage.model.notice is not None)
    assert (stage.model.notice.kind, stage.model.notice.about) == ("error", "model")
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.model_info is not None and stage.model.grid is not None
    stage.controller.kill_worker()
    stage.until(lambda: stage.controller._jobs.worker == 2 and stage.model.worker_state == "ready")


def test_a_newer_wish_to_load_replaces_the_older_one(open_stage):
    stage = open_stage(Script(load_s=0.3))
    stage.until(lambda: stage.model.worker_state == "loading")
    stage.controller.load_model("other")
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.model_info.path == "other"


def test_the_same_model_again_keeps_choice_and_picture(stage):
    stage.model.chosen = HeadSet.of("L1H1,L2H2")
    grid = stage.model.grid
    stage.controller.load_model()
    stage.until(lambda: stage.model.grid is not None and stage.model.grid is not grid)
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.chosen == HeadSet.of("L1H1,L2H2") and len(stage.model.regions) == N_PANELS


def test_loading_another_model_stops_what_is_under_way(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until(lambda: stage.shown("baseline").steps)
    stage.controller.load_model()
    assert stage.until_ended("baseline").state == "cancelled"
    stage.until(lambda: stage.model.worker_state == "ready")


# A lost worker


def everything(stage):
    """What a session must never lose."""
    model = stage.model
    return (
        [(region.id, region.look, region.mask_HW.tobytes()) for region in model.regions],
        model.prompt, model.chosen, model.target_region_id, dict(model.rankings), model.steering,
        stage.controller.editor.undo_stack.count(),
        {run_id: (record.text, record.summary) for run_id, record in model.runs.items()
         if record.state == "done" and record.side != "glance"},
    )  # fmt: skip


def test_a_lost_worker_comes_back_and_nothing_is_gone(stage):
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.controller.run()
    stage.until_ended()
    stage.controller.editor.add_region("mine")
    stage.controller.editor.paint_rectangle((3, 3), (50, 50))
    before = everything(stage)
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.notice is not None)
    assert "SIGKILL" in stage.model.notice.sentence and stage.model.notice.about == "worker"
    stage.until(lambda: stage.model.worker_state == "ready")
    assert everything(stage) == before and stage.model.worker_message == ""
    notice = stage.model.notice
    assert notice.kind == "info" and "A new worker has started" in notice.next_step
    stage.controller.run()
    stage.until(lambda: stage.shown("steered").worker == 2 and stage.shown("steered").ended)
    assert stage.shown("steered").state == "done" and stage.shown("baseline").worker == 2


def test_a_run_that_is_lost_keeps_its_tokens_and_says_how_it_ended(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.controller.run()
    stage.until(lambda: len(stage.shown("baseline").steps) == 3)
    stage.controller.kill_worker()
    baseline = stage.until_ended("baseline")
    assert baseline.state == "lost" and baseline.summary is None
    assert f"SIGKILL. {len(baseline.steps)} tokens had arrived." in baseline.message
    assert stage.shown("steered").state == "cancelled" and not stage.controller.busy
    row = stage.log.run(baseline.id)
    assert row.state == "lost" and row.message == baseline.message and len(row.steps) == len(baseline.steps)
    stage.until(lambda: stage.model.worker_state == "ready")


def test_kills_at_any_moment_are_recovered_from(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.004, load_s=0.05, strip_s=0.02))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.retarget(stage.model.regions.ids[3])
    draw = random.Random(3)
    for kill in range(12):
        doing = draw.choice(["loading", "running", "measuring"])
        if doing == "loading":
            stage.controller.load_model()
        elif doing == "running":
            stage.controller.run()
        else:
            stage.controller.discover(StripsSource("builtin", 8))
        stage.qtbot.wait(draw.randrange(60))  # time itself: any moment will do
        before = everything(stage)
        stage.controller.kill_worker()
        worker = kill + 2
        stage.until(lambda worker=worker: stage.controller._jobs.worker == worker)
        stage.until(lambda: stage.model.worker_state == "ready")
        after = everything(stage)
        assert after[:4] == before[:4] and after[5:7] == before[5:7]
        assert before[4].keys() <= after[4].keys()
        assert all(after[7][run_id] == done for run_id, done in before[7].items())
        assert stage.model.progress is None and not stage.model.measured_rankings
        assert all(record.ended for record in stage.model.runs.values() if record.worker < worker)


def kill_while_loading(stage) -> None:
    """Kill as many workers as are begun without anybody asking, each while it loads."""
    jobs = stage.controller._jobs
    for worker in range(1, MAX_LOSSES_IN_A_ROW + 1):
        stage.until(lambda number=worker: jobs.worker == number and stage.model.worker_state == "loading")
        stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "lost")


def test_a_worker_that_keeps_dying_is_given_up_until_somebody_asks(open_stage):
    stage = open_stage(Script(load_s=2.0))
    kill_while_loading(stage)
    assert "restart" in stage.model.notice.next_step
    stage.qtbot.until_quiet()
    assert stage.model.worker_state == "lost"
    stage.controller.restart_worker()
    stage.until(lambda: stage.model.worker_state == "loading")
    assert stage.controller._jobs.worker == MAX_LOSSES_IN_A_ROW + 1


def test_a_given_up_worker_is_begun_anew_by_loading_a_model(open_stage):
    stage = open_stage(Script(load_s=0.5))
    kill_while_loading(stage)
    stage.controller.load_model("other")
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.model_info.path == "other"


def test_a_cancelled_load_is_not_tried_again_by_the_next_worker(open_stage):
    stage = open_stage(Script(load_s=3.0))
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.total)
    stage.controller.loader.cancel()
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "none")
    assert stage.model.model_info is None


def test_a_restart_by_hand_stops_runs_and_loads_the_model_again(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until(lambda: stage.shown("baseline").steps)
    stage.controller.restart_worker()
    baseline = stage.shown("baseline")
    assert (baseline.state, baseline.message) == ("cancelled", "It was interrupted.")
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.model_info is not None


def test_a_worker_that_cannot_be_started_is_said(open_stage, monkeypatch):
    stage = open_stage(start=False)

    def no_memory() -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(stage.backend, "restart", no_memory)
    stage.controller.start()
    assert stage.model.worker_state == "lost" and "Cannot allocate" in stage.model.notice.sentence


def test_a_worker_of_another_version_is_not_started_over_and_over(stage):
    stage.controller._on_event(Failed(0, "fatal", "The app speaks protocol 1, the worker 2.", "Install it."))
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "lost")
    stage.qtbot.until_quiet()
    assert stage.model.worker_state == "lost" and stage.controller._jobs.worker == 1


def test_closing_in_the_middle_of_a_run_stops_it(open_stage, strip_path, monkeypatch):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until(lambda: stage.shown("baseline").steps)
    assert stage.controller.busy
    ended: list[tuple[object, ...]] = []
    run_ended = stage.log.run_ended

    def noted(*told):
        ended.append(told[:2])
        return run_ended(*told)

    monkeypatch.setattr(stage.log, "run_ended", noted)
    stage.controller.shutdown()
    assert stage.shown("baseline").state == "cancelled"
    assert ended == [(stage.shown("baseline").id, "cancelled")]


# Regions and the log


def test_regions_are_written_down_after_an_edit_and_once(stage, monkeypatch):
    saved: list[tuple[str, tuple[Region, ...]]] = []
    monkeypatch.setattr(stage.log, "save_regions", lambda sha256, regions: saved.append((sha256, regions)))
    stage.controller.editor.add_region("mine")
    stage.controller.editor.paint_rectangle((3, 3), (50, 50))
    stage.until(lambda: saved)
    assert saved[0][0] == stage.model.picture.sha256
    assert [region.name for region in saved[0][1]][-1] == "mine" and len(saved) == 1
    stage.controller.heads.top(3)
    stage.qtbot.until_quiet()
    assert len(saved) == 1, "heads are no regions"


def imported(stage, paths):
    """Import files and wait until they are read."""
    stage.controller.import_regions(paths)
    stage.until(lambda: stage.controller.region_import.progress is None)


def test_an_import_leaves_the_screen_alone_and_can_be_stopped(stage, tmp_path):
    """Reading waits for the test: in the thread of the screen it would never come back."""
    reading, n_regions = stage.controller.region_import, len(stage.model.regions)
    path, texts, gate = coco_of(stage, tmp_path, "one.png"), [], Event()
    reading.changed.connect(lambda: texts.append(reading.progress and reading.progress.text))
    whole = region_import.read_regions

    def waiting(*arguments):
        gate.wait()
        return whole(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(region_import, "read_regions", waiting)
        stage.controller.import_regions([path])
        assert reading.progress is not None and "several.json" in reading.progress.text
        stage.controller.import_regions([path])
        assert "already" in stage.model.notice.sentence
        reading.cancel()
        gate.set()
        stage.until(lambda: reading.progress is None)
    assert len(stage.model.regions) == n_regions and texts[-1] is None
    imported(stage, [path])
    assert len(stage.model.regions) == n_regions + 1


def test_regions_go_to_files_and_come_back(stage, tmp_path):
    for form, path in (
        ("png", tmp_path / "masks"),
        ("labelme", tmp_path / "l.json"),
        ("coco", tmp_path / "c.json"),
    ):
        if form == "png":
            path.mkdir()
        assert stage.controller.export_regions(path, form)
        n_regions = len(stage.model.regions)
        files = sorted(path.glob("*.png")) if form == "png" else [path]
        imported(stage, files)
        added = list(stage.model.regions)[n_regions:]
        assert len(added) == n_regions
        for before, after in zip(stage.model.regions, added, strict=False):
            assert np.array_equal(before.mask_HW, after.mask_HW)
        stage.controller.editor.undo()
    imported(stage, [tmp_path / "none.json"])
    assert "none.json" in stage.model.notice.sentence


def coco_of(stage, tmp_path, *names):
    width, height = stage.model.picture.size_px
    sizes = {"width": width, "height": height}
    boxes = [[0, 0, 20, 20], [40, 0, 20, 20]]
    content = {
        "images": [{"id": number, "file_name": name, **sizes} for number, name in enumerate(names)],
        "annotations": [{"image_id": n, "bbox": boxes[n]} for n in range(len(names))] + [{"image_id": 0}],
    }
    path = tmp_path / "several.json"
    path.write_text(json.dumps(content))
    return path


def test_what_is_left_out_of_an_import_is_said(stage, tmp_path):
    n_regions = len(stage.model.regions)
    imported(stage, [coco_of(stage, tmp_path, "one.png")])
    assert len(stage.model.regions) == n_regions + 1
    assert stage.model.notice.kind == "info" and "left out" in stage.model.notice.sentence


def test_which_picture_of_a_file_is_meant_is_asked(stage, tmp_path):
    path, n_regions = coco_of(stage, tmp_path, "one.png", "two.png"), len(stage.model.regions)
    stage.controller.region_import.ask_which_picture = lambda names: ""
    imported(stage, [path])
    assert len(stage.model.regions) == n_regions and "2 pictures" in stage.model.notice.sentence
    stage.controller.region_import.ask_which_picture = lambda names: names[1]
    imported(stage, [path])
    assert list(stage.model.regions)[-1].mask_HW[5, 45]


def test_without_a_picture_no_region_is_exported(open_stage, tmp_path):
    stage = open_stage(start=False)
    assert not stage.controller.export_regions(tmp_path / "a.json", "coco")
    stage.controller.import_regions([tmp_path / "a.json"])
    assert stage.model.notice.about == "regions"


def test_an_attempt_that_is_refused_becomes_a_notice(stage):
    spy = counted(stage.model.notice_changed)
    assert not notices.attempt(stage.controller.model, lambda: stage.controller.heads.top(9999), "heads")
    assert stage.model.notice.about == "heads" and spy.count() == 1
    assert notices.attempt(stage.controller.model, lambda: stage.controller.heads.top(3), "heads")


@pytest.mark.parametrize(
    "module",
    ["gazeviz.app.runs.run_controller", "gazeviz.app.session.settings", "gazeviz.app.runs.picture_opener"],
)
def test_the_app_loads_no_torch_and_no_widgets(module):
    heavy = ("torch", "transformers", "PySide6.QtWidgets", "sqlite_utils", "matplotlib")
    code = f"import {module}, sys; print(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
