"""A log with runs to compare, an archive that reads it and a session without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from PySide6.QtWidgets import QLabel, QTableWidget, QTableWidgetItem, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.app.history.log_browser import Archive
from gazeviz.app.runs.picture_opener import picture_file
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import HeadOrigin, HeadRanking, HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering
from gazeviz.store import SessionStore
from gazeviz.ui.compare.compare_page import CompareView
from gazeviz.ui.compare.run_column import CompareColumn
from gazeviz.ui.widgets.controls import ElidedLabel
from tests.fakes.fake import FakeBackend
from tests.render.made_runs import CHOSEN, MODEL, PANELS, RANKING, SIZE_PX, MadeRun, made_run

_Part = TypeVar("_Part", bound=QWidget)
OTHERS = HeadSet.of("L1H2,L1H3", HeadOrigin("random", "mass", 2, 0, "all"))


@dataclass
class CompareStage:
    """A log, and what reads it."""

    model: SessionModel
    store: SessionStore
    archive: Archive
    view: CompareView
    picture: str
    qtbot: QtBot

    def log(self, run: MadeRun, ended: bool = True) -> int:
        """Write a run down; returns its number."""
        run_id = self.store.run_created(run.side, run.spec, run.model)
        for step in run.steps:
            self.store.step_appended(run_id, step)
        if ended:
            self.store.run_ended(run_id, run.state, run.summary, run.message).result()
        return run_id

    def baseline(self, **about: object) -> int:
        """Write a baseline down."""
        return self.log(made_run(picture=self.picture, **about))  # type: ignore[arg-type]

    def steered(
        self,
        heads: HeadSet = CHOSEN,
        target: Region = PANELS[1],
        texts: tuple[str, ...] = ("a", " dog", " runs", "."),
        prompt: str = "What is happening?",
        strength: float = 8.0,
    ) -> int:
        """Write a steered run down."""
        steering = Steering(heads, target, strength=strength)
        return self.log(made_run(1, steering, prompt, texts, picture=self.picture))

    def until(self, holds: Callable[[], object]) -> None:
        """Let the session live until something holds."""
        self.qtbot.waitUntil(lambda: bool(holds()), timeout=8000)

    def compare(self, *ids: int) -> None:
        """Show runs and wait for them."""
        before = self.view.runs.comparison
        self.view.show_runs(ids)
        self.until(lambda: self.view.runs.comparison is not before)


@contextmanager
def open_compare_stage(qtbot: QtBot, folder: Path) -> Iterator[CompareStage]:
    """A session with an empty log in a folder; everything is closed behind it."""
    pixels_HW3 = np.random.default_rng(1).integers(256, size=(*SIZE_PX[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels_HW3).save(folder / "strip.png")
    picture = picture_file(folder / "strip.png")
    store = SessionStore(folder / "gazeviz.db")
    store.save_picture(picture.source, picture.size_px, None, ())
    model = SessionModel()
    model.model_info = MODEL
    controller, archive = RunController(model, FakeBackend), Archive(store)
    view = CompareView(model, controller, archive)
    qtbot.addWidget(view)
    view.resize(860, 460)
    view.show()
    try:
        yield CompareStage(model, store, archive, view, picture.sha256, qtbot)
    finally:
        archive.close()
        controller.shutdown()
        store.close()


def rankings() -> dict[str, HeadRanking]:
    """Two rankings of the model that agree on their best head alone, and one with it at the end."""
    swapped_LH = RANKING.scores_LH.copy()
    swapped_LH[1, :3] = swapped_LH[1, 2::-1]
    return {
        "mass": RANKING,
        "causal": HeadRanking("causal", swapped_LH),
        "image_heads": HeadRanking("image_heads", -RANKING.scores_LH),
    }


def part(where: QWidget, kind: type[_Part], name: str = "") -> _Part:
    """The first part of a kind, or the one of a name."""
    found = where.findChild(kind, name) if name else where.findChild(kind)
    assert isinstance(found, kind), name
    return found


def cell(table: QTableWidget, row: int, place: int) -> QTableWidgetItem:
    """A cell of a table."""
    item = table.item(row, place)
    assert item is not None
    return item


def column(stage: CompareStage, letter: str) -> CompareColumn:
    """A run's column."""
    return part(stage.view, CompareColumn, f"compareColumn{letter}")


def said(stage: CompareStage, name: str) -> str:
    """What a label says, all of it."""
    found = part(stage.view.runs if stage.view.runs.findChild(QLabel, name) else stage.view, QLabel, name)
    return found.whole if isinstance(found, ElidedLabel) else found.text()
