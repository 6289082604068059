"""The tour: points at parts of the window, goes on when a step was done, and is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSettings, QSize, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.ui.shell import tour as tour_module
from gazeviz.ui.shell.tour import STEPS, Tour, TourCard, place_card
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of

PARTS = {
    "runButton": QRect(600, 400, 90, 30),
    "headGrid": QRect(700, 60, 190, 180),
    "imageCanvas": QRect(200, 50, 480, 300),
    "steerPanel": QRect(200, 440, 480, 40),
}
WINDOW = QRect(0, 0, 900, 600)


class TourStage:
    """A window of dummies over a session with the scripted model."""

    def __init__(self, settings: AppSettings, qtbot: PatientBot) -> None:
        self.qtbot, self.settings, self.model = qtbot, settings, SessionModel()
        self.controller = RunController(self.model, lambda listener: FakeBackend(listener, Script()))
        self.window = QWidget()
        qtbot.addWidget(self.window)
        self.window.setGeometry(WINDOW)
        for name, place in PARTS.items():
            part = QWidget(self.window)
            part.setObjectName(name)
            part.setGeometry(place)
        self.tour = Tour(self.window, self.model, self.controller, settings)
        self.window.show()

    @property
    def key(self) -> str:
        """The step that is shown, "" for none."""
        return self.tour.step.key if self.tour.step is not None else ""

    def click(self, name: str) -> None:
        """Press a button of the card."""
        button = child_of(self.tour.card, name)
        assert isinstance(button, QAbstractButton)
        button.click()

    def until(self, key: str) -> None:
        """Wait for a step."""
        self.qtbot.waitUntil(lambda: self.key == key)

    def run_something(self, path: Path) -> None:
        """Have the model answer."""
        self.controller.start()
        self.controller.open_picture(path)
        self.qtbot.waitUntil(lambda: self.model.grid is not None and self.model.worker_state == "ready")
        self.model.prompt = "What is happening?"
        self.model.target_region_id = next(iter(self.model.regions)).id
        self.controller.run()


@pytest.fixture
def stage(tmp_path: Path, qtbot: PatientBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[TourStage]:
    monkeypatch.setattr(tour_module, "ADVANCE_MS", 1)
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    stage = TourStage(settings, qtbot)
    yield stage
    stage.controller.editor.undo_stack.clear()
    stage.controller.shutdown()


def strip_path() -> Path:
    from gazeviz.app.runs.picture_opener import samples

    return samples()[0].path


def test_four_steps_then_it_is_remembered(stage: TourStage) -> None:
    stage.tour.start()
    seen = []
    while stage.key:
        seen.append(stage.key)
        stage.click("tourNext")
    assert seen == ["run", "heads", "paint", "steer"]
    assert stage.settings.tour_seen and stage.tour.card.isHidden() and stage.tour.ring.isHidden()


def test_it_can_be_skipped_and_called_again(stage: TourStage) -> None:
    stage.tour.start()
    with stage.qtbot.waitSignal(stage.tour.ended):
        stage.click("tourSkip")
    assert stage.key == "" and stage.settings.tour_seen
    stage.tour.start()
    assert stage.key == "run" and stage.tour.card.isVisible()


def test_esc_ends_it_and_then_means_what_it_did_before(stage: TourStage) -> None:
    followed: list[None] = []
    shortcut = QShortcut(QKeySequence("Esc"), stage.window)
    shortcut.activated.connect(lambda: followed.append(None))
    writing = QLineEdit(stage.window)
    writing.show()
    stage.window.activateWindow()
    writing.setFocus()
    stage.qtbot.waitUntil(writing.hasFocus)
    stage.tour.start()
    stage.qtbot.keyClick(writing, Qt.Key.Key_Escape)
    assert stage.key == "" and stage.settings.tour_seen and not followed
    stage.qtbot.keyClick(writing, Qt.Key.Key_Escape)
    assert len(followed) == 1


@pytest.mark.parametrize("at", range(len(STEPS)))
def test_every_card_is_whole_beside_what_it_points_at(stage: TourStage, at: int) -> None:
    stage.tour.start()
    for _ in range(at):
        stage.tour.next_step()
    card, target = stage.tour.card.geometry(), PARTS[STEPS[at].parts[0]]
    assert WINDOW.contains(card) and not card.intersects(target)
    assert stage.tour.ring.geometry().contains(target)
    text = child_of(stage.tour.card, "tourText")
    assert isinstance(text, QLabel) and text.height() >= text.heightForWidth(text.width())


def test_running_choosing_and_painting_lead_on(stage: TourStage) -> None:
    stage.tour.start()
    stage.run_something(strip_path())
    stage.until("heads")
    stage.model.chosen = HeadSet((Head(0, 1),))
    stage.until("paint")
    stage.model.note_painted(next(iter(stage.model.regions)).id, (0, 0, 4, 4))
    stage.until("steer")
    stage.qtbot.waitUntil(lambda: not stage.controller.runs.active)
    assert stage.key == "steer"  # what the first step began and has ended now is not the last step's
    stage.controller.run("steered")
    stage.until("")
    assert stage.settings.tour_seen


def test_what_was_done_before_a_step_does_not_end_it(stage: TourStage) -> None:
    stage.run_something(strip_path())
    stage.qtbot.waitUntil(lambda: (run := stage.model.run_of("steered")) is not None and run.ended)
    stage.tour.start()
    stage.model.note_run(next(iter(stage.model.runs)))
    stage.model.chosen = HeadSet((Head(0, 1),))
    stage.qtbot.until_quiet()
    assert stage.key == "run"


def test_nothing_goes_on_without_a_tour(stage: TourStage) -> None:
    stage.model.chosen = HeadSet((Head(0, 1),))
    stage.tour.next_step()
    stage.tour.skip()
    assert stage.key == "" and stage.tour.card.isHidden() and not stage.settings.tour_seen


def test_the_card_follows_its_part(stage: TourStage) -> None:
    stage.tour.start()
    before = stage.tour.card.pos()
    child_of(stage.window, "runButton").move(300, 200)
    stage.qtbot.waitUntil(lambda: stage.tour.card.pos() != before)
    child_of(stage.window, "runButton").hide()
    stage.qtbot.waitUntil(stage.tour.ring.isHidden)
    assert stage.tour.card.isVisible()


def test_a_part_that_is_deleted_is_no_trouble(stage: TourStage) -> None:
    stage.tour.start()
    child_of(stage.window, "runButton").deleteLater()
    stage.qtbot.until_quiet()
    stage.tour.next_step()
    assert stage.key == "heads"


@pytest.mark.parametrize(
    ("target", "side"),
    [
        (QRect(100, 200, 80, 40), "left"),
        (QRect(780, 200, 80, 40), "right"),
        (QRect(200, 540, 600, 40), "bottom"),
        (QRect(200, 10, 600, 40), "top"),
        (QRect(50, 50, 800, 500), "none"),
        (None, "none"),
    ],
)
def test_a_card_stands_where_there_is_room(target: QRect | None, side: str) -> None:
    place = place_card(QSize(320, 180), target, WINDOW)
    assert place.side == side and WINDOW.contains(QRect(place.corner, QSize(320, 180)))


def test_the_pointer_shows_on_its_side(qtbot: PatientBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    card = TourCard(window)
    card.show_step("Run", "Press Run.", 1, 4)
    card.fit()
    card.point("left", card.height() // 2)
    shot = card.grab().toImage()
    tip, corner = shot.pixelColor(2, shot.height() // 2), shot.pixelColor(2, 2)
    assert tip != corner
    assert card.pos() == QPoint(0, 0)
