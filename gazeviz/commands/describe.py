"""`gazeviz describe`: ask the model about a picture, unsteered."""

from __future__ import annotations

import argparse

from gazeviz.commands import inputs
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.terminal import Terminal

HELP = "Ask the model about a picture."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add picture, prompt and writing."""
    inputs.add_picture(parser)
    inputs.add_prompt(parser)
    inputs.add_sampling(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Answer once and print the text."""
    from gazeviz.commands.output import run_document, tinted

    shown = inputs.picture(options.image)
    sampling = inputs.sampling(options)
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        answer = log.generate(
            engine, shown, options.prompt, max_new_tokens=options.max_new_tokens, sampling=sampling
        )
    terminal.answer(run_document(answer) | log.document(), tinted(answer))
    log.tell()
    return 0
