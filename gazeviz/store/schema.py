"""Which version of the tables a file holds, and whose they are.

Apart from the migrations, so that a log of the present version is opened without the library that makes them.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from gazeviz.store.connection import APPLICATION_ID

SCHEMA: Final = 2
"""How many migrations there are; SQLite keeps it as the file's user_version."""


def schema_of(connection: sqlite3.Connection) -> int:
    """Return how many migrations a file has been through; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether a file holds tables, and they are not ours."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return False
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
