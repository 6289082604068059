"""Looking after a log: is it sound, how large is it, and what can be thrown away.

Checking reads everything once: SQLite's own check, every reference, every array and picture beside the log,
and every run, which has to decode. Knows files and tables; what a person is told is the command's business.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from gazeviz.domain.experiments.plan import digest_of
from gazeviz.errors import UserError
from gazeviz.store.arrays import beside
from gazeviz.store.backup import back_up, backups_of, problems
from gazeviz.store.codec import grid_digest, hex_digest, ranking_digest, region_digest
from gazeviz.store.connection import connect_to_read, immediate
from gazeviz.store.evaluations import FIRST_WITH_EVALUATIONS, evaluation_result, purge_evaluations
from gazeviz.store.faults import LogFault, faults_told
from gazeviz.store.migrations import schema_columns
from gazeviz.store.reader import FIRST_SCHEMA, LogReader
from gazeviz.store.session_store import open_to_write, purge
from gazeviz.store.session_transfer import named_files
from gazeviz.store.soundness import mend_rows, unsound_rows
from gazeviz.store.stand_ins import lacking

MOST_PROBLEMS: Final = 100
NEW_FILE_S: Final = 3600.0
"""A file younger than this may belong to a transaction that is still under way."""
COUNTED: Final = ("sessions", "runs", "run_steps", "images", "regions", "region_edits", "models",
                  "head_rankings", "head_sets", "arrays", "notes", "judgements",
                  "evaluations", "evaluation_items")  # fmt: skip

Report = Callable[[str, float], None]
"""Told what is being done, and the part done of all of it, 0 to 1."""


@dataclass(frozen=True)
class LogStats:
    """How much a log holds, and what that takes. Sizes in bytes; rows by table."""

    path: str
    rows: dict[str, int]
    deleted_runs: int
    database_bytes: int
    free_bytes: int
    arrays_bytes: int
    pictures_bytes: int
    backups: tuple[str, ...]
    first_s: float | None
    last_s: float | None

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return asdict(self)


def stats(path: Path) -> LogStats:
    """Count and weigh a log; LogFaults."""
    reader = LogReader(path)
    with closing(reader):
        rows = {table: int(reader.rows(f"SELECT count(*) FROM {table}")[0][0]) for table in COUNTED}
        deleted = reader.rows("SELECT count(*) FROM runs WHERE deleted_s IS NOT NULL")[0][0]
        first_s, last_s = reader.rows("SELECT min(started_s), max(started_s) FROM runs")[0]
        page_bytes = reader.rows("PRAGMA page_size")[0][0]
        free_pages = reader.rows("PRAGMA freelist_count")[0][0]
    return LogStats(
        str(path),
        rows,
        deleted,
        sum(_size(path.with_name(path.name + ending)) for ending in ("", "-wal")),
        free_pages * page_bytes,
        sum(map(_size, _files(beside(path, "arrays")))),
        sum(map(_size, _files(beside(path, "pictures")))),
        tuple(backup.name for backup in backups_of(path)),
        first_s,
        last_s,
    )


def check(path: Path, report: Report = lambda _what, _part: None) -> list[str]:
    """Return everything that is wrong with a log, in sentences; [] for a sound one.

    LogFault for a file that cannot be read at all.
    """
    found: list[str] = []
    with closing(LogReader(path)) as reader:
        report("looking at the file", 0.0)
        with closing(connect_to_read(path)) as connection:
            found += [f"{problem[:1].upper()}{problem[1:]}." for problem in problems(connection)]
            asked: tuple[Callable[[sqlite3.Connection], list[str]], ...] = (
                lambda connection: lacking(connection, schema_columns(reader.schema)),
                unsound_rows,
            )
            for sentences in asked:
                try:
                    found += sentences(connection)
                except (sqlite3.Error, OverflowError) as error:
                    found.append(f"Not all rows can be looked at ({error}).")
        for what, part, look in _looks(reader):
            report(what, part)
            try:
                look()
            except UserError as error:
                found.append(error.sentence)
            except KeyError as error:
                found.append(f"{what[:1].upper()}{what[1:]} refers to {error}, which is gone.")
            if len(found) >= MOST_PROBLEMS:
                return [*found, "Only the first ones are shown."]
    return found


def mend(path: Path) -> tuple[Path, dict[str, int]]:
    """Put what can stand in the place of values that no row may hold, after a backup; LogFaults.

    Returns the backup, and how many values of which columns were replaced.
    """
    backup = back_up(path)
    assert backup is not None  # nobody stops it
    with faults_told(path), closing(open_to_write(path)) as connection:
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        with immediate(connection):
            return backup, mend_rows(connection)


def vacuum(path: Path, *, deleted_before_s: float | None = None) -> dict[str, int]:
    """Remove for good what was deleted before a moment (None: ever), and give the space back.

    Files beside the log go when neither it nor any of its backups refers to them. Returns what was removed:
    runs, files, and bytes that the disk has more of. LogFaults.
    """
    before_s = time.time() if deleted_before_s is None else deleted_before_s
    size_before = stats(path)
    with faults_told(path), closing(open_to_write(path)) as connection:
        with immediate(connection):
            n_runs = purge(connection, before_s)
            purge_evaluations(connection, before_s)
            _forget_unused(connection)
        # A loop of SQLite's own: outside of any transaction.
        for index in ("run_search", "run_parts"):
            connection.execute(f"INSERT INTO {index}({index}) VALUES ('optimize')")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        n_files = _remove_files(path)
    after = stats(path)
    freed = sum(getattr(size_before, name) - getattr(after, name)
                for name in ("database_bytes", "arrays_bytes", "pictures_bytes"))  # fmt: skip
    return {"runs": n_runs, "files": n_files, "bytes": freed}


def _looks(reader: LogReader) -> Iterator[tuple[str, float, Callable[[], object]]]:
    """Everything that has to be readable: what it is, how far that is, how to read it."""
    kinds: list[tuple[str, str, Callable[[Any], object]]] = [
        ("array", "SELECT digest FROM arrays", reader.array),
        ("region", "SELECT digest FROM regions", partial(_look_at_region, reader)),
        (
            "ranking",
            "SELECT digest FROM head_rankings WHERE part_of IS NULL",
            partial(_look_at_ranking, reader),
        ),
        ("model", "SELECT id FROM models", partial(_look_at_model, reader)),
        ("picture", "SELECT sha256 FROM images", reader.picture),
        ("run", "SELECT run_id FROM run_records", partial(_look_at_run, reader)),
    ]
    if reader.schema >= FIRST_SCHEMA:
        kinds.append(("token grid", "SELECT digest FROM token_grids", partial(_look_at_grid, reader)))
    if reader.schema >= FIRST_WITH_EVALUATIONS:
        kinds.append(("evaluation", "SELECT name FROM evaluations", partial(_look_at_evaluation, reader)))
    for place, (name, sql, read) in enumerate(kinds):
        keys: list[Any] = []
        try:
            keys += [row[0] for row in reader.rows(sql)]
        except LogFault as fault:
            yield f"{name}s", place / len(kinds), partial(_raise, fault)
        for number, key in enumerate(keys):
            part = (place + number / len(keys)) / len(kinds)
            yield f"{name} {str(key)[:12]}", part, partial(read, key)


def _raise(fault: LogFault) -> None:
    raise fault


def _look_at_region(reader: LogReader, digest: str) -> None:
    _same(reader, "a region", digest, region_digest(reader.region(digest)))


def _look_at_grid(reader: LogReader, digest: str) -> None:
    _same(reader, "a token grid", digest, grid_digest(reader.token_grid(digest)))


def _look_at_ranking(reader: LogReader, digest: str) -> None:
    (fingerprint,) = reader.one("SELECT model_fingerprint FROM head_rankings WHERE digest = ?", digest)
    _same(reader, "a ranking", digest, ranking_digest(reader.ranking(digest), fingerprint))


def _look_at_model(reader: LogReader, model_id: int) -> None:
    digest, info = reader.one("SELECT digest, info FROM models WHERE id = ?", model_id)
    reader.model(model_id)
    _same(reader, "a model", digest, hex_digest(info))


def _look_at_run(reader: LogReader, run_id: int) -> None:
    run = reader.run(run_id)
    _ = run.spec, run.summary, run.steps


def _look_at_evaluation(reader: LogReader, name: str) -> None:
    """Its plan and items decode, belong to one another, and are no more than were planned."""
    result = evaluation_result(reader, name)
    told, spec = reader.one("SELECT digest, spec FROM evaluations WHERE name = ?", name)
    _same(reader, "the plan of an evaluation", told, digest_of(json.loads(spec)))
    planned = {condition.name for condition in result.spec.conditions}
    foreign = [item for item in result.items if item.key.condition not in planned]
    beyond = [item for item in result.items if not 0 <= item.key.target < item.n_regions]
    if foreign or beyond or len(result.items) > result.n_items:
        raise LogFault(
            f"In the log {reader.path}, “{name}” holds answers that it has not asked for.",
            next_step="Restore it from a backup or an export.",
            kind="changed",
        )


def _same(reader: LogReader, what: str, told: str, found: str) -> None:
    if told != found:
        raise LogFault(
            f"In the log {reader.path}, {what} ({told[:12]}) is no longer what was written.",
            next_step="Restore it from a backup or an export.",
            kind="changed",
        )


def _forget_unused(connection: sqlite3.Connection) -> None:
    """Content that no row refers to any more. JSON refers to regions, grids and rankings by digests."""
    used: set[str] = set()
    for sql in ("SELECT spec FROM run_records", "SELECT summary FROM run_records WHERE summary IS NOT NULL",
                "SELECT regions FROM region_edits"):  # fmt: skip
        for (text,) in connection.execute(sql):
            used.update(part for part in text.split('"') if len(part) == 64)
    unused = [(row[0],) for row in connection.execute("SELECT digest FROM regions") if row[0] not in used]
    connection.executemany("DELETE FROM regions WHERE digest = ?", unused)
    grids = [row for row in connection.execute("SELECT digest FROM token_grids") if row[0] not in used]
    connection.executemany("DELETE FROM token_grids WHERE digest = ?", grids)
    connection.execute(
        "DELETE FROM images WHERE sha256 NOT IN (SELECT image_sha256 FROM runs UNION "
        "SELECT image_sha256 FROM session_images UNION SELECT image_sha256 FROM region_edits)"
    )
    connection.execute(
        "DELETE FROM arrays WHERE digest NOT IN (SELECT mask FROM regions UNION "
        "SELECT boxes FROM token_grids UNION SELECT matrix FROM head_rankings WHERE matrix IS NOT NULL)"
    )


def _remove_files(path: Path) -> int:
    kept: set[str] = set()
    for log in (path, *backups_of(path)):
        try:
            kept |= {name for _, name in named_files(log)}
        except sqlite3.Error:
            return 0  # a backup that cannot be asked may need any of them
    n_files = 0
    for kind in ("arrays", "pictures"):
        for file in _files(beside(path, kind)):
            if file.name not in kept and time.time() - file.stat().st_mtime > NEW_FILE_S:
                file.unlink()
                n_files += 1
    return n_files


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.is_file()]
    return []


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
