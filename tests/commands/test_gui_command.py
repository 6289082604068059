"""Opening the app where there is no screen: a sentence, a next step and code 2, and never an abort."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gazeviz.cli import main
from gazeviz.commands import gui
from gazeviz.errors import UserError
from tests.patience import PATIENCE_S

MAIN = Path(__file__).parents[2] / "main.py"

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems always have a screen"
)


@on_linux
@pytest.mark.parametrize("display", [None, ":987"])
@pytest.mark.parametrize("arguments", [(), ("gui",), ("--no-log", "--theme", "dark")])
def test_without_a_display_it_says_so_and_ends_with_2(
    display: str | None, arguments: tuple[str, ...]
) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    if display is not None:
        environment["DISPLAY"] = display
    done = subprocess.run(
        [sys.executable, MAIN, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert "There is no display" in done.stderr
    assert "make demo" in done.stderr and "xvfb-run" in done.stderr
    assert "Traceback" not in done.stderr


@on_linux
def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"libxcb-cursor.so.0": "libxcb-cursor0"}
    monkeypatch.setattr(gui, "missing_libraries", lambda wanted=None: lacking)
    with pytest.raises(UserError, match=r"libxcb-cursor\.so\.0") as refused:
        gui.check_screen()
    assert "apt-get install libxcb-cursor0" in refused.value.next_step


def test_a_picture_that_is_not_there_is_said_before_a_window_opens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gui", "nowhere.png"]) == 2
    assert "nowhere.png" in capsys.readouterr().err
