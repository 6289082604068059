"""`gazeviz sweep`: an evaluation along one or two settings, with its curve and the setting to recommend."""

from __future__ import annotations

import argparse

from gazeviz.commands.evaluation import evaluate
from gazeviz.commands.terminal import Terminal
from gazeviz.errors import UserError

HELP = "Measure steering along the number of heads, the strength, the mode, the ranking or the wording."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the axes, the protocol, and what an evaluation has."""
    parser.add_argument("sweep", nargs="+", metavar="AXIS=VALUES", help="one or two, like top=5,10,20")
    parser.add_argument("--protocol", choices=evaluate.PROTOCOLS, default="vqa", help="default: vqa")
    evaluate.add_settings(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run it as an evaluation; random draws are the only controls unless others are asked for."""
    if len(options.sweep) > 2:
        raise UserError("At most two settings can be swept.", next_step="Sweep one or two at once.")
    if options.controls is None:
        options.controls = "uniform:10"
    return evaluate.run(options, terminal)
