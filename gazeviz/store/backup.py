"""Backups of a log while it is open, and bringing one back.

A backup is one file in `backups/` beside the log; arrays and pictures that lie beside the log never change
and are not copied, unless the backup goes elsewhere. Bringing one back never overwrites: the file that was
there is renamed. Knows no tables but the names of the files that rows refer to.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gazeviz.store.arrays import beside
from gazeviz.store.connection import connect_to_read
from gazeviz.store.faults import LogFault, faults_told

KEPT: Final = 5
"""So many backups are kept beside a log; making one more removes the oldest."""
_PAGES: Final = 256


def backups_of(log: Path) -> list[Path]:
    """Return the backups beside a log, the newest first."""
    with suppress(OSError):
        return sorted(_folder(log).glob(f"{log.stem}-*.db"), key=lambda path: path.name, reverse=True)
    return []


def back_up(
    log: Path, out: Path | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> Path | None:
    """Copy a log, which may be open and written to, and return the copy; None where it was `stopped`.

    out: where to; left out, into `backups/` beside the log. The copy is checked before it gets its name.
    LogFault where it cannot be written, where `out` exists, and where the log is damaged.
    """
    target = _folder(log) / f"{log.stem}-{time.strftime('%Y%m%d-%H%M%S')}.db" if out is None else out
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
        for old in backups_of(log)[KEPT:]:
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


def _folder(log: Path) -> Path:
    return log.parent / "backups"
