"""The buttons beside the list of runs: what can be done with those that are selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget
from gazeviz.app.history.log_browser import RunLine
from gazeviz.render.style import one_line
from dataclasses import dataclass
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QPushButton, QWidget
from gazeviz.app.history.log_browser import LogBrowser, RunLine
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import push_button
from gazeviz.ui.widgets.controls import MenuButton
from gazeviz.ui.heads.head_sets import FlowLayout


# The menu of a run under the right button: what can be done, and a list of only the runs like it.


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


COPIED_MS: Final = 1500


@dataclass(frozen=True)
class _Deed:
    """A button. most: with how many runs it can be done; least: from how many on it is offered."""

    key: str
    label: str
    tip: str
    kind: str = ""
    least: int = 1
    most: int | None = None


_DEEDS: Final = (
    _Deed("open", "Open in Explore", "Restore the run in Explore without running the model  Enter", "primary",
          most=1),
    _Deed("compare", "Compare", "Show two to six runs side by side  C", "primary", 2, 6),
    _Deed("replay", "Replay", "Run again and check that the tokens are the same  R", most=1),
    _Deed("shell", "Copy as shell", "Copy a command line that reproduces the tokens  Ctrl+C", most=1),
    _Deed("python", "Copy as Python", "Copy Python code that reproduces the tokens  Ctrl+Shift+C", most=1),
    _Deed("report", "Report ...", "Write a report of the selected runs  P"),
    _Deed("star", "Star", "Star or unstar the selected runs  S"),
    _Deed("delete", "Delete", "Delete the selected runs; this can be undone  Del"),
    _Deed("restore", "Bring back", "Restore the selected runs", "primary"),
)  # fmt: skip
_VERDICTS: Final = (
    ("Describes the target", "target", True),
    ("Describes something else", "something else", False),
    ("Junk", "junk", False),
)


class DeedButtons(QWidget):
    """The buttons, in rows. deed_wanted: a name of session_table.DEED_KEYS, or "restore"."""

    deed_wanted = Signal(str)

    def __init__(self, archive: LogBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runDeeds")
        self._archive = archive
        self._ids: tuple[int, ...] = ()
        self.deleted = False
        self._buttons: dict[str, QPushButton] = {}
        layout = FlowLayout(self, theme.SPACE + 2)
        for deed in _DEEDS:
            layout.addWidget(self._make(deed))
        self._verdict = MenuButton("Judge", "runJudge", "Judge what the text describes; reports show the verdict")
        for label, verdict, ok in _VERDICTS:
            action = self._verdict.menu().addAction(label)
            action.triggered.connect(partial(self._judge, verdict, ok))
        self._verdict.menu().addSeparator()
        self._verdict.menu().addAction("Remove the verdict").triggered.connect(
            partial(self._judge, "", None)
        )
        layout.addWidget(self._verdict)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._copied.timeout.connect(self._say_copy)

    def _make(self, deed: _Deed) -> QPushButton:
        name = f"run{deed.key.capitalize()}"
        button = push_button(name, deed.label, deed.tip, spoken=deed.label, kind=deed.kind)
        button.clicked.connect(lambda: self.deed_wanted.emit(deed.key))
        self._buttons[deed.key] = button
        return button

    def show_runs(self, run_ids: Sequence[int], lines: Sequence[RunLine], deleted: bool) -> None:
        """Offer what can be done with some runs. lines: what is known of them."""
        self._ids, self.deleted = tuple(run_ids), deleted
        n_runs = len(run_ids)
        for deed in _DEEDS:
            fits = deed.least <= n_runs and (deed.most is None or n_runs <= deed.most)
            self._buttons[deed.key].setVisible(fits and self._is_for(deed.key))
        starred = bool(lines) and all(line.starred for line in lines)
        self._buttons["star"].setText("Unstar" if starred else "Star")
        self._verdict.setVisible(bool(n_runs) and not deleted)
        self.setVisible(bool(n_runs))
        self.updateGeometry()

    @property
    def offered(self) -> list[tuple[str, str]]:
        """What can be done now: keys and what they are called."""
        return [(key, button.text()) for key, button in self._buttons.items() if not button.isHidden()]

    @property
    def commands(self) -> list[tuple[str, str, str]]:
        """What can be done now: keys, what they are called, and what they do in words."""
        tips = {deed.key: deed.tip.split("  ")[0] for deed in _DEEDS}
        return [(key, label.removesuffix(" ..."), f"{tips[key]}.") for key, label in self.offered]

    @property
    def verdicts(self) -> list[tuple[str, Callable[[], object]]]:
        """What can be said of the runs, and how it is said; none while there are none to judge."""
        actions = [] if self._verdict.isHidden() else self._verdict.menu().actions()
        return [(action.text(), action.trigger) for action in actions if not action.isSeparator()]

    def _is_for(self, key: str) -> bool:
        return key in ("restore", "open") if self.deleted else key != "restore"

    def say_copied(self, kind: str) -> None:
        """Say on its button that a text was copied."""
        self._say_copy()
        self._buttons[kind].setText("Copied")
        self._copied.start()

    def _say_copy(self) -> None:
        for deed in _DEEDS:
            if deed.key in ("shell", "python"):
                self._buttons[deed.key].setText(deed.label)

    def _judge(self, verdict: str, ok: bool | None, _checked: bool = False) -> None:
        self._archive.judge(self._ids, verdict, ok)
