"""What is read back: sessions, runs, models, pictures, regions and rankings, decoded when they are asked for.

A `Reader` has a connection of its own and may be used from any thread, one at a time. What the log holds but
cannot be understood is a LogFault and no traceback. Writes nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, PictureSource, RunResult, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.reproduction import short_path
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.store.arrays import kept_array, kept_file
from gazeviz.store.codec import (
    MOST_HEADS,
    STEP_COLUMNS,
    model_of,
    moment_of,
    region_of,
    spec_of,
    step_of,
    summary_of,
    text_cell,
    text_of,
)
from gazeviz.store.connection import BUSY_S, SCHEMA, connect_to_read, is_foreign, schema_of
from gazeviz.store.faults import LogFault, faults_told, log_fault
from gazeviz.store.stand_ins import stand_in

# Token grids in the log: kept once by what they hold, and found for runs that did not write theirs down.
#
# Runs of one model on one picture have the same grid, so that of another run serves where a run ended
# before it could tell, and in logs from before grids were kept. Knows the tables, not what is drawn with a
# grid.


FIRST_SCHEMA: Final = 2
"""Logs of older schemas have no table for grids."""
_LOOKED_AT: Final = 8


def read_grid(reader: LogReader, digest: str) -> TokenGrid:
    """Return a grid by its digest; KeyError where the log has none, LogFault where its array is at fault."""
    width_px, height_px, fed_width_px, fed_height_px, rows, columns, note, boxes = reader.one(
        "SELECT width_px, height_px, fed_width_px, fed_height_px, grid_rows, grid_columns, note, boxes "
        "FROM token_grids WHERE digest = ?",
        digest,
    )
    shape_RC = None if rows is None else (rows, columns)
    fed_size_px = fed_width_px, fed_height_px
    return TokenGrid(reader.array(boxes), (width_px, height_px), fed_size_px, shape_RC, text_of(note))


def neighbours_grid(reader: LogReader, run_id: int, n_tok: int) -> TokenGrid | None:
    """Return the grid of another run of the same model on the same picture, of so many image tokens.

    None where no such run has written one down.
    """
    if reader.schema < FIRST_SCHEMA or not n_tok:
        return None
    rows = reader.rows(
        """SELECT DISTINCT json_extract(summary, '$.grid') FROM run_records WHERE run_id IN (
            SELECT other.id FROM runs AS other JOIN models AS theirs ON theirs.id = other.model_id
            JOIN runs AS mine ON mine.image_sha256 = other.image_sha256
            JOIN models AS its ON its.id = mine.model_id AND its.fingerprint = theirs.fingerprint
            WHERE mine.id = ? ORDER BY other.id DESC LIMIT ?)""",
        (run_id, _LOOKED_AT),
    )
    grids = [reader.token_grid(digest) for (digest,) in rows if digest]
    return next((grid for grid in grids if grid.n_tokens == n_tok), None)


_T = TypeVar("_T")
_NOT_UNDERSTOOD: Final = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, MemoryError,
    UserError,
)  # fmt: skip
"""What rows that nobody checked can raise while they are decoded."""
_CACHED = 256
_RUN_COLUMNS = "id, session_id, side, state, message, started_s, model_id, picture, picture_path, ranking"


@dataclass(frozen=True)
class StoredSession:
    """A session: what the app knows of it, and how many runs it holds (glances are not counted)."""

    id: int
    name: str
    started_s: float
    n_runs: int = 0
    note: str = ""
    imported_from: str | None = None


@dataclass(frozen=True)
class StoredPicture:
    """A picture of the log.

    source: its bytes where they are kept, else where it was; None where neither can be had.
    thumbnail: PNG, at most 256 x 96 px; None for a picture that could not be decoded.
    """

    sha256: str
    name: str
    size_px: tuple[int, int]
    layout: Layout | None
    captions: tuple[str, ...]
    source: PictureSource | None
    thumbnail: bytes | None


class StoredRun:
    """A run; spec, model, steps and summary are read from the log when they are first asked for."""

    def __init__(self, reader: LogReader, row: Sequence[Any]) -> None:
        self._reader = reader
        self.id: int = row[0]
        self.session_id: int = row[1]
        self.side: Side = row[2]
        self.state: str = row[3]
        self.message = text_of(row[4])
        self.started_s = moment_of(row[5])
        self._model_id: int = row[6]
        self.picture_name = text_of(row[7] or "")
        self.picture_path = None if row[8] is None else text_of(row[8])
        self.ranking_digest: str | None = row[9]
        self._with_paths = True

    @cached_property
    def spec(self) -> GenerateSpec:
        """What was asked for; LogFault where it cannot be read."""
        return self._reader.spec(self.id)

    @cached_property
    def model(self) -> ModelInfo:
        """The model that was asked."""
        info = self._reader.model(self._model_id)
        return info if self._with_paths else replace(info, path=short_path(info.path))

    @cached_property
    def steps(self) -> Sequence[StepArrived]:
        """The tokens, in order."""
        return self._reader.steps(self.id)

    @cached_property
    def summary(self) -> RunResult | None:
        """What became of it; None while it runs, and where it did not end by itself."""
        summary = self._reader.summary(self.id)
        if summary is None or self._with_paths:
            return summary
        request = summary.request
        return replace(summary, request=replace(request, model_path=short_path(request.model_path)))

    def without_paths(self) -> StoredRun:
        """Return the run as it is handed on: it does not tell where its model and picture lie."""
        other = copy(self)
        for name in ("model", "summary"):
            other.__dict__.pop(name, None)
        other._with_paths = False
        other.picture_path = self.picture_path and short_path(self.picture_path)
        return other

    @cached_property
    def ranking(self) -> HeadRanking | None:
        """The ranking that its heads come from, as it was then; None for heads that come from none."""
        return self._reader.ranking_of(self)

    @cached_property
    def grid(self) -> TokenGrid | None:
        """Where its image tokens lie, as it or a run beside it wrote down; None where none did."""
        own = self.summary and self.summary.grid
        n_tok = len(self.steps[0].map_P) if self.steps else 0
        if own and n_tok in (0, own.n_tokens):
            return own
        return neighbours_grid(self._reader, self.id, n_tok)


class StoredRuns(Sequence[StoredRun]):
    """Runs by their numbers, read when they are asked for."""

    def __init__(self, reader: LogReader, ids: Sequence[int]) -> None:
        self._reader = reader
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> StoredRun: ...
    @overload
    def __getitem__(self, place: slice) -> StoredRuns: ...
    def __getitem__(self, place: int | slice) -> StoredRun | StoredRuns:
        if isinstance(place, slice):
            return StoredRuns(self._reader, self._ids[place])
        return self._reader.run(int(self._ids[place]))


class LogReader:
    """Reads one log; LogFaults wherever its file, or what is in it, is at fault."""

    def __init__(self, path: Path, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._cache: dict[tuple[str, Any], Any] = {}
        self._stand_ins = False
        with faults_told(path):
            self._connection: sqlite3.Connection | None = connect_to_read(path, busy_s=busy_s)
            try:
                self.schema = self._looked_at(self._connection)
            except BaseException:
                self.close()
                raise

    def _looked_at(self, connection: sqlite3.Connection) -> int:
        """Return the file's schema; an empty file is a new log, and is read as one."""
        if is_foreign(connection):
            raise log_fault("foreign", self.path)
        schema = schema_of(connection)
        if schema > SCHEMA:
            raise log_fault("newer", self.path)
        if schema == 0:
            from gazeviz.store.migrations import empty_log

            connection.close()
            self._connection = empty_log()
            return SCHEMA
        return schema

    def close(self) -> None:
        """Nothing more will be read."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self._lock, faults_told(self.path):
            if self._connection is None:
                raise log_fault("closed", self.path)
            try:
                return self._connection.execute(self._adapted(sql), values).fetchall()
            except sqlite3.OperationalError as error:
                if not self._helped(self._connection, error):
                    raise
            return self._connection.execute(self._adapted(sql), values).fetchall()

    def _helped(self, connection: sqlite3.Connection, error: sqlite3.OperationalError) -> bool:
        """Whether something can be done about an older or a damaged log, so that the rest of it is read."""
        if "UTF-8" in str(error) and connection.text_factory is str:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            return True
        if str(error).startswith("no such") and not self._stand_ins:
            from gazeviz.store.migrations import schema_columns  # takes as long to import as all the rest

            self._stand_ins = True
            return stand_in(connection, schema_columns(SCHEMA)) or "no such index" in str(error)
        return False

    def _adapted(self, sql: str) -> str:
        """What stands in for a table has no index."""
        return re.sub(r" INDEXED BY \w+", "", sql) if self._stand_ins else sql

    def one(self, sql: str, key: Any) -> tuple[Any, ...]:
        """Return the row that a key names; KeyError where there is none."""
        rows = self.rows(sql, (key,))
        if not rows:
            raise KeyError(key)
        return rows[0]

    # Sessions and runs

    def sessions(self) -> list[StoredSession]:
        """All sessions, the newest first."""
        rows = self.rows(
            """SELECT sessions.id, name, started_s, coalesce(n_runs, 0), coalesce(notes.text, ''),
                imported_from FROM sessions LEFT JOIN notes ON notes.session_id = sessions.id
                LEFT JOIN (SELECT session_id, count(*) AS n_runs FROM runs WHERE deleted_s IS NULL
                    AND side IN ('baseline', 'steered') GROUP BY session_id) AS counted
                    ON counted.session_id = sessions.id
                WHERE deleted_s IS NULL ORDER BY sessions.id DESC"""
        )
        return [
            StoredSession(id_, text_of(name), moment_of(started_s), n_runs, text_of(note), origin)
            for id_, name, started_s, n_runs, note, origin in rows
        ]

    def runs(self, session_id: int | None = None) -> StoredRuns:
        """The runs of a session (None: of all), the newest first; those that were deleted are left out."""
        where = "" if session_id is None else " AND session_id = ?"
        values = () if session_id is None else (session_id,)
        rows = self.rows(f"SELECT id FROM runs WHERE deleted_s IS NULL{where} ORDER BY id DESC", values)
        return StoredRuns(self, [row[0] for row in rows])

    def run(self, run_id: int) -> StoredRun:
        """One run, also a deleted one; KeyError where there is none."""
        return StoredRun(self, self.one(f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?", run_id))

    def last_run_id(self) -> int | None:
        """The number of the newest run that a person asked for."""
        rows = self.rows(
            "SELECT id FROM runs WHERE deleted_s IS NULL AND side <> 'glance' ORDER BY id DESC LIMIT 1"
        )
        return rows[0][0] if rows else None

    def spec(self, run_id: int) -> GenerateSpec:
        """What a run was asked."""
        (text,) = self.one("SELECT spec FROM run_records WHERE run_id = ?", run_id)
        with self._understood(f"run {run_id}"):
            return spec_of(text, self.region)

    def summary(self, run_id: int) -> RunResult | None:
        """What became of a run."""
        (text,) = self.one("SELECT summary FROM run_records WHERE run_id = ?", run_id)
        with self._understood(f"run {run_id}"):
            return None if text is None else summary_of(text, self.region, self.token_grid)

    def steps(self, run_id: int) -> tuple[StepArrived, ...]:
        """A run's tokens."""
        rows = self.rows(
            f"SELECT {', '.join(STEP_COLUMNS)} FROM run_steps WHERE run_id = ? ORDER BY number", (run_id,)
        )
        with self._understood(f"run {run_id}"):
            return tuple(step_of(row) for row in rows)

    # What runs refer to

    def model(self, model_id: int) -> ModelInfo:
        """A model by its number."""
        return self._cached("model", model_id, self._read_model)

    def region(self, digest: str) -> Region:
        return self._cached("region", digest, self._read_region)

    def token_grid(self, digest: str) -> TokenGrid:
        return self._cached("grid", digest, partial(read_grid, self))

    def ranking(self, digest: str) -> HeadRanking:
        """A ranking by its digest, with its halves."""
        return self._cached("ranking", digest, self._read_ranking)

    def rankings(self, model_fingerprint: str) -> list[HeadRanking]:
        """All rankings that were measured, loaded or imported for a model, the newest first."""
        rows = self.rows(
            "SELECT digest FROM head_rankings WHERE model_fingerprint = ? AND part_of IS NULL "
            "AND id IN (SELECT ranking_id FROM session_rankings) ORDER BY id DESC",
            (model_fingerprint,),
        )
        return [self.ranking(digest) for (digest,) in rows]

    def ranking_of(self, run: StoredRun) -> HeadRanking | None:
        """The ranking that a run used; LogFault where it cannot be read.

        Logs from before runs kept it only know its name: the newest one of that name before the run.
        """
        if run.ranking_digest is not None:
            with self._understood(f"run {run.id}"):
                return self.ranking(run.ranking_digest)
        name = run.spec.chosen.origin.ranking
        if name is None:
            return None
        rows = self.rows(
            "SELECT digest FROM head_rankings WHERE model_fingerprint = ? AND name = ? AND part_of IS NULL "
            "AND saved_s <= ? ORDER BY id DESC LIMIT 1",
            (run.model.fingerprint, text_cell(name), run.started_s),
        )
        return self.ranking(rows[0][0]) if rows else run.model.rankings.get(name)

    def head_sets(self, model_fingerprint: str) -> dict[str, HeadSet]:
        """A model's named head sets, in the order in which they were named."""
        rows = self.rows(
            "SELECT name, head_set FROM head_sets WHERE model_fingerprint = ? AND removed_s IS NULL "
            "ORDER BY id",
            (model_fingerprint,),
        )
        with self._understood("a head set"):
            return {text_of(name): HeadSet.from_json(json.loads(text)) for name, text in rows}

    def picture(self, sha256: str) -> StoredPicture:
        """A picture by the digest of its pixels; KeyError where the log has never seen it.

        LogFault where its file beside the log is missing or changed.
        """
        row = self.one(
            "SELECT name, width_px, height_px, layout, captions, kept, path, file_sha256, suffix, data, "
            "thumbnail FROM images WHERE sha256 = ?",
            sha256,
        )
        name, width_px, height_px, layout, captions, kept, path, digest, suffix, data, thumbnail = row
        if kept == "beside":
            data = kept_file(self.path, digest, suffix)
        source = None
        if data is not None:
            source = PictureSource(sha256, text_of(name), data=data)
        elif path is not None:
            source = PictureSource(sha256, text_of(name), path=text_of(path))
        with self._understood(f"picture {text_of(name)}"):
            return StoredPicture(
                sha256=sha256,
                name=text_of(name),
                size_px=(width_px, height_px),
                layout=None if layout is None else Layout.parse(layout),
                captions=tuple(json.loads(captions)),
                source=source,
                thumbnail=thumbnail,
            )

    def thumbnails(self, sha256s: Sequence[str]) -> dict[str, bytes]:
        """Small PNGs of pictures, of those that have one."""
        marks = ", ".join("?" * len(sha256s))
        rows = self.rows(f"SELECT sha256, thumbnail FROM images WHERE sha256 IN ({marks})", sha256s)
        return {sha256: data for sha256, data in rows if data is not None}

    def regions_of(self, picture_sha256: str) -> tuple[Region, ...]:
        """A picture's regions as they were after the last edit; () where it never had any."""
        rows = self.rows(
            "SELECT regions FROM region_edits WHERE image_sha256 = ? ORDER BY id DESC LIMIT 1",
            (picture_sha256,),
        )
        with self._understood("the regions of a picture"):
            return tuple(self.region(digest) for digest in json.loads(rows[0][0])) if rows else ()

    # Pieces

    def _read_model(self, model_id: int) -> ModelInfo:
        (text,) = self.one("SELECT info FROM models WHERE id = ?", model_id)
        with self._understood(f"model {model_id}"):
            return model_of(text, self.ranking)

    def _read_region(self, digest: str) -> Region:
        name, colour, width_px, height_px, mask = self.one(
            "SELECT name, colour, width_px, height_px, mask FROM regions WHERE digest = ?", digest
        )
        bits = self.array(mask)
        with self._understood(f"the region “{text_of(name)}”"):
            return region_of(text_of(name), colour, (width_px, height_px), bits)

    def _read_ranking(self, digest: str) -> HeadRanking:
        (ranking_id,) = self.one("SELECT id FROM head_rankings WHERE digest = ?", digest)
        with self._understood("a ranking"):
            return self._ranking(ranking_id)

    def _ranking(self, ranking_id: int) -> HeadRanking:
        name, model, n_strips, n_layers, n_heads, matrix = self.one(
            "SELECT name, model, n_strips, layers, heads_per_layer, matrix FROM head_rankings WHERE id = ?",
            ranking_id,
        )
        if not 0 < n_layers * n_heads <= MOST_HEADS:
            raise ValueError(f"{n_layers} layers of {n_heads} heads")
        scores_LH: NDArray[np.float64] = np.full((n_layers, n_heads), np.nan)
        for layer, head, score in self.rows(
            "SELECT layer, head, score FROM head_scores WHERE ranking_id = ?", (ranking_id,)
        ):
            scores_LH[layer, head] = score
        halves = [
            self._ranking(part)
            for (part,) in self.rows(
                "SELECT id FROM head_rankings WHERE part_of = ? ORDER BY half", (ranking_id,)
            )
        ]
        return HeadRanking(
            name=text_of(name),
            scores_LH=scores_LH,
            n_strips=n_strips,
            matrix_LHRR=None if matrix is None else self.array(matrix),
            halves=(halves[0], halves[1]) if halves else None,
            model=None if model is None else text_of(model),
        )

    def array(self, digest: str) -> NDArray[Any]:
        """An array by its digest; LogFault where it is missing or changed."""
        with self._lock, faults_told(self.path):
            if self._connection is None:
                raise log_fault("closed", self.path)
            return kept_array(self._connection, self.path, digest)

    def _cached(self, kind: str, key: Any, read: Callable[[Any], _T]) -> _T:
        """Many runs refer to the same few things."""
        with self._lock:
            if (kind, key) not in self._cache:
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[kind, key] = read(key)
            return cast(_T, self._cache[kind, key])

    @contextmanager
    def _understood(self, what: str) -> Iterator[None]:
        try:
            yield
        except LogFault:
            raise
        except _NOT_UNDERSTOOD as error:
            raise LogFault(
                f"What the log {self.path} holds of {what} cannot be understood.",
                next_step="Check the log with gazeviz log check; everything else can still be read.",
                kind="changed",
            ) from error
