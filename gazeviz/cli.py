"""The command line: reads what is wanted, runs one command, and turns what went wrong into a sentence and
a code.

    0 done · 1 the run failed · 2 something that the person can put right · 130 stopped

Starting it must stay fast, so nothing heavy is imported here: each command imports what it needs when it
runs.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from gazeviz import __version__
from gazeviz.commands import (
    demo,
    describe,
    discover,
    gui,
    heads,
    narrate,
    regions,
    replay,
    report,
    steer,
)
from gazeviz.commands import log as log_command
from gazeviz.commands import map as map_command
from gazeviz.commands.evaluation import evaluate, figure, judge, reproduce, resume, sweep
from gazeviz.commands.machine import doctor, models, worker
from gazeviz.commands.terminal import Terminal
from gazeviz.errors import Cancelled, RunError, UserError

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 130

COMMANDS = {
    "gui": gui,
    "demo": demo,
    "describe": describe,
    "discover": discover,
    "steer": steer,
    "narrate": narrate,
    "map": map_command,
    "regions": regions,
    "heads": heads,
    "evaluate": evaluate,
    "sweep": sweep,
    "resume": resume,
    "judge": judge,
    "figure": figure,
    "reproduce": reproduce,
    "report": report,
    "replay": replay,
    "log": log_command,
    "models": models,
    "doctor": doctor,
}
"""Each has HELP, `add_options(parser)` and `run(options, terminal)`."""

HIDDEN = {"worker": worker}
"""The same, for programs: no help names them."""

_TOLD_BY_ITSELF = {"-h", "--help", "--version"}

EPILOG = """\
first steps:
  gazeviz                                               the desktop app; gazeviz gui IMAGE opens a picture
  gazeviz demo                                          the whole loop on the built-in model
  gazeviz discover --strips builtin:50 --out ranking.json
  gazeviz steer strip.png -p "What is happening in this panel of the comic strip?" \\
      --heads ranking.json --top 12 --panel 4 --layout 1x6
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are a sentence and a next step, like all others."""

    def error(self, message: str) -> NoReturn:
        raise UserError(
            f"{message[:1].upper()}{message[1:].rstrip('.')}.", next_step=f"See {self.prog} --help."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process unless given) and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A letter that the terminal does not know, or half of one, is shown as its code, as JSON has it, too.
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = Terminal(as_json="--json" in given, quiet="--quiet" in given or "-q" in given)
    try:
        _check_streams(given)
        code = _run(given, terminal)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a full disk is still a sentence
        return code
    except UserError as error:
        terminal.complain(error.sentence, error.next_step)
        return REFUSED
    except RunError as error:
        terminal.complain(str(error), "Run it again with -vv for the details.")
        return FAILED
    except (Cancelled, KeyboardInterrupt):
        terminal.complain("Stopped.")
        return STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _complain_of_system(error, terminal)
    except Exception as error:  # the last door: a person never sees a traceback unasked
        logging.getLogger(__name__).debug("bug", exc_info=True)
        terminal.complain(
            f"Internal error in gazeviz: {type(error).__name__}: {error}",
            "Run it again with -vv and report the output.",
        )
        return FAILED


def _check_streams(given: Sequence[str]) -> None:
    """Refuse what could not be answered: closed output, and arguments that are no text."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - kept for good
    if sys.stdout is None and not _is_for_the_window(given) and "gui" not in given:
        raise UserError(
            "Standard output is closed.", next_step="Run it without >&-, or redirect it to a file."
        )
    for word in given:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(word).decode("utf-8", "backslashreplace")
            raise UserError(
                f"“{shown}” is not valid UTF-8.",
                next_step="Write it in UTF-8, or rename the file.",
            ) from None


def _complain_of_system(error: OSError, terminal: Terminal) -> int:
    """Say which file the system refuses, or that the answer itself could not be written."""
    logging.getLogger(__name__).debug("system", exc_info=True)
    why = error.strerror or str(error)
    if error.filename is not None:
        terminal.complain(f"{error.filename}: {why}.", "Check the path, its permissions and the space left.")
        return REFUSED
    if sys.stdout is not None:  # what is left in its buffer would complain once more at the end
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    terminal.complain(
        f"The output could not be written: {why}.", "Free some space, or redirect it elsewhere."
    )
    return FAILED


def _run(given: Sequence[str], terminal: Terminal) -> int:
    options = build_parser().parse_args(["gui", *given] if _is_for_the_window(given) else given)
    # Nothing goes to the network: models are folders. A person who set the variable knows why.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from gazeviz.logging_setup import start_logging

    start_logging(options.verbose)
    code: int = (COMMANDS | HIDDEN)[options.command].run(options, terminal)
    return code


def _is_for_the_window(given: Sequence[str]) -> bool:
    """Whether a command line names no command: all of it is options of the window."""
    if _TOLD_BY_ITSELF.intersection(given) or any(word in COMMANDS or word in HIDDEN for word in given):
        return False
    after_model = given[2:] if given[:1] == ["--model"] else given
    return not after_model or after_model[0].startswith("-")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    shared = _shared_options()
    parser = _Parser(
        prog="gazeviz",
        description="Find, see and steer the heads that look at what a vision-language model describes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gazeviz {__version__}")
    # The model may be named before or after the command; SUPPRESS keeps the one from overwriting the other.
    parser.add_argument("--model", metavar="FOLDER", default=os.environ.get("GAZEVIZ_MODEL") or None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, command in COMMANDS.items():
        child = commands.add_parser(name, help=command.HELP, description=command.HELP, parents=[shared])
        command.add_options(child)
    for name, command in HIDDEN.items():
        command.add_options(commands.add_parser(name, description=command.HELP, parents=[shared]))
    return parser


def _shared_options() -> _Parser:
    """Options that every command has."""
    shared = _Parser(add_help=False)
    group = shared.add_argument_group("everywhere")
    group.add_argument(
        "--model", metavar="FOLDER", default=argparse.SUPPRESS,
        help="a folder of Hugging Face files (GAZEVIZ_MODEL, else the built-in model)",
    )  # fmt: skip
    group.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:1, cuda:0+1 (spread over both), mps (default: auto)",
    )
    group.add_argument(
        "--dtype",
        default="auto",
        help="auto, float32, bfloat16, float16, or 8bit, 4bit: linear layers in fewer bits (default: auto)",
    )
    group.add_argument(
        "--worker",
        metavar="PLACE",
        help="run the model on another machine (gui, describe, steer, narrate, map, discover):"
        " ssh://[user@]host[:port][/path/to/gazeviz]",
    )
    group.add_argument(
        "--max-image-tokens",
        type=int,
        metavar="N",
        help="image tokens a picture may take before it is downscaled",
    )
    group.add_argument(
        "--log", metavar="FILE", help="the session log (GAZEVIZ_LOG, else that of the checkout or the user)"
    )
    group.add_argument("--no-log", action="store_true", help="log nothing")
    group.add_argument("--json", action="store_true", help="print one JSON document")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")
    group.add_argument(
        "-v", "--verbose", action="count", default=0, help="print log messages; -vv for all of them"
    )
    return shared
