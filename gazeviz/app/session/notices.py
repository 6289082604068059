"""Saying things in the window: a sentence, why something was refused, what the worker has failed at.

A notice belongs to the session; who shows it is the window's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Notice, NoticeKind
from gazeviz.domain.messages import Failed
from gazeviz.errors import UserError


def say(
    model: SessionModel, kind: NoticeKind, sentence: str, next_step: str = "", *, about: str, detail: str = ""
) -> None:
    """Show a sentence."""
    model.notice = Notice(kind, sentence, next_step, about, detail)


def refuse(model: SessionModel, error: UserError, about: str) -> None:
    """Show why something was not done."""
    say(model, "error", error.sentence, error.next_step, about=about)


def fail(model: SessionModel, failed: Failed, about: str) -> None:
    """Show why the worker has failed at something."""
    say(model, "error", failed.sentence, failed.next_step, about=about, detail=failed.detail)


def attempt(model: SessionModel, action: Callable[[], object], about: str) -> bool:
    """Do something; a UserError becomes a notice, and what was refused before is no longer said.

    Returns whether it was done.
    """
    before = model.notice
    try:
        action()
    except UserError as error:
        refuse(model, error, about)
        return False
    now = model.notice
    if now is before and now is not None and (now.kind, now.about) == ("error", about):
        model.notice = None
    return True


@contextmanager
def shown(model: SessionModel, about: str) -> Iterator[None]:
    """Show what goes wrong in here, and go on after it."""
    try:
        yield
    except UserError as error:
        refuse(model, error, about)


def watch(model: SessionModel, writing: Future[None]) -> None:
    """Wait for no disk: what goes wrong with a write of the log is shown when it is known."""
    screen = model.findChild(ScreenThread) or ScreenThread(model)

    def show(written: Future[None]) -> None:
        with shown(model, "log"):
            written.result()

    def look_at(written: Future[None]) -> None:
        if written.exception() is not None:
            screen.do(partial(show, written))

    writing.add_done_callback(look_at)


class ScreenThread(QObject):
    """Does things in the thread of the screen, whichever thread hands them over."""

    _handed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._handed.connect(self._on_handed, Qt.ConnectionType.QueuedConnection)

    def do(self, action: Callable[[], object]) -> None:
        """Do something there soon."""
        self._handed.emit(action)

    def _on_handed(self, action: Callable[[], object]) -> None:
        action()
