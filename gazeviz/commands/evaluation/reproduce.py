"""`gazeviz reproduce`: the gaze-heads paper's experiments on the loaded model, ours beside the paper's."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gazeviz.commands import inputs
from gazeviz.commands.evaluation import evaluate
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.domain.experiments.paper import PaperExperiment
    from gazeviz.domain.experiments.results import EvaluationResult
    from gazeviz.engine.engine import Engine

HELP = "Run the experiments of the gaze-heads paper on this model, and show ours beside the paper's."
Rows = list[tuple[str, str, str]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is run, on how much, and the report."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments, see --list (default: all)")
    parser.add_argument("--list", action="store_true", help="list the experiments and their state")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a report with figures and their data")
    evaluate.add_settings(parser)
    parser.set_defaults(pictures="builtin:100@7")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run them one after the other; each goes on where it stopped."""
    from gazeviz.domain.experiments.paper import EXPERIMENTS

    chosen = [one for one in EXPERIMENTS if one.name in options.names or not options.names]
    unknown = set(options.names) - {one.name for one in EXPERIMENTS}
    if unknown:
        raise UserError(
            f"There is no experiment “{sorted(unknown)[0]}”.", next_step="See gazeviz reproduce --list."
        )
    if options.list:
        return _list(options, terminal)
    engine = inputs.load_engine(options, terminal)
    found: dict[str, Rows] = {}
    for experiment in chosen:
        found[experiment.name] = _done(experiment, options, terminal, engine)
        shown = table(("condition", "ours", "the paper's"), found[experiment.name], right=(1, 2))
        if not terminal.as_json:
            terminal.out.print(f"[bold]{experiment.title}[/]  [dim]{experiment.shows}[/]")
            terminal.out.print(shown)
    written = _report(options, chosen, found)
    keys = ("condition", "ours", "paper")
    document = {
        "experiments": {
            name: [dict(zip(keys, row, strict=True)) for row in rows] for name, rows in found.items()
        },
        "written": [str(path) for path in written],
    }
    terminal.answer(document, *(f"wrote {escape(str(path))}" for path in written))
    return 0


def name_of(experiment: PaperExperiment, options: argparse.Namespace) -> str:
    """What its evaluation is called in the log."""
    return f"{options.name or 'paper'} {experiment.name}"


def _list(options: argparse.Namespace, terminal: Terminal) -> int:
    from gazeviz.domain.experiments.paper import EXPERIMENTS
    from gazeviz.store.evaluations import EvaluationLog

    store = evaluate.open_log(options, terminal)
    states: dict[str, str] = {}
    if store is not None:
        try:
            for one in EvaluationLog(store).all():
                states[one.name] = f"{one.state}, {one.n_done} of {one.n_items}"
        finally:
            store.close()
    listed = [
        (one.name, one.title, one.shows, states.get(name_of(one, options), "not run")) for one in EXPERIMENTS
    ]
    keys = ("name", "title", "shows", "state")
    document = {"experiments": [dict(zip(keys, row, strict=True)) for row in listed]}
    terminal.answer(document, table(("name", "", "in the paper", "state"), listed))
    return 0


def _done(
    experiment: PaperExperiment, options: argparse.Namespace, terminal: Terminal, engine: Engine
) -> Rows:
    if experiment.work != "evaluation":
        return _of_rankings(experiment, options, engine)
    settings = argparse.Namespace(**vars(options))
    settings.protocol, settings.sweep = experiment.protocol, list(experiment.sweep)
    settings.controls = experiment.controls or "none" if options.controls is None else options.controls
    settings.judge = experiment.judge if options.judge == "exact" else options.judge
    settings.name = name_of(experiment, options)
    if experiment.pictures == "scenes":
        settings.pictures = scenes_for(options.pictures)
    request = evaluate.spec_of(settings)
    with terminal.progress(experiment.title) as report:
        result = evaluate.measured(settings, terminal, request, report, engine)
    if options.out is not None:
        _figures(options.out, experiment, result)
    return _rows(experiment, result)


def scenes_for(pictures: str) -> str:
    """As many drawn scenes of the same seed, where the set is drawn strips; any other set as it is."""
    from gazeviz.domain.experiments.picture_set import SetSource

    source = SetSource.parse(pictures)
    return f"scenes:{source.n}@{source.seed}" if source.kind == "builtin" else pictures


def _rows(experiment: PaperExperiment, result: EvaluationResult) -> Rows:
    rows: Rows = []
    for row in result.table():
        moving = experiment.protocol == "dynamic" and row["rho"] is not None
        ours = f"{row['rho']:.2f}" if moving else f"{100 * row['accuracy']:.1f}"
        paper = experiment.published.get(row["condition"].rsplit(" (", 1)[0])
        rows.append((row["condition"], ours, "" if paper is None else f"{paper:g}"))
    shown = {condition.rsplit(" (", 1)[0] for condition, _, _ in rows}
    rows += [(name, "", f"{value:g}") for name, value in experiment.published.items() if name not in shown]
    return rows


def _of_rankings(experiment: PaperExperiment, options: argparse.Namespace, engine: Engine) -> Rows:
    """Overlap of the rankings' top heads in per cent, or the chosen heads of each layer."""
    from gazeviz.evaluating import Heads

    heads = Heads(engine, options.rank_on)
    chosen, ranking = heads.read(options.heads, options.like)
    if experiment.work == "layers":
        counts = chosen.layer_histogram(ranking.shape_LH[0]).tolist()
        return [(f"layer {layer}", str(n), "") for layer, n in enumerate(counts)]
    rows: Rows = []
    for other in ("image_heads", "localization", "selectivity", "tracking"):
        shared = 100 * ranking.overlap(heads.ranking(other), len(chosen)) / len(chosen)
        paper = experiment.published.get(f"{ranking.name} and {other}")
        rows.append((f"{ranking.name} and {other}", f"{shared:.0f}", "" if paper is None else f"{paper:g}"))
    return rows


def _figures(out: Path, experiment: PaperExperiment, result: EvaluationResult) -> None:
    out.mkdir(parents=True, exist_ok=True)
    name = "curve" if result.spec.axes else "accuracy"
    kinds = [f"{name}={out / experiment.name}{suffix}" for suffix in (".svg", ".pdf", ".png")]
    evaluate.write_figures(result, [*kinds, f"data={out / experiment.name}.csv"])


def _report(options: argparse.Namespace, chosen: list[PaperExperiment], found: dict[str, Rows]) -> list[Path]:
    """Write the report as Markdown beside its figures."""
    if options.out is None:
        return []
    from gazeviz.whole_files import written_whole

    lines = [
        "# The gaze-heads paper on this model", "",
        f"Pictures: {options.pictures}; heads: {options.heads}; strength {options.strength},"
        f" {options.mode}. The paper's figures are of Qwen3-VL-8B (arXiv 2606.14703).", "",
    ]  # fmt: skip
    for one in chosen:
        lines += [f"## {one.title} ({one.shows})", ""]
        lines += ["| condition | ours | the paper's |", "| --- | ---: | ---: |"]
        lines += [f"| {' | '.join(row)} |" for row in found[one.name]]
        if (options.out / f"{one.name}.png").exists():
            lines += ["", f"![{one.title}]({one.name}.png)"]
        lines.append("")
    options.out.mkdir(parents=True, exist_ok=True)
    path: Path = options.out / "report.md"
    with written_whole(path, "report") as unfinished:
        unfinished.write_text("\n".join(lines), encoding="utf-8")
    return [path, *sorted(file for file in options.out.iterdir() if file != path and file.is_file())]
