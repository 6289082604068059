"""On another machine: from the dialog that opens models, by mouse and keys, over a real ssh."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QListWidget, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.shell.model_dialog import ModelDialog
from tests.backend.listening import until_gone
from tests.backend.remote.conftest import OtherMachine, machine
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot

__all__ = ["machine"]


class Laptop:
    """A session with its dialog. What this computer has is listed from a thread, as in the app."""

    def __init__(self, settings: AppSettings, qtbot: PatientBot) -> None:
        self.model, self.qtbot = SessionModel(), qtbot
        self.controller = RunController(self.model, lambda listener: FakeBackend(listener, Script()))
        self.dialog = ModelDialog(self.model, self.controller, settings)
        qtbot.addWidget(self.dialog)
        self.controller.start()
        with qtbot.waitSignal(self.dialog.catalogue.changed):
            self.dialog.open_dialog()

    def part(self, name: str) -> QWidget:
        """The part of that name."""
        found = self.dialog.findChild(QWidget, name)
        assert found is not None
        return found

    def click(self, name: str) -> None:
        """Click a button."""
        button = self.part(name)
        assert isinstance(button, QAbstractButton) and button.isVisible()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def go_to(self, address: str) -> None:
        """Write an address and press Enter."""
        if not self.part("otherMachine").isVisible():
            self.click("modelElsewhere")
        line = self.part("otherMachineAddress")
        assert isinstance(line, QLineEdit)
        line.clear()
        QTest.keyClicks(line, address)
        QTest.keyClick(line, Qt.Key.Key_Return)

    def load_first(self) -> None:
        """Load the first model of the list, which is the built-in one."""
        models = self.part("modelList")
        assert isinstance(models, QListWidget)
        self.qtbot.waitUntil(lambda: models.count() > 0)
        models.setCurrentRow(0)
        QTest.keyClick(models, Qt.Key.Key_Return)
        self.qtbot.waitUntil(lambda: self.model.worker_state == "ready")

    @property
    def state(self) -> str:
        """What is said of the other machine."""
        label = self.part("otherMachineState")
        assert isinstance(label, QLabel)
        return label.text()


@pytest.fixture
def laptop(
    tmp_path_factory: pytest.TempPathFactory,
    qtbot: PatientBot,
    machine: OtherMachine,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Laptop]:
    machine.ssh_on_path(monkeypatch)
    store = QSettings(str(tmp_path_factory.mktemp("settings") / "s.ini"), QSettings.Format.IniFormat)
    opened = Laptop(AppSettings(store), qtbot)
    yield opened
    opened.dialog.catalogue.close()
    opened.controller.shutdown()


def test_a_model_is_loaded_there_and_the_line_is_begun_again_when_it_breaks(
    laptop: Laptop,
    machine: OtherMachine,
) -> None:
    place = str(machine.place())
    laptop.go_to(place)
    laptop.qtbot.waitUntil(lambda: laptop.state == f"Connected to {place}.")
    assert str(laptop.controller.place) == place
    laptop.load_first()
    assert laptop.model.model_info is not None and laptop.model.model_info.name == "scripted"
    assert not laptop.dialog.isVisible()  # it has done what it was opened for
    (pid,) = machine.workers()
    os.kill(pid, signal.SIGKILL)
    laptop.qtbot.waitUntil(lambda: laptop.model.worker_state == "starting")
    laptop.qtbot.waitUntil(lambda: laptop.model.worker_state == "ready")
    (next_pid,) = machine.workers()
    laptop.dialog.open_dialog()
    laptop.click("otherMachineHere")
    assert laptop.controller.place is None
    until_gone(next_pid)
    laptop.load_first()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ssh://-oProxyCommand=x", "“ssh://-oProxyCommand=x” does not say where a worker can run."),
        ("ssh://127.0.0.1:1", "ssh could not reach 127.0.0.1 ("),
    ],
)
def test_what_does_not_work_is_said_in_the_dialog_once(laptop: Laptop, address: str, sentence: str) -> None:
    laptop.go_to(address)
    laptop.qtbot.waitUntil(lambda: laptop.model.notice is not None)
    assert laptop.model.notice is not None
    assert laptop.model.notice.sentence.startswith(sentence)
    assert laptop.model.notice.next_step
    if "127" in address:
        assert (laptop.model.worker_state, laptop.state) == ("lost", "Not connected.")
        laptop.click("otherMachineHere")
        laptop.load_first()
