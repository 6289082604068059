"""`gazeviz discover`: rank all heads on strips, and keep the ranking as a file that other tools read, too."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.terminal import FilesBeside, Terminal, escape, table
from gazeviz.errors import UserError
from gazeviz.user_paths import is_folder, user_path

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.backend.remote.elsewhere import EngineElsewhere
    from gazeviz.domain.heads import HeadRanking
    from gazeviz.engine.engine import Engine

HELP = "Find the heads that look at the panel the model is asked about."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add strips, scores and files."""
    parser.add_argument(
        "--strips", default="builtin:50", metavar="STRIPS",
        help="builtin:N (drawn, from seed 0), builtin:N:SEED, or a folder of strips (default: builtin:50)",
    )  # fmt: skip
    inputs.add_layout(parser)
    parser.add_argument(
        "--by", default="mass", metavar="SCORES",
        help="mass, selectivity, tracking, causal, image_heads, localization, localization_by_question,"
        " or several (default: mass)",
    )  # fmt: skip
    parser.add_argument("--question", help="instead of the paper's; holds {ordinal} or {number}")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the ranking as JSON; -NAME is added for several"
    )
    parser.add_argument("--figure", type=Path, metavar="FILE", help="the head grid as .svg, .pdf or .png")
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="the best head's matrix, the same way")
    parser.add_argument(
        "--top", type=int, metavar="N", help="how many heads to list (default: as many as are steered)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Measure, list the best heads of each ranking, write what was asked for."""
    from gazeviz.engine.models.description import usual_count

    names = tuple(dict.fromkeys(name.strip() for name in options.by.split(",") if name.strip()))
    outputs = {name: _per_ranking(options.out, name, names) for name in names}
    _check_options(options, names, tuple(outputs.values()))
    strips = inputs.strips(options.strips, options.layout)
    if options.matrix is not None and len({len(strip.panels) for strip in strips}) > 1:
        raise UserError(
            "Strips of different numbers of panels have no common matrix.",
            next_step="Omit --matrix, or measure strips of one layout.",
        )
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        _check_top(options, _shape_of(engine))
        rankings = _measured(engine, options, strips, names, terminal)
        for ranking in rankings.values():
            log.ranking(ranking, engine)
    first = next(iter(rankings.values()))
    n_top = usual_count(first) if options.top is None else options.top
    files = FilesBeside()
    for name, ranking in rankings.items():
        path = outputs[name]
        if path is not None:
            files.write(partial(_saved, ranking, path))
    _write_figures(options, rankings, n_top, files)
    written = files.written
    document = {
        "model": _path_of(engine),
        "strips": len(strips),
        "rankings": {name: document_of(ranking, n_top) for name, ranking in rankings.items()},
        "written": [str(path) for path in written],
    }
    terminal.answer(document, *_told(rankings, n_top), *(f"wrote {escape(str(path))}" for path in written))
    files.settle()
    return 0


def _check_options(
    options: argparse.Namespace, names: tuple[str, ...], outputs: tuple[Path | None, ...]
) -> None:
    """Refuse before minutes of measuring what could not be done with the rankings."""
    from gazeviz.engine.discovery.discovery import KINDS, RANKINGS
    from gazeviz.render.figures import SUFFIXES

    unknown = [name for name in names if name not in RANKINGS]
    if unknown or not names:
        raise UserError(
            f"There is no head ranking “{unknown[0]}”." if unknown else "No head ranking is chosen.",
            next_step=f"Choose among: {', '.join(RANKINGS)}.",
        )
    for path in (*outputs, options.figure, options.matrix):
        check_folder(path)
        if path is not None and is_folder(user_path(path)):
            raise UserError(f"{path} is a folder.", next_step="Name a file in it.")
    for path in (options.figure, options.matrix):
        if path is not None and path.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"A figure cannot be written as {path.name}.",
                next_step=f"End its name in {', '.join(SUFFIXES)}.",
            )
    if options.matrix is not None and set(names) <= set(KINDS["effects"]):
        raise UserError(
            f"The ranking “{names[0]}” has no matrices.", next_step="Omit --matrix, or measure mass as well."
        )
    if options.top is not None and options.top < 1:
        raise UserError(f"{options.top} heads cannot be listed.", next_step="Ask for one or more: --top 10.")


def _check_top(options: argparse.Namespace, shape_LH: tuple[int, int]) -> None:
    n_heads = shape_LH[0] * shape_LH[1]
    if options.top is not None and options.top > n_heads:
        raise UserError(
            f"{options.top} heads cannot be listed: the model has {n_heads}.",
            next_step=f"Ask for at most {n_heads}.",
        )


def _saved(ranking: HeadRanking, path: Path) -> Path:
    ranking.save(path)
    return path


def _path_of(engine: Engine | EngineElsewhere) -> str:
    from gazeviz.backend.remote.elsewhere import EngineElsewhere

    return engine.info.path if isinstance(engine, EngineElsewhere) else str(engine.describe_model().path)


def _shape_of(engine: Engine | EngineElsewhere) -> tuple[int, int]:
    from gazeviz.backend.remote.elsewhere import EngineElsewhere

    return engine.info.shape_LH if isinstance(engine, EngineElsewhere) else engine.shape_LH


def _measured(
    engine: Engine | EngineElsewhere,
    options: argparse.Namespace,
    strips: Any,
    names: tuple[str, ...],
    terminal: Terminal,
) -> dict[str, HeadRanking]:
    """Rank all heads where the model is."""
    from gazeviz.backend.remote.elsewhere import EngineElsewhere

    if not isinstance(engine, EngineElsewhere):
        return measure(engine, strips, names, terminal, question=options.question)
    if options.question is not None or options.layout is not None:
        raise UserError(
            "On another machine strips are measured in their own layout and with the usual question.",
            next_step="Leave --layout and --question out, or run it on that machine.",
        )
    what = f"reading {len(strips)} strips for {', '.join(names)} at {options.worker}"
    with terminal.progress(what) as report:
        return engine.rank(
            inputs.strips_source(options.strips), names, lambda done, total, _: report(what, done / total)
        )


def measure(
    engine: Engine, strips: Any, names: tuple[str, ...], terminal: Terminal, question: str | None = None
) -> dict[str, HeadRanking]:
    """Rank all heads with a progress bar; one pass serves all scores."""
    what = f"reading {len(strips)} strips for {', '.join(names)}"
    with terminal.progress(what) as report:
        return engine.rank(
            strips, names, question=question,
            progress=lambda done, total, _seconds_left: report(what, done / total),
        )  # fmt: skip


def document_of(ranking: HeadRanking, n_top: int) -> dict[str, Any]:
    """Return a ranking as JSON: its best heads, how stable they are and in which layers."""
    chosen = ranking.top(n_top)
    agreed = ranking.split_half_overlap(n_top)
    return {
        "top": [
            {"head": str(head), "layer": head.layer, "index": head.index, "score": ranking.score(head)}
            for head in ranking.order()[:n_top]
        ],
        "split_half_overlap": agreed,
        "layers": chosen.layer_histogram(ranking.shape_LH[0]).tolist(),
    }


def check_folder(path: Path | None) -> None:
    """Refuse early, before minutes of work, a file whose folder does not exist."""
    if path is not None and not is_folder(user_path(path).absolute().parent):
        raise UserError(f"There is no folder {path.parent} for {path.name}.", next_step="Create it first.")


def _per_ranking(out: Path | None, name: str, names: tuple[str, ...]) -> Path | None:
    if out is None or len(names) == 1:
        return out
    return out.with_name(f"{out.stem}-{name}{out.suffix}")


def _write_figures(
    options: argparse.Namespace, rankings: Mapping[str, HeadRanking], n_top: int, files: FilesBeside
) -> None:
    """Write the figures that were asked for, of the first ranking."""
    if options.figure is None and options.matrix is None:
        return
    from gazeviz.render import figures

    ranking = next(iter(rankings.values()))
    drawn = next((one for one in rankings.values() if one.matrix_LHRR is not None), ranking)
    if options.figure is not None:
        files.write(lambda: figures.save(figures.head_grid(ranking, ranking.top(n_top)), options.figure))
    if options.matrix is not None:
        files.write(lambda: figures.save(figures.head_matrix(drawn, drawn.order()[0]), options.matrix))


def _told(rankings: Mapping[str, HeadRanking], n_top: int) -> list[RenderableType]:
    from gazeviz.domain.wording import format_figure

    parts: list[RenderableType] = []
    for name, ranking in rankings.items():
        document = document_of(ranking, n_top)
        agreed = document["split_half_overlap"]
        stable = "" if agreed is None else f" · split-half {agreed} of {n_top} agree"
        parts.append(f"[bold]{name}[/] [dim]{ranking.n_strips} strips{stable}[/]")
        rows = [
            (
                str(place),
                entry["head"],
                format_figure(entry["score"]),
                "█" * _bar(entry["score"], document["top"]),
            )
            for place, entry in enumerate(document["top"], start=1)
        ]
        parts += [table(("rank", "head", "score", ""), rows, right=(0, 2)), ""]
    names = list(rankings)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            shared = rankings[first].overlap(rankings[second], n_top)
            rho = format_figure(rankings[first].rank_correlation(rankings[second]))
            parts.append(f"[dim]{first} and {second}: {shared} of {n_top} shared, rank correlation {rho}[/]")
    return parts


def _bar(score: float, top: list[dict[str, Any]]) -> int:
    highest = max(abs(entry["score"]) for entry in top) or 1.0
    return max(0, round(24 * score / highest))
