"""`gazeviz log evaluations` and `gazeviz log merge`: evaluations found again, marked, and put together."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import logged
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from gazeviz.store.evaluations import EvaluationLog, StoredEvaluation

EVALUATIONS_HELP = "List evaluations, find them by words, mark them, or lay several beside each other."
MERGE_HELP = "Put the evaluations of other logs into this one, as after --shard on several machines."


def add_evaluations(parser: argparse.ArgumentParser) -> None:
    """Add words to look for, and what is done to the evaluation that is named."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD",
        help="words of names, pictures, notes, tags and answers; tag:odd, is:starred",
    )  # fmt: skip
    parser.add_argument(
        "--compare", nargs="+", metavar="NAME", help="conditions of two or more evaluations side by side"
    )
    marks = parser.add_argument_group("marks")
    marks.add_argument("--name", metavar="NAME", help="the evaluation that is marked")
    marks.add_argument("--tag", default="", metavar="TAG")
    marks.add_argument("--untag", default="", metavar="TAG")
    marks.add_argument("--note", metavar="TEXT", help="takes the place of the note that is there")
    marks.add_argument("--star", action=argparse.BooleanOptionalAction, default=None)
    marks.add_argument("--delete", action="store_true", help="until gazeviz log vacuum it can come back")
    marks.add_argument("--restore", action="store_true", help="bring a deleted one back")


def show_evaluations(options: argparse.Namespace, terminal: Terminal) -> int:
    """Mark one, compare several, or list those that are found."""
    if options.compare:
        return _compare(options, terminal)
    if options.name is not None:
        _mark(options)
    from gazeviz.store.evaluations import found_evaluations

    with logged.open_log(options) as reader:
        found = found_evaluations(reader, options.words)
    columns = ("name", "state", "answers", "protocol", "pictures", "judge", "tags", "note")
    terminal.answer(
        {"evaluations": [_document(one) for one in found]}, table(columns, [_row(one) for one in found])
    )
    return 0


def _document(one: StoredEvaluation) -> dict[str, Any]:
    return {
        "name": one.name, "state": one.state, "message": one.message, "done": one.n_done,
        "items": one.n_items, "protocol": one.spec.protocol.name, "pictures": str(one.spec.source),
        "judge": one.spec.judge, "started_s": one.started_s, "starred": one.starred, "note": one.note,
        "tags": list(one.tags),
    }  # fmt: skip


def _row(one: StoredEvaluation) -> tuple[str, ...]:
    return (
        escape(("★ " if one.starred else "") + one.name), one.state, f"{one.n_done} of {one.n_items}",
        one.spec.protocol.name, escape(str(one.spec.source)), escape(one.spec.judge),
        escape(", ".join(one.tags)), escape(one.note),
    )  # fmt: skip


def _mark(options: argparse.Namespace) -> None:
    from gazeviz.store import SessionStore
    from gazeviz.store.evaluations import EvaluationLog

    path = logged.log_path(options).absolute()
    if not path.exists():
        raise UserError(f"There is no log {path}.", next_step="Name one with --log.")
    with closing(SessionStore(path, program="gazeviz log evaluations")) as store:
        kept = EvaluationLog(store)
        deleted = True if options.delete else False if options.restore else None
        kept.mark(
            _number(kept, options), starred=options.star, note=options.note, tag=options.tag.strip(),
            untag=options.untag.strip(), deleted=deleted,
        )  # fmt: skip


def _number(kept: EvaluationLog, options: argparse.Namespace) -> int:
    number = kept.number(options.name)
    if number is None:
        raise UserError(
            f"The log has no evaluation “{options.name}”.", next_step="See gazeviz log evaluations."
        )
    return number


def _compare(options: argparse.Namespace, terminal: Terminal) -> int:
    """Conditions down, evaluations across; what an evaluation has not is left empty."""
    from gazeviz.store.evaluations import evaluation_result

    if len(options.compare) < 2:
        raise UserError("One evaluation is compared with nothing.", next_step="Name two or more.")
    with logged.open_log(options) as reader:
        results = [evaluation_result(reader, name) for name in options.compare]
    found = [{row["condition"]: row for row in result.table()} for result in results]
    names = list(dict.fromkeys(name for rows in found for name in rows))
    document = {
        "evaluations": options.compare,
        "judges": [result.judged_by for result in results],
        "conditions": [{"name": name, "figures": [rows.get(name) for rows in found]} for name in names],
    }
    lines = [(escape(name), *(_share(rows.get(name)) for rows in found)) for name in names]
    columns = ("condition", *(escape(name) for name in options.compare))
    judges = {result.judged_by for result in results}
    told = [] if len(judges) == 1 else [f"judged by {escape(', '.join(r.judged_by for r in results))}"]
    terminal.answer(document, table(columns, lines, right=tuple(range(1, len(columns)))), *told)
    return 0


def _share(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return f"{100 * row['accuracy']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def add_merge(parser: argparse.ArgumentParser) -> None:
    """Add the logs that are merged in."""
    parser.add_argument("files", nargs="+", type=Path, metavar="LOG", help="logs; they are only read")


def merge(options: argparse.Namespace, terminal: Terminal) -> int:
    """Take the rows of every log that this one does not have."""
    from gazeviz.store import SessionStore
    from gazeviz.store.evaluation_transfer import Merged, merge_log

    path = logged.log_path(options).absolute()
    SessionStore(path, program="gazeviz log merge").close()  # makes it, or brings it to the present schema
    total = Merged(0, 0, 0)
    for file in options.files:
        total = total + merge_log(path, user_path(file).absolute())
    terminal.answer(
        {"log": str(path), **vars(total)},
        f"{total.evaluations} new evaluations, {total.items} answers and {total.judgements} judgements"
        f" more in {escape(str(path))}",
    )
    return 0
