"""What a log should hold by its schema, and what stands in for tables and columns that it lacks.

A log of an older schema is read as it is, without being changed; a damaged one may lack anything. For
reading, temporary views and empty tables take the place of what is not there.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final, TypeAlias

Columns: TypeAlias = dict[str, list[tuple[str, str, bool]]]
"""By table: name, type and whether there always is a value, of each column."""

_NEUTRAL: Final = {"TEXT": "''", "INTEGER": "0", "REAL": "0.0", "BLOB": "x''"}
_TOLD_ELSEWHERE: Final = {
    ("runs", "picture"): "(SELECT name FROM images WHERE images.sha256 = image_sha256)",
    ("runs", "picture_path"): "(SELECT path FROM images WHERE images.sha256 = image_sha256)",
}
"""What older logs keep in another place, by table and column."""


def columns_of(connection: sqlite3.Connection) -> Columns:
    """Return the columns of a log's own tables, as they are."""
    names = [
        row[0]
        for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
        if not str(row[0]).startswith(("sqlite_", "_sqlite", "run_search", "run_parts"))
    ]
    return {name: _columns(connection, name) for name in names}


def lacking(connection: sqlite3.Connection, wanted: Columns) -> list[str]:
    """Say which tables and columns of its schema a log lacks, in sentences."""
    found, sentences = columns_of(connection), []
    for table, columns in wanted.items():
        if table not in found:
            sentences.append(f"The table {table} is missing.")
            continue
        there = {name for name, _, _ in found[table]}
        sentences += [
            f"The table {table} has lost its column {name}." for name, _, _ in columns if name not in there
        ]
    return sentences


def stand_in(connection: sqlite3.Connection, wanted: Columns) -> bool:
    """Let something stand in for what a log lacks, as long as the connection lives; whether it was needed."""
    connection.execute("PRAGMA temp_store = MEMORY")
    found, needed = columns_of(connection), False
    for table, columns in wanted.items():
        own = {name for name, _, _ in found.get(table, [])}
        if own >= {name for name, _, _ in columns}:
            continue
        needed = True
        if not own:
            named = ", ".join(f'"{name}" {kind}' for name, kind, _ in columns)
            connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} ({named})")
            continue
        selected = ", ".join(f'{value_of(table, column, own)} AS "{column[0]}"' for column in columns)
        connection.execute(f"CREATE TEMP VIEW IF NOT EXISTS {table} AS SELECT {selected} FROM main.{table}")
    return needed


def value_of(table: str, column: tuple[str, str, bool], own: set[str]) -> str:
    """Return the SQL for a column of a table that has only its `own` ones."""
    name, kind, always = column
    if name in own:
        return f'"{name}"'
    if name == "id":
        return "rowid"
    return _TOLD_ELSEWHERE.get((table, name)) or (_NEUTRAL.get(kind, "NULL") if always else "NULL")


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    rows: list[tuple[Any, ...]] = connection.execute(f'PRAGMA main.table_info("{table}")').fetchall()
    return [(str(row[1]), str(row[2]), bool(row[3])) for row in rows]
