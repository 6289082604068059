"""What is kept once, by what it holds: models, pictures, regions, rankings and token grids.

A `Content` is called by the writer's thread inside its transaction. `forget` has to be called when one was
undone: what is kept is remembered, so that it is not looked at twice.
"""

from __future__ import annotations

import io
import sqlite3
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import ModelInfo, PictureSource
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.errors import UserError
from gazeviz.store.arrays import BESIDE_BYTES, keep_array, keep_file
from gazeviz.store.codec import (
    dumps,
    grid_digest,
    hex_digest,
    mask_bits,
    model_text,
    ranking_digest,
    region_digest,
    text_cell,
)

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table

THUMBNAIL_PX: Final = (256, 96)
_REMEMBERED: Final = 256


class Content:
    """Keeps things by what they hold in one log.

    keep_pictures: whether the bytes of picture files are kept, or only where they are and their hash.
    """

    def __init__(self, connection: sqlite3.Connection, log: Path, keep_pictures: bool) -> None:
        self._connection = connection
        self._log = log
        self._keep_pictures = keep_pictures
        self._regions: dict[int, tuple[Region, str]] = {}
        self._rankings: dict[tuple[int, str], tuple[HeadRanking, str]] = {}
        self._models: dict[int, tuple[ModelInfo, int]] = {}

    def forget(self) -> None:
        """Nothing can be relied on to have been kept."""
        self._regions.clear()
        self._rankings.clear()
        self._models.clear()

    def table(self, name: str) -> Table:
        """Return one of the log's tables, to insert into."""
        return self._database.table(name)

    @cached_property
    def _database(self) -> Database:
        # With the first row, in the writer's thread: opening the window does not wait for this import.
        from sqlite_utils import Database

        return Database(self._connection, execute_plugins=False, recursive_triggers=False)

    def model(self, info: ModelInfo) -> int:
        """Keep a model; returns its number."""
        known = self._models.get(id(info))
        if known is None:
            known = info, self._keep_model(info)
            _remember(self._models, id(info), known)
        return known[1]

    def _keep_model(self, info: ModelInfo) -> int:
        text = model_text(info, lambda ranking: self.ranking(ranking, info.fingerprint))
        digest = hex_digest(text)
        if not self._is_kept("models", digest):
            n_layers, n_heads = info.shape_LH
            self.table("models").insert(
                {
                    "digest": digest,
                    "fingerprint": info.fingerprint,
                    "name": text_cell(info.name),
                    "family": text_cell(info.family),
                    "path": text_cell(info.path),
                    "device": info.device,
                    "dtype": info.dtype,
                    "layers": n_layers,
                    "heads_per_layer": n_heads,
                    "n_parameters": info.n_parameters,
                    "info": text,
                    "saved_s": time.time(),
                }
            )
        return self.id_of("models", digest)

    def picture(
        self,
        source: PictureSource,
        size_px: tuple[int, int],
        layout: Layout | None,
        captions: tuple[str, ...],
    ) -> None:
        """Keep a picture, or what is new about it; what runs call it is theirs."""
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

    def _keep_picture(self, source: PictureSource) -> None:
        data = source.data if source.path is None else _bytes_of(source.path)
        columns: dict[str, Any] = {"kept": "path"}
        if data is not None:
            columns |= {"file_sha256": hex_digest(data), "n_bytes": len(data), "thumbnail": thumbnail(data)}
            if self._keep_pictures or source.path is None:
                if len(data) > BESIDE_BYTES:
                    digest, suffix = keep_file(self._log, data)
                    columns |= {"kept": "beside", "file_sha256": digest, "suffix": suffix}
                else:
                    columns |= {"kept": "bytes", "data": data}
        row = {
            "sha256": source.sha256, "name": "", "width_px": 0, "height_px": 0, "captions": "[]",
            "saved_s": 0.0, **columns,
        }  # fmt: skip
        self.table("images").insert(row, replace=True)

    def region(self, region: Region) -> str:
        """Keep a region; returns its digest."""
        known = self._regions.get(id(region))
        if known is not None:
            return known[1]
        digest = region_digest(region)
        if not self._is_kept("regions", digest):
            width_px, height_px = region.size_px
            self.table("regions").insert(
                {
                    "digest": digest,
                    "name": text_cell(region.name),
                    "colour": region.colour,
                    "width_px": width_px,
                    "height_px": height_px,
                    "area_px": region.area_px,
                    "mask": keep_array(self._connection, self._log, mask_bits(region)),
                }
            )
        _remember(self._regions, id(region), (region, digest))
        return digest

    def ranking(self, ranking: HeadRanking, model_fingerprint: str) -> str:
        """Keep a ranking with all its scores, and its halves; returns its digest."""
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
        matrix, (n_layers, n_heads) = ranking.matrix_LHRR, ranking.shape_LH
        kept = None if matrix is None else keep_array(self._connection, self._log, matrix)
        added = self.table("head_rankings").insert(
            {
                "digest": digest,
                "name": text_cell(ranking.name),
                "model_fingerprint": fingerprint,
                "model": ranking.model and text_cell(ranking.model),
                "n_strips": ranking.n_strips,
                "layers": n_layers,
                "heads_per_layer": n_heads,
                "matrix": kept,
                "part_of": whole_id,
                "half": half,
                "saved_s": time.time(),
            }
        )
        ranking_id = int(added.last_rowid or 0)
        self._connection.executemany(
            "INSERT INTO head_scores VALUES (?, ?, ?, ?)",
            ((ranking_id, head.layer, head.index, ranking.score(head)) for head in ranking.order()),
        )
        for number, part in enumerate(ranking.halves or (), start=1):
            # A half may be a ranking of its own, too; as a half it is another row.
            self._add_ranking(part, fingerprint, f"{digest}.{number}", ranking_id, number)

    def grid(self, grid: TokenGrid) -> str:
        """Keep a token grid; returns its digest."""
        digest = grid_digest(grid)
        if not self._is_kept("token_grids", digest):
            rows, columns = grid.shape_RC or (None, None)
            sizes = (*grid.picture_size_px, *grid.fed_size_px)
            names = ("width_px", "height_px", "fed_width_px", "fed_height_px")
            self.table("token_grids").insert(
                {
                    "digest": digest,
                    "n_tok": grid.n_tokens,
                    **dict(zip(names, sizes, strict=True)),
                    "grid_rows": rows,
                    "grid_columns": columns,
                    "note": text_cell(grid.note),
                    "boxes": keep_array(self._connection, self._log, grid.boxes_P4),
                }
            )
        return digest

    def id_of(self, table: str, digest: str) -> int:
        """Return the number of something that is kept."""
        row = self._connection.execute(f"SELECT id FROM {table} WHERE digest = ?", (digest,)).fetchone()
        return int(row[0])

    def _is_kept(self, table: str, digest: str) -> bool:
        row = self._connection.execute(f"SELECT 1 FROM {table} WHERE digest = ?", (digest,)).fetchone()
        return row is not None


def thumbnail(data: bytes) -> bytes | None:
    """Return a small PNG of an encoded picture; None for one that cannot be decoded."""
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
