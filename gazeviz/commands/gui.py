"""`gazeviz gui`, and `gazeviz` alone: open the desktop app.

Looks for a screen before Qt is touched, because Qt aborts the process where there is none. Imports neither
torch nor transformers: these live in the worker.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gazeviz import __version__
from gazeviz.commands.terminal import Terminal
from gazeviz.doctor import OFFSCREEN_LIBRARIES, missing_libraries
from gazeviz.errors import UserError
from gazeviz.resources import resource_path

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from gazeviz.app.runs.run_controller import RunController
    from gazeviz.app.session.settings import ThemeChoice
    from gazeviz.app.session.values import Notice
    from gazeviz.domain.strip import Layout
    from gazeviz.store import SessionStore
    from gazeviz.ui.shell.main_window import MainWindow

HELP = "Open the desktop app; what gazeviz does without a command."

_WITHOUT_SCREEN: Final = ("offscreen", "minimal", "vnc")
"""Platforms of Qt that need no display."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the picture and the looks."""
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="a picture, or a folder of panels (default: a sample strip)"
    )
    parser.add_argument(
        "--layout", metavar="RxC", help="panels of the picture, like 1x6 (default: detected by its gutters)"
    )
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="colours of this session")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Open the window and return when it is closed."""
    check_screen()
    # Two kinds of threads that would get in the way of the screen's: arithmetic of small arrays in many, and
    # readers and writers that wait for the interpreter.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.setswitchinterval(0.001)
    from shiboken6 import delete

    from gazeviz.app.session.garbage import GarbageInScreenThread
    from gazeviz.domain.strip import Layout

    layout = Layout.parse(options.layout) if options.layout else None
    check_worker(options.worker)
    if options.image is not None and not Path(options.image).exists():
        raise UserError(f"There is no file {options.image}.", next_step="Check the path of the picture.")
    application = _application()
    store, unlogged = _open_log(options)
    window, controller = _window(application, options.theme, store, options.worker)
    garbage = GarbageInScreenThread(window)
    gc.freeze()  # what stands now stays: collecting need not look at it again
    with _crashes_are_shown(window, controller):
        window.show()
        controller.start(options.model, options.device, options.dtype)
        _open_first(controller, options.image, layout)
        window.begin()
        controller.model.notice = unlogged
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: application.quit())  # heard when the garbage timer next ticks
        code = application.exec()
        window.end()
    garbage.stop()
    delete(window)  # while there is an interpreter for what its parts still ask
    return code


def check_worker(worker: str | None) -> None:
    """UserError for an address that says no place, before a window is opened."""
    if worker is not None:
        from gazeviz.backend.remote.place import WorkerPlace

        WorkerPlace.parse(worker)


def check_screen() -> None:
    """UserError where a window cannot be opened: Qt would abort the whole process."""
    if not sys.platform.startswith("linux"):
        return
    offscreen = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in _WITHOUT_SCREEN
    lacking = missing_libraries(OFFSCREEN_LIBRARIES if offscreen else None)
    if lacking:
        raise UserError(
            "System libraries for the window are missing: " + ", ".join(sorted(set(lacking))) + ".",
            next_step="Install them (Debian: sudo apt-get install "
            + " ".join(sorted(set(lacking.values())))
            + ").",
        )
    if not offscreen and not os.environ.get("WAYLAND_DISPLAY") and not _x_display_answers():
        raise UserError(
            "There is no display for a window.",
            next_step="Run `make demo` (or `gazeviz demo`) without one, or use xvfb-run -a gazeviz.",
        )


def _x_display_answers() -> bool:
    """Whether an X server takes a connection: asked with Qt's own library, which does not abort."""
    if not os.environ.get("DISPLAY"):
        return False
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    refused = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not refused


def _application() -> QApplication:
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    QApplication.setApplicationName("gazeviz")
    QApplication.setOrganizationName("gazeviz")
    QApplication.setApplicationVersion(__version__)
    QApplication.setDesktopFileName("gazeviz")
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setWindowIcon(QIcon(str(resource_path("icons", "gazeviz.svg"))))
    return application


def _open_log(options: argparse.Namespace) -> tuple[SessionStore | None, Notice | None]:
    """The log, and what is to be said of it: runs that were lost, or why nothing is logged this time.

    UserError for a log that the person has named and that cannot be written.
    """
    from gazeviz.app.session.values import Notice
    from gazeviz.commands.logged import log_path
    from gazeviz.store import SessionStore

    if options.no_log:
        return None, None
    try:
        store = SessionStore(log_path(options), program="gazeviz", back_up=True)
    except UserError as error:
        if options.log:
            raise
        sentence = f"This session is not logged: {error.sentence}"
        return None, Notice("warning", sentence, error.next_step, "log")
    if not store.n_found_lost:
        return store, None
    n_lost = store.n_found_lost
    runs = "A run was" if n_lost == 1 else f"{n_lost} runs were"
    sentence = f"{runs} interrupted when gazeviz last ended, and marked as lost."
    return store, Notice("info", sentence, "The tokens that had arrived are in Sessions.", "log")


def _window(
    application: QApplication,
    theme_choice: ThemeChoice | None,
    store: SessionStore | None = None,
    worker: str | None = None,
) -> tuple[MainWindow, RunController]:
    """Everything behind the window, put together; without a store nothing is logged.

    worker: where models run, None for this computer.
    """
    from gazeviz.app.history.log_browser import LogBrowser
    from gazeviz.app.runs.run_controller import RunController
    from gazeviz.app.session.session_model import SessionModel
    from gazeviz.app.session.settings import AppSettings
    from gazeviz.backend.places import backend_maker
    from gazeviz.store import SessionStore
    from gazeviz.ui.shell.main_window import MainWindow
    from gazeviz.ui.widgets import theme

    settings, model = AppSettings(), SessionModel()
    theme.choose(application, theme_choice or settings.theme)
    theme.follow_system(application)
    controller = RunController(model, backend_maker(worker), store or SessionStore.temporary())
    controller.place = worker
    archive = LogBrowser(store) if store is not None else None
    window = MainWindow(model, controller, settings, archive)
    theme.dress(application)
    return window, controller


def _open_first(controller: RunController, image: str | None, layout: Layout | None) -> None:
    """The picture that was asked for; else the first sample strip, with its panels as regions."""
    from gazeviz.app.runs.picture_opener import samples
    from gazeviz.app.runs.presets import ask
    from gazeviz.domain.prompts import PRESETS

    if image is not None:
        controller.open_picture(image, layout)
    elif shipped := samples():
        controller.open_picture(shipped[0].path, shipped[0].layout, shipped[0].captions)
        ask(controller.model, PRESETS["ambiguous"])


@contextmanager
def _crashes_are_shown(window: MainWindow, controller: RunController) -> Iterator[None]:
    """A bug in the app ends in a dialog that tells it, with the session safe, instead of in nothing."""
    from gazeviz.ui.shell.crash_dialog import CrashDialog

    before = sys.excepthook
    sys.excepthook = CrashDialog.hook(window)
    try:
        yield
    finally:
        sys.excepthook = before
        controller.shutdown()
