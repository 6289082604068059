"""What is written for each thing that happens: called by the writer's thread, inside its transaction.

Knows the tables and the codec, not threads or transactions. `forget` has to be called when a transaction was
undone: what is kept by content is remembered, so that it is not looked at twice.
"""

from __future__ import annotations

import io
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any, Final

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, PictureSource, RunSummary, Side, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.store.arrays import BESIDE_BYTES, keep_array, keep_file
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
from gazeviz.store.token_grids import keep_grid
from gazeviz.store.words import hex_digest, session_name, steering_words

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
    from PIL import Image

    from gazeviz.errors import UserError
    from gazeviz.pictures import open_picture

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (THUMBNAIL_PX[0] * 2, THUMBNAIL_PX[1] * 2))
            small = open_picture(image)
    except (UserError, OSError, ValueError, Image.DecompressionBombError):
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
