"""`gazeviz evaluate` and `gazeviz sweep`: measure whether steering works, with every control."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.logged import log_path
from gazeviz.commands.terminal import Report, Terminal, escape, table
from gazeviz.errors import Cancelled, UserError

if TYPE_CHECKING:
    from gazeviz.domain.experiments.plan import EvaluationSpec
    from gazeviz.domain.experiments.results import EvaluationResult
    from gazeviz.engine.engine import Engine
    from gazeviz.evaluating import EvaluationRequest
    from gazeviz.store import SessionStore

HELP = "Measure whether steering works, against random heads and every other control."
PROTOCOLS = ("vqa", "static", "dynamic", "region")
KEYS = ("GAZEVIZ_JUDGE_KEY", "OPENAI_API_KEY")
"""Where an address's key is looked for; it is never written anywhere."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add protocol, pictures, heads, conditions and judge."""
    parser.add_argument("protocol", choices=PROTOCOLS, help="what is asked, as in the gaze-heads paper")
    add_settings(parser)
    parser.add_argument(
        "--sweep", action="append", default=[], metavar="AXIS=VALUES",
        help="top=5,10,20, strength=1,8,hard, mode=..., ranking=..., wording=words|nth (the panel named as"
        " fourth or 4th) or wording=a|b; repeat for a second one",
    )  # fmt: skip


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add what an evaluation and a sweep share."""
    parser.add_argument(
        "--pictures", default="builtin:100@7", metavar="SET",
        help="builtin:100@7 (number@seed), builtin:60@7:2x3, scenes:60@7, a folder of strips, panels, comics"
        " or labelled photos, or coco:ANNOTATIONS.json:FOLDER (default: builtin:100@7)",
    )  # fmt: skip
    parser.add_argument("--captions", type=Path, metavar="FILE", help="captions of your own: .txt or .json")
    parser.add_argument(
        "--heads", default="mass:10", metavar="HEADS",
        help="mass:10 (ten of a ranking), FILE:10, random:10@seed, all, or L4H1,L3H2 (default: mass:10)",
    )  # fmt: skip
    parser.add_argument("--like", metavar="HEADS", help="layers that random heads match, like mass:10")
    parser.add_argument("--rank-on", metavar="SET", help="measure rankings on this set, not the model's own")
    parser.add_argument(
        "--controls", metavar="LIST",
        help="uniform:10, layers:10, range:10@20-28, bottom:10, lower:10, all, lowest, wrong-region, zero,"
        " prompt; none for no control (default: all but range, bottom and lower)",
    )  # fmt: skip
    parser.add_argument(
        "--judge", default="exact", metavar="JUDGE",
        help="exact, lexical, lexical:german, category, likelihood, or http://host/v1#MODEL (default: exact)",
    )  # fmt: skip
    add_price(parser)
    parser.add_argument("--name", default="", help="to resume later; the same command resumes by itself")
    steering = parser.add_argument_group("steering")
    steering.add_argument("--mode", default="boost_suppress", help="as in gazeviz steer")
    steering.add_argument("--strength", default="8", help="a number, hard or hard_uniform (default: 8)")
    steering.add_argument("--scope", help="all_rows, decode_only or after_image (default: the protocol's)")
    steering.add_argument("-p", "--prompt", help="instead of the protocol's")
    steering.add_argument("--new-tokens", type=int, metavar="N", help="instead of the protocol's")
    steering.add_argument("--seed", type=int, default=0, help="of draws and schedules (default: 0)")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--figure", action="append", default=[], metavar="NAME=FILE",
        help="accuracy, curve, heat map, table or confusion as .svg, .pdf or .png; data=FILE.csv",
    )  # fmt: skip
    files.add_argument(
        "--shard", metavar="K/N", help="compute the K-th of N parts only, to be run side by side"
    )
    files.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share the work (default: 1)"
    )
    coco = parser.add_argument_group("COCO")
    coco.add_argument("--category", action="append", default=[], help="only regions of it; may be repeated")
    coco.add_argument("--size", action="append", default=[], choices=("large", "medium", "small"))
    coco.add_argument("--smallest-side", type=float, default=0.0, metavar="PX")
    coco.add_argument("--most-regions", type=int, metavar="M", help="of a picture, the largest first")
    coco.add_argument(
        "--number", type=int, metavar="N", help="pictures or windows to take, drawn with --seed"
    )


def add_price(parser: argparse.ArgumentParser) -> None:
    """Add what a judge at an address costs."""
    parser.add_argument(
        "--price", type=float, metavar="X",
        help="of a thousand questions to a judge's address, to be told the cost before it starts",
    )  # fmt: skip


def run(
    options: argparse.Namespace, terminal: Terminal, then: Callable[[EvaluationResult], None] | None = None
) -> int:
    """Run it, or go on with it, and tell what it came to; then do what else is to be done with the result."""
    from gazeviz.commands.discover import check_folder

    for wanted in options.figure:
        check_folder(Path(wanted.partition("=")[2]))
    request = spec_of(options)
    if options.workers > 1:
        from gazeviz.commands.evaluation.workers import compute_in_parts

        compute_in_parts(options, request, terminal, compute_part)
    with terminal.progress(request.called) as report:
        result = measured(options, terminal, request, report)
    written = write_figures(result, options.figure)
    document = result.to_json() | {"written": [str(path) for path in written]}
    terminal.answer(without_nan(document), *told(result), *(f"wrote {escape(str(path))}" for path in written))
    if then is not None:
        then(result)
    return 0


def spec_of(options: argparse.Namespace) -> EvaluationRequest:
    """Turn options into a request; UserErrors of sets."""
    from gazeviz.domain.experiments.conditions import CONTROLS
    from gazeviz.evaluating import EvaluationRequest

    controls = CONTROLS if options.controls is None else options.controls
    return EvaluationRequest(
        protocol=options.protocol,
        pictures=_source(options),
        heads=options.heads,
        like=options.like,
        controls="" if controls == "none" else controls,
        sweep=tuple(options.sweep),
        judge=options.judge,
        name=options.name,
        mode=options.mode,
        strength=options.strength,
        scope=options.scope,
        prompt=options.prompt,
        new_tok=options.new_tokens,
        seed=options.seed,
    )


def _source(options: argparse.Namespace) -> Any:
    from dataclasses import replace

    from gazeviz.domain.experiments.picture_set import CocoFilter, SetSource

    source = SetSource.parse(options.pictures)
    if source.kind == "coco":
        wanted = CocoFilter(
            tuple(options.category), tuple(options.size), options.smallest_side, options.most_regions,
            options.number, options.seed,
        )  # fmt: skip
        return replace(source, filter=wanted)
    if source.kind == "folder" and options.number is not None:
        return replace(source, n=options.number, seed=options.seed)
    return source


def measured(
    options: argparse.Namespace,
    terminal: Terminal,
    request: EvaluationRequest,
    report: Report,
    engine: Engine | None = None,
) -> EvaluationResult:
    """Run a request with the log that the options name; says what to do to go on where it is stopped."""
    from gazeviz.evaluating import evaluate

    engine = engine or inputs.load_engine(options, terminal)
    store = open_log(options, terminal)
    fields = {
        key: value for key, value in vars(request).items() if key not in ("protocol", "pictures", "heads")
    }

    dtype = engine.describe_model().dtype

    def planned(spec: EvaluationSpec, n_items: int) -> None:
        from gazeviz.commands.steer import strength_note

        said = dict.fromkeys(strength_note(dtype, one.treatment.strength) for one in spec.conditions)
        for note in filter(None, said):
            terminal.note(note)
        tell_price(request.judge, n_items, options.price, terminal, "at most ")

    try:
        return evaluate(
            request.protocol, request.pictures, request.heads, engine=engine, log=store, progress=report,
            rank_on=options.rank_on, captions=options.captions, key=judge_key(request.judge),
            shard=shard_of(options.shard), planned=planned, **fields,
        ).result  # fmt: skip
    except (Cancelled, KeyboardInterrupt):
        if store is not None:
            terminal.warn("Completed answers are kept. Run the same command to resume.")
        raise
    finally:
        if store is not None:
            store.close()


def compute_part(options: dict[str, Any], request: EvaluationRequest, shard: str, threads: int) -> None:
    """What a worker does: its part of the items, into the log."""
    import torch

    torch.set_num_threads(threads)
    given = argparse.Namespace(**{**options, "shard": shard, "workers": 1})
    measured(given, Terminal(quiet=True), request, lambda _what, _part: None)


def open_log(options: argparse.Namespace, terminal: Terminal) -> SessionStore | None:
    """Open the log, or say that nothing is kept."""
    if options.no_log:
        return None
    from gazeviz.store import SessionStore

    return SessionStore(log_path(options), program=f"gazeviz {options.command}")


def judge_key(judge: str) -> str | None:
    """The key of a judge's address: from the environment, else of the system's keyring; None for none.

    The keyring is asked for the service "gazeviz" and the address without its model; `keyring set gazeviz
    http://host/v1` writes it.
    """
    if not judge.startswith(("http://", "https://")):
        return None
    given = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    if given is not None or find_spec("keyring") is None:
        return given
    import keyring
    from keyring.errors import KeyringError

    try:
        found: str | None = keyring.get_password("gazeviz", judge.partition("#")[0])
        return found
    except KeyringError:  # a machine without one, or a locked one: the address may need no key
        return None


def tell_price(judge: str, n_texts: int, price: float | None, terminal: Terminal, most: str = "") -> None:
    """Say before an address is asked how often it will be, and what that costs where the price is known."""
    if not judge.startswith(("http://", "https://")):
        return
    address, _, model = judge.partition("#")
    cost = "" if price is None else f", {n_texts * price / 1000:.2f} at {price:g} for a thousand"
    terminal.note(f"The judge {model.rstrip('!')} at {address} is asked {most}{n_texts} questions{cost}.")


def shard_of(text: str | None) -> tuple[int, int]:
    """Read "3/8", counted from 1; UserError for anything else."""
    if text is None:
        return 0, 1
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UserError(f"“{text}” is not a shard.", next_step="Write --shard 3/8.")
    return int(part) - 1, int(parts)


def told(result: EvaluationResult) -> list[Any]:
    """The result as a person reads it."""
    rows = [
        (
            escape(row["condition"]), str(row["n"]), _share(row["accuracy"]),
            f"{_share(row['low'])} to {_share(row['high'])}", _share(row["junk"]), _share(row["unchanged"]),
            "" if row["rho"] is None else f"{row['rho']:.2f}",
        )
        for row in result.table()
    ]  # fmt: skip
    best, lines = result.best_setting(), []
    percentile = result.percentile(best.condition.at if best and result.spec.axes else None)
    if percentile is not None:
        lines.append(f"The chosen heads are at percentile {percentile:.0f} of the random draws.")
    if result.spec.axes and best is not None:
        lines.append(f"Best lower bound, fewest heads on a tie: {escape(best.name)}.")
    if not result.is_complete:
        lines.append(
            f"{len(result.items)} of {result.n_items} answers so far; run the same command to resume."
        )
    columns = ("condition", "n", "%", "95 %, or range of draws", "junk", "unchanged", "rho")
    heading = f"[bold]{escape(result.spec.name)}[/]  [dim]judged by {escape(result.judged_by)}[/]"
    return [heading, table(columns, rows, right=(1, 2, 4, 5, 6)), *lines]


def write_figures(result: EvaluationResult, wanted: list[str]) -> list[Path]:
    """Write figures, named NAME=FILE; UserErrors of figures and files."""
    from gazeviz.render import evaluation_figures
    from gazeviz.render.figures import save
    from gazeviz.whole_files import written_whole

    written = []
    for text in wanted:
        name, _, file = text.partition("=")
        path = Path(file)
        if name == "data":
            with written_whole(path, "data") as unfinished:
                unfinished.write_text(evaluation_figures.data_of(result), encoding="utf-8")
        else:
            save(evaluation_figures.draw(result, name), path)
        written.append(path)
    return written


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def without_nan(document: Any) -> Any:
    """JSON knows no NaN: what is undefined is null."""
    if isinstance(document, float):
        return document if document == document else None
    if isinstance(document, dict):
        return {key: without_nan(value) for key, value in document.items()}
    return [without_nan(value) for value in document] if isinstance(document, (list, tuple)) else document
