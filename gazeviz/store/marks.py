"""What a person does to runs that are over: stars, tags, notes, verdicts, deleting and bringing back.

Called by the writer's thread, inside its transaction. Deleting only hides; `upkeep` removes for good.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from gazeviz.errors import UserError
from gazeviz.store.codec import text_cell


class Marks:
    """Writes marks into one log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def star(self, run_ids: Sequence[int], starred: bool) -> None:
        """Give or take stars."""
        self._each("UPDATE runs SET starred = ? WHERE id = ?", starred, run_ids)

    def tag(self, run_ids: Sequence[int], tag: str, present: bool) -> None:
        """Give or take a tag."""
        word = " ".join(tag.split())
        if not word:
            raise UserError("A tag needs a name.", next_step="Write a word or two.")
        sql = (
            "INSERT OR IGNORE INTO run_tags(tag, run_id) VALUES (?, ?)"
            if present
            else "DELETE FROM run_tags WHERE tag = ? AND run_id = ?"
        )
        self._each(sql, word, run_ids)

    def note(self, text: str, *, run_id: int | None = None, session_id: int | None = None) -> None:
        """Write or empty the note of a run or a session; KeyError where there is none."""
        table, key = ("runs", run_id) if run_id is not None else ("sessions", session_id)
        if self._connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (key,)).fetchone() is None:
            raise KeyError(key)
        column = "run_id" if run_id is not None else "session_id"
        self._connection.execute(
            f"INSERT INTO notes({column}, text, edited_s) VALUES (?, ?, ?) "
            f"ON CONFLICT ({column}) DO UPDATE SET text = excluded.text, edited_s = excluded.edited_s",
            (key, text_cell(text), time.time()),
        )

    def judge(self, run_id: int, verdict: str, ok: bool | None, judge: str) -> None:
        """Write or take back a judge's verdict; the newest one is shown in the list."""
        if verdict:
            self._connection.execute(
                "INSERT OR REPLACE INTO judgements(run_id, judge, verdict, ok, judged_s) "
                "VALUES (?, ?, ?, ?, ?)",
                (run_id, judge, text_cell(verdict), ok, time.time()),
            )
        else:
            self._connection.execute("DELETE FROM judgements WHERE run_id = ? AND judge = ?", (run_id, judge))
        newest = "(SELECT {} FROM judgements WHERE run_id = runs.id ORDER BY judged_s DESC, id DESC LIMIT 1)"
        self._connection.execute(
            f"UPDATE runs SET verdict = {newest.format('verdict')}, verdict_ok = {newest.format('ok')} "
            "WHERE id = ?",
            (run_id,),
        )

    def replayed(self, run_id: int, same: bool) -> None:
        """Write down a replay."""
        self._connection.execute(
            "UPDATE runs SET replayed_s = ?, replay_same = ? WHERE id = ?", (time.time(), same, run_id)
        )

    def delete(self, run_ids: Sequence[int]) -> None:
        """Hide runs."""
        self._each("UPDATE runs SET deleted_s = ? WHERE id = ? AND deleted_s IS NULL", time.time(), run_ids)

    def restore(self, run_ids: Sequence[int]) -> None:
        """Show hidden runs again."""
        self._each("UPDATE runs SET deleted_s = ? WHERE id = ?", None, run_ids)

    def delete_session(self, session_id: int) -> None:
        """Hide a session and its runs."""
        now_s = time.time()
        for sql in (
            "UPDATE sessions SET deleted_s = ? WHERE id = ? AND deleted_s IS NULL",
            "UPDATE runs SET deleted_s = ? WHERE session_id = ? AND deleted_s IS NULL",
        ):
            self._connection.execute(sql, (now_s, session_id))

    def restore_session(self, session_id: int) -> None:
        """Show a hidden session again, with the runs that were hidden together with it."""
        self._connection.execute(
            "UPDATE runs SET deleted_s = NULL WHERE session_id = ? AND deleted_s = "
            "(SELECT deleted_s FROM sessions WHERE id = ?)",
            (session_id, session_id),
        )
        self._connection.execute("UPDATE sessions SET deleted_s = NULL WHERE id = ?", (session_id,))

    def _each(self, sql: str, value: object, run_ids: Sequence[int]) -> None:
        self._connection.executemany(sql, [(value, run_id) for run_id in run_ids])


def purge(connection: sqlite3.Connection, before_s: float) -> int:
    """Remove runs and sessions for good that were deleted before a moment; returns how many runs."""
    n_runs = connection.execute("DELETE FROM runs WHERE deleted_s <= ?", (before_s,)).rowcount
    connection.execute("DELETE FROM sessions WHERE deleted_s <= ?", (before_s,))
    return n_runs
