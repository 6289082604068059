"""Logs as earlier versions wrote them: what later migrations made is taken away again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gazeviz.store.migrations import schema_sql

_BEFORE = {
    1: ("DROP TABLE token_grids",),
    2: (
        "DROP TABLE about",
        "DROP VIEW runs_in_words",
        "ALTER TABLE runs DROP COLUMN picture",
        "ALTER TABLE runs DROP COLUMN picture_path",
        "ALTER TABLE runs DROP COLUMN ranking",
        *(
            f"DROP TRIGGER {name}"
            for name in (
                "run_added_to_parts",
                "run_rewritten_in_parts",
                "note_added_to_parts",
                "note_rewritten_in_parts",
                "run_removed",
            )
        ),
        "DROP TABLE run_parts",
    ),
    3: (
        "DROP TABLE evaluation_judgements",
        "DROP TABLE evaluation_items",
        "DROP TABLE evaluation_tags",
        "DROP TABLE evaluations",
        "DROP TABLE picture_sets",
    ),
}
"""What leads back to a version from the next one."""


def as_of_schema(path: Path, version: int) -> None:
    """Make a closed log one of an earlier version; what that version did not hold is gone."""
    with closing(sqlite3.connect(path)) as database:
        (now,) = database.execute("PRAGMA user_version").fetchone()
        for earlier in range(now - 1, version - 1, -1):
            for statement in _BEFORE[earlier]:
                database.execute(statement)
        wanted = schema_sql(version)
        there = {row[1] for row in database.execute("SELECT type, name, sql FROM sqlite_master")}
        for kind, name, sql in sorted(wanted, key=lambda row: row[1]):
            if name not in there and kind in ("view", "trigger"):
                database.execute(str(sql))
        names = [row[0] for row in database.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
        for name in names[version:]:
            database.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (name,))
        database.execute(f"PRAGMA user_version = {version}")
        database.commit()
        assert set(database.execute("SELECT type, name, sql FROM sqlite_master")) == wanted
