"""Moves the rows of one session between two logs, as SQL between a log and another one attached to it.

What is kept by content has the same key in every log; numbers are given anew where the rows arrive. Checks
nothing: see session_file.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gazeviz.domain.reproduction import short_path
from gazeviz.store.arrays import array_digest, beside, npz_values, write_whole
from gazeviz.store.codec import dumps, hex_digest, text_cell, text_of
from gazeviz.store.connection import IMMUTABLE, READ_ONLY, immediate
from gazeviz.store.faults import LogFault, log_fault
from gazeviz.store.openings import LOST_MESSAGE, UNFINISHED
from gazeviz.store.reader import FIRST_SCHEMA

BY_RUN: Final = ("run_records", "run_steps", "run_tags", "judgements")
BY_SESSION: Final = ("session_images", "region_edits", "head_sets")


def attach(connection: sqlite3.Connection, path: Path, name: str) -> None:
    """Let a connection see another log, which is only read; see connection.connect_to_read."""
    address = path.absolute().as_uri()
    try:
        connection.execute(f"ATTACH DATABASE ? AS {name}", (f"{address}?{READ_ONLY}",))
        connection.execute(f"SELECT count(*) FROM {name}.sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        with suppress(sqlite3.OperationalError):  # it may or may not have got that far
            connection.execute(f"DETACH DATABASE {name}")
        connection.execute(f"ATTACH DATABASE ? AS {name}", (f"{address}?{IMMUTABLE}",))


def take_out(small: sqlite3.Connection, log: Path, session_id: int, with_paths: bool = False) -> int:
    """Copy a session of `log`, with all it refers to, into an empty log; returns how many runs."""
    attach(small, log, "source")
    small.execute("PRAGMA foreign_keys = OFF")
    with immediate(small):
        _take(small, "sessions", "id = :s", session_id)
        for table in BY_SESSION:
            _take(small, table, "session_id = :s", session_id)
        _take(small, "session_rankings", "session_id = :s", session_id)
        _take(small, "runs", "session_id = :s AND deleted_s IS NULL", session_id)
        for table in BY_RUN:
            _take(small, table, "run_id IN (SELECT id FROM main.runs)")
        _take(small, "notes", "session_id = :s OR run_id IN (SELECT id FROM main.runs)", session_id)
        _take_content(small)
        _make_own(small)
        if not with_paths:
            _leave_paths(small)
        n_runs = int(small.execute("SELECT count(*) FROM main.runs").fetchone()[0])
    small.execute("DETACH DATABASE source")
    return n_runs


def _take(small: sqlite3.Connection, table: str, where: str, session_id: int = 0) -> None:
    columns = ", ".join(row[1] for row in small.execute(f"PRAGMA source.table_info({table})"))
    small.execute(
        f"INSERT INTO main.{table}({columns}) SELECT {columns} FROM source.{table} WHERE {where}",
        {"s": session_id},
    )


def _take_content(small: sqlite3.Connection) -> None:
    """JSON refers to regions, grids and rankings by digests, and rankings to their halves by numbers."""
    _take(small, "models", "id IN (SELECT model_id FROM main.runs)")
    small.execute("CREATE TEMP TABLE referred (digest TEXT PRIMARY KEY)")
    for sql in ("SELECT spec FROM main.run_records", "SELECT regions FROM main.region_edits",
                "SELECT summary FROM main.run_records WHERE summary IS NOT NULL",
                "SELECT info FROM main.models"):  # fmt: skip
        for (text,) in small.execute(sql).fetchall():
            digests = {(part,) for part in text.split('"') if len(part) == 64}
            small.executemany("INSERT OR IGNORE INTO temp.referred VALUES (?)", digests)
    _take(small, "regions", "digest IN (SELECT digest FROM temp.referred)")
    _take(
        small, "head_rankings", """id IN (WITH RECURSIVE wanted(id) AS (
            SELECT ranking_id FROM main.session_rankings
            UNION SELECT id FROM source.head_rankings WHERE digest IN (SELECT digest FROM temp.referred)
            UNION SELECT id FROM source.head_rankings
                WHERE digest IN (SELECT ranking FROM main.runs WHERE ranking IS NOT NULL)
            UNION SELECT part.id FROM source.head_rankings AS part JOIN wanted ON part.part_of = wanted.id)
            SELECT id FROM wanted)""",
    )  # fmt: skip
    _take(small, "head_scores", "ranking_id IN (SELECT id FROM main.head_rankings)")
    if small.execute("PRAGMA source.user_version").fetchone()[0] >= FIRST_SCHEMA:
        _take(small, "token_grids", "digest IN (SELECT digest FROM temp.referred)")
    _take(small, "arrays", "digest IN (SELECT mask FROM main.regions UNION "
          "SELECT boxes FROM main.token_grids UNION "
          "SELECT matrix FROM main.head_rankings WHERE matrix IS NOT NULL)")  # fmt: skip
    _take(small, "images", "sha256 IN (SELECT image_sha256 FROM main.session_images UNION "
          "SELECT image_sha256 FROM main.runs UNION SELECT image_sha256 FROM main.region_edits)")  # fmt: skip
    small.execute("DROP TABLE temp.referred")
    # Logs of earlier versions only know what their pictures are called now.
    small.execute("UPDATE main.runs SET picture = (SELECT name FROM main.images WHERE sha256 = image_sha256) "
                  "WHERE picture IS NULL")  # fmt: skip


def _make_own(small: sqlite3.Connection) -> None:
    """Leave this machine's programs out of it."""
    small.execute("UPDATE main.sessions SET opening_id = NULL, imported_from = NULL")
    small.execute("UPDATE main.runs SET opening_id = NULL")
    marks = ", ".join("?" * len(UNFINISHED))
    small.execute(
        f"UPDATE main.runs SET state = 'lost', message = ? WHERE state IN ({marks})",
        (LOST_MESSAGE, *UNFINISHED),
    )


def _leave_paths(small: sqlite3.Connection) -> None:
    """Leave out where things are on this machine: models and pictures keep their last names alone."""
    paths = small.execute(
        "SELECT path FROM main.models UNION SELECT path FROM main.images WHERE path IS NOT NULL "
        "UNION SELECT picture_path FROM main.runs WHERE picture_path IS NOT NULL"
    ).fetchall()
    shortened = {text_of(path): short_path(text_of(path)) for (path,) in paths} | {str(Path.home()): "~"}
    for path, short in sorted(shortened.items(), key=lambda pair: -len(pair[0])):
        if isinstance(text_cell(path), str):  # else it stands in no message that is a text either
            small.execute(
                "UPDATE main.runs SET message = replace(message, ?, ?) WHERE typeof(message) = 'text'",
                (path, short),
            )
    small.execute("UPDATE main.images SET path = NULL")
    small.execute("UPDATE main.runs SET picture_path = NULL")
    for run_id, text in small.execute(
        "SELECT run_id, summary FROM main.run_records WHERE summary IS NOT NULL"
    ).fetchall():
        data = json.loads(text)
        data["request"]["model_path"] = short_path(data["request"]["model_path"])
        small.execute("UPDATE main.run_records SET summary = ? WHERE run_id = ?", (dumps(data), run_id))
    for model_id, text in small.execute("SELECT id, info FROM main.models").fetchall():
        _shorten_model(small, model_id, json.loads(text))


def _shorten_model(small: sqlite3.Connection, model_id: int, info: dict[str, Any]) -> None:
    """A model is kept by what is said of it: with another path it is another one, perhaps known already."""
    info["path"] = short_path(info["path"])
    text = dumps(info)
    digest = hex_digest(text)
    known = small.execute(
        "SELECT id FROM main.models WHERE digest = ? AND id <> ?", (digest, model_id)
    ).fetchone()
    if known is not None:
        small.execute("UPDATE main.runs SET model_id = ? WHERE model_id = ?", (known[0], model_id))
        small.execute("DELETE FROM main.models WHERE id = ?", (model_id,))
        return
    small.execute(
        "UPDATE main.models SET path = ?, info = ?, digest = ? WHERE id = ?",
        (text_cell(info["path"]), text, digest, model_id),
    )


def put_in(log: sqlite3.Connection, file_name: str) -> tuple[int, int]:
    """Copy the one session of the attached log `incoming`; returns its new number, and how many runs."""
    _put_content(log)
    cursor = log.execute(
        """INSERT INTO main.sessions(uid, name, is_named, started_s, imported_from)
            SELECT uid, name, 1, started_s, ? FROM incoming.sessions""",
        (file_name,),
    )
    session_id = int(cursor.lastrowid or 0)
    shift = log.execute(
        "SELECT coalesce((SELECT max(id) FROM main.runs), 0) + 1 "
        "- coalesce((SELECT min(id) FROM incoming.runs), 0)"
    ).fetchone()[0]
    model = """(SELECT here.id FROM main.models AS here JOIN incoming.models AS there
        ON there.digest = here.digest WHERE there.id = model_id)"""
    _put(log, "runs", id=f"id + {shift}", session_id=session_id, model_id=model, opening_id="NULL",
         picture_path="NULL")  # fmt: skip
    for table in BY_RUN:
        numbered = {"id": "NULL"} if table in ("run_steps", "judgements") else {}
        _put(log, table, run_id=f"run_id + {shift}", **numbered)
    _put(log, "notes", id="NULL", run_id=f"run_id + {shift}",
         session_id=f"CASE WHEN session_id IS NULL THEN NULL ELSE {session_id} END")  # fmt: skip
    for table in BY_SESSION:
        numbered = {"id": "NULL"} if table != "session_images" else {}
        _put(log, table, session_id=session_id, **numbered)
    _put(log, "session_rankings", session_id=session_id, ranking_id=_ranking("ranking_id"))
    return session_id, int(log.execute("SELECT count(*) FROM incoming.runs").fetchone()[0])


def _put_content(log: sqlite3.Connection) -> None:
    """What is here already stays as it is; a picture of which only the path was known gets its bytes."""
    log.execute("DELETE FROM main.images WHERE kept = 'path' AND sha256 IN "
                "(SELECT sha256 FROM incoming.images WHERE kept <> 'path')")  # fmt: skip
    _put(log, "arrays")
    _put(log, "regions")
    _put(log, "token_grids")
    _put(log, "images", id="NULL", path="NULL")
    _put(log, "models", id="NULL")
    log.execute("CREATE TEMP TABLE new_rankings AS SELECT digest FROM incoming.head_rankings "
                "WHERE digest NOT IN (SELECT digest FROM main.head_rankings)")  # fmt: skip
    _put(log, "head_rankings", id="NULL", part_of="NULL")
    log.execute(
        f"""UPDATE main.head_rankings SET part_of = (SELECT {_ranking("there.part_of")}
            FROM incoming.head_rankings AS there WHERE there.digest = head_rankings.digest)
            WHERE digest IN (SELECT digest FROM temp.new_rankings)"""
    )
    _put(log, "head_scores", ranking_id=_ranking("ranking_id"))
    log.execute("DROP TABLE temp.new_rankings")


def _put(log: sqlite3.Connection, table: str, **changed: str | int) -> None:
    columns = [row[1] for row in log.execute(f"PRAGMA main.table_info({table})")]
    values = ", ".join(str(changed.get(column, column)) for column in columns)
    log.execute(
        f"INSERT OR IGNORE INTO main.{table}({', '.join(columns)}) SELECT {values} FROM incoming.{table}"
    )


def _ranking(number: str) -> str:
    """The number that a ranking has here, by the number that it had there."""
    return f"""(SELECT mine.id FROM main.head_rankings AS mine JOIN incoming.head_rankings AS theirs
        ON theirs.digest = mine.digest WHERE theirs.id = {number})"""


def copy_named_files(log: Path, other: Path, naming: Path | None = None) -> None:
    """Give another log the files that a log's rows name (or those of `naming`), and no others.

    Each is what its name says: one that is there under the name and is not is written anew. LogFault for one
    that this log has lost, or that is not what was kept.
    """
    for kind, name in named_files(naming or log):
        source, target = beside(log, kind) / name, beside(other, kind) / name
        try:
            data = source.read_bytes()
            if not is_what_it_says(kind, name, data):
                raise LogFault(
                    f"Beside the log {log}, {name} is no longer what was written.",
                    next_step="Restore it from a backup or an export.",
                    kind="changed",
                )
            if not (target.is_file() and is_what_it_says(kind, name, target.read_bytes())):
                write_whole(target, data)
        except FileNotFoundError as error:
            fault = log_fault("corrupt", log)
            raise LogFault(
                f"The log {log} has lost {name}.", next_step=fault.next_step, kind="missing"
            ) from error


def is_what_it_says(kind: str, name: str, data: bytes) -> bool:
    """Whether the bytes of a file beside a log have the digest that it is called by."""
    digest = name.partition(".")[0]
    if kind == "pictures":
        return hex_digest(data) == digest
    try:
        return array_digest(npz_values(data)) == digest
    except ValueError:
        return False


def named_files(path: Path) -> list[tuple[str, str]]:
    """Return ("arrays" or "pictures", file name) of everything that a log keeps beside it."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT 'arrays', digest || '.npz' FROM arrays WHERE data IS NULL UNION "
            "SELECT 'pictures', file_sha256 || suffix FROM images WHERE kept = 'beside'"
        )
        return [(kind, name) for kind, name in rows]
    finally:
        connection.close()
