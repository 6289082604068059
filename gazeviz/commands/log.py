"""`gazeviz log`: what has been done, found again, looked after, and moved from log to log."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gazeviz.commands import logged
from gazeviz.commands.evaluation import kept
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.domain.wording import format_file_size, plural
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from gazeviz.store.reader import LogReader
    from gazeviz.store.run_query import RunFilter, SortKey

HELP = "List, show, check, tidy, back up and move what has been logged."
DONE, WRONG = 0, 1
_DAY_S = 24 * 3600
_LOCALHOST = "127.0.0.1"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add one command for each thing that can be done with a log."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (told, add, _) in ACTIONS.items():
        child = actions.add_parser(name, help=told, description=told)
        _add_shared(child)
        add(child)


def _add_shared(parser: argparse.ArgumentParser) -> None:
    """Options that stand before the action, too; SUPPRESS keeps the one from overwriting the other."""
    for names, told in (
        (("--log",), "the log (GAZEVIZ_LOG, else that of the checkout or the user)"),
        (("--json",), "print one JSON document"),
        (("-q", "--quiet"), "no progress"),
    ):
        flag: dict[str, Any] = {"metavar": "FILE"} if names == ("--log",) else {"action": "store_true"}
        parser.add_argument(*names, default=argparse.SUPPRESS, help=told, **flag)
    parser.add_argument("-v", "--verbose", action="count", default=argparse.SUPPRESS, help="log lines")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Do what the action says."""
    return ACTIONS[options.action][2](options, terminal)


# list


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query",
        nargs="*",
        metavar="WORD",
        help="words of prompts, texts and notes; column:value, strength:>4, tag:odd, is:starred, is:junk",
    )
    parser.add_argument("--sessions", action="store_true", help="list the sessions instead of their runs")
    parser.add_argument("--session", metavar="NAME", help="of one session, by name, number or last")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="rows at most (default: 20)")
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="rows to skip (default: 0)")
    parser.add_argument(
        "--sort",
        default="started",
        metavar="COLUMN",
        help="started, prompt, target, text ... (default: started)",
    )
    parser.add_argument("--ascending", action="store_true", help="ascending")


def _list(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.commands import output
    from gazeviz.store.run_query import RunList

    if options.limit < 0 or options.offset < 0:
        raise UserError("The number of rows cannot be negative.", next_step="Give 0 or more.")
    with logged.open_log(options) as reader:
        if options.sessions:
            sessions = reader.sessions()
            terminal.answer(
                {"sessions": [output.session_document(session) for session in sessions]},
                output.session_table(sessions),
            )
            return DONE
        runs = RunList(reader)
        wanted = _wanted(options, reader)
        lines = runs.page(
            wanted, offset=options.offset, limit=options.limit,
            sort=cast("SortKey", options.sort), descending=not options.ascending,
        )  # fmt: skip
        count = runs.count(wanted)
    document = {"count": count, "runs": [output.line_document(line) for line in lines]}
    terminal.answer(document, output.run_table(lines), f"[dim]{len(lines)} of {count} runs[/]")
    return DONE


def _wanted(options: argparse.Namespace, reader: LogReader) -> RunFilter:
    from dataclasses import replace

    from gazeviz.store.run_query import RunFilter

    # A word of the shell may hold spaces: target:"Panel 4" arrives without its quotes.
    words = [_quoted(word) for word in options.query]
    wanted = RunFilter.parse(" ".join(words))
    if options.session is None:
        return wanted
    return replace(wanted, session_id=logged.named_session(reader, options.session).id)


def _quoted(word: str) -> str:
    column, colon, value = word.partition(":")
    if not colon or " " not in value or '"' in value:
        return word
    sign = value[: len(value) - len(value.lstrip("<>="))]
    return f'{column}:{sign}"{value[len(sign) :]}"'


# show


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's number, a range like 3-8, or last")


def _show(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.commands import output
    from gazeviz.store.run_query import RunList

    with logged.open_log(options) as reader:
        runs = logged.named_runs(reader, options.runs)
        lines = {line.id: line for line in RunList(reader).lines([run.id for run in runs])}
        lost = [run.id for run in runs if run.id not in lines]
        if lost:  # its row holds what no list can sort
            raise UserError(f"The rows of run {lost[0]} are damaged.", next_step="Run gazeviz log check.")
        documents = [output.stored_run_document(run, lines[run.id]) for run in runs]
        shown = [part for run in runs for part in output.run_parts(run, lines[run.id])]
    terminal.answer(documents[0] if len(documents) == 1 else {"runs": documents}, *shown)
    return DONE


# check, vacuum, stats


def _check_options(parser: argparse.ArgumentParser) -> None:
    way_out = parser.add_mutually_exclusive_group()
    way_out.add_argument(
        "--restore", nargs="?", const="", metavar="BACKUP",
        help="restore the last backup (or the one named); the current log is kept under another name",
    )  # fmt: skip
    way_out.add_argument(
        "--mend", action="store_true", help="replace invalid values, such as times that are not numbers"
    )
    way_out.add_argument("--salvage", type=Path, metavar="FILE", help="save what can be read as a new log")


def _check(options: argparse.Namespace, terminal: Terminal) -> int:
    path = logged.log_path(options).absolute()
    if options.restore is not None:
        from gazeviz.store.backup import restore

        named = user_path(options.restore).absolute() if options.restore else None
        backup, aside = restore(path, named)
        parts = [f"{escape(str(backup))} is the log {escape(str(path))} now"]
        if aside is not None:
            parts.append(f"the previous log is kept as {escape(str(aside))}")
        terminal.answer({"restored": str(backup), "kept": aside and str(aside)}, *parts)
        return DONE
    if options.salvage is not None:
        from gazeviz.store.backup import salvage

        out = user_path(options.salvage).absolute()
        saved = salvage(path, out)
        rows = [(name, str(n_rows)) for name, n_rows in saved.items() if n_rows]
        terminal.answer(
            {"salvaged": str(out), "rows": saved},
            table(("table", "rows"), rows, right=(1,)),
            f"wrote {escape(str(out))}; {escape(str(path))} is as it was",
        )
        return DONE
    if options.mend:
        from gazeviz.store.upkeep import mend

        backup, mended = mend(path)
        rows = [(column, str(count)) for column, count in mended.items()]
        lines = [table(("column", "values replaced"), rows, right=(1,))] if rows else ["Nothing to replace."]
        terminal.answer(
            {"mended": mended, "backup": str(backup)}, *lines, f"as it was: {escape(str(backup))}"
        )
        return DONE
    return _problems(path, terminal)


def _problems(path: Path, terminal: Terminal) -> int:
    from gazeviz.store.faults import recovery_step
    from gazeviz.store.upkeep import check

    with terminal.progress(f"checking {path.name}") as report:
        found = check(path, report)
    if not found:
        terminal.answer({"log": str(path), "problems": []}, f"{escape(str(path))} is sound.")
        return DONE
    step = recovery_step(path)
    if any(" holds " in problem for problem in found):
        step = f"Replace invalid values with gazeviz log check --mend. For other damage: {step}"
    terminal.answer(
        {"log": str(path), "problems": found, "next_step": step},
        *(f"[red]✗[/] {escape(problem)}" for problem in found),
        f"[bold]Next:[/]  {escape(step)}",
    )
    return WRONG


def _vacuum_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS",
        help="only runs that were deleted before that (default: 0)",
    )  # fmt: skip


def _vacuum(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.store.upkeep import vacuum

    path = logged.log_path(options).absolute()
    done = vacuum(path, deleted_before_s=time.time() - options.older_than * _DAY_S)
    freed = format_file_size(max(0, done["bytes"]))
    terminal.answer(
        {"log": str(path), **done},
        f"{done['runs']} deleted runs and {done['files']} files removed for good, {freed} freed",
    )
    return DONE


def _stats(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.commands.output import stats_table
    from gazeviz.store.upkeep import stats

    figures = stats(logged.log_path(options).absolute())
    terminal.answer(figures.to_json(), stats_table(figures))
    return DONE


# export, import, backup


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="its name, its number, or last")
    parser.add_argument("file", type=Path, metavar="FILE", help="the zip to write")
    parser.add_argument(
        "--with-paths", action="store_true", help="keep the paths of models and pictures on this machine"
    )
    parser.add_argument(
        "--evaluation", action="append", default=[], metavar="NAME", help="goes along; may be repeated"
    )


def _export(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.store.session_file import export_session

    path, out = logged.log_path(options).absolute(), user_path(options.file).absolute()
    with logged.open_log(options) as reader:
        session = logged.named_session(reader, options.session)
    n_runs = export_session(
        path, session.id, out, with_paths=options.with_paths, evaluations=options.evaluation
    )
    terminal.answer(
        {"session": session.name, "runs": n_runs, "written": str(out)},
        f"wrote {escape(str(out))}: “{escape(session.name)}”, {_runs(n_runs)}",
    )
    return DONE


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a zip that gazeviz log export has written")


def _import(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.store import SessionStore
    from gazeviz.store.session_file import import_session

    path = logged.log_path(options).absolute()
    SessionStore(path, program="gazeviz log import").close()  # makes it, or brings it to the present schema
    brought = import_session(path, user_path(options.file).absolute())
    terminal.answer(
        {
            "session": brought.name,
            "session_id": brought.session_id,
            "runs": brought.n_runs,
            "evaluations": brought.n_evaluations,
        },
        f"“{escape(brought.name)}” is session {brought.session_id} now, with {_runs(brought.n_runs)}",
    )
    return DONE


def _backup_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="destination (default: backups/ beside the log)"
    )


def _backup(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.store.backup import back_up

    out = user_path(options.file).absolute() if options.file else None
    written = back_up(logged.log_path(options).absolute(), out)
    terminal.answer({"written": str(written)}, f"wrote {escape(str(written))}")
    return DONE


# browse


def _browse_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8001, metavar="N", help="(default: 8001)")
    parser.add_argument("--open", action="store_true", help="open the browser, too")


def _browse(options: argparse.Namespace, terminal: Terminal) -> int:
    path = logged.log_path(options).absolute()
    with closing(_reader(path)):
        pass  # a log that cannot be read is told before a server starts
    if find_spec("datasette") is None:
        raise UserError(
            "Datasette, which shows the log in a browser, is not installed.",
            next_step='Install it with pip install "gazeviz[browse]".',
        )
    terminal.note(f"http://{_LOCALHOST}:{options.port} shows the log to this machine alone; Ctrl+C ends it.")
    return subprocess.run(browse_command(path, options.port, options.open), check=False).returncode


def browse_command(path: Path, port: int, open_browser: bool) -> list[str]:
    """Return how Datasette is started: on this machine's own address only."""
    opening = ["--open"] if open_browser else []
    command = [sys.executable, "-m", "datasette", "serve", str(path), "--host", _LOCALHOST]
    return [*command, "--port", str(port), *opening]


def _reader(path: Path) -> LogReader:
    from gazeviz.store.reader import LogReader

    return LogReader(path)


def _nothing(_parser: argparse.ArgumentParser) -> None:
    """This action has no options of its own."""


ACTIONS: dict[
    str,
    tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, Terminal], int]],
] = {
    "list": ("List runs, the newest first, or sessions.", _list_options, _list),
    "show": ("Show runs: prompt, answer, and where the heads looked.", _show_options, _show),
    "evaluations": (kept.EVALUATIONS_HELP, kept.add_evaluations, kept.show_evaluations),
    "merge": (kept.MERGE_HELP, kept.add_merge, kept.merge),
    "check": ("Check for damage; restore a backup, or save what can be read.", _check_options, _check),
    "vacuum": ("Remove deleted runs for good and free their space.", _vacuum_options, _vacuum),
    "stats": ("Show counts and sizes of the log.", _nothing, _stats),
    "export": ("Write a session as one file.", _export_options, _export),
    "import": ("Add a session from a file, checked first.", _import_options, _import),
    "backup": ("Copy the log, which may be open.", _backup_options, _backup),
    "browse": ("Show the log in a browser with Datasette.", _browse_options, _browse),
}
"""Each with its help, its options and what it does."""


def _runs(n_runs: int) -> str:
    return plural(n_runs, "run")
