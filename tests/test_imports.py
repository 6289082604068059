"""Who may know whom: the rules of the rooms, and that light modules stay light."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = [(path, ast.parse(path.read_text("utf-8"))) for path in MODULES]
MAX_LINES = 700
MAX_FILES = 20
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


def test_every_module_says_what_it_is_for() -> None:
    assert offenders(lambda path, tree: not ast.get_docstring(tree)) == []


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "misc", "helpers", "common", "manager"}
    assert offenders(lambda path, tree: path.stem in drawers or n_lines(path) > MAX_LINES) == []
    assert [path for path in TESTS if n_lines(path) > MAX_LINES] == []


def test_no_folder_is_a_drawer_for_everything() -> None:
    held = Counter(path.parent for path in (*MODULES, *TESTS) if path.name != "__init__.py")
    assert {folder: n for folder, n in held.items() if n > MAX_FILES} == {}


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name for _, tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count; names for a type checker load nothing and do not."""
    graph = {module_name(path): imported_modules(tree) for path, tree in TREES}
    assert circles(graph) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_tests_wait_for_states_and_never_for_seconds() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TESTS
        if path.name != "patience.py" and "benchmarks" not in path.parts
        for number in fixed_waits(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["time.sleep(x)", "QTest.qWait(20)", "stage.qtbot.wait(n)", "ready.wait(5)", "answer.result(timeout=5)"],
)
def test_a_fixed_wait_is_found(line: str) -> None:
    assert fixed_waits(line) == [1]
    assert fixed_waits(f"{line}  # time itself is what this test is about") == []
    assert fixed_waits("ready.wait(PATIENCE_S); process.wait(); future.result(timeout=PATIENCE_S)") == []


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


def offenders(is_wrong: Callable[[Path, ast.Module], bool]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path, tree in TREES if is_wrong(path, tree)]


def n_lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def fixed_waits(source: str) -> list[int]:
    """The lines that wait for a number of seconds and do not say that time itself is their subject."""
    lines = source.splitlines()
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and waits_for_seconds(node)
        if not any("time itself" in line for line in lines[node.lineno - 1 : node.end_lineno])
    ]


def waits_for_seconds(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    name = called.rpartition(".")[2]
    limits = [key.value for key in call.keywords if key.arg in ("timeout", "timeout_s", "timeout_ms")]
    if name in ("wait", "result", "join"):
        limits += call.args[:1] if name != "join" else []
    return (
        name in ("sleep", "msleep", "qSleep", "qWait")
        or called.endswith("qtbot.wait")
        or any(isinstance(limit, ast.Constant) and isinstance(limit.value, int | float) for limit in limits)
    )


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in MODULES}


def imported_modules(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in loading_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                full if (full := f"{node.module}.{alias.name}") in NAMES else node.module
                for alias in node.names
            }
    return found & NAMES


def loading_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            continue
        yield child
        yield from loading_nodes(child)


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that reach each other, sorted."""
    reached = {start: reachable(graph, start) for start in graph}
    groups = {
        tuple(sorted(other for other in reached[start] if start in reached.get(other, ())))
        for start in graph
        if start in reached[start]
    }
    return sorted(list(group) for group in groups)


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph.get(start, ()))
    while todo:
        if (node := todo.pop()) not in seen:
            seen.add(node)
            todo += graph.get(node, ())
    return seen
