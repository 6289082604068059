"""`gazeviz worker --stdio`: run models for a gazeviz on another machine, which starts this through ssh.

For programs, not for people: the messages go over standard input and output. Whoever may log in here may
already run anything, so it opens nothing: no port, and no right that the login does not have.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from gazeviz.commands.terminal import Terminal
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.domain.messages import ModelsListed

HELP = "Run models for a gazeviz on another machine (started by gazeviz --worker ssh://host)."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the line that it speaks on."""
    parser.add_argument("--stdio", action="store_true", help="communicate over standard input and output")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Work until the line ends."""
    from gazeviz.backend.remote.stdio import serve

    if not options.stdio or sys.stdin.isatty():
        raise UserError(
            "A worker is started by gazeviz itself.", next_step="Use gazeviz gui --worker ssh://user@host."
        )
    serve(listing=listing)


def listing(job: int) -> ModelsListed:
    """What could be loaded on this machine, and where it could compute."""
    from gazeviz.app.runs.model_catalogue import cache_folder, look_around
    from gazeviz.domain.messages import ListedDevice, ListedModel, ModelsListed

    found = look_around((), (), cache_folder())
    models = tuple(
        ListedModel(
            model.source, model.name, model.origin, str(model.folder), model.family, model.disk_bytes,
            model.weights, model.sizes, model.refusal,
        )
        for model in found.models
    )  # fmt: skip
    devices = tuple(
        ListedDevice(place.device, place.name, place.total_bytes, place.free_bytes) for place in found.places
    )
    return ModelsListed(job, models, devices)
