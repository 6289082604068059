"""The model dialog: lists what there is, says what it would take, loads it and closes once it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QListWidget, QProgressBar

from gazeviz.app.runs import model_catalogue as model_shelf
from gazeviz.app.runs.model_catalogue import Device, look_into
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.model_folder import find_folder
from gazeviz.ui.shell.model_dialog import ModelDialog
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import ChoiceButton
from tests.app.runs.test_model_shelf import write_model, write_snapshot
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PATIENCE_S, PatientBot
from tests.ui.fixtures.painting_stage import child_of

GIB = 1024**3
PROCESSOR = Device("cpu", "Processor", 16 * GIB, 9 * GIB)
GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * GIB, 20 * GIB)


class DialogStage:
    """A dialog over a session with the scripted model."""

    def __init__(self, settings: AppSettings, qtbot: PatientBot, load_s: float) -> None:
        self.model, self.settings, self.qtbot = SessionModel(), settings, qtbot
        self.controller = RunController(
            self.model, lambda listener: FakeBackend(listener, Script(load_s=load_s))
        )
        self.dialog = ModelDialog(self.model, self.controller, settings)
        qtbot.addWidget(self.dialog)

    def open(self) -> None:
        """Show the dialog with its list filled."""
        with self.qtbot.waitSignal(self.dialog.catalogue.changed):
            self.dialog.open_dialog()

    def choose(self, name: str) -> None:
        """Select the model of that name."""
        (item,) = self.models.findItems(name, Qt.MatchFlag.MatchExactly)
        self.models.setCurrentItem(item)

    @property
    def models(self) -> QListWidget:
        """The models."""
        found = child_of(self.dialog, "modelList")
        assert isinstance(found, QListWidget)
        return found

    @property
    def names(self) -> list[str]:
        """What is listed."""
        return [self.models.item(row).text() for row in range(self.models.count())]

    def button(self, name: str) -> QAbstractButton:
        """The button of that name."""
        found = child_of(self.dialog, name)
        assert isinstance(found, QAbstractButton)
        return found

    def text(self, name: str) -> str:
        """What a label says."""
        found = child_of(self.dialog, name)
        assert isinstance(found, QLabel)
        return found.text()

    def close(self) -> None:
        """End all of it."""
        self.controller.shutdown()
        self.dialog.catalogue.close()


@pytest.fixture
def load_s() -> float:
    return 0.0


@pytest.fixture
def stage(
    tmp_path: Path, qtbot: PatientBot, monkeypatch: pytest.MonkeyPatch, load_s: float
) -> Iterator[DialogStage]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(model_shelf, "places", lambda: (PROCESSOR, GPU))
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    write_snapshot(tmp_path / "hub", "some/tiny-8b", "aa", n=8 * 10**9)
    write_snapshot(tmp_path / "hub", "some/words-7b", "bb", model_type="phi9", vision_config=None)
    stage = DialogStage(settings, qtbot, load_s)
    yield stage
    stage.close()


def test_what_there_is_is_listed_usable_ones_first(stage: DialogStage) -> None:
    stage.open()
    assert stage.names == ["comic-vlm", "some/tiny-8b", "some/words-7b"]
    assert stage.dialog.chosen is not None and stage.dialog.chosen.name == "comic-vlm"


def test_a_model_that_cannot_be_used_says_why_and_cannot_be_loaded(stage: DialogStage) -> None:
    stage.open()
    stage.choose("some/words-7b")
    assert "takes no pictures" in stage.text("modelSaid")
    assert not stage.button("modelLoad").isEnabled()
    stage.dialog.load_chosen()
    assert stage.model.progress is None


def test_what_it_takes_follows_device_and_numbers(stage: DialogStage) -> None:
    stage.open()
    stage.choose("some/tiny-8b")
    of_gpu = next(line for line in stage.text("modelTaken").splitlines() if line.startswith("NVIDIA"))
    assert "bfloat16: loading " in of_gpu and "; free: 20.0 GiB" in of_gpu
    assert " a run of " in of_gpu and " ranking heads " in of_gpu
    assert "as bfloat16, 20.0 GiB free on NVIDIA RTX 4090." in stage.text("modelTaken")
    device, dtype = child_of(stage.dialog, "modelDevice"), child_of(stage.dialog, "modelDtype")
    assert isinstance(device, ChoiceButton) and isinstance(dtype, ChoiceButton)
    device.chosen.emit("cpu")
    said = stage.text("modelTaken")
    assert "as float32, 9.0 GiB free on the processor. It will probably not fit." in said
    assert stage.dialog.chosen is not None and stage.dialog.chosen.name == "some/tiny-8b"
    dtype.chosen.emit("float16")
    assert "as float16" in stage.text("modelTaken")


def test_a_gpu_that_the_worker_could_not_use_is_not_counted_on(stage: DialogStage) -> None:
    built_in = look_into(find_folder(None), None, "built-in").folder
    stage.controller.start(str(built_in))
    stage.qtbot.waitUntil(lambda: stage.model.worker_state == "ready")
    stage.open()
    stage.choose("some/tiny-8b")
    said = stage.text("modelTaken")
    assert "free on the processor" in said and said.splitlines()[0].endswith("A scripted model needs none.")


def test_enter_loads_once_and_closes_the_dialog(stage: DialogStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.controller.start()
    stage.qtbot.waitUntil(lambda: stage.model.worker_state == "ready")
    stage.open()
    stage.choose("some/tiny-8b")
    asked: list[tuple[str | None, str, str]] = []
    load = stage.controller.load_model

    def noted(source: str | None, device: str, dtype: str) -> None:
        asked.append((source, device, dtype))
        load(source, device, dtype)

    monkeypatch.setattr(stage.controller, "load_model", noted)
    QTest.keyClick(stage.models, Qt.Key.Key_Return)
    stage.qtbot.waitUntil(stage.dialog.isHidden)
    assert asked == [("some/tiny-8b", "auto", "auto")]
    assert stage.model.model_info is not None and stage.model.model_info.path == "some/tiny-8b"


def test_the_built_in_model_is_loaded_by_a_click(stage: DialogStage) -> None:
    stage.controller.start("another")
    stage.qtbot.waitUntil(lambda: stage.model.worker_state == "ready")
    stage.open()
    stage.choose("comic-vlm")
    stage.button("modelLoad").click()
    stage.qtbot.waitUntil(stage.dialog.isHidden)
    assert stage.model.model_info is not None and stage.model.model_info.path == "scripted"


@pytest.mark.parametrize("load_s", [5.0])
def test_loading_shows_how_far_it_is_and_can_be_cancelled(stage: DialogStage, load_s: float) -> None:
    stage.controller.start()
    stage.open()
    bar = child_of(stage.dialog, "modelProgress")
    assert isinstance(bar, QProgressBar)
    stage.qtbot.waitUntil(lambda: stage.text("modelProgressText") == "loading the scripted model")
    assert bar.isVisible() and stage.button("modelCancel").isVisible()
    stage.button("modelCancel").click()
    stage.qtbot.waitUntil(lambda: not bar.isVisible())
    assert stage.dialog.isVisible() and stage.model.model_info is None


def test_what_goes_wrong_is_said_in_the_dialog(
    stage: DialogStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.controller.start()
    stage.qtbot.waitUntil(lambda: stage.model.worker_state == "ready")
    monkeypatch.chdir(write_model(tmp_path / "here" / "missing").parent)
    stage.settings.note_model("missing")
    stage.open()
    stage.choose("missing")
    stage.button("modelLoad").click()
    stage.qtbot.waitUntil(lambda: stage.model.notice is not None)
    assert stage.text("noticeSentence") == "There is no model folder missing."
    assert stage.dialog.isVisible()


def test_any_folder_can_be_listed_and_is_chosen(stage: DialogStage, tmp_path: Path) -> None:
    stage.open()
    folder = write_model(tmp_path / "mine")
    with stage.qtbot.waitSignal(stage.dialog.catalogue.changed):
        stage.dialog.add_folder(str(folder))
    assert stage.dialog.chosen is not None and stage.dialog.chosen.folder == folder
    assert stage.settings.last_folder == str(tmp_path)


def test_a_dialog_that_is_closed_while_it_looks_around_is_no_trouble(
    stage: DialogStage, monkeypatch: pytest.MonkeyPatch, qtbot: PatientBot
) -> None:
    gate = Event()
    monkeypatch.setattr(model_shelf, "places", lambda: (PROCESSOR,) if gate.wait(PATIENCE_S) else ())
    dialog = ModelDialog(stage.model, stage.controller, stage.settings)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    catalogue = dialog.catalogue
    with qtbot.waitSignal(dialog.destroyed):
        dialog.close()
    gate.set()
    catalogue.close()
    stage.model.worker_message = "said to nobody"
    assert catalogue.listing.models == ()


def test_every_control_is_named_and_says_what_it_does(stage: DialogStage) -> None:
    stage.open()
    for control in stage.dialog.findChildren(QAbstractButton):
        if control.isVisible() and not control.objectName().startswith("qt_"):
            assert control.objectName() and control.accessibleName() and control.toolTip(), control


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_it_is_drawn_in_both_themes(stage: DialogStage, qapp: QApplication, choice: str) -> None:
    theme.apply(qapp, "light" if choice == "light" else "dark")
    stage.open()
    shot = stage.dialog.grab().toImage()
    colours = {shot.pixelColor(x, y).name() for x in range(0, shot.width(), 3) for y in (30, 60, 90)}
    assert theme.current().panel.name() in colours and theme.current().accent.name() in colours
