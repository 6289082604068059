"""What can go wrong with the log's file, each in one sentence with the next step.

SQLite's and the system's errors come in, a `LogFault` comes out; what is none of these is a bug and is left
alone. Knows no tables.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from gazeviz.errors import UserError
from gazeviz.store.backup_files import backups_of

FaultKind: TypeAlias = Literal[
    "full",
    "disk",
    "read_only",
    "locked",
    "newer",
    "corrupt",
    "foreign",
    "missing",
    "changed",
    "closed",
    "input",
]

_CODES: dict[int, FaultKind] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "read_only",
    sqlite3.SQLITE_CANTOPEN: "read_only",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_IOERR: "disk",
}
_ERRNOS: dict[int, FaultKind] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EIO: "disk",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.EROFS: "read_only",
    errno.ENOENT: "read_only",
    errno.ENOTDIR: "read_only",
    errno.EEXIST: "read_only",
}
_ANOTHER_PLACE = "name another file with --log FILE or GAZEVIZ_LOG"


class LogFault(UserError):  # noqa: N818 - named as people say it
    """Something about the log's files that the person can put right."""

    def __init__(self, sentence: str, *, next_step: str, kind: FaultKind = "input") -> None:
        super().__init__(sentence, next_step=next_step)
        self.kind = kind


def fault_of(error: BaseException, path: Path, what: str = "The log") -> LogFault | None:
    """Return what an error says about the log at `path`; None for one that is not about files."""
    if isinstance(error, LogFault):
        return error
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # Python's own; a text that is no UTF-8 is the one that a file can cause
            return log_fault("corrupt", path, what=what) if "UTF-8" in str(error) else None
        kind: FaultKind | None = (
            "read_only" if code == sqlite3.SQLITE_IOERR_SHMMAP else _CODES.get(code & 0xFF)
        )
        if kind is None and "unsupported file format" in str(error):  # of the schema, with no code of its own
            kind = "corrupt"
        return log_fault(kind, path, str(error), what) if kind else None
    if isinstance(error, OSError) and error.errno is not None:
        known = _ERRNOS.get(error.errno)
        return log_fault(known, path, error.strerror or "", what) if known else None
    return None


@contextmanager
def faults_told(path: Path, what: str = "The log") -> Iterator[None]:
    """Turn errors about the log's files, or those of something else, into LogFaults."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        fault = fault_of(error, path, what)
        if fault is None:
            raise
        raise fault from error


def log_fault(kind: FaultKind, path: Path, detail: str = "", what: str = "The log") -> LogFault:
    """Say what is wrong with the log at `path`."""
    match kind:
        case "full":
            why = f" ({detail})" if detail and "full" not in detail else ""
            sentence = f"{what} {path} cannot be written: there is no space left{why}."
            step = "Free some space: what could not be written yet is kept, and is written then."
        case "disk":
            sentence = f"{what} {path} cannot be written: its disk reports an error ({detail})."
            step = (
                "Free some space on the disk, or check it: what could not be written yet is kept until then."
            )
        case "read_only":
            sentence = f"{what} {path} cannot be written: its file or folder may not be changed."
            step = f"Allow writing to it, or {_ANOTHER_PLACE}."
        case "locked":
            sentence = f"{what} {path} is locked by another program."
            step = f"Close the program that holds it and try again, or {_ANOTHER_PLACE}."
        case "newer":
            sentence = f"{what} {path} was written by a newer gazeviz."
            step = f"Update gazeviz, or {_ANOTHER_PLACE}; the file was not touched."
        case "foreign":
            sentence = f"{path} is a database, but no log of gazeviz."
            step = f"Leave it as it is and {_ANOTHER_PLACE}."
        case "missing":
            sentence, step = f"There is no log {path}.", "Run something first, or name another file."
        case "closed":
            sentence, step = f"{what} {path} is closed.", "Open it again."
        case _:
            sentence = f"{what} {path} is damaged."
            step = recovery_step(path)
    return LogFault(sentence, next_step=step, kind=kind)


def recovery_step(path: Path) -> str:
    """Say how a damaged log is helped: by its last backup, or by what can still be read of it."""
    last = next(iter(backups_of(path)), None)
    salvage = "save what can be read of it with gazeviz log check --salvage"
    if last is None:
        return f"There is no backup of it; {salvage}. The file itself stays as it is."
    return (
        f"Bring back the backup {last.name} with gazeviz log check --restore, or {salvage}. "
        "The file itself is kept."
    )
