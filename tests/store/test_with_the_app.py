"""A session of the app on the scripted model, logged on disk: what the screen showed is what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.backend.client import Listener
from gazeviz.domain.strip import Layout
from gazeviz.store.upkeep import check
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.store.conftest import OpenStore
from tests.store.samples import alike


def test_what_the_screen_showed_is_what_is_kept(
    qtbot: PatientBot, open_store: OpenStore, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 384, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "strip.png")
    store, model = open_store(back_up=True), SessionModel()

    def make(listener: Listener) -> FakeBackend:
        return FakeBackend(listener, Script())

    def until(holds: Callable[[], object]) -> None:
        qtbot.waitUntil(lambda: bool(holds()))

    controller = RunController(model, make, store)
    try:
        controller.start()
        controller.open_picture(tmp_path / "strip.png", Layout(1, 6))
        model.prompt = "What is happening in this panel?"
        until(lambda: model.grid is not None and model.worker_state == "ready")
        controller.heads.top(4)
        model.target_region_id = model.regions.painted()[3].id
        controller.run("both")
        until(lambda: all((run := model.run_of(side)) and run.ended for side in ("baseline", "steered")))
        shown = {side: model.run_of(side) for side in ("baseline", "steered")}
    finally:
        controller.shutdown()
    again = open_store()
    for side, record in shown.items():
        assert record is not None and record.state == "done", (side, record)
        kept = again.run(record.id)
        assert (kept.side, kept.state) == (side, "done")
        assert alike(kept.spec, record.spec) and alike(kept.summary, record.summary)
        assert alike(tuple(kept.steps), tuple(record.steps))
    steered = again.list.page()[0]
    assert steered.target == "Panel 4" and steered.picture == "strip.png"
    assert again.sessions()[0].name.split(" · ")[1] == "strip.png"
    assert len(again.reader.regions_of(steered.image_sha256)) == 6
    again.close()
    assert check(again.path) == []
