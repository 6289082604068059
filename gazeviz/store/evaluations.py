"""Evaluations in the log: their plans, their items as they end, and what judges said of them.

Items are written in the transaction of their block and never changed; the same item written twice is the
same row. Knows the tables and the domain, and nothing of how items are made.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gazeviz.domain.experiments.picture_set import PictureSet
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, ItemKey, Judgement
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.errors import UserError
from gazeviz.store import openings
from gazeviz.store.reader import LogReader

if TYPE_CHECKING:
    from gazeviz.store.session_store import SessionStore

FIRST_WITH_EVALUATIONS: Final = 4
"""The schema that has their tables."""


@dataclass(frozen=True)
class StoredEvaluation:
    """An evaluation as the log lists it.

    state: "running", "paused", "done" or "failed".  pid: of a living process of this machine that computes
    it, None where there is none: one that is "running" without it was interrupted.
    """

    evaluation_id: int
    name: str
    state: str
    message: str
    n_done: int
    n_items: int
    started_s: float
    spec: EvaluationSpec
    starred: bool = False
    note: str = ""
    tags: tuple[str, ...] = ()
    pid: int | None = None


class EvaluationLog:
    """Reads and writes the evaluations of one open log; LogFaults."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def begin(self, spec: EvaluationSpec, pictures: PictureSet, n_items: int) -> int:
        """Start an evaluation, or go on with the one of that name; returns its number.

        UserError where the name belongs to another evaluation: other conditions, pictures or model.
        """

        def write(connection: sqlite3.Connection) -> int:
            openings.takes_up(connection, self._store.opening_id, spec.name)
            found = connection.execute(
                "SELECT id, digest, deleted_s FROM evaluations WHERE name = ?", (spec.name,)
            ).fetchone()
            if found is not None and found[1] != spec.digest and found[2] is not None:
                # A deleted one lies there until vacuum, and gives its name free.
                connection.execute(
                    "UPDATE evaluations SET name = name || ' (deleted, ' || id || ')' WHERE id = ?", found[:1]
                )
                found = None
            if found is not None:
                if found[1] != spec.digest:
                    raise UserError(
                        f"The log has another evaluation called “{spec.name}”.",
                        next_step="Ask for the same again to go on with it, or give this one a --name.",
                    )
                connection.execute(
                    "UPDATE evaluations SET state = 'running', message = '', deleted_s = NULL WHERE id = ?",
                    (found[0],),
                )
                return int(found[0])
            _keep_set(connection, pictures)
            return _insert(connection, spec, n_items)

        return self._store.write(write)

    def keep(
        self, evaluation_id: int, items: Sequence[EvaluationItem], judgements: Sequence[Judgement]
    ) -> None:
        """Write items and judgements in one transaction; on the disk when this returns."""

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_ADD_ITEM, [(evaluation_id, *_item_row(item)) for item in items])
            connection.executemany(
                _ADD_JUDGEMENT, [_judgement_row(evaluation_id, said) for said in judgements]
            )

        self._store.write(write)

    def end(self, evaluation_id: int, state: str, message: str = "") -> None:
        """An evaluation is done, paused, or failed."""
        row = (state, message, time.time() if state == "done" else None, evaluation_id)
        self._store.write(
            lambda connection: connection.execute(
                "UPDATE evaluations SET state = ?, message = ?, ended_s = ? WHERE id = ?", row
            )
        )

    def mark(
        self, evaluation_id: int, *, starred: bool | None = None, note: str | None = None, tag: str = "",
        untag: str = "", deleted: bool | None = None,
    ) -> None:  # fmt: skip
        """Give an evaluation a star, a note or a tag, take a tag away, delete it, or bring it back."""

        def write(connection: sqlite3.Connection) -> None:
            deleted_s = time.time() if deleted else None
            changed = {"starred": starred, "note": note} | (
                {} if deleted is None else {"deleted_s": deleted_s}
            )
            for column, value in changed.items():
                if value is not None or column == "deleted_s":
                    connection.execute(
                        f"UPDATE evaluations SET {column} = ? WHERE id = ?", (value, evaluation_id)
                    )
            if tag:
                connection.execute(
                    "INSERT OR IGNORE INTO evaluation_tags VALUES (?, ?)", (evaluation_id, tag)
                )
            connection.execute(
                "DELETE FROM evaluation_tags WHERE evaluation_id = ? AND tag = ?", (evaluation_id, untag)
            )

        self._store.write(write)

    def number(self, name: str) -> int | None:
        """The number of an evaluation, deleted or not; None where there is none of that name."""
        self._store.flush()
        found = self._store.reader.rows("SELECT id FROM evaluations WHERE name = ?", (name,))
        return int(found[0][0]) if found else None

    def all(self) -> tuple[StoredEvaluation, ...]:
        """Every evaluation, the newest first."""
        self._store.flush()
        return evaluations(self._store.reader)

    def result(self, name: str, judge: str = "") -> EvaluationResult:
        """An evaluation with what is there of it; UserError where there is none of that name."""
        self._store.flush()
        return evaluation_result(self._store.reader, name, judge)


def evaluations(reader: LogReader) -> tuple[StoredEvaluation, ...]:
    """Every evaluation of a log that is not deleted, the newest first."""
    if reader.schema < FIRST_WITH_EVALUATIONS:
        return ()
    tags: dict[int, list[str]] = {}
    for evaluation_id, tag in reader.rows("SELECT evaluation_id, tag FROM evaluation_tags ORDER BY tag"):
        tags.setdefault(evaluation_id, []).append(tag)
    rows = reader.rows(_LISTED)
    # Asking for processes costs a program's start on some systems.
    computed = openings.who_computes(reader) if any(row[2] == "running" for row in rows) else {}
    return tuple(
        StoredEvaluation(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6],
            EvaluationSpec.from_json(json.loads(row[7])), bool(row[8]), row[9], tuple(tags.get(row[0], ())),
            computed.get(row[1]) if row[2] == "running" else None,
        )
        for row in rows
    )  # fmt: skip


def found_evaluations(reader: LogReader, words: Sequence[str]) -> tuple[StoredEvaluation, ...]:
    """Those of which every word is in the name, pictures, protocol, judge, state, note, a tag or an answer.

    `tag:odd` looks at tags alone, `is:starred` at the star; case does not matter (ASCII).
    """
    return tuple(one for one in evaluations(reader) if all(_has(reader, one, word) for word in words))


def _has(reader: LogReader, one: StoredEvaluation, word: str) -> bool:
    kind, colon, value = word.lower().partition(":")
    if colon and kind == "tag":
        return any(value in tag.lower() for tag in one.tags)
    if word.lower() == "is:starred":
        return one.starred
    told = (
        one.name,
        str(one.spec.source),
        one.spec.protocol.name,
        one.spec.judge,
        one.state,
        one.note,
        *one.tags,
    )
    if any(word.lower() in text.lower() for text in told):
        return True
    texts = "SELECT 1 FROM evaluation_items WHERE evaluation_id = ? AND instr(lower(text), lower(?)) LIMIT 1"
    return bool(reader.rows(texts, (one.evaluation_id, word)))


def purge_evaluations(connection: sqlite3.Connection, before_s: float) -> int:
    """Remove for good what was deleted before a moment, and sets that nobody uses; returns how many."""
    n = connection.execute("DELETE FROM evaluations WHERE deleted_s <= ?", (before_s,)).rowcount
    connection.execute(
        "DELETE FROM picture_sets WHERE fingerprint NOT IN (SELECT set_fingerprint FROM evaluations)"
    )
    return n


def evaluation_result(reader: LogReader, name: str, judge: str = "") -> EvaluationResult:
    """An evaluation by its name, with its items and all judgements; UserError where there is none."""
    found = reader.rows("SELECT id, spec, n_items FROM evaluations WHERE name = ?", (name,))
    if not found:
        raise UserError(
            f"The log has no evaluation “{name}”.", next_step="See gazeviz log evaluations for those it has."
        )
    evaluation_id, told, n_items = found[0]
    try:
        spec = EvaluationSpec.from_json(json.loads(told))
        items = _items(reader, evaluation_id, spec)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"The evaluation “{name}” is damaged in the log.", next_step="See gazeviz log check."
        ) from error
    return EvaluationResult(
        spec,
        tuple(items.values()),
        tuple(
            Judgement(items[row[0]].key, row[1], row[2], None if row[3] is None else bool(row[3]), row[4])
            for row in reader.rows(_JUDGED, (evaluation_id,))
        ),
        n_items,
        judge,
    )


def _items(reader: LogReader, evaluation_id: int, spec: EvaluationSpec) -> dict[int, EvaluationItem]:
    """Items by their row. The unsteered text of the same question is found, not kept beside each."""
    rows = reader.rows(_ITEMS, (evaluation_id,))
    asked = {condition.name: condition.prompt for condition in spec.conditions}
    unsteered = {condition.name for condition in spec.conditions if condition.kind == "unsteered"}
    plain = {(asked[row[2]], row[1], row[3], row[4]): row[6] for row in rows if row[2] in unsteered}
    return {row[0]: _item(row, plain.get((asked[row[2]], row[1], row[3], row[4]), "")) for row in rows}


def _item(row: Sequence[Any], baseline: str) -> EvaluationItem:
    return EvaluationItem(
        key=ItemKey(row[1], row[2], row[3], row[4]),
        n_regions=row[5],
        text=row[6],
        baseline=baseline,
        junk=row[7],
        unchanged=bool(row[8]),
        area_px=row[9],
        mass_before=row[10],
        mass_after=row[11],
        same_tokens=None if row[12] is None else bool(row[12]),
        first_tok=row[13],
        n_tok=row[14],
        token_ids=tuple(json.loads(row[15])),
    )


def _item_row(item: EvaluationItem) -> tuple[Any, ...]:
    key = item.key
    return (
        key.picture, key.condition, key.turn, key.target, item.n_regions, item.text, item.junk,
        item.unchanged, item.area_px, item.mass_before, item.mass_after, item.same_tokens, item.first_tok,
        item.n_tok, json.dumps(item.token_ids),
    )  # fmt: skip


def _judgement_row(evaluation_id: int, said: Judgement) -> tuple[Any, ...]:
    key = said.key
    return (
        said.judge, said.chosen, said.complete, said.latency_tok, time.time(),
        evaluation_id, key.picture, key.condition, key.turn, key.target,
    )  # fmt: skip


def _insert(connection: sqlite3.Connection, spec: EvaluationSpec, n_items: int) -> int:
    cursor = connection.execute(
        "INSERT INTO evaluations (name, digest, protocol, spec, set_fingerprint, model_fingerprint, n_items,"
        " state, started_s) VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?)",
        (
            spec.name, spec.digest, spec.protocol.name, json.dumps(spec.to_json()), spec.set_fingerprint,
            spec.model_fingerprint, n_items, time.time(),
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _keep_set(connection: sqlite3.Connection, pictures: PictureSet) -> None:
    listed = [
        {"name": one.name, "sha256": one.sha256, "regions": len(one.panels)} for one in pictures.pictures
    ]
    connection.execute(
        "INSERT OR IGNORE INTO picture_sets VALUES (?, ?, ?, ?, ?, ?)",
        (
            pictures.fingerprint, json.dumps(pictures.source.to_json()), len(pictures), pictures.n_regions,
            json.dumps(listed), time.time(),
        ),
    )  # fmt: skip


_LISTED: Final = """SELECT id, name, state, message,
    (SELECT count(*) FROM evaluation_items WHERE evaluation_id = evaluations.id), n_items, started_s, spec,
    starred, note FROM evaluations WHERE deleted_s IS NULL ORDER BY id DESC"""
_ITEMS: Final = """SELECT id, picture, condition, turn, target, n_regions, text, junk, unchanged, area_px,
    mass_before, mass_after, same_tokens, first_tok, n_tok, token_ids FROM evaluation_items
    WHERE evaluation_id = ? ORDER BY picture, condition, turn, target"""
_JUDGED: Final = """SELECT item_id, judge, chosen, complete, latency_tok FROM evaluation_judgements
    WHERE item_id IN (SELECT id FROM evaluation_items WHERE evaluation_id = ?) ORDER BY id"""
_ADD_ITEM: Final = f"""INSERT OR IGNORE INTO evaluation_items (evaluation_id, picture, condition, turn,
    target, n_regions, text, junk, unchanged, area_px, mass_before, mass_after, same_tokens, first_tok,
    n_tok, token_ids) VALUES ({", ".join("?" * 16)})"""
_ADD_JUDGEMENT: Final = """INSERT INTO evaluation_judgements
    (item_id, judge, chosen, complete, latency_tok, judged_s)
    SELECT id, ?, ?, ?, ?, ? FROM evaluation_items
    WHERE evaluation_id = ? AND picture = ? AND condition = ? AND turn = ? AND target = ?
    ON CONFLICT (item_id, judge) DO UPDATE SET chosen = excluded.chosen, complete = excluded.complete,
    latency_tok = excluded.latency_tok, judged_s = excluded.judged_s"""
