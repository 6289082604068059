"""The log of everything that is done, in one SQLite file: what the app writes to and reads from.

Writes go through one thread with its own connection (see writer), reads through another connection. Opening
it brings the file to the present schema and marks the runs as lost whose program is gone. Faults of the file
are LogFaults, each a sentence with a next step; the file is never replaced.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.logged_run import Verdict
from gazeviz.domain.messages import GenerateSpec, ModelInfo, PictureSource, RunSummary, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.store import openings
from gazeviz.store.backup import back_up, backups_of
from gazeviz.store.connection import connect, immediate
from gazeviz.store.entries import Entries
from gazeviz.store.faults import LogFault, faults_told, log_fault
from gazeviz.store.marks import Marks, purge
from gazeviz.store.place import default_path
from gazeviz.store.reading import Reader, StoredRun, StoredRuns, StoredSession
from gazeviz.store.run_list import RunList
from gazeviz.store.schema import SCHEMA, is_foreign, schema_of
from gazeviz.store.writer import Writer

_T = TypeVar("_T")
KEEP_DELETED_S: Final = 30 * 24 * 3600.0
BACK_UP_EVERY_S: Final = 24 * 3600.0


class SessionStore:
    """One log, open to be written; implements gazeviz.app.store_port.SessionLog.

    program: who writes, in words.
    keep_pictures: whether picture files' bytes are kept, or only path and hash.
    back_up: whether a log that has had no backup for a day gets one in the background.
    May be called from any thread. Raises LogFault when the file cannot be used.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        program: str = "gazeviz",
        keep_pictures: bool = True,
        back_up: bool = False,
    ) -> None:
        self.path = (path or default_path()).expanduser().absolute()
        with faults_told(self.path):
            connection = open_to_write(self.path)
            try:
                with immediate(connection):
                    self.n_found_lost = openings.mark_lost(connection)
                    openings.forget_empty_sessions(connection)
                    purge(connection, time.time() - KEEP_DELETED_S)
                    self._opening_id = openings.begin(connection, program)
                self.reader = Reader(self.path)
            except BaseException:
                connection.close()
                raise
        self.list = RunList(self.reader)
        self._entries = Entries(connection, self.path, keep_pictures)
        self._marks = Marks(connection)
        self._connection = connection
        self._session_id: int | None = None
        self._writer = Writer(connection, self.path, self._entries.forget)
        self._stop_backup = threading.Event()
        self._backup: threading.Thread | None = None
        if back_up:
            self._back_up_if_due()

    # What the app writes

    @property
    def session_id(self) -> int | None:
        """The session that what is done now belongs to; None before there is one."""
        return self._session_id

    def open_session(self, name: str = "") -> int:
        """Begin a session and return its id; what follows belongs to it. "" names it by itself."""
        self._session_id = self._writer.call(lambda: self._entries.session(name, self._opening_id))
        return self._session_id

    def continue_session(self, name: str) -> int:
        """Go on with the newest session of this name, or begin it."""
        self._session_id = self._writer.call(lambda: self._entries.session_named(name, self._opening_id))
        return self._session_id

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name."""
        self._writer.call(lambda: self._entries.rename(session_id, name))

    def save_model(self, info: ModelInfo) -> None:
        """A model was loaded."""
        self._writer.submit(partial(self._entries.model, info, self._session_id))

    def save_picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """A picture was opened, or got another layout."""
        self._writer.submit(
            partial(self._entries.picture, source, size_px, layout, captions, self._session_id)
        )

    def save_regions(self, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """The regions of a picture, in order, after a finished edit."""
        session_id = self._session()
        self._writer.submit(partial(self._entries.region_edit, session_id, picture_sha256, regions))

    def run_created(self, side: Side, spec: GenerateSpec, model: ModelInfo) -> int:
        """Write down a run before it is sent, and return its id; the row is on the disk then."""
        session_id, opening_id = self._session(), self._opening_id
        return self._writer.call(
            lambda: self._entries.run(session_id, opening_id, side, spec, model, "running")
        )

    def run_respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """A run that has not been sent yet is asked for in another way; on the disk when this returns."""
        self._writer.call(lambda: self._entries.respecified(run_id, spec))

    def step_appended(self, run_id: int, step: StepArrived) -> None:
        """A run's token has arrived; on the disk within a tenth of a second.

        LogFault for what went wrong with earlier tokens; they, and this one, are kept and tried again.
        """
        self._writer.submit(partial(self._entries.step, run_id, step))

    def run_ended(
        self,
        run_id: int,
        state: str,
        summary: RunSummary | None,
        message: str,
        verdict: Verdict | None = None,
    ) -> Future[None]:
        """A run is done, cancelled, failed or lost; it and all its tokens are on the disk when that is done.

        Where that cannot be written (LogFault) it is kept and tried again.
        """

        def write() -> None:
            self._entries.ended(run_id, state, summary, message)
            if verdict is not None:
                self._marks.judge(run_id, verdict.words, verdict.ok, verdict.judge)

        return self._writer.begin(write, keep=True)

    def ranking_saved(self, ranking: HeadRanking, model_fingerprint: str) -> None:
        """A ranking was measured, loaded or imported."""
        session_id = self._session()
        self._writer.submit(partial(self._entries.ranking, ranking, model_fingerprint, session_id))

    def head_set_saved(self, name: str, heads: HeadSet | None, model_fingerprint: str) -> None:
        """A head set was given a name; None: the name was taken away."""
        self._writer.submit(partial(self._entries.head_set, name, heads, model_fingerprint, self._session_id))

    # What a person marks

    def star_runs(self, run_ids: Iterable[int], starred: bool = True) -> None:
        """Give runs a star, or take it away."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.star(ids, starred))

    def tag_runs(self, run_ids: Iterable[int], tag: str, present: bool = True) -> None:
        """Put a tag on runs, or take it away; UserError for an empty one."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.tag(ids, tag, present))

    def note_run(self, run_id: int, text: str) -> None:
        """Write a run's note; "" takes it away."""
        self._writer.call(lambda: self._marks.note(text, run_id=run_id))

    def note_session(self, session_id: int, text: str) -> None:
        """Write a session's note; "" takes it away."""
        self._writer.call(lambda: self._marks.note(text, session_id=session_id))

    def judge_run(self, run_id: int, verdict: str, ok: bool | None = None, judge: str = "person") -> None:
        """Write down what a judge says of a run; "" takes it back."""
        self._writer.call(lambda: self._marks.judge(run_id, verdict, ok, judge))

    def run_replayed(self, run_id: int, same: bool) -> None:
        """A run was replayed, with the same tokens or not."""
        self._writer.call(lambda: self._marks.replayed(run_id, same))

    def delete_runs(self, run_ids: Iterable[int]) -> None:
        """Take runs out of the list; `restore_runs` undoes it for 30 days."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.delete(ids))

    def restore_runs(self, run_ids: Iterable[int]) -> None:
        """Undo `delete_runs`."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.restore(ids))

    def delete_session(self, session_id: int) -> None:
        """Take a session and its runs out of the lists; `restore_session` undoes it for 30 days."""
        self._writer.call(lambda: self._marks.delete_session(session_id))

    def restore_session(self, session_id: int) -> None:
        """Undo `delete_session`; runs that had been deleted before stay deleted."""
        self._writer.call(lambda: self._marks.restore_session(session_id))

    # What the app reads

    def sessions(self) -> Sequence[StoredSession]:
        """All sessions, the newest first."""
        self._writer.flush()
        return self.reader.sessions()

    def runs(self, session_id: int | None = None) -> StoredRuns:
        """The runs of a session (None: of all), the newest first."""
        self._writer.flush()
        return self.reader.runs(session_id)

    def run(self, run_id: int) -> StoredRun:
        """One run, with every token so far; KeyError where there is none."""
        self._writer.flush()
        return self.reader.run(run_id)

    def flush(self) -> None:
        """Wait until everything that was written down is on the disk; LogFaults."""
        self._writer.flush()

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something in one transaction of the writer's connection: import and upkeep use this."""
        return self._writer.call(lambda: work(self._connection))

    # Its life

    def close(self) -> None:
        """Nothing more will be written; what was is on the disk. Without effect when done before."""
        if self._backup is not None:
            self._stop_backup.set()
            self._backup.join()
            self._backup = None
        # Reading ends first: the last connection to be closed tidies up, and only a writing one can.
        self.reader.close()
        # What went wrong before is raised by the writer's own end, and closing twice is no fault.
        with suppress(LogFault):
            self._writer.submit(partial(openings.end, self._connection, self._opening_id))
        self._writer.close()

    def _session(self) -> int:
        if self._session_id is None:
            self.open_session()
        assert self._session_id is not None
        return self._session_id

    def _back_up_if_due(self) -> None:
        last = next(iter(backups_of(self.path)), None)
        if last is not None and time.time() - last.stat().st_mtime < BACK_UP_EVERY_S:
            return

        def work() -> None:
            # A backup that cannot be made is no reason to disturb anybody: the next start tries again.
            with suppress(Exception):
                back_up(self.path, stopped=self._stop_backup.is_set)

        self._backup = threading.Thread(target=work, name="gazeviz backup", daemon=True)
        self._backup.start()


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a log, or make it, and bring it to the present schema; LogFaults, sqlite3 errors and OSErrors.

    A log of an older schema is backed up before it is changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _check(path)
    connection = connect(path)
    try:
        schema = schema_of(connection)
        if is_foreign(connection):
            raise log_fault("foreign", path)
        if schema > SCHEMA:
            raise log_fault("newer", path)
        if 0 < schema < SCHEMA:
            back_up(path)
        if schema < SCHEMA:
            from gazeviz.store.migrations import migrate  # takes as long to import as the rest of the store

            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path) -> None:
    """Look before touching: a file that is not ours, or newer, must not even be switched to WAL."""
    if path.is_file() and path.stat().st_size:
        Reader(path).close()
