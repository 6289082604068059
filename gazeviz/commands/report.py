"""`gazeviz report`: runs of the log as pages, tables and single figures, in a folder."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import logged
from gazeviz.commands.terminal import Terminal, escape
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from gazeviz.render.report.files import Format
    from gazeviz.render.report.report import Report

HELP = "Write runs of the log as HTML, PDF, Markdown, JSON, CSV or single figures."
FORMATS = ("html", "pdf", "md", "json", "csv", "figures")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add runs, formats and the folder."""
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a run's number, a range like 3-8, or last")
    parser.add_argument("--session", metavar="NAME", help="all runs of a session, by name or number")
    parser.add_argument(
        "--evaluation", metavar="NAME", help="a stored evaluation instead: table, figure, plan"
    )
    parser.add_argument(
        "--alone", action="store_true", help="named runs without the baselines that they stand beside"
    )
    parser.add_argument(
        "--format", default="html", metavar="F,F,...",
        help=f"some of {', '.join(FORMATS)}, or all (default: html)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("gazeviz-report"), metavar="FOLDER",
        help="where to write (default: gazeviz-report)",
    )  # fmt: skip
    parser.add_argument("--title", help="title of the report (default: the session's name)")
    parser.add_argument(
        "--tokens",
        metavar="T,T,...",
        help="answer tokens whose maps are shown (default: where the attended region changes)",
    )
    parser.add_argument(
        "--paths", action="store_true", help="include the paths of models, pictures and the log"
    )
    parser.add_argument(
        "--dpi", type=int, default=200, metavar="N", help="of single figures as PNG (default: 200)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Read the runs, write the formats, name the files."""
    formats = formats_of(options.format)
    if options.evaluation is not None:
        return _write_evaluation(options, formats, terminal)
    tokens = None if options.tokens is None else tokens_of(options.tokens)
    if not 36 <= options.dpi <= 1200:
        raise UserError(f"A figure cannot have {options.dpi} dpi.", next_step="Choose from 36 to 1200.")
    with logged.open_log(options) as reader:
        report = _report(options, reader, terminal)
        written = write(report, user_path(options.out), formats, tokens, options.dpi, terminal)
    document = {
        "title": report.title,
        "runs": [entry.run.id for entry in report.entries],
        "written": [str(path) for path in written],
    }
    shown = [path for path in written if path.parent.name not in ("images", "figures")]
    n_more = len(written) - len(shown)
    lines = [f"wrote {escape(str(path))}" for path in shown]
    if n_more:
        lines.append(f"wrote {n_more} images in {escape(str(options.out))}")
    terminal.answer(document, *lines)
    return 0


def _write_evaluation(options: argparse.Namespace, formats: Sequence[Format], terminal: Terminal) -> int:
    """Report an evaluation of the log; UserErrors of its name and of what it does not hold."""
    from gazeviz.render.report.evaluation import EVALUATION_FORMATS, write_evaluation
    from gazeviz.store.evaluations import evaluation_result

    if options.runs or options.session is not None:
        raise UserError(
            "Runs and an evaluation are two reports.", next_step="Name the runs, or the evaluation."
        )
    chosen = tuple(name for name in formats if name in EVALUATION_FORMATS)
    if "pdf" in formats and options.format.strip() != "all":
        raise UserError(
            "An evaluation has no PDF pages.",
            next_step=f"Choose some of: {', '.join(EVALUATION_FORMATS)}; figures are written as PDF, too.",
        )
    with logged.open_log(options) as reader:
        result = evaluation_result(reader, options.evaluation)
    written = write_evaluation(result, user_path(options.out), chosen)
    document = {"title": result.spec.name, "evaluation": result.spec.name, "written": list(map(str, written))}
    terminal.answer(document, *(f"wrote {escape(str(path))}" for path in written))
    return 0


def formats_of(text: str) -> tuple[Format, ...]:
    """Read "html,pdf" or "all"; UserError for a format that there is not."""
    from gazeviz.render.report.files import FORMATS as KNOWN

    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words == ["all"]:
        return KNOWN
    unknown = [word for word in words if word not in KNOWN]
    if unknown or not words:
        raise UserError(
            f"“{', '.join(unknown) or text}” is not a report format.",
            next_step=f"Choose some of: {', '.join(KNOWN)}.",
        )
    return tuple(known for known in KNOWN if known in words)


def tokens_of(text: str) -> tuple[int, ...]:
    """Read "0,3,8": tokens counted from 0; UserError for anything else."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and len(word) < 7 for word in words):
        raise UserError(f"“{text}” names no answer tokens.", next_step="Count from 0, like --tokens 0,3,8.")
    return tuple(sorted({int(word) for word in words}))


def write(
    report: Report, folder: Path, formats: Sequence[Format], tokens: Sequence[int] | None, dpi: int,
    terminal: Terminal,
) -> list[Path]:  # fmt: skip
    """Write a report into a folder; Qt is only started for a PDF."""
    from gazeviz.render.report.files import write_report

    with terminal.progress("writing the report") as told:
        written = write_report(report, folder, formats, tokens=tokens, dpi=dpi, told=told)
        if "pdf" in formats:
            told("writing pdf", 0.9)
            written.append(_write_pdf(report, folder / "report.pdf", tokens))
    return written


def _report(options: argparse.Namespace, reader: Any, terminal: Terminal) -> Report:
    from gazeviz.app.report.sources import log_sources, with_baselines
    from gazeviz.render.report.report import make_report

    if (options.session is None) == (not options.runs):
        raise UserError(
            "Name the runs or the session to report, not both.",
            next_step="Write gazeviz report last, or --session NAME.",
        )
    if options.session is not None:
        title, runs = logged.session_runs(reader, options.session)
    else:
        runs = logged.named_runs(reader, options.runs)
        title = f"Run {runs[0].id}" if len(runs) == 1 else plural(len(runs), "run")
        runs = runs if options.alone else with_baselines(reader, runs)
    if not runs:
        raise UserError(f"The session “{title}” has no runs.", next_step="Run something in it first.")
    return make_report(
        runs if options.paths else [run.without_paths() for run in runs],
        log_sources(reader, terminal.note, usual=logged.is_usual(options), paths=options.paths),
        options.title or title,
        time.time(),
    )


def _write_pdf(report: Report, path: Path, tokens: Sequence[int] | None) -> Path:
    from gazeviz.commands.gui import check_screen

    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # no window is shown, and none may be needed
    check_screen()
    from PySide6.QtGui import QGuiApplication

    application = QGuiApplication.instance() or QGuiApplication(["gazeviz"])
    from gazeviz.app.report.pdf import write_pdf

    written = write_pdf(report, path, tokens)
    del application
    return written
