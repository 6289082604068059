"""The tables of the log, and every change that they have been through, in order.

A migration that has been released is never edited: the next one changes what it made. All pending ones are
applied in a single immediate transaction, so a second window waits and then finds them done. Tables are named
in plain words; Datasette shows them as they are.
"""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gazeviz.store.connection import APPLICATION_ID, SCHEMA, immediate, schema_of
from gazeviz.store.stand_ins import Columns, columns_of

MIGRATIONS: Final = Migrations("gazeviz")

_FIRST = (
    # Whoever had the log open: a run that it left unfinished is lost when it is gone.
    """CREATE TABLE openings (
        id INTEGER PRIMARY KEY, program TEXT NOT NULL, pid INTEGER NOT NULL, process_began TEXT NOT NULL,
        host TEXT NOT NULL, opened_s REAL NOT NULL, closed_s REAL)""",
    """CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        is_named INTEGER NOT NULL DEFAULT 0, started_s REAL NOT NULL,
        opening_id INTEGER REFERENCES openings(id), imported_from TEXT, deleted_s REAL)""",
    # data NULL: the values lie beside the log, in arrays/<digest>.npz.
    """CREATE TABLE arrays (
        digest TEXT PRIMARY KEY, dtype TEXT NOT NULL, shape TEXT NOT NULL, n_bytes INTEGER NOT NULL,
        data BLOB)""",
    # kept: "bytes" (data), "beside" (pictures/<file_sha256>.<suffix>) or "path" (only where it was).
    """CREATE TABLE images (
        id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL, width_px INTEGER NOT NULL,
        height_px INTEGER NOT NULL, layout TEXT, captions TEXT NOT NULL, kept TEXT NOT NULL, path TEXT,
        file_sha256 TEXT, suffix TEXT, n_bytes INTEGER, data BLOB, thumbnail BLOB, saved_s REAL NOT NULL)""",
    """CREATE TABLE session_images (
        session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE, image_sha256 TEXT NOT NULL,
        PRIMARY KEY (session_id, image_sha256)) WITHOUT ROWID""",
    """CREATE TABLE regions (
        digest TEXT PRIMARY KEY, name TEXT NOT NULL, colour TEXT, width_px INTEGER NOT NULL,
        height_px INTEGER NOT NULL, area_px INTEGER NOT NULL,
        mask TEXT NOT NULL REFERENCES arrays(digest))""",
    """CREATE TABLE region_edits (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        image_sha256 TEXT NOT NULL, saved_s REAL NOT NULL, names TEXT NOT NULL, regions TEXT NOT NULL)""",
    "CREATE INDEX region_edits_by_image ON region_edits(image_sha256, id)",
    "CREATE INDEX region_edits_by_session ON region_edits(session_id, id)",
    """CREATE TABLE models (
        id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, name TEXT NOT NULL,
        family TEXT NOT NULL, path TEXT NOT NULL, device TEXT NOT NULL, dtype TEXT NOT NULL,
        layers INTEGER NOT NULL, heads_per_layer INTEGER NOT NULL, n_parameters INTEGER NOT NULL,
        info TEXT NOT NULL, saved_s REAL NOT NULL)""",
    # part_of, half: the same ranking from one half of the strips.
    """CREATE TABLE head_rankings (
        id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        model_fingerprint TEXT NOT NULL, model TEXT, n_strips INTEGER, layers INTEGER NOT NULL,
        heads_per_layer INTEGER NOT NULL, matrix TEXT REFERENCES arrays(digest),
        part_of INTEGER REFERENCES head_rankings(id) ON DELETE CASCADE, half INTEGER,
        saved_s REAL NOT NULL)""",
    "CREATE INDEX head_rankings_by_model ON head_rankings(model_fingerprint, id)",
    "CREATE INDEX head_rankings_by_part ON head_rankings(part_of)",
    """CREATE TABLE session_rankings (
        session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        ranking_id INTEGER NOT NULL REFERENCES head_rankings(id) ON DELETE CASCADE,
        PRIMARY KEY (session_id, ranking_id)) WITHOUT ROWID""",
    """CREATE TABLE head_scores (
        ranking_id INTEGER NOT NULL REFERENCES head_rankings(id) ON DELETE CASCADE, layer INTEGER NOT NULL,
        head INTEGER NOT NULL, score REAL NOT NULL, PRIMARY KEY (ranking_id, layer, head)) WITHOUT ROWID""",
    """CREATE TABLE head_sets (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, model_fingerprint TEXT NOT NULL, heads TEXT NOT NULL,
        n_heads INTEGER NOT NULL, origin TEXT NOT NULL, head_set TEXT NOT NULL,
        session_id INTEGER REFERENCES sessions(id) ON DELETE SET NULL, saved_s REAL NOT NULL,
        removed_s REAL)""",
    "CREATE INDEX head_sets_by_model ON head_sets(model_fingerprint, name)",
    "CREATE INDEX head_sets_by_session ON head_sets(session_id)",
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        opening_id INTEGER REFERENCES openings(id), model_id INTEGER NOT NULL REFERENCES models(id),
        image_sha256 TEXT NOT NULL, side TEXT NOT NULL, state TEXT NOT NULL, started_s REAL NOT NULL,
        ended_s REAL, prompt TEXT NOT NULL, heads TEXT, n_heads INTEGER, target TEXT, target_colour TEXT,
        mode TEXT, strength TEXT, strength_number REAL, scope TEXT, text TEXT NOT NULL DEFAULT '',
        finish TEXT, junk TEXT, n_tok INTEGER, seconds REAL, mass_before REAL, mass_after REAL,
        verdict TEXT, verdict_ok INTEGER, replayed_s REAL, replay_same INTEGER,
        starred INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', deleted_s REAL)""",
    "CREATE INDEX runs_shown ON runs(side, id) WHERE deleted_s IS NULL",
    "CREATE INDEX runs_by_session ON runs(session_id, side, id)",
    "CREATE INDEX runs_by_image ON runs(image_sha256, id)",
    "CREATE INDEX runs_by_model ON runs(model_id, id)",
    "CREATE INDEX runs_by_state ON runs(state, id)",
    "CREATE INDEX runs_by_target ON runs(target, id)",
    "CREATE INDEX runs_starred ON runs(id) WHERE starred = 1",
    "CREATE INDEX runs_junk ON runs(id) WHERE junk IS NOT NULL",
    "CREATE INDEX runs_deleted ON runs(deleted_s) WHERE deleted_s IS NOT NULL",
    # Apart from runs, so that the list of runs stays small enough to be searched at once.
    """CREATE TABLE run_records (
        run_id INTEGER PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE, spec TEXT NOT NULL,
        summary TEXT)""",
    # masses, weighted, control: JSON lists by region; map: float32, little-endian, one for each image token.
    """CREATE TABLE run_steps (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
        number INTEGER NOT NULL, job INTEGER NOT NULL, token_id INTEGER NOT NULL, text TEXT NOT NULL,
        logprob REAL, ms REAL, target TEXT, looks_at INTEGER, masses TEXT NOT NULL, weighted TEXT NOT NULL,
        control TEXT, map BLOB NOT NULL, UNIQUE (run_id, number))""",
    """CREATE TABLE run_tags (
        run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, tag TEXT NOT NULL,
        PRIMARY KEY (run_id, tag)) WITHOUT ROWID""",
    "CREATE INDEX run_tags_by_tag ON run_tags(tag, run_id)",
    """CREATE TABLE judgements (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
        judge TEXT NOT NULL, verdict TEXT NOT NULL, ok INTEGER, judged_s REAL NOT NULL,
        UNIQUE (run_id, judge))""",
    """CREATE TABLE notes (
        id INTEGER PRIMARY KEY, run_id INTEGER UNIQUE REFERENCES runs(id) ON DELETE CASCADE,
        session_id INTEGER UNIQUE REFERENCES sessions(id) ON DELETE CASCADE, text TEXT NOT NULL,
        edited_s REAL NOT NULL, CHECK ((run_id IS NULL) <> (session_id IS NULL)))""",
    """CREATE VIEW run_texts AS SELECT runs.id AS rowid, prompt, runs.text AS text, notes.text AS note
        FROM runs LEFT JOIN notes ON notes.run_id = runs.id""",
    """CREATE VIRTUAL TABLE run_search USING fts5(
        prompt, text, note, content = 'run_texts', tokenize = 'unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER run_added AFTER INSERT ON runs BEGIN
        INSERT INTO run_search(rowid, prompt, text, note) VALUES (new.id, new.prompt, new.text, NULL); END""",
    """CREATE TRIGGER run_rewritten AFTER UPDATE OF prompt, text ON runs
        WHEN old.prompt IS NOT new.prompt OR old.text IS NOT new.text BEGIN
        INSERT INTO run_search(run_search, rowid, prompt, text, note) VALUES ('delete', old.id, old.prompt,
            old.text, (SELECT text FROM notes WHERE run_id = old.id));
        INSERT INTO run_search(rowid, prompt, text, note) VALUES (new.id, new.prompt, new.text,
            (SELECT text FROM notes WHERE run_id = new.id)); END""",
    """CREATE TRIGGER run_removed BEFORE DELETE ON runs BEGIN
        INSERT INTO run_search(run_search, rowid, prompt, text, note) VALUES ('delete', old.id, old.prompt,
            old.text, (SELECT text FROM notes WHERE run_id = old.id));
        DELETE FROM notes WHERE run_id = old.id; END""",
    """CREATE TRIGGER note_added AFTER INSERT ON notes WHEN new.run_id IS NOT NULL BEGIN
        INSERT INTO run_search(run_search, rowid, prompt, text, note)
            SELECT 'delete', id, prompt, text, NULL FROM runs WHERE id = new.run_id;
        INSERT INTO run_search(rowid, prompt, text, note)
            SELECT id, prompt, text, new.text FROM runs WHERE id = new.run_id; END""",
    """CREATE TRIGGER note_rewritten AFTER UPDATE OF text ON notes WHEN new.run_id IS NOT NULL BEGIN
        INSERT INTO run_search(run_search, rowid, prompt, text, note)
            SELECT 'delete', id, prompt, text, old.text FROM runs WHERE id = old.run_id;
        INSERT INTO run_search(rowid, prompt, text, note)
            SELECT id, prompt, text, new.text FROM runs WHERE id = new.run_id; END""",
    # What a person reads in Datasette: times as times, names instead of numbers.
    """CREATE VIEW runs_in_words AS SELECT runs.id AS run, sessions.name AS session,
        datetime(runs.started_s, 'unixepoch', 'localtime') AS started, side, state, models.name AS model,
        images.name AS picture, prompt, target, heads, mode, strength, runs.text AS text, junk, verdict,
        n_tok AS tokens, round(seconds, 2) AS seconds, round(mass_before, 3) AS mass_before,
        round(mass_after, 3) AS mass_after, starred, notes.text AS note
        FROM runs JOIN sessions ON sessions.id = runs.session_id JOIN models ON models.id = runs.model_id
        LEFT JOIN images ON images.sha256 = runs.image_sha256 LEFT JOIN notes ON notes.run_id = runs.id
        WHERE runs.deleted_s IS NULL""",
)


_TOKEN_GRIDS: Final = """CREATE TABLE token_grids (
        digest TEXT PRIMARY KEY, n_tok INTEGER NOT NULL, width_px INTEGER NOT NULL,
        height_px INTEGER NOT NULL, fed_width_px INTEGER NOT NULL, fed_height_px INTEGER NOT NULL,
        grid_rows INTEGER, grid_columns INTEGER, note TEXT NOT NULL,
        boxes TEXT NOT NULL REFERENCES arrays(digest))"""
"""Rows and columns of a plain grid, NULL for any other; runs refer to grids in what became of them."""


@MIGRATIONS(name="0001 tables")
def _tables(db: Database) -> None:
    for statement in _FIRST:
        db.execute(statement)


@MIGRATIONS(name="0002 token grids")
def _token_grids(db: Database) -> None:
    db.execute(_TOKEN_GRIDS)


_RUNS_IN_WORDS: Final = """CREATE VIEW runs_in_words AS SELECT runs.id AS run, sessions.name AS session,
        datetime(runs.started_s, 'unixepoch', 'localtime') AS started, side, state, models.name AS model,
        runs.picture AS picture, prompt, target, heads, mode, strength, runs.text AS text, junk, verdict,
        n_tok AS tokens, round(seconds, 2) AS seconds, round(mass_before, 3) AS mass_before,
        round(mass_after, 3) AS mass_after, starred, notes.text AS note
        FROM runs JOIN sessions ON sessions.id = runs.session_id JOIN models ON models.id = runs.model_id
        LEFT JOIN notes ON notes.run_id = runs.id WHERE runs.deleted_s IS NULL"""
_OWN_OF_RUNS: Final = (
    "ALTER TABLE runs ADD COLUMN picture TEXT",
    "ALTER TABLE runs ADD COLUMN picture_path TEXT",
    "ALTER TABLE runs ADD COLUMN ranking TEXT",
    # What the pictures are called now is all that an older log still knows.
    """UPDATE runs SET picture = (SELECT name FROM images WHERE sha256 = image_sha256),
        picture_path = (SELECT path FROM images WHERE sha256 = image_sha256)""",
    "DROP VIEW runs_in_words",
    _RUNS_IN_WORDS,
)
_SEARCH_PARTS: Final = (
    # Beside the index of words one of every three letters in a row: for parts of words, and for texts without
    # spaces between them.
    """CREATE VIRTUAL TABLE run_parts USING fts5(
        prompt, text, note, content = 'run_texts', tokenize = 'trigram')""",
    """CREATE TRIGGER run_added_to_parts AFTER INSERT ON runs BEGIN
        INSERT INTO run_parts(rowid, prompt, text, note) VALUES (new.id, new.prompt, new.text, NULL); END""",
    """CREATE TRIGGER run_rewritten_in_parts AFTER UPDATE OF prompt, text ON runs
        WHEN old.prompt IS NOT new.prompt OR old.text IS NOT new.text BEGIN
        INSERT INTO run_parts(run_parts, rowid, prompt, text, note) VALUES ('delete', old.id, old.prompt,
            old.text, (SELECT text FROM notes WHERE run_id = old.id));
        INSERT INTO run_parts(rowid, prompt, text, note) VALUES (new.id, new.prompt, new.text,
            (SELECT text FROM notes WHERE run_id = new.id)); END""",
    # As run_removed it has to come before the note is gone, and triggers have no order: one for both.
    "DROP TRIGGER run_removed",
    """CREATE TRIGGER run_removed BEFORE DELETE ON runs BEGIN
        INSERT INTO run_search(run_search, rowid, prompt, text, note) VALUES ('delete', old.id, old.prompt,
            old.text, (SELECT text FROM notes WHERE run_id = old.id));
        INSERT INTO run_parts(run_parts, rowid, prompt, text, note) VALUES ('delete', old.id, old.prompt,
            old.text, (SELECT text FROM notes WHERE run_id = old.id));
        DELETE FROM notes WHERE run_id = old.id; END""",
    """CREATE TRIGGER note_added_to_parts AFTER INSERT ON notes WHEN new.run_id IS NOT NULL BEGIN
        INSERT INTO run_parts(run_parts, rowid, prompt, text, note)
            SELECT 'delete', id, prompt, text, NULL FROM runs WHERE id = new.run_id;
        INSERT INTO run_parts(rowid, prompt, text, note)
            SELECT id, prompt, text, new.text FROM runs WHERE id = new.run_id; END""",
    """CREATE TRIGGER note_rewritten_in_parts AFTER UPDATE OF text ON notes WHEN new.run_id IS NOT NULL BEGIN
        INSERT INTO run_parts(run_parts, rowid, prompt, text, note)
            SELECT 'delete', id, prompt, text, old.text FROM runs WHERE id = old.run_id;
        INSERT INTO run_parts(rowid, prompt, text, note)
            SELECT id, prompt, text, new.text FROM runs WHERE id = new.run_id; END""",
    "INSERT INTO run_parts(run_parts) VALUES ('rebuild')",
)


@MIGRATIONS(name="0003 identity of the log, pictures and rankings of runs, parts of words")
def _identity(db: Database) -> None:
    db.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    db.execute("INSERT INTO about VALUES ('identity', ?)", [uuid.uuid4().hex])
    for statement in (*_OWN_OF_RUNS, *_SEARCH_PARTS):
        db.execute(statement)


_EVALUATIONS: Final = (
    # source, spec: JSON; pictures: their names and digests, in order.
    """CREATE TABLE picture_sets (
        fingerprint TEXT PRIMARY KEY, source TEXT NOT NULL, n_pictures INTEGER NOT NULL,
        n_regions INTEGER NOT NULL, pictures TEXT NOT NULL, saved_s REAL NOT NULL)""",
    # digest: of everything that decides rows; spec: also the name and the judge.
    """CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, protocol TEXT NOT NULL,
        spec TEXT NOT NULL, set_fingerprint TEXT NOT NULL REFERENCES picture_sets(fingerprint),
        model_fingerprint TEXT NOT NULL, n_items INTEGER NOT NULL, state TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '', started_s REAL NOT NULL, ended_s REAL,
        starred INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '', deleted_s REAL)""",
    """CREATE TABLE evaluation_tags (
        evaluation_id INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE, tag TEXT NOT NULL,
        PRIMARY KEY (evaluation_id, tag)) WITHOUT ROWID""",
    """CREATE TABLE evaluation_items (
        id INTEGER PRIMARY KEY,
        evaluation_id INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
        picture INTEGER NOT NULL, condition TEXT NOT NULL, turn INTEGER NOT NULL, target INTEGER NOT NULL,
        n_regions INTEGER NOT NULL, text TEXT NOT NULL, junk TEXT, unchanged INTEGER NOT NULL,
        area_px REAL NOT NULL, mass_before REAL, mass_after REAL, same_tokens INTEGER,
        first_tok INTEGER NOT NULL, n_tok INTEGER NOT NULL, token_ids TEXT NOT NULL,
        UNIQUE (evaluation_id, picture, condition, turn, target))""",
    # chosen: the region described, from 0, NULL for none; the same judge judges an item once.
    """CREATE TABLE evaluation_judgements (
        id INTEGER PRIMARY KEY,
        item_id INTEGER NOT NULL REFERENCES evaluation_items(id) ON DELETE CASCADE,
        judge TEXT NOT NULL, chosen INTEGER, complete INTEGER, latency_tok INTEGER, judged_s REAL NOT NULL,
        UNIQUE (item_id, judge))""",
)


@MIGRATIONS(name="0004 picture sets, evaluations, their items and judgements")
def _evaluations(db: Database) -> None:
    for statement in _EVALUATIONS:
        db.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the present schema; without effect where it is there, or beyond."""
    with immediate(connection):
        if schema_of(connection) >= SCHEMA:
            return  # another window was quicker
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        MIGRATIONS.apply(Database(connection, execute_plugins=False, recursive_triggers=False))
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def schema_sql(version: int) -> set[tuple[str, str, str | None]]:
    """Return type, name and SQL of everything that a file of a version holds, as sqlite_master tells it."""
    with closing(empty_log(version)) as connection:
        return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))


def schema_columns(version: int) -> Columns:
    """Return the columns of the tables that a file of a version holds."""
    with closing(empty_log(version)) as connection:
        return columns_of(connection)


def empty_log(version: int = SCHEMA) -> sqlite3.Connection:
    """Return an empty log of a version, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database = Database(connection, execute_plugins=False, recursive_triggers=False)
    later = [migration.name for migration in MIGRATIONS.pending(database)][version:]
    MIGRATIONS.apply(database, stop_before=later)
    return connection
