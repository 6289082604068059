"""Which files of gazeviz an act in the window enters: python -m tests.ui.traces [--files].

The real window on the scripted model, with a log on the disk; worker and log writers are threads of this
process, so that their files count, too. A file is entered when any function of it is called between the act's
first event and the moment in which everything that it set off is at rest, written down included. What the
script itself calls to see whether that is so does not count, nor what is left to be written of another act.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QSettings, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

import gazeviz
from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.runs.picture_opener import samples
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.store import SessionStore
from gazeviz.ui.shell.main_window import MainWindow
from gazeviz.ui.widgets import theme
from tests.fakes.fake import FakeBackend
from tests.patience import live_until

PACKAGE = Path(gazeviz.__file__).parent
ACTS = ("a brush stroke", "a steered run", "a click on a head set", "star a run")
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class FileTrace:
    """Notes the files of the package whose functions are called while something is recorded."""

    def __init__(self) -> None:
        self._recorded: set[str] | None = None
        self._looking = threading.local()
        threading.setprofile(self._hook)  # of threads that begin from now on

    def close(self) -> None:
        """Let threads alone that begin later."""
        threading.setprofile(None)

    @contextmanager
    def recording(self) -> Iterator[set[str]]:
        """Record while this lasts; the set holds paths inside the package when it is over."""
        entered: set[str] = set()
        self._recorded = set()
        sys.setprofile(self._hook)
        try:
            yield entered
        finally:
            sys.setprofile(None)
            raw, self._recorded = self._recorded, None
            paths = (Path(name) for name in list(raw) if name.startswith(str(PACKAGE)))
            entered |= {str(path.relative_to(PACKAGE)) for path in paths}

    def looking(self, condition: Callable[[], object]) -> Callable[[], bool]:
        """The same condition, asked without leaving a trace."""

        def ask() -> bool:
            self._looking.here = True
            try:
                return bool(condition())
            finally:
                self._looking.here = False

        return ask

    def _hook(self, frame: FrameType, event: str, _argument: Any) -> None:
        recorded = self._recorded
        if recorded is not None and event == "call" and not getattr(self._looking, "here", False):
            recorded.add(frame.f_code.co_filename)


class Hand:
    """The window of a session, and what a person does in it."""

    def __init__(self, folder: Path, files: FileTrace) -> None:
        self._files = files
        settings = AppSettings(QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat))
        settings.tour_seen = True
        self._n_strokes = 0
        store = SessionStore(folder / "gazeviz.db")
        self.model = SessionModel()
        self.controller = RunController(self.model, FakeBackend, store)
        self.window = MainWindow(self.model, self.controller, settings, LogBrowser(store))
        self.window.resize(1440, 900)
        self.window.show()
        self.controller.start()
        self.model.prompt = "What is happening in this panel?"
        self.window.pictures.open_sample(samples()[0])  # a strip of six panels
        live_until(lambda: self.model.grid is not None and self.model.worker_state == "ready")
        live_until(lambda: self.model.map.values_P is not None and len(self.model.regions) > 1)
        self.at_rest()

    def at_rest(self) -> None:
        """Let everything that is under way come to its end."""
        controller, waiting = self.controller, self.model.frames.waiting

        def is_idle() -> bool:
            return not (controller.runs.active or waiting or controller.regions_unsaved)

        live_until(self._files.looking(is_idle))
        self._files.looking(controller.log.flush)()
        for _ in range(3):
            QApplication.processEvents()

    def end(self) -> None:
        """Close everything."""
        self.window.end()
        self.window.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def stroke(self) -> None:
        """Paint a line into the active region with the mouse, a little lower each time."""
        canvas = self.window.explore.canvas
        self._n_strokes += 1
        here = QPointF(canvas.rect().center()) + QPointF(0, 8.0 * self._n_strokes)
        kinds = (QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 5, QEvent.Type.MouseButtonRelease)
        for step, kind in enumerate(kinds):
            held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else _LEFT
            at = here + QPointF(4.0 * step, 0)
            button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
            event = QMouseEvent(kind, at, canvas.mapToGlobal(at), button, held, _NONE)
            QApplication.sendEvent(canvas, event)
            QApplication.processEvents()

    def press(self, widget: QWidget, key: Qt.Key) -> None:
        """Press a key in a part of the window."""
        QTest.keyClick(widget, key)

    def click(self, name: str) -> None:
        """Click a button by its name."""
        button = self.window.findChild(QPushButton, name)
        assert button is not None and button.isEnabled(), name
        QTest.mouseClick(button, _LEFT)


def trace(folder: Path) -> dict[str, set[str]]:
    """Do every act once in a window of its own, warm; returns the files that each enters."""
    files = FileTrace()
    hand = Hand(folder, files)
    try:
        return dict(_acts(files, hand))
    finally:
        hand.end()
        files.close()


def _acts(files: FileTrace, hand: Hand) -> Iterator[tuple[str, set[str]]]:
    model, controller, window = hand.model, hand.controller, hand.window

    def recorded(act: Callable[[], object], until: Callable[[], object]) -> set[str]:
        with files.recording() as entered:
            act()
            live_until(files.looking(until))
            hand.at_rest()
        return entered

    model.active_region_id = model.regions.ids[0]
    model.tool = "brush"
    hand.stroke()  # once before: what is made at the first stroke is no part of every stroke
    hand.at_rest()
    n_undo = controller.editor.undo_stack.index()
    yield ACTS[0], recorded(hand.stroke, lambda: controller.editor.undo_stack.index() > n_undo)

    controller.heads.top(4)
    controller.heads.save("mine")
    controller.retarget(model.regions.ids[1])
    hand.at_rest()
    yield ACTS[1], recorded(lambda: controller.run("steered"), lambda: _ended(model))

    model.chosen = HeadSet(())
    hand.at_rest()
    yield ACTS[2], recorded(lambda: hand.click("headSet_mine"), lambda: len(model.chosen) == 4)

    window.show_tab("Sessions")
    table = window.sessions().browser.table
    live_until(lambda: table.plan.n_runs > 0 and table.rows.line(_newest(model)) is not None)
    table.select_runs([_newest(model)], _newest(model))
    table.setFocus()
    live_until(lambda: window.sessions().browser.details.ids == (_newest(model),))
    hand.at_rest()

    def is_starred() -> bool:
        line = table.rows.line(_newest(model))
        return line is not None and line.starred

    yield ACTS[3], recorded(lambda: hand.press(table, Qt.Key.Key_S), is_starred)


def _ended(model: SessionModel) -> bool:
    record = model.run_of("steered")
    return record is not None and record.ended


def _newest(model: SessionModel) -> int:
    assert model.steered_run_id is not None
    return model.steered_run_id


def main() -> None:
    """Print how many files each act enters, and with --files which."""
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme.apply(application, "dark")
    with tempfile.TemporaryDirectory() as folder:
        for act, entered in trace(Path(folder)).items():
            sys.stdout.write(f"{act}: {len(entered)} files\n")
            if "--files" in sys.argv:
                sys.stdout.writelines(f"  {name}\n" for name in sorted(entered))


if __name__ == "__main__":
    main()
