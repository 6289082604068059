"""Moves evaluations between logs: into a session's file, and from the logs that shards were computed in.

An evaluation is the same one where name and digest are the same, the digest being of everything that decides
its rows; then its items are put together, each once. Rows come from an attached log. Like session_transfer,
it checks nothing but what could mix two evaluations up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gazeviz.errors import UserError
from gazeviz.store import session_transfer
from gazeviz.store.connection import immediate
from gazeviz.store.evaluations import FIRST_WITH_EVALUATIONS
from gazeviz.store.faults import LogFault, faults_told
from gazeviz.store.reader import LogReader
from gazeviz.store.session_store import open_to_write
from gazeviz.store.upkeep import check

_ITEM: Final = """evaluation_id, picture, condition, turn, target, n_regions, text, junk, unchanged, area_px,
    mass_before, mass_after, same_tokens, first_tok, n_tok, token_ids"""
_JUDGED: Final = "judge, chosen, complete, latency_tok, judged_s"


@dataclass(frozen=True)
class Merged:
    """What a log got: rows that it did not have."""

    evaluations: int
    items: int
    judgements: int

    def __add__(self, other: Merged) -> Merged:
        return Merged(
            self.evaluations + other.evaluations,
            self.items + other.items,
            self.judgements + other.judgements,
        )


def merge_log(log: Path, file: Path) -> Merged:
    """Put the evaluations of another log into one, which may be open; both are as they were where it fails.

    LogFault for a file that is no sound log, UserError where it has another evaluation of a name.
    """
    if file.absolute() == log.absolute():
        raise UserError("A log cannot be merged into itself.", next_step="Name another file with --log.")
    problems = check(file)
    if problems:
        raise LogFault(
            f"{file.name} is damaged ({problems[0].rstrip('.')}).",
            next_step=f"See gazeviz log check --log {file}.",
        )
    with closing(LogReader(file)) as reader:
        if reader.schema < FIRST_WITH_EVALUATIONS:
            return Merged(0, 0, 0)
    with faults_told(log), closing(open_to_write(log)) as connection:
        session_transfer.attach(connection, file, "incoming")
        with immediate(connection):
            return put_evaluations(connection)


def take_evaluations(small: sqlite3.Connection, log: Path, names: Sequence[str]) -> None:
    """Copy evaluations of `log`, by name, into the log of a session's file; UserError for an unknown name."""
    session_transfer.attach(small, log, "source")
    try:
        with immediate(small):
            for name in names:
                _take_one(small, name)
    finally:
        small.execute("DETACH DATABASE source")


def _take_one(small: sqlite3.Connection, name: str) -> None:
    found = None
    if small.execute("PRAGMA source.user_version").fetchone()[0] >= FIRST_WITH_EVALUATIONS:
        found = small.execute("SELECT id FROM source.evaluations WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise UserError(
            f"The log has no evaluation “{name}”.", next_step="See gazeviz log evaluations for those it has."
        )
    for table, where in (
        ("picture_sets", "fingerprint = (SELECT set_fingerprint FROM source.evaluations WHERE id = :e)"),
        ("evaluations", "id = :e"),
        ("evaluation_tags", "evaluation_id = :e"),
        ("evaluation_items", "evaluation_id = :e"),
        (
            "evaluation_judgements",
            "item_id IN (SELECT id FROM source.evaluation_items WHERE evaluation_id = :e)",
        ),
    ):
        small.execute(
            f"INSERT OR IGNORE INTO main.{table} SELECT * FROM source.{table} WHERE {where}", {"e": found[0]}
        )


def put_evaluations(log: sqlite3.Connection) -> Merged:
    """Add the evaluations of the attached log `incoming` to this one; UserError for two under one name."""
    other = log.execute(
        "SELECT mine.name FROM main.evaluations AS mine JOIN incoming.evaluations AS theirs"
        " ON theirs.name = mine.name WHERE theirs.digest <> mine.digest"
    ).fetchone()
    if other is not None:
        raise UserError(
            f"Both logs have an evaluation called “{other[0]}”, with other pictures, heads or conditions.",
            next_step="Delete one of them with gazeviz log evaluations --delete, or leave it where it is.",
        )
    log.execute("INSERT OR IGNORE INTO main.picture_sets SELECT * FROM incoming.picture_sets")
    known = {row[1] for row in log.execute("PRAGMA main.table_info(evaluations)")} - {"id"}
    columns = ", ".join(sorted(known))
    n = log.execute(
        f"INSERT OR IGNORE INTO main.evaluations({columns}) SELECT {columns} FROM incoming.evaluations"
    ).rowcount
    here = """SELECT theirs.id AS there, mine.id AS here FROM incoming.evaluations AS theirs
        JOIN main.evaluations AS mine ON mine.name = theirs.name"""
    log.execute(
        f"INSERT OR IGNORE INTO main.evaluation_tags SELECT pairs.here, tag FROM incoming.evaluation_tags"
        f" JOIN ({here}) AS pairs ON pairs.there = evaluation_id"
    )
    values = _ITEM.replace("evaluation_id", "pairs.here", 1)
    n_items = log.execute(
        f"INSERT OR IGNORE INTO main.evaluation_items({_ITEM}) SELECT {values} FROM incoming.evaluation_items"
        f" JOIN ({here}) AS pairs ON pairs.there = evaluation_id"
    ).rowcount
    n_judged = log.execute(
        f"""INSERT OR IGNORE INTO main.evaluation_judgements(item_id, {_JUDGED})
            SELECT mine.id, {_JUDGED} FROM incoming.evaluation_judgements AS said
            JOIN incoming.evaluation_items AS theirs ON theirs.id = said.item_id
            JOIN ({here}) AS pairs ON pairs.there = theirs.evaluation_id
            JOIN main.evaluation_items AS mine ON mine.evaluation_id = pairs.here
            AND mine.picture = theirs.picture AND mine.condition = theirs.condition
            AND mine.turn = theirs.turn AND mine.target = theirs.target"""
    ).rowcount
    _settle(log)
    return Merged(n, n_items, n_judged)


def _settle(log: sqlite3.Connection) -> None:
    """Whole evaluations are done, those that a shard was broken off in are paused."""
    log.execute(
        """UPDATE main.evaluations SET state = CASE WHEN n_items = (SELECT count(*) FROM main.evaluation_items
            WHERE evaluation_id = evaluations.id) THEN 'done' ELSE 'paused' END, message = ''
            WHERE name IN (SELECT name FROM incoming.evaluations)"""
    )
