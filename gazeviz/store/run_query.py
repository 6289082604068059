"""Which runs a person wants to see, in which order, and the light rows that a list of runs shows.

`RunFilter.parse` reads what is typed into the search box: words are looked for in prompts, texts and notes;
`column:value` narrows one column, `strength:>4` compares, `is:starred` and `is:junk` ask for marks. Makes
SQL, but knows no connection. No value ever becomes part of the SQL itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.messages import Side
from gazeviz.errors import UserError
from gazeviz.store.codec import moment_of, text_of
from gazeviz.store.reader import LogReader

Operator: TypeAlias = Literal["has", "is", "above", "below", "at_least", "at_most"]
SortKey: TypeAlias = Literal[
    "started", "session", "model", "picture", "prompt", "heads", "target", "strength", "text", "verdict",
    "tokens", "seconds", "state", "starred",
]  # fmt: skip
SORT_KEYS: Final[tuple[SortKey, ...]] = get_args(SortKey)
LISTED_SIDES: Final[tuple[Side, ...]] = ("baseline", "steered")

_TEXTS: Final = {
    "session": "sessions.name",
    "model": "models.name",
    "picture": "runs.picture",
    "prompt": "runs.prompt",
    "heads": "runs.heads",
    "target": "runs.target",
    "mode": "runs.mode",
    "scope": "runs.scope",
    "strength": "runs.strength",
    "text": "runs.text",
    "note": "notes.text",
    "verdict": "runs.verdict",
    "state": "runs.state",
    "side": "runs.side",
}
_NUMBERS: Final = {
    "id": "runs.id",
    "strength": "runs.strength_number",
    "tokens": "runs.n_tok",
    "seconds": "runs.seconds",
    "n_heads": "runs.n_heads",
    "started": "runs.started_s",
}
COLUMNS: Final = tuple(dict.fromkeys([*_TEXTS, *_NUMBERS]))
_SEARCHED: Final = ("prompt", "text", "note")
_INDEXED_LETTERS: Final = 3
"""The full-text index knows every three letters in a row; for fewer of them each text is looked through: of
100,000 runs 80 ms against 1.6."""
_SORTS: Final = {
    "started": "runs.id",
    "tokens": "runs.n_tok",
    "seconds": "runs.seconds",
    "strength": "runs.strength_number",
    "starred": "runs.starred",
}
_OPERATORS: Final = {"is": "=", "above": ">", "below": "<", "at_least": ">=", "at_most": "<="}
_SIGNS: Final[dict[str, Operator]] = {
    ">=": "at_least", "<=": "at_most", ">": "above", "<": "below", "=": "is"
}  # fmt: skip
_PART: Final = re.compile(r'\s*(?:([a-z_]+):\s*)?([<>]=?|=)?\s*(?:["“]([^"“”]*)["”]?|(\S+))', re.IGNORECASE)
_ALIASES: Final = {"judge": "verdict", "image": "picture", "head": "heads", "run": "id"}

_JOINS: Final = {
    "sessions": "JOIN sessions ON sessions.id = runs.session_id",
    "models": "JOIN models ON models.id = runs.model_id",
    "notes": "LEFT JOIN notes ON notes.run_id = runs.id",
}


@dataclass(frozen=True)
class Match:
    """One column of COLUMNS against a value; "has" finds a part of a text, without regard to case (ASCII)."""

    column: str
    value: str | float
    operator: Operator = "has"

    def __post_init__(self) -> None:
        if self.column not in COLUMNS:
            raise UserError(
                f"Runs have no “{self.column}” to filter by.", next_step=f"Use one of: {', '.join(COLUMNS)}."
            )


@dataclass(frozen=True)
class RunFilter:
    """Which runs: all conditions hold. Deleted runs are only shown where they are asked for.

    words: each has to begin a word of prompt, text or note, accents aside; or each has to stand somewhere in
        them, as a part of a word.
    """

    words: str = ""
    matches: tuple[Match, ...] = ()
    session_id: int | None = None
    tag: str | None = None
    starred: bool = False
    junk: bool = False
    states: tuple[str, ...] = ()
    sides: tuple[Side, ...] = LISTED_SIDES
    deleted: bool = False

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        """Read what is typed into a search box; UserError for a mark that there is none of."""
        words: list[str] = []
        wanted = cls()
        for named, sign, quoted, plain in _PART.findall(text):
            column, value = _ALIASES.get(named.lower(), named.lower()), quoted or plain
            if column == "tag":
                wanted = replace(wanted, tag=value)
            elif column == "is":
                wanted = wanted._marked(value.lower())
            elif column in COLUMNS:
                wanted = replace(wanted, matches=(*wanted.matches, _match(column, sign, value)))
            else:
                words.append(f"{named}:{sign}{value}" if named else f"{sign}{value}")
        return replace(wanted, words=" ".join(words))

    def _marked(self, mark: str) -> RunFilter:
        if mark in ("starred", "junk", "deleted"):
            starred, junk, deleted = (mark == named for named in ("starred", "junk", "deleted"))
            return replace(
                self,
                starred=self.starred or starred,
                junk=self.junk or junk,
                deleted=self.deleted or deleted,
            )
        if mark in LISTED_SIDES:
            return replace(self, sides=(mark,))
        if mark in ("queued", "running", "done", "cancelled", "failed", "lost"):
            return replace(self, states=(*self.states, mark))
        raise UserError(
            f"Runs have no mark “{mark}”.",
            next_step="Use is:starred, is:junk, is:deleted, is:steered, is:baseline or is:lost.",
        )

    def sql(self, also: str = "") -> tuple[str, list[Any]]:
        """Return "FROM ... WHERE ..." and its values. also: other SQL whose tables have to be there."""
        conditions, values = self._narrowing()
        if self.sides:
            # A "+" keeps SQLite from its index of sides, which only helps to count everything.
            keep_off = "+" if conditions or also else ""
            conditions.append(f"{keep_off}runs.side IN ({', '.join('?' * len(self.sides))})")
            values += self.sides
        conditions.append(f"runs.deleted_s IS {'NOT ' if self.deleted else ''}NULL")
        where = " AND ".join(conditions)
        return f"FROM runs {joins_of(where + also)} WHERE {where}", values

    def _narrowing(self) -> tuple[list[str], list[Any]]:
        """The conditions that leave out what a list shows by itself."""
        conditions: list[str] = []
        values: list[Any] = []
        for word, part in zip(_searches(self, " *"), _searches(self, ""), strict=True):
            # Each by itself: one index knows accents, the other parts of words, and a search may need both.
            conditions.append(
                "runs.id IN (SELECT rowid FROM run_search WHERE run_search MATCH ? "
                "UNION SELECT rowid FROM run_parts WHERE run_parts MATCH ?)"
            )
            values += (word, part)
        if self.states:
            conditions.append(f"runs.state IN ({', '.join('?' * len(self.states))})")
            values += self.states
        tagged = "runs.id IN (SELECT run_id FROM run_tags WHERE tag = ?)"
        for condition, value in (("runs.session_id = ?", self.session_id), (tagged, self.tag)):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        # Few of many: asked like this, their own small indexes answer.
        conditions += ["runs.id IN (SELECT id FROM runs WHERE starred = 1)"] * self.starred
        conditions += ["runs.id IN (SELECT id FROM runs WHERE junk IS NOT NULL)"] * self.junk
        for condition, value in map(_condition, _unsearched(self)):
            conditions.append(condition)
            values.append(value)
        for word in (word for word in self.words.split() if not _is_indexed(word)):
            condition, pattern = _short_word(word)
            conditions.append(condition)
            values += [pattern] * condition.count("?")
        if self.words and all(map(_is_punctuation, self.words)):
            conditions.append("0")
        return conditions, values


@dataclass(frozen=True)
class RunRow:
    """A run as a list shows it: nothing of it has to be decoded.

    heads, target, mode, strength: in words, "" for a baseline.  tags: in alphabetical order.
    verdict_ok: whether the judge found the target described, None where that is no question.
    replay_same: whether a replay gave the same tokens, None where nobody tried.
    """

    id: int
    session_id: int
    session: str
    side: str
    state: str
    message: str
    started_s: float
    model: str
    model_fingerprint: str
    image_sha256: str
    picture: str
    prompt: str
    heads: str
    n_heads: int
    target: str
    target_colour: str | None
    mode: str
    strength: str
    text: str
    junk: str | None
    n_tok: int
    seconds: float | None
    mass_before: float | None
    mass_after: float | None
    verdict: str
    verdict_ok: bool | None
    replayed_s: float | None
    replay_same: bool | None
    starred: bool
    tags: tuple[str, ...]
    note: str


TAG_SEPARATOR: Final = "\x1f"
LINE_SQL: Final = f"""SELECT runs.id, runs.session_id, sessions.name, side, state, message, runs.started_s,
    models.name, models.fingerprint, runs.image_sha256, runs.picture, prompt, heads, n_heads, target,
    target_colour, mode, strength, runs.text, junk, n_tok, seconds, mass_before, mass_after, verdict,
    verdict_ok, replayed_s, replay_same, starred,
    (SELECT group_concat(tag, char(31)) FROM (SELECT tag FROM run_tags WHERE run_id = runs.id ORDER BY tag)),
    notes.text FROM runs {" ".join(_JOINS.values())}"""
"""The columns of RunRow, in its order."""


def order_sql(sort: SortKey, descending: bool) -> str:
    """Return "ORDER BY ..."; of equal runs the newer one comes first."""
    if sort not in SORT_KEYS:
        raise UserError(
            f"Runs cannot be sorted by “{sort}”.", next_step=f"Use one of: {', '.join(SORT_KEYS)}."
        )
    direction = "DESC" if descending else "ASC"
    if sort == "started":
        return f"ORDER BY runs.id {direction}"
    expression = _SORTS.get(sort) or f"{_TEXTS[sort]} COLLATE NOCASE"
    return f"ORDER BY {expression} {direction}, runs.id DESC"


def joins_of(sql: str) -> str:
    """Return the joins that an expression needs."""
    return " ".join(join for table, join in _JOINS.items() if f"{table}." in sql)


def search_query(text: str, column: str | None = None, ending: str = " *") -> str:
    """Return an FTS5 query for `text`. ending: " *" finds what begins so, "" the whole of it."""
    quoted = '"' + text.replace('"', '""').replace("\0", " ") + f'"{ending}'
    return quoted if column is None else f"{{{column}}} : {quoted}"


def _match(column: str, sign: str, value: str) -> Match:
    try:
        number = float(value)
    except ValueError:
        if sign not in ("", "="):
            raise UserError(
                f"“{value}” is no number to compare with.", next_step=f"Use one, like {column}:{sign}4."
            ) from None
        return Match(column, value, "is" if sign == "=" else "has")
    if column in _NUMBERS:
        return Match(column, number, _SIGNS.get(sign, "is"))
    return Match(column, value, "is" if sign == "=" else "has")


def _is_searchable(match: Match) -> bool:
    return match.column in _SEARCHED and match.operator == "has" and _is_indexed(str(match.value))


def _is_indexed(text: str) -> bool:
    """Whether the indexes can answer: one knows letters and digits, the other three of anything in a row."""
    return len(text) >= _INDEXED_LETTERS and any(map(str.isalnum, text))


def _short_word(word: str) -> tuple[str, str]:
    """The condition for a word that the index is too coarse for, like many Chinese ones, and its value."""
    parts = [f"{_TEXTS[column]} LIKE ? ESCAPE '\\'" for column in _SEARCHED]
    return f"({' OR '.join(parts)})", _part(word)


def _is_punctuation(letter: str) -> bool:
    """Whether a letter says nothing by itself; emoji do."""
    kind = unicodedata.category(letter)
    return kind[0] in "PZC" or (kind[0] == "S" and letter.isascii())


def _searches(wanted: RunFilter, ending: str) -> list[str]:
    parts = [search_query(word, None, ending) for word in wanted.words.split() if _is_indexed(word)]
    parts += [search_query(str(m.value), m.column, ending) for m in wanted.matches if _is_searchable(m)]
    return parts


def _unsearched(wanted: RunFilter) -> list[Match]:
    return [match for match in wanted.matches if not _is_searchable(match)]


def _part(text: str) -> str:
    """A LIKE pattern for a part of a text."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


def _condition(match: Match) -> tuple[str, Any]:
    is_number = isinstance(match.value, (int, float))
    expression = (_NUMBERS if is_number and match.column in _NUMBERS else _TEXTS).get(match.column)
    expression = expression or _NUMBERS[match.column]
    if match.operator == "has":
        return f"{expression} LIKE ? ESCAPE '\\'", _part(str(match.value))
    collate = "" if is_number else " COLLATE NOCASE"
    return f"{expression} {_OPERATORS[match.operator]} ?{collate}", match.value


# The list of runs: how many there are, which, and their light rows, for lists of a hundred thousand.
#
# A list asks once for the numbers of its runs (`ids`) and then for the rows on the screen (`lines`), so that
# scrolling costs the same everywhere. Nothing is decoded.


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

    def __init__(self, reader: LogReader) -> None:
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

    def lines(self, ids: Sequence[int] | NDArray[np.int64]) -> list[RunRow]:
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
    ) -> list[RunRow]:
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
            "model": "models.name", "picture": "runs.picture", "target": "runs.target",
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


def _line(row: tuple[Any, ...]) -> RunRow:
    fields = dict(zip(RunRow.__dataclass_fields__, row, strict=True))
    for name in ("session", "message", "model", "picture", "prompt", "heads", "target", "mode", "strength",
                 "text", "verdict", "note"):  # fmt: skip
        fields[name] = text_of(fields[name] or "")
    fields["started_s"] = moment_of(fields["started_s"])
    for name in ("verdict_ok", "replay_same"):
        fields[name] = None if fields[name] is None else bool(fields[name])
    fields["n_heads"], fields["n_tok"] = fields["n_heads"] or 0, fields["n_tok"] or 0
    fields["starred"] = bool(fields["starred"])
    fields["tags"] = tuple(fields["tags"].split(TAG_SEPARATOR)) if fields["tags"] else ()
    return RunRow(**fields)
