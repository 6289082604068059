"""Which values a log's rows may hold: by type, by range, and as text.

SQLite itself takes any value in any column. What is foreign is checked against this before a row of it is
taken over; what a log holds already is told, and can be mended.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from typing import Final

from gazeviz.store.codec import LAST_MOMENT_S, MOST_HEADS
from gazeviz.store.stand_ins import columns_of

_TYPES: Final = {
    "INTEGER": "'integer'",
    "REAL": "'real', 'integer'",
    "TEXT": "'text', 'blob'",
    "BLOB": "'blob'",
}
_MOST: Final = 2**31 - 1
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "width_px": (0, 1_000_000), "height_px": (0, 1_000_000), "fed_width_px": (0, 1_000_000),
    "fed_height_px": (0, 1_000_000), "grid_rows": (0, _MOST), "grid_columns": (0, _MOST),
    "area_px": (0, 10**12), "layers": (0, MOST_HEADS), "heads_per_layer": (0, MOST_HEADS),
    "layer": (0, MOST_HEADS), "head": (0, MOST_HEADS), "half": (1, 2), "n_strips": (0, _MOST),
    "n_heads": (0, MOST_HEADS), "n_tok": (0, _MOST), "number": (0, _MOST), "job": (-_MOST, _MOST),
    "token_id": (-1, _MOST), "looks_at": (-1, _MOST), "n_bytes": (0, 2**40), "n_parameters": (0, 2**60),
    "seconds": (0, 1e9), "ms": (0, 1e12), "mass_before": (-1e-6, 1.001),
    "mass_after": (-1e-6, 1.001), "score": (-1e300, 1e300), "ok": (0, 1), "verdict_ok": (0, 1),
    "n_items": (0, _MOST), "n_pictures": (0, _MOST), "n_regions": (0, _MOST), "picture": (0, _MOST),
    "turn": (0, _MOST), "target": (0, _MOST), "chosen": (0, _MOST), "complete": (0, 1),
    "unchanged": (0, 1), "same_tokens": (0, 1), "first_tok": (0, _MOST), "latency_tok": (0, _MOST),
    "starred": (0, 1), "is_named": (0, 1), "replay_same": (0, 1),
}  # fmt: skip
_KINDS: Final = {
    ("runs", "side"): ("glance", "baseline", "steered"),
    ("runs", "state"): ("queued", "loading", "running", "done", "cancelled", "failed", "lost"),
    ("images", "kept"): ("bytes", "beside", "path"),
    ("evaluations", "state"): ("running", "paused", "done", "failed"),
}
_BEYOND_ASCII: Final = "*[^\x01-~]*"
_ALWAYS: Final = {"started_s": "0", "saved_s": "0", "opened_s": "0", "edited_s": "0", "judged_s": "0"}


def unsound_rows(connection: sqlite3.Connection) -> list[str]:
    """Return which columns hold values of other types, ranges or encodings than they may, in sentences."""
    return [
        f"{table}.{column} holds {count} {'value' if count == 1 else 'values'} {why}."
        for table, column, why, _, count in _unsound(connection)
    ]


def mend_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Put what can stand in the place of values that no row may hold; returns how many, by column.

    A time that no calendar has becomes that of the row before it, a number nothing, a text its readable part.
    """
    mended = {}
    for table, column, _, condition, count in list(_unsound(connection)):
        if condition is None:
            _mend_texts(connection, table, column)
        else:
            value = _stand_in(table, column)
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = {value} WHERE {condition}")
        mended[f"{table}.{column}"] = count
    return mended


def _unsound(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, str | None, int]]:
    """Table, column, what is wrong, the condition for it (None for encodings), and how many rows."""
    for table, columns in columns_of(connection).items():
        for column, kind, _ in columns:
            for why, condition in _conditions(table, column, kind):
                sql = f"SELECT count(*) FROM main.{table} WHERE {column} IS NOT NULL AND ({condition})"
                if count := connection.execute(sql).fetchone()[0]:
                    yield table, column, why, condition, count
            if kind == "TEXT" and (count := _n_undecodable(connection, table, column)):
                yield table, column, "that are no text in UTF-8", None, count


def _conditions(table: str, column: str, kind: str) -> Iterator[tuple[str, str]]:
    if kind in _TYPES:
        yield f"that are no {kind.lower()}", f"typeof({column}) NOT IN ({_TYPES[kind]}, 'null')"
    low, high = (0.0, LAST_MOMENT_S) if column.endswith("_s") else _RANGES.get(column, (-math.inf, math.inf))
    if high < math.inf:
        numeric = f"typeof({column}) IN ('integer', 'real')"
        yield f"outside of {low:g} to {high:g}", f"{numeric} AND NOT ({column} BETWEEN {low!r} AND {high!r})"
    if (table, column) in _KINDS:
        known = ", ".join(f"'{kind}'" for kind in _KINDS[table, column])
        yield f"that are none of {known.replace(chr(39), '')}", f"{column} NOT IN ({known})"


def _stand_in(table: str, column: str) -> str:
    if column.endswith("_s"):
        before = (
            f"(SELECT max(earlier.{column}) FROM {table} AS earlier WHERE earlier.rowid < {table}.rowid "
            f"AND typeof(earlier.{column}) IN ('integer', 'real') "
            f"AND earlier.{column} BETWEEN 0 AND {LAST_MOMENT_S!r})"
        )
        return f"coalesce({before}, 0)" if column in _ALWAYS else "NULL"
    if (table, column) in _KINDS:
        return "'" + {"side": "baseline", "state": "failed", "kept": "path"}[column] + "'"
    return f"CASE WHEN typeof({column}) = 'text' THEN '' ELSE 0 END" if _is_needed(table, column) else "NULL"


def _is_needed(table: str, column: str) -> bool:
    from gazeviz.store.connection import SCHEMA
    from gazeviz.store.migrations import schema_columns

    return any(name == column and needed for name, _, needed in schema_columns(SCHEMA).get(table, []))


def _n_undecodable(connection: sqlite3.Connection, table: str, column: str) -> int:
    """How many texts are none. Only what holds a byte beyond ASCII is looked at."""
    return sum(1 for _ in _undecodable(connection, table, column))


def _undecodable(connection: sqlite3.Connection, table: str, column: str) -> Iterator[tuple[bytes, bytes]]:
    """Each text of a column that is no UTF-8 (or, as bytes, no text with halves of letters in it)."""
    factory = connection.text_factory
    try:
        connection.text_factory = bytes
        rows = connection.execute(
            f"SELECT DISTINCT CAST({column} AS BLOB), typeof({column}) FROM main.{table} "
            f"WHERE typeof({column}) = 'blob' OR {column} GLOB ?",
            (_BEYOND_ASCII,),
        ).fetchall()
    finally:
        connection.text_factory = factory
    for data, kind in rows:
        try:
            data.decode("utf-8", "surrogatepass" if kind == b"blob" else "strict")
        except UnicodeDecodeError:
            yield data, kind


def _mend_texts(connection: sqlite3.Connection, table: str, column: str) -> None:
    for data, _ in list(_undecodable(connection, table, column)):
        connection.execute(
            f"UPDATE OR IGNORE main.{table} SET {column} = ? WHERE CAST({column} AS BLOB) = ?",
            (data.decode("utf-8", "replace"), data),
        )
