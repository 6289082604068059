"""Connections to the log's file, and the one way to write: a transaction that begins immediately.

`BEGIN IMMEDIATE` takes the write lock at once and so waits for another writer; a deferred transaction that
only finds out later that it wants to write is refused without waiting, and what it wrote is lost. Knows no
tables.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gazeviz.resources import data_folder
from gazeviz.store.arrays import DEFAULT_NAME
from gazeviz.store.faults import log_fault

# Where the log is: one file for everything that a person does, unless another one is named.


def default_path() -> Path:
    """Return `sessions/gazeviz.db` of a checkout, else the one in the user's data folder."""
    return data_folder() / DEFAULT_NAME


APPLICATION_ID: Final = 0x67617A65
"""The letters of gaze; SQLite keeps it in the file's header."""
READ_ONLY: Final = "mode=ro"
IMMUTABLE: Final = "mode=ro&immutable=1"
"""How a log is opened to be read: as it is, or in a folder in which no file can be made."""
BUSY_S: Final = 5.0
"""How long to wait for another writer before saying that the log is locked."""


def connect(path: Path, *, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Open a log to write, in WAL mode with every commit on the disk before it counts; sqlite3 errors."""
    make_private(path)
    address = path.absolute().as_uri()  # as a URI, so that other logs can be attached to be read only
    connection = sqlite3.connect(
        address, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        _set_up(connection)
        connection.execute("PRAGMA synchronous = FULL")
        _write_ahead(connection, busy_s)
    except BaseException:
        connection.close()
        raise
    return connection


def make_private(path: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one; SQLite's own beside it follow."""
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def connect_to_read(path: Path, *, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Open a log that nothing is written to; also one in a folder that may not be written.

    LogFault where there is no file; sqlite3 errors.
    """
    if not path.is_file():
        raise log_fault("missing", path)
    try:
        return _opened(path, READ_ONLY, busy_s)
    except sqlite3.OperationalError as error:
        # WAL wants a shared-memory file even to read. Where none can be made, nobody is writing either.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _opened(path, IMMUTABLE, busy_s)


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Do everything within in one transaction, which has the write lock from its first moment."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _opened(path: Path, options: str, busy_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _set_up(connection)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16000")


def _write_ahead(connection: sqlite3.Connection, busy_s: float) -> None:
    """Switch to WAL; SQLite does not wait for that by itself when another process does the same."""
    until_s = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.02)


# Which version of the tables a file holds, and whose they are.
#
# Apart from the migrations, so that a log of the present version is opened without the library that makes
# them.


SCHEMA: Final = 4
"""How many migrations there are; SQLite keeps it as the file's user_version."""


def schema_of(connection: sqlite3.Connection) -> int:
    """Return how many migrations a file has been through; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether a file holds tables, and they are not ours."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return False
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
