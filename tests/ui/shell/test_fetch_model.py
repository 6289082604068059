"""The Open dialog's "Get a model": looked up, agreed to, fetched, from a hub on the loopback address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from gazeviz.resources import resource_path
from gazeviz.ui.shell.fetch_model import FetchModel
from tests.fakes.local_hub import COMMIT, LocalHub, serving
from tests.patience import PATIENCE_MS

REPOSITORY = "someone/comic-vlm"
P = TypeVar("P", bound=QWidget)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in resource_path("models", "comic-vlm").iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    with serving(LocalHub(REPOSITORY, folder)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield served


@pytest.fixture
def fetching(qtbot: QtBot, hub: LocalHub) -> FetchModel:
    widget = FetchModel()
    qtbot.addWidget(widget)
    widget.ask()
    widget.show()
    return widget


def part(widget: FetchModel, kind: type[P], name: str) -> P:
    found = widget.findChild(kind, name)
    assert isinstance(found, kind)
    return found


def button(widget: FetchModel, name: str) -> QPushButton:
    return part(widget, QPushButton, name)


def look_up(qtbot: QtBot, widget: FetchModel, repository: str) -> str:
    line = part(widget, QLineEdit, "fetchModelRepository")
    line.clear()
    qtbot.keyClicks(line, repository)
    with qtbot.waitSignal(widget.fetch.ended, timeout=PATIENCE_MS):
        qtbot.keyClick(line, Qt.Key.Key_Return)
    return str(part(widget, QLabel, "fetchModelSaid").text())


def test_a_person_sees_the_size_agrees_and_has_the_model(
    qtbot: QtBot, fetching: FetchModel, hub: LocalHub
) -> None:
    assert not button(fetching, "fetchModelGet").isVisible()
    said = look_up(qtbot, fetching, REPOSITORY)
    assert COMMIT[:12] in said and "MB" in said
    assert {name for name, _ in hub.asked} <= {"config.json"}, "nothing large before a person has agreed"
    with qtbot.waitSignal(fetching.fetched, timeout=PATIENCE_MS) as got:
        qtbot.mouseClick(button(fetching, "fetchModelGet"), Qt.MouseButton.LeftButton)
    assert (Path(got.args[0]) / "model.safetensors").is_file()
    assert "is here" in part(fetching, QLabel, "fetchModelSaid").text()


def test_what_cannot_be_fetched_is_said(qtbot: QtBot, fetching: FetchModel) -> None:
    assert "knows no model" in look_up(qtbot, fetching, "someone/else")
    assert not button(fetching, "fetchModelGet").isVisible()
    assert "no name of a repository" in look_up(qtbot, fetching, "--yes")


def test_a_download_can_be_stopped_and_gone_on_with(
    qtbot: QtBot, fetching: FetchModel, hub: LocalHub
) -> None:
    look_up(qtbot, fetching, REPOSITORY)
    qtbot.mouseClick(button(fetching, "fetchModelGet"), Qt.MouseButton.LeftButton)
    stop = button(fetching, "fetchModelStop")
    assert stop.isVisible()
    with qtbot.waitSignal(fetching.fetch.ended, timeout=PATIENCE_MS):
        qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert not fetching.fetch.busy and button(fetching, "fetchModelGet").isVisible()
    with qtbot.waitSignal(fetching.fetched, timeout=PATIENCE_MS):
        qtbot.mouseClick(button(fetching, "fetchModelGet"), Qt.MouseButton.LeftButton)
