"""Token grids in the log: kept once by what they hold, and found for runs that did not write theirs down.

Runs of one model on one picture have the same grid, so that of another run serves where a run ended before it
could tell, and in logs from before grids were kept. Knows the tables, not what is drawn with a grid.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gazeviz.domain.grid import TokenGrid
from gazeviz.store.arrays import keep_array
from gazeviz.store.codec import text_cell, text_of

if TYPE_CHECKING:
    from gazeviz.store.reading import Reader

FIRST_SCHEMA: Final = 2
"""Logs of older schemas have no table for grids."""
_LOOKED_AT: Final = 8


def grid_digest(grid: TokenGrid) -> str:
    """Return the hex digest of a grid's cells, sizes and note."""
    identity = json.dumps([grid.picture_size_px, grid.fed_size_px, grid.shape_RC, grid.note])
    return hashlib.sha256(identity.encode() + np.ascontiguousarray(grid.boxes_P4).tobytes()).hexdigest()


def keep_grid(connection: sqlite3.Connection, log: Path, grid: TokenGrid) -> str:
    """Keep a grid, unless it is kept already, and return its digest; OSErrors and sqlite3 errors."""
    digest = grid_digest(grid)
    if connection.execute("SELECT 1 FROM token_grids WHERE digest = ?", (digest,)).fetchone() is None:
        rows, columns = grid.shape_RC or (None, None)
        boxes = keep_array(connection, log, grid.boxes_P4)
        connection.execute(
            "INSERT INTO token_grids VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (digest, grid.n_tokens, *grid.picture_size_px, *grid.fed_size_px, rows, columns,
             text_cell(grid.note), boxes),
        )  # fmt: skip
    return digest


def read_grid(reader: Reader, digest: str) -> TokenGrid:
    """Return a grid by its digest; KeyError where the log has none, LogFault where its array is at fault."""
    width_px, height_px, fed_width_px, fed_height_px, rows, columns, note, boxes = reader.one(
        "SELECT width_px, height_px, fed_width_px, fed_height_px, grid_rows, grid_columns, note, boxes "
        "FROM token_grids WHERE digest = ?",
        digest,
    )
    shape_RC = None if rows is None else (rows, columns)
    fed_size_px = fed_width_px, fed_height_px
    return TokenGrid(reader.array(boxes), (width_px, height_px), fed_size_px, shape_RC, text_of(note))


def neighbours_grid(reader: Reader, run_id: int, n_tok: int) -> TokenGrid | None:
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
