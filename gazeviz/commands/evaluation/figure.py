"""`gazeviz figure`: a figure of the paper from a stored evaluation, as SVG, PDF, PNG and data."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs, logged
from gazeviz.commands.terminal import Terminal, escape
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gazeviz.domain.experiments.results import EvaluationResult
    from gazeviz.render.heads_figures import RankedHeads

HELP = "Draw a figure of one or several stored evaluations, or of the heads that they steered."
OF_RESULTS = ("accuracy", "curve", "heat map", "table", "confusion")
OF_HEADS = ("matrices", "histogram", "layers", "overlap")
RANKINGS = "image_heads,localization,selectivity,tracking"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the figure, the evaluations and the files."""
    parser.add_argument("figure", choices=(*OF_RESULTS, *OF_HEADS, "several", "staircase"))
    parser.add_argument("evaluations", nargs="+", metavar="EVALUATION", help="by name; several for several")
    parser.add_argument(
        "--out", type=Path, action="append", required=True, metavar="FILE",
        help="ends in .svg, .pdf, .png, or .csv for what the figure is made of; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--from", action="append", default=[], type=Path, metavar="LOG", dest="logs",
        help="several: other logs, as of other models, to look for the evaluations in",
    )  # fmt: skip
    parser.add_argument(
        "--rankings", default=RANKINGS, metavar="NAME,...", help=f"overlap: beside the first ({RANKINGS})"
    )
    parser.add_argument("--rank-on", metavar="SET", help="measure rankings on this set, not the model's own")
    parser.add_argument("--picture", type=int, default=1, metavar="K", help="staircase: of the set, from 1")
    parser.add_argument("--weighted", action="store_true", help="staircase: weigh by the length of values")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Read the evaluations, draw, write."""
    from gazeviz.commands.discover import check_folder

    for path in options.out:
        check_folder(path)
    results = _results(options)
    first = next(iter(results.values()))
    if options.figure == "staircase":
        written = _staircase(options, first, terminal)
    elif options.figure in OF_HEADS:
        heads = _heads(options, first, terminal)
        written = _heads_files(options, heads)
    elif options.figure == "several":
        from gazeviz.render.heads_figures import several

        written = _files(options.out, lambda: several(results), lambda: _rows_of(results))
    else:
        from gazeviz.render import evaluation_figures

        written = _files(
            options.out,
            lambda: evaluation_figures.draw(first, options.figure),
            lambda: evaluation_figures.data_of(first),
        )
    document = {"figure": options.figure, "written": [str(path) for path in written]}
    terminal.answer(document, *(f"wrote {escape(str(path))}" for path in written))
    return 0


def _results(options: argparse.Namespace) -> dict[str, EvaluationResult]:
    """Evaluations by the name that is shown; more than one only for a figure of several."""
    from contextlib import closing

    from gazeviz.store.evaluations import evaluation_result
    from gazeviz.store.reader import LogReader
    from gazeviz.user_paths import user_path

    if options.figure != "several":
        if len(options.evaluations) > 1:
            raise UserError(
                f"The figure “{options.figure}” is of one evaluation.", next_step="Name one, or draw several."
            )
        with logged.open_log(options) as reader:
            return {options.evaluations[0]: evaluation_result(reader, options.evaluations[0])}
    found: dict[str, EvaluationResult] = {}
    for path in (logged.log_path(options).absolute(), *(user_path(one).absolute() for one in options.logs)):
        with closing(LogReader(path)) as reader:
            for name in options.evaluations:
                try:
                    result = evaluation_result(reader, name)
                except UserError:
                    continue
                found[name if name not in found else f"{name} ({path.stem})"] = result
    lacking = [name for name in options.evaluations if name not in found]
    if lacking:
        raise UserError(f"No log has an evaluation “{lacking[0]}”.", next_step="See gazeviz log evaluations.")
    return found


def _files(paths: list[Path], figure: Callable[[], Figure], data: Callable[[], str]) -> list[Path]:
    from gazeviz.render.figures import save
    from gazeviz.whole_files import written_whole

    for path in paths:
        if path.suffix.lower() == ".csv":
            with written_whole(path, "data") as unfinished:
                unfinished.write_text(data(), encoding="utf-8")
        else:
            save(figure(), path)
    return paths


def _rows_of(results: dict[str, EvaluationResult]) -> str:
    """The data of several evaluations below each other, each line beginning with its evaluation."""
    from gazeviz.render.evaluation_figures import data_of

    lines: list[str] = []
    for name, result in results.items():
        head, *rows = data_of(result).splitlines()
        quoted = '"' + name.replace('"', '""') + '"'
        lines += ([] if lines else [f"evaluation,{head}"]) + [f"{quoted},{row}" for row in rows]
    return "\n".join(lines) + "\n"


def _heads(options: argparse.Namespace, result: EvaluationResult, terminal: Terminal) -> RankedHeads:
    """The heads that the evaluation steered, with their ranking; of the model's folder, or measured anew."""
    from gazeviz.evaluating import Heads
    from gazeviz.render.heads_figures import RankedHeads

    gaze = next(one for one in result.spec.conditions if one.kind == "gaze").treatment.heads
    assert gaze is not None
    engine = inputs.load_engine(options, terminal)
    _check_model(engine, result)
    with terminal.progress("ranking") as report:
        heads = Heads(engine, options.rank_on, report)
        first = gaze.origin.ranking or "mass"
        names = [first]
        if options.figure == "overlap":
            names += [name.strip() for name in options.rankings.split(",") if name.strip() != first]
        rankings = {name: heads.ranking(name) for name in names}
        if options.figure == "matrices" and rankings[first].matrix_LHRR is None:
            rankings[first] = heads.measured(first)
    return RankedHeads(rankings, gaze, Path(engine.describe_model().path).name)


def _check_model(engine: Any, result: EvaluationResult) -> None:
    told = result.spec.model_fingerprint
    if told and engine.describe_model().fingerprint != told:
        raise UserError(
            f"“{result.spec.name}” was run on another model.", next_step="Name it: --model FOLDER."
        )


def _heads_files(options: argparse.Namespace, heads: RankedHeads) -> list[Path]:
    from gazeviz.render import heads_figures

    def data() -> str:
        if options.figure == "matrices":
            chosen, lowest = heads_figures.shown_heads(heads)
            return heads_figures.matrix_data(heads.first, (*chosen, *lowest))
        return heads_figures.data_of_heads(heads)

    return _files(options.out, lambda: heads_figures.draw_heads(heads, options.figure), data)


def _staircase(options: argparse.Namespace, result: EvaluationResult, terminal: Terminal) -> list[Path]:
    """A narration of the evaluation once more, watched by its heads and by as many random ones."""
    from gazeviz.commands.narrate import write_staircase
    from gazeviz.domain.heads import HeadSet, random_control
    from gazeviz.engine.evaluation.runner import narration_of
    from gazeviz.evaluating import open_pictures

    if not result.is_dynamic:
        raise UserError(
            f"The target of “{result.spec.name}” does not move.", next_step="Name one of protocol dynamic."
        )
    engine = inputs.load_engine(options, terminal)
    _check_model(engine, result)
    pictures = open_pictures(result.spec.source, engine)
    if not 1 <= options.picture <= len(pictures):
        raise UserError(
            f"There is no picture {options.picture}.", next_step=f"Choose from 1 to {len(pictures)}."
        )
    picture = pictures.pictures[options.picture - 1]
    steering, new_tok = narration_of(result.spec, pictures, options.picture - 1)
    control = random_control(steering.heads, engine.describe_model().present_LH)
    with terminal.progress("narrating once more"):
        told = engine.generate(
            picture.image, result.spec.protocol.prompt, steering=steering, max_new_tokens=new_tok,
            track=HeadSet((*steering.heads, *(control or ()))), sampling=result.spec.sampling,
        )  # fmt: skip
    watched = told.watching(steering.heads)
    beside = told.watching(control) if control else None
    return [write_staircase(path, watched, picture.panels, beside, options.weighted) for path in options.out]
