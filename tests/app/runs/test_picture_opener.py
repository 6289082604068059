"""Opening pictures: the newest wins, a bad one changes nothing, regions come back with their picture."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Event

import numpy as np
from PIL import Image

from gazeviz.app.runs.picture_opener import picture_file
from gazeviz.domain.messages import OpenPicture
from gazeviz.domain.strip import Layout
from tests.app.fixtures.staging import N_PANELS, counted
from tests.fakes.scripted import Script
from tests.patience import PATIENCE_S


def other_picture(tmp_path, number: int = 0):
    path = tmp_path / f"other {number}.png"
    Image.new("RGB", (120, 90), (number, 60, 90)).save(path)
    return path


def test_a_picture_comes_with_its_panels_and_its_grid(open_stage, strip_path):
    stage = open_stage()
    spies = [
        counted(getattr(stage.model, name)) for name in ("picture_changed", "regions_changed", "grid_changed")
    ]
    stage.controller.open_picture(strip_path)
    stage.until(lambda: stage.model.grid is not None)
    assert [spy.count() for spy in spies] == [1, 1, 1]
    assert stage.model.regions.names[0] == "Panel 1" and len(stage.model.regions) == N_PANELS
    assert stage.model.fed_pixels_HW3.shape[:2] == stage.model.grid.fed_size_px[::-1]
    assert stage.model.cells_of(stage.model.regions.ids[0]).size
    stage.log.flush()
    assert stage.log.reader.picture(stage.model.picture.sha256).layout == Layout(1, N_PANELS)
    assert not stage.controller.editor.undo_stack.canUndo()


def test_a_bad_file_leaves_the_old_picture(stage, tmp_path):
    before = stage.model.picture
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG nothing")
    stage.controller.open_picture(bad)
    stage.until(lambda: stage.model.notice is not None)
    assert stage.model.picture is before and stage.model.notice.about == "picture"
    assert len(stage.model.regions) == N_PANELS and stage.model.grid is not None


def test_of_several_wishes_the_newest_is_shown(stage, tmp_path):
    spy = counted(stage.model.picture_changed)
    paths = [other_picture(tmp_path, number) for number in range(4)]

    asked = Event()

    def slowly():
        assert asked.wait(PATIENCE_S)
        return picture_file(paths[0])

    stage.controller.pictures.open(slowly)
    for path in paths[1:]:
        stage.controller.open_picture(path)
    asked.set()
    stage.until(lambda: stage.model.picture.name == "other 3.png" and stage.model.grid is not None)
    assert spy.count() == 1


def test_another_picture_starts_anew_and_regions_come_back(stage, tmp_path, strip_path):
    stage.controller.editor.add_region("mine")
    stage.controller.editor.paint_ellipse((10, 10), (90, 50))
    mask_HW = stage.model.regions.named("mine").mask_HW.copy()
    stage.controller.retarget(stage.model.regions.ids[0])
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.controller.open_picture(other_picture(tmp_path))
    stage.until(lambda: stage.model.picture.name == "other 0.png" and stage.model.grid is not None)
    assert len(stage.model.regions) == 0 and stage.model.target_region_id is None
    assert stage.model.baseline_run_id is None and stage.model.cursor is None
    assert not stage.controller.editor.undo_stack.canUndo()
    stage.log.flush()
    assert stage.log.reader.rows("SELECT count(*) FROM region_edits") != [(0,)], (
        "the last edit was written before it was left"
    )
    stage.controller.open_picture(strip_path)
    stage.until(lambda: len(stage.model.regions) == N_PANELS + 1)
    assert np.array_equal(stage.model.regions.named("mine").mask_HW, mask_HW)


def test_leaving_a_picture_stops_its_run(open_stage, strip_path, tmp_path):
    stage = open_stage(Script(token_s=0.05))
    stage.controller.open_picture(strip_path)
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until(lambda: stage.shown("baseline").steps)
    run_id = stage.model.baseline_run_id
    stage.controller.open_picture(other_picture(tmp_path))
    stage.until(lambda: stage.model.runs[run_id].ended)
    assert stage.model.runs[run_id].state == "cancelled"
    stage.until(lambda: stage.model.grid is not None and stage.model.worker_state == "ready")


def test_the_same_picture_again_keeps_its_regions(stage, strip_path):
    stage.controller.editor.add_region("mine")
    regions = counted(stage.model.regions_changed)
    grid = stage.model.grid
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.until(lambda: stage.model.grid is not grid)
    assert "mine" in stage.model.regions.names and regions.count() == 0
    assert stage.controller.editor.undo_stack.canUndo()


def test_a_large_pasted_picture_goes_by_way_of_a_file(stage, rng):
    noise = Image.fromarray(rng.integers(0, 256, (1700, 1700, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG", compress_level=1)
    assert len(buffer.getvalue()) > 8_000_000
    sent: list[OpenPicture] = []
    send = stage.backend.send

    def watched(request):
        if isinstance(request, OpenPicture):
            sent.append(request)
        return send(request)

    stage.controller._jobs.send_through(watched)
    stage.controller.open_picture_data(buffer.getvalue())
    stage.until(lambda: stage.model.picture.name == "Pasted picture" and stage.model.grid is not None)
    assert sent[0].picture.path is not None and sent[0].picture.data is None
    assert stage.model.picture.source.data is not None, "the log gets the bytes"
    stage.controller.shutdown()
    assert not Path(sent[0].picture.path).exists()


def test_more_image_tokens_are_allowed_for_one_picture(stage, tmp_path):
    usual = stage.model.grid
    stage.controller.allow_image_tokens(4 * usual.n_tokens)
    stage.until(lambda: stage.model.grid is not usual)
    assert stage.model.grid.n_tokens > usual.n_tokens
    stage.until(lambda: stage.shown("glance").ended)
    stage.controller.allow_image_tokens(None)
    stage.until(lambda: stage.model.grid.n_tokens == usual.n_tokens)
    stage.controller.allow_image_tokens(300)
    stage.controller.open_picture(other_picture(tmp_path))
    stage.until(lambda: stage.model.picture.name == "other 0.png" and stage.model.grid is not None)
    assert stage.model.max_image_tok is None


def test_a_folder_of_panels_can_be_opened(stage, tmp_path):
    folder = tmp_path / "story"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(folder / f"p{number}.png")
    stage.controller.open_picture(folder)
    stage.until(lambda: stage.model.picture.name == "story" and stage.model.grid is not None)
    assert len(stage.model.regions) == 4
