"""Replaying a logged run: the same request once more, and whether the same tokens come out.

The run is opened first, so that Explore shows it; then its model is loaded, where another one is, and asked
again. What comes out is a run of its own, shown in the old one's place. Knows the log and the run controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.history.reopening import LoggedView, Reopener
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.values import Notice, NoticeKind, RunRecord
from gazeviz.domain.messages import GenerateSpec
from gazeviz.domain.reproduction import is_builtin
from gazeviz.domain.run import first_difference
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.store.session_store import SessionStore

_UNDER_WAY: Final = ("starting", "loading")


@dataclass(frozen=True)
class ReplayOutcome:
    """What a replay has shown.

    run_id: the run that was replayed; now_id: what came out.  n_tok: of its tokens.
    first_difference: the first answer token that differs, None where all are the same.
    changed: what is another version now, in words.
    """

    run_id: int
    now_id: int
    n_tok: int
    first_difference: int | None
    changed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every token is the same."""
        return self.first_difference is None

    @property
    def sentence(self) -> str:
        """The result in words."""
        what = f"Run {self.run_id} was replayed as run {self.now_id}."
        if self.same:
            return f"{what} All {plural(self.n_tok, 'token')} are the same."
        return f"{what} The tokens differ from token {self.first_difference} on."


class Replayer(QObject):
    """Replays one run at a time. Signal: `replayed` with a Replay; what goes wrong becomes a notice."""

    replayed = Signal(object)

    def __init__(
        self,
        controller: RunController,
        store: SessionStore,
        reopener: Reopener,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller, self._store, self._reopener = controller, store, reopener
        self._wanted: int | None = None
        self._view: LoggedView | None = None
        self._now: RunRecord | None = None
        self._loaded = False
        model = controller.model
        reopener.opened.connect(self._on_opened)
        reopener.failed.connect(lambda _: self._end())
        # Queued: the controller says what it does in the middle of an event, and goes on after it.
        model.worker_changed.connect(self._on_worker_changed, Qt.ConnectionType.QueuedConnection)
        model.run_changed.connect(self._on_run_changed, Qt.ConnectionType.QueuedConnection)

    @property
    def active(self) -> bool:
        """Whether a replay is under way."""
        return self._wanted is not None

    def replay(self, run_id: int) -> None:
        """Open a logged run and run it again; another replay is not waited for any more."""
        self._end()
        self._wanted = run_id
        self._reopener.reopen(run_id)

    # Steps

    def _on_opened(self, run_id: int) -> None:
        view = self._reopener.view
        if run_id != self._wanted or view is None:
            self._end()
            return
        if not view.record.steps:
            self._end()
            self._say("error", f"Run {run_id} has no tokens to compare with.", "Choose one that has a text.")
            return
        self._view = view
        self._on_worker_changed()

    def _load(self, view: LoggedView) -> None:
        self._loaded, info = True, view.model
        source = None if is_builtin(info.path) else info.path
        self._controller.load_model(source, info.device, info.dtype)

    def _is_there(self, view: LoggedView) -> bool:
        """Whether the model that wrote a run is loaded in the same way."""
        info, model = view.model, self._controller.model
        here = model.model_info
        return (
            model.worker_state in ("ready", "busy")
            and here is not None
            and (here.fingerprint, here.device, here.dtype) == (info.fingerprint, info.device, info.dtype)
        )

    def _on_worker_changed(self) -> None:
        """Go on as soon as the worker has done what it was at."""
        model, view = self._controller.model, self._view
        if view is None or self._now is not None or model.worker_state in _UNDER_WAY:
            return
        if not self._is_there(view):
            if self._loaded:
                self._end()
                self._refuse(view)
            else:
                self._load(view)
        elif model.picture is None or model.picture.sha256 != view.record.spec.picture_sha256:
            self._end()
            self._say("info", "Another picture was opened: the run was not replayed.", "Replay it again.")
        else:
            self._now = self._controller.repeat(spec_of(view))
            if self._now is None:
                self._end()

    def _on_run_changed(self, run_id: int) -> None:
        now, view = self._now, self._view
        if now is None or view is None or run_id != now.id or not now.ended:
            return
        self._end()
        if now.state != "done" or now.summary is None:
            if now.state == "cancelled":
                self._say("info", "The replay was stopped: nothing was compared.", "")
            return
        self._conclude(view.record, now)

    def _conclude(self, before: RunRecord, now: RunRecord) -> None:
        tokens = [tuple(step.token_id for step in record.steps) for record in (before, now)]
        result = ReplayOutcome(
            before.id, now.id, len(now.steps), first_difference(*tokens), _changed(before, now)
        )
        next_step = "" if result.same else f"Compare the runs {before.id} and {now.id} in Sessions."
        self._say("info" if result.same else "warning", result.sentence, next_step, "\n".join(result.changed))
        try:
            self._store.run_replayed(before.id, result.same)
        except UserError as error:
            self._say("error", error.sentence, error.next_step)
        self.replayed.emit(result)

    def _refuse(self, view: LoggedView) -> None:
        """Say that the model that wrote a run cannot be had, unless it was said already."""
        if self._controller.model.notice is None:
            info = view.model
            self._say(
                "error",
                f"The model of run {view.record.id} ({info.device}, {info.dtype}) is not available.",
                f"Put the original weights back into {info.path}, or run it with the loaded model.",
            )

    def _end(self) -> None:
        self._wanted = self._view = self._now = None
        self._loaded = False

    def _say(self, kind: NoticeKind, sentence: str, next_step: str, detail: str = "") -> None:
        self._controller.model.notice = Notice(kind, sentence, next_step, "run", detail)


def spec_of(view: LoggedView) -> GenerateSpec:
    """What has to be asked to get a run's tokens again, watched as it was then.

    Targets as they really moved; a run that did not end by itself is repeated up to its last token.
    """
    record = view.record
    summary = record.summary
    ended = summary is not None and summary.finish != "cancelled"
    return replace(
        record.spec,
        steering=summary.request.steering if summary is not None else record.spec.steering,
        max_new_tokens=record.spec.max_new_tokens if ended else len(record.steps),
    )


def _changed(before: RunRecord, now: RunRecord) -> tuple[str, ...]:
    """Libraries whose version is another one now."""
    old, new = _versions(before), _versions(now)
    return tuple(
        f"{name} {version} is {new[name]} now"
        for name, version in old.items()
        if new.get(name, version) != version
    )


def _versions(record: RunRecord) -> Mapping[str, str]:
    return record.summary.request.versions if record.summary is not None else {}
