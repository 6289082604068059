"""`gazeviz resume`: go on with an evaluation by its name alone; everything else is in the log."""

from __future__ import annotations

import argparse
from pathlib import Path

from gazeviz.commands import inputs
from gazeviz.commands.evaluation import evaluate
from gazeviz.commands.terminal import Terminal
from gazeviz.errors import Cancelled, UserError

HELP = "Go on with an interrupted evaluation exactly as it was begun, by its name."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the name, and what no log holds."""
    parser.add_argument("name", metavar="EVALUATION", help="its name, see gazeviz log evaluations")
    parser.add_argument(
        "--judge", default="", metavar="JUDGE",
        help="instead of the one it was begun with; a judge at an address has to be named again",
    )  # fmt: skip
    parser.add_argument("--captions", type=Path, metavar="FILE", help="those it was begun with, if any")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Compute and judge what is missing, and tell what it came to."""
    from gazeviz.evaluating import resumed

    store = evaluate.open_log(options, terminal)
    if store is None:
        raise UserError("Without a log there is nothing to resume.", next_step="Omit --no-log.")
    try:
        engine = inputs.load_engine(options, terminal)
        with terminal.progress(options.name) as report:
            result = resumed(
                store, options.name, engine, judge=options.judge, captions=options.captions,
                key=evaluate.judge_key(options.judge), progress=report,
            )  # fmt: skip
    except (Cancelled, KeyboardInterrupt):
        terminal.warn("Completed answers are kept. Run the same command to resume.")
        raise
    finally:
        store.close()
    terminal.answer(evaluate.without_nan(result.to_json()), *evaluate.told(result))
    return 0
