"""`gazeviz sweep`: an evaluation along one or two settings, with its curve and the setting to recommend."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gazeviz.commands.evaluation import evaluate
from gazeviz.commands.terminal import Terminal
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.domain.experiments.results import EvaluationResult

HELP = "Measure steering along the number of heads, the strength, the mode, the ranking or the wording."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the axes, the protocol, and what an evaluation has."""
    parser.add_argument("sweep", nargs="+", metavar="AXIS=VALUES", help="one or two, like top=5,10,20")
    parser.add_argument("--protocol", choices=evaluate.PROTOCOLS, default="vqa", help="default: vqa")
    parser.add_argument(
        "--save-preset", action="store_true",
        help="keep the heads of the best setting in the log, where the window offers them",
    )  # fmt: skip
    evaluate.add_settings(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run it as an evaluation; random draws are the only controls unless others are asked for."""
    if len(options.sweep) > 2:
        raise UserError("At most two settings can be swept.", next_step="Sweep one or two at once.")
    if options.controls is None:
        options.controls = "uniform:10"
    if not options.save_preset:
        return evaluate.run(options, terminal)
    if options.no_log:
        raise UserError("A preset is kept in the log.", next_step="Omit --no-log, or omit --save-preset.")
    return evaluate.run(
        options, terminal, then=lambda result: terminal.note(_kept_preset(options, terminal, result))
    )


def _kept_preset(options: argparse.Namespace, terminal: Terminal, result: EvaluationResult) -> str:
    """Keep the heads of the best setting under a name that says how they were found; returns what was done.

    UserError where answers are missing yet.
    """
    best = result.best_setting()
    if best is None or not result.is_complete:
        raise UserError(
            "The sweep is not complete, so its best setting is not known.",
            next_step="Run the same command to resume; the preset is kept when all answers are there.",
        )
    treatment, name = best.condition.treatment, f"best of sweep {result.spec.name}"
    store = evaluate.open_log(options, terminal)
    assert store is not None and treatment.heads is not None
    try:
        store.head_set_saved(name, treatment.heads, result.spec.model_fingerprint)
        store.flush()
    finally:
        store.close()
    how = f"mode {treatment.mode}" + (
        "" if treatment.mode == "knock_out" else f", strength {treatment.strength}"
    )
    return f"The window offers {plural(len(treatment.heads), 'head')} as “{name}” ({how})."
