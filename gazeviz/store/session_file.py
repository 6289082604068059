"""A session as one file, to be moved to another log: a zip with a small log in it that holds it alone.

    manifest.json   format, schema, the session's name, and every other file with its size and SHA-256
    gazeviz.db      the session, in the tables of the log
    arrays/DIGEST.npz, pictures/DIGEST.SUFFIX   what lies beside the log

Nothing in such a file is believed when it is imported. Names that are no digests are refused, and so are
other sizes and hashes than the manifest's, tables or triggers that are not those of its schema, values of
other types, content that has not the digest that it goes by, references to nothing, and runs that do not
decode; only then is the first row written. A path that is told in it is never opened: pictures bring their
bytes, or come without.
"""

from __future__ import annotations

import errno
import hashlib
import json
import lzma
import re
import shutil
import sqlite3
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gazeviz.errors import UserError
from gazeviz.imaging import open_encoded
from gazeviz.store import evaluation_transfer, session_transfer
from gazeviz.store.arrays import DEFAULT_NAME
from gazeviz.store.connection import SCHEMA, connect, immediate, schema_of
from gazeviz.store.faults import LogFault, faults_told
from gazeviz.store.migrations import migrate, schema_sql
from gazeviz.store.reader import LogReader
from gazeviz.store.session_store import open_to_write
from gazeviz.store.soundness import unsound_rows
from gazeviz.store.upkeep import check

FORMAT: Final = "gazeviz session"
MANIFEST: Final = "manifest.json"
MOST_BYTES: Final = 16 * 1024**3
"""No session is larger unpacked, whatever a small zip claims to be."""
_MOST_MANIFEST_BYTES: Final = 64 * 1024**2
_NAME: Final = re.compile(r"gazeviz\.db|arrays/[0-9a-f]{64}\.npz|pictures/[0-9a-f]{64}\.[a-z]{3,4}")
_UNSUSPECTED_BYTES: Final = 64 * 1024**2
_MOST_GROWTH: Final = 100
"""Maps and masks of real sessions grow by less than twenty when they are unpacked."""
_DAMAGED_ZIP: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError,
    KeyError, IndexError, MemoryError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # a password
)  # fmt: skip
_STEP: Final = "Ask for the file again, or export the session once more."


@dataclass(frozen=True)
class Imported:
    """What an import has brought."""

    session_id: int
    name: str
    n_runs: int
    n_evaluations: int = 0


def export_session(
    log: Path, session_id: int, out: Path, *, with_paths: bool = False, evaluations: Sequence[str] = ()
) -> int:
    """Write a session of a log, which may be open, into a file; returns how many runs it holds.

    with_paths: whether it says where models and pictures lie on this machine; else only what they are called.
    evaluations: by name, those that go along.

    Deleted runs stay behind; runs under way are lost in the copy. LogFault where there is no such session,
    for files that the log has lost, and where the file cannot be written: it is there whole, or not at all.
    """
    with closing(LogReader(log)) as reader:
        names = {session.id: session.name for session in reader.sessions()}
    if session_id not in names:
        raise LogFault(
            f"The log {log} has no session {session_id}.", next_step="Look for it with gazeviz log list."
        )
    with faults_told(out, "The file"):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".gazeviz-") as folder:
            small = Path(folder) / DEFAULT_NAME
            with faults_told(log), closing(connect(small)) as connection:
                migrate(connection)
                n_runs = session_transfer.take_out(connection, log, session_id, with_paths)
                evaluation_transfer.take_evaluations(connection, log, evaluations)
            with closing(sqlite3.connect(small)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("VACUUM")
            session_transfer.copy_named_files(log, small, naming=small)
            part = Path(folder) / "part.zip"
            _pack(small, names[session_id], part)
            part.replace(out)
    return n_runs


def import_session(log: Path, file: Path) -> Imported:
    """Check a file and add its session to a log, which may be open.

    LogFault for a file that is no session, was changed, or is of a newer gazeviz; where the session is there
    already; and for faults of the log. Then nothing of it is in the log.
    """
    with faults_told(log), tempfile.TemporaryDirectory(dir=log.parent, prefix=".gazeviz-") as folder:
        small = Path(folder) / DEFAULT_NAME
        _unpack(file, small.parent)
        _check_log(file, small)
        with closing(open_to_write(log)) as connection:
            session_transfer.attach(connection, small, "incoming")
            with immediate(connection):
                known = connection.execute(
                    "SELECT name FROM sessions WHERE uid = (SELECT uid FROM incoming.sessions)"
                ).fetchone()
                if known is not None:
                    raise LogFault(
                        f"The session of {file.name} is in this log already: “{known[0]}”.",
                        next_step="Delete that one for good (gazeviz log vacuum) before importing it again.",
                    )
                session_transfer.copy_named_files(small, log)
                session_id, n_runs = session_transfer.put_in(connection, file.name)
                brought = evaluation_transfer.put_evaluations(connection)
        with closing(LogReader(log)) as reader:
            name = next(session.name for session in reader.sessions() if session.id == session_id)
    return Imported(session_id, name, n_runs, brought.evaluations)


# The zip


def _pack(small: Path, name: str, out: Path) -> None:
    files: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as packed:
        for path in sorted(small.parent.rglob("*")):
            inside = path.relative_to(small.parent).as_posix()
            if path.is_file() and _NAME.fullmatch(inside):
                packed.write(path, inside)
                with path.open("rb") as data:
                    digest = hashlib.file_digest(data, "sha256").hexdigest()
                files[inside] = {"bytes": path.stat().st_size, "sha256": digest}
        manifest = {
            "format": FORMAT,
            "schema": SCHEMA,
            "session": name,
            "written_s": time.time(),
            "files": files,
        }
        packed.writestr(MANIFEST, json.dumps(manifest, indent=1))


def _unpack(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            files = _manifest(file, packed)
            _check_room(file, packed, folder)
            for name, told in files.items():
                _unpack_one(file, packed, name, told, folder / name)
    except FileNotFoundError as error:
        raise LogFault(f"There is no file {file}.", next_step="Check the path.") from error
    except _DAMAGED_ZIP as error:
        raise _refused(file, "is no zip file, or a damaged one") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # zipfile follows offsets that point before the file
            raise
        raise _refused(file, "is no zip file, or a damaged one") from error


def _check_room(file: Path, packed: zipfile.ZipFile, folder: Path) -> None:
    """Before a byte is unpacked: what grows as no session does is refused, and so is what does not fit."""
    entries = packed.infolist()
    for entry in entries:
        if entry.file_size > _UNSUSPECTED_BYTES and entry.file_size > _MOST_GROWTH * entry.compress_size:
            raise _refused(file, f"would grow too much: {entry.filename} to {entry.file_size} bytes")
    needed = sum(entry.file_size for entry in entries)
    if needed > shutil.disk_usage(folder).free:
        raise LogFault(
            f"{file.name} takes {needed} bytes unpacked, and there is less space left in {folder.parent}.",
            next_step="Free some space and import it again.",
            kind="full",
        )


def _manifest(file: Path, packed: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """Read the manifest, and hold it against what is really in the zip."""
    names = [entry.filename for entry in packed.infolist()]
    sizes = {entry.filename: entry.file_size for entry in packed.infolist()}
    if sizes.get(MANIFEST, _MOST_MANIFEST_BYTES + 1) > _MOST_MANIFEST_BYTES:
        raise _refused(file, "is no session of gazeviz")
    try:
        manifest = json.loads(packed.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise _refused(file, "is no session of gazeviz")
        if manifest["schema"] > SCHEMA:
            raise LogFault(f"{file} is of a newer gazeviz.", next_step="Update gazeviz.", kind="newer")
        files: dict[str, dict[str, Any]] = {str(name): dict(told) for name, told in manifest["files"].items()}
        told_bytes = sum(int(told["bytes"]) for told in files.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(file, "has no manifest that can be understood") from error
    if sorted(names) != sorted([*files, MANIFEST]):
        raise _refused(file, "holds other files than its manifest says")
    if not all(map(_NAME.fullmatch, files)) or DEFAULT_NAME not in files:
        raise _refused(file, "names files that no session has")
    if told_bytes > MOST_BYTES or any(sizes[name] != told["bytes"] for name, told in files.items()):
        raise _refused(file, "holds files of other sizes than its manifest says")
    return files


def _unpack_one(file: Path, packed: zipfile.ZipFile, name: str, told: dict[str, Any], target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    digest, left = hashlib.sha256(), int(told["bytes"])
    with packed.open(name) as source, target.open("xb") as out:
        while data := source.read(1 << 20):
            left -= len(data)
            if left < 0:  # the zip's own directory lied
                break
            digest.update(data)
            out.write(data)
    if left or digest.hexdigest() != told.get("sha256"):
        raise _refused(file, f"was changed: {name} is not what its manifest says")


# What is in it


def _check_log(file: Path, small: Path) -> None:
    """Let nothing through that this gazeviz would not have written itself."""
    try:
        # Before anything is asked of it that a trigger or a view of its own could answer.
        with closing(sqlite3.connect(f"{small.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            version = schema_of(connection)
            found = set(connection.execute("SELECT type, name, sql FROM sqlite_master"))
        if not 1 <= version <= SCHEMA or found != schema_sql(version):
            raise _refused(file, "has other tables than a log of gazeviz")
        with closing(connect(small)) as connection:
            migrate(connection)
            n_sessions = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
            problems = unsound_rows(connection) or check(small)
            if not problems:
                _forget_false_pictures(connection, small)
    except (sqlite3.DatabaseError, LogFault, OverflowError, ValueError) as error:
        if isinstance(error, LogFault) and file.name in error.sentence:
            raise
        raise _refused(file, "holds a log that cannot be read") from error
    if n_sessions != 1:
        raise _refused(file, f"holds {n_sessions} sessions instead of one")
    if problems:
        shown = re.sub(re.escape(str(small)), file.name, problems[0])
        raise _refused(file, f"is damaged or was changed ({shown.rstrip('.')})")


def _forget_false_pictures(connection: sqlite3.Connection, small: Path) -> None:
    """Bytes that are not the picture that they go by must not stand in its way."""
    with closing(LogReader(small)) as reader:
        for (sha256,) in reader.rows("SELECT sha256 FROM images WHERE kept <> 'path'"):
            source = reader.picture(sha256).source
            if source is None or source.data is None or _picture_digest(source.data) != sha256:
                connection.execute(
                    "UPDATE images SET kept = 'path', path = NULL, data = NULL, thumbnail = NULL "
                    "WHERE sha256 = ?",
                    (sha256,),
                )


def _picture_digest(data: bytes) -> str | None:
    """The name of a picture: the digest of its size and pixels as the engine opens it."""
    try:
        picture = open_encoded(data)
    except UserError:
        return None
    return hashlib.sha256(f"{picture.width}x{picture.height}:".encode() + picture.tobytes()).hexdigest()


def _refused(file: Path, why: str) -> LogFault:
    return LogFault(f"{file.name} {why}.", next_step=_STEP, kind="input")
