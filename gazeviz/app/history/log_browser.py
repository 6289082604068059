"""The archive: what the log holds, asked for beside the screen's thread, and marked with a way back.

One thread asks and writes. Answers come as signals, in the screen's thread; of requests about one topic only
the newest is answered. What a person writes (stars, tags, notes, verdicts, deleting) is done in order, and
can be undone. The window sees the log through this module alone. Knows no widget.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QUndoCommand, QUndoStack

from gazeviz.app.history.run_details import RunFacts, SmallPictures, facts_of, shell_line, snippet
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.backup import backups_of
from gazeviz.store.codec import text_of
from gazeviz.store.reader import LogReader
from gazeviz.store.reader import StoredPicture as StoredPicture
from gazeviz.store.reader import StoredRun as StoredRun
from gazeviz.store.reader import StoredSession as StoredSession
from gazeviz.store.run_query import COLUMNS as COLUMNS
from gazeviz.store.run_query import SORT_KEYS as SORT_KEYS
from gazeviz.store.run_query import Match as Match
from gazeviz.store.run_query import RunCounts as RunCounts
from gazeviz.store.run_query import RunFilter as RunFilter
from gazeviz.store.run_query import RunList
from gazeviz.store.run_query import RunRow as RunRow
from gazeviz.store.run_query import SortKey as SortKey

# What a person does to runs of the log, each with what takes it back.
#
# A change is made in the archive's thread: it looks at what was, writes, and returns how to undo exactly
# that. Raises the UserErrors of the store.


UndoAction: TypeAlias = Callable[[SessionStore], None]
LogChange: TypeAlias = Callable[[SessionStore, LogReader], UndoAction]

_AT_ONCE: Final = 500


def star(ids: Sequence[int], starred: bool) -> LogChange:
    """Give or take stars."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE starred <> ? AND id IN", starred)
        store.star_runs(changed, starred)
        return lambda store: store.star_runs(changed, not starred)

    return change


def tag_word(tag: str) -> str:
    """A tag as the log keeps it; UserError where nothing is left of it."""
    word = " ".join(tag.encode("utf-8", "replace").decode("utf-8").split())
    if not word:
        raise UserError("A tag needs a name.", next_step="Write a word or two.")
    return word


def tag_runs(ids: Sequence[int], word: str, present: bool) -> LogChange:
    """Put a tag on runs, or take it away."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        tagged = set(_those(reader, ids, "SELECT run_id FROM run_tags WHERE tag = ? AND run_id IN", word))
        changed = [run_id for run_id in ids if (run_id in tagged) != present]
        store.tag_runs(changed, word, present)
        return lambda store: store.tag_runs(changed, word, not present)

    return change


def note(run_id: int, text: str) -> LogChange:
    """Write a run's note."""
    return _write(SessionStore.note_run, run_id, text, "SELECT text FROM notes WHERE run_id = ?")


def note_session(session_id: int, text: str) -> LogChange:
    """Write a session's note."""
    return _write(SessionStore.note_session, session_id, text, "SELECT text FROM notes WHERE session_id = ?")


def judge(ids: Sequence[int], verdict: str, ok: bool | None) -> LogChange:
    """Write down what a person says of runs."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        sql = "SELECT verdict, ok FROM judgements WHERE judge = 'person' AND run_id = ?"
        before = {run_id: next(iter(reader.rows(sql, (run_id,))), ("", None)) for run_id in ids}
        for run_id in ids:
            store.judge_run(run_id, verdict, ok)

        def take_back(store: SessionStore) -> None:
            for run_id, (said, was_ok) in before.items():
                store.judge_run(run_id, text_of(said), None if was_ok is None else bool(was_ok))

        return take_back

    return change


def delete(ids: Sequence[int]) -> LogChange:
    """Take runs out of the list."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE deleted_s IS NULL AND id IN")
        store.delete_runs(changed)
        return lambda store: store.restore_runs(changed)

    return change


def restore(ids: Sequence[int]) -> LogChange:
    """Bring deleted runs back."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE deleted_s IS NOT NULL AND id IN")
        store.restore_runs(changed)
        return lambda store: store.delete_runs(changed)

    return change


def rename_session(session_id: int, name: str) -> LogChange:
    """Give a session another name."""
    return _write(SessionStore.rename_session, session_id, name, "SELECT name FROM sessions WHERE id = ?")


def delete_session(session_id: int) -> LogChange:
    """Take a session and its runs out of the lists."""

    def change(store: SessionStore, _reader: LogReader) -> UndoAction:
        store.delete_session(session_id)
        return lambda store: store.restore_session(session_id)

    return change


def _write(write: Callable[[SessionStore, int, str], None], key: int, text: str, sql: str) -> LogChange:
    """Write a text that belongs to a key; sql finds the one before, which may be none."""

    def change(store: SessionStore, reader: LogReader) -> UndoAction:
        rows = reader.rows(sql, (key,))
        before = text_of(rows[0][0]) if rows else ""
        write(store, key, text)
        return lambda store: write(store, key, before)

    return change


def _those(reader: LogReader, ids: Sequence[int], sql: str, *values: Any) -> list[int]:
    """Which of some runs a condition holds for; asked a few hundred at a time."""
    found: list[int] = []
    for some in _portions(ids):
        rows = reader.rows(f"{sql} ({', '.join('?' * len(some))})", [*values, *some])
        found += [int(row[0]) for row in rows]
    return found


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


_T = TypeVar("_T")
_Question: TypeAlias = Callable[[LogReader], Any]
_Answer: TypeAlias = Callable[[Any], object]

LOOK_EVERY_MS: Final = 2000
"""How often the file is asked whether somebody wrote into it, while it is watched."""
FIRST_LINES: Final = 40
THUMBNAILS_KEPT: Final = 256
_URGENT: Final = ("lines", "list")
"""Questions that somebody looks at an empty screen for go before all others."""


@dataclass(frozen=True)
class RunQuery:
    """Which runs a list shows, and in which order."""

    wanted: RunFilter = field(default_factory=RunFilter)
    sort: SortKey = "started"
    descending: bool = True


@dataclass(frozen=True, eq=False)
class Listing:
    """The answer to a request: the runs' numbers and their sessions', in the order asked for: int64 (N,).

    first: the rows that most likely come first on the screen.
    """

    request: RunQuery
    ids_N: NDArray[np.int64]
    sessions_N: NDArray[np.int64]
    first: tuple[RunRow, ...] = ()


@dataclass(frozen=True)
class Overview:
    """What a side list and a status line show. n_bytes: of the log's own file; backed_up_s: since 1970."""

    counts: RunCounts
    sessions: tuple[StoredSession, ...]
    n_bytes: int
    backed_up_s: float | None


@dataclass
class _Waiting:
    """What the thread has to do; guarded by `wake`. writes come before questions."""

    wake: threading.Condition = field(default_factory=threading.Condition)
    writes: deque[tuple[_Question, tuple[int, ...]]] = field(default_factory=deque)
    questions: dict[str, tuple[int, _Question]] = field(default_factory=dict)
    closing: bool = False


class LogBrowser(QObject):
    """The log as the window sees it.

    store: open to be written; stays somebody else's to close, after this.
    undo_stack: what was written here, and can be taken back.
    changed: the rows of runs, as a tuple of their numbers, () where nobody knows which.
    """

    changed = Signal(object)
    listed = Signal(object)  # Listing
    lines_found = Signal(object)  # tuple[RunRow, ...]
    overview_found = Signal(object)  # Overview
    facts_found = Signal(object)  # RunFacts
    text_found = Signal(str, str)  # "shell" or "python"; what can be pasted
    thumbnails_found = Signal()
    failed = Signal(object)  # UserError
    _answered = Signal(str, int, object)
    _written = Signal(object)
    _fell_over = Signal(object)

    def __init__(self, store: SessionStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.undo_stack = QUndoStack(self)
        self._waiting = _Waiting()
        self._numbers: dict[str, int] = {}
        self._answers: dict[str, _Answer] = {}
        self._thumbnails: dict[str, QImage | None] = {}
        self._wanted_thumbnails: dict[str, None] = {}
        self._small_pictures: SmallPictures = {}  # the thread's own
        self._version: int | None = None
        self._reader: LogReader | None = None
        queued = Qt.ConnectionType.QueuedConnection
        self._answered.connect(self._on_answered, queued)
        self._written.connect(self.changed, queued)
        self._fell_over.connect(self._on_fell_over, queued)
        self._watch = QTimer(self, interval=LOOK_EVERY_MS)
        self._watch.timeout.connect(self._look_for_changes)
        self._thread = threading.Thread(target=self._live, name="gazeviz archive", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """Where the log is."""
        return self.store.path

    def close(self) -> None:
        """End the thread, after what is to be written; nothing may be asked after. Twice is no fault."""
        self._watch.stop()
        with self._waiting.wake:
            self._waiting.closing = True
            self._waiting.wake.notify()
        self._thread.join()
        self._answers.clear()

    # Asking

    def ask(self, topic: str, question: Callable[[LogReader], _T], answer: Callable[[_T], object]) -> None:
        """Ask the log something in the archive's thread; `answer` is called in the screen's.

        topic: of several requests about one, only the newest is answered. A UserError becomes `failed`.
        """
        number = self._numbers[topic] = self._numbers.get(topic, 0) + 1
        self._answers[topic] = answer
        with self._waiting.wake:
            self._waiting.questions[topic] = number, question
            self._waiting.wake.notify()

    def ask_list(self, request: RunQuery) -> None:
        """Ask which runs there are: `listed`."""

        def look(reader: LogReader) -> Listing:
            runs = RunList(reader)
            pairs_N2 = runs.ids_and_sessions(request.wanted, request.sort, request.descending)
            ids_N, sessions_N = pairs_N2[:, 0], pairs_N2[:, 1]
            return Listing(request, ids_N, sessions_N, tuple(runs.lines(ids_N[:FIRST_LINES])))

        self.ask("list", look, self.listed.emit)

    def ask_lines(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Ask for the rows of some runs: `lines_found`."""
        numbers = [int(run_id) for run_id in ids]
        self.ask("lines", lambda reader: tuple(RunList(reader).lines(numbers)), self.lines_found.emit)

    def ask_overview(self) -> None:
        """Ask for counts, sessions and tags: `overview_found`."""
        self.ask("overview", _overview, self.overview_found.emit)

    def ask_facts(self, run_id: int) -> None:
        """Ask for everything that is said of a run: `facts_found`; nothing comes for one that is gone."""
        known = self._small_pictures
        self.ask("facts", lambda reader: facts_of(reader, run_id, known), self._on_facts)

    def ask_text(self, run_id: int, kind: str) -> None:
        """Ask for what repeats a run when it is pasted, as "shell" or "python": `text_found`."""
        write = shell_line if kind == "shell" else snippet
        self.ask("text", lambda reader: write(reader, run_id), lambda text: self.text_found.emit(kind, text))

    def thumbnail(self, sha256: str) -> QImage | None:
        """A small picture; None where there is none, and while it is read: `thumbnails_found` comes then."""
        if sha256 in self._thumbnails:
            image = self._thumbnails.pop(sha256)
            self._thumbnails[sha256] = image  # the last that will be let go
            return image
        if sha256 not in self._wanted_thumbnails:
            if not self._wanted_thumbnails:
                QTimer.singleShot(0, self, self._ask_thumbnails)
            self._wanted_thumbnails[sha256] = None
        return None

    def watch(self, on: bool) -> None:
        """Look every two seconds whether somebody wrote into the log, also another program: `changed`."""
        self._watch.start() if on else self._watch.stop()

    # Marking; all of it can be undone

    def star(self, run_ids: Iterable[int], starred: bool = True) -> None:
        """Give runs a star, or take it away."""
        ids = _numbers(run_ids)
        self._do("Star" if starred else "Unstar", star(ids, starred), ids)

    def tag(self, run_ids: Iterable[int], tag: str, present: bool = True) -> None:
        """Put a tag on runs, or take it away; UserError for an empty one."""
        ids, word = _numbers(run_ids), tag_word(tag)
        self._do(f"Tag “{word}”" if present else f"Take tag “{word}”", tag_runs(ids, word, present), ids)

    def note(self, run_id: int, text: str) -> None:
        """Write a run's note; "" takes it away."""
        self._do("Note", note(run_id, text), (run_id,))

    def note_session(self, session_id: int, text: str) -> None:
        """Write a session's note; "" takes it away."""
        self._do("Note of a session", note_session(session_id, text), ())

    def judge(self, run_ids: Iterable[int], verdict: str, ok: bool | None = None) -> None:
        """Write down what a person says of runs; "" takes it back."""
        ids = _numbers(run_ids)
        self._do("Verdict", judge(ids, verdict, ok), ids)

    def delete(self, run_ids: Iterable[int]) -> None:
        """Take runs out of the list; the log keeps them for 30 days."""
        ids = _numbers(run_ids)
        self._do("Delete runs", delete(ids), ids)

    def restore(self, run_ids: Iterable[int]) -> None:
        """Bring deleted runs back."""
        ids = _numbers(run_ids)
        self._do("Restore runs", restore(ids), ids)

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name; UserError for an empty one."""
        if not name.strip():
            raise UserError("A session needs a name.", next_step="Write one, or press Esc to keep the old.")
        self._do("Rename session", rename_session(session_id, name.strip()), ())

    def delete_session(self, session_id: int) -> None:
        """Take a session and its runs out of the lists; the log keeps them for 30 days."""
        self._do("Delete session", delete_session(session_id), ())

    def _do(self, text: str, change: LogChange, ids: tuple[int, ...]) -> None:
        self.undo_stack.push(_Command(self, text, change, ids))

    def write(self, work: _Question, ids: tuple[int, ...] = ()) -> None:
        """Write into the log in the archive's thread, in order; `changed` follows, or `failed`."""
        with self._waiting.wake:
            self._waiting.writes.append((work, ids))
            self._waiting.wake.notify()

    # Answers, in the screen's thread

    def _on_answered(self, topic: str, number: int, result: object) -> None:
        if number != self._numbers[topic] or self._waiting.closing:
            return
        answer = self._answers.pop(topic)
        if isinstance(result, BaseException):
            self._on_fell_over(result)
        else:
            answer(result)

    def _on_fell_over(self, error: BaseException) -> None:
        """Tell a person what a person can put right; everything else is a bug and goes where bugs go."""
        if not isinstance(error, UserError):
            raise error
        self.failed.emit(error)

    def _on_facts(self, facts: RunFacts | None) -> None:
        if facts is not None:
            self.facts_found.emit(facts)

    def _ask_thumbnails(self) -> None:
        sha256s = list(self._wanted_thumbnails)

        def look(reader: LogReader) -> dict[str, QImage]:
            found = reader.thumbnails(sha256s)
            # The stubs ask for bytes, the binding for a string.
            return {key: QImage.fromData(data, "PNG") for key, data in found.items()}  # type: ignore[arg-type]

        def keep(images: dict[str, QImage]) -> None:
            for sha256 in sha256s:
                image = images.get(sha256)
                self._thumbnails[sha256] = None if image is None or image.isNull() else image
                self._wanted_thumbnails.pop(sha256, None)
            while len(self._thumbnails) > THUMBNAILS_KEPT:
                del self._thumbnails[next(iter(self._thumbnails))]
            if self._wanted_thumbnails:
                self._ask_thumbnails()
            self.thumbnails_found.emit()

        self.ask("thumbnails", look, keep)

    def _look_for_changes(self) -> None:
        def compare(version: int) -> None:
            before, self._version = self._version, version
            if before != version:
                self.changed.emit(())

        self.ask("version", lambda reader: int(reader.rows("PRAGMA data_version")[0][0]), compare)

    # The thread

    def _live(self) -> None:
        waiting_work = self._waiting
        while True:
            with waiting_work.wake:
                waiting_work.wake.wait_for(
                    lambda: bool(waiting_work.writes or waiting_work.questions or waiting_work.closing)
                )
                if waiting_work.writes:
                    topic, number, (work, ids) = "", 0, waiting_work.writes.popleft()
                elif waiting_work.closing:
                    break
                else:
                    ids, waiting = (), waiting_work.questions
                    topic = next((first for first in _URGENT if first in waiting), next(iter(waiting)))
                    number, work = waiting.pop(topic)
            result = self._result(work)
            if topic:
                self._answered.emit(topic, number, result)
            elif isinstance(result, BaseException):
                self._fell_over.emit(result)
            if not topic:
                self._written.emit(ids)
            del work, result
        if self._reader is not None:
            self._reader.close()

    def _result(self, work: _Question) -> Any:
        """What a piece of work returns, or raises: a bug is raised again in the screen's thread."""
        try:
            if self._reader is None:
                self._reader = LogReader(self.path)
            return work(self._reader)
        except Exception as error:  # noqa: BLE001 - raised again where the screen is
            return error


class _Command(QUndoCommand):
    """Something that was written, and what takes it back; both are done by the archive's thread, in order."""

    def __init__(self, archive: LogBrowser, text: str, change: LogChange, ids: tuple[int, ...]) -> None:
        super().__init__(text)
        self._archive, self._change, self._ids = archive, change, ids
        self._undo_action: list[UndoAction] = []

    def redo(self) -> None:
        """Do it, and remember how to take it back."""
        store, change, kept = self._archive.store, self._change, self._undo_action

        def work(reader: LogReader) -> None:
            kept.append(change(store, reader))

        self._archive.write(work, self._ids)

    def undo(self) -> None:
        """Take back what was really done; nothing where it had failed."""
        store, kept = self._archive.store, self._undo_action

        def work(_reader: LogReader) -> None:
            while kept:
                kept.pop()(store)

        self._archive.write(work, self._ids)


def _overview(reader: LogReader) -> Overview:
    counts, sessions = RunList(reader).counts(), tuple(reader.sessions())
    backup = next(iter(backups_of(reader.path)), None)
    sizes = [path.stat().st_size for path in (reader.path, _wal(reader.path)) if path.is_file()]
    return Overview(counts, sessions, sum(sizes), None if backup is None else backup.stat().st_mtime)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _numbers(run_ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(run_id) for run_id in run_ids)
