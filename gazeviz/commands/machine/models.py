"""`gazeviz models`: which models are here and whether they work, and fetching another one from the hub."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.app.runs.model_catalogue import SidebarModel
    from gazeviz.model_download import Offer

HELP = "List the models that are here, or fetch one: models get REPO."
NOT_AGREED = 2
_LINE_S = 0.2  # between two lines of progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is to be done, and which model."""
    parser.add_argument("verb", nargs="?", choices=("list", "get"), default="list", metavar="list|get")
    parser.add_argument("repository", nargs="?", metavar="REPO", help="for get: as Qwen/Qwen3-VL-2B-Instruct")
    parser.add_argument("--revision", default="main", help="branch, tag or commit (default: main)")
    parser.add_argument("--yes", action="store_true", help="do not ask before fetching")
    parser.add_argument("--lines", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--offer", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List, or fetch."""
    if options.verb == "get":
        return _get(options, terminal)
    if options.repository is not None:
        raise UserError("A list names no model.", next_step="Fetch one with gazeviz models get REPO.")
    return _list(options, terminal)


def _list(options: argparse.Namespace, terminal: Terminal) -> int:
    """What the local cache holds, or another machine's."""
    from gazeviz.app.runs.model_catalogue import cache_folder, listing_of, look_around
    from gazeviz.domain.wording import format_file_size

    if options.worker:
        from gazeviz.backend.places import backend_maker
        from gazeviz.backend.remote.elsewhere import models_at

        found, where = listing_of(models_at(backend_maker(options.worker))), str(options.worker)
    else:
        found, where = look_around((), (), cache_folder()), str(cache_folder())
    rows = [
        (
            escape(model.name), model.family or "unknown", format_file_size(model.disk_bytes), _form(model),
            "[green]works[/]" if not model.refusal else escape(model.refusal),
        )
        for model in found.models
    ]  # fmt: skip
    document = {"cache": where, "models": [_document(model) for model in found.models]}
    terminal.answer(
        document,
        table(("model", "family", "on disk", "type", ""), rows, right=(2,)),
        f"[dim]{escape(where)}[/]",
    )
    return 0


def _form(model: SidebarModel) -> str:
    return model.verdict.form if model.verdict is not None else model.dtype or "unknown"


def _document(model: SidebarModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "family": model.family,
        "bytes": model.disk_bytes,
        "type": _form(model),
        "works": not model.refusal,
        "why": model.refusal,
        "instead": model.verdict.instead if model.verdict is not None else "",
        "folder": str(model.folder),
        "origin": model.origin,
    }


def _get(options: argparse.Namespace, terminal: Terminal) -> int:
    """Look a repository up, ask, fetch, and say what was fetched."""
    if options.worker:
        raise UserError(
            "Models are fetched on the machine that is to run them.",
            next_step="Log in there and call gazeviz models get.",
        )
    if not options.repository:
        raise UserError("No model is named.", next_step="Write gazeviz models get Qwen/Qwen3-VL-2B-Instruct.")
    from gazeviz.model_download import fetch, go_online, look_up
    from gazeviz.model_verdict import verdict_on

    go_online()
    offer = look_up(options.repository, options.revision)
    if options.offer:
        terminal.answer({"offer": offer.sentence, "commit": offer.commit}, escape(offer.sentence))
        return 0
    if not _agreed(offer, options, terminal):
        terminal.note("Nothing was fetched.")
        return NOT_AGREED
    with terminal.progress(f"fetching {offer.repository}") as report:
        folder = fetch(offer, _lines() if options.lines else _shown(report))
    verdict = verdict_on(folder)
    pinned = folder if offer.revision != "main" else offer.repository
    terminal.answer(
        {
            "repository": offer.repository,
            "revision": offer.revision,
            "commit": offer.commit,
            "folder": str(folder),
            "works": verdict.works,
            "why": verdict.why,
            "instead": verdict.instead,
        },
        f"{escape(offer.repository)} at {offer.commit}",
        "works" if verdict.works else f"will not work: {escape(verdict.why)} {escape(verdict.instead)}",
        f"[dim]use it with --model {escape(str(pinned))}; runs keep the commit in their model's path[/]",
    )
    return 0


def _agreed(offer: Offer, options: argparse.Namespace, terminal: Terminal) -> bool:
    """Ask whether so much is to be fetched; UserError where nobody can answer."""
    if options.yes:
        return True
    if not sys.stdin.isatty() or terminal.as_json:
        raise UserError(offer.sentence, next_step="Agree to that with --yes.")
    terminal.err.print(f"{escape(offer.sentence)} Fetch it? \\[y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _shown(report: Callable[[str, float], None]) -> Callable[[int, int, str], None]:
    return lambda done, total, name: report(f"fetching {name}", done / max(total, 1))


def _lines() -> Callable[[int, int, str], None]:
    """Progress as JSON lines on standard error, for the window."""
    last_s = 0.0

    def told(done: int, total: int, name: str) -> None:
        nonlocal last_s
        if done < total and time.monotonic() - last_s < _LINE_S:
            return
        last_s = time.monotonic()
        sys.stderr.write(json.dumps({"done": done, "total": total, "file": name}) + "\n")
        sys.stderr.flush()

    return told
