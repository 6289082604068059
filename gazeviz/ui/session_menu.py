"""The menu of a run under the right button: what can be done, and a list of only the runs like it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from gazeviz.app.archive import RunLine
from gazeviz.render.lettering import one_line

_COLUMNS: Final = {
    "model": "model", "picture": "picture", "prompt": "prompt", "heads": "heads", "target": "target",
    "strength": "strength", "verdict": "verdict", "state": "state", "session": "session",
}  # fmt: skip
_QUOTES: Final = frozenset('"“”')


def like_it(line: RunLine, key: str) -> tuple[str, str] | None:
    """How runs with the same value in a column are called and searched for; None where they cannot be."""
    if key == "star":
        return ("Only starred runs", "is:starred") if line.starred else None
    if key == "tags":
        tag = next((tag for tag in line.tags if not _QUOTES.intersection(tag)), None)
        return None if tag is None else (f"Only runs tagged “{tag}”", f'tag:"{tag}"')
    if key == "target" and line.side == "baseline":
        return "Only baselines", "is:baseline"
    value = str(getattr(line, _COLUMNS.get(key, "id")))
    if key not in _COLUMNS or not value or _QUOTES.intersection(value):
        return None
    return f"Only this {_COLUMNS[key]}: {one_line(value, 40)}", f'{_COLUMNS[key]}:="{value}"'


def run_menu(
    parent: QWidget,
    offered: Sequence[tuple[str, str]],
    do: Callable[[str], object],
    likeness: tuple[str, str] | None,
    look_for: Callable[[str], object],
) -> QMenu:
    """A menu that deletes itself when it is closed. offered: deeds and what they are called."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if likeness is not None:
        label, typed = likeness
        menu.addAction(label.replace("&", "&&")).triggered.connect(lambda: look_for(typed))
        menu.addSeparator()
    for key, label in offered:
        menu.addAction(label).triggered.connect(partial(_done, do, key))
    return menu


def _done(do: Callable[[str], object], key: str, _checked: bool = False) -> None:
    do(key)
