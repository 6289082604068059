"""The list of runs: how many there are, which, and their light rows, for lists of a hundred thousand.

A list asks once for the numbers of its runs (`ids`) and then for the rows on the screen (`lines`), so that
scrolling costs the same everywhere. Nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.store.codec import text_of
from gazeviz.store.reading import Reader
from gazeviz.store.run_query import (
    LINE_SQL,
    LISTED_SIDES,
    TAG_SEPARATOR,
    RunFilter,
    RunLine,
    SortKey,
    joins_of,
    order_sql,
)

_SIDES: Final = ", ".join(f"'{side}'" for side in LISTED_SIDES)
_ALL: Final = RunFilter()


@dataclass(frozen=True)
class RunCounts:
    """How many runs a side list shows beside its entries; glances and deleted runs are not counted."""

    all: int
    starred: int
    junk: int
    lost_or_failed: int
    deleted: int
    by_tag: dict[str, int]


class RunList:
    """Questions about runs, answered from the columns of the table alone."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def count(self, wanted: RunFilter = _ALL) -> int:
        """How many runs there are."""
        where, values = wanted.sql()
        return int(self._reader.rows(f"SELECT count(*) {where}", values)[0][0])

    def ids(
        self, wanted: RunFilter = _ALL, sort: SortKey = "started", descending: bool = True
    ) -> NDArray[np.int64]:
        """The numbers of the runs in the order of the list: int64 (N,)."""
        rows = self._reader.rows(*self._listing(wanted, sort, descending))
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def ids_and_sessions(
        self, wanted: RunFilter = _ALL, sort: SortKey = "started", descending: bool = True
    ) -> NDArray[np.int64]:
        """As `ids`, each beside its session's number: int64 (N, 2).

        One long text is many times quicker to fetch than as many rows, and other threads go on meanwhile.
        """
        sql, values = self._listing(wanted, sort, descending)
        pairs = sql.replace("SELECT runs.id ", "SELECT runs.id || ' ' || runs.session_id AS pair ", 1)
        ((text,),) = self._reader.rows(f"SELECT group_concat(pair, ' ') FROM ({pairs})", values)
        return np.fromstring(text or "", dtype=np.int64, sep=" ").reshape(-1, 2)

    def lines(self, ids: Sequence[int] | NDArray[np.int64]) -> list[RunLine]:
        """The rows of some runs, in the order asked for; a run that is gone by now is left out."""
        numbers = [int(run_id) for run_id in ids]
        rows = self._reader.rows(f"{LINE_SQL} WHERE runs.id IN ({', '.join('?' * len(numbers))})", numbers)
        by_id = {row[0]: row for row in rows}
        return [_line(by_id[run_id]) for run_id in numbers if run_id in by_id]

    def page(
        self,
        wanted: RunFilter = _ALL,
        *,
        offset: int = 0,
        limit: int = 100,
        sort: SortKey = "started",
        descending: bool = True,
    ) -> list[RunLine]:
        """Some rows of the list."""
        sql, values = self._listing(wanted, sort, descending)
        rows = self._reader.rows(f"{sql} LIMIT ? OFFSET ?", [*values, limit, offset])
        return self.lines([row[0] for row in rows])

    def counts(self) -> RunCounts:
        """What a side list shows."""
        shown = f"deleted_s IS NULL AND side IN ({_SIDES})"
        # Each by the index that holds few rows; SQLite would read all runs for some of them.
        parts = (
            f"SELECT count(*) FROM runs WHERE {shown}",
            f"SELECT count(*) FROM runs INDEXED BY runs_starred WHERE starred = 1 AND {shown}",
            f"SELECT count(*) FROM runs INDEXED BY runs_junk WHERE junk IS NOT NULL AND {shown}",
            "SELECT count(*) FROM runs INDEXED BY runs_by_state "
            f"WHERE state IN ('lost', 'failed') AND {shown}",
            "SELECT count(*) FROM runs INDEXED BY runs_deleted WHERE deleted_s IS NOT NULL",
        )
        numbers = [int(self._reader.rows(sql)[0][0]) for sql in parts]
        tags = self._reader.rows(
            "SELECT tag, count(*) FROM run_tags JOIN runs ON runs.id = run_id WHERE deleted_s IS NULL "
            "GROUP BY tag ORDER BY tag"
        )
        starred, junk, lost, deleted = numbers[1:]
        return RunCounts(numbers[0], starred, junk, lost, deleted, dict(tags))

    def values_of(self, column: str, limit: int = 100) -> list[str]:
        """The different values of a column of the list, the commonest first: what a filter can offer."""
        expressions = {
            "model": "models.name", "picture": "images.name", "target": "runs.target",
            "heads": "runs.heads", "strength": "runs.strength", "mode": "runs.mode",
            "verdict": "runs.verdict", "state": "runs.state", "session": "sessions.name",
        }  # fmt: skip
        expression = expressions[column]
        rows = self._reader.rows(
            f"SELECT {expression} FROM runs {joins_of(expression)} WHERE runs.deleted_s IS NULL "
            f"AND {expression} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ?",
            (limit,),
        )
        return [text_of(value) for (value,) in rows]

    def _listing(self, wanted: RunFilter, sort: SortKey, descending: bool) -> tuple[str, list[Any]]:
        order = order_sql(sort, descending)
        where, values = wanted.sql(also=order)
        return f"SELECT runs.id {where} {order}", values


def _line(row: tuple[Any, ...]) -> RunLine:
    fields = dict(zip(RunLine.__dataclass_fields__, row, strict=True))
    for name in ("session", "message", "model", "picture", "prompt", "heads", "target", "mode", "strength",
                 "text", "verdict", "note"):  # fmt: skip
        fields[name] = text_of(fields[name] or "")
    for name in ("verdict_ok", "replay_same"):
        fields[name] = None if fields[name] is None else bool(fields[name])
    fields["n_heads"], fields["n_tok"] = fields["n_heads"] or 0, fields["n_tok"] or 0
    fields["starred"] = bool(fields["starred"])
    fields["tags"] = tuple(fields["tags"].split(TAG_SEPARATOR)) if fields["tags"] else ()
    return RunLine(**fields)
