"""Backups of a log while it is open, and bringing one back.

A backup is one file in `backups/` beside the log; arrays and pictures that lie beside the log never change
and are not copied, unless the backup goes elsewhere. Bringing one back never overwrites: the file that was
there is renamed. Knows no tables but the names of the files that rows refer to.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from gazeviz.store.arrays import beside
from gazeviz.store.backup_files import backup_folder, backup_name, identity_of, own_backups_of
from gazeviz.store.backup_files import backups_of as backups_of
from gazeviz.store.connection import connect, connect_to_read, immediate, make_private
from gazeviz.store.faults import LogFault, faults_told
from gazeviz.store.soundness import mend_rows
from gazeviz.store.stand_ins import columns_of, value_of

KEPT: Final = 5
"""So many backups are kept beside a log; making one more removes the oldest."""
_PAGES: Final = 256


def back_up(
    log: Path, out: Path | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> Path | None:
    """Copy a log, which may be open and written to, and return the copy; None where it was `stopped`.

    out: where to; left out, into `backups/` beside the log. The copy is checked before it gets its name.
    LogFault where it cannot be written, where `out` exists, and where the log is damaged.
    """
    moment = time.strftime("%Y%m%d-%H%M%S")
    target = backup_folder(log) / backup_name(log, moment) if out is None else out
    if out is not None and target.exists():
        raise LogFault(f"There is a file {target} already.", next_step="Choose another name for the backup.")
    with faults_told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        try:
            if not _copy(log, part, stopped):
                return None
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        if out is not None:
            copy_files(log, target)
    if out is None:
        for old in own_backups_of(log)[KEPT:]:
            with suppress(OSError):
                old.unlink()
    return target


def restore(log: Path, backup: Path | None = None) -> tuple[Path, Path | None]:
    """Put a backup (the newest one unless named) in the place of a log.

    Close every window on it first. Returns the backup, and what the old file is called now (None where there
    was none). LogFault where there is no backup, and where it is damaged itself.
    """
    chosen = backup or next(iter(backups_of(log)), None)
    if chosen is None:
        raise LogFault(
            f"There is no backup of {log}.",
            next_step="Save what can be read with gazeviz log check --salvage.",
        )
    fresh = log.with_name(f".{log.name}.restored")
    with faults_told(chosen):
        try:
            _copy(chosen, fresh, lambda: False)
            aside = set_aside(log)
            fresh.replace(log)
        finally:
            fresh.unlink(missing_ok=True)
    return chosen, aside


def set_aside(log: Path) -> Path | None:
    """Rename a log, with what belongs to it, to `NAME.damaged-TIME`; returns the new name."""
    if not log.exists():
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = log.with_name(f"{log.name}.damaged-{stamp}")
    for ending in ("-wal", "-shm", ""):
        old = log.with_name(log.name + ending)
        if old.exists():
            old.rename(aside.with_name(aside.name + ending))
    return aside


def problems(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with a file; [] for a sound one."""
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
        broken = connection.execute("PRAGMA foreign_key_check").fetchmany(20)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is gone" for row in broken]


def _copy(log: Path, part: Path, stopped: Callable[[], bool]) -> bool:
    part.unlink(missing_ok=True)
    make_private(part)

    def look(_status: int, _remaining: int, _total: int) -> None:
        if stopped():
            raise InterruptedError

    with closing(connect_to_read(log)) as source, closing(sqlite3.connect(part)) as copy:
        try:
            source.backup(copy, pages=_PAGES, progress=look, sleep=0.001)
        except InterruptedError:
            return False
        if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3_corrupt()
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
    return True


def sqlite3_corrupt() -> sqlite3.DatabaseError:
    """The error that SQLite itself raises for a damaged file."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def copy_files(log: Path, other: Path) -> None:
    """Give another log the files that lie beside this one, those that it lacks."""
    for kind in ("arrays", "pictures"):
        folder, target = beside(log, kind), beside(other, kind)
        if folder == target or not folder.is_dir():
            continue
        target.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.is_file() and not path.name.startswith(".") and not (target / path.name).exists():
                shutil.copyfile(path, target / path.name)


# What can still be read of a damaged log, as a log of its own.
#
# Each table is read from its first row and from its last until a page cannot be read, and then by leaps into
# what lies between. Rows whose references are gone are left out. The damaged file is only ever read.


TABLES: Final = (
    "openings", "sessions", "arrays", "images", "session_images", "regions", "region_edits", "models",
    "token_grids", "head_rankings", "session_rankings", "head_scores", "head_sets", "runs",
    "run_records", "run_steps", "run_tags", "judgements", "notes",
    "picture_sets", "evaluations", "evaluation_tags", "evaluation_items", "evaluation_judgements",
)  # fmt: skip
"""In the order in which they refer to each other."""
_LEAPS: Final = 4096


def salvage(log: Path, out: Path) -> dict[str, int]:
    """Write what can be read of `log` into a new log `out`; returns how many rows of each table.

    LogFault where `out` exists, or nothing can be read at all.
    """
    if out.exists():
        raise LogFault(f"There is a file {out} already.", next_step="Choose another name for what is saved.")
    # A log of the present version is opened without the library that migrates.
    from gazeviz.store.migrations import migrate

    saved: dict[str, int] = {}
    with faults_told(log), closing(_source(log)) as source, closing(connect(out)) as target:
        # A text that is damaged in one place is no reason to lose the rows behind it.
        source.text_factory = lambda data: data.decode("utf-8", "replace")
        migrate(target)
        target.execute("PRAGMA foreign_keys = OFF")
        with immediate(target):
            for table in TABLES:
                saved[table] = _copy_rows(source, target, table)
            _drop_broken(target)
            mend_rows(target)
            if identity := identity_of(log):
                target.execute("UPDATE about SET value = ? WHERE name = 'identity'", (identity,))
        target.execute("PRAGMA journal_mode = DELETE")
        copy_files(log, out)
    return saved


def _source(log: Path) -> sqlite3.Connection:
    """Where the list of tables itself is damaged, nobody knows any more which page belongs to which."""
    try:
        return connect_to_read(log)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        newest = next(iter(backups_of(log)), None)
        raise LogFault(
            f"Nothing can be read of the log {log}: the list of its tables is damaged, too.",
            next_step=f"Bring back the backup {newest.name} with gazeviz log check --restore."
            if newest
            else "There is no backup of it; SQLite's own sqlite3 FILE .recover may still find rows.",
            kind="corrupt",
        ) from error


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    columns = columns_of(target)[table]
    own: set[str] = set()
    with suppress(sqlite3.DatabaseError):
        own = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
        if not own:
            return 0
        columns = [column for column in columns if column[0] in own or value_of(table, column, own) != "NULL"]
    names = [name for name, _, _ in columns]
    values = [value_of(table, column, own or set(names)) for column in columns]
    sql = f"INSERT OR IGNORE INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    n_rows = 0
    for row in _rows(source, table, values):
        with suppress(sqlite3.IntegrityError):
            n_rows += target.execute(sql, row).rowcount
    return n_rows


def _rows(source: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read; of a table without row numbers those before the damage."""
    named = ", ".join(columns)
    try:
        source.execute(f"SELECT rowid FROM {table} LIMIT 1").fetchall()
        numbered = True
    except sqlite3.OperationalError:
        numbered = False
    except sqlite3.DatabaseError:
        return
    if not numbered:
        for direction in _key_orders(source, table):
            yield from _until_damage(source, f"SELECT {named} FROM {table} {direction}")
        return
    ends = [0, 0]
    yield from _from_both_ends(source, table, named, ends)
    yield from _between(source, table, named, *ends)


def _from_both_ends(
    source: sqlite3.Connection, table: str, named: str, ends: list[int]
) -> Iterator[tuple[Any, ...]]:
    """Sets `ends` to the numbers of the last rows that could be read from the front and from the back."""
    for end, direction in enumerate(("ASC", "DESC")):
        sql = f"SELECT rowid, {named} FROM {table} ORDER BY rowid {direction}"
        for row in _until_damage(source, sql):
            if direction == "DESC" and row[0] <= ends[0]:
                break
            ends[end] = row[0]
            yield row[1:]


def _between(
    source: sqlite3.Connection, table: str, named: str, first: int, last: int
) -> Iterator[tuple[Any, ...]]:
    """Leap into the gap between what was read from both ends."""
    if last <= first + 1:
        return
    stride = max(1, (last - first) // _LEAPS)
    at = first + 1
    while at < last:
        reached = at
        for row in _until_damage(
            source,
            f"SELECT rowid, {named} FROM {table} WHERE rowid >= {at} AND rowid < {last} ORDER BY rowid",
        ):
            reached = row[0]
            yield row[1:]
        at = max(at + stride, reached + 1)


def _key_orders(source: sqlite3.Connection, table: str) -> tuple[str, str]:
    with suppress(sqlite3.DatabaseError):
        keys = sorted((row[5], row[1]) for row in source.execute(f"PRAGMA table_info({table})") if row[5])
        return "", "ORDER BY " + ", ".join(f"{name} DESC" for _, name in keys)
    return "", ""


def _until_damage(source: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    with suppress(sqlite3.DatabaseError):
        yield from source.execute(sql)


def _drop_broken(target: sqlite3.Connection) -> None:
    """Rows that refer to lost ones; removing one may leave others alone, so look until all is well."""
    while broken := target.execute("PRAGMA foreign_key_check").fetchall():
        for table, row_id, _, _ in broken:
            if row_id is not None:
                target.execute(f"DELETE FROM {table} WHERE rowid = ?", (row_id,))
        if all(row_id is None for _, row_id, _, _ in broken):
            _drop_broken_pairs(target)


def _drop_broken_pairs(target: sqlite3.Connection) -> None:
    """The tables without row numbers, each with what it refers to."""
    for table, key, other, column in (
        ("session_images", "session_id", "sessions", "id"),
        ("session_rankings", "session_id", "sessions", "id"),
        ("session_rankings", "ranking_id", "head_rankings", "id"),
        ("head_scores", "ranking_id", "head_rankings", "id"),
        ("run_tags", "run_id", "runs", "id"),
    ):
        target.execute(f"DELETE FROM {table} WHERE {key} NOT IN (SELECT {column} FROM {other})")
