"""Runs that a person names on the command line, found in the log: a number, a range, `last`, a session.

Reads the log and writes nothing into it.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from gazeviz.store.reader import LogReader, StoredRun, StoredSession

LAST = "last"
_MOST_RUNS = 1000


def log_path(options: argparse.Namespace) -> Path:
    """Return the log that is meant."""
    from gazeviz.store.connection import default_path

    named = options.log or os.environ.get("GAZEVIZ_LOG")
    return user_path(named) if named else default_path()


def is_usual(options: argparse.Namespace) -> bool:
    """Whether the log is the one that a command finds without being told."""
    from gazeviz.store.connection import default_path

    return log_path(options) == default_path()


@contextmanager
def open_log(options: argparse.Namespace) -> Iterator[LogReader]:
    """Read the log while this lasts; LogFaults."""
    from gazeviz.store.reader import LogReader

    reader = LogReader(log_path(options))
    try:
        yield reader
    finally:
        reader.close()


def named_runs(reader: LogReader, words: Sequence[str]) -> list[StoredRun]:
    """Return the runs that are named, each once, in the order of their names.

    UserError for a name that is none, and for runs that the log does not have.
    """
    ids = dict.fromkeys(run_id for word in words for run_id in _ids(reader, word))
    return [_run(reader, run_id) for run_id in ids]


def named_session(reader: LogReader, name: str) -> StoredSession:
    """Return the session of a name or number, or the newest one for `last`.

    UserError where no session, or more than one, is called so.
    """
    sessions = reader.sessions()
    meant = [session for session in sessions if session.name == name]
    if not meant:
        meant = [
            session
            for session in sessions
            if str(session.id) == name or (name == LAST and session == sessions[0])
        ]
    if len(meant) != 1:
        how_many = "No session is" if not meant else f"{len(meant)} sessions are"
        numbers = ", ".join(str(session.id) for session in meant)
        raise UserError(
            f"{how_many} called “{name}”.",
            next_step=f"Name it by its number: {numbers}." if meant else "See gazeviz log list --sessions.",
        )
    return meant[0]


def session_runs(reader: LogReader, name: str) -> tuple[str, list[StoredRun]]:
    """Return a session's name and its runs, the oldest first, glances left out; UserErrors as above."""
    session = named_session(reader, name)
    runs = [run for run in reader.runs(session.id) if run.side != "glance"]
    return session.name or f"Session {session.id}", runs[::-1]


def _ids(reader: LogReader, word: str) -> Sequence[int]:
    if word == LAST:
        newest = reader.last_run_id()
        if newest is None:
            raise UserError("The log holds no run yet.", next_step="Run something first.")
        return [newest]
    match = re.fullmatch(r"#?(\d{1,12})(?:-(\d{1,12}))?", word)
    if match is None:
        raise UserError(f"“{word}” is not a run.", next_step="Write a number, a range like 3-8, or last.")
    first, end = int(match[1]), int(match[2] or match[1])
    if end < first or end - first >= _MOST_RUNS:
        raise UserError(
            f"“{word}” is not a range of runs.",
            next_step=f"Write it in ascending order, over at most {_MOST_RUNS} runs.",
        )
    if match[2] is None:
        return [first]
    there = reader.rows(
        "SELECT id FROM runs WHERE id BETWEEN ? AND ? AND deleted_s IS NULL AND side <> 'glance' ORDER BY id",
        (first, end),
    )
    if not there:
        raise UserError(f"The log has no run from {first} to {end}.", next_step="See gazeviz log list.")
    return [int(row[0]) for row in there]


def _run(reader: LogReader, run_id: int) -> StoredRun:
    try:
        return reader.run(run_id)
    except KeyError:
        raise UserError(f"The log has no run {run_id}.", next_step="See gazeviz log list.") from None
