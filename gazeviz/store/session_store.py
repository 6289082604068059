"""The log of everything that is done, in one SQLite file: what the app writes to and reads from.

Each method writes the rows of one thing that happens. Writes go through one thread with its own connection
(see writer), reads through another connection. Opening a log brings the file to the present schema and marks
the runs as lost whose program is gone. Faults of the file are LogFaults, each a sentence with a next step;
the file is never replaced.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    GenerateSpec,
    ModelInfo,
    PictureSource,
    RunResult,
    RunVerdict,
    Side,
    StepArrived,
)
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.store import openings
from gazeviz.store.backup import back_up, backups_of
from gazeviz.store.codec import (
    STEP_COLUMNS,
    dumps,
    session_name,
    spec_text,
    steering_columns,
    step_row,
    summary_text,
    text_cell,
    text_of,
)
from gazeviz.store.connection import SCHEMA, connect, default_path, immediate, is_foreign, schema_of
from gazeviz.store.content import Content
from gazeviz.store.faults import LogFault, faults_told, log_fault
from gazeviz.store.reader import LogReader, StoredRun, StoredRuns, StoredSession
from gazeviz.store.run_query import RunList
from gazeviz.store.writer import Writer
from gazeviz.user_paths import user_path

_T = TypeVar("_T")
KEEP_DELETED_S: Final = 30 * 24 * 3600.0
BACK_UP_EVERY_S: Final = 24 * 3600.0
_RANKINGS: Final = 8
"""So many rankings of one name are told apart by the heads that they give."""
_UNWRITTEN: Final = "The log could not be written when it ended: what follows its last token is lost."
_ADD_STEP: Final = f"INSERT INTO run_steps(run_id, {', '.join(STEP_COLUMNS)}) VALUES ({', '.join('?' * 13)})"
"""By hand: a token takes 9 us so and 57 us as a row of sqlite-utils, and there is one every few ms."""


class SessionStore:
    """One log, open to be written.

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
        self.path = user_path(path or default_path()).absolute()
        with faults_told(self.path):
            connection = open_to_write(self.path)
            try:
                with immediate(connection):
                    self.n_found_lost = openings.mark_lost(connection)
                    openings.forget_empty_sessions(connection)
                    purge(connection, time.time() - KEEP_DELETED_S)
                    self._opening_id = openings.begin(connection, program)
                self.reader = LogReader(self.path)
            except BaseException:
                connection.close()
                raise
        self.list = RunList(self.reader)
        self._connection = connection
        self._content = Content(connection, self.path, keep_pictures)
        self._session_id: int | None = None
        self._names: dict[int, tuple[str, str]] = {}
        self._pictures: dict[str, tuple[str, str | None]] = {}
        self._rankings: dict[tuple[str, str], list[HeadRanking]] = {}
        self._writer = Writer(connection, self.path, self._forget)
        self._stop_backup = threading.Event()
        self._backup: threading.Thread | None = None
        self._folder: Path | None = None
        if back_up:
            self._back_up_if_due()

    @classmethod
    def temporary(cls) -> SessionStore:
        """Open a log that is gone when it is closed: for sessions that are not to be kept, and for tests."""
        folder = Path(tempfile.mkdtemp(prefix="gazeviz-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        store = cls(folder / "session.db")
        store._connection.execute("PRAGMA synchronous = OFF")  # nothing has to survive a power cut
        store._folder = folder
        return store

    @property
    def opening_id(self) -> int:
        """The number under which the log knows that this process has it open."""
        return self._opening_id

    # Sessions

    @property
    def session_id(self) -> int | None:
        """The session that what is done now belongs to; None before there is one."""
        return self._session_id

    def open_session(self, name: str = "") -> int:
        """Begin a session and return its id; what follows belongs to it. "" names it by itself."""
        self._session_id = self._writer.call(lambda: self._begin_session(name))
        return self._session_id

    def continue_session(self, name: str) -> int:
        """Go on with the newest session of this name, or begin it."""

        def write() -> int:
            row = self._connection.execute(
                "SELECT id FROM sessions WHERE name = ? AND is_named AND deleted_s IS NULL ORDER BY id DESC",
                (text_cell(name),),
            ).fetchone()
            return int(row[0]) if row else self._begin_session(name)

        self._session_id = self._writer.call(write)
        return self._session_id

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name; "" gives it the one that it would have by itself."""

        def write() -> None:
            shown = text_cell(name or self._own_name(session_id))
            self._change("sessions", session_id, name=shown, is_named=bool(name))

        self._writer.call(write)

    def _begin_session(self, name: str) -> int:
        started_s = time.time()
        row = {
            "uid": uuid.uuid4().hex,
            "name": text_cell(name) or session_name("", "", started_s),
            "is_named": bool(name),
            "started_s": started_s,
            "opening_id": self._opening_id,
        }
        return self._insert("sessions", row)

    def _name_session(self, session_id: int | None, model: str = "", picture: str = "") -> None:
        """A session is called by its first model and picture until somebody calls it otherwise."""
        if session_id is None:
            return
        known = self._names.get(session_id, ("", ""))
        names = known[0] or model, known[1] or picture
        if names != known:
            self._names[session_id] = names
            self._connection.execute(
                "UPDATE sessions SET name = ? WHERE id = ? AND is_named = 0",
                (text_cell(self._own_name(session_id)), session_id),
            )

    def _own_name(self, session_id: int) -> str:
        row = self._connection.execute(
            "SELECT started_s FROM sessions WHERE id = ?", (session_id,)
        ).fetchone()
        if row is None:
            raise KeyError(session_id)
        return session_name(*self._names.get(session_id, ("", "")), row[0])

    # What runs refer to

    def save_model(self, info: ModelInfo) -> None:
        """A model was loaded; runs and rankings that follow are its."""
        session_id = self._session_id

        def write() -> None:
            self._content.model(info)
            self._name_session(session_id, model=info.name)

        self._writer.submit(write)

    def save_picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """A picture was opened, or got another layout; runs that follow know it by this name and path."""
        session_id = self._session_id

        def write() -> None:
            self._content.picture(source, size_px, layout, captions)
            self._pictures[source.sha256] = source.name, source.path
            if session_id is not None:
                self._link("session_images", session_id, source.sha256)
            self._name_session(session_id, picture=source.name)

        self._writer.submit(write)

    def save_regions(self, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """The regions of a picture, in order, after a finished edit."""
        session_id = self._session()

        def write() -> None:
            digests = [self._content.region(region) for region in regions]
            row = {
                "session_id": session_id,
                "image_sha256": picture_sha256,
                "saved_s": time.time(),
                "names": text_cell(", ".join(region.name for region in regions)),
                "regions": dumps(digests),
            }
            self._insert("region_edits", row)

        self._writer.submit(write)

    def ranking_saved(self, ranking: HeadRanking, model_fingerprint: str) -> None:
        """A ranking was measured, loaded or imported."""
        session_id = self._session()

        def write() -> None:
            ranking_id = self._content.id_of(
                "head_rankings", self._content.ranking(ranking, model_fingerprint)
            )
            self._link("session_rankings", session_id, ranking_id)
            known = self._rankings.get((model_fingerprint, ranking.name), [])
            self._rankings[model_fingerprint, ranking.name] = [ranking, *known][:_RANKINGS]

        self._writer.submit(write)

    def head_set_saved(self, name: str, heads: HeadSet | None, model_fingerprint: str) -> None:
        """A head set was given a name; None: the name was taken away."""
        session_id = self._session_id

        def write() -> None:
            now_s = time.time()
            self._connection.execute(
                "UPDATE head_sets SET removed_s = ? WHERE name = ? AND model_fingerprint = ? "
                "AND removed_s IS NULL",
                (now_s, text_cell(name), model_fingerprint),
            )
            if heads is not None:
                row = {
                    "name": text_cell(name),
                    "model_fingerprint": model_fingerprint,
                    "heads": str(heads),
                    "n_heads": len(heads),
                    "origin": text_cell(str(heads.origin)),
                    "head_set": dumps(heads.to_json()),
                    "session_id": session_id,
                    "saved_s": now_s,
                }
                self._insert("head_sets", row)

        self._writer.submit(write)

    # Runs

    def run_created(self, side: Side, spec: GenerateSpec, model: ModelInfo) -> int:
        """Write down a run before it is sent, and return its id; the row is on the disk then."""
        session_id = self._session()

        def write() -> int:
            row = {
                "session_id": session_id,
                "opening_id": self._opening_id,
                "model_id": self._content.model(model),
                "image_sha256": spec.picture_sha256,
                "side": side,
                "state": "running",
                "started_s": time.time(),
                "prompt": text_cell(spec.prompt),
                **steering_columns(spec.steering),
                **self._picture_columns(spec.picture_sha256),
                "ranking": self._ranking_of(spec.chosen, model),
            }
            self._name_session(session_id, model=model.name)
            run_id = self._insert("runs", row)
            self._insert("run_records", {"run_id": run_id, "spec": spec_text(spec, self._content.region)})
            return run_id

        return self._writer.call(write)

    def run_respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """A run that has not been sent yet is asked for in another way; on the disk when this returns.

        KeyError where there is none.
        """

        def write() -> None:
            self._change("runs", run_id, prompt=text_cell(spec.prompt), **steering_columns(spec.steering))
            self._connection.execute(
                "UPDATE run_records SET spec = ? WHERE run_id = ?",
                (spec_text(spec, self._content.region), run_id),
            )

        self._writer.call(write)

    def step_appended(self, run_id: int, step: StepArrived) -> None:
        """A run's token has arrived; on the disk within a tenth of a second.

        LogFault for what went wrong with earlier tokens; they, and this one, are kept and tried again.
        """
        self._writer.submit(lambda: self._connection.execute(_ADD_STEP, (run_id, *step_row(step))))

    def run_ended(
        self,
        run_id: int,
        state: str,
        summary: RunResult | None,
        message: str,
        verdict: RunVerdict | None = None,
    ) -> Future[None]:
        """A run is done, cancelled, failed or lost; it and all its tokens are on the disk when that is done.

        Where that cannot be written (LogFault) it is kept and tried again. KeyError where there is no run.
        """

        def write() -> None:
            columns: dict[str, Any] = {
                "state": state, "message": text_cell(message), "ended_s": time.time(),
            }  # fmt: skip
            columns |= self._text_so_far(run_id) if summary is None else _summary_columns(summary)
            self._change("runs", run_id, **columns)
            if summary is not None:
                text = summary_text(summary, self._content.region, self._content.grid)
                self._connection.execute(
                    "UPDATE run_records SET summary = ? WHERE run_id = ?", (text, run_id)
                )
            if verdict is not None:
                self._write_verdict(run_id, verdict.words, verdict.ok, verdict.judge)

        return self._writer.begin(write, keep=True, at_least=lambda: self._mark_unwritten(run_id))

    def run_replayed(self, run_id: int, same: bool) -> None:
        """A run was replayed, with the same tokens or not."""
        sql = "UPDATE runs SET replayed_s = ?, replay_same = ? WHERE id = ?"
        self._each(sql, [run_id], time.time(), same)

    def _mark_unwritten(self, run_id: int) -> None:
        """Where an ended run cannot be written, say at least that: it needs no room but its own row's."""
        self._change("runs", run_id, state="lost", message=_UNWRITTEN, ended_s=time.time())

    def _text_so_far(self, run_id: int) -> dict[str, str | bytes | int]:
        rows = self._connection.execute(
            "SELECT text FROM run_steps WHERE run_id = ? ORDER BY number", (run_id,)
        ).fetchall()
        parts = [row[0].encode() if isinstance(row[0], str) else row[0] for row in rows]
        return {"text": text_cell(text_of(b"".join(parts))), "n_tok": len(parts)}

    def _picture_columns(self, sha256: str) -> dict[str, str | bytes | None]:
        """What this run's picture is called and where it lies, as it was opened last."""
        if sha256 in self._pictures:
            name, path = self._pictures[sha256]
            return {"picture": text_cell(name), "picture_path": None if path is None else text_cell(path)}
        row = self._connection.execute("SELECT name, path FROM images WHERE sha256 = ?", (sha256,)).fetchone()
        return dict(zip(("picture", "picture_path"), row or (None, None), strict=True))

    def _ranking_of(self, heads: HeadSet, model: ModelInfo) -> str | None:
        """The digest of the ranking that heads come from: of several of a name the newest that does."""
        name = heads.origin.ranking
        if name is None:
            return None
        known = [*self._rankings.get((model.fingerprint, name), ())]
        if name in model.rankings:
            known.append(model.rankings[name])
        giving = [ranking for ranking in known if _gives(ranking, heads)]
        used = next(iter(giving or known), None)
        return None if used is None else self._content.ranking(used, model.fingerprint)

    # What a person marks

    def star_runs(self, run_ids: Iterable[int], starred: bool = True) -> None:
        """Give runs a star, or take it away."""
        self._each("UPDATE runs SET starred = ? WHERE id = ?", run_ids, starred)

    def tag_runs(self, run_ids: Iterable[int], tag: str, present: bool = True) -> None:
        """Put a tag on runs, or take it away; UserError for an empty one."""
        word = " ".join(tag.split())
        if not word:
            raise UserError("A tag needs a name.", next_step="Write a word or two.")
        added, removed = (
            "INSERT OR IGNORE INTO run_tags(tag, run_id) VALUES (?, ?)",
            "DELETE FROM run_tags WHERE tag = ? AND run_id = ?",
        )
        self._each(added if present else removed, run_ids, word)

    def note_run(self, run_id: int, text: str) -> None:
        """Write a run's note; "" takes it away. KeyError where there is none."""
        self._writer.call(lambda: self._write_note("runs", "run_id", run_id, text))

    def note_session(self, session_id: int, text: str) -> None:
        """Write a session's note; "" takes it away. KeyError where there is none."""
        self._writer.call(lambda: self._write_note("sessions", "session_id", session_id, text))

    def judge_run(self, run_id: int, verdict: str, ok: bool | None = None, judge: str = "person") -> None:
        """Write down what a judge says of a run; "" takes it back. Lists show the newest verdict."""
        self._writer.call(lambda: self._write_verdict(run_id, verdict, ok, judge))

    def delete_runs(self, run_ids: Iterable[int]) -> None:
        """Take runs out of the list; `restore_runs` undoes it for 30 days."""
        sql = "UPDATE runs SET deleted_s = ? WHERE id = ? AND deleted_s IS NULL"
        self._each(sql, run_ids, time.time())

    def restore_runs(self, run_ids: Iterable[int]) -> None:
        """Undo `delete_runs`."""
        self._each("UPDATE runs SET deleted_s = ? WHERE id = ?", run_ids, None)

    def delete_session(self, session_id: int) -> None:
        """Take a session and its runs out of the lists; `restore_session` undoes it for 30 days."""

        def write() -> None:
            values = (time.time(), session_id)
            for table, key in (("sessions", "id"), ("runs", "session_id")):
                self._connection.execute(
                    f"UPDATE {table} SET deleted_s = ? WHERE {key} = ? AND deleted_s IS NULL", values
                )

        self._writer.call(write)

    def restore_session(self, session_id: int) -> None:
        """Undo `delete_session`; runs that had been deleted before stay deleted."""

        def write() -> None:
            self._connection.execute(
                "UPDATE runs SET deleted_s = NULL WHERE session_id = ? AND deleted_s = "
                "(SELECT deleted_s FROM sessions WHERE id = ?)",
                (session_id, session_id),
            )
            self._connection.execute("UPDATE sessions SET deleted_s = NULL WHERE id = ?", (session_id,))

        self._writer.call(write)

    def _write_note(self, table: str, column: str, key: int, text: str) -> None:
        if self._connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (key,)).fetchone() is None:
            raise KeyError(key)
        # An upsert by hand: the table's key is another one, and replacing the row would not tell the index.
        self._connection.execute(
            f"INSERT INTO notes({column}, text, edited_s) VALUES (?, ?, ?) "
            f"ON CONFLICT ({column}) DO UPDATE SET text = excluded.text, edited_s = excluded.edited_s",
            (key, text_cell(text), time.time()),
        )

    def _write_verdict(self, run_id: int, verdict: str, ok: bool | None, judge: str) -> None:
        self._connection.execute("DELETE FROM judgements WHERE run_id = ? AND judge = ?", (run_id, judge))
        if verdict:
            row = {
                "run_id": run_id, "judge": judge, "verdict": text_cell(verdict), "ok": ok,
                "judged_s": time.time(),
            }  # fmt: skip
            self._insert("judgements", row)
        newest = "(SELECT {} FROM judgements WHERE run_id = runs.id ORDER BY judged_s DESC, id DESC LIMIT 1)"
        self._connection.execute(
            f"UPDATE runs SET verdict = {newest.format('verdict')}, verdict_ok = {newest.format('ok')} "
            "WHERE id = ?",
            (run_id,),
        )

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
        """Do something in one transaction; what `work` lets this log's own methods write is part of it."""
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
        try:
            self._writer.close()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _session(self) -> int:
        if self._session_id is None:
            self.open_session()
        assert self._session_id is not None
        return self._session_id

    def _forget(self) -> None:
        """A transaction was undone."""
        self._content.forget()
        self._names.clear()

    def _insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Add a row; returns its number.

        By hand: a run's begin is two of them, and sqlite-utils asks for all tables and opens a savepoint each
        time (62 to 70 us of processor time against 4).
        """
        columns, places = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({places})"
        return int(self._connection.execute(sql, tuple(row.values())).lastrowid or 0)

    def _link(self, table: str, session_id: int, other: int | str) -> None:
        """Note that something belongs to a session, which it may have done before.

        By hand: sqlite-utils then looks for the row's number, and these tables have none (WITHOUT ROWID).
        """
        self._connection.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", (session_id, other))

    def _change(self, table: str, row_id: int, **columns: object) -> None:
        """Change a row; KeyError where there is none.

        By hand: sqlite-utils reads the whole row first (149 us against 3), which fails on damaged text.
        """
        assignments = ", ".join(f"{column} = ?" for column in columns)
        cursor = self._connection.execute(
            f"UPDATE {table} SET {assignments} WHERE id = ?", (*columns.values(), row_id)
        )
        if cursor.rowcount == 0:
            raise KeyError(row_id)

    def _each(self, sql: str, run_ids: Iterable[int], *values: object) -> None:
        """Do the same to each of some runs."""
        rows = [(*values, run_id) for run_id in run_ids]
        self._writer.call(lambda: self._connection.executemany(sql, rows))

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


def purge(connection: sqlite3.Connection, before_s: float) -> int:
    """Remove runs and sessions for good that were deleted before a moment; returns how many runs."""
    n_runs = connection.execute("DELETE FROM runs WHERE deleted_s <= ?", (before_s,)).rowcount
    connection.execute("DELETE FROM sessions WHERE deleted_s <= ?", (before_s,))
    return n_runs


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a log, or make it, and bring it to the present schema; LogFaults, sqlite3 errors and OSErrors.

    A log of an older schema is backed up before it is changed. An empty file becomes a log; where it cannot,
    no empty file is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    if not is_new and path.stat().st_size:
        LogReader(path).close()  # a file that is not ours, or newer, must not even be switched to WAL
    try:
        return _opened(path)
    except BaseException:
        if is_new:
            _remove_empty(path)
        raise


def _opened(path: Path) -> sqlite3.Connection:
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


def _remove_empty(path: Path) -> None:
    """Remove what a log left that could not be begun; a file that holds anything stays."""
    with suppress(OSError, sqlite3.Error):
        if path.stat().st_size == 0:
            for ending in ("-wal", "-shm", "-journal", ""):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def _summary_columns(summary: RunResult) -> dict[str, Any]:
    audit, steering = summary.audit, summary.request.steering
    return {
        "text": text_cell(summary.text),
        "finish": summary.finish,
        "junk": summary.junk,
        "n_tok": summary.n_tok,
        "seconds": summary.seconds,
        "mass_before": audit and audit.mass_before,
        "mass_after": audit and audit.mass_after,
        **(steering_columns(steering) if steering else {}),
    }


def _gives(ranking: HeadRanking, heads: HeadSet) -> bool:
    """Whether heads that are said to be a ranking's best or last really are this one's."""
    origin, order = heads.origin, ranking.order()
    if origin.kind not in ("top", "bottom") or origin.n is None or origin.n > len(order):
        return True
    named = order[: origin.n] if origin.kind == "top" else order[len(order) - origin.n :]
    return set(named) == set(heads.heads)
