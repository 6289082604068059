"""Who may know whom: the rules of the rooms, and that light modules stay light."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

import gazeviz
from gazeviz.commands import steer
from gazeviz.domain.grid import RULES
from gazeviz.domain.steering import HARD, MODES, SCOPES

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "gazeviz").rglob("*.py"))
HEAVY = ("torch", "transformers", "PySide6", "matplotlib", "sqlite_utils")


def test_the_rooms_keep_their_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    configure()
    assert lint_imports(cache_dir=None, is_debug_mode=False) is True


@pytest.mark.parametrize(
    "light",
    [
        "gazeviz", "gazeviz.cli", "gazeviz.doctor", "gazeviz.errors", "gazeviz.logging_setup",
        "gazeviz.resources",
        "gazeviz.domain.heads", "gazeviz.domain.steering", "gazeviz.domain.run", "gazeviz.domain.strip",
        "gazeviz.testbed.world.grammar", "gazeviz.testbed.world.world",
    ],
)  # fmt: skip
def test_light_modules_load_nothing_heavy(light: str) -> None:
    code = f"import {light}, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("drawing", ["gazeviz.render.overlay", "gazeviz.render.figures"])
def test_drawing_needs_no_model_and_no_window(drawing: str) -> None:
    code = f"import {drawing}, sys; print(*[name for name in ('torch', 'PySide6') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_window_loads_no_model_and_nothing_slow() -> None:
    slow = ("torch", "transformers", "matplotlib", "jinja2", "pyqtgraph")
    code = (
        "import gazeviz.ui.shell.main_window, sys;"
        f" print(*[name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", gazeviz.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(gazeviz, name) is not None
    assert name in dir(gazeviz)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gaze'"):
        gazeviz.gaze  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert path.stem not in {"utils", "misc", "helpers", "common", "manager"}
    assert len(path.read_text("utf-8").splitlines()) <= 800  # on the way to 700


def test_choices_of_the_command_line_are_those_of_the_domain() -> None:
    # Written twice so that starting the command line does not import numpy.
    assert (steer.MODES, steer.SCOPES, steer.RULES) == (MODES, SCOPES, RULES)
    assert all(steer.strength_of(limit) == limit for limit in HARD)


def test_rankings_of_the_help_are_those_of_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    from gazeviz import cli

    rankings = import_module("gazeviz.engine.discovery.discovery").RANKINGS
    with pytest.raises(SystemExit):
        cli.main(["discover", "--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in rankings)
