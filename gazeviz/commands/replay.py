"""`gazeviz replay`: run once more what the log or a report holds, and say whether the tokens are the same."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gazeviz.commands import inputs, logged
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from gazeviz.domain.reproduction import ReplayRequest
    from gazeviz.engine.engine import Engine
    from gazeviz.engine.generation.replay import Original, Replay

HELP = "Run logged runs again and say whether their tokens are the same."
SAME, DIFFERENT = 0, 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add runs and the log."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's number, a range like 3-8, last, or a report's JSON file",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Repeat each run with the model, picture and settings that it had, and compare token by token."""
    from gazeviz.engine.generation.replay import replay

    kept_runs = _kept(options)
    engines: dict[tuple[str | None, str, str], Engine] = {}
    results: list[Replay] = []
    with terminal.progress("replaying") as report:
        for place, kept in enumerate(kept_runs):
            report(f"run {kept.id}", place / len(kept_runs))
            results.append(replay(kept, _engine(kept.request, engines, options, terminal)))
    _mark(options, terminal, kept_runs, results)
    n_same = sum(result.same for result in results)
    document = {"same": n_same, "of": len(results), "runs": [result.to_json() for result in results]}
    rows = [(str(result.id), _verdict(result), escape(result.text.strip())) for result in results]
    changed = dict.fromkeys(change for result in results for change in result.changed)
    notes = [f"[dim]{escape(', '.join(changed))}[/]"] if changed else []
    terminal.answer(document, table(("run", "tokens", "text"), rows, right=(0,)), *notes)
    return SAME if n_same == len(results) else DIFFERENT


def _kept(options: argparse.Namespace) -> list[Original]:
    """Everything that is to be replayed, in the order of its names."""
    from gazeviz.commands import originals

    files = [word for word in options.runs if word.lower().endswith(".json")]
    numbers = [word for word in options.runs if word not in files]
    kept = []
    if numbers:
        with logged.open_log(options) as reader:
            kept += [originals.from_log(run, reader) for run in logged.named_runs(reader, numbers)]
    for file in files:
        kept += originals.from_report(user_path(file), options.model)
    return kept


def _engine(
    request: ReplayRequest,
    engines: dict[tuple[str | None, str, str], Engine],
    options: argparse.Namespace,
    terminal: Terminal,
) -> Engine:
    """The model that a run asks for, unless the command line names another folder, device or dtype; kept."""
    named = options.model or request.model_path
    device = request.device if options.device == "auto" else options.device
    dtype = request.dtype if options.dtype == "auto" else options.dtype
    key = (named, device, dtype)
    if key not in engines:
        engines.clear()  # two models at once may not fit
        wanted = argparse.Namespace(
            model=named,
            device=device,
            dtype=dtype,
            max_image_tokens=options.max_image_tokens,
            worker=options.worker,
        )
        engines[key] = inputs.load_engine(wanted, terminal)
    return engines[key]


def _mark(
    options: argparse.Namespace, terminal: Terminal, kept_runs: list[Original], results: list[Replay]
) -> None:
    """Write into the log what the replay of its own runs has shown, unless nothing is to be written."""
    of_log = [result for kept, result in zip(kept_runs, results, strict=True) if kept.in_log]
    if not of_log or options.no_log:
        return
    from gazeviz.store.session_store import SessionStore

    try:
        store = SessionStore(logged.log_path(options), program="gazeviz replay")
        try:
            for result in of_log:
                store.run_replayed(result.id, result.same)
        finally:
            store.close()
    except UserError as error:
        terminal.warn(f"{error.sentence} The log does not record this replay.")


def _verdict(result: Replay) -> str:
    n_tok = len(result.token_ids)
    if result.same:
        return f"[green]the same {n_tok}[/]"
    return f"[red]different from token {result.first_difference} on[/]"
