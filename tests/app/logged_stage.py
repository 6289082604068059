"""A window's session on a real log: what reopening, replaying and reporting are tested with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from gazeviz.app.history.reopening import LoggedView, Reopener, logged_view
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord
from gazeviz.backend.client import Backend, Listener
from gazeviz.domain.messages import Side
from gazeviz.store import SessionStore
from tests.fakes.fake import FakeBackend

PROMPT = "What is happening in this panel?"


class LoggedStage:
    """A session on a log; without `make` on the scripted model. Nothing runs before `start`."""

    def __init__(
        self,
        log: Path,
        qtbot: QtBot,
        make: Callable[[Listener], Backend] = FakeBackend,
        *,
        keep_pictures: bool = True,
    ) -> None:
        self.store, self.model, self.qtbot = (
            SessionStore(log, keep_pictures=keep_pictures),
            SessionModel(),
            qtbot,
        )
        self.backends: list[Backend] = []

        def made(listener: Listener) -> Backend:
            self.backends.append(make(listener))
            return self.backends[0]

        self.controller = RunController(self.model, made, self.store)
        self.reopener = Reopener(self.controller, self.store)

    def shown(self, side: Side) -> RunRecord:
        """The run that a side shows."""
        record = self.model.run_of(side)
        assert record is not None
        return record

    @property
    def scripted(self) -> FakeBackend:
        """The scripted model's backend."""
        backend = self.backends[0]
        assert isinstance(backend, FakeBackend)
        return backend

    def start(self, picture: Path) -> None:
        """Load the model and open a picture, and wait until everything is at rest."""
        self.controller.start()
        self.open(picture)
        self.model.prompt = PROMPT
        self.until(lambda: self.model.worker_state == "ready" and self.model.map.values_P is not None)

    def open(self, picture: Path) -> None:
        """Open another picture, and wait for its grid."""
        self.controller.open_picture(picture)
        self.until(lambda: self.model.picture and self.model.picture.name == picture.name and self.model.grid)

    def run(self, panel: int = 1, n_heads: int = 4) -> tuple[int, int]:
        """Run baseline and steered answer; returns their numbers."""
        self.controller.heads.top(n_heads)
        self.model.target_region_id = self.model.regions.ids[panel]
        self.controller.run()
        self.until(lambda: not self.controller.running and not self.model.frames.waiting)
        baseline_id, steered_id = self.model.baseline_run_id, self.model.steered_run_id
        assert baseline_id is not None and steered_id is not None
        return baseline_id, steered_id

    def view(self, run_id: int) -> LoggedView:
        """A run as it is read."""
        return logged_view(self.store, run_id)

    def reopen(self, run_id: int) -> None:
        """Open a run, and wait for it."""
        with self.qtbot.waitSignal(self.reopener.opened, timeout=8000):
            self.reopener.reopen(run_id)

    def until(self, holds: Callable[[], object], timeout_ms: int = 8000) -> None:
        """Let the session live until something holds."""
        self.qtbot.waitUntil(lambda: bool(holds()), timeout=timeout_ms)

    def close(self) -> None:
        """End the session; what is in the log stays there."""
        self.reopener.close()
        self.controller.shutdown()


OpenLogged = Callable[[], LoggedStage]
