"""What a person does to runs of the log, each with what takes it back.

A deed is called in the archive's thread: it looks at what was, writes, and returns how to undo exactly that.
Raises the UserErrors of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.codec import text_of
from gazeviz.store.reading import Reader

TakeBack: TypeAlias = Callable[[SessionStore], None]
Deed: TypeAlias = Callable[[SessionStore, Reader], TakeBack]

_AT_ONCE: Final = 500


def star(ids: Sequence[int], starred: bool) -> Deed:
    """Give or take stars."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE starred <> ? AND id IN", starred)
        store.star_runs(changed, starred)
        return lambda store: store.star_runs(changed, not starred)

    return deed


def tag_word(tag: str) -> str:
    """A tag as the log keeps it; UserError where nothing is left of it."""
    word = " ".join(tag.encode("utf-8", "replace").decode("utf-8").split())
    if not word:
        raise UserError("A tag needs a name.", next_step="Write a word or two.")
    return word


def tag(ids: Sequence[int], word: str, present: bool) -> Deed:
    """Put a tag on runs, or take it away."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        tagged = set(_those(reader, ids, "SELECT run_id FROM run_tags WHERE tag = ? AND run_id IN", word))
        changed = [run_id for run_id in ids if (run_id in tagged) != present]
        store.tag_runs(changed, word, present)
        return lambda store: store.tag_runs(changed, word, not present)

    return deed


def note(run_id: int, text: str) -> Deed:
    """Write a run's note."""
    return _write(SessionStore.note_run, run_id, text, "SELECT text FROM notes WHERE run_id = ?")


def note_session(session_id: int, text: str) -> Deed:
    """Write a session's note."""
    return _write(SessionStore.note_session, session_id, text, "SELECT text FROM notes WHERE session_id = ?")


def judge(ids: Sequence[int], verdict: str, ok: bool | None) -> Deed:
    """Write down what a person says of runs."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        sql = "SELECT verdict, ok FROM judgements WHERE judge = 'person' AND run_id = ?"
        before = {run_id: next(iter(reader.rows(sql, (run_id,))), ("", None)) for run_id in ids}
        for run_id in ids:
            store.judge_run(run_id, verdict, ok)

        def take_back(store: SessionStore) -> None:
            for run_id, (said, was_ok) in before.items():
                store.judge_run(run_id, text_of(said), None if was_ok is None else bool(was_ok))

        return take_back

    return deed


def delete(ids: Sequence[int]) -> Deed:
    """Take runs out of the list."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE deleted_s IS NULL AND id IN")
        store.delete_runs(changed)
        return lambda store: store.restore_runs(changed)

    return deed


def restore(ids: Sequence[int]) -> Deed:
    """Bring deleted runs back."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        changed = _those(reader, ids, "SELECT id FROM runs WHERE deleted_s IS NOT NULL AND id IN")
        store.restore_runs(changed)
        return lambda store: store.delete_runs(changed)

    return deed


def rename_session(session_id: int, name: str) -> Deed:
    """Give a session another name."""
    return _write(SessionStore.rename_session, session_id, name, "SELECT name FROM sessions WHERE id = ?")


def delete_session(session_id: int) -> Deed:
    """Take a session and its runs out of the lists."""

    def deed(store: SessionStore, _reader: Reader) -> TakeBack:
        store.delete_session(session_id)
        return lambda store: store.restore_session(session_id)

    return deed


def _write(write: Callable[[SessionStore, int, str], None], key: int, text: str, sql: str) -> Deed:
    """Write a text that belongs to a key; sql finds the one before, which may be none."""

    def deed(store: SessionStore, reader: Reader) -> TakeBack:
        rows = reader.rows(sql, (key,))
        before = text_of(rows[0][0]) if rows else ""
        write(store, key, text)
        return lambda store: write(store, key, before)

    return deed


def _those(reader: Reader, ids: Sequence[int], sql: str, *values: Any) -> list[int]:
    """Which of some runs a condition holds for; asked a few hundred at a time."""
    found: list[int] = []
    for some in _portions(ids):
        rows = reader.rows(f"{sql} ({', '.join('?' * len(some))})", [*values, *some])
        found += [int(row[0]) for row in rows]
    return found


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
