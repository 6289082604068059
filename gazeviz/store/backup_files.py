"""Which files are backups of which log: a log and its copies carry one identity inside.

Names alone do not tell: `study.db` and `study-2.db` lie in one folder. A copy that somebody made of a log has
its identity, too, and therefore what is removed has to have the log's name as well. Knows no faults: a file
that cannot be asked is nobody's backup, unless it is named as gazeviz names those of this log.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_MOMENT = r"-(\d{8}-\d{6})(-\d+)?\.db"


def backups_of(log: Path) -> list[Path]:
    """Return the backups beside a log, the newest first; those of another log are left out.

    Where the log can no longer say who it is, and for backups from before logs had an identity, the whole
    name decides.
    """
    own = identity_of(log)
    found = []
    for path in _candidates(log):
        owner = identity_of(path)
        if _is_named_for(path, log) if own is None or owner is None else owner == own:
            found.append(path)
    named = [path for path in found if _is_named_for(path, log)]
    return sorted(named or found, key=_moment, reverse=True)


def own_backups_of(log: Path) -> list[Path]:
    """Return those that certainly are this log's alone, by identity and name, the newest first."""
    own = identity_of(log)
    return [
        path
        for path in backups_of(log)
        if own is not None and _is_named_for(path, log) and identity_of(path) == own
    ]


def backup_name(log: Path, moment: str) -> str:
    """Return how a backup of that moment ("20260301-120000") is called; log.db and log.sqlite are two."""
    return f"{_stem(log)}-{moment}.db"


def backup_folder(log: Path) -> Path:
    """Return where the backups of a log lie."""
    return log.parent / "backups"


def identity_of(path: Path) -> str | None:
    """Return the identity inside a log or backup; None where there is none, or it cannot be read."""
    if not path.is_file():
        return None
    for options in ("mode=ro", "mode=ro&immutable=1"):
        with suppress(sqlite3.Error):
            address = f"{path.absolute().as_uri()}?{options}"
            with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as connection:
                row = connection.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()
                return str(row[0]) if row else None
    return None


def _candidates(log: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in backup_folder(log).iterdir() if re.search(_MOMENT + "$", path.name)]
    return []


def _is_named_for(path: Path, log: Path) -> bool:
    return re.fullmatch(re.escape(_stem(log)) + _MOMENT, path.name) is not None


def _moment(path: Path) -> tuple[str, str]:
    match = re.search(_MOMENT + "$", path.name)
    return (match[1] if match else "", path.name)


def _stem(log: Path) -> str:
    return log.stem if log.suffix == ".db" else log.name
