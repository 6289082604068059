"""`gazeviz heads`: what every head does over a set of pictures, and what answers owe to some of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.discover import check_folder
from gazeviz.commands.terminal import FilesBeside, Terminal, escape, table
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.domain.experiments.head_metrics import HeadMetrics
    from gazeviz.domain.heads import Head, HeadSet
    from gazeviz.engine.engine import Engine

HELP = "Measure where every head looks over a set of pictures, and what answers owe to chosen ones."
METRICS = ("image", "sink", "text", "previous", "entropy", "peak")
PROMPT = "What is happening in this panel of the comic strip?"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add set, prompt, heads, metrics and files."""
    parser.add_argument(
        "--over", default="builtin:24@7", metavar="SET",
        help="builtin:24@7 (number@seed), scenes:24@7, a folder, or coco:ANNOTATIONS.json:FOLDER"
        " (default: builtin:24@7)",
    )  # fmt: skip
    inputs.add_prompt(parser, PROMPT)
    inputs.add_heads(parser)
    parser.add_argument(
        "--effects", action="store_true",
        help="also measure the heads of --heads, each alone and all together: knocked out, and steered",
    )  # fmt: skip
    parser.add_argument(
        "--by", choices=METRICS, default="image", help="what the listed heads are sorted by (default: image)"
    )
    parser.add_argument("--list", type=int, default=10, metavar="N", help="how many heads to list")
    parser.add_argument("--out", type=Path, metavar="FILE", help="all metrics as .json or .csv")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Measure, list, write."""
    check_folder(options.out)
    if options.out is not None and options.out.suffix.lower() not in (".json", ".csv"):
        raise UserError(f"{options.out.name} is neither .json nor .csv.", next_step="Choose one of them.")
    engine = inputs.load_engine(options, terminal)
    chosen = None if options.heads is None else inputs.heads(options, engine)
    metrics = _measured(options, engine, chosen, terminal)
    listed = (
        list(chosen)[: options.list] if chosen is not None else _best(metrics, options.by)[: options.list]
    )
    files = FilesBeside()
    if options.out is not None:
        files.write(lambda: _saved(metrics, options.out))
    document = metrics.to_json() | {"heads": [_row(metrics, head) for head in listed]}
    document["written"] = [str(path) for path in files.written]
    wrote = [f"wrote {escape(str(path))}" for path in files.written]
    terminal.answer(document, *_listing(metrics, listed), *wrote)
    files.settle()
    return 0


def _measured(
    options: argparse.Namespace, engine: Engine, chosen: HeadSet | None, terminal: Terminal
) -> HeadMetrics:
    from gazeviz.domain.heads import HeadSet
    from gazeviz.evaluating import open_pictures

    if options.effects and chosen is None:
        raise UserError("Effects are measured of chosen heads.", next_step="Name them: --heads mass:10.")
    sets: list[HeadSet] = []
    if options.effects and chosen is not None:
        sets = [chosen, *(HeadSet((head,)) for head in chosen if len(chosen) > 1)]
    pictures = open_pictures(options.over, engine)
    what = f"measuring {len(pictures)} pictures"
    with terminal.progress(what) as report:
        return engine.head_metrics(
            pictures, prompt=options.prompt, effects_of=sets,
            progress=lambda done, total: report(what, done / total),
        )  # fmt: skip


def _best(metrics: HeadMetrics, by: str) -> list[Head]:
    """All heads that the model has, the highest mean first."""
    import numpy as np

    from gazeviz.domain.heads import Head

    means_LH = metrics.mean_LH(by)  # type: ignore[arg-type]
    order = np.argsort(-np.nan_to_num(means_LH, nan=-np.inf), axis=None, kind="stable")
    heads = (Head(int(place // means_LH.shape[1]), int(place % means_LH.shape[1])) for place in order)
    return [head for head in heads if np.isfinite(means_LH[head.layer, head.index])]


def _row(metrics: HeadMetrics, head: Head) -> dict[str, Any]:
    values: dict[str, Any] = {str(metric): value for metric, value in metrics.of(head).items()}
    return {"head": str(head), **values, "examples": metrics.example_names(head)}


def _saved(metrics: HeadMetrics, out: Path) -> Path:
    import csv
    import io
    import json

    path = user_path(out)
    if path.suffix.lower() == ".json":
        text = json.dumps(metrics.to_json(), indent=1)
    else:
        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerow(("head", *METRICS))
        for head in sorted(_best(metrics, "image")):
            values = metrics.of(head)
            writer.writerow((str(head), *(f"{values[metric]:.6g}" for metric in values)))
        text = written.getvalue()
    path.write_text(text, encoding="utf-8")
    return path


def _listing(metrics: HeadMetrics, listed: list[Head]) -> list[RenderableType]:
    from gazeviz.domain.wording import format_figure, plural

    parts: list[RenderableType] = [
        f"[bold]{escape(metrics.measured_on)}[/] [dim]{plural(len(metrics.names), 'picture')},"
        " at the last prompt token[/]"
    ]
    rows = [(str(head), *(format_figure(value) for value in metrics.of(head).values())) for head in listed]
    parts.append(table(("head", *METRICS), rows, right=tuple(range(1, 1 + len(METRICS)))))
    if metrics.effects:
        effects = [
            (
                str(effect.heads) if len(effect.heads) < 4 else f"{len(effect.heads)} heads",
                effect.what.replace("_", " "),
                f"{effect.mean_nats:+.2f}",
                f"{effect.low:+.2f} to {effect.high:+.2f}",
            )
            for effect in metrics.effects
        ]
        parts += ["", table(("effect of", "", "nats", "95 %"), effects, right=(2,))]
    return parts
