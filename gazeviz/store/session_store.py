"""The log of everything that is done, in one SQLite file: what the app writes to and reads from.

Writes go through one thread with its own connection (see writer), reads through another connection. Opening
it brings the file to the present schema and marks the runs as lost whose program is gone. Faults of the file
are LogFaults, each a sentence with a next step; the file is never replaced.
"""

from __future__ import annotations

import io
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    GenerateSpec,
    ModelInfo,
    PictureSource,
    RunSummary,
    RunVerdict,
    Side,
    StepArrived,
)
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.store import openings
from gazeviz.store.arrays import BESIDE_BYTES, keep_array, keep_file
from gazeviz.store.backup import back_up, backups_of
from gazeviz.store.codec import (
    STEP_COLUMNS,
    dumps,
    mask_bits,
    model_text,
    ranking_digest,
    region_digest,
    spec_text,
    step_row,
    summary_text,
    text_cell,
)
from gazeviz.store.connection import SCHEMA, connect, default_path, immediate, is_foreign, schema_of
from gazeviz.store.faults import LogFault, faults_told, log_fault
from gazeviz.store.reader import LogReader, StoredRun, StoredRuns, StoredSession, keep_grid
from gazeviz.store.run_query import RunList
from gazeviz.store.words import hex_digest, session_name, steering_words
from gazeviz.store.writer import Writer

# What is written for each thing that happens: called by the writer's thread, inside its transaction.
#
# Knows the tables and the codec, not threads or transactions. `forget` has to be called when a transaction
# was undone: what is kept by content is remembered, so that it is not looked at twice.


THUMBNAIL_PX: Final = (256, 96)
_REMEMBERED: Final = 256
_ADD_STEP: Final = f"INSERT INTO run_steps(run_id, {', '.join(STEP_COLUMNS)}) VALUES ({', '.join('?' * 13)})"


class Entries:
    """Writes rows into one log.

    keep_pictures: whether the bytes of picture files are kept, or only where they are and their hash.
    """

    def __init__(self, connection: sqlite3.Connection, log: Path, keep_pictures: bool) -> None:
        self._connection = connection
        self._log = log
        self._keep_pictures = keep_pictures
        self._regions: dict[int, tuple[Region, str]] = {}
        self._rankings: dict[tuple[int, str], tuple[HeadRanking, str]] = {}
        self._models: dict[int, tuple[ModelInfo, int]] = {}
        self._names: dict[int, tuple[str, str]] = {}

    def forget(self) -> None:
        """Nothing can be relied on to have been kept."""
        self._regions.clear()
        self._rankings.clear()
        self._models.clear()
        self._names.clear()

    # Sessions

    def session(self, name: str, opening_id: int) -> int:
        """Begin a session."""
        started_s = time.time()
        cursor = self._connection.execute(
            "INSERT INTO sessions(uid, name, is_named, started_s, opening_id) VALUES (?, ?, ?, ?, ?)",
            (uuid.uuid4().hex, text_cell(name) or session_name("", "", started_s), bool(name), started_s,
             opening_id),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def session_named(self, name: str, opening_id: int) -> int:
        """Go on with the newest session of this name, or begin it."""
        row = self._connection.execute(
            "SELECT id FROM sessions WHERE name = ? AND is_named AND deleted_s IS NULL ORDER BY id DESC",
            (text_cell(name),),
        ).fetchone()
        return int(row[0]) if row else self.session(name, opening_id)

    def rename(self, session_id: int, name: str) -> None:
        """Give a session a name; "" gives it the one that it would have by itself."""
        self._change(
            "sessions", session_id, name=text_cell(name) or self._own_name(session_id), is_named=bool(name)
        )

    def _name_session(self, session_id: int, model: str = "", picture: str = "") -> None:
        """A session is called by its first model and picture until somebody calls it otherwise."""
        known = self._names.get(session_id, ("", ""))
        names = known[0] or model, known[1] or picture
        if names != known:
            self._names[session_id] = names
            self._connection.execute(
                "UPDATE sessions SET name = ? WHERE id = ? AND is_named = 0",
                (text_cell(self._own_name(session_id)), session_id),
            )

    def _own_name(self, session_id: int) -> str:
        row = self._connection.execute(
            "SELECT started_s FROM sessions WHERE id = ?", (session_id,)
        ).fetchone()
        if row is None:
            raise KeyError(session_id)
        return session_name(*self._names.get(session_id, ("", "")), row[0])

    # Models, pictures, regions

    def model(self, info: ModelInfo, session_id: int | None) -> int:
        """Keep a model; returns its number."""
        known = self._models.get(id(info))
        if known is None:
            known = info, self._keep_model(info)
            _remember(self._models, id(info), known)
        if session_id is not None:
            self._name_session(session_id, model=info.name)
        return known[1]

    def _keep_model(self, info: ModelInfo) -> int:
        text = model_text(info, lambda ranking: self.kept_ranking(ranking, info.fingerprint))
        digest = hex_digest(text)
        self._connection.execute(
            """INSERT INTO models(digest, fingerprint, name, family, path, device, dtype, layers,
                heads_per_layer, n_parameters, info, saved_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (digest) DO NOTHING""",
            (digest, info.fingerprint, *map(text_cell, (info.name, info.family, info.path)), info.device,
             info.dtype, *info.shape_LH, info.n_parameters, text, time.time()),
        )  # fmt: skip
        return self._id_of("models", digest)

    def picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
        session_id: int | None,
    ) -> None:
        """Keep a picture, or what is new about it."""
        row = self._connection.execute(
            "SELECT kept FROM images WHERE sha256 = ?", (source.sha256,)
        ).fetchone()
        if row is None or (row[0] == "path" and (self._keep_pictures or source.path is None)):
            self._keep_picture(source)
        self._connection.execute(
            """UPDATE images SET name = ?, width_px = ?, height_px = ?, layout = ?, captions = ?,
                path = coalesce(?, path), saved_s = ? WHERE sha256 = ?""",
            (text_cell(source.name), *size_px, None if layout is None else str(layout),
             dumps(list(captions)), source.path and text_cell(source.path), time.time(), source.sha256),
        )  # fmt: skip
        if session_id is not None:
            self._connection.execute(
                "INSERT OR IGNORE INTO session_images VALUES (?, ?)", (session_id, source.sha256)
            )
            self._name_session(session_id, picture=source.name)

    def _keep_picture(self, source: PictureSource) -> None:
        data = source.data if source.path is None else _bytes_of(source.path)
        kept, inline, digest, suffix = "path", None, None, None
        if data is not None:
            digest = hex_digest(data)
        if data is not None and (self._keep_pictures or source.path is None):
            kept, inline = "bytes", data
            if len(data) > BESIDE_BYTES:
                kept, inline = "beside", None
                digest, suffix = keep_file(self._log, data)
        self._connection.execute(
            """INSERT OR REPLACE INTO images(sha256, name, width_px, height_px, captions, kept, file_sha256,
                suffix, n_bytes, data, thumbnail, saved_s) VALUES (?, '', 0, 0, '[]', ?, ?, ?, ?, ?, ?, 0)""",
            (source.sha256, kept, digest, suffix, len(data) if data is not None else None, inline,
             thumbnail(data) if data else None),
        )  # fmt: skip

    def region_edit(self, session_id: int, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """Keep a picture's regions as they are after an edit."""
        digests = [self.kept_region(region) for region in regions]
        self._connection.execute(
            "INSERT INTO region_edits(session_id, image_sha256, saved_s, names, regions) "
            "VALUES (?, ?, ?, ?, ?)",
            (session_id, picture_sha256, time.time(),
             text_cell(", ".join(region.name for region in regions)), dumps(digests)),
        )  # fmt: skip

    def kept_region(self, region: Region) -> str:
        """Keep a region; returns its digest."""
        known = self._regions.get(id(region))
        if known is not None:
            return known[1]
        digest = region_digest(region)
        if not self._is_kept("regions", digest):
            mask = keep_array(self._connection, self._log, mask_bits(region))
            self._connection.execute(
                "INSERT INTO regions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (digest, text_cell(region.name), region.colour, *region.size_px, region.area_px, mask),
            )
        _remember(self._regions, id(region), (region, digest))
        return digest

    # Rankings and head sets

    def ranking(self, ranking: HeadRanking, model_fingerprint: str, session_id: int | None) -> None:
        """Keep a ranking with all its scores."""
        digest = self.kept_ranking(ranking, model_fingerprint)
        if session_id is not None:
            self._connection.execute(
                "INSERT OR IGNORE INTO session_rankings VALUES (?, ?)",
                (session_id, self._id_of("head_rankings", digest)),
            )

    def kept_ranking(self, ranking: HeadRanking, model_fingerprint: str) -> str:
        """Keep a ranking and its halves; returns its digest."""
        key = id(ranking), model_fingerprint
        if key in self._rankings:
            return self._rankings[key][1]
        digest = ranking_digest(ranking, model_fingerprint)
        if not self._is_kept("head_rankings", digest):
            self._add_ranking(ranking, model_fingerprint, digest, None, None)
        _remember(self._rankings, key, (ranking, digest))
        return digest

    def _add_ranking(
        self, ranking: HeadRanking, fingerprint: str, digest: str, whole_id: int | None, half: int | None
    ) -> None:
        matrix = ranking.matrix_LHRR
        matrix_digest = None if matrix is None else keep_array(self._connection, self._log, matrix)
        cursor = self._connection.execute(
            """INSERT INTO head_rankings(digest, name, model_fingerprint, model, n_strips, layers,
                heads_per_layer, matrix, part_of, half, saved_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (digest, text_cell(ranking.name), fingerprint,
             ranking.model and text_cell(ranking.model), ranking.n_strips, *ranking.shape_LH, matrix_digest,
             whole_id, half, time.time()),
        )  # fmt: skip
        ranking_id = int(cursor.lastrowid or 0)
        self._connection.executemany(
            "INSERT INTO head_scores VALUES (?, ?, ?, ?)",
            ((ranking_id, head.layer, head.index, ranking.score(head)) for head in ranking.order()),
        )
        for number, part in enumerate(ranking.halves or (), start=1):
            # A half may be a ranking of its own, too; as a half it is another row.
            self._add_ranking(part, fingerprint, f"{digest}.{number}", ranking_id, number)

    def head_set(
        self, name: str, heads: HeadSet | None, model_fingerprint: str, session_id: int | None
    ) -> None:
        """Keep a named head set; None takes the name away."""
        now_s = time.time()
        self._connection.execute(
            "UPDATE head_sets SET removed_s = ? WHERE name = ? AND model_fingerprint = ? "
            "AND removed_s IS NULL",
            (now_s, text_cell(name), model_fingerprint),
        )
        if heads is not None:
            self._connection.execute(
                """INSERT INTO head_sets(name, model_fingerprint, heads, n_heads, origin, head_set,
                    session_id, saved_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
                (text_cell(name), model_fingerprint, str(heads), len(heads), text_cell(str(heads.origin)),
                 dumps(heads.to_json()), session_id, now_s),
            )  # fmt: skip

    # Runs

    def run(
        self, session_id: int, opening_id: int, side: Side, spec: GenerateSpec, model: ModelInfo, state: str
    ) -> int:
        """Write down a run before it is sent; returns its number."""
        words = steering_words(spec.steering)
        columns = {
            "session_id": session_id,
            "opening_id": opening_id,
            "model_id": self.model(model, session_id),
            "image_sha256": spec.picture_sha256,
            "side": side,
            "state": state,
            "started_s": time.time(),
            "prompt": text_cell(spec.prompt),
            **words,
        }
        cursor = self._connection.execute(
            f"INSERT INTO runs({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
        run_id = int(cursor.lastrowid or 0)
        self._connection.execute(
            "INSERT INTO run_records(run_id, spec) VALUES (?, ?)", (run_id, spec_text(spec, self.kept_region))
        )
        return run_id

    def respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """A run that has not been sent is asked for in another way; KeyError where there is none."""
        self._change("runs", run_id, prompt=text_cell(spec.prompt), **steering_words(spec.steering))
        self._connection.execute(
            "UPDATE run_records SET spec = ? WHERE run_id = ?", (spec_text(spec, self.kept_region), run_id)
        )

    def step(self, run_id: int, step: StepArrived) -> None:
        """Add a token to a run."""
        self._connection.execute(_ADD_STEP, (run_id, *step_row(step)))

    def ended(self, run_id: int, state: str, summary: RunSummary | None, message: str) -> None:
        """Close a run; KeyError where there is none."""
        columns: dict[str, Any] = {"state": state, "message": text_cell(message), "ended_s": time.time()}
        if summary is None:
            self._change("runs", run_id, **columns, **self._text_so_far(run_id))
            return
        audit, steering = summary.audit, summary.request.steering
        columns |= {
            "text": text_cell(summary.text),
            "finish": summary.finish,
            "junk": summary.junk,
            "n_tok": summary.n_tok,
            "seconds": summary.seconds,
            "mass_before": audit and audit.mass_before,
            "mass_after": audit and audit.mass_after,
            **(steering_words(steering) if steering else {}),
        }
        self._change("runs", run_id, **columns)
        self._connection.execute(
            "UPDATE run_records SET summary = ? WHERE run_id = ?",
            (summary_text(summary, self.kept_region, self._kept_grid), run_id),
        )

    def _kept_grid(self, grid: TokenGrid) -> str:
        return keep_grid(self._connection, self._log, grid)

    def _text_so_far(self, run_id: int) -> dict[str, str | bytes | int]:
        rows = self._connection.execute(
            "SELECT text FROM run_steps WHERE run_id = ? ORDER BY number", (run_id,)
        ).fetchall()
        parts = [row[0].encode() if isinstance(row[0], str) else row[0] for row in rows]
        return {"text": text_cell(b"".join(parts).decode("utf-8", "surrogatepass")), "n_tok": len(parts)}

    # Pieces

    def _change(self, table: str, row_id: int, **columns: object) -> None:
        assignments = ", ".join(f"{column} = ?" for column in columns)
        cursor = self._connection.execute(
            f"UPDATE {table} SET {assignments} WHERE id = ?", (*columns.values(), row_id)
        )
        if cursor.rowcount == 0:
            raise KeyError(row_id)

    def _is_kept(self, table: str, digest: str) -> bool:
        row = self._connection.execute(f"SELECT 1 FROM {table} WHERE digest = ?", (digest,)).fetchone()
        return row is not None

    def _id_of(self, table: str, digest: str) -> int:
        row = self._connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
        return int(row[0])


def thumbnail(data: bytes) -> bytes | None:
    """Return a small PNG of an encoded picture; None for one that cannot be decoded."""
    from gazeviz.errors import UserError
    from gazeviz.imaging import open_picture, opened

    try:
        with opened(data) as image:
            image.draft("RGB", (THUMBNAIL_PX[0] * 2, THUMBNAIL_PX[1] * 2))
            small = open_picture(image)
    except UserError:
        return None
    small.thumbnail(THUMBNAIL_PX)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


def _bytes_of(path: str) -> bytes | None:
    """The bytes of a picture's file; None where it is gone, which is no reason not to log."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _remember(memory: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    """Remember something with the object itself, so that its id stays its own."""
    if len(memory) >= _REMEMBERED:
        for old in list(memory)[: _REMEMBERED // 2]:
            del memory[old]
    memory[key] = value


# What a person does to runs that are over: stars, tags, notes, verdicts, deleting and bringing back.
#
# Called by the writer's thread, inside its transaction. Deleting only hides; `upkeep` removes for good.


class Marks:
    """Writes marks into one log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def star(self, run_ids: Sequence[int], starred: bool) -> None:
        """Give or take stars."""
        self._each("UPDATE runs SET starred = ? WHERE id = ?", starred, run_ids)

    def tag(self, run_ids: Sequence[int], tag: str, present: bool) -> None:
        """Give or take a tag."""
        word = " ".join(tag.split())
        if not word:
            raise UserError("A tag needs a name.", next_step="Write a word or two.")
        sql = (
            "INSERT OR IGNORE INTO run_tags(tag, run_id) VALUES (?, ?)"
            if present
            else "DELETE FROM run_tags WHERE tag = ? AND run_id = ?"
        )
        self._each(sql, word, run_ids)

    def note(self, text: str, *, run_id: int | None = None, session_id: int | None = None) -> None:
        """Write or empty the note of a run or a session; KeyError where there is none."""
        table, key = ("runs", run_id) if run_id is not None else ("sessions", session_id)
        if self._connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (key,)).fetchone() is None:
            raise KeyError(key)
        column = "run_id" if run_id is not None else "session_id"
        self._connection.execute(
            f"INSERT INTO notes({column}, text, edited_s) VALUES (?, ?, ?) "
            f"ON CONFLICT ({column}) DO UPDATE SET text = excluded.text, edited_s = excluded.edited_s",
            (key, text_cell(text), time.time()),
        )

    def judge(self, run_id: int, verdict: str, ok: bool | None, judge: str) -> None:
        """Write or take back a judge's verdict; the newest one is shown in the list."""
        if verdict:
            self._connection.execute(
                "INSERT OR REPLACE INTO judgements(run_id, judge, verdict, ok, judged_s) "
                "VALUES (?, ?, ?, ?, ?)",
                (run_id, judge, text_cell(verdict), ok, time.time()),
            )
        else:
            self._connection.execute("DELETE FROM judgements WHERE run_id = ? AND judge = ?", (run_id, judge))
        newest = "(SELECT {} FROM judgements WHERE run_id = runs.id ORDER BY judged_s DESC, id DESC LIMIT 1)"
        self._connection.execute(
            f"UPDATE runs SET verdict = {newest.format('verdict')}, verdict_ok = {newest.format('ok')} "
            "WHERE id = ?",
            (run_id,),
        )

    def replayed(self, run_id: int, same: bool) -> None:
        """Write down a replay."""
        self._connection.execute(
            "UPDATE runs SET replayed_s = ?, replay_same = ? WHERE id = ?", (time.time(), same, run_id)
        )

    def delete(self, run_ids: Sequence[int]) -> None:
        """Hide runs."""
        self._each("UPDATE runs SET deleted_s = ? WHERE id = ? AND deleted_s IS NULL", time.time(), run_ids)

    def restore(self, run_ids: Sequence[int]) -> None:
        """Show hidden runs again."""
        self._each("UPDATE runs SET deleted_s = ? WHERE id = ?", None, run_ids)

    def delete_session(self, session_id: int) -> None:
        """Hide a session and its runs."""
        now_s = time.time()
        for sql in (
            "UPDATE sessions SET deleted_s = ? WHERE id = ? AND deleted_s IS NULL",
            "UPDATE runs SET deleted_s = ? WHERE session_id = ? AND deleted_s IS NULL",
        ):
            self._connection.execute(sql, (now_s, session_id))

    def restore_session(self, session_id: int) -> None:
        """Show a hidden session again, with the runs that were hidden together with it."""
        self._connection.execute(
            "UPDATE runs SET deleted_s = NULL WHERE session_id = ? AND deleted_s = "
            "(SELECT deleted_s FROM sessions WHERE id = ?)",
            (session_id, session_id),
        )
        self._connection.execute("UPDATE sessions SET deleted_s = NULL WHERE id = ?", (session_id,))

    def _each(self, sql: str, value: object, run_ids: Sequence[int]) -> None:
        self._connection.executemany(sql, [(value, run_id) for run_id in run_ids])


def purge(connection: sqlite3.Connection, before_s: float) -> int:
    """Remove runs and sessions for good that were deleted before a moment; returns how many runs."""
    n_runs = connection.execute("DELETE FROM runs WHERE deleted_s <= ?", (before_s,)).rowcount
    connection.execute("DELETE FROM sessions WHERE deleted_s <= ?", (before_s,))
    return n_runs


_T = TypeVar("_T")
KEEP_DELETED_S: Final = 30 * 24 * 3600.0
BACK_UP_EVERY_S: Final = 24 * 3600.0


class SessionStore:
    """One log, open to be written; implements gazeviz.app.session.store_port.SessionLog.

    program: who writes, in words.
    keep_pictures: whether picture files' bytes are kept, or only path and hash.
    back_up: whether a log that has had no backup for a day gets one in the background.
    May be called from any thread. Raises LogFault when the file cannot be used.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        program: str = "gazeviz",
        keep_pictures: bool = True,
        back_up: bool = False,
    ) -> None:
        self.path = (path or default_path()).expanduser().absolute()
        with faults_told(self.path):
            connection = open_to_write(self.path)
            try:
                with immediate(connection):
                    self.n_found_lost = openings.mark_lost(connection)
                    openings.forget_empty_sessions(connection)
                    purge(connection, time.time() - KEEP_DELETED_S)
                    self._opening_id = openings.begin(connection, program)
                self.reader = LogReader(self.path)
            except BaseException:
                connection.close()
                raise
        self.list = RunList(self.reader)
        self._entries = Entries(connection, self.path, keep_pictures)
        self._marks = Marks(connection)
        self._connection = connection
        self._session_id: int | None = None
        self._writer = Writer(connection, self.path, self._entries.forget)
        self._stop_backup = threading.Event()
        self._backup: threading.Thread | None = None
        if back_up:
            self._back_up_if_due()

    # What the app writes

    @property
    def session_id(self) -> int | None:
        """The session that what is done now belongs to; None before there is one."""
        return self._session_id

    def open_session(self, name: str = "") -> int:
        """Begin a session and return its id; what follows belongs to it. "" names it by itself."""
        self._session_id = self._writer.call(lambda: self._entries.session(name, self._opening_id))
        return self._session_id

    def continue_session(self, name: str) -> int:
        """Go on with the newest session of this name, or begin it."""
        self._session_id = self._writer.call(lambda: self._entries.session_named(name, self._opening_id))
        return self._session_id

    def rename_session(self, session_id: int, name: str) -> None:
        """Give a session another name."""
        self._writer.call(lambda: self._entries.rename(session_id, name))

    def save_model(self, info: ModelInfo) -> None:
        """A model was loaded."""
        self._writer.submit(partial(self._entries.model, info, self._session_id))

    def save_picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """A picture was opened, or got another layout."""
        self._writer.submit(
            partial(self._entries.picture, source, size_px, layout, captions, self._session_id)
        )

    def save_regions(self, picture_sha256: str, regions: tuple[Region, ...]) -> None:
        """The regions of a picture, in order, after a finished edit."""
        session_id = self._session()
        self._writer.submit(partial(self._entries.region_edit, session_id, picture_sha256, regions))

    def run_created(self, side: Side, spec: GenerateSpec, model: ModelInfo) -> int:
        """Write down a run before it is sent, and return its id; the row is on the disk then."""
        session_id, opening_id = self._session(), self._opening_id
        return self._writer.call(
            lambda: self._entries.run(session_id, opening_id, side, spec, model, "running")
        )

    def run_respecified(self, run_id: int, spec: GenerateSpec) -> None:
        """A run that has not been sent yet is asked for in another way; on the disk when this returns."""
        self._writer.call(lambda: self._entries.respecified(run_id, spec))

    def step_appended(self, run_id: int, step: StepArrived) -> None:
        """A run's token has arrived; on the disk within a tenth of a second.

        LogFault for what went wrong with earlier tokens; they, and this one, are kept and tried again.
        """
        self._writer.submit(partial(self._entries.step, run_id, step))

    def run_ended(
        self,
        run_id: int,
        state: str,
        summary: RunSummary | None,
        message: str,
        verdict: RunVerdict | None = None,
    ) -> Future[None]:
        """A run is done, cancelled, failed or lost; it and all its tokens are on the disk when that is done.

        Where that cannot be written (LogFault) it is kept and tried again.
        """

        def write() -> None:
            self._entries.ended(run_id, state, summary, message)
            if verdict is not None:
                self._marks.judge(run_id, verdict.words, verdict.ok, verdict.judge)

        return self._writer.begin(write, keep=True)

    def ranking_saved(self, ranking: HeadRanking, model_fingerprint: str) -> None:
        """A ranking was measured, loaded or imported."""
        session_id = self._session()
        self._writer.submit(partial(self._entries.ranking, ranking, model_fingerprint, session_id))

    def head_set_saved(self, name: str, heads: HeadSet | None, model_fingerprint: str) -> None:
        """A head set was given a name; None: the name was taken away."""
        self._writer.submit(partial(self._entries.head_set, name, heads, model_fingerprint, self._session_id))

    # What a person marks

    def star_runs(self, run_ids: Iterable[int], starred: bool = True) -> None:
        """Give runs a star, or take it away."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.star(ids, starred))

    def tag_runs(self, run_ids: Iterable[int], tag: str, present: bool = True) -> None:
        """Put a tag on runs, or take it away; UserError for an empty one."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.tag(ids, tag, present))

    def note_run(self, run_id: int, text: str) -> None:
        """Write a run's note; "" takes it away."""
        self._writer.call(lambda: self._marks.note(text, run_id=run_id))

    def note_session(self, session_id: int, text: str) -> None:
        """Write a session's note; "" takes it away."""
        self._writer.call(lambda: self._marks.note(text, session_id=session_id))

    def judge_run(self, run_id: int, verdict: str, ok: bool | None = None, judge: str = "person") -> None:
        """Write down what a judge says of a run; "" takes it back."""
        self._writer.call(lambda: self._marks.judge(run_id, verdict, ok, judge))

    def run_replayed(self, run_id: int, same: bool) -> None:
        """A run was replayed, with the same tokens or not."""
        self._writer.call(lambda: self._marks.replayed(run_id, same))

    def delete_runs(self, run_ids: Iterable[int]) -> None:
        """Take runs out of the list; `restore_runs` undoes it for 30 days."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.delete(ids))

    def restore_runs(self, run_ids: Iterable[int]) -> None:
        """Undo `delete_runs`."""
        ids = list(run_ids)
        self._writer.call(lambda: self._marks.restore(ids))

    def delete_session(self, session_id: int) -> None:
        """Take a session and its runs out of the lists; `restore_session` undoes it for 30 days."""
        self._writer.call(lambda: self._marks.delete_session(session_id))

    def restore_session(self, session_id: int) -> None:
        """Undo `delete_session`; runs that had been deleted before stay deleted."""
        self._writer.call(lambda: self._marks.restore_session(session_id))

    # What the app reads

    def sessions(self) -> Sequence[StoredSession]:
        """All sessions, the newest first."""
        self._writer.flush()
        return self.reader.sessions()

    def runs(self, session_id: int | None = None) -> StoredRuns:
        """The runs of a session (None: of all), the newest first."""
        self._writer.flush()
        return self.reader.runs(session_id)

    def run(self, run_id: int) -> StoredRun:
        """One run, with every token so far; KeyError where there is none."""
        self._writer.flush()
        return self.reader.run(run_id)

    def flush(self) -> None:
        """Wait until everything that was written down is on the disk; LogFaults."""
        self._writer.flush()

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something in one transaction of the writer's connection: import and upkeep use this."""
        return self._writer.call(lambda: work(self._connection))

    # Its life

    def close(self) -> None:
        """Nothing more will be written; what was is on the disk. Without effect when done before."""
        if self._backup is not None:
            self._stop_backup.set()
            self._backup.join()
            self._backup = None
        # Reading ends first: the last connection to be closed tidies up, and only a writing one can.
        self.reader.close()
        # What went wrong before is raised by the writer's own end, and closing twice is no fault.
        with suppress(LogFault):
            self._writer.submit(partial(openings.end, self._connection, self._opening_id))
        self._writer.close()

    def _session(self) -> int:
        if self._session_id is None:
            self.open_session()
        assert self._session_id is not None
        return self._session_id

    def _back_up_if_due(self) -> None:
        last = next(iter(backups_of(self.path)), None)
        if last is not None and time.time() - last.stat().st_mtime < BACK_UP_EVERY_S:
            return

        def work() -> None:
            # A backup that cannot be made is no reason to disturb anybody: the next start tries again.
            with suppress(Exception):
                back_up(self.path, stopped=self._stop_backup.is_set)

        self._backup = threading.Thread(target=work, name="gazeviz backup", daemon=True)
        self._backup.start()


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open a log, or make it, and bring it to the present schema; LogFaults, sqlite3 errors and OSErrors.

    A log of an older schema is backed up before it is changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _check(path)
    connection = connect(path)
    try:
        schema = schema_of(connection)
        if is_foreign(connection):
            raise log_fault("foreign", path)
        if schema > SCHEMA:
            raise log_fault("newer", path)
        if 0 < schema < SCHEMA:
            back_up(path)
        if schema < SCHEMA:
            from gazeviz.store.migrations import migrate  # takes as long to import as the rest of the store

            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path) -> None:
    """Look before touching: a file that is not ours, or newer, must not even be switched to WAL."""
    if path.is_file() and path.stat().st_size:
        LogReader(path).close()
