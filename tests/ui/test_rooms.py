"""The rooms of the window: each knows its own files and the shared widgets; edits go through the editor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
UI = ROOT / "gazeviz" / "ui"
SHARED = "widgets"
PUTS_TOGETHER = "shell"
FILES = sorted(UI.rglob("*.py"))


def imported_rooms(source: str) -> Iterator[str]:
    """The rooms that a module imports anything of, inside functions and for a type checker, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("gazeviz.ui."):
                yield name.split(".")[2]


def test_no_room_of_the_window_knows_another() -> None:
    found = {
        f"{path.relative_to(UI)} imports {room}"
        for path in FILES
        if path.parent.name not in ("ui", PUTS_TOGETHER)
        for room in imported_rooms(path.read_text("utf-8"))
        if room not in (path.parent.name, SHARED)
    }
    assert found == set()


def test_an_import_inside_a_function_is_found() -> None:
    source = "def late():\n    from gazeviz.ui.heads.gallery import Gallery\n    return Gallery\n"
    assert set(imported_rooms(source)) == {"heads"}
    assert set(imported_rooms("from gazeviz.ui import compare, widgets")) == {"compare", "widgets"}


def test_the_window_calls_the_editor_and_the_editor_pushes() -> None:
    found = {
        str(path.relative_to(UI))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "push"
    }
    assert found == set()
