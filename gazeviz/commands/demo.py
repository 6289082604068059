"""`gazeviz demo`: the whole loop on the built-in model, told step by step, with its controls and figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.run_log import RunLog, open_run_log
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.demo import Demonstration
    from gazeviz.domain.evaluation import Evaluation
    from gazeviz.engine.engine import Engine

HELP = "Show the whole loop on the built-in model: find gaze heads, steer them, compare with controls."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add sizes and the folder of the figures."""
    parser.add_argument(
        "--out", type=Path, default=Path("gazeviz-demo"), metavar="FOLDER",
        help="for ranking and figures (default: gazeviz-demo)",
    )  # fmt: skip
    parser.add_argument(
        "--strips", type=int, default=24, metavar="N", help="strips to find heads on (default: 24)"
    )
    parser.add_argument("--top", type=int, metavar="N", help="heads to steer (default: 12)")
    parser.add_argument(
        "--strip", type=int, default=0, metavar="K", help="which strip is asked about (default: 0)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run the demonstration, write its figures, tell it."""
    if options.strips < 1 or options.strip < 0:
        raise UserError(
            "There is nothing to show.", next_step="Use --strips 1 or more and --strip 0 or more."
        )
    folder = _made(user_path(options.out))
    with open_run_log(options, terminal) as log:
        engine = log.load_engine(options)
        from gazeviz.demo import demonstrate

        with terminal.progress("demonstration") as report:
            demo = demonstrate(engine, options.strips, options.strip, options.top, report)
        _keep(log, engine, demo, f"builtin:{options.strip}")
    written = _write(folder, demo)
    document = _document(demo) | {"model": str(engine.describe_model()), "written": [str(p) for p in written]}
    document |= log.document()
    terminal.answer(document, f"[dim]{escape(document['model'])}[/]", *_story(demo, written))
    log.tell()
    return 0


def _keep(log: RunLog, engine: Engine, demo: Demonstration, name: str) -> None:
    """Log what is shown of the demonstration: the ranking, and three runs with what the judge said."""
    from gazeviz.demo import TURNS
    from gazeviz.domain.strip import Layout

    strip, judge = demo.strip, "exact judge"
    shown = inputs.NamedPicture(strip.image, name, Layout(*strip.layout), strip.facts, strip.captions)
    log.ranking(demo.ranking, engine)
    baseline = log.finished(demo.baseline, shown, strip.panels)
    steered = log.finished(demo.shown, shown, strip.panels)
    log.finished(demo.narration, shown, strip.panels)
    log.verdict(baseline, _panel_label(demo.baseline_verdict.chosen), None, judge)
    answer = demo.answers[TURNS[0] - 1]
    log.verdict(steered, _panel_label(answer.chosen), answer.described, judge)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be created: {error.strerror}.",
            next_step="Choose another with --out.",
        ) from error
    return folder


def _write(folder: Path, demo: Demonstration) -> list[Path]:
    """Write ranking, grid, the best head's matrix, the staircase and one steered map."""
    from gazeviz.commands.narrate import panel_marks, target_blocks
    from gazeviz.demo import TURNS
    from gazeviz.engine.generation.read_along import run_map
    from gazeviz.render import figures

    panels, number, told = demo.strip.panels, TURNS[0], demo.narration
    drawn = {
        "head-grid.svg": figures.head_grid(demo.ranking, demo.chosen),
        "best-head-matrix.svg": figures.head_matrix(demo.ranking, demo.ranking.order()[0]),
        "staircase.svg": figures.staircase(
            told.trajectory(panels), panels, target_blocks(told), panel_marks(told)
        ),
        "steered-map.png": figures.picture_overlay(
            demo.strip.image, run_map(demo.shown), [panels[number - 1]],
            f"steered to panel {number}: “{demo.shown.text}”", numbers=[number],
        ),
    }  # fmt: skip
    demo.ranking.save(folder / "ranking.json")
    return [folder / "ranking.json", *(figures.save(figure, folder / name) for name, figure in drawn.items())]


def _document(demo: Demonstration) -> dict[str, Any]:
    from dataclasses import asdict

    from gazeviz.commands.narrate import turns_of
    from gazeviz.domain.experiments.treatment import STATIC

    return {
        "heads": [str(head) for head in demo.chosen],
        "split_half_overlap": demo.ranking.split_half_overlap(len(demo.chosen)),
        "question": STATIC.prompt,
        "captions": list(demo.strip.captions),
        "baseline": {"text": demo.baseline.text, "chosen": demo.baseline_verdict.chosen},
        "steered": [asdict(answer) for answer in demo.answers],
        "gaze_heads": demo.steered.figures(),
        "controls": {control.treatment["name"]: control.figures() for control in demo.controls},
        "percentile_among_random_draws": demo.percentile,
        "narration": {"text": demo.narration.text, "turns": turns_of(demo.narration)},
    }


def _story(demo: Demonstration, written: list[Path]) -> list[RenderableType]:
    from gazeviz.commands.narrate import turns_of
    from gazeviz.demo import TURN_TOK
    from gazeviz.domain.experiments.treatment import DYNAMIC, STATIC
    from gazeviz.domain.wording import format_figure

    n_heads, n_all = len(demo.chosen), len(demo.ranking.order())
    best = ", ".join(f"{head} {format_figure(demo.ranking.score(head))}" for head in demo.ranking.order()[:6])
    agreed = demo.ranking.split_half_overlap(n_heads)
    turns = [
        (str(turn["from_token"]), turn["target"] or "", escape(turn["text"]))
        for turn in turns_of(demo.narration)
    ]
    chance = format_figure(demo.steered.chance)
    return [
        f"\n[bold]1  Gaze heads[/]  {n_heads} of {n_all}, those that look most at the panel asked about",
        f"   {best} ...",
        "" if agreed is None else f"   [dim]both halves of the strips agree on {agreed} of {n_heads}[/]",
        f"[bold]2  One question that names no panel[/]  “{escape(STATIC.prompt)}”",
        _answers(demo),
        f"\n[bold]3  Controls[/]  [dim]share of answers that are about the target and not the baseline's; "
        f"chance {chance}[/]",
        _controls(demo),
        f"\n[bold]4  One narration, its target moved every {TURN_TOK} tokens[/]  “{escape(DYNAMIC.prompt)}”",
        table(("token", "target", "told"), turns, right=(0,)),
        "\n[bold]5  Written[/]",
        *(f"   {escape(str(path))}" for path in written),
    ]


def _answers(demo: Demonstration) -> RenderableType:
    """Baseline and steered answers beside the true captions, each with the exact judge's verdict."""
    from gazeviz.domain.wording import format_figure

    rows = [("baseline", "", escape(demo.baseline.text), _panel_label(demo.baseline_verdict.chosen), "")]
    for caption, answer in zip(demo.strip.captions, demo.answers, strict=True):
        mark = "[green]✓[/]" if answer.described else "[red]✗[/]"
        judged = f"{mark} {answer.junk or _panel_label(answer.chosen)}{', complete' if answer.right else ''}"
        before, after = (format_figure(mass or 0.0) for mass in (answer.mass_before, answer.mass_after))
        target = f"→ panel {answer.target + 1}"
        rows.append((target, caption, escape(answer.text), judged, f"{before} → {after}"))
    return table(("", "what is drawn there", "answer", "exact judge", "mass on target"), rows)


def _panel_label(chosen: int | None) -> str:
    return "no one panel" if chosen is None else f"panel {chosen + 1}"


def _controls(demo: Demonstration) -> RenderableType:
    """Gaze heads against the distribution of random draws and every other control."""

    rows = [_control_row(demo.steered)]
    matched = [draw for draw in demo.random_draws if draw.treatment["name"].startswith("layer-matched")]
    uniform = [draw for draw in demo.random_draws if draw not in matched]
    for name, draws in (("random", uniform), ("layer-matched random", matched)):
        if draws:
            rows.append(_draws_row(f"{name} {len(demo.chosen)}", draws, demo.steered.share()))
    rows += [_control_row(control) for control in demo.controls if control not in demo.random_draws]
    return table(("heads", "hit", "complete", "junk", ""), rows, right=(1, 2, 3))


def _draws_row(name: str, draws: list[Evaluation], gaze: float) -> tuple[str, str, str, str, str]:
    """Many draws in one row: their mean, their range, and where gaze heads stand among them."""
    from statistics import mean

    from gazeviz.domain.statistics import percentile_of
    from gazeviz.domain.wording import format_figure

    shares = [draw.share() for draw in draws]
    spread = f"{len(draws)} draws, {format_figure(min(shares))} to {format_figure(max(shares))}"
    return (
        name,
        format_figure(mean(shares)),
        format_figure(mean(draw.share("right") for draw in draws)),
        format_figure(mean(draw.junk_share for draw in draws)),
        f"{spread}; gaze heads are at percentile {percentile_of(gaze, shares):.0f}",
    )


def _control_row(evaluation: Evaluation) -> tuple[str, str, str, str, str]:
    from gazeviz.domain.wording import format_figure

    low, high = (format_figure(end) for end in evaluation.interval())
    note = f"{len(evaluation.answers)} answers, 95 % interval {low} to {high}"
    if evaluation.unchanged_share == 1:
        note = "every answer is the baseline's"
    return (
        escape(str(evaluation.treatment["name"])),
        format_figure(evaluation.share()),
        format_figure(evaluation.share("right")),
        format_figure(evaluation.junk_share),
        note,
    )
